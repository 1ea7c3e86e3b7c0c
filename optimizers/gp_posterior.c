/* The posterior of a Gaussian process.
 *
 *   mean(x) = m(x) + k^T alpha,   variance(x) = k(x, x) - |L^-1 k|^2
 *
 * (Rasmussen & Williams 2006, algorithm 2.1 and equation 2.38) with k the covariances of x with the n points.
 * New points extend the factor: with B the covariances of the new ones with the old ones and C those among
 * themselves,
 *
 *   L' = [ L        0 ]       X = B L^-T,   S S^T = C - X X^T.
 *        [ X        S ]                                                                                  */
#include "optimizers/gp_posterior.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "core/err.h"

void gp_posterior_fini(struct gp_posterior *posterior)
{
    free(posterior->columns); /* the block */
    *posterior = (struct gp_posterior){0};
}

int gp_posterior_begin(struct gp_posterior *posterior, const struct gp_features *features,
                       const struct gp_hyper *hyper, size_t capacity)
{
    if (capacity > posterior->capacity) {
        size_t size = capacity * (features->n + capacity + 5) + features->n;
        double *block = malloc(size * sizeof *block);
        if (!block)
            return ERR_NOMEM;
        gp_posterior_fini(posterior);
        posterior->columns = block;
        posterior->factor = block + capacity * features->n;
        posterior->alpha = posterior->factor + capacity * capacity;
        posterior->row = posterior->alpha + capacity;
        posterior->slopes = posterior->row + capacity;
        posterior->k = posterior->slopes + capacity;
        posterior->effects = posterior->k + capacity;
        posterior->here = posterior->effects + capacity;
        posterior->capacity = capacity;
    }
    posterior->features = features;
    posterior->hyper = hyper;
    posterior->n = posterior->n_settled = 0;
    posterior->jitter = 0;
    posterior->noise = hyper->noise;
    return 0;
}

void gp_posterior_scale(double *scaled, const struct gp_posterior *posterior, const double *z)
{
    const struct gp_features *features = posterior->features;
    for (size_t f = 0; f < features->n; f++) {
        const struct gp_feature *feature = &features->list[f];
        scaled[f] = feature->is_categorical ? z[f] : z[f] / posterior->hyper->lengthscales[feature->scale];
    }
}

static struct gp_metric metric_of(const struct gp_posterior *posterior)
{
    const struct gp_hyper *hyper = posterior->hyper;
    return (struct gp_metric){posterior->features, hyper->weights, hyper->reach};
}

/* k[n]: covariances of a point with the first n. `before` (NULL: none): another point, of which
 * posterior->row and ->effects still are. */
static void covariances(double *k, const struct gp_posterior *posterior, const double *scaled,
                        const double *before, size_t n)
{
    struct gp_metric metric = metric_of(posterior);
    double share = posterior->hyper->additive / (double)posterior->features->n_scales;
    if (before)
        gp_compare_next(posterior->row, posterior->effects, &metric, posterior->columns, posterior->capacity,
                        n, scaled, before);
    else
        gp_compare(posterior->row, posterior->effects, &metric, posterior->columns, posterior->capacity, n,
                   scaled);
    gp_matern(k, posterior->row, n, posterior->hyper->signal);
    for (size_t i = 0; i < n; i++)
        k[i] += share * posterior->effects[i] + GP_MEAN_VARIANCE;
}

static double variance_here(const struct gp_posterior *posterior)
{
    return GP_MEAN_VARIANCE + posterior->hyper->signal + posterior->hyper->additive;
}

/* Puts the points into the columns and their covariances into their rows of the factor. */
static void fill_rows(struct gp_posterior *posterior, const double *z, size_t m)
{
    size_t n_features = posterior->features->n, stride = posterior->capacity;
    for (size_t i = 0; i < m; i++) {
        size_t at = posterior->n + i;
        double *row = &posterior->factor[at * stride], *scaled = posterior->here;
        gp_posterior_scale(scaled, posterior, &z[i * n_features]);
        covariances(row, posterior, scaled, NULL, at);
        row[at] = variance_here(posterior) + posterior->noise + posterior->jitter;
        for (size_t f = 0; f < n_features; f++)
            posterior->columns[f * stride + at] = scaled[f];
    }
}

static bool try_to_add(struct gp_posterior *posterior, const double *z, size_t m)
{
    size_t n = posterior->n, stride = posterior->capacity;
    double *rows = &posterior->factor[n * stride];
    fill_rows(posterior, z, m);
    if (n > 0) {
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)m, (int)n, 1,
                    posterior->factor, (int)stride, rows, (int)stride);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)m, (int)n, -1, rows, (int)stride, 1,
                    rows + n, (int)stride);
    }
    return gp_factorize(rows + n, m, stride);
}

void gp_posterior_add(struct gp_posterior *posterior, const double *z, size_t m)
{
    while (m > 0 && !try_to_add(posterior, z, m))
        posterior->jitter = posterior->jitter > 0 ? 10 * posterior->jitter : 1e-8 * variance_here(posterior);
    posterior->n += m;
}

