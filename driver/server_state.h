#ifndef DRIVER_SERVER_STATE_H
#define DRIVER_SERVER_STATE_H

/* The server's own structure and what its two modules call of each other. Nobody else includes this.
 *
 *   server.c    the loop: frames, commits, suggestions and deadlines in, the engine's commands out
 *   requests.c  what clients ask for
 */

#include <zmq.h>

#include "driver/advisor.h"
#include "driver/clerk.h"
#include "driver/endpoint.h"
#include "driver/engine.h"
#include "driver/outbox.h"
#include "driver/server.h"
#include "driver/store.h"
#include "driver/watch.h"

struct server {
    struct id driver; /* this run of it */
    struct id only;
    char endpoint[ENDPOINT_SIZE];
    void *context, *router;
    int router_fd;
    uint64_t n_sent_when_empty;   /* messages sent when the router had no frame left */
    zmq_msg_t route_frame, frame; /* of the message that is being read */
    struct route route;           /* who sent it */
    struct wire_decoder *decoder;
    struct engine *engine;
    struct store *store;
    struct advisor *advisor;
    struct clerk *clerk;
    struct outbox *outbox;
    struct watches *watches;
    int wake_fd; /* written when one of the next two has changed */
    _Atomic bool is_stopped;
    _Atomic(char *) ended; /* why all workers have ended; NULL: they have not. Whoever takes it frees it */
    int64_t now_ns;        /* of this round of the loop */
    int64_t last_sequence; /* of the last record handed to the store */
    int64_t flush_ns;      /* when the store is to commit it; INT64_MAX: it was told to */
    int failed;            /* 0, or why the loop must end; an allocation, mostly */
};

/* server.c */
/* Executes the engine's commands. Called after every event. */
void server_settle(struct server *server);
/* Takes an experiment of the database into the engine. ERR_NOT_FOUND: there is none that this driver may
 * have. */
int server_load(struct server *server, struct id experiment, struct err *err);

/* requests.c */
void request_message(struct server *server, const struct wire_message *message);
/* Answers the sender of the message that is being read, at once. */
void request_refuse(struct server *server, uint64_t request, const struct err *err);
/* Sends the documents that are ready. */
void request_documents(struct server *server);

#endif
