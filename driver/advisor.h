#ifndef DRIVER_ADVISOR_H
#define DRIVER_ADVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/spec.h"
#include "optimizers/search.h"

/* The advisor: a thread that owns the search of every experiment and answers the engine's ASKs, so that a
 * search may compute for long without anybody else waiting. One queue, first in first out: a search sees
 * questions and observations in the order in which the engine made them, which is all that its answers depend
 * on.
 *
 * What is asked and observed gathers on the caller's side and is handed over once per round of the loop: one
 * lock and at most one wake-up, however much it is. All calls are for the loop's thread. */

struct advisor;

int advisor_create(struct advisor **advisor, struct err *err);
/* Waits for the suggestion that is being computed; drops the rest. */
void advisor_destroy(struct advisor *advisor);

/* `spec` is borrowed until advisor_destroy: the search is made from it when its experiment is first named.
 * Return 0 or ERR_NOMEM. */
int advisor_ask(struct advisor *advisor, int64_t key, const struct spec *spec, uint64_t first_trial,
                uint64_t n);
/* Copies the observation and its point. */
int advisor_observe(struct advisor *advisor, int64_t key, const struct spec *spec,
                    const struct observation *observation);
void advisor_hand_over(struct advisor *advisor);

/* The answer to one ASK: n points of n_params values; fewer than asked for where the search is exhausted. */
struct advice {
    int64_t key;
    uint64_t first_trial;
    size_t n;
    const double *points;
};

/* Readable when there are answers. */
int advisor_event_fd(const struct advisor *advisor);
/* The next answer, in the order of the questions; lent until the next call. False: no more now. */
bool advisor_next(struct advice *advice, struct advisor *advisor);
/* 0, or why it can go on no more: a search that was checked before can only fail for memory. Asked after
 * advisor_next has returned false. */
int advisor_failure(struct advisor *advisor, struct err *err);

#endif
