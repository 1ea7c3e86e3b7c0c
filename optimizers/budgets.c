/* Options of the schedules of successive halving. See optimizers/budgets.h. */
#include "optimizers/budgets.h"

#include <inttypes.h>

const struct option reduced_budget_options[N_REDUCED_BUDGET_OPTIONS] = {
    BUDGET_OPTIONS(struct reduced_budgets),
    {.name = "reduction",
     .type = OPTION_INT,
     .offset = offsetof(struct reduced_budgets, reduction),
     .min = 0,
     .max = 1000,
     .initial = 0,
     .help = "one in so many trials of a rung goes on to the next; 0: as eta"},
};

int budgets_check(const struct budgets *budgets, struct err *err)
{
    if (budgets->max == 0)
        return err_set(err, ERR_INVALID, "max_budget must be given, e.g. max_budget: 27");
    if (budgets->min > budgets->max)
        return err_set(err, ERR_INVALID, "min_budget (%" PRId64 ") is above max_budget (%" PRId64 ")",
                       budgets->min, budgets->max);
    return 0;
}

int64_t budgets_reduction(const struct reduced_budgets *options)
{
    return options->reduction ? options->reduction : options->budgets.eta;
}
