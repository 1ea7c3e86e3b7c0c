/* Schedule pbt: population based training (Jaderberg et al. 2017, "Population based training of neural
 * networks", algorithm 1) with truncation selection (section 4.1.1).
 *
 * | symbol  | meaning                                                                  |
 * | N       | members of the population: trials that are under way or have completed    |
 * | ready   | a member is when it has used k * interval units, k = 1, 2, ...; the last one at max_budget |
 * | Q(k)    | what a member had reached when it was ready for the k-th time             |
 * | u       | units that a member has used                                             |
 *
 * A member that is ready pauses. Free workers first complete the population, and then turn to the paused
 * member that has come least far. If that is among the worst floor(quantile n) of the n members that have
 * been ready for the k-th time, it ends (exploit); else it goes on. Where one is missing, a new trial starts
 * from a copy of the checkpoint of one of the best floor(quantile n) members, drawn at random, with
 * parameters that are perturbed ones of it (explore). So a lineage is a chain of trials, each with parameters
 * of its own, which is what the database shows.
 *
 * Nobody waits for anybody, and there may be fewer workers than members. What differs from the paper: it
 * compares the latest values, whatever their steps; here Q(k) is compared with Q(k), so that a member is not
 * worse for being slow; and it is judged when it could go on, by when more is known than when it paused. Whom
 * a new member copies is decided by the latest values, as there, of those that pause.
 *
 * Which trial comes from which, and from how many units, is kept with the trials. All else follows from the
 * curves and from (seed, trial number), so a restart needs no state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "core/rng.h"
#include "optimizers/registry.h"
#include "optimizers/rung.h"

struct options {
    int64_t population, interval, max_budget;
    double quantile, resample, grow, shrink;
};

static const struct option pbt_options[] = {
    {.name = "population",
     .type = OPTION_INT,
     .offset = offsetof(struct options, population),
     .min = 2,
     .max = 10000,
     .initial = 10,
     .help = "trials that are trained side by side, by however many workers"},
    {.name = "max_budget",
     .type = OPTION_INT,
     .offset = offsetof(struct options, max_budget),
     .min = 1,
     .max = 1e15,
     .initial = 0,
     .help = "resource units, e.g. epochs, of a whole training; must be given"},
    {.name = "interval",
     .type = OPTION_INT,
     .offset = offsetof(struct options, interval),
     .min = 0,
     .max = 1e15,
     .initial = 0,
     .help = "units between two looks at a member; 0: a tenth of max_budget"},
    {.name = "quantile",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, quantile),
     .min = 0.001,
     .max = 0.5,
     .initial = 0.25,
     .help = "this share of the population is replaced, and as large a one copied"},
    {.name = "resample",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, resample),
     .min = 0,
     .max = 1,
     .initial = 0.25,
     .help = "chance that a parameter is drawn anew instead of perturbed"},
    {.name = "grow",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, grow),
     .min = 1,
     .max = 100,
     .initial = 1.2,
     .help = "a perturbed number is multiplied by this,"},
    {.name = "shrink",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, shrink),
     .min = 0.01,
     .max = 1,
     .initial = 0.8,
     .help = "or by this; discrete values move to a neighbour"},
};

struct member {
    uint64_t trial;
    int64_t budget;
    size_t n_scores;
    double *scores; /* [n_scores] Q(1), Q(2), ...; INFINITY: not finite */
    /* Scores of its origin: until it has one of its own it may have no checkpoint to copy. */
    size_t n_inherited;
    bool is_running, is_dead, has_completed;
    UT_hash_handle hh;
};

struct pbt {
    struct options options;
    uint64_t seed;
    int64_t n_trials; /* limit; 0: none */
    uint64_t n_started;
    size_t n_running, n_population; /* members that are not dead */
    struct member **population;     /* [n_population], in no order */
    size_t capacity;
    struct ranked *ranking; /* [capacity] scratch */
    struct member *members; /* all, by trial: a dead one may be the origin of one that is told later */
};

static void pbt_destroy(void *state)
{
    struct pbt *pbt = state;
    if (!pbt)
        return;
    struct member *member, *next;
    HASH_ITER(hh, pbt->members, member, next)
    {
        HASH_DEL(pbt->members, member);
        free(member->scores);
        free(member);
    }
    free(pbt->population);
    free(pbt->ranking);
    free(pbt);
}

