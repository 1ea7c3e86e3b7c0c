#ifndef CLI_WATCHER_H
#define CLI_WATCHER_H

#include <stdint.h>

#include "cli/data.h"

/* Watches an experiment of somebody else's from wherever its results are read: told of each change by its
 * driver, it reads how things stand. A driver that is started again is found again, of a database also where
 * another one has it then. */
struct watcher {
    struct data *data;
    const char *db;         /* of which `data` is; not needed if it is a driver's */
    const char *experiment; /* NULL: the newest */
    int interval_ms;        /* at least so long between two changes */
    int64_t wait_s;         /* give up after so long without a driver; 0: never */
    void (*changed)(void *arg, const json_t *document); /* given "show" of the experiment; lends */
    void *arg;
};

/* Calls `changed` now and at each change, until the experiment is over: 0. ERR_CLOSED: it is not, and has no
 * driver, or none that came back. ERR_INTERRUPTED: whoever reads stdout has gone. */
int watcher_run(const struct watcher *watcher, struct err *err);

#endif
