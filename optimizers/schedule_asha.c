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

#include "optimizers/budgets.h"
#include "optimizers/halving.h"
#include "optimizers/registry.h"

static int asha_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    const struct reduced_budgets *options = setup->options;
    const struct budgets *budgets = &options->budgets;
    static const size_t one = 1;
    int code = budgets_check(budgets, err);
    if (code < 0)
        return code;
    struct halving_setup halving = {.min_budget = budgets->min,
                                    .max_budget = budgets->max,
                                    .eta = budgets->eta,
                                    .reduction = budgets_reduction(options),
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
    .options = reduced_budget_options,
    .n_options = N_REDUCED_BUDGET_OPTIONS,
    .options_size = sizeof(struct reduced_budgets),
    .create = asha_create,
    .destroy = halving_destroy,
    .next = halving_next,
    .started = halving_started,
    .report = halving_report,
    .ended = halving_ended,
    .next_level = halving_next_level,
};
