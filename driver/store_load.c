/* Records from rows: what a driver needs to go on after a restart.
 *
 * Final trials bring their objective's curve with them, so that reports (which may be millions) are read for
 * the few trials that are not final. All is read in one transaction: as of one moment. */
#include "driver/store_load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/store_codec.h"
#include "driver/store_db.h"

struct load {
    sqlite3 *db;
    sqlite3_stmt *experiments, *trials, *reports;
    const struct store_loader *loader;
    struct id *workers; /* [n_workers] by workers.key */
    size_t n_workers;
    struct curve curve;
    double *point; /* [n_params] of the experiment at hand */
};

/* Columns in the order of the enum. */
enum experiment_column {
    E_KEY,
    E_ID,
    E_NAME,
    E_STATE,
    E_TEXT,
    E_CREATED,
    E_ENDED,
    E_ELAPSED,
    E_FILE,
    E_DIRECTORY,
    E_COMMAND_LINE,
    E_GIT_REVISION,
    E_SPEC,
    E_SOURCE
};
static const char experiments_sql[] =
    "SELECT key, id, name, state, text, created_ms, ended_ms, elapsed_ms, file, directory, command_line, "
    "git_revision, spec_json, source FROM experiments WHERE ";

enum trial_column {
    T_NUMBER,
    T_STATE,
    T_ATTEMPT,
    T_FIRST_ATTEMPT,
    T_N_LOST,
    T_WORKER,
    T_BUDGET,
    T_VALUE,
    T_N_REPORTS,
    T_CREATED,
    T_STARTED,
    T_ENDED,
    T_TEXT,
    T_LOG,
    T_PARAMS,
    T_CURVE,
    T_ORIGIN,
    T_ORIGIN_UNITS
};
static const char trials_sql[] =
    "SELECT number, state, attempt, first_attempt, n_lost, worker, budget, value, n_reports, created_ms, "
    "started_ms, ended_ms, text, log, params, curve, origin, origin_units FROM trials WHERE id BETWEEN ? AND ? ORDER BY id";

static const char reports_sql[] = "SELECT step, value FROM reports WHERE experiment = ? AND trial = ? AND "
                                  "attempt >= ? AND metric = 0 ORDER BY attempt, step";

