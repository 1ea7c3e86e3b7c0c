/* What is so of every gang, whatever its driver and members believe: who has joined and begun, and whether
 * one of them is gone. */
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"
#include "world.h"

/* So long a gang may wait that could be formed. A trial takes up to 5 s, a broken gang is noticed within a
 * lease of 10 s, and each of the other three experiments may have its turn first. */
#define PATIENCE (60 * S)

struct sim_gang {
    uint64_t number, n, n_joined, n_started;
    bool joined[MAX_GANG], started[MAX_GANG], ended[MAX_GANG];
    bool is_broken;
    UT_hash_handle hh;
};

static struct sim_gang *find(const struct world *world, uint64_t number)
{
    struct sim_gang *gang;
    HASH_FIND(hh, world->gangs, &number, sizeof number, gang);
    return gang;
}

static struct sim_gang *get(struct world *world, uint64_t number, uint64_t n)
{
    struct sim_gang *gang = find(world, number);
    if (gang) {
        if (gang->n != n)
            world_fail(world, "gang %llu has %llu members, and has %llu", (unsigned long long)number,
                       (unsigned long long)gang->n, (unsigned long long)n);
        return gang;
    }
    gang = calloc(1, sizeof *gang);
    MUST(gang);
    gang->number = number;
    gang->n = n;
    HASH_ADD(hh, world->gangs, number, sizeof gang->number, gang);
    return gang;
}

void sim_gang_news(struct world *world, enum gang_news news, uint64_t number, uint64_t rank, uint64_t n)
{
    struct sim_gang *gang = get(world, number, n);
    MUST(rank < n && n <= MAX_GANG);
    switch (news) {
    case GANG_JOINED:
        gang->n_joined += !gang->joined[rank];
        gang->joined[rank] = true;
        break;
    case GANG_STARTED:
        if (gang->n_joined < n)
            world_fail(world, "%llu of gang %llu have begun when %llu of %llu had joined",
                       (unsigned long long)gang->n_started + 1, (unsigned long long)number,
                       (unsigned long long)gang->n_joined, (unsigned long long)n);
        if (gang->started[rank])
            world_fail(world, "rank %llu of gang %llu has begun twice", (unsigned long long)rank,
                       (unsigned long long)number);
        gang->n_started++;
        gang->started[rank] = true;
        break;
    case GANG_ENDED:
        gang->ended[rank] = true;
        break;
    case GANG_BROKEN: /* one that has ended may be given its part again by a late double, for nothing */
        gang->is_broken = gang->is_broken || !gang->ended[rank];
        break;
    }
}

bool sim_gang_works(const struct world *world, uint64_t number)
{
    const struct sim_gang *gang = find(world, number);
    return gang && gang->n_started == gang->n && !gang->is_broken;
}

void sim_gangs_destroy(struct world *world)
{
    struct sim_gang *gang, *next;
    HASH_ITER(hh, world->gangs, gang, next)
    {
        HASH_DEL(world->gangs, gang);
        free(gang);
    }
}

void sim_gangs_check(struct world *world, const struct engine *engine)
{
    for (size_t i = 0; i < world->scenario.n; i++) {
        struct experiment *e = engine_experiment(engine, world->experiments[i]);
        bool waits = e && gang_wanted(e) && e->state == EXPERIMENT_RUNNING && !e->closing && !e->n_active &&
                     gang_is_feasible(engine, e) && experiment_can_start(e);
        if (!waits)
            world->waiting_ns[i] = 0;
        else if (!world->waiting_ns[i])
            world->waiting_ns[i] = world->now_ns;
        else if (world->now_ns - world->waiting_ns[i] > PATIENCE)
            world_fail(world, "experiment %zu waits for a gang of %lld of %llu workers since %.3f s", i,
                       (long long)e->spec->gang.workers, (unsigned long long)engine->n_general,
                       (double)world->waiting_ns[i] / 1e9);
        if (waits && world->now_ns - world->waiting_ns[i] > world->longest_wait_ns)
            world->longest_wait_ns = world->now_ns - world->waiting_ns[i];
    }
}
