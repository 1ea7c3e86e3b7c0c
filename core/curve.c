/* A trial's learning curve: two parallel arrays, because rules look for a step by bisection in `steps` alone.
 */
#include <stdlib.h>

#include "core/err.h"
#include "core/trial.h"

void curve_fini(struct curve *curve)
{
    free(curve->steps);
    free(curve->values);
    *curve = (struct curve){0};
}

void curve_clear(struct curve *curve)
{
    curve->n = 0;
}

/* `capacity` grows only when both arrays have, so a failure halfway leaves the curve as it was. */
static int grow(struct curve *curve)
{
    size_t capacity = curve->capacity ? 2 * curve->capacity : 16;
    int64_t *steps = realloc(curve->steps, capacity * sizeof *steps);
    if (!steps)
        return ERR_NOMEM;
    curve->steps = steps;
    double *values = realloc(curve->values, capacity * sizeof *values);
    if (!values)
        return ERR_NOMEM;
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
