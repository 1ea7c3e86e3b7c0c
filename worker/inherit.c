/* The directory of a trial that begins where another one is. See worker/inherit.h. */
#include "worker/inherit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/id.h"
#include "core/text.h"
#include "worker/trial_directory.h"

#define CHUNK     (1 << 20)
#define MAX_DEPTH 64

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

/* Of an earlier try that was killed, or of this one. */
static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* what stays is found when it is made again */
}

/* What belongs to the other trial's attempts, not to what it has learnt. */
static bool is_own(const char *name)
{
    return strcmp(name, ".reports") == 0 || strncmp(name, "output-", 7) == 0 ||
           strncmp(name, INHERIT_MARK, sizeof INHERIT_MARK - 1) == 0;
}

static int copy_by_hand(int to, int from)
{
    static char buffer[1 << 16]; /* one attempt at a time */
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0, m; done < n; done += m) {
            m = write(to, buffer + done, (size_t)(n - done));
            if (m < 0)
                return -1;
        }
    }
    return n < 0 ? -1 : 0;
}

/* By the kernel, which shares blocks where the file system can. */
static int copy_bytes(int to, int from)
{
    ssize_t n;
    bool has_begun = false;
    while ((n = copy_file_range(from, NULL, to, NULL, CHUNK, 0)) > 0)
        has_begun = true;
    return n < 0 && !has_begun ? copy_by_hand(to, from) : n < 0 ? -1 : 0;
}

