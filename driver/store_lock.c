/* The lock file of a database; see store_lock.h for why it is a POSIX record lock.
 *
 * Invariants: a file that this process has locked is never opened a second time in it; a lock counts only if
 * the path still leads to the locked file, since the file is removed on release and another process may have
 * made a new one meanwhile. */
#include "driver/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_lock {
    char *path;
    int fd;
    pid_t pid; /* a forked child inherits this list, but not the locks */
    dev_t device;
    ino_t inode;
    char endpoint[STORE_ENDPOINT_SIZE];
    struct store_lock *next;
};

static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct store_lock *held; /* by this process; a list because the lock belongs to the whole process */

static struct store_lock *find_held(const struct stat *status)
{
    for (struct store_lock *lock = held; lock; lock = lock->next)
        if (lock->pid == getpid() && lock->device == status->st_dev && lock->inode == status->st_ino)
            return lock;
    return NULL;
}

static char *lock_path(const char *database)
{
    char *path = NULL;
    return asprintf(&path, "%s.lock", database) < 0 ? NULL : path;
}

static void read_content(struct store_driver *driver, int fd)
{
    char line[STORE_ENDPOINT_SIZE + 32];
    ssize_t size = pread(fd, line, sizeof line - 1, 0);
    line[size > 0 ? size : 0] = '\0';
    char *end = line;
    long pid = strtol(line, &end, 10);
    if (pid > 0)
        driver->pid = pid;
    while (*end == ' ')
        end++;
    end[strcspn(end, "\r\n")] = '\0';
    (void)snprintf(driver->endpoint, sizeof driver->endpoint, "%s", end); /* a longer one is none of ours */
}

/* Who holds the file at `path`, opened as `fd`; false: nobody. */
static bool find_holder(struct store_driver *driver, int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
        return false;
    *driver = (struct store_driver){0};
    read_content(driver, fd);
    if (lock.l_pid > 0)
        driver->pid = lock.l_pid; /* what the kernel says is never stale */
    return true;
}

static int refuse_busy(const char *database, const struct store_driver *driver, struct err *err)
{
    if (driver->endpoint[0])
        return err_set(err, ERR_BUSY,
                       "'%.60s' is in use by a driver (pid %ld, %.60s): submit to it with 'prova submit "
                       "--driver ENDPOINT', or give another database with --db",
                       database, driver->pid, driver->endpoint);
    return err_set(err, ERR_BUSY,
                   "'%.100s' is in use by a driver (pid %ld): wait for it to end, or give another database "
                   "with --db",
                   database, driver->pid);
}

static int refuse_file(const char *path, int number, struct err *err)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return err_set(err, ERR_IO,
                       "cannot create '%.120s': its folder does not exist; make it, or give "
                       "another database with --db",
                       path);
    case EACCES:
    case EPERM:
    case EROFS:
        return err_set(err, ERR_IO,
                       "cannot create '%.120s': the folder is read-only; make it writable, or "
                       "give another database with --db",
                       path);
    case ENOSPC:
    case EDQUOT:
        return err_set(err, ERR_FULL, "cannot write '%.120s': the disk is full; free some space", path);
    case ENOLCK:
    case EOPNOTSUPP:
        return err_set(err, ERR_UNSUPPORTED,
                       "cannot lock '%.120s': this filesystem has no locks; put the "
                       "database on a local disk with --db",
                       path);
    default:
        return err_set(err, ERR_IO, "cannot lock '%.120s': %s", path, strerror(number));
    }
}

static bool is_same_file(struct stat *status, int fd, const char *path)
{
    struct stat named;
    return !fstat(fd, status) && !stat(path, &named) && status->st_dev == named.st_dev &&
           status->st_ino == named.st_ino;
}

