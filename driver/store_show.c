/* The JSON documents about experiments, trials and reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/trial.h"
#include "driver/store_document.h"

/* What every document begins with. */
void write_experiment_head(struct document *document)
{
    char id[ID_TEXT_SIZE];
    struct text *text = &document->text;
    write_key(text, "experiment");
    text_append(text, "{");
    write_string(text, "id", id_format(document->experiment.id, id));
    write_string(text, "name", document->experiment.name);
    write_string(text, "state", experiment_state_name(document->experiment.state));
    write_bool(text, "live", document->is_live);
}

void write_experiment_full(struct document *document, bool with_source)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(
        document,
        "SELECT text, metric, goal, created_ms, ended_ms, file, directory, command_line, git_revision, "
        "spec_json, source FROM experiments WHERE key = ?1");
    write_experiment_head(document);
    if (document_next(document, get)) {
        write_string(text, "text", db_text(get, 0));
        write_string(text, "metric", db_text(get, 1));
        write_string(text, "goal", db_text(get, 2));
        write_time(text, "created", sqlite3_column_int64(get, 3));
        write_time(text, "ended", sqlite3_column_int64(get, 4));
        write_string(text, "file", db_text(get, 5));
        write_string(text, "directory", db_text(get, 6));
        write_string(text, "command_line", db_text(get, 7));
        write_string(text, "git_revision", db_text(get, 8));
        write_json(text, "spec", db_text(get, 9));
        if (with_source)
            write_string(text, "source", db_text(get, 10));
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step, as everywhere here */
    text_append(text, "}");
}

/* Counts, times, best */

struct totals {
    int64_t counts[TRIAL_N_STATES], n_trials, n_reports, last_ms;
};

static void read_totals(struct totals *totals, struct document *document)
{
    sqlite3_stmt *get = document_prepare(document, "SELECT state, count(*), sum(n_reports), max(ended_ms), "
                                                   "max(started_ms) FROM trials WHERE id BETWEEN ?2 AND ?3 "
                                                   "GROUP BY state");
    *totals = (struct totals){0};
    while (document_next(document, get)) {
        int state = sqlite3_column_int(get, 0);
        int64_t n = sqlite3_column_int64(get, 1);
        if (state >= 0 && state < TRIAL_N_STATES)
            totals->counts[state] = n;
        totals->n_trials += n;
        totals->n_reports += sqlite3_column_int64(get, 2);
        for (int i = 3; i <= 4; i++)
            if (sqlite3_column_int64(get, i) > totals->last_ms)
                totals->last_ms = sqlite3_column_int64(get, i);
    }
    (void)sqlite3_finalize(get);
}

static void write_counts(struct text *text, const struct totals *totals)
{
    write_key(text, "counts");
    text_append(text, "{");
    for (int i = 0; i < TRIAL_N_STATES; i++)
        write_int(text, trial_state_name((enum trial_state)i), totals->counts[i]);
    text_append(text, "}");
}

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail: the clock exists */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The running time as it was last kept; of an experiment that has not ended once, since it was created: until
 * now, or until the last that was heard of it. */
static double experiment_seconds(const struct document *document, int64_t elapsed_ms, int64_t created_ms,
                                 const struct totals *totals)
{
    if (elapsed_ms || document->experiment.state != EXPERIMENT_RUNNING)
        return (double)elapsed_ms / 1000;
    int64_t until_ms = document->is_live ? wall_ms() : totals->last_ms;
    return until_ms > created_ms ? (double)(until_ms - created_ms) / 1000 : 0;
}

static void write_standing(struct document *document, const struct totals *totals)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(
        document, "SELECT elapsed_ms, created_ms, json_extract(spec_json, '$.limits.trials') "
                  "FROM experiments WHERE key = ?1");
    if (document_next(document, get)) {
        write_double(
            text, "seconds",
            experiment_seconds(document, sqlite3_column_int64(get, 0), sqlite3_column_int64(get, 1), totals));
        write_int(text, "limit", sqlite3_column_int64(get, 2));
    }
    (void)sqlite3_finalize(get);
    write_int(text, "n_trials", totals->n_trials);
    write_int(text, "n_reports", totals->n_reports);
    write_counts(text, totals);
}

/* A statement for the best trial's row. Equal values: the trial with the lower number. */
#define BEST_SQL(columns)                                                                                    \
    "SELECT " columns " FROM " TRIAL_TABLES " WHERE t.id = (SELECT b.id FROM trials b, experiments e "       \
    "WHERE e.key = ?1 AND b.id BETWEEN ?2 AND ?3 AND b.state IN (5, 6) AND b.value IS NOT NULL "             \
    "ORDER BY CASE e.goal WHEN 'maximize' THEN -b.value ELSE b.value END, b.id LIMIT 1)"

