/* Asynchronous successive halving with promotion (Li et al. 2020, "A system for massively parallel
 * hyperparameter tuning", algorithm 2).
 *
 * | symbol   | meaning                                                    |
 * | r_k      | budget of rung k: min eta^k, the last one max              |
 * | n_k      | trials that have reached rung k of a bracket               |
 * | top      | the best floor(n_k / reduction) of them                    |
 *
 * Which bracket a trial belongs to follows from its number alone, and what it has reached from its curve, so
 * the state is the same whether a history was lived through or told again by its ends. A trial counts once in
 * a rung, with its first value there: a second attempt that runs through the same rungs again changes
 * nothing.
 *
 * A trial that ends before its rung (failed, stopped by a rule) counts there as worse than any other, so that
 * it uses up its place. One that completes before its rung has its value counted, and is done. */
#include "optimizers/halving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/rung.h"
#include "optimizers/trial_table.h"

struct bracket {
    size_t n_rungs;
    struct rung *rungs;
    size_t per_round;
};

/* A trial that is not final. */
struct member {
    uint64_t trial;
    struct bracket *bracket;
    size_t rung;      /* whose budget it has */
    size_t n_reached; /* rungs in which it is counted */
    double value;     /* in the last of them */
    bool is_paused;
};

struct halving {
    size_t n_brackets, n_round;
    struct bracket *brackets;
    int64_t n_trials;
    uint64_t n_started; /* different trials */
    size_t n_running;
    struct trial_table members; /* struct member */
};

static int bracket_init(struct bracket *bracket, const struct halving_setup *setup, size_t b)
{
    int64_t min = setup->min_budget;
    for (size_t i = 0; i < b; i++)
        min *= setup->eta;
    bracket->per_round = setup->per_round[b];
    return rungs_create(&bracket->rungs, &bracket->n_rungs, min < setup->max_budget ? min : setup->max_budget,
                        setup->max_budget, setup->eta, setup->reduction);
}

int halving_create(struct halving **out, const struct halving_setup *setup)
{
    struct halving *halving = calloc(1, sizeof *halving);
    if (!halving)
        return ERR_NOMEM;
    trial_table_init(&halving->members, sizeof(struct member));
    halving->n_trials = setup->n_trials;
    halving->n_round = setup->n_round;
    halving->brackets = calloc(setup->n_brackets, sizeof *halving->brackets);
    int code = halving->brackets ? 0 : ERR_NOMEM;
    for (size_t b = 0; code == 0 && b < setup->n_brackets; b++) {
        halving->n_brackets = b + 1;
        code = bracket_init(&halving->brackets[b], setup, b);
    }
    if (code < 0) {
        halving_destroy(halving);
        return code;
    }
    *out = halving;
    return 0;
}

void halving_destroy(void *state)
{
    struct halving *halving = state;
    if (!halving)
        return;
    trial_table_fini(&halving->members);
    for (size_t b = 0; b < halving->n_brackets; b++)
        rungs_destroy(halving->brackets[b].rungs, halving->brackets[b].n_rungs);
    free(halving->brackets);
    free(halving);
}

static struct member *find(const struct halving *halving, uint64_t trial)
{
    return trial_table_find(&halving->members, trial);
}

/* The bracket of a trial: a round's places go to the brackets one after the other. */
static struct bracket *bracket_of(const struct halving *halving, uint64_t trial)
{
    uint64_t place = (trial - 1) % halving->n_round;
    size_t b = 0;
    while (place >= halving->brackets[b].per_round)
        place -= halving->brackets[b++].per_round;
    return &halving->brackets[b];
}

/* The best paused trial of a rung if it is in the rung's top; what is no longer paused there is dropped. */
static struct member *find_promotable(const struct halving *halving, struct bracket *bracket, size_t k)
{
    struct ranked best;
    while (rung_best_paused(&best, &bracket->rungs[k])) {
        struct member *member = find(halving, best.trial);
        if (member && member->is_paused && member->rung == k)
            return rung_is_top(&bracket->rungs[k], best) ? member : NULL;
        rung_drop_best_paused(&bracket->rungs[k]);
    }
    return NULL;
}

