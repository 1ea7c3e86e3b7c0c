#ifndef DRIVER_STORE_DB_H
#define DRIVER_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* SQLite, as all of driver/store* uses it: connections, statements, and its errors in words that say what to
 * do. */

enum db_mode {
    DB_READ,  /* works beside a driver that writes, and on read-only media */
    DB_WRITE, /* of a database that is there */
    DB_CREATE /* or not yet */
};

/* One connection, not for two threads at a time. Waits up to 10 s for a lock of somebody else. ERR_NOT_FOUND
 * (DB_READ, DB_WRITE); ERR_INVALID: not a database, or not one of prova; ERR_VERSION; ERR_IO; ERR_BUSY. With
 * DB_CREATE the schema is not looked at yet (schema_upgrade). */
int db_open(sqlite3 **db, const char *path, enum db_mode mode, struct err *err);
void db_close(sqlite3 *db);

/* The code and text for what the connection's last call has failed with. `doing`: "save to". */
int db_error(struct err *err, sqlite3 *db, const char *doing);
int db_exec(sqlite3 *db, const char *sql, struct err *err);
/* `is_kept`: it will be used many times. */
int db_prepare(sqlite3_stmt **statement, sqlite3 *db, const char *sql, bool is_kept, struct err *err);
/* Runs a statement to its end (its rows, if any, are dropped) and resets it. */
int db_run(sqlite3_stmt *statement, struct err *err);
/* 1: there is a row; 0: there is none (and the statement is reset); else a code. */
int db_next(sqlite3_stmt *statement, struct err *err);

/* Bindings borrow until the statement is reset. NULL is "". */
void db_bind_text(sqlite3_stmt *statement, int index, const char *text);
/* 0 becomes NULL: what has not happened yet has no time. */
void db_bind_time(sqlite3_stmt *statement, int index, int64_t time_ms);
/* "" for NULL, and if there is no memory for it: db_check_row, before anything depends on it. Lends until the
 * statement is stepped. */
const char *db_text(sqlite3_stmt *statement, int column);
/* After the texts of a row were read: 0 or ERR_NOMEM. */
int db_check_row(sqlite3_stmt *statement, struct err *err);
/* NaN for NULL. */
double db_double(sqlite3_stmt *statement, int column);

/* rowid of a trial: its experiment's key above, its number in the lower 32 bits. */
#define DB_MAX_TRIAL UINT32_MAX
int64_t db_trial_id(int64_t experiment_key, uint64_t trial);

#endif
