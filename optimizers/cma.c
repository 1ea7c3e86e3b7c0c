/* CMA-ES as in Hansen 2016, "The CMA evolution strategy: a tutorial" (arXiv:1604.00772); equation and table
 * numbers are those of its version of 2023. With negative weights (active CMA), and the lazy decomposition of
 * its appendix B.2.
 *
 * Points that come late, or from elsewhere, are bounded in length before they pull at paths and covariance
 * (Hansen 2011, "Injecting external solutions into CMA-ES", arXiv:1110.4181, equations 1 to 3): one of them
 * may lie any number of standard deviations away.
 *
 * Diagonal: only the variances are learnt, faster by (n + 2) / 3 (Ros & Hansen 2008, "A simple modification
 * in CMA-ES achieving linear time and space complexity"). */
#include "optimizers/cma.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "core/err.h"

/* Eigenvalues, ascending, and vectors of a symmetric matrix (LAPACK). */
extern void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *stride,
                   double *values, double *work, const int *n_work, int *info);

#define MAX_CONDITION    1e14
#define MAX_SIGMA_GROWTH 1.0 /* logarithm, an update: equation 2 of Hansen 2011 */

/* Raw weights: equation (49); normalised: (50) to (53). */
static void set_weights(struct cma *cma)
{
    double sum[2] = {0, 0}, squares[2] = {0, 0};
    for (size_t i = 0; i < cma->lambda; i++) {
        double w = cma->weights[i] = log(((double)cma->lambda + 1) / 2) - log((double)i + 1);
        sum[w < 0] += fabs(w);
        squares[w < 0] += w * w;
        cma->mu += w > 0;
    }
    double n = (double)cma->n, mu_eff = cma->mu_eff = sum[0] * sum[0] / squares[0];
    double mu_eff_minus = squares[1] > 0 ? sum[1] * sum[1] / squares[1] : 0;
    double faster = cma->is_diagonal ? (n + 2) / 3 : 1;
    cma->c_1 = fmin(1, faster * 2 / ((n + 1.3) * (n + 1.3) + mu_eff)) * (cma->lambda < 5 ? 0.5 : 1);
    cma->c_mu =
        fmin(1 - cma->c_1, faster * 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) * (n + 2) + mu_eff));
    double minus = fmin(1 + cma->c_1 / cma->c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2));
    minus = fmin(minus, (1 - cma->c_1 - cma->c_mu) / (n * cma->c_mu));
    for (size_t i = 0; i < cma->lambda; i++)
        cma->weights[i] *= cma->weights[i] < 0 ? minus / sum[1] : 1 / sum[0];
}

/* Table 1. */
static void set_rates(struct cma *cma)
{
    set_weights(cma);
    double n = (double)cma->n, mu_eff = cma->mu_eff;
    cma->c_sigma = (mu_eff + 2) / (n + mu_eff + 5);
    cma->d_sigma = 1 + 2 * fmax(0, sqrt((mu_eff - 1) / (n + 1)) - 1) + cma->c_sigma;
    cma->c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n);
    cma->chi_n = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
}

int cma_init(struct cma *cma, size_t n, size_t lambda, bool is_diagonal)
{
    size_t n_matrix = is_diagonal ? n : n * n;
    *cma = (struct cma){.n = n, .lambda = lambda, .is_diagonal = is_diagonal, .n_work = (int)(8 * n + 64)};
    cma->weights = malloc(lambda * sizeof *cma->weights);
    cma->mean = malloc(n * sizeof *cma->mean);
    cma->scale = malloc(n * sizeof *cma->scale);
    cma->covariance = malloc(n_matrix * sizeof *cma->covariance);
    cma->vectors = malloc(n_matrix * sizeof *cma->vectors);
    cma->lengths = malloc(n * sizeof *cma->lengths);
    cma->path_sigma = malloc(n * sizeof *cma->path_sigma);
    cma->path_c = malloc(n * sizeof *cma->path_c);
    cma->steps = malloc(lambda * n * sizeof *cma->steps);
    cma->white = malloc(3 * n * sizeof *cma->white);
    cma->work = malloc((size_t)cma->n_work * sizeof *cma->work);
    if (!cma->weights || !cma->mean || !cma->scale || !cma->covariance || !cma->vectors || !cma->lengths ||
        !cma->path_sigma || !cma->path_c || !cma->steps || !cma->white || !cma->work) {
        cma_fini(cma);
        return ERR_NOMEM;
    }
    set_rates(cma);
    return 0;
}

