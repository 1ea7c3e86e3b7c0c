#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include "worker/attempt.h"
#include "worker/page.h"
#include "worker/worker.h"

/* Runners: each runs an attempt that has begun, on the main thread, to its end (attempt_end). */

/* Whatever the experiment's `train:` says. */
void run_attempt(struct attempt *attempt, const struct worker_setup *setup, struct page *page);

/* A C function: the SDK's, or one of a shared library. */
void run_function(struct attempt *attempt, worker_train_fn *train, void *arg);
/* Finds the function of `train: {library, function}`; the library stays open for the trials to come.
 * ERR_NOT_FOUND or ERR_INVALID with a text that names what was looked for and where. */
int run_find_function(worker_train_fn **function, struct experiment *experiment, struct err *err);

/* A program. Its process group is named on the page while it lives. */
void run_command(struct attempt *attempt, struct page *page);

#endif
