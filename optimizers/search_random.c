/* Random search: every coordinate of the unit cube uniform and independent (Bergstra & Bengio 2012, "Random
 * search for hyper-parameter optimization", JMLR 13). Trial k draws from stream k of the seed, so its point
 * does not depend on any other trial; a refused one from a stream of (k, refusals). */
#include <stdlib.h>

#include "core/rng.h"
#include "optimizers/registry.h"

struct random {
    const struct space *space;
    uint64_t seed;
    double *unit; /* [n_dims] scratch */
};

static void random_destroy(void *state)
{
    struct random *search = state;
    if (!search)
        return;
    free(search->unit);
    free(search);
}

static int random_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct random *search = calloc(1, sizeof *search);
    if (search)
        search->unit = calloc(setup->space->n_dims + 1, sizeof *search->unit);
    if (!search || !search->unit) {
        random_destroy(search);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    search->space = setup->space;
    search->seed = setup->seed;
    *state = search;
    return 0;
}

static int random_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)err;
    struct random *search = state;
    struct rng rng;
    rng_init(&rng, search->seed, again ? rng_mix(trial, again) : trial);
    for (size_t i = 0; i < search->space->n_dims; i++)
        search->unit[i] = rng_uniform(&rng);
    space_from_unit(point, search->space, search->unit);
    return 0;
}

const struct search_type search_random = {
    .name = "random",
    .summary = "uniform and independent points, on the scale of each parameter; never the same one twice",
    .paper = "Bergstra & Bengio 2012, Random search for hyper-parameter optimization, JMLR 13",
    .create = random_create,
    .destroy = random_destroy,
    .suggest = random_suggest,
};
