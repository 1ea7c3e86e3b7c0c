/* Gangs: trials that run on several workers at once.
 *
 * A gang is formed whole or not at all: W idle workers are taken together, each prepares itself and JOINs
 * (with an address, and a port that it holds), and only when all have joined each is told to START. So no
 * part of a gang ever begins alone. Whatever happens to one member before that or later, the attempt is over,
 * the others are told at once, and the trial is tried again with a new gang and a new gang number.
 *
 * Several gangs cannot block each other, because none ever holds a part of its workers: at most one
 * experiment at a time is the reserver, for which all general workers are kept that get idle, and only while
 * there are enough of them connected. Which experiment that is follows the same fair order as all work, so a
 * gang waits for no more than those before it and for the trials that ran when its turn came.
 *
 * Rank 0's reports and end are the trial's: it is trial.worker, and everything in attempt.c is about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"

#define MAX_HOST     255
#define ADDRESS_SIZE (MAX_HOST + 10) /* "[", "]:", a port and the end */

bool gang_wanted(const struct experiment *experiment)
{
    return experiment->spec->gang.workers > 1;
}

static uint64_t gang_size(const struct experiment *experiment)
{
    return (uint64_t)experiment->spec->gang.workers;
}

static bool takes_general(const struct experiment *experiment)
{
    return experiment->spec->train.kind != TRAIN_FUNCTION;
}

/* May this worker be in a gang with `first`, which is NULL for the first one? */
static bool fits(const struct experiment *experiment, const struct worker *first, const struct worker *worker)
{
    if (experiment->spec->gang.runtime != RUNTIME_MPI)
        return true;
    return worker->fleet && (!first || !first->fleet || strcmp(first->fleet, worker->fleet) == 0);
}

static bool serves(const struct experiment *experiment, const struct worker *worker)
{
    bool is_general = !worker->own && id_is_none(worker->wants);
    return worker->state == WORKER_READY &&
           (worker->own == experiment || (is_general && takes_general(experiment)));
}

/* Does one fleet have workers enough? O(workers) for each fleet that is too small: asked of experiments with
 * runtime mpi alone, whose workers are seldom more than one fleet. */
static bool has_fleet(const struct engine *engine, const struct experiment *experiment)
{
    const struct worker *last = NULL;
    for (const struct worker *w = engine->workers; w; w = w->hh.next) {
        if (!serves(experiment, w) || !fits(experiment, NULL, w) || (last && fits(experiment, last, w)))
            continue;
        uint64_t n = 0;
        last = w;
        for (const struct worker *other = w; other; other = other->hh.next)
            n += serves(experiment, other) && fits(experiment, w, other);
        if (n >= gang_size(experiment))
            return true;
    }
    return false;
}

bool gang_is_feasible(const struct engine *engine, const struct experiment *experiment)
{
    if (experiment->spec->gang.runtime == RUNTIME_MPI)
        return has_fleet(engine, experiment);
    uint64_t n = experiment->n_own + (takes_general(experiment) ? engine->n_general : 0);
    return n >= gang_size(experiment);
}

/* Forming */

/* Workers of both lists that fit to `first`; NULL: any. */
static size_t pick_from(struct member *members, const struct experiment *experiment, size_t most,
                        struct worker *const lists[2], const struct worker *first)
{
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        struct worker *worker;
        DL_FOREACH(lists[i], worker)
        {
            if (n == most)
                return n;
            if (fits(experiment, first, worker))
                members[n++].worker = worker;
        }
    }
    return n;
}

/* Of one fleet, if it has to be: the first that has enough idle ones. */
static size_t pick_members(struct member *members, const struct experiment *experiment, size_t most,
                           struct worker *const lists[2])
{
    const struct worker *tried = NULL;
    size_t n = 0;
    if (experiment->spec->gang.runtime != RUNTIME_MPI)
        return pick_from(members, experiment, most, lists, NULL);
    for (size_t i = 0; i < 2; i++) {
        const struct worker *worker;
        DL_FOREACH(lists[i], worker)
        {
            if (!worker->fleet || (tried && fits(experiment, tried, worker)))
                continue;
            tried = worker;
            if ((n = pick_from(members, experiment, most, lists, worker)) == most)
                return n;
        }
    }
    return n;
}

static int by_host(const void *left, const void *right)
{
    const struct worker *a = ((const struct member *)left)->worker,
                        *b = ((const struct member *)right)->worker;
    int order = strcmp(a->host ? a->host : "", b->host ? b->host : "");
    return order ? order : memcmp(&a->id, &b->id, sizeof a->id); /* the same in every replay */
}

