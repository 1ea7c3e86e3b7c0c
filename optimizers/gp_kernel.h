#ifndef OPTIMIZERS_GP_KERNEL_H
#define OPTIMIZERS_GP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/space.h"

/* Points as a Gaussian process sees them, its kernel and its mean.
 *
 * | symbol  | meaning                                                                        | shape      |
 * | z       | a point as features: numeric ones, and categories by their index               | [F]        |
 * | l_s     | lengthscales; some features share one                                          | [S]        |
 * | r^2     | squared distance, sum over features of delta_f(z_f, z'_f) / l_s(f)^2           |            |
 * | delta_f | numeric: (z_f - z'_f)^2;  category: [z_f != z'_f]                              |            |
 * | r_s^2   | the share of lengthscale s in r^2                                              |            |
 * | k       | Matern 5/2: (1 + a + a^2 / 3) exp(-a), a = sqrt(5) r                           |            |
 * | g       | main effects: sum over s of w(reach r_s) / S                                   |            |
 * | w       | (1 - r)^5 (1 + 5 r + 8 r^2), 0 from r = 1 on                                   |            |
 * | m       | mean before anything is known: e / sqrt(S - 1) times the sum over lists of t^8 |            |
 * | t       | a coordinate of the unit cube, moved to -1 ... 1                               |            |
 *
 * A numeric parameter is its coordinate in the unit cube, stretched so that its first and last value are at 0
 * and 1, and always of a value that it can have: the kernel sees integers and steps as rounded (Garrido-
 * Merchan & Hernandez-Lobato 2020). A conditional one that is not active stands at 1/2 in z and has a second
 * feature, 1/2 instead of 0, with the same lengthscale: so it is at some distance from all active ones, at
 * none from other inactive ones, and r^2 stays a squared distance in a Euclidean space, without which k would
 * be no kernel. A categorical one that is not active has a category more.
 *
 * The last feature is the fidelity: how far the trial had come, 1 for the farthest.
 *
 * g is the kernel of a sum of functions of one parameter each (Duvenaud et al. 2011, "Additive Gaussian
 * processes"): what was learnt of a parameter at one value of the others it takes to hold at all. k is for
 * the rest. w is Wendland's function for one dimension (1995, phi_1,2): as smooth as Matern 5/2, and without
 * exp, of which there would be S for each pair of points.
 *
 * m: of numbers that are chosen from a list, the first and the last are believed to be worse than those
 * between them, which they are there to enclose; more so the longer the list is, for t of the first of n
 * evenly spread ones is 1 / n - 1. All else being equal the variance is largest at the ends, so that a search
 * goes there too often (Siivola et al. 2018, "Correcting boundary over-exploration deficiencies in Bayesian
 * optimization"). */
struct gp_feature {
    bool is_categorical;
    size_t scale; /* which lengthscale */
};

/* Where a coordinate of the unit cube is found among the features. */
struct gp_dim {
    bool is_used; /* false: it has one value only */
    bool is_conditional;
    bool is_list;       /* numeric, its values were listed */
    bool is_continuous; /* numeric, with so many values that it may be moved by gradients */
    size_t feature;     /* the next one says whether it is active, if numeric and conditional */
    double low, range;  /* of its coordinate in the unit cube */
};

struct gp_features {
    const struct space *space;
    size_t n;                /* F, fidelity included */
    size_t n_scales;         /* S */
    size_t n_lists;          /* dims that are lists */
    size_t n_continuous;     /* dims that are continuous */
    struct gp_feature *list; /* [n] */
    struct gp_dim *dims;     /* [space->n_dims] */
};

/* Returns 0 or ERR_NOMEM. Borrows space. */
int gp_features_init(struct gp_features *features, const struct space *space);
void gp_features_fini(struct gp_features *features);
/* z[F] of a point of the space. */
void gp_features_encode(double *z, const struct gp_features *features, const double *point, double fidelity);

/* How points are compared. */
struct gp_metric {
    const struct gp_features *features;
    const double *weights; /* [S] 1 / l^2 */
    double reach;
};

/* r2[n] and effects[n], sum_s w(reach r_s), of z[F] with n points given feature by feature,
 * columns[F][stride], both with numeric features divided by their lengthscales. O(n F). */
void gp_compare(double *r2, double *effects, const struct gp_metric *metric, const double *columns,
                size_t stride, size_t n, const double *z);
/* The same, from what they are for `before`: O(n) for each feature that differs. */
void gp_compare_next(double *r2, double *effects, const struct gp_metric *metric, const double *columns,
                     size_t stride, size_t n, const double *z, const double *before);
/* k[n] of r2[n], times `scale`. */
void gp_matern(double *k, const double *r2, size_t n, double scale);
/* The same, and slope[n] = -2 scale dk / d(r^2) = scale 5/3 (1 + a) exp(-a). */
void gp_matern_slope(double *k, double *slope, const double *r2, size_t n, double scale);

/* Adds sum_i m_i g_i to *value and its derivative by -ln of the s-th radius, sum_i m_i dg_i / d ln l_s, to
 * slopes[S]; g are the effects divided by S. */
void gp_main_effects_weigh(double *value, double *slopes, const struct gp_metric *metric,
                           const double *columns, size_t stride, size_t n, const double *z, const double *m);
/* gradient[F] of sum_i m_i g_i by the scaled features; 0 for categories. */
void gp_main_effects_gradient(double *gradient, const struct gp_metric *metric, const double *columns,
                              size_t stride, size_t n, const double *z, const double *m);

/* m of z[F]: its features stand `stride` apart and are divided by lengthscales[S], unless those are NULL. */
double gp_prior_mean(const struct gp_features *features, const double *z, size_t stride,
                     const double *lengthscales);
/* Adds its gradient by the features (not divided) to gradient[F]. */
void gp_prior_mean_gradient(double *gradient, const struct gp_features *features, const double *scaled,
                            const double *lengthscales);

/* The Cholesky factor of the n x n matrix in the lower triangle of rows a[n][stride], in its place; the upper
 * triangle is left alone. False: it is not positive definite. O(n^3). */
bool gp_factorize(double *a, size_t n, size_t stride);
/* Of such a factor the lower triangle of the inverse matrix, in its place. O(n^3). */
bool gp_invert(double *factor, size_t n, size_t stride);

#endif
