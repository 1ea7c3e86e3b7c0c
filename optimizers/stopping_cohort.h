#ifndef OPTIMIZERS_STOPPING_COHORT_H
#define OPTIMIZERS_STOPPING_COHORT_H

#include "optimizers/cohort.h"
#include "optimizers/stopping.h"
#include "optimizers/stopping_when.h"

/* What the rules `median` and `percentile` share: a running trial ends when its best value is strictly worse
 * than a quantile of what the completed trials had by the same step. Equal is not worse, so trials that are
 * all alike all finish. Only trials that ran to their end count: those that were stopped would pull the
 * quantile towards the bad. */
struct stopping_cohort;

/* Compares with the q-quantile of that summary. Returns 0 or ERR_NOMEM. */
int stopping_cohort_create(void **state, enum cohort_summary summary, double q,
                           const struct stopping_when *when, struct err *err);
/* As in struct stopping_type. */
void stopping_cohort_destroy(void *state);
bool stopping_cohort_report(void *state, uint64_t trial, const struct curve *curve);
int stopping_cohort_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve);

#endif
