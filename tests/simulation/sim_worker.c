/* Workers as the protocol wants them: greeting, one attempt at a time, everything kept until it is
 * acknowledged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define MAX_PARAMS 8

struct kept { /* a PROGRESS that is not acknowledged */
    uint64_t seq;
    struct id experiment;
    uint64_t trial, attempt, gang, rank;
    enum outcome outcome;
    double value;
    int64_t budget;
    double point[MAX_PARAMS];
    size_t n_params;
    struct report reports[MAX_STEPS];
    size_t n_reports;
};

struct run {
    bool is_on;
    struct id experiment;
    uint64_t trial, attempt;
    uint64_t gang, rank, world; /* gang 0: none */
    bool is_gathering;          /* it has joined and was not told to start */
    int64_t budget, step;
    double point[MAX_PARAMS];
    size_t n_params;
    bool stop, stale; /* stale: nobody wants to hear of its end */
    int64_t crash_at;
};

struct sim_worker {
    struct id id;
    bool is_alive, is_welcome;
    uint64_t generation; /* of its timers */
    uint64_t greeting;
    int64_t greeted_ns;
    uint64_t next_seq;
    struct kept *kept; /* oldest first */
    size_t n_kept, capacity_kept;
    struct run run;
    uint64_t run_generation;
    bool knows[MAX_EXPERIMENTS];
};

int64_t sim_trial_steps(uint64_t trial, int64_t budget)
{
    int64_t n = 1 + (int64_t)(rng_mix(trial, 17) % MAX_STEPS);
    return budget && budget < n ? budget : n;
}

bool sim_trial_fails(uint64_t trial)
{
    return rng_mix(trial, 23) % 20 == 0;
}

static void schedule(struct world *world, size_t at, enum happening_kind kind, int64_t after_ns)
{
    struct sim_worker *worker = &world->workers[at];
    uint64_t generation = kind == WORKER_STEP ? worker->run_generation : worker->generation;
    world_add(world, after_ns, (struct happening){.kind = kind, .worker = at, .generation = generation});
}

static void send(struct world *world, size_t at, const struct wire_message *message)
{
    world_send(world, TO_DRIVER, at, message);
}

/* Distinct attempts that it runs or keeps something of. */
static size_t held(const struct sim_worker *worker, struct kept *list)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->n_kept; i++) {
        const struct kept *kept = &worker->kept[i];
        bool known = n && list[n - 1].trial == kept->trial && list[n - 1].attempt == kept->attempt &&
                     list[n - 1].gang == kept->gang && id_equal(list[n - 1].experiment, kept->experiment);
        if (!known)
            list[n++] = *kept;
    }
    const struct run *run = &worker->run;
    if (run->is_on && !run->stale &&
        !(n && list[n - 1].trial == run->trial && list[n - 1].attempt == run->attempt &&
          list[n - 1].gang == run->gang && id_equal(list[n - 1].experiment, run->experiment))) {
        list[n] = (struct kept){.experiment = run->experiment,
                                .trial = run->trial,
                                .attempt = run->attempt,
                                .gang = run->gang,
                                .rank = run->rank,
                                .budget = run->budget,
                                .n_params = run->n_params};
        memcpy(list[n++].point, run->point, sizeof run->point);
    }
    return n;
}

static uint64_t first_seq(const struct sim_worker *worker)
{
    return worker->n_kept ? worker->kept[0].seq : worker->next_seq;
}

/* It runs that no more; `well`: because it came to its end. */
static void leave_gang(struct world *world, const struct run *run, bool well)
{
    if (run->is_on && run->gang)
        sim_gang_news(world, well ? GANG_ENDED : GANG_BROKEN, run->gang, run->rank, run->world);
}

static void greet(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    struct kept *list = calloc(worker->n_kept + 1, sizeof *list);
    MUST(list);
    size_t n = held(worker, list);
    worker->is_welcome = false;
    worker->greeting++;
    worker->greeted_ns = world->now_ns;
    memset(worker->knows, 0, sizeof worker->knows);
    struct wire_message message = {.type = WIRE_HELLO,
                                   .hello = {.protocol = WIRE_VERSION,
                                             .worker = worker->id,
                                             .host = wire_string("sim"),
                                             .n_held = n,
                                             .greeting = worker->greeting,
                                             .first_seq = first_seq(worker)}};
    send(world, at, &message);
    for (size_t i = 0; i < n; i++) {
        message = (struct wire_message){.type = WIRE_HOLD,
                                        .hold = {.experiment = list[i].experiment,
                                                 .trial = list[i].trial,
                                                 .attempt = list[i].attempt,
                                                 .budget = list[i].budget,
                                                 .point = {list[i].n_params, list[i].point},
                                                 .greeting = worker->greeting,
                                                 .gang = list[i].gang,
                                                 .rank = list[i].rank}};
        send(world, at, &message);
    }
    free(list);
}

