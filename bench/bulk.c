/* Bulk-synchronous search, what prova is measured against: asks for a batch of points, trains them side by
 * side to their end, waits for all of them, tells their values, and goes on with the next batch. No early
 * stopping.
 *
 *   bench_bulk PARAMETERS SEED BATCH TRIALS DIGITS_MLP
 *
 * PARAMETERS is the `parameters:` section of examples/digits/sweep.yaml; DIGITS_MLP the program to run.
 * Prints
 * {"seconds", "best", "epochs"}. Random search with the same seed gives the same trials as the sweep.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "sdk/prova.h"

#define MAX_BATCH 64

static const char *const parameters[] = {"lr",       "hidden",     "layers",       "batch", "solver",
                                         "momentum", "activation", "weight_decay", "epochs"};
#define N_PARAMETERS (sizeof(parameters) / sizeof(*parameters))

struct job {
    int64_t number;
    FILE *output;
    double value; /* last reported */
    long epochs;
};

/* Starts the program with the parameters of a point, as the sweep's command does. */
static void start(struct job *job, prova_search *search, char *program)
{
    char options[N_PARAMETERS][32];
    char values[N_PARAMETERS][64];
    char *argv[2 * N_PARAMETERS + 2] = {program};
    int ends[2];

    for (size_t i = 0; i < N_PARAMETERS; i++) {
        const char *value = prova_search_string(search, job->number, parameters[i]);
        snprintf(options[i], sizeof(options[i]), "--%s", parameters[i]);
        if (strchr(options[i], '_'))
            *strchr(options[i], '_') = '-';
        argv[1 + 2 * i] = options[i];
        snprintf(values[i], sizeof(values[i]), "%s", value ? value : "");
        argv[2 + 2 * i] = values[i];
    }
    if (pipe(ends) != 0)
        bench_fail("no pipe");
    if (fork() == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(program, argv);
        _exit(127);
    }
    close(ends[1]);
    job->output = fdopen(ends[0], "r");
}

static void finish(struct job *job)
{
    char line[256];

    job->value = NAN;
    job->epochs = 0;
    while (fgets(line, sizeof(line), job->output)) {
        const char *at = strstr(line, "val_accuracy=");
        if (at) {
            job->value = strtod(at + strlen("val_accuracy="), NULL);
            job->epochs++;
        }
    }
    fclose(job->output);
}

static void run_batch(struct job *jobs, long n, prova_search *search, char *program)
{
    for (long i = 0; i < n; i++) {
        if (prova_search_ask(search, &jobs[i].number) != 0)
            bench_fail("nothing left to ask for");
        start(&jobs[i], search, program);
    }
    for (long i = 0; i < n; i++)
        finish(&jobs[i]);
    for (long i = 0; i < n; i++) {
        int status;
        if (wait(&status) < 0)
            bench_fail("a child is missing");
        prova_search_tell(search, jobs[i].number, jobs[i].value);
    }
}

int main(int argc, char **argv)
{
    char error[512] = "";
    struct job jobs[MAX_BATCH];
    long batch, n_trials, epochs = 0;
    double best = NAN;
    prova_search *search;
    int64_t begin;

    if (argc != 6)
        bench_fail("usage: bench_bulk PARAMETERS SEED BATCH TRIALS DIGITS_MLP");
    batch = bench_number(argv[3]);
    n_trials = bench_number(argv[4]);
    if (batch > MAX_BATCH)
        bench_fail("a batch is at most %d", MAX_BATCH);
    search = prova_search_new(argv[1], "random", NULL, "maximize", strtoull(argv[2], NULL, 10), error,
                              sizeof(error));
    if (!search)
        bench_fail("%s", error);
    begin = bench_now_ns();
    for (long done = 0; done < n_trials; done += batch) {
        long n = n_trials - done < batch ? n_trials - done : batch;
        run_batch(jobs, n, search, argv[5]);
        for (long i = 0; i < n; i++)
            epochs += jobs[i].epochs;
    }
    prova_search_best(search, &best);
    printf("{\"seconds\": %.3f, \"best\": %.6g, \"epochs\": %ld}\n", 1e-9 * (double)(bench_now_ns() - begin),
           best, epochs);
    prova_search_free(search);
    return 0;
}
