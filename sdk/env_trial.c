/* A trial from the environment that worker/ gives to commands. It is one trial in a process of its own, so
 * its state is one object; reports may come from any thread of the function. */
#include "sdk/env_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "core/text.h"
#include "sdk/result.h"
#include "worker/handle.h"
#include "worker/report_line.h"

struct env_trial {
    struct prova_trial handle; /* first: the function's prova_trial is this object */
    struct spec *spec;
    double *point;
    struct handle_gang gang; /* of a command in one; without addresses */
    const char *directory;
    int fd; /* of the FIFO, or of standard output where nobody reads the FIFO */
    bool is_stdout;
    pthread_mutex_t lock; /* of what follows */
    bool has_reported;
    double last; /* value of the objective's last report */
    double value;
    bool has_finished;
    char *failure; /* the first one */
};

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal)
{
    (void)signal;
    stop_requested = 1;
}

/* Operations of the handle */

static int write_line(const struct env_trial *trial, const char *line, size_t size)
{
    char prefixed[PIPE_BUF + sizeof REPORT_LINE_PREFIX];
    if (trial->is_stdout) {
        size = (size_t)snprintf(prefixed, sizeof prefixed, "%s %.*s", REPORT_LINE_PREFIX, (int)size, line);
        line = prefixed;
    }
    ssize_t written;
    do
        written = write(trial->fd, line, size); /* whole or not at all: at most PIPE_BUF bytes */
    while (written < 0 && errno == EINTR);
    return written < 0 ? -1 : 0;
}

static void fail(struct prova_trial *handle, const char *text)
{
    struct env_trial *trial = (struct env_trial *)handle;
    (void)pthread_mutex_lock(&trial->lock);
    if (!trial->failure)
        trial->failure = strdup(text);
    (void)pthread_mutex_unlock(&trial->lock);
}

static int stopped(struct prova_trial *handle)
{
    (void)handle;
    return stop_requested;
}

static void send_report(struct env_trial *trial, int64_t step, const char *name, double value)
{
    char line[PIPE_BUF];
    int size = report_line_format(line, sizeof line, step, name ? name : trial->spec->metric.name, value);
    if (size < 0) {
        fail(&trial->handle,
             "a metric's name must be letters, digits and _.-/ and at most 128 characters long");
        return;
    }
    if (write_line(trial, line, (size_t)size))
        fail(&trial->handle, "a report could not be sent: the worker is gone");
}

static int report(struct prova_trial *handle, int64_t step, const char *name, double value)
{
    struct env_trial *trial = (struct env_trial *)handle;
    send_report(trial, step, name, value);
    if (!name || !strcmp(name, trial->spec->metric.name)) {
        (void)pthread_mutex_lock(&trial->lock);
        trial->has_reported = true;
        trial->last = value;
        (void)pthread_mutex_unlock(&trial->lock);
    }
    return stop_requested;
}

static void finish(struct prova_trial *handle, double value)
{
    struct env_trial *trial = (struct env_trial *)handle;
    trial->value = value;
    trial->has_finished = true;
}

static const char *directory(struct prova_trial *handle)
{
    return ((struct env_trial *)handle)->directory;
}

/* A program has no runtime of ours: its members work together by a library of their own. */
static int cannot_join(struct prova_trial *handle)
{
    if (!handle->gang)
        return ERR_OK;
    fail(handle,
         "the members of a command's gang work together by a library of their own (MPI, Gloo, ...); for "
         "prova_allreduce_sum and the like the function is to be in a library: train: {library: ..., "
         "function: ...}");
    return ERR_UNSUPPORTED;
}

static int allreduce_sum(struct prova_trial *handle, double *x, size_t n)
{
    (void)x, (void)n; /* alone it is its own sum */
    return cannot_join(handle);
}

static int broadcast(struct prova_trial *handle, void *data, size_t size)
{
    (void)data, (void)size;
    return cannot_join(handle);
}

static const void *no_communicator(struct prova_trial *handle)
{
    (void)handle; /* whatever it is in */
    return NULL;
}

static const struct handle_ops ops = {.version = HANDLE_VERSION,
                                      .report = report,
                                      .finish = finish,
                                      .fail = fail,
                                      .stopped = stopped,
                                      .directory = directory,
                                      .allreduce_sum = allreduce_sum,
                                      .broadcast = broadcast,
                                      .barrier = cannot_join,
                                      .communicator = no_communicator};

/* The space: constants, as the environment gives them */

