#ifndef DRIVER_ENGINE_STATE_H
#define DRIVER_ENGINE_STATE_H

/* The engine's own structures and what its modules call of each other. Nobody else includes this.
 *
 *   engine.c      the door: events in, commands out
 *   peers.c       workers: greeting, leases, who is idle
 *   experiment.c  what runs next, limits, the end of an experiment
 *   attempt.c     one trial: its state, its attempts, its reports
 *   gang.c        trials that run on several workers at once
 *   restore.c     rebuilding after a restart
 */

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>
#include <utlist.h>

#include "contexts/context.h"
#include "driver/engine.h"
#include "driver/heap.h"

struct worker;
struct experiment;

/* A worker's part in a gang. */
struct member {
    struct trial *trial;
    struct worker *worker; /* NULL: it has ended, or (after a restart) has not come back yet */
    uint64_t held;         /* as trial.held; of ranks from 1 */
    bool has_joined, has_ended;
    bool is_silent;             /* and that was said */
    char *host;                 /* where the other members reach it; NULL: it has not joined */
    uint64_t port;              /* that it holds there */
    struct member *prev, *next; /* among its worker's; ranks from 1, rank 0 is among worker.trials */
};

/* The workers of one attempt. */
struct gang {
    uint64_t number;    /* 0: not known yet after a restart */
    size_t n, n_joined; /* n: members */
    bool has_started;   /* all have joined, and were told to begin */
    bool is_restored;
    int64_t complete_by_ns; /* of one that was restored: when all must have come back; 0: they have */
    struct member members[];
};

struct trial {
    struct experiment *experiment;
    uint64_t number;
    enum trial_state state;
    uint64_t attempt;       /* the current one; of a PENDING trial the next one */
    uint64_t first_attempt; /* whose reports the curve begins with */
    uint64_t n_lost;
    struct worker *worker;   /* of the current attempt (its rank 0); NULL: none */
    struct gang *gang;       /* of the current attempt; NULL: one worker is enough */
    struct id worker_id;     /* of the last attempt */
    enum stop_reason reason; /* why its attempt was asked to stop; 0: it was not */
    bool pausing;            /* it is PAUSED, not STOPPED, once its attempt has ended */
    bool diverged;           /* the objective was not finite: FAILED once its attempt has ended */
    int64_t budget, done;
    uint64_t origin;      /* the trial whose directory it begins with a copy of; 0: none */
    int64_t origin_units; /* that were used there */
    int64_t stop_sent_ns;
    uint64_t held; /* greeting of the worker that last said it holds this attempt */
    int64_t created_ms, started_ms, ended_ms, attempt_ms;
    double value;
    char *text, *log;   /* NULL: none */
    struct curve curve; /* while it is not final */
    size_t n_kept; /* of the curve: what it had when it was last paused; a lost attempt falls back to it */
    int64_t next_level;                      /* the search hears of it when it has used so many units */
    uint64_t n_reports;                      /* of the objective: those of the curve */
    int64_t units;                           /* that it has used, as far as the experiment counts them */
    struct trial *prev, *next;               /* among its worker's, or its experiment's pending ones */
    struct trial *prev_active, *next_active; /* among its experiment's active ones */
    double point[];
};

/* A range of trials that the search was asked about. */
struct asked {
    uint64_t first, n;
};

#define MAX_ASKED 16 /* questions under way at one time for an experiment */

struct experiment {
    int64_t key;
    struct id id;
    char *name, *text;
    char *spec_json; /* for workers: without the warm start, which may be large and is nothing to them */
    struct spec *spec;
    enum experiment_state state;
    enum experiment_state closing; /* the state it takes once nothing of it is active; 0: it goes on */
    struct context *context;
    bool learns; /* its search uses values */

    struct trial **trials; /* [n_slots], by number - 1; NULL: no such trial (yet) */
    size_t n_slots;
    uint64_t next_number; /* the lowest that is free */
    uint64_t n_created;
    uint64_t counts[TRIAL_N_STATES];
    struct trial *pending; /* to be run again, oldest first */
    struct trial *active;
    uint64_t n_active;
    uint64_t n_failed_in_row;
    uint64_t n_reports;
    int64_t n_units; /* that its trials have used: the sum of their `units` */
    struct trial *best;

