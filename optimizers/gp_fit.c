/* Hyperparameters of a Gaussian process by maximum a posteriori.
 *
 * | symbol | meaning                                                                  | shape   |
 * | K      | covariance of the n values, noise included                               | [n][n]  |
 * | alpha  | K^-1 z                                                                   | [n]     |
 * | A      | alpha alpha^T - K^-1                                                     | [n][n]  |
 * | theta  | ln l_1 ... ln l_S, then of signal, additive, reach, noise, c             | [S + 5] |
 *
 *   ln p(z) = -1/2 z^T alpha - sum ln L_ii - n/2 ln 2 pi       (Rasmussen & Williams 2006, equation 5.8)
 *   d ln p / d theta_t = 1/2 tr(A dK/d theta_t)                                       (equation 5.9)
 *   dK_ij / d ln l_s = signal 5/3 (1 + a) exp(-a) r_s^2 - additive / S dw / d ln r_s
 *
 * Priors: ln l ~ N(sqrt 2 + ln(D) / 2, 3) with D parameters, as density of l (Hvarfner et al. 2024, "Vanilla
 * Bayesian optimization performs great in high dimensions", equation 7: what is typical of a distance in D
 * dimensions grows with sqrt D); normal ones of the logarithms of the others, wide, so that they matter only
 * while there are few values. */
#include "optimizers/gp_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "core/err.h"
#include "optimizers/gp_warp.h"
#include "optimizers/lbfgs.h"

enum { MAX_EVALUATIONS = 40 };

/* A normal prior of the logarithm of a hyperparameter, and the range that it is kept in. */
struct prior {
    double mean, sd, min, max;
};

enum { SIGNAL, ADDITIVE, REACH, NOISE, C, N_OTHERS }; /* in theta, behind the lengthscales */

/* The reach is not bounded, so that part of what looks like noise may be taken for interactions over very
 * short distances, which evaluations of new points cannot tell from it. Main effects that vary no slower than
 * the rest (a bound at the mean), or wider priors of signal and additive, told noise better, and were worse
 * searches (Ackley in 6 dimensions, 12 shifts: medians 1.2 and 1.8 against 0.14).
 * START_NOISE was chosen among two by 19 problems with 12 seeds that nothing else was chosen by.
 *
 * c: over ranges all but linear unless many values say otherwise, dull_c. With the wider prior what lies near
 * the best is spread so early that the search stays there, at ever smaller steps, where the objective is
 * rough: seven tables of learning curves by their last value, 20 seeds, have a mean regret of 0.22 after 100
 * trials with the one and 0.18 with the other; a still narrower one (2.5, 0.5) costs Levy and Rosenbrock,
 * whose valleys it takes a logarithm to see. Where there are no ranges there are no such steps, and six
 * tables of lists have 0.012 with the wider prior and 0.015 with the other. */
static const struct prior priors[N_OTHERS] = {
    [SIGNAL] = {.mean = 0, .sd = 1, .min = -6.9, .max = 6.9},
    [ADDITIVE] = {.mean = 0, .sd = 1, .min = -6.9, .max = 6.9},
    [REACH] = {.mean = -1.06,
               .sd = 1,
               .min = -6.9,
               .max = 6.9}, /* ln sqrt(5 / 42): at 0 w is as curved as k */
    [NOISE] = {.mean = -9, .sd = 3, .min = -18.4, .max = 0},
    [C] = {.mean = 0.7, .sd = 1.5, .min = -9.2, .max = 6.9},
};

static const struct prior dull_c = {.mean = 2, .sd = 0.8, .min = -9.2, .max = 6.9};

/* Begun with less, a fit to noisy values explains them by short lengthscales and does not come back. */
#define START_NOISE     0.05
#define MIN_LENGTHSCALE 5e-3
#define MAX_LENGTHSCALE 1e4
#define TOLERANCE       1e-5

static struct prior lengthscale_prior(const struct gp_features *features)
{
    double n_dims = features->n_scales > 1 ? (double)features->n_scales - 1 : 1; /* without the fidelity */
    return (struct prior){.mean = M_SQRT2 + log(n_dims) / 2,
                          .sd = sqrt(3),
                          .min = log(MIN_LENGTHSCALE),
                          .max = log(MAX_LENGTHSCALE)};
}

