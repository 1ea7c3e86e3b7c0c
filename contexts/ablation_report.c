/* The report of an ablation study.
 *
 * Values are paired by repeat: variant and base ran with the same seed, so what differs between them is what
 * was left out. Failed repeats have no value and form no pair; they are counted, and never compared. */
#include "contexts/ablation_report.h"

#include <math.h>
#include <stdlib.h>

#include "contexts/statistics.h"
#include "core/ablation.h"

struct work {
    const struct spec *spec;
    double *values;             /* [n_variants][repeats]; NaN: none */
    double *differences, *mine; /* [repeats], scratch */
    size_t *single;             /* [n_components] the variant that leaves out this one alone; 0: none */
};

static double value_of(const struct ablation_outcome *outcome)
{
    bool counts = outcome->state == TRIAL_COMPLETED || outcome->state == TRIAL_STOPPED;
    return counts && isfinite(outcome->value) ? outcome->value : (double)NAN;
}

static void take_outcomes(struct work *work, struct comparison *all, const struct ablation_outcome *outcomes,
                          size_t n)
{
    const struct ablation *ablation = work->spec->ablation;
    for (size_t i = 0; i < n; i++) {
        const struct ablation_outcome *outcome = &outcomes[i];
        if (!outcome->trial || outcome->trial > ablation_n_trials(ablation))
            continue;
        size_t variant = ablation_variant(ablation, outcome->trial);
        double value = value_of(outcome);
        work->values[variant * (size_t)ablation->repeats + ablation_repeat(ablation, outcome->trial)] = value;
        all[variant].n_values += !isnan(value);
        all[variant].n_stopped += !isnan(value) && outcome->state == TRIAL_STOPPED;
        all[variant].n_failed += outcome->state == TRIAL_FAILED;
    }
}

static double test(const struct ablation *ablation, const double *differences, size_t n)
{
    return ablation->test == ABLATION_WILCOXON ? stats_wilcoxon(differences, n)
                                               : stats_t_test(differences, n);
}

static void compare(struct comparison *comparison, const struct work *work)
{
    const struct ablation *ablation = work->spec->ablation;
    size_t repeats = (size_t)ablation->repeats, n_mine = 0, n = 0;
    const double *base = work->values, *values = work->values + comparison->variant * repeats;
    for (size_t i = 0; i < repeats; i++) {
        if (isnan(values[i]))
            continue;
        work->mine[n_mine++] = values[i];
        if (!isnan(base[i]))
            work->differences[n++] = values[i] - base[i];
    }
    comparison->is_same = n > 0;
    for (size_t i = 0; i < n; i++)
        comparison->is_same &= work->differences[i] == 0;
    struct interval interval = stats_t_interval(work->differences, n, ablation->confidence);
    comparison->mean = stats_mean(work->mine, n_mine);
    comparison->sd = stats_sd(work->mine, n_mine);
    comparison->n_pairs = n;
    comparison->change = stats_mean(work->differences, n);
    comparison->low = interval.low;
    comparison->high = interval.high;
    comparison->importance =
        work->spec->metric.goal == GOAL_MAXIMIZE ? 0 - comparison->change : comparison->change;
    comparison->p = test(ablation, work->differences, n);
}

static void find_singles(struct work *work)
{
    const struct ablation *ablation = work->spec->ablation;
    for (size_t i = 1; i < ablation->n_variants; i++) {
        const struct variant *variant = &ablation->variants[i];
        if (variant->n_listed == 1 && !variant->is_only)
            work->single[variant->listed[0]] = i;
    }
}

/* In one repeat; NaN where one of them has no value. */
static double interact(const struct work *work, size_t index, size_t repeat)
{
    const struct variant *variant = &work->spec->ablation->variants[index];
    size_t repeats = (size_t)work->spec->ablation->repeats;
    double base = work->values[repeat], sum = work->values[index * repeats + repeat] - base;
    for (size_t i = 0; i < variant->n_listed; i++) {
        size_t single = work->single[variant->listed[i]];
        if (single == 0)
            return NAN;
        sum -= work->values[single * repeats + repeat] - base;
    }
    return sum;
}