    uint64_t *ready;      /* trials that the search has points for: n_ready from ready_head, ascending */
    double *ready_points; /* [n_ring][n_params] theirs */
    size_t n_ring, ready_head, n_ready;
    struct asked asked[MAX_ASKED];
    size_t n_asked;
    uint64_t n_asked_trials;
    uint64_t next_ask;  /* the lowest number that was not asked for */
    uint64_t exhausted; /* the search has nothing for this number and after; 0: not exhausted */

    struct worker *idle; /* of its own workers */
    uint64_t n_own;      /* connected workers that serve only it */
    bool is_hungry;      /* in engine->hungry: there may be something to start */
    struct experiment *prev_hungry, *next_hungry;

    int64_t created_ms, ended_ms;
    int64_t elapsed_ns; /* up to since_ns */
    int64_t since_ns;   /* of state RUNNING */
    struct deadline deadline;
    int64_t close_by_ns; /* while closing: attempts that have not ended by then are given up */
    char wait_text[96];  /* that a status may lend */
    uint64_t changed_in; /* the engine's round whose queue has its COMMAND_CHANGED */
    UT_hash_handle hh;
    UT_hash_handle hh_key;
};

enum worker_state {
    WORKER_ABSENT,   /* known from the database or vanished; may come back while its lease lasts */
    WORKER_GREETING, /* its HOLDs are coming */
    WORKER_READY
};

struct worker {
    struct id id;
    enum worker_state state;
    struct id wants;           /* the experiment that it serves; none: any */
    struct experiment *own;    /* that one, once it is known */
    uint64_t greeting, n_held; /* n_held: HOLDs still to come */
    uint64_t next_seq;         /* of its next PROGRESS */
    struct trial *trials;      /* attempts that it has, as far as is known */
    struct member *members;    /* its parts in gangs, but for rank 0 */
    struct experiment **known; /* [n_known] experiments that it was told of on this connection */
    size_t n_known, capacity_known;
    char *host, *fleet;  /* NULL: unknown, none */
    bool stale;          /* it still runs an attempt that it was told to drop: not free until it says so */
    unsigned idle_beats; /* heartbeats in a row that say it runs nothing though it should */
    unsigned deaf_beats; /* ... that it runs something though it is stale */
    int64_t heard_ns;
    struct deadline deadline;
    struct worker **list; /* the idle list that it is in; NULL: none */
    struct worker *prev, *next;
    UT_hash_handle hh;
};

struct engine {
    struct engine_setup setup;
    int64_t now_ns;
    int failed;
    struct command *commands;
    size_t n_commands, capacity_commands;
    uint64_t round;       /* of commands, from 1: how often they were cleared */
    struct trial **spent; /* trials that ended in this event: a command may still point to their curves */
    size_t n_spent, capacity_spent;
    char **lent; /* strings that a command may still point to, though nothing else does */
    size_t n_lent, capacity_lent;
    struct heap deadlines;
    struct worker *workers;         /* by id */
    struct worker *idle;            /* that serve anything */
    struct worker *unclaimed;       /* idle, for an experiment that is not here yet */
    uint64_t n_general;             /* connected workers that serve anything */
    struct experiment *experiments; /* by id */
    struct experiment *experiments_by_key;
    struct experiment *hungry;   /* may have something to start; the longest unserved first */
    struct experiment *reserver; /* whose gang all general workers that get idle are kept for; NULL: none */
    bool has_released;           /* workers that were kept may have other work: see gang_settle */
    uint64_t last_gang;          /* number */
    char scratch[256];           /* a text that a command points to */
};

/* engine.c */
struct command *engine_command(struct engine *engine, enum command_kind kind); /* NULL once it has failed */
void engine_out_of_memory(struct engine *engine);
/* Keeps that something happened, for people who read the database. trial NULL: to the experiment. Copies the
 * text. */
void engine_event(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                  const char *kind, const char *text);
void engine_send_bye(struct engine *engine, struct id worker, int code, const char *text);
int64_t engine_wall_ms(const struct engine *engine);
char *engine_copy(struct engine *engine, const char *string); /* NULL for "" and NULL */
/* Takes the string and frees it once the commands of this event are executed. Returns it, or "" for NULL. */
const char *engine_lend(struct engine *engine, char *string);
struct experiment *engine_experiment(const struct engine *engine, struct id id);

