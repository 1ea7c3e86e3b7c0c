#ifndef OPTIMIZERS_LATTICE_H
#define OPTIMIZERS_LATTICE_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/rng.h"
#include "core/space.h"

/* All combinations of a finite number of levels a parameter, each sensible one once: a parameter whose
 * condition does not hold multiplies nothing. Points are numbered; point k is computed from k alone, so
 * a lattice of 10^18 points costs no more than one of ten.
 *
 * Order: as nested loops in declaration order, the last parameter changing fastest. Parameters that are tied
 * by conditions stand together, at the place of the first of them, the ones that decide outside. */

/* The levels of one parameter. A continuous one counts as LATTICE_CONTINUUM levels, which are not numbered:
 * lattice_sample draws from the whole range, lattice_point gives its middle. */
struct levels {
    uint64_t n;           /* > 0 */
    const double *values; /* [n] as in a point, ascending; NULL: all of param_value, or a continuum */
};

#define LATTICE_CONTINUUM (UINT64_C(1) << 52)
#define LATTICE_MANY      UINT64_MAX /* "this many or more" */

struct lattice;

/* Every parameter with all its values, `levels` NULL, or with levels[n_params] (borrowed, and what they point
 * to, while the lattice lives). ERR_NOMEM; ERR_UNSUPPORTED if the conditions tie so many parameters to each
 * other that they cannot be counted. Borrows space. */
int lattice_create(struct lattice **lattice, const struct space *space, const struct levels *levels,
                   struct err *err);
void lattice_destroy(struct lattice *lattice);

/* Number of points, LATTICE_MANY if that is not below 2^64 - 1 or some parameter is continuous. */
uint64_t lattice_size(const struct lattice *lattice);
/* Point k, k < size. O(n_params). */
void lattice_point(double *point, const struct lattice *lattice, uint64_t k);
/* A random point, all equally likely (where counts fit 64 bits): unlike a random point of the unit cube it
 * finds the big branches of a conditional space however unlikely they are there. */
void lattice_sample(double *point, const struct lattice *lattice, struct rng *rng);

/* A permutation of 0 ... n - 1 that depends on the seed, without a table: a Feistel network on the next even
 * number of bits, walked until it falls below n (Black & Rogaway 2002, "Ciphers with arbitrary finite
 * domains"). i < n. O(1) expected. */
uint64_t lattice_permute(uint64_t i, uint64_t n, uint64_t seed);

#endif
