/* Stopping curve: ends a trial that is unlikely to become the best, by extrapolating its learning curve
 * (Domhan, Springenberg & Hutter 2015, "Speeding up automatic hyperparameter optimization of deep neural
 * networks by extrapolation of learning curves", section 4: the predictive termination criterion).
 *
 * | symbol    | meaning                                                              | shape |
 * | y_i, s_i  | objective and units used (step + 1) at report i                      | [n]   |
 * | S         | units of a whole training                                            |       |
 * | y*        | best last value of a completed trial                                 |       |
 * | g_k(s)    | basis of model k: s^-alpha ("pow3") or exp(-s / (tau S)) ("exp3")     | [K]   |
 * | w_i       | weight of report i                                                   |       |
 *
 *   model k:  y_i = a + b g_k(s_i) + e_i,  e_i ~ N(0, sigma^2 / w_i),  w_i = s_i
 *   stop  <=> P(y(S) < y* | y_1 ... y_n) < probability
 *
 * What differs from the paper. Its eleven families with up to four parameters each are sampled by MCMC, for
 * minutes; here the nonlinear parameter of two of its families runs over a grid, and given it the rest is
 * linear and integrated in closed form, with flat priors on ln sigma, on y(S) and on the improvement from the
 * first unit to S:
 *
 *   p(y(S) | k) = Student t with nu degrees of freedom about a^ + b^ g_k(S)
 *   p(k | y)    ~ |X'WX|^(-1/2) / (g_k(1) - g_k(S)) RSS_k^(-nu / 2),   nu = n_eff - 2
 *
 * Residuals of a curve are not independent, so the number of reports overstates what is known of its end:
 * n_eff = min((sum w)^2 / sum w^2, MAX_EFFECTIVE), and sigma has a floor, a share of what the curve has
 * moved. Later reports weigh more, since the beginning of a training follows other laws than its end. All
 * that is needed of a curve are sums, so a report costs O(K) whatever its number (about 5 us). */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "optimizers/registry.h"
#include "optimizers/stopping_when.h"

struct options {
    double probability;
    int64_t max_steps;
    struct stopping_when when;
};

static const struct option curve_options[] = {
    {.name = "probability",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, probability),
     .min = 1e-6,
     .max = 0.5,
     .initial = 0.05,
     .help = "a trial ends when its chance to become the best is below this"},
    {.name = "max_steps",
     .type = OPTION_INT,
     .offset = offsetof(struct options, max_steps),
     .min = 0,
     .max = 1e15,
     .initial = 0,
     .help = "reports of a whole training, e.g. epochs; 0: as far as the longest completed trial came"},
    STOPPING_WHEN_OPTIONS(struct options, 1),
};

static const double alphas[] = {0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3};
static const double taus[] = {1. / 64, 1. / 32, 1. / 16, 1. / 8, 1. / 4, 1. / 2, 1};

enum {
    N_ALPHAS = sizeof alphas / sizeof *alphas,
    N_MODELS = N_ALPHAS + sizeof taus / sizeof *taus,
    MIN_REPORTS = 5 /* three unknowns, and something to tell the noise by */
};

/* Found on recorded curves of 7 tasks (taskset, lcbench): with more, or a lower floor, the rule is too sure.
 */
#define MAX_EFFECTIVE 12
#define SIGMA_FLOOR   0.02

/* Sums over the reports of a trial. y is counted from the first value. */
struct sums {
    double w, ww, wy, wyy;
    double wg[N_MODELS], wgg[N_MODELS], wgy[N_MODELS];
};

struct fit {
    uint64_t trial;
    size_t n; /* reports in the sums */
    double horizon, first, low, high;
    struct sums sums;
    UT_hash_handle hh;
};

struct curve_rule {
    struct options options;
    size_t n_completed;
    double horizon; /* S; 0: not known yet */
    double best;    /* y*; INFINITY: none */
    struct fit *fits;
};

static void curve_rule_destroy(void *state)
{
    struct curve_rule *rule = state;
    if (!rule)
        return;
    struct fit *fit, *next;
    HASH_ITER(hh, rule->fits, fit, next)
    {
        HASH_DEL(rule->fits, fit);
        free(fit);
    }
    free(rule);
}

static int curve_rule_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    struct curve_rule *rule = calloc(1, sizeof *rule);
    if (!rule)
        return err_set(err, ERR_NOMEM, "out of memory");
    rule->options = *(const struct options *)setup->options;
    rule->horizon = (double)rule->options.max_steps;
    rule->best = INFINITY;
    *state = rule;
    return 0;
}

static double basis(size_t k, double s, double horizon)
{
    return k < N_ALPHAS ? pow(s, -alphas[k]) : exp(-s / (taus[k - N_ALPHAS] * horizon));
}

static void add_report(struct fit *fit, double s, double value)
{
    struct sums *sums = &fit->sums;
    double w = s, y = value - fit->first;
    fit->low = fmin(fit->low, value);
    fit->high = fmax(fit->high, value);
    sums->w += w;
    sums->ww += w * w;
    sums->wy += w * y;
    sums->wyy += w * y * y;
    for (size_t k = 0; k < N_MODELS; k++) {
        double g = basis(k, s, fit->horizon);
        sums->wg[k] += w * g;
        sums->wgg[k] += w * g * g;
        sums->wgy[k] += w * g * y;
    }
}

/* Begins the sums anew: the trial has, or the length of a whole training is another one. */
static void restart(struct fit *fit, const struct curve *curve, double horizon)
{
    fit->n = 0;
    fit->horizon = horizon;
    fit->first = fit->low = fit->high = curve->values[0];
    fit->sums = (struct sums){0};
}

