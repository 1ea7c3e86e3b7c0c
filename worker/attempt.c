/* The attempt under way.
 *
 * `stop` and `told` differ on purpose: a function that returns without ever having looked at its stop flag
 * has ended by itself, and what it returned is a full result. */
#include "worker/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/log.h"
#include "core/space.h"
#include "worker/clock.h"
#include "worker/inherit.h"
#include "worker/page.h"
#include "worker/runtime.h"
#include "worker/trial_directory.h"

#define LOG_CHUNK 65536 /* the capacity of a pipe */

/* Operations of the handle */

static struct attempt *attempt_of(struct prova_trial *trial)
{
    return (struct attempt *)trial; /* its first member */
}

/* Members that leave an operation of all at different times would wait for each other for ever: where there
 * are such operations, a stop counts from the next one on, for all of them. What is stale has lost its peers
 * already. */
static int ask_stopped(struct attempt *attempt)
{
    int reason = atomic_load_explicit(&attempt->stop, memory_order_relaxed);
    if (attempt->has_agreed && reason != STOP_STALE && reason != STOP_ENDED)
        reason = attempt->agreed;
    if (reason)
        atomic_store_explicit(&attempt->told, reason, memory_order_relaxed);
    return reason != ATTEMPT_GOES_ON;
}

static void set_failure(struct attempt *attempt, const char *text)
{
    (void)pthread_mutex_lock(&attempt->lock);
    if (attempt->failure.size == 0)
        text_append(&attempt->failure, *text ? text : "failed, for no reason given");
    (void)pthread_mutex_unlock(&attempt->lock);
}

/* Number of the metric; negative, and the attempt has failed, if it cannot have one. */
static int number_metric(struct attempt *attempt, const char *name, size_t size, const int64_t *step)
{
    (void)pthread_mutex_lock(&attempt->lock);
    int number = metric_names_find(&attempt->names, name, size);
    if (number >= 0 && step && *step > attempt->names.last_steps[number])
        attempt->names.last_steps[number] = *step;
    (void)pthread_mutex_unlock(&attempt->lock);
    if (number == ERR_FULL)
        set_failure(attempt, "it reports more than 1024 different metrics");
    else if (number < 0)
        set_failure(attempt, err_string(number));
    return number;
}

static void push_report(struct attempt *attempt, int64_t step, int metric, double value)
{
    if (metric == 0) {
        atomic_store_explicit(&attempt->last_objective, value, memory_order_relaxed);
        (void)atomic_fetch_add_explicit(&attempt->n_objective, 1, memory_order_relaxed);
    }
    struct report report = {.step = step, .metric = (uint32_t)metric, .value = value};
    (void)ring_push(attempt->ring, &report); /* refused only by an attempt that nobody wants any more */
}

static int handle_report(struct prova_trial *trial, int64_t step, const char *name, double value)
{
    struct attempt *attempt = attempt_of(trial);
    if (!atomic_load_explicit(&attempt->is_active, memory_order_relaxed))
        return 1; /* a thread that has outlived its trial */
    int metric = name ? number_metric(attempt, name, strlen(name), NULL) : 0;
    if (metric >= 0)
        push_report(attempt, step, metric, value);
    return ask_stopped(attempt);
}

static void handle_finish(struct prova_trial *trial, double value)
{
    struct attempt *attempt = attempt_of(trial);
    (void)pthread_mutex_lock(&attempt->lock);
    attempt->has_returned = true;
    attempt->returned = value;
    (void)pthread_mutex_unlock(&attempt->lock);
}

static void handle_fail(struct prova_trial *trial, const char *text)
{
    set_failure(attempt_of(trial), text);
}

static int handle_stopped(struct prova_trial *trial)
{
    return ask_stopped(attempt_of(trial));
}

static int make_directory(struct attempt *attempt, struct err *err)
{
    if (attempt->has_directory)
        return ERR_OK;
    text_clear(&attempt->directory);
    trial_directory_path(&attempt->directory, attempt->base, attempt->experiment->name,
                         attempt->experiment->id, attempt->trial.number);
    if (attempt->directory.failed)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    int code = trial_directory_make(text_get(&attempt->directory), err);
    attempt->has_directory = !code;
    return code;
}

