#ifndef OPTIMIZERS_PARZEN_H
#define OPTIMIZERS_PARZEN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/rng.h"

enum parzen_width { PARZEN_RATE, PARZEN_NEIGHBOURS };

/* A Parzen estimator over some coordinates: a mixture of one product kernel per observation and one prior.
 *
 * | symbol   | meaning                                                              | shape     |
 * | n        | observations; component n is the prior                               |           |
 * | d        | coordinates                                                          |           |
 * | mu_ij    | numeric: observed unit coordinate; categorical: index of the choice  | [d][n]    |
 * | sigma_ij | bandwidth of a numeric kernel                                        | [d][n]    |
 *
 *   p(u) = 1 / (n + 1) ( prior(u) + sum_i prod_j k_j(u_j; mu_ij, sigma_ij) )
 *   numeric:      k = normal density truncated to [0, 1];  prior: mean 1/2, sigma 1
 *   categorical:  k = ([u = mu] + 1/(n+1)) / (1 + C/(n+1)),  C choices;  prior: 1/C */
struct parzen_dim {
    size_t n_choices; /* 0: numeric */
    double cell;      /* numeric: width of one value's cell in [0, 1]; 0: continuous */
};

struct parzen {
    size_t capacity; /* observations that fit */
    size_t n, n_dims;
    double blur;                   /* of the least bandwidth */
    const struct parzen_dim *dims; /* borrowed */
    double *mu, *sigma;            /* [d][capacity + 1] */
    double *scale;                 /* [d][capacity + 1] -1 / (2 sigma^2) */
    double *offset;                /* [capacity + 1] logarithm of what does not depend on u */
    double *terms;                 /* [capacity + 1] scratch */
};

/* Room for `capacity` observations of `max_dims` coordinates. Returns 0 or ERR_NOMEM. */
int parzen_init(struct parzen *parzen, size_t capacity, size_t max_dims);
void parzen_fini(struct parzen *parzen);

/* Begins anew with these coordinates and no observation; then parzen_add for each, then parzen_finish. */
void parzen_begin(struct parzen *parzen, const struct parzen_dim *dims, size_t n_dims);
/* u[n_dims]. There must be room. */
void parzen_add(struct parzen *parzen, const double *u);
/* Chooses bandwidths: by a rate from n and d, or by the distances of neighbours (parzen.c). `blur` widens the
 * least one; 1: as published. */
void parzen_finish(struct parzen *parzen, enum parzen_width width, double blur);

/* Draws u[n_dims]; a numeric coordinate is not rounded to its cells. */
void parzen_sample(double *u, const struct parzen *parzen, struct rng *rng);
/* ln p(u). O(n d). */
double parzen_log_density(struct parzen *parzen, const double *u);

#endif