static int read_workers(struct load *load, struct err *err)
{
    sqlite3_stmt *get = NULL;
    int rc = db_prepare(&get, load->db, "SELECT key, id FROM workers ORDER BY key DESC", false, err);
    while (!rc && (rc = db_next(get, err)) == 1) {
        size_t key = (size_t)sqlite3_column_int64(get, 0);
        rc = 0;
        if (!load->workers) {
            load->n_workers = key + 1;
            load->workers = calloc(load->n_workers, sizeof *load->workers);
            if (!load->workers)
                rc = err_set(err, ERR_NOMEM, "out of memory");
        }
        const char *id = db_text(get, 1);
        if (!rc)
            rc = db_check_row(get, err);
        if (!rc && id_parse(&load->workers[key], id))
            rc = err_set(err, ERR_INVALID, "worker %zu has no valid id in the database", key);
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step */
    return rc;
}

/* As the engine has taken them: a step that does not grow is a double, or of an attempt that went back; one
 * out of range never came from here. */
static int add_point(struct curve *curve, int64_t step, double value, struct err *err)
{
    int rc = isfinite(value) && report_step_is_valid(step) ? curve_add(curve, step, value) : 0;
    return rc == ERR_NOMEM ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int read_curve(struct load *load, const struct trial_record *trial, struct err *err)
{
    uint64_t first = trial->first_attempt ? trial->first_attempt : trial->attempt;
    (void)sqlite3_bind_int64(load->reports, 1, trial->key); /* cannot fail: numbers at indices of its own */
    (void)sqlite3_bind_int64(load->reports, 2, (int64_t)trial->trial);
    (void)sqlite3_bind_int64(load->reports, 3, (int64_t)first);
    int rc, failed = 0;
    while (!failed && (rc = db_next(load->reports, err)) == 1)
        failed =
            add_point(&load->curve, sqlite3_column_int64(load->reports, 0), db_double(load->reports, 1), err);
    if (failed)
        (void)sqlite3_reset(load->reports); /* the failure was not its own */
    return failed ? failed : rc;
}

static int load_curve(struct load *load, struct trial_record *trial, struct err *err)
{
    curve_clear(&load->curve);
    if (!trial_state_is_final(trial->state))
        return read_curve(load, trial, err);
    const void *blob = sqlite3_column_blob(load->trials, T_CURVE);
    int rc = blob ? curve_decode(&load->curve, blob, (size_t)sqlite3_column_bytes(load->trials, T_CURVE)) : 0;
    trial->curve = &load->curve;
    return rc ? err_set(err, rc, "its curve cannot be read") : 0;
}

static int load_trial(struct load *load, int64_t key, const struct space *space, struct err *err)
{
    sqlite3_stmt *row = load->trials;
    size_t worker = (size_t)sqlite3_column_int64(row, T_WORKER);
    struct trial_record trial = {
        .key = key,
        .trial = (uint64_t)sqlite3_column_int64(row, T_NUMBER),
        .state = (enum trial_state)sqlite3_column_int(row, T_STATE),
        .attempt = (uint64_t)sqlite3_column_int64(row, T_ATTEMPT),
        .first_attempt = (uint64_t)sqlite3_column_int64(row, T_FIRST_ATTEMPT),
        .n_lost = (uint64_t)sqlite3_column_int64(row, T_N_LOST),
        .worker = worker < load->n_workers ? load->workers[worker] : (struct id){{0}},
        .budget = sqlite3_column_int64(row, T_BUDGET),
        .value = db_double(row, T_VALUE),
        .text = db_text(row, T_TEXT),
        .log = db_text(row, T_LOG),
        .created_ms = sqlite3_column_int64(row, T_CREATED),
        .started_ms = sqlite3_column_int64(row, T_STARTED),
        .ended_ms = sqlite3_column_int64(row, T_ENDED),
        .n_params = space->n_params,
        .point = load->point,
        .n_reports = (uint64_t)sqlite3_column_int64(row, T_N_REPORTS),
        .origin = (uint64_t)sqlite3_column_int64(row, T_ORIGIN), /* NULL gives 0 */
        .origin_units = sqlite3_column_int64(row, T_ORIGIN_UNITS),
    };
    const char *params = db_text(row, T_PARAMS);
    int rc = db_check_row(row, err);
    if (!rc)
        rc = point_read_json(load->point, space, params, err);
    if (!rc)
        rc = load_curve(load, &trial, err);
    if (rc) {
        (void)err_prefix(err, "trial %llu", (unsigned long long)trial.trial);
        return rc;
    }
    return load->loader->trial(load->loader->arg, &trial, &load->curve, err);
}

static int load_trials(struct load *load, int64_t key, const struct space *space, struct err *err)
{
    free(load->point);
    load->point = calloc(space->n_params + 1, sizeof *load->point);
    if (!load->point)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)sqlite3_bind_int64(load->trials, 1, db_trial_id(key, 0)); /* cannot fail: indices of its own */
    (void)sqlite3_bind_int64(load->trials, 2, db_trial_id(key, DB_MAX_TRIAL));
    int rc, failed = 0;
    while (!failed && (rc = db_next(load->trials, err)) == 1)
        failed = load_trial(load, key, space, err);
    if (failed)
        (void)sqlite3_reset(load->trials); /* the failure was not its own */
    return failed ? failed : rc;
}

static int load_experiment(struct load *load, struct err *err)
{
    sqlite3_stmt *row = load->experiments;
    struct spec *spec = NULL, *given = NULL;
    struct experiment_record record = {
        .key = sqlite3_column_int64(row, E_KEY),
        .name = db_text(row, E_NAME),
        .state = (enum experiment_state)sqlite3_column_int(row, E_STATE),
        .text = db_text(row, E_TEXT),
        .created_ms = sqlite3_column_int64(row, E_CREATED),
        .ended_ms = sqlite3_column_int64(row, E_ENDED),
        .elapsed_ms = sqlite3_column_int64(row, E_ELAPSED),
        .file = db_text(row, E_FILE),
        .directory = db_text(row, E_DIRECTORY),
        .command_line = db_text(row, E_COMMAND_LINE),
        .git_revision = db_text(row, E_GIT_REVISION),
        .spec_json = db_text(row, E_SPEC),
        .source = db_text(row, E_SOURCE),
    };
    const char *id = db_text(row, E_ID);
    int rc = db_check_row(row, err);
    if (!rc && id_parse(&record.id, id))
        rc = err_set(err, ERR_INVALID, "its id is not valid");
    if (!rc)
        rc = spec_read_json(&spec, record.spec_json, err);
    if (!rc) /* the callback's own: the trials are read with ours, whatever it does with it */
        rc = spec_read_json(&given, record.spec_json, err);
    record.spec = given;
    if (!rc)
        rc = load->loader->experiment(load->loader->arg, &record, given, err);
    if (!rc)
        rc = load_trials(load, record.key, spec->space, err);
    spec_destroy(spec);
    if (rc)
        (void)err_prefix(err, "experiment '%.60s'", record.name);
    return rc;
}

static int load_all(struct load *load, struct id only, struct err *err)
{
    int rc, failed = 0, n = 0;
    while (!failed && (rc = db_next(load->experiments, err)) == 1) {
        failed = load_experiment(load, err);
        n++;
    }
    if (failed || rc)
        return failed ? failed : rc;
    char id[ID_TEXT_SIZE];
    if (!n && !id_is_none(only))
        return err_set(err, ERR_NOT_FOUND, "the database has no experiment %s", id_format(only, id));
    return 0;
}

static int prepare_load(struct load *load, struct id only, const char *id, struct err *err)
{
    char sql[sizeof experiments_sql + 64];
    (void)snprintf(sql, sizeof sql, "%s%s ORDER BY key", experiments_sql,
                   id_is_none(only) ? "state = 1" : "id = ?");
    int rc = db_exec(load->db, "BEGIN", err); /* ends with the connection */
    if (!rc)
        rc = db_prepare(&load->experiments, load->db, sql, false, err);
    if (!rc)
        rc = db_prepare(&load->trials, load->db, trials_sql, false, err);
    if (!rc)
        rc = db_prepare(&load->reports, load->db, reports_sql, false, err);
    if (!rc && !id_is_none(only))
        db_bind_text(load->experiments, 1, id);
    return rc;
}

int load_experiments(const char *path, struct id only, const struct store_loader *loader, struct err *err)
{
    struct load load = {.loader = loader};
    char id[ID_TEXT_SIZE];
    int rc = db_open(&load.db, path, DB_READ, err);
    if (rc)
        return rc;
    rc = prepare_load(&load, only, id_format(only, id), err);
    if (!rc)
        rc = read_workers(&load, err);
    if (!rc)
        rc = load_all(&load, only, err);
    (void)sqlite3_finalize(load.experiments); /* these repeat the error of the last step */
    (void)sqlite3_finalize(load.trials);
    (void)sqlite3_finalize(load.reports);
    db_close(load.db);
    curve_fini(&load.curve);
    free(load.workers);
    free(load.point);
    return rc;
}
