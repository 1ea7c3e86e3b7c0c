#ifndef CORE_RNG_H
#define CORE_RNG_H

#include <stdint.h>

/* Seeded random streams: xoshiro256++ (Blackman & Vigna, "Scrambled linear pseudorandom number generators",
 * 2021), seeded through splitmix64. A stream is a function of (seed, stream number) alone, so trial k of an
 * experiment draws the same numbers whatever happened before. Not for secrets. */
struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *rng);
/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *rng);
/* Uniform integer in [0, n), n > 0, without bias (Lemire 2019). */
uint64_t rng_below(struct rng *rng, uint64_t n);
/* Standard normal (Marsaglia's polar method). */
double rng_normal(struct rng *rng);
/* One 64-bit mix of two words (splitmix64's finaliser), for deriving seeds and hashes. */
uint64_t rng_mix(uint64_t a, uint64_t b);

#endif
