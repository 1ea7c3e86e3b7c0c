#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/command.h"
#include "core/id.h"
#include "core/spec.h"
#include "sdk/client.h"

/* What `prova run`, `prova resume` and `prova submit` share: an experiment is handed to a driver, followed,
 * and its result printed. */
struct launch {
    const struct cli_call *call;
    struct id experiment;
    const struct spec *spec;
    const char *name;
    const char *database; /* of the driver of our own */
    const char *endpoint; /* of somebody else's driver; NULL: start our own with `n_workers` */
    int64_t n_workers;
    bool is_fleet; /* they are to be started by mpirun */
    bool json, quiet;
    bool detaches; /* hand it over and do not wait */
    /* Hands it over: client_submit or client_resume. */
    int (*begin)(struct client *client, const struct launch *launch, struct err *err);
    const void *arg; /* for `begin` */
};

struct sweep;

/* How long a driver may take to answer. One that loads a large experiment to resume it takes a while. */
enum { LAUNCH_TIMEOUT_MS = 60000, LAUNCH_SUBMIT_TIMEOUT_MS = 15000 };

/* Call it while the process has no threads. Returns an enum cli_status. */
int launch_run(const struct launch *launch);
/* The same for a sweep file that was read: fills in the experiment, its spec and name, and submits it. */
int launch_sweep(struct launch *launch, const struct sweep *sweep, const char *file);

#endif