static const char *handle_directory(struct prova_trial *trial)
{
    struct attempt *attempt = attempt_of(trial);
    struct err err = {0};
    (void)pthread_mutex_lock(&attempt->lock);
    int code = make_directory(attempt, &err);
    (void)pthread_mutex_unlock(&attempt->lock);
    if (!code)
        return text_get(&attempt->directory);
    set_failure(attempt, err.text);
    return NULL;
}

/* What members do together */

static const char alone[] =
    "runtime %s lets no functions work together: use `distributed: {runtime: mpi}`, or a command with a library "
    "of its own";

/* The runtime, or NULL (and the trial has failed) if it can do nothing of this kind. */
static const struct runtime_type *runtime_of(struct attempt *attempt)
{
    const struct runtime_type *runtime = runtime_find(attempt->trial.spec->gang.runtime);
    char text[256];
    if (runtime->allreduce_sum)
        return runtime;
    (void)snprintf(text, sizeof text, alone, runtime->name);
    set_failure(attempt, text);
    return NULL;
}

/* Sums what each has heard of a stop, behind what else is summed. */
static int sum_with_stop(struct attempt *attempt, double *x, size_t n)
{
    const struct runtime_type *runtime = runtime_of(attempt);
    struct err err = {0};
    double *all = runtime ? malloc((n + 1) * sizeof *all) : NULL;
    if (!all) {
        if (runtime)
            set_failure(attempt, err_string(ERR_NOMEM));
        return ERR_NOMEM;
    }
    if (n > 0)
        memcpy(all, x, n * sizeof *x);
    all[n] = atomic_load(&attempt->stop) != ATTEMPT_GOES_ON;
    int code = runtime->allreduce_sum(all, n + 1, &err);
    if (code)
        set_failure(attempt, err.text);
    if (!code && n > 0)
        memcpy(x, all, n * sizeof *x);
    if (!code && all[n] > 0 && !attempt->agreed) {
        int own = atomic_load(&attempt->stop);
        attempt->agreed = own ? own : STOP_EARLY; /* ours is on its way */
    }
    attempt->has_agreed = attempt->has_agreed || !code;
    free(all);
    return code;
}

static int handle_allreduce_sum(struct prova_trial *trial, double *x, size_t n)
{
    return trial->gang ? sum_with_stop(attempt_of(trial), x, n) : 0;
}

static int handle_barrier(struct prova_trial *trial)
{
    return trial->gang ? sum_with_stop(attempt_of(trial), NULL, 0) : 0;
}

static int handle_broadcast(struct prova_trial *trial, void *data, size_t size)
{
    struct err err = {0};
    const struct runtime_type *runtime = trial->gang ? runtime_of(attempt_of(trial)) : NULL;
    if (!trial->gang)
        return 0;
    int code = runtime ? runtime->broadcast(data, size, &err) : ERR_UNSUPPORTED;
    if (runtime && code)
        set_failure(attempt_of(trial), err.text);
    return code;
}

static const void *handle_communicator(struct prova_trial *trial)
{
    const struct runtime_type *runtime = trial->gang ? runtime_find(trial->spec->gang.runtime) : NULL;
    return runtime && runtime->communicator ? runtime->communicator() : NULL;
}

static const struct handle_ops ops = {
    .version = HANDLE_VERSION,
    .report = handle_report,
    .finish = handle_finish,
    .fail = handle_fail,
    .stopped = handle_stopped,
    .directory = handle_directory,
    .allreduce_sum = handle_allreduce_sum,
    .broadcast = handle_broadcast,
    .barrier = handle_barrier,
    .communicator = handle_communicator,
};

/* Its life */

