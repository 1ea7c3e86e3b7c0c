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
#include "optimizers/registry.h"
#include "optimizers/stopping_cohort.h"

struct options {
    double percentile;
    struct stopping_when when;
};

static const struct option percentile_options[] = {
    {.name = "percentile",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, percentile),
     .min = 0,
     .max = 100,
     .initial = 50,
     .help = "percent of the trials that are good enough to go on: 25 is strict, 75 lenient"},
    STOPPING_WHEN_OPTIONS(struct options, 5),
};

static int percentile_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    return stopping_cohort_create(state, COHORT_BEST, options->percentile / 100, &options->when, err);
}

const struct stopping_type stopping_percentile = {
    .name = "percentile",
    .summary = "stops a trial whose best is worse than a percentile of the completed ones' best",
    .paper = "Akiba et al. 2019, Optuna: a next-generation hyperparameter optimization framework",
    .options = percentile_options,
    .n_options = sizeof percentile_options / sizeof *percentile_options,
    .options_size = sizeof(struct options),
    .create = percentile_create,
    .destroy = stopping_cohort_destroy,
    .report = stopping_cohort_report,
    .ended = stopping_cohort_ended,
};