static int check_options(const struct options *options, int64_t n_trials, struct err *err)
{
    if (options->max_budget == 0)
        return err_set(err, ERR_INVALID, "max_budget must be given, e.g. max_budget: 100");
    if (options->interval > options->max_budget)
        return err_set(err, ERR_INVALID, "interval (%jd) is above max_budget (%jd)",
                       (intmax_t)options->interval, (intmax_t)options->max_budget);
    if (floor(options->quantile * (double)options->population) < 1)
        return err_set(err, ERR_INVALID, "a quantile of %g of a population of %jd is nobody",
                       options->quantile, (intmax_t)options->population);
    if (n_trials && n_trials < options->population)
        return err_set(err, ERR_INVALID, "population (%jd) is above limits.trials (%jd)",
                       (intmax_t)options->population, (intmax_t)n_trials);
    return 0;
}

static int pbt_create(void **state, const struct schedule_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    int code = check_options(options, setup->n_trials, err);
    if (code < 0)
        return code;
    struct pbt *pbt = calloc(1, sizeof *pbt);
    if (!pbt)
        return err_set(err, ERR_NOMEM, "out of memory");
    pbt->options = *options;
    if (options->interval == 0)
        pbt->options.interval = options->max_budget >= 10 ? options->max_budget / 10 : 1;
    pbt->seed = rng_mix(setup->seed, UINT64_C(0x706274)); /* "pbt" */
    pbt->n_trials = setup->n_trials;
    *state = pbt;
    return 0;
}

static struct member *find(const struct pbt *pbt, uint64_t trial)
{
    struct member *member;
    HASH_FIND(hh, pbt->members, &trial, sizeof trial, member);
    return member;
}

/* Units used when a member is ready for the k-th time. */
static int64_t ready_units(const struct pbt *pbt, size_t k)
{
    int64_t interval = pbt->options.interval, most = pbt->options.max_budget;
    return (int64_t)k > most / interval ? most : (int64_t)k * interval;
}

/* How often a member with these units has been ready. */
static size_t n_ready(const struct pbt *pbt, int64_t units)
{
    int64_t interval = pbt->options.interval, most = pbt->options.max_budget;
    return units >= most ? (size_t)((most + interval - 1) / interval) : (size_t)(units / interval);
}

/* The next look at a member that has these units. */
static int64_t next_budget(const struct pbt *pbt, int64_t units)
{
    return ready_units(pbt, n_ready(pbt, units) + 1);
}

static bool may_start(const struct pbt *pbt, uint64_t n_more)
{
    return pbt->n_trials == 0 || pbt->n_started + n_more <= (uint64_t)pbt->n_trials;
}

/* Ranking */

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* Is the paused member among the worst of those that have been ready as often? */
static bool is_loser(const struct pbt *pbt, const struct member *member)
{
    size_t k = member->n_scores, n = 0, n_better = 0;
    if (k == 0)
        return false;
    struct ranked own = {member->scores[k - 1], member->trial};
    for (size_t i = 0; i < pbt->n_population; i++) {
        const struct member *other = pbt->population[i];
        if (other->n_scores < k)
            continue;
        n++;
        n_better += compare_ranked(&(struct ranked){other->scores[k - 1], other->trial}, &own) < 0;
    }
    return n_better >= n - (size_t)floor(pbt->options.quantile * (double)n);
}

/* Whose copy a new member is; NULL: nobody has come far enough, or all have come to the end. */
static const struct member *choose_origin(const struct pbt *pbt)
{
    size_t n = 0;
    for (size_t i = 0; i < pbt->n_population; i++) {
        const struct member *member = pbt->population[i];
        /* The checkpoint of one that runs may be past the units that the copy is to have. */
        bool goes_on = member->n_scores > member->n_inherited && !member->is_running &&
                       !member->has_completed &&
                       ready_units(pbt, member->n_scores) < pbt->options.max_budget &&
                       isfinite(member->scores[member->n_scores - 1]);
        if (goes_on)
            pbt->ranking[n++] = (struct ranked){member->scores[member->n_scores - 1], member->trial};
    }
    if (n == 0)
        return NULL;
    qsort(pbt->ranking, n, sizeof *pbt->ranking, compare_ranked);
    size_t top = (size_t)floor(pbt->options.quantile * (double)n);
    struct rng rng;
    rng_init(&rng, pbt->seed, pbt->n_started + 1);
    return find(pbt, pbt->ranking[rng_below(&rng, top ? top : 1)].trial);
}

