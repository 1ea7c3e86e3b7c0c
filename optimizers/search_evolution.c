/* Evolution for big discrete spaces, mixed with differential evolution for numbers: a steady state, in which
 * every result takes its place among the `population` best at once, so any number of workers keep it busy.
 *
 *   parents        two of the best `population`, each the better of two draws (tournament)
 *   crossover      with a chance of 1/2 every parameter is the first or the second parent's
 *   mutation       one parameter at least, one on average: of a category another one; of a number
 *                  x + F (y - z), y and z the values of two others of the population, F uniform in [1/2, 1]
 *                  (Storn & Price 1997, "Differential evolution", J. Global Optim. 11), or, with a chance of
 *                  1/4 or where these are equal, any value
 *
 * Real et al. 2019, "Regularized evolution for image classifier architecture search", is the model;
 * deviation: the worst leaves the population and not the oldest, as a point that is never evaluated twice
 * gains nothing from its age. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/history.h"
#include "optimizers/registry.h"

struct options {
    int64_t population;
};

static const struct option evolution_options[] = {
    {.name = "population",
     .type = OPTION_INT,
     .offset = offsetof(struct options, population),
     .min = 4,
     .max = 100000,
     .initial = 20,
     .help = "the best so many trials have offspring; random ones until there are so many with a value"},
};

struct evolution {
    const struct space *space;
    size_t population;
    uint64_t seed;
    struct history history;
    uint32_t *best; /* [population] records, of this suggestion */
    size_t n_best;
    double *unit; /* [n_dims] */
};

static void evolution_destroy(void *state)
{
    struct evolution *evolution = state;
    if (!evolution)
        return;
    history_fini(&evolution->history);
    free(evolution->best);
    free(evolution->unit);
    free(evolution);
}

static int evolution_create(void **state, const struct search_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    struct evolution *evolution = calloc(1, sizeof *evolution);
    if (evolution) {
        evolution->space = setup->space;
        evolution->seed = setup->seed;
        evolution->population = (size_t)options->population;
        evolution->best = calloc(evolution->population, sizeof *evolution->best);
        evolution->unit = calloc(setup->space->n_dims + 1, sizeof *evolution->unit);
    }
    if (!evolution || !evolution->best || !evolution->unit ||
        history_init(&evolution->history, setup->space) < 0) {
        evolution_destroy(evolution);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *state = evolution;
    return 0;
}

static int evolution_observe(void *state, const struct observation *observation)
{
    struct evolution *evolution = state;
    return history_observe(&evolution->history, observation);
}

static const double *any_member(const struct evolution *evolution, struct rng *rng)
{
    return history_unit(&evolution->history, evolution->best[rng_below(rng, evolution->n_best)]);
}

/* The better of two draws: the lower rank. */
static const double *draw_parent(const struct evolution *evolution, struct rng *rng)
{
    uint64_t a = rng_below(rng, evolution->n_best), b = rng_below(rng, evolution->n_best);
    return history_unit(&evolution->history, evolution->best[a < b ? a : b]);
}

static const struct param *param_of(const struct evolution *evolution, size_t dim)
{
    return &evolution->space->params[evolution->space->dim_param[dim]];
}

/* In the unit cube, what history has as an index too. */
static double to_unit(const struct evolution *evolution, size_t dim, double value)
{
    const struct param *param = param_of(evolution, dim);
    return param->type == PARAM_CATEGORICAL && value == trunc(value) ? param_to_unit(param, value) : value;
}

static void mutate(struct evolution *evolution, size_t dim, struct rng *rng)
{
    const double y = any_member(evolution, rng)[dim], z = any_member(evolution, rng)[dim];
    double factor = (1 + rng_uniform(rng)) / 2, any = rng_uniform(rng);
    bool is_free = param_of(evolution, dim)->type == PARAM_CATEGORICAL || rng_below(rng, 4) == 0 || y == z;
    double moved = fabs(remainder(evolution->unit[dim] + factor * (y - z), 2)); /* mirrored into [0, 1] */
    evolution->unit[dim] = is_free ? any : moved;
}

/* A child; `again` more parameters are mutated where earlier ones were refused. */
static void breed(struct evolution *evolution, unsigned again, struct rng *rng)
{
    size_t n_dims = evolution->space->n_dims;
    const double *first = draw_parent(evolution, rng), *second = draw_parent(evolution, rng);
    bool crosses = rng_below(rng, 2) == 0;
    for (size_t j = 0; j < n_dims; j++) {
        const double *parent = crosses && rng_below(rng, 2) ? second : first;
        evolution->unit[j] = to_unit(evolution, j, parent[j]);
    }
    size_t certain = rng_below(rng, n_dims);
    for (size_t j = 0; j < n_dims; j++) {
        if (j == certain || rng_uniform(rng) * (double)n_dims < again)
            mutate(evolution, j, rng);
    }
}

static int evolution_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)err;
    struct evolution *evolution = state;
    struct rng rng;
    rng_init(&rng, evolution->seed, again ? rng_mix(trial, again) : trial);
    for (size_t j = 0; j < evolution->space->n_dims; j++)
        evolution->unit[j] = rng_uniform(&rng);
    if (evolution->space->n_dims > 0 && evolution->history.n_valued >= evolution->population) {
        evolution->n_best = history_best(evolution->best, &evolution->history,
                                         history_all(&evolution->history), 0, evolution->population);
        if (evolution->n_best > 0)
            breed(evolution, again, &rng);
    }
    space_from_unit(point, evolution->space, evolution->unit);
    return 0;
}

const struct search_type search_evolution = {
    .name = "evolution",
    .summary = "offspring of the best trials, by crossover and mutation; for big spaces of categories",
    .paper = "Real et al. 2019, Regularized evolution; Storn & Price 1997, Differential evolution",
    .options = evolution_options,
    .n_options = sizeof evolution_options / sizeof *evolution_options,
    .options_size = sizeof(struct options),
    .learns = true,
    .create = evolution_create,
    .destroy = evolution_destroy,
    .suggest = evolution_suggest,
    .observe = evolution_observe,
};
