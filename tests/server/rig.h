#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/id.h"
#include "core/wire.h"
#include "driver/server.h"

/* A real driver on a thread, with a database in a temporary folder, and raw DEALER sockets that talk to it.
 * Whatever goes wrong fails the test. */

struct rig {
    char folder[64], database[96];
    struct server *server;
    pthread_t thread;
    int result; /* of server_run */
    struct err err;
    void *context;
};

/* Makes the folder. */
void rig_set_up(struct rig *rig);
void rig_tear_down(struct rig *rig);
/* Starts a driver; what *setup (NULL: nothing) leaves out is a free port, the database of the folder and a
 * lease that no test reaches. */
void rig_start(struct rig *rig, const struct server_setup *setup);
/* Stops it and expects that server_run returned `result`. */
void rig_stop(struct rig *rig, int result);

/* A worker or client. */
struct peer {
    void *socket;
    struct id id;
    uint64_t greeting, seq; /* of a worker: last ones used */
    uint64_t request;       /* of a client: last one used */
    struct wire_decoder *decoder;
    struct wire_message got; /* the last message; borrows until the next */
};

void peer_open_worker(struct peer *peer, struct rig *rig, struct id id);
void peer_open_client(struct peer *peer, struct rig *rig);
/* The same, with a driver that is not the rig's. */
void peer_open_worker_at(struct peer *peer, struct rig *rig, struct id id, const char *endpoint);
void peer_open_client_at(struct peer *peer, struct rig *rig, const char *endpoint);
void peer_close(struct peer *peer);

void peer_send(struct peer *peer, const struct wire_message *message);
void peer_send_bytes(struct peer *peer, const void *bytes, size_t size, bool more);
/* The next message, whatever it is: 0 after `timeout_ms` without one. */
int peer_next(struct peer *peer, int timeout_ms);
/* The next message must be of this type. */
void peer_expect(struct peer *peer, enum wire_type type);
/* Skips messages until one of this type. */
void peer_wait(struct peer *peer, enum wire_type type);
/* The driver has nothing more to say to the worker about what it sent so far, but for acknowledgements that
 * wait: asks for an answer by a bad frame, and expects that answer next. */
void peer_expect_silence(struct peer *worker);

/* Workers */
void worker_hello(struct peer *worker, struct id experiment, uint64_t n_held);
/* HELLO and its WELCOME. */
void worker_greet(struct peer *worker, struct id experiment);
/* An assignment, with the EXPERIMENT before it if there is one; what *assign borrows lives until the next
 * message. */
void worker_expect_assign(struct wire_assign *assign, struct peer *worker);
/* The next PROGRESS of an attempt: `n` reports of steps first_step, ... with values step / 100; and its end.
 */
void worker_report(struct peer *worker, const struct wire_assign *assign, int64_t first_step, size_t n);
void worker_end(struct peer *worker, const struct wire_assign *assign, enum outcome outcome, double value);
/* Any PROGRESS of that seq. */
void worker_progress(struct peer *worker, const struct wire_assign *assign, uint64_t seq,
                     enum outcome outcome, double value);
/* Skips messages until everything up to seq is acknowledged. */
void worker_expect_acked(struct peer *worker, uint64_t seq);

/* Clients. Each returns the code of the REPLY, which is in client->got. */
int client_ask_submit(struct peer *client, struct id experiment, const char *spec);
int client_ask_resume(struct peer *client, struct id experiment);
int client_ask_cancel(struct peer *client, struct id experiment);
void client_watch_all(struct peer *client, struct id experiment);
/* Skips messages until a STATUS in this state, which is returned. */
struct wire_status client_wait_state(struct peer *client, uint64_t state);

/* A sweep of `n` trials of one double parameter; further lines (or "") are added to it. Lends until the next
 * call. */
const char *sweep(int n_trials, const char *more);

#endif
