#ifndef EXAMPLES_DIGITS_RANDOM_H
#define EXAMPLES_DIGITS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Random numbers that are the same on every machine: splitmix64 (Steele, Lea & Flood 2014). */
struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In [0, n); the bias of the remainder is below 1e-12 for the n of this example. */
static inline size_t random_below(struct random *random, size_t n)
{
    return (size_t)(random_next(random) % n);
}

/* Uniform in [-limit, limit). */
static inline float random_symmetric(struct random *random, float limit)
{
    return limit * (float)((double)(random_next(random) >> 11) * 0x1p-52 - 1.0);
}

#endif