/* Idle workers for a whole gang, those of one host side by side; NULL: there are not so many. */
static struct gang *pick(struct engine *engine, const struct experiment *experiment)
{
    size_t most = (size_t)gang_size(experiment);
    struct gang *gang = calloc(1, sizeof *gang + most * sizeof *gang->members);
    if (!gang) {
        engine_out_of_memory(engine);
        return NULL;
    }
    bool may_share = !engine->reserver || engine->reserver == experiment;
    struct worker *const lists[2] = {experiment->idle,
                                     may_share && takes_general(experiment) ? engine->idle : NULL};
    gang->n = pick_members(gang->members, experiment, most, lists);
    if (gang->n < most) {
        free(gang);
        return NULL;
    }
    qsort(gang->members, gang->n, sizeof *gang->members, by_host);
    return gang;
}

/* Grows over restarts too, unless a clock is set back: numbers of one millisecond are counted on. */
static uint64_t next_number(struct engine *engine)
{
    int64_t wall_ms = engine_wall_ms(engine);
    uint64_t least = wall_ms > 0 ? (uint64_t)wall_ms << 10 : 0;
    engine->last_gang = engine->last_gang + 1 > least ? engine->last_gang + 1 : least;
    return engine->last_gang;
}

static void link_member(struct member *member, struct trial *trial, struct worker *worker)
{
    member->trial = trial;
    member->worker = worker;
    member->held = worker->greeting;
    if (member != &trial->gang->members[0])
        DL_APPEND(worker->members, member);
    worker->idle_beats = 0;
}

/* So that silence is noticed before the lease ends. */
static void watch(struct engine *engine, struct worker *worker)
{
    if (heap_set(&engine->deadlines, &worker->deadline, engine->now_ns + engine->setup.lease_ns / 2))
        engine_out_of_memory(engine);
}

static void assign(struct engine *engine, struct experiment *experiment, struct trial *trial)
{
    struct gang *gang = trial->gang;
    for (size_t i = 0; i < gang->n && !engine->failed; i++) {
        struct worker *worker = gang->members[i].worker;
        peer_unpark(worker);
        if (i == 0)
            trial_attach(engine, experiment, trial, worker);
        link_member(&gang->members[i], trial, worker);
        trial_send_assign(engine, experiment, trial, worker, i);
        watch(engine, worker);
    }
    trial_persist(engine, experiment, trial);
    experiment_changed(engine, experiment);
}

static struct member *find_member(const struct trial *trial, const struct worker *worker)
{
    for (size_t i = 0; trial->gang && i < trial->gang->n; i++)
        if (trial->gang->members[i].worker == worker)
            return &trial->gang->members[i];
    return NULL;
}

bool gang_assign_again(struct engine *engine, struct trial *trial, struct worker *worker)
{
    struct member *member = find_member(trial, worker);
    if (!member || member->has_joined || trial->gang->is_restored || trial->reason)
        return false;
    member->held = worker->greeting;
    if (worker == trial->worker)
        trial->held = worker->greeting;
    worker->idle_beats = 0;
    trial_send_assign(engine, trial->experiment, trial, worker, (uint64_t)(member - trial->gang->members));
    return true;
}

bool gang_start_next(struct engine *engine, struct experiment *experiment)
{
    if (experiment->state != EXPERIMENT_RUNNING || experiment->closing || engine->failed ||
        !experiment_can_start(experiment))
        return false;
    struct gang *gang = pick(engine, experiment);
    if (!gang) {
        if (!engine->reserver && takes_general(experiment) && gang_is_feasible(engine, experiment))
            engine->reserver = experiment;
        return false;
    }
    struct trial *trial = experiment_take_next(engine, experiment);
    if (!trial) {
        free(gang);
        return false;
    }
    if (engine->reserver == experiment) {
        engine->reserver = NULL;
        engine->has_released = true;
    }
    gang->number = next_number(engine);
    trial->gang = gang;
    assign(engine, experiment, trial);
    experiment_ask(engine, experiment, 0);
    return true;
}

void gang_settle(struct engine *engine)
{
    struct experiment *reserver = engine->reserver;
    bool is_over = reserver && (reserver->state != EXPERIMENT_RUNNING || reserver->closing ||
                                !gang_is_feasible(engine, reserver) || !experiment_can_start(reserver));
    if (is_over) {
        engine->reserver = NULL;
        engine->has_released = true;
    }
    if (!engine->has_released || engine->failed)
        return;
    engine->has_released = false;
    peer_employ_idle(engine);
}

/* Starting */

