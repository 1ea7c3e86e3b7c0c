/* The schema, documented for its readers in docs/database.md (and in the comments below, which `.schema`
 * shows).
 *
 * `user_version` is the number of steps that a database has been through; a step is never changed once it was
 * released. Views are only a way of reading: they are made anew after every upgrade.
 *
 * Measured on 400,000 reports, 1,000 a transaction, in order and interleaved by 64 trials: WITHOUT ROWID 3.1
 * and 4.1 us and 31 bytes a row; rowid and a unique index 4.0 and 4.8 us and 49 bytes. Trials keep their
 * rowid, because a row with a curve would leave the page of an index B-tree at 1 KB; the rowid itself is made
 * of experiment and number, which saves the second B-tree of a unique index. */
#include "driver/store_schema.h"

#include "core/experiment.h"
#include "core/text.h"
#include "core/trial.h"
#include "driver/store_db.h"

#define APPLICATION_ID 0x70727661 /* "prva" */

static const char step_1[] =
    "CREATE TABLE experiments ( -- one row an experiment\n"
    "    key INTEGER PRIMARY KEY AUTOINCREMENT, -- stands for it in the other tables; never used twice\n"
    "    id TEXT NOT NULL UNIQUE, -- UUID\n"
    "    name TEXT NOT NULL,\n"
    "    state INTEGER NOT NULL, -- 1 running, 2 interrupted, 3 completed, 4 failed\n"
    "    text TEXT NOT NULL, -- why it ended\n"
    "    metric TEXT NOT NULL, -- name of the objective\n"
    "    goal TEXT NOT NULL, -- minimize or maximize\n"
    "    created_ms INTEGER NOT NULL, -- times: milliseconds since 1970, UTC\n"
    "    ended_ms INTEGER,\n"
    "    elapsed_ms INTEGER NOT NULL, -- running time, all runs of the driver together\n"
    "    file TEXT NOT NULL, -- of the sweep\n"
    "    directory TEXT NOT NULL,\n"
    "    command_line TEXT NOT NULL,\n"
    "    git_revision TEXT NOT NULL,\n"
    "    spec_json TEXT NOT NULL, -- the sweep with every default, as JSON\n"
    "    source TEXT NOT NULL -- the sweep as given\n"
    ");\n"
    "CREATE TABLE workers ( -- one row a worker (slot) that ever ran a trial\n"
    "    key INTEGER PRIMARY KEY,\n"
    "    id TEXT NOT NULL UNIQUE, -- UUID\n"
    "    host TEXT NOT NULL\n"
    ");\n"
    "CREATE TABLE trials ( -- one row a trial\n"
    "    id INTEGER PRIMARY KEY, -- experiment * 4294967296 + number\n"
    "    experiment INTEGER NOT NULL, -- experiments.key\n"
    "    number INTEGER NOT NULL, -- from 1\n"
    "    state INTEGER NOT NULL, -- 0 PENDING, 1 ASSIGNED, 2 RUNNING, 3 PAUSED, 4 STOPPING, 5 COMPLETED,\n"
    "                            -- 6 STOPPED, 7 FAILED\n"
    "    attempt INTEGER NOT NULL, -- the current or last one, from 1; 0: never assigned\n"
    "    first_attempt INTEGER NOT NULL, -- whose reports its curve begins with; 0: the current one\n"
    "    n_lost INTEGER NOT NULL, -- attempts that were lost and count against retries\n"
    "    worker INTEGER, -- workers.key, of the current or last attempt\n"
    "    budget INTEGER NOT NULL, -- resource units in all; 0: the function decides\n"
    "    value REAL, -- the objective; NULL: none\n"
    "    n_reports INTEGER NOT NULL,\n"
    "    created_ms INTEGER, started_ms INTEGER, ended_ms INTEGER,\n"
    "    text TEXT NOT NULL, -- the message of a failure\n"
    "    log TEXT NOT NULL, -- where the output is kept, on the worker's host\n"
    "    params TEXT NOT NULL, -- JSON object of the active parameters\n"
    "    curve BLOB -- of a final trial: its objective over its steps, see docs/database.md\n"
    ");\n"
    "CREATE TABLE attempts ( -- one row an attempt that has ended\n"
    "    experiment INTEGER NOT NULL,\n"
    "    trial INTEGER NOT NULL,\n"
    "    attempt INTEGER NOT NULL,\n"
    "    worker INTEGER,\n"
    "    outcome INTEGER NOT NULL, -- 1 completed, 2 stopped, 3 failed, 4 lost\n"
    "    started_ms INTEGER, ended_ms INTEGER,\n"
    "    text TEXT NOT NULL,\n"
    "    log TEXT NOT NULL,\n"
    "    PRIMARY KEY (experiment, trial, attempt)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE metrics ( -- names of what is reported\n"
    "    experiment INTEGER NOT NULL,\n"
    "    metric INTEGER NOT NULL, -- 0: the objective\n"
    "    name TEXT NOT NULL,\n"
    "    PRIMARY KEY (experiment, metric)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE reports ( -- one row a reported value\n"
    "    experiment INTEGER NOT NULL,\n"
    "    trial INTEGER NOT NULL,\n"
    "    attempt INTEGER NOT NULL,\n"
    "    step INTEGER NOT NULL,\n"
    "    metric INTEGER NOT NULL,\n"
    "    value REAL, -- NULL: not a number\n"
    "    time_ms INTEGER NOT NULL, -- when the driver had it\n"
    "    PRIMARY KEY (experiment, trial, attempt, step, metric)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE events ( -- what happened, for people\n"
    "    key INTEGER PRIMARY KEY,\n"
    "    experiment INTEGER NOT NULL,\n"
    "    trial INTEGER NOT NULL, -- 0: of the whole experiment\n"
    "    time_ms INTEGER NOT NULL,\n"
    "    kind TEXT NOT NULL,\n"
    "    text TEXT NOT NULL\n"
    ");\n"
    "CREATE INDEX events_experiment ON events (experiment);\n";