/* A choice from its JSON value. Returns 0, or -1 for what is no scalar or out of memory. */
static int read_choice(struct choice *choice, const json_t *value)
{
    struct text text = {0};
    *choice = (struct choice){.type = CHOICE_STRING, .number = NAN};
    if (json_is_integer(value)) {
        choice->type = CHOICE_INT;
        choice->number = (double)json_integer_value(value);
        text_printf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        choice->type = CHOICE_DOUBLE;
        choice->number = json_real_value(value);
        text_append_double(&text, choice->number);
    } else if (json_is_boolean(value)) {
        choice->type = CHOICE_BOOL;
        choice->number = json_is_true(value);
        text_append(&text, json_is_true(value) ? "true" : "false");
    } else if (json_is_string(value)) {
        text_append(&text, json_string_value(value));
    } else {
        return -1;
    }
    if (!text.data && !text.failed)
        choice->text = strdup("");
    else
        choice->text = text_take(&text);
    return choice->text ? 0 : -1;
}

/* Adds a constant. Takes choice->text. */
static int add_constant(struct space *space, const char *name, struct choice choice, struct err *err)
{
    struct param param = {.type = PARAM_CONSTANT, .n_choices = 1, .initial = NAN};
    param.name = strdup(name);
    param.choices = malloc(sizeof *param.choices);
    if (param.choices)
        param.choices[0] = choice;
    if (!param.name || !param.choices) {
        free(param.name);
        free(param.choices);
        free(choice.text);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    return space_add(space, &param, err);
}

static int add_environment(struct space *space, const json_t *params, struct err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
    {
        struct choice choice;
        if (read_choice(&choice, value))
            return err_set(err, ERR_INVALID, "PROVA_PARAMS: '%.100s' is neither number, text nor truth value",
                           name);
        int rc = add_constant(space, name, choice, err);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

/* What the program knows of a parameter that the sweep does not give: its one value or its default. */
static int add_known(struct space *space, const struct param *param, struct err *err)
{
    double value = param->type == PARAM_CONSTANT ? 0.0 : param->initial;
    struct choice choice = {.type = CHOICE_STRING, .number = NAN};
    struct text text = {0};
    if (param->n_conditions == 0) {
        if (isnan(value))
            return ERR_OK; /* no value anywhere: asking for it will fail the trial */
        choice.type = param->type == PARAM_INT ? CHOICE_INT : CHOICE_DOUBLE;
        choice.number = value;
        if (param->n_choices) {
            choice.type = param->choices[(size_t)value].type;
            choice.number = param->choices[(size_t)value].number;
        }
        param_write_text(&text, param, value);
    }
    choice.text = text.data ? text_take(&text) : strdup("");
    return choice.text ? add_constant(space, param->name, choice, err)
                       : err_set(err, ERR_NOMEM, "out of memory");
}

static int fill_space(struct space *space, const json_t *params, const struct spec *own, struct err *err)
{
    int rc = add_environment(space, params, err);
    for (size_t i = 0; rc == ERR_OK && own && i < own->space->n_params; i++)
        if (space_find(space, own->space->params[i].name) < 0)
            rc = add_known(space, &own->space->params[i], err);
    return rc == ERR_OK ? space_finish(space, err) : rc;
}

/* Conditional parameters that the sweep did not give are inactive; everything else has its only value. */
static int fill_point(struct env_trial *trial, const json_t *params, const struct spec *own)
{
    const struct space *space = trial->spec->space;
    trial->point = calloc(space->n_params + 1, sizeof *trial->point);
    if (!trial->point)
        return ERR_NOMEM;
    for (size_t i = 0; i < space->n_params; i++) {
        const char *name = space->params[i].name;
        int known = own ? space_find(own->space, name) : -1;
        if (!json_object_get(params, name) && known >= 0 && own->space->params[known].n_conditions > 0)
            trial->point[i] = NAN;
    }
    return ERR_OK;
}

/* Beginning and end */

bool env_trial_is_here(void)
{
    const char *path = getenv("PROVA_TRIAL_DIR");
    return path && *path;
}

static const char *env_text(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value && *value ? strtoull(value, NULL, 10) : otherwise;
}

static int set_string(char **place, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return ERR_NOMEM;
    free(*place);
    *place = copy;
    return ERR_OK;
}

static int read_parameters(struct env_trial *trial, const struct spec *own, struct err *err)
{
    json_error_t fault;
    json_t *params = json_loads(env_text("PROVA_PARAMS", "{}"), 0, &fault);
    int rc = ERR_OK;
    if (!json_is_object(params))
        rc = err_set(err, ERR_INVALID, "PROVA_PARAMS is no JSON object: %s",
                     params ? "not an object" : fault.text);
    if (rc == ERR_OK)
        rc = fill_space(trial->spec->space, params, own, err);
    if (rc == ERR_OK && fill_point(trial, params, own))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    json_decref(params);
    return rc;
}

/* Opens the FIFO if somebody reads it; else reports are printed, so that a run by hand shows them. */
static void open_reports(struct env_trial *trial)
{
    char path[PATH_MAX];
    bool fits = !report_line_fifo(path, sizeof path, trial->directory, getenv("PROVA_RANK"));
    trial->fd = fits ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    int flags = trial->fd >= 0 ? fcntl(trial->fd, F_GETFL) : -1;
    if (flags >= 0)
        (void)fcntl(trial->fd, F_SETFL, flags & ~O_NONBLOCK); /* a full pipe is waited for: nothing is lost */
    trial->is_stdout = trial->fd < 0;
    if (trial->is_stdout)
        trial->fd = STDOUT_FILENO;
}

static const struct handle_gang *read_gang(struct env_trial *trial)
{
    uint64_t world = env_number("PROVA_WORLD", 1), rank = env_number("PROVA_RANK", 0);
    if (world < 2 || world > MAX_GANG || rank >= world)
        return NULL;
    trial->gang = (struct handle_gang){.number = env_number("PROVA_GANG", 0),
                                       .rank = rank,
                                       .world = world,
                                       .local_rank = env_number("PROVA_LOCAL_RANK", 0),
                                       .local_world = env_number("PROVA_LOCAL_WORLD", 1)};
    return &trial->gang;
}

static int begin(struct env_trial *trial, const struct spec *own, struct err *err)
{
    *trial = (struct env_trial){.directory = getenv("PROVA_TRIAL_DIR"), .fd = -1, .last = NAN, .value = NAN};
    trial->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    trial->spec = spec_create();
    if (!trial->spec || set_string(&trial->spec->name, env_text("PROVA_EXPERIMENT_NAME", "trial")) ||
        set_string(&trial->spec->metric.name, env_text("PROVA_METRIC", "objective")))
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = read_parameters(trial, own, err);
    if (rc)
        return rc;
    open_reports(trial);
    trial->handle = (struct prova_trial){.ops = &ops,
                                         .spec = trial->spec,
                                         .point = trial->point,
                                         .number = env_number("PROVA_TRIAL", 1),
                                         .attempt = env_number("PROVA_ATTEMPT", 1),
                                         .seed = env_number("PROVA_SEED", 0),
                                         .budget = (int64_t)env_number("PROVA_BUDGET", 0),
                                         .done = (int64_t)env_number("PROVA_DONE", 0),
                                         .experiment = trial->spec->name,
                                         .gang = read_gang(trial),
                                         .ablated = env_text("PROVA_ABLATED", ""),
                                         .experiment_id = env_text("PROVA_EXPERIMENT", "")};
    return ERR_OK;
}

/* What the function returned becomes the trial's last report, unless it has reported just that. */
static void settle(struct env_trial *trial, int returned)
{
    if (returned && !trial->failure) {
        char text[64];
        (void)snprintf(text, sizeof text, "the training function returned %d", returned); /* fits */
        fail(&trial->handle, text);
    }
    if (!trial->has_finished)
        trial->value = trial->last;
    if (!trial->failure && trial->has_finished && !isfinite(trial->value))
        fail(&trial->handle, "the objective is not finite");
    if (!trial->failure && trial->has_finished && !(trial->has_reported && trial->last == trial->value))
        send_report(trial, -1, NULL, trial->value);
}

static void end(prova_result *result, struct env_trial *trial)
{
    enum trial_state state = trial->failure ? TRIAL_FAILED : stop_requested ? TRIAL_STOPPED : TRIAL_COMPLETED;
    struct id none = {{0}};
    result_set_experiment(result, none, trial->spec); /* takes it */
    if (result_set_single(result, (int64_t)trial->handle.number, trial->point, state,
                          state == TRIAL_FAILED ? NAN : trial->value))
        result_fail(result, ERR_NOMEM, "out of memory");
    if (trial->failure) {
        /* The worker keeps a command's output, and the last line of a failed one is its message. */
        (void)fflush(stdout); /* the output in its order; what cannot be written is lost anyway */
        (void)dprintf(STDERR_FILENO, "%s\n", trial->failure);
        result_fail(result, ERR_FAILED, "%s", trial->failure);
    }
}

void env_trial_run(prova_result *result, prova_train_fn train, void *arg, const struct spec *own)
{
    struct env_trial trial;
    struct err err = {0};
    int rc = begin(&trial, own, &err);
    if (rc) {
        result_fail(result, rc, "%s", err.text);
        spec_destroy(trial.spec);
    } else {
        struct sigaction stop = {.sa_handler = request_stop}, ignore = {.sa_handler = SIG_IGN}, term, pipe;
        stop_requested = 0;
        (void)sigaction(SIGTERM, &stop, &term); /* these signals exist */
        (void)sigaction(SIGPIPE, &ignore, &pipe);
        settle(&trial, train(&trial.handle, arg));
        (void)sigaction(SIGPIPE, &pipe, NULL);
        (void)sigaction(SIGTERM, &term, NULL);
        end(result, &trial);
    }
    if (trial.fd >= 0 && !trial.is_stdout)
        (void)close(trial.fd);
    free(trial.failure);
    free(trial.point);
}
