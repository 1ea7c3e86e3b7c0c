#ifndef WORKER_METRIC_NAMES_H
#define WORKER_METRIC_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"

/* The names of an attempt's metrics, numbered as they come. Number 0 is the objective and set at the start.
 */

#define METRIC_NAMES_MAX WIRE_MAX_NAMES

struct metric_names {
    size_t n;
    char **list;         /* [METRIC_NAMES_MAX] */
    int64_t *last_steps; /* [METRIC_NAMES_MAX], -1: none */
    uint16_t *table;     /* [4 * METRIC_NAMES_MAX] number + 1 by hash, open addressing */
};

int metric_names_init(struct metric_names *names);
void metric_names_fini(struct metric_names *names);
/* Empties it and adds the objective's name. Returns 0 or ERR_NOMEM. */
int metric_names_reset(struct metric_names *names, const char *objective);
/* The number of a name, which is added if it is new. ERR_NOMEM; ERR_FULL: there are too many. O(size). */
int metric_names_find(struct metric_names *names, const char *name, size_t size);

#endif
