#ifndef DRIVER_STORE_BATCH_H
#define DRIVER_STORE_BATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/record.h"

/* Records on their way to the writer: deep copies in big chunks of memory.
 *
 * One thread appends, another one consumes whole batches in the order in which they were closed. The appender
 * goes on in the chunk that a closed batch still has its tail in; a chunk goes to the batch that is filling
 * when it is used up, thus to the last one that has anything in it, and is recycled with that. */

struct entry {
    struct entry *next;
    bool is_superseded; /* a later record of the same transaction replaces the same row */
    struct record record;
};

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    _Alignas(16) char data[];
};

struct batch {
    struct entry *first, *last;
    size_t n_trials; /* RECORD_TRIAL among them */
    struct chunk *used_up;
};

/* The appender's memory; `spare` is where the consumer gives chunks back. */
struct arena {
    struct chunk *current;
    pthread_mutex_t mutex; /* of the two below */
    struct chunk *spare;
    size_t n_spare;
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);

/* Copies the record and all that it points to. Returns 0 or ERR_NOMEM (nothing is added). */
int batch_append(struct batch *batch, struct arena *arena, const struct record *record);
/* Moves all of `from` behind what `to` has. */
void batch_join(struct batch *to, struct batch *from);
/* Gives the memory back; the batch is empty then. Any thread. */
void batch_recycle(struct batch *batch, struct arena *arena);

/* Marks every RECORD_TRIAL that a later one of the batch replaces. `table` is scratch memory, kept between
 * calls; {0} at first. Out of memory marks nothing: it only costs time. O(n). */
struct batch_table {
    struct entry **slots;
    size_t capacity;
};
void batch_supersede(struct batch *batch, struct batch_table *table);
void batch_table_fini(struct batch_table *table);

#endif