static bool same_host(const struct worker *a, const struct worker *b)
{
    return strcmp(a->host ? a->host : "", b->host ? b->host : "") == 0;
}

static bool is_on_one_host(const struct gang *gang)
{
    for (size_t i = 1; i < gang->n; i++)
        if (!same_host(gang->members[i].worker, gang->members[0].worker))
            return false;
    return true;
}

/* Where every member is reached. On one host that is the loopback, whatever the members think. */
static struct wire_strs addresses(struct engine *engine, const struct gang *gang)
{
    size_t list_size = gang->n * sizeof(struct wire_str);
    char *memory = malloc(list_size + gang->n * ADDRESS_SIZE);
    if (!memory) {
        engine_out_of_memory(engine);
        return (struct wire_strs){0};
    }
    struct wire_str *list = (struct wire_str *)(void *)memory;
    bool is_local = is_on_one_host(gang);
    for (size_t i = 0; i < gang->n; i++) {
        const struct member *member = &gang->members[i];
        const char *host = is_local ? "127.0.0.1" : member->host;
        bool is_v6 = strchr(host, ':') != NULL;
        char *text = memory + list_size + i * ADDRESS_SIZE;
        (void)snprintf(text, ADDRESS_SIZE, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                       (unsigned)member->port);
        list[i] = wire_string(text);
    }
    const char *lent = engine_lend(engine, memory);
    return engine->failed
               ? (struct wire_strs){0}
               : (struct wire_strs){.n = gang->n, .list = (const struct wire_str *)(const void *)lent};
}

static void send_start(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                       size_t rank, struct wire_strs list)
{
    const struct gang *gang = trial->gang;
    const struct worker *worker = gang->members[rank].worker;
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command || !list.n)
        return;
    uint64_t before = 0, all = 0;
    for (size_t i = 0; i < gang->n; i++) {
        bool is_there = same_host(gang->members[i].worker, worker);
        all += is_there;
        before += is_there && i < rank;
    }
    command->worker = worker->id;
    command->message.type = WIRE_START;
    command->message.start = (struct wire_start){.experiment = experiment->id,
                                                 .trial = trial->number,
                                                 .attempt = trial->attempt,
                                                 .gang = gang->number,
                                                 .local_rank = before,
                                                 .local_world = all,
                                                 .addresses = list};
}

/* The hosts of a started gang cannot be told once more after one of its members has gone: then the attempt is
 * about to end anyway. */
static bool is_whole(const struct gang *gang)
{
    for (size_t i = 0; i < gang->n; i++)
        if (!gang->members[i].worker || !gang->members[i].host)
            return false;
    return true;
}

static bool is_sensible(const struct wire_join *message)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:%-_";
    const char *host = message->host.data;
    return message->host.size && message->host.size <= MAX_HOST &&
           strspn(host, letters) == message->host.size && message->port && message->port <= 65535;
}

static void joined(struct engine *engine, const struct experiment *experiment, struct trial *trial,
                   struct member *member)
{
    struct gang *gang = trial->gang;
    if (gang->is_restored) { /* who else has begun, and where they are, is not known any more */
        trial_lose(engine, trial->experiment, trial, NULL, false, "its driver was restarted as it began");
        return;
    }
    if (gang->has_started) { /* it was told, and has not heard */
        if (is_whole(gang))
            send_start(engine, experiment, trial, (size_t)(member - gang->members), addresses(engine, gang));
        return;
    }
    if (trial->reason) { /* it is not to begin at all */
        trial_tell_stop(engine, experiment, trial, member->worker->id, trial->reason);
        return;
    }
    if (gang->n_joined < gang->n || !is_whole(gang))
        return;
    gang->has_started = true;
    struct wire_strs list = addresses(engine, gang);
    for (size_t i = 0; i < gang->n && !engine->failed; i++)
        send_start(engine, experiment, trial, i, list);
}

void gang_join(struct engine *engine, struct worker *worker, const struct wire_join *message)
{
    struct experiment *experiment = engine_experiment(engine, message->experiment);
    struct trial *trial = experiment ? experiment_trial(experiment, message->trial) : NULL;
    struct member *member = trial ? find_member(trial, worker) : NULL;
    bool is_it = member && trial->attempt == message->attempt && trial->gang->number == message->gang;
    if (!is_it) {
        peer_send_stale(engine, worker, message->experiment, message->trial, message->attempt);
        return;
    }
    if (!is_sensible(message)) {
        engine_send_bye(engine, worker->id, ERR_PROTOCOL, "JOIN names no host and port");
        return;
    }
    worker->idle_beats = 0;
    if (!member->has_joined) {
        member->host = engine_copy(engine, message->host.data);
        member->port = message->port;
        member->has_joined = true;
        trial->gang->n_joined++;
    }
    if (!engine->failed)
        joined(engine, experiment, trial, member);
}

