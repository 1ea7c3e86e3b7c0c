/* The git revision of a directory, asked of git itself. */
#include "sdk/git.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int start_git(pid_t *pid, int output, const char *directory)
{
    const char *argv[] = {"git",         "-C",        directory, "describe", "--always",
                          "--abbrev=40", "--exclude", "*",       "--dirty",  NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions))
        return -1;
    int failed = posix_spawn_file_actions_adddup2(&actions, output, 1) ||
                 posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) ||
                 posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) ||
                 posix_spawnp(pid, "git", &actions, NULL, (char **)(void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? -1 : 0;
}

char *git_revision(const char *directory)
{
    char revision[128];
    size_t size = 0;
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC))
        return strdup("");
    int failed = start_git(&pid, ends[1], directory);
    (void)close(ends[1]);
    while (!failed && size < sizeof revision - 1) {
        ssize_t n = read(ends[0], revision + size, sizeof revision - 1 - size);
        if (n <= 0)
            break;
        size += (size_t)n;
    }
    (void)close(ends[0]);
    int status = 0;
    if (!failed && (waitpid(pid, &status, 0) != pid || status))
        failed = -1;
    revision[failed ? 0 : size] = '\0';
    revision[strcspn(revision, "\n")] = '\0';
    return strdup(revision);
}
