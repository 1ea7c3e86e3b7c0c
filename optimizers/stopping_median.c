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
 * (optimizers/cohort.h). Against an average a trial's best value has an advantage that grows with s, so the
 * rule is mild; it does not assume any shape of the curves. */
#include "optimizers/registry.h"
#include "optimizers/stopping_cohort.h"

struct options {
    struct stopping_when when;
};

static const struct option median_options[] = {STOPPING_WHEN_OPTIONS(struct options, 5)};

static int median_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    return stopping_cohort_create(state, COHORT_MEAN, 0.5, &options->when, err);
}

const struct stopping_type stopping_median = {
    .name = "median",
    .summary = "stops a trial whose best is worse than the median of the completed ones' averages",
    .paper = "Golovin et al. 2017, Google Vizier: a service for black-box optimization, section 3.2.1",
    .options = median_options,
    .n_options = sizeof median_options / sizeof *median_options,
    .options_size = sizeof(struct options),
    .create = median_create,
    .destroy = stopping_cohort_destroy,
    .report = stopping_cohort_report,
    .ended = stopping_cohort_ended,
};
