/* Integers and other discrete numbers in CMA-ES: Hamano, Saito, Nomura & Shirakawa 2022, "CMA-ES with margin:
 * lower-bounding marginal probability for mixed-integer black-box optimization" (arXiv:2205.13482), equations
 * (12) to (21). Without the margin the distribution shrinks into one cell and stays there.
 *
 * Deviation: the paper learns from the draw that became the value. Here it is not kept, because a search must
 * come to the same state from the values alone: a draw from the marginal distribution within the cell takes
 * its place. It also serves points that were never drawn. */
#include "optimizers/cma_cells.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>

#include "core/err.h"

enum { BISECTIONS = 50 };

int cells_init(struct cells *cells, const struct space *space)
{
    *cells = (struct cells){.space = space,
                            .dims = calloc(space->n_dims + 1, sizeof *cells->dims),
                            .finite = calloc(space->n_dims + 1, sizeof *cells->finite)};
    if (!cells->dims || !cells->finite) {
        cells_fini(cells);
        return ERR_NOMEM;
    }
    for (size_t dim = 0; dim < space->n_dims; dim++) {
        const struct param *param = &space->params[space->dim_param[dim]];
        double n = param_cardinality(param);
        if (param->type == PARAM_CATEGORICAL || n <= 1)
            continue; /* nothing to choose, or nothing to calculate with */
        cells->dims[cells->n] = dim;
        cells->finite[cells->n++] = isfinite(n);
    }
    return 0;
}

void cells_fini(struct cells *cells)
{
    free(cells->dims);
    free(cells->finite);
    *cells = (struct cells){0};
}

static const struct param *param_of(const struct cells *cells, size_t j)
{
    return &cells->space->params[cells->space->dim_param[cells->dims[j]]];
}

/* Where values k - 1 and k meet: on a linear scale cells are equal, on a logarithmic one they are looked for.
 */
static double find_edge(const struct param *param, uint64_t k)
{
    if (param->scale == SCALE_LINEAR)
        return (double)k / param_cardinality(param);
    double low = param_to_unit(param, param_value(param, k - 1));
    double high = param_to_unit(param, param_value(param, k));
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        if (param_index(param, param_from_unit(param, middle)) < k)
            low = middle;
        else
            high = middle;
    }
    return high;
}

void cells_find(double *low, double *high, const struct cells *cells, size_t j, double x)
{
    const struct param *param = param_of(cells, j);
    uint64_t k = param_index(param, param_from_unit(param, x));
    *low = k == 0 ? -INFINITY : find_edge(param, k);
    *high = (double)k + 1 < param_cardinality(param) ? find_edge(param, k + 1) : INFINITY;
}

bool cells_contain(const struct cells *cells, const double *x)
{
    for (size_t j = 0; j < cells->n; j++) {
        if (!cells->finite[j] && !(x[j] >= 0 && x[j] <= 1))
            return false;
    }
    return true;
}

void cells_reflect(double *x, const struct cells *cells)
{
    for (size_t j = 0; j < cells->n; j++) {
        if (cells->finite[j])
            continue;
        double folded = fabs(remainder(x[j], 2)); /* in [0, 1], of period 2 */
        x[j] = isfinite(folded) ? folded : 0.5;
    }
}

/* A draw from the normal distribution between two ends. In the upper tail by its mirror image, where the
 * probabilities are exact. */
static double draw_between(double low, double high, double mean, double deviation, double uniform)
{
    double a = (low - mean) / deviation, b = (high - mean) / deviation, sign = 1;
    if (a > 0) {
        double swapped = -a;
        a = -b;
        b = swapped;
        sign = -1;
    }
    double p = gsl_cdf_ugaussian_P(a), q = gsl_cdf_ugaussian_P(b);
    double z = q - p > 1e-200 ? gsl_cdf_ugaussian_Pinv(p + uniform * (q - p)) : b;
    z = fmin(fmax(z, a), b);
    double x = mean + sign * deviation * z;
    return isfinite(x) ? fmin(fmax(x, low), high) : fmin(fmax(mean, low), high);
}

void cells_recall(double *x, const struct cells *cells, const struct cma *cma, const double *unit,
                  const bool *free, const double *drawn, struct rng *rng)
{
    for (size_t j = 0; j < cells->n; j++) {
        double low, high, uniform = rng_uniform(rng);
        x[j] = free[j] ? drawn[j] : unit[cells->dims[j]];
        if (free[j] || !cells->finite[j])
            continue;
        cells_find(&low, &high, cells, j, x[j]);
        x[j] = draw_between(low, high, cma->mean[j], cma_deviation(cma, j), uniform);
    }
}

/* In an outer cell, or of two cells: equation (13); the mean stays near enough to the only edge. */
static void keep_outer(struct cma *cma, size_t j, double edge, double alpha)
{
    double reach = gsl_cdf_ugaussian_Qinv(alpha) * cma_deviation(cma, j);
    double distance = cma->mean[j] - edge;
    cma->mean[j] = edge + copysign(fmin(fabs(distance), reach), distance);
}

/* Elsewhere: equations (15) to (21); mean and scale such that both neighbours have their chance. */
static void keep_inner(struct cma *cma, size_t j, double low, double high, double alpha)
{
    double s = cma_deviation(cma, j), least = alpha / 2;
    double below = gsl_cdf_ugaussian_P((low - cma->mean[j]) / s);
    double above = gsl_cdf_ugaussian_Q((high - cma->mean[j]) / s);
    if (below >= least && above >= least)
        return;
    double inside = 1 - below - above, p_low = fmax(below, least), p_high = fmax(above, least);
    double excess = (1 - p_low - p_high - inside) / (p_low + p_high + inside - 3 * least);
    p_low += excess * (p_low - least);
    p_high += excess * (p_high - least);
    double z_low = gsl_cdf_ugaussian_Qinv(p_low), z_high = gsl_cdf_ugaussian_Qinv(p_high);
    if (!(z_low + z_high > 0))
        return; /* alpha is below 1/2, so this cannot be but for rounding */
    cma->mean[j] = (low * z_high + high * z_low) / (z_low + z_high);
    cma->scale[j] *= (high - low) / (z_low + z_high) / s;
}

void cells_keep_margin(struct cma *cma, const struct cells *cells, double alpha)
{
    for (size_t j = 0; j < cells->n; j++) {
        double low, high, s = cma_deviation(cma, j);
        if (!cells->finite[j] || !(s > 0))
            continue;
        cells_find(&low, &high, cells, j, cma->mean[j]);
        if (isinf(low) || isinf(high))
            keep_outer(cma, j, isinf(low) ? high : low, alpha);
        else
            keep_inner(cma, j, low, high, alpha);
    }
}
