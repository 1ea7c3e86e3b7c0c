/* The contexts: what all must do, looped over the registry; how optimization joins schedule and rule; single.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contexts/context.h"

static const char parameters[] = "parameters:\n"
                                 "  lr: {min: 1.0e-4, max: 1.0, scale: log, default: 0.01}\n"
                                 "  solver: {values: [sgd, adam]}\n"
                                 "  momentum: {min: 0.0, max: 1.0, when: {solver: [sgd]}}\n";

/* A spec from the lines of a sweep file beside its parameters. */
static struct spec *parse(const char *lines)
{
    struct text text = {0};
    struct faults faults = {0};
    struct spec *spec = NULL;
    text_printf(&text, "%s%s", parameters, lines);
    int code = spec_parse(&spec, text_get(&text), text.size, "sweep.yaml", NULL, 0, &faults);
    ck_assert_msg(code == 0, "%s", faults.n ? faults.list[0].text : "");
    text_fini(&text);
    faults_fini(&faults);
    return spec;
}

static struct context *open_context(const struct spec *spec)
{
    struct context *context = NULL;
    struct err err = {0};
    ck_assert_msg(context_create(&context, spec, &err) == 0, "%s", err.text);
    return context;
}

/* Reports values at steps 0, 1, ... of a trial; the decision after the last. */
static enum decision report(struct context *context, uint64_t trial, struct curve *curve, double value)
{
    ck_assert_int_eq(curve_add(curve, (int64_t)curve->n, value), 0);
    return context_report(context, trial, curve);
}

static void run_to_end(struct context *context, uint64_t trial, size_t n, const double *values)
{
    struct curve curve = {0};
    ck_assert_int_eq(context_started(context, trial, 0), 0);
    for (size_t i = 0; i < n; i++)
        (void)report(context, trial, &curve, values[i]);
    ck_assert_int_eq(context_ended(context, trial, TRIAL_COMPLETED, &curve, n ? values[n - 1] : (double)NAN),
                     0);
    curve_fini(&curve);
}

START_TEST(every_context_can_be_made_and_asked)
{
    struct text lines = {0};
    text_printf(&lines, "context: %s\n", context_types[_i]->name);
    if (!strcmp(context_types[_i]->name, "ablation"))
        text_append(&lines, "ablation: {features: [age]}\n");
    if (strcmp(context_types[_i]->name, "distributed") == 0)
        text_append(&lines, "distributed: {workers: 2}\n");
    struct spec *spec = parse(text_get(&lines));
    struct context *context = open_context(spec);
    struct context_plan first, second;
    struct faults faults = {0};
    ck_assert_uint_eq(context_check(spec, &faults), 0);
    context_next(&first, context);
    context_next(&second, context);
    ck_assert_int_eq(first.kind, second.kind); /* asking changes nothing */
    ck_assert(first.kind == CONTEXT_SUGGEST || first.kind == CONTEXT_POINT);
    ck_assert_int_eq(first.kind == CONTEXT_SUGGEST, context_searches(context));
    ck_assert_int_eq(spec_searches(spec), context_searches(context)); /* core's word for it */
    if (first.kind == CONTEXT_POINT)
        ck_assert_int_eq(space_check(spec->space, first.point, NULL), 0);
    run_to_end(context, 1, 3, (double[]){1, 2, 3});
    context_destroy(context);
    spec_destroy(spec);
    text_fini(&lines);
    faults_fini(&faults);
}
END_TEST

START_TEST(optimization_asks_for_suggestions_with_the_budget)
{
    struct spec *spec = parse("schedule: {name: full, budget: 9}\n");
    struct context *context = open_context(spec);
    struct context_plan plan;
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_SUGGEST);
    ck_assert_int_eq(plan.budget, 9);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

static const struct {
    const char *goal;
    double good, bad;
} goals[] = {{"minimize", 1, 2}, {"maximize", 2, 1}};

START_TEST(a_rule_stops_the_worse_whatever_the_goal)
{
    struct text lines = {0};
    text_printf(&lines, "metric: {name: loss, goal: %s}\nstopping: {name: median, min_trials: 1}\n",
                goals[_i].goal);
    struct spec *spec = parse(text_get(&lines));
    struct context *context = open_context(spec);
    struct curve good = {0}, bad = {0};
    run_to_end(context, 1, 3, (double[]){1.5, 1.5, 1.5});
    ck_assert_int_eq(context_started(context, 2, 0), 0);
    ck_assert_int_eq(context_started(context, 3, 0), 0);
    ck_assert_int_eq(report(context, 2, &good, goals[_i].good), DECISION_CONTINUE);
    ck_assert_int_eq(report(context, 3, &bad, goals[_i].bad), DECISION_STOP);
    ck_assert_int_eq(report(context, 3, &bad, goals[_i].good), DECISION_STOP); /* once told, always told */
    curve_fini(&good);
    curve_fini(&bad);
    context_destroy(context);
    spec_destroy(spec);
    text_fini(&lines);
}
END_TEST

