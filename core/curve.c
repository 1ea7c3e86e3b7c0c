/* A trial's learning curve: two parallel arrays, because rules look for a step by bisection in `steps` alone.
 * Both are one block: a trial that is soon stopped or paused, as most are, has a few values, and there may be
 * hundreds of thousands of them. */
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/trial.h"

void curve_fini(struct curve *curve)
{
    free(curve->steps); /* and the values behind them */
    *curve = (struct curve){0};
}

void curve_clear(struct curve *curve)
{
    curve->n = 0;
}

static int grow(struct curve *curve)
{
    size_t capacity = curve->capacity ? 2 * curve->capacity : 4;
    int64_t *steps = malloc(capacity * (sizeof *steps + sizeof *curve->values));
    if (!steps)
        return ERR_NOMEM;
    double *values = (double *)(steps + capacity);
    if (curve->n > 0) {
        memcpy(steps, curve->steps, curve->n * sizeof *steps);
        memcpy(values, curve->values, curve->n * sizeof *values);
    }
    free(curve->steps);
    curve->steps = steps;
    curve->values = values;
    curve->capacity = capacity;
    return 0;
}

int curve_add(struct curve *curve, int64_t step, double value)
{
    if (curve->n > 0 && step <= curve->steps[curve->n - 1])
        return ERR_INVALID;
    if (curve->n == curve->capacity) {
        int code = grow(curve);
        if (code < 0)
            return code;
    }
    curve->steps[curve->n] = step;
    curve->values[curve->n] = value;
    curve->n++;
    return 0;
}

int64_t curve_units(const struct curve *curve)
{
    if (curve->n == 0)
        return 0;
    int64_t step = curve->steps[curve->n - 1];
    return step < INT64_MAX ? step + 1 : step; /* a database may be anybody's */
}
