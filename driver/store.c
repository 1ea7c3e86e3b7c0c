/* The store's two sides: the appending thread, which fills a batch and closes it by store_flush, and the
 * writer thread, which commits what was closed, one transaction each time.
 *
 * Invariants: a transaction consists of whole flushes; the committed number grows only after COMMIT has
 * returned with the WAL synced, and never again after a failure; nothing is written after a failure. The
 * mutex is held only to exchange batches and numbers, never over I/O. The one lock of SQLite's that may be
 * waited for is somebody else's, and the writer waits for it, not the appender. */
#include "driver/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table (hh.tbl) */
#include <uthash.h>

#include "driver/store_batch.h"
#include "driver/store_db.h"
#include "driver/store_load.h"
#include "driver/store_lock.h"
#include "driver/store_schema.h"
#include "driver/store_write.h"

struct known_id {
    struct id id;
    int64_t key;
    UT_hash_handle hh;
};

struct store {
    char *path; /* absolute, without symbolic links */
    struct store_lock *lock;
    int event_fd;

    /* of the appending thread */
    struct arena arena;
    struct batch filling;
    int64_t last_seq, next_key;
    struct known_id *known; /* ids of all experiments */

    /* of the writer thread, once it runs */
    struct writer *writer;
    pthread_t thread;
    bool has_thread;

    /* of both */
    _Atomic int64_t committed;
    atomic_bool is_closing;
    atomic_bool has_failed; /* failure.code, without the mutex */
    pthread_mutex_t mutex;  /* of the rest */
    pthread_cond_t work;    /* ready has something, or is_closing */
    pthread_cond_t progress;
    struct batch ready;
    int64_t ready_seq; /* of its last record */
    struct err failure;
};

/* The writer's side */

static void signal_event(struct store *store)
{
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(store->event_fd, &one, sizeof one);
    while (n < 0 &&
           errno == EINTR); /* EAGAIN: the counter is full, so it is readable, which is all we want */
}

static void publish(struct store *store, int64_t seq, const struct err *failure)
{
    (void)pthread_mutex_lock(&store->mutex); /* cannot fail: a plain mutex */
    if (failure->code) {
        store->failure = *failure;
        atomic_store(&store->has_failed, true);
    } else {
        atomic_store(&store->committed, seq);
    }
    signal_event(store); /* before store_sync returns: no event comes after it for what it has waited for */
    (void)pthread_cond_broadcast(&store->progress);
    (void)pthread_mutex_unlock(&store->mutex);
}

/* Takes what was closed; false: the store is closing and nothing is left. */
static bool take_ready(struct batch *batch, int64_t *seq, struct store *store)
{
    (void)pthread_mutex_lock(&store->mutex); /* cannot fail: a plain mutex */
    while (!store->ready.first && !atomic_load(&store->is_closing))
        (void)pthread_cond_wait(&store->work, &store->mutex);
    *batch = store->ready;
    *seq = store->ready_seq;
    store->ready = (struct batch){0};
    (void)pthread_mutex_unlock(&store->mutex);
    return batch->first;
}