void cma_fini(struct cma *cma)
{
    free(cma->weights);
    free(cma->mean);
    free(cma->scale);
    free(cma->covariance);
    free(cma->vectors);
    free(cma->lengths);
    free(cma->path_sigma);
    free(cma->path_c);
    free(cma->steps);
    free(cma->white);
    free(cma->work);
    *cma = (struct cma){0};
}

static void set_unit_covariance(struct cma *cma)
{
    size_t n = cma->n;
    if (!cma->is_diagonal) {
        memset(cma->covariance, 0, n * n * sizeof *cma->covariance);
        memset(cma->vectors, 0, n * n * sizeof *cma->vectors);
    }
    for (size_t j = 0; j < n; j++) {
        size_t at = cma->is_diagonal ? j : j * n + j;
        cma->covariance[at] = cma->vectors[at] = cma->lengths[j] = 1;
    }
}

void cma_start(struct cma *cma, const double *mean, double sigma)
{
    size_t n = cma->n;
    cma->sigma = sigma;
    cma->n_updates = cma->n_decomposed = 0;
    memcpy(cma->mean, mean, n * sizeof *mean);
    memset(cma->path_sigma, 0, n * sizeof *cma->path_sigma);
    memset(cma->path_c, 0, n * sizeof *cma->path_c);
    set_unit_covariance(cma);
    for (size_t j = 0; j < n; j++)
        cma->scale[j] = 1;
}

/* y = B v or, transposed, B^T v. */
static void rotate(double *y, const struct cma *cma, const double *v, bool transposed)
{
    int n = (int)cma->n;
    if (cma->is_diagonal)
        memcpy(y, v, cma->n * sizeof *y);
    else
        cblas_dgemv(CblasColMajor, transposed ? CblasTrans : CblasNoTrans, n, n, 1, cma->vectors, n, v, 1, 0,
                    y, 1);
}

void cma_sample(double *x, struct cma *cma, double wider, struct rng *rng)
{
    for (size_t j = 0; j < cma->n; j++)
        cma->white[j] = cma->lengths[j] * rng_normal(rng);
    rotate(x, cma, cma->white, false);
    for (size_t j = 0; j < cma->n; j++)
        x[j] = cma->mean[j] + wider * cma->sigma * cma->scale[j] * x[j];
}

/* white = D^-1 B^T y: of length |C^(-1/2) y|. */
static double whiten(struct cma *cma, const double *y)
{
    double squares = 0;
    rotate(cma->white, cma, y, true);
    for (size_t j = 0; j < cma->n; j++) {
        cma->white[j] /= cma->lengths[j];
        squares += cma->white[j] * cma->white[j];
    }
    return squares;
}

/* steps = (x - m) / (sigma A), the foreign ones bounded. */
static void take_steps(struct cma *cma, const double *x, const bool *is_foreign)
{
    double n = (double)cma->n, limit = sqrt(n) + 2 * n / (n + 2);
    for (size_t i = 0; i < cma->lambda; i++) {
        double *y = &cma->steps[i * cma->n];
        for (size_t j = 0; j < cma->n; j++)
            y[j] = (x[i * cma->n + j] - cma->mean[j]) / (cma->sigma * cma->scale[j]);
        double length = is_foreign[i] ? sqrt(whiten(cma, y)) : 0;
        for (size_t j = 0; j < cma->n && length > limit; j++)
            y[j] *= limit / length;
    }
}

/* The mean's step, equation (41); then m itself. y_w is left in white[n ... 2n - 1]. */
static const double *move_mean(struct cma *cma)
{
    double *y = &cma->white[cma->n];
    memset(y, 0, cma->n * sizeof *y);
    for (size_t i = 0; i < cma->mu; i++)
        for (size_t j = 0; j < cma->n; j++)
            y[j] += cma->weights[i] * cma->steps[i * cma->n + j];
    for (size_t j = 0; j < cma->n; j++)
        cma->mean[j] += cma->sigma * cma->scale[j] * y[j];
    return y;
}

