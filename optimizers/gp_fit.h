#ifndef OPTIMIZERS_GP_FIT_H
#define OPTIMIZERS_GP_FIT_H

#include <stddef.h>

#include "optimizers/gp_kernel.h"

/* What a Gaussian process is told of the objective before it sees it, and what is fitted.
 *
 * | symbol     | meaning                                                     | shape |
 * | l          | lengthscales                                                | [S]   |
 * | signal     | variance of the part in which parameters interact           |       |
 * | additive   | variance of the part that is a sum of main effects          |       |
 * | reach      | how much faster these vary (optimizers/gp_kernel.h)         |       |
 * | noise      | variance of what two evaluations of one point differ by     |       |
 * | c          | of the transform of values (optimizers/gp_warp.h)           |       |
 *
 *   cov(z_a, z_b) = GP_MEAN_VARIANCE + signal k(a, b) + additive g(a, b) + noise [a = b]
 *
 * The constant is an unknown mean, integrated out (Rasmussen & Williams 2006, section 2.7). */
#define GP_MEAN_VARIANCE 1.0

struct gp_hyper {
    double *lengthscales; /* [S] */
    double *weights;      /* [S] 1 / l^2 */
    double signal, additive, reach, noise, c;
};

/* Sets what holds before anything is known. lengthscales[S] and weights[S] are the caller's. */
void gp_hyper_reset(struct gp_hyper *hyper, const struct gp_features *features);
/* Fits by maximum a posteriori to n points, given feature by feature (columns[F][stride], not divided by
 * lengthscales), with values y[n] (NAN: failed). Depends on nothing else, so a search that is rebuilt comes
 * to the same. Returns 0 or ERR_NOMEM. O(n^3) for each of some 30 steps. */
int gp_fit(struct gp_hyper *hyper, const struct gp_features *features, const double *columns, size_t stride,
           size_t n, const double *y);

#endif
