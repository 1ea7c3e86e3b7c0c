/* Acquisition functions.
 *
 *   EI = sigma h(x),  h(x) = phi(x) + x Phi(x),  x = (best - mean) / sigma
 *   ln EI = ln sigma + ln h(x)                      (Ament et al. 2023, arXiv 2310.20708, equation 9)
 *
 * For x far below 0 both terms of h all but cancel, and phi underflows. With t = -x and Mills' ratio Phi(-t)
 * / phi(t) = 1 / (t + q), q = 1 / (t + 2 / (t + 3 / (t + ...))) (Abramowitz & Stegun 26.2.14),
 *
 *   h = phi q / (t + q),   Phi / h = 1 / q,   phi / h = (t + q) / q,
 *
 * which has no difference in it; the paper takes erfcx and log1mexp to the same end (equations 9 and 14). */
#include "optimizers/gp_acquisition.h"

#include <math.h>

#define FAR             -3.0
#define HALF_LOG_TWO_PI 0.91893853320467274178

enum { N_FRACTIONS = 60 }; /* at t = 3 the last digits stand */

struct gp_promise gp_log_ei(double mean, double variance, double best)
{
    double sigma = sqrt(variance), x = (best - mean) / sigma, log_h, cdf_h, pdf_h;
    if (x > FAR) {
        double pdf = exp(-x * x / 2 - HALF_LOG_TWO_PI), cdf = erfc(-x * M_SQRT1_2) / 2;
        double h = pdf + x * cdf;
        log_h = log(h);
        cdf_h = cdf / h;
        pdf_h = pdf / h;
    } else {
        double t = -x, q = 0;
        int n = t < 30 ? (int)(N_FRACTIONS * 3 / t) + 2 : 8;
        for (int k = n; k >= 1; k--)
            q = k / (t + q);
        log_h = -t * t / 2 - HALF_LOG_TWO_PI + log(q / (t + q));
        cdf_h = 1 / q;
        pdf_h = (t + q) / q;
    }
    return (struct gp_promise){
        .score = log(sigma) + log_h, .by_mean = -cdf_h / sigma, .by_variance = pdf_h / (2 * variance)};
}

struct gp_promise gp_ucb(double mean, double variance, double kappa)
{
    double sigma = sqrt(variance);
    return (struct gp_promise){
        .score = kappa * sigma - mean, .by_mean = -1, .by_variance = kappa / (2 * sigma)};
}
