#ifndef OPTIMIZERS_GP_WARP_H
#define OPTIMIZERS_GP_WARP_H

#include <stddef.h>

/* Values of the objective as the Gaussian process sees them: a monotone transform that takes in heavy tails
 * and spreads what lies near the optimum.
 *
 * | symbol | meaning                                                                                   |
 * | y      | a value, minimised                                                                        |
 * | b, w   | the smallest value, and how far above it the median lies                                  |
 * | s      | (y - b) / w; above TAIL: TAIL + ln(1 + s - TAIL), so that one diverged trial is not       |
 * |        | all that is seen of the others, and at most TAIL + ln(1 + 1e6)                            |
 * | c      | where the logarithm sets in: linear for c -> infinity, ln s for c -> 0                    |
 * | z      | (g - mean g) / sd g,  g = ln(1 + s / c)                                                   |
 *
 * c is fitted with the kernel (a warped Gaussian process, Snelson et al. 2004): its likelihood is that of z
 * times prod dz/ds, whose logarithm is -sum ln(c + s_i) - n ln sd g. */
struct gp_warp {
    double best, width; /* b and w, of values divided by unit */
    double unit;        /* a power of two that keeps differences from overflowing */
    double c, mean, sd;
};

/* s[n] of y[n] (NAN: failed; stays so) and what else does not depend on c. `scratch` is [n]. Returns how many
 * have a value; their s is finite and at least 0. */
size_t gp_warp_prepare(struct gp_warp *warp, double *s, const double *y, size_t n, double *scratch);
/* z[n] of s[n] for this c; a failed one is as bad as the worst value. `slopes` (NULL: not wanted) becomes
 * dz/d ln c; *log_slope (likewise) the sum of ln dz/ds and *log_slope_slope its derivative by ln c. If all
 * values are equal, z is 0. */
void gp_warp_apply(double *z, double *slopes, double *log_slope, double *log_slope_slope,
                   struct gp_warp *warp, const double *s, size_t n, double c);

#endif
