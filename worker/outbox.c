/* Frames that wait for their acknowledgement. Two rings: both lists grow at one end and shrink at the other.
 */
#include "worker/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

struct held *outbox_held(const struct outbox *outbox, size_t i)
{
    return &outbox->held[(outbox->held_head + i) % outbox->held_capacity];
}

struct outbox_frame *outbox_frame(const struct outbox *outbox, size_t i)
{
    return &outbox->frames[(outbox->frames_head + i) % outbox->frames_capacity];
}

static void drop_oldest_frame(struct outbox *outbox)
{
    struct outbox_frame *frame = outbox_frame(outbox, 0);
    outbox->bytes -= zmq_msg_size(&frame->message);
    (void)zmq_msg_close(&frame->message); /* fails only for what is no message */
    outbox->frames_head = (outbox->frames_head + 1) % outbox->frames_capacity;
    outbox->n_frames--;
}

static void drop_oldest_held(struct outbox *outbox)
{
    free(outbox_held(outbox, 0)->point);
    outbox->held_head = (outbox->held_head + 1) % outbox->held_capacity;
    outbox->n_held--;
}

void outbox_fini(struct outbox *outbox)
{
    while (outbox->n_frames > 0)
        drop_oldest_frame(outbox);
    while (outbox->n_held > 0)
        drop_oldest_held(outbox);
    free(outbox->frames);
    free(outbox->held);
    memset(outbox, 0, sizeof *outbox);
}

/* Both double a ring that is full, with the oldest element first. */
static int make_room_for_held(struct outbox *outbox)
{
    if (outbox->n_held < outbox->held_capacity)
        return ERR_OK;
    size_t capacity = outbox->held_capacity ? 2 * outbox->held_capacity : 16;
    struct held *grown = malloc(capacity * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    for (size_t i = 0; i < outbox->n_held; i++)
        grown[i] = *outbox_held(outbox, i);
    free(outbox->held);
    outbox->held = grown;
    outbox->held_head = 0;
    outbox->held_capacity = capacity;
    return ERR_OK;
}

static int make_room_for_frame(struct outbox *outbox)
{
    if (outbox->n_frames < outbox->frames_capacity)
        return ERR_OK;
    size_t capacity = outbox->frames_capacity ? 2 * outbox->frames_capacity : 16;
    struct outbox_frame *grown = malloc(capacity * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    for (size_t i = 0; i < outbox->n_frames; i++) {
        struct outbox_frame *frame = outbox_frame(outbox, i);
        grown[i].seq = frame->seq;
        grown[i].ends = frame->ends;
        (void)zmq_msg_init(&grown[i].message); /* it and the move fail only for what is no message */
        (void)zmq_msg_move(&grown[i].message, &frame->message);
    }
    free(outbox->frames);
    outbox->frames = grown;
    outbox->frames_head = 0;
    outbox->frames_capacity = capacity;
    return ERR_OK;
}

int outbox_hold(struct outbox *outbox, const struct wire_hold *hold)
{
    double *point = malloc((hold->point.n + 1) * sizeof *point);
    if (!point || make_room_for_held(outbox)) {
        free(point);
        return ERR_NOMEM;
    }
    if (hold->point.n > 0)
        memcpy(point, hold->point.values, hold->point.n * sizeof *point);
    *outbox_held(outbox, outbox->n_held++) = (struct held){
        .experiment = hold->experiment,
        .trial = hold->trial,
        .attempt = hold->attempt,
        .gang = hold->gang,
        .rank = hold->rank,
        .budget = hold->budget,
        .origin = hold->origin,
        .done = hold->done,
        .point = point,
        .n_point = hold->point.n,
        .is_current = true,
    };
    return ERR_OK;
}

static void drop_acknowledged(struct outbox *outbox, uint64_t seq)
{
    while (outbox->n_held > 0) {
        const struct held *oldest = outbox_held(outbox, 0);
        if (oldest->is_current || oldest->last_seq > seq)
            return;
        drop_oldest_held(outbox);
    }
}

void outbox_release(struct outbox *outbox)
{
    if (outbox->n_held == 0)
        return;
    outbox_held(outbox, outbox->n_held - 1)->is_current = false;
    if (outbox->n_frames == 0)
        drop_acknowledged(outbox, UINT64_MAX);
}

int outbox_add(struct outbox_frame **frame, struct outbox *outbox, uint64_t seq, bool ends, const void *data,
               size_t size)
{
    if (make_room_for_frame(outbox))
        return ERR_NOMEM;
    struct outbox_frame *added = outbox_frame(outbox, outbox->n_frames);
    if (zmq_msg_init_size(&added->message, size))
        return ERR_NOMEM;
    memcpy(zmq_msg_data(&added->message), data, size);
    added->seq = seq;
    added->ends = ends;
    outbox->n_frames++;
    outbox->bytes += size;
    struct held *newest = outbox_held(outbox, outbox->n_held - 1);
    if (!newest->first_seq)
        newest->first_seq = seq;
    newest->last_seq = seq;
    *frame = added;
    return ERR_OK;
}

int outbox_replace(struct outbox *outbox, struct outbox_frame *frame, const void *data, size_t size)
{
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, size))
        return ERR_NOMEM;
    memcpy(zmq_msg_data(&message), data, size);
    outbox->bytes += size;
    outbox->bytes -= zmq_msg_size(&frame->message);
    (void)zmq_msg_move(&frame->message, &message); /* fails only for what is no message; closes the old one */
    frame->ends = true;
    return ERR_OK;
}

void outbox_acknowledge(struct outbox *outbox, uint64_t seq)
{
    while (outbox->n_frames > 0 && outbox_frame(outbox, 0)->seq <= seq)
        drop_oldest_frame(outbox);
    drop_acknowledged(outbox, outbox->n_frames > 0 ? outbox_frame(outbox, 0)->seq - 1 : UINT64_MAX);
}

struct held *outbox_find(const struct outbox *outbox, struct id experiment, uint64_t trial, uint64_t attempt,
                         uint64_t gang)
{
    for (size_t i = outbox->n_held; i-- > 0;) {
        struct held *held = outbox_held(outbox, i);
        if (held->trial == trial && held->attempt == attempt && (!gang || held->gang == gang) &&
            id_equal(held->experiment, experiment))
            return held;
    }
    return NULL;
}