static int copy_file(int to_folder, int from_folder, const char *name, mode_t mode)
{
    int from = openat(from_folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return errno == ENOENT ? 0 : -1; /* it was removed in the meantime */
    int to = openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    int rc = to < 0 ? -1 : copy_bytes(to, from);
    int kept = errno;
    if (to >= 0 && close(to) && !rc) {
        rc = -1;
        kept = errno;
    }
    (void)close(from); /* only read */
    errno = kept;
    return rc;
}

static int copy_link(int to_folder, int from_folder, const char *name)
{
    char target[PATH_MAX + 1];
    ssize_t n = readlinkat(from_folder, name, target, PATH_MAX);
    if (n < 0)
        return errno == ENOENT ? 0 : -1;
    target[n] = '\0';
    return symlinkat(target, to_folder, name);
}

static int copy_folder(int to, int from, unsigned depth);

static int copy_below(int to_folder, int from_folder, const char *name, mode_t mode, unsigned depth)
{
    if (depth == MAX_DEPTH) {
        errno = ELOOP;
        return -1;
    }
    int from = openat(from_folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return errno == ENOENT ? 0 : -1;
    int to = mkdirat(to_folder, name, (mode & 0777) | 0700)
                 ? -1
                 : openat(to_folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to >= 0)
        return copy_folder(to, from, depth + 1);
    int kept = errno;
    (void)close(from); /* only read */
    errno = kept;
    return -1;
}

static int copy_entry(int to, int from, const char *name, unsigned depth)
{
    struct stat status;
    if (!strcmp(name, ".") || !strcmp(name, "..") || (depth == 0 && is_own(name)))
        return 0;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -1;
    if (S_ISREG(status.st_mode))
        return copy_file(to, from, name, status.st_mode);
    if (S_ISLNK(status.st_mode))
        return copy_link(to, from, name);
    return S_ISDIR(status.st_mode) ? copy_below(to, from, name, status.st_mode, depth) : 0;
}

/* Closes both. */
static int copy_folder(int to, int from, unsigned depth)
{
    DIR *entries = fdopendir(from);
    int rc = entries ? 0 : -1;
    const struct dirent *entry;
    while (!rc && (errno = 0, entry = readdir(entries)))
        rc = copy_entry(to, from, entry->d_name, depth);
    if (!rc && errno)
        rc = -1;
    int kept = errno;
    if (entries)
        (void)closedir(entries); /* closes `from` too */
    else
        (void)close(from);
    (void)close(to); /* a folder: nothing is buffered */
    errno = kept;
    return rc;
}

static int copy_tree(const char *to, int from)
{
    int folder = mkdir(to, 0777) ? -1 : open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        return copy_folder(folder, from, 0);
    int kept = errno;
    (void)close(from); /* only read */
    errno = kept;
    return -1;
}

/* Of whoever was killed while it copied. Only under the lock. */
static void remove_left_overs(const char *to)
{
    const char *slash = strrchr(to, '/'), *name = slash ? slash + 1 : to;
    struct text folder = {0}, path = {0};
    const struct dirent *entry;
    text_printf(&folder, "%.*s", slash ? (int)(slash - to) : 1, slash ? to : ".");
    DIR *entries = folder.failed ? NULL : opendir(text_get(&folder));
    size_t length = strlen(name);
    while (entries && (entry = readdir(entries))) {
        if (strncmp(entry->d_name, name, length) != 0 || strncmp(entry->d_name + length, ".part", 5) != 0)
            continue;
        text_clear(&path);
        text_printf(&path, "%s/%s", text_get(&folder), entry->d_name);
        if (!path.failed)
            remove_tree(text_get(&path));
    }
    if (entries)
        (void)closedir(entries); /* only read */
    text_fini(&folder);
    text_fini(&path);
}

/* It is there: as a copy, or because somebody had to begin without one? */
static int judge(const char *to, const char *mark, struct err *err)
{
    struct text path = {0};
    struct stat status;
    text_printf(&path, "%s/%s", to, mark ? mark : "");
    bool is_marked = mark && !path.failed && !stat(text_get(&path), &status);
    text_fini(&path);
    return is_marked ? err_set(err, ERR_NOT_FOUND, "another rank of its gang could not copy %s", to) : 0;
}

/* Gives the directory that was made beside it the name of the trial's; the first who does so decides. Returns
 * false if nobody could. */
static bool publish(const char *to, const char *part)
{
    bool is_there = !rename(part, to) || errno == EEXIST || errno == ENOTEMPTY;
    int kept = errno;
    remove_tree(part); /* if somebody else was first */
    errno = kept;
    return is_there;
}

/* Makes an empty one with the mark; it may be that another rank has a copy by now. */
static int begin_without(const char *to, const char *part, const char *mark, struct err *err)
{
    struct text path = {0};
    struct err fault = {0};
    int code = err->code;
    text_printf(&path, "%s/%s", part, mark);
    if (path.failed || trial_directory_make(part, &fault))
        goto out;
    int fd = open(text_get(&path), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0 && !close(fd) && publish(to, part) && !judge(to, mark, NULL))
        code = 0;
out:
    text_fini(&path);
    return code;
}

/* Takes `folder`. */
static int copy_locked(const char *to, const char *part, const char *from, int folder, struct err *err)
{
    struct stat status;
    int lock = fcntl(folder, F_DUPFD_CLOEXEC, 0); /* held until this is closed as well */
    bool is_locked = lock >= 0 && !flock(lock, LOCK_EX);
    int code = 0;
    if (!stat(to, &status)) { /* while it waited */
        (void)close(folder);
    } else {
        if (is_locked)
            remove_left_overs(to);
        if (copy_tree(part, folder) || !publish(to, part))
            code = err_set(err, ERR_IO, "cannot copy %s: %s", from, strerror(errno));
        remove_tree(part);
    }
    if (lock >= 0)
        (void)close(lock); /* only read */
    return code;
}

static int make_copy(const char *to, const char *part, const char *from, const char *mark, struct err *err)
{
    struct stat status;
    if (!stat(to, &status))
        return judge(to, mark, err);
    int folder = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder >= 0 ? copy_locked(to, part, from, folder, err)
                           : err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %s: %s",
                                     from, strerror(errno));
    if (!code)
        return judge(to, mark, err);
    return mark ? begin_without(to, part, mark, err) : code;
}

int inherit_directory(const char *to, const char *from, const char *mark, struct err *err)
{
    char id[ID_TEXT_SIZE];
    struct text part = {0};
    struct err fault = {0};
    text_printf(&part, "%s.part-%.8s", to, id_format(id_new(), id)); /* others may copy at the same time */
    int code = part.failed ? err_set(&fault, ERR_NOMEM, "out of memory")
                           : make_copy(to, text_get(&part), from, mark, &fault);
    text_fini(&part);
    if (code && err)
        *err = fault;
    return code;
}
