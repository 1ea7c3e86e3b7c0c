/* What a training function sees of its trial: parameters by name and type, reports, and the end. The trial
 * itself belongs to whatever runs it (worker/handle.h, sdk/env_trial.c); here are the checks and messages.
 *
 * A name that is wrong is a mistake in the program, so it fails the trial with a message that names it, and
 * the function gets a value that it cannot mistake for a good one. */
#include "sdk/prova.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"
#include "core/spec.h"
#include "core/text.h"
#include "sdk/trial_texts.h"
#include "worker/handle.h"

static const char other_version[] = "this program's libprova and the worker's are of different versions";

static void fail_unknown(prova_trial *trial, const struct space *space, const char *name)
{
    const char *nearest = NULL;
    const char **names = malloc((space->n_params + 1) * sizeof *names);
    for (size_t i = 0; names && i < space->n_params; i++)
        names[i] = space->params[i].name;
    if (names)
        nearest = nearest_name(name, names, space->n_params);
    if (nearest)
        prova_fail(trial, "the search space has no parameter '%s'; did you mean '%s'?", name, nearest);
    else
        prova_fail(trial, "the search space has no parameter '%s'", name);
    free(names);
}

/* Index of the parameter; -1 if there is none, which fails the trial. */
static int find(prova_trial *trial, const char *name)
{
    if (trial->ops->version != HANDLE_VERSION || !trial->spec) {
        prova_fail(trial, "%s", other_version);
        return -1;
    }
    int index = space_find(trial->spec->space, name);
    if (index < 0)
        fail_unknown(trial, trial->spec->space, name);
    return index;
}

static const struct choice *choice_of(const struct param *param, double value)
{
    bool has_choices = param->type != PARAM_DOUBLE && param->type != PARAM_INT;
    return has_choices ? &param->choices[(size_t)value] : NULL;
}

double prova_double(prova_trial *trial, const char *name)
{
    int index = find(trial, name);
    if (index < 0 || isnan(trial->point[index]))
        return NAN;
    double value = trial->point[index];
    const struct choice *choice = choice_of(&trial->spec->space->params[index], value);
    if (!choice)
        return value;
    if (choice->type == CHOICE_STRING)
        prova_fail(trial, "the value of parameter '%s' is \"%s\", which is no number: use prova_string", name,
                   choice->text);
    return choice->number;
}

int64_t prova_int(prova_trial *trial, const char *name)
{
    int index = find(trial, name);
    if (index < 0 || isnan(trial->point[index]))
        return 0;
    const struct param *param = &trial->spec->space->params[index];
    double value = trial->point[index];
    const struct choice *choice = choice_of(param, value);
    if (choice)
        value = choice->number; /* NaN of a string */
    if (param->type == PARAM_DOUBLE || value != floor(value) || fabs(value) > 0x1p53) {
        prova_fail(trial, "the value of parameter '%s' is no integer: use %s", name,
                   isnan(value) ? "prova_string" : "prova_double");
        return 0;
    }
    return (int64_t)value;
}

const char *prova_string(prova_trial *trial, const char *name)
{
    int index = find(trial, name);
    if (index < 0 || isnan(trial->point[index]))
        return "";
    const struct param *param = &trial->spec->space->params[index];
    const struct choice *choice = choice_of(param, trial->point[index]);
    if (choice)
        return choice->text;
    const char *text = trial_texts_get(trial, (size_t)index);
    if (!text)
        prova_fail(trial, "out of memory");
    return text ? text : "";
}

const char *prova_params_json(prova_trial *trial)
{
    const char *text = NULL;
    if (trial->ops->version != HANDLE_VERSION || !trial->spec)
        prova_fail(trial, "%s", other_version);
    else if (!(text = trial_texts_json(trial)))
        prova_fail(trial, "out of memory");
    return text ? text : "";
}

int prova_active(prova_trial *trial, const char *name)
{
    if (trial->ops->version != HANDLE_VERSION || !trial->spec)
        return 0;
    int index = space_find(trial->spec->space, name);
    return index >= 0 && !isnan(trial->point[index]);
}