/* The value of a report, minimised. */
static double drawn(uint64_t trial, int64_t step)
{
    return (double)((trial * 7919 + (uint64_t)step * 104729) % 1000) / 1000 + 1.0 / (double)(step + 1);
}

/* Runs 60 trials one after the other, as the schedule plans them, and writes down what is decided. */
static void keep_minutes(struct text *minutes, const struct spec *spec, double sign)
{
    struct context *context = open_context(spec);
    struct curve curves[64] = {{0}};
    uint64_t n = 0;
    for (int i = 0; i < 60; i++) {
        struct context_plan plan;
        context_next(&plan, context);
        text_printf(minutes, "%d %ju %jd:", (int)plan.kind, (uintmax_t)plan.trial, (intmax_t)plan.budget);
        if (plan.kind != CONTEXT_SUGGEST && plan.kind != CONTEXT_RESUME)
            break;
        uint64_t trial = plan.kind == CONTEXT_RESUME ? plan.trial : ++n;
        int64_t budget = plan.budget ? plan.budget : 9;
        enum decision decision = DECISION_CONTINUE;
        struct curve *curve = &curves[trial];
        ck_assert_int_eq(context_started(context, trial, plan.budget), 0);
        while ((int64_t)curve->n < budget && decision == DECISION_CONTINUE) {
            decision = report(context, trial, curve, sign * drawn(trial, (int64_t)curve->n));
            text_printf(minutes, " %d", (int)decision);
        }
        enum trial_state end = decision == DECISION_PAUSE  ? TRIAL_PAUSED
                               : decision == DECISION_STOP ? TRIAL_STOPPED
                                                           : TRIAL_COMPLETED;
        ck_assert_int_eq(context_ended(context, trial, end, curve, curve->values[curve->n - 1]), 0);
        text_append(minutes, "\n");
    }
    for (int i = 0; i < 64; i++)
        curve_fini(&curves[i]);
    context_destroy(context);
}

static const char *const schedules[] = {"full", "{name: asha, max_budget: 9}",
                                        "{name: asha-stopping, max_budget: 9}",
                                        "{name: hyperband, max_budget: 9}"};
static const char *const rules[] = {"none",
                                    "{name: median, min_trials: 3}",
                                    "{name: percentile, min_trials: 3}",
                                    "{name: threshold, value: %s0.6, step: 2}",
                                    "{name: patience, steps: 2}",
                                    "curve"};

START_TEST(maximising_decides_as_minimising_the_negative)
{
    struct text minutes[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        struct text lines = {0}, rule = {0};
        const char *given = rules[_i / 4], *sign = strstr(given, "%s");
        text_printf(&rule, "%.*s%s%s", (int)(sign ? sign - given : (int)strlen(given)), given,
                    sign && k ? "-" : "", sign ? sign + 2 : "");
        text_printf(&lines, "metric: {name: v, goal: %s}\nschedule: %s\nstopping: %s\nlimits: {trials: 50}\n",
                    k ? "maximize" : "minimize", schedules[_i % 4], text_get(&rule));
        struct spec *spec = parse(text_get(&lines));
        keep_minutes(&minutes[k], spec, k ? -1 : 1);
        spec_destroy(spec);
        text_fini(&lines);
        text_fini(&rule);
    }
    ck_assert_str_eq(text_get(&minutes[0]), text_get(&minutes[1]));
    text_fini(&minutes[0]);
    text_fini(&minutes[1]);
}
END_TEST

