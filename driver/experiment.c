/* An experiment: what runs next, its limits, and its end.
 *
 * A trial comes from one of three places, in this order: the pending ones (to be run again), the context's
 * plan at a point of its own, and the context's plan at a point that the search suggests. Suggestions are
 * asked for ahead of need: a search that does not learn may be far ahead, one that does only as far as
 * workers wait for it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"
#include "optimizers/registry.h"

/* How far ahead a search that does not learn is asked. 64 points are a few KB, and enough to keep workers
 * busy over the longest pause of the advisor's thread that was seen (2 ms) at 20,000 trials per second. */
#define LOOKAHEAD 64

/* The running time is saved this often, so a killed driver forgets at most so much of it. */
#define SAVE_ELAPSED_NS (10 * INT64_C(1000000000))

/* Added to the grace period before an attempt that was asked to stop is given up. */
#define CLOSE_MARGIN_NS (5 * INT64_C(1000000000))

static char *copy_or_empty(const char *string)
{
    return strdup(string ? string : "");
}

/* NULL: out of memory. */
static char *write_for_workers(struct spec *spec, const char *spec_json)
{
    if (!spec->warm_start.n)
        return copy_or_empty(spec_json);
    struct warm_start kept = spec->warm_start;
    struct text json = {0};
    spec->warm_start = (struct warm_start){0};
    spec_write_json(&json, spec);
    spec->warm_start = kept;
    return text_take(&json);
}

struct experiment *experiment_create(struct engine *engine, const struct experiment_record *record,
                                     struct spec *spec, struct err *err)
{
    struct experiment *e = calloc(1, sizeof *e);
    if (!e) {
        spec_destroy(spec);
        goto no_memory;
    }
    e->spec = spec;
    e->key = record->key;
    e->id = record->id;
    e->state = record->state;
    e->name = copy_or_empty(record->name);
    e->spec_json = write_for_workers(spec, record->spec_json);
    e->text = engine_copy(engine, record->text);
    e->created_ms = record->created_ms;
    e->ended_ms = record->ended_ms;
    e->elapsed_ns = record->elapsed_ms * 1000000;
    e->next_number = e->next_ask = 1;
    e->deadline.kind = DEADLINE_EXPERIMENT;
    const struct search_type *search = search_type_find(spec->search.name);
    e->learns = search && search->learns;
    if (!e->name || !e->spec_json)
        goto no_memory;
    if (context_create(&e->context, spec, err)) {
        experiment_destroy(engine, e);
        return NULL;
    }
    HASH_ADD(hh, engine->experiments, id, sizeof e->id, e);
    if (!e->hh.tbl)
        goto no_memory;
    HASH_ADD(hh_key, engine->experiments_by_key, key, sizeof e->key, e);
    if (!e->hh_key.tbl)
        goto no_memory;
    return e;
no_memory:
    experiment_destroy(engine, e);
    engine_out_of_memory(engine);
    (void)err_set(err, ERR_NOMEM, "out of memory");
    return NULL;
}

void experiment_destroy(struct engine *engine, struct experiment *e)
{
    if (!e)
        return;
    experiment_hungry(engine, e, false);
    if (engine->reserver == e)
        engine->reserver = NULL;
    heap_remove(&engine->deadlines, &e->deadline);
    if (e->hh.tbl)
        HASH_DEL(engine->experiments, e);
    if (e->hh_key.tbl)
        HASH_DELETE(hh_key, engine->experiments_by_key, e);
    for (size_t i = 0; i < e->n_slots; i++)
        trial_destroy(e->trials[i]);
    free(e->trials);
    free(e->ready);
    free(e->ready_points);
    context_destroy(e->context);
    spec_destroy(e->spec);
    free(e->name);
    free(e->spec_json);
    free(e->text);
    free(e);
}

struct trial *experiment_trial(const struct experiment *e, uint64_t number)
{
    return number && number <= e->n_slots ? e->trials[number - 1] : NULL;
}

