#ifndef OPTIMIZERS_COHORT_H
#define OPTIMIZERS_COHORT_H

#include <stddef.h>
#include <stdint.h>

#include "core/trial.h"

/* The curves of completed trials, and what a running one is measured by: a quantile of what they had reached
 * by a step. What a curve has reached by step s is a summary of its reports at steps <= s, so trials that
 * report at different steps compare at equal ones; a curve that ended before s has reached what it ended
 * with, one that begins after s is left out. Values that are not finite are passed over. */
enum cohort_summary {
    COHORT_MEAN, /* the running average */
    COHORT_BEST  /* the smallest value so far */
};

struct cohort;

int cohort_create(struct cohort **cohort, enum cohort_summary summary, double q);
void cohort_destroy(struct cohort *cohort);
/* Copies what it needs of the curve. Returns 0 or ERR_NOMEM. O(length). */
int cohort_add(struct cohort *cohort, const struct curve *curve);
/* *value is the q-quantile over the *n curves that have reached something by `step` (NaN: n is 0). Returns 0
 * or ERR_NOMEM. Amortised O(log n) where trials report at the same steps; O(n) at a step that is asked for
 * the first time. */
int cohort_get(double *value, size_t *n, struct cohort *cohort, int64_t step);

#endif
