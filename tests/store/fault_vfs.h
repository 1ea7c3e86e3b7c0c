#ifndef TESTS_STORE_FAULT_VFS_H
#define TESTS_STORE_FAULT_VFS_H

#include <stdbool.h>

/* SQLite's own file layer with faults on demand, for every connection of the process that is opened after
 * fault_vfs_install. An operation is a write, truncation or sync of any file of a database. */

void fault_vfs_install(void);

/* From now on the n-th operation (from 1) and all later ones fail with this SQLite code; 0: none. */
void fault_vfs_fail(long n, int code);
/* The n-th operation kills the process; a write is half done then, if `is_torn`. 0: none. */
void fault_vfs_kill(long n, bool is_torn);
/* Operations, and syncs that went well, since the last call of the two above. */
long fault_vfs_operations(void);
long fault_vfs_syncs(void);

/* Holds every sync of this process until it is released. hold_wait returns when one is held. */
void fault_vfs_hold(void);
void fault_vfs_hold_wait(void);
void fault_vfs_release(void);

#endif
