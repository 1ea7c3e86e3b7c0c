/* Connections to the database and what goes wrong with them. */
#include "driver/store_db.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "driver/store_schema.h"

#define BUSY_MS 10000

static const char *file_name(sqlite3 *db)
{
    const char *name = db ? sqlite3_db_filename(db, "main") : NULL;
    return name && *name ? name : "the database";
}

static int io_error(struct err *err, sqlite3 *db, const char *doing)
{
    int number = sqlite3_system_errno(db);
    if (number == ENOSPC || number == EDQUOT)
        return err_set(err, ERR_FULL,
                       "cannot %s '%.100s': %s; free some space, then go on with 'prova resume'", doing,
                       file_name(db), strerror(number));
    return err_set(err, ERR_IO, "cannot %s '%.100s': %s (%s); check the disk, then go on with 'prova resume'",
                   doing, file_name(db), sqlite3_errmsg(db), number ? strerror(number) : "no system error");
}

int db_error(struct err *err, sqlite3 *db, const char *doing)
{
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
        return err_set(
            err, ERR_FULL,
            "cannot %s '%.100s': the disk is full; free some space, then go on with 'prova resume'", doing,
            file_name(db));
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, ERR_IO,
                       "cannot %s '%.100s': it is read-only; make the file and its folder writable, or give "
                       "another database with --db",
                       doing, file_name(db));
    case SQLITE_CANTOPEN:
        return err_set(
            err, ERR_IO,
            "cannot %s '%.100s': its files (it, -wal or -shm) cannot be opened; look at the rights "
            "of the folder",
            doing, file_name(db));
    case SQLITE_NOTADB:
        return err_set(err, ERR_INVALID, "'%.120s' is not a database; give another file with --db",
                       file_name(db));
    case SQLITE_CORRUPT:
        return err_set(err, ERR_IO,
                       "'%.100s' is damaged (%.50s): restore a copy, or save what is left with 'sqlite3 FILE "
                       ".recover'",
                       file_name(db), sqlite3_errmsg(db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_BUSY,
                       "cannot %s '%.100s': another program has it locked; end its transaction (an open "
                       "sqlite3 shell?)",
                       doing, file_name(db));
    case SQLITE_NOMEM:
        return err_set(err, ERR_NOMEM, "out of memory");
    case SQLITE_IOERR:
        return io_error(err, db, doing);
    default:
        return err_set(err, ERR_IO, "cannot %s '%.100s': %s", doing, file_name(db), sqlite3_errmsg(db));
    }
}

/* Why a file cannot even be opened, which SQLite does not say. */
static int open_error(struct err *err, sqlite3 *db, const char *path)
{
    struct stat status;
    char *copy = strdup(path);
    const char *folder = copy ? dirname(copy) : ".";
    int rc = 0;
    if (stat(folder, &status) || !S_ISDIR(status.st_mode))
        rc = err_set(err, ERR_IO,
                     "cannot open '%.100s': there is no folder '%.100s'; make it, or give another "
                     "database with --db",
                     path, folder);
    else if (!stat(path, &status) && S_ISDIR(status.st_mode))
        rc = err_set(err, ERR_IO, "cannot open '%.100s': it is a folder; give a file with --db", path);
    else if (sqlite3_system_errno(db))
        rc = err_set(err, ERR_IO,
                     "cannot open '%.80s': %s; make the file and its folder readable and writable, or give "
                     "another database with --db",
                     path, strerror(sqlite3_system_errno(db)));
    else
        rc = db_error(err, db, "open");
    free(copy);
    return rc;
}

/* A URI of the file, with the characters escaped that would end its path. */
static void write_uri(struct text *uri, const char *path, bool is_immutable)
{
    text_append(uri, "file:");
    for (const char *c = path; *c; c++)
        if (*c == '%' || *c == '?' || *c == '#')
            text_printf(uri, "%%%02X", (unsigned)*c);
        else
            text_append_bytes(uri, c, 1);
    text_append(uri, is_immutable ? "?mode=ro&immutable=1" : "?mode=ro");
}

/* Opens a database for reading, and reads: only then SQLite sees whether it can. */
static int open_reader(sqlite3 **db, const char *path, bool is_immutable)
{
    struct text uri = {0};
    write_uri(&uri, path, is_immutable);
    int rc = SQLITE_NOMEM;
    if (!uri.failed)
        rc = sqlite3_open_v2(text_get(&uri), db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                             NULL);
    text_fini(&uri);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*db, BUSY_MS);
    return rc == SQLITE_OK ? sqlite3_exec(*db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) : rc;
}

