#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ablation.h"
#include "core/err.h"
#include "core/faults.h"
#include "core/options.h"
#include "core/space.h"
#include "core/trial.h"
#include "core/warm_start.h"

/* What an experiment is, as a sweep file or the SDK's setters say it. The sweep file is its only external
 * form: the SDK writes one (JSON is YAML), the wire carries it, the database keeps it. */

enum train_kind { TRAIN_NONE, TRAIN_COMMAND, TRAIN_LIBRARY, TRAIN_FUNCTION };

struct train {
    enum train_kind kind;
    size_t n_argv;   /* of COMMAND; a command given as one string is {"/bin/sh", "-c", string} */
    char **argv;     /* [n_argv], with ${name} still in them */
    char *library;   /* of LIBRARY: path; relative to `directory` */
    char *function;  /* of LIBRARY: symbol, int (*)(prova_trial *, void *) */
    char *directory; /* where a command runs and relative paths start; NULL: the sweep file's own */
    double grace_s;  /* from SIGTERM to SIGKILL, >= 0; default 10 */
};

struct metric {
    char *name; /* default "objective" */
    enum metric_goal goal;
    enum metric_value value;
    char *pattern; /* POSIX extended expression over a command's output lines; group 1 is the value; NULL:
                      none */
};

struct limits {
    int64_t trials; /* final trials, > 0; 0: no limit. 100 where the user gave no limit at all (grid: none) */
    double hours;   /* of the experiment's running time; 0: none */
    double target;  /* stop once a trial's value is this good; NaN: none */
    int64_t failures;   /* failed trials in a row that end the experiment; default 10; 0: never */
    double trial_hours; /* of one attempt; then it is stopped and FAILED; 0: none */
    int64_t budget; /* resource units that all trials together may use, as they report them; 0: no limit */
};

/* A table of recorded trainings, which `prova simulate` looks values up in (docs/simulate.md). */
enum table_kind { TABLE_SAMPLED, TABLE_FULL_FACTORIAL };
enum table_lookup { LOOKUP_NEAREST, LOOKUP_ROWS };
enum table_observe { OBSERVE_ONE, OBSERVE_MEAN };

struct table_source {
    char *file; /* CSV; relative to the sweep file's directory; NULL: there is no table */
    enum table_kind kind;
    enum table_lookup lookup;
    enum table_observe observe; /* what a trial sees of its replicates */
    char *column;               /* of the value, where there is neither a curve nor replicates; NULL: the
                                   objective's name */
    size_t n_replicates;
    char **replicates; /* [n_replicates] columns */
    char *curve;       /* columns, with {step} in it; NULL: one value */
    int64_t first_step, last_step;
    char *seconds; /* column of the run time, of each step if {step} is in it; NULL: none */
    char *seconds_first, *seconds_last; /* columns of what had passed at the first and last step; or NULL */
    bool seconds_cumulative;            /* `seconds` has what had passed, not what the step took */
    double optimum, median;             /* NaN: taken from the table */
    double best_one_percent;            /* NaN: unknown; for those who read the file */
};

/* What a program on several workers needs to find the others: worker/runtime_*.c, one each. */
enum runtime { RUNTIME_ENV, RUNTIME_TENSORFLOW, RUNTIME_MPI };

/* Every trial runs on a gang of workers at once (docs/distributed.md). */
struct gang_spec {
    int64_t workers; /* from 1 (no gang; default) to MAX_GANG */
    enum runtime runtime;
    int64_t parameter_servers; /* of runtime tensorflow: so many of the workers, the last ones */
};

#define MAX_GANG 1024 /* their addresses fit into one message */

struct spec {
    char *name; /* [A-Za-z0-9_.-]+, default: the file's name without its ending */
    struct train train;
    struct metric metric;
    struct space *space;
    /* Only of a spec with faults, see spec_parse_faulty. Some parameters are missing in `space`, or it is not
     * finished: it can be looked into, but no search can walk it. */
    bool is_space_partial;
    size_t n_faulty_params;
    char **faulty_params; /* [n_faulty_params] names of those that are in the file but not in `space` */
    struct plugin search, schedule, stopping; /* defaults: random, full, none */
    struct plugin context;        /* name: single, optimization (default); settings: its own section */
    struct ablation *ablation;    /* of context ablation; else NULL */
    struct warm_start warm_start; /* what the search is told before the first trial; empty: nothing */
    struct gang_spec gang;
    struct limits limits;
    struct table_source table;
    int64_t workers; /* local workers of `prova run`; default gang.workers */
    int64_t retries; /* further attempts after an attempt was lost; default 1 */
    uint64_t seed;
    bool has_seed; /* false: `seed` is drawn by whoever submits it */
};

