#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <check.h>

#include "core/rng.h"
#include "core/wire.h"
#include "driver/engine.h"

/* A small world in virtual time: one driver with a store that commits late, many workers, and a network that
 * loses, doubles, delays and reorders. Everything that happens is drawn from one seed, so a failure is run
 * again from it.
 *
 * The engine is the real one, and so are the codec, the contexts and the search. */

#define MS INT64_C(1000000)
#define S  (1000 * MS)

enum happening_kind {
    TO_DRIVER,        /* frame arrives; worker */
    TO_WORKER,        /* frame arrives; worker */
    WORKER_BEAT,      /* heartbeat and greeting timer; worker, generation */
    WORKER_STEP,      /* its training function makes a step; worker, generation */
    WORKER_RECONNECT, /* its transport notices a new connection; worker */
    WORKER_DIES,
    WORKER_BORN,
    DRIVER_TIME,     /* the engine's deadline; generation */
    DRIVER_COMMIT,   /* the disk has synced; generation */
    DRIVER_SUGGESTS, /* the advisor answers; generation, key, first, n */
    DRIVER_DIES,
    DRIVER_STARTS,
    USER_CANCELS, /* key: which experiment, from 0 */
    USER_RESUMES
};

struct happening {
    int64_t at_ns;
    uint64_t order; /* among those of one time */
    enum happening_kind kind;
    size_t worker;
    uint64_t generation;
    int64_t key;
    uint64_t first, n;
    struct id from; /* of TO_DRIVER: the worker that sent it, which may be another by now */
    char *frame;    /* or the points of DRIVER_SUGGESTS; freed with the happening */
    size_t size;
};

struct sim_driver;
struct sim_worker;

#define MAX_EXPERIMENTS 4
#define MAX_STEPS       8
#define MAX_BUDGET      4 /* of the experiment that pauses trials */

/* What a world is about. */
struct scenario {
    size_t n; /* experiments */
    char sweeps[MAX_EXPERIMENTS][640];
    /* How often a trial may end by itself: once, or once a rung where it is paused in between. */
    uint64_t n_endings[MAX_EXPERIMENTS];
    int64_t budgets[MAX_EXPERIMENTS];
    int64_t beat_ns, lease_ns;
};

/* Three experiments whose trials take one worker each. */
void scenario_single(struct scenario *scenario);
/* Four experiments whose trials take 1 to 64 workers, more of them than there are. */
void scenario_gangs(struct scenario *scenario, uint64_t seed);

/* A gang as it really is, known to nobody but the world. */
struct sim_gang;

struct faults_plan { /* chances of one in a thousand */
    unsigned lost, doubled, worker_death, driver_death, crash;
};

struct world {
    uint64_t seed;
    struct rng rng;
    int64_t now_ns;
    uint64_t n_happenings;
    struct happening *queue; /* binary heap */
    size_t n_queue, capacity_queue;
    struct faults_plan faults;
    struct sim_driver *driver;
    struct sim_worker *workers;
    size_t n_workers;
    struct wire_buffer buffer;
    struct wire_decoder *decoder;
    struct scenario scenario;
    struct id experiments[MAX_EXPERIMENTS];
    struct sim_gang *gangs;
    int64_t waiting_ns[MAX_EXPERIMENTS]; /* since when nothing of it runs though it could; 0: not so */
    int64_t longest_wait_ns;
    bool trace;
};

void world_add(struct world *world, int64_t after_ns, struct happening happening);
bool world_chance(struct world *world, unsigned per_thousand);
/* Sends through the bad network. */
void world_send(struct world *world, enum happening_kind kind, size_t worker,
                const struct wire_message *message);
/* Check's own assertions write to a pipe each time; this one costs nothing while it holds. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #condition);                                       \
    } while (0)

/* A failed check: prints the seed and time, and aborts the test. */
void world_fail(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Runs one seed to the end of all experiments. Returns the number of happenings. */
uint64_t world_run(uint64_t seed, size_t n_workers, const struct scenario *scenario);

/* sim_gang.c: what is so of a gang, whatever anybody believes. */
enum gang_news { GANG_JOINED, GANG_STARTED, GANG_ENDED, GANG_BROKEN };
void sim_gang_news(struct world *world, enum gang_news news, uint64_t gang, uint64_t rank, uint64_t n);
/* All have started, and none is gone before its end: only then its collective operations return. */
bool sim_gang_works(const struct world *world, uint64_t gang);
void sim_gangs_destroy(struct world *world);
/* After every event of the driver: does a gang wait for too long that could be formed? */
void sim_gangs_check(struct world *world, const struct engine *engine);

/* sim_driver.c */
struct sim_driver *sim_driver_create(struct world *world);
void sim_driver_destroy(struct sim_driver *driver);
void sim_driver_happening(struct world *world, const struct happening *happening);
bool sim_driver_is_up(const struct sim_driver *driver);
/* All experiments are over, and that is on disk. */
bool sim_driver_done(const struct sim_driver *driver);
void sim_driver_check_end(struct world *world);
/* Is this report of an acknowledged message on disk, or its attempt not current any more? */
bool sim_driver_has_report(const struct sim_driver *driver, struct id worker, struct id experiment,
                           uint64_t trial, uint64_t attempt, int64_t step);

/* sim_worker.c */
struct sim_worker *sim_workers_create(struct world *world, size_t n);
void sim_workers_destroy(struct world *world);
void sim_worker_happening(struct world *world, const struct happening *happening);
struct id sim_worker_id(const struct world *world, size_t worker);
uint64_t sim_worker_generation(const struct world *world, size_t worker);
/* Its place among the workers; n_workers: nobody of that id lives. */
size_t sim_worker_find(const struct world *world, struct id id);
/* The driver was restarted: each notices after a while. */
void sim_workers_reconnect(struct world *world);
/* What the training function does in this trial: the same in every attempt. */
int64_t sim_trial_steps(uint64_t trial, int64_t budget);
bool sim_trial_fails(uint64_t trial);

#endif
