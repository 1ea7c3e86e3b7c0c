/* What an ablation study costs beside a search: as many trials of a function that reports once and returns.
 *
 *   bench_study DIR N COMPONENTS REPEATS ablation|random
 *
 * Prints {"trials_per_s", "cpu_us_per_trial"}, measured as in noop.c: the rate from the first twentieth of
 * the trials until the caller is told that all are final and committed, the CPU with start-up. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/session.h"

#define STARTUP_FRACTION 20

struct shared {
    atomic_long n_entered;
    long startup;
    _Atomic int64_t started_ns; /* when `startup` trials had been entered */
};

static struct shared *shared;

static int train(prova_trial *trial, void *arg)
{
    double x = prova_double(trial, "x");
    (void)arg;

    if (atomic_fetch_add(&shared->n_entered, 1) == shared->startup)
        atomic_store(&shared->started_ns, bench_now_ns());
    prova_report(trial, 0, x);
    return prova_finish(trial, x + prova_ablated(trial, "feature", "f0"));
}

static void set_study(prova_config *config, long n_components, const char *repeats)
{
    char features[16384];
    size_t size = 0;

    features[size++] = '[';
    for (long i = 0; i < n_components && size < sizeof(features) - 32; i++)
        size += (size_t)snprintf(features + size, sizeof(features) - size, "%sf%ld", i ? ", " : "", i);
    snprintf(features + size, sizeof(features) - size, "]");
    session_set(config, "ablation.features", features);
    session_set(config, "ablation.repeats", repeats);
    session_set(config, "context", "ablation");
}

int main(int argc, char **argv)
{
    prova_config *config;
    long n_components, n_trials;
    double cpu = bench_cpu_s();
    int64_t end;

    if (argc != 6)
        bench_fail("usage: bench_study DIR N COMPONENTS REPEATS ablation|random");
    n_components = bench_number(argv[3]);
    n_trials = (n_components + 1) * bench_number(argv[4]);
    shared = bench_shared(sizeof(*shared));
    shared->startup = n_trials / STARTUP_FRACTION;
    config = session_config(argv[1], bench_number(argv[2]), n_trials);
    if (strcmp(argv[5], "ablation") == 0)
        set_study(config, n_components, argv[4]);
    end = session_run(train, config, n_trials);
    cpu = bench_cpu_s() - cpu;
    printf("{\"trials_per_s\": %.1f, \"cpu_us_per_trial\": %.3f}\n",
           1e9 * (double)(n_trials - shared->startup) / (double)(end - shared->started_ns),
           1e6 * cpu / (double)n_trials);
    return 0;
}
