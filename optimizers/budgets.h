#ifndef OPTIMIZERS_BUDGETS_H
#define OPTIMIZERS_BUDGETS_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/options.h"

/* What every schedule of successive halving is told of its rungs (optimizers/rung.h). */
struct budgets {
    int64_t min, max, eta;
};

/* Their entries in a table of options, of a struct that has them as its `budgets`. */
#define BUDGET_OPTIONS(options)                                                                              \
    {.name = "min_budget",                                                                                   \
     .type = OPTION_INT,                                                                                     \
     .offset = offsetof(options, budgets.min),                                                               \
     .min = 1,                                                                                               \
     .max = 1e15,                                                                                            \
     .initial = 1,                                                                                           \
     .help = "resource units, e.g. epochs, of the lowest rung"},                                             \
        {.name = "max_budget",                                                                               \
         .type = OPTION_INT,                                                                                 \
         .offset = offsetof(options, budgets.max),                                                           \
         .min = 1,                                                                                           \
         .max = 1e15,                                                                                        \
         .initial = 0,                                                                                       \
         .help = "resource units of a whole training; must be given"},                                       \
    {                                                                                                        \
        .name = "eta", .type = OPTION_INT, .offset = offsetof(options, budgets.eta), .min = 2, .max = 1000,  \
        .initial = 3,                                                                                        \
        .help = "each rung has so many times the budget of the one below, for one trial in so many"          \
    }

/* The same with how many trials go on: for asha and asha-stopping. */
struct reduced_budgets {
    struct budgets budgets;
    int64_t reduction; /* one in so many trials of a rung; 0: eta */
};

enum { N_REDUCED_BUDGET_OPTIONS = 4 };
extern const struct option reduced_budget_options[N_REDUCED_BUDGET_OPTIONS];

/* Whether they make sense together: 0 or ERR_INVALID. */
int budgets_check(const struct budgets *budgets, struct err *err);
int64_t budgets_reduction(const struct reduced_budgets *options);

#endif
