/* The maximum of the acquisition function. */
#include "optimizers/gp_optimum.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <gsl/gsl_qrng.h>

#include "core/err.h"

enum {
    MAX_SOBOL = 40, /* coordinates that GSL's sequence has; the others are random */
    BATCH = 64,     /* points that are evaluated together */
    N_EVEN = 512,   /* candidates spread evenly */
    N_NEAR = 256,   /* candidates around the best trials */
    N_SPREAD_STARTS =
        3,          /* of the starts: the best of those spread evenly; the others are the best of the near */
    MAX_CLIMB = 30, /* evaluations of one climb */
    MAX_MOVES = 8,  /* single changes in a row */
    MAX_TURNS = 2,  /* of climbing and moving */
    FEW_VALUES = 16 /* all of them are tried in a move */
};

#define CLIMB_TOLERANCE 1e-7

/* The first points of Sobol's sequence; each search moves them by random amounts, modulo 1. GSL's allocation
 * would abort without memory. */
static int fill_even(struct gp_optimum *optimum)
{
    size_t n_dims = optimum->features->space->n_dims;
    unsigned n_sobol = n_dims < MAX_SOBOL ? (unsigned)n_dims : MAX_SOBOL;
    if (n_sobol == 0)
        return 0;
    gsl_qrng walker = {.type = gsl_qrng_sobol, .dimension = n_sobol};
    walker.state_size = walker.type->state_size(n_sobol);
    walker.state = calloc(1, walker.state_size);
    if (!walker.state)
        return ERR_NOMEM;
    gsl_qrng_init(&walker);
    for (size_t i = 0; i < N_EVEN; i++)
        (void)gsl_qrng_get(&walker, &optimum->even[i * n_dims]); /* fails after 2^30 points */
    free(walker.state);
    return 0;
}

static int init_starts(struct gp_optimum *optimum)
{
    size_t n_dims = optimum->features->space->n_dims;
    for (size_t i = 0; i < GP_N_STARTS; i++) {
        optimum->starts[i].unit = calloc(n_dims + 1, sizeof *optimum->starts[i].unit);
        optimum->moving[i] = calloc(n_dims + 1, sizeof *optimum->moving[i]);
        if (!optimum->starts[i].unit || !optimum->moving[i] || lbfgs_init(&optimum->climbers[i], n_dims) < 0)
            return ERR_NOMEM;
    }
    return 0;
}

int gp_optimum_init(struct gp_optimum *optimum, const struct gp_features *features)
{
    const struct space *space = features->space;
    size_t n_dims = space->n_dims, n_features = features->n;
    size_t size =
        (N_EVEN + BATCH + 1) * n_dims + space->n_params + (BATCH + 2 * GP_N_STARTS) * n_features + 3 * BATCH;
    *optimum = (struct gp_optimum){.features = features, .even = calloc(size, sizeof *optimum->even)};
    if (!optimum->even || init_starts(optimum) < 0 || fill_even(optimum) < 0) {
        gp_optimum_fini(optimum);
        return ERR_NOMEM;
    }
    optimum->units = optimum->even + N_EVEN * n_dims;
    optimum->gradient = optimum->units + BATCH * n_dims;
    optimum->point = optimum->gradient + n_dims;
    optimum->scaled = optimum->point + space->n_params;
    optimum->mean_gradients = optimum->scaled + BATCH * n_features;
    optimum->variance_gradients = optimum->mean_gradients + GP_N_STARTS * n_features;
    optimum->means = optimum->variance_gradients + GP_N_STARTS * n_features;
    optimum->variances = optimum->means + BATCH;
    optimum->scores = optimum->variances + BATCH;
    return 0;
}

void gp_optimum_fini(struct gp_optimum *optimum)
{
    for (size_t i = 0; i < GP_N_STARTS; i++) {
        free(optimum->starts[i].unit);
        free(optimum->moving[i]);
        lbfgs_fini(&optimum->climbers[i]);
    }
    free(optimum->even); /* the block */
    free(optimum->cross);
    *optimum = (struct gp_optimum){0};
}

static const struct param *param_of(const struct gp_optimum *optimum, size_t dim)
{
    const struct space *space = optimum->features->space;
    return &space->params[space->dim_param[dim]];
}

