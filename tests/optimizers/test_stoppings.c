/* The stopping rules: what all must do, looped over the registry, and each against tables worked out by hand.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/incumbent.h"
#include "optimizers/quantile.h"
#include "optimizers/registry.h"

/* A rule under test, made from text as a sweep file would have it: {"name", "key", "value", ..., NULL}. */
struct rule {
    const struct stopping_type *type;
    void *state;
};

static int rule_create(struct rule *rule, enum metric_goal goal, const char *const *words, struct err *err)
{
    struct plugin plugin = {0};
    struct faults faults = {0};
    rule->type = stopping_type_find(words[0]);
    ck_assert_msg(rule->type != NULL, "no rule '%s'", words[0]);
    ck_assert_int_eq(plugin_set_name(&plugin, words[0], 1, 1), 0);
    for (size_t i = 1; words[i]; i += 2)
        ck_assert_int_eq(plugin_add(&plugin, words[i], words[i + 1], 1, 1), 0);
    void *options = calloc(1, rule->type->options_size + 1);
    ck_assert_uint_eq(
        options_parse(options, rule->type->options, rule->type->n_options, &plugin, words[0], &faults), 0);
    int code =
        rule->type->create(&rule->state, &(struct stopping_setup){.options = options, .goal = goal}, err);
    free(options);
    plugin_fini(&plugin);
    return code;
}

#define RULE(rule, ...)                                                                                      \
    do {                                                                                                     \
        struct err err_ = {0};                                                                               \
        ck_assert_msg(rule_create(rule, GOAL_MINIMIZE, (const char *[]){__VA_ARGS__, NULL}, &err_) == 0,     \
                      "%s", err_.text);                                                                      \
    } while (0)

static void rule_destroy(struct rule *rule)
{
    rule->type->destroy(rule->state);
}

static void rule_ended(struct rule *rule, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    if (rule->type->ended)
        ck_assert_int_eq(rule->type->ended(rule->state, trial, end, curve), 0);
}

static bool reports(const struct rule *rule, uint64_t trial, const struct curve *curve)
{
    return rule->type->report && rule->type->report(rule->state, trial, curve);
}

/* One trial, report by report. Returns the step at which the rule stops it, -1 if it does not. */
static int64_t play(struct rule *rule, uint64_t trial, size_t n, const int64_t *steps, const double *values)
{
    struct curve curve = {0};
    int64_t stopped = -1;
    for (size_t i = 0; i < n && stopped < 0; i++) {
        ck_assert_int_eq(curve_add(&curve, steps ? steps[i] : (int64_t)i, values[i]), 0);
        if (reports(rule, trial, &curve))
            stopped = curve.steps[i];
    }
    rule_ended(rule, trial, stopped < 0 ? TRIAL_COMPLETED : TRIAL_STOPPED, &curve);
    curve_fini(&curve);
    return stopped;
}

/* A trial that ran to its end whatever the rule says. */
static void complete(struct rule *rule, uint64_t trial, size_t n, const int64_t *steps, const double *values)
{
    struct curve curve = {0};
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(curve_add(&curve, steps ? steps[i] : (int64_t)i, values[i]), 0);
    rule_ended(rule, trial, TRIAL_COMPLETED, &curve);
    curve_fini(&curve);
}

/* Options that make a rule as eager as can be; threshold has one that must be given. */
static const char *const *eager(const struct stopping_type *type)
{
    static const char *const median[] = {"median", "min_trials", "1", NULL};
    static const char *const percentile[] = {"percentile", "min_trials", "1", NULL};
    static const char *const threshold[] = {"threshold", "value", "0.5", NULL};
    static const char *const patience[] = {"patience", "steps", "1", NULL};
    static const char *const none[] = {"none", NULL};
    static const char *const *const all[] = {median, percentile, threshold, patience, none};
    static const char *plain[2];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i][0], type->name) == 0)
            return all[i];
    }
    plain[0] = type->name;
    return plain;
}

