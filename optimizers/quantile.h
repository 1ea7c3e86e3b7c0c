#ifndef OPTIMIZERS_QUANTILE_H
#define OPTIMIZERS_QUANTILE_H

#include <stddef.h>

/* A quantile of a growing set of numbers, kept in two heaps: the `lower` ones with the largest on top, the
 * `upper` ones with the smallest on top. {.q = q} is empty.
 *
 *   h = q (n - 1),  Q = x_(floor h) + (h - floor h) (x_(floor h + 1) - x_(floor h)),  x_(0) <= x_(1) <= ...
 *
 * (type 7 of Hyndman & Fan 1996; q = 1/2 is the median, for an even n the mean of the middle two). */
struct heap_of_doubles {
    size_t n, capacity;
    double *values;
};

struct quantile {
    double q; /* in [0, 1] */
    struct heap_of_doubles lower, upper;
};

void quantile_fini(struct quantile *quantile);
/* Adds a finite number. Returns 0 or ERR_NOMEM. O(log n). */
int quantile_add(struct quantile *quantile, double value);
/* Q; NaN of an empty set. O(1). */
double quantile_get(const struct quantile *quantile);

/* The same of an array at once, which is left in another order. O(n) expected. n > 0. */
double quantile_of(double *values, size_t n, double q);

#endif