static void send_kept(struct world *world, size_t at, const struct kept *kept)
{
    struct wire_message message = {
        .type = WIRE_PROGRESS,
        .progress = {.seq = kept->seq,
                     .experiment = kept->experiment,
                     .trial = kept->trial,
                     .attempt = kept->attempt,
                     .outcome = (uint64_t)kept->outcome,
                     .value = kept->value,
                     .text = wire_string(kept->outcome == OUTCOME_FAILED ? "boom" : ""),
                     .reports = {kept->n_reports, kept->reports},
                     .gang = kept->gang}};
    send(world, at, &message);
}

/* One PROGRESS of the run: a report, or its end. */
static void progress(struct world *world, size_t at, enum outcome outcome, double value, bool with_report)
{
    struct sim_worker *worker = &world->workers[at];
    struct run *run = &worker->run;
    if (worker->n_kept == worker->capacity_kept) {
        worker->capacity_kept = worker->capacity_kept ? 2 * worker->capacity_kept : 16;
        worker->kept = realloc(worker->kept, worker->capacity_kept * sizeof *worker->kept);
        MUST(worker->kept);
    }
    struct kept *kept = &worker->kept[worker->n_kept++];
    *kept = (struct kept){.seq = worker->next_seq++,
                          .experiment = run->experiment,
                          .trial = run->trial,
                          .attempt = run->attempt,
                          .gang = run->gang,
                          .rank = run->rank,
                          .outcome = outcome,
                          .value = value,
                          .budget = run->budget,
                          .n_params = run->n_params};
    memcpy(kept->point, run->point, sizeof run->point);
    if (with_report)
        kept->reports[kept->n_reports++] = (struct report){.step = run->step, .value = value};
    if (worker->is_welcome)
        send_kept(world, at, kept);
}

static double objective(const struct run *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->n_params; i++)
        sum += isnan(run->point[i]) ? 0 : run->point[i];
    return sum + 1.0 / (double)(run->step + 1);
}

static void heartbeat(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    if (!worker->is_welcome)
        return;
    struct wire_message message = {
        .type = WIRE_HEARTBEAT,
        .heartbeat = {.trial = worker->run.is_on ? worker->run.trial : 0, .first_seq = first_seq(worker)}};
    send(world, at, &message);
}

static void end_run(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    bool stale = worker->run.stale;
    leave_gang(world, &worker->run,
               worker->run.step + 1 >= sim_trial_steps(worker->run.trial, worker->run.budget));
    worker->run.is_on = false;
    worker->run_generation++;
    if (stale)
        heartbeat(world, at);
}

static void step(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    struct run *run = &worker->run;
    if (run->stale) {
        end_run(world, at);
        return;
    }
    if (run->gang && !run->stop && !sim_gang_works(world, run->gang)) { /* it waits in an operation of all */
        schedule(world, at, WORKER_STEP, 200 * MS);
        return;
    }
    if (run->step == run->crash_at) {
        progress(world, at, OUTCOME_LOST, (double)NAN, false);
        end_run(world, at);
        return;
    }
    double value = objective(run);
    bool last = run->step + 1 >= sim_trial_steps(run->trial, run->budget);
    if (last && sim_trial_fails(run->trial))
        progress(world, at, OUTCOME_FAILED, (double)NAN, false);
    else if (last)
        progress(world, at, OUTCOME_COMPLETED, value, true);
    else if (run->stop)
        progress(world, at, OUTCOME_STOPPED, (double)NAN, false);
    else
        progress(world, at, OUTCOME_NONE, value, true);
    if (last || run->stop) {
        end_run(world, at);
        return;
    }
    run->step++;
    schedule(world, at, WORKER_STEP, (int64_t)rng_below(&world->rng, 600 * MS) + 1);
}

static int experiment_index(const struct world *world, struct id id)
{
    for (int i = 0; i < (int)world->scenario.n; i++)
        if (id_equal(world->experiments[i], id))
            return i;
    return -1;
}

static void join(struct world *world, size_t at)
{
    const struct run *run = &world->workers[at].run;
    struct wire_message message = {.type = WIRE_JOIN,
                                   .join = {.experiment = run->experiment,
                                            .trial = run->trial,
                                            .attempt = run->attempt,
                                            .gang = run->gang,
                                            .host = wire_string("sim"),
                                            .port = 1}};
    sim_gang_news(world, GANG_JOINED, run->gang, run->rank, run->world);
    send(world, at, &message);
}

