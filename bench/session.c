/* A real experiment with checks, for the measuring programs. */
#include "bench/session.h"

#include <stdio.h>

#include "bench/measure.h"

#define PROGRESS_MS 5

struct watch {
    long n_trials;
    int64_t all_final_ns; /* 0: not yet */
};

prova_config *session_config(const char *directory, long n_workers, long n_trials)
{
    prova_config *config = prova_config_new("bench");
    char text[600];

    if (!config)
        bench_fail("out of memory");
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    snprintf(text, sizeof(text), "%s/bench.db", directory);
    prova_config_database(config, text);
    snprintf(text, sizeof(text), "%ld", n_trials);
    session_set(config, "limits.trials", text);
    snprintf(text, sizeof(text), "%ld", n_workers);
    session_set(config, "workers", text);
    session_set(config, "seed", "1");
    session_set(config, "search.name", "random"); /* the service is measured, not a search that computes */
    return config;
}

void session_set(prova_config *config, const char *path, const char *value)
{
    if (prova_config_set(config, path, value) != 0)
        bench_fail("%s: %s", path, prova_config_error(config));
}

static long n_final(const prova_result *result)
{
    return (long)(prova_result_count(result, "COMPLETED") + prova_result_count(result, "STOPPED"));
}

static int look(const prova_result *result, void *arg)
{
    struct watch *watch = arg;

    if (!watch->all_final_ns && n_final(result) >= watch->n_trials)
        watch->all_final_ns = bench_now_ns();
    return 0;
}

int64_t session_run(prova_train_fn train, prova_config *config, long n_trials)
{
    struct watch watch = {.n_trials = n_trials};
    prova_result *result;

    prova_config_progress(config, look, &watch, PROGRESS_MS);
    result = prova_lagom(train, NULL, config);
    prova_config_free(config);
    if (!result || prova_result_code(result) != 0)
        bench_fail("the experiment failed: %s", result ? prova_result_error(result) : "out of memory");
    if (n_final(result) != n_trials || prova_result_count(result, "FAILED") != 0)
        bench_fail("%ld of %ld trials are final, %ld have failed", n_final(result), n_trials,
                   (long)prova_result_count(result, "FAILED"));
    prova_result_free(result);
    return watch.all_final_ns ? watch.all_final_ns : bench_now_ns();
}