static void *run_writer(void *arg)
{
    struct store *store = arg;
    struct batch batch;
    int64_t seq;
    while (take_ready(&batch, &seq, store)) {
        struct err failure = {0};
        if (!atomic_load(&store->has_failed)) {
            failure.code = writer_commit(store->writer, &batch, &failure);
            publish(store, seq, &failure);
            if (!failure.code)
                writer_checkpoint(store->writer);
        }
        batch_recycle(&batch, &store->arena);
    }
    batch_recycle(&batch, &store->arena);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_writer(struct store *store, struct err *err)
{
    sigset_t all, before;
    (void)sigfillset(&all); /* cannot fail, nor can the two below: the arguments are constants */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&store->thread, NULL, run_writer, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    store->has_thread = !number;
    return number ? err_set(err, ERR_NOMEM, "cannot start the thread that writes the database: %s",
                            strerror(number))
                  : 0;
}

/* Opening and closing */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

static int know_id(struct store *store, struct id id, int64_t key)
{
    struct known_id *known = NULL;
    HASH_FIND(hh, store->known, &id, sizeof id, known);
    if (known)
        return 0;
    known = calloc(1, sizeof *known);
    if (!known)
        return ERR_NOMEM;
    known->id = id;
    known->key = key;
    HASH_ADD(hh, store->known, id, sizeof known->id, known);
    if (!known->hh.tbl) {
        free(known);
        return ERR_NOMEM;
    }
    return 0;
}

/* Keys that were used, by experiments that are there and by removed ones. */
static int read_keys(struct store *store, sqlite3 *db, struct err *err)
{
    sqlite3_stmt *get = NULL;
    struct id id;
    int rc = db_prepare(&get, db,
                        "SELECT key, id FROM experiments UNION ALL "
                        "SELECT seq, '' FROM sqlite_sequence WHERE name = 'experiments'",
                        false, err);
    while (!rc && (rc = db_next(get, err)) == 1) {
        int64_t key = sqlite3_column_int64(get, 0);
        if (key >= store->next_key)
            store->next_key = key + 1;
        rc = id_parse(&id, db_text(get, 1)) ? 0 : know_id(store, id, key);
        if (rc)
            (void)no_memory(err);
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step */
    return rc;
}

/* A page that is freed need not be wiped, nor a WAL kept that one great transaction has blown up. */
static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; "
    "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192;";

static int open_database(struct store *store, const char *path, struct err *err)
{
    sqlite3 *db = NULL;
    int rc = db_open(&db, path, DB_CREATE, err);
    if (rc)
        return rc;
    store->path = strdup(sqlite3_db_filename(db, "main"));
    if (!store->path)
        rc = no_memory(err);
    if (!rc)
        rc = store_lock_acquire(&store->lock, store->path, err);
    if (!rc)
        rc = schema_guard(db, err);
    if (!rc)
        rc = db_exec(db, settings, err);
    if (!rc)
        rc = schema_upgrade(db, err);
    if (!rc)
        rc = read_keys(store, db, err);
    if (!rc)
        return writer_create(&store->writer, db, &store->is_closing, err);
    db_close(db);
    return rc;
}

static void destroy(struct store *store)
{
    writer_destroy(store->writer);
    store_lock_release(store->lock);
    if (store->event_fd >= 0)
        (void)close(store->event_fd); /* nothing was written to it that could be lost */
    batch_recycle(&store->filling, &store->arena);
    arena_fini(&store->arena);
    struct known_id *known, *next;
    HASH_ITER(hh, store->known, known, next)
    {
        HASH_DEL(store->known, known);
        free(known);
    }
    (void)pthread_cond_destroy(&store->work); /* nobody waits */
    (void)pthread_cond_destroy(&store->progress);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store->path);
    free(store);
}

int store_open(struct store **out, const char *path, struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return no_memory(err);
    store->next_key = 1;
    arena_init(&store->arena);
    (void)pthread_mutex_init(&store->mutex, NULL); /* these cannot fail with default attributes */
    (void)pthread_cond_init(&store->work, NULL);
    (void)pthread_cond_init(&store->progress, NULL);
    store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = 0;
    if (store->event_fd < 0)
        rc = err_set(err, ERR_IO, "cannot make an event descriptor: %s", strerror(errno));
    if (!rc)
        rc = open_database(store, path, err);
    if (!rc)
        rc = start_writer(store, err);
    if (rc)
        destroy(store);
    else
        *out = store;
    return rc;
}

int store_close(struct store *store, struct err *err)
{
    if (!store)
        return 0;
    store_flush(store);
    (void)pthread_mutex_lock(&store->mutex); /* cannot fail: a plain mutex */
    atomic_store(&store->is_closing, true);
    (void)pthread_cond_signal(&store->work);
    (void)pthread_mutex_unlock(&store->mutex);
    (void)pthread_join(store->thread, NULL); /* cannot fail: it runs, and nobody else joins it */
    int rc = store_failure(store, err);
    destroy(store);
    return rc;
}

int store_set_endpoint(struct store *store, const char *endpoint, struct err *err)
{
    return store_lock_write(store->lock, endpoint, err);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int64_t store_next_key(const struct store *store)
{
    return store->next_key;
}

bool store_has_experiment(int64_t *key, const struct store *store, struct id experiment)
{
    struct known_id *known = NULL;
    HASH_FIND(hh, store->known, &experiment, sizeof experiment, known);
    if (known && key)
        *key = known->key;
    return known;
}

/* The appender's side */

int64_t store_append(struct store *store, const struct record *record)
{
    if (atomic_load_explicit(&store->has_failed, memory_order_relaxed))
        return ++store->last_seq;
    if (record->kind == RECORD_EXPERIMENT) {
        const struct experiment_record *experiment = &record->experiment;
        if (know_id(store, experiment->id, experiment->key))
            return ERR_NOMEM;
        if (experiment->key >= store->next_key)
            store->next_key = experiment->key + 1;
    }
    if (batch_append(&store->filling, &store->arena, record))
        return ERR_NOMEM;
    return ++store->last_seq;
}

void store_flush(struct store *store)
{
    if (!store->filling.first)
        return;
    (void)pthread_mutex_lock(&store->mutex); /* cannot fail: a plain mutex */
    batch_join(&store->ready, &store->filling);
    store->ready_seq = store->last_seq;
    (void)pthread_cond_signal(&store->work);
    (void)pthread_mutex_unlock(&store->mutex);
}

int store_event_fd(const struct store *store)
{
    return store->event_fd;
}

int64_t store_committed(struct store *store)
{
    uint64_t n;
    (void)!read(store->event_fd, &n,
                sizeof n); /* EAGAIN: nothing is new. Read first, so that no event is missed */
    return atomic_load(&store->committed);
}

int store_sync(struct store *store, struct err *err)
{
    store_flush(store);
    (void)pthread_mutex_lock(&store->mutex); /* cannot fail: a plain mutex */
    while (atomic_load(&store->committed) < store->last_seq && !store->failure.code)
        (void)pthread_cond_wait(&store->progress, &store->mutex);
    (void)pthread_mutex_unlock(&store->mutex);
    return store_failure(store, err);
}

int store_failure(const struct store *store, struct err *err)
{
    /* Once set it is never written again. */
    if (!atomic_load(&store->has_failed))
        return 0;
    return err_set(err, store->failure.code, "%s", store->failure.text);
}

int store_load(struct store *store, struct id only, const struct store_loader *loader, struct err *err)
{
    int rc = store_sync(store, err);
    return rc ? rc : load_experiments(store->path, only, loader, err);
}
