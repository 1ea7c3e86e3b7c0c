#ifndef OPTIMIZERS_STOPPING_H
#define OPTIMIZERS_STOPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/options.h"
#include "core/trial.h"

/* Stopping: a rule that ends a running trial early. Pure and rebuilt from history. Values are minimised. */

struct stopping_setup {
    const void *options;
    enum metric_goal goal; /* for options in the user's own unit, e.g. a threshold */
};

struct stopping_type {
    const char *name, *summary, *paper;
    const struct option *options;
    size_t n_options, options_size;

    int (*create)(void **state, const struct stopping_setup *setup, struct err *err);
    void (*destroy)(void *state);
    /* `curve` (values minimised) has a new last value: should the trial stop? Amortised O(log n) in trials.
     * Optional: a rule without it stops nothing, and has no `ended` either. */
    bool (*report)(void *state, uint64_t trial, const struct curve *curve);
    /* The trial ended (COMPLETED, STOPPED or FAILED) with this curve; called in this order too when history
     * is told. Optional. Returns 0 or ERR_NOMEM. */
    int (*ended)(void *state, uint64_t trial, enum trial_state end, const struct curve *curve);
};

#endif