static double find_interaction(const struct work *work, size_t index)
{
    const struct variant *variant = &work->spec->ablation->variants[index];
    size_t n = 0;
    if (variant->n_listed < 2 || variant->is_only)
        return NAN;
    for (size_t i = 0; i < (size_t)work->spec->ablation->repeats; i++) {
        double value = interact(work, index, i);
        if (!isnan(value))
            work->differences[n++] = value;
    }
    return stats_mean(work->differences, n);
}

static void judge(struct comparison *comparison)
{
    comparison->state = COMPARISON_MISSING;
    if (comparison->n_failed > comparison->n_values)
        comparison->state = COMPARISON_FAILED;
    else if (comparison->n_pairs > 0)
        comparison->state = COMPARISON_COMPARED;
}

static int by_importance(const void *a, const void *b)
{
    const struct comparison *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (x->state == COMPARISON_COMPARED && x->importance != y->importance)
        return x->importance > y->importance ? -1 : 1;
    return x->variant < y->variant ? -1 : 1;
}

/* Only what is compared counts as tested. */
static int correct(struct ablation_report *report)
{
    double *p = calloc(report->n + 1, sizeof *p);
    if (!p)
        return ERR_NOMEM;
    for (size_t i = 0; i < report->n; i++)
        p[i] = report->list[i].state == COMPARISON_COMPARED ? report->list[i].p : (double)NAN;
    int code = stats_holm(p, report->n);
    for (size_t i = 0; i < report->n; i++)
        report->list[i].p_holm = p[i];
    free(p);
    return code;
}

static int fill(struct ablation_report *report, struct work *work, const struct ablation_outcome *outcomes,
                size_t n_outcomes)
{
    struct comparison *all = report->list; /* [n + 1], the base first, until all are compared */
    for (size_t i = 0; i <= report->n; i++)
        all[i].variant = i;
    take_outcomes(work, all, outcomes, n_outcomes);
    find_singles(work);
    for (size_t i = 0; i <= report->n; i++) {
        compare(&all[i], work);
        all[i].interaction = find_interaction(work, i);
        judge(&all[i]);
    }
    report->base = all[0];
    report->base.change = report->base.importance = report->base.p = report->base.p_holm = NAN;
    report->base.low = report->base.high = NAN;
    for (size_t i = 0; i < report->n; i++)
        all[i] = all[i + 1];
    qsort(report->list, report->n, sizeof *report->list, by_importance);
    for (size_t i = 0; i < report->n && report->list[i].state == COMPARISON_COMPARED; i++)
        report->list[i].rank = i + 1;
    return correct(report);
}

int ablation_report_make(struct ablation_report *report, const struct spec *spec,
                         const struct ablation_outcome *outcomes, size_t n_outcomes)
{
    const struct ablation *ablation = spec->ablation;
    size_t n_values = (size_t)ablation_n_trials(ablation), repeats = (size_t)ablation->repeats;
    *report = (struct ablation_report){.n = ablation->n_variants - 1};
    report->list = calloc(ablation->n_variants, sizeof *report->list);
    struct work work = {.spec = spec,
                        .values = malloc(n_values * sizeof *work.values),
                        .differences = malloc(repeats * sizeof *work.differences),
                        .mine = malloc(repeats * sizeof *work.mine),
                        .single = calloc(ablation->n_components + 1, sizeof *work.single)};
    int code = ERR_NOMEM;
    if (report->list && work.values && work.differences && work.mine && work.single) {
        for (size_t i = 0; i < n_values; i++)
            work.values[i] = NAN;
        code = fill(report, &work, outcomes, n_outcomes);
    }
    free(work.values);
    free(work.differences);
    free(work.mine);
    free(work.single);
    return code;
}

void ablation_report_fini(struct ablation_report *report)
{
    free(report->list);
    *report = (struct ablation_report){0};
}

const char *comparison_state_name(enum comparison_state state)
{
    static const char *const names[] = {"compared", "failed", "missing"};
    return names[state];
}