static void write_best(struct document *document)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(document, BEST_SQL(TRIAL_COLUMNS));
    write_key(text, "best");
    if (document_next(document, get)) {
        text_append(text, "{");
        write_trial_members(document, get);
        text_append(text, "}");
    } else {
        text_append(text, "null");
    }
    (void)sqlite3_finalize(get);
}

static void write_short_best(struct document *document)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(document, BEST_SQL("t.number, t.value, t.params"));
    write_key(text, "best");
    if (document_next(document, get)) {
        text_append(text, "{");
        write_int(text, "trial", sqlite3_column_int64(get, 0));
        write_double(text, "value", db_double(get, 1));
        write_json(text, "params", db_text(get, 2));
        text_append(text, "}");
    } else {
        text_append(text, "null");
    }
    (void)sqlite3_finalize(get);
}

/* Lists of experiments */

static void write_listed(struct document *document, sqlite3_stmt *row)
{
    struct text *text = &document->text;
    char id[ID_TEXT_SIZE];
    struct totals totals;
    struct query_experiment *experiment = &document->experiment;
    experiment->key = sqlite3_column_int64(row, 0);
    experiment->state = (enum experiment_state)sqlite3_column_int(row, 2);
    document->is_live = document->has_driver && experiment->state == EXPERIMENT_RUNNING;
    read_totals(&totals, document);
    separate(text);
    text_append(text, "{");
    (void)snprintf(id, sizeof id, "%s", db_text(row, 1)); /* an id has its size */
    write_string(text, "id", id);
    write_string(text, "name", db_text(row, 3));
    write_string(text, "state", experiment_state_name(experiment->state));
    write_bool(text, "live", document->is_live);
    write_string(text, "text", db_text(row, 4));
    write_string(text, "metric", db_text(row, 5));
    write_string(text, "goal", db_text(row, 6));
    write_time(text, "created", sqlite3_column_int64(row, 7));
    write_time(text, "ended", sqlite3_column_int64(row, 8));
    write_standing(document, &totals);
    write_short_best(document);
    text_append(text, "}");
}

int query_experiments(struct query *query, struct query_sink sink, struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, NULL, true, sink, err)) {
        sqlite3_stmt *get = document_prepare(
            &document, "SELECT key, id, state, name, text, metric, goal, created_ms, ended_ms "
                       "FROM experiments ORDER BY key DESC");
        text_append(&document.text, "{\"experiments\": [");
        while (document_next(&document, get))
            write_listed(&document, get);
        (void)sqlite3_finalize(get);
        text_append(&document.text, "]}\n");
    }
    return document_end(&document);
}

/* One experiment */

static void write_driver(struct document *document)
{
    struct text *text = &document->text;
    write_key(text, "driver");
    if (!document->has_driver) {
        text_append(text, "null");
        return;
    }
    text_append(text, "{");
    write_int(text, "pid", document->driver.pid);
    write_string(text, "endpoint", document->driver.endpoint);
    text_append(text, "}");
}

static void write_workers(struct document *document)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(
        document, "SELECT w.id, w.host, count(*), sum(t.state IN (1, 2, 4)) FROM trials t JOIN workers w "
                  "ON w.key = t.worker WHERE t.id BETWEEN ?2 AND ?3 GROUP BY w.key ORDER BY w.key");
    write_key(text, "workers");
    text_append(text, "[");
    while (document_next(document, get)) {
        separate(text);
        text_append(text, "{");
        write_string(text, "id", db_text(get, 0));
        write_string(text, "host", db_text(get, 1));
        write_int(text, "n_trials", sqlite3_column_int64(get, 2));
        write_int(text, "n_running", sqlite3_column_int64(get, 3));
        text_append(text, "}");
    }
    (void)sqlite3_finalize(get);
    text_append(text, "]");
}

/* Columns beside max() are those of its row: the newest trial. */
static void write_failures(struct document *document)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(
        document, "SELECT text, count(*), max(number), log FROM trials WHERE id BETWEEN ?2 AND ?3 "
                  "AND state = 7 GROUP BY text ORDER BY count(*) DESC, max(number) DESC LIMIT 5");
    write_key(text, "failures");
    text_append(text, "[");
    while (document_next(document, get)) {
        separate(text);
        text_append(text, "{");
        write_string(text, "text", db_text(get, 0));
        write_int(text, "count", sqlite3_column_int64(get, 1));
        write_int(text, "trial", sqlite3_column_int64(get, 2));
        write_string(text, "log", db_text(get, 3));
        text_append(text, "}");
    }
    (void)sqlite3_finalize(get);
    text_append(text, "]");
}

