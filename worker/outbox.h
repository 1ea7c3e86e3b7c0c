#ifndef WORKER_OUTBOX_H
#define WORKER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "core/id.h"
#include "core/wire.h"

/* What a worker has told its driver and the driver has not yet acknowledged: encoded PROGRESS frames in the
 * order of their numbers, and the attempts that they belong to. They stay until an acknowledgement, through
 * any number of reconnections, and are sent again after each. */

#define OUTBOX_MAX_BYTES                                                                                     \
    (256u << 20) /* above it no more reports are taken from the ring, so reporters block */

/* An attempt of which something is held: what HOLD says. */
struct held {
    struct id experiment;
    uint64_t trial, attempt, gang, rank;
    int64_t budget, done;
    uint64_t origin;
    double *point; /* [n_point] */
    size_t n_point;
    bool is_current;              /* it runs */
    uint64_t first_seq, last_seq; /* of its frames; 0: none yet */
};

struct outbox_frame {
    uint64_t seq;
    bool ends; /* it tells the end of its attempt */
    zmq_msg_t message;
};

struct outbox {
    struct held *held; /* a ring of `held_capacity`, from held_head */
    size_t held_head, n_held, held_capacity;
    struct outbox_frame *frames; /* likewise */
    size_t frames_head, n_frames, frames_capacity;
    size_t bytes;
};

void outbox_fini(struct outbox *outbox); /* {0} is an empty outbox */
/* A new current attempt; copies the point. ERR_NOMEM. */
int outbox_hold(struct outbox *outbox, const struct wire_hold *hold);
/* The current one has ended: it is held no longer than its frames are. */
void outbox_release(struct outbox *outbox);
/* A frame of the newest attempt. Copies. ERR_NOMEM: nothing has changed. *frame is lent, to be sent. */
int outbox_add(struct outbox_frame **frame, struct outbox *outbox, uint64_t seq, bool ends, const void *data,
               size_t size);
/* Puts another frame, which ends its attempt, in the place of this one. Copies. */
int outbox_replace(struct outbox *outbox, struct outbox_frame *frame, const void *data, size_t size);
/* Everything up to seq is safe. */
void outbox_acknowledge(struct outbox *outbox, uint64_t seq);
/* What is held of that attempt (gang 0: by whatever gang); NULL: nothing. Lends. */
struct held *outbox_find(const struct outbox *outbox, struct id experiment, uint64_t trial, uint64_t attempt,
                         uint64_t gang);
/* The i-th from the oldest, i < n_held or n_frames. */
struct held *outbox_held(const struct outbox *outbox, size_t i);
struct outbox_frame *outbox_frame(const struct outbox *outbox, size_t i);

#endif
