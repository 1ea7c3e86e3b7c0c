/* How long a worker idles between two trials: from the moment when the function has handed over its result
 * until it is entered again in the same process.
 *
 *   bench_gap DIR N TRIALS      trials of 10 ms
 *
 * Prints {"median_us", "p99_us"}. The trials sleep rather than compute, so that what is measured is prova and
 * not the scheduler of a machine with fewer cores than workers. The first gaps of each process are left out.
 * Every trial reports once.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/session.h"

#define TRIAL_NS 10000000
#define N_FIRST  3

struct shared {
    atomic_long n_gaps;
    double gaps_us[];
};

static struct shared *shared;
static int64_t left_ns; /* when this process last handed over a result */
static int n_runs;

static int train(prova_trial *trial, void *arg)
{
    const struct timespec work = {.tv_nsec = TRIAL_NS};
    int64_t entered_ns = bench_now_ns();
    int code;
    (void)arg;

    if (n_runs++ >= N_FIRST)
        shared->gaps_us[atomic_fetch_add(&shared->n_gaps, 1)] = 1e-3 * (double)(entered_ns - left_ns);
    nanosleep(&work, NULL);
    prova_report(trial, 0, prova_double(trial, "x"));
    code = prova_finish(trial, prova_double(trial, "x"));
    left_ns = bench_now_ns();
    return code;
}

int main(int argc, char **argv)
{
    long n_workers, n_trials;
    size_t n;

    if (argc != 4)
        bench_fail("usage: bench_gap DIR N TRIALS");
    n_workers = bench_number(argv[2]);
    n_trials = bench_number(argv[3]);
    /* A trial that runs twice adds a gap; none can add more than that. */
    shared = bench_shared(sizeof(*shared) + 2 * (size_t)n_trials * sizeof(double));
    session_run(train, session_config(argv[1], n_workers, n_trials), n_trials);
    n = (size_t)shared->n_gaps;
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", bench_quantile(shared->gaps_us, n, 0.5),
           bench_quantile(shared->gaps_us, n, 0.99));
    return 0;
}