int64_t prova_budget(prova_trial *trial, int64_t otherwise)
{
    return trial->budget > 0 ? trial->budget : otherwise;
}

int64_t prova_done(prova_trial *trial)
{
    return trial->done;
}

int prova_report_metric(prova_trial *trial, int64_t step, const char *name, double value)
{
    if (!report_step_is_valid(step)) {
        prova_fail(trial, "reported at step %" PRId64 ": steps are whole numbers from 0 to 2^53", step);
        return 1;
    }
    return trial->ops->report(trial, step, name, value);
}

int prova_report(prova_trial *trial, int64_t step, double value)
{
    return prova_report_metric(trial, step, NULL, value);
}

int prova_stopped(prova_trial *trial)
{
    return trial->ops->stopped(trial);
}

int prova_finish(prova_trial *trial, double value)
{
    trial->ops->finish(trial, value);
    return 0;
}

int prova_fail(prova_trial *trial, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* a long text is cut */
    va_end(args);
    trial->ops->fail(trial, text);
    return 1;
}

int64_t prova_trial_number(prova_trial *trial)
{
    return (int64_t)trial->number;
}

int64_t prova_trial_attempt(prova_trial *trial)
{
    return (int64_t)trial->attempt;
}

const char *prova_trial_experiment(prova_trial *trial)
{
    return trial->experiment ? trial->experiment : "";
}

const char *prova_trial_experiment_id(prova_trial *trial)
{
    return trial->experiment_id ? trial->experiment_id : "";
}

int prova_ablated(prova_trial *trial, const char *kind, const char *name)
{
    if (component_kind_parse(kind, strlen(kind)) < 0)
        prova_fail(trial,
                   "no component is a '%s': there are feature, layer, module, parameter, group and variant",
                   kind);
    return ablated_has(prova_ablated_list(trial), kind, name);
}

const char *prova_ablated_list(prova_trial *trial)
{
    return trial->ops->version == HANDLE_VERSION ? trial->ablated : "";
}

static const struct handle_gang *gang_of(const prova_trial *trial)
{
    return trial->ops->version == HANDLE_VERSION ? trial->gang : NULL;
}

int prova_rank(prova_trial *trial)
{
    const struct handle_gang *gang = gang_of(trial);
    return gang ? (int)gang->rank : 0;
}

int prova_world(prova_trial *trial)
{
    const struct handle_gang *gang = gang_of(trial);
    return gang ? (int)gang->world : 1;
}

void prova_shard(prova_trial *trial, int64_t n, int64_t *first, int64_t *count)
{
    int64_t rank = prova_rank(trial), world = prova_world(trial);
    int64_t share = n > 0 ? n / world : 0, more = n > 0 ? n % world : 0; /* the first `more` have one more */
    *first = rank * share + (rank < more ? rank : more);
    *count = share + (rank < more);
}

/* Does the trial's own libprova know of gangs? An older one's trial has failed then. */
static int can_join(prova_trial *trial)
{
    if (trial->ops->version == HANDLE_VERSION)
        return 1;
    prova_fail(trial, "%s", other_version);
    return 0;
}

int prova_allreduce_sum(prova_trial *trial, double *x, size_t n)
{
    return can_join(trial) ? trial->ops->allreduce_sum(trial, x, n) : PROVA_EVERSION;
}

int prova_broadcast(prova_trial *trial, void *data, size_t size)
{
    return can_join(trial) ? trial->ops->broadcast(trial, data, size) : PROVA_EVERSION;
}

int prova_barrier(prova_trial *trial)
{
    return can_join(trial) ? trial->ops->barrier(trial) : PROVA_EVERSION;
}

const void *prova_mpi_comm(prova_trial *trial)
{
    return trial->ops->version == HANDLE_VERSION ? trial->ops->communicator(trial) : NULL;
}

uint64_t prova_trial_seed(prova_trial *trial)
{
    return trial->seed;
}

const char *prova_directory(prova_trial *trial)
{
    const char *directory = trial->ops->directory(trial);
    return directory ? directory : "";
}