int64_t experiment_elapsed_ns(const struct experiment *e, int64_t now_ns)
{
    return e->elapsed_ns + (e->state == EXPERIMENT_RUNNING ? now_ns - e->since_ns : 0);
}

void experiment_changed(struct engine *engine, struct experiment *e)
{
    if (e->changed_in == engine->round)
        return;
    struct command *command = engine_command(engine, COMMAND_CHANGED);
    if (!command)
        return;
    command->key = e->key;
    e->changed_in = engine->round;
}

void experiment_persist_state(struct engine *engine, struct experiment *e)
{
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return;
    command->record.kind = RECORD_EXPERIMENT_STATE;
    command->record.experiment = (struct experiment_record){
        .key = e->key,
        .id = e->id,
        .state = e->state,
        .text = e->text ? e->text : "",
        .ended_ms = e->ended_ms,
        .elapsed_ms = experiment_elapsed_ns(e, engine->now_ns) / 1000000,
    };
    experiment_changed(engine, e);
}

void experiment_hungry(struct engine *engine, struct experiment *e, bool hungry)
{
    if (e->is_hungry == hungry)
        return;
    e->is_hungry = hungry;
    if (hungry)
        DL_APPEND2(engine->hungry, e, prev_hungry, next_hungry);
    else
        DL_DELETE2(engine->hungry, e, prev_hungry, next_hungry);
}

/* Suggestions */

/* The highest trial number that may still be created. */
static uint64_t last_number(const struct experiment *e)
{
    uint64_t last = e->spec->limits.trials ? (uint64_t)e->spec->limits.trials : UINT64_MAX - 1;
    if (e->exhausted && e->exhausted - 1 < last)
        last = e->exhausted - 1;
    return last;
}

bool experiment_drop_suggestion(struct experiment *e, uint64_t number)
{
    size_t n_params = e->spec->space->n_params, end = e->ready_head + e->n_ready;
    for (size_t at = e->ready_head; at < end; at++) {
        if (e->ready[at] != number)
            continue;
        memmove(e->ready + at, e->ready + at + 1, (end - at - 1) * sizeof *e->ready);
        memmove(e->ready_points + at * n_params, e->ready_points + (at + 1) * n_params,
                (end - at - 1) * n_params * sizeof *e->ready_points);
        e->n_ready--;
        return true;
    }
    return false;
}

/* Trials that idle workers could run, its own and general ones; counted up to LOOKAHEAD. */
static uint64_t n_waiting(const struct engine *engine, const struct experiment *e)
{
    const struct worker *lists[] = {e->idle, e->spec->train.kind == TRAIN_FUNCTION ? NULL : engine->idle};
    uint64_t n = 0;
    uint64_t size = (uint64_t)e->spec->gang.workers;
    for (size_t i = 0; i < 2; i++)
        for (const struct worker *worker = lists[i]; worker && n < LOOKAHEAD * size; worker = worker->next)
            n++;
    /* With no gang under way one is prepared, so that it is known that workers are wanted for it. */
    n /= size;
    return n || size == 1 || e->n_active ? n : 1;
}

/* Asks for one unbroken range of numbers that have no trial; returns how many. */
static uint64_t ask_range(struct engine *engine, struct experiment *e, uint64_t most)
{
    uint64_t last = last_number(e);
    while (experiment_trial(e, e->next_ask))
        e->next_ask++;
    uint64_t first = e->next_ask, n = 0;
    while (n < most && first + n <= last && !experiment_trial(e, first + n))
        n++;
    if (!n)
        return 0;
    struct command *command = engine_command(engine, COMMAND_ASK);
    if (!command)
        return 0;
    command->key = e->key;
    command->first_trial = first;
    command->n = n;
    e->asked[e->n_asked++] = (struct asked){.first = first, .n = n};
    e->n_asked_trials += n;
    e->next_ask = first + n;
    return n;
}