void gp_posterior_add_exact(struct gp_posterior *posterior, const double *z, size_t m)
{
    posterior->noise = 0;
    gp_posterior_add(posterior, z, m);
    posterior->noise = posterior->hyper->noise;
}

static double prior_mean(const struct gp_posterior *posterior, const double *scaled, size_t stride)
{
    return gp_prior_mean(posterior->features, scaled, stride, posterior->hyper->lengthscales);
}

void gp_posterior_settle(struct gp_posterior *posterior, const double *values)
{
    int n = (int)posterior->n, stride = (int)posterior->capacity;
    posterior->n_settled = posterior->n;
    posterior->settled_jitter = posterior->jitter;
    for (size_t i = 0; i < posterior->n; i++)
        posterior->alpha[i] = values[i] - prior_mean(posterior, &posterior->columns[i], posterior->capacity);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, posterior->factor, stride,
                posterior->alpha, 1);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, posterior->factor, stride,
                posterior->alpha, 1);
}

void gp_posterior_forget_pending(struct gp_posterior *posterior)
{
    posterior->n = posterior->n_settled;
    posterior->jitter = posterior->settled_jitter;
}

void gp_posterior_means(double *means, struct gp_posterior *posterior, const double *z, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        gp_posterior_scale(posterior->here, posterior, &z[i * posterior->features->n]);
        covariances(posterior->k, posterior, posterior->here, NULL, posterior->n_settled);
        means[i] = prior_mean(posterior, posterior->here, 1) +
                   cblas_ddot((int)posterior->n_settled, posterior->k, 1, posterior->alpha, 1);
    }
}

void gp_posterior_predict(double *means, double *variances, const struct gp_posterior *posterior,
                          const double *scaled, size_t m, double *cross)
{
    size_t n = posterior->n;
    for (size_t i = 0; i < m; i++) {
        const double *here = &scaled[i * posterior->features->n];
        covariances(&cross[i * n], posterior, here, i > 0 ? here - posterior->features->n : NULL, n);
    }
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)m, (int)posterior->n_settled, 1, cross, (int)n,
                posterior->alpha, 1, 0, means, 1);
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)m, (int)n, 1,
                posterior->factor, (int)posterior->capacity, cross, (int)n);
    for (size_t i = 0; i < m; i++) {
        means[i] += prior_mean(posterior, &scaled[i * posterior->features->n], 1);
        double taken = cblas_ddot((int)n, &cross[i * n], 1, &cross[i * n], 1);
        /* Rounding may take all of it; what is left is never less than the digits of the difference. */
        variances[i] = fmax(variance_here(posterior) - taken, 1e-14 * variance_here(posterior));
    }
}

/* The gradient of sum_i weights_i cov(x, x_i) by x's features. slopes[n] are signal 5/3 (1 + a) exp(-a), so
 * dk_i / dx_f = -slopes_i (x_f - x_if) / l. Uses up the weights. */
static void differentiate(double *gradient, const struct gp_posterior *posterior, const double *scaled,
                          double *weights, const double *slopes, size_t n)
{
    const struct gp_features *features = posterior->features;
    double sum = 0;
    struct gp_metric metric = metric_of(posterior);
    gp_main_effects_gradient(gradient, &metric, posterior->columns, posterior->capacity, n, scaled, weights);
    for (size_t i = 0; i < n; i++)
        sum += weights[i] *= slopes[i];
    for (size_t f = 0; f < features->n; f++) {
        const struct gp_feature *feature = &features->list[f];
        const double *column = &posterior->columns[f * posterior->capacity];
        double pulled = cblas_ddot((int)n, weights, 1, column, 1);
        gradient[f] = feature->is_categorical
                          ? 0
                          : (posterior->hyper->additive * gradient[f] + pulled - scaled[f] * sum) /
                                posterior->hyper->lengthscales[feature->scale];
    }
}

void gp_posterior_gradients(double *mean_gradients, double *variance_gradients,
                            struct gp_posterior *posterior, const double *scaled, size_t m, double *cross)
{
    size_t n = posterior->n, n_features = posterior->features->n;
    struct gp_metric metric = metric_of(posterior);
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)m, (int)n, 1,
                posterior->factor, (int)posterior->capacity, cross, (int)n); /* K^-1 k */
    for (size_t i = 0; i < m; i++) {
        const double *here = &scaled[i * n_features];
        double *weights = posterior->k;
        gp_compare(posterior->row, posterior->effects, &metric, posterior->columns, posterior->capacity, n,
                   here);
        gp_matern_slope(weights, posterior->slopes, posterior->row, n, posterior->hyper->signal);
        memcpy(weights, posterior->alpha, posterior->n_settled * sizeof *weights);
        differentiate(&mean_gradients[i * n_features], posterior, here, weights, posterior->slopes,
                      posterior->n_settled);
        gp_prior_mean_gradient(&mean_gradients[i * n_features], posterior->features, here,
                               posterior->hyper->lengthscales);
        differentiate(&variance_gradients[i * n_features], posterior, here, &cross[i * n], posterior->slopes,
                      n);
        for (size_t f = 0; f < n_features; f++)
            variance_gradients[i * n_features + f] *= -2;
    }
}