static void assigned(struct world *world, size_t at, const struct wire_assign *message)
{
    struct sim_worker *worker = &world->workers[at];
    struct run *run = &worker->run;
    int index = experiment_index(world, message->experiment);
    if (run->is_on && run->trial == message->trial && run->attempt == message->attempt &&
        run->gang == message->gang && id_equal(run->experiment, message->experiment))
        return; /* a double */
    for (size_t i = 0; i < worker->n_kept; i++)
        if (worker->kept[i].trial == message->trial && worker->kept[i].attempt == message->attempt &&
            worker->kept[i].gang == message->gang &&
            id_equal(worker->kept[i].experiment, message->experiment))
            return; /* a late double of one that has ended */
    if (run->is_on || index < 0 || !worker->knows[index]) {
        greet(world, at);
        return;
    }
    MUST(message->point.n <= MAX_PARAMS);
    *run = (struct run){
        .is_on = true,
        .experiment = message->experiment,
        .trial = message->trial,
        .attempt = message->attempt,
        .gang = message->gang,
        .rank = message->rank,
        .world = message->world,
        .is_gathering = message->gang != 0,
        .budget = message->budget,
        .n_params = message->point.n,
        .crash_at =
            world_chance(world, world->faults.crash)
                ? (int64_t)rng_below(&world->rng, (uint64_t)sim_trial_steps(message->trial, message->budget))
                : -1};
    /* Half of the functions keep a checkpoint, half start anew. */
    if (rng_mix(message->trial, 31) % 2 && message->done < sim_trial_steps(message->trial, message->budget))
        run->step = message->done;
    memcpy(run->point, message->point.values, message->point.n * sizeof(double));
    worker->run_generation++;
    if (run->is_gathering)
        join(world, at);
    else
        schedule(world, at, WORKER_STEP, (int64_t)rng_below(&world->rng, 600 * MS) + 1);
}

static void started(struct world *world, size_t at, const struct wire_start *message)
{
    struct run *run = &world->workers[at].run;
    if (!run->is_on || !run->is_gathering || run->gang != message->gang)
        return;
    if (message->addresses.n != run->world)
        world_fail(world, "gang %llu of %llu was started with %zu addresses", (unsigned long long)run->gang,
                   (unsigned long long)run->world, message->addresses.n);
    run->is_gathering = false;
    sim_gang_news(world, GANG_STARTED, run->gang, run->rank, run->world);
    schedule(world, at, WORKER_STEP, (int64_t)rng_below(&world->rng, 600 * MS) + 1);
}

static void acknowledged(struct world *world, size_t at, uint64_t seq)
{
    struct sim_worker *worker = &world->workers[at];
    size_t n = 0;
    while (n < worker->n_kept && worker->kept[n].seq <= seq) {
        const struct kept *kept = &worker->kept[n++];
        for (size_t i = 0; i < kept->n_reports; i++)
            if (sim_driver_is_up(world->driver) &&
                !sim_driver_has_report(world->driver, worker->id, kept->experiment, kept->trial,
                                       kept->attempt, kept->reports[i].step))
                world_fail(world, "step %lld of trial %llu attempt %llu was acknowledged and is not on disk",
                           (long long)kept->reports[i].step, (unsigned long long)kept->trial,
                           (unsigned long long)kept->attempt);
    }
    if (n)
        memmove(worker->kept, worker->kept + n, (worker->n_kept - n) * sizeof *worker->kept);
    worker->n_kept -= n;
}

static void stopped(struct world *world, size_t at, const struct wire_stop *message)
{
    struct run *run = &world->workers[at].run;
    bool is_it = run->is_on && run->trial == message->trial && run->attempt == message->attempt &&
                 id_equal(run->experiment, message->experiment) &&
                 (!message->gang || run->gang == message->gang);
    if (message->reason == STOP_STALE || message->reason == STOP_ENDED) {
        if (is_it)
            run->stale = true;
        else
            heartbeat(world, at);
    } else if (is_it) {
        run->stop = true;
    }
    if (is_it && run->is_gathering) { /* it ends before it has begun */
        run->is_gathering = false;
        if (!run->stale)
            progress(world, at, OUTCOME_STOPPED, (double)NAN, false);
        end_run(world, at);
    }
}

