/* prova: hyperparameter search and ablation studies.
 *
 * The whole public interface of libprova. Names that begin with prova_ or PROVA_ are its own. Every function
 * may be called from C and C++. Objects are not for two threads at a time, except a prova_trial, whose
 * functions any thread of the training function may call. Strings are UTF-8; a string that is passed in is
 * copied, a string that is returned belongs to the object that it came from and lives as long as it does.
 *
 *     static int train(prova_trial *trial, void *arg)
 *     {
 *         double x = prova_double(trial, "x");
 *         return prova_finish(trial, x * x);
 *     }
 *     ...
 *     prova_config *config = prova_config_new("square");
 *     prova_config_double(config, "x", -1, 1, PROVA_LINEAR);
 *     prova_result *result = prova_lagom(train, NULL, config);
 *     printf("%s\n", prova_result_best_json(result));
 *
 * Build with `cc square.c $(pkg-config --cflags --libs prova)`.
 */
#ifndef PROVA_H
#define PROVA_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PROVA_API __attribute__((visibility("default")))
#else
#define PROVA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct prova_trial prova_trial;
typedef struct prova_config prova_config;
typedef struct prova_result prova_result;
typedef struct prova_search prova_search;

/* Error codes; all negative. prova_strerror gives the meaning. */
enum prova_code {
    PROVA_OK = 0,
    PROVA_EINVALID = -1,
    PROVA_ENOMEM = -2,
    PROVA_ENOTFOUND = -3,
    PROVA_EEXISTS = -4,
    PROVA_EBUSY = -5,
    PROVA_EIO = -6,
    PROVA_EPROTOCOL = -7,
    PROVA_EVERSION = -8,
    PROVA_EEXHAUSTED = -9,
    PROVA_ECLOSED = -10,
    PROVA_ETIMEOUT = -11,
    PROVA_EINTERRUPTED = -12,
    PROVA_EUNSUPPORTED = -13,
    PROVA_EFULL = -14,
    PROVA_EREFUSED = -15,
    PROVA_EFAILED = -16
};

PROVA_API const char *prova_version(void);
PROVA_API const char *prova_strerror(int code);

/* A trial, seen from the training function */

/* The training function: runs one trial. It asks for its parameters, reports as it goes, and returns
 * prova_finish(trial, value), or prova_fail(trial, ...), or 0 to have its value read from its reports. Any
 * other non-zero return fails the trial. It may be called many times in one process, one call at a time. */
typedef int (*prova_train_fn)(prova_trial *trial, void *arg);

/* The value of a double parameter (an int or a numeric discrete one converts). Asking for a name that is not
 * in the space, or that is no number, fails the trial with a message that names it, and gives NaN: the
 * function goes on, but whatever it returns, the trial is FAILED. An inactive conditional parameter gives
 * NaN, which is no fault: ask prova_active first where it matters. */
PROVA_API double prova_double(prova_trial *trial, const char *name);
/* The value of an int parameter, or of a discrete or constant one whose value is an integer. Fails the trial
 * as above and gives 0; an inactive one gives 0. */
PROVA_API int64_t prova_int(prova_trial *trial, const char *name);
/* The value of any parameter as text ("adam", "64", "0.01"). Fails the trial as above and gives ""; an
 * inactive one gives "". Lives until the trial ends. */
PROVA_API const char *prova_string(prova_trial *trial, const char *name);
/* All active parameters as a JSON object, each with its own type. Lives until the trial ends; "" and the
 * trial has failed when out of memory. */
PROVA_API const char *prova_params_json(prova_trial *trial);
/* 1 if the parameter exists and its conditions hold in this trial, else 0. */
PROVA_API int prova_active(prova_trial *trial, const char *name);

/* How many resource units (usually epochs) the trial may use in all, earlier attempts of a resumed trial
 * included; `otherwise` where the schedule leaves it to the function. */
