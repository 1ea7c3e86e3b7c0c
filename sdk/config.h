#ifndef SDK_CONFIG_H
#define SDK_CONFIG_H

#include <stdbool.h>

#include "core/err.h"
#include "core/spec.h"
#include "sdk/prova.h"

/* What the setters of prova.h have gathered. They write a sweep file, so that spec_parse alone decides what
 * is right; what concerns only this machine stands beside it. */

struct config_local {
    const char *file;          /* the sweep file; "" if there is none */
    const char *database;      /* default "prova.db" */
    const char *driver;        /* endpoint; NULL: none */
    int wait_s;                /* give up after so long without it; 0: never; -1: as nobody has said */
    const char *const *worker; /* the program that runs the trials; NULL: processes forked from this one */
    bool resume;
    bool has_progress;          /* false: progress is shown on stderr */
    prova_progress_fn progress; /* NULL with has_progress: it is shown nowhere */
    void *progress_arg;
    int interval_ms;
};

/* Where it all is to happen. Lends. */
struct config_local config_local(const prova_config *config);

/* The finished spec, whose trials call a function of this process; the caller destroys it. ERR_INVALID and
 * the kept or new faults, each on a line, in *faults (which the caller frees); ERR_NOMEM. */
int config_compile(struct spec **spec, char **faults, const prova_config *config);

#endif
