/* Features and the kernel.
 *
 * exp is computed here because that of the C library is called number by number: these loops have no calls
 * and no branches, so that the compiler can run several numbers through them at a time.
 *
 * Coordinates are not warped (Snoek et al. 2014, "Input warping for Bayesian optimization of non-stationary
 * functions"). Each through Kumaraswamy's distribution function, with its two parameters fitted by gradients
 * and normal priors of their logarithms, was no better: with standard deviations of 0.25, 0.5 and 1 the six
 * tables of lists had a mean regret of 0.048, 0.049 and 0.049 after 25 trials in place of 0.047 (40 seeds);
 * with 1 eight trainings of small models over ranges had 0.027 in place of 0.023 (10 seeds), and Ackley-10,
 * Levy-8 and Rosenbrock-5 medians of 2.3, 0.77 and 6.7 in place of 1.8, 0.09 and 2.0 (20 seeds). Heavy tails
 * of these priors (Cauchy, 0.1 and 0.3) left most of it as it was. Seven tables of curves, looked up by the
 * nearest row, had 0.33 in place of 0.38, less than the turns of search_gp.c bring without it. */
#include "optimizers/gp_kernel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

enum {
    MANY_VALUES = 64, /* of an integer: from here on it is moved by gradients, then rounded */
    FEW_MOVED = 3,    /* one feature in so many: what they change is less work than all anew */
    LANES = 4         /* of a sum that the compiler is to make side by side */
};

/* e: the ends of a list of ten are 0.43 e / sqrt(D) standard deviations (of transformed values) worse than
 * its middle. Of six tables of recorded trainings, 120 seeds, the mean normalised regret after 25 trials is
 * 0.048 without it, 0.041 with 1.5 and 0.042 with 2.5. Lists only: of nine tables over ranges the like made
 * eight worse, some of which are best at an end. */
#define ENDS 1.5

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
    dim.is_list = param->type == PARAM_DISCRETE;
    features->n_lists += dim.is_list;
    features->n_continuous += dim.is_continuous;
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

/* w(r) */
static inline double bump(double r)
{
    double t = r < 1 ? 1 - r : 0;
    return t * t * t * t * t * (1 + r * (5 + 8 * r));
}

/* -w'(r) / r */
static inline double bump_slope(double r)
{
    double t = r < 1 ? 1 - r : 0;
    return 14 * (1 + 4 * r) * (t * t * t * t);
}

/* Does a feature share its lengthscale with the next one? */
static bool is_pair(const struct gp_features *features, size_t f)
{
    return f + 1 < features->n && features->list[f].scale == features->list[f + 1].scale;
}

/* Adds, `sign` times, the share of feature f (or of the pair that begins with it). */
static void add_share(double *restrict r2, double *restrict effects, const struct gp_metric *metric,
                      const double *columns, size_t stride, size_t n, const double *z, size_t f, double sign)
{
    const struct gp_features *features = metric->features;
    const double *restrict column = &columns[f * stride], *restrict second = column + stride;
    double here = z[f], reach = metric->reach;
    if (features->list[f].is_categorical) {
        double far = sign * metric->weights[features->list[f].scale];
        double other = sign * bump(reach * sqrt(metric->weights[features->list[f].scale]));
        for (size_t i = 0; i < n; i++) {
            r2[i] += column[i] == here ? 0 : far;
            effects[i] += column[i] == here ? sign : other;
        }
    } else if (is_pair(features, f)) {
        double there = z[f + 1];
        for (size_t i = 0; i < n; i++) {
            double a = column[i] - here, b = second[i] - there, share = a * a + b * b;
            r2[i] += sign * share;
            effects[i] += sign * bump(reach * sqrt(share));
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            double off = column[i] - here;
            r2[i] += sign * (off * off);
            effects[i] += sign * bump(reach * fabs(off));
        }
    }
}

void gp_compare(double *r2, double *effects, const struct gp_metric *metric, const double *columns,
                size_t stride, size_t n, const double *z)
{
    memset(r2, 0, n * sizeof *r2);
    memset(effects, 0, n * sizeof *effects);
    for (size_t f = 0; f < metric->features->n; f++) {
        add_share(r2, effects, metric, columns, stride, n, z, f, 1);
        f += is_pair(metric->features, f);
    }
}

void gp_compare_next(double *r2, double *effects, const struct gp_metric *metric, const double *columns,
                     size_t stride, size_t n, const double *z, const double *before)
{
    const struct gp_features *features = metric->features;
    size_t n_moved = 0;
    for (size_t f = 0; f < features->n; f++)
        n_moved += z[f] != before[f];
    if (FEW_MOVED * n_moved > features->n) {
        gp_compare(r2, effects, metric, columns, stride, n, z);
        return;
    }
    for (size_t f = 0; f < features->n; f++) {
        bool pair = is_pair(features, f);
        if (z[f] != before[f] || (pair && z[f + 1] != before[f + 1])) {
            add_share(r2, effects, metric, columns, stride, n, before, f, -1);
            add_share(r2, effects, metric, columns, stride, n, z, f, 1);
        }
        f += pair;
    }
    for (size_t i = 0; i < n; i++)
        r2[i] = r2[i] > 0 ? r2[i] : 0; /* rounding */
}

/* sum_i m_i w(r_i) and its slope, -sum_i m_i dw / d ln r_i. */
struct weighed {
    double value, slope;
};

