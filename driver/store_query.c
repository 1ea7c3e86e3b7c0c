/* Opening a database for questions, finding an experiment in it, and removing one. */
#include "driver/store_query.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"
#include "driver/store_document.h"
#include "driver/store_lock.h"

int query_open(struct query **out, const char *path, struct err *err)
{
    struct query *query = calloc(1, sizeof *query);
    int rc = query && (query->path = strdup(path)) ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (!rc)
        rc = db_open(&query->db, path, DB_READ, err);
    if (rc)
        query_close(query);
    else
        *out = query;
    return rc;
}

void query_close(struct query *query)
{
    if (!query)
        return;
    db_close(query->db);
    free(query->path);
    free(query);
}

/* Finding */

#define MAX_CANDIDATES 4

static int read_found(struct query_experiment *found, sqlite3_stmt *row, struct err *err)
{
    found->key = sqlite3_column_int64(row, 0);
    found->state = (enum experiment_state)sqlite3_column_int(row, 2);
    (void)snprintf(found->name, sizeof found->name, "%s", db_text(row, 3)); /* a longer name is cut */
    const char *id = db_text(row, 1);
    int rc = db_check_row(row, err);
    if (rc)
        return rc;
    if (id_parse(&found->id, id))
        return err_set(err, ERR_INVALID, "experiment '%.100s' has no valid id in the database", found->name);
    return 0;
}

/* Up to `max` rows of a statement with one text to bind (or none). Returns how many, or a code. */
static int find_rows(struct query_experiment *found, int max, struct query *query, const char *condition,
                     const char *bound, struct err *err)
{
    struct text sql = {0};
    sqlite3_stmt *get = NULL;
    text_printf(&sql, "SELECT key, id, state, name FROM experiments %s ORDER BY key DESC LIMIT %d", condition,
                max);
    int n = 0, rc = sql.failed ? err_set(err, ERR_NOMEM, "out of memory")
                               : db_prepare(&get, query->db, text_get(&sql), false, err);
    if (!rc && bound)
        db_bind_text(get, 1, bound);
    while (!rc && (rc = db_next(get, err)) == 1)
        rc = read_found(&found[n++], get, err);
    (void)sqlite3_finalize(get); /* repeats the error of the step */
    text_fini(&sql);
    return rc ? rc : n;
}

/* Lower case, if it can be the beginning of an id. */
static bool copy_id_prefix(char prefix[static ID_TEXT_SIZE], const char *word)
{
    size_t size = strlen(word);
    if (!size || size >= ID_TEXT_SIZE)
        return false;
    for (size_t i = 0; i <= size; i++) {
        if (word[i] && word[i] != '-' && !isxdigit((unsigned char)word[i]))
            return false;
        prefix[i] = (char)tolower((unsigned char)word[i]);
    }
    return true;
}

static int refuse_ambiguous(const char *word, const struct query_experiment *found, int n, struct err *err)
{
    struct text list = {0};
    char id[ID_TEXT_SIZE];
    for (int i = 0; i < n && i < MAX_CANDIDATES; i++)
        text_printf(&list, "%s%.13s (%.20s)", i ? ", " : "", id_format(found[i].id, id), found[i].name);
    int rc = err_set(err, ERR_INVALID, "'%s' begins more than one id: %s%s; give more of it", word,
                     text_get(&list), n > MAX_CANDIDATES ? ", ..." : "");
    text_fini(&list);
    return rc;
}

/* Names of all experiments; *names and what it points to is the caller's, with text_fini and free. */
static int read_names(struct text *memory, const char ***names, size_t *n, struct query *query)
{
    sqlite3_stmt *get = NULL;
    int rc = db_prepare(&get, query->db, "SELECT DISTINCT name FROM experiments", false, NULL);
    for (*n = 0; !rc && (rc = db_next(get, NULL)) == 1; (*n)++, rc = 0)
        text_append_bytes(memory, db_text(get, 0), strlen(db_text(get, 0)) + 1);
    (void)sqlite3_finalize(get); /* repeats the error of the step */
    *names = rc || memory->failed ? NULL : calloc(*n + 1, sizeof **names);
    const char *name = memory->data;
    for (size_t i = 0; *names && i < *n; i++, name += strlen(name) + 1)
        (*names)[i] = name;
    return *names ? 0 : ERR_NOMEM;
}

