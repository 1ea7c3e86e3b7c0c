/* A set of 64-bit keys by open addressing. A hash table of structs (uthash) would take 60 bytes a key; a
 * search of a million trials keeps two of these. */
#include "optimizers/keyset.h"

#include <stdlib.h>

#include "core/err.h"
#include "core/rng.h"

enum { FIRST_CAPACITY = 64 };

void keyset_fini(struct keyset *set)
{
    free(set->slots);
    *set = (struct keyset){0};
}

/* The slot that holds `key`, or the free one where it belongs. */
static size_t find(const uint64_t *slots, size_t capacity, uint64_t key)
{
    size_t i = rng_mix(key, 0) & (capacity - 1);
    while (slots[i] && slots[i] != key)
        i = (i + 1) & (capacity - 1);
    return i;
}

bool keyset_has(const struct keyset *set, uint64_t key)
{
    if (!key)
        return set->has_zero;
    return set->capacity && set->slots[find(set->slots, set->capacity, key)];
}

static int grow(struct keyset *set)
{
    size_t capacity = set->capacity ? 2 * set->capacity : FIRST_CAPACITY;
    uint64_t *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i])
            slots[find(slots, capacity, set->slots[i])] = set->slots[i];
    }
    free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    return 0;
}

int keyset_add(bool *added, struct keyset *set, uint64_t key)
{
    bool fresh = !keyset_has(set, key);
    if (fresh && key) {
        if (4 * (set->n + 1) > 3 * set->capacity && grow(set) < 0)
            return ERR_NOMEM;
        set->slots[find(set->slots, set->capacity, key)] = key;
    }
    if (!key)
        set->has_zero = true;
    if (fresh)
        set->n++;
    if (added)
        *added = fresh;
    return 0;
}