void experiment_ask(struct engine *engine, struct experiment *e, uint64_t more)
{
    if (e->state != EXPERIMENT_RUNNING || e->closing || !context_searches(e->context))
        return;
    uint64_t ahead = e->learns ? (uint64_t)(e->spec->workers / e->spec->gang.workers > 1) : LOOKAHEAD;
    uint64_t want = ahead + n_waiting(engine, e) + more, have = e->n_ready + e->n_asked_trials;
    if (have >= want || (!e->learns && have > want / 2))
        return;
    while (have < want && e->n_asked < MAX_ASKED) {
        uint64_t n = ask_range(engine, e, want - have);
        if (!n)
            return;
        have += n;
    }
}

/* Starting */

static struct trial *new_trial(struct engine *engine, struct experiment *e, uint64_t number,
                               const double *point, int64_t budget)
{
    struct trial *trial = trial_create(engine, e, number, point);
    if (!trial)
        return NULL;
    trial->budget = budget;
    if (context_started(e->context, number, budget)) {
        engine_out_of_memory(engine);
        return NULL;
    }
    return trial;
}

static struct trial *from_suggestion(struct engine *engine, struct experiment *e, int64_t budget)
{
    struct trial *trial = NULL;
    while (e->n_ready && !trial && !engine->failed) {
        size_t at = e->ready_head++;
        if (--e->n_ready == 0)
            e->ready_head = 0;
        if (!experiment_trial(e, e->ready[at]))
            trial =
                new_trial(engine, e, e->ready[at], e->ready_points + at * e->spec->space->n_params, budget);
    }
    return trial;
}

/* The number of a trial that begins as a copy of another: free, and above that one's, because after a restart
 * trials are told in their order; 0: the limit is reached. */
static uint64_t number_above(const struct experiment *e, uint64_t origin)
{
    uint64_t number = e->next_number > origin ? e->next_number : origin + 1;
    while (experiment_trial(e, number))
        number++;
    bool may_be = !e->spec->limits.trials || number <= (uint64_t)e->spec->limits.trials;
    return may_be ? number : 0;
}

static struct trial *forked(struct engine *engine, struct experiment *e, const struct context_plan *plan)
{
    const struct trial *origin = experiment_trial(e, plan->trial);
    uint64_t number = origin ? number_above(e, plan->trial) : 0;
    const struct space *space = e->spec->space;
    if (!number)
        return NULL;
    double *point = calloc(space->n_params + 1, sizeof *point);
    struct trial *trial = NULL;
    if (point && !context_explore(point, e->context, space, origin->point, number))
        trial = trial_create(engine, e, number, point);
    free(point);
    if (!trial) {
        engine_out_of_memory(engine);
        return NULL;
    }
    (void)experiment_drop_suggestion(e, number); /* if there was one */
    trial->budget = plan->budget;
    trial_set_origin(engine, e, trial, plan->trial, plan->units);
    if (context_started(e->context, number, plan->budget)) {
        engine_out_of_memory(engine);
        return NULL;
    }
    trial_observe(engine, e, trial, OBSERVED_PENDING);
    char text[64];
    (void)snprintf(text, sizeof text, "from trial %llu at %lld units", (unsigned long long)plan->trial,
                   (long long)plan->units); /* it fits */
    engine_event(engine, e, trial, "forked", text);
    return trial;
}

static struct trial *resumed(struct engine *engine, struct experiment *e, const struct context_plan *plan)
{
    struct trial *trial = experiment_trial(e, plan->trial);
    if (!trial || trial->state != TRIAL_PAUSED)
        return NULL;
    trial_step(e, trial, TRIAL_PENDING);
    trial->attempt++;
    trial->budget = plan->budget;
    if (context_started(e->context, trial->number, plan->budget)) {
        engine_out_of_memory(engine);
        return NULL;
    }
    return trial;
}

bool experiment_can_start(struct experiment *e)
{
    if (e->pending)
        return true;
    struct context_plan plan;
    context_next(&plan, e->context);
    if (plan.kind == CONTEXT_RESUME || plan.kind == CONTEXT_STOP)
        return true;
    if (plan.kind == CONTEXT_FORK)
        return number_above(e, plan.trial) > 0;
    if (plan.kind == CONTEXT_SUGGEST)
        return e->n_ready > 0;
    return plan.kind == CONTEXT_POINT && e->next_number <= last_number(e);
}

