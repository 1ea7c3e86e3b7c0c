#ifndef WORKER_CONVERSATION_H
#define WORKER_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/wire.h"
#include "worker/attempt.h"
#include "worker/experiment.h"
#include "worker/link.h"
#include "worker/outbox.h"
#include "worker/page.h"

/* What a worker says to its driver and does at its word (core/PROTOCOL.md). No threads and no waiting here:
 * the session calls it, with the time, whenever something may have happened. For one thread at a time. */

struct conversation_setup {
    const char *endpoint;
    struct id worker;
    struct id experiment; /* serves only this one; none: all */
    unsigned slot;
    int64_t wait_ns; /* gives up after so long without a driver and without work; 0: never */
    int output_fd;   /* what the process writes to its stdout and stderr; not blocking */
    int stderr_fd;   /* where output goes that belongs to no trial */
};

struct conversation {
    struct conversation_setup setup;
    struct page *page;
    struct attempt *attempt;
    struct link link;
    struct outbox outbox;
    struct wire_decoder *decoder;
    struct wire_buffer buffer;
    struct report *reports; /* [RING_CAPACITY] */
    struct wire_str *names; /* [METRIC_NAMES_MAX] of one message */
    uint32_t *numbers;      /* [METRIC_NAMES_MAX] of a metric in the message that `stamps` names */
    uint64_t *stamps;
    struct experiment **experiments;
    size_t n_experiments, capacity_experiments;

    bool is_busy;      /* an attempt was assigned and its end is not yet taken */
    bool is_assigned;  /* ... and nobody has begun to run it */
    bool is_gathering; /* ... and its gang has not begun; it is not assigned then */
    int64_t joined_ns; /* when it said that it was ready, last */
    bool is_announced; /* ... and the driver has heard of it */
    bool is_forsaken;  /* ... and the driver was told its end, though its function runs on */
    int64_t kill_ns;   /* when a function that was asked to end counts as deaf; INT64_MAX: never */
    bool is_leaving;
    bool is_done;    /* the experiment that it serves is over */
    struct err over; /* code not 0: why this conversation has no future */

    bool is_welcomed, was_welcomed;
    bool owes_heartbeat; /* a stale attempt does not run here: the driver wants to hear it */
    uint64_t greeting;
    int64_t greeted_ns;
    int64_t heartbeat_ns;
    int64_t alone_ns; /* since when there is no driver; meaningless while welcomed */
    bool has_warned;
    int64_t pace_ns; /* no reports are sent before */
};

/* Borrows page and attempt. conversation_close in any case. */
int conversation_open(struct conversation *conversation, const struct conversation_setup *setup,
                      struct page *page, struct attempt *attempt, struct err *err);
void conversation_close(struct conversation *conversation, int linger_ms);

/* Tells the driver that the attempt on the page was lost: what a slot's new process begins with. */
int conversation_confess(struct conversation *conversation, struct err *err);

/* Handles the frames that have come, at most 1000 of them, and none while an assignment waits to be begun.
 * True if there were any. */
bool conversation_read(struct conversation *conversation, int64_t now_ns);
/* Sends what the attempt has reported, and its end. */
void conversation_write(struct conversation *conversation, int64_t now_ns);
/* Does what is due; returns when to call it again at the latest. */
int64_t conversation_tick(struct conversation *conversation, int64_t now_ns);
/* The socket's monitor may have something to say. */
void conversation_look(struct conversation *conversation, int64_t now_ns);
/* Moves output of the process to the log of its trial. */
void conversation_drain_output(struct conversation *conversation);
/* The worker was told to go: the attempt under way is asked to end. Once. */
void conversation_leave(struct conversation *conversation, int64_t now_ns);
void conversation_send_leave(struct conversation *conversation, int64_t now_ns);
/* Nothing waits for an acknowledgement. */
bool conversation_is_settled(const struct conversation *conversation);

#endif