static int refuse_unknown(struct query *query, const char *word, struct err *err)
{
    struct text memory = {0};
    const char **names = NULL;
    size_t n = 0;
    const char *near = read_names(&memory, &names, &n, query) ? NULL : nearest_name(word, names, n);
    int rc = near ? err_set(err, ERR_NOT_FOUND, "no experiment '%.60s' in '%.80s'; did you mean '%.60s'?",
                            word, query->path, near)
                  : err_set(err, ERR_NOT_FOUND, "no experiment '%.60s' in '%.80s'; 'prova ls' shows them all",
                            word, query->path);
    free(names);
    text_fini(&memory);
    return rc;
}

int query_find(struct query_experiment *out, struct query *query, const char *experiment, struct err *err)
{
    struct query_experiment found[MAX_CANDIDATES + 1];
    char prefix[ID_TEXT_SIZE];
    int n = find_rows(found, 1, query, experiment ? "WHERE name = ?1" : "", experiment, err);
    if (!n && experiment && copy_id_prefix(prefix, experiment))
        n = find_rows(found, MAX_CANDIDATES + 1, query, "WHERE id >= ?1 AND id < ?1 || 'g'", prefix, err);
    if (n < 0)
        return n;
    if (!n && !experiment)
        return err_set(err, ERR_NOT_FOUND, "no experiments in '%.120s' yet: start one with 'prova run'",
                       query->path);
    if (!n)
        return refuse_unknown(query, experiment, err);
    if (n > 1)
        return refuse_ambiguous(experiment, found, n, err);
    *out = found[0];
    return 0;
}

/* Removing */

/* The experiment's row last: the others are found by its key. Pages that are freed are not wiped (which would
 * write every one of them). */
static const char removal[] =
    "PRAGMA secure_delete = OFF; PRAGMA journal_size_limit = 67108864; BEGIN IMMEDIATE;"
    "DELETE FROM reports WHERE experiment = %lld;"
    "DELETE FROM attempts WHERE experiment = %lld;"
    "DELETE FROM metrics WHERE experiment = %lld;"
    "DELETE FROM events WHERE experiment = %lld;"
    "DELETE FROM trials WHERE id BETWEEN %lld AND %lld;"
    "DELETE FROM experiments WHERE key = %lld; COMMIT;";

static int remove_rows(const char *path, int64_t key, struct err *err)
{
    sqlite3 *db = NULL;
    int rc = db_open(&db, path, DB_WRITE, err);
    if (rc)
        return rc;
    long long k = key, first = db_trial_id(key, 0), last = db_trial_id(key, DB_MAX_TRIAL);
    struct text sql = {0};
    text_printf(&sql, removal, k, k, k, k, first, last, k);
    rc = sql.failed ? err_set(err, ERR_NOMEM, "out of memory") : db_exec(db, text_get(&sql), err);
    text_fini(&sql);
    db_close(db); /* takes back a transaction that was not committed */
    return rc;
}

/* Keeps drivers away while rows are removed. One that is there already is in the way, unless it is through
 * with the experiment: it might go on with it at any time. */
static int keep_drivers_away(struct store_lock **lock, const char *path,
                             const struct query_experiment *experiment, struct err *err)
{
    char *real = realpath(path, NULL);
    if (!real)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = store_lock_acquire(lock, real, err);
    free(real);
    if (rc != ERR_BUSY)
        return rc;
    if (experiment->state == EXPERIMENT_COMPLETED)
        return 0;
    return err_set(
        err, ERR_BUSY,
        "'%.60s' is %s and a driver has the database: stop it first (prova stop %.60s, then end the "
        "driver)",
        experiment->name, experiment_state_name(experiment->state), experiment->name);
}

int query_remove(struct query_experiment *removed, const char *path, const char *experiment, struct err *err)
{
    struct query *query = NULL;
    struct store_lock *lock = NULL;
    int rc = query_open(&query, path, err);
    if (!rc)
        rc = query_find(removed, query, experiment, err);
    query_close(query);
    if (!rc)
        rc = keep_drivers_away(&lock, path, removed, err);
    if (!rc)
        rc = remove_rows(path, removed->key, err);
    store_lock_release(lock);
    return rc;
}
