/* Ablation studies: which trials there are, in what order, with schedules and after a restart; and what is
 * concluded from their values. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contexts/ablation_report.h"
#include "contexts/context.h"
#include "core/ablation.h"

static const char parameters[] = "context: ablation\n"
                                 "metric: {name: score, goal: maximize}\n"
                                 "parameters: {drop: {min: 0.0, max: 0.9, default: 0.5}}\n";

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
    ck_assert_int_eq(context_create(&context, spec, NULL), 0);
    return context;
}

static void end(struct context *context, uint64_t trial, double value)
{
    static const struct curve none;
    ck_assert_int_eq(
        context_ended(context, trial, isnan(value) ? TRIAL_FAILED : TRIAL_COMPLETED, &none, value), 0);
}

/* The context */

START_TEST(trials_are_the_variants_repeat_by_repeat_and_then_it_is_over)
{
    struct spec *spec = parse("ablation: {features: [a], parameters: {drop: 0}, repeats: 2}\n");
    static const double drops[] = {0.5, 0.5, 0, 0.5, 0.5, 0};
    struct context *context = open_context(spec);
    struct context_plan plan;
    for (uint64_t trial = 1; trial <= 6; trial++) {
        context_next(&plan, context);
        ck_assert_int_eq(plan.kind, CONTEXT_POINT);
        ck_assert_int_eq(plan.budget, 0);
        ck_assert_double_eq(plan.point[0], drops[trial - 1]);
        ck_assert_int_eq(context_started(context, trial, plan.budget), 0);
    }
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_WAIT);
    for (uint64_t trial = 1; trial <= 6; trial++)
        end(context, trial, 1);
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_DONE);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

/* A driver that lost an assignment adopts it from its worker: then a later trial may be known first. */
START_TEST(the_next_trial_is_the_lowest_that_has_not_started)
{
    struct spec *spec = parse("ablation: {features: [a], parameters: {drop: 0}}\n");
    struct context *context = open_context(spec);
    struct context_plan plan;
    ck_assert_int_eq(context_started(context, 2, 0), 0);
    context_next(&plan, context);
    ck_assert_double_eq(plan.point[0], 0.5);
    ck_assert_int_eq(context_started(context, 1, 0), 0);
    context_next(&plan, context);
    ck_assert_double_eq(plan.point[0], 0); /* the third: the second has started */
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_schedule_gives_budgets_and_resumes)
{
    struct spec *spec = parse("ablation: {features: [a, b, c]}\n"
                              "schedule: {name: asha, min_budget: 1, max_budget: 4, eta: 2}\n");
    struct context *context = open_context(spec);
    struct context_plan plan;
    for (uint64_t trial = 1; trial <= 4; trial++) {
        context_next(&plan, context);
        if (plan.kind == CONTEXT_RESUME)
            break;
        ck_assert_int_eq(plan.kind, CONTEXT_POINT);
        ck_assert_int_eq(plan.budget, 1);
        ck_assert_int_eq(context_started(context, trial, plan.budget), 0);
        struct curve curve = {0};
        ck_assert_int_eq(curve_add(&curve, 0, (double)trial), 0);
        ck_assert_int_eq(context_report(context, trial, &curve), DECISION_PAUSE);
        ck_assert_int_eq(context_ended(context, trial, TRIAL_PAUSED, &curve, (double)trial), 0);
        curve_fini(&curve);
    }
    context_next(&plan, context);
    ck_assert_int_eq(plan.kind, CONTEXT_RESUME);
    ck_assert_int_eq(plan.budget, 2);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_stopping_rule_ends_trials)
{
    struct spec *spec = parse("ablation: {features: [a]}\nstopping: {name: threshold, value: 3, step: 0}\n");
    struct context *context = open_context(spec);
    struct curve curve = {0};
    ck_assert_int_eq(context_started(context, 1, 0), 0);
    ck_assert_int_eq(curve_add(&curve, 0, 2), 0);
    ck_assert_int_eq(context_report(context, 1, &curve), DECISION_STOP);
    curve_fini(&curve);
    context_destroy(context);
    spec_destroy(spec);
}
END_TEST

