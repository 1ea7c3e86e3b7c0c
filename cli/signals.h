#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "core/err.h"

/* SIGINT, SIGTERM and SIGHUP as events. */

/* Blocks them in this thread, and so in every thread that it starts, and makes them readable. SIGPIPE is
 * ignored: a reader of our output that goes away must not end an experiment. */
int signals_open(int *fd, struct err *err);
/* The next one that came; 0: none. Does not block. */
int signals_read(int fd);
/* From now on one of them calls `abandon`, which must be async-signal-safe, and ends the process with status
 * 130. Those that are waiting to be read count. */
void signals_abandon_at_next(void (*abandon)(const void *arg), const void *arg);

#endif
