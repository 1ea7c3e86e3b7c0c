/* Schedule asha: asynchronous successive halving with promotion (Li et al. 2020, "A system for massively
 * parallel hyperparameter tuning", MLSys). Every trial starts with min_budget; the best 1 / reduction of
 * those that have used r units go on to eta r, and so on up to max_budget. See optimizers/halving.h.
 *
 * In the paper reduction is eta, so that all rungs use about as much. With a larger one more trials are
 * begun, and the higher rungs use less, without moving the rungs apart. Measured on seven tables of learning
 * curves of 50 epochs, from 2 epochs on, 100 seeds, mean regret after 10 full trainings by 1 and 8 workers,
 * and after 30, of tpe | random:
 *
 *   eta 3               .203 .245 .078 .095 | .262 .289 .137 .148
 *   eta 4               .196 .255 .070 .093 | .246 .287 .127 .138
 *   eta 3, reduction 4  .176 .218 .058 .067 | .228 .269 .111 .126
 *   eta 3, reduction 5                      | .231 .295 .102 .116
 *   eta 4, reduction 5                      | .243 .301 .114 .130 */
#include <math.h>
#include <stdlib.h>

#include "optimizers/halving.h"
#include "optimizers/registry.h"

struct options {
    int64_t min_budget, max_budget, eta, reduction;
};

static const struct option asha_options[] = {
    {.name = "min_budget",
     .type = OPTION_INT,
     .offset = offsetof(struct options, min_budget),
     .min = 1,
     .max = 1e15,
     .initial = 1,
     .help = "resource units, e.g. epochs, that every trial gets"},
    {.name = "max_budget",
     .type = OPTION_INT,
     .offset = offsetof(struct options, max_budget),
     .min = 1,
     .max = 1e15,
     .initial = 0,
     .help = "resource units of a whole training; must be given"},
    {.name = "eta",
     .type = OPTION_INT,
     .offset = offsetof(struct options, eta),
     .min = 2,
     .max = 1000,
     .initial = 3,
     .help = "each rung has so many times the budget of the one below"},
    {.name = "reduction",
     .type = OPTION_INT,
     .offset = offsetof(struct options, reduction),
     .min = 0,
     .max = 1000,
     .initial = 0,
     .help = "one in so many trials of a rung goes on to the next; 0: as eta"},
};

static int asha_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    static const size_t one = 1;
    if (options->max_budget == 0)
        return err_set(err, ERR_INVALID, "max_budget must be given, e.g. max_budget: 27");
    if (options->min_budget > options->max_budget)
        return err_set(err, ERR_INVALID, "min_budget (%jd) is above max_budget (%jd)",
                       (intmax_t)options->min_budget, (intmax_t)options->max_budget);
    struct halving_setup halving = {.min_budget = options->min_budget,
                                    .max_budget = options->max_budget,
                                    .eta = options->eta,
                                    .reduction = options->reduction ? options->reduction : options->eta,
                                    .n_trials = setup->n_trials,
                                    .n_brackets = 1,
                                    .n_round = 1,
                                    .per_round = &one};
    if (halving_create((struct halving **)state, &halving) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

const struct schedule_type schedule_asha = {
    .name = "asha",
    .summary = "pauses every trial at growing budgets; the best 1/reduction of each go on",
    .paper = "Li et al. 2020, A system for massively parallel hyperparameter tuning, MLSys",
    .options = asha_options,
    .n_options = sizeof asha_options / sizeof *asha_options,
    .options_size = sizeof(struct options),
    .create = asha_create,
    .destroy = halving_destroy,
    .next = halving_next,
    .started = halving_started,
    .report = halving_report,
    .ended = halving_ended,
    .next_level = halving_next_level,
};
