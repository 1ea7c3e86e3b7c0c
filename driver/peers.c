/* The workers: who they are, whether they are alive, and who of them is idle.
 *
 * A worker may speak only after a greeting: HELLO, then a HOLD for each attempt that it runs or has
 * unacknowledged news of. The HOLDs are compared with what is known here (`hold_*`), which is how assignments
 * survive a killed driver, and how lost messages are noticed. A worker's silence is measured lazily: a
 * deadline that comes up while the worker has been heard since is only moved. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"

/* A hold of a trial further than this beyond what is known is not believed: nobody was ever assigned it. */
#define MAX_HOLD_AHEAD 65536

static struct worker *peer_find(const struct engine *engine, struct id id)
{
    struct worker *worker;
    HASH_FIND(hh, engine->workers, &id, sizeof id, worker);
    return worker;
}

struct worker *peer_find_or_create(struct engine *engine, struct id id)
{
    struct worker *worker = peer_find(engine, id);
    if (worker)
        return worker;
    worker = calloc(1, sizeof *worker);
    if (!worker)
        goto fail;
    worker->id = id;
    worker->deadline.kind = DEADLINE_WORKER;
    HASH_ADD(hh, engine->workers, id, sizeof worker->id, worker);
    if (!worker->hh.tbl)
        goto fail;
    return worker;
fail:
    free(worker);
    engine_out_of_memory(engine);
    return NULL;
}

bool peer_has_work(const struct worker *worker)
{
    return worker->trials || worker->members;
}

void peer_unpark(struct worker *worker)
{
    if (!worker->list)
        return;
    DL_DELETE(*worker->list, worker);
    worker->list = NULL;
}

static void park(struct worker *worker, struct worker **list)
{
    DL_APPEND(*list, worker);
    worker->list = list;
}

/* Keeps the counts of connected workers, which the status of an experiment shows. */
static void set_state(struct engine *engine, struct worker *worker, enum worker_state state)
{
    bool was = worker->state == WORKER_READY, is = state == WORKER_READY;
    uint64_t *count = worker->own                 ? &worker->own->n_own
                      : id_is_none(worker->wants) ? &engine->n_general
                                                  : NULL;
    worker->state = state;
    if (!count || was == is)
        return;
    *count += is ? 1 : (uint64_t)-1;
    if (worker->own)
        experiment_changed(engine, worker->own);
}

void peer_destroy(struct engine *engine, struct worker *worker)
{
    set_state(engine, worker, WORKER_ABSENT);
    peer_unpark(worker);
    heap_remove(&engine->deadlines, &worker->deadline);
    HASH_DEL(engine->workers, worker);
    free(worker->known);
    free(worker->fleet);
    (void)engine_lend(engine, worker->host); /* the record of its last attempt may name it */
    free(worker);
}

void peer_arm(struct engine *engine, struct worker *worker)
{
    worker->heard_ns = engine->now_ns;
    if (!worker->deadline.place &&
        heap_set(&engine->deadlines, &worker->deadline, engine->now_ns + engine->setup.lease_ns))
        engine_out_of_memory(engine);
}

/* When a process of a fleet dies, mpirun asks the others to go: the word of one of them may come first, and
 * is no other matter than a death. */
static bool is_in_mpi_gang(const struct worker *worker)
{
    const struct trial *trial = worker->members ? worker->members->trial : worker->trials;
    return trial && trial->gang && trial->experiment->spec->gang.runtime == RUNTIME_MPI;
}

/* Whatever it had is run elsewhere, and it is forgotten. `by`: the worker, if it is its fault; or NULL. */
static void dismiss(struct engine *engine, struct worker *worker, struct worker *by, bool counts,
                    const char *text)
{
    set_state(engine, worker, WORKER_ABSENT);
    peer_unpark(worker);
    while (worker->trials && !engine->failed)
        trial_lose(engine, worker->trials->experiment, worker->trials, by, counts, text);
    while (worker->members && !engine->failed)
        trial_lose(engine, worker->members->trial->experiment, worker->members->trial, by, counts, text);
    if (!engine->failed)
        peer_destroy(engine, worker);
}

