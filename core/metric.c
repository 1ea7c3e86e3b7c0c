/* The value of a trial, and which of two is better. */
#include <math.h>

#include "core/spec.h"

bool metric_better(enum metric_goal goal, double a, double b)
{
    if (isnan(a) || isnan(b))
        return !isnan(a);
    return goal == GOAL_MAXIMIZE ? a > b : a < b;
}

static double best(const struct metric *metric, double returned, const struct curve *curve)
{
    double value = returned;
    for (size_t i = 0; i < curve->n; i++) {
        if (metric_better(metric->goal, curve->values[i], value))
            value = curve->values[i];
    }
    return value;
}

double metric_trial_value(const struct metric *metric, double returned, const struct curve *curve)
{
    double last = curve->n > 0 ? curve->values[curve->n - 1] : NAN;
    switch (metric->value) {
    case METRIC_FINAL:
        return isnan(returned) ? last : returned;
    case METRIC_LAST:
        return curve->n > 0 ? last : returned;
    case METRIC_BEST:
        return best(metric, returned, curve);
    }
    return NAN;
}
