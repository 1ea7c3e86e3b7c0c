/* Sending: now, after a commit, or along with an assignment. See driver/outbox.h.
 *
 * What waits is in one ring in the order of its record numbers. An acknowledgement is a number in its ring
 * entry, so that the common path allocates nothing; any other message is kept encoded. */
#include "driver/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>
#include <utlist.h>
#include <zmq.h>

#include "core/log.h"

/* One conversation with a worker. It lives until it is over and nothing in the ring points to it. */
struct peer {
    struct id id;
    uint64_t greeting;
    uint64_t ready;  /* highest acknowledgement that is on disk */
    uint64_t sent;   /* highest that was sent */
    size_t n_parked; /* ring entries that point here */
    bool over;       /* what is parked for it is dropped */
    bool is_leaving; /* told DONE: its acknowledgements are not held */
    bool held;       /* in outbox->held, until due_ns */
    int64_t due_ns;
    struct peer *prev, *next;
    UT_hash_handle hh;
};

struct parked {
    int64_t sequence;
    struct peer *peer;   /* of a worker's message, else NULL */
    uint64_t ack;        /* of an acknowledgement */
    struct frame *frame; /* of anything else, else NULL */
};

struct frame {
    bool is_done; /* a DONE, after which the worker leaves */
    size_t route_size, size;
    char bytes[]; /* route, then message */
};

struct outbox {
    void *router;
    struct wire_buffer buffer;
    struct peer *peers; /* by id: conversations that are not over */
    struct peer *held;  /* acknowledgements that hope for an assignment, by due_ns */
    struct parked *ring;
    size_t capacity, first, n; /* capacity is a power of 2 */
    uint64_t n_sent;
    size_t n_frames; /* of what is in it: all but acknowledgements */
    int64_t committed;
    struct route *unreachable;
    size_t n_unreachable, capacity_unreachable;
    int failed;
};

struct outbox *outbox_create(void *router)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox)
        outbox->router = router;
    return outbox;
}

static void peer_unhold(struct outbox *outbox, struct peer *peer)
{
    if (peer->held)
        DL_DELETE(outbox->held, peer);
    peer->held = false;
}

/* Ends the conversation. */
static void peer_end(struct outbox *outbox, struct peer *peer)
{
    peer_unhold(outbox, peer);
    HASH_DEL(outbox->peers, peer);
    peer->over = true;
    if (!peer->n_parked)
        free(peer);
}

static void unpark(struct peer *peer)
{
    if (peer && --peer->n_parked == 0 && peer->over)
        free(peer);
}

void outbox_destroy(struct outbox *outbox)
{
    if (!outbox)
        return;
    for (; outbox->n; outbox->n--) {
        struct parked *parked = &outbox->ring[outbox->first++ & (outbox->capacity - 1)];
        free(parked->frame);
        unpark(parked->peer);
    }
    struct peer *peer, *next;
    HASH_ITER(hh, outbox->peers, peer, next)
    {
        peer_end(outbox, peer);
    }
    free(outbox->ring);
    free(outbox->unreachable);
    wire_buffer_fini(&outbox->buffer);
    free(outbox);
}

uint64_t outbox_n_sent(const struct outbox *outbox)
{
    return outbox->n_sent;
}

int outbox_failed(const struct outbox *outbox)
{
    return outbox->failed;
}

/* Sending */

static void note_unreachable(struct outbox *outbox, const void *route, size_t size)
{
    if (outbox->n_unreachable == outbox->capacity_unreachable) {
        size_t capacity = outbox->capacity_unreachable ? 2 * outbox->capacity_unreachable : 8;
        struct route *grown = realloc(outbox->unreachable, capacity * sizeof *grown);
        if (!grown) {
            outbox->failed = ERR_NOMEM;
            return;
        }
        outbox->unreachable = grown;
        outbox->capacity_unreachable = capacity;
    }
    route_set(&outbox->unreachable[outbox->n_unreachable++], route, size);
}

bool outbox_next_unreachable(struct route *route, struct outbox *outbox)
{
    if (!outbox->n_unreachable)
        return false;
    *route = outbox->unreachable[--outbox->n_unreachable];
    return true;
}