START_TEST(the_type_is_complete)
{
    const struct stopping_type *type = stopping_types[_i];
    ck_assert(type->name && *type->name && type->summary && *type->summary && type->paper);
    ck_assert(type->create && type->destroy && (type->report || !type->ended));
    ck_assert_ptr_eq(stopping_type_find(type->name), type);
    for (size_t i = 0; i < type->n_options; i++)
        ck_assert(type->options[i].name && type->options[i].help && *type->options[i].help);
    type->destroy(NULL);
}
END_TEST

START_TEST(bad_values_do_no_harm)
{
    static const double values[][4] = {{NAN, NAN, NAN, NAN},
                                       {INFINITY, 1, -INFINITY, 2},
                                       {1e300, -1e300, 1e300, 0},
                                       {1e-300, -1e-300, 0, 0},
                                       {1.7e308, -1.7e308, 1.7e308, -1.7e308}};
    struct rule rule;
    ck_assert_int_eq(rule_create(&rule, GOAL_MAXIMIZE, eager(stopping_types[_i]), NULL), 0);
    for (uint64_t trial = 1; trial <= 50; trial++) {
        if (trial % 3)
            (void)play(&rule, trial, 4, NULL, values[trial % 5]);
        else
            complete(&rule, trial, 4, NULL, values[trial % 5]);
    }
    struct curve empty = {0};
    for (enum trial_state end = TRIAL_COMPLETED; end <= TRIAL_FAILED; end++)
        rule_ended(&rule, 100 + end, end, &empty);
    rule_destroy(&rule);
}
END_TEST

