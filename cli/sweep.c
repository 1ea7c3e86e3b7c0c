/* Reading a sweep file for a command. */
#include "cli/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contexts/context.h"
#include "core/text.h"

struct overrides {
    size_t n;
    struct override *list;
    char **paths; /* [n] owned; NULL for one that is not a copy */
    char workers[24];
};

static void overrides_fini(struct overrides *overrides)
{
    for (size_t i = 0; overrides->paths && i < overrides->n; i++)
        free(overrides->paths[i]);
    free(overrides->paths);
    free(overrides->list);
}

static int overrides_make(struct overrides *overrides, const struct cli_list *sets, int64_t workers,
                          struct err *err)
{
    overrides->list = calloc(sets->n + 1, sizeof *overrides->list);
    overrides->paths = calloc(sets->n + 1, sizeof *overrides->paths);
    if (!overrides->list || !overrides->paths)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < sets->n; i++) {
        const char *item = sets->items[i], *equals = strchr(item, '=');
        if (!equals || equals == item)
            return err_set(err, ERR_INVALID, "--set needs key=value, e.g. limits.trials=20, not '%s'", item);
        char *path = strndup(item, (size_t)(equals - item));
        if (!path)
            return err_set(err, ERR_NOMEM, "out of memory");
        overrides->paths[overrides->n] = path;
        overrides->list[overrides->n++] = (struct override){path, equals + 1};
    }
    if (workers > 0) {
        (void)snprintf(overrides->workers, sizeof overrides->workers, "%" PRId64, workers); /* fits */
        overrides->list[overrides->n++] = (struct override){"workers", overrides->workers};
    }
    return 0;
}

/* The directory that a file is in, absolute. */
static char *directory_of(const char *path)
{
    char *real = realpath(path, NULL);
    char *slash = real ? strrchr(real, '/') : NULL;
    if (slash)
        slash[slash == real] = '\0';
    return real;
}

static int make_submission(struct sweep *sweep, bool changed, struct err *err)
{
    if (!changed) {
        sweep->submission = strdup(sweep->source);
    } else {
        struct text json = {0};
        spec_write_json(&json, sweep->spec);
        sweep->submission = text_take(&json);
    }
    return sweep->submission ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int sweep_read(struct sweep *sweep, const char *path, const struct cli_list *sets, int64_t workers,
               struct err *err)
{
    struct overrides overrides = {0};
    int code = overrides_make(&overrides, sets, workers, err);
    if (!code)
        code =
            spec_read(&sweep->spec, &sweep->source, path, overrides.list, overrides.n, &sweep->faults, err);
    if (sweep->spec && context_check(sweep->spec, &sweep->faults))
        code = ERR_INVALID;
    if (!code && !(sweep->directory = directory_of(path)))
        code = err_set(err, ERR_IO, "%s: cannot tell which directory it is in", path);
    if (!code)
        code = make_submission(sweep, overrides.n > 0 || sweep->spec->warm_start.n > 0, err);
    overrides_fini(&overrides);
    return code;
}

void sweep_fini(struct sweep *sweep)
{
    spec_destroy(sweep->spec);
    free(sweep->source);
    free(sweep->submission);
    free(sweep->directory);
    faults_fini(&sweep->faults);
    *sweep = (struct sweep){0};
}

static void require_train(struct sweep *sweep)
{
    if (sweep->spec->train.kind == TRAIN_NONE && sweep->spec->table.file)
        faults_add(
            &sweep->faults, 0, 0,
            "'train' is missing: this file has a table of recorded trainings, which only `prova simulate` "
            "uses");
    else if (sweep->spec->train.kind == TRAIN_NONE)
        faults_add(
            &sweep->faults, 0, 0,
            "'train' is missing: say what a trial runs, e.g. train: {command: [./train.sh, \"${lr}\"]}");
    else if (sweep->spec->train.kind == TRAIN_FUNCTION)
        faults_add(&sweep->faults, 0, 0, "it trains by a function of another program: run that program");
}

int sweep_open(struct sweep *sweep, const struct cli_call *call, const char *path,
               const struct cli_list *sets, int64_t workers, bool trains)
{
    struct err err = {0};
    int code = sweep_read(sweep, path, sets, workers, &err);
    if (sweep->spec && trains)
        require_train(sweep);
    if (sweep->faults.n) {
        struct text text = {0};
        faults_write(&text, &sweep->faults, path);
        (void)fputs(text_get(&text), stderr); /* nowhere to say that this failed */
        text_fini(&text);
        return CLI_BAD_USAGE;
    }
    if (!code)
        return CLI_DONE;
    int status = cli_fail(call, &err);
    return code == ERR_IO ? CLI_BAD_USAGE : status; /* a file that cannot be read is a bad file */
}