/* The paused member that has come least far; NULL: none. */
static const struct member *choose_paused(const struct pbt *pbt)
{
    const struct member *chosen = NULL;
    for (size_t i = 0; i < pbt->n_population; i++) {
        const struct member *member = pbt->population[i];
        if (member->is_running || member->has_completed)
            continue;
        if (!chosen || member->budget < chosen->budget ||
            (member->budget == chosen->budget && member->trial < chosen->trial))
            chosen = member;
    }
    return chosen;
}

/* What becomes of a paused member whose turn it is. */
static void plan_paused(struct plan *plan, const struct pbt *pbt, const struct member *member)
{
    /* One that is missing already has the first claim on what the limit leaves. */
    size_t population = (size_t)pbt->options.population;
    size_t n_missing = population > pbt->n_population ? population - pbt->n_population : 0;
    if (may_start(pbt, n_missing + 1) && is_loser(pbt, member))
        *plan = (struct plan){.kind = PLAN_STOP, .trial = member->trial};
    else
        *plan = (struct plan){
            .kind = PLAN_RESUME, .trial = member->trial, .budget = next_budget(pbt, member->budget)};
}

static void pbt_next(struct plan *plan, void *state)
{
    const struct pbt *pbt = state;
    bool is_missing = pbt->n_population < (size_t)pbt->options.population && may_start(pbt, 1);
    const struct member *origin = is_missing ? choose_origin(pbt) : NULL;
    const struct member *paused = choose_paused(pbt);
    /* A population that is not complete yet, or in which nobody has anything to show, grows by itself. */
    bool is_root = is_missing && (pbt->n_started < (uint64_t)pbt->options.population ||
                                  (!origin && !paused && pbt->n_running == 0 && pbt->n_population == 0));
    if (is_root)
        *plan = (struct plan){.kind = PLAN_NEW, .budget = next_budget(pbt, 0)};
    else if (origin)
        *plan = (struct plan){.kind = PLAN_FORK,
                              .trial = origin->trial,
                              .units = ready_units(pbt, origin->n_scores),
                              .budget = next_budget(pbt, ready_units(pbt, origin->n_scores))};
    else if (paused)
        plan_paused(plan, pbt, paused);
    else
        *plan = (struct plan){.kind = pbt->n_running ? PLAN_WAIT : PLAN_DONE};
}

/* Members */

static int add_to_population(struct pbt *pbt, struct member *member)
{
    if (pbt->n_population == pbt->capacity) {
        size_t capacity = pbt->capacity ? 2 * pbt->capacity : 16;
        struct member **population = realloc(pbt->population, capacity * sizeof(struct member *));
        if (!population)
            return ERR_NOMEM;
        pbt->population = population;
        struct ranked *ranking = realloc(pbt->ranking, capacity * sizeof *ranking);
        if (!ranking)
            return ERR_NOMEM;
        pbt->ranking = ranking;
        pbt->capacity = capacity;
    }
    pbt->population[pbt->n_population++] = member;
    return 0;
}

static void remove_from_population(struct pbt *pbt, const struct member *member)
{
    for (size_t i = 0; i < pbt->n_population; i++) {
        if (pbt->population[i] == member)
            pbt->population[i--] = pbt->population[--pbt->n_population];
    }
}

/* A new one; NULL: out of memory. */
static struct member *add_member(struct pbt *pbt, uint64_t trial)
{
    struct member *member = calloc(1, sizeof *member);
    if (!member || add_to_population(pbt, member) < 0) {
        free(member);
        return NULL;
    }
    member->trial = trial;
    HASH_ADD(hh, pbt->members, trial, sizeof member->trial, member);
    if (member->hh.tbl) {
        pbt->n_started++;
        return member;
    }
    remove_from_population(pbt, member);
    free(member);
    return NULL;
}

static int add_score(struct member *member, double value)
{
    double *scores = realloc(member->scores, (member->n_scores + 1) * sizeof *scores);
    if (!scores)
        return ERR_NOMEM;
    member->scores = scores;
    scores[member->n_scores++] = isfinite(value) ? value : INFINITY;
    return 0;
}

/* The new member has had what its origin had, up to there. */
static int pbt_forked(void *state, uint64_t trial, uint64_t origin, int64_t units)
{
    struct pbt *pbt = state;
    if (find(pbt, trial))
        return 0;
    struct member *member = add_member(pbt, trial);
    if (!member)
        return ERR_NOMEM;
    const struct member *model = find(pbt, origin);
    size_t n = model ? n_ready(pbt, units) : 0;
    for (size_t k = 0; k < n && k < model->n_scores; k++) {
        if (add_score(member, model->scores[k]) < 0)
            return ERR_NOMEM;
    }
    member->n_inherited = member->n_scores;
    return 0;
}

