#ifndef DRIVER_STORE_QUERY_H
#define DRIVER_STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/err.h"
#include "core/experiment.h"
#include "core/id.h"
#include "core/spec.h"
#include "core/text.h"

/* What is in a database, as documents for people and programs. Read-only: beside a driver that writes, after
 * one that was killed, on read-only media. Each document is of one moment, and is written piece by piece, so
 * that an experiment of any size needs little memory. Not for two threads at a time.
 *
 * In all documents: times are ISO 8601 in UTC with milliseconds ("2025-01-31T12:00:00.123Z"), durations
 * seconds, numbers the shortest that read back as the same double; what there is not (yet) is null in JSON,
 * empty in CSV.
 */

struct query;

/* Where a document goes. `write` returns 0 or a code, which ends the document and is returned. */
struct query_sink {
    int (*write)(void *arg, const char *data, size_t size);
    void *arg;
};
struct query_sink query_to_file(FILE *file);
struct query_sink query_to_text(struct text *text);

/* ERR_NOT_FOUND: there is no database; ERR_INVALID: it is not one of prova; ERR_VERSION; ERR_IO; ERR_BUSY. */
int query_open(struct query **query, const char *path, struct err *err);
void query_close(struct query *query);

/* EXP of the command line: a name (the newest of that name), the beginning of an id, or NULL: the newest of
 * all. ERR_NOT_FOUND, with the nearest name; ERR_INVALID with the candidates for an ambiguous beginning. */
struct query_experiment {
    int64_t key;
    struct id id;
    enum experiment_state state;
    char name[256]; /* a longer one is cut */
};
int query_find(struct query_experiment *found, struct query *query, const char *experiment, struct err *err);

/* {"experiments": [{id, name, state, live, text, metric, goal, created, ended, seconds, limit, n_trials,
 * n_reports, counts, best}]}, the newest first. `live`: a driver runs it now; a state of "running" without is
 * what a killed driver leaves. `counts` has every state; `best` is {trial, value, params} or null. O(all
 * trials). */
int query_experiments(struct query *query, struct query_sink sink, struct err *err);

/* One experiment: {experiment: {id, name, state, live, text, metric, goal, created, ended, file, directory,
 * command_line, git_revision, spec}, driver: {pid, endpoint}, seconds, limit, n_trials, n_reports, counts,
 * best: (a trial as in query_trials), workers: [{id, host, n_trials, n_running}], failures: [{text, count,
 * trial, log}] (the 5 most frequent messages with their newest trial), events: [{time, trial, kind, text}]
 * (the last 20)}. Of an ablation study also {ablation: {repeats, test, confidence, base: {mean, sd, n_values,
 * n_failed, n_stopped}}, components: [{rank, component, kind, name, left_out (or kept), state, mean, sd,
 * change, low, high, importance, interaction, p, p_holm, n_pairs, same, n_values, n_failed, n_stopped}]}, by
 * rank.
 */
int query_show(struct query *query, const char *experiment, struct query_sink sink, struct err *err);

/* {experiment: {id, name, state, live}, trials: [{trial, state, value, params, step, n_reports, budget,
 * attempt, n_lost, created, started, ended, seconds, worker, host, text, log}]}, by number. `step` is the
 * last step at which the objective was reported. Trials of an ablation study have {variant, repeat} too. */
struct query_filter {
    uint32_t states; /* bit 1 << enum trial_state; 0: all */
    int64_t limit;   /* 0: none */
    int64_t offset;  /* trials to leave out at the start; from the end with is_newest_first */
    bool is_newest_first;
};
int query_trials(struct query *query, const char *experiment, const struct query_filter *filter,
                 struct query_sink sink, struct err *err);

/* One trial with its attempts: {experiment, trial: {..., attempts: [{attempt, outcome, started, ended,
 * seconds, worker, host, text, log}]}}. ERR_NOT_FOUND. */
int query_trial(struct query *query, const char *experiment, int64_t trial, struct query_sink sink,
                struct err *err);

/* {experiment, metric, goal, best: (a trial) or null}. */
int query_best(struct query *query, const char *experiment, struct query_sink sink, struct err *err);

/* {experiment, trial, reports: [{attempt, step, metric, value, time}]}, in that order. */
int query_reports(struct query *query, const char *experiment, int64_t trial, struct query_sink sink,
                  struct err *err);

/* The document of QUERY.what on the wire: "experiments", "show", "trials", "best". ERR_INVALID: none of them.
 */
int query_document(struct query *query, const char *what, const char *experiment, struct query_sink sink,
                   struct err *err);

/* Where the output of a trial's last attempt is: *path (the caller frees) on *host (likewise; "": not known).
 * ERR_NOT_FOUND: no such trial, or nothing was kept. */
int query_log(char **path, char **host, struct query *query, const char *experiment, int64_t trial,
              struct err *err);

/* Everything of an experiment. CSV as of RFC 4180, but with "\n" at the end of lines, with a header:
 * one row a trial (trial, state, value, ... as in query_trials, then a column params.NAME for each
 * parameter); or one row a report (trial, attempt, step, metric, value, time). JSON: {experiment: (as in
 * query_show, and `source`), trials: [(as in query_trial; with reports: as in query_reports)], events:
 * [...]}. */
int query_export_csv(struct query *query, const char *experiment, bool with_reports, struct query_sink sink,
                     struct err *err);
int query_export_json(struct query *query, const char *experiment, bool with_reports, struct query_sink sink,
                      struct err *err);

/* Reads the trials of the experiment that `warm_start` names, if it does, into the spec, which then names it
 * no more: of `warm_start.database` (relative to `directory`), else of `database`. Trials that have not ended
 * are left out. ERR_INVALID: its objective is another one, or trials do not fit the space; else as query_open
 * and query_find. */
int query_warm_start(struct spec *spec, const char *database, const char *directory, struct err *err);

/* The report of an ablation study as CSV: one row a component, by rank, with the members of `components` in
 * query_show; what it leaves out is one field, with commas (empty of "all but one"). ERR_INVALID: the
 * experiment is no study. */
int query_export_components(struct query *query, const char *experiment, struct query_sink sink,
                            struct err *err);

/* Removes an experiment and all of its rows, in one transaction. ERR_BUSY while a driver has the database,
 * unless the experiment is completed. The file keeps its size; the space is used again. */
int query_remove(struct query_experiment *removed, const char *path, const char *experiment, struct err *err);

#endif
