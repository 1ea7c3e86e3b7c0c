#ifndef DRIVER_SIMULATION_H
#define DRIVER_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/spec.h"
#include "driver/recording.h"

/* A whole experiment in virtual time: the real engine, search, schedule and stopping rule, and workers whose
 * trainings are looked up in a table. Messages and suggestions take no time, a training step as long as the
 * table says (1 s where it does not). A paused trial goes on where it was.
 *
 * It is a function of the spec, its seed and the table. */
struct simulation_setup {
    struct recording *recording; /* rewound first */
    const char *spec_json;       /* the sweep, canonical: spec_write_json */
    uint64_t seed;
    bool whole_only; /* only the value of a training that ran to its end can be the best */
    /* Optional: called now and then; true ends the simulation with ERR_INTERRUPTED. */
    bool (*progress)(void *arg, uint64_t n_epochs, double seconds);
    void *arg;
};

/* The best so far has changed. */
struct simulation_point {
    double seconds;
    uint64_t n_epochs;         /* reports until then, with this one */
    uint64_t n_begun, n_ended; /* trials until then; of the ended ones the report's own is none yet */
    uint64_t trial;
    int64_t step; /* its units that were used */
    double value; /* as it was observed: of a table with replicates one of them */
    double truth; /* the mean of the replicates; else the same */
};

struct simulation_result {
    uint64_t seed;
    char state[16]; /* of the experiment: "completed" ... */
    char text[256]; /* why it ended */
    double seconds; /* virtual time */
    uint64_t n_epochs, n_trials, n_completed, n_stopped, n_failed;
    size_t n_points, capacity;
    struct simulation_point *points; /* ascending in time; the last one is the best of all */
    double *best;                    /* [n_params] the row of that; NULL: there is none */
    size_t n_rows_used;              /* different rows */
};

/* Runs it. Returns 0 and *result, which the caller gives to simulation_result_fini; ERR_INVALID, ERR_NOMEM,
 * ERR_FAILED (nothing can ever happen again), ERR_INTERRUPTED with a text. */
int simulation_run(struct simulation_result *result, const struct simulation_setup *setup, struct err *err);
void simulation_result_fini(struct simulation_result *result);

#endif
