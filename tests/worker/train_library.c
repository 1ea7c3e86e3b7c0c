/* A training function in a library of its own, as `train: {library, function}` finds it. */
#include <unistd.h>

#include "worker/handle.h"

#define VISIBLE __attribute__((visibility("default")))

VISIBLE int count_calls(struct prova_trial *trial, void *arg);
VISIBLE int count_calls(struct prova_trial *trial, void *arg)
{
    static int n_calls;
    trial->ops->finish(trial, ++n_calls + (arg ? 100 : 0));
    return 0;
}

VISIBLE int sleep_on(struct prova_trial *trial, void *arg);
VISIBLE int sleep_on(struct prova_trial *trial, void *arg)
{
    (void)arg;
    trial->ops->report(trial, 0, NULL, 1);
    while (pause()) /* a signal ends it, not the waiting */
        ;
    return 0;
}
