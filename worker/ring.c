/* The queue of reports.
 *
 * A cell is free for position p while its turn is p, and holds the report of position p while its turn is
 * p + 1; freeing it makes it p + RING_CAPACITY. Producers claim a position by compare-and-swap on `tail`,
 * fill the cell and publish it by its turn.
 *
 * Nobody sleeps through a report: the producer publishes the turn and then reads the state, the consumer sets
 * the state and then reads the turn, all sequentially consistent, so at least one of them sees the other. The
 * same holds for a producer that waits for room (n_blocked, then turn) and the consumer that frees a cell. */
#include "worker/ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct cell {
    _Atomic size_t turn;
    struct report report;
};

struct ring {
    _Alignas(64) _Atomic size_t tail; /* next position to claim */
    _Alignas(64) _Atomic size_t head; /* next position to pop; written by the consumer alone */
    _Atomic int state;                /* enum ring_state */
    _Atomic bool is_closed;
    _Alignas(64) _Atomic int n_blocked; /* producers that wait for room */
    pthread_mutex_t lock;               /* with `room`, for them alone */
    pthread_cond_t room;
    ring_notify_fn *notify;
    void *arg;
    struct cell cells[RING_CAPACITY];
};

struct ring *ring_create(ring_notify_fn *notify, void *arg)
{
    struct ring *ring = aligned_alloc(_Alignof(struct ring), sizeof *ring);
    if (!ring)
        return NULL;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    atomic_init(&ring->state, RING_ATTENDED);
    atomic_init(&ring->is_closed, false);
    atomic_init(&ring->n_blocked, 0);
    ring->notify = notify;
    ring->arg = arg;
    for (size_t i = 0; i < RING_CAPACITY; i++)
        atomic_init(&ring->cells[i].turn, i);
    (void)pthread_mutex_init(&ring->lock, NULL); /* cannot fail with default attributes on Linux */
    (void)pthread_cond_init(&ring->room, NULL);
    return ring;
}

void ring_destroy(struct ring *ring)
{
    if (!ring)
        return;
    (void)pthread_cond_destroy(&ring->room);
    (void)pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* The ring as this push has left it: did it succeed, and how full was it? */
static bool try_push(struct ring *ring, const struct report *report, size_t *position)
{
    size_t at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        struct cell *cell = &ring->cells[at % RING_CAPACITY];
        size_t turn = atomic_load(&cell->turn);
        intptr_t ahead = (intptr_t)(turn - at);
        if (ahead < 0)
            return false; /* still holds the report of the round before: full */
        if (ahead > 0) {
            at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->tail, &at, at + 1, memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->report = *report;
            atomic_store(&cell->turn, at + 1);
            *position = at;
            return true;
        }
    }
}

static bool push_when_room(struct ring *ring, const struct report *report, size_t *position)
{
    bool pushed = false;
    (void)pthread_mutex_lock(&ring->lock);
    (void)atomic_fetch_add(&ring->n_blocked, 1);
    while (!atomic_load(&ring->is_closed) && !(pushed = try_push(ring, report, position))) {
        int state = atomic_load(&ring->state);
        if (state != RING_ATTENDED)
            ring->notify(ring->arg, state, true);
        (void)pthread_cond_wait(&ring->room, &ring->lock);
    }
    (void)atomic_fetch_sub(&ring->n_blocked, 1);
    (void)pthread_mutex_unlock(&ring->lock);
    return pushed;
}

bool ring_push(struct ring *ring, const struct report *report)
{
    size_t position = 0;
    if (atomic_load_explicit(&ring->is_closed, memory_order_relaxed))
        return false;
    if (!try_push(ring, report, &position) && !push_when_room(ring, report, &position))
        return false;
    int state = atomic_load(&ring->state);
    if (state != RING_ATTENDED) {
        size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        ring->notify(ring->arg, state, position - head > RING_CAPACITY / 2);
    }
    return true;
}

static void wake_blocked(struct ring *ring)
{
    if (!atomic_load(&ring->n_blocked))
        return;
    (void)pthread_mutex_lock(&ring->lock);
    (void)pthread_cond_broadcast(&ring->room);
    (void)pthread_mutex_unlock(&ring->lock);
}

size_t ring_pop(struct report *reports, struct ring *ring, size_t max)
{
    size_t at = atomic_load_explicit(&ring->head, memory_order_relaxed), n = 0;
    for (; n < max; n++, at++) {
        struct cell *cell = &ring->cells[at % RING_CAPACITY];
        if (atomic_load(&cell->turn) != at + 1)
            break;
        reports[n] = cell->report;
        atomic_store(&cell->turn, at + RING_CAPACITY);
    }
    atomic_store_explicit(&ring->head, at, memory_order_relaxed);
    if (n)
        wake_blocked(ring);
    return n;
}

bool ring_is_empty(const struct ring *ring)
{
    size_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return atomic_load(&ring->cells[at % RING_CAPACITY].turn) != at + 1;
}

void ring_set_state(struct ring *ring, enum ring_state state)
{
    atomic_store(&ring->state, state);
}

void ring_close(struct ring *ring)
{
    struct report dropped[64];
    atomic_store(&ring->is_closed, true);
    while (ring_pop(dropped, ring, 64))
        ;
    wake_blocked(ring);
}

void ring_abandon(struct ring *ring)
{
    atomic_store(&ring->is_closed, true);
}

void ring_open(struct ring *ring)
{
    atomic_store(&ring->is_closed, false);
}