static const char step_2[] =
    "ALTER TABLE trials ADD COLUMN origin INTEGER; -- the trial that it began as a copy of; NULL: none\n"
    "ALTER TABLE trials ADD COLUMN origin_units INTEGER; -- resource units that were used there\n";

static const char *const steps[SCHEMA_VERSION] = {step_1, step_2};

static const char *const views[] = {"experiment", "trial", "attempt", "report", "event"};

/* Numbers of an enumeration as their names, from the one place that knows them. */
static const char *name_experiment_state(int number)
{
    return experiment_state_name((enum experiment_state)number);
}

static const char *name_trial_state(int number)
{
    return trial_state_name((enum trial_state)number);
}

static const char *name_outcome(int number)
{
    return outcome_name((enum outcome)number);
}

static void write_case(struct text *sql, const char *column, int first, int last, const char *(*name)(int))
{
    text_printf(sql, "CASE %s", column);
    for (int i = first; i <= last; i++)
        text_printf(sql, " WHEN %d THEN '%s'", i, name(i));
    text_append(sql, " END");
}

/* A time column as people read it, under another name. */
static void write_time(struct text *sql, const char *column, const char *name)
{
    text_printf(sql, "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s / 1000.0, 'unixepoch') AS %s, ", column, name);
}

static void write_experiment_view(struct text *sql)
{
#define TRIALS_OF_IT "FROM trials t WHERE t.id BETWEEN (e.key << 32) AND (e.key << 32) + 4294967295"
#define USABLE_OF_IT TRIALS_OF_IT " AND t.state IN (5, 6) AND t.value IS NOT NULL"
    text_append(sql, "CREATE VIEW experiment AS SELECT e.key, e.id, e.name, ");
    write_case(sql, "e.state", EXPERIMENT_RUNNING, EXPERIMENT_FAILED, name_experiment_state);
    text_append(sql, " AS state, e.text, e.metric, e.goal, ");
    text_append(sql, "(SELECT count(*) " TRIALS_OF_IT ") AS trials, ");
    text_append(sql, "(SELECT count(*) " TRIALS_OF_IT " AND t.state IN (5, 6, 7)) AS ended_trials, ");
    text_append(sql, "b.number AS best_trial, b.value AS best_value, b.params AS best_params, ");
    write_time(sql, "e.created_ms", "created");
    write_time(sql, "e.ended_ms", "ended");
    text_append(sql, "e.elapsed_ms / 1000.0 AS seconds, e.file, e.directory, e.command_line, ");
    text_append(sql, "e.git_revision FROM experiments e LEFT JOIN trials b ON b.id = ");
    /* Two subqueries, because SQLite knows no column of the outer query in an ORDER BY. */
    text_append(sql, "CASE e.goal WHEN 'maximize' THEN ");
    text_append(sql, "(SELECT t.id " USABLE_OF_IT " ORDER BY t.value DESC, t.number LIMIT 1) ELSE ");
    text_append(sql, "(SELECT t.id " USABLE_OF_IT " ORDER BY t.value, t.number LIMIT 1) END;\n");
#undef USABLE_OF_IT
#undef TRIALS_OF_IT
}

static void write_trial_view(struct text *sql)
{
    text_append(sql, "CREATE VIEW trial AS SELECT e.name AS experiment, t.experiment AS experiment_key, ");
    text_append(sql, "t.number, ");
    write_case(sql, "t.state", 0, TRIAL_N_STATES - 1, name_trial_state);
    text_append(sql, " AS state, t.value, t.params, t.n_reports, t.budget, t.attempt, t.n_lost, ");
    text_append(sql, "t.origin, t.origin_units, ");
    write_time(sql, "t.created_ms", "created");
    write_time(sql, "t.started_ms", "started");
    write_time(sql, "t.ended_ms", "ended");
    text_append(sql, "(t.ended_ms - t.started_ms) / 1000.0 AS seconds, w.id AS worker, w.host, t.text, ");
    text_append(sql, "t.log FROM trials t JOIN experiments e ON e.key = t.experiment ");
    text_append(sql, "LEFT JOIN workers w ON w.key = t.worker;\n");
}