START_TEST(another_attempt_of_a_trial_is_judged_anew)
{
    struct spec *spec = parse("stopping: {name: median, min_trials: 1}\n");
    struct context *context = open_context(spec);
    struct curve curve = {0};
    run_to_end(context, 1, 3, (double[]){5, 5, 5});
    ck_assert_int_eq(context_started(context, 2, 0), 0);
    ck_assert_int_eq(report(context, 2, &curve, 9), DECISION_STOP);
    curve_clear(&curve); /* its worker was lost before the stop came */
    ck_assert_int_eq(report(context, 2, &curve, 4), DECISION_CONTINUE);
    curve_fini(&curve);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_history_told_by_its_ends_leaves_the_same_state)
{
    struct spec *spec = parse("stopping: {name: median, min_trials: 3}\nmetric: {goal: maximize}\n");
    struct context *live = open_context(spec), *rebuilt = open_context(spec);
    static const double values[4][3] = {{1, 2, 3}, {3, 2, 1}, {2, 2, 2}, {0, 5, 5}};
    for (uint64_t trial = 1; trial <= 4; trial++) {
        struct curve curve = {0};
        run_to_end(live, trial, 3, values[trial - 1]);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(curve_add(&curve, i, values[trial - 1][i]), 0);
        ck_assert_int_eq(context_started(rebuilt, trial, 0), 0);
        ck_assert_int_eq(context_ended(rebuilt, trial, TRIAL_COMPLETED, &curve, curve.values[2]), 0);
        curve_fini(&curve);
    }
    for (uint64_t trial = 5; trial < 30; trial++) {
        struct curve a = {0}, b = {0};
        for (int i = 0; i < 3; i++) {
            double value = (double)((trial * 7 + (uint64_t)i * 3) % 11) / 3;
            ck_assert_int_eq(report(live, trial, &a, value), report(rebuilt, trial, &b, value));
        }
        curve_fini(&a);
        curve_fini(&b);
    }
    context_destroy(live);
    context_destroy(rebuilt);
    spec_destroy(spec);
}
END_TEST

START_TEST(single_runs_one_trial)
{
    struct spec *spec = parse("context: single\n");
    struct context *context = open_context(spec);
    struct context_plan plan;
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_POINT);
    ck_assert_double_eq(plan.point[0], 0.01);
    ck_assert_int_eq(context_started(context, 1, 0), 0);
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_WAIT);
    ck_assert_int_eq(context_ended(context, 1, TRIAL_FAILED, &(struct curve){0}, NAN), 0);
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_DONE);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

START_TEST(single_takes_values)
{
    struct spec *spec = parse("context: single\nsingle: {lr: 0.5, solver: adam}\n");
    struct context *context = open_context(spec);
    struct context_plan plan;
    context_next(&plan, context);
    ck_assert_double_eq(plan.point[0], 0.5);
    ck_assert_double_eq(plan.point[1], 1);
    ck_assert(isnan(plan.point[2]));
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

static const struct {
    const char *lines, *text;
    size_t n;
} faulty[] = {
    {"context: optimisation\n", "optimization", 1},
    {"context: single\nsingle: {lrr: 0.5}\n", "lr", 1},
    {"context: single\nsingle: {lr: 5, solver: rms}\n", "lr", 2},
    {"search: {name: rnadom}\nschedule: {name: fll}\nstopping: {name: medain, x: 1}\n", "random", 3},
    {"stopping: {name: median, min_trails: 1, min_steps: -1}\n", "min_trials", 2},
    {"stopping: {name: threshold}\n", "value", 1},
};

START_TEST(every_fault_is_said_at_once)
{
    struct spec *spec = parse(faulty[_i].lines);
    struct faults faults = {0};
    ck_assert_uint_eq(context_check(spec, &faults), faulty[_i].n);
    ck_assert_msg(strstr(faults.list[0].text, faulty[_i].text) != NULL, "%s", faults.list[0].text);
    for (size_t i = 0; i < faults.n; i++)
        ck_assert_uint_gt(faults.list[i].line, 4);
    faults_fini(&faults);
    spec_destroy(spec);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("contexts");
    TCase *all = tcase_create("contexts");
    tcase_add_loop_test(all, every_context_can_be_made_and_asked, 0, (int)n_context_types);
    tcase_add_test(all, optimization_asks_for_suggestions_with_the_budget);
    tcase_add_loop_test(all, a_rule_stops_the_worse_whatever_the_goal, 0, COUNT(goals));
    tcase_add_loop_test(all, maximising_decides_as_minimising_the_negative, 0, 4 * 6);
    tcase_add_test(all, another_attempt_of_a_trial_is_judged_anew);
    tcase_add_test(all, a_history_told_by_its_ends_leaves_the_same_state);
    tcase_add_test(all, single_runs_one_trial);
    tcase_add_test(all, single_takes_values);
    tcase_add_loop_test(all, every_fault_is_said_at_once, 0, COUNT(faulty));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