START_TEST(rebuilt_from_the_ends_it_decides_the_same)
{
    struct rule live, rebuilt;
    struct rng rng;
    rng_init(&rng, 4, 2);
    ck_assert_int_eq(rule_create(&live, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    ck_assert_int_eq(rule_create(&rebuilt, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    for (uint64_t trial = 1; trial <= 40; trial++) {
        struct curve curve = {0};
        bool stop = false;
        for (int64_t step = 0; step < 8 && !stop; step++) {
            ck_assert_int_eq(curve_add(&curve, step * (1 + (int64_t)(trial % 3)), rng_uniform(&rng)), 0);
            stop = reports(&live, trial, &curve);
        }
        rule_ended(&live, trial, stop ? TRIAL_STOPPED : TRIAL_COMPLETED, &curve);
        rule_ended(&rebuilt, trial, stop ? TRIAL_STOPPED : TRIAL_COMPLETED, &curve);
        curve_fini(&curve);
    }
    for (uint64_t trial = 41; trial <= 60; trial++) {
        struct curve curve = {0};
        for (int64_t step = 0; step < 8; step++) {
            ck_assert_int_eq(curve_add(&curve, step, rng_uniform(&rng)), 0);
            ck_assert_int_eq(reports(&live, trial, &curve), reports(&rebuilt, trial, &curve));
        }
        curve_fini(&curve);
    }
    rule_destroy(&live);
    rule_destroy(&rebuilt);
}
END_TEST

START_TEST(another_attempt_starts_afresh)
{
    /* The first attempt was good and got lost; the second is as bad as a trial can be from its first report
     * on. */
    struct rule rule, other;
    static const double good[] = {0.1, 0.05, 0.01}, bad[] = {0.9, 0.9, 0.9, 0.9};
    ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    ck_assert_int_eq(rule_create(&other, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    complete(&rule, 1, 3, NULL, (double[]){0.5, 0.4, 0.3});
    complete(&other, 1, 3, NULL, (double[]){0.5, 0.4, 0.3});
    struct curve lost = {0};
    for (int64_t step = 0; step < 3; step++) {
        ck_assert_int_eq(curve_add(&lost, step, good[step]), 0);
        (void)reports(&rule, 2, &lost);
    }
    ck_assert_int_eq(play(&rule, 2, 4, NULL, bad), play(&other, 2, 4, NULL, bad));
    curve_fini(&lost);
    rule_destroy(&rule);
    rule_destroy(&other);
}
END_TEST

/* Constant objectives: whatever a rule makes of them, it makes the same of all. */
START_TEST(equal_trials_are_treated_alike)
{
    static const double constants[] = {0, 0.1, -7, 1e300, -1e300, 1e-300, 5e-324};
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
        struct rule rule;
        double values[20];
        int64_t stopped = 0;
        for (int i = 0; i < 20; i++)
            values[i] = constants[k];
        ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
        complete(&rule, 1, 20, NULL, values);
        for (uint64_t trial = 2; trial <= 40; trial++) {
            int64_t at = play(&rule, trial, 20, NULL, values);
            ck_assert_msg(trial == 2 || at == stopped, "%s, %g", rule.type->name, constants[k]);
            stopped = at;
        }
        rule_destroy(&rule);
    }
}
END_TEST

/* Trials that report at steps of their own, far apart, up to the last step that there is. */
START_TEST(missing_steps_are_no_trouble)
{
    struct rule rule;
    struct rng rng;
    rng_init(&rng, 6, 1);
    ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    for (uint64_t trial = 1; trial <= 200; trial++) {
        int64_t steps[30], step = -1;
        double values[30];
        size_t n = 1 + rng_below(&rng, 30);
        for (size_t i = 0; i < n; i++) {
            step += 1 + (int64_t)(trial % 5 == 0 ? rng_below(&rng, UINT64_C(1) << 48) : rng_below(&rng, 9));
            steps[i] = i + 1 == n && trial % 50 == 0 ? REPORT_MAX_STEP : step;
            values[i] = rng_uniform(&rng);
        }
        if (trial % 2)
            complete(&rule, trial, n, steps, values);
        else
            (void)play(&rule, trial, n, steps, values);
    }
    rule_destroy(&rule);
}
END_TEST

/* The rule is asked at each of thousands of steps, of a training that never gets worse. */
START_TEST(long_curves_are_no_trouble)
{
    enum { N_STEPS = 5000 };
    static double values[N_STEPS];
    struct rule rule;
    ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    for (uint64_t trial = 1; trial <= 12; trial++) {
        for (int i = 0; i < N_STEPS; i++)
            values[i] = 1.0 / (double)trial + 1.0 / (1 + i);
        if (trial <= 4)
            complete(&rule, trial, N_STEPS, NULL, values);
        else
            (void)play(&rule, trial, N_STEPS, NULL, values);
    }
    rule_destroy(&rule);
}
END_TEST

START_TEST(thousands_of_trials_are_no_trouble)
{
    struct rule rule;
    struct rng rng;
    rng_init(&rng, 4, 2);
    ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, eager(stopping_types[_i]), NULL), 0);
    double values[10];
    for (uint64_t trial = 1; trial <= 20000; trial++) {
        for (int i = 0; i < 10; i++)
            values[i] = rng_uniform(&rng);
        complete(&rule, trial, 10, NULL, values);
        (void)play(&rule, 20000 + trial, 10, NULL, values);
    }
    rule_destroy(&rule);
}
END_TEST

START_TEST(none_stops_nothing)
{
    struct rule rule;
    RULE(&rule, "none");
    complete(&rule, 1, 2, NULL, (double[]){0, 0});
    ck_assert_int_eq(play(&rule, 2, 3, NULL, (double[]){9, 9, 9}), -1);
    rule_destroy(&rule);
}
END_TEST

/* Three completed trials, minimised; running averages by step (median in the last line):
 *
 *   step        0     1     2     3
 *   trial 1     4,4   2,3   0,2   2,2
 *   trial 2     8,8   4,6   3,5   1,4
 *   trial 3     6,6   6,6   6,6   2,5
 *   median      6     6     5     4
 */
static const double completed[3][4] = {{4, 2, 0, 2}, {8, 4, 3, 1}, {6, 6, 6, 2}};

static void complete_three(struct rule *rule)
{
    for (uint64_t trial = 1; trial <= 3; trial++)
        complete(rule, trial, 4, NULL, completed[trial - 1]);
}

static const struct {
    double values[4];
    int64_t stopped;
} median_cases[] = {
    {{6, 6, 5, 4}, -1},    /* equal is not worse */
    {{6.01, 0, 0, 0}, 0},  /* worse at once */
    {{6, 7, 7, 7}, 2},     /* best 6 > 5 */
    {{5, 9, 9, 9}, 3},     /* the best counts, not the last: 5 is good until step 2 */
    {{4, 99, 99, 99}, -1}, /* 4 is good to the end */
    {{NAN, 6, 5, 4}, 0},   /* nothing to show is worse than anything */
};

START_TEST(median_follows_the_table)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "3");
    complete_three(&rule);
    ck_assert_int_eq(play(&rule, 9, 4, NULL, median_cases[_i].values), median_cases[_i].stopped);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_waits_for_min_trials)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "4");
    complete_three(&rule);
    ck_assert_int_eq(play(&rule, 9, 2, NULL, (double[]){99, 99}), -1);
    /* that one completed, so now there are four */
    ck_assert_int_eq(play(&rule, 10, 2, NULL, (double[]){99, 99}), 0);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_waits_for_min_steps)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "3", "min_steps", "2");
    complete_three(&rule);
    ck_assert_int_eq(play(&rule, 9, 4, NULL, (double[]){99, 99, 99, 99}), 2);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_looks_once_an_interval)
{
    static const int64_t steps[] = {1, 2, 4, 7, 8};
    struct rule rule;
    RULE(&rule, "median", "min_trials", "3", "min_steps", "1", "interval", "3");
    complete_three(&rule); /* medians: 6 at step 1, 5 at 2, 4 later */
    ck_assert_int_eq(play(&rule, 9, 5, steps, (double[]){6, 6, 6, 6, 6}), 4); /* not looked at in step 2 */
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_does_not_count_stopped_and_failed_trials)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "3");
    complete_three(&rule);
    struct curve bad = {0};
    ck_assert_int_eq(curve_add(&bad, 0, 1000), 0);
    for (uint64_t trial = 4; trial < 20; trial++)
        rule_ended(&rule, trial, trial % 2 ? TRIAL_STOPPED : TRIAL_FAILED, &bad);
    ck_assert_int_eq(play(&rule, 30, 1, NULL, (double[]){6.01}), 0);
    curve_fini(&bad);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_compares_at_equal_steps_not_counts)
{
    /* Completed trials report every 10 steps; at step 20 their averages are 20 (3 reports: 30, 20, 10). A
     * trial that reports each step has 21 reports by then: it is compared with 30 until step 9, with 25 until
     * 19, then with 20. */
    static const int64_t tens[] = {0, 10, 20}, steps[] = {0, 5, 9, 10, 15, 19, 20};
    struct rule rule;
    RULE(&rule, "median", "min_trials", "1");
    complete(&rule, 1, 3, tens, (double[]){30, 20, 10});
    ck_assert_int_eq(play(&rule, 2, 7, steps, (double[]){30, 30, 30, 25, 25, 25, 25}), 20);
    ck_assert_int_eq(play(&rule, 3, 7, steps, (double[]){30, 30, 30, 26, 25, 25, 25}), 10);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_leaves_out_trials_that_began_later)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "1");
    complete(&rule, 1, 1, (int64_t[]){10}, (double[]){0});
    ck_assert_int_eq(play(&rule, 2, 2, (int64_t[]){5, 10}, (double[]){1, 1}), 10);
    rule_destroy(&rule);
}
END_TEST

