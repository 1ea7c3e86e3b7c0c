/* The transform of values. */
#include "optimizers/gp_warp.h"

#include <math.h>
#include <stdlib.h>

#include "optimizers/quantile.h"

#define TAIL     5.0
#define MAX_TAIL 1e6

/* A power of two not far below the largest |y|, so that sums and differences of y / unit are ordinary. */
static double unit_of(const double *y, size_t n)
{
    double largest = 0;
    int exponent;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(y[i])); /* passes over NaN */
    if (largest == 0)
        return 1;
    (void)frexp(largest, &exponent); /* the fraction is not needed */
    exponent = exponent > 1000 ? 1000 : exponent < -1000 ? -1000 : exponent;
    return ldexp(1, exponent);
}

static double compress(double s)
{
    if (!(s > TAIL))
        return s;
    return TAIL + log1p(s - TAIL < MAX_TAIL ? s - TAIL : MAX_TAIL);
}

size_t gp_warp_prepare(struct gp_warp *warp, double *s, const double *y, size_t n, double *scratch)
{
    size_t n_valued = 0;
    double best = INFINITY, worst = -INFINITY;
    *warp = (struct gp_warp){.unit = unit_of(y, n)};
    for (size_t i = 0; i < n; i++) {
        s[i] = y[i] / warp->unit;
        if (isnan(s[i]))
            continue;
        best = fmin(best, s[i]);
        worst = fmax(worst, s[i]);
        scratch[n_valued++] = s[i];
    }
    if (n_valued == 0)
        return 0;
    warp->best = best;
    warp->width = quantile_of(scratch, n_valued, 0.5) - best;
    if (!(warp->width > 0))
        warp->width = worst > best ? worst - best : 1;
    for (size_t i = 0; i < n; i++)
        s[i] = compress((s[i] - best) / warp->width);
    return n_valued;
}

/* Of those that have a value: mean and standard deviation of g, and their derivatives by ln c. */
struct moments {
    double n, mean, sd, mean_slope, sd_slope;
};

static struct moments measure(const double *s, size_t n, double c)
{
    struct moments m = {0};
    for (size_t i = 0; i < n; i++) {
        if (isnan(s[i]))
            continue;
        m.n++;
        m.mean += log1p(s[i] / c);
        m.mean_slope -= s[i] / (c + s[i]);
    }
    m.mean /= m.n;
    m.mean_slope /= m.n;
    for (size_t i = 0; i < n; i++) {
        if (isnan(s[i]))
            continue;
        double off = log1p(s[i] / c) - m.mean;
        m.sd += off * off;
        m.sd_slope += off * (-s[i] / (c + s[i]) - m.mean_slope);
    }
    m.sd = sqrt(m.sd / m.n);
    m.sd_slope = m.sd > 0 ? m.sd_slope / (m.n * m.sd) : 0;
    return m;
}

void gp_warp_apply(double *z, double *slopes, double *log_slope, double *log_slope_slope,
                   struct gp_warp *warp, const double *s, size_t n, double c)
{
    struct moments m = measure(s, n, c);
    double sd = m.sd > 0 ? m.sd : 1, worst = -INFINITY, worst_slope = 0, sum = -m.n * log(sd);
    double sum_slope = -m.n * m.sd_slope / sd;
    warp->c = c;
    warp->mean = m.mean;
    warp->sd = sd;
    for (size_t i = 0; i < n; i++) {
        if (isnan(s[i]))
            continue;
        z[i] = (log1p(s[i] / c) - m.mean) / sd;
        double slope = (-s[i] / (c + s[i]) - m.mean_slope - z[i] * m.sd_slope) / sd;
        if (slopes)
            slopes[i] = slope;
        sum -= log(c + s[i]);
        sum_slope -= c / (c + s[i]);
        if (z[i] > worst) {
            worst = z[i];
            worst_slope = slope;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!isnan(s[i]))
            continue;
        z[i] = worst;
        if (slopes)
            slopes[i] = worst_slope;
    }
    if (log_slope)
        *log_slope = sum;
    if (log_slope_slope)
        *log_slope_slope = sum_slope;
}
