/* Curves of completed trials and quantiles of them at a step.
 *
 * | symbol | meaning                                                                     |
 * | a_i(s) | what curve i has reached by step s: a step function, kept at the curve's steps |
 * | Q(s)   | the q-quantile over i of a_i(s)                                             |
 *
 * Steps that are asked for again keep a quantile of their own (two heaps), which catches up with the curves
 * that came since: one insertion per step and trial, so O(log n) a report. A step that was never asked for
 * before is answered by selection from all curves in O(n), which is all that trials with steps of their own
 * (say, seconds) ever need, and costs no memory. Kept values are bounded by MAX_KEPT; beyond it new steps are
 * always answered by selection. */
#include "optimizers/cohort.h"

#include <math.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "core/err.h"
#include "optimizers/keyset.h"
#include "optimizers/quantile.h"

#define MAX_KEPT ((size_t)1 << 24) /* numbers: 128 MB */

/* One completed curve: a_i at its steps. */
struct reached {
    size_t n;
    int64_t *steps;
    double *values;
};

/* A step that is asked for again and again. */
struct at_step {
    int64_t step;
    size_t n_seen; /* so many curves are in it */
    struct quantile quantile;
    UT_hash_handle hh;
};

struct cohort {
    enum cohort_summary summary;
    double q;
    size_t n, capacity;
    struct reached *curves;
    struct at_step *steps;
    size_t n_kept;       /* numbers in all quantiles */
    struct keyset asked; /* steps asked for at least once */
    double *scratch;     /* [capacity] */
};

int cohort_create(struct cohort **out, enum cohort_summary summary, double q)
{
    struct cohort *cohort = calloc(1, sizeof *cohort);
    if (!cohort)
        return ERR_NOMEM;
    cohort->summary = summary;
    cohort->q = q;
    *out = cohort;
    return 0;
}

void cohort_destroy(struct cohort *cohort)
{
    if (!cohort)
        return;
    for (size_t i = 0; i < cohort->n; i++) {
        free(cohort->curves[i].steps);
        free(cohort->curves[i].values);
    }
    struct at_step *at, *next;
    HASH_ITER(hh, cohort->steps, at, next)
    {
        HASH_DEL(cohort->steps, at);
        quantile_fini(&at->quantile);
        free(at);
    }
    keyset_fini(&cohort->asked);
    free(cohort->curves);
    free(cohort->scratch);
    free(cohort);
}

static int reserve(struct cohort *cohort)
{
    if (cohort->n < cohort->capacity)
        return 0;
    size_t capacity = cohort->capacity ? 2 * cohort->capacity : 64;
    struct reached *curves = realloc(cohort->curves, capacity * sizeof *curves);
    if (!curves)
        return ERR_NOMEM;
    cohort->curves = curves;
    double *scratch = realloc(cohort->scratch, capacity * sizeof *scratch);
    if (!scratch)
        return ERR_NOMEM;
    cohort->scratch = scratch;
    cohort->capacity = capacity;
    return 0;
}

/* The mean of k values, of which the k-th is new. Of equal values it is exactly their value, so that no trial
 * is worse than its equals by rounding. */
static double next_mean(double mean, double value, size_t k)
{
    double change = value - mean;
    return isfinite(change) ? mean + change / (double)k : mean + (value / (double)k - mean / (double)k);
}

int cohort_add(struct cohort *cohort, const struct curve *curve)
{
    struct reached reached = {.steps = malloc((curve->n + 1) * sizeof *reached.steps),
                              .values = malloc((curve->n + 1) * sizeof *reached.values)};
    if (!reached.steps || !reached.values || reserve(cohort) < 0) {
        free(reached.steps);
        free(reached.values);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < curve->n; i++) {
        double value = curve->values[i], last = reached.n ? reached.values[reached.n - 1] : value;
        if (!isfinite(value))
            continue;
        reached.steps[reached.n] = curve->steps[i];
        reached.values[reached.n] = cohort->summary == COHORT_MEAN ? next_mean(last, value, reached.n + 1)
                                                                   : (value < last ? value : last);
        reached.n++;
    }
    cohort->curves[cohort->n++] = reached;
    return 0;
}

/* a_i(step); NaN: it begins later. */
static double value_at(const struct reached *curve, int64_t step)
{
    size_t low = 0, high = curve->n; /* steps[low - 1] <= step < steps[high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->steps[middle] <= step)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? curve->values[low - 1] : NAN;
}

static int catch_up(struct cohort *cohort, struct at_step *at)
{
    for (; at->n_seen < cohort->n; at->n_seen++) {
        double value = value_at(&cohort->curves[at->n_seen], at->step);
        if (isnan(value))
            continue;
        if (quantile_add(&at->quantile, value) < 0)
            return ERR_NOMEM;
        cohort->n_kept++;
    }
    return 0;
}

/* *at is the step's quantile, NULL if it has none and should not get one. */
static int find_step(struct at_step **at, struct cohort *cohort, int64_t step)
{
    HASH_FIND(hh, cohort->steps, &step, sizeof step, *at);
    if (*at)
        return 0;
    bool is_first;
    int code = keyset_add(&is_first, &cohort->asked, (uint64_t)step);
    if (code < 0 || is_first || cohort->n_kept + cohort->n > MAX_KEPT)
        return code;
    struct at_step *added = calloc(1, sizeof *added);
    if (!added)
        return ERR_NOMEM;
    added->step = step;
    added->quantile.q = cohort->q;
    HASH_ADD(hh, cohort->steps, step, sizeof added->step, added);
    if (!added->hh.tbl) {
        free(added);
        return ERR_NOMEM;
    }
    *at = added;
    return 0;
}

int cohort_get(double *value, size_t *n, struct cohort *cohort, int64_t step)
{
    struct at_step *at;
    int code = find_step(&at, cohort, step);
    if (code == 0 && at) {
        code = catch_up(cohort, at);
        *value = quantile_get(&at->quantile);
        *n = at->quantile.lower.n + at->quantile.upper.n;
        return code;
    }
    *n = 0;
    for (size_t i = 0; i < cohort->n; i++) {
        double reached = value_at(&cohort->curves[i], step);
        if (!isnan(reached))
            cohort->scratch[(*n)++] = reached;
    }
    *value = *n ? quantile_of(cohort->scratch, *n, cohort->q) : NAN;
    return code;
}
