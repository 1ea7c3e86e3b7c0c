#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/err.h"

/* A child process that leads a process group of its own, and dies with the process that has started it. */

struct process {
    pid_t pid;
    int pid_fd;    /* readable once it has ended; -1: not started */
    int output_fd; /* its stdout and stderr, not blocking; -1: closed */
};

struct process_setup {
    char *const *argv; /* ends with NULL; argv[0] is looked for on the PATH if it has no slash */
    char *const *envp;
    const char *directory; /* where it starts; NULL: here */
    int death_signal;      /* what it gets when the thread that has started it ends; 0: SIGKILL */
};

/* Returns once it runs: a program that cannot be started is a failure of this call. Its signals are as by
 * default, its stdin is empty, and it inherits no other descriptor. ERR_NOT_FOUND or ERR_IO with a text that
 * names the program and where it was looked for. */
int process_start(struct process *process, const struct process_setup *setup, struct err *err);
/* A signal to every process of its group. */
void process_signal(const struct process *process, int signal);
/* Has the leader ended? Fills *status as waitpid does, and leaves it unreaped, so that its number stays its
 * own. Does not block. */
bool process_has_ended(int *status, const struct process *process);
/* Kills what is left of the group, reaps the leader and closes the descriptors. Blocks only if the leader
 * lives. */
void process_finish(struct process *process);

#endif