/* peers.c */
void peer_message(struct engine *engine, struct id id, const struct wire_message *message);
void peer_unreachable(struct engine *engine, struct id id);
void peer_dismiss_absent(struct engine *engine, bool counts, const char *text);
/* None of them is there any more. */
void peer_all_ended(struct engine *engine, const char *text);
void peer_deadline(struct engine *engine, struct worker *worker);
struct worker *peer_find_or_create(struct engine *engine, struct id id); /* NULL: out of memory */
void peer_destroy(struct engine *engine, struct worker *worker);
void peer_adopt_unclaimed(struct engine *engine, struct experiment *experiment);
void peer_arm(struct engine *engine, struct worker *worker);
/* It runs nothing: finds it something to do, or a place among the idle. */
void peer_employ(struct engine *engine, struct worker *worker);
void peer_unpark(struct worker *worker);
/* Gives idle general workers to whoever has work for them. */
void peer_employ_idle(struct engine *engine);
/* It runs an attempt, as far as is known. */
bool peer_has_work(const struct worker *worker);
/* It drops that attempt, and says by a heartbeat when it runs it no more. */
void peer_send_stale(struct engine *engine, struct worker *worker, struct id experiment, uint64_t trial,
                     uint64_t attempt);

/* experiment.c */
struct experiment *experiment_create(struct engine *engine, const struct experiment_record *record,
                                     struct spec *spec, struct err *err);
void experiment_destroy(struct engine *engine, struct experiment *experiment);
void experiment_persist_state(struct engine *engine, struct experiment *experiment);
void experiment_changed(struct engine *engine, struct experiment *experiment);
/* Something may be possible now that was not: gives work to idle workers, asks the search, and sees whether
 * it is over. */
void experiment_feed(struct engine *engine, struct experiment *experiment);
/* Could a trial of it begin now, were there workers? Changes nothing. */
bool experiment_can_start(struct experiment *experiment);
/* Takes its next trial from whatever has one; NULL: none. It is PENDING and in no list. */
struct trial *experiment_take_next(struct engine *engine, struct experiment *experiment);
/* Starts its next trial on this worker, if there is one. The caller then takes the worker off its list and
 * calls experiment_ask: before that the worker would count as one that waits, and a search that learns be
 * asked for a point too early. */
bool experiment_start_next(struct engine *engine, struct experiment *experiment, struct worker *worker);
/* Asks the search for as many points as workers wait for, and so many more. */
void experiment_ask(struct engine *engine, struct experiment *experiment, uint64_t more);
void experiment_hungry(struct engine *engine, struct experiment *experiment, bool hungry);
/* Stops what is active and takes `state` once that has ended. */
void experiment_close(struct engine *engine, struct experiment *experiment, enum experiment_state state,
                      enum stop_reason reason, const char *text);
/* Is this ended trial the best so far? Of equal ones the lowest number is, as in the database's own
 * documents. */
void experiment_rank(struct experiment *experiment, struct trial *trial);
/* A trial of it has become final (or PAUSED): limits and targets. */
void experiment_trial_ended(struct engine *engine, struct experiment *experiment, struct trial *trial);
/* The trial has reported: closes the experiment where limits.budget is used up. */
void experiment_check_budget(struct engine *engine, struct experiment *experiment);
void experiment_run(struct engine *engine, struct experiment *experiment);
void experiment_deadline(struct engine *engine, struct experiment *experiment);
int64_t experiment_elapsed_ns(const struct experiment *experiment, int64_t now_ns);
struct trial *experiment_trial(const struct experiment *experiment, uint64_t number); /* NULL: none */
bool experiment_drop_suggestion(struct experiment *experiment, uint64_t number);

/* attempt.c */
struct trial *trial_create(struct engine *engine, struct experiment *experiment, uint64_t number,
                           const double *point);
void trial_destroy(struct trial *trial);
/* A paused trial will not go on: it ends with what it has reached. */
void trial_give_up(struct engine *engine, struct experiment *experiment, struct trial *trial);
/* The same for one that is paused or pending when its experiment is over: no rule needs to know any more. */
void trial_settle(struct engine *engine, struct experiment *experiment, struct trial *trial);
/* It begins with a copy of trial `origin`: before its context_started. */
void trial_set_origin(struct engine *engine, struct experiment *experiment, struct trial *trial,
                      uint64_t origin, int64_t units);
bool trial_is_active(const struct trial *trial);
void trial_step(struct experiment *experiment, struct trial *trial, enum trial_state to);
void trial_persist(struct engine *engine, struct experiment *experiment, struct trial *trial);
void trial_observe(struct engine *engine, struct experiment *experiment, struct trial *trial,
                   enum observation_kind kind);
