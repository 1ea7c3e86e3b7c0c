#ifndef SDK_SPAWN_H
#define SDK_SPAWN_H

#include <sys/types.h>

/* Starts a program (found on the PATH) in a process group of its own, with the signals of a fresh process and
 * nothing on its input. `settings` are NAME=VALUE strings (NULL-terminated; NULL: none) that stand before
 * those of the environment; `output` takes its stdout and stderr, or -1: they are ours. Returns 0 or an
 * errno. */
int spawn_program(pid_t *pid, const char *program, const char *const *argv, const char *const *settings,
                  int output);

#endif
