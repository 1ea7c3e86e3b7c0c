/* The parts that documents are written with: sink, statements, JSON members, trials. */
#include "driver/store_document.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/spec.h"
#include "core/trial.h"
#include "driver/store_codec.h"

#define PIECE ((size_t)64 << 10) /* bytes that are gathered before the sink gets them */

static int write_file(void *arg, const char *data, size_t size)
{
    return fwrite(data, 1, size, arg) == size ? 0 : ERR_IO;
}

static int write_text(void *arg, const char *data, size_t size)
{
    struct text *text = arg;
    text_append_bytes(text, data, size);
    return text->failed;
}

struct query_sink query_to_file(FILE *file)
{
    return (struct query_sink){.write = write_file, .arg = file};
}

struct query_sink query_to_text(struct text *text)
{
    return (struct query_sink){.write = write_text, .arg = text};
}

/* A document on its way */

int document_begin(struct document *document, struct query *query, const char *experiment, bool is_about_all,
                   struct query_sink sink, struct err *err)
{
    *document = (struct document){.query = query, .sink = sink, .err = err};
    document->has_driver = !store_find_driver(&document->driver, query->path);
    if (!sqlite3_get_autocommit(query->db)) /* the end of the last one had no memory */
        (void)db_exec(query->db, "ROLLBACK", NULL);
    document->failed = db_exec(query->db, "BEGIN", err);
    if (!document->failed && !is_about_all)
        document->failed = query_find(&document->experiment, query, experiment, err);
    document->is_live = document->has_driver && document->experiment.state == EXPERIMENT_RUNNING;
    return document->failed;
}

static void give_out(struct document *document, size_t size)
{
    if (document->failed || !size)
        return;
    errno = 0;
    int rc = document->sink.write(document->sink.arg, document->text.data, size);
    if (rc)
        document->failed = err_set(document->err, rc, "cannot write the output: %s",
                                   errno ? strerror(errno) : err_string(rc));
}

/* The last character stays here: it says whether a comma comes next (separate). */
void document_flush(struct document *document)
{
    struct text *text = &document->text;
    if (!document->failed && text->failed)
        document->failed = err_set(document->err, ERR_NOMEM, "out of memory");
    if (text->size < PIECE)
        return;
    give_out(document, text->size - 1);
    char last = text->data[text->size - 1];
    text_clear(text);
    text_append_bytes(text, &last, 1);
}

int document_end(struct document *document)
{
    document_flush(document);
    give_out(document, document->text.size);
    (void)db_exec(document->query->db, "COMMIT", NULL); /* of a read transaction, if one was begun */
    text_fini(&document->text);
    spec_destroy(document->study);
    return document->failed;
}

sqlite3_stmt *document_prepare(struct document *document, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (document->failed)
        return NULL;
    document->failed = db_prepare(&statement, document->query->db, sql, false, document->err);
    if (document->failed)
        return NULL;
    int64_t key = document->experiment.key;
    int64_t values[] = {key, db_trial_id(key, 0), db_trial_id(key, DB_MAX_TRIAL)};
    for (int i = 0; i < 3 && i < sqlite3_bind_parameter_count(statement); i++)
        (void)sqlite3_bind_int64(statement, i + 1, values[i]); /* cannot fail: the index is one */
    return statement;
}

bool document_next(struct document *document, sqlite3_stmt *statement)
{
    document_flush(document);
    if (document->failed || !statement)
        return false;
    int rc = db_next(statement, document->err);
    if (rc < 0)
        document->failed = rc;
    return rc == 1;
}

/* JSON members */

void separate(struct text *text)
{
    char last = text->size ? text->data[text->size - 1] : '{';
    if (last != '{' && last != '[')
        text_append(text, ", ");
}

void write_key(struct text *text, const char *name)
{
    separate(text);
    text_printf(text, "\"%s\": ", name);
}

void write_string(struct text *text, const char *name, const char *string)
{
    write_key(text, name);
    text_append_json_string(text, string);
}

