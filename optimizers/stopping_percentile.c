/* Stopping percentile: a running trial ends at step s if its best value by s is strictly worse than a
 * percentile of what the completed trials had at best by s. The rule of Optuna's PercentilePruner, at equal
 * steps.
 *
 * | symbol  | meaning                                                                     |
 * | b_t(s)  | min f_t(j) over the reports of trial t with j <= s: its best value by s     |
 * | p       | `percentile` / 100: the share of trials that is good enough                 |
 *
 *   stop t at s  <=>  b_t(s) > p-quantile over completed i of b_i(s)
 *
 * Like is compared with like (best with best, unlike the median rule, which compares with averages), so it
 * stops more: with p = 1/2 about half of what runs. It suits curves that improve steadily; where they cross,
 * take a larger p or min_steps. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/cohort.h"
#include "optimizers/incumbent.h"
#include "optimizers/registry.h"

struct options {
    double percentile;
    int64_t min_trials, min_steps, interval;
};

static const struct option percentile_options[] = {
    {.name = "percentile",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, percentile),
     .min = 0,
     .max = 100,
     .initial = 50,
     .help = "percent of the trials that are good enough to go on: 25 is strict, 75 lenient"},
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

struct percentile {
    struct options options;
    struct cohort *completed;
    struct incumbents *incumbents;
};

static void percentile_destroy(void *state)
{
    struct percentile *rule = state;
    if (!rule)
        return;
    cohort_destroy(rule->completed);
    incumbents_destroy(rule->incumbents);
    free(rule);
}

static int percentile_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    struct percentile *rule = calloc(1, sizeof *rule);
    if (!rule || cohort_create(&rule->completed, COHORT_BEST, options->percentile / 100) < 0) {
        percentile_destroy(rule);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rule->options = *options;
    *state = rule;
    return 0;
}

static bool percentile_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct percentile *rule = state;
    struct incumbent best;
    double limit;
    size_t n;
    int64_t step = curve->steps[curve->n - 1];
    if (incumbents_update(&best, &rule->incumbents, trial, curve, 0) < 0)
        return false; /* out of memory: the trial merely runs on */
    if (!stopping_is_due(curve, rule->options.min_steps, rule->options.interval) ||
        cohort_get(&limit, &n, rule->completed, step) < 0)
        return false;
    return n >= (size_t)rule->options.min_trials && best.value > limit;
}

static int percentile_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    struct percentile *rule = state;
    incumbents_forget(&rule->incumbents, trial);
    return end == TRIAL_COMPLETED ? cohort_add(rule->completed, curve) : 0;
}

const struct stopping_type stopping_percentile = {
    .name = "percentile",
    .summary = "stops a trial whose best is worse than a percentile of the completed ones' best",
    .paper = "Akiba et al. 2019, Optuna: a next-generation hyperparameter optimization framework",
    .options = percentile_options,
    .n_options = sizeof percentile_options / sizeof *percentile_options,
    .options_size = sizeof(struct options),
    .create = percentile_create,
    .destroy = percentile_destroy,
    .report = percentile_report,
    .ended = percentile_ended,
};
