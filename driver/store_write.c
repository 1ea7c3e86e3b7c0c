/* Rows from records.
 *
 * Invariants: a batch is one transaction; within it the last RECORD_TRIAL of a trial is the only one that is
 * written; a report that is there already stays as it is (a worker sends again what was not acknowledged).
 * Parameters become JSON here and not in store_append, off the driver's loop; the spaces for that come from
 * the stored sweeps, so that nobody has to keep a spec alive for the store. */
#include "driver/store_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "driver/store_codec.h"
#include "driver/store_names.h"

/* Reports go out by as many rows a statement: 30 % less CPU than one by one; more gave nothing. */
#define GROUP          8
#define REPORT_COLUMNS 7

/* Pages in the WAL that start a checkpoint (16 MB). 1,000 cost 5 % of the throughput of small transactions,
 * and 16,000 gave nothing more. */
#define CHECKPOINT_PAGES 4000

enum statement {
    BEGIN_WRITE,
    COMMIT,
    PUT_EXPERIMENT,
    SET_EXPERIMENT_STATE,
    PUT_TRIAL,
    PUT_ATTEMPT,
    PUT_REPORT,
    PUT_REPORTS,
    PUT_EVENT,
    N_STATEMENTS
};

#define ROW       "(?, ?, ?, ?, ?, ?, ?)"
#define ROWS_OF_4 ROW ", " ROW ", " ROW ", " ROW
#define REPORTS                                                                                              \
    "INSERT OR IGNORE INTO reports (experiment, trial, attempt, step, metric, value, time_ms) VALUES "

static const char *const sql[N_STATEMENTS] = {
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [PUT_EXPERIMENT] =
        "INSERT INTO experiments (key, id, name, state, text, metric, goal, created_ms, ended_ms, "
        "elapsed_ms, "
        "file, directory, command_line, git_revision, spec_json, source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
        "id = excluded.id, name = excluded.name, state = excluded.state, text = excluded.text, "
        "metric = excluded.metric, goal = excluded.goal, created_ms = excluded.created_ms, "
        "ended_ms = excluded.ended_ms, elapsed_ms = excluded.elapsed_ms, file = excluded.file, "
        "directory = excluded.directory, command_line = excluded.command_line, "
        "git_revision = excluded.git_revision, spec_json = excluded.spec_json, source = excluded.source",
    [SET_EXPERIMENT_STATE] =
        "UPDATE experiments SET state = ?2, text = ?3, ended_ms = ?4, elapsed_ms = ?5 WHERE key = ?1",
    [PUT_TRIAL] =
        "INSERT OR REPLACE INTO trials (id, experiment, number, state, attempt, n_lost, worker, budget, "
        "value, n_reports, created_ms, started_ms, ended_ms, text, log, params, curve, first_attempt, "
        "origin, origin_units) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), nullif(?, 0))",
    [PUT_ATTEMPT] =
        "INSERT OR REPLACE INTO attempts (experiment, trial, attempt, worker, outcome, started_ms, "
        "ended_ms, text, log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [PUT_REPORT] = REPORTS ROW,
    [PUT_REPORTS] = REPORTS ROWS_OF_4 ", " ROWS_OF_4,
    [PUT_EVENT] = "INSERT INTO events (experiment, trial, time_ms, kind, text) VALUES (?, ?, ?, ?, ?)",
};

struct report_row {
    int64_t experiment, trial, attempt, step, metric;
    double value;
    int64_t time_ms;
};