/* After a restart */

int gang_restore(struct engine *engine, struct trial *trial)
{
    size_t n = (size_t)gang_size(trial->experiment);
    trial->gang = calloc(1, sizeof *trial->gang + n * sizeof *trial->gang->members);
    if (!trial->gang) {
        engine_out_of_memory(engine);
        return ERR_NOMEM;
    }
    trial->gang->n = n;
    trial->gang->has_started = true; /* one that had not is held by nobody */
    trial->gang->is_restored = true;
    trial->gang->complete_by_ns = INT64_MAX;
    link_member(&trial->gang->members[0], trial, trial->worker);
    return 0;
}

bool gang_hold(struct engine *engine, struct experiment *experiment, struct trial *trial,
               struct worker *worker, const struct wire_hold *message)
{
    struct gang *gang = trial->gang;
    if (!gang || message->attempt != trial->attempt || !message->gang || message->rank >= gang->n ||
        (gang->number && gang->number != message->gang))
        return false;
    struct member *member = &gang->members[message->rank];
    if (member->has_ended || (member->worker && member->worker != worker))
        return false;
    gang->number = message->gang;
    if (!member->worker) {
        link_member(member, trial, worker);
        watch(engine, worker);
    }
    member->held = worker->greeting;
    if (message->rank == 0)
        trial->held = worker->greeting;
    if (trial->reason) /* the STOP may not have arrived */
        trial_tell_stop(engine, experiment, trial, worker->id, trial->reason);
    return true;
}

int64_t gang_give_up_incomplete(struct engine *engine, struct experiment *experiment)
{
    int64_t next_ns = INT64_MAX;
    struct trial *trial, *next;
    DL_FOREACH_SAFE2(experiment->active, trial, next, next_active)
    {
        struct gang *gang = trial->gang;
        bool is_whole = true;
        if (!gang || !gang->complete_by_ns)
            continue;
        if (gang->complete_by_ns == INT64_MAX) /* it was restored just now */
            gang->complete_by_ns = engine->now_ns + engine->setup.lease_ns;
        for (size_t i = 0; i < gang->n; i++)
            is_whole = is_whole && (gang->members[i].worker || gang->members[i].has_ended);
        if (is_whole) {
            gang->complete_by_ns = 0;
        } else if (gang->complete_by_ns > engine->now_ns) {
            next_ns = gang->complete_by_ns < next_ns ? gang->complete_by_ns : next_ns;
        } else {
            trial_lose(engine, experiment, trial, NULL, false, "its gang has not come back whole");
            return engine->now_ns; /* the list may be another by now */
        }
    }
    return next_ns;
}

/* Reports and ends of ranks from 1 */

/* Their metrics are kept as "rank3/loss", the objective as well. */
static void keep_reports(struct engine *engine, const struct experiment *experiment,
                         const struct trial *trial, size_t rank, const struct wire_progress *message)
{
    size_t n = message->names.n + 1, size = n * sizeof(struct wire_str), n_reports = message->reports.n;
    if (!n_reports)
        return;
    size_t texts = strlen(experiment->spec->metric.name) + 24;
    for (size_t i = 0; i + 1 < n; i++)
        texts += message->names.list[i].size + 24;
    char *memory = malloc(size + n_reports * sizeof(struct report) + texts);
    if (!memory) {
        engine_out_of_memory(engine);
        return;
    }
    struct wire_str *names = (struct wire_str *)(void *)memory;
    struct report *reports = (struct report *)(void *)(memory + size);
    char *text = (char *)(reports + n_reports);
    for (size_t i = 0; i < n; i++) {
        const char *name = i ? message->names.list[i - 1].data : experiment->spec->metric.name;
        int length = sprintf(text, "rank%zu/%s", rank, name); /* room for it was counted above */
        names[i] = wire_string(text);
        text += length + 1;
    }
    memcpy(reports, message->reports.list, n_reports * sizeof *reports);
    for (size_t i = 0; i < n_reports; i++)
        reports[i].metric++;           /* 0 would be the trial's objective */
    (void)engine_lend(engine, memory); /* or freed, if it has failed */
    if (!engine->failed)
        trial_persist_reports(engine, experiment, trial, (struct wire_strs){.n = n, .list = names},
                              (struct wire_reports){.n = n_reports, .list = reports});
}

