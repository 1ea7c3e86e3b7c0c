/* Random streams: xoshiro256++ of Blackman & Vigna, "Scrambled linear pseudorandom number generators", ACM
 * Trans. Math. Softw. 47 (2021), seeded through splitmix64 as they recommend. Every function is a pure
 * function of the state, and none keeps anything of its own (rng_normal drops the second number of a pair),
 * so a stream is reproduced by its seed, its number and the calls alone. */
#include "core/rng.h"

#include <math.h>

static const uint64_t golden = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: splitmix64's increment */

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* splitmix64's finaliser: a bijection of 64 bits. */
static uint64_t finalise(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t rng_mix(uint64_t a, uint64_t b)
{
    return finalise(a + golden + finalise(b + 2 * golden));
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t x = rng_mix(seed, stream);
    for (int i = 0; i < 4; i++) /* four different inputs of a bijection: never all zero */
        rng->state[i] = finalise(x += golden);
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* The 128-bit product of two words, by halves: ISO C has no 128-bit integer. */
static uint64_t multiply(uint64_t *low, uint64_t a, uint64_t b)
{
    uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
    uint64_t cross = (a0 * b0 >> 32) + (a1 * b0 & 0xffffffffu) + a0 * b1;
    *low = a * b;
    return a1 * b1 + (a1 * b0 >> 32) + (cross >> 32);
}

/* Lemire, "Fast random integer generation in an interval", ACM Trans. Model. Comput. Simul. 29 (2019),
 * alg. 5. */
uint64_t rng_below(struct rng *rng, uint64_t n)
{
    uint64_t low, high = multiply(&low, rng_next(rng), n);
    if (low < n) {
        uint64_t threshold = (0 - n) % n; /* 2^64 mod n: so many low products are surplus */
        while (low < threshold)
            high = multiply(&low, rng_next(rng), n);
    }
    return high;
}

double rng_normal(struct rng *rng)
{
    double x, square;
    do {
        x = 2 * rng_uniform(rng) - 1;
        double y = 2 * rng_uniform(rng) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    return x * sqrt(-2 * log(square) / square);
}
