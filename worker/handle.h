#ifndef WORKER_HANDLE_H
#define WORKER_HANDLE_H

#include <stddef.h>
#include <stdint.h>

/* What a training function holds: `prova_trial` of prova.h. It is a table of functions in front of whatever
 * runs the trial, because the function may live in a library that has its own copy of libprova: the copy that
 * made the trial does the work, the other only calls through the table.
 *
 * Values are minimal and C; the SDK's functions (sdk/trial.c) add the checks and the messages. */

#define HANDLE_VERSION 3 /* raised whenever this file changes */

struct prova_trial;

struct handle_ops {
    uint32_t version; /* HANDLE_VERSION */
    /* A metric's value at a step; name NULL: the objective. Returns non-zero if the trial should stop. Any
     * thread. */
    int (*report)(struct prova_trial *trial, int64_t step, const char *name, double value);
    /* The trial's value, returned at its end. */
    void (*finish)(struct prova_trial *trial, double value);
    /* It has failed for this reason (the first one counts). */
    void (*fail)(struct prova_trial *trial, const char *text);
    int (*stopped)(struct prova_trial *trial);
    /* A directory of this trial alone, kept over its attempts; made by the first call, so that a trial that
     * needs none costs none. Lives as long as the trial. NULL if it cannot be made: the trial has then
     * failed. Any thread. */
    const char *(*directory)(struct prova_trial *trial);
    /* What all members of a gang do together, in the same order; without a gang, nothing. Non-zero, and the
     * trial has failed, if it cannot be done. The thread that runs the function. */
    int (*allreduce_sum)(struct prova_trial *trial, double *x, size_t n);
    int (*broadcast)(struct prova_trial *trial, void *data, size_t size);
    int (*barrier)(struct prova_trial *trial);
    const void *(*communicator)(struct prova_trial *trial); /* MPI_Comm *; NULL: none */
};

/* A place in a gang. */
struct handle_gang {
    uint64_t number; /* of the gang: another one in each attempt */
    uint64_t rank, world;
    uint64_t local_rank, local_world; /* among those on this host */
    const char *const *addresses;     /* [world] host:port by rank; the first is the coordinator */
};

struct spec;

struct prova_trial {
    const struct handle_ops *ops;
    const struct spec *spec; /* with its space; NULL only for a trial of another libprova version */
    const double *point;     /* [spec->space->n_params] */
    uint64_t number, attempt;
    uint64_t seed;                  /* spec_trial_seed */
    int64_t budget;                 /* 0: none */
    int64_t done;                   /* units used by earlier attempts of a resumed trial */
    const char *experiment;         /* its name */
    const char *experiment_id;      /* UUID as text */
    const char *ablated;            /* spec_write_ablated; "": nothing */
    const struct handle_gang *gang; /* NULL: it runs on this worker alone */
};

#endif