void write_events(struct document *document, sqlite3_stmt *get)
{
    struct text *text = &document->text;
    write_key(text, "events");
    text_append(text, "[");
    while (document_next(document, get)) {
        separate(text);
        text_append(text, "{");
        write_time(text, "time", sqlite3_column_int64(get, 0));
        write_int(text, "trial", sqlite3_column_int64(get, 1));
        write_string(text, "kind", db_text(get, 2));
        write_string(text, "text", db_text(get, 3));
        text_append(text, "}");
    }
    text_append(text, "]");
}

int query_show(struct query *query, const char *experiment, struct query_sink sink, struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        struct totals totals;
        document_read_study(&document);
        text_append(&document.text, "{");
        write_experiment_full(&document, false);
        write_driver(&document);
        read_totals(&totals, &document);
        write_standing(&document, &totals);
        write_best(&document);
        write_study(&document);
        write_workers(&document);
        write_failures(&document);
        sqlite3_stmt *events =
            document_prepare(&document, "SELECT * FROM (SELECT time_ms, trial, kind, text FROM events WHERE "
                                        "experiment = ?1 ORDER BY key DESC LIMIT 20) ORDER BY time_ms");
        write_events(&document, events);
        (void)sqlite3_finalize(events);
        text_append(&document.text, "}\n");
    }
    return document_end(&document);
}

/* Trials */

int query_trials(struct query *query, const char *experiment, const struct query_filter *filter,
                 struct query_sink sink, struct err *err)
{
    static const struct query_filter all = {0};
    const struct query_filter *f = filter ? filter : &all;
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        struct text sql = {0};
        document_read_study(&document);
        text_printf(&sql,
                    "SELECT " TRIAL_COLUMNS " FROM " TRIAL_TABLES " WHERE t.id BETWEEN ?2 AND ?3 AND "
                    "(%lu = 0 OR (%lu >> t.state) & 1) ORDER BY t.id %s LIMIT %lld OFFSET %lld",
                    (unsigned long)f->states, (unsigned long)f->states, f->is_newest_first ? "DESC" : "",
                    f->limit > 0 ? (long long)f->limit : -1LL, (long long)f->offset);
        sqlite3_stmt *get = document_prepare(&document, text_get(&sql));
        text_append(&document.text, "{");
        write_experiment_head(&document);
        text_append(&document.text, "}, \"trials\": [");
        while (document_next(&document, get)) {
            separate(&document.text);
            text_append(&document.text, "{");
            write_trial_members(&document, get);
            text_append(&document.text, "}");
        }
        text_append(&document.text, "]}\n");
        (void)sqlite3_finalize(get);
        text_fini(&sql);
    }
    return document_end(&document);
}

void write_attempts(struct document *document, sqlite3_stmt *get, int64_t trial)
{
    struct text *text = &document->text;
    if (get)
        (void)sqlite3_bind_int64(get, 4, trial); /* cannot fail: the index is one */
    write_key(text, "attempts");
    text_append(text, "[");
    while (document_next(document, get)) {
        int64_t started_ms = sqlite3_column_int64(get, 2), ended_ms = sqlite3_column_int64(get, 3);
        separate(text);
        text_append(text, "{");
        write_int(text, "attempt", sqlite3_column_int64(get, 0));
        write_string(text, "outcome", outcome_name((enum outcome)sqlite3_column_int(get, 1)));
        write_time(text, "started", started_ms);
        write_time(text, "ended", ended_ms);
        write_double(text, "seconds",
                     started_ms && ended_ms ? (double)(ended_ms - started_ms) / 1000 : (double)NAN);
        write_string(text, "worker", db_text(get, 4));
        write_string(text, "host", db_text(get, 5));
        write_string(text, "text", db_text(get, 6));
        write_string(text, "log", db_text(get, 7));
        text_append(text, "}");
    }
    text_append(text, "]");
}

static int no_trial(struct document *document, int64_t trial)
{
    if (!document->failed)
        document->failed = err_set(document->err, ERR_NOT_FOUND, "experiment '%.100s' has no trial %lld",
                                   document->experiment.name, (long long)trial);
    return document->failed;
}

/* A statement on the one trial ?4, at its row; NULL: there is none, which is told. */
static sqlite3_stmt *find_trial(struct document *document, const char *sql, int64_t trial)
{
    sqlite3_stmt *get = document_prepare(document, sql);
    if (get)
        (void)sqlite3_bind_int64(get, 4, trial); /* cannot fail: the index is one */
    if (document_next(document, get))
        return get;
    (void)no_trial(document, trial);
    (void)sqlite3_finalize(get);
    return NULL;
}

#define ONE_TRIAL_SQL(columns) "SELECT " columns " FROM " TRIAL_TABLES " WHERE t.id = ?2 + ?4"