static const struct prior *prior_of(const struct gp_features *features, size_t other)
{
    return other == C && features->n_continuous > 0 ? &dull_c : &priors[other];
}

static void set_lengthscale(struct gp_hyper *hyper, size_t s, double log_lengthscale)
{
    hyper->lengthscales[s] = exp(log_lengthscale);
    hyper->weights[s] = exp(-2 * log_lengthscale);
}

void gp_hyper_reset(struct gp_hyper *hyper, const struct gp_features *features)
{
    struct prior prior = lengthscale_prior(features);
    for (size_t s = 0; s < features->n_scales; s++)
        set_lengthscale(hyper, s, prior.mean - prior.sd * prior.sd); /* the mode */
    hyper->signal = exp(priors[SIGNAL].mean);
    hyper->additive = exp(priors[ADDITIVE].mean);
    hyper->reach = exp(priors[REACH].mean);
    hyper->noise = START_NOISE;
    hyper->c = exp(prior_of(features, C)->mean);
}

static void list_others(double **others, struct gp_hyper *hyper)
{
    others[SIGNAL] = &hyper->signal;
    others[ADDITIVE] = &hyper->additive;
    others[REACH] = &hyper->reach;
    others[NOISE] = &hyper->noise;
    others[C] = &hyper->c;
}

/* One fit. */
struct fit {
    const struct gp_features *features;
    struct gp_hyper *hyper;
    size_t n;
    double *columns; /* [F][n] as told */
    double *scaled;  /* [F][n] numeric features divided by their lengthscales */
    double *k;       /* [n][n] K, then its factor, then its inverse: the lower triangle */
    double *slopes;  /* [n][n] signal 5/3 (1 + a) exp(-a): the lower triangle */
    double *s, *z, *z_slopes, *alpha, *row, *effects; /* [n]; z without the mean */
    double *means;                                    /* [n] of the prior */
    double *here;                                     /* [F] */
    double *gradient;                                 /* [S + N_OTHERS] */
    double *added; /* [S] derivatives of the additive part by ln l, per variance */
    struct gp_warp warp;
    struct lbfgs lbfgs;
};

static void fit_fini(struct fit *fit)
{
    free(fit->columns); /* the block */
    lbfgs_fini(&fit->lbfgs);
}

static int fit_init(struct fit *fit, struct gp_hyper *hyper, const struct gp_features *features, size_t n)
{
    size_t size = 2 * features->n * n + 2 * n * n + 7 * n + features->n + 2 * features->n_scales + N_OTHERS;
    double *block = calloc(size, sizeof *block);
    *fit = (struct fit){.features = features, .hyper = hyper, .n = n, .columns = block};
    if (!block || lbfgs_init(&fit->lbfgs, features->n_scales + N_OTHERS) < 0) {
        fit_fini(fit);
        return ERR_NOMEM;
    }
    fit->scaled = fit->columns + features->n * n;
    fit->k = fit->scaled + features->n * n;
    fit->slopes = fit->k + n * n;
    fit->s = fit->slopes + n * n;
    fit->z = fit->s + n;
    fit->z_slopes = fit->z + n;
    fit->alpha = fit->z_slopes + n;
    fit->row = fit->alpha + n;
    fit->effects = fit->row + n;
    fit->means = fit->effects + n;
    fit->here = fit->means + n;
    fit->gradient = fit->here + features->n;
    fit->added = fit->gradient + features->n_scales + N_OTHERS;
    return 0;
}

static void set_here(struct fit *fit, size_t i)
{
    for (size_t f = 0; f < fit->features->n; f++)
        fit->here[f] = fit->scaled[f * fit->n + i];
}

static void fill_covariance(struct fit *fit)
{
    const struct gp_features *features = fit->features;
    const struct gp_hyper *hyper = fit->hyper;
    size_t n = fit->n;
    struct gp_metric metric = {features, hyper->weights, hyper->reach};
    double share = hyper->additive / (double)features->n_scales;
    for (size_t f = 0; f < features->n; f++) {
        double scale =
            features->list[f].is_categorical ? 1 : 1 / hyper->lengthscales[features->list[f].scale];
        for (size_t i = 0; i < n; i++)
            fit->scaled[f * n + i] = fit->columns[f * n + i] * scale;
    }
    for (size_t i = 0; i < n; i++) {
        double *k = &fit->k[i * n];
        set_here(fit, i);
        gp_compare(fit->row, fit->effects, &metric, fit->scaled, n, i, fit->here);
        gp_matern_slope(k, &fit->slopes[i * n], fit->row, i, hyper->signal);
        for (size_t j = 0; j < i; j++)
            k[j] += share * fit->effects[j] + GP_MEAN_VARIANCE;
        k[i] = GP_MEAN_VARIANCE + hyper->signal + hyper->additive + hyper->noise;
    }
}

