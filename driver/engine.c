/* The engine's door: events come in here, commands go out. See driver/engine.h for the contract.
 *
 * Out of memory is kept in `failed`: the event may then be half done, so the driver drops the engine and
 * rebuilds it from the store, which knows everything that was acknowledged. */
#include "driver/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"

struct engine *engine_create(const struct engine_setup *setup)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine) {
        engine->setup = *setup;
        engine->round = 1;
    }
    return engine;
}

static void free_spent(struct engine *engine)
{
    for (size_t i = 0; i < engine->n_spent; i++)
        curve_fini(&engine->spent[i]->curve);
    engine->n_spent = 0;
    for (size_t i = 0; i < engine->n_lent; i++)
        free(engine->lent[i]);
    engine->n_lent = 0;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    free_spent(engine);
    struct worker *worker, *next_worker;
    HASH_ITER(hh, engine->workers, worker, next_worker)
    {
        peer_destroy(engine, worker);
    }
    struct experiment *experiment, *next;
    HASH_ITER(hh, engine->experiments, experiment, next)
    {
        experiment_destroy(engine, experiment);
    }
    free_spent(engine);
    free(engine->lent);
    free(engine->spent);
    free(engine->commands);
    heap_fini(&engine->deadlines);
    free(engine);
}

const struct command *engine_commands(size_t *n, const struct engine *engine)
{
    *n = engine->n_commands;
    return engine->commands;
}

void engine_clear(struct engine *engine)
{
    engine->round++;
    engine->n_commands = 0;
    free_spent(engine);
}

int64_t engine_deadline(const struct engine *engine)
{
    const struct deadline *first = heap_first(&engine->deadlines);
    return first ? first->at_ns : INT64_MAX;
}

int engine_failed(const struct engine *engine)
{
    return engine->failed;
}

void engine_out_of_memory(struct engine *engine)
{
    engine->failed = ERR_NOMEM;
}

struct command *engine_command(struct engine *engine, enum command_kind kind)
{
    if (engine->n_commands == engine->capacity_commands) {
        size_t capacity = engine->capacity_commands ? 2 * engine->capacity_commands : 64;
        struct command *commands = realloc(engine->commands, capacity * sizeof *commands);
        if (!commands) {
            engine_out_of_memory(engine);
            return NULL;
        }
        engine->commands = commands;
        engine->capacity_commands = capacity;
    }
    struct command *command = &engine->commands[engine->n_commands++];
    /* A message is filled in field by field; records and observations are assigned whole, by who wants them.
     */
    memset(command, 0, kind == COMMAND_SEND ? sizeof *command : offsetof(struct command, message));
    command->kind = kind;
    return command;
}

void engine_send_bye(struct engine *engine, struct id worker, int code, const char *text)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker;
    command->message.type = WIRE_BYE;
    command->message.bye.code = code;
    command->message.bye.text = wire_string(text);
}

int64_t engine_wall_ms(const struct engine *engine)
{
    return engine->now_ns / 1000000 + engine->setup.wall_offset_ms;
}

char *engine_copy(struct engine *engine, const char *string)
{
    if (!string || !*string)
        return NULL;
    char *copy = strdup(string);
    if (!copy)
        engine_out_of_memory(engine);
    return copy;
}

const char *engine_lend(struct engine *engine, char *string)
{
    if (!string)
        return "";
    if (engine->n_lent == engine->capacity_lent) {
        size_t capacity = engine->capacity_lent ? 2 * engine->capacity_lent : 8;
        char **lent = realloc(engine->lent, capacity * sizeof *lent);
        if (!lent) {
            free(string);
            engine_out_of_memory(engine);
            return "";
        }
        engine->lent = lent;
        engine->capacity_lent = capacity;
    }
    engine->lent[engine->n_lent++] = string;
    return string;
}

void engine_event(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                  const char *kind, const char *text)
{
    const char *copy = engine_lend(engine, engine_copy(engine, text));
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return;
    command->record.kind = RECORD_EVENT;
    command->record.event = (struct event_record){.key = experiment->key,
                                                  .trial = trial ? trial->number : 0,
                                                  .time_ms = engine_wall_ms(engine),
                                                  .kind = kind,
                                                  .text = copy};
}

struct experiment *engine_experiment(const struct engine *engine, struct id id)
{
    struct experiment *experiment;
    HASH_FIND(hh, engine->experiments, &id, sizeof id, experiment);
    return experiment;
}

static struct experiment *experiment_by_key(const struct engine *engine, int64_t key)
{
    struct experiment *experiment;
    HASH_FIND(hh_key, engine->experiments_by_key, &key, sizeof key, experiment);
    return experiment;
}

void engine_message(struct engine *engine, struct id worker, const struct wire_message *message,
                    int64_t now_ns)
{
    engine->now_ns = now_ns;
    peer_message(engine, worker, message);
    gang_settle(engine);
}

void engine_worker_gone(struct engine *engine, struct id worker, int64_t now_ns)
{
    engine->now_ns = now_ns;
    peer_unreachable(engine, worker);
    gang_settle(engine);
}

