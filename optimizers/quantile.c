/* Quantiles, incrementally by two heaps or of an array by selection; both give the same number to the bit. */
#include "optimizers/quantile.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_statistics_double.h>

#include "core/err.h"

void quantile_fini(struct quantile *quantile)
{
    free(quantile->lower.values);
    free(quantile->upper.values);
    quantile->lower = quantile->upper = (struct heap_of_doubles){0};
}

static void swap(double *a, double *b)
{
    double c = *a;
    *a = *b;
    *b = c;
}

static int reserve(struct heap_of_doubles *heap)
{
    if (heap->n < heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? 2 * heap->capacity : 8;
    double *values = realloc(heap->values, capacity * sizeof *values);
    if (!values)
        return ERR_NOMEM;
    heap->values = values;
    heap->capacity = capacity;
    return 0;
}

/* Heaps with the smallest `sign` x value on top. There is room. */
static void push(struct heap_of_doubles *heap, double sign, double value)
{
    size_t i = heap->n++;
    heap->values[i] = value;
    for (; i > 0 && sign * heap->values[i] < sign * heap->values[(i - 1) / 2]; i = (i - 1) / 2)
        swap(&heap->values[i], &heap->values[(i - 1) / 2]);
}

static double pop(struct heap_of_doubles *heap, double sign)
{
    double *values = heap->values, top = values[0];
    values[0] = values[--heap->n];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && sign * values[child + 1] < sign * values[child])
            child++;
        if (sign * values[i] <= sign * values[child])
            break;
        swap(&values[i], &values[child]);
    }
    return top;
}

int quantile_add(struct quantile *quantile, double value)
{
    struct heap_of_doubles *lower = &quantile->lower, *upper = &quantile->upper;
    if (reserve(lower) < 0 || reserve(upper) < 0)
        return ERR_NOMEM;
    if (lower->n == 0 || value <= lower->values[0])
        push(lower, -1, value);
    else
        push(upper, 1, value);
    size_t want = (size_t)floor(quantile->q * (double)(lower->n + upper->n - 1)) + 1;
    if (lower->n > want) {
        if (reserve(upper) < 0)
            return ERR_NOMEM;
        push(upper, 1, pop(lower, -1));
    } else if (lower->n < want) {
        if (reserve(lower) < 0)
            return ERR_NOMEM;
        push(lower, -1, pop(upper, 1));
    }
    return 0;
}

/* low + part (high - low), of equal ones exactly, and without overflow. */
static double between(double low, double high, double part)
{
    double width = high - low;
    return isfinite(width) ? low + part * width : (1 - part) * low + part * high;
}

double quantile_get(const struct quantile *quantile)
{
    size_t n = quantile->lower.n + quantile->upper.n;
    if (n == 0)
        return NAN;
    double h = quantile->q * (double)(n - 1), low = quantile->lower.values[0];
    return quantile->upper.n ? between(low, quantile->upper.values[0], h - floor(h)) : low;
}

double quantile_of(double *values, size_t n, double q)
{
    double h = q * (double)(n - 1);
    size_t k = (size_t)floor(h);
    double low = gsl_stats_select(values, 1, n, k);
    if (k + 1 >= n)
        return low;
    double high = values[k + 1]; /* selection has put the larger ones behind k */
    for (size_t i = k + 2; i < n; i++)
        high = values[i] < high ? values[i] : high;
    return between(low, high, h - floor(h));
}