/* False: it is not paused, or the experiment ends with it. */
static bool give_up_paused(struct engine *engine, struct experiment *e, uint64_t number)
{
    struct trial *trial = experiment_trial(e, number);
    if (!trial || trial->state != TRIAL_PAUSED)
        return false;
    trial_give_up(engine, e, trial);
    return !engine->failed && !e->closing;
}

struct trial *experiment_take_next(struct engine *engine, struct experiment *e)
{
    if (e->pending) {
        struct trial *trial = e->pending;
        DL_DELETE(e->pending, trial);
        return trial;
    }
    struct context_plan plan;
    context_next(&plan, e->context);
    while (plan.kind == CONTEXT_STOP && give_up_paused(engine, e, plan.trial))
        context_next(&plan, e->context);
    if (plan.kind == CONTEXT_RESUME)
        return resumed(engine, e, &plan);
    if (plan.kind == CONTEXT_FORK)
        return forked(engine, e, &plan);
    if (plan.kind == CONTEXT_SUGGEST)
        return from_suggestion(engine, e, plan.budget);
    if (plan.kind == CONTEXT_POINT && e->next_number <= last_number(e))
        return new_trial(engine, e, e->next_number, plan.point, plan.budget);
    return NULL;
}

bool experiment_start_next(struct engine *engine, struct experiment *e, struct worker *worker)
{
    if (e->state != EXPERIMENT_RUNNING || e->closing || engine->failed)
        return false;
    struct trial *trial = experiment_take_next(engine, e);
    if (!trial)
        return false;
    trial_assign(engine, e, trial, worker);
    return true;
}

/* Ending */

static void send_done_to_own(struct engine *engine, struct experiment *e)
{
    if (!e->n_own)
        return;
    for (struct worker *worker = engine->workers; worker; worker = worker->hh.next) {
        if (worker->own != e || worker->state != WORKER_READY)
            continue;
        struct command *command = engine_command(engine, COMMAND_SEND);
        if (!command)
            return;
        command->worker = worker->id;
        command->after_commit = true;
        command->message.type = WIRE_DONE;
        command->message.done.experiment = e->id;
    }
}

static void set_text(struct engine *engine, struct experiment *e, const char *text)
{
    char *copy = engine_copy(engine, text); /* before the old one goes: it may be part of it */
    (void)engine_lend(engine, e->text);
    e->text = copy;
}

/* Nothing of it will run any more: what is not final becomes so. */
static void settle_rest(struct engine *engine, struct experiment *e)
{
    for (size_t i = 0; i < e->n_slots && !engine->failed; i++) {
        struct trial *trial = e->trials[i];
        if (!trial || (trial->state != TRIAL_PENDING && trial->state != TRIAL_PAUSED))
            continue;
        if (trial->state == TRIAL_PENDING)
            DL_DELETE(e->pending, trial);
        trial_settle(engine, e, trial);
        experiment_rank(e, trial); /* a paused one counts for what it reached */
    }
}

static void finalize(struct engine *engine, struct experiment *e, enum experiment_state state)
{
    e->elapsed_ns = experiment_elapsed_ns(e, engine->now_ns);
    if (state == EXPERIMENT_COMPLETED) {
        settle_rest(engine, e);
        if (!e->best) {
            state = EXPERIMENT_FAILED;
            set_text(engine, e, e->text ? e->text : "no trial gave a value of the objective");
        }
    }
    e->state = state;
    e->closing = 0;
    e->ended_ms = engine_wall_ms(engine);
    heap_remove(&engine->deadlines, &e->deadline);
    experiment_hungry(engine, e, false);
    experiment_persist_state(engine, e);
    engine_event(engine, e, NULL, experiment_state_name(state), e->text);
    send_done_to_own(engine, e);
}