struct writer {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct names *names;
    struct report_row rows[GROUP]; /* that wait for the group to be full */
    size_t n_rows;
    struct batch_table table;
    struct text params;
    struct codec_buffer curve;
    int64_t *metric_map; /* of one record: its metric index -> ours; -1: not looked up yet */
    size_t metric_map_capacity;
    int wal_pages, checkpoint_at;
    const atomic_bool *is_closing;
    int64_t busy_since_ms, warned_ms; /* somebody else's lock; 0: nobody has one */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* Locks of other programs */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SQLite's busy handler: it has no other way than trying again. Waits as long as it takes while the driver
 * runs, since nothing is lost by it; 10 s once it wants to close. */
static int wait_for_lock(void *arg, int n_tries)
{
    struct writer *writer = arg;
    int64_t now_ms = monotonic_ms();
    if (!n_tries)
        writer->busy_since_ms = writer->warned_ms = now_ms;
    int64_t waited_ms = now_ms - writer->busy_since_ms;
    if (waited_ms >= 10000 && atomic_load(writer->is_closing))
        return 0;
    bool is_first = writer->warned_ms == writer->busy_since_ms;
    if (now_ms - writer->warned_ms >= (is_first ? 1000 : 60000)) {
        writer->warned_ms = now_ms;
        log_warn("database is locked by another program, results wait in memory until it lets go "
                 "database=%s waited_s=%lld",
                 sqlite3_db_filename(writer->db, "main"), (long long)(waited_ms / 1000));
    }
    struct timespec pause = {.tv_nsec = n_tries < 10 ? 1000000 : 20000000};
    (void)nanosleep(&pause, NULL); /* waking early only means trying early */
    return 1;
}

static int note_wal(void *arg, sqlite3 *db, const char *name, int n_pages)
{
    (void)db, (void)name;
    struct writer *writer = arg;
    writer->wal_pages = n_pages;
    return SQLITE_OK;
}

void writer_checkpoint(struct writer *writer)
{
    if (writer->wal_pages < CHECKPOINT_PAGES)
        writer->checkpoint_at = CHECKPOINT_PAGES; /* it began anew */
    if (writer->wal_pages < writer->checkpoint_at)
        return;
    int n_wal = 0, n_done = 0;
    int rc = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_wal, &n_done);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) /* nothing is lost: all of it is in the WAL */
        log_warn("checkpoint failed, the write-ahead log grows database=%s error=\"%s\"",
                 sqlite3_db_filename(writer->db, "main"), sqlite3_errmsg(writer->db));
    /* A reader that stays in an old snapshot keeps the WAL from starting anew: no new try for every commit.
     */
    writer->checkpoint_at = writer->wal_pages + CHECKPOINT_PAGES;
}

/* Records */

static int write_experiment(struct writer *writer, const struct experiment_record *record, struct err *err)
{
    const struct spec *spec = NULL;
    int rc = names_spec(&spec, writer->names, record->key, record->spec_json, err);
    if (rc)
        return rc;
    char id[ID_TEXT_SIZE];
    const struct metric *metric = &spec->metric;
    sqlite3_stmt *put = writer->statements[PUT_EXPERIMENT];
    (void)sqlite3_bind_int64(put, 1, record->key);
    db_bind_text(put, 2, id_format(record->id, id));
    db_bind_text(put, 3, record->name);
    (void)sqlite3_bind_int64(put, 4, record->state);
    db_bind_text(put, 5, record->text);
    db_bind_text(put, 6, metric->name);
    db_bind_text(put, 7, metric->goal == GOAL_MAXIMIZE ? "maximize" : "minimize");
    (void)sqlite3_bind_int64(put, 8, record->created_ms);
    db_bind_time(put, 9, record->ended_ms);
    (void)sqlite3_bind_int64(put, 10, record->elapsed_ms);
    db_bind_text(put, 11, record->file);
    db_bind_text(put, 12, record->directory);
    db_bind_text(put, 13, record->command_line);
    db_bind_text(put, 14, record->git_revision);
    db_bind_text(put, 15, record->spec_json);
    db_bind_text(put, 16, record->source);
    return db_run(put, err);
}

static int write_experiment_state(struct writer *writer, const struct experiment_record *record,
                                  struct err *err)
{
    sqlite3_stmt *set = writer->statements[SET_EXPERIMENT_STATE];
    (void)sqlite3_bind_int64(set, 1, record->key);
    (void)sqlite3_bind_int64(set, 2, record->state);
    db_bind_text(set, 3, record->text);
    db_bind_time(set, 4, record->ended_ms);
    (void)sqlite3_bind_int64(set, 5, record->elapsed_ms);
    return db_run(set, err);
}

static int bind_worker(struct writer *writer, sqlite3_stmt *statement, int index, struct id id,
                       const char *host, struct err *err)
{
    int64_t key = 0;
    int rc = id_is_none(id) ? 0 : names_worker(&key, writer->names, id, host, err);
    if (!rc && key)
        (void)sqlite3_bind_int64(statement, index, key); /* cannot fail: the index is one */
    else if (!rc)
        (void)sqlite3_bind_null(statement, index);
    return rc;
}

static int bind_params(struct writer *writer, sqlite3_stmt *put, int index, const struct trial_record *record,
                       struct err *err)
{
    const struct spec *spec = NULL;
    int rc = names_spec(&spec, writer->names, record->key, NULL, err);
    if (rc)
        return rc;
    const struct space *space = spec->space;
    if (record->n_params != space->n_params)
        return err_set(err, ERR_INVALID, "trial %llu has %zu parameters, its sweep %zu",
                       (unsigned long long)record->trial, record->n_params, space->n_params);
    text_clear(&writer->params);
    space_write_json(&writer->params, space, record->point);
    if (writer->params.failed)
        return no_memory(err);
    (void)sqlite3_bind_text(put, index, text_get(&writer->params), (int)writer->params.size, SQLITE_STATIC);
    return 0;
}