static double *unit_at(const struct gp_optimum *optimum, size_t i)
{
    return &optimum->units[i * optimum->features->space->n_dims];
}

/* The point of a unit, in optimum->point, and its features. */
static void encode(struct gp_optimum *optimum, double *scaled, const double *unit)
{
    space_from_unit(optimum->point, optimum->features->space, unit);
    gp_features_encode(scaled, optimum->features, optimum->point, 1);
    gp_posterior_scale(scaled, optimum->posterior, scaled);
}

static struct gp_promise judge(const struct gp_optimum *optimum, size_t i)
{
    if (optimum->acquisition == GP_UCB)
        return gp_ucb(optimum->means[i], optimum->variances[i], optimum->kappa);
    return gp_log_ei(optimum->means[i], optimum->variances[i], optimum->best);
}

/* Scores of the first m points of optimum->units; -INFINITY of those that were tried. */
static void evaluate(struct gp_optimum *optimum, size_t m)
{
    const struct gp_features *features = optimum->features;
    for (size_t i = 0; i < m; i++) {
        encode(optimum, &optimum->scaled[i * features->n], unit_at(optimum, i));
        bool tried = keyset_has(optimum->tried, space_hash(features->space, optimum->point));
        optimum->scores[i] = tried ? -INFINITY : 0;
    }
    gp_posterior_predict(optimum->means, optimum->variances, optimum->posterior, optimum->scaled, m,
                         optimum->cross);
    for (size_t i = 0; i < m; i++) {
        if (!isinf(optimum->scores[i]))
            optimum->scores[i] = judge(optimum, i).score;
    }
}

/* Takes a point in place of the least of `starts` if it is better, and not there yet. */
static void offer(struct gp_candidate *starts, size_t n, const double *unit, double score, size_t n_dims)
{
    size_t least = 0;
    for (size_t i = 0; i < n; i++) {
        if (starts[i].score == score && memcmp(starts[i].unit, unit, n_dims * sizeof *unit) == 0)
            return;
        least = starts[i].score < starts[least].score ? i : least;
    }
    if (!(score > starts[least].score))
        return;
    starts[least].score = score;
    memcpy(starts[least].unit, unit, n_dims * sizeof *unit);
}

static void offer_all(struct gp_optimum *optimum, size_t m, size_t first, size_t last)
{
    evaluate(optimum, m);
    for (size_t i = 0; i < m; i++)
        offer(&optimum->starts[first], last - first, unit_at(optimum, i), optimum->scores[i],
              optimum->features->space->n_dims);
}

static void make_even(double *unit, const struct gp_optimum *optimum, size_t i, const double *shift,
                      struct rng *rng)
{
    size_t n_dims = optimum->features->space->n_dims;
    for (size_t j = 0; j < n_dims; j++) {
        double u = optimum->even[i * n_dims + j] + shift[j];
        unit[j] = j < MAX_SOBOL ? u - floor(u) : rng_uniform(rng);
    }
}

/* Another value of a coordinate, not far from this one: `reach` in the unit cube for numbers, any for a
 * category. */
static double disturb(const struct param *param, double u, double reach, struct rng *rng)
{
    if (param->type == PARAM_CATEGORICAL)
        return rng_uniform(rng);
    double moved = u + reach * rng_normal(rng), n_values = param_cardinality(param);
    if (n_values < 1 / reach) /* at least to the next one */
        moved = u + copysign(fmax(fabs(moved - u), 1.01 / n_values), moved - u);
    moved = fabs(moved); /* reflected at the edges */
    moved = moved > 1 ? 2 - moved : moved;
    return moved > 0 ? moved : 0;
}

/* A point around one of the best trials, at a distance of any order of magnitude; some of the coordinates
 * differ, at least one. */
static void make_near(double *unit, const struct gp_optimum *optimum, const struct gp_incumbents *incumbents,
                      struct rng *rng)
{
    size_t n_dims = optimum->features->space->n_dims;
    size_t which = (size_t)rng_below(rng, rng_below(rng, incumbents->n) + 1); /* the better the more often */
    double reach = 0.5 * pow(10, -3 * rng_uniform(rng));
    double share = pow((double)n_dims, -rng_uniform(rng));
    size_t always = (size_t)rng_below(rng, n_dims);
    for (size_t j = 0; j < n_dims; j++) {
        double u = incumbents->units[which][j];
        bool moves = j == always || rng_uniform(rng) < share;
        unit[j] = moves ? disturb(param_of(optimum, j), u, reach, rng) : u;
    }
}