/* One try. ERR_INTERRUPTED: the file was replaced meanwhile, try again. */
static int try_lock(struct store_lock *lock, const char *database, struct err *err)
{
    struct stat status;
    if (!stat(lock->path, &status)) {
        const struct store_lock *mine = find_held(&status);
        if (mine) {
            struct store_driver driver = {.pid = mine->pid};
            memcpy(driver.endpoint, mine->endpoint, sizeof driver.endpoint);
            return refuse_busy(database, &driver, err);
        }
    }
    int fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return refuse_file(lock->path, errno, err);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = 0;
    if (fcntl(fd, F_SETLK, &whole)) {
        int number = errno;
        struct store_driver driver;
        if (number != EAGAIN && number != EACCES)
            rc = refuse_file(lock->path, number, err);
        else
            rc = find_holder(&driver, fd) ? refuse_busy(database, &driver, err) : ERR_INTERRUPTED;
    } else if (!is_same_file(&status, fd, lock->path)) {
        rc = ERR_INTERRUPTED;
    }
    if (rc) {
        (void)close(fd); /* nothing was written */
        return rc;
    }
    lock->fd = fd;
    lock->device = status.st_dev;
    lock->inode = status.st_ino;
    return 0;
}

int store_lock_acquire(struct store_lock **out, const char *database, struct err *err)
{
    struct store_lock *lock = calloc(1, sizeof *lock);
    if (lock) {
        lock->fd = -1;
        lock->pid = getpid();
        lock->path = lock_path(database);
    }
    if (!lock || !lock->path) {
        free(lock);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    (void)pthread_mutex_lock(&held_mutex); /* cannot fail: a plain mutex */
    int rc = ERR_INTERRUPTED;
    for (int i = 0; i < 100 && rc == ERR_INTERRUPTED; i++)
        rc = try_lock(lock, database, err);
    if (!rc) {
        lock->next = held;
        held = lock;
    }
    (void)pthread_mutex_unlock(&held_mutex);
    if (rc == ERR_INTERRUPTED)
        rc = err_set(err, ERR_BUSY, "'%.120s' is being opened and closed by other drivers: try again",
                     database);
    if (!rc)
        rc = store_lock_write(lock, "", err);
    if (!rc) {
        *out = lock;
    } else if (lock->fd >= 0) {
        store_lock_release(lock);
    } else {
        free(lock->path);
        free(lock);
    }
    return rc;
}

int store_lock_write(struct store_lock *lock, const char *endpoint, struct err *err)
{
    char line[STORE_ENDPOINT_SIZE + 32];
    int size = snprintf(line, sizeof line, "%ld %s\n", (long)lock->pid, endpoint);
    if (strlen(endpoint) >= sizeof lock->endpoint || size >= (int)sizeof line)
        return err_set(err, ERR_INVALID, "the endpoint is longer than %zu characters",
                       sizeof lock->endpoint - 1);
    if (pwrite(lock->fd, line, (size_t)size, 0) != size || ftruncate(lock->fd, size))
        return refuse_file(lock->path, errno, err);
    (void)pthread_mutex_lock(&held_mutex);
    memcpy(lock->endpoint, endpoint, strlen(endpoint) + 1);
    (void)pthread_mutex_unlock(&held_mutex);
    return 0;
}

void store_lock_release(struct store_lock *lock)
{
    if (!lock)
        return;
    (void)pthread_mutex_lock(&held_mutex);
    struct store_lock **place = &held;
    while (*place && *place != lock)
        place = &(*place)->next;
    if (*place)
        *place = lock->next;
    if (lock->pid == getpid())
        (void)unlink(lock->path); /* left behind it is harmless: the lock is what counts */
    (void)close(lock->fd);
    (void)pthread_mutex_unlock(&held_mutex);
    free(lock->path);
    free(lock);
}

char *store_driver_file(const char *path)
{
    char *real = realpath(path, NULL);
    char *name = real ? lock_path(real) : NULL;
    free(real);
    return name;
}

int store_find_driver(struct store_driver *driver, const char *path)
{
    char *name = store_driver_file(path);
    struct stat status;
    int rc = ERR_NOT_FOUND;
    (void)pthread_mutex_lock(&held_mutex);
    if (name && !stat(name, &status)) {
        const struct store_lock *mine = find_held(&status);
        int fd = mine ? -1 : open(name, O_RDONLY | O_CLOEXEC);
        if (mine) {
            driver->pid = mine->pid;
            memcpy(driver->endpoint, mine->endpoint, sizeof driver->endpoint);
            rc = 0;
        } else if (fd >= 0) {
            rc = find_holder(driver, fd) ? 0 : ERR_NOT_FOUND;
            (void)close(fd);
        }
    }
    (void)pthread_mutex_unlock(&held_mutex);
    free(name);
    return rc;
}