/* One `--set key=value`: a dotted path into the file and a YAML value. */
struct override {
    const char *path;
    const char *value;
};

/* Reads a sweep file's text. All faults of it are added to `faults`, each at its line and column, with a "did
 * you mean" for unknown keys; faults of an override have line 0 and name it. `file` gives the default name
 * and directory. What plug-ins accept is not known here: see context_check (contexts/context.h). Returns 0
 * and *spec, which the caller destroys; ERR_INVALID if there were faults; ERR_NOMEM. */
int spec_parse(struct spec **spec, const char *text, size_t size, const char *file,
               const struct override *overrides, size_t n_overrides, struct faults *faults);

/* The same for who goes on to check plug-ins, so that a user hears of all faults at one time: with
 * ERR_INVALID *spec is what could be read of the file, for context_check or registry_check and nothing else;
 * NULL if it is no YAML. Values with a fault have their defaults; a plug-in without a usable name has no
 * settings either; train.kind is NONE only if there is no such section. The caller destroys it.
 * faults->n_alone is set: how many there were when each section had been read, before it was looked at how
 * they go together. */
int spec_parse_faulty(struct spec **spec, const char *text, size_t size, const char *file,
                      const struct override *overrides, size_t n_overrides, struct faults *faults);

/* Reads the file and parses it as spec_parse_faulty does. ERR_IO or ERR_NOT_FOUND with a text where it cannot
 * be read. *source (if not NULL) is its text, which the caller frees; NULL where *spec is. */
int spec_read(struct spec **spec, char **source, const char *path, const struct override *overrides,
              size_t n_overrides, struct faults *faults, struct err *err);

/* Reads the table that `warm_start: {csv: PATH}` names, if it does: into the spec, which then names it no
 * more. A relative path starts in the folder of `file`, the sweep file ("" or NULL: where the process is).
 * Faults at the place of the section. Returns 0, ERR_INVALID or ERR_NOMEM. spec_read does it by itself;
 * whoever parses a text of his own files does it after spec_parse; of a peer's text nobody does. */
int spec_read_warm_csv(struct spec *spec, const char *file, struct faults *faults);

/* The whole of it as one JSON object that spec_parse reads back to an equal spec; all defaults written out. A
 * training function that a program holds itself (TRAIN_FUNCTION) is `train: {kind: function}` in it. */
void spec_write_json(struct text *out, const struct spec *spec);

/* A spec with all defaults and an empty space. */
struct spec *spec_create(void);
/* Is a parameter of that name in the file, be it faulty? */
bool spec_has_param(const struct spec *spec, const char *name);
void spec_destroy(struct spec *spec);

/* The trial's value under the metric's rule, from the value it returned (NaN: none) and its curve; NaN if
 * there is none. A stopped trial without a returned value has its last report. */
double metric_trial_value(const struct metric *metric, double returned, const struct curve *curve);
/* Is a better than b? NaN is never better, and everything finite is better than NaN. */
bool metric_better(enum metric_goal goal, double a, double b);

/* Are its trials points of the search? So they are in context optimization alone; tests compare this with
 * what the contexts themselves say, whom not every layer may ask. */
bool spec_searches(const struct spec *spec);
/* What is missing in an ablation study, which a draft of one need not have yet; nothing in other contexts. */
void spec_check_ablation(const struct spec *spec, struct faults *faults);

/* What the trial leaves out, "feature:age,layer:2": "" if it leaves out nothing, as everywhere but in an
 * ablation study. */
void spec_write_ablated(struct text *out, const struct spec *spec, uint64_t trial);
/* The seed of a trial's own random numbers, below 2^31, so that every library takes it: a function of the
 * experiment's seed and the trial's number alone. In an ablation study it is one of the repeat, so that its
 * trials differ in what they leave out and in nothing else. */
uint64_t spec_trial_seed(const struct spec *spec, uint64_t trial);

/* Replaces ${name} by the parameter's value, ${budget}, ${trial}, ${attempt}, ${seed} by the numbers,
 * ${ablated} by what is left out, $$ by $. An inactive parameter gives "". Returns 0 or ERR_INVALID for an
 * unknown name (which spec_parse has refused before). */
struct substitution {
    const struct space *space;
    const double *point;
    int64_t budget, trial, attempt;
    uint64_t seed;
    const char *ablated;
};
int spec_substitute(struct text *out, const char *string, const struct substitution *values, struct err *err);

#endif
