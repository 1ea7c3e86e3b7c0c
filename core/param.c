/* One parameter: its values and its coordinate in the unit cube.
 *
 * | symbol | meaning                                                   |
 * | n      | number of values; infinite for a double without step      |
 * | k      | which of them, 0 <= k < n                                 |
 * | u      | coordinate in [0, 1]                                      |
 *
 * Linear, finite:   k = floor(n u),           u = (k + 1/2) / n.
 * Linear, infinite: x = (1 - u) min + u max.
 * Log, infinite:    ln x = (1 - u) ln min + u ln max.
 * Log, finite:      as before between the outer edges of the first and last cell; cell k reaches half a step
 * to each side of its value, so its share of [0, 1] is that of the logarithm. Where half a step below min is
 * not positive, the first edge is min / 2. Discrete values on a log scale are not evenly spaced: an inner
 * edge is the geometric mean of two neighbours, and the outer cells reach as far out as in. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "core/space.h"

void param_fini(struct param *param)
{
    for (size_t i = 0; i < param->n_choices; i++)
        free(param->choices[i].text);
    free(param->choices);
    for (size_t i = 0; i < param->n_conditions; i++)
        free(param->conditions[i].values);
    free(param->conditions);
    free(param->name);
    *param = (struct param){0};
}

static bool is_range(const struct param *param)
{
    return param->type == PARAM_DOUBLE || param->type == PARAM_INT;
}

/* Distance of neighbouring values; 0: there are none. */
static double spacing(const struct param *param)
{
    return param->step > 0 ? param->step : param->type == PARAM_INT ? 1 : 0;
}

double param_cardinality(const struct param *param)
{
    if (!is_range(param))
        return (double)param->n_choices;
    if (param->min == param->max)
        return 1;
    double step = spacing(param);
    return step > 0 ? nearbyint((param->max - param->min) / step) + 1 : INFINITY;
}

/* min + k step, computed in decimals where min and step are decimals: scaled by a power of ten they are whole
 * numbers, which add without error, and the one division is rounded correctly. */
static double decimal_value(const struct param *param, double k)
{
    double scale = 1;
    for (int digits = 0; digits <= 15; digits++, scale *= 10) {
        double min = nearbyint(param->min * scale), step = nearbyint(param->step * scale),
               sum = min + k * step;
        if (fabs(sum) > 0x1p53 || fabs(min) > 0x1p53)
            break;
        if (min / scale == param->min && step / scale == param->step)
            return sum / scale;
    }
    return param->min + k * param->step;
}

double param_value(const struct param *param, uint64_t k)
{
    double n = param_cardinality(param), at = (double)k;
    assert(at < n && isfinite(n)); /* param_check lets no parameter have more values than doubles can count */
    if (!is_range(param))
        return at;
    if (k == 0)
        return param->min;
    if (at == n - 1)
        return param->max;
    return param->type == PARAM_INT ? param->min + at * spacing(param) : decimal_value(param, at);
}

uint64_t param_index(const struct param *param, double value)
{
    double last = param_cardinality(param) - 1;
    assert(isfinite(last));
    double k = is_range(param) && last > 0 ? nearbyint((value - param->min) / spacing(param)) : value;
    if (is_range(param) && last == 0)
        return 0;
    return k > 0 ? (uint64_t)(k < last ? k : last) : 0;
}

bool param_has(const struct param *param, double value)
{
    if (!is_range(param))
        return value >= 0 && value < (double)param->n_choices && value == trunc(value);
    if (!(value >= param->min && value <= param->max))
        return false;
    return isinf(param_cardinality(param)) || value == param_value(param, param_index(param, value));
}

/* The outer edges of a log scale, as logarithms. */
static void log_edges(double *low, double *high, const struct param *param)
{
    double half = spacing(param) / 2;
    *low = log(param->min - half > 0 ? param->min - half : param->min / 2);
    *high = log(param->max + half);
}

/* Edge k of a discrete log scale, 0 <= k <= n, as a logarithm; n > 1. */
static double choice_edge(const struct param *param, size_t k)
{
    size_t n = param->n_choices, left = k == 0 ? 0 : k < n ? k - 1 : n - 2;
    double a = log(param->choices[left].number), b = log(param->choices[left + 1].number);
    return k == 0 ? a - (b - a) / 2 : k == n ? b + (b - a) / 2 : (a + b) / 2;
}

/* Values whose logarithms are all but equal have equal cells. */
static bool is_log_choice(const struct param *param)
{
    return param->type == PARAM_DISCRETE && param->scale == SCALE_LOG && param->n_choices > 1 &&
           param->choices[param->n_choices - 1].number / param->choices[0].number > 1 + 1e-9;
}

/* The last cell that begins at or before u. O(log n). */
static double choice_from_unit(const struct param *param, double u)
{
    size_t low = 0, high = param->n_choices; /* the cell is in [low, high) */
    double x = (1 - u) * choice_edge(param, 0) + u * choice_edge(param, high);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (choice_edge(param, middle) <= x)
            low = middle;
        else
            high = middle;
    }
    return (double)low;
}

static double choice_to_unit(const struct param *param, size_t k)
{
    double low = choice_edge(param, 0), high = choice_edge(param, param->n_choices);
    return ((choice_edge(param, k) + choice_edge(param, k + 1)) / 2 - low) / (high - low);
}

static double clip(double x, double low, double high)
{
    return x > low ? (x < high ? x : high) : low; /* NaN gives low */
}

static double continuous_from_unit(const struct param *param, double u)
{
    if (u == 0 || u == 1) /* exp(log(x)) need not be x */
        return u == 0 ? param->min : param->max;
    double x = param->scale == SCALE_LOG ? exp((1 - u) * log(param->min) + u * log(param->max))
                                         : (1 - u) * param->min + u * param->max;
    return clip(x, param->min, param->max);
}

double param_from_unit(const struct param *param, double unit)
{
    double n = param_cardinality(param), u = clip(unit, 0, 1);
    if (isinf(n))
        return continuous_from_unit(param, u);
    if (is_range(param) && param->scale == SCALE_LOG && n > 1) {
        double low, high;
        log_edges(&low, &high, param);
        return param_value(param, param_index(param, exp((1 - u) * low + u * high)));
    }
    if (is_log_choice(param))
        return choice_from_unit(param, u);
    return param_value(param, (uint64_t)clip(floor(u * n), 0, n - 1));
}

static double continuous_to_unit(const struct param *param, double x)
{
    if (param->scale == SCALE_LOG)
        return log(x / param->min) / log(param->max / param->min);
    return (x - param->min) / (param->max - param->min);
}

/* The middle of the cell of x on a log scale with steps. */
static double log_cell_to_unit(const struct param *param, double x)
{
    double low, high, half = spacing(param) / 2;
    log_edges(&low, &high, param);
    double left = x > param->min ? log(x - half) : low, right = log(x + half);
    return ((left + right) / 2 - low) / (high - low);
}

double param_to_unit(const struct param *param, double value)
{
    double n = param_cardinality(param);
    if (isinf(n))
        return clip(continuous_to_unit(param, value), 0, 1);
    if (is_range(param) && param->scale == SCALE_LOG && n > 1)
        return clip(log_cell_to_unit(param, clip(value, param->min, param->max)), 0, 1);
    if (is_log_choice(param))
        return choice_to_unit(param, param_index(param, value));
    return ((double)param_index(param, value) + 0.5) / n;
}
