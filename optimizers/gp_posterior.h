#ifndef OPTIMIZERS_GP_POSTERIOR_H
#define OPTIMIZERS_GP_POSTERIOR_H

#include <stddef.h>

#include "optimizers/gp_fit.h"
#include "optimizers/gp_kernel.h"

/* What a Gaussian process knows of the objective after some points: mean and variance anywhere.
 *
 * | symbol  | meaning                                                                  | shape              |
 * | n       | points, the first n_settled of them with values                          |                    |
 * | columns | the points feature by feature, numeric ones divided by their lengthscale | [F][capacity]      |
 * | L       | Cholesky factor of their covariance                                      | [n][capacity]      |
 * | alpha   | of those with values, K^-1 (z - m)                                       | [n_settled]        |
 *
 * Points without values are pending trials. Each is believed to come out at its mean (the kriging believer,
 * Ginsbourger et al. 2010): that leaves the mean everywhere as it is and takes its share of the variance. */
struct gp_posterior {
    const struct gp_features *features;
    const struct gp_hyper *hyper;
    size_t capacity, n, n_settled;
    double noise;          /* of the points that are added */
    double jitter;         /* added to the noise so that the covariance can be factorized */
    double settled_jitter; /* the same of the points with values */
    double *columns, *factor, *alpha;
    double *row, *effects, *slopes, *k; /* [capacity] scratch */
    double *here;                       /* [F] scratch */
};

void gp_posterior_fini(struct gp_posterior *posterior);
/* Begins anew, without points, with room for `capacity`. Borrows both. Returns 0 or ERR_NOMEM. */
int gp_posterior_begin(struct gp_posterior *posterior, const struct gp_features *features,
                       const struct gp_hyper *hyper, size_t capacity);
/* Adds m points z[m][F] (as encoded) by extending the factor: O(m n^2 + m^2 n + m^3). There must be room.
 * What comes out depends, to the bit, on how points are divided among calls. */
void gp_posterior_add(struct gp_posterior *posterior, const double *z, size_t m);
/* The same for points without noise: their part of the factor is the factor of their covariance, given the
 * others. Pending ones. */
void gp_posterior_add_exact(struct gp_posterior *posterior, const double *z, size_t m);
/* All points so far have values, values[n]. O(n^2). Points added from here on are pending. */
void gp_posterior_settle(struct gp_posterior *posterior, const double *values);
/* Forgets the pending points. */
void gp_posterior_forget_pending(struct gp_posterior *posterior);

/* Means at m points z[m][F] (as encoded). O(m n F). */
void gp_posterior_means(double *means, struct gp_posterior *posterior, const double *z, size_t m);
/* Numeric features of a point divided by their lengthscales. May work in place. */
void gp_posterior_scale(double *scaled, const struct gp_posterior *posterior, const double *z);
/* Means and variances (without noise) at m points scaled[m][F]. cross[m][n] is scratch, and holds afterwards
 * L^-1 k of each. O(m n^2). */
void gp_posterior_predict(double *means, double *variances, const struct gp_posterior *posterior,
                          const double *scaled, size_t m, double *cross);
/* After predict, the gradients of both by the features (unscaled; 0 for categories): [m][F] each. `cross` is
 * what predict left, and is used up. */
void gp_posterior_gradients(double *mean_gradients, double *variance_gradients,
                            struct gp_posterior *posterior, const double *scaled, size_t m, double *cross);

#endif
