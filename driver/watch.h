#ifndef DRIVER_WATCH_H
#define DRIVER_WATCH_H

#include <stdint.h>

#include "core/id.h"
#include "core/wire.h"
#include "driver/route.h"

/* Who wants to know how an experiment stands, and when they are told next: at once when the experiment's
 * state has changed, else at most once an interval. */

struct watches;

struct watches *watches_create(void); /* NULL: out of memory */
void watches_destroy(struct watches *watches);

/* Adds a watch, or replaces the one that this client has of this experiment. It is due at once. Returns 0 or
 * ERR_NOMEM. */
int watches_add(struct watches *watches, int64_t key, struct id experiment, const struct route *route,
                uint64_t request, uint64_t interval_ms);
/* The client is gone. O(watches). */
void watches_forget(struct watches *watches, const struct route *route);
/* The experiment has changed. O(1). */
void watches_changed(struct watches *watches, int64_t key);

/* Calls `status` once for each experiment that has changed and is watched, and `tell` for each watch of it
 * that is due. What *status borrows must live until the next call. */
struct watch_teller {
    int (*status)(void *arg, struct wire_status *status, struct id experiment); /* not 0: there is none */
    void (*tell)(void *arg, const struct route *route, const struct wire_status *status);
    void *arg;
};
void watches_serve(struct watches *watches, const struct watch_teller *teller, int64_t now_ns);
/* When watches_serve has something to do next; INT64_MAX: never. */
int64_t watches_deadline(const struct watches *watches);

/* Calls `visit` for each watch. */
void watches_each(struct watches *watches, void (*visit)(void *arg, const struct route *route), void *arg);

#endif
