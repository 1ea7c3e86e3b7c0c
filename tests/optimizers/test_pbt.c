/* Schedule pbt: who is replaced by whom, and with which parameters. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"
#include "spaces.h"

static const struct schedule_type *type;
static void *pbt;
static struct plan plan;

static int open_with(int64_t n_trials, const char *const *words, struct err *err)
{
    struct plugin plugin = {0};
    struct faults faults = {0};
    type = schedule_type_find("pbt");
    ck_assert_int_eq(plugin_set_name(&plugin, "pbt", 1, 1), 0);
    for (size_t i = 0; words[i]; i += 2)
        ck_assert_int_eq(plugin_add(&plugin, words[i], words[i + 1], 1, 1), 0);
    void *options = calloc(1, type->options_size + 1);
    ck_assert_uint_eq(options_parse(options, type->options, type->n_options, &plugin, "pbt", &faults), 0);
    struct schedule_setup setup = {.options = options, .seed = 5, .n_trials = n_trials, .n_workers = 1};
    int code = type->create(&pbt, &setup, err);
    plugin_fini(&plugin);
    free(options);
    return code;
}

/* Four members, looked at after 10 units and 20, done at 30; the worst of four is replaced. */
static void open_four(int64_t n_trials)
{
    const char *const words[] = {"population", "4", "interval", "10", "max_budget", "30", NULL};
    ck_assert_int_eq(open_with(n_trials, words, NULL), 0);
}

static void close_pbt(void)
{
    if (pbt)
        type->destroy(pbt);
    pbt = NULL;
}

static void next(void)
{
    type->next(&plan, pbt);
}

/* Runs trial `trial` up to its budget; its value there is `value`. */
static void run(uint64_t trial, int64_t budget, double value)
{
    ck_assert_int_eq(type->started(pbt, trial, budget), 0);
    enum decision decision = type->report(pbt, trial, budget - 1, value);
    ck_assert_int_eq((int)decision, budget == 30 ? DECISION_CONTINUE : DECISION_PAUSE);
    ck_assert_int_eq(
        type->ended(pbt, trial, budget == 30 ? TRIAL_COMPLETED : TRIAL_PAUSED, budget - 1, value), 0);
}

static void run_roots(const double *values)
{
    for (uint64_t trial = 1; trial <= 4; trial++) {
        next();
        ck_assert_int_eq((int)plan.kind, PLAN_NEW);
        ck_assert_int_eq(plan.budget, 10);
        run(trial, 10, values[trial - 1]);
    }
}

START_TEST(the_worst_ends_and_a_copy_of_the_best_takes_its_place)
{
    open_four(0);
    run_roots((const double[]){3, 1, 4, 2});
    next(); /* trial 1 is not the worst */
    ck_assert(plan.kind == PLAN_RESUME && plan.trial == 1 && plan.budget == 20);
    run(1, 20, 2.5);
    next();
    ck_assert(plan.kind == PLAN_RESUME && plan.trial == 2);
    run(2, 20, 0.5);
    next();
    ck_assert(plan.kind == PLAN_STOP && plan.trial == 3);
    ck_assert_int_eq(type->ended(pbt, 3, TRIAL_STOPPED, 9, 4), 0);
    next(); /* the best by their latest values is trial 2, which has used 20 */
    ck_assert(plan.kind == PLAN_FORK && plan.trial == 2 && plan.units == 20 && plan.budget == 30);
    ck_assert_int_eq(type->forked(pbt, 5, 2, 20), 0);
    run(5, 30, 0.25);
    next();
    ck_assert(plan.kind == PLAN_RESUME && plan.trial == 4);
}
END_TEST

START_TEST(nobody_is_replaced_before_the_share_is_one_member)
{
    open_four(0);
    for (uint64_t trial = 1; trial <= 3; trial++)
        run(trial, 10, (double)trial);
    ck_assert_int_eq(type->started(pbt, 4, 10), 0); /* still runs */
    next();
    ck_assert(plan.kind == PLAN_RESUME && plan.trial == 1);
}
END_TEST

START_TEST(the_limit_of_trials_ends_replacing_not_training)
{
    open_four(4);
    run_roots((const double[]){4, 1, 2, 3});
    for (uint64_t trial = 1; trial <= 4; trial++) {
        next();
        ck_assert(plan.kind == PLAN_RESUME && plan.trial == trial);
        run(trial, 20, (double)trial);
    }
    for (uint64_t trial = 1; trial <= 4; trial++) {
        next();
        ck_assert(plan.kind == PLAN_RESUME && plan.budget == 30);
        run(plan.trial, 30, 0);
    }
    next();
    ck_assert_int_eq((int)plan.kind, PLAN_DONE);
}
END_TEST

START_TEST(a_member_that_failed_is_replaced_too)
{
    open_four(0);
    run_roots((const double[]){1, 2, 3, 4});
    next();
    ck_assert_int_eq(type->started(pbt, plan.trial, plan.budget), 0);
    ck_assert_int_eq(type->ended(pbt, plan.trial, TRIAL_FAILED, 12, (double)NAN), 0);
    next();
    ck_assert(plan.kind == PLAN_FORK && plan.trial == 2 && plan.units == 10 && plan.budget == 20);
}
END_TEST

