/* Grid: every combination of a few values a parameter, each once.
 *
 * The values of a parameter (its levels):
 *   discrete, categorical, constant   all
 *   int, double with step             all if they are no more than `count`, else `count` of them, ends
 * included, evenly spread on the parameter's scale (fewer where neighbours fall together) double `count` of
 * them, ends included, evenly spread on the parameter's scale with a count of 1                 the default,
 * or the middle of the range
 *
 * Conditions are respected: a parameter that is inactive multiplies nothing (optimizers/lattice.h, also for
 * the order). Point k belongs to trial k + 1 and is computed from k alone, so a grid of 10^18 points costs
 * nothing until it is walked, and a restart needs no state. `order: shuffled` walks the grid by a permutation
 * that depends on the seed, for grids that are longer than the patience of whoever runs them: what has been
 * tried is then spread over all of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "optimizers/lattice.h"
#include "optimizers/registry.h"

enum order { ORDER_NESTED, ORDER_SHUFFLED };

struct options {
    int64_t count;
    int order;
};

#define MAX_COUNT 1000000

static const struct option grid_options[] = {
    {.name = "count",
     .type = OPTION_INT,
     .offset = offsetof(struct options, count),
     .min = 1,
     .max = MAX_COUNT,
     .initial = 5,
     .help = "values of a numeric range, its ends included"},
    {.name = "counts",
     .type = OPTION_INT,
     .min = 1,
     .max = MAX_COUNT,
     .help = "the same for one parameter, e.g. counts: {lr: 7}",
     .per_param = true},
    {.name = "order",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct options, order),
     .choices = "nested|shuffled",
     .initial = ORDER_NESTED,
     .help = "nested: as loops in the order of the file, the last parameter fastest; shuffled: by the seed"},
};

struct grid {
    struct levels *levels; /* [n_params] */
    size_t n_params;
    struct lattice *lattice;
    enum order order;
    uint64_t seed;
};

static void grid_destroy(void *state)
{
    struct grid *grid = state;
    if (!grid)
        return;
    lattice_destroy(grid->lattice);
    for (size_t i = 0; grid->levels && i < grid->n_params; i++)
        free((void *)(uintptr_t)grid->levels[i].values); /* ours; const for those who read */
    free(grid->levels);
    free(grid);
}

static bool is_range(const struct param *param)
{
    return param->type == PARAM_DOUBLE || param->type == PARAM_INT;
}

/* Level j of n, n > 1: of a range with steps the nearest value to the place that is evenly spread. */
static double spread(const struct param *param, uint64_t j, uint64_t n)
{
    double u = (double)j / (double)(n - 1);
    double cardinality = param_cardinality(param);
    if (isinf(cardinality))
        return param_from_unit(param, u);
    if (param->scale == SCALE_LOG)
        return param_value(param, param_index(param, exp((1 - u) * log(param->min) + u * log(param->max))));
    return param_value(param, (uint64_t)nearbyint(u * (cardinality - 1)));
}

/* The levels of a range of more than `count` values. */
static int make_levels(struct levels *levels, const struct param *param, uint64_t count)
{
    double *values = malloc(count * sizeof *values);
    if (!values)
        return ERR_NOMEM;
    levels->values = values;
    levels->n = 0;
    if (count == 1)
        values[levels->n++] = isnan(param->initial) ? param_from_unit(param, 0.5) : param->initial;
    for (uint64_t j = 0; count > 1 && j < count; j++) {
        double value = spread(param, j, count);
        if (levels->n == 0 || values[levels->n - 1] < value)
            values[levels->n++] = value;
    }
    return 0;
}

/* The count of one parameter: its own or the common one. */
static int read_count(uint64_t *count, const struct search_setup *setup, const struct param *param,
                      struct err *err)
{
    char key[160];
    (void)snprintf(key, sizeof key, "counts.%s", param->name); /* a name has at most 128 characters */
    const char *text = plugin_setting(setup->plugin, key);
    *count = (uint64_t)((const struct options *)setup->options)->count;
    if (!text)
        return 0;
    if (!is_range(param))
        return err_set(err, ERR_INVALID, "%s: all values of '%s' are tried; only a range has a count", key,
                       param->name);
    double value;
    if (number_read(&value, text) == NUMBER_NONE || !(value >= 1 && value <= MAX_COUNT) ||
        value != trunc(value))
        return err_set(err, ERR_INVALID, "%s must be an integer from 1 to %d, not '%s'", key, MAX_COUNT,
                       text);
    *count = (uint64_t)value;
    return 0;
}

static int fill_levels(struct grid *grid, const struct search_setup *setup, struct err *err)
{
    for (size_t i = 0; i < setup->space->n_params; i++) {
        const struct param *param = &setup->space->params[i];
        uint64_t count;
        int code = read_count(&count, setup, param, err);
        if (code < 0)
            return code;
        if (!is_range(param) || param_cardinality(param) <= (double)count)
            grid->levels[i].n = (uint64_t)param_cardinality(param);
        else if (make_levels(&grid->levels[i], param, count) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

static int grid_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct grid *grid = calloc(1, sizeof *grid);
    if (grid)
        grid->levels = calloc(setup->space->n_params + 1, sizeof *grid->levels);
    int code = grid && grid->levels ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (code == 0) {
        grid->n_params = setup->space->n_params;
        grid->order = (enum order)((const struct options *)setup->options)->order;
        grid->seed = setup->seed;
        code = fill_levels(grid, setup, err);
    }
    if (code == 0)
        code = lattice_create(&grid->lattice, setup->space, grid->levels, err);
    if (code < 0) {
        grid_destroy(grid);
        return code;
    }
    *state = grid;
    return 0;
}

static int grid_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)again;
    const struct grid *grid = state;
    uint64_t k = trial - 1, n = lattice_size(grid->lattice);
    if (k >= n)
        return err_set(err, ERR_EXHAUSTED, "all %ju points of the grid have been tried", (uintmax_t)n);
    lattice_point(point, grid->lattice,
                  grid->order == ORDER_SHUFFLED ? lattice_permute(k, n, grid->seed) : k);
    return 0;
}

const struct search_type search_grid = {
    .name = "grid",
    .summary = "every combination of a few values of each parameter",
    .paper = "",
    .options = grid_options,
    .n_options = sizeof grid_options / sizeof *grid_options,
    .options_size = sizeof(struct options),
    .exhaustive = true,
    .create = grid_create,
    .destroy = grid_destroy,
    .suggest = grid_suggest,
};
