/* Schedule asha-stopping: asynchronous successive halving that stops instead of pausing (Li et al. 2020, as
 * in Syne Tune and Ray Tune). Every trial starts with max_budget and is stopped at a rung if it is not among
 * the best 1 / reduction of those that have reached it so far. It needs no checkpoints and no second start,
 * and is the one to take where going on is expensive; in return a trial that came too early is judged by the
 * few that were there.
 *
 *   stop at rung k  <=>  n_k >= reduction and the trial is not among the best floor(n_k / reduction)
 *
 * n_k: with this trial; reduction is the paper's eta unless it is given.
 *
 * A report at step s means that s + 1 units are used. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/budgets.h"
#include "optimizers/registry.h"
#include "optimizers/rung.h"
#include "optimizers/trial_table.h"

/* A running trial. */
struct runner {
    uint64_t trial;
    size_t n_reached; /* rungs in which it is counted */
};

struct asha {
    size_t n_rungs;
    struct rung *rungs; /* the last one is the end */
    int64_t max_budget;
    struct trial_table runners; /* struct runner */
};

static void asha_destroy(void *state)
{
    struct asha *schedule = state;
    if (!schedule)
        return;
    trial_table_fini(&schedule->runners);
    rungs_destroy(schedule->rungs, schedule->n_rungs);
    free(schedule);
}

static int asha_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    const struct reduced_budgets *options = setup->options;
    const struct budgets *budgets = &options->budgets;
    int code = budgets_check(budgets, err);
    if (code < 0)
        return code;
    struct asha *schedule = calloc(1, sizeof *schedule);
    if (!schedule || rungs_create(&schedule->rungs, &schedule->n_rungs, budgets->min, budgets->max,
                                  budgets->eta, budgets_reduction(options)) < 0) {
        asha_destroy(schedule);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    trial_table_init(&schedule->runners, sizeof(struct runner));
    schedule->max_budget = budgets->max;
    *state = schedule;
    return 0;
}

static void asha_next(struct plan *plan, void *state)
{
    const struct asha *schedule = state;
    *plan = (struct plan){.kind = PLAN_NEW, .budget = schedule->max_budget};
}

static int asha_started(void *state, uint64_t trial, int64_t budget)
{
    (void)budget;
    struct asha *schedule = state;
    bool is_known = trial_table_find(&schedule->runners, trial);
    return is_known || trial_table_add(&schedule->runners, trial) ? 0 : ERR_NOMEM;
}

/* A trial counts once in a rung, with its first value there: another attempt that comes by again changes
 * nothing and is not judged there again. */
static enum decision asha_report(void *state, uint64_t trial, int64_t step, double value)
{
    struct asha *schedule = state;
    struct runner *runner = trial_table_find(&schedule->runners, trial);
    enum decision decision = DECISION_CONTINUE;
    while (runner && runner->n_reached + 1 < schedule->n_rungs &&
           schedule->rungs[runner->n_reached].budget <= rung_units(step)) {
        struct rung *rung = &schedule->rungs[runner->n_reached++];
        struct ranked item = {.value = isfinite(value) ? value : INFINITY, .trial = trial};
        if (rung_add(rung, item) < 0)
            return DECISION_CONTINUE; /* out of memory: the trial merely runs on */
        if (rung_n(rung) >= (size_t)rung->reduction && !rung_is_top(rung, item))
            decision = DECISION_STOP;
    }
    return decision;
}

static int asha_ended(void *state, uint64_t trial, enum trial_state end, int64_t step, double value)
{
    (void)end, (void)step, (void)value;
    struct asha *schedule = state;
    if (trial_table_find(&schedule->runners, trial))
        trial_table_remove(&schedule->runners, trial);
    return 0;
}

static int64_t asha_next_level(const void *state, int64_t units)
{
    const struct asha *schedule = state;
    return rungs_next_level(schedule->rungs, schedule->n_rungs, units);
}

const struct schedule_type schedule_asha_stopping = {
    .name = "asha-stopping",
    .summary = "stops trials that are not among the best 1/reduction at growing budgets",
    .paper = "Li et al. 2020, A system for massively parallel hyperparameter tuning, MLSys",
    .options = reduced_budget_options,
    .n_options = N_REDUCED_BUDGET_OPTIONS,
    .options_size = sizeof(struct reduced_budgets),
    .create = asha_create,
    .destroy = asha_destroy,
    .next = asha_next,
    .started = asha_started,
    .report = asha_report,
    .ended = asha_ended,
    .next_level = asha_next_level,
};