static void member_ended(struct engine *engine, struct experiment *experiment, struct trial *trial,
                         struct member *member, const struct wire_progress *message)
{
    struct worker *worker = member->worker;
    bool is_fault = message->outcome == OUTCOME_FAILED || message->outcome == OUTCOME_LOST;
    if (is_fault && !trial->reason) { /* one that was asked to stop may end as it likes */
        trial_lose_member(engine, experiment, trial, worker, message->text.data, message->log.data);
        return;
    }
    DL_DELETE(worker->members, member);
    member->worker = NULL;
    member->has_ended = true;
    if (worker->state == WORKER_READY && !peer_has_work(worker))
        peer_employ(engine, worker);
}

bool gang_progress(struct engine *engine, struct experiment *experiment, struct trial *trial,
                   struct worker *worker, const struct wire_progress *message)
{
    struct member *member = find_member(trial, worker);
    if (!member || worker == trial->worker || trial->attempt != message->attempt ||
        trial->gang->number != message->gang)
        return false;
    keep_reports(engine, experiment, trial, (size_t)(member - trial->gang->members), message);
    if (message->outcome != OUTCOME_NONE && !engine->failed)
        member_ended(engine, experiment, trial, member, message);
    return true;
}

/* The end */

void gang_tell_stop(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                    enum stop_reason reason)
{
    for (size_t i = 1; trial->gang && i < trial->gang->n; i++)
        if (trial->gang->members[i].worker)
            trial_tell_stop(engine, experiment, trial, trial->gang->members[i].worker->id, reason);
}

void gang_stop_again(struct engine *engine, const struct worker *worker)
{
    const struct trial *trial = worker->members ? worker->members->trial : worker->trials;
    if (trial && trial->gang && trial->reason &&
        engine->now_ns - trial->stop_sent_ns > engine->setup.heartbeat_ns)
        trial_tell_stop(engine, trial->experiment, trial, worker->id, trial->reason);
}

void gang_dissolve(struct engine *engine, const struct experiment *experiment, struct trial *trial,
                   const struct worker *by, enum stop_reason reason)
{
    struct gang *gang = trial->gang;
    for (size_t i = 0; gang && i < gang->n; i++) {
        struct member *member = &gang->members[i];
        struct worker *worker = member->worker;
        if (!worker)
            continue;
        if (i > 0)
            DL_DELETE(worker->members, member);
        if (worker == by || worker->state == WORKER_ABSENT)
            continue;
        worker->stale = true; /* not free before it says so */
        peer_unpark(worker);
        trial_tell_stop(engine, experiment, trial, worker->id, reason);
    }
    gang_destroy(gang);
    trial->gang = NULL;
}

void gang_destroy(struct gang *gang)
{
    for (size_t i = 0; gang && i < gang->n; i++)
        free(gang->members[i].host);
    free(gang);
}

const char *gang_text(struct engine *engine, const struct trial *trial, const struct worker *worker,
                      const char *text)
{
    const struct member *member = worker ? find_member(trial, worker) : NULL;
    if (!member)
        return text;
    const char *host = worker->host ? worker->host : "an unknown host";
    size_t size = strlen(host) + strlen(text) + 48;
    char *whole = malloc(size);
    if (!whole) {
        engine_out_of_memory(engine);
        return text;
    }
    (void)snprintf(whole, size, "rank %zu on %s%s%s", (size_t)(member - trial->gang->members), host,
                   *text ? ": " : "", text);
    return engine_lend(engine, whole);
}

static void say_silent(struct engine *engine, struct worker *worker, struct member *member)
{
    char text[64];
    if (!member || member->is_silent)
        return;
    member->is_silent = true;
    (void)snprintf(text, sizeof text, "not heard of for %.1f s",
                   (double)(engine->now_ns - worker->heard_ns) / 1e9);
    engine_event(engine, member->trial->experiment, member->trial, "rank silent",
                 gang_text(engine, member->trial, worker, text));
}

static void say_heard(struct engine *engine, struct worker *worker, struct member *member)
{
    if (!member || !member->is_silent)
        return;
    member->is_silent = false;
    engine_event(engine, member->trial->experiment, member->trial, "rank heard again",
                 gang_text(engine, member->trial, worker, ""));
}

void gang_notice(struct engine *engine, struct worker *worker, bool is_silent)
{
    struct member *member;
    struct trial *trial;
    DL_FOREACH(worker->members, member)
    (is_silent ? say_silent : say_heard)(engine, worker, member);
    DL_FOREACH(worker->trials, trial)
    (is_silent ? say_silent : say_heard)(engine, worker, find_member(trial, worker));
}