int attempt_init(struct attempt *attempt, const char *base, ring_notify_fn *notify, void *arg,
                 struct err *err)
{
    memset(attempt, 0, sizeof *attempt);
    attempt->trial.ops = &ops;
    attempt->base = base;
    attempt->log_fd = -1;
    gang_init(&attempt->gang);
    (void)pthread_mutex_init(&attempt->lock, NULL); /* cannot fail with default attributes on Linux */
    attempt->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    attempt->ring = ring_create(notify, arg);
    if (attempt->stop_fd < 0) {
        int code = err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
        attempt_fini(attempt);
        return code;
    }
    if (!attempt->ring || metric_names_init(&attempt->names)) {
        attempt_fini(attempt);
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    }
    return ERR_OK;
}

void attempt_fini(struct attempt *attempt)
{
    attempt_forget(attempt);
    if (attempt->stop_fd >= 0)
        (void)close(attempt->stop_fd); /* nothing was written to it that could be lost */
    ring_destroy(attempt->ring);
    metric_names_fini(&attempt->names);
    text_fini(&attempt->ablated);
    text_fini(&attempt->failure);
    text_fini(&attempt->directory);
    text_fini(&attempt->log);
    text_fini(&attempt->text);
    free(attempt->point);
    (void)pthread_mutex_destroy(&attempt->lock);
}

