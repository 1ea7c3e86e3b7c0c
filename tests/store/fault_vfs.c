/* Faults in SQLite's file layer: a copy of its methods with three of them replaced. */
#include "tests/store/fault_vfs.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

static sqlite3_vfs *real_vfs;
static sqlite3_vfs fault_vfs;

/* SQLite has different methods for databases and for their logs. */
enum { MAX_METHODS = 4 };
static const sqlite3_io_methods *real_methods[MAX_METHODS];
static sqlite3_io_methods fault_methods[MAX_METHODS];

static atomic_long n_operations, n_syncs, fail_at, kill_at;
static atomic_int fail_code;
static atomic_bool kills_torn;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_holding, is_held;

/* Counts an operation. Returns the code that it is to fail with; *dies: it is to kill the process. */
static int count(bool *dies)
{
    long n = atomic_fetch_add(&n_operations, 1) + 1;
    long fail = atomic_load(&fail_at), kill = atomic_load(&kill_at);
    *dies = kill && n >= kill;
    return fail && n >= fail ? atomic_load(&fail_code) : SQLITE_OK;
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static const sqlite3_io_methods *real(const sqlite3_file *file)
{
    return real_methods[file->pMethods - fault_methods];
}

static int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    bool dies;
    int code = count(&dies);
    if (dies && atomic_load(&kills_torn))
        (void)real(file)->xWrite(file, data, size / 2, offset);
    if (dies)
        die();
    return code ? code : real(file)->xWrite(file, data, size, offset);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    bool dies;
    int code = count(&dies);
    if (dies)
        die();
    return code ? code : real(file)->xTruncate(file, size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    bool dies;
    int code = count(&dies);
    if (dies)
        die();
    if (code)
        return code;
    atomic_fetch_add(&n_syncs, 1);
    pthread_mutex_lock(&mutex);
    while (is_holding) {
        is_held = true;
        pthread_cond_broadcast(&changed);
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return real(file)->xSync(file, flags);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (rc != SQLITE_OK || !file->pMethods || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
        return rc;
    int i = 0;
    while (i < MAX_METHODS - 1 && real_methods[i] && real_methods[i] != file->pMethods)
        i++;
    if (!real_methods[i]) {
        real_methods[i] = file->pMethods;
        fault_methods[i] = *file->pMethods;
        fault_methods[i].xWrite = fault_write;
        fault_methods[i].xTruncate = fault_truncate;
        fault_methods[i].xSync = fault_sync;
    }
    file->pMethods = &fault_methods[i];
    return rc;
}

void fault_vfs_install(void)
{
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *real_vfs;
    fault_vfs.zName = "fault";
    fault_vfs.xOpen = fault_open;
    sqlite3_vfs_register(&fault_vfs, 1);
}

static void reset(void)
{
    atomic_store(&n_operations, 0);
    atomic_store(&n_syncs, 0);
}

void fault_vfs_fail(long n, int code)
{
    reset();
    atomic_store(&fail_code, code);
    atomic_store(&fail_at, n);
}

void fault_vfs_kill(long n, bool is_torn)
{
    reset();
    atomic_store(&kills_torn, is_torn);
    atomic_store(&kill_at, n);
}

long fault_vfs_operations(void)
{
    return atomic_load(&n_operations);
}

long fault_vfs_syncs(void)
{
    return atomic_load(&n_syncs);
}

void fault_vfs_hold(void)
{
    pthread_mutex_lock(&mutex);
    is_holding = true;
    is_held = false;
    pthread_mutex_unlock(&mutex);
}

void fault_vfs_hold_wait(void)
{
    pthread_mutex_lock(&mutex);
    while (!is_held)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

void fault_vfs_release(void)
{
    pthread_mutex_lock(&mutex);
    is_holding = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}