void peer_dismiss_absent(struct engine *engine, bool counts, const char *text)
{
    struct worker *worker, *next;
    HASH_ITER(hh, engine->workers, worker, next)
    {
        if (engine->failed)
            return;
        if (worker->state == WORKER_ABSENT)
            dismiss(engine, worker, NULL, counts, text);
    }
}

void peer_all_ended(struct engine *engine, const char *text)
{
    struct worker *worker, *next;
    /* First of all, or what one has lost would be given to another. */
    HASH_ITER(hh, engine->workers, worker, next)
    {
        set_state(engine, worker, WORKER_ABSENT);
        peer_unpark(worker);
    }
    peer_dismiss_absent(engine, true, text);
}

static bool is_in_gang(const struct worker *worker)
{
    return worker->members || (worker->trials && worker->trials->gang);
}

void peer_deadline(struct engine *engine, struct worker *worker)
{
    int64_t lease_ends = worker->heard_ns + engine->setup.lease_ns;
    if (lease_ends > engine->now_ns) {
        int64_t look_ns = worker->heard_ns + engine->setup.lease_ns / 2;
        if (look_ns <= engine->now_ns)
            gang_notice(engine, worker, true);
        bool looks_again = is_in_gang(worker) && look_ns > engine->now_ns;
        if (heap_set(&engine->deadlines, &worker->deadline, looks_again ? look_ns : lease_ends))
            engine_out_of_memory(engine);
        return;
    }
    char text[160];
    (void)snprintf(text, sizeof text, "nothing was heard of its worker%s%.64s for %.0f s",
                   worker->host ? " on " : "", worker->host ? worker->host : "",
                   (double)engine->setup.lease_ns / 1e9);
    dismiss(engine, worker, worker, true, engine_lend(engine, engine_copy(engine, text)));
}

void peer_unreachable(struct engine *engine, struct id id)
{
    struct worker *worker = peer_find(engine, id);
    if (!worker || worker->state == WORKER_ABSENT)
        return;
    /* What it runs it may still bring back, within its lease; what it was just handed has not reached it. */
    set_state(engine, worker, WORKER_ABSENT);
    peer_unpark(worker);
    struct trial *trial, *next;
    DL_FOREACH_SAFE(worker->trials, trial, next)
    {
        if (trial->state != TRIAL_ASSIGNED)
            continue;
        trial_lose(engine, trial->experiment, trial, worker, false, "its worker could not be reached");
        if (engine->failed)
            return;
    }
    struct member *member = worker->members;
    while (member && !engine->failed) {
        trial = member->trial;
        member = member->next;
        if (trial->state == TRIAL_ASSIGNED) {
            trial_lose(engine, trial->experiment, trial, worker, false, "its worker could not be reached");
            member = worker->members; /* it is another list now */
        }
    }
}

static void employ_own(struct engine *engine, struct worker *worker)
{
    struct experiment *own = worker->own;
    if (gang_wanted(own)) {
        park(worker, &own->idle);
        (void)gang_start_next(engine, own); /* it waits for the others */
    } else if (own->state != EXPERIMENT_RUNNING || !experiment_start_next(engine, own, worker)) {
        park(worker, &own->idle);
    }
}

/* Fair shares: the experiment with the fewest workers at work, the longest unserved among equals. Where
 * workers are kept for a gang, it is that one's turn. */
static struct experiment *least_served(const struct engine *engine)
{
    struct experiment *least = NULL;
    uint64_t least_share = 0;
    for (struct experiment *e = engine->hungry; e && !engine->reserver; e = e->next_hungry) {
        uint64_t share = e->n_active * (uint64_t)e->spec->gang.workers;
        bool is_candidate =
            e->spec->train.kind != TRAIN_FUNCTION && (!gang_wanted(e) || gang_is_feasible(engine, e));
        if (is_candidate && (!least || share < least_share)) {
            least = e;
            least_share = share;
        }
    }
    return engine->reserver ? engine->reserver : least;
}

