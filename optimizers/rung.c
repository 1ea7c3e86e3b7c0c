/* Rungs of successive halving: the top of a growing set in two heaps, and those that wait in a third. */
#include "optimizers/rung.h"

#include <stdlib.h>

#include "core/err.h"

static bool is_better(struct ranked a, struct ranked b)
{
    return a.value < b.value || (a.value == b.value && a.trial < b.trial);
}

/* Does a stand before b in a heap with the best (or the worst) first? */
static bool is_before(struct ranked a, struct ranked b, bool best_first)
{
    return best_first ? is_better(a, b) : is_better(b, a);
}

static void swap(struct ranked *a, struct ranked *b)
{
    struct ranked c = *a;
    *a = *b;
    *b = c;
}

static int reserve(struct ranked_heap *heap)
{
    if (heap->n < heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? 2 * heap->capacity : 8;
    struct ranked *items = realloc(heap->items, capacity * sizeof *items);
    if (!items)
        return ERR_NOMEM;
    heap->items = items;
    heap->capacity = capacity;
    return 0;
}

/* There is room. */
static void push(struct ranked_heap *heap, bool best_first, struct ranked item)
{
    size_t i = heap->n++;
    heap->items[i] = item;
    for (; i > 0 && is_before(heap->items[i], heap->items[(i - 1) / 2], best_first); i = (i - 1) / 2)
        swap(&heap->items[i], &heap->items[(i - 1) / 2]);
}

static struct ranked pop(struct ranked_heap *heap, bool best_first)
{
    struct ranked *items = heap->items, first = items[0];
    items[0] = items[--heap->n];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && is_before(items[child + 1], items[child], best_first))
            child++;
        if (!is_before(items[child], items[i], best_first))
            break;
        swap(&items[i], &items[child]);
    }
    return first;
}

int rungs_create(struct rung **out, size_t *n_out, int64_t min, int64_t max, int64_t eta, int64_t reduction)
{
    size_t n = 1;
    for (int64_t budget = min; budget <= (max - 1) / eta; budget *= eta) /* the next is below max */
        n++;
    n += min < max;
    struct rung *rungs = calloc(n, sizeof *rungs);
    if (!rungs)
        return ERR_NOMEM;
    int64_t budget = min;
    for (size_t k = 0; k < n; k++) {
        rungs[k] = (struct rung){.budget = k + 1 < n ? budget : max, .reduction = reduction};
        budget = k + 2 < n ? budget * eta : budget;
    }
    *out = rungs;
    *n_out = n;
    return 0;
}

void rungs_destroy(struct rung *rungs, size_t n)
{
    for (size_t k = 0; rungs && k < n; k++) {
        free(rungs[k].top.items);
        free(rungs[k].rest.items);
        free(rungs[k].paused.items);
    }
    free(rungs);
}

int64_t rung_units(int64_t step)
{
    return step < INT64_MAX ? step + 1 : step;
}

size_t rung_n(const struct rung *rung)
{
    return rung->top.n + rung->rest.n;
}

int64_t rungs_next_level(const struct rung *rungs, size_t n, int64_t units)
{
    for (size_t k = 0; k + 1 < n; k++)
        if (rungs[k].budget > units)
            return rungs[k].budget;
    return INT64_MAX;
}

int64_t rung_next_doubling(int64_t units)
{
    int64_t level = 1;
    while (level <= units && level <= INT64_MAX / 2)
        level *= 2;
    return level > units ? level : INT64_MAX;
}

int rung_add(struct rung *rung, struct ranked item)
{
    if (reserve(&rung->top) < 0 || reserve(&rung->rest) < 0)
        return ERR_NOMEM;
    bool has_top = rung->top.n > 0;
    push(&rung->rest, true, item);
    if (has_top && is_better(rung->rest.items[0], rung->top.items[0])) {
        struct ranked better = pop(&rung->rest, true), worse = pop(&rung->top, false);
        push(&rung->top, false, better);
        push(&rung->rest, true, worse);
    }
    if (rung->top.n < rung_n(rung) / (size_t)rung->reduction)
        push(&rung->top, false, pop(&rung->rest, true));
    return 0;
}

bool rung_is_top(const struct rung *rung, struct ranked item)
{
    return rung->top.n > 0 && !is_better(rung->top.items[0], item);
}

int rung_pause(struct rung *rung, struct ranked item)
{
    if (reserve(&rung->paused) < 0)
        return ERR_NOMEM;
    push(&rung->paused, true, item);
    return 0;
}

bool rung_best_paused(struct ranked *item, const struct rung *rung)
{
    if (rung->paused.n > 0)
        *item = rung->paused.items[0];
    return rung->paused.n > 0;
}

void rung_drop_best_paused(struct rung *rung)
{
    (void)pop(&rung->paused, true); /* it was looked at before */
}
