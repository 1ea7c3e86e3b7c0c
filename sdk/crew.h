#ifndef SDK_CREW_H
#define SDK_CREW_H

#include <stdbool.h>

#include "core/err.h"
#include "core/id.h"
#include "worker/worker.h"

/* The processes that work for one call of prova_lagom: a driver of its own (`prova driver`, unless there is
 * one to use) behind a socket that only this user can reach, and a worker process, forked from this one, so
 * that it has the training function and all that the program has loaded.
 *
 * Both have process groups of their own, so that Ctrl-C reaches this process alone, which then stops the
 * trials in good order; and both end when this process does. A driver that is killed by a signal is started
 * again: nothing is lost by it. */

struct crew;

struct crew_setup {
    const char *endpoint; /* of a driver that runs already; NULL: start one */
    const char *database; /* of one's own */
    struct id experiment; /* what the driver is to restore, and the workers to serve */
    int alarm_fd;         /* readable: give up waiting for the driver to start */
    /* Takes a line that the driver has written, without its newline. */
    void (*say)(void *arg, const char *line);
    void *say_arg;
};

/* Starts the driver. ERR_NOT_FOUND: there is no `prova` command. */
int crew_start(struct crew **crew, const struct crew_setup *setup, struct err *err);
/* Waits until it serves. Returns its own words if it does not; ERR_INTERRUPTED: the alarm. */
int crew_await_driver(struct crew *crew, struct err *err);
/* Forks the worker. Call it while the process has no threads, and once the driver serves: a worker that comes
 * first tries again only after a tenth of a second. */
int crew_start_worker(struct crew *crew, int n_slots, worker_train_fn *train, void *arg, struct err *err);
/* Starts a program as the worker instead, which finds in its environment whom to serve: PROVA_DRIVER,
 * PROVA_ROLE, PROVA_EXPERIMENT, and PROVA_PARENT, the process with which it has to end. It may begin while
 * the driver does, which takes less time than an interpreter. */
int crew_start_program(struct crew *crew, const char *const *argv, struct err *err);

const char *crew_endpoint(const struct crew *crew);
/* Readable when crew_take is worth a call. */
int crew_fd(const struct crew *crew);
/* Takes the driver's lines and the ends of processes. Returns why the driver cannot go on, if so. */
int crew_take(struct crew *crew, struct err *err);
/* Has the worker process ended, and if not as it should (ERR_OK), why? */
bool crew_worker_ended(const struct crew *crew, struct err *err);

/* Ends the worker, then the driver, waits for both and removes the socket. Once `alarm_fd` is readable (or
 * `at_once`) it does not wait for trials that are under way. NULL is a no-op. */
void crew_end(struct crew *crew, bool at_once);

#endif