/* True if the worker, which is idle, got work or is kept for a gang. */
static bool employ_in_gang(struct engine *engine, struct experiment *experiment, struct worker *worker)
{
    park(worker, &engine->idle);
    if (gang_start_next(engine, experiment))
        experiment_hungry(engine, experiment, true); /* to the end of the line */
    if (engine->reserver) {
        experiment_hungry(engine, engine->reserver, true);
        return true;
    }
    if (!worker->list)
        return true;
    peer_unpark(worker);
    return false;
}

static void serve_any(struct engine *engine, struct worker *worker)
{
    struct experiment *served = NULL, *without = NULL; /* had nothing at hand */
    struct experiment *least;
    bool is_placed = false;
    while (!served && !is_placed && !engine->failed && (least = least_served(engine))) {
        experiment_hungry(engine, least, false);
        if (gang_wanted(least))
            is_placed = employ_in_gang(engine, least, worker);
        else if (experiment_start_next(engine, least, worker))
            served = least;
        /* A gang may have begun on others, and want more: then it is hungry again. */
        if (!served && !is_placed && !least->is_hungry)
            DL_APPEND2(without, least, prev_hungry, next_hungry);
    }
    if (served) {
        experiment_hungry(engine, served, true); /* to the end of the line */
        experiment_ask(engine, served, 0);
    } else if (!is_placed) {
        park(worker, &engine->idle);
    }
    /* A search that learns is asked for those that wait. Where another experiment took the worker, nobody
     * does: then for one, so that it has its turn when the next worker is free. */
    while (without) {
        struct experiment *e = without;
        DL_DELETE2(without, e, prev_hungry, next_hungry);
        experiment_hungry(engine, e, served || is_placed);
        experiment_ask(engine, e, served || is_placed);
    }
}

void peer_employ(struct engine *engine, struct worker *worker)
{
    peer_unpark(worker);
    if (worker->stale)
        return;
    if (worker->own) {
        employ_own(engine, worker);
        experiment_ask(engine, worker->own, 0);
        return;
    }
    if (!id_is_none(worker->wants)) {
        park(worker, &engine->unclaimed);
        return;
    }
    serve_any(engine, worker);
}

void peer_employ_idle(struct engine *engine)
{
    size_t n = 0;
    struct worker *worker;
    DL_FOREACH(engine->idle, worker)
    n++;
    /* Whoever stays idle goes to the end of the list. */
    for (; n && engine->idle && engine->hungry && !engine->failed; n--)
        peer_employ(engine, engine->idle);
}

static void send_done(struct engine *engine, struct worker *worker, struct id experiment)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker->id;
    command->after_commit = true;
    command->message.type = WIRE_DONE;
    command->message.done.experiment = experiment;
}

static void greeting_complete(struct engine *engine, struct worker *worker)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker->id;
    command->message.type = WIRE_WELCOME;
    command->message.welcome =
        (struct wire_welcome){.protocol = WIRE_VERSION,
                              .driver = engine->setup.driver,
                              .heartbeat_ms = (uint64_t)(engine->setup.heartbeat_ns / 1000000),
                              .lease_ms = (uint64_t)(engine->setup.lease_ns / 1000000),
                              .greeting = worker->greeting};
    set_state(engine, worker, WORKER_READY);
    /* What we thought it had and it has not: the assignment never arrived. */
    struct trial *trial, *next;
    DL_FOREACH_SAFE(worker->trials, trial, next)
    {
        if (trial->held == worker->greeting || gang_assign_again(engine, trial, worker))
            continue;
        trial_lose(engine, trial->experiment, trial, worker, false, "its worker does not have it");
        if (engine->failed)
            return;
    }
    struct member *member = worker->members;
    while (member && !engine->failed) {
        trial = member->held == worker->greeting ? NULL : member->trial;
        member = member->next;
        if (trial && !gang_assign_again(engine, trial, worker)) {
            trial_lose(engine, trial->experiment, trial, worker, false, "its worker does not have it");
            member = worker->members; /* it is another list now */
        }
    }
    if (engine->failed)
        return;
    if (worker->own && worker->own->state != EXPERIMENT_RUNNING)
        send_done(engine, worker, worker->own->id);
    if (!peer_has_work(worker) && !worker->list)
        peer_employ(engine, worker);
}

