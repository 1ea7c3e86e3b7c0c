#ifndef WORKER_LINK_H
#define WORKER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "core/err.h"
#include "core/id.h"

/* The worker's connection: a DEALER socket that reconnects by itself, and a monitor that tells when it has.
 * Nothing is queued while there is no connection (the outbox is the queue), so the first frame of a new
 * connection is always the greeting.
 *
 * For one thread at a time; it may move with a lock. */

struct link {
    void *context, *socket, *monitor;
    int fd, monitor_fd; /* to be polled; readable means: look */
    bool is_connected;
    bool is_stirred; /* something was sent since the last look, which may have swallowed the edge of `fd` */
    int64_t last_sent_ns;
};

/* {0} before; link_close in any case. ERR_INVALID for an endpoint that is none. */
int link_open(struct link *link, const char *endpoint, struct id worker, struct err *err);
/* Lets what is on its way go out for at most `linger_ms`. */
void link_close(struct link *link, int linger_ms);

/* Sends a copy of the message (its bytes are shared). False: there is no connection. */
bool link_send(struct link *link, zmq_msg_t *message, int64_t now_ns);
bool link_send_bytes(struct link *link, const void *data, size_t size, int64_t now_ns);
/* Takes the next frame that has come, if there is one; message is initialised. Never blocks. */
bool link_receive(zmq_msg_t *message, struct link *link);
/* Reads the monitor; true if there is a new connection since the last call. */
bool link_is_new(struct link *link);

#endif