/* The starts: the best of many candidates. */
static void choose_starts(struct gp_optimum *optimum, const struct gp_incumbents *incumbents, struct rng *rng)
{
    size_t n_dims = optimum->features->space->n_dims;
    double *shift = optimum->gradient;
    for (size_t i = 0; i < GP_N_STARTS; i++)
        optimum->starts[i].score = -INFINITY;
    for (size_t j = 0; j < n_dims; j++)
        shift[j] = rng_uniform(rng);
    for (size_t i = 0; i < N_EVEN; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++)
            make_even(unit_at(optimum, k), optimum, i + k, shift, rng);
        offer_all(optimum, BATCH, 0, N_SPREAD_STARTS);
    }
    for (size_t i = 0; i < N_NEAR && incumbents->n > 0; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++)
            make_near(unit_at(optimum, k), optimum, incumbents, rng);
        offer_all(optimum, BATCH, N_SPREAD_STARTS, GP_N_STARTS);
    }
}

/* Climbs */

/* Prepares climber i; false: none of its coordinates can be moved by a gradient. */
static bool begin_climb(struct gp_optimum *optimum, size_t i)
{
    const struct space *space = optimum->features->space;
    struct gp_candidate *start = &optimum->starts[i];
    struct lbfgs *climber = &optimum->climbers[i];
    size_t n = 0;
    if (isinf(start->score))
        return false;
    space_from_unit(optimum->point, space, start->unit);
    for (size_t j = 0; j < space->n_dims; j++) {
        if (!optimum->features->dims[j].is_continuous || isnan(optimum->point[space->dim_param[j]]))
            continue;
        climber->lower[n] = 0;
        climber->upper[n] = 1;
        climber->next[n] = start->unit[j];
        optimum->moving[i][n++] = j;
    }
    if (n > 0)
        lbfgs_begin(climber, n, CLIMB_TOLERANCE, 0.05);
    return n > 0;
}

/* The features of where climber i wants to look: coordinates are taken as they are, not rounded. */
static void encode_climber(struct gp_optimum *optimum, double *scaled, size_t i)
{
    const struct lbfgs *climber = &optimum->climbers[i];
    double *unit = unit_at(optimum, 0);
    memcpy(unit, optimum->starts[i].unit, optimum->features->space->n_dims * sizeof *unit);
    for (size_t k = 0; k < climber->n; k++)
        unit[optimum->moving[i][k]] = climber->next[k];
    encode(optimum, scaled, unit);
    for (size_t k = 0; k < climber->n; k++) {
        const struct gp_dim *dim = &optimum->features->dims[optimum->moving[i][k]];
        size_t scale = optimum->features->list[dim->feature].scale;
        scaled[dim->feature] =
            (climber->next[k] - dim->low) / dim->range / optimum->posterior->hyper->lengthscales[scale];
    }
}

/* Tells climber i, whose features are the k-th of the batch. */
static bool tell_climber(struct gp_optimum *optimum, size_t i, size_t k)
{
    struct gp_promise promise = judge(optimum, k);
    size_t n_features = optimum->features->n;
    for (size_t j = 0; j < optimum->climbers[i].n; j++) {
        const struct gp_dim *dim = &optimum->features->dims[optimum->moving[i][j]];
        size_t at = k * n_features + dim->feature;
        optimum->gradient[j] = -(promise.by_mean * optimum->mean_gradients[at] +
                                 promise.by_variance * optimum->variance_gradients[at]) /
                               dim->range;
    }
    return lbfgs_tell(&optimum->climbers[i], -promise.score, optimum->gradient);
}

