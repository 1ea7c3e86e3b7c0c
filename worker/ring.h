#ifndef WORKER_RING_H
#define WORKER_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/trial.h"

/* Reports on their way from the training threads to whoever drives the session: a bounded queue of many
 * producers and one consumer, after D. Vyukov's bounded queue (every cell carries the number of the round
 * for which it is free or full). Pushing takes no lock and, while the consumer is awake, makes no system
 * call. */

#define RING_CAPACITY 8192 /* a power of two */

/* Whether the consumer will look by itself. */
enum ring_state {
    RING_ATTENDED,   /* it is awake: nothing to do */
    RING_SLEEPING,   /* it sleeps until it is told */
    RING_UNATTENDED, /* there is none for the moment, and one is only worth calling if it is urgent */
};

/* Called by producers that find the ring not attended. `urgent`: the ring is more than half full. */
typedef void ring_notify_fn(void *arg, enum ring_state state, bool urgent);

struct ring;

/* NULL when out of memory. Borrows `arg`. */
struct ring *ring_create(ring_notify_fn *notify, void *arg);
void ring_destroy(struct ring *ring);

/* Any thread. Blocks while the ring is full; false if it was closed instead. */
bool ring_push(struct ring *ring, const struct report *report);

/* The rest is the consumer's (but may move between threads with a lock). */
size_t ring_pop(struct report *reports, struct ring *ring, size_t max);
bool ring_is_empty(const struct ring *ring);
/* A producer whose push comes after this call sees the state; one that came before is seen by ring_is_empty
 * after it. */
void ring_set_state(struct ring *ring, enum ring_state state);
/* Closed: empties it, and pushes are refused, also those that block now, until it is opened again. */
void ring_close(struct ring *ring);
void ring_open(struct ring *ring);
/* In the child of a fork, where there is no consumer: pushes are refused from now on. */
void ring_abandon(struct ring *ring);

#endif
