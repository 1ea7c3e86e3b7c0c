/* How long the start of a gang takes: from the moment when the last of its workers has nothing to do until
 * all ranks are inside the function.
 *
 *   bench_gang DIR W TRIALS      trials of 10 ms on all of W local workers, runtime env
 *
 * Prints {"median_us", "p99_us"}. All ranks of a trial end together, so the workers are idle from the last
 * return on; what each of them has to say of its end is in the time that is measured. The trials sleep rather
 * than compute, so that what is measured is prova and not the scheduler of a machine with fewer cores than
 * workers. The first starts, where processes and programs are cold, are left out.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/session.h"

#define TRIAL_NS 10000000
#define N_FIRST  10

struct visit {                           /* of one trial, by all of its ranks */
    _Atomic int64_t entered_ns, left_ns; /* the last of them */
    atomic_long n_entered;
};

static struct visit *visits; /* [trials + 1], by trial number */
static long world;

static void raise_to(_Atomic int64_t *place, int64_t value)
{
    int64_t before = atomic_load(place);
    while (before < value && !atomic_compare_exchange_weak(place, &before, value))
        ;
}

static int train(prova_trial *trial, void *arg)
{
    const struct timespec nap = {.tv_nsec = TRIAL_NS / 100};
    struct visit *visit = &visits[prova_trial_number(trial)];
    (void)arg;

    raise_to(&visit->entered_ns, bench_now_ns());
    atomic_fetch_add(&visit->n_entered, 1);
    while (atomic_load(&visit->n_entered) < world) /* a barrier that needs no MPI */
        nanosleep(&nap, NULL);
    int64_t end_ns = atomic_load(&visit->entered_ns) + TRIAL_NS;
    while (bench_now_ns() < end_ns)
        nanosleep(&nap, NULL);
    prova_report(trial, 0, prova_double(trial, "x"));
    int code = prova_finish(trial, prova_double(trial, "x"));
    raise_to(&visit->left_ns, bench_now_ns());
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_fail("usage: bench_gang DIR W TRIALS");
    world = bench_number(argv[2]);
    long n_trials = bench_number(argv[3]);
    size_t n = 0;
    visits = bench_shared((size_t)(n_trials + 1) * sizeof *visits);
    double *starts_us = bench_shared((size_t)n_trials * sizeof *starts_us);
    prova_config *config = session_config(argv[1], world, n_trials);
    session_set(config, "workers_per_trial", argv[2]);
    session_run(train, config, n_trials);
    for (long i = N_FIRST + 1; i <= n_trials; i++)
        starts_us[n++] = 1e-3 * (double)(visits[i].entered_ns - visits[i - 1].left_ns);
    printf("{\"median_us\": %.1f, \"p99_us\": %.1f}\n", bench_quantile(starts_us, n, 0.5),
           bench_quantile(starts_us, n, 0.99));
    return 0;
}
