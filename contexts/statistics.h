#ifndef CONTEXTS_STATISTICS_H
#define CONTEXTS_STATISTICS_H

#include <stddef.h>

/* Paired comparisons of few numbers. All of them may be asked anything finite; NaN says that there is no
 * answer: too few numbers, or numbers that do not differ among themselves. */

/* Of n numbers: mean, NaN for none; sample standard deviation, NaN for fewer than two. */
double stats_mean(const double *values, size_t n);
double stats_sd(const double *values, size_t n);

/* Two-sided confidence interval of the mean of n differences, by Student's t. */
struct interval {
    double low, high;
};
struct interval stats_t_interval(const double *differences, size_t n, double confidence);

/* Two-sided p of "the differences are around 0": Student's paired t test; and Wilcoxon's signed-rank test
 * (Biometrics Bulletin 1, 1945), differences of 0 left out, ties at their middle rank; exact, conditional on
 * the ties, up to STATS_EXACT differences, beyond that by the normal approximation with corrections for ties
 * and continuity. stats_wilcoxon needs memory; NaN as well when there is none. */
#define STATS_EXACT 200
double stats_t_test(const double *differences, size_t n);
double stats_wilcoxon(const double *differences, size_t n);

/* Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979) of n p-values, in place: p[i]
 * becomes the least level of the whole family at which i is rejected. NaN are left alone and do not count. n
 * up to a few 100,000. Returns 0 or ERR_NOMEM. */
int stats_holm(double *p, size_t n);

#endif