static void hello(struct engine *engine, struct id id, const struct wire_hello *message)
{
    if (!id_equal(id, message->worker)) {
        engine_send_bye(engine, id, ERR_REFUSED, "HELLO names another worker than the socket's identity");
        return;
    }
    if (message->protocol != WIRE_VERSION) {
        (void)snprintf(
            engine->scratch, sizeof engine->scratch,
            "the driver speaks protocol version %d, this worker %llu: use the same prova on both sides",
            WIRE_VERSION, (unsigned long long)message->protocol);
        engine_send_bye(engine, id, ERR_VERSION, engine->scratch);
        return;
    }
    struct worker *worker = peer_find_or_create(engine, id);
    if (!worker || (worker->greeting && message->greeting <= worker->greeting))
        return; /* a late double */
    set_state(engine, worker, WORKER_GREETING);
    peer_unpark(worker);
    worker->wants = message->experiment;
    worker->own = id_is_none(worker->wants) ? NULL : engine_experiment(engine, worker->wants);
    worker->greeting = message->greeting;
    worker->n_held = message->n_held;
    worker->next_seq = message->first_seq;
    worker->n_known = 0;
    worker->idle_beats = worker->deaf_beats = 0;
    worker->stale = false;
    (void)engine_lend(engine, worker->host);
    worker->host = engine_copy(engine, message->host.data);
    free(worker->fleet);
    worker->fleet = engine_copy(engine, message->fleet.data);
    peer_arm(engine, worker);
    if (!worker->n_held)
        greeting_complete(engine, worker);
}

void peer_send_stale(struct engine *engine, struct worker *worker, struct id experiment, uint64_t trial,
                     uint64_t attempt)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    worker->stale = true;
    peer_unpark(worker);
    command->worker = worker->id;
    command->message.type = WIRE_STOP;
    command->message.stop = (struct wire_stop){
        .experiment = experiment, .trial = trial, .attempt = attempt, .reason = STOP_STALE};
}

/* The worker has an attempt that is newer than what we know, or was begun before the other worker's: the
 * driver died before its assignment was on disk. */
static void hold_newer(struct engine *engine, struct experiment *experiment, struct trial *trial,
                       struct worker *worker, const struct wire_hold *message)
{
    if (trial_is_active(trial)) {
        struct worker *other = trial->worker;
        DL_DELETE(other->trials, trial);
        trial->worker = NULL;
        if (other->state == WORKER_READY)
            peer_send_stale(engine, other, experiment->id, trial->number, trial->attempt);
        trial_step(experiment, trial, TRIAL_PENDING);
    } else if (trial->state == TRIAL_PAUSED) {
        trial_step(experiment, trial, TRIAL_PENDING);
    } else {
        DL_DELETE(experiment->pending, trial);
    }
    trial->attempt = message->attempt;
    /* A greater budget: a pause and the start after it are among what was forgotten. It goes on from there,
     * so what was reported before still counts, and the schedule hears of the start again. */
    if (message->budget > trial->budget) {
        trial->n_kept = trial->curve.n;
        trial->budget = message->budget;
        if (context_started(experiment->context, trial->number, trial->budget))
            engine_out_of_memory(engine);
    }
    trial_forget_attempt(trial);
    trial_attach(engine, experiment, trial, worker);
    trial_persist(engine, experiment, trial);
}