START_TEST(median_of_equal_trials_stops_none)
{
    struct rule rule;
    RULE(&rule, "median", "min_trials", "1");
    double values[50];
    for (int i = 0; i < 50; i++)
        values[i] = 0.1;
    for (uint64_t trial = 1; trial <= 30; trial++)
        ck_assert_int_eq(play(&rule, trial, 50, NULL, values), -1);
    rule_destroy(&rule);
}
END_TEST

/* Best values by step of the three completed trials above: 4 2 0 0, 8 4 3 1, 6 6 6 2; their quantiles
 * 1/2: 6 4 3 1;  1/4: 5 3 1.5 0.5;  1: 8 6 6 2. */
static const struct {
    const char *percentile;
    double values[4];
    int64_t stopped;
} percentile_cases[] = {
    {"50", {6, 4, 3, 1}, -1},     {"50", {6, 4.1, 3, 1}, 1}, {"50", {4, 4, 4, 4}, 2},
    {"25", {5, 3, 1.5, 0.5}, -1}, {"25", {5, 3, 1.6, 0}, 2}, {"100", {8, 6, 6, 2}, -1},
    {"100", {8.5, 0, 0, 0}, 0},   {"0", {4, 2, 0, 0.5}, -1},
};

START_TEST(percentile_follows_the_table)
{
    struct rule rule;
    RULE(&rule, "percentile", "min_trials", "3", "percentile", percentile_cases[_i].percentile);
    complete_three(&rule);
    ck_assert_int_eq(play(&rule, 9, 4, NULL, percentile_cases[_i].values), percentile_cases[_i].stopped);
    rule_destroy(&rule);
}
END_TEST