START_TEST(a_population_that_failed_altogether_begins_anew)
{
    open_four(0);
    for (uint64_t trial = 1; trial <= 4; trial++) {
        ck_assert_int_eq(type->started(pbt, trial, 10), 0);
        ck_assert_int_eq(type->ended(pbt, trial, TRIAL_FAILED, 0, (double)NAN), 0);
    }
    next();
    ck_assert_int_eq((int)plan.kind, PLAN_NEW);
}
END_TEST

START_TEST(explored_points_are_of_the_space_and_near_or_drawn_anew)
{
    const struct test_space *kind = &test_spaces[_i];
    open_four(0);
    struct space *space = test_space_create(kind);
    struct search *search = NULL;
    struct plugin plugin = {0};
    ck_assert_int_eq(plugin_set_name(&plugin, "random", 0, 0), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, 1, 0, 1, NULL), 0);
    double *origin = calloc(space->n_params + 1, sizeof *origin),
           *point = calloc(space->n_params + 1, sizeof *point),
           *again = calloc(space->n_params + 1, sizeof *again);
    for (uint64_t trial = 1; trial <= 200; trial++) {
        struct err err = {0};
        if (search_suggest(origin, search, trial, NULL) < 0)
            break;
        ck_assert_int_eq(type->explore(point, pbt, space, origin, trial), 0);
        ck_assert_int_eq(type->explore(again, pbt, space, origin, trial), 0);
        ck_assert_msg(space_check(space, point, &err) == 0, "%s: %s", kind->name, err.text);
        ck_assert(space_equal(space, point, again));
    }
    free(origin);
    free(point);
    free(again);
    plugin_fini(&plugin);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(numbers_are_multiplied_and_lists_move_to_a_neighbour)
{
    const char *const words[] = {"population", "4", "max_budget", "30", "resample", "0", NULL};
    const double sizes[] = {16, 32, 64, 128};
    ck_assert_int_eq(open_with(0, words, NULL), 0);
    struct space *space = space_create();
    add_double(space, "lr", 1e-4, 1, SCALE_LOG);
    add_int(space, "layers", 1, 8, SCALE_LINEAR);
    add_discrete(space, "batch", sizes, 4);
    add_categorical(space, "solver", 3);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    const double origin[] = {0.1, 2, 3, 1};
    unsigned seen = 0;
    for (uint64_t trial = 1; trial <= 50; trial++) {
        double point[4];
        ck_assert_int_eq(type->explore(point, pbt, space, origin, trial), 0);
        ck_assert(fabs(point[0] - 0.12) < 1e-12 || fabs(point[0] - 0.08) < 1e-12);
        ck_assert(point[1] == 1 || point[1] == 3);
        ck_assert(point[2] == 2 || point[2] == 3); /* 128 is the last one */
        ck_assert_double_eq(point[3], 1);
        seen |= (point[0] > 0.1 ? 1u : 2u) | (point[1] > 2 ? 4u : 8u) | (point[2] > 2.5 ? 16u : 32u);
    }
    ck_assert_uint_eq(seen, 63);
    space_destroy(space);
}
END_TEST

static const struct {
    const char *words[9];
    int64_t n_trials;
    const char *text;
} bad[] = {
    {{NULL}, 0, "max_budget must be given"},
    {{"max_budget", "5", "interval", "9", NULL}, 0, "interval (9) is above max_budget (5)"},
    {{"max_budget", "5", "population", "3", NULL}, 0, "a quantile of 0.25 of a population of 3 is nobody"},
    {{"max_budget", "5", "population", "20", NULL}, 10, "population (20) is above limits.trials (10)"},
};

START_TEST(options_that_make_no_sense_are_refused)
{
    struct err err = {0};
    ck_assert_int_eq(open_with(bad[_i].n_trials, bad[_i].words, &err), ERR_INVALID);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s", err.text);
    pbt = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pbt");
    TCase *tests = tcase_create("pbt");
    tcase_add_checked_fixture(tests, NULL, close_pbt);
    tcase_add_test(tests, the_worst_ends_and_a_copy_of_the_best_takes_its_place);
    tcase_add_test(tests, nobody_is_replaced_before_the_share_is_one_member);
    tcase_add_test(tests, the_limit_of_trials_ends_replacing_not_training);
    tcase_add_test(tests, a_member_that_failed_is_replaced_too);
    tcase_add_test(tests, a_population_that_failed_altogether_begins_anew);
    tcase_add_loop_test(tests, explored_points_are_of_the_space_and_near_or_drawn_anew, 0,
                        (int)n_test_spaces);
    tcase_add_test(tests, numbers_are_multiplied_and_lists_move_to_a_neighbour);
    tcase_add_loop_test(tests, options_that_make_no_sense_are_refused, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
