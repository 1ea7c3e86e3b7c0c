/* The search that chooses a search. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"
#include "spaces.h"

static struct search *open_search(const char *name, const struct space *space, int64_t n_trials,
                                  int64_t n_workers)
{
    struct plugin plugin = {0};
    struct search *search = NULL;
    ck_assert_int_eq(plugin_set_name(&plugin, name, 1, 1), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, 5, n_trials, n_workers, NULL), 0);
    plugin_fini(&plugin);
    return search;
}

static const struct {
    const char *space;
    int64_t n_trials, n_workers;
    const char *says;
} plans[] = {
    {"ten doubles", 100, 1, "gp: few trials are planned, so each must teach much"},
    {"mixed", 500, 100, "gp: few trials are planned, so each must teach much"},
    {"conditional", 100, 1, "tpe: parameters with conditions"},
    {"ten doubles", 501, 1, "gp for 500 trials, then cmaes: many trials, and numbers alone"},
    {"ten doubles", 0, 0, "gp for 500 trials, then cmaes: many trials, and numbers alone"},
    {"ten doubles", 5000, 1, "gp for 150 trials, then cmaes: many trials, and numbers alone"},
    {"mixed", 2000, 1, "gp for 500 trials, then tpe: many trials, of categorical parameters"},
    {"mixed", 100, 101, "tpe: more than 100 workers at a time"},
    {"150 doubles", 100, 1, "tpe: more than 100 parameters"},
};

START_TEST(it_says_what_it_chose_and_why)
{
    struct space *space = test_space_named(plans[_i].space);
    struct search *search = open_search("auto", space, plans[_i].n_trials, plans[_i].n_workers);
    struct text text = {0};
    search_explain(&text, search);
    ck_assert_str_eq(text_get(&text), plans[_i].says);
    text_fini(&text);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(others_have_nothing_to_say)
{
    struct space *space = test_space_named("mixed");
    struct search *search = open_search("random", space, 100, 1);
    struct text text = {0};
    search_explain(&text, search);
    ck_assert_uint_eq(text.size, 0);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

/* The search of a sweep: it knows the schedule. */
START_TEST(where_most_trials_are_short_it_chooses_tpe)
{
    static const struct {
        const char *schedule, *begins;
    } cases[] = {
        {"full", "gp"}, {"pbt", "gp"}, {"asha", "tpe"}, {"asha-stopping", "tpe"}, {"hyperband", "tpe"}};
    struct space *space = test_space_named("ten doubles");
    struct spec spec = {.space = space, .limits = {.trials = 100}, .workers = 1};
    ck_assert_int_eq(plugin_set_name(&spec.search, "auto", 1, 1), 0);
    ck_assert_int_eq(plugin_set_name(&spec.schedule, cases[_i].schedule, 1, 1), 0);
    struct search *search = NULL;
    struct text text = {0};
    ck_assert_int_eq(search_create_for(&search, &spec, NULL), 0);
    search_explain(&text, search);
    ck_assert_msg(strncmp(text_get(&text), cases[_i].begins, strlen(cases[_i].begins)) == 0, "%s: %s",
                  cases[_i].schedule, text_get(&text));
    text_fini(&text);
    search_destroy(search);
    plugin_fini(&spec.search);
    plugin_fini(&spec.schedule);
    space_destroy(space);
}
END_TEST

static double value_of(const struct space *space, const double *point)
{
    double sum = 0;
    for (size_t i = 0; i < space->n_params; i++) {
        double u = isnan(point[i]) ? 0.5 : param_to_unit(&space->params[i], point[i]);
        sum += (u - 0.3) * (u - 0.3);
    }
    return sum;
}

static void tell(struct search *search, enum observation_kind kind, uint64_t trial, const double *point,
                 double value)
{
    ck_assert_int_eq(
        search_observe(search,
                       &(struct observation){.kind = kind, .trial = trial, .point = point, .value = value}),
        0);
}

START_TEST(after_the_switch_it_goes_on_as_the_next_search_would)
{
    /* Random points told as pending and final, so gp is never asked; then both are asked. */
    enum { TOLD = 150 };
    struct space *space = test_space_named(_i ? "ten doubles" : "mixed");
    struct search *random = open_search("random", space, 5000, 1),
                  *chosen = open_search("auto", space, 5000, 1),
                  *next = open_search(_i ? "cmaes" : "tpe", space, 5000, 1);
    double point[10], a[10], b[10];
    for (uint64_t trial = 1; trial <= TOLD; trial++) {
        ck_assert_int_eq(search_suggest(point, random, trial, NULL), 0);
        for (int i = 0; i < 2; i++) {
            struct search *search = i ? chosen : next;
            tell(search, OBSERVED_PENDING, trial, point, NAN);
            tell(search, OBSERVED_FINAL, trial, point, value_of(space, point));
        }
    }
    for (uint64_t trial = TOLD + 1; trial <= TOLD + 30; trial++) {
        ck_assert_int_eq(search_suggest(a, chosen, trial, NULL), 0);
        ck_assert_int_eq(search_suggest(b, next, trial, NULL), 0);
        ck_assert(space_equal(space, a, b));
        tell(chosen, OBSERVED_FINAL, trial, a, value_of(space, a));
        tell(next, OBSERVED_FINAL, trial, b, value_of(space, b));
    }
    search_destroy(random);
    search_destroy(chosen);
    search_destroy(next);
    space_destroy(space);
}
END_TEST

START_TEST(before_the_switch_it_is_the_first_search)
{
    struct space *space = test_space_named("mixed");
    struct search *chosen = open_search("auto", space, 100, 1), *gp = open_search("gp", space, 100, 1);
    for (uint64_t trial = 1; trial <= 25; trial++) {
        double a[10], b[10];
        ck_assert_int_eq(search_suggest(a, chosen, trial, NULL), 0);
        ck_assert_int_eq(search_suggest(b, gp, trial, NULL), 0);
        ck_assert(space_equal(space, a, b));
        tell(chosen, OBSERVED_FINAL, trial, a, value_of(space, a));
        tell(gp, OBSERVED_FINAL, trial, b, value_of(space, b));
    }
    search_destroy(chosen);
    search_destroy(gp);
    space_destroy(space);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auto");
    TCase *all = tcase_create("auto");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, it_says_what_it_chose_and_why, 0, (int)(sizeof plans / sizeof *plans));
    tcase_add_test(all, others_have_nothing_to_say);
    tcase_add_loop_test(all, where_most_trials_are_short_it_chooses_tpe, 0, 5);
    tcase_add_test(all, before_the_switch_it_is_the_first_search);
    tcase_add_loop_test(all, after_the_switch_it_goes_on_as_the_next_search_would, 0, 2);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
