#ifndef OPTIMIZERS_KEYSET_H
#define OPTIMIZERS_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of 64-bit keys: open addressing, linear probing, 8 bytes a slot, at most 3/4 full. Keys are mixed
 * before use, so trial numbers serve as well as hashes. {0} is empty. */
struct keyset {
    size_t n;        /* keys, zero included */
    size_t capacity; /* slots, a power of two, or 0 */
    uint64_t *slots; /* [capacity], 0: free */
    bool has_zero;
};

void keyset_fini(struct keyset *set);
bool keyset_has(const struct keyset *set, uint64_t key);
/* Adds it; *added (if not NULL) says whether it is new. Returns 0 or ERR_NOMEM (then nothing changes).
 * Amortised O(1). */
int keyset_add(bool *added, struct keyset *set, uint64_t key);

#endif