static int open_read(sqlite3 **db, const char *path, struct err *err)
{
    int rc = open_reader(db, path, false);
    int code = rc & 0xff;
    if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) {
        /* Reading a WAL database makes its -shm file. Where that cannot be made nobody can write either, and
         * the file is complete unless there is a WAL beside it. */
        struct stat status;
        char *wal = NULL;
        bool has_wal = asprintf(&wal, "%s-wal", path) < 0 || (!stat(wal, &status) && status.st_size > 0);
        free(wal);
        if (!has_wal) {
            db_close(*db);
            *db = NULL;
            rc = open_reader(db, path, true);
        }
    }
    if (rc == SQLITE_OK)
        return 0;
    bool never_opened = (rc & 0xff) == SQLITE_CANTOPEN || sqlite3_system_errno(*db) == EISDIR;
    return never_opened ? open_error(err, *db, path) : db_error(err, *db, "read");
}

static int open_write(sqlite3 **db, const char *path, enum db_mode mode, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == DB_CREATE ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, db, flags, NULL) != SQLITE_OK)
        return open_error(err, *db, path);
    if (sqlite3_db_readonly(*db, "main") == 1)
        return err_set(err, ERR_IO,
                       "'%.120s' is read-only: make it writable, or give another database with --db", path);
    return sqlite3_busy_timeout(*db, BUSY_MS) == SQLITE_OK ? 0 : db_error(err, *db, "open");
}

int db_open(sqlite3 **out, const char *path, enum db_mode mode, struct err *err)
{
    sqlite3 *db = NULL;
    if (!*path || !strcmp(path, ":memory:"))
        return err_set(err, ERR_INVALID, "'%s' is no name of a database file", path);
    if (mode != DB_CREATE && access(path, F_OK) && errno == ENOENT)
        return err_set(
            err, ERR_NOT_FOUND,
            "there is no database '%.120s': start an experiment with 'prova run', or give another file "
            "with --db",
            path);
    int rc = mode == DB_READ ? open_read(&db, path, err) : open_write(&db, path, mode, err);
    if (!rc && mode != DB_CREATE)
        rc = schema_check(db, err);
    if (rc)
        db_close(db);
    else
        *out = db;
    return rc;
}

void db_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(db); /* only says whether statements are left, which it then waits for */
}

int db_exec(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(err, db, "use");
}

int db_prepare(sqlite3_stmt **statement, sqlite3 *db, const char *sql, bool is_kept, struct err *err)
{
    unsigned flags = is_kept ? SQLITE_PREPARE_PERSISTENT : 0;
    return sqlite3_prepare_v3(db, sql, -1, flags, statement, NULL) == SQLITE_OK ? 0
                                                                                : db_error(err, db, "read");
}

int db_run(sqlite3_stmt *statement, struct err *err)
{
    int rc = sqlite3_step(statement);
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_DONE)
        rc = sqlite3_reset(statement);
    if (rc == SQLITE_OK)
        return 0;
    rc = db_error(err, sqlite3_db_handle(statement), "save to");
    (void)sqlite3_reset(statement); /* repeats the error */
    return rc;
}

int db_next(sqlite3_stmt *statement, struct err *err)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK)
        return 0;
    rc = db_error(err, sqlite3_db_handle(statement), "read");
    (void)sqlite3_reset(statement); /* repeats the error */
    return rc;
}

/* A binding of what is not copied can only fail for an index that is none. */
void db_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text ? text : "", -1, SQLITE_STATIC);
}

void db_bind_time(sqlite3_stmt *statement, int index, int64_t time_ms)
{
    if (time_ms)
        (void)sqlite3_bind_int64(statement, index, time_ms);
    else
        (void)sqlite3_bind_null(statement, index);
}

const char *db_text(sqlite3_stmt *statement, int column)
{
    const void *text = sqlite3_column_text(statement, column);
    return text ? text : "";
}

int db_check_row(sqlite3_stmt *statement, struct err *err)
{
    int code = sqlite3_errcode(sqlite3_db_handle(statement));
    return code == SQLITE_NOMEM ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

double db_double(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? (double)NAN
                                                                 : sqlite3_column_double(statement, column);
}

int64_t db_trial_id(int64_t experiment_key, uint64_t trial)
{
    return (int64_t)((uint64_t)experiment_key << 32 | trial);
}
