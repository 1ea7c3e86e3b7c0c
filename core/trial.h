#ifndef CORE_TRIAL_H
#define CORE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trial_state {
#define STATE(name, number, final, meaning) TRIAL_##name = number,
#include "core/trial.def"
#undef STATE
    TRIAL_N_STATES
};

/* How an attempt ended, as its worker says it. Stored and sent. */
enum outcome {
    OUTCOME_NONE = 0,      /* it goes on */
    OUTCOME_COMPLETED = 1, /* it ended by itself */
    OUTCOME_STOPPED = 2,   /* it ended because it was asked to */
    OUTCOME_FAILED = 3,    /* it raised, exited non-zero, or gave no usable result: not tried again */
    OUTCOME_LOST = 4 /* killed by a signal, or its worker vanished: tried again while retries are left */
};

/* Why a worker is asked to end an attempt. Sent. */
enum stop_reason {
    STOP_EARLY = 1,     /* a stopping rule or the schedule ends it */
    STOP_LIMIT = 2,     /* a limit or the target of the experiment is reached */
    STOP_CANCELLED = 3, /* the user stops the experiment; it may be resumed */
    STOP_STALE = 4,     /* this attempt is no longer current: drop it and whatever is unsent of it */
    STOP_ENDED = 5      /* of a gang's member: rank 0 has ended, and the attempt with it */
};

/* How a trial's value is read from its reports. */
enum metric_value { METRIC_FINAL, METRIC_LAST, METRIC_BEST };
enum metric_goal { GOAL_MINIMIZE, GOAL_MAXIMIZE };

/* Upper-case name of a state, e.g. "RUNNING"; lower-case name of an outcome or reason, e.g. "lost". Lends;
 * "?" for a number that is none. */
const char *trial_state_name(enum trial_state state);
const char *outcome_name(enum outcome outcome);
const char *stop_reason_name(enum stop_reason reason);
/* Reads a state's name, any case. Returns 0 or ERR_INVALID. */
int trial_state_parse(enum trial_state *state, const char *name);
bool trial_state_is_final(enum trial_state state);
/* Is the step in the table of core/trial.def? */
bool trial_may_step(enum trial_state from, enum trial_state to);

/* Steps are whole numbers from 0 to this: as doubles they are exact, and there are always more units than
 * steps. What comes from elsewhere is refused beyond it: by core/wire, by the SDK, in lines of text. */
#define REPORT_MAX_STEP (INT64_C(1) << 53)

bool report_step_is_valid(int64_t step);

/* One report: metric `metric` (0: the objective; else an index into names that travel with it) had `value` at
 * `step`. */
struct report {
    int64_t step;
    uint32_t metric;
    double value;
};

/* The objective's values of one trial over its steps, ascending; what rules and schedules compare. In the
 * user's own sign. {0} is empty. */
struct curve {
    size_t n, capacity;
    int64_t *steps;
    double *values; /* in the same block */
};

void curve_fini(struct curve *curve);
void curve_clear(struct curve *curve);
/* Appends; returns 0, ERR_NOMEM, or ERR_INVALID for a step that does not grow (nothing changes). Amortised
 * O(1). */
int curve_add(struct curve *curve, int64_t step, double value);
/* Units that were used when the last report came: steps count from 0. 0: there is no report. */
int64_t curve_units(const struct curve *curve);

#endif
