#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "worker/handle.h"

/* A worker: a supervisor process and one process a slot. The slot process talks to the driver on a thread of
 * its own and runs trials on its main thread, so that a function may compute for hours while its lease is
 * kept alive; when a trial kills its slot process the supervisor starts a new one, which tells the driver
 * what was lost. */

typedef int worker_train_fn(struct prova_trial *trial, void *arg);

struct worker_setup {
    const char *driver;   /* endpoint to connect to */
    int n_slots;          /* >= 1 */
    struct id experiment; /* serve this one only and leave when it is done; none: serve all, until stopped */
    worker_train_fn *train; /* the function of TRAIN_FUNCTION trials; NULL: only commands and libraries */
    void *arg;
    const char *directory; /* where trial directories are made; NULL: ./prova_trials */
    int64_t wait_s;        /* give up after so long without a driver; 0: never */
    bool ends_with_parent; /* leave when the process that started it dies */
    bool quiet;            /* log warnings and errors only */
};

/* Runs until the experiment is done, the driver sends it away, or SIGTERM/SIGINT. Forks: call it from a
 * process with no threads. Returns 0; ERR_INTERRUPTED after a signal; ERR_TIMEOUT without a driver;
 * ERR_REFUSED, ERR_VERSION. */
int worker_run(const struct worker_setup *setup, struct err *err);

#endif