/* All starts that can, side by side. */
static void climb(struct gp_optimum *optimum)
{
    size_t active[GP_N_STARTS], n_active = 0, n_dims = optimum->features->space->n_dims;
    bool climbs[GP_N_STARTS];
    for (size_t i = 0; i < GP_N_STARTS; i++) {
        climbs[i] = begin_climb(optimum, i);
        if (climbs[i])
            active[n_active++] = i;
    }
    for (int round = 0; round < MAX_CLIMB && n_active > 0; round++) {
        size_t n_left = 0;
        for (size_t k = 0; k < n_active; k++)
            encode_climber(optimum, &optimum->scaled[k * optimum->features->n], active[k]);
        gp_posterior_predict(optimum->means, optimum->variances, optimum->posterior, optimum->scaled,
                             n_active, optimum->cross);
        gp_posterior_gradients(optimum->mean_gradients, optimum->variance_gradients, optimum->posterior,
                               optimum->scaled, n_active, optimum->cross);
        for (size_t k = 0; k < n_active; k++) {
            if (tell_climber(optimum, active[k], k))
                active[n_left++] = active[k];
        }
        n_active = n_left;
    }
    for (size_t i = 0; i < GP_N_STARTS; i++) {
        double *unit = unit_at(optimum, 0);
        memcpy(unit, optimum->starts[i].unit, n_dims * sizeof *unit);
        for (size_t k = 0; climbs[i] && k < optimum->climbers[i].n; k++)
            unit[optimum->moving[i][k]] = optimum->climbers[i].x[k];
        if (!climbs[i] || isinf(optimum->climbers[i].f))
            continue;
        evaluate(optimum, 1);
        offer(&optimum->starts[i], 1, unit, optimum->scores[0], n_dims);
    }
}

/* Single changes */

/* The k-th other value to try for an index among n; false: there are no more. */
static bool other_index(double *index, const struct param *param, double at, double n, size_t k,
                        struct rng *rng)
{
    if (n <= FEW_VALUES) {
        *index = k < at ? (double)k : (double)k + 1;
        return *index < n;
    }
    if (param->type == PARAM_CATEGORICAL) {
        *index = (double)rng_below(rng, (uint64_t)n);
        return k < FEW_VALUES;
    }
    *index = at + ldexp(k % 2 ? -1 : 1, (int)(k / 2)); /* 1, 2, 4, ... up and down */
    *index = *index < 0 ? 0 : *index < n ? *index : n - 1;
    return k < FEW_VALUES;
}

struct move {
    double best; /* score of the best change so far */
    size_t n;    /* in the batch */
};

static bool flush(struct gp_optimum *optimum, struct move *move, double *best_unit)
{
    size_t n_dims = optimum->features->space->n_dims;
    bool better = false;
    evaluate(optimum, move->n);
    for (size_t i = 0; i < move->n; i++) {
        if (!(optimum->scores[i] > move->best))
            continue;
        move->best = optimum->scores[i];
        memcpy(best_unit, unit_at(optimum, i), n_dims * sizeof *best_unit);
        better = true;
    }
    move->n = 0;
    return better;
}

/* Moves a start to the best of its neighbours, which differ in one parameter; false: none is better. */
static bool move_once(struct gp_optimum *optimum, struct gp_candidate *start, struct rng *rng)
{
    const struct space *space = optimum->features->space;
    struct move move = {.best = start->score};
    double *best_unit = optimum->gradient;
    bool better = false;
    for (size_t j = 0; j < space->n_dims; j++) {
        const struct param *param = param_of(optimum, j);
        double n = param_cardinality(param), index;
        space_from_unit(optimum->point, space, start->unit);
        double value = optimum->point[space->dim_param[j]];
        if (isinf(n) || n <= 1 || isnan(value))
            continue;
        double at = (double)param_index(param, value);
        for (size_t k = 0; other_index(&index, param, at, n, k, rng); k++) {
            double *unit = unit_at(optimum, move.n++);
            memcpy(unit, start->unit, space->n_dims * sizeof *unit);
            unit[j] = param_to_unit(param, param_value(param, (uint64_t)index));
            if (move.n == BATCH)
                better = flush(optimum, &move, best_unit) || better;
        }
    }
    if (move.n > 0)
        better = flush(optimum, &move, best_unit) || better;
    if (better) {
        start->score = move.best;
        memcpy(start->unit, best_unit, space->n_dims * sizeof *best_unit);
    }
    return better;
}

