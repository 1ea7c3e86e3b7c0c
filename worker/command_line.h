#ifndef WORKER_COMMAND_LINE_H
#define WORKER_COMMAND_LINE_H

#include <stddef.h>

#include "core/err.h"
#include "worker/handle.h"

/* What the program of a trial is started with. Both lists end with NULL. */
struct command_line {
    char **argv, **envp;
    size_t n_argv, n_envp, envp_capacity;
};

/* The experiment's command with the trial's parameters in their places; the environment of this process, with
 * PROVA_PARAMS (JSON), PROVA_TRIAL_DIR, PROVA_TRIAL (number), PROVA_ATTEMPT, PROVA_BUDGET and PROVA_DONE
 * (units, 0: none), PROVA_SEED, PROVA_EXPERIMENT (id), PROVA_EXPERIMENT_NAME, PROVA_METRIC (the
 * objective's name) and PROVA_ABLATED (what is left out), and without PROVA_DRIVER and PROVA_ROLE, which are
 * the worker's own. In a gang also PROVA_RANK, PROVA_WORLD, PROVA_LOCAL_RANK, PROVA_LOCAL_WORLD, PROVA_GANG,
 * PROVA_COORDINATOR (host:port), and those of its runtime. {0} before, command_line_fini in any case. */
int command_line_make(struct command_line *line, const struct prova_trial *trial, const char *directory,
                      struct err *err);
/* Adds a variable NAME=value to the environment. ERR_NOMEM. */
int command_line_add(struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds those of the trial's gang and of its runtime alone; none outside of a gang. ERR_NOMEM. */
int command_line_add_gang(struct command_line *line, const struct prova_trial *trial);
void command_line_fini(struct command_line *line);

#endif