static void arm(struct engine *engine, struct experiment *e)
{
    int64_t at_ns = engine->now_ns + SAVE_ELAPSED_NS;
    if (e->closing) {
        at_ns = e->close_by_ns;
    } else if (e->spec->limits.hours > 0) {
        int64_t left_ns =
            (int64_t)(e->spec->limits.hours * 3600e9) - experiment_elapsed_ns(e, engine->now_ns);
        if (engine->now_ns + left_ns < at_ns)
            at_ns = engine->now_ns + (left_ns > 0 ? left_ns : 0);
    }
    if (heap_set(&engine->deadlines, &e->deadline, at_ns))
        engine_out_of_memory(engine);
}

void experiment_close(struct engine *engine, struct experiment *e, enum experiment_state state,
                      enum stop_reason reason, const char *text)
{
    if (e->state != EXPERIMENT_RUNNING || e->closing)
        return;
    e->closing = state;
    set_text(engine, e, text);
    experiment_hungry(engine, e, false);
    e->close_by_ns = engine->now_ns + (int64_t)(e->spec->train.grace_s * 1e9) + CLOSE_MARGIN_NS;
    struct trial *trial, *next;
    DL_FOREACH_SAFE2(e->active, trial, next, next_active)
    {
        trial_send_stop(engine, e, trial, reason);
    }
    arm(engine, e);
    engine_event(engine, e, NULL, "stopping", text);
    experiment_changed(engine, e);
}

static bool meets_target(const struct experiment *e, double value)
{
    double target = e->spec->limits.target;
    return !isnan(target) && !isnan(value) &&
           (value == target || metric_better(e->spec->metric.goal, value, target));
}

void experiment_rank(struct experiment *e, struct trial *trial)
{
    enum metric_goal goal = e->spec->metric.goal;
    bool is_best = !e->best || metric_better(goal, trial->value, e->best->value) ||
                   (trial->value == e->best->value && trial->number < e->best->number);
    if (!isnan(trial->value) && is_best)
        e->best = trial;
}

void experiment_trial_ended(struct engine *engine, struct experiment *e, struct trial *trial)
{
    if (trial->state == TRIAL_COMPLETED || trial->state == TRIAL_STOPPED) {
        e->n_failed_in_row = 0;
        experiment_rank(e, trial);
    } else if (trial->state == TRIAL_PAUSED) {
        e->n_failed_in_row = 0;
    } else if (trial->state == TRIAL_FAILED) {
        e->n_failed_in_row++;
    }
    char text[256];
    int64_t most = e->spec->limits.failures;
    if (meets_target(e, trial->value)) {
        (void)snprintf(text, sizeof text, "trial %llu reached the target %g",
                       (unsigned long long)trial->number, e->spec->limits.target);
        experiment_close(engine, e, EXPERIMENT_COMPLETED, STOP_LIMIT, text);
    } else if (trial->state == TRIAL_FAILED && most && e->n_failed_in_row >= (uint64_t)most) {
        (void)snprintf(text, sizeof text,
                       "%llu trials failed in a row (limits.failures); the last one: %.150s",
                       (unsigned long long)e->n_failed_in_row, trial->text ? trial->text : "");
        experiment_close(engine, e, EXPERIMENT_FAILED, STOP_CANCELLED, text);
    }
}

void experiment_check_budget(struct engine *engine, struct experiment *e)
{
    int64_t budget = e->spec->limits.budget;
    char text[96];
    if (!budget || e->n_units < budget || e->state != EXPERIMENT_RUNNING || e->closing)
        return;
    (void)snprintf(text, sizeof text, "the budget of %lld units is used up", (long long)budget);
    experiment_close(engine, e, EXPERIMENT_COMPLETED, STOP_LIMIT, text);
}

/* Could a worker be given anything, now or once the search has answered? */
static bool can_go_on(struct experiment *e)
{
    if (e->n_active || e->pending)
        return true;
    struct context_plan plan;
    context_next(&plan, e->context);
    if (plan.kind == CONTEXT_RESUME || plan.kind == CONTEXT_STOP)
        return true;
    if (plan.kind == CONTEXT_FORK)
        return number_above(e, plan.trial) > 0;
    if (plan.kind == CONTEXT_POINT)
        return e->next_number <= last_number(e);
    if (plan.kind == CONTEXT_SUGGEST)
        return e->n_ready || e->n_asked || e->next_number <= last_number(e);
    return false; /* DONE; or WAIT with nothing to wait for */
}

