/* Paired comparisons: t, Wilcoxon, Holm. The distributions are GSL's. */
#include "contexts/statistics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>

#include "core/err.h"

double stats_mean(const double *values, size_t n)
{
    return n > 0 ? gsl_stats_mean(values, 1, n) : (double)NAN;
}

double stats_sd(const double *values, size_t n)
{
    return n > 1 ? gsl_stats_sd(values, 1, n) : (double)NAN;
}

/* Standard error of the mean; NaN where the numbers are the same but for rounding: they are then one number
 * written n times (a function that makes no use of its seed), from which nothing can be inferred. The bound
 * is that of R's t.test. */
static double standard_error(const double *values, size_t n)
{
    double error = stats_sd(values, n) / sqrt((double)n);
    return error > 10 * DBL_EPSILON * fabs(stats_mean(values, n)) ? error : (double)NAN;
}

struct interval stats_t_interval(const double *differences, size_t n, double confidence)
{
    double error = standard_error(differences, n), mean = stats_mean(differences, n);
    if (isnan(error))
        return (struct interval){NAN, NAN};
    double reach = error * gsl_cdf_tdist_Pinv(0.5 + confidence / 2, (double)n - 1);
    return (struct interval){mean - reach, mean + reach};
}

double stats_t_test(const double *differences, size_t n)
{
    double error = standard_error(differences, n);
    if (isnan(error))
        return NAN;
    return 2 * gsl_cdf_tdist_Q(fabs(stats_mean(differences, n)) / error, (double)n - 1);
}

/* Wilcoxon */

struct ranked {
    double size;
    int sign;
    size_t rank2; /* twice the rank, so that middle ranks are whole */
};

static int by_size(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->size, y = ((const struct ranked *)b)->size;
    return (x > y) - (x < y);
}

/* Ranks in ascending order; returns the sum of t^3 - t over groups of t equal ones. */
static double rank(struct ranked *list, size_t n)
{
    double ties = 0;
    qsort(list, n, sizeof *list, by_size);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && list[j].size == list[i].size; j++)
            ;
        for (size_t k = i; k < j; k++)
            list[k].rank2 = i + j + 1; /* (i + 1) + ... + j, divided by how many, times two */
        double t = (double)(j - i);
        ties += t * t * t - t;
    }
    return ties;
}

/* P(W <= w2 / 2), W the sum of the ranks of positive differences: each is in it with probability 1/2. The
 * distribution of W is built up rank by rank. */
static double exact_tail(const struct ranked *list, size_t n, size_t w2)
{
    size_t most = n * (n + 1);
    double *chance = calloc(most + 1, sizeof *chance), tail = 0;
    if (!chance)
        return NAN;
    chance[0] = 1;
    for (size_t i = 0; i < n; i++) {
        for (size_t w = most + 1; w-- > 0;)
            chance[w] = (chance[w] + (w >= list[i].rank2 ? chance[w - list[i].rank2] : 0)) / 2;
    }
    for (size_t w = 0; w <= w2 && w <= most; w++)
        tail += chance[w];
    free(chance);
    return tail;
}

static double normal_tail(size_t n, double w, double ties)
{
    double k = (double)n, mean = k * (k + 1) / 4;
    double sd = sqrt(k * (k + 1) * (2 * k + 1) / 24 - ties / 48);
    return gsl_cdf_ugaussian_P(fmin(w - mean + 0.5, 0) / sd);
}

static double signed_rank(struct ranked *list, size_t n)
{
    double ties = rank(list, n);
    size_t plus2 = 0, all2 = n * (n + 1);
    for (size_t i = 0; i < n; i++)
        plus2 += list[i].sign > 0 ? list[i].rank2 : 0;
    size_t less2 = plus2 < all2 - plus2 ? plus2 : all2 - plus2; /* the distribution is symmetric */
    double tail = n <= STATS_EXACT ? exact_tail(list, n, less2) : normal_tail(n, (double)less2 / 2, ties);
    return fmin(2 * tail, 1);
}

double stats_wilcoxon(const double *differences, size_t n)
{
    struct ranked *list = calloc(n + 1, sizeof *list);
    size_t n_ranked = 0;
    if (!list || isnan(standard_error(differences, n))) {
        free(list);
        return NAN;
    }
    for (size_t i = 0; i < n; i++) {
        if (differences[i] != 0)
            list[n_ranked++] =
                (struct ranked){.size = fabs(differences[i]), .sign = differences[i] > 0 ? 1 : -1};
    }
    double p = signed_rank(list, n_ranked);
    free(list);
    return p;
}

/* Holm */

struct tested {
    double p;
    size_t index;
};

static int by_p(const void *a, const void *b)
{
    const struct tested *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->index > y->index) - (x->index < y->index);
}

int stats_holm(double *p, size_t n)
{
    struct tested *list = calloc(n + 1, sizeof *list);
    size_t n_tested = 0;
    double highest = 0;
    if (!list)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(p[i]))
            list[n_tested++] = (struct tested){p[i], i};
    }
    qsort(list, n_tested, sizeof *list, by_p);
    for (size_t i = 0; i < n_tested; i++) {
        highest = fmax(highest, fmin(1, list[i].p * (double)(n_tested - i)));
        p[list[i].index] = highest;
    }
    free(list);
    return 0;
}
