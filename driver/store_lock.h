#ifndef DRIVER_STORE_LOCK_H
#define DRIVER_STORE_LOCK_H

#include "core/err.h"
#include "driver/store.h"

/* The lock that keeps a second driver away from a database: a POSIX record lock on the file `<db>.lock`
 * beside it, which the kernel drops when the process dies, however it dies. Its content ("pid endpoint")
 * tells people and clients where that driver is.
 *
 * A POSIX lock, not flock or an OFD lock, because those are inherited by forked children: a trial that
 * outlives a killed `prova run` would keep the database locked. Its price is that closing *any* descriptor of
 * the file drops the lock, so this module remembers what this process holds and never opens such a file
 * again. */

struct store_lock;

/* `database`: path without symbolic links. ERR_BUSY with the other driver's pid and endpoint; ERR_IO,
 * ERR_FULL with what to do. */
int store_lock_acquire(struct store_lock **lock, const char *database, struct err *err);
/* Leaves the endpoint in the file. Copies. */
int store_lock_write(struct store_lock *lock, const char *endpoint, struct err *err);
/* Removes the file and drops the lock. NULL is a no-op. */
void store_lock_release(struct store_lock *lock);

#endif