void engine_forget_workers(struct engine *engine, int64_t now_ns)
{
    engine->now_ns = now_ns;
    peer_dismiss_absent(engine, false, "its driver was killed, and its worker with it");
    gang_settle(engine);
}

void engine_workers_ended(struct engine *engine, const char *text, int64_t now_ns)
{
    engine->now_ns = now_ns;
    peer_all_ended(engine, engine_lend(engine, engine_copy(engine, text)));
    gang_settle(engine);
}

/* The question that began with `first` is answered; `n` of what it asked for came. */
static void forget_asked(struct experiment *experiment, uint64_t first, size_t n)
{
    size_t i = 0;
    while (i < experiment->n_asked && experiment->asked[i].first != first)
        i++;
    if (i == experiment->n_asked)
        return;
    struct asked asked = experiment->asked[i];
    experiment->asked[i] = experiment->asked[--experiment->n_asked];
    experiment->n_asked_trials -= asked.n;
    if (n < asked.n && (!experiment->exhausted || first + n < experiment->exhausted))
        experiment->exhausted = first + n;
}

/* Room for one more; nothing changes if there is none. */
static int reserve_suggestion(struct experiment *experiment)
{
    size_t n_params = experiment->spec->space->n_params, head = experiment->ready_head,
           n = experiment->n_ready;
    if (head + n < experiment->n_ring)
        return 0;
    if (head) {
        memmove(experiment->ready, experiment->ready + head, n * sizeof *experiment->ready);
        memmove(experiment->ready_points, experiment->ready_points + head * n_params,
                n * n_params * sizeof *experiment->ready_points);
        experiment->ready_head = 0;
        return 0;
    }
    size_t n_ring = n ? 2 * n : 64;
    uint64_t *ready = realloc(experiment->ready, n_ring * sizeof *ready);
    if (!ready)
        return ERR_NOMEM;
    experiment->ready = ready;
    double *points = realloc(experiment->ready_points, (n_ring * n_params + 1) * sizeof *points);
    if (!points)
        return ERR_NOMEM;
    experiment->ready_points = points;
    experiment->n_ring = n_ring;
    return 0;
}

static int keep_suggestion(struct experiment *experiment, uint64_t trial, const double *point)
{
    size_t n_params = experiment->spec->space->n_params;
    if (reserve_suggestion(experiment))
        return ERR_NOMEM;
    size_t at = experiment->ready_head + experiment->n_ready++;
    experiment->ready[at] = trial;
    if (n_params > 0)
        memcpy(experiment->ready_points + at * n_params, point, n_params * sizeof *point);
    return 0;
}

void engine_suggested(struct engine *engine, int64_t key, uint64_t first_trial, size_t n,
                      const double *points, int64_t now_ns)
{
    engine->now_ns = now_ns;
    struct experiment *experiment = experiment_by_key(engine, key);
    if (!experiment)
        return;
    forget_asked(experiment, first_trial, n);
    for (size_t i = 0; i < n; i++) {
        /* A trial that was adopted from its worker in the meantime has its point already. */
        if (experiment_trial(experiment, first_trial + i))
            continue;
        if (keep_suggestion(experiment, first_trial + i, points + i * experiment->spec->space->n_params)) {
            engine_out_of_memory(engine);
            return;
        }
    }
    experiment_feed(engine, experiment);
    gang_settle(engine);
}

void engine_time(struct engine *engine, int64_t now_ns)
{
    engine->now_ns = now_ns;
    struct deadline *first;
    while (!engine->failed && (first = heap_first(&engine->deadlines)) && first->at_ns <= now_ns) {
        heap_remove(&engine->deadlines, first);
        char *base = (char *)first;
        if (first->kind == DEADLINE_WORKER)
            peer_deadline(engine, (struct worker *)(void *)(base - offsetof(struct worker, deadline)));
        else
            experiment_deadline(engine,
                                (struct experiment *)(void *)(base - offsetof(struct experiment, deadline)));
    }
    gang_settle(engine);
}

static void warm_start_event(struct engine *engine, const struct experiment *experiment)
{
    const struct warm_start *warm = &experiment->spec->warm_start;
    size_t n_try = warm_start_count(warm, WARM_TRY), n_failed = warm_start_count(warm, WARM_FAILED);
    char text[160];
    if (!warm->n && !warm->n_left_out)
        return;
    int n = snprintf(text, sizeof text, "%zu known points (%zu failed), %zu to be tried first",
                     warm->n - n_try, n_failed, n_try);
    if (warm->n_left_out) /* it fits: numbers have 20 digits at most */
        (void)snprintf(text + n, sizeof text - (size_t)n, "; %zu left out that do not fit the space",
                       warm->n_left_out);
    engine_event(engine, experiment, NULL, "warm start", text);
}

