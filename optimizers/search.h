#ifndef OPTIMIZERS_SEARCH_H
#define OPTIMIZERS_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/options.h"
#include "core/space.h"
#include "core/spec.h"
#include "core/text.h"
#include "core/trial.h"
#include "core/warm_start.h"

/* Search: where to sample. A plug-in is one const struct search_type and one line in optimizers/registry.c.
 *
 * A search is a pure function of (options, seed, history): it reads no clock and no file, and is rebuilt
 * after a crash by telling it the history again. It minimises; the front (struct search, below) flips the
 * goal once, keeps NaN and infinity out, tries the user's defaults first and refuses points that were tried
 * already while others are left. */

enum observation_kind {
    OBSERVED_PENDING, /* this point is being evaluated */
    OBSERVED_PARTIAL, /* it had this value at `step` and goes on */
    OBSERVED_FINAL,   /* it ended with this value, at `step` (0: unknown) */
    OBSERVED_FAILED   /* it ended without a value: known to be bad, not merely unknown */
};

struct observation {
    enum observation_kind kind;
    uint64_t trial;      /* its number, from 1 */
    const double *point; /* [n_params] */
    double value;        /* finite, minimised; of PARTIAL and FINAL */
    int64_t step;        /* at which it was reported, from 0; of PARTIAL and FINAL */
    bool is_cut;         /* of FINAL: it was stopped early, so the value is not that of a whole training */
};

struct search_setup {
    const struct space *space;   /* outlives the search */
    const void *options;         /* the type's options struct; copied by create if it keeps it */
    const struct plugin *plugin; /* for per-parameter settings; borrowed during create */
    uint64_t seed;
    int64_t n_trials;  /* how many are planned; 0: unknown */
    int64_t n_workers; /* how many run at one time; 0: unknown */
    bool has_rungs;    /* most trials will be short ones: the schedule lets but a few go on at each rung */
};

struct search_type {
    const char *name;
    const char *summary; /* one line for `prova search` */
    const char *paper;   /* "" where there is none */
    const struct option *options;
    size_t n_options;
    size_t options_size; /* of the struct that the options fill */
    bool learns;         /* false: suggestions do not depend on values, so any number may be made ahead */
    bool exhaustive; /* it walks a fixed list of points of its own: no defaults first, no check for repeats */

    /* Mandatory. Called once; may allocate. Returns 0 or a code with a text. */
    int (*create)(void **state, const struct search_setup *setup, struct err *err);
    /* Mandatory. NULL is a no-op. */
    void (*destroy)(void *state);
    /* Mandatory. Fills point[n_params] for trial number `trial`; may compute for long. For the same state and
     * number it gives the same point. `again` counts from 0: how many of its answers for this trial were
     * refused as repeats. Returns 0; ERR_EXHAUSTED when it has no point left; ERR_NOMEM. */
    int (*suggest)(double *point, void *state, uint64_t trial, unsigned again, struct err *err);
    /* Optional: a search that does not learn may leave it NULL. Every suggested point comes back once as
     * PENDING, then as PARTIAL at the schedule's levels (struct schedule_type; by ask and tell at any steps),
     * steps ascending, then once as FINAL or FAILED. A step below the last one means that the trial began
     * anew. Points from elsewhere (warm start, ask and tell) may come as FINAL at once. optimizers/history
     * makes one order of it all. Returns 0 or ERR_NOMEM. */
    int (*observe)(void *state, const struct observation *observation);
    /* Optional: appends a line, without its end, that tells people what it does here and why. It follows from
     * what create was given. */
    void (*explain)(struct text *out, const void *state);
};

/* The front: one search of one experiment. Not for two threads at a time. */
struct search;

/* Creates that of a sweep, which has been checked (registry_check). Borrows the spec's space. Returns 0 or a
 * code with a text. */
int search_create_for(struct search **search, const struct spec *spec, struct err *err);
/* The same without a sweep: no schedule is known. */
int search_create(struct search **search, const struct plugin *plugin, const struct space *space,
                  enum metric_goal goal, uint64_t seed, int64_t n_trials, int64_t n_workers, struct err *err);
void search_destroy(struct search *search);
const struct search_type *search_get_type(const struct search *search);

/* Appends what the search says of itself; nothing, if it has nothing to say. */
void search_explain(struct text *out, const struct search *search);

/* Observations that are no trial of the experiment have numbers from here on: the points of a warm start, in
 * their order. */
#define SEARCH_FIRST_WARM (UINT64_C(1) << 41)

/* Tells it what is known before the first trial; copies. Points with a value (in the user's own sign) and
 * failed ones are observations; those without are the first suggestions, trials 1, 2, ..., each once and only
 * if it is not known already. A search that does not learn begins its own sequence behind them; an exhaustive
 * one leaves them all out of its list. Before any other call, once. Returns 0 or ERR_NOMEM; ERR_INVALID for a
 * point that is none of this space. */
int search_warm_start(struct search *search, const struct warm_start *warm);

/* Fills point[n_params] for trial number `trial` and counts it as pending. Returns 0; ERR_EXHAUSTED: every
 * point of the space (or of the grid) has been tried or is pending; ERR_NOMEM. */
int search_suggest(double *point, struct search *search, uint64_t trial, struct err *err);

/* Tells it something, in the user's own sign. A FINAL or PARTIAL value that is not finite counts as FAILED or
 * is ignored. PENDING is for points that search_suggest did not make, and for rebuilding from history; told
 * twice it counts once. Returns 0, ERR_NOMEM, or ERR_INVALID for a point that is none of this space (nothing
 * changes). */
int search_observe(struct search *search, const struct observation *observation);

#endif
