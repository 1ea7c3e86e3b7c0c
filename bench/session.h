#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include <stdint.h>

#include "sdk/prova.h"

/* A real experiment by prova_lagom, as the measuring programs need it: random search over one double "x", so
 * many trials and local workers, its database in `directory`. */

prova_config *session_config(const char *directory, long n_workers, long n_trials);
/* One more setting, as prova_config_set; gives up if it is refused. */
void session_set(prova_config *config, const char *path, const char *value);
/* Runs it to its end, frees the config, and gives up unless `n_trials` trials are final and none has failed.
 * Returns the time (bench_now_ns) at which the caller was told that all are, which is after their commit. */
int64_t session_run(prova_train_fn train, prova_config *config, long n_trials);

#endif
