/* Names of the states of an experiment. */
#include "core/experiment.h"

const char *experiment_state_name(enum experiment_state state)
{
    switch (state) {
    case EXPERIMENT_RUNNING:
        return "running";
    case EXPERIMENT_INTERRUPTED:
        return "interrupted";
    case EXPERIMENT_COMPLETED:
        return "completed";
    case EXPERIMENT_FAILED:
        return "failed";
    }
    return "?";
}
