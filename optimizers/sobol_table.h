#ifndef OPTIMIZERS_SOBOL_TABLE_H
#define OPTIMIZERS_SOBOL_TABLE_H

#include <stdint.h>

/* What generates the coordinates of a Sobol' sequence: one row a coordinate, from the second on (the first is
 * van der Corput's sequence and needs none). */
enum { SOBOL_DIMS = 128, SOBOL_MAX_DEGREE = 10 };

struct sobol_row {
    uint32_t polynomial; /* primitive over GF(2), bit i: the coefficient of x^i */
    uint32_t
        m[SOBOL_MAX_DEGREE]; /* the first direction numbers, as many as its degree, odd, m[k] < 2^(k+1) */
};

extern const struct sobol_row sobol_table[SOBOL_DIMS - 1];

#endif
