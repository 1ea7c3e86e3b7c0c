/* The event queue, the network, and the run of one seed. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool sooner(const struct happening *a, const struct happening *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void world_add(struct world *world, int64_t after_ns, struct happening happening)
{
    if (world->n_queue == world->capacity_queue) {
        world->capacity_queue = world->capacity_queue ? 2 * world->capacity_queue : 4096;
        world->queue = realloc(world->queue, world->capacity_queue * sizeof *world->queue);
        MUST(world->queue);
    }
    happening.at_ns = world->now_ns + after_ns;
    happening.order = world->n_happenings++;
    size_t at = world->n_queue++;
    while (at && sooner(&happening, &world->queue[(at - 1) / 2])) {
        world->queue[at] = world->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->queue[at] = happening;
}

static struct happening take(struct world *world)
{
    struct happening first = world->queue[0], last = world->queue[--world->n_queue];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->n_queue)
            break;
        if (child + 1 < world->n_queue && sooner(&world->queue[child + 1], &world->queue[child]))
            child++;
        if (!sooner(&world->queue[child], &last))
            break;
        world->queue[at] = world->queue[child];
        at = child;
    }
    world->queue[at] = last;
    return first;
}

bool world_chance(struct world *world, unsigned per_thousand)
{
    return rng_below(&world->rng, 1000) < per_thousand;
}

void world_fail(const struct world *world, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_abort_msg("seed %llu at %.3f s: %s", (unsigned long long)world->seed, (double)world->now_ns / 1e9,
                 text);
    abort();
}

static void transmit(struct world *world, enum happening_kind kind, size_t worker)
{
    int64_t delay = (int64_t)rng_below(&world->rng, 2 * MS);
    if (world_chance(world, 20)) /* now and then one is overtaken by many */
        delay += (int64_t)rng_below(&world->rng, 3 * S);
    char *frame = malloc(world->buffer.size);
    MUST(frame);
    memcpy(frame, world->buffer.data, world->buffer.size);
    world_add(world, delay,
              (struct happening){.kind = kind,
                                 .worker = worker,
                                 .generation = sim_worker_generation(world, worker),
                                 .from = sim_worker_id(world, worker),
                                 .frame = frame,
                                 .size = world->buffer.size});
}

/* What a message is about: "139.3" is attempt 3 of trial 139. */
static void trace(const struct world *world, enum happening_kind kind, size_t worker,
                  const struct wire_message *message)
{
    fprintf(stderr, "%9.3f %s %zu %s", (double)world->now_ns / 1e9, kind == TO_DRIVER ? "from" : "to  ",
            worker, wire_type_name(message->type));
#define ABOUT(kind)                                                                                          \
    fprintf(stderr, " %02x:%llu.%llu", message->kind.experiment.bytes[0],                                    \
            (unsigned long long)message->kind.trial, (unsigned long long)message->kind.attempt)
    if (message->type == WIRE_ASSIGN)
        ABOUT(assign);
    else if (message->type == WIRE_HOLD)
        ABOUT(hold);
    else if (message->type == WIRE_STOP)
        ABOUT(stop);
    else if (message->type == WIRE_PROGRESS)
        ABOUT(progress);
#undef ABOUT
    if (message->type == WIRE_PROGRESS)
        fprintf(stderr, " seq %llu outcome %llu", (unsigned long long)message->progress.seq,
                (unsigned long long)message->progress.outcome);
    else if (message->type == WIRE_ACK)
        fprintf(stderr, " seq %llu", (unsigned long long)message->ack.seq);
    else if (message->type == WIRE_STOP)
        fprintf(stderr, " reason %llu", (unsigned long long)message->stop.reason);
    fprintf(stderr, "\n");
}

void world_send(struct world *world, enum happening_kind kind, size_t worker,
                const struct wire_message *message)
{
    MUST(wire_encode(&world->buffer, message) == 0);
    if (world->trace)
        trace(world, kind, worker, message);
    if (world_chance(world, world->faults.lost))
        return;
    transmit(world, kind, worker);
    if (world_chance(world, world->faults.doubled))
        transmit(world, kind, worker);
}

static void dispatch(struct world *world, const struct happening *happening)
{
    switch (happening->kind) {
    case TO_WORKER:
    case WORKER_BEAT:
    case WORKER_STEP:
    case WORKER_RECONNECT:
    case WORKER_DIES:
    case WORKER_BORN:
        sim_worker_happening(world, happening);
        break;
    default:
        sim_driver_happening(world, happening);
    }
}

static void plan_troubles(struct world *world)
{
    for (int i = 0; i < 6; i++)
        if (world_chance(world, world->faults.driver_death))
            world_add(world, (int64_t)rng_below(&world->rng, 40 * S),
                      (struct happening){.kind = DRIVER_DIES});
    for (size_t i = 0; i < world->n_workers; i++)
        if (world_chance(world, world->faults.worker_death))
            world_add(world, (int64_t)rng_below(&world->rng, 30 * S),
                      (struct happening){.kind = WORKER_DIES, .worker = i});
    if (world_chance(world, 300))
        world_add(world, (int64_t)rng_below(&world->rng, 10 * S),
                  (struct happening){.kind = USER_CANCELS,
                                     .key = (int64_t)rng_below(&world->rng, world->scenario.n)});
}

uint64_t world_run(uint64_t seed, size_t n_workers, const struct scenario *scenario)
{
    struct world world = {.seed = seed, .n_workers = n_workers, .trace = getenv("SIMULATION_TRACE") != NULL};
    world.scenario = *scenario;
    rng_init(&world.rng, seed, 0);
    world.faults = (struct faults_plan){.lost = (unsigned)rng_below(&world.rng, 30),
                                        .doubled = (unsigned)rng_below(&world.rng, 50),
                                        .worker_death = (unsigned)rng_below(&world.rng, 200),
                                        .driver_death = (unsigned)rng_below(&world.rng, 700),
                                        .crash = (unsigned)rng_below(&world.rng, 30)};
    world.decoder = wire_decoder_create();
    MUST(world.decoder);
    world.driver = sim_driver_create(&world);
    world.workers = sim_workers_create(&world, n_workers);
    plan_troubles(&world);
    while (!sim_driver_done(world.driver)) {
        if (!world.n_queue)
            world_fail(&world, "nothing will ever happen again, and the experiments are not over");
        if (world.now_ns > 3600 * S)
            world_fail(&world, "the experiments are not over after an hour");
        struct happening happening = take(&world);
        world.now_ns = happening.at_ns;
        dispatch(&world, &happening);
        free(happening.frame);
    }
    sim_driver_check_end(&world);
    sim_driver_destroy(world.driver);
    sim_workers_destroy(&world);
    sim_gangs_destroy(&world);
    for (size_t i = 0; i < world.n_queue; i++)
        free(world.queue[i].frame);
    free(world.queue);
    wire_buffer_fini(&world.buffer);
    wire_decoder_destroy(world.decoder);
    return world.n_happenings;
}
