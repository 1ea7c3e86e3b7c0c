#ifndef DRIVER_STORE_DOCUMENT_H
#define DRIVER_STORE_DOCUMENT_H

#include "driver/store.h"
#include "driver/store_db.h"
#include "driver/store_query.h"

/* What the documents of driver/store_query.h are made with. */

struct query {
    sqlite3 *db;
    char *path;
};

/* A document on its way: gathers text and gives it to the sink in big pieces. Failures are kept and asked
 * once, by document_end. */
struct document {
    struct query *query;
    struct query_sink sink;
    struct text text;
    struct query_experiment experiment; /* that it is about */
    struct store_driver driver;
    bool has_driver, is_live; /* has the database; and runs this experiment */
    struct spec *study;       /* of an ablation study, see document_read_study; else NULL */
    struct err *err;
    int failed;
};

/* Begins a read transaction; finds the experiment unless `experiment` is NULL and is_about_all. */
int document_begin(struct document *document, struct query *query, const char *experiment, bool is_about_all,
                   struct query_sink sink, struct err *err);
/* Ends the transaction, hands out the rest, frees. Returns what has failed first. */
int document_end(struct document *document);
/* Gives the text to the sink when there is much of it. */
void document_flush(struct document *document);

/* A statement for the rows of the experiment: ?1 is its key, ?2 and ?3 its first and last trials.id. NULL on
 * failure. */
sqlite3_stmt *document_prepare(struct document *document, const char *sql);
/* Is there a(nother) row? False also after a failure. */
bool document_next(struct document *document, sqlite3_stmt *statement);

/* "name":  with a comma before unless it is the first of its object. */
void write_key(struct text *text, const char *name);
void write_string(struct text *text, const char *name, const char *string);
void write_int(struct text *text, const char *name, int64_t value);
void write_double(struct text *text, const char *name, double value);
void write_bool(struct text *text, const char *name, bool value);
/* Text that is JSON already; null if it is empty. */
void write_json(struct text *text, const char *name, const char *json);
void write_time(struct text *text, const char *name, int64_t time_ms);
/* An ISO time without quotes; nothing for 0. */
void append_time(struct text *text, int64_t time_ms);
/* A comma, unless the text ends in an opening bracket. */
void separate(struct text *text);

/* The columns of a trial, for the writers below. */
#define TRIAL_COLUMNS                                                                                        \
    "t.number, t.state, t.value, t.params, t.n_reports, t.budget, t.attempt, t.n_lost, t.created_ms, "       \
    "t.started_ms, t.ended_ms, t.text, t.log, w.id, w.host, t.curve, CASE WHEN t.state < 5 THEN "            \
    "(SELECT r.step FROM reports r WHERE r.experiment = t.experiment AND r.trial = t.number AND "            \
    "r.attempt = t.attempt AND r.metric = 0 ORDER BY r.step DESC LIMIT 1) END, t.origin, t.origin_units"
#define TRIAL_TABLES "trials t LEFT JOIN workers w ON w.key = t.worker"
enum trial_column {
    T_NUMBER,
    T_STATE,
    T_VALUE,
    T_PARAMS,
    T_N_REPORTS,
    T_BUDGET,
    T_ATTEMPT,
    T_N_LOST,
    T_CREATED,
    T_STARTED,
    T_ENDED,
    T_TEXT,
    T_LOG,
    T_WORKER,
    T_HOST,
    T_CURVE,
    T_RUNNING_STEP,
    T_ORIGIN,
    T_ORIGIN_UNITS
};
/* The members of a trial's object, without its braces. Those of a study's need document_read_study before. */
void write_trial_members(struct document *document, sqlite3_stmt *row);
bool trial_last_step(int64_t *step, sqlite3_stmt *row);
double trial_seconds(sqlite3_stmt *row);

/* If the experiment is an ablation study: reads its spec. In store_study.c. */
void document_read_study(struct document *document);
/* "variant" and "repeat" of a trial; nothing if `study` is NULL. */
void write_trial_variant(struct text *text, const struct spec *study, int64_t trial);
/* "ablation" and "components" of a study; nothing of anything else. */
void write_study(struct document *document);
/* The report of document->study. Returns 0, and the caller frees it, or a code, which is kept. */
struct ablation_report;
int document_report(struct ablation_report *report, struct document *document);

/* Fields of CSV, in store_export.c. NaN is an empty one. */
void csv_string(struct text *text, const char *string);
void csv_int(struct text *text, int64_t value);
void csv_double(struct text *text, double value);

/* Members of documents, in store_show.c. */
void write_experiment_head(struct document *document);
void write_experiment_full(struct document *document, bool with_source);
void write_attempts(struct document *document, sqlite3_stmt *statement, int64_t trial);
void write_reports(struct document *document, sqlite3_stmt *statement);
void write_events(struct document *document, sqlite3_stmt *statement);

#define ATTEMPTS_SQL                                                                                         \
    "SELECT a.attempt, a.outcome, a.started_ms, a.ended_ms, w.id, w.host, a.text, a.log FROM attempts a "    \
    "LEFT JOIN workers w ON w.key = a.worker WHERE a.experiment = ?1 AND a.trial = ?4 ORDER BY a.attempt"
#define REPORTS_SQL                                                                                          \
    "SELECT r.trial, r.attempt, r.step, m.name, r.value, r.time_ms FROM reports r LEFT JOIN metrics m ON "   \
    "m.experiment = r.experiment AND m.metric = r.metric WHERE r.experiment = ?1 "
#define REPORTS_ORDER " ORDER BY r.trial, r.attempt, r.step, r.metric"

#endif
