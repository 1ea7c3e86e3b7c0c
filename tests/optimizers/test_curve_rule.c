/* Stopping rule curve: which trials it ends, and when. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"

enum { WHOLE = 50 };

static void *rule;
static struct curve curve;

static void open_rule(const char *key, const char *value)
{
    const struct stopping_type *type = stopping_type_find("curve");
    struct plugin plugin = {0};
    struct faults faults = {0};
    void *options = calloc(1, type->options_size + 1);
    ck_assert_int_eq(plugin_set_name(&plugin, "curve", 0, 0), 0);
    if (key)
        ck_assert_int_eq(plugin_add(&plugin, key, value, 0, 0), 0);
    ck_assert_uint_eq(options_parse(options, type->options, type->n_options, &plugin, "curve", &faults), 0);
    struct stopping_setup setup = {.options = options, .goal = GOAL_MINIMIZE};
    ck_assert_int_eq(type->create(&rule, &setup, NULL), 0);
    plugin_fini(&plugin);
    free(options);
}

static void close_rule(void)
{
    stopping_type_find("curve")->destroy(rule);
    rule = NULL;
    curve_fini(&curve);
}

typedef double curve_fn(double s);

static double good(double s)
{
    return 0.2 + 0.8 / s;
}

static double bad(double s)
{
    return 0.6 + 0.4 / s;
}

/* At first worse than `good`, at the end better. */
static double slow(double s)
{
    return 1.0 - 0.9 * (1 - exp(-s / 15));
}

static double flat(double s)
{
    (void)s;
    return 0.7;
}

static double flat_but_best(double s)
{
    (void)s;
    return 0.1;
}

static double growing(double s)
{
    return 1e300 * s;
}

static double tiny(double s)
{
    return 1e-300 / s;
}

static double noisy_bad(double s)
{
    return 0.6 + 0.4 / s + 0.02 * sin(37 * s);
}

/* Runs a trial up to `whole` reports; how many it came to. */
static int run(uint64_t trial, curve_fn *value, int whole, int stride)
{
    const struct stopping_type *type = stopping_type_find("curve");
    bool stops = false;
    int n = 0;
    curve_clear(&curve);
    for (; n < whole && !stops; n++) {
        double s = (double)n * stride + 1;
        ck_assert_int_eq(curve_add(&curve, (int64_t)n * stride, value(s)), 0);
        stops = type->report(rule, trial, &curve);
    }
    ck_assert_int_eq(type->ended(rule, trial, stops ? TRIAL_STOPPED : TRIAL_COMPLETED, &curve), 0);
    return n;
}

START_TEST(a_trial_that_will_not_get_there_ends_early)
{
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    ck_assert_int_lt(run(2, bad, WHOLE, 1), 12);
    ck_assert_int_lt(run(3, noisy_bad, WHOLE, 1), 20);
    ck_assert_int_lt(run(4, flat, WHOLE, 1), 12);
}
END_TEST

START_TEST(a_trial_that_starts_slowly_and_ends_well_goes_on)
{
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    ck_assert_double_lt(slow(WHOLE), good(WHOLE));
    ck_assert_double_gt(slow(10), 2 * good(10));
    ck_assert_int_eq(run(2, slow, WHOLE, 1), WHOLE);
    ck_assert_int_eq(run(3, flat_but_best, WHOLE, 1), WHOLE);
}
END_TEST

START_TEST(trials_that_are_alike_all_finish)
{
    open_rule(NULL, NULL);
    for (uint64_t trial = 1; trial <= 5; trial++)
        ck_assert_int_eq(run(trial, good, WHOLE, 1), WHOLE);
    close_rule();
    open_rule(NULL, NULL);
    for (uint64_t trial = 1; trial <= 5; trial++)
        ck_assert_int_eq(run(trial, flat, WHOLE, 1), WHOLE);
}
END_TEST

START_TEST(nothing_is_stopped_before_a_trial_has_completed)
{
    open_rule("min_trials", "3");
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    ck_assert_int_eq(run(2, bad, WHOLE, 1), WHOLE);
    ck_assert_int_eq(run(3, bad, WHOLE, 1), WHOLE);
    ck_assert_int_lt(run(4, bad, WHOLE, 1), WHOLE);
}
END_TEST

START_TEST(what_is_unlikely_is_the_users_choice)
{
    open_rule("probability", "1e-6");
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    int patient = run(2, noisy_bad, WHOLE, 1);
    close_rule();
    open_rule("probability", "0.3");
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    ck_assert_int_lt(run(2, noisy_bad, WHOLE, 1), patient);
}
END_TEST

START_TEST(only_the_share_of_the_training_matters_not_its_units)
{
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, flat_but_best, WHOLE, 1000), WHOLE);
    ck_assert_int_lt(run(2, bad, WHOLE, 1000), 12);
}
END_TEST

START_TEST(values_of_any_size_are_no_trouble)
{
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    (void)run(2, growing, WHOLE, 1); /* squares are beyond a double: it may stop or not, but not crash */
    ck_assert_int_eq(run(3, tiny, WHOLE, 1), WHOLE);
    ck_assert_int_lt(run(4, bad, WHOLE, 1), WHOLE); /* now that the best is all but 0 */
}
END_TEST

START_TEST(a_trial_that_begins_anew_is_judged_anew)
{
    const struct stopping_type *type = stopping_type_find("curve");
    open_rule("probability", "1e-6");
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    for (int n = 0; n < 8; n++) {
        ck_assert_int_eq(curve_add(&curve, WHOLE + n, 3 - 0.01 * n), 0);
        (void)type->report(rule, 2, &curve);
    }
    ck_assert_int_eq(run(2, good, WHOLE, 1), WHOLE);
}
END_TEST

START_TEST(a_restart_with_the_history_decides_alike)
{
    const struct stopping_type *type = stopping_type_find("curve");
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    int n = run(2, bad, WHOLE, 1);
    close_rule();
    open_rule(NULL, NULL);
    ck_assert_int_eq(run(1, good, WHOLE, 1), WHOLE);
    curve_clear(&curve);
    for (int i = 0; i < n; i++) { /* told at its end alone */
        ck_assert_int_eq(curve_add(&curve, i, bad(i + 1)), 0);
        if (i == n - 2)
            ck_assert(!type->report(rule, 2, &curve));
    }
    ck_assert(type->report(rule, 2, &curve));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("curve");
    TCase *tests = tcase_create("curve");
    tcase_add_checked_fixture(tests, NULL, close_rule);
    tcase_add_test(tests, a_trial_that_will_not_get_there_ends_early);
    tcase_add_test(tests, a_trial_that_starts_slowly_and_ends_well_goes_on);
    tcase_add_test(tests, trials_that_are_alike_all_finish);
    tcase_add_test(tests, nothing_is_stopped_before_a_trial_has_completed);
    tcase_add_test(tests, what_is_unlikely_is_the_users_choice);
    tcase_add_test(tests, only_the_share_of_the_training_matters_not_its_units);
    tcase_add_test(tests, values_of_any_size_are_no_trouble);
    tcase_add_test(tests, a_trial_that_begins_anew_is_judged_anew);
    tcase_add_test(tests, a_restart_with_the_history_decides_alike);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
