/* How long it takes from a report that warrants it until the function sees that it should stop.
 *
 *   bench_stop_latency DIR TRIALS
 *
 * Prints {"median_us", "p99_us"}. The rule is a threshold that no trial reaches, looked at in
 * the fourth report: every trial reports at an easy pace, and after that one looks at its stop flag until it
 * is set.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/session.h"

#define PATIENCE_NS 2000000000
#define LOOK_NS     20000 /* between two looks: a spinning worker would take a core from the driver */

struct shared {
    atomic_long n;
    double latencies_us[];
};

static struct shared *shared;

static int train(prova_trial *trial, void *arg)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    const struct timespec look = {.tv_nsec = LOOK_NS};
    int64_t begin, now;
    (void)arg;

    for (int64_t step = 0; step < 3; step++) {
        prova_report(trial, step, 0.5);
        nanosleep(&pause, NULL);
    }
    begin = now = bench_now_ns();
    prova_report(trial, 3, 0.5);
    while (!prova_stopped(trial) && now - begin < PATIENCE_NS) {
        nanosleep(&look, NULL);
        now = bench_now_ns();
    }
    if (!prova_stopped(trial))
        return prova_fail(trial, "was not stopped");
    shared->latencies_us[atomic_fetch_add(&shared->n, 1)] = 1e-3 * (double)(now - begin);
    return prova_finish(trial, 0.5);
}

int main(int argc, char **argv)
{
    prova_config *config;
    long n_trials;
    size_t n;

    if (argc != 3)
        bench_fail("usage: bench_stop_latency DIR TRIALS");
    n_trials = bench_number(argv[2]);
    shared = bench_shared(sizeof(*shared) + 2 * (size_t)n_trials * sizeof(double));
    config = session_config(argv[1], 1, n_trials);
    session_set(config, "stopping", "{name: threshold, value: 0.1, step: 3}");
    session_run(train, config, n_trials);
    n = (size_t)shared->n;
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", bench_quantile(shared->latencies_us, n, 0.5),
           bench_quantile(shared->latencies_us, n, 0.99));
    return 0;
}
