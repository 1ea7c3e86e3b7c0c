#ifndef OPTIMIZERS_RUNG_H
#define OPTIMIZERS_RUNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Successive halving's rungs. A rung is a budget and what the trials that used it had reached; its *top* are
 * the best floor(n / reduction) of the n trials in it. Trials are ordered by (value, number), so equal values
 * never fill the top with more than its share, and the top does not depend on the order in which trials came.
 * Values are minimised; INFINITY is a trial that did not get there. */
struct ranked {
    double value;
    uint64_t trial;
};

struct ranked_heap {
    size_t n, capacity;
    struct ranked *items;
};

struct rung {
    int64_t budget;
    int64_t reduction;
    struct ranked_heap top, rest; /* with the worst and the best first */
    struct ranked_heap paused;    /* could go on, with the best first */
};

/* The budgets min, min eta, min eta^2, ... below max, then max: exact integers. *rungs has *n of them and is
 * the caller's (rungs_destroy). 1 <= min <= max; eta, reduction >= 2. Returns 0 or ERR_NOMEM. */
int rungs_create(struct rung **rungs, size_t *n, int64_t min, int64_t max, int64_t eta, int64_t reduction);
void rungs_destroy(struct rung *rungs, size_t n);

/* Units used when a report at this step has come: steps count from 0. */
int64_t rung_units(int64_t step);

/* The least budget above `units` of all rungs but the last, whose trials have ended; INT64_MAX: none. */
int64_t rungs_next_level(const struct rung *rungs, size_t n, int64_t units);
/* The same where there are no rungs: the least power of two above `units`. */
int64_t rung_next_doubling(int64_t units);

/* Trial `item` has reached the rung. Returns 0 or ERR_NOMEM. O(log n). */
int rung_add(struct rung *rung, struct ranked item);
size_t rung_n(const struct rung *rung);
/* Is it in the top? O(1). */
bool rung_is_top(const struct rung *rung, struct ranked item);

/* A trial that was added waits here to be promoted. Returns 0 or ERR_NOMEM. O(log n). */
int rung_pause(struct rung *rung, struct ranked item);
/* The best that waits; false: none. O(1). */
bool rung_best_paused(struct ranked *item, const struct rung *rung);
/* Takes it out. O(log n). */
void rung_drop_best_paused(struct rung *rung);

#endif
