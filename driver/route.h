#ifndef DRIVER_ROUTE_H
#define DRIVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/id.h"

/* Who a message comes from or goes to: a ZeroMQ routing id. A worker's is the byte 'w' and its id. */
#define ROUTE_MAX 255

struct route {
    size_t size;
    uint8_t bytes[ROUTE_MAX];
};

static inline void route_set(struct route *route, const void *bytes, size_t size)
{
    route->size = size < ROUTE_MAX ? size : ROUTE_MAX;
    memcpy(route->bytes, bytes, route->size);
}

static inline void route_set_worker(struct route *route, struct id worker)
{
    route->size = 1 + sizeof worker.bytes;
    route->bytes[0] = 'w';
    memcpy(route->bytes + 1, worker.bytes, sizeof worker.bytes);
}

static inline bool route_is_worker(struct id *worker, const struct route *route)
{
    if (route->size != 1 + sizeof worker->bytes || route->bytes[0] != 'w')
        return false;
    memcpy(worker->bytes, route->bytes + 1, sizeof worker->bytes);
    return true;
}

static inline bool route_equal(const struct route *a, const struct route *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

#endif
