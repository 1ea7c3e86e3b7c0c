/* A binary heap of deadlines. list[place - 1] == deadline for every one that is in it. */
#include "driver/heap.h"

#include <stdlib.h>

#include "core/err.h"

void heap_fini(struct heap *heap)
{
    free(heap->list);
    *heap = (struct heap){0};
}

static void put(struct heap *heap, size_t place, struct deadline *deadline)
{
    heap->list[place - 1] = deadline;
    deadline->place = place;
}

static void sift_up(struct heap *heap, size_t place, struct deadline *deadline)
{
    while (place > 1 && heap->list[place / 2 - 1]->at_ns > deadline->at_ns) {
        put(heap, place, heap->list[place / 2 - 1]);
        place /= 2;
    }
    put(heap, place, deadline);
}

static void sift_down(struct heap *heap, size_t place, struct deadline *deadline)
{
    for (;;) {
        size_t child = 2 * place;
        if (child > heap->n)
            break;
        if (child < heap->n && heap->list[child]->at_ns < heap->list[child - 1]->at_ns)
            child++;
        if (heap->list[child - 1]->at_ns >= deadline->at_ns)
            break;
        put(heap, place, heap->list[child - 1]);
        place = child;
    }
    put(heap, place, deadline);
}

int heap_set(struct heap *heap, struct deadline *deadline, int64_t at_ns)
{
    deadline->at_ns = at_ns;
    if (!deadline->place) {
        if (heap->n == heap->capacity) {
            size_t capacity = heap->capacity ? 2 * heap->capacity : 64;
            struct deadline **list = realloc(heap->list, capacity * sizeof *list);
            if (!list)
                return ERR_NOMEM;
            heap->list = list;
            heap->capacity = capacity;
        }
        deadline->place = ++heap->n;
        heap->list[heap->n - 1] = deadline;
    }
    sift_up(heap, deadline->place, deadline);
    sift_down(heap, deadline->place, deadline);
    return 0;
}

void heap_remove(struct heap *heap, struct deadline *deadline)
{
    size_t place = deadline->place;
    if (!place)
        return;
    deadline->place = 0;
    struct deadline *last = heap->list[--heap->n];
    if (last == deadline)
        return;
    put(heap, place, last);
    sift_up(heap, place, last);
    sift_down(heap, last->place, last);
}

struct deadline *heap_first(const struct heap *heap)
{
    return heap->n ? heap->list[0] : NULL;
}
