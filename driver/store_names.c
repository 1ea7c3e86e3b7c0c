/* Numbers for workers and metrics, and the sweeps of experiments: small tables of the database, held in
 * memory.
 *
 * What is held may be ahead of the disk after a transaction that failed, so nothing may be written after
 * that. */
#include "driver/store_names.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table (hh.tbl) */
#include <uthash.h>

#include "driver/store_codec.h"

enum statement { GET_SPEC, GET_WORKER, PUT_WORKER, SET_HOST, GET_METRICS, PUT_METRIC, N_STATEMENTS };

static const char *const sql[N_STATEMENTS] = {
    [GET_SPEC] = "SELECT spec_json FROM experiments WHERE key = ?",
    [GET_WORKER] = "SELECT key, host FROM workers WHERE id = ?",
    [PUT_WORKER] = "INSERT INTO workers (id, host) VALUES (?, '')",
    [SET_HOST] = "UPDATE workers SET host = ?2 WHERE key = ?1",
    [GET_METRICS] = "SELECT metric, name FROM metrics WHERE experiment = ?",
    [PUT_METRIC] = "INSERT INTO metrics (experiment, metric, name) VALUES (?, ?, ?)",
};

struct worker {
    struct id id;
    int64_t key;
    bool has_host;
    UT_hash_handle hh;
};

struct metric_name {
    int64_t number;
    UT_hash_handle hh;
    char name[];
};

struct experiment {
    int64_t key;
    struct spec *spec;
    struct metric_name *metrics;
    int64_t next_metric;
    UT_hash_handle hh;
};