/* The driver died before the trial was on disk: its worker's copy restores it. */
static bool hold_unknown(struct engine *engine, struct experiment *experiment, struct worker *worker,
                         const struct wire_hold *message)
{
    const struct space *space = experiment->spec->space;
    uint64_t limit = (uint64_t)experiment->spec->limits.trials;
    if (!message->trial || message->trial > experiment->next_number + MAX_HOLD_AHEAD ||
        (limit && (message->trial > limit || experiment->n_created >= limit)))
        return false;
    if (message->point.n != space->n_params || space_check(space, message->point.values, NULL))
        return false;
    struct trial *trial = trial_create(engine, experiment, message->trial, message->point.values);
    if (!trial)
        return false;
    (void)experiment_drop_suggestion(experiment, trial->number); /* if there was one */
    trial->attempt = trial->first_attempt = message->attempt;
    trial->budget = message->budget;
    trial_observe(engine, experiment, trial, OBSERVED_PENDING);
    if (message->origin < trial->number && message->done >= 0)
        trial_set_origin(engine, experiment, trial, message->origin, message->done);
    if (context_started(experiment->context, trial->number, trial->budget))
        engine_out_of_memory(engine);
    trial_attach(engine, experiment, trial, worker);
    trial_persist(engine, experiment, trial);
    return true;
}

static bool is_same_point(const struct space *space, const double *point, const struct wire_hold *message)
{
    if (message->point.n != space->n_params)
        return false;
    for (size_t i = 0; i < space->n_params; i++) {
        double a = point[i], b = message->point.values[i];
        if (a != b && !(isnan(a) && isnan(b)))
            return false;
    }
    return true;
}

/* The worker has what another one was given: the driver died before the first assignment was on disk, and
 * gave the number away again before this worker came back, perhaps with the result. What was begun first goes
 * on, unless the other one has reported already: an attempt has the reports of one worker. */
static bool was_given_again(const struct experiment *experiment, const struct trial *trial,
                            const struct wire_hold *message)
{
    return (trial->state == TRIAL_ASSIGNED || trial->state == TRIAL_RUNNING) &&
           trial->curve.n == trial->n_kept && is_same_point(experiment->spec->space, trial->point, message);
}

static bool hold_accepted(struct engine *engine, struct experiment *experiment, struct worker *worker,
                          const struct wire_hold *message)
{
    if (!experiment || experiment->state != EXPERIMENT_RUNNING || experiment->closing || !message->attempt)
        return false;
    struct trial *trial = experiment_trial(experiment, message->trial);
    if (gang_wanted(experiment) || message->gang)
        return trial && trial_is_active(trial) && gang_hold(engine, experiment, trial, worker, message);
    if (!trial)
        return hold_unknown(engine, experiment, worker, message);
    if (trial_state_is_final(trial->state) || message->attempt < trial->attempt ||
        message->budget < trial->budget)
        return false;
    if (trial->state == TRIAL_PAUSED &&
        (message->attempt == trial->attempt || message->budget <= trial->budget))
        return false; /* it has ended, or would only repeat what another attempt has done */
    if (trial_is_active(trial) && message->attempt == trial->attempt) {
        if (trial->worker != worker && !was_given_again(experiment, trial, message))
            return false;
        if (trial->worker == worker) {
            trial->held = worker->greeting;
            if (trial->reason) /* the STOP may not have arrived */
                trial_send_stop(engine, experiment, trial, trial->reason);
            return true;
        }
    }
    hold_newer(engine, experiment, trial, worker, message);
    return true;
}

static void hold(struct engine *engine, struct worker *worker, const struct wire_hold *message)
{
    if (worker->state != WORKER_GREETING || message->greeting != worker->greeting)
        return; /* a late double */
    struct experiment *experiment = engine_experiment(engine, message->experiment);
    if (!hold_accepted(engine, experiment, worker, message))
        peer_send_stale(engine, worker, message->experiment, message->trial, message->attempt);
    else
        experiment_changed(engine, experiment);
    if (--worker->n_held == 0 && !engine->failed)
        greeting_complete(engine, worker);
}

static void send_ack(struct engine *engine, struct worker *worker)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker->id;
    command->after_commit = true;
    command->message.type = WIRE_ACK;
    command->message.ack.seq = worker->next_seq - 1;
}

static void greet_again(struct engine *engine, struct id id)
{
    engine_send_bye(engine, id, ERR_NOT_FOUND, "say HELLO first");
}

