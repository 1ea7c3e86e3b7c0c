#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/local.h"
#include "cli/progress.h"
#include "core/experiment.h"
#include "core/spec.h"
#include "sdk/client.h"

/* Follows an experiment until it is over, drawing its progress. */
struct follow {
    struct client *client;
    struct id experiment;
    const struct spec *spec;
    struct local *local; /* NULL: the driver is somebody else's */
    struct progress *progress;
    int signal_fd;
    const char *resume; /* the command that goes on with it, or NULL */
    /* Out: */
    enum experiment_state state;
    char reason[256]; /* why it ended, "" */
    bool interrupted; /* by a signal */
    bool detached;    /* it goes on without us: a signal, and the driver is somebody else's */
};

/* Returns 0 once it is over, or the signal was dealt with; else why it cannot be followed: the driver or the
 * workers have ended. A first signal stops the experiment if the driver is our own, a second one ends the
 * process at once. */
int follow_run(struct follow *follow, struct err *err);

/* Monotonic time. */
int64_t follow_now_ns(void);

#endif