/* Equations (43) to (45). Returns h_sigma. */
static bool update_paths(struct cma *cma, const double *y)
{
    double n = (double)cma->n, squares = 0;
    double fresh = sqrt(cma->c_sigma * (2 - cma->c_sigma) * cma->mu_eff);
    double *turned = &cma->white[2 * cma->n]; /* C^(-1/2) y = B D^-1 B^T y */
    (void)whiten(cma, y);
    rotate(turned, cma, cma->white, false);
    for (size_t j = 0; j < cma->n; j++) {
        cma->path_sigma[j] = (1 - cma->c_sigma) * cma->path_sigma[j] + fresh * turned[j];
        squares += cma->path_sigma[j] * cma->path_sigma[j];
    }
    double length = sqrt(squares), age = 2 * ((double)cma->n_updates + 1);
    cma->sigma *= exp(fmin(MAX_SIGMA_GROWTH, cma->c_sigma / cma->d_sigma * (length / cma->chi_n - 1)));
    bool h = length / sqrt(1 - pow(1 - cma->c_sigma, age)) < (1.4 + 2 / (n + 1)) * cma->chi_n;
    double step = h ? sqrt(cma->c_c * (2 - cma->c_c) * cma->mu_eff) : 0;
    for (size_t j = 0; j < cma->n; j++)
        cma->path_c[j] = (1 - cma->c_c) * cma->path_c[j] + step * y[j];
    return h;
}

/* C += factor y y^T, its lower triangle. */
static void add_rank_one(struct cma *cma, double factor, const double *y)
{
    int n = (int)cma->n;
    if (!cma->is_diagonal) {
        cblas_dsyr(CblasColMajor, CblasLower, n, factor, y, 1, cma->covariance, n);
        return;
    }
    for (size_t j = 0; j < cma->n; j++)
        cma->covariance[j] += factor * y[j] * y[j];
}

/* Equations (46) and (47). */
static void update_covariance(struct cma *cma, bool h_sigma)
{
    double sum = 0, stalled = h_sigma ? 0 : cma->c_c * (2 - cma->c_c);
    for (size_t i = 0; i < cma->lambda; i++)
        sum += cma->weights[i];
    cblas_dscal((int)(cma->is_diagonal ? cma->n : cma->n * cma->n),
                1 + cma->c_1 * stalled - cma->c_1 - cma->c_mu * sum, cma->covariance, 1);
    add_rank_one(cma, cma->c_1, cma->path_c);
    for (size_t i = 0; i < cma->lambda; i++) {
        const double *y = &cma->steps[i * cma->n];
        double w = cma->weights[i];
        if (w < 0)
            w *= (double)cma->n / fmax(whiten(cma, y), 1e-300);
        add_rank_one(cma, cma->c_mu * w, y);
    }
}

static void decompose_diagonal(struct cma *cma)
{
    for (size_t j = 0; j < cma->n; j++)
        cma->lengths[j] = sqrt(fmax(cma->covariance[j], 1e-300));
}

/* B and D^2 of C. Should it not converge, which has not been seen, C begins anew. */
static void decompose(struct cma *cma)
{
    int n = (int)cma->n, info = 0;
    cma->n_decomposed = cma->n_updates;
    if (cma->is_diagonal) {
        decompose_diagonal(cma);
        return;
    }
    memcpy(cma->vectors, cma->covariance, cma->n * cma->n * sizeof *cma->vectors);
    dsyev_("V", "L", &n, cma->vectors, &n, cma->white, cma->work, &cma->n_work, &info);
    if (info != 0) {
        set_unit_covariance(cma);
        return;
    }
    double most = cma->white[cma->n - 1];
    for (size_t j = 0; j < cma->n; j++) /* rounding may make the least ones negative */
        cma->lengths[j] = sqrt(fmax(cma->white[j], most / (10 * MAX_CONDITION)));
}

void cma_update(struct cma *cma, const double *x, const bool *is_foreign)
{
    take_steps(cma, x, is_foreign);
    const double *y = move_mean(cma);
    bool h_sigma = update_paths(cma, y);
    update_covariance(cma, h_sigma);
    cma->n_updates++;
    double lazy = 1 / (10 * (double)cma->n * (cma->c_1 + cma->c_mu));
    if ((double)(cma->n_updates - cma->n_decomposed) > lazy)
        decompose(cma);
}

void cma_widen(struct cma *cma)
{
    cma->sigma *= exp(0.2 + cma->c_sigma / cma->d_sigma);
}

double cma_deviation(const struct cma *cma, size_t j)
{
    double variance = cma->covariance[cma->is_diagonal ? j : j * cma->n + j];
    return cma->sigma * cma->scale[j] * sqrt(fmax(variance, 0));
}

bool cma_is_degenerate(const struct cma *cma)
{
    double least = INFINITY, most = 0;
    for (size_t j = 0; j < cma->n; j++) {
        least = fmin(least, cma->lengths[j]);
        most = fmax(most, cma->lengths[j]);
    }
    return !isfinite(cma->sigma) || !isfinite(most) || !(most <= sqrt(MAX_CONDITION) * least);
}
