#ifndef OPTIMIZERS_SCHEDULE_H
#define OPTIMIZERS_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/options.h"
#include "core/space.h"
#include "core/trial.h"

/* Schedule: how long to run. It decides what a free worker does next (a new trial, or going on with a paused
 * one) and whether a running one goes on. Pure and rebuilt from history, like a search. Values are minimised.
 */

enum decision { DECISION_CONTINUE, DECISION_PAUSE, DECISION_STOP };

enum plan_kind {
    PLAN_NEW,    /* a new trial, with `budget` units in all (0: the function decides) */
    PLAN_RESUME, /* go on with the paused trial `trial`, up to `budget` units in all */
    PLAN_FORK,   /* a new trial from where trial `trial` was after `units`, up to `budget` units in all */
    PLAN_STOP,   /* the paused trial `trial` will not go on: it ends (`ended` is told); then ask again */
    PLAN_WAIT,   /* nothing until a running trial reports or ends */
    PLAN_DONE    /* nothing ever again */
};

struct plan {
    enum plan_kind kind;
    uint64_t trial;
    int64_t budget;
    int64_t units; /* of FORK: used by the checkpoint that it starts from */
};

struct schedule_setup {
    const void *options;
    uint64_t seed;
    int64_t n_trials; /* limit; 0: none */
    int64_t n_workers;
};

struct schedule_type {
    const char *name, *summary, *paper;
    const struct option *options;
    size_t n_options, options_size;

    int (*create)(void **state, const struct schedule_setup *setup, struct err *err);
    void (*destroy)(void *state);
    /* What should a free worker do? Called again after every change while a worker waits; must not block;
     * O(log n). It changes nothing: `started` says that the plan was taken. */
    void (*next)(struct plan *plan, void *state);
    /* Trial `trial` was started (or goes on) under this plan. Also the first call of a trial when history is
     * told. */
    int (*started)(void *state, uint64_t trial, int64_t budget);
    /* Trial `trial` is new, and begins with a copy of trial `origin` as that was after `units`. Comes before
     * its `started`. Of a schedule that makes FORK plans; else NULL. */
    int (*forked)(void *state, uint64_t trial, uint64_t origin, int64_t units);
    /* What the parameters of such a trial are: a function of the origin's and its number. Of the same.
     * Returns 0 or ERR_NOMEM. */
    int (*explore)(double *point, const void *state, const struct space *space, const double *origin,
                   uint64_t trial);
    /* Its curve has a new last value. */
    enum decision (*report)(void *state, uint64_t trial, int64_t step, double value);
    /* It ended: state COMPLETED, STOPPED, FAILED or PAUSED; value NaN if none. */
    int (*ended)(void *state, uint64_t trial, enum trial_state end, int64_t step, double value);
    /* Optional. Levels: the least number of units above `units` at which trials are compared, for searches
     * that learn from curves; INT64_MAX: none. Depends on the options alone. NULL: 1, 2, 4, 8, ... */
    int64_t (*next_level)(const void *state, int64_t units);
};

#endif