struct names {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct worker *workers;
    struct experiment *experiments;
    struct experiment *last; /* that was asked for; mostly the next one too */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

static int look_up_worker(struct worker *worker, struct names *names, struct err *err)
{
    char text[ID_TEXT_SIZE];
    sqlite3_stmt *get = names->statements[GET_WORKER];
    db_bind_text(get, 1, id_format(worker->id, text));
    int rc = db_next(get, err);
    if (rc == 1) {
        worker->key = sqlite3_column_int64(get, 0);
        worker->has_host = *db_text(get, 1);
        return db_run(get, err);
    }
    if (rc)
        return rc;
    sqlite3_stmt *put = names->statements[PUT_WORKER];
    db_bind_text(put, 1, text);
    rc = db_run(put, err);
    worker->key = sqlite3_last_insert_rowid(names->db);
    return rc;
}

static int add_worker(struct worker **out, struct names *names, struct id id, struct err *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return no_memory(err);
    worker->id = id;
    int rc = look_up_worker(worker, names, err);
    if (!rc) {
        HASH_ADD(hh, names->workers, id, sizeof worker->id, worker);
        if (!worker->hh.tbl)
            rc = no_memory(err);
    }
    if (rc)
        free(worker);
    else
        *out = worker;
    return rc;
}

int names_worker(int64_t *key, struct names *names, struct id id, const char *host, struct err *err)
{
    struct worker *worker = NULL;
    HASH_FIND(hh, names->workers, &id, sizeof id, worker);
    int rc = worker ? 0 : add_worker(&worker, names, id, err);
    if (!rc && host && *host && !worker->has_host) {
        sqlite3_stmt *set = names->statements[SET_HOST];
        (void)sqlite3_bind_int64(set, 1, worker->key); /* cannot fail: a number at an index of its own */
        db_bind_text(set, 2, host);
        rc = db_run(set, err);
        worker->has_host = !rc;
    }
    if (!rc)
        *key = worker->key;
    return rc;
}

static void destroy_experiment(struct experiment *experiment)
{
    struct metric_name *metric, *next;
    HASH_ITER(hh, experiment->metrics, metric, next)
    {
        HASH_DEL(experiment->metrics, metric);
        free(metric);
    }
    spec_destroy(experiment->spec);
    free(experiment);
}

static int hold_metric(struct experiment *experiment, int64_t number, const char *name, size_t size,
                       struct err *err)
{
    struct metric_name *metric = calloc(1, sizeof *metric + size + 1);
    if (!metric)
        return no_memory(err);
    metric->number = number;
    memcpy(metric->name, name, size);
    HASH_ADD_KEYPTR(hh, experiment->metrics, metric->name, size, metric);
    if (!metric->hh.tbl) {
        free(metric);
        return no_memory(err);
    }
    if (number >= experiment->next_metric)
        experiment->next_metric = number + 1;
    return 0;
}

static int put_metric(struct names *names, struct experiment *experiment, const char *name, size_t size,
                      struct err *err)
{
    sqlite3_stmt *put = names->statements[PUT_METRIC];
    (void)sqlite3_bind_int64(put, 1,
                             experiment->key); /* cannot fail: indices of its own, nothing is copied */
    (void)sqlite3_bind_int64(put, 2, experiment->next_metric);
    (void)sqlite3_bind_text(put, 3, name, (int)size, SQLITE_STATIC);
    int rc = db_run(put, err);
    return rc ? rc : hold_metric(experiment, experiment->next_metric, name, size, err);
}

static int read_metrics(struct names *names, struct experiment *experiment, struct err *err)
{
    sqlite3_stmt *get = names->statements[GET_METRICS];
    (void)sqlite3_bind_int64(get, 1, experiment->key); /* cannot fail: a number at an index of its own */
    int rc;
    while ((rc = db_next(get, err)) == 1) {
        const char *name = db_text(get, 1);
        rc = hold_metric(experiment, sqlite3_column_int64(get, 0), name, strlen(name), err);
        if (rc) {
            (void)sqlite3_reset(get); /* the failure was not its own */
            break;
        }
    }
    return rc;
}

static int add_experiment(struct experiment **out, struct names *names, int64_t key, const char *spec_json,
                          struct err *err)
{
    struct experiment *experiment = calloc(1, sizeof *experiment);
    if (!experiment)
        return no_memory(err);
    experiment->key = key;
    int rc = spec_read_json(&experiment->spec, spec_json, err);
    if (!rc)
        rc = read_metrics(names, experiment, err);
    const char *objective = rc ? "" : experiment->spec->metric.name;
    if (!rc && !experiment->metrics)
        rc = put_metric(names, experiment, objective, strlen(objective), err);
    if (!rc) {
        HASH_ADD(hh, names->experiments, key, sizeof experiment->key, experiment);
        if (!experiment->hh.tbl)
            rc = no_memory(err);
    }
    if (rc)
        destroy_experiment(experiment);
    else
        *out = experiment;
    return rc;
}

static int load_experiment(struct experiment **out, struct names *names, int64_t key, struct err *err)
{
    sqlite3_stmt *get = names->statements[GET_SPEC];
    (void)sqlite3_bind_int64(get, 1, key); /* cannot fail: a number at an index of its own */
    int rc = db_next(get, err);
    if (rc == 1) {
        const char *spec_json = db_text(get, 0);
        rc = db_check_row(get, err);
        if (!rc)
            rc = add_experiment(out, names, key, spec_json, err);
    } else if (!rc) {
        rc = err_set(err, ERR_NOT_FOUND, "the database has no experiment %lld any more", (long long)key);
    }
    (void)sqlite3_reset(get); /* its own error, if any, is told */
    return rc;
}

static int find_experiment(struct experiment **out, struct names *names, int64_t key, const char *spec_json,
                           struct err *err)
{
    struct experiment *experiment = names->last && names->last->key == key ? names->last : NULL;
    int rc = 0;
    if (!experiment)
        HASH_FIND(hh, names->experiments, &key, sizeof key, experiment);
    if (!experiment)
        rc = spec_json ? add_experiment(&experiment, names, key, spec_json, err)
                       : load_experiment(&experiment, names, key, err);
    if (!rc)
        *out = names->last = experiment;
    return rc;
}

int names_spec(const struct spec **spec, struct names *names, int64_t key, const char *spec_json,
               struct err *err)
{
    struct experiment *experiment = NULL;
    int rc = find_experiment(&experiment, names, key, spec_json, err);
    if (!rc)
        *spec = experiment->spec;
    return rc;
}

int names_metric(int64_t *number, struct names *names, int64_t key, const char *name, size_t size,
                 struct err *err)
{
    struct experiment *experiment = NULL;
    struct metric_name *metric = NULL;
    int rc = find_experiment(&experiment, names, key, NULL, err);
    if (rc)
        return rc;
    HASH_FIND(hh, experiment->metrics, name, size, metric);
    if (!metric)
        rc = put_metric(names, experiment, name, size, err);
    if (!rc)
        *number = metric ? metric->number : experiment->next_metric - 1;
    return rc;
}

int names_create(struct names **out, sqlite3 *db, struct err *err)
{
    struct names *names = calloc(1, sizeof *names);
    if (!names)
        return no_memory(err);
    names->db = db;
    int rc = 0;
    for (size_t i = 0; !rc && i < N_STATEMENTS; i++)
        rc = db_prepare(&names->statements[i], db, sql[i], true, err);
    if (rc)
        names_destroy(names);
    else
        *out = names;
    return rc;
}

void names_destroy(struct names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < N_STATEMENTS; i++)
        (void)sqlite3_finalize(names->statements[i]); /* repeats the error of its last step */
    struct worker *worker, *next_worker;
    HASH_ITER(hh, names->workers, worker, next_worker)
    {
        HASH_DEL(names->workers, worker);
        free(worker);
    }
    struct experiment *experiment, *next_experiment;
    HASH_ITER(hh, names->experiments, experiment, next_experiment)
    {
        HASH_DEL(names->experiments, experiment);
        destroy_experiment(experiment);
    }
    free(names);
}
