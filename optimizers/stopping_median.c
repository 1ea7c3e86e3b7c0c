/* Stopping median: Vizier's rule (Golovin et al. 2017, "Google Vizier: a service for black-box optimization",
 * section 3.2.1). A running trial ends at step s if its best value by s is strictly worse than the median of
 * the running averages, up to s, of all completed trials.
 *
 * | symbol  | meaning                                                              |
 * | f_t(j)  | objective of trial t at step j                                       |
 * | b_t(s)  | min f_t(j) over j <= s: the trial's best value by s                  |
 * | a_i(s)  | mean f_i(j) over the reports of completed trial i with j <= s        |
 *
 *   stop t at s  <=>  b_t(s) > median over completed i of a_i(s)
 *
 * Compared at equal steps, not at equal numbers of reports: trials may report at different steps
 * (optimizers/cohort.h). Only trials that ran to their end count: those that were stopped would pull the
 * median towards the bad. Against an average a trial's best value has an advantage that grows with s, so the
 * rule is mild; it does not assume any shape of the curves. Equal is not worse, so trials that are all alike
 * all finish. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/cohort.h"
#include "optimizers/incumbent.h"
#include "optimizers/registry.h"

struct options {
    int64_t min_trials, min_steps, interval;
};

static const struct option median_options[] = {
    {.name = "min_trials",
     .type = OPTION_INT,
     .offset = offsetof(struct options, min_trials),
     .min = 1,
     .max = INFINITY,
     .initial = 5,
     .help = "completed trials to compare with before any is stopped"},
    {.name = "min_steps",
     .type = OPTION_INT,
     .offset = offsetof(struct options, min_steps),
     .min = 0,
     .max = INFINITY,
     .initial = 0,
     .help = "no trial is stopped before it reports this step"},
    {.name = "interval",
     .type = OPTION_INT,
     .offset = offsetof(struct options, interval),
     .min = 1,
     .max = INFINITY,
     .initial = 1,
     .help = "a trial is looked at once in so many steps, counted from min_steps"},
};

struct median {
    struct options options;
    struct cohort *completed;
    struct incumbents *incumbents;
};

static void median_destroy(void *state)
{
    struct median *rule = state;
    if (!rule)
        return;
    cohort_destroy(rule->completed);
    incumbents_destroy(rule->incumbents);
    free(rule);
}

static int median_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    struct median *rule = calloc(1, sizeof *rule);
    if (!rule || cohort_create(&rule->completed, COHORT_MEAN, 0.5) < 0) {
        median_destroy(rule);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rule->options = *(const struct options *)setup->options;
    *state = rule;
    return 0;
}

static bool median_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct median *rule = state;
    struct incumbent best;
    double median;
    size_t n;
    int64_t step = curve->steps[curve->n - 1];
    if (incumbents_update(&best, &rule->incumbents, trial, curve, 0) < 0)
        return false; /* out of memory: the trial merely runs on */
    if (!stopping_is_due(curve, rule->options.min_steps, rule->options.interval) ||
        cohort_get(&median, &n, rule->completed, step) < 0)
        return false;
    return n >= (size_t)rule->options.min_trials && best.value > median;
}

static int median_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    struct median *rule = state;
    incumbents_forget(&rule->incumbents, trial);
    return end == TRIAL_COMPLETED ? cohort_add(rule->completed, curve) : 0;
}

const struct stopping_type stopping_median = {
    .name = "median",
    .summary = "stops a trial whose best is worse than the median of the completed ones' averages",
    .paper = "Golovin et al. 2017, Google Vizier: a service for black-box optimization, section 3.2.1",
    .options = median_options,
    .n_options = sizeof median_options / sizeof *median_options,
    .options_size = sizeof(struct options),
    .create = median_create,
    .destroy = median_destroy,
    .report = median_report,
    .ended = median_ended,
};