/* The promotable trial with the most budget used; NULL: none. */
static struct member *choose_promotion(const struct halving *halving)
{
    struct member *chosen = NULL;
    int64_t used = 0;
    for (size_t b = 0; b < halving->n_brackets; b++) {
        struct bracket *bracket = &halving->brackets[b];
        for (size_t k = bracket->n_rungs - 1; k-- > 0 && bracket->rungs[k].budget > used;) {
            struct member *member = find_promotable(halving, bracket, k);
            if (member) {
                chosen = member;
                used = bracket->rungs[k].budget;
            }
        }
    }
    return chosen;
}

void halving_next(struct plan *plan, void *state)
{
    const struct halving *halving = state;
    const struct member *member = choose_promotion(halving);
    bool may_start = halving->n_trials == 0 || halving->n_started < (uint64_t)halving->n_trials;
    if (member)
        *plan = (struct plan){.kind = PLAN_RESUME,
                              .trial = member->trial,
                              .budget = member->bracket->rungs[member->rung + 1].budget};
    else if (may_start)
        *plan = (struct plan){.kind = PLAN_NEW,
                              .budget = bracket_of(halving, halving->n_started + 1)->rungs[0].budget};
    else
        *plan = (struct plan){.kind = halving->n_running ? PLAN_WAIT : PLAN_DONE};
}

int halving_started(void *state, uint64_t trial, int64_t budget)
{
    struct halving *halving = state;
    struct member *member = find(halving, trial);
    if (!member) {
        member = trial_table_add(&halving->members, trial);
        if (!member)
            return ERR_NOMEM;
        member->bracket = bracket_of(halving, trial);
        member->is_paused = true; /* so that it is counted as running below */
        halving->n_started++;
    }
    halving->n_running += member->is_paused;
    member->is_paused = false;
    member->rung = 0;
    while (member->rung + 1 < member->bracket->n_rungs &&
           member->bracket->rungs[member->rung].budget < budget)
        member->rung++;
    return 0;
}

/* Counts the member in every rung up to `units` that it has not been counted in. */
static int reach(struct member *member, int64_t units, double value)
{
    struct bracket *bracket = member->bracket;
    for (; member->n_reached <= member->rung && bracket->rungs[member->n_reached].budget <= units;
         member->n_reached++) {
        member->value = isfinite(value) ? value : INFINITY;
        struct ranked item = {.value = member->value, .trial = member->trial};
        int code = rung_add(&bracket->rungs[member->n_reached], item);
        if (code < 0)
            return code;
    }
    return 0;
}

enum decision halving_report(void *state, uint64_t trial, int64_t step, double value)
{
    struct member *member = find(state, trial);
    if (!member || member->is_paused)
        return DECISION_CONTINUE;
    int64_t budget = member->bracket->rungs[member->rung].budget;
    if (reach(member, rung_units(step), value) < 0)
        return DECISION_CONTINUE; /* out of memory: the trial merely runs on */
    bool is_last = member->rung + 1 == member->bracket->n_rungs;
    return rung_units(step) >= budget && !is_last ? DECISION_PAUSE : DECISION_CONTINUE;
}

int halving_ended(void *state, uint64_t trial, enum trial_state end, int64_t step, double value)
{
    (void)step;
    struct halving *halving = state;
    struct member *member = find(halving, trial);
    if (!member)
        return 0;
    bool has_value = end == TRIAL_COMPLETED || end == TRIAL_PAUSED;
    int code = reach(member, INT64_MAX, has_value ? value : INFINITY);
    halving->n_running -= !member->is_paused;
    member->is_paused = end == TRIAL_PAUSED;
    if (end == TRIAL_PAUSED) {
        struct ranked item = {.value = member->value, .trial = trial};
        return code < 0 ? code : rung_pause(&member->bracket->rungs[member->rung], item);
    }
    trial_table_remove(&halving->members, trial);
    return code;
}

/* The first bracket begins with the lowest rung, and so has the rungs of all others. */
int64_t halving_next_level(const void *state, int64_t units)
{
    const struct halving *halving = state;
    return rungs_next_level(halving->brackets[0].rungs, halving->brackets[0].n_rungs, units);
}