static void send_frame(struct outbox *outbox, const void *route, size_t route_size, const void *data,
                       size_t size)
{
    outbox->n_sent++;
    if (zmq_send(outbox->router, route, route_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_send(outbox->router, data, size, ZMQ_DONTWAIT) >= 0)
        return;
    if (errno == EHOSTUNREACH)
        note_unreachable(outbox, route, route_size);
    else /* a lost message is noticed by its receiver, as on any bad network */
        log_warn("send failed error=\"%s\"", zmq_strerror(errno));
}

static bool encode(struct outbox *outbox, const struct wire_message *message)
{
    int rc = wire_encode(&outbox->buffer, message);
    if (rc)
        outbox->failed = rc;
    return rc == 0;
}

void outbox_send(struct outbox *outbox, const struct route *route, const struct wire_message *message)
{
    if (encode(outbox, message))
        send_frame(outbox, route->bytes, route->size, outbox->buffer.data, outbox->buffer.size);
}

static void send_ack(struct outbox *outbox, struct peer *peer)
{
    peer_unhold(outbox, peer);
    if (peer->ready <= peer->sent)
        return;
    peer->sent = peer->ready;
    struct route route;
    route_set_worker(&route, peer->id);
    outbox_send(outbox, &route, &(struct wire_message){.type = WIRE_ACK, .ack = {.seq = peer->sent}});
}

/* Workers */

static struct peer *peer_find(const struct outbox *outbox, struct id id)
{
    struct peer *peer;
    HASH_FIND(hh, outbox->peers, &id, sizeof id, peer);
    return peer;
}

static struct peer *peer_find_or_create(struct outbox *outbox, struct id id)
{
    struct peer *peer = peer_find(outbox, id);
    if (peer)
        return peer;
    peer = calloc(1, sizeof *peer);
    if (!peer)
        goto fail;
    peer->id = id;
    HASH_ADD(hh, outbox->peers, id, sizeof peer->id, peer);
    if (peer->hh.tbl)
        return peer;
fail:
    free(peer);
    outbox->failed = ERR_NOMEM;
    return NULL;
}

void outbox_greet(struct outbox *outbox, struct id worker, uint64_t greeting)
{
    struct peer *peer = peer_find(outbox, worker);
    if (peer && peer->greeting && greeting <= peer->greeting)
        return;
    if (peer)
        peer_end(outbox, peer);
    peer = peer_find_or_create(outbox, worker);
    if (peer)
        peer->greeting = greeting;
}

void outbox_forget(struct outbox *outbox, struct id worker)
{
    struct peer *peer = peer_find(outbox, worker);
    if (peer)
        peer_end(outbox, peer);
}

void outbox_send_worker(struct outbox *outbox, struct id worker, const struct wire_message *message)
{
    struct route route;
    route_set_worker(&route, worker);
    struct peer *peer = message->type == WIRE_ASSIGN ? peer_find(outbox, worker) : NULL;
    if (!peer) {
        outbox_send(outbox, &route, message);
        return;
    }
    struct wire_message carrying = *message;
    carrying.assign.acked = peer->sent = peer->ready;
    peer->is_leaving = false;
    peer_unhold(outbox, peer);
    outbox_send(outbox, &route, &carrying);
}

void outbox_send_workers(struct outbox *outbox, const struct wire_message *message)
{
    for (struct peer *peer = outbox->peers; peer; peer = peer->hh.next) {
        struct route route;
        route_set_worker(&route, peer->id);
        outbox_send(outbox, &route, message);
    }
}

/* After a commit */

static void ack_is_ready(struct outbox *outbox, struct peer *peer, uint64_t seq, int64_t now_ns)
{
    if (seq > peer->ready)
        peer->ready = seq;
    else if (peer->sent >= seq && seq) /* said again: the worker has missed it */
        peer->sent = seq - 1;
    if (peer->held || peer->ready <= peer->sent)
        return;
    if (peer->is_leaving) {
        send_ack(outbox, peer);
        return;
    }
    peer->held = true;
    peer->due_ns = now_ns + OUTBOX_ACK_DELAY_NS;
    DL_APPEND(outbox->held, peer);
}

/* The worker is about to leave, and waits for nothing but its acknowledgements. */
static void let_go(struct outbox *outbox, struct peer *peer)
{
    peer->is_leaving = true;
    send_ack(outbox, peer);
}

static void send_parked(struct outbox *outbox, const struct parked *parked, int64_t now_ns)
{
    const struct frame *frame = parked->frame;
    if (parked->peer && parked->peer->over)
        return;
    if (!frame) {
        ack_is_ready(outbox, parked->peer, parked->ack, now_ns);
        return;
    }
    if (frame->is_done)
        let_go(outbox, parked->peer);
    send_frame(outbox, frame->bytes, frame->route_size, frame->bytes + frame->route_size, frame->size);
}

static struct parked *append(struct outbox *outbox, int64_t sequence)
{
    if (outbox->n == outbox->capacity) {
        size_t capacity = outbox->capacity ? 2 * outbox->capacity : 256;
        struct parked *ring = malloc(capacity * sizeof *ring);
        if (!ring) {
            outbox->failed = ERR_NOMEM;
            return NULL;
        }
        for (size_t i = 0; i < outbox->n; i++)
            ring[i] = outbox->ring[(outbox->first + i) & (outbox->capacity - 1)];
        free(outbox->ring);
        outbox->ring = ring;
        outbox->capacity = capacity;
        outbox->first = 0;
    }
    struct parked *parked = &outbox->ring[(outbox->first + outbox->n++) & (outbox->capacity - 1)];
    *parked = (struct parked){.sequence = sequence};
    return parked;
}

static void park(struct outbox *outbox, const struct route *route, const struct wire_message *message,
                 struct peer *peer, int64_t sequence)
{
    if (!encode(outbox, message))
        return;
    size_t size = outbox->buffer.size;
    struct frame *frame = malloc(sizeof *frame + route->size + size);
    struct parked *parked = frame ? append(outbox, sequence) : NULL;
    if (!parked) {
        free(frame);
        outbox->failed = ERR_NOMEM;
        return;
    }
    frame->is_done = peer && message->type == WIRE_DONE;
    frame->route_size = route->size;
    frame->size = size;
    memcpy(frame->bytes, route->bytes, route->size);
    memcpy(frame->bytes + route->size, outbox->buffer.data, size);
    outbox->n_frames++;
    parked->frame = frame;
    parked->peer = peer;
    if (peer)
        peer->n_parked++;
}

void outbox_park(struct outbox *outbox, const struct route *route, const struct wire_message *message,
                 int64_t sequence)
{
    if (sequence <= outbox->committed)
        outbox_send(outbox, route, message);
    else
        park(outbox, route, message, NULL, sequence);
}

void outbox_park_worker(struct outbox *outbox, struct id worker, const struct wire_message *message,
                        int64_t sequence, int64_t now_ns)
{
    struct peer *peer = peer_find_or_create(outbox, worker);
    if (!peer)
        return;
    bool is_ack = message->type == WIRE_ACK;
    if (is_ack && sequence <= outbox->committed) {
        ack_is_ready(outbox, peer, message->ack.seq, now_ns);
        return;
    }
    if (is_ack) {
        struct parked *parked = append(outbox, sequence);
        if (!parked)
            return;
        parked->peer = peer;
        parked->ack = message->ack.seq;
        peer->n_parked++;
        return;
    }
    struct route route;
    route_set_worker(&route, worker);
    if (sequence > outbox->committed) {
        park(outbox, &route, message, peer, sequence);
        return;
    }
    if (message->type == WIRE_DONE)
        let_go(outbox, peer);
    outbox_send(outbox, &route, message);
}

void outbox_committed(struct outbox *outbox, int64_t sequence, int64_t now_ns)
{
    outbox->committed = sequence;
    while (outbox->n) {
        struct parked parked = outbox->ring[outbox->first & (outbox->capacity - 1)];
        if (parked.sequence > sequence)
            return;
        outbox->first++;
        outbox->n--;
        outbox->n_frames -= parked.frame != NULL;
        send_parked(outbox, &parked, now_ns);
        free(parked.frame);
        unpark(parked.peer);
    }
}

bool outbox_is_waited_for(const struct outbox *outbox)
{
    return outbox->n_frames > 0;
}

int64_t outbox_deadline(const struct outbox *outbox)
{
    return outbox->held ? outbox->held->due_ns : INT64_MAX;
}

void outbox_time(struct outbox *outbox, int64_t now_ns)
{
    while (outbox->held && outbox->held->due_ns <= now_ns)
        send_ack(outbox, outbox->held);
}
