#ifndef DRIVER_STORE_WRITE_H
#define DRIVER_STORE_WRITE_H

#include <stdatomic.h>

#include "driver/store_batch.h"
#include "driver/store_db.h"

/* Writes batches of records, one transaction each. For one thread. */

struct writer;

/* Prepares every statement on a connection with an up-to-date schema; takes it, also on failure. `is_closing`
 * ends the patience with other programs' locks. */
int writer_create(struct writer **writer, sqlite3 *db, const atomic_bool *is_closing, struct err *err);
void writer_destroy(struct writer *writer);

/* One transaction with all of the batch, on disk when it returns 0. On failure nothing of it is. Marks
 * superseded entries. */
int writer_commit(struct writer *writer, struct batch *batch, struct err *err);
/* Moves the WAL's pages into the database when enough have gathered. Apart from writer_commit, so that what
 * is committed can be told before. */
void writer_checkpoint(struct writer *writer);

#endif