int query_trial(struct query *query, const char *experiment, int64_t trial, struct query_sink sink,
                struct err *err)
{
    struct document document;
    (void)document_begin(&document, query, experiment, false, sink, err); /* kept in the document */
    sqlite3_stmt *get = document.failed ? NULL : find_trial(&document, ONE_TRIAL_SQL(TRIAL_COLUMNS), trial);
    if (get) {
        sqlite3_stmt *attempts = document_prepare(&document, ATTEMPTS_SQL);
        document_read_study(&document);
        text_append(&document.text, "{");
        write_experiment_head(&document);
        text_append(&document.text, "}, \"trial\": {");
        write_trial_members(&document, get);
        write_attempts(&document, attempts, trial);
        text_append(&document.text, "}}\n");
        (void)sqlite3_finalize(attempts);
    }
    (void)sqlite3_finalize(get);
    return document_end(&document);
}

int query_log(char **path, char **host, struct query *query, const char *experiment, int64_t trial,
              struct err *err)
{
    struct document document;
    struct text nowhere = {0};
    (void)document_begin(&document, query, experiment, false, query_to_text(&nowhere), err); /* kept in it */
    sqlite3_stmt *get = document.failed ? NULL : find_trial(&document, ONE_TRIAL_SQL("t.log, w.host"), trial);
    char *log = NULL, *where = NULL;
    if (get && !*db_text(get, 0))
        document.failed = err_set(err, ERR_NOT_FOUND, "no output was kept of trial %lld of '%.100s'",
                                  (long long)trial, document.experiment.name);
    else if (get && (!(log = strdup(db_text(get, 0))) || !(where = strdup(db_text(get, 1)))))
        document.failed = err_set(err, ERR_NOMEM, "out of memory");
    (void)sqlite3_finalize(get);
    int rc = document_end(&document);
    text_fini(&nowhere);
    if (rc) {
        free(log);
        free(where);
        return rc;
    }
    *path = log;
    *host = where;
    return 0;
}

int query_best(struct query *query, const char *experiment, struct query_sink sink, struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        sqlite3_stmt *get =
            document_prepare(&document, "SELECT metric, goal FROM experiments WHERE key = ?1");
        document_read_study(&document);
        text_append(&document.text, "{");
        write_experiment_head(&document);
        text_append(&document.text, "}");
        if (document_next(&document, get)) {
            write_string(&document.text, "metric", db_text(get, 0));
            write_string(&document.text, "goal", db_text(get, 1));
        }
        (void)sqlite3_finalize(get);
        write_best(&document);
        text_append(&document.text, "}\n");
    }
    return document_end(&document);
}

/* Reports */

void write_reports(struct document *document, sqlite3_stmt *get)
{
    struct text *text = &document->text;
    write_key(text, "reports");
    text_append(text, "[");
    while (document_next(document, get)) {
        separate(text);
        text_append(text, "{");
        write_int(text, "attempt", sqlite3_column_int64(get, 1));
        write_int(text, "step", sqlite3_column_int64(get, 2));
        write_string(text, "metric", db_text(get, 3));
        write_double(text, "value", db_double(get, 4));
        write_time(text, "time", sqlite3_column_int64(get, 5));
        text_append(text, "}");
    }
    text_append(text, "]");
}

int query_reports(struct query *query, const char *experiment, int64_t trial, struct query_sink sink,
                  struct err *err)
{
    struct document document;
    (void)document_begin(&document, query, experiment, false, sink, err); /* kept in the document */
    sqlite3_stmt *row = document.failed ? NULL : find_trial(&document, ONE_TRIAL_SQL("1"), trial);
    if (row) {
        sqlite3_stmt *get = document_prepare(&document, REPORTS_SQL "AND r.trial = ?4" REPORTS_ORDER);
        if (get)
            (void)sqlite3_bind_int64(get, 4, trial); /* cannot fail: the index is one */
        text_append(&document.text, "{");
        write_experiment_head(&document);
        text_append(&document.text, "}");
        write_int(&document.text, "trial", trial);
        write_reports(&document, get);
        text_append(&document.text, "}\n");
        (void)sqlite3_finalize(get);
    }
    (void)sqlite3_finalize(row);
    return document_end(&document);
}

int query_document(struct query *query, const char *what, const char *experiment, struct query_sink sink,
                   struct err *err)
{
    const char *name = experiment && *experiment ? experiment : NULL;
    if (!strcmp(what, "experiments"))
        return query_experiments(query, sink, err);
    if (!strcmp(what, "show"))
        return query_show(query, name, sink, err);
    if (!strcmp(what, "trials"))
        return query_trials(query, name, NULL, sink, err);
    if (!strcmp(what, "best"))
        return query_best(query, name, sink, err);
    return err_set(err, ERR_INVALID, "no document '%.60s': there are experiments, show, trials and best",
                   what);
}
