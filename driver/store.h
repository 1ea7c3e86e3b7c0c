#ifndef DRIVER_STORE_H
#define DRIVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "driver/record.h"

/* The store: one SQLite database (WAL, synchronous=FULL), one writer thread, group commit. Records gather in
 * memory while the disk syncs and go into the next transaction. Every record has a sequence number, from 1;
 * "committed up to" comes back through a file descriptor. A commit that fails ends the store: nothing after
 * it is ever reported as committed (fail-stop), and the driver closes with the message. */

struct store;

/* Opens or creates the database and upgrades its schema. Takes the lock that keeps a second driver out;
 * `endpoint` is left there for people and `prova stop` ("" at first; store_set_endpoint). ERR_BUSY: another
 * driver has it, with its endpoint in the text; ERR_VERSION: a newer prova made it; ERR_IO, ERR_FULL. */
int store_open(struct store **store, const char *path, struct err *err);
/* Commits what is there, ends the thread, closes. Returns the error of the last commit, if any. */
int store_close(struct store *store, struct err *err);
int store_set_endpoint(struct store *store, const char *endpoint, struct err *err);

/* First experiment key that is free. */
int64_t store_next_key(const struct store *store);

/* Adds a record to the next transaction; copies what it points to (a spec and its space must outlive the
 * store). Returns its sequence number (> 0) or ERR_NOMEM. Any thread but one at a time. O(size). */
int64_t store_append(struct store *store, const struct record *record);
/* Hands what has gathered to the writer, if it is idle; else it goes with the next transaction. */
void store_flush(struct store *store);
/* Readable whenever the committed number has grown or the store has failed; store_committed clears it. */
int store_event_fd(const struct store *store);
/* Everything up to this number is on disk. */
int64_t store_committed(struct store *store);
/* 0, or why the store has failed. */
int store_failure(const struct store *store, struct err *err);

/* Rebuilds: calls `experiment` and then `trial` for each of its trials, in order of number. Only experiments
 * in state RUNNING, or the one given (any state) if `only` is not none. The callbacks take the spec. Uses the
 * writer's own connection, before anything was appended. */
struct store_loader {
    int (*experiment)(void *arg, const struct experiment_record *record, struct spec *spec, struct err *err);
    int (*trial)(void *arg, const struct trial_record *record, const struct curve *curve, struct err *err);
    void *arg;
};
int store_load(struct store *store, struct id only, const struct store_loader *loader, struct err *err);

#endif
