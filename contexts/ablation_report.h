#ifndef CONTEXTS_ABLATION_REPORT_H
#define CONTEXTS_ABLATION_REPORT_H

#include "core/spec.h"
#include "core/text.h"
#include "core/trial.h"

/* What came of an ablation study: each variant against the base, paired by repeat. */

/* How a trial stands. */
struct ablation_outcome {
    uint64_t trial;
    enum trial_state state;
    double value; /* NaN: none */
};

/* COMPARED: at least half of its repeats that have ended gave a value, and one can be compared with the base.
 * FAILED: most gave none. MISSING: nothing can be said (yet). Only COMPARED ones have a rank. */
enum comparison_state { COMPARISON_COMPARED, COMPARISON_FAILED, COMPARISON_MISSING };

struct comparison {
    size_t variant;
    enum comparison_state state;
    size_t n_values, n_failed, n_stopped; /* repeats with a value; failed; ended early (with a value) */
    double mean, sd;                      /* of its values; NaN: too few */
    size_t n_pairs;                       /* repeats in which it and the base have a value */
    bool is_same;      /* in each of them exactly the base's: it may have changed nothing */
    double change;     /* mean of variant - base over the pairs, in the user's sign */
    double low, high;  /* confidence interval of it */
    double importance; /* `change` in the direction that is worse */
    /* Of several that are left out together, of which each is also left out alone: change less the sum of
     * theirs, over the repeats in which all have a value. 0: they contribute independently. Else NaN. */
    double interaction;
    double p, p_holm;
    size_t rank; /* from 1, the most important first; 0: none */
};

struct ablation_report {
    struct comparison base;  /* mean, sd and counts */
    size_t n;                /* = n_variants - 1 */
    struct comparison *list; /* [n] by rank, then the failed and missing ones in the order of the plan */
};

/* Outcomes in any order; those of trials that the study does not have are ignored. O(n log n). Returns 0 or
 * ERR_NOMEM. The caller frees it with ablation_report_fini, in any case. */
int ablation_report_make(struct ablation_report *report, const struct spec *spec,
                         const struct ablation_outcome *outcomes, size_t n_outcomes);
void ablation_report_fini(struct ablation_report *report);

const char *comparison_state_name(enum comparison_state state);

#endif
