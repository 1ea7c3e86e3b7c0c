/* Chooses the runner of an attempt. */
#include "worker/run.h"

#include <math.h>

static void end_failed(struct attempt *attempt, const char *text)
{
    attempt_end(attempt, OUTCOME_FAILED, (double)NAN, text);
}

void run_attempt(struct attempt *attempt, const struct worker_setup *setup, struct page *page)
{
    struct err err = {0};
    worker_train_fn *function = NULL;
    if (attempt->failure.size > 0) { /* it could not begin */
        end_failed(attempt, text_get(&attempt->failure));
        return;
    }
    attempt_inherit(attempt);
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