static int bind_curve(struct writer *writer, sqlite3_stmt *put, int index, const struct curve *curve,
                      struct err *err)
{
    if (!curve || !curve->n) {
        (void)sqlite3_bind_null(put, index);
        return 0;
    }
    if (curve_encode(&writer->curve, curve))
        return no_memory(err);
    if (sqlite3_bind_blob64(put, index, writer->curve.data, writer->curve.size, SQLITE_STATIC) != SQLITE_OK)
        return db_error(err, writer->db, "save to");
    return 0;
}

static int write_trial(struct writer *writer, const struct trial_record *record, struct err *err)
{
    if (!record->trial || record->trial > DB_MAX_TRIAL)
        return err_set(err, ERR_INVALID, "trial number %llu is not between 1 and %lu",
                       (unsigned long long)record->trial, (unsigned long)DB_MAX_TRIAL);
    sqlite3_stmt *put = writer->statements[PUT_TRIAL];
    (void)sqlite3_bind_int64(put, 1, db_trial_id(record->key, record->trial));
    (void)sqlite3_bind_int64(put, 2, record->key);
    (void)sqlite3_bind_int64(put, 3, (int64_t)record->trial);
    (void)sqlite3_bind_int64(put, 4, record->state);
    (void)sqlite3_bind_int64(put, 5, (int64_t)record->attempt);
    (void)sqlite3_bind_int64(put, 6, (int64_t)record->n_lost);
    (void)sqlite3_bind_int64(put, 8, record->budget);
    (void)sqlite3_bind_double(put, 9, record->value); /* NaN becomes NULL */
    (void)sqlite3_bind_int64(put, 10, (int64_t)record->n_reports);
    db_bind_time(put, 11, record->created_ms);
    db_bind_time(put, 12, record->started_ms);
    db_bind_time(put, 13, record->ended_ms);
    db_bind_text(put, 14, record->text);
    db_bind_text(put, 15, record->log);
    (void)sqlite3_bind_int64(put, 18, (int64_t)record->first_attempt);
    (void)sqlite3_bind_int64(put, 19, (int64_t)record->origin);
    (void)sqlite3_bind_int64(put, 20, record->origin_units);
    int rc = bind_worker(writer, put, 7, record->worker, NULL, err);
    if (!rc)
        rc = bind_params(writer, put, 16, record, err);
    if (!rc)
        rc = bind_curve(writer, put, 17, record->curve, err);
    return rc ? rc : db_run(put, err);
}

static int write_attempt(struct writer *writer, const struct attempt_record *record, struct err *err)
{
    sqlite3_stmt *put = writer->statements[PUT_ATTEMPT];
    (void)sqlite3_bind_int64(put, 1, record->key);
    (void)sqlite3_bind_int64(put, 2, (int64_t)record->trial);
    (void)sqlite3_bind_int64(put, 3, (int64_t)record->attempt);
    (void)sqlite3_bind_int64(put, 5, record->outcome);
    db_bind_time(put, 6, record->started_ms);
    db_bind_time(put, 7, record->ended_ms);
    db_bind_text(put, 8, record->text);
    db_bind_text(put, 9, record->log);
    int rc = bind_worker(writer, put, 4, record->worker, record->host, err);
    return rc ? rc : db_run(put, err);
}

static int write_event(struct writer *writer, const struct event_record *record, struct err *err)
{
    sqlite3_stmt *put = writer->statements[PUT_EVENT];
    (void)sqlite3_bind_int64(put, 1, record->key);
    (void)sqlite3_bind_int64(put, 2, (int64_t)record->trial);
    (void)sqlite3_bind_int64(put, 3, record->time_ms);
    db_bind_text(put, 4, record->kind);
    db_bind_text(put, 5, record->text);
    return db_run(put, err);
}

/* Reports */

static void bind_row(sqlite3_stmt *put, size_t place, const struct report_row *row)
{
    int first = (int)place * REPORT_COLUMNS;
    (void)sqlite3_bind_int64(put, first + 1,
                             row->experiment); /* cannot fail: numbers at indices of its own */
    (void)sqlite3_bind_int64(put, first + 2, row->trial);
    (void)sqlite3_bind_int64(put, first + 3, row->attempt);
    (void)sqlite3_bind_int64(put, first + 4, row->step);
    (void)sqlite3_bind_int64(put, first + 5, row->metric);
    (void)sqlite3_bind_double(put, first + 6, row->value);
    (void)sqlite3_bind_int64(put, first + 7, row->time_ms);
}

static int flush_rows(struct writer *writer, struct err *err)
{
    int rc = 0;
    size_t n = writer->n_rows;
    writer->n_rows = 0;
    if (n == GROUP) {
        for (size_t i = 0; i < GROUP; i++)
            bind_row(writer->statements[PUT_REPORTS], i, &writer->rows[i]);
        return db_run(writer->statements[PUT_REPORTS], err);
    }
    for (size_t i = 0; !rc && i < n; i++) {
        bind_row(writer->statements[PUT_REPORT], 0, &writer->rows[i]);
        rc = db_run(writer->statements[PUT_REPORT], err);
    }
    return rc;
}