/* Finds or makes it; NULL: out of memory. */
static struct fit *get_fit(struct curve_rule *rule, uint64_t trial)
{
    struct fit *fit;
    HASH_FIND(hh, rule->fits, &trial, sizeof trial, fit);
    if (fit)
        return fit;
    fit = calloc(1, sizeof *fit);
    if (!fit)
        return NULL;
    fit->trial = trial;
    HASH_ADD(hh, rule->fits, trial, sizeof fit->trial, fit);
    if (fit->hh.tbl)
        return fit;
    free(fit);
    return NULL;
}

static void catch_up(struct fit *fit, const struct curve *curve, double horizon)
{
    if (fit->n == 0 || fit->n > curve->n || fit->horizon != horizon || fit->first != curve->values[0])
        restart(fit, curve, horizon);
    for (; fit->n < curve->n; fit->n++) {
        if (isfinite(curve->values[fit->n]))
            add_report(fit, (double)curve->steps[fit->n] + 1, curve->values[fit->n]);
    }
}

/* What model k says of y(S). */
struct prediction {
    double mean, deviation; /* Student t about mean */
    double log_evidence;
};

static struct prediction predict(const struct fit *fit, size_t k, double nu)
{
    const struct sums *sums = &fit->sums;
    double horizon = fit->horizon, g_end = basis(k, horizon, horizon);
    double mean_g = sums->wg[k] / sums->w, mean_y = sums->wy / sums->w;
    double s_gg = fmax(sums->wgg[k] - sums->wg[k] * mean_g, 0), s_gy = sums->wgy[k] - sums->wg[k] * mean_y;
    double s_yy = fmax(sums->wyy - sums->wy * mean_y, 0);
    double slope = s_gg > 0 ? s_gy / s_gg : 0, floor = SIGMA_FLOOR * (fit->high - fit->low);
    double scale = nu + 2; /* of the weights, so that they sum to n_eff */
    double rss = fmax(s_yy - slope * s_gy, 0) * scale / sums->w;
    double variance = (rss + nu * floor * floor) / nu, w_end = horizon * scale / sums->w;
    double apart = g_end - mean_g;
    double leverage = 1 / scale + (s_gg > 0 ? apart * apart / (s_gg * scale / sums->w) : 0) + 1 / w_end;
    double first_to_end = basis(k, 1, horizon) - g_end;
    return (struct prediction){
        .mean = fit->first + mean_y + slope * apart,
        .deviation = sqrt(variance * leverage),
        .log_evidence = -0.5 * log(s_gg) - log(first_to_end) - 0.5 * nu * log(variance),
    };
}

/* P(y(S) < best), over all models; 1 where nothing can be said. */
static double chance(const struct fit *fit, double best)
{
    const struct sums *sums = &fit->sums;
    double nu = fmin(sums->w * sums->w / sums->ww, MAX_EFFECTIVE) - 2, most = -INFINITY;
    struct prediction predictions[N_MODELS];
    if (!(nu > 0) || fit->high == fit->low)
        return fit->high == fit->low && fit->low > best ? 0 : 1; /* it has not moved at all */
    for (size_t k = 0; k < N_MODELS; k++) {
        predictions[k] = predict(fit, k, nu);
        if (isfinite(predictions[k].log_evidence) && isfinite(predictions[k].mean) &&
            predictions[k].deviation > 0)
            most = fmax(most, predictions[k].log_evidence);
        else
            predictions[k].log_evidence =
                -INFINITY; /* a basis that is flat here, or numbers beyond a double */
    }
    double total = 0, better = 0;
    for (size_t k = 0; k < N_MODELS && isfinite(most); k++) {
        double weight = exp(predictions[k].log_evidence - most);
        if (!(weight > 0))
            continue;
        total += weight;
        better += weight * gsl_cdf_tdist_P((best - predictions[k].mean) / predictions[k].deviation, nu);
    }
    return total > 0 ? better / total : 1;
}

static bool curve_rule_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct curve_rule *rule = state;
    bool may_stop = rule->n_completed >= (size_t)rule->options.when.min_trials && isfinite(rule->best);
    double units = (double)curve->steps[curve->n - 1] + 1;
    if (!may_stop || curve->n < MIN_REPORTS || units >= rule->horizon ||
        !stopping_is_due(&rule->options.when, curve))
        return false;
    struct fit *fit = get_fit(rule, trial);
    if (!fit)
        return false; /* out of memory: the trial merely runs on */
    catch_up(fit, curve, rule->horizon);
    return chance(fit, rule->best) < rule->options.probability;
}

static int curve_rule_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    struct curve_rule *rule = state;
    struct fit *fit;
    HASH_FIND(hh, rule->fits, &trial, sizeof trial, fit);
    if (fit) {
        HASH_DEL(rule->fits, fit);
        free(fit);
    }
    if (end != TRIAL_COMPLETED || curve->n == 0)
        return 0;
    rule->n_completed++;
    rule->best = fmin(rule->best, curve->values[curve->n - 1]);
    if (rule->options.max_steps == 0)
        rule->horizon = fmax(rule->horizon, (double)curve->steps[curve->n - 1] + 1);
    return 0;
}

const struct stopping_type stopping_curve = {
    .name = "curve",
    .summary = "stops a trial whose extrapolated learning curve is unlikely to end best",
    .paper = "Domhan, Springenberg & Hutter 2015, Speeding up automatic hyperparameter optimization of deep "
             "neural networks by extrapolation of learning curves, IJCAI",
    .options = curve_options,
    .n_options = sizeof curve_options / sizeof *curve_options,
    .options_size = sizeof(struct options),
    .create = curve_rule_create,
    .destroy = curve_rule_destroy,
    .report = curve_rule_report,
    .ended = curve_rule_ended,
};
