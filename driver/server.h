#ifndef DRIVER_SERVER_H
#define DRIVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"

/* The server: a ROUTER socket, the engine, the store and the advisor (the thread that computes suggestions),
 * joined by one event loop that never polls: it sleeps until a frame, a commit, a suggestion or a deadline
 * comes. */

struct server_setup {
    const char *endpoint; /* to bind: tcp://127.0.0.1:5700, tcp://127.0.0.1:* (any free port), ipc:///path */
    const char *database; /* path */
    struct id only;       /* restore and accept this experiment only; none: every one that is RUNNING */
    bool starts_alone;    /* nobody knows this endpoint yet: no worker of an earlier driver will come back */
    bool insecure;        /* allow endpoints beyond loopback and ipc without keys */
    int64_t heartbeat_ms; /* 0: 2000 */
    int64_t lease_ms;     /* 0: 15000 */
};

struct server;

/* Opens the database, binds, restores. ERR_REFUSED for an endpoint beyond loopback without `insecure`;
 * ERR_BUSY for a port or database in use; the texts say what to do. */
int server_create(struct server **server, const struct server_setup *setup, struct err *err);
void server_destroy(struct server *server);
/* The endpoint as bound, with its real port. Lends. */
const char *server_endpoint(const struct server *server);
/* Serves until server_stop. Returns 0, or why it had to end (the store failed, ...). */
int server_run(struct server *server, struct err *err);
/* From another thread: all workers have ended, and what they ran was lost with them, because of `text`
 * (copies). For whoever has started them all. */
void server_workers_ended(struct server *server, const char *text);
/* From another thread or a signal handler: says BYE to the workers, commits, and makes server_run return. */
void server_stop(struct server *server);

#endif
