#ifndef OPTIMIZERS_CMA_H
#define OPTIMIZERS_CMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rng.h"

/* The normal distribution of CMA-ES and its update, apart from where its points come from.
 *
 * | symbol   | meaning                                                           | shape          |
 * | n        | coordinates                                                       |                |
 * | lambda   | points of one update; mu of them, the better half, pull the mean  |                |
 * | w        | weights by rank; the worse half have negative ones                | [lambda]       |
 * | m, sigma | mean and step size                                                | [n]            |
 * | A        | further scale of each coordinate, 1 unless a margin wants more    | [n]            |
 * | C        | covariance, C = B D^2 B^T; of a diagonal one the diagonal         | [n][n] or [n]  |
 * | p_sigma, p_c | evolution paths                                               | [n]            |
 *
 *   x = m + sigma A B D z,  z standard normal */
struct cma {
    size_t n, lambda, mu;
    bool is_diagonal;
    double mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi_n;
    double *weights;
    double sigma;
    double *mean, *scale;
    double *covariance;
    double *vectors, *lengths; /* B [n][n], column major; D [n] */
    double *path_sigma, *path_c;
    uint64_t n_updates, n_decomposed;
    double *steps, *white; /* [lambda][n], [3][n] scratch */
    double *work;          /* [n_work] scratch of LAPACK */
    int n_work;
};

/* Memory and constants for n >= 1 coordinates and lambda >= 2 points an update. Returns 0 or ERR_NOMEM. */
int cma_init(struct cma *cma, size_t n, size_t lambda, bool is_diagonal);
void cma_fini(struct cma *cma);
/* Begins at mean[n] with the unit covariance. */
void cma_start(struct cma *cma, const double *mean, double sigma);

/* Draws x[n], with a step size `wider` times as large. O(n^2), diagonal O(n). */
void cma_sample(double *x, struct cma *cma, double wider, struct rng *rng);
/* Learns from x[lambda][n], the best first. is_foreign[lambda]: the point was not drawn from the distribution
 * as it is now; its pull is bounded. O(lambda n^2), and O(n^3) now and then. */
void cma_update(struct cma *cma, const double *x, const bool *is_foreign);
/* Enlarges the step size, for when values say nothing. */
void cma_widen(struct cma *cma);

/* Standard deviation of coordinate j. */
double cma_deviation(const struct cma *cma, size_t j);
/* Too long or too narrow to go on in floating point. */
bool cma_is_degenerate(const struct cma *cma);

#endif
