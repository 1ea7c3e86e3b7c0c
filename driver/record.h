#ifndef DRIVER_RECORD_H
#define DRIVER_RECORD_H

#include <stdint.h>

#include "core/experiment.h"
#include "core/id.h"
#include "core/spec.h"
#include "core/trial.h"
#include "core/wire.h"

/* What the engine wants kept, and what the store gives back to it after a restart. Times are wall-clock
 * milliseconds since 1970. An experiment's `key` is a small number that stands for its id everywhere inside
 * one database. */

struct experiment_record {
    int64_t key;
    struct id id;
    const char *name;
    const struct spec *spec; /* with its seed settled */
    const char *spec_json;   /* canonical, as spec_write_json */
    const char *source;      /* the sweep file as given */
    const char *file, *directory, *command_line, *git_revision;
    enum experiment_state state;
    const char *text;
    int64_t created_ms, ended_ms; /* ended_ms 0: not ended */
    int64_t elapsed_ms;           /* running time so far */
};

struct trial_record {
    int64_t key;    /* experiment */
    uint64_t trial; /* its number, from 1 */
    enum trial_state state;
    uint64_t attempt;       /* the current or last one, from 1; 0: never assigned */
    uint64_t first_attempt; /* whose reports its curve begins with: earlier ones were run again from the
                               start, later ones go on with a paused trial. 0: the current attempt */
    uint64_t n_lost;        /* attempts that count against `retries` */
    struct id worker;       /* of the current or last attempt */
    int64_t budget;
    double value;     /* NaN: none (yet) */
    const char *text; /* of a failure; "" */
    const char *log;  /* where the last attempt's output is kept, on `worker`'s host; "" */
    int64_t created_ms, started_ms, ended_ms; /* 0: not yet */
    size_t n_params;
    const double *point; /* lent */
    uint64_t n_reports;
    uint64_t origin;           /* the trial that it began as a copy of; 0: none */
    int64_t origin_units;      /* that were used there */
    const struct curve *curve; /* of a final trial: its objective's curve, kept with it; else NULL */
};

struct attempt_record { /* written when an attempt ends */
    int64_t key;
    uint64_t trial, attempt;
    struct id worker;
    const char *host;
    enum outcome outcome;
    const char *text, *log;
    int64_t started_ms, ended_ms;
};

struct reports_record { /* metric index 0 is the spec's objective; others are names[metric - 1] */
    int64_t key;
    uint64_t trial, attempt;
    int64_t time_ms;
    struct wire_strs names;
    struct wire_reports reports;
};

struct event_record {
    int64_t key;
    uint64_t trial; /* 0: of the experiment */
    int64_t time_ms;
    const char *kind; /* "stopped early", "worker lost", ... */
    const char *text;
};

enum record_kind {
    RECORD_EXPERIMENT,       /* insert or replace the whole row */
    RECORD_EXPERIMENT_STATE, /* state, text, ended_ms and elapsed_ms alone */
    RECORD_TRIAL,            /* insert or replace; the last one of a transaction wins */
    RECORD_ATTEMPT,
    RECORD_REPORTS, /* a report that is there already is left as it is */
    RECORD_EVENT
};

struct record {
    enum record_kind kind;
    union {
        struct experiment_record experiment;
        struct trial_record trial;
        struct attempt_record attempt;
        struct reports_record reports;
        struct event_record event;
    };
};

#endif
