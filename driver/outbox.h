#ifndef DRIVER_OUTBOX_H
#define DRIVER_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "core/wire.h"
#include "driver/route.h"

/* What leaves the driver: messages that go at once, messages that wait until what they speak of is on disk,
 * and acknowledgements, which are merged and ride on assignments where they can.
 *
 * An acknowledgement is cumulative, so only the latest of a worker counts. Once it is on disk it is held for
 * OUTBOX_ACK_DELAY_NS in the hope of an ASSIGN that carries it: a worker that runs short trials gets one
 * every time, and at 20,000 trials a second no ACK has a frame of its own. It is not held when the worker is
 * told that its experiment is over (DONE): then it waits for nothing else before it leaves.
 *
 * Nothing here fails but for memory; that is kept in outbox_failed. Borrows all that it is given. */

#define OUTBOX_ACK_DELAY_NS (20 * INT64_C(1000000))

struct outbox;

/* `router` is a ROUTER socket with ROUTER_MANDATORY, which outlives it. NULL: out of memory. */
struct outbox *outbox_create(void *router);
void outbox_destroy(struct outbox *outbox);

void outbox_send(struct outbox *outbox, const struct route *route, const struct wire_message *message);
/* Once everything up to record number `sequence` is on disk; numbers must not fall from call to call. */
void outbox_park(struct outbox *outbox, const struct route *route, const struct wire_message *message,
                 int64_t sequence);

/* A worker's greeting begins a new conversation: what was parked for it in an earlier one is dropped, for an
 * old acknowledgement would be taken for one of new messages with the same numbers. A late double does
 * nothing. */
void outbox_greet(struct outbox *outbox, struct id worker, uint64_t greeting);
/* The worker is gone: drops what is parked for it. */
void outbox_forget(struct outbox *outbox, struct id worker);
/* To a worker, now. An ASSIGN is sent with the latest acknowledgement. */
void outbox_send_worker(struct outbox *outbox, struct id worker, const struct wire_message *message);
/* To a worker, after the commit of `sequence`. */
void outbox_park_worker(struct outbox *outbox, struct id worker, const struct wire_message *message,
                        int64_t sequence, int64_t now_ns);
/* To every worker that has greeted, now. */
void outbox_send_workers(struct outbox *outbox, const struct wire_message *message);

/* Everything up to `sequence` is on disk: sends what waited for it. */
void outbox_committed(struct outbox *outbox, int64_t sequence, int64_t now_ns);
/* Does anything but acknowledgements wait for a commit? */
bool outbox_is_waited_for(const struct outbox *outbox);
/* When outbox_time wants to be called; INT64_MAX: never. */
int64_t outbox_deadline(const struct outbox *outbox);
/* Sends the acknowledgements that were held long enough; INT64_MAX: all. */
void outbox_time(struct outbox *outbox, int64_t now_ns);

/* Takes a peer that could not be reached off the list of them; false: there is none. */
bool outbox_next_unreachable(struct route *route, struct outbox *outbox);
uint64_t outbox_n_sent(const struct outbox *outbox); /* messages, or tries */
int outbox_failed(const struct outbox *outbox);      /* 0 or ERR_NOMEM */

#endif