/* ln p(z); NAN if K is singular. Leaves alpha and the factor. */
static double likelihood(struct fit *fit)
{
    int n = (int)fit->n;
    fill_covariance(fit);
    if (!gp_factorize(fit->k, fit->n, fit->n))
        return NAN;
    memcpy(fit->alpha, fit->z, fit->n * sizeof *fit->alpha);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, fit->k, n, fit->alpha, 1);
    double sum = -0.5 * cblas_ddot(n, fit->alpha, 1, fit->alpha, 1) - 0.5 * n * log(2 * M_PI);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, fit->k, n, fit->alpha, 1);
    for (size_t i = 0; i < fit->n; i++)
        sum -= log(fit->k[i * fit->n + i]);
    return sum;
}

/* sum_j m_j delta_f(i, j) / l^2 over j < n, four sums side by side. */
static double weigh(const double *m, const double *column, double here, size_t n)
{
    double sums[4] = {0};
    size_t j = 0;
    for (; j + 4 <= n; j += 4) {
        for (size_t lane = 0; lane < 4; lane++) {
            double off = column[j + lane] - here;
            sums[lane] += m[j + lane] * (off * off);
        }
    }
    for (; j < n; j++)
        sums[0] += m[j] * (column[j] - here) * (column[j] - here);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static double weigh_different(const double *m, const double *column, double here, size_t n)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += column[j] == here ? 0 : m[j];
    return sum;
}

