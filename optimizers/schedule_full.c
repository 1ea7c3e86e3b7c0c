/* Schedule full: every trial runs once, to its end or to the same budget. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/registry.h"

struct options {
    int64_t budget;
};

static const struct option full_options[] = {
    {.name = "budget",
     .type = OPTION_INT,
     .offset = offsetof(struct options, budget),
     .min = 0,
     .max = INFINITY,
     .initial = 0,
     .help = "resource units of every trial, e.g. epochs; 0: the training function decides"},
};

static int full_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    struct options *options = malloc(sizeof *options);
    if (!options)
        return err_set(err, ERR_NOMEM, "out of memory");
    *options = *(const struct options *)setup->options;
    *state = options;
    return 0;
}

static void full_next(struct plan *plan, void *state)
{
    const struct options *options = state;
    *plan = (struct plan){.kind = PLAN_NEW, .budget = options->budget};
}

static int full_started(void *state, uint64_t trial, int64_t budget)
{
    (void)state, (void)trial, (void)budget;
    return 0;
}

static enum decision full_report(void *state, uint64_t trial, int64_t step, double value)
{
    (void)state, (void)trial, (void)step, (void)value;
    return DECISION_CONTINUE;
}

static int full_ended(void *state, uint64_t trial, enum trial_state end, int64_t step, double value)
{
    (void)state, (void)trial, (void)end, (void)step, (void)value;
    return 0;
}

const struct schedule_type schedule_full = {
    .name = "full",
    .summary = "every trial runs to its end",
    .paper = "",
    .options = full_options,
    .n_options = sizeof full_options / sizeof *full_options,
    .options_size = sizeof(struct options),
    .create = full_create,
    .destroy = free,
    .next = full_next,
    .started = full_started,
    .report = full_report,
    .ended = full_ended,
};