void write_int(struct text *text, const char *name, int64_t value)
{
    write_key(text, name);
    text_printf(text, "%lld", (long long)value);
}

void write_double(struct text *text, const char *name, double value)
{
    write_key(text, name);
    text_append_json_double(text, value);
}

void write_bool(struct text *text, const char *name, bool value)
{
    write_key(text, name);
    text_append(text, value ? "true" : "false");
}

void write_json(struct text *text, const char *name, const char *json)
{
    write_key(text, name);
    text_append(text, *json ? json : "null");
}

void append_time(struct text *text, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    if (!time_ms || !gmtime_r(&seconds, &tm))
        return;
    text_printf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(time_ms % 1000));
}

void write_time(struct text *text, const char *name, int64_t time_ms)
{
    write_key(text, name);
    if (!time_ms) {
        text_append(text, "null");
        return;
    }
    text_append(text, "\"");
    append_time(text, time_ms);
    text_append(text, "\"");
}

/* Trials */

bool trial_last_step(int64_t *step, sqlite3_stmt *row)
{
    if (sqlite3_column_type(row, T_RUNNING_STEP) != SQLITE_NULL) {
        *step = sqlite3_column_int64(row, T_RUNNING_STEP);
        return true;
    }
    const void *curve = sqlite3_column_blob(row, T_CURVE);
    return curve && curve_last_step(step, curve, (size_t)sqlite3_column_bytes(row, T_CURVE));
}

double trial_seconds(sqlite3_stmt *row)
{
    int64_t started_ms = sqlite3_column_int64(row, T_STARTED), ended_ms = sqlite3_column_int64(row, T_ENDED);
    return started_ms && ended_ms ? (double)(ended_ms - started_ms) / 1000 : (double)NAN;
}

static void write_worker(struct text *text, const char *worker, const char *host)
{
    write_key(text, "worker");
    if (*worker)
        text_append_json_string(text, worker);
    else
        text_append(text, "null");
    write_string(text, "host", host);
}

static void write_origin(struct text *text, sqlite3_stmt *row)
{
    if (sqlite3_column_int64(row, T_ORIGIN)) {
        write_int(text, "origin", sqlite3_column_int64(row, T_ORIGIN));
        write_int(text, "origin_units", sqlite3_column_int64(row, T_ORIGIN_UNITS));
    } else {
        write_json(text, "origin", "");
        write_json(text, "origin_units", "");
    }
}

void write_trial_members(struct document *document, sqlite3_stmt *row)
{
    int64_t step;
    struct text *text = &document->text;
    write_int(text, "trial", sqlite3_column_int64(row, T_NUMBER));
    write_string(text, "state", trial_state_name((enum trial_state)sqlite3_column_int(row, T_STATE)));
    write_double(text, "value", db_double(row, T_VALUE));
    write_json(text, "params", db_text(row, T_PARAMS));
    write_trial_variant(text, document->study, sqlite3_column_int64(row, T_NUMBER));
    if (trial_last_step(&step, row))
        write_int(text, "step", step);
    else
        write_json(text, "step", "");
    write_int(text, "n_reports", sqlite3_column_int64(row, T_N_REPORTS));
    write_int(text, "budget", sqlite3_column_int64(row, T_BUDGET));
    write_int(text, "attempt", sqlite3_column_int64(row, T_ATTEMPT));
    write_int(text, "n_lost", sqlite3_column_int64(row, T_N_LOST));
    write_origin(text, row);
    write_time(text, "created", sqlite3_column_int64(row, T_CREATED));
    write_time(text, "started", sqlite3_column_int64(row, T_STARTED));
    write_time(text, "ended", sqlite3_column_int64(row, T_ENDED));
    write_double(text, "seconds", trial_seconds(row));
    write_worker(text, db_text(row, T_WORKER), db_text(row, T_HOST));
    write_string(text, "text", db_text(row, T_TEXT));
    write_string(text, "log", db_text(row, T_LOG));
}