int engine_submit(struct engine *engine, const struct experiment_record *record, struct spec *spec,
                  int64_t now_ns, struct err *err)
{
    engine->now_ns = now_ns;
    if (engine_experiment(engine, record->id)) {
        spec_destroy(spec);
        return 0;
    }
    struct experiment_record copy = *record;
    copy.key = engine->setup.next_key;
    copy.state = EXPERIMENT_RUNNING;
    copy.text = "";
    copy.created_ms = engine_wall_ms(engine);
    copy.ended_ms = 0;
    copy.elapsed_ms = 0;
    struct experiment *experiment = experiment_create(engine, &copy, spec, err);
    if (!experiment)
        return err ? err->code : ERR_NOMEM;
    engine->setup.next_key++;
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return err_set(err, ERR_NOMEM, "out of memory");
    command->record.kind = RECORD_EXPERIMENT;
    command->record.experiment = copy;
    command->record.experiment.spec = experiment->spec;
    engine_event(engine, experiment, NULL, "started", "");
    warm_start_event(engine, experiment);
    experiment_changed(engine, experiment);
    experiment_run(engine, experiment);
    gang_settle(engine);
    return 0;
}

int engine_resume(struct engine *engine, struct id id, int64_t now_ns, struct err *err)
{
    engine->now_ns = now_ns;
    struct experiment *experiment = engine_experiment(engine, id);
    if (!experiment)
        return err_set(err, ERR_NOT_FOUND, "this driver does not have that experiment");
    if (experiment->state == EXPERIMENT_COMPLETED)
        return err_set(err, ERR_INVALID, "experiment '%s' is complete: there is nothing to resume",
                       experiment->name);
    if (experiment->state == EXPERIMENT_RUNNING && experiment->closing)
        return err_set(err, ERR_BUSY, "experiment '%s' is just being stopped: try again in a moment",
                       experiment->name);
    if (experiment->state == EXPERIMENT_RUNNING)
        return 0;
    experiment->state = EXPERIMENT_RUNNING;
    experiment->since_ns = now_ns; /* before its running time is saved with the state */
    experiment->n_failed_in_row = 0;
    experiment->ended_ms = 0;
    (void)engine_lend(engine, experiment->text);
    experiment->text = NULL;
    experiment_persist_state(engine, experiment);
    engine_event(engine, experiment, NULL, "resumed", "");
    experiment_run(engine, experiment);
    gang_settle(engine);
    return 0;
}

int engine_cancel(struct engine *engine, struct id id, int64_t now_ns, struct err *err)
{
    engine->now_ns = now_ns;
    struct experiment *experiment = engine_experiment(engine, id);
    if (!experiment)
        return err_set(err, ERR_NOT_FOUND, "this driver does not have that experiment");
    if (experiment->state == EXPERIMENT_RUNNING && !experiment->closing) {
        experiment_close(engine, experiment, EXPERIMENT_INTERRUPTED, STOP_CANCELLED, "stopped by the user");
        experiment_feed(engine, experiment); /* with nothing under way it is over at once */
        gang_settle(engine);
    }
    return 0;
}

const struct spec *engine_spec(const struct engine *engine, int64_t key)
{
    const struct experiment *experiment = experiment_by_key(engine, key);
    return experiment ? experiment->spec : NULL;
}

size_t engine_n_running(const struct engine *engine)
{
    size_t n = 0;
    for (const struct experiment *e = engine->experiments; e; e = e->hh.next)
        n += e->state == EXPERIMENT_RUNNING;
    return n;
}

bool engine_find(struct id *experiment, int64_t *key, const struct engine *engine, struct id wanted)
{
    const struct experiment *found = engine_experiment(engine, wanted);
    if (!found)
        return false;
    *experiment = found->id;
    *key = found->key;
    return true;
}

int engine_status(struct wire_status *status, const struct engine *engine, struct id id, int64_t now_ns)
{
    struct experiment *e = engine_experiment(engine, id);
    if (!e)
        return ERR_NOT_FOUND;
    *status = (struct wire_status){
        .experiment = e->id,
        .name = wire_string(e->name),
        .state = (uint64_t)e->state,
        .text = wire_string(e->text),
        .n_trials = (uint64_t)e->spec->limits.trials,
        .n_pending = e->counts[TRIAL_PENDING],
        .n_running = e->n_active,
        .n_paused = e->counts[TRIAL_PAUSED],
        .n_completed = e->counts[TRIAL_COMPLETED],
        .n_stopped = e->counts[TRIAL_STOPPED],
        .n_failed = e->counts[TRIAL_FAILED],
        .n_workers = e->n_own + (e->spec->train.kind == TRAIN_FUNCTION ? 0 : engine->n_general),
        .n_reports = e->n_reports,
        .best_trial = e->best ? e->best->number : 0,
        .best_value = e->best ? e->best->value : (double)NAN,
        .elapsed_s = (double)experiment_elapsed_ns(e, now_ns) / 1e9,
    };
    if (e->state == EXPERIMENT_RUNNING && !e->closing && gang_wanted(e) && !gang_is_feasible(engine, e)) {
        (void)snprintf(e->wait_text, sizeof e->wait_text,
                       "waits for %lld workers at once, and %llu are connected",
                       (long long)e->spec->gang.workers, (unsigned long long)status->n_workers);
        status->text = wire_string(e->wait_text);
    }
    if (e->best)
        status->best_point = (struct wire_point){.n = e->spec->space->n_params, .values = e->best->point};
    return 0;
}
