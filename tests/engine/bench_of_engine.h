#ifndef TESTS_ENGINE_BENCH_OF_ENGINE_H
#define TESTS_ENGINE_BENCH_OF_ENGINE_H

#include "driver/engine.h"

/* A workbench for the engine: literal events in, the commands of the last event out, and a search that
 * answers at once. Time stands still unless a test moves it. */

#define SECOND INT64_C(1000000000)

struct bench {
    struct engine *engine;
    int64_t now_ns;
    struct spec *spec; /* of the first experiment, for building points */
    struct command commands[4096];
    size_t n_commands;
    uint64_t n_answered;      /* suggestions so far */
    uint64_t exhausted_after; /* 0: never */
};

void bench_open(struct bench *bench);
void bench_close(struct bench *bench);
struct id bench_experiment(int number);
struct id bench_worker(int number);
/* Starts experiment `number` from a sweep file's text. */
void bench_submit(struct bench *bench, int number, const char *sweep);
void bench_hello(struct bench *bench, int worker, uint64_t greeting, uint64_t n_held);
void bench_hello_for(struct bench *bench, int worker, uint64_t greeting, int experiment);
void bench_hold(struct bench *bench, int worker, uint64_t greeting, uint64_t trial, uint64_t attempt);
/* A PROGRESS with at most one report of the objective (step < 0: none). */
void bench_progress(struct bench *bench, int worker, uint64_t seq, uint64_t trial, uint64_t attempt,
                    int64_t step, double reported, enum outcome outcome, double value);
void bench_message(struct bench *bench, int worker, const struct wire_message *message);
void bench_time(struct bench *bench, int64_t after_ns);
void bench_workers_ended(struct bench *bench, const char *text);
void bench_cancel(struct bench *bench, int experiment);
void bench_resume(struct bench *bench, int experiment);
/* The last command of that message type to that worker in the last event; NULL: none. */
const struct wire_message *bench_sent(const struct bench *bench, int worker, enum wire_type type);
const struct command *bench_command(const struct bench *bench, enum command_kind kind);
/* Kind of the k-th event that the last call kept; "": there are not so many. */
const char *bench_event(const struct bench *bench, size_t k);
struct wire_status bench_status(const struct bench *bench, int experiment);
/* The trial that the worker was last assigned in the last event; 0: none. */
uint64_t bench_assigned(const struct bench *bench, int worker);
enum trial_state bench_state(const struct bench *bench, uint64_t trial);

#endif
