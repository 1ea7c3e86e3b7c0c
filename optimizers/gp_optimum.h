#ifndef OPTIMIZERS_GP_OPTIMUM_H
#define OPTIMIZERS_GP_OPTIMUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rng.h"
#include "optimizers/gp_acquisition.h"
#include "optimizers/gp_posterior.h"
#include "optimizers/keyset.h"
#include "optimizers/lbfgs.h"

/* Where the acquisition function is largest, among all points of the space that were not tried: many
 * candidates, spread evenly and around the best trials; then from the most promising ones uphill, by
 * gradients where values are continuous and by single changes where they are not, in turns. */
enum { GP_N_STARTS = 6 };
/* Points at which GP_THOMPSON draws the posterior: the posterior needs room for as many more. */
enum { GP_N_DRAWN = 256 };

/* A point under consideration; score -INFINITY: tried, or none. */
struct gp_candidate {
    double score;
    double *unit; /* [n_dims] */
};

struct gp_optimum {
    const struct gp_features *features;
    const struct keyset *tried; /* hashes of points; borrowed */
    enum gp_acquisition acquisition;
    double kappa, best;
    struct gp_posterior *posterior;
    double *even;                                /* [N_EVEN][n_dims] points spread evenly */
    size_t capacity;                             /* points that `cross` has room for */
    double *cross;                               /* [BATCH][capacity] */
    double *units;                               /* [BATCH][n_dims] */
    double *point;                               /* [n_params] */
    double *scaled;                              /* [BATCH][F] */
    double *means, *variances, *scores;          /* [BATCH] */
    double *mean_gradients, *variance_gradients; /* [GP_N_STARTS][F] */
    double *gradient;                            /* [n_dims] */
    struct gp_candidate starts[GP_N_STARTS];
    struct lbfgs climbers[GP_N_STARTS];
    size_t *moving[GP_N_STARTS]; /* [n_dims] coordinates that a climber moves */
};

/* What it starts from. */
struct gp_incumbents {
    size_t n;
    const double *const *units; /* [n] of the best trials, the best first */
};

/* Returns 0 or ERR_NOMEM. Borrows features. */
int gp_optimum_init(struct gp_optimum *optimum, const struct gp_features *features);
void gp_optimum_fini(struct gp_optimum *optimum);
/* Fills unit[n_dims]; *found is false if no candidate was untried. Returns 0 or ERR_NOMEM. */
int gp_optimum_find(double *unit, bool *found, struct gp_optimum *optimum, struct gp_posterior *posterior,
                    const struct gp_incumbents *incumbents, struct rng *rng);

#endif