static int clear_metric_map(struct writer *writer, size_t n, struct err *err)
{
    if (n > writer->metric_map_capacity) {
        int64_t *map = realloc(writer->metric_map, n * sizeof *map);
        if (!map)
            return no_memory(err);
        writer->metric_map = map;
        writer->metric_map_capacity = n;
    }
    for (size_t i = 0; i < n; i++)
        writer->metric_map[i] = -1;
    return 0;
}

/* Our number of a metric that the record calls `index` (> 0). */
static int map_metric(int64_t *number, struct writer *writer, const struct reports_record *record,
                      uint32_t index, struct err *err)
{
    int64_t *mapped = &writer->metric_map[index - 1];
    const struct wire_str *name = &record->names.list[index - 1];
    int rc = *mapped < 0 ? names_metric(mapped, writer->names, record->key, name->data, name->size, err) : 0;
    *number = *mapped;
    return rc;
}

static int write_reports(struct writer *writer, const struct reports_record *record, struct err *err)
{
    int rc = clear_metric_map(writer, record->names.n, err);
    for (size_t i = 0; !rc && i < record->reports.n; i++) {
        const struct report *report = &record->reports.list[i];
        int64_t metric = 0;
        if (report->metric > record->names.n) {
            log_warn("report of a metric without a name is dropped trial=%llu metric=%u",
                     (unsigned long long)record->trial, report->metric);
            continue;
        }
        if (report->metric)
            rc = map_metric(&metric, writer, record, report->metric, err);
        writer->rows[writer->n_rows++] =
            (struct report_row){record->key, (int64_t)record->trial, (int64_t)record->attempt, report->step,
                                metric,      report->value,          record->time_ms};
        if (!rc && writer->n_rows == GROUP)
            rc = flush_rows(writer, err);
    }
    return rc;
}

/* Transactions */

static int write_record(struct writer *writer, const struct record *record, struct err *err)
{
    switch (record->kind) {
    case RECORD_EXPERIMENT:
        return write_experiment(writer, &record->experiment, err);
    case RECORD_EXPERIMENT_STATE:
        return write_experiment_state(writer, &record->experiment, err);
    case RECORD_TRIAL:
        return write_trial(writer, &record->trial, err);
    case RECORD_ATTEMPT:
        return write_attempt(writer, &record->attempt, err);
    case RECORD_REPORTS:
        return write_reports(writer, &record->reports, err);
    case RECORD_EVENT:
        return write_event(writer, &record->event, err);
    }
    return err_set(err, ERR_INVALID, "record of unknown kind %d", record->kind);
}

int writer_commit(struct writer *writer, struct batch *batch, struct err *err)
{
    batch_supersede(batch, &writer->table);
    writer->n_rows = 0;
    int rc = db_run(writer->statements[BEGIN_WRITE], err);
    if (rc)
        return rc;
    for (const struct entry *entry = batch->first; !rc && entry; entry = entry->next)
        if (!entry->is_superseded)
            rc = write_record(writer, &entry->record, err);
    if (!rc)
        rc = flush_rows(writer, err);
    if (!rc)
        rc = db_run(writer->statements[COMMIT], err);
    if (rc && !sqlite3_get_autocommit(writer->db))
        (void)db_exec(writer->db, "ROLLBACK", NULL); /* the first error is the one to tell */
    return rc;
}

int writer_create(struct writer **out, sqlite3 *db, const atomic_bool *is_closing, struct err *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        db_close(db);
        return no_memory(err);
    }
    writer->db = db;
    writer->is_closing = is_closing;
    writer->checkpoint_at = CHECKPOINT_PAGES;
    int rc = 0;
    for (size_t i = 0; !rc && i < N_STATEMENTS; i++)
        rc = db_prepare(&writer->statements[i], db, sql[i], true, err);
    if (!rc)
        rc = names_create(&writer->names, db, err);
    if (!rc && sqlite3_busy_handler(db, wait_for_lock, writer) != SQLITE_OK)
        rc = db_error(err, db, "use");
    (void)sqlite3_wal_hook(db, note_wal,
                           writer); /* returns the former hook; replaces the automatic checkpoint */
    if (rc)
        writer_destroy(writer);
    else
        *out = writer;
    return rc;
}

void writer_destroy(struct writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < N_STATEMENTS; i++)
        (void)sqlite3_finalize(writer->statements[i]); /* repeats the error of its last step */
    names_destroy(writer->names);
    db_close(writer->db);
    batch_table_fini(&writer->table);
    text_fini(&writer->params);
    codec_buffer_fini(&writer->curve);
    free(writer->metric_map);
    free(writer);
}