static void progress(struct engine *engine, struct worker *worker, const struct wire_progress *message)
{
    if (message->seq > worker->next_seq) { /* one before it was lost */
        greet_again(engine, worker->id);
        set_state(engine, worker, WORKER_ABSENT);
        peer_unpark(worker);
        return;
    }
    if (message->seq < worker->next_seq) {
        send_ack(engine, worker);
        return;
    }
    worker->next_seq++;
    worker->idle_beats = 0;
    struct experiment *experiment = engine_experiment(engine, message->experiment);
    struct trial *trial = experiment ? experiment_trial(experiment, message->trial) : NULL;
    uint64_t gang = trial && trial->gang ? trial->gang->number : 0;
    if (trial && trial->worker == worker && trial->attempt == message->attempt && gang == message->gang)
        trial_progress(engine, experiment, trial, message);
    else if (trial && trial->gang && gang_progress(engine, experiment, trial, worker, message))
        ; /* of a rank from 1 */
    else if (message->outcome == OUTCOME_NONE)
        peer_send_stale(engine, worker, message->experiment, message->trial, message->attempt);
    send_ack(engine, worker);
}

static void heartbeat(struct engine *engine, struct worker *worker, const struct wire_heartbeat *message)
{
    if (message->first_seq < worker->next_seq)
        send_ack(engine, worker); /* the last one may have been lost */
    worker->idle_beats = peer_has_work(worker) && !message->trial ? worker->idle_beats + 1 : 0;
    bool lost_progress = message->first_seq > worker->next_seq;
    struct trial *trial = worker->members ? worker->members->trial : worker->trials;
    if (worker->idle_beats >= 2 && !lost_progress && gang_assign_again(engine, trial, worker))
        return;
    worker->deaf_beats = worker->stale && message->trial ? worker->deaf_beats + 1 : 0;
    /* One such heartbeat may have crossed an assignment, or a STOP, on its way. */
    if (worker->idle_beats >= 2 || worker->deaf_beats >= 3 || lost_progress) {
        greet_again(engine, worker->id);
        set_state(engine, worker, WORKER_ABSENT);
        peer_unpark(worker);
        return;
    }
    gang_stop_again(engine, worker);
    if (worker->stale && !message->trial) {
        worker->stale = false;
        if (!peer_has_work(worker))
            peer_employ(engine, worker);
    }
}

void peer_message(struct engine *engine, struct id id, const struct wire_message *message)
{
    if (message->type == WIRE_HELLO) {
        hello(engine, id, &message->hello);
        return;
    }
    struct worker *worker = peer_find(engine, id);
    if (worker && engine->now_ns - worker->heard_ns >= engine->setup.lease_ns / 2)
        gang_notice(engine, worker, false);
    if (worker)
        worker->heard_ns = engine->now_ns;
    if (worker && message->type == WIRE_HOLD) {
        hold(engine, worker, &message->hold);
        return;
    }
    if (worker && message->type == WIRE_LEAVE) {
        dismiss(engine, worker, worker, is_in_mpi_gang(worker), "its worker has left");
        return;
    }
    if (worker && worker->state == WORKER_GREETING)
        return; /* sent before this greeting; what matters of it comes again after WELCOME */
    if (!worker || worker->state == WORKER_ABSENT) {
        if (message->type != WIRE_LEAVE)
            greet_again(engine, id);
        return;
    }
    if (message->type == WIRE_PROGRESS)
        progress(engine, worker, &message->progress);
    else if (message->type == WIRE_HEARTBEAT)
        heartbeat(engine, worker, &message->heartbeat);
    else if (message->type == WIRE_JOIN)
        gang_join(engine, worker, &message->join);
    else
        engine_send_bye(engine, id, ERR_PROTOCOL, "a worker does not send this message");
}

void peer_adopt_unclaimed(struct engine *engine, struct experiment *experiment)
{
    struct worker *worker, *next;
    HASH_ITER(hh, engine->workers, worker, next)
    {
        if (worker->own || !id_equal(worker->wants, experiment->id))
            continue;
        worker->own = experiment;
        if (worker->state != WORKER_READY)
            continue;
        experiment->n_own++;
        if (worker->list) {
            peer_unpark(worker);
            park(worker, &experiment->idle);
        }
    }
}
