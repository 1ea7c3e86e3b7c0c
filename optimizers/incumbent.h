#ifndef OPTIMIZERS_INCUMBENT_H
#define OPTIMIZERS_INCUMBENT_H

#include <stddef.h>
#include <stdint.h>

#include "core/trial.h"

/* The best value so far of each running trial, and since when: kept beside the curves so that a rule looks at
 * each report once. Values are minimised; those that are not finite never are best. */
struct incumbent {
    double value; /* INFINITY: none yet */
    int64_t step; /* where it was reached; before any finite value the first step */
};

struct incumbents; /* a table by trial; NULL is an empty one */

void incumbents_destroy(struct incumbents *table);
/* Looks at what is new in the curve (all of it if the trial has begun anew). A value counts as better when it
 * is below the best by more than `min_delta`. Returns 0 or ERR_NOMEM. Amortised O(1) a report. */
int incumbents_update(struct incumbent *incumbent, struct incumbents **table, uint64_t trial,
                      const struct curve *curve, double min_delta);
/* The trial has ended. */
void incumbents_forget(struct incumbents **table, uint64_t trial);

#endif
