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

#define N_OWN 11 /* variables that every program gets */

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

/* Is it one of those that the program gets its own value of, or none? */
static bool is_own(const char *variable)
{
    static const char *const names[] = {
        "PROVA_PARAMS", "PROVA_TRIAL_DIR", "PROVA_TRIAL",   "PROVA_ATTEMPT",    "PROVA_BUDGET",
        "PROVA_DONE",   "PROVA_SEED",      "PROVA_METRIC",  "PROVA_EXPERIMENT", "PROVA_EXPERIMENT_NAME",
        "PROVA_DRIVER", "PROVA_ROLE",      "PROVA_ABLATED",
    };
    size_t size = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == size && !memcmp(names[i], variable, size))
            return true;
    }
    return false;
}

static int add(struct command_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int add(struct command_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vasprintf(&line->envp[line->n_envp], format, args);
    va_end(args);
    if (size < 0)
        return ERR_NOMEM;
    line->n_envp++;
    return ERR_OK;
}

static int make_envp(struct command_line *line, const struct prova_trial *trial, const char *directory)
{
    size_t n = 0;
    while (environ[n])
        n++;
    line->envp = calloc(n + N_OWN + 1, sizeof *line->envp);
    if (!line->envp)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!is_own(environ[i]) && add(line, "%s", environ[i]))
            return ERR_NOMEM;
    }
    struct text params = {0};
    space_write_json(&params, trial->spec->space, trial->point);
    int failed = params.failed || add(line, "PROVA_PARAMS=%s", text_get(&params));
    text_fini(&params);
    return failed || add(line, "PROVA_TRIAL_DIR=%s", directory) ||
                   add(line, "PROVA_TRIAL=%" PRIu64, trial->number) ||
                   add(line, "PROVA_ATTEMPT=%" PRIu64, trial->attempt) ||
                   add(line, "PROVA_BUDGET=%" PRId64, trial->budget) ||
                   add(line, "PROVA_DONE=%" PRId64, trial->done) ||
                   add(line, "PROVA_SEED=%" PRIu64, trial->seed) ||
                   add(line, "PROVA_EXPERIMENT=%s", trial->experiment_id) ||
                   add(line, "PROVA_EXPERIMENT_NAME=%s", trial->experiment) ||
                   add(line, "PROVA_METRIC=%s", trial->spec->metric.name) ||
                   add(line, "PROVA_ABLATED=%s", trial->ablated)
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
