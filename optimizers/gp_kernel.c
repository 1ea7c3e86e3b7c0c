/* Features and the kernel.
 *
 * exp is computed here because that of the C library is called number by number: these loops have no calls
 * and no branches, so that the compiler can run several numbers through them at a time. */
#include "optimizers/gp_kernel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

enum { MANY_VALUES = 64 }; /* of an integer: from here on it is moved by gradients, then rounded */

/* Of LAPACK, which is in OpenBLAS without a header of its own. Its matrices are stored by columns: our lower
 * triangle by rows is its upper one. */
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *stride, int *info);
extern void dpotri_(const char *uplo, const int *n, double *a, const int *stride, int *info);

static struct gp_dim add_dim(struct gp_features *features, const struct param *param)
{
    double n_values = param_cardinality(param);
    struct gp_dim dim = {.is_used = n_values > 1, .is_conditional = param->n_conditions > 0, .range = 1};
    if (!dim.is_used)
        return dim;
    bool is_categorical = param->type == PARAM_CATEGORICAL;
    size_t scale = features->n_scales++;
    dim.is_continuous = !is_categorical && n_values > MANY_VALUES;
    dim.feature = features->n;
    features->list[features->n++] = (struct gp_feature){.is_categorical = is_categorical, .scale = scale};
    if (dim.is_conditional && !is_categorical)
        features->list[features->n++] = (struct gp_feature){.scale = scale};
    if (!is_categorical && isfinite(n_values)) {
        double last = param->type == PARAM_DISCRETE ? n_values - 1 : param->max;
        dim.low = param_to_unit(param, param->type == PARAM_DISCRETE ? 0 : param->min);
        dim.range = param_to_unit(param, last) - dim.low;
        dim.range = dim.range > 0 ? dim.range : 1;
    }
    return dim;
}

int gp_features_init(struct gp_features *features, const struct space *space)
{
    *features = (struct gp_features){.space = space,
                                     .list = calloc(2 * space->n_dims + 1, sizeof *features->list),
                                     .dims = calloc(space->n_dims + 1, sizeof *features->dims)};
    if (!features->list || !features->dims) {
        gp_features_fini(features);
        return ERR_NOMEM;
    }
    for (size_t j = 0; j < space->n_dims; j++)
        features->dims[j] = add_dim(features, &space->params[space->dim_param[j]]);
    features->list[features->n++] = (struct gp_feature){.scale = features->n_scales++};
    return 0;
}

void gp_features_fini(struct gp_features *features)
{
    free(features->list);
    free(features->dims);
    *features = (struct gp_features){0};
}

void gp_features_encode(double *z, const struct gp_features *features, const double *point, double fidelity)
{
    const struct space *space = features->space;
    for (size_t j = 0; j < space->n_dims; j++) {
        const struct gp_dim *dim = &features->dims[j];
        const struct param *param = &space->params[space->dim_param[j]];
        double value = point[space->dim_param[j]];
        bool is_active = !isnan(value);
        if (!dim->is_used)
            continue;
        if (features->list[dim->feature].is_categorical) {
            z[dim->feature] = is_active ? value : (double)param->n_choices;
            continue;
        }
        z[dim->feature] = is_active ? (param_to_unit(param, value) - dim->low) / dim->range : 0.5;
        if (dim->is_conditional)
            z[dim->feature + 1] = is_active ? 0 : 0.5;
    }
    z[features->n - 1] = fidelity;
}

void gp_distances(double *restrict r2, const struct gp_features *features, const double *weights,
                  const double *columns, size_t stride, size_t n, const double *z)
{
    memset(r2, 0, n * sizeof *r2);
    for (size_t f = 0; f < features->n; f++) {
        const double *restrict column = &columns[f * stride];
        double here = z[f], weight = weights[features->list[f].scale];
        if (features->list[f].is_categorical) {
            for (size_t i = 0; i < n; i++)
                r2[i] += column[i] == here ? 0 : weight;
        } else {
            for (size_t i = 0; i < n; i++)
                r2[i] += (column[i] - here) * (column[i] - here);
        }
    }
}

union bits {
    double number;
    uint64_t word;
};

/* exp(-a), a >= 0, to a few units in the last place: exp(-a) = 2^m exp(t), |t| <= ln 2 / 2, with the series
 * of exp up to t^13 (the next term is below 5e-18). 0 from a = 700 on. */
static inline double exp_minus(double a)
{
    const double shift = 0x1.8p52, ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    double x = -(a < 700 ? a : 700);
    union bits scaled = {.number = x * M_LOG2E + shift};
    double m = scaled.number - shift;
    double t = (x - m * ln2_high) - m * ln2_low;
    double p = 1.0 / 6227020800;
    p = p * t + 1.0 / 479001600;
    p = p * t + 1.0 / 39916800;
    p = p * t + 1.0 / 3628800;
    p = p * t + 1.0 / 362880;
    p = p * t + 1.0 / 40320;
    p = p * t + 1.0 / 5040;
    p = p * t + 1.0 / 720;
    p = p * t + 1.0 / 120;
    p = p * t + 1.0 / 24;
    p = p * t + 1.0 / 6;
    p = p * t + 0.5;
    p = p * t + 1;
    p = p * t + 1;
    union bits power = {.word = (scaled.word + 1023) << 52};
    return p * power.number;
}

void gp_matern(double *restrict k, const double *restrict r2, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++) {
        double a = sqrt(5 * r2[i]);
        k[i] = scale * (1 + a + a * a / 3) * exp_minus(a);
    }
}

void gp_matern_slope(double *restrict k, double *restrict slope, const double *restrict r2, size_t n,
                     double scale)
{
    for (size_t i = 0; i < n; i++) {
        double a = sqrt(5 * r2[i]), e = scale * exp_minus(a);
        k[i] = (1 + a + a * a / 3) * e;
        slope[i] = (5.0 / 3) * (1 + a) * e;
    }
}

bool gp_factorize(double *a, size_t n, size_t stride)
{
    int order = (int)n, leading = (int)stride, info = 0;
    dpotrf_("U", &order, a, &leading, &info);
    return info == 0;
}

bool gp_invert(double *factor, size_t n, size_t stride)
{
    int order = (int)n, leading = (int)stride, info = 0;
    dpotri_("U", &order, factor, &leading, &info);
    return info == 0;
}