/* It has used so many units: keeps the experiment's sum of them. */
void trial_count_units(struct trial *trial, int64_t units);
/* The curve has a value more, its last one: tells the search if a level is reached. */
void trial_observe_level(struct engine *engine, struct experiment *experiment, struct trial *trial,
                         const struct curve *curve);
/* The attempt has no value any more: back to what the trial had before it. Call it with the new attempt's
 * number. */
void trial_forget_attempt(struct trial *trial);
/* The worker has this attempt: from PENDING, ASSIGNED to it. */
void trial_attach(struct engine *engine, struct experiment *experiment, struct trial *trial,
                  struct worker *worker);
void trial_assign(struct engine *engine, struct experiment *experiment, struct trial *trial,
                  struct worker *worker);
void trial_send_assign(struct engine *engine, struct experiment *experiment, const struct trial *trial,
                       struct worker *worker, uint64_t rank);
void trial_send_stop(struct engine *engine, struct experiment *experiment, struct trial *trial,
                     enum stop_reason reason);
/* The message alone. */
void trial_tell_stop(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                     struct id worker, enum stop_reason reason);
void trial_progress(struct engine *engine, struct experiment *experiment, struct trial *trial,
                    const struct wire_progress *progress);
/* Keeps what was reported, with these names. */
void trial_persist_reports(struct engine *engine, const struct experiment *experiment,
                           const struct trial *trial, struct wire_strs names, struct wire_reports reports);
/* The attempt is over without a word of its worker. `by`: the one of its workers that was lost or does not
 * have it; NULL: none of them. `counts`: against the trial's retries. */
void trial_lose(struct engine *engine, struct experiment *experiment, struct trial *trial, struct worker *by,
                bool counts, const char *text);
/* A member of its gang, not rank 0, said that its part has failed or was lost. */
void trial_lose_member(struct engine *engine, struct experiment *experiment, struct trial *trial,
                       struct worker *by, const char *text, const char *log);

/* gang.c */
bool gang_wanted(const struct experiment *experiment); /* its trials need more than one worker */
/* Are there workers enough, idle or not? */
bool gang_is_feasible(const struct engine *engine, const struct experiment *experiment);
/* Forms a gang for the next trial, if there are workers enough; else all that get idle from now on are kept
 * for it, unless they are kept for another one. */
bool gang_start_next(struct engine *engine, struct experiment *experiment);
/* The worker does not have its part. True if it was never there, and is sent again. */
bool gang_assign_again(struct engine *engine, struct trial *trial, struct worker *worker);
void gang_join(struct engine *engine, struct worker *worker, const struct wire_join *message);
/* It runs its part on though it was asked to stop: a member that waits for others does not report. */
void gang_stop_again(struct engine *engine, const struct worker *worker);
/* After a restart: the members are not known yet. */
int gang_restore(struct engine *engine, struct trial *trial);
bool gang_hold(struct engine *engine, struct experiment *experiment, struct trial *trial,
               struct worker *worker, const struct wire_hold *message);
/* Of a rank from 1: true if the message was one of a member of the trial's gang. */
bool gang_progress(struct engine *engine, struct experiment *experiment, struct trial *trial,
                   struct worker *worker, const struct wire_progress *message);
/* The same to all members but rank 0. */
void gang_tell_stop(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                    enum stop_reason reason);
/* The attempt is over: members that still run are told, but for `by`. */
void gang_dissolve(struct engine *engine, const struct experiment *experiment, struct trial *trial,
                   const struct worker *by, enum stop_reason reason);
void gang_destroy(struct gang *gang);
/* "rank 3 on a.example: text"; `text` itself without a gang. Lends until the commands are executed. */
const char *gang_text(struct engine *engine, const struct trial *trial, const struct worker *worker,
                      const char *text);
/* Gives up what did not come back whole after a restart; returns when to call it again, INT64_MAX: never. */
int64_t gang_give_up_incomplete(struct engine *engine, struct experiment *experiment);
/* A member of a gang was not heard of for half a lease, or is heard again: says so, once. */
void gang_notice(struct engine *engine, struct worker *worker, bool is_silent);
/* After every event: workers that need not be kept any more find other work. */
void gang_settle(struct engine *engine);

#endif
