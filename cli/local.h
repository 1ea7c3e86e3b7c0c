#ifndef CLI_LOCAL_H
#define CLI_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"
#include "core/id.h"

/* What `prova run` and `prova resume` need for themselves alone: a driver on a thread of this process, behind
 * a socket that only this user can reach, and a worker process with its slots.
 *
 * The worker is forked while no thread exists, but let go only once the driver has the experiment. It has a
 * process group of its own, so that Ctrl-C reaches this process alone, which then stops the trials in good
 * order. What it prints comes through a pipe, so that it cannot break the progress line. */

struct local_setup {
    const char *database;
    struct id experiment; /* the only one that is restored and served */
    int64_t n_workers;
    bool is_fleet; /* they are to be started by mpirun */
    /* Takes a line that a worker has printed, without its newline. */
    void (*line)(void *arg, const char *text);
    void *line_arg;
};

struct local;

/* Call it while the process has no threads; signals that signals_open has blocked are let through in the
 * worker. ERR_BUSY: another driver has the database. */
int local_start(struct local **local, const struct local_setup *setup, struct err *err);
/* Lets the worker go. Once the driver runs the experiment: of one that is interrupted it would tell a worker
 * that it is over. */
int local_release(struct local *local, struct err *err);
/* Ends the workers, then the driver, and waits for both. Returns what the driver ended with. */
int local_stop(struct local *local, struct err *err);
/* After local_stop, or to give up at once: frees, removes the socket. NULL is a no-op. */
void local_destroy(struct local *local);

const char *local_endpoint(const struct local *local);
/* What the workers print on their stderr and stdout; does not block. -1: it has ended. */
int local_output_fd(const struct local *local);
/* Reads what there is of it and hands out the whole lines. */
void local_read_output(struct local *local);
/* Readable when the worker process has ended. */
int local_worker_fd(const struct local *local);
/* Then: 0 if it ended in good order (there is nothing left for it to do), else what happened to it. */
int local_worker_end(struct local *local, struct err *err);
/* After a bad end, because of `why`: what they ran is lost, and a new fleet is started, with new descriptors.
 * ERR_UNSUPPORTED where the workers are no fleet: their supervisor has replaced whom it could. */
int local_replace_workers(struct local *local, const char *why, struct err *err);
/* Readable when the driver has ended by itself; local_stop then says why. */
int local_driver_fd(const struct local *local);

/* For the second Ctrl-C: async-signal-safe. Ends the workers, removes the socket, waits for nothing. */
void local_abandon(const struct local *local);

#endif