static void received(struct world *world, size_t at, const struct wire_message *message)
{
    struct sim_worker *worker = &world->workers[at];
    switch (message->type) {
    case WIRE_WELCOME:
        if (message->welcome.greeting != worker->greeting || worker->is_welcome)
            return;
        worker->is_welcome = true;
        for (size_t i = 0; i < worker->n_kept; i++)
            send_kept(world, at, &worker->kept[i]);
        break;
    case WIRE_EXPERIMENT: {
        int index = experiment_index(world, message->experiment.experiment);
        MUST(index >= 0);
        worker->knows[index] = true;
        break;
    }
    case WIRE_ASSIGN:
        assigned(world, at, &message->assign);
        break;
    case WIRE_START:
        started(world, at, &message->start);
        break;
    case WIRE_STOP:
        stopped(world, at, &message->stop);
        break;
    case WIRE_ACK:
        acknowledged(world, at, message->ack.seq);
        break;
    case WIRE_BYE:
        MUST(message->bye.code == ERR_NOT_FOUND);
        if (worker->is_welcome)
            greet(world, at);
        break;
    default:
        break;
    }
}

static void born(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    for (size_t i = 0; i < sizeof worker->id.bytes; i += 8) {
        uint64_t word = rng_next(&world->rng);
        memcpy(worker->id.bytes + i, &word, 8);
    }
    uint32_t place = (uint32_t)at; /* to be found by */
    memcpy(worker->id.bytes, &place, sizeof place);
    worker->is_alive = true;
    worker->is_welcome = false;
    worker->generation++;
    worker->run_generation++;
    worker->next_seq = 1;
    worker->n_kept = 0;
    worker->run = (struct run){0};
    greet(world, at);
    schedule(world, at, WORKER_BEAT, (int64_t)rng_below(&world->rng, (uint64_t)world->scenario.beat_ns));
}

static void beat(struct world *world, size_t at)
{
    struct sim_worker *worker = &world->workers[at];
    if (!worker->is_welcome && world->now_ns - worker->greeted_ns >= 2 * S)
        greet(world, at);
    if (worker->is_welcome && worker->run.is_on && worker->run.is_gathering)
        join(world, at);
    heartbeat(world, at);
    schedule(world, at, WORKER_BEAT, world->scenario.beat_ns);
}

void sim_worker_happening(struct world *world, const struct happening *happening)
{
    size_t at = happening->worker;
    struct sim_worker *worker = &world->workers[at];
    struct wire_message message;
    if (happening->kind == WORKER_BORN) {
        if (!worker->is_alive)
            born(world, at);
        return;
    }
    if (!worker->is_alive)
        return;
    switch (happening->kind) {
    case TO_WORKER:
        if (happening->generation != worker->generation)
            return; /* it was for its predecessor */
        MUST(wire_decode(&message, world->decoder, happening->frame, happening->size, NULL) == 0);
        received(world, at, &message);
        break;
    case WORKER_BEAT:
        if (happening->generation == worker->generation)
            beat(world, at);
        break;
    case WORKER_STEP:
        if (happening->generation == worker->run_generation && worker->run.is_on)
            step(world, at);
        break;
    case WORKER_RECONNECT:
        greet(world, at);
        break;
    case WORKER_DIES:
        worker->is_alive = false;
        leave_gang(world, &worker->run, false);
        world_add(world, (int64_t)rng_below(&world->rng, 5 * S),
                  (struct happening){.kind = WORKER_BORN, .worker = at});
        break;
    default:
        break;
    }
}

struct id sim_worker_id(const struct world *world, size_t worker)
{
    return world->workers[worker].id;
}

uint64_t sim_worker_generation(const struct world *world, size_t worker)
{
    return world->workers[worker].generation;
}

size_t sim_worker_find(const struct world *world, struct id id)
{
    uint32_t at;
    memcpy(&at, id.bytes, sizeof at);
    bool is_it = at < world->n_workers && world->workers[at].is_alive && id_equal(world->workers[at].id, id);
    return is_it ? at : world->n_workers;
}

void sim_workers_reconnect(struct world *world)
{
    for (size_t i = 0; i < world->n_workers; i++)
        world_add(world, (int64_t)rng_below(&world->rng, 2 * S),
                  (struct happening){.kind = WORKER_RECONNECT, .worker = i});
}

struct sim_worker *sim_workers_create(struct world *world, size_t n)
{
    struct sim_worker *workers = calloc(n, sizeof *workers);
    MUST(workers);
    for (size_t i = 0; i < n; i++)
        world_add(world, (int64_t)rng_below(&world->rng, 3 * S),
                  (struct happening){.kind = WORKER_BORN, .worker = i});
    return workers;
}

void sim_workers_destroy(struct world *world)
{
    for (size_t i = 0; i < world->n_workers; i++)
        free(world->workers[i].kept);
    free(world->workers);
}
