#ifndef WORKER_ATTEMPT_H
#define WORKER_ATTEMPT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/text.h"
#include "core/trial.h"
#include "core/wire.h"
#include "worker/experiment.h"
#include "worker/gang.h"
#include "worker/handle.h"
#include "worker/metric_names.h"
#include "worker/ring.h"

/* The attempt that a slot runs: what the training function holds (`trial`), what it has said, and how it
 * ended. A slot has one of these and uses it for all its attempts.
 *
 * begin() and everything after the end are called by whoever drives the session; the operations of the
 * handle by any thread of the function; the runner (main thread) calls end. */

/* Why it is asked to end: 0, an enum stop_reason, or a reason of the worker's own. */
enum {
    ATTEMPT_GOES_ON = 0,
    ATTEMPT_OUT_OF_TIME = 100, /* limits.trial_hours */
    ATTEMPT_LEAVING = 101      /* the worker was told to go */
};

struct attempt {
    struct prova_trial trial; /* first: what the function holds is the attempt */
    struct experiment *experiment;
    struct ring *ring;
    int stop_fd; /* eventfd, written when `stop` is set */
    const char *base;
    struct text ablated;
    double *point;
    size_t n_point, point_capacity;
    uint64_t origin;               /* the trial whose directory this one's begins as a copy of; 0: none */
    int64_t begun_ns, deadline_ns; /* INT64_MAX: no time limit */
    struct gang gang;
    bool has_agreed; /* the members have done something together, so they stop together: `agreed` says so.
                        Function's thread */
    int agreed;      /* the reason; GOES_ON: not yet */

    _Atomic bool is_active; /* between begin and end: reports are taken */
    _Atomic bool has_ended; /* the runner is through; `outcome` and so on are final */
    _Atomic int stop;
    _Atomic int told; /* the reason that the function has seen, or the command's signal was sent for */
    _Atomic uint64_t n_objective; /* reports of the objective */
    _Atomic double last_objective;

    pthread_mutex_t lock; /* of what follows, up to the result */
    struct metric_names names;
    struct text failure; /* the first one */
    bool has_returned;
    double returned;
    bool has_directory;
    struct text directory, log;
    bool has_tried_log; /* to open it: a failure is said once */
    int log_fd;         /* -1: not open */

    enum outcome outcome; /* NONE: nothing is said of its end (it is stale, or the worker leaves) */
    double value;
    struct text text;
};

/* Borrows `base` (where trial directories are made). Returns 0, ERR_NOMEM or ERR_IO. */
int attempt_init(struct attempt *attempt, const char *base, ring_notify_fn *notify, void *arg,
                 struct err *err);
void attempt_fini(struct attempt *attempt);

/* Makes it the attempt that was assigned. Refs the experiment. If it cannot run (the text says why) it begins
 * all the same, and the runner ends it as failed. */
int attempt_begin(struct attempt *attempt, struct experiment *experiment, const struct wire_assign *assign,
                  int64_t now_ns, struct err *err);
/* Before its function is called: gives it a copy of its origin's directory, if it is to have one. Where there
 * is none (a function without checkpoints, or workers that share no file system) it starts anew, and its log
 * says so. May take long. */
void attempt_inherit(struct attempt *attempt);
/* Its gang is whole: only now its time begins. */
void attempt_set_clock(struct attempt *attempt, int64_t now_ns);
/* After its end was taken: forgets it. */
void attempt_forget(struct attempt *attempt);

bool attempt_is(const struct attempt *attempt, struct id experiment, uint64_t trial, uint64_t number);
/* Asks it to end. The first reason counts, but STOP_STALE and STOP_ENDED overrule every other. */
void attempt_stop(struct attempt *attempt, int reason);
/* A report of metric `name` (borrowed, `size` bytes); a line without step counts by itself. For runners. */
void attempt_report(struct attempt *attempt, int64_t step, const char *name, size_t size, double value);
/* The step after the last one of this metric; the last one again if it is the greatest there is. */
int64_t attempt_next_step(struct attempt *attempt, const char *name, size_t size);
/* Adds to its log, which the first call opens. A log that cannot be written is warned of, once. */
void attempt_write_log(struct attempt *attempt, const char *bytes, size_t size);
/* The same for what is in a pipe that does not block: moved by the kernel, so that a crash in this very
 * moment loses none of it. */
void attempt_move_to_log(struct attempt *attempt, int pipe_fd);
/* Its path, for the record; "" if there is none. Lends. */
const char *attempt_log_path(const struct attempt *attempt);

/* Is its value the trial's? Not that of a gang's ranks from 1, which need not have one. */
bool attempt_speaks(const struct attempt *attempt);
/* How it ended; sets has_ended last of all. Text may be NULL. */
void attempt_end(struct attempt *attempt, enum outcome outcome, double value, const char *text);
/* The same for an attempt that was asked to end and did, whatever the reason was. */
void attempt_end_stopped(struct attempt *attempt, double value);
/* "the time limit of 2 h" */
void attempt_describe_limit(struct text *out, const struct attempt *attempt);

#endif
