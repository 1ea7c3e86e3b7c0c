#ifndef DRIVER_ENGINE_H
#define DRIVER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/wire.h"
#include "driver/record.h"
#include "optimizers/search.h"

/* The engine: all decisions of the driver, as a pure state machine. Events go in by the calls below, each
 * with the time `now_ns`; commands come out in a queue, in the order in which they must take effect. It reads
 * no clock, opens nothing and blocks on nothing. The server executes the commands for real, the simulator in
 * virtual time.
 *
 * Whatever a command points to is lent until the next call to the engine, so they are executed after every
 * event.
 *
 * Invariants: a trial has at most one current attempt, and that attempt has one worker; a final trial never
 * changes again; the number of trials never exceeds limits.trials; every event costs O(log n) in trials and
 * workers, plus the number of experiments under way when a worker is free. */

enum command_kind {
    COMMAND_SEND, /* `message` to `worker`; if `after_commit`, only once every earlier PERSIST is on disk */
    COMMAND_PERSIST, /* keep `record` */
    COMMAND_ASK,     /* make n suggestions for trials first_trial, ..., and call engine_suggested with them */
    COMMAND_OBSERVE, /* tell the search, in order with the ASKs */
    COMMAND_CHANGED  /* the experiment's status has changed: watchers want to know, once all is on disk */
};

struct command {
    enum command_kind kind;
    bool after_commit;       /* of SEND */
    struct id worker;        /* of SEND */
    int64_t key;             /* of ASK, OBSERVE and CHANGED: the experiment */
    uint64_t first_trial, n; /* of ASK */
    union {
        struct wire_message message;    /* of SEND */
        struct record record;           /* of PERSIST */
        struct observation observation; /* of OBSERVE; the value in the user's own sign */
    };
};

struct engine_setup {
    struct id driver;       /* this run of the driver */
    int64_t heartbeat_ns;   /* that workers are told */
    int64_t lease_ns;       /* silence after which a worker is lost */
    int64_t wall_offset_ms; /* wall clock minus now_ns / 1e6 */
    int64_t next_key;       /* first experiment key that is free in the database */
};

struct engine;

struct engine *engine_create(const struct engine_setup *setup);
void engine_destroy(struct engine *engine);

/* The commands since the last engine_clear. Lends. */
const struct command *engine_commands(size_t *n, const struct engine *engine);
void engine_clear(struct engine *engine);
/* When engine_time wants to be called next; INT64_MAX: never. */
int64_t engine_deadline(const struct engine *engine);
/* ERR_NOMEM once an allocation has failed: the engine then must be dropped and rebuilt from the store. */
int engine_failed(const struct engine *engine);

/* Events */

/* A message of a worker: HELLO, HOLD, PROGRESS, HEARTBEAT or LEAVE. `worker` is the identity of its socket.
 * Whatever is wrong with it is answered to the worker by BYE and changes nothing. */
void engine_message(struct engine *engine, struct id worker, const struct wire_message *message,
                    int64_t now_ns);
/* The transport says that nobody is there: what it ran is run elsewhere at once. */
void engine_worker_gone(struct engine *engine, struct id worker, int64_t now_ns);
/* Answers ASK: `n` points for trials first_trial, first_trial + 1, ... points[n * n_params]. Fewer than were
 * asked for: the search is exhausted. */
void engine_suggested(struct engine *engine, int64_t key, uint64_t first_trial, size_t n,
                      const double *points, int64_t now_ns);
/* Time has come to now_ns: leases, limits. */
void engine_time(struct engine *engine, int64_t now_ns);

/* Starts an experiment. record->key is ignored and set by the engine; spec is taken; strings are copied. An
 * id that is known is no error and changes nothing (its spec is destroyed). Returns 0, or
 * ERR_NOMEM/ERR_INVALID with a text. */
int engine_submit(struct engine *engine, const struct experiment_record *record, struct spec *spec,
                  int64_t now_ns, struct err *err);
/* Goes on with an experiment that was interrupted or failed, and was restored. ERR_NOT_FOUND, ERR_INVALID (it
 * is complete). No error if it runs. */
int engine_resume(struct engine *engine, struct id experiment, int64_t now_ns, struct err *err);
/* Interrupts it: running trials are stopped and will run again when it is resumed. */
int engine_cancel(struct engine *engine, struct id experiment, int64_t now_ns, struct err *err);

/* Rebuilding after a restart: each experiment, then its trials by ascending number, then its worker's turn:
 */
int engine_restore_experiment(struct engine *engine, const struct experiment_record *record,
                              struct spec *spec, struct err *err);
/* `curve` as far as it was reported, for final trials too. */
int engine_restore_trial(struct engine *engine, const struct trial_record *record, const struct curve *curve,
                         struct err *err);
/* All is restored. Trials that were under way wait one lease for their workers to come back with them. */
void engine_restored(struct engine *engine, int64_t now_ns);
/* After that: their workers cannot come back, because they knew another driver's private endpoint alone. What
 * was under way runs again at once, and that counts against no retries. */
void engine_forget_workers(struct engine *engine, int64_t now_ns);
/* All workers have ended, as whoever started them knows (borrows `text`): what they ran is lost at once, not
 * when their leases end. */
void engine_workers_ended(struct engine *engine, const char *text, int64_t now_ns);

/* Questions */

/* How an experiment stands; borrows from the engine. ERR_NOT_FOUND. */
int engine_status(struct wire_status *status, const struct engine *engine, struct id experiment,
                  int64_t now_ns);
const struct spec *engine_spec(const struct engine *engine, int64_t key); /* NULL: none */
size_t engine_n_running(const struct engine *engine);                     /* experiments in state RUNNING */
bool engine_find(struct id *experiment, int64_t *key, const struct engine *engine, struct id wanted);

#endif
