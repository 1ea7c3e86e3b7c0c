#ifndef WORKER_INHERIT_H
#define WORKER_INHERIT_H

#include "core/err.h"

/* Makes directory `to` a copy of directory `from`: of another trial, with its checkpoint. All or nothing: it
 * appears under its name when it is complete. If it is there already it is left as it is, since then the
 * trial has begun before. Several may do so at one time, as the ranks of a gang do: on one host one copies
 * and the others wait for it, elsewhere the first to be ready wins. Files, folders and symbolic links are
 * copied, the logs and the FIFO of reports of `from` are not. That trial may be running: each file is read
 * once, from its beginning to its end.
 *
 * All ranks of a gang are to begin alike, so for them `mark` is a file's name that begins with INHERIT_MARK
 * and is the attempt's own (NULL: none). Who finds that it cannot copy makes `to` with nothing in it but the
 * mark; whoever sees that mark cannot copy either.
 *
 * Returns 0; ERR_NOT_FOUND: there is no such directory, or the mark; ERR_IO with a text (then, without a
 * mark, nothing is left behind). May take long. */
#define INHERIT_MARK ".without-"
int inherit_directory(const char *to, const char *from, const char *mark, struct err *err);

#endif
