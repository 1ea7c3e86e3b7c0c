#ifndef DRIVER_STORE_H
#define DRIVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "driver/record.h"

/* The store: one SQLite database (WAL, synchronous=FULL), one writer thread, group commit. Records gather in
 * memory while the disk syncs and go into the next transaction. Every record has a sequence number, from 1;
 * "committed up to" comes back through a file descriptor. A commit that fails ends the store: nothing after
 * it is ever reported as committed (fail-stop), and the driver closes with the message. The schema is
 * documented in docs/database.md.
 *
 * Bounds: appending never blocks, so what gathers while the disk is slow, or while another program has the
 * database locked, is held in memory. It is bounded by what the workers send without an acknowledgement: they
 * keep every result until it is committed, and stop reporting when too much of it is unacknowledged. A
 * database that another program has locked is waited for, with a warning each minute; that alone never ends
 * the store.
 */

struct store;

/* Opens or creates the database and upgrades its schema. Takes the lock that keeps a second driver out;
 * `endpoint` is left there for people and `prova stop` ("" at first; store_set_endpoint). ERR_BUSY: another
 * driver has it, with its endpoint in the text; ERR_VERSION: a newer prova made it; ERR_INVALID: it is no
 * database of prova; ERR_IO, ERR_FULL. The texts say what to do. */
int store_open(struct store **store, const char *path, struct err *err);
/* Commits what is there, ends the thread, closes. Returns the error of the last commit, if any. Waits at most
 * 10 s for another program's lock. NULL is a no-op. */
int store_close(struct store *store, struct err *err);
int store_set_endpoint(struct store *store, const char *endpoint, struct err *err);

/* The file, absolute. Lends. */
const char *store_path(const struct store *store);

/* First experiment key that is free; a key is never used twice, even if its experiment is removed. */
int64_t store_next_key(const struct store *store);
/* Is there an experiment of this id, loaded or not, appended or committed? Then *key (if not NULL) is its
 * key. Appending a RECORD_EXPERIMENT of that id under another key would end the store. From the appending
 * thread.
 */
bool store_has_experiment(int64_t *key, const struct store *store, struct id experiment);

/* Adds a record to the filling transaction; copies what it points to (of an experiment's spec only the JSON
 * is used, and made if spec_json is NULL). Returns its sequence number (> 0) or ERR_NOMEM. Any thread but one
 * at a time. O(size), no system call, no lock. After a failure of the store it accepts and drops everything.
 */
int64_t store_append(struct store *store, const struct record *record);
/* Hands what has gathered to the writer: it begins at once if it is idle, else as soon as it is. What is
 * appended between two flushes is in the same transaction, always. From the appending thread. */
void store_flush(struct store *store);
/* Readable whenever the committed number has grown or the store has failed; store_committed clears it. */
int store_event_fd(const struct store *store);
/* Everything up to this number is on disk. */
int64_t store_committed(struct store *store);
/* Flushes and blocks until all that was appended is on disk. Returns the failure of the store, if any. */
int store_sync(struct store *store, struct err *err);
/* 0, or why the store has failed. */
int store_failure(const struct store *store, struct err *err);

/* Rebuilds: calls `experiment` and then `trial` for each of its trials, in order of number. Only experiments
 * in state RUNNING, or the one given (any state; ERR_NOT_FOUND) if `only` is not none. The callbacks take the
 * spec; the records are lent. A trial's `curve` is never NULL: of a final trial as it was kept with it; of
 * another one its finite reports of the objective, of the attempts from first_attempt on, as far as their
 * steps grow. record->curve is set for final trials only.
 *
 * On a connection of its own: at any time, from the appending thread, after a store_sync (so it blocks for as
 * long as that and reading take: about 4 us a trial and 10 ns a point of its curve). */
struct store_loader {
    int (*experiment)(void *arg, const struct experiment_record *record, struct spec *spec, struct err *err);
    int (*trial)(void *arg, const struct trial_record *record, const struct curve *curve, struct err *err);
    void *arg;
};
int store_load(struct store *store, struct id only, const struct store_loader *loader, struct err *err);

/* The live driver of a database, as it says itself in the lock file. Needs no struct store. */
#define STORE_ENDPOINT_SIZE 256
struct store_driver {
    long pid;
    char endpoint[STORE_ENDPOINT_SIZE]; /* "": not said (yet) */
};
/* 0, or ERR_NOT_FOUND: no driver has it open. */
int store_find_driver(struct store_driver *driver, const char *path);
/* That file, absolute, which changes when another driver has the database or says where it is; there is none
 * while nobody has. The caller frees it. NULL: there is no such database, or no memory. */
char *store_driver_file(const char *path);

#endif
