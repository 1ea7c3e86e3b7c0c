/* Runs C functions. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/run.h"

static int open_library(struct experiment *experiment, struct err *err)
{
    const struct train *train = &experiment->spec->train;
    struct text path = {0};
    if (train->library[0] != '/' && train->directory)
        text_printf(&path, "%s/%s", train->directory, train->library);
    else if (train->library[0] != '/')
        text_printf(&path, "./%s", train->library); /* not searched for in the system's directories */
    else
        text_append(&path, train->library);
    int code = path.failed ? err_set(err, path.failed, "%s", err_string(path.failed)) : ERR_OK;
    if (!code && !(experiment->library = dlopen(text_get(&path), RTLD_NOW | RTLD_LOCAL)))
        code = err_set(err, ERR_NOT_FOUND, "cannot load the library of the training function: %s", dlerror());
    text_fini(&path);
    return code;
}

int run_find_function(worker_train_fn **function, struct experiment *experiment, struct err *err)
{
    const struct train *train = &experiment->spec->train;
    if (!experiment->function) {
        int code = experiment->library ? ERR_OK : open_library(experiment, err);
        if (code)
            return code;
        /* POSIX promises that a function's address survives as void *; ISO C has no cast for it. */
        *(void **)&experiment->function = dlsym(experiment->library, train->function);
        if (!experiment->function)
            return err_set(err, ERR_NOT_FOUND,
                           "the library %s has no function '%s' that can be seen from outside",
                           train->library, train->function);
    }
    *function = experiment->function;
    return ERR_OK;
}

static void end_completed(struct attempt *attempt, bool has_returned, double returned)
{
    struct text text = {0};
    const char *name = attempt->experiment->spec->metric.name;
    bool speaks = attempt_speaks(attempt);
    if (speaks && has_returned && !isfinite(returned))
        text_printf(&text, "the training function returned %s as the value of '%s'",
                    isnan(returned) ? "nan" : "an infinity", name);
    else if (speaks && !has_returned && !atomic_load(&attempt->n_objective))
        text_printf(&text,
                    "the training function ended without a value of '%s': it should report one, or return "
                    "prova_finish(trial, value)",
                    name);
    if (text.size > 0)
        attempt_end(attempt, OUTCOME_FAILED, (double)NAN, text_get(&text));
    else
        attempt_end(attempt, OUTCOME_COMPLETED, speaks && has_returned ? returned : (double)NAN, NULL);
    text_fini(&text);
}

void run_function(struct attempt *attempt, worker_train_fn *train, void *arg)
{
    pid_t self = getpid();
    int status = train(&attempt->trial, arg);
    if (getpid() != self) /* the function has forked, and this is the child: the trial is its parent's */
        _exit(EXIT_FAILURE);
    (void)fflush(stdout); /* so that its output is in its own log; what cannot be written is lost anyway */
    (void)pthread_mutex_lock(&attempt->lock);
    bool has_failed = attempt->failure.size > 0, has_returned = attempt->has_returned;
    double returned = has_returned ? attempt->returned : (double)NAN;
    (void)pthread_mutex_unlock(&attempt->lock);
    bool was_told = atomic_load(&attempt->told) != ATTEMPT_GOES_ON;
    if (was_told && !has_failed) {
        attempt_end_stopped(attempt, returned);
    } else if (has_failed) {
        attempt_end(attempt, OUTCOME_FAILED, (double)NAN, text_get(&attempt->failure));
    } else if (status) {
        char text[64];
        (void)snprintf(text, sizeof text, "the training function returned %d", status);
        attempt_end(attempt, OUTCOME_FAILED, (double)NAN, text);
    } else {
        end_completed(attempt, has_returned, returned);
    }
}
