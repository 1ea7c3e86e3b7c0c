#ifndef OPTIMIZERS_HALVING_H
#define OPTIMIZERS_HALVING_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "optimizers/schedule.h"

/* Asynchronous successive halving with promotion, in one bracket (schedule asha) or several (hyperband).
 *
 * A trial starts with the budget of its bracket's lowest rung and pauses when it has used it. Whenever a
 * worker is free, the highest rung is looked for whose best paused trial is in the rung's top; it goes on
 * with the next rung's budget. If there is none, a new trial starts. Nobody ever waits for a rung to fill.
 *
 * A report at step s means that s + 1 units are used. */
struct halving_setup {
    int64_t min_budget, max_budget, eta;
    int64_t reduction; /* one in so many trials of a rung goes on */
    int64_t n_trials;  /* limit; 0: none */
    size_t n_brackets;
    size_t n_round;          /* trials in one round */
    const size_t *per_round; /* [n_brackets] how many of them each bracket gets, in order of the brackets */
};

struct halving;

/* Bracket b begins at rung b of the common ladder. Copies. Returns 0 or ERR_NOMEM. */
int halving_create(struct halving **halving, const struct halving_setup *setup);
void halving_destroy(void *halving);

/* As in struct schedule_type. */
void halving_next(struct plan *plan, void *halving);
int halving_started(void *halving, uint64_t trial, int64_t budget);
enum decision halving_report(void *halving, uint64_t trial, int64_t step, double value);
int halving_ended(void *halving, uint64_t trial, enum trial_state end, int64_t step, double value);
int64_t halving_next_level(const void *halving, int64_t units);

#endif