static struct weighed weigh_category(double weight, double reach, const double *column, double here, size_t n,
                                     const double *m)
{
    double r = reach * sqrt(weight), same = 0, other = 0;
    for (size_t i = 0; i < n; i++) {
        same += column[i] == here ? m[i] : 0;
        other += column[i] == here ? 0 : m[i];
    }
    return (struct weighed){same + bump(r) * other, bump_slope(r) * r * r * other};
}

static struct weighed weigh_pair(double reach, const double *column, const double *second, double here,
                                 double there, size_t n, const double *m)
{
    struct weighed sum = {0};
    for (size_t i = 0; i < n; i++) {
        double a = column[i] - here, b = second[i] - there, r = reach * sqrt(a * a + b * b);
        sum.value += m[i] * bump(r);
        sum.slope += m[i] * bump_slope(r) * r * r;
    }
    return sum;
}

/* LANES sums side by side. */
static struct weighed weigh_number(double reach, const double *column, double here, size_t n, const double *m)
{
    double values[LANES] = {0}, slopes[LANES] = {0};
    struct weighed sum = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            double r = reach * fabs(column[i + lane] - here);
            values[lane] += m[i + lane] * bump(r);
            slopes[lane] += m[i + lane] * bump_slope(r) * (r * r);
        }
    }
    for (; i < n; i++) {
        double r = reach * fabs(column[i] - here);
        sum.value += m[i] * bump(r);
        sum.slope += m[i] * bump_slope(r) * (r * r);
    }
    for (size_t lane = 0; lane < LANES; lane++) {
        sum.value += values[lane];
        sum.slope += slopes[lane];
    }
    return sum;
}

void gp_main_effects_weigh(double *value, double *slopes, const struct gp_metric *metric,
                           const double *columns, size_t stride, size_t n, const double *z, const double *m)
{
    const struct gp_features *features = metric->features;
    double share = 1 / (double)features->n_scales;
    for (size_t f = 0; f < features->n; f++) {
        size_t s = features->list[f].scale;
        const double *column = &columns[f * stride];
        struct weighed sum;
        if (features->list[f].is_categorical)
            sum = weigh_category(metric->weights[s], metric->reach, column, z[f], n, m);
        else if (is_pair(features, f))
            sum = weigh_pair(metric->reach, column, column + stride, z[f], z[f + 1], n, m);
        else
            sum = weigh_number(metric->reach, column, z[f], n, m);
        *value += share * sum.value;
        slopes[s] += share * sum.slope;
        f += is_pair(features, f);
    }
}

/* sum_i m_i w'(r_i) / r_i (here - column_i), with r_i of one feature. */
static double pull(double reach, const double *column, double here, size_t n, const double *m)
{
    double sums[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            double off = column[i + lane] - here;
            sums[lane] += m[i + lane] * bump_slope(reach * fabs(off)) * off;
        }
    }
    for (; i < n; i++)
        sum += m[i] * bump_slope(reach * fabs(column[i] - here)) * (column[i] - here);
    for (size_t lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

/* The same, with r_i of a pair, of which the other one is `second`. */
static double pull_pair(double reach, const double *column, double here, const double *second, double there,
                        size_t n, const double *m)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double off = column[i] - here, other = second[i] - there;
        sum += m[i] * bump_slope(reach * sqrt(off * off + other * other)) * off;
    }
    return sum;
}

void gp_main_effects_gradient(double *gradient, const struct gp_metric *metric, const double *columns,
                              size_t stride, size_t n, const double *z, const double *m)
{
    const struct gp_features *features = metric->features;
    double reach = metric->reach, scale = reach * reach / (double)features->n_scales;
    for (size_t f = 0; f < features->n; f++) {
        const double *column = &columns[f * stride], *second = column + stride;
        if (features->list[f].is_categorical) {
            gradient[f] = 0;
        } else if (is_pair(features, f)) {
            gradient[f] = scale * pull_pair(reach, column, z[f], second, z[f + 1], n, m);
            gradient[f + 1] = scale * pull_pair(reach, second, z[f + 1], column, z[f], n, m);
            f++;
        } else {
            gradient[f] = scale * pull(reach, column, z[f], n, m);
        }
    }
}

static double weight_of_ends(const struct gp_features *features)
{
    return ENDS / sqrt((double)features->n_scales - 1); /* without the fidelity */
}

/* t */
static double from_middle(const struct gp_features *features, size_t dim, double scaled,
                          const double *lengthscales)
{
    const struct gp_dim *list = &features->dims[dim];
    double z = lengthscales ? scaled * lengthscales[features->list[list->feature].scale] : scaled;
    return 2 * (list->low + list->range * z) - 1;
}

double gp_prior_mean(const struct gp_features *features, const double *z, size_t stride,
                     const double *lengthscales)
{
    double sum = 0;
    if (features->n_lists == 0)
        return 0;
    for (size_t j = 0; j < features->space->n_dims; j++) {
        if (!features->dims[j].is_list)
            continue;
        double t = from_middle(features, j, z[features->dims[j].feature * stride], lengthscales);
        double t4 = t * t * t * t;
        sum += t4 * t4;
    }
    return weight_of_ends(features) * sum;
}

void gp_prior_mean_gradient(double *gradient, const struct gp_features *features, const double *scaled,
                            const double *lengthscales)
{
    for (size_t j = 0; j < features->space->n_dims && features->n_lists > 0; j++) {
        const struct gp_dim *dim = &features->dims[j];
        if (!dim->is_list)
            continue;
        double t = from_middle(features, j, scaled[dim->feature], lengthscales), t3 = t * t * t;
        gradient[dim->feature] += weight_of_ends(features) * 16 * t3 * t3 * t * dim->range;
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
