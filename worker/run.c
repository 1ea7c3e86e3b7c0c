/* Chooses the runner of an attempt. */
#include "worker/run.h"

#include <math.h>

#include "worker/runtime.h"

static void end_failed(struct attempt *attempt, const char *text)
{
    attempt_end(attempt, OUTCOME_FAILED, (double)NAN, text);
}

static void run_by_kind(struct attempt *attempt, const struct worker_setup *setup, struct page *page)
{
    struct err err = {0};
    worker_train_fn *function = NULL;
    switch (attempt->experiment->spec->train.kind) {
    case TRAIN_COMMAND:
        run_command(attempt, page);
        return;
    case TRAIN_LIBRARY:
        if (run_find_function(&function, attempt->experiment, &err))
            end_failed(attempt, err.text);
        else
            run_function(attempt, function, NULL);
        return;
    case TRAIN_NONE:
    case TRAIN_FUNCTION:
        if (setup->train)
            run_function(attempt, setup->train, setup->arg);
        else
            end_failed(attempt,
                       "its training function is part of a program, and this worker is not that program");
        return;
    }
}

void run_attempt(struct attempt *attempt, const struct worker_setup *setup, struct page *page)
{
    struct err err = {0};
    const struct runtime_type *runtime =
        attempt->trial.gang ? runtime_find(attempt->experiment->spec->gang.runtime) : NULL;
    bool enters = runtime && runtime->enter;
    if (attempt->failure.size > 0) { /* it could not begin */
        end_failed(attempt, text_get(&attempt->failure));
        return;
    }
    attempt_inherit(attempt); /* in a gang each by itself: none begins before the copy is there */
    if (enters && runtime->enter(&attempt->trial, &err)) {
        end_failed(attempt, err.text);
    } else {
        run_by_kind(attempt, setup, page);
        if (enters) /* the attempt has ended, and is not to be looked at any more */
            runtime->leave();
    }
}