PROVA_API int64_t prova_budget(prova_trial *trial, int64_t otherwise);
/* Units that earlier runs of this trial have used: 0 but for a paused trial that goes on. A function that
 * keeps checkpoints in prova_directory continues there; one that does not starts anew and is right too. */
PROVA_API int64_t prova_done(prova_trial *trial);

/* Reports the objective at a step (0 to 2^53, growing; a step that does not grow is ignored). Costs well
 * under a microsecond and never loses a report: it blocks only while many thousands are unsent. Returns
 * non-zero if the trial is asked to stop, which is a suggestion to return soon. */
PROVA_API int prova_report(prova_trial *trial, int64_t step, double value);
/* The same for any metric of that name. */
PROVA_API int prova_report_metric(prova_trial *trial, int64_t step, const char *name, double value);
/* Non-zero if the trial is asked to stop. A few nanoseconds. */
PROVA_API int prova_stopped(prova_trial *trial);

/* Ends the trial with this value of the objective. Returns 0, to be returned. */
PROVA_API int prova_finish(prova_trial *trial, double value);
/* Fails the trial with a message. Returns non-zero, to be returned. */
PROVA_API int prova_fail(prova_trial *trial, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Number of the trial in its experiment, from 1; which attempt at it this is, from 1. */
PROVA_API int64_t prova_trial_number(prova_trial *trial);
PROVA_API int64_t prova_trial_attempt(prova_trial *trial);
/* A seed for the function's own random numbers: a function of the experiment's seed and the trial's number
 * alone. In an ablation study all trials of one repeat have the same, so that they differ in what they leave
 * out and in nothing else. */
PROVA_API uint64_t prova_trial_seed(prova_trial *trial);
/* The experiment's name and id (UUID). */
PROVA_API const char *prova_trial_experiment(prova_trial *trial);
PROVA_API const char *prova_trial_experiment_id(prova_trial *trial);
/* 1 if this trial leaves the component out, else 0; `kind` is "feature", "layer", "module", "parameter",
 * "group" or "variant" (any other fails the trial). Nothing is left out but in an ablation study (context
 * ablation, docs/ablation.md), so the same function runs in every context. A group is left out together with
 * all of its members: a function that asks for these need not know of groups. */
PROVA_API int prova_ablated(prova_trial *trial, const char *kind, const char *name);
/* This process's place among those that run the trial together, from 0, and how many they are: 0 of 1, but in
 * a gang (docs/distributed.md). */
PROVA_API int prova_rank(prova_trial *trial);
PROVA_API int prova_world(prova_trial *trial);
/* The variables by which the members of a gang find each other (RANK, MASTER_ADDR, TF_CONFIG, ..., as its
 * runtime gives them to commands), as a JSON object of texts: for a framework that looks for them in the
 * environment.
 * "{}" outside of a gang. The caller frees it; NULL when out of memory. */
PROVA_API char *prova_gang_json(prova_trial *trial);
/* The part of n items that this rank works on: `count` of them from `first`. The parts of all ranks are all
 * items, in the order of the ranks, and differ in size by one at most. Without a gang: all. */
PROVA_API void prova_shard(prova_trial *trial, int64_t n, int64_t *first, int64_t *count);
/* Operations of all ranks, over MPI: each calls them in the same order, with the same sizes, on the thread
 * that runs the function. Without a gang they do nothing, which is right for one rank. Each returns 0; or
 * non-zero, and the trial has failed, where it cannot be done. In a gang a stop is told to all ranks by the
 * first of these that follows it, so that all leave at the same place; so is what prova_report and
 * prova_stopped return. */
PROVA_API int prova_allreduce_sum(prova_trial *trial, double *x, size_t n); /* x becomes the sum over ranks */
PROVA_API int prova_broadcast(prova_trial *trial, void *data, size_t size); /* from rank 0 to all */
PROVA_API int prova_barrier(prova_trial *trial); /* returns when all have called it */
/* The gang's own communicator, for calls of MPI that are not above: a `const MPI_Comm *`, until the function
 * returns. NULL without a gang or without MPI. */
PROVA_API const void *prova_mpi_comm(prova_trial *trial);
/* All that it leaves out: "feature:age,layer:conv2"; "": nothing. Lives until the trial ends. */
PROVA_API const char *prova_ablated_list(prova_trial *trial);
/* A directory of this trial alone, kept over its attempts: for checkpoints and output. An absolute path; made
 * by the first call; "" if it cannot be made. */
PROVA_API const char *prova_directory(prova_trial *trial);

/* An experiment */

enum prova_scale { PROVA_LINEAR = 0, PROVA_LOG = 1 };

/* An empty configuration: search auto, schedule full, no early stopping, the metric "objective" to be
 * minimised, 100 trials, 1 local worker. NULL only when out of memory. The setters return 0 or a code; the
 * first fault is also kept and prova_lagom then returns it, so a program may set everything and look once.
 * A setter refuses what is wrong by itself, at once. How settings go together (a context and its section,
 * workers and workers_per_trial, names of plug-ins) is judged by prova_lagom and prova_config_json, so they
 * may come in any order. */
PROVA_API prova_config *prova_config_new(const char *name);
/* From a sweep file; its `train:` section may be left out. Faults, with file, line and column, are kept as
 * above. */
PROVA_API prova_config *prova_config_file(const char *path);
/* The same from the text of one, YAML or JSON. */
PROVA_API prova_config *prova_config_text(const char *sweep);
PROVA_API void prova_config_free(prova_config *config);
/* The kept fault as text, several lines where a file has several; "" if there is none. */
PROVA_API const char *prova_config_error(const prova_config *config);

/* Parameters. Ranges include both ends. PROVA_EINVALID: a bad name or range, or it was added before. */
PROVA_API int prova_config_double(prova_config *config, const char *name, double min, double max,
                                  enum prova_scale scale);
PROVA_API int prova_config_int(prova_config *config, const char *name, int64_t min, int64_t max,
                               enum prova_scale scale);
PROVA_API int prova_config_discrete(prova_config *config, const char *name, const double *values, size_t n);
PROVA_API int prova_config_categorical(prova_config *config, const char *name, const char *const *values,
                                       size_t n);
/* A parameter that is the same in every trial; `value` as in a sweep file ("1", "adam"). */
PROVA_API int prova_config_constant(prova_config *config, const char *name, const char *value);
/* Details of a parameter that was added before: its step, counted from min; its default; and that it is
 * active only while parameter `parent` has one of `values`, written as in a sweep file ("adam", "64").
 * `parent` may be conditional too. Several calls for one parameter must all hold. */
PROVA_API int prova_config_step(prova_config *config, const char *name, double step);
PROVA_API int prova_config_default(prova_config *config, const char *name, const char *value);
PROVA_API int prova_config_when(prova_config *config, const char *name, const char *parent,
                                const char *const *values, size_t n);

/* Anything else of a sweep file by its dotted path and a YAML value, e.g. ("metric.goal", "maximize"),
 * ("search.name", "sobol"), ("limits.trials", "60"), ("workers", "4"), ("stopping", "{name: median,
 * min_trials: 5}"). docs/sweep-file.md has every key; `prova search` lists the searches, schedules and
 * stopping rules with their settings. Of two for one path the later holds; a detail of a parameter comes
 * after the parameter. */
PROVA_API int prova_config_set(prova_config *config, const char *path, const char *value);
/* The whole of it as a sweep file in JSON, with every default written out; until the next call. NULL if it is
 * faulty, which is then kept as its fault. */
PROVA_API const char *prova_config_json(prova_config *config);
/* Where results are kept; default "prova.db". */
PROVA_API int prova_config_database(prova_config *config, const char *path);
/* A running driver to use, e.g. "tcp://127.0.0.1:5700", instead of one of its own. */
PROVA_API int prova_config_driver(prova_config *config, const char *endpoint);
/* Give up after so many seconds without that driver, whose restarts are waited for (default: 300; 0: never).
 * prova_lagom then fails with PROVA_ETIMEOUT. In the role of a worker the default is never. */
PROVA_API int prova_config_wait(prova_config *config, int seconds);
/* A program to run the trials, instead of processes forked from this one: its words, the last one NULL; the
 * first is looked for on the PATH. It is started with PROVA_DRIVER, PROVA_ROLE=worker, PROVA_EXPERIMENT and
 * PROVA_PARENT (this process) in its environment, calls prova_lagom with the same function and configuration,
 * and so becomes the worker. It sees nothing of this process, which may then have threads. */
PROVA_API int prova_config_worker(prova_config *config, const char *const *argv);
/* Non-zero: go on with the newest unfinished experiment of that name in the database, if there is one. */
PROVA_API int prova_config_resume(prova_config *config, int resume);
/* Called about every `interval_ms` and at each change, on the thread that called prova_lagom, with the result
 * so far, which is not to be freed or kept. Return non-zero to stop the experiment (as Ctrl-C does). */
typedef int (*prova_progress_fn)(const prova_result *result, void *arg);
PROVA_API int prova_config_progress(prova_config *config, prova_progress_fn progress, void *arg,
                                    int interval_ms);

/* Runs the experiment with this training function, wherever it is called:
 *   - alone: starts a driver (the `prova` command must be found: $PROVA_BIN, beside the library, or on the
 * PATH) and local worker processes by fork, waits, and returns the result;
 *   - with PROVA_DRIVER=endpoint: submits to that driver, and serves it with local workers;
 *   - with PROVA_DRIVER and PROVA_ROLE=worker: serves trials of PROVA_EXPERIMENT until it is done;
 *   - inside a trial of a command sweep (PROVA_TRIAL_DIR is set): runs the function once, with that trial's
 * parameters.
 * The function runs in other processes, forked from this one: it sees `arg` and all memory as they are when
 * prova_lagom is called, and what it writes there the caller never sees. What it has to say goes through its
 * trial, or into prova_directory; what it prints goes to the trial's log. Call it while the process has no
 * other threads. Progress goes to stderr. SIGINT stops it cleanly. Returns a result, to be freed, also when
 * it failed (prova_result_code, prova_result_error); NULL only when out of memory. */
PROVA_API prova_result *prova_lagom(prova_train_fn train, void *arg, const prova_config *config);

PROVA_API void prova_result_free(prova_result *result);
/* 0 if the experiment completed; PROVA_EINTERRUPTED; or why it could not produce a result. */
PROVA_API int prova_result_code(const prova_result *result);
PROVA_API const char *prova_result_error(const prova_result *result); /* "" if there was none */
PROVA_API const char *prova_result_id(const prova_result *result);    /* UUID */
PROVA_API const char *prova_result_name(const prova_result *result);
PROVA_API const char *prova_result_state(const prova_result *result); /* "completed", ... */
/* What the search makes of the experiment, e.g. "auto: gp: few trials are planned, so each must teach much";
 * "" where it has nothing to say. */
PROVA_API const char *prova_result_explanation(const prova_result *result);
PROVA_API int64_t prova_result_best_trial(const prova_result *result); /* 0: there is none */
PROVA_API double prova_result_best_value(const prova_result *result);  /* NaN: there is none */
/* The best trial's parameters: one as text (NULL if it is inactive or unknown, or there is no best trial),
 * all as a JSON object ("{}": there is none). */
PROVA_API const char *prova_result_best_param(const prova_result *result, const char *name);
PROVA_API const char *prova_result_best_json(const prova_result *result);
/* The report of an ablation study, as `prova show --json` has it (docs/ablation.md): a JSON array of what was
 * left out, the most important first, each {"rank", "component", "kind", "name", "state", "mean", "change",
 * "low", "high", "p_holm", ...}. "[]" in other contexts, and while it runs. */
PROVA_API const char *prova_result_components_json(const prova_result *result);
/* How many trials are in a state: "PENDING", "RUNNING", "COMPLETED", "STOPPED", "FAILED", ...; -1: no such
 * state. */
PROVA_API int64_t prova_result_count(const prova_result *result, const char *state);
PROVA_API int64_t prova_result_limit(const prova_result *result); /* trials asked for; 0: no limit */
PROVA_API double prova_result_seconds(const prova_result *result);

/* Ask and tell */

/* A search without any driver. `space` is the `parameters:` section of a sweep file as YAML or JSON text:
 * "{lr: {min: 1.0e-4, max: 1.0, scale: log}, layers: {min: 1, max: 8}}": as there, a range of two whole
 * numbers is an int unless it says `type: double`. `search` is a name ("gp", "random", ...; NULL: "auto";
 * `prova search` lists them), `options` its settings, e.g. "{startup: 20}", or NULL; `goal` "minimize" or
 * "maximize". Returns NULL with a text in error[error_size] (which may be NULL). The same seed and calls give
 * the same points. */
PROVA_API prova_search *prova_search_new(const char *space, const char *search, const char *options,
                                         const char *goal, uint64_t seed, char *error, size_t error_size);
PROVA_API void prova_search_free(prova_search *search);
/* The next point to evaluate: *number (from 1) names it in tell; it counts as pending until then.
 * PROVA_EEXHAUSTED: all points of the space have been asked for. */
PROVA_API int prova_search_ask(prova_search *search, int64_t *number);
/* The same for up to n at a time: numbers[n] gets theirs. Returns how many there are, fewer where the space
 * ends; or, if there is none, why. */
PROVA_API int64_t prova_search_ask_many(prova_search *search, int64_t n, int64_t *numbers);
/* What was asked for: a parameter as number (NaN if inactive or not a number), as text (NULL if inactive or
 * unknown; lives until the next call), or all as a JSON object (likewise). PROVA_ENOTFOUND is said by NaN and
 * NULL. */
PROVA_API double prova_search_double(prova_search *search, int64_t number, const char *name);
PROVA_API const char *prova_search_string(prova_search *search, int64_t number, const char *name);
PROVA_API const char *prova_search_json(prova_search *search, int64_t number);
/* Tells its value; a value that is not finite counts as failed. Once a number: else PROVA_EEXISTS. */
PROVA_API int prova_search_tell(prova_search *search, int64_t number, double value);
/* A value on the way there, at a step (0 to 2^53: else PROVA_EINVALID). */
PROVA_API int prova_search_tell_step(prova_search *search, int64_t number, int64_t step, double value);
PROVA_API int prova_search_tell_failed(prova_search *search, int64_t number);
/* A point from elsewhere, as a JSON object of its parameters: evaluated (with its value; an infinite one: it
 * failed), or pending (NaN), to be told later. *number (if not NULL) names it. */
PROVA_API int prova_search_add(prova_search *search, const char *params, double value, int64_t *number,
                               char *error, size_t error_size);
/* All points have numbers from 1 to this, those that were asked for and those that were added. How one stands
 * (PROVA_ENOTFOUND: there is none of that number), and the value that was told; NaN: none. */
enum prova_search_state { PROVA_SEARCH_PENDING = 0, PROVA_SEARCH_TOLD = 1, PROVA_SEARCH_FAILED = 2 };
PROVA_API int64_t prova_search_count(const prova_search *search);
PROVA_API int prova_search_state(const prova_search *search, int64_t number);
PROVA_API double prova_search_value(const prova_search *search, int64_t number);
/* All that the search is and was told, as text to be kept: JSON, a line a call. Lent until the next call;
 * NULL when out of memory. prova_search_load makes a search of it that goes on as this one would, with the
 * same numbers; it evaluates nothing anew: points are in the text, and the search is told them. NULL with a
 * text in error, as for prova_search_new. */
PROVA_API const char *prova_search_save(prova_search *search);
PROVA_API prova_search *prova_search_load(const char *text, char *error, size_t error_size);
/* The best told so far; 0 and NaN if there is none. */
PROVA_API int64_t prova_search_best(const prova_search *search, double *value);

#ifdef __cplusplus
}
#endif
#endif
