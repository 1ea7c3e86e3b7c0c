/* Schedule hyperband: asynchronous successive halving in several brackets, of which some start more trials
 * with less and some fewer with more (Li et al. 2018, "Hyperband: a novel bandit-based approach to
 * hyperparameter optimization", JMLR 18, algorithm 1; asynchronous as in Li et al. 2020). It hedges against
 * curves that say little early on.
 *
 * | symbol | meaning                                                                     |
 * | s_max  | number of rungs minus one                                                   |
 * | s      | aggressiveness of a bracket, s_max ... 0; bracket b = s_max - s begins at rung b |
 * | n_s    | trials that it starts in a round: ceil((s_max + 1) / (s + 1) eta^s)         |
 *
 * The brackets of a round are filled one after the other, the most aggressive one first, but nobody waits for
 * one to finish: a round's last trials and the next one's first run side by side, and all rounds share the
 * rungs. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/budgets.h"
#include "optimizers/halving.h"
#include "optimizers/registry.h"

enum { MAX_BRACKETS = 64 };

struct options {
    struct budgets budgets;
    int64_t brackets;
};

static const struct option hyperband_options[] = {
    BUDGET_OPTIONS(struct options),
    {.name = "brackets",
     .type = OPTION_INT,
     .offset = offsetof(struct options, brackets),
     .min = 0,
     .max = MAX_BRACKETS,
     .initial = 0,
     .help = "use so many, the most aggressive ones; 0: all"},
};

/* n_s. */
static size_t bracket_size(size_t s_max, size_t s, int64_t eta)
{
    double size = (double)(s_max + 1) / (double)(s + 1) * pow((double)eta, (double)s);
    return (size_t)ceil(size - 1e-9); /* not one more by rounding */
}

static int hyperband_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    const struct budgets *budgets = &options->budgets;
    int code = budgets_check(budgets, err);
    if (code < 0)
        return code;
    size_t per_round[MAX_BRACKETS], s_max = 0, n = 0;
    struct halving_setup halving = {.min_budget = budgets->min,
                                    .max_budget = budgets->max,
                                    .eta = budgets->eta,
                                    .reduction = budgets->eta,
                                    .n_trials = setup->n_trials,
                                    .per_round = per_round};
    for (int64_t budget = budgets->min; budget <= budgets->max / budgets->eta; budget *= budgets->eta)
        s_max++;
    n = options->brackets && (size_t)options->brackets < s_max + 1 ? (size_t)options->brackets : s_max + 1;
    for (size_t b = 0; b < n; b++) {
        per_round[b] = bracket_size(s_max, s_max - b, budgets->eta);
        halving.n_round += per_round[b];
    }
    halving.n_brackets = n;
    if (halving_create((struct halving **)state, &halving) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

const struct schedule_type schedule_hyperband = {
    .name = "hyperband",
    .summary = "asha in several brackets, from many short trials to few long ones",
    .paper = "Li et al. 2018, Hyperband, JMLR 18; asynchronous as in Li et al. 2020",
    .options = hyperband_options,
    .n_options = sizeof hyperband_options / sizeof *hyperband_options,
    .options_size = sizeof(struct options),
    .create = hyperband_create,
    .destroy = halving_destroy,
    .next = halving_next,
    .started = halving_started,
    .report = halving_report,
    .ended = halving_ended,
    .next_level = halving_next_level,
};
