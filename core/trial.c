/* Names of states, outcomes and reasons, and the table of steps, all from core/trial.def. */
#include "core/trial.h"

#include <strings.h>

#include "core/err.h"

struct state_row {
    const char *name;
    bool final;
};

static const struct state_row states[TRIAL_N_STATES] = {
#define STATE(name, number, final, meaning) [number] = {#name, final},
#include "core/trial.def"
#undef STATE
};

static const bool steps[TRIAL_N_STATES][TRIAL_N_STATES] = {
#define STEP(from, to, why) [TRIAL_##from][TRIAL_##to] = true,
#include "core/trial.def"
#undef STEP
};

static bool is_state(enum trial_state state)
{
    return (unsigned)state < TRIAL_N_STATES;
}

const char *trial_state_name(enum trial_state state)
{
    return is_state(state) ? states[state].name : "?";
}

const char *outcome_name(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_NONE:
        return "none";
    case OUTCOME_COMPLETED:
        return "completed";
    case OUTCOME_STOPPED:
        return "stopped";
    case OUTCOME_FAILED:
        return "failed";
    case OUTCOME_LOST:
        return "lost";
    }
    return "?";
}

const char *stop_reason_name(enum stop_reason reason)
{
    switch (reason) {
    case STOP_EARLY:
        return "early";
    case STOP_LIMIT:
        return "limit";
    case STOP_CANCELLED:
        return "cancelled";
    case STOP_STALE:
        return "stale";
    case STOP_ENDED:
        return "ended";
    }
    return "?";
}

int trial_state_parse(enum trial_state *state, const char *name)
{
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        if (strcasecmp(states[i].name, name) == 0) {
            *state = (enum trial_state)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

bool trial_state_is_final(enum trial_state state)
{
    return is_state(state) && states[state].final;
}

bool report_step_is_valid(int64_t step)
{
    return step >= 0 && step <= REPORT_MAX_STEP;
}

bool trial_may_step(enum trial_state from, enum trial_state to)
{
    return is_state(from) && is_state(to) && steps[from][to];
}
