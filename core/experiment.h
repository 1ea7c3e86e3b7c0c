#ifndef CORE_EXPERIMENT_H
#define CORE_EXPERIMENT_H

/* How an experiment stands. Stored and sent (STATUS.state), so that driver and clients agree. */
enum experiment_state {
    EXPERIMENT_RUNNING = 1,
    EXPERIMENT_INTERRUPTED = 2, /* stopped by the user; can be resumed */
    EXPERIMENT_COMPLETED = 3,
    EXPERIMENT_FAILED = 4 /* could not produce a result; `text` says why; can be resumed */
};

/* "running" ...; "?" for a number that is none. Lends. */
const char *experiment_state_name(enum experiment_state state);

#endif
