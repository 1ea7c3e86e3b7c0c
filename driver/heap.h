#ifndef DRIVER_HEAP_H
#define DRIVER_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* The engine's deadlines: a binary min-heap whose elements know their place, so that one can be moved or
 * taken out in O(log n). Elements are embedded in what they belong to. */
struct deadline {
    int64_t at_ns;
    size_t place;                                       /* from 1; 0: not in the heap */
    enum { DEADLINE_WORKER, DEADLINE_EXPERIMENT } kind; /* what it is embedded in */
};

struct heap {
    size_t n, capacity;
    struct deadline **list;
};

void heap_fini(struct heap *heap);
/* Puts it in, or moves it. Returns 0 or ERR_NOMEM. */
int heap_set(struct heap *heap, struct deadline *deadline, int64_t at_ns);
/* Takes it out; none of ours is a no-op. */
void heap_remove(struct heap *heap, struct deadline *deadline);
/* The earliest; NULL: none. Lends. */
struct deadline *heap_first(const struct heap *heap);

#endif
