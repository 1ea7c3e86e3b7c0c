/* Names and makes the directories of trials. */
#include "worker/trial_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void trial_directory_path(struct text *path, const char *base, const char *name, struct id experiment,
                          uint64_t trial)
{
    char id[ID_TEXT_SIZE];
    text_printf(path, "%s/%s-%.8s/%" PRIu64, base, name, id_format(experiment, id), trial);
}

static int make_one(const char *path, struct err *err)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return err_set(err, ERR_IO, "cannot make directory %s: %s", path, strerror(errno));
    return ERR_OK;
}

int trial_directory_make(const char *path, struct err *err)
{
    if (!mkdir(path, 0777) || errno == EEXIST)
        return ERR_OK;
    char copy[4096];
    size_t size = strlen(path);
    if (size >= sizeof copy)
        return err_set(err, ERR_IO, "cannot make directory %.100s...: name too long", path);
    memcpy(copy, path, size + 1);
    for (char *c = copy + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        int code = make_one(copy, err);
        if (code)
            return code;
        *c = '/';
    }
    return make_one(copy, err);
}

void trial_directory_log_path(struct text *path, const char *directory, uint64_t attempt, uint64_t rank)
{
    text_printf(path, "%s/output-%" PRIu64, directory, attempt);
    if (rank > 0) /* the members of a gang may share the directory */
        text_printf(path, "-rank%" PRIu64, rank);
    text_append(path, ".log");
}

int trial_directory_open_log(struct text *path, const char *directory, uint64_t attempt, uint64_t rank,
                             struct err *err)
{
    text_clear(path);
    trial_directory_log_path(path, directory, attempt, rank);
    if (path->failed)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    int fd = open(text_get(path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
        return err_set(err, ERR_IO, "cannot write %s: %s", text_get(path), strerror(errno));
    return fd;
}