/* The gradient of ln p(z) by ln l, ln signal and ln noise. */
static bool differentiate(struct fit *fit)
{
    const struct gp_features *features = fit->features;
    size_t n = fit->n, n_scales = features->n_scales;
    struct gp_metric metric = {features, fit->hyper->weights, fit->hyper->reach};
    double trace = 0, all = 0, added = 0, *m = fit->row;
    memset(fit->gradient, 0, (n_scales + N_OTHERS) * sizeof *fit->gradient);
    memset(fit->added, 0, n_scales * sizeof *fit->added);
    if (!gp_invert(fit->k, n, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const double *inverse = &fit->k[i * n], *slopes = &fit->slopes[i * n];
        double sum = 0, alpha = fit->alpha[i], a = alpha * alpha - inverse[i];
        for (size_t j = 0; j < i; j++) {
            m[j] = alpha * fit->alpha[j] - inverse[j];
            sum += m[j];
        }
        trace += a;
        all += a + 2 * sum;
        set_here(fit, i);
        gp_main_effects_weigh(&added, fit->added, &metric, fit->scaled, n, i, fit->here, m);
        for (size_t j = 0; j < i; j++)
            m[j] *= slopes[j];
        for (size_t f = 0; f < features->n; f++) {
            const struct gp_feature *feature = &features->list[f];
            const double *column = &fit->scaled[f * n];
            fit->gradient[feature->scale] +=
                feature->is_categorical
                    ? fit->hyper->weights[feature->scale] * weigh_different(m, column, fit->here[f], i)
                    : weigh(m, column, fit->here[f], i);
        }
    }
    double fits = cblas_ddot((int)n, fit->z, 1, fit->alpha, 1) - (double)n; /* tr(A K) */
    double by_additive = fit->hyper->additive * (trace + 2 * added);
    fit->gradient[n_scales + SIGNAL] =
        0.5 * (fits - fit->hyper->noise * trace - GP_MEAN_VARIANCE * all - by_additive);
    fit->gradient[n_scales + ADDITIVE] = 0.5 * by_additive;
    fit->gradient[n_scales + NOISE] = 0.5 * fit->hyper->noise * trace;
    for (size_t s = 0; s < n_scales; s++) {
        fit->gradient[s] += fit->hyper->additive * fit->added[s];
        fit->gradient[n_scales + REACH] -= fit->hyper->additive * fit->added[s];
    }
    return true;
}

static double log_prior(double *slope, const struct prior *prior, double x)
{
    double off = (x - prior->mean) / prior->sd;
    *slope += -off / prior->sd;
    return -0.5 * off * off;
}

static void set_theta(struct fit *fit, const double *theta)
{
    size_t n_scales = fit->features->n_scales;
    double *others[N_OTHERS];
    for (size_t s = 0; s < n_scales; s++)
        set_lengthscale(fit->hyper, s, theta[s]);
    list_others(others, fit->hyper);
    for (size_t i = 0; i < N_OTHERS; i++)
        *others[i] = exp(theta[n_scales + i]);
}

/* -ln of the posterior density at theta, up to a constant, and its gradient. */
static double evaluate(struct fit *fit, const double *theta)
{
    size_t n_scales = fit->features->n_scales;
    struct prior prior = lengthscale_prior(fit->features);
    double sum_log_slopes, c_slope, *gradient = fit->gradient;
    set_theta(fit, theta);
    gp_warp_apply(fit->z, fit->z_slopes, &sum_log_slopes, &c_slope, &fit->warp, fit->s, fit->n,
                  fit->hyper->c);
    cblas_daxpy((int)fit->n, -1, fit->means, 1, fit->z, 1);
    double sum = likelihood(fit) + sum_log_slopes;
    if (!isfinite(sum) || !differentiate(fit))
        return NAN;
    gradient[n_scales + C] = c_slope - cblas_ddot((int)fit->n, fit->alpha, 1, fit->z_slopes, 1);
    for (size_t s = 0; s < n_scales; s++) {
        sum += log_prior(&gradient[s], &prior, theta[s]) - theta[s];
        gradient[s] -= 1;
    }
    for (size_t i = 0; i < N_OTHERS; i++)
        sum += log_prior(&gradient[n_scales + i], prior_of(fit->features, i), theta[n_scales + i]);
    cblas_dscal((int)(n_scales + N_OTHERS), -1, gradient, 1);
    return -sum;
}

static void set_start(struct fit *fit)
{
    struct lbfgs *lbfgs = &fit->lbfgs;
    size_t n_scales = fit->features->n_scales;
    double *others[N_OTHERS];
    list_others(others, fit->hyper);
    for (size_t s = 0; s < n_scales; s++) {
        lbfgs->lower[s] = log(MIN_LENGTHSCALE);
        lbfgs->upper[s] = log(MAX_LENGTHSCALE);
        lbfgs->next[s] = log(fit->hyper->lengthscales[s]);
    }
    for (size_t i = 0; i < N_OTHERS; i++) {
        lbfgs->lower[n_scales + i] = prior_of(fit->features, i)->min;
        lbfgs->upper[n_scales + i] = prior_of(fit->features, i)->max;
        lbfgs->next[n_scales + i] = log(*others[i]);
    }
}

static void climb(struct fit *fit)
{
    struct lbfgs *lbfgs = &fit->lbfgs;
    set_start(fit);
    lbfgs_begin(lbfgs, fit->features->n_scales + N_OTHERS, TOLERANCE, 1);
    for (int i = 0; i < MAX_EVALUATIONS; i++) {
        if (!lbfgs_tell(lbfgs, evaluate(fit, lbfgs->next), fit->gradient))
            break;
    }
    if (isinf(lbfgs->f))
        gp_hyper_reset(fit->hyper, fit->features);
    else
        set_theta(fit, lbfgs->x);
}

int gp_fit(struct gp_hyper *hyper, const struct gp_features *features, const double *columns, size_t stride,
           size_t n, const double *y)
{
    struct fit fit;
    gp_hyper_reset(hyper, features);
    int code = fit_init(&fit, hyper, features, n);
    if (code < 0)
        return code;
    for (size_t f = 0; f < features->n; f++)
        memcpy(&fit.columns[f * n], &columns[f * stride], n * sizeof *columns);
    for (size_t i = 0; i < n; i++)
        fit.means[i] = gp_prior_mean(features, &fit.columns[i], n, NULL);
    size_t n_valued = gp_warp_prepare(&fit.warp, fit.s, y, n, fit.row);
    bool varies = false;
    for (size_t i = 0; i < n; i++)
        varies = varies || fit.s[i] > 0;
    if (n_valued > 1 && varies)
        climb(&fit);
    fit_fini(&fit);
    return 0;
}
