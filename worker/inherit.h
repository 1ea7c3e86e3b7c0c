#ifndef WORKER_INHERIT_H
#define WORKER_INHERIT_H

#include "core/err.h"

/* Makes directory `to` a copy of directory `from`: of another trial, with its checkpoint. All or nothing: it
 * appears under its name when it is complete. If it is there already it is left as it is, since then the
 * trial has begun before. Files, folders and symbolic links are copied, the logs and the FIFO of reports of
 * `from` are not. That trial may be running: each file is read once, from its beginning to its end.
 *
 * Returns 0; ERR_NOT_FOUND: there is no such directory; ERR_IO with a text (then nothing is left behind). May
 * take long. */
int inherit_directory(const char *to, const char *from, struct err *err);

#endif