/* The report */

static struct ablation_report make_report(const struct spec *spec, size_t n, const double *values)
{
    struct ablation_outcome outcomes[32];
    struct ablation_report report;
    for (size_t i = 0; i < n; i++)
        outcomes[i] =
            (struct ablation_outcome){i + 1, isnan(values[i]) ? TRIAL_FAILED : TRIAL_COMPLETED, values[i]};
    ck_assert_int_eq(ablation_report_make(&report, spec, outcomes, n), 0);
    return report;
}

START_TEST(components_are_ranked_by_what_their_absence_costs)
{
    struct spec *spec = parse("ablation: {features: [a, b, c], repeats: 3}\n");
    /* base, a, b, c */
    struct ablation_report report =
        make_report(spec, 12, (double[]){0.9, 0.5, 0.91, 0.8, 0.8, 0.45, 0.82, 0.71, 0.7, 0.3, 0.69, 0.58});
    const struct comparison *list = report.list;
    ck_assert_uint_eq(report.n, 3);
    ck_assert_uint_eq(list[0].variant, 1);
    ck_assert_uint_eq(list[1].variant, 3);
    ck_assert_uint_eq(list[2].variant, 2);
    ck_assert_uint_eq(list[0].rank, 1);
    ck_assert_uint_eq(list[2].rank, 3);
    ck_assert_double_eq_tol(report.base.mean, 0.8, 1e-12);
    ck_assert_double_eq_tol(list[0].change, -0.3833333333333333, 1e-12);
    ck_assert_double_eq_tol(list[0].importance, 0.3833333333333333, 1e-12);
    ck_assert_double_eq_tol(list[0].p, 0.0018850158136836806, 1e-12);
    ck_assert_double_eq_tol(list[0].low, -0.4550442121624909, 1e-12);
    ck_assert_double_eq_tol(list[0].high, -0.3116224545041757, 1e-12);
    ck_assert_double_eq_tol(list[0].p_holm, 3 * list[0].p, 1e-12);
    ck_assert_double_eq_tol(list[2].p_holm, list[2].p, 1e-12);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(what_has_failed_is_failed_and_not_important)
{
    struct spec *spec = parse("ablation: {features: [a, b, c], repeats: 3}\n");
    struct ablation_report report =
        make_report(spec, 12, (double[]){0.9, NAN, 0.1, 0.8, 0.8, NAN, NAN, 0.71, 0.7, NAN, NAN, NAN});
    const struct comparison *list = report.list;
    ck_assert_uint_eq(list[0].variant, 3); /* two values of three */
    ck_assert_int_eq(list[0].state, COMPARISON_COMPARED);
    ck_assert_uint_eq(list[0].n_failed, 1);
    ck_assert_uint_eq(list[0].n_pairs, 2);
    for (size_t i = 1; i < 3; i++) { /* one value of three, and none */
        ck_assert_int_eq(list[i].state, COMPARISON_FAILED);
        ck_assert_uint_eq(list[i].rank, 0);
        ck_assert_double_nan(list[i].p_holm);
    }
    ck_assert_double_eq(list[0].p_holm, list[0].p); /* what failed is no test of the family */
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(without_a_base_nothing_is_compared)
{
    struct spec *spec = parse("ablation: {features: [a, b]}\n");
    struct ablation_report report = make_report(spec, 2, (double[]){NAN, 0.5});
    ck_assert_int_eq(report.list[0].state, COMPARISON_MISSING);
    ck_assert_double_eq(report.list[0].mean, 0.5);
    ck_assert_double_nan(report.list[0].change);
    ck_assert_int_eq(report.list[1].state, COMPARISON_MISSING);
    ck_assert_double_nan(report.list[1].mean);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(one_repeat_has_changes_but_no_test)
{
    struct spec *spec = parse("ablation: {features: [a, b]}\n");
    struct ablation_report report = make_report(spec, 3, (double[]){0.9, 0.5, 0.95});
    ck_assert(!report.list[0].is_same && !report.list[1].is_same);
    ck_assert_uint_eq(report.list[0].rank, 1);
    ck_assert_double_eq_tol(report.list[0].change, -0.4, 1e-12);
    ck_assert_double_nan(report.list[0].p);
    ck_assert_double_nan(report.list[0].low);
    ck_assert_double_lt(report.list[1].importance, 0);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(pairs_have_their_interaction_where_each_was_left_out_alone)
{
    struct spec *spec = parse("ablation: {features: [a, b, c], mode: [loco, pairs], repeats: 2}\n");
    /* base, a, b, c, ab, ac, bc; c has failed in the first repeat */
    struct ablation_report report = make_report(
        spec, 14, (double[]){0.9, 0.8, 0.7, NAN, 0.5, 0.7, 0.6, 1.0, 0.8, 0.9, 0.9, 0.8, 0.7, 0.9});
    static const double interactions[] = {NAN, NAN, NAN, NAN, 0, 0, 0.1}; /* by variant */
    for (size_t i = 0; i < report.n; i++) {
        double expected = interactions[report.list[i].variant];
        if (isnan(expected))
            ck_assert_double_nan(report.list[i].interaction);
        else
            ck_assert_double_eq_tol(report.list[i].interaction, expected, 1e-12);
    }
    ablation_report_fini(&report);
    spec_destroy(spec);
    spec = parse("ablation: {features: [a, b], mode: pairs}\n");
    report = make_report(spec, 2, (double[]){0.9, 0.8});
    ck_assert_double_nan(report.list[0].interaction);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(what_changes_nothing_is_known_by_it)
{
    struct spec *spec = parse("ablation: {features: [a, b], repeats: 2}\n");
    struct ablation_report report = make_report(spec, 6, (double[]){0.9, 0.9, 0.8, 0.7, 0.7, 0.7});
    ck_assert_uint_eq(report.list[0].variant, 2);
    ck_assert(!report.list[0].is_same);
    ck_assert(report.list[1].is_same);
    ck_assert_double_nan(report.list[1].p);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

START_TEST(what_is_no_trial_of_the_study_is_ignored)
{
    struct spec *spec = parse("ablation: {features: [a]}\n");
    static const struct ablation_outcome outcomes[] = {
        {0, TRIAL_COMPLETED, 1}, {3, TRIAL_COMPLETED, 1}, {UINT64_MAX, TRIAL_FAILED, NAN},
        {1, TRIAL_RUNNING, NAN}, {2, TRIAL_PAUSED, 0.5},  {2, TRIAL_STOPPED, 0.25}};
    struct ablation_report report;
    ck_assert_int_eq(ablation_report_make(&report, spec, outcomes, 6), 0);
    ck_assert_uint_eq(report.base.n_values, 0);
    ck_assert_uint_eq(report.list[0].n_values, 1);
    ck_assert_uint_eq(report.list[0].n_stopped, 1);
    ck_assert_double_eq(report.list[0].mean, 0.25);
    ablation_report_fini(&report);
    spec_destroy(spec);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ablation");
    TCase *context = tcase_create("context"), *report = tcase_create("report");
    tcase_add_test(context, trials_are_the_variants_repeat_by_repeat_and_then_it_is_over);
    tcase_add_test(context, the_next_trial_is_the_lowest_that_has_not_started);
    tcase_add_test(context, a_schedule_gives_budgets_and_resumes);
    tcase_add_test(context, a_stopping_rule_ends_trials);
    tcase_add_test(report, components_are_ranked_by_what_their_absence_costs);
    tcase_add_test(report, what_has_failed_is_failed_and_not_important);
    tcase_add_test(report, without_a_base_nothing_is_compared);
    tcase_add_test(report, one_repeat_has_changes_but_no_test);
    tcase_add_test(report, pairs_have_their_interaction_where_each_was_left_out_alone);
    tcase_add_test(report, what_changes_nothing_is_known_by_it);
    tcase_add_test(report, what_is_no_trial_of_the_study_is_ignored);
    suite_add_tcase(suite, context);
    suite_add_tcase(suite, report);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
