#ifndef TESTS_STORE_SAMPLE_H
#define TESTS_STORE_SAMPLE_H

#include <sqlite3.h>

#include "driver/store.h"

/* A folder of its own for a test, and records of an experiment with every kind of parameter. */

struct sample {
    char folder[64];
    char path[96]; /* of a database in it, not made yet */
    struct spec *spec;
    char *spec_json;
};

void sample_set_up(struct sample *sample);
void sample_tear_down(struct sample *sample);

/* Points of the space: x (double, log), n (int), batch (discrete), solver (categorical), momentum (double,
 * only with solver sgd), flag (bool), seed (constant). */
enum { N_PARAMS = 7 };
extern const double sample_sgd[N_PARAMS], sample_adam[N_PARAMS];

struct id sample_id(int number);
struct record sample_experiment(const struct sample *sample, int64_t key, const char *name);
struct record sample_trial(int64_t key, uint64_t number, enum trial_state state, const double *point);
struct record sample_attempt(int64_t key, uint64_t trial, uint64_t attempt, enum outcome outcome);
/* Of one value of the objective; the report is lent. */
struct record sample_report(int64_t key, uint64_t trial, uint64_t attempt, struct report *report);
struct record sample_event(int64_t key, uint64_t trial, int64_t time_ms, const char *text);

/* Opens the sample's store, or appends, or waits until all is on disk; fails the test otherwise. */
struct store *sample_open(const struct sample *sample);
int64_t sample_append(struct store *store, struct record record);
void sample_sync(struct store *store);
void sample_close(struct store *store);

/* The first column of the first row that a connection of its own reads; -1: none. */
int64_t sample_number(const struct sample *sample, const char *sql);
/* The same as text, which lives until the next call; "(none)". */
const char *sample_text(const struct sample *sample, const char *sql);
void sample_run(const char *path, const char *sql);

#endif