static int copy_point(struct attempt *attempt, struct wire_point point)
{
    if (point.n > attempt->point_capacity) {
        double *grown = realloc(attempt->point, point.n * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        attempt->point = grown;
        attempt->point_capacity = point.n;
    }
    if (point.n > 0)
        memcpy(attempt->point, point.values, point.n * sizeof *point.values);
    attempt->n_point = point.n;
    return ERR_OK;
}

static void reset(struct attempt *attempt)
{
    uint64_t stale;
    if (atomic_load(&attempt->stop)) /* only then has anything been written */
        while (read(attempt->stop_fd, &stale, sizeof stale) > 0)
            ;
    atomic_store(&attempt->stop, ATTEMPT_GOES_ON);
    atomic_store(&attempt->told, ATTEMPT_GOES_ON);
    atomic_store(&attempt->has_ended, false);
    atomic_store(&attempt->n_objective, 0);
    attempt->has_returned = attempt->has_directory = attempt->has_tried_log = false;
    attempt->outcome = OUTCOME_NONE;
    attempt->value = NAN;
    attempt->has_agreed = false;
    attempt->agreed = ATTEMPT_GOES_ON;
    attempt->trial.gang = NULL;
    text_clear(&attempt->failure);
    text_clear(&attempt->log);
    text_clear(&attempt->text);
}

/* Whatever a peer could have got wrong. */
static int check_assignment(const struct attempt *attempt, struct err *err)
{
    const struct experiment *experiment = attempt->experiment;
    if (experiment->fault.code) {
        *err = experiment->fault;
        return err->code;
    }
    const struct space *space = experiment->spec->space;
    if (attempt->n_point != space->n_params || attempt->n_point > PAGE_MAX_POINT)
        return err_set(err, ERR_INVALID, "assigned with %zu parameters where the experiment has %zu",
                       attempt->n_point, space->n_params);
    return space_check(space, attempt->point, err);
}

int attempt_begin(struct attempt *attempt, struct experiment *experiment, const struct wire_assign *assign,
                  int64_t now_ns, struct err *err)
{
    reset(attempt);
    int code = copy_point(attempt, assign->point);
    if (code)
        return err_set(err, code, "%s", err_string(code));
    attempt->experiment = experiment_ref(experiment);
    struct prova_trial *trial = &attempt->trial;
    trial->spec = experiment->spec;
    trial->point = attempt->point;
    trial->number = assign->trial;
    trial->attempt = assign->attempt;
    trial->budget = assign->budget;
    trial->done = assign->done;
    attempt->origin = assign->origin;
    trial->experiment = experiment->name;
    trial->experiment_id = experiment->id_text;
    trial->seed = experiment->spec ? spec_trial_seed(experiment->spec, assign->trial) : 0;
    text_clear(&attempt->ablated);
    if (experiment->spec)
        spec_write_ablated(&attempt->ablated, experiment->spec, assign->trial);
    trial->ablated = text_get(&attempt->ablated);
    attempt_set_clock(attempt, now_ns);
    code =
        metric_names_reset(&attempt->names, experiment->spec ? experiment->spec->metric.name : "objective");
    if (!code)
        code = attempt->ablated.failed;
    struct err fault = {0};
    if (code || check_assignment(attempt, &fault))
        set_failure(attempt, code ? err_string(code) : fault.text);
    ring_close(attempt->ring); /* empties it of what a stray thread may have pushed */
    ring_open(attempt->ring);
    atomic_store(&attempt->is_active, true);
    return ERR_OK;
}

static void say_anew(struct attempt *attempt, const char *why)
{
    struct text line = {0};
    text_printf(&line, "prova: this trial should go on from trial %llu, but starts anew: %s\n",
                (unsigned long long)attempt->origin, why);
    if (!line.failed)
        attempt_write_log(attempt, text_get(&line), line.size);
    text_fini(&line);
    attempt->trial.done = 0;
}

void attempt_inherit(struct attempt *attempt)
{
    struct text from = {0}, to = {0};
    struct err err = {0};
    char mark[sizeof INHERIT_MARK + 20];
    if (!attempt->origin)
        return;
    (void)snprintf(mark, sizeof mark, INHERIT_MARK "%" PRIu64, attempt->trial.attempt); /* fits */
    const struct experiment *experiment = attempt->experiment;
    trial_directory_path(&from, attempt->base, experiment->name, experiment->id, attempt->origin);
    trial_directory_path(&to, attempt->base, experiment->name, experiment->id, attempt->trial.number);
    int code = from.failed || to.failed ? err_set(&err, ERR_NOMEM, "%s", err_string(ERR_NOMEM))
                                        : inherit_directory(text_get(&to), text_get(&from),
                                                            attempt->trial.gang ? mark : NULL, &err);
    if (code)
        say_anew(attempt, err.text);
    text_fini(&from);
    text_fini(&to);
}

bool attempt_speaks(const struct attempt *attempt)
{
    return attempt->gang.part.rank == 0; /* so it is without a gang */
}

void attempt_set_clock(struct attempt *attempt, int64_t now_ns)
{
    const struct spec *spec = attempt->trial.spec;
    double hours = spec ? spec->limits.trial_hours : 0;
    attempt->begun_ns = now_ns;
    attempt->deadline_ns = hours > 0 && hours < 1e6 ? now_ns + (int64_t)(hours * 3600e9) : INT64_MAX;
}

void attempt_forget(struct attempt *attempt)
{
    gang_leave(&attempt->gang);
    attempt->trial.gang = NULL;
    if (attempt->log_fd >= 0 && close(attempt->log_fd))
        log_warn("output of a trial may be incomplete path=%s error=%s", text_get(&attempt->log),
                 strerror(errno));
    attempt->log_fd = -1;
    experiment_unref(attempt->experiment);
    attempt->experiment = NULL;
}

bool attempt_is(const struct attempt *attempt, struct id experiment, uint64_t trial, uint64_t number)
{
    return attempt->trial.number == trial && attempt->trial.attempt == number &&
           id_equal(attempt->experiment->id, experiment);
}

void attempt_stop(struct attempt *attempt, int reason)
{
    int none = ATTEMPT_GOES_ON;
    if (reason == STOP_STALE || reason == STOP_ENDED)
        atomic_store(&attempt->stop, reason);
    else if (!atomic_compare_exchange_strong(&attempt->stop, &none, reason))
        return;
    uint64_t one = 1;
    (void)!write(attempt->stop_fd, &one, sizeof one); /* full means that it is readable already */
}

void attempt_report(struct attempt *attempt, int64_t step, const char *name, size_t size, double value)
{
    int metric = number_metric(attempt, name, size, &step);
    if (metric >= 0)
        push_report(attempt, step, metric, value);
}

int64_t attempt_next_step(struct attempt *attempt, const char *name, size_t size)
{
    (void)pthread_mutex_lock(&attempt->lock);
    int number = metric_names_find(&attempt->names, name, size);
    int64_t last = number >= 0 ? attempt->names.last_steps[number] : -1;
    (void)pthread_mutex_unlock(&attempt->lock);
    return last < 0 ? 1 : last < REPORT_MAX_STEP ? last + 1 : last;
}

/* Its log */

static int open_log(struct attempt *attempt)
{
    struct err err = {0};
    attempt->has_tried_log = true;
    int code = make_directory(attempt, &err);
    if (!code)
        code = trial_directory_open_log(&attempt->log, text_get(&attempt->directory), attempt->trial.attempt,
                                        attempt->gang.part.rank, &err);
    if (code < 0) {
        log_warn("output of a trial is not kept trial=%llu error=%s",
                 (unsigned long long)attempt->trial.number, err.text);
        text_clear(&attempt->log);
        return code;
    }
    attempt->log_fd = code;
    return ERR_OK;
}

/* Is there a log to write to? Opens it at first. */
static bool has_log(struct attempt *attempt)
{
    return attempt->log_fd >= 0 || (!attempt->has_tried_log && !open_log(attempt));
}

static void give_up_log(struct attempt *attempt)
{
    log_warn("output of a trial is lost path=%s error=%s", text_get(&attempt->log), strerror(errno));
    (void)close(attempt->log_fd); /* the fault is said already */
    attempt->log_fd = -1;
}

static void write_log(struct attempt *attempt, const char *bytes, size_t size)
{
    while (size > 0 && has_log(attempt)) {
        ssize_t written = write(attempt->log_fd, bytes, size);
        if (written >= 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            give_up_log(attempt);
        }
    }
}

void attempt_write_log(struct attempt *attempt, const char *bytes, size_t size)
{
    (void)pthread_mutex_lock(&attempt->lock);
    write_log(attempt, bytes, size);
    (void)pthread_mutex_unlock(&attempt->lock);
}

void attempt_move_to_log(struct attempt *attempt, int pipe_fd)
{
    char bytes[4096];
    ssize_t n = -1;
    (void)pthread_mutex_lock(&attempt->lock);
    if (has_log(attempt))
        n = splice(pipe_fd, NULL, attempt->log_fd, NULL, LOG_CHUNK, SPLICE_F_NONBLOCK);
    if (n < 0 && (n = read(pipe_fd, bytes, sizeof bytes)) > 0) /* no log, or one on a strange file system */
        write_log(attempt, bytes, (size_t)n);
    (void)pthread_mutex_unlock(&attempt->lock);
}

const char *attempt_log_path(const struct attempt *attempt)
{
    return text_get(&attempt->log);
}

/* Its end */

void attempt_describe_limit(struct text *out, const struct attempt *attempt)
{
    text_printf(out, "reached the time limit of %g h for a trial (limits.trial_hours)",
                attempt->experiment->spec->limits.trial_hours);
}

void attempt_end(struct attempt *attempt, enum outcome outcome, double value, const char *text)
{
    atomic_store(&attempt->is_active, false);
    attempt->outcome = outcome;
    attempt->value = isfinite(value) ? value : NAN;
    if (text)
        text_append(&attempt->text, text);
    atomic_store(&attempt->has_ended, true);
}

void attempt_end_stopped(struct attempt *attempt, double value)
{
    switch (atomic_load(&attempt->stop)) {
    case STOP_STALE:
    case STOP_ENDED:
    case ATTEMPT_LEAVING:
        attempt_end(attempt, OUTCOME_NONE, NAN, NULL);
        return;
    case ATTEMPT_OUT_OF_TIME:
        attempt_describe_limit(&attempt->text, attempt);
        attempt_end(attempt, OUTCOME_FAILED, NAN, NULL);
        return;
    default:
        attempt_end(attempt, OUTCOME_STOPPED, value, NULL);
    }
}
