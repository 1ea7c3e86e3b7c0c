#ifndef CONTEXTS_CONTEXT_H
#define CONTEXTS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/faults.h"
#include "core/spec.h"
#include "core/text.h"
#include "core/trial.h"
#include "optimizers/schedule.h"

/* Context: what an experiment does with the training function. It turns a spec into a plan of trials. A
 * plug-in is one const struct context_type and one line in contexts/context.c. Nothing in optimizers/,
 * worker/ or the engine knows which context is running.
 *
 * Like a schedule it is pure and rebuilt from history; unlike one it sees values in the user's own sign. */

enum context_plan_kind {
    CONTEXT_SUGGEST, /* a new trial at a point that the search suggests */
    CONTEXT_POINT,   /* a new trial at `point` */
    CONTEXT_RESUME,  /* go on with paused trial `trial` */
    CONTEXT_FORK,    /* a new trial from trial `trial` as it was after `units`, see context_explore */
    CONTEXT_STOP,    /* paused trial `trial` ends; then ask again */
    CONTEXT_WAIT,    /* nothing until a running trial reports or ends */
    CONTEXT_DONE     /* nothing ever again */
};

struct context_plan {
    enum context_plan_kind kind;
    uint64_t trial;      /* of RESUME, FORK and STOP */
    int64_t units;       /* of FORK */
    int64_t budget;      /* units in all; 0: the function decides */
    const double *point; /* of POINT; lent until the next call */
};

struct context_type {
    const char *name, *summary;
    bool searches; /* it makes CONTEXT_SUGGEST plans, so the experiment needs a search */

    /* Adds what is wrong with its part of the spec. Optional. */
    void (*check)(const struct spec *spec, struct faults *faults);
    int (*create)(void **state, const struct spec *spec,
                  struct err *err); /* borrows spec, which outlives it */
    void (*destroy)(void *state);
    /* What should a free worker do? Changes nothing. O(log n). */
    void (*next)(struct context_plan *plan, void *state);
    /* The plan was taken by trial `trial`; also told, in order, when the state is rebuilt from history. */
    int (*started)(void *state, uint64_t trial, int64_t budget);
    /* As in struct schedule_type; NULL: it makes no FORK plans. */
    int (*forked)(void *state, uint64_t trial, uint64_t origin, int64_t units);
    int (*explore)(double *point, const void *state, const struct space *space, const double *origin,
                   uint64_t trial);
    /* The trial's curve has a new last value. */
    enum decision (*report)(void *state, uint64_t trial, const struct curve *curve);
    /* It ended: COMPLETED, STOPPED, FAILED or PAUSED, with this value (NaN: none). */
    int (*ended)(void *state, uint64_t trial, enum trial_state end, const struct curve *curve, double value);
    /* The least number of units above `units` at which the search hears of a trial that is under way;
     * INT64_MAX: none. Depends on the spec alone. NULL: none. */
    int64_t (*next_level)(const void *state, int64_t units);
};

/* Every context, one line each in context.c; by name, NULL: none. */
extern const struct context_type *const context_types[];
extern const size_t n_context_types;
const struct context_type *context_type_find(const char *name);
/* What the search makes of the spec (registry_explain_search); nothing in a context that does not search. */
void context_explain_search(struct text *text, const struct spec *spec);

/* The context of one experiment. */
struct context;

/* Everything that plug-ins have to say about a spec: unknown context, search, schedule and stopping names and
 * options. Returns how many faults were added. */
size_t context_check(const struct spec *spec, struct faults *faults);

int context_create(struct context **context, const struct spec *spec, struct err *err);
void context_destroy(struct context *context);
bool context_searches(const struct context *context);
void context_next(struct context_plan *plan, struct context *context);
int context_started(struct context *context, uint64_t trial, int64_t budget);
/* Trial `trial` begins with a copy of `origin`; before its context_started. */
int context_forked(struct context *context, uint64_t trial, uint64_t origin, int64_t units);
/* Its parameters, from those of its origin. ERR_NOMEM; ERR_UNSUPPORTED: this context makes no such trials. */
int context_explore(double *point, const struct context *context, const struct space *space,
                    const double *origin, uint64_t trial);
enum decision context_report(struct context *context, uint64_t trial, const struct curve *curve);
int context_ended(struct context *context, uint64_t trial, enum trial_state end, const struct curve *curve,
                  double value);
int64_t context_next_level(const struct context *context, int64_t units);

#endif
