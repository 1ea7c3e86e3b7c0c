/* What a trial costs: an experiment whose function reports once and returns.
 *
 *   bench_noop DIR N TRIALS
 *
 * Prints {"trials_per_s", "cpu_us_per_trial"}. The rate is that after start-up (the first twentieth of the
 * trials) until the caller is told that all are final and committed. CPU is that of all processes from before
 * the experiment until after it, start-up included.
 *
 * With a fourth argument FROM, two samples of what a trial costs at different sizes of the experiment:
 *
 *   bench_noop DIR N TRIALS FROM
 *
 * prints {"cpu_us_early", "cpu_us_late", "bytes_per_trial"}: CPU of all processes for each trial around
 * number FROM and around number TRIALS - FROM (FROM trials in each window), and what the driver's memory has
 * grown by between.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/session.h"

#define STARTUP_FRACTION 20

struct sample {
    long trial;
    double cpu_s, memory;
};

struct shared {
    atomic_long n_entered;
    long startup;
    _Atomic int64_t started_ns; /* when `startup` trials had been entered */
    struct sample samples[4];
};

static struct shared *shared;

static int train(prova_trial *trial, void *arg)
{
    double x = prova_double(trial, "x");
    (void)arg;

    if (atomic_fetch_add(&shared->n_entered, 1) == shared->startup)
        atomic_store(&shared->started_ns, bench_now_ns());
    prova_report(trial, 0, x);
    return prova_finish(trial, x);
}

/* Watches from a process of its own, so that the one that calls prova_lagom stays free of threads. */
static void sample(pid_t top)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 4; i++) {
        struct sample *now = &shared->samples[i];
        while (atomic_load(&shared->n_entered) < now->trial)
            nanosleep(&pause, NULL);
        now->cpu_s = bench_tree_cpu_s(top);
        now->trial = atomic_load(&shared->n_entered);
        now->memory = bench_process_memory(bench_find_process(top, "driver"));
    }
    _exit(0);
}

static void measure_rate(const char *directory, long n_workers, long n_trials)
{
    double cpu = bench_cpu_s();
    int64_t end;

    shared->startup = n_trials / STARTUP_FRACTION;
    end = session_run(train, session_config(directory, n_workers, n_trials), n_trials);
    cpu = bench_cpu_s() - cpu;
    printf("{\"trials_per_s\": %.1f, \"cpu_us_per_trial\": %.3f}\n",
           1e9 * (double)(n_trials - shared->startup) / (double)(end - shared->started_ns),
           1e6 * cpu / (double)n_trials);
}

static double cost_us(const struct sample *from, const struct sample *to)
{
    return 1e6 * (to->cpu_s - from->cpu_s) / (double)(to->trial - from->trial);
}

static void measure_growth(const char *directory, long n_workers, long n_trials, long from)
{
    struct sample *at = shared->samples;
    pid_t watcher;

    at[0].trial = from - from / 2;
    at[1].trial = from + from / 2;
    at[2].trial = n_trials - from - from / 2;
    at[3].trial = n_trials - from + from / 2;
    watcher = fork();
    if (watcher == 0)
        sample(getppid());
    session_run(train, session_config(directory, n_workers, n_trials), n_trials);
    waitpid(watcher, NULL, 0);
    printf("{\"cpu_us_early\": %.3f, \"cpu_us_late\": %.3f, \"bytes_per_trial\": %.1f}\n",
           cost_us(&at[0], &at[1]), cost_us(&at[2], &at[3]),
           (at[3].memory - at[1].memory) / (double)(at[3].trial - at[1].trial));
}

int main(int argc, char **argv)
{
    if (argc < 4)
        bench_fail("usage: bench_noop DIR N TRIALS [FROM]");
    shared = bench_shared(sizeof(*shared));
    if (argc > 4)
        measure_growth(argv[1], bench_number(argv[2]), bench_number(argv[3]), bench_number(argv[4]));
    else
        measure_rate(argv[1], bench_number(argv[2]), bench_number(argv[3]));
    return 0;
}
