#include "optimizers/stopping_cohort.h"

#include <stdlib.h>

#include "optimizers/incumbent.h"

struct stopping_cohort {
    struct stopping_when when;
    struct cohort *completed;
    struct incumbents *incumbents;
};

int stopping_cohort_create(void **state, enum cohort_summary summary, double q,
                           const struct stopping_when *when, struct err *err)
{
    struct stopping_cohort *rule = calloc(1, sizeof *rule);
    if (!rule || cohort_create(&rule->completed, summary, q) < 0) {
        stopping_cohort_destroy(rule);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rule->when = *when;
    *state = rule;
    return 0;
}

void stopping_cohort_destroy(void *state)
{
    struct stopping_cohort *rule = state;
    if (!rule)
        return;
    cohort_destroy(rule->completed);
    incumbents_destroy(rule->incumbents);
    free(rule);
}

bool stopping_cohort_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct stopping_cohort *rule = state;
    struct incumbent best;
    double limit;
    size_t n;
    if (incumbents_update(&best, &rule->incumbents, trial, curve, 0) < 0)
        return false; /* out of memory: the trial merely runs on */
    if (!stopping_is_due(&rule->when, curve) ||
        cohort_get(&limit, &n, rule->completed, curve->steps[curve->n - 1]) < 0)
        return false;
    return n >= (size_t)rule->when.min_trials && best.value > limit;
}

int stopping_cohort_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    struct stopping_cohort *rule = state;
    incumbents_forget(&rule->incumbents, trial);
    return end == TRIAL_COMPLETED ? cohort_add(rule->completed, curve) : 0;
}