static void see_if_over(struct engine *engine, struct experiment *e)
{
    if (e->state != EXPERIMENT_RUNNING)
        return;
    if (e->closing) {
        if (!e->n_active)
            finalize(engine, e, e->closing);
        return;
    }
    if (e->n_active || can_go_on(e))
        return;
    if (e->exhausted && !e->text) {
        char text[96];
        (void)snprintf(text, sizeof text, "all %llu configurations of the space were tried",
                       (unsigned long long)e->n_created);
        if (!e->spec->limits.trials || e->n_created < (uint64_t)e->spec->limits.trials)
            set_text(engine, e, text);
    }
    finalize(engine, e, EXPERIMENT_COMPLETED);
}

static void start_on_idle(struct engine *engine, struct experiment *e)
{
    if (gang_wanted(e)) {
        while (gang_start_next(engine, e))
            ;
        return;
    }
    bool is_shared = e->spec->train.kind != TRAIN_FUNCTION && !engine->reserver;
    while (!engine->failed) {
        struct worker *worker = e->idle ? e->idle : is_shared ? engine->idle : NULL;
        if (!worker || !experiment_start_next(engine, e, worker))
            break;
        peer_unpark(worker);
    }
}

void experiment_feed(struct engine *engine, struct experiment *e)
{
    if (e->state == EXPERIMENT_RUNNING && !e->closing) {
        experiment_hungry(engine, e, true);
        start_on_idle(engine, e);
        experiment_ask(engine, e, 0);
    }
    if (!engine->failed)
        see_if_over(engine, e);
}

/* Restored gangs have one lease to come back whole. */
static void see_to_gangs(struct engine *engine, struct experiment *e)
{
    int64_t next_ns = gang_wanted(e) ? gang_give_up_incomplete(engine, e) : INT64_MAX;
    if (e->state == EXPERIMENT_RUNNING && e->deadline.place && next_ns < e->deadline.at_ns &&
        heap_set(&engine->deadlines, &e->deadline, next_ns))
        engine_out_of_memory(engine);
}

void experiment_run(struct engine *engine, struct experiment *e)
{
    e->since_ns = engine->now_ns;
    peer_adopt_unclaimed(engine, e);
    arm(engine, e);
    experiment_check_budget(engine, e); /* it may have been used up before a restart */
    see_to_gangs(engine, e);
    experiment_feed(engine, e);
}

/* Attempts that did not end in their grace period are given up, so that a stop always ends. */
static void give_up(struct engine *engine, struct experiment *e)
{
    struct trial *trial, *next;
    DL_FOREACH_SAFE2(e->active, trial, next, next_active)
    {
        if (!trial->gang) { /* a gang is told when it is dissolved */
            trial_send_stop(engine, e, trial, STOP_STALE);
            trial->worker->stale = true;
        }
        trial_lose(engine, e, trial, NULL, false, "it did not stop in its grace period");
        if (engine->failed)
            return;
    }
}

void experiment_deadline(struct engine *engine, struct experiment *e)
{
    if (e->state != EXPERIMENT_RUNNING)
        return;
    if (e->closing) {
        give_up(engine, e);
        return;
    }
    double hours = e->spec->limits.hours;
    if (hours > 0 && (double)experiment_elapsed_ns(e, engine->now_ns) >= hours * 3600e9) {
        char text[80];
        (void)snprintf(text, sizeof text, "the time limit of %g h is reached", hours);
        experiment_close(engine, e, EXPERIMENT_COMPLETED, STOP_LIMIT, text);
        see_if_over(engine, e);
        return;
    }
    if (e->n_active)
        experiment_persist_state(engine, e);
    arm(engine, e);
    see_to_gangs(engine, e);
}