/* `goal` as the user has it; values as the rule sees them, minimised. */
static const struct {
    enum metric_goal goal;
    const char *value, *step;
    double values[4];
    int64_t stopped;
} threshold_cases[] = {
    {GOAL_MINIMIZE, "0.5", "2", {9, 9, 0.4, 9}, -1},     {GOAL_MINIMIZE, "0.5", "2", {0.4, 9, 9, 9}, -1},
    {GOAL_MINIMIZE, "0.5", "2", {9, 9, 0.5, 0}, 2},      {GOAL_MINIMIZE, "0.5", "0", {0.6, 0, 0, 0}, 0},
    {GOAL_MAXIMIZE, "0.5", "2", {0, -0.4, -0.6, 0}, -1}, {GOAL_MAXIMIZE, "0.5", "2", {0, -0.4, -0.5, -1}, 2},
    {GOAL_MINIMIZE, "-3", "1", {-1, -2, -9, -9}, 1},     {GOAL_MINIMIZE, "0.5", "99", {9, 9, 9, 9}, -1},
};

START_TEST(threshold_follows_the_table)
{
    struct rule rule;
    const char *words[] = {"threshold", "value", threshold_cases[_i].value, "step", threshold_cases[_i].step,
                           NULL};
    ck_assert_int_eq(rule_create(&rule, threshold_cases[_i].goal, words, NULL), 0);
    ck_assert_int_eq(play(&rule, 1, 4, NULL, threshold_cases[_i].values), threshold_cases[_i].stopped);
    rule_destroy(&rule);
}
END_TEST

START_TEST(threshold_looks_at_the_first_step_after)
{
    struct rule rule;
    RULE(&rule, "threshold", "value", "0.5", "step", "5");
    ck_assert_int_eq(play(&rule, 1, 2, (int64_t[]){4, 8}, (double[]){1, 1}), 8);
    rule_destroy(&rule);
}
END_TEST

START_TEST(threshold_must_be_given)
{
    struct rule rule;
    struct err err = {0};
    ck_assert_int_eq(rule_create(&rule, GOAL_MINIMIZE, (const char *[]){"threshold", NULL}, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "value"));
}
END_TEST

static const struct {
    const char *steps, *min_delta;
    double values[6];
    int64_t stopped;
} patience_cases[] = {
    {"2", "0", {5, 4, 3, 2, 1, 0}, -1},
    {"2", "0", {5, 4, 4, 4, 1, 0}, 3}, /* the best is of step 1 */
    {"2", "0", {5, 6, 7, 0, 0, 0}, 2},
    {"3", "0", {5, 6, 7, 4, 4, 4}, -1}, /* improves just in time */
    {"3", "0", {5, 6, 7, 8, 4, 4}, 3},
    {"2", "0.5", {5, 4.5, 4.5, 4, 4, 4}, 2},      /* half is not above half */
    {"2", "0.5", {5, 4.6, 4.2, 3.8, 3.4, 3}, -1}, /* small improvements add up */
    {"1", "0", {NAN, NAN, 0, 0, 0, 0}, 1},
};

