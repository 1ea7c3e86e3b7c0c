/* Starting a program, by posix_spawn: it does not copy the process, and is safe beside threads. */
#include "sdk/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static bool is_set(const char *entry, const char *const *settings)
{
    size_t length = strcspn(entry, "=") + 1;
    for (; *settings; settings++) {
        if (strncmp(entry, *settings, length) == 0)
            return true;
    }
    return false;
}

/* The settings, and the environment without what they replace. NULL when out of memory. */
static char **make_environment(const char *const *settings)
{
    size_t n = 0, n_settings = 0;
    while (settings[n_settings])
        n_settings++;
    while (environ[n])
        n++;
    char **out = malloc((n_settings + n + 1) * sizeof *out);
    if (!out)
        return NULL;
    memcpy(out, settings, n_settings * sizeof *out);
    char **end = out + n_settings;
    for (char **entry = environ; *entry; entry++) {
        if (!is_set(*entry, settings))
            *end++ = *entry;
    }
    *end = NULL;
    return out;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int output)
{
    sigset_t none, all;
    (void)sigemptyset(&none); /* these and the attributes only store */
    (void)sigfillset(&all);
    (void)posix_spawnattr_setpgroup(attributes, 0);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setflags(attributes,
                                   POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    for (int fd = 1; !failed && output >= 0 && fd <= 2; fd++)
        failed = posix_spawn_file_actions_adddup2(actions, output, fd);
    return failed;
}

int spawn_program(pid_t *pid, const char *program, const char *const *argv, const char *const *settings,
                  int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = settings ? make_environment(settings) : environ;
    if (!environment)
        return ENOMEM;
    int failed = posix_spawn_file_actions_init(&actions);
    if (!failed) {
        failed = posix_spawnattr_init(&attributes);
        if (!failed) {
            failed = set_up(&actions, &attributes, output);
            if (!failed)
                failed =
                    posix_spawnp(pid, program, &actions, &attributes, (char **)(uintptr_t)argv, environment);
            (void)posix_spawnattr_destroy(&attributes);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (settings)
        free(environment);
    return failed;
}