static void write_attempt_view(struct text *sql)
{
    text_append(sql, "CREATE VIEW attempt AS SELECT e.name AS experiment, a.experiment AS experiment_key, ");
    text_append(sql, "a.trial, a.attempt, ");
    write_case(sql, "a.outcome", OUTCOME_COMPLETED, OUTCOME_LOST, name_outcome);
    text_append(sql, " AS outcome, ");
    write_time(sql, "a.started_ms", "started");
    write_time(sql, "a.ended_ms", "ended");
    text_append(sql, "(a.ended_ms - a.started_ms) / 1000.0 AS seconds, w.id AS worker, w.host, a.text, ");
    text_append(sql, "a.log FROM attempts a JOIN experiments e ON e.key = a.experiment ");
    text_append(sql, "LEFT JOIN workers w ON w.key = a.worker;\n");
}

static void write_other_views(struct text *sql)
{
    text_append(sql, "CREATE VIEW report AS SELECT e.name AS experiment, r.experiment AS experiment_key, ");
    text_append(sql, "r.trial, r.attempt, r.step, m.name AS metric, ");
    write_time(sql, "r.time_ms", "time");
    text_append(sql, "r.value FROM reports r JOIN experiments e ON e.key = r.experiment ");
    text_append(sql, "LEFT JOIN metrics m ON m.experiment = r.experiment AND m.metric = r.metric;\n");
    text_append(sql, "CREATE VIEW event AS SELECT v.key, e.name AS experiment, ");
    text_append(sql, "v.experiment AS experiment_key, v.trial, ");
    write_time(sql, "v.time_ms", "time");
    text_append(sql, "v.kind, v.text FROM events v JOIN experiments e ON e.key = v.experiment;\n");
}

static int read_number(int *value, sqlite3 *db, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = db_prepare(&statement, db, sql, false, err);
    if (!rc)
        rc = db_next(statement, err);
    if (rc == 1) {
        *value = sqlite3_column_int(statement, 0);
        rc = 0;
    }
    (void)sqlite3_finalize(statement); /* repeats the error of the step */
    return rc;
}

/* Whose database it is. *version 0: nobody's, it is empty. */
static int read_version(int *version, sqlite3 *db, struct err *err)
{
    const char *name = sqlite3_db_filename(db, "main");
    int application = 0, n_tables = 0;
    int rc = read_number(&application, db, "PRAGMA application_id", err);
    if (!rc)
        rc = read_number(version, db, "PRAGMA user_version", err);
    if (!rc)
        rc = read_number(&n_tables, db, "SELECT count(*) FROM sqlite_master", err);
    if (rc)
        return rc;
    if (application != APPLICATION_ID && (application || *version || n_tables))
        return err_set(err, ERR_INVALID,
                       "'%.120s' is a database of another program; give another file with --db", name);
    if (*version > SCHEMA_VERSION)
        return err_set(
            err, ERR_VERSION,
            "'%.100s' was written by a newer prova (schema %d, this one knows %d): use that prova, or "
            "another database with --db",
            name, *version, SCHEMA_VERSION);
    return 0;
}

static int write_schema(sqlite3 *db, int version, struct err *err)
{
    struct text sql = {0};
    for (int i = version; i < SCHEMA_VERSION; i++)
        text_append(&sql, steps[i]);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        text_printf(&sql, "DROP VIEW IF EXISTS %s;\n", views[i]);
    write_experiment_view(&sql);
    write_trial_view(&sql);
    write_attempt_view(&sql);
    write_other_views(&sql);
    text_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID,
                SCHEMA_VERSION);
    int rc = sql.failed ? err_set(err, ERR_NOMEM, "out of memory") : db_exec(db, text_get(&sql), err);
    text_fini(&sql);
    return rc;
}

int schema_guard(sqlite3 *db, struct err *err)
{
    int version = 0;
    return read_version(&version, db, err);
}

int schema_upgrade(sqlite3 *db, struct err *err)
{
    int version = 0;
    int rc = read_version(&version, db, err);
    if (rc || version == SCHEMA_VERSION)
        return rc;
    rc = db_exec(db, "BEGIN IMMEDIATE", err);
    if (rc)
        return rc;
    rc = write_schema(db, version, err);
    if (!rc)
        rc = db_exec(db, "COMMIT", err);
    if (rc)
        (void)db_exec(db, "ROLLBACK", NULL); /* the first error is the one to tell */
    return rc;
}

int schema_check(sqlite3 *db, struct err *err)
{
    int version = 0;
    int rc = read_version(&version, db, err);
    if (rc || version == SCHEMA_VERSION)
        return rc;
    const char *name = sqlite3_db_filename(db, "main");
    if (!version)
        return err_set(
            err, ERR_NOT_FOUND,
            "'%.120s' is empty: start an experiment with 'prova run', or give another file with --db", name);
    return err_set(err, ERR_VERSION,
                   "'%.120s' was written by an older prova (schema %d, this one reads %d): 'prova resume' or "
                   "'prova run' upgrades it",
                   name, version, SCHEMA_VERSION);
}