static int pbt_started(void *state, uint64_t trial, int64_t budget)
{
    struct pbt *pbt = state;
    struct member *member = find(pbt, trial);
    if (!member)
        member = add_member(pbt, trial);
    if (!member)
        return ERR_NOMEM;
    pbt->n_running += !member->is_running;
    member->is_running = true;
    member->budget = budget;
    return 0;
}

static enum decision pbt_report(void *state, uint64_t trial, int64_t step, double value)
{
    struct pbt *pbt = state;
    struct member *member = find(pbt, trial);
    if (!member || !member->is_running)
        return DECISION_CONTINUE;
    int64_t units = rung_units(step);
    size_t k = n_ready(pbt, units);
    while (member->n_scores < k) {
        if (add_score(member, value) < 0)
            return DECISION_CONTINUE; /* out of memory: the trial merely runs on */
    }
    bool goes_on = units < member->budget || member->budget >= pbt->options.max_budget;
    return goes_on ? DECISION_CONTINUE : DECISION_PAUSE;
}

static int pbt_ended(void *state, uint64_t trial, enum trial_state end, int64_t step, double value)
{
    (void)step;
    struct pbt *pbt = state;
    struct member *member = find(pbt, trial);
    if (!member || member->is_dead)
        return 0;
    pbt->n_running -= member->is_running;
    member->is_running = false;
    if (end == TRIAL_PAUSED)
        return 0;
    if (end == TRIAL_COMPLETED) { /* its place stays its own: the lineage has come to its end */
        member->has_completed = true;
        return member->n_scores ? 0 : add_score(member, value);
    }
    member->is_dead = true;
    remove_from_population(pbt, member);
    return 0;
}

/* Exploring */

/* The neighbour of a value that is one of finitely many, in the direction of a factor. */
static double neighbour(const struct param *param, double value, double factor)
{
    uint64_t k = param_index(param, value), last = (uint64_t)param_cardinality(param) - 1;
    bool is_up = (factor > 1) == (value >= 0 || param->n_choices > 0);
    if (is_up ? k < last : k > 0)
        k = is_up ? k + 1 : k - 1;
    return param_value(param, k);
}

static double perturb(const struct param *param, double value, double factor)
{
    if (param->type == PARAM_CATEGORICAL)
        return value; /* has no neighbours: it is explored by being drawn anew */
    if (param->type == PARAM_DISCRETE)
        return neighbour(param, value, factor);
    double moved = fmin(fmax(value * factor, param->min), param->max);
    if (isinf(param_cardinality(param)))
        return moved == value && value == 0 ? NAN : moved; /* no factor moves 0: it is drawn anew */
    moved = param_value(param, param_index(param, moved));
    return moved == value ? neighbour(param, value, factor) : moved;
}

static int pbt_explore(double *point, const void *state, const struct space *space, const double *origin,
                       uint64_t trial)
{
    const struct pbt *pbt = state;
    double *fill = calloc(space->n_dims + 1, sizeof *fill);
    if (!fill)
        return ERR_NOMEM;
    struct rng rng;
    rng_init(&rng, rng_mix(pbt->seed, 1), trial);
    for (size_t i = 0; i < space->n_dims; i++)
        fill[i] = rng_uniform(&rng);
    for (size_t i = 0; i < space->n_params; i++) {
        double is_drawn = rng_uniform(&rng),
               factor = rng_uniform(&rng) < 0.5 ? pbt->options.grow : pbt->options.shrink;
        point[i] = origin[i];
        if (space->params[i].type == PARAM_CONSTANT || isnan(origin[i]))
            continue;
        point[i] =
            is_drawn < pbt->options.resample ? (double)NAN : perturb(&space->params[i], origin[i], factor);
    }
    space_settle(point, space, fill);
    free(fill);
    return 0;
}

const struct schedule_type schedule_pbt = {
    .name = "pbt",
    .summary = "trains a population; the worst go on from copies of the best, with perturbed parameters",
    .paper = "Jaderberg et al. 2017, Population based training of neural networks, arXiv 1711.09846",
    .options = pbt_options,
    .n_options = sizeof pbt_options / sizeof *pbt_options,
    .options_size = sizeof(struct options),
    .create = pbt_create,
    .destroy = pbt_destroy,
    .next = pbt_next,
    .started = pbt_started,
    .forked = pbt_forked,
    .explore = pbt_explore,
    .report = pbt_report,
    .ended = pbt_ended,
};
