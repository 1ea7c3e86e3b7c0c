/* Arguments and environment of a program. */
#include "worker/command_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/spec.h"
#include "core/text.h"
#include "worker/fleet.h"
#include "worker/runtime.h"

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void command_line_fini(struct command_line *line)
{
    free_list(line->argv, line->n_argv);
    free_list(line->envp, line->n_envp);
    memset(line, 0, sizeof *line);
}

static int make_argv(struct command_line *line, const struct prova_trial *trial, struct err *err)
{
    const struct train *train = &trial->spec->train;
    struct substitution values = {
        .space = trial->spec->space,
        .point = trial->point,
        .budget = trial->budget,
        .trial = (int64_t)trial->number,
        .attempt = (int64_t)trial->attempt,
        .seed = trial->seed,
        .ablated = trial->ablated,
    };
    line->argv = calloc(train->n_argv + 1, sizeof *line->argv);
    if (!line->argv)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    for (size_t i = 0; i < train->n_argv; i++) {
        struct text text = {0};
        int code = spec_substitute(&text, train->argv[i], &values, err);
        text_append(&text, ""); /* an empty argument is a text, too */
        line->argv[i] = code ? NULL : strdup(text_get(&text));
        int failed = text.failed;
        text_fini(&text);
        if (code)
            return code;
        if (failed || !line->argv[i])
            return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
        line->n_argv++;
    }
    return line->n_argv ? ERR_OK : err_set(err, ERR_INVALID, "the experiment has no command");
}

static bool is_among(const char *variable, const char *const *names, size_t n)
{
    size_t size = strcspn(variable, "=");
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) == size && !memcmp(names[i], variable, size))
            return true;
    }
    return false;
}

/* Is it one of those that the program gets its own value of, or none? */
static bool is_own(const char *variable)
{
    static const char *const names[] = {
        "PROVA_PARAMS", "PROVA_TRIAL_DIR", "PROVA_TRIAL",      "PROVA_ATTEMPT",     "PROVA_BUDGET",
        "PROVA_DONE",   "PROVA_SEED",      "PROVA_METRIC",     "PROVA_EXPERIMENT",  "PROVA_EXPERIMENT_NAME",
        "PROVA_DRIVER", "PROVA_ROLE",      "PROVA_ABLATED",    "PROVA_RANK",        "PROVA_WORLD",
        "PROVA_GANG",   "PROVA_ADDRESS",   "PROVA_LOCAL_RANK", "PROVA_LOCAL_WORLD", "PROVA_COORDINATOR",
    };
    return is_among(variable, names, sizeof names / sizeof *names);
}

/* What a runtime may set: what the worker itself was started with, by another launcher, is not of this gang.
 */
static bool is_of_gang(const char *variable)
{
    static const char *const names[] = {"RANK",        "WORLD_SIZE",  "LOCAL_RANK", "LOCAL_WORLD_SIZE",
                                        "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG"};
    return is_among(variable, names, sizeof names / sizeof *names);
}

/* What mpirun has told this process is not for a program that it starts, which would take itself for it. */
static bool is_of_mpi(const char *variable)
{
    return !strncmp(variable, "OMPI_", 5) || !strncmp(variable, "PMIX_", 5) || !strncmp(variable, "PMI_", 4);
}

static int make_room(struct command_line *line)
{
    if (line->n_envp + 1 < line->envp_capacity)
        return ERR_OK;
    size_t capacity = line->envp_capacity ? 2 * line->envp_capacity : 64;
    char **grown = realloc(line->envp, capacity * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    memset(grown + line->n_envp, 0, (capacity - line->n_envp) * sizeof *grown);
    line->envp = grown;
    line->envp_capacity = capacity;
    return ERR_OK;
}

int command_line_add(struct command_line *line, const char *format, ...)
{
    va_list args;
    if (make_room(line))
        return ERR_NOMEM;
    va_start(args, format);
    int size = vasprintf(&line->envp[line->n_envp], format, args);
    va_end(args);
    if (size < 0) {
        line->envp[line->n_envp] = NULL; /* which it says nothing of */
        return ERR_NOMEM;
    }
    line->n_envp++;
    return ERR_OK;
}

int command_line_add_gang(struct command_line *line, const struct prova_trial *trial)
{
    const struct handle_gang *gang = trial->gang;
    const struct runtime_type *runtime = runtime_find(trial->spec->gang.runtime);
    if (!gang)
        return ERR_OK;
    return command_line_add(line, "PROVA_RANK=%" PRIu64, gang->rank) ||
                   command_line_add(line, "PROVA_WORLD=%" PRIu64, gang->world) ||
                   command_line_add(line, "PROVA_LOCAL_RANK=%" PRIu64, gang->local_rank) ||
                   command_line_add(line, "PROVA_LOCAL_WORLD=%" PRIu64, gang->local_world) ||
                   command_line_add(line, "PROVA_GANG=%" PRIu64, gang->number) ||
                   command_line_add(line, "PROVA_COORDINATOR=%s", gang->addresses[0]) ||
                   (runtime->set_variables && runtime->set_variables(line, trial))
               ? ERR_NOMEM
               : ERR_OK;
}

static int make_envp(struct command_line *line, const struct prova_trial *trial, const char *directory)
{
    for (char **variable = environ; *variable; variable++) {
        bool is_ours = is_own(*variable) || (fleet_is_open() && is_of_mpi(*variable)) ||
                       (trial->gang && is_of_gang(*variable));
        if (!is_ours && command_line_add(line, "%s", *variable))
            return ERR_NOMEM;
    }
    struct text params = {0};
    space_write_json(&params, trial->spec->space, trial->point);
    int failed = params.failed || command_line_add(line, "PROVA_PARAMS=%s", text_get(&params));
    text_fini(&params);
    return failed || command_line_add(line, "PROVA_TRIAL_DIR=%s", directory) ||
                   command_line_add(line, "PROVA_TRIAL=%" PRIu64, trial->number) ||
                   command_line_add(line, "PROVA_ATTEMPT=%" PRIu64, trial->attempt) ||
                   command_line_add(line, "PROVA_BUDGET=%" PRId64, trial->budget) ||
                   command_line_add(line, "PROVA_DONE=%" PRId64, trial->done) ||
                   command_line_add(line, "PROVA_SEED=%" PRIu64, trial->seed) ||
                   command_line_add(line, "PROVA_EXPERIMENT=%s", trial->experiment_id) ||
                   command_line_add(line, "PROVA_EXPERIMENT_NAME=%s", trial->experiment) ||
                   command_line_add(line, "PROVA_METRIC=%s", trial->spec->metric.name) ||
                   command_line_add(line, "PROVA_ABLATED=%s", trial->ablated) ||
                   command_line_add_gang(line, trial)
               ? ERR_NOMEM
               : ERR_OK;
}

int command_line_make(struct command_line *line, const struct prova_trial *trial, const char *directory,
                      struct err *err)
{
    int code = make_argv(line, trial, err);
    if (!code && make_envp(line, trial, directory))
        code = err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    return code;
}