START_TEST(patience_follows_the_table)
{
    struct rule rule;
    RULE(&rule, "patience", "steps", patience_cases[_i].steps, "min_delta", patience_cases[_i].min_delta);
    ck_assert_int_eq(play(&rule, 1, 6, NULL, patience_cases[_i].values), patience_cases[_i].stopped);
    rule_destroy(&rule);
}
END_TEST

START_TEST(patience_counts_steps_not_reports)
{
    struct rule rule;
    RULE(&rule, "patience", "steps", "10");
    ck_assert_int_eq(play(&rule, 1, 4, (int64_t[]){0, 3, 9, 10}, (double[]){1, 1, 1, 1}), 10);
    rule_destroy(&rule);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

START_TEST(quantiles_are_those_of_the_sorted_numbers)
{
    static const double qs[] = {0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
    struct quantile quantile = {.q = qs[_i]};
    struct rng rng;
    rng_init(&rng, 1, 1);
    double values[300], sorted[300], scratch[300];
    for (size_t n = 1; n <= 300; n++) {
        values[n - 1] = (double)rng_below(&rng, 40); /* with repeats */
        ck_assert_int_eq(quantile_add(&quantile, values[n - 1]), 0);
        memcpy(sorted, values, n * sizeof *values);
        memcpy(scratch, values, n * sizeof *values);
        qsort(sorted, n, sizeof *sorted, compare_doubles);
        double h = qs[_i] * (double)(n - 1), k = floor(h);
        double next = (size_t)k + 1 < n ? sorted[(size_t)k + 1] : 0;
        double want = sorted[(size_t)k] + (h - k) * ((size_t)k + 1 < n ? next - sorted[(size_t)k] : 0);
        ck_assert_double_eq(quantile_get(&quantile), want);
        ck_assert_double_eq(quantile_of(scratch, n, qs[_i]), want);
    }
    quantile_fini(&quantile);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("stoppings");
    TCase *every = tcase_create("every rule"), *each = tcase_create("each rule");
    tcase_set_timeout(every, 30);
    tcase_add_loop_test(every, the_type_is_complete, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, bad_values_do_no_harm, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, rebuilt_from_the_ends_it_decides_the_same, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, another_attempt_starts_afresh, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, equal_trials_are_treated_alike, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, missing_steps_are_no_trouble, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, long_curves_are_no_trouble, 0, (int)n_stopping_types);
    tcase_add_loop_test(every, thousands_of_trials_are_no_trouble, 0, (int)n_stopping_types);
    tcase_add_test(each, none_stops_nothing);
    tcase_add_loop_test(each, median_follows_the_table, 0, COUNT(median_cases));
    tcase_add_test(each, median_waits_for_min_trials);
    tcase_add_test(each, median_waits_for_min_steps);
    tcase_add_test(each, median_looks_once_an_interval);
    tcase_add_test(each, median_does_not_count_stopped_and_failed_trials);
    tcase_add_test(each, median_compares_at_equal_steps_not_counts);
    tcase_add_test(each, median_leaves_out_trials_that_began_later);
    tcase_add_test(each, median_of_equal_trials_stops_none);
    tcase_add_loop_test(each, percentile_follows_the_table, 0, COUNT(percentile_cases));
    tcase_add_loop_test(each, threshold_follows_the_table, 0, COUNT(threshold_cases));
    tcase_add_test(each, threshold_looks_at_the_first_step_after);
    tcase_add_test(each, threshold_must_be_given);
    tcase_add_loop_test(each, patience_follows_the_table, 0, COUNT(patience_cases));
    tcase_add_test(each, patience_counts_steps_not_reports);
    tcase_add_loop_test(each, quantiles_are_those_of_the_sorted_numbers, 0, 7);
    suite_add_tcase(suite, every);
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
