/* Finding and running the `prova` command. */
#include "sdk/command.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "sdk/prova.h"

extern char **environ;

static bool is_executable(const char *path)
{
    struct stat what;
    return !stat(path, &what) && S_ISREG(what.st_mode) && !access(path, X_OK);
}

static bool find_beside_library(char *path)
{
    static const char *const places[] = {"prova", "../bin/prova", "../../bin/prova", "../prova"};
    Dl_info info;
    char library[PATH_MAX], candidate[PATH_MAX];
    union {
        const char *(*function)(void);
        void *address;
    } here = {.function = prova_version};
    if (!dladdr(here.address, &info) || !info.dli_fname || !realpath(info.dli_fname, library))
        return false;
    char *slash = strrchr(library, '/');
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int size = snprintf(candidate, sizeof candidate, "%s%s", library, places[i]);
        if (size < (int)sizeof candidate && realpath(candidate, path) && is_executable(path))
            return true;
    }
    return false;
}

int command_find(char path[static PATH_MAX], struct err *err)
{
    const char *given = getenv("PROVA_BIN");
    if (given && *given) {
        if (realpath(given, path) && is_executable(path))
            return ERR_OK;
        return err_set(err, ERR_NOT_FOUND, "PROVA_BIN is '%.150s', which is no program", given);
    }
    if (!find_beside_library(path))
        (void)strcpy(path, "prova");
    return ERR_OK;
}

static int start(pid_t *pid, int output, const char *path, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawn_file_actions_adddup2(&actions, output, 1);
    failed = failed ? failed : posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (!failed)
        failed = posix_spawnp(pid, path, &actions, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void read_all(struct text *text, int fd)
{
    char buffer[4096];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            text_append_bytes(text, buffer, (size_t)n);
    }
}

int command_output(char **output, const char *const *argv, struct err *err)
{
    char path[PATH_MAX];
    int ends[2], status = 0;
    pid_t pid;
    struct text text = {0};
    *output = NULL;
    int rc = command_find(path, err);
    if (rc)
        return rc;
    if (pipe2(ends, O_CLOEXEC))
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    int failed = start(&pid, ends[1], path, argv);
    (void)close(ends[1]);
    if (!failed) {
        read_all(&text, ends[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    (void)close(ends[0]);
    if (failed) {
        rc = err_set(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot start '%.150s': %s", path,
                     strerror(failed));
    } else if (status == 0) {
        *output = text_take(&text);
        rc = *output ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    }
    text_fini(&text);
    return rc;
}