/* True if any start was moved. */
static bool move_all(struct gp_optimum *optimum, struct rng *rng)
{
    bool any = false;
    for (size_t i = 0; i < GP_N_STARTS; i++) {
        if (isinf(optimum->starts[i].score))
            continue;
        for (int k = 0; k < MAX_MOVES && move_once(optimum, &optimum->starts[i], rng); k++)
            any = true;
    }
    return any;
}

/* Thompson sampling */

/* A candidate that was not tried, with its features; false: it was. */
static bool make_drawn(double *unit, double *z, struct gp_optimum *optimum, size_t i,
                       const struct gp_incumbents *incumbents, struct rng *rng)
{
    const struct space *space = optimum->features->space;
    if (i < N_EVEN && (i % 2 || incumbents->n == 0))
        make_even(unit, optimum, i, optimum->gradient, rng);
    else
        make_near(unit, optimum, incumbents, rng);
    space_from_unit(optimum->point, space, unit);
    gp_features_encode(z, optimum->features, optimum->point, 1);
    return !keyset_has(optimum->tried, space_hash(space, optimum->point));
}

/* One function is drawn from the posterior, at some candidates, and the one where it is least is taken. As
 * points without noise are added to the posterior, their part of the factor is that of their covariance. */
static int draw(double *unit, bool *found, struct gp_optimum *optimum, const struct gp_incumbents *incumbents,
                struct rng *rng)
{
    struct gp_posterior *posterior = optimum->posterior;
    size_t n_dims = optimum->features->space->n_dims, n_features = optimum->features->n, m = 0;
    double *units = malloc(GP_N_DRAWN * (n_dims + n_features + 2) * sizeof *units), least = INFINITY;
    if (!units)
        return ERR_NOMEM;
    double *z = units + GP_N_DRAWN * n_dims, *means = z + GP_N_DRAWN * n_features;
    double *normals = means + GP_N_DRAWN;
    for (size_t j = 0; j < n_dims; j++)
        optimum->gradient[j] = rng_uniform(rng); /* the shift of the even ones */
    for (size_t i = 0; i < N_EVEN && m < GP_N_DRAWN; i++)
        m += make_drawn(&units[m * n_dims], &z[m * n_features], optimum, i, incumbents, rng);
    gp_posterior_means(means, posterior, z, m);
    size_t n = posterior->n, stride = posterior->capacity;
    gp_posterior_add_exact(posterior, z, m);
    for (size_t i = 0; i < m; i++) {
        normals[i] = rng_normal(rng);
        double value =
            means[i] + cblas_ddot((int)i + 1, &posterior->factor[(n + i) * stride + n], 1, normals, 1);
        if (value < least)
            memcpy(unit, &units[i * n_dims], n_dims * sizeof *unit);
        least = fmin(least, value);
    }
    *found = m > 0;
    free(units);
    return 0;
}

static int reserve(struct gp_optimum *optimum, size_t capacity)
{
    if (capacity <= optimum->capacity)
        return 0;
    free(optimum->cross);
    optimum->capacity = 0;
    optimum->cross = malloc(BATCH * capacity * sizeof *optimum->cross);
    if (!optimum->cross)
        return ERR_NOMEM;
    optimum->capacity = capacity;
    return 0;
}

int gp_optimum_find(double *unit, bool *found, struct gp_optimum *optimum, struct gp_posterior *posterior,
                    const struct gp_incumbents *incumbents, struct rng *rng)
{
    size_t best = 0;
    optimum->posterior = posterior;
    if (reserve(optimum, posterior->capacity) < 0)
        return ERR_NOMEM;
    if (optimum->acquisition == GP_THOMPSON)
        return draw(unit, found, optimum, incumbents, rng);
    choose_starts(optimum, incumbents, rng);
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        climb(optimum);
        if (!move_all(optimum, rng))
            break;
    }
    for (size_t i = 1; i < GP_N_STARTS; i++)
        best = optimum->starts[i].score > optimum->starts[best].score ? i : best;
    *found = !isinf(optimum->starts[best].score);
    memcpy(unit, optimum->starts[best].unit, optimum->features->space->n_dims * sizeof *unit);
    return 0;
}
