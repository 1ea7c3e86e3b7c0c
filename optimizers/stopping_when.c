#include "optimizers/stopping_when.h"

bool stopping_is_due(const struct stopping_when *when, const struct curve *curve)
{
    int64_t step = curve->steps[curve->n - 1];
    if (step < when->min_steps)
        return false;
    if (curve->n == 1 || curve->steps[curve->n - 2] < when->min_steps)
        return true;
    int64_t before = curve->steps[curve->n - 2];
    return (step - when->min_steps) / when->interval > (before - when->min_steps) / when->interval;
}
