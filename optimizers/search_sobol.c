/* Sobol' sequence: points that fill the unit cube more evenly than random ones (Sobol' 1967; direction
 * numbers of Joe & Kuo 2008), scrambled by the seed (Owen 1995, "Randomly permuted (t,m,s)-nets and
 * (t,s)-sequences").
 *
 * | symbol  | meaning                                                        | shape             |
 * | i       | index of the point, trial - 1                                  | BITS bits         |
 * | v_jk    | direction number k of coordinate j, as a fraction of 2^BITS    | uint64_t[dims][BITS] |
 * | x_j     | coordinate j of point i: the v_jk of the bits of i, added mod 2 | BITS bits        |
 *
 *   m_k = 2 a_1 m_(k-1) + 4 a_2 m_(k-2) + ... + 2^s a_s m_(k-s) + m_(k-s)  (mod 2),  v_k = m_k / 2^k     (1)
 *   x_j(i) = b_1(i) v_j1 + b_2(i) v_j2 + ...  (mod 2),  b_k: bit k of i, the lowest first                 (2)
 *
 * Not GSL's generator: it ends at 40 dimensions and goes only step by step, so a restart at trial 100,000
 * would walk there. Here point i is computed from i, in O(dims x BITS).
 *
 * Owen scrambling flips bit b of x by a random bit that depends on the bits above it: the points stay a net
 * (every elementary interval keeps its share), each point alone is uniform, and no point lies on the corner.
 * So the first point is kept: dropping it would spoil the balance of the first 2^m points (Owen 2020, "On
 * dropping the first Sobol' point"). Unscrambled, it is the corner itself and is skipped.
 *
 * Beyond SOBOL_DIMS coordinates the sequence is used again for the next SOBOL_DIMS, at indices that are
 * shuffled by the same scrambling of i itself (a permutation within every aligned block of 2^m indices), so
 * each block of coordinates is a net and different blocks are independent ("padding", Burley 2020).
 *
 * A point that the front refuses (all points of a finite space come back sooner or later) is replaced by one
 * from a distant part of the same sequence. */
#include <stdlib.h>

#include "core/rng.h"
#include "optimizers/registry.h"
#include "optimizers/sobol_table.h"

enum { BITS = 52, AGAIN_SHIFT = 44 };

enum scramble { SCRAMBLE_OWEN, SCRAMBLE_SHIFT, SCRAMBLE_NONE };

struct options {
    int scramble;
};

static const struct option sobol_options[] = {
    {.name = "scramble",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct options, scramble),
     .choices = "owen|shift|none",
     .initial = SCRAMBLE_OWEN,
     .help = "by the seed: nested (owen) or one digital shift a coordinate; none: the plain sequence"},
};

struct sobol {
    const struct space *space;
    uint64_t seed;
    enum scramble scramble;
    uint64_t (*v)[BITS]; /* [min(n_dims, SOBOL_DIMS)] direction numbers */
    double *unit;        /* [n_dims] scratch */
};

/* Equation (1). */
static void make_directions(uint64_t v[static BITS], const struct sobol_row *row)
{
    unsigned s = 31 - (unsigned)__builtin_clz(row->polynomial);
    uint64_t m[BITS];
    for (unsigned k = 0; k < BITS; k++) {
        if (k < s) {
            m[k] = row->m[k];
        } else {
            m[k] = m[k - s];
            for (unsigned i = 1; i <= s; i++)
                m[k] ^= (row->polynomial >> (s - i) & 1) ? m[k - i] << i : 0;
        }
        v[k] = m[k] << (BITS - 1 - k);
    }
}

static void sobol_destroy(void *state)
{
    struct sobol *search = state;
    if (!search)
        return;
    free(search->v);
    free(search->unit);
    free(search);
}

static int sobol_create(void **state, const struct search_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    size_t n_dims = setup->space->n_dims, n_rows = n_dims < SOBOL_DIMS ? n_dims : SOBOL_DIMS;
    struct sobol *search = calloc(1, sizeof *search);
    if (search) {
        search->v = calloc(n_rows + 1, sizeof *search->v);
        search->unit = calloc(n_dims + 1, sizeof *search->unit);
    }
    if (!search || !search->v || !search->unit) {
        sobol_destroy(search);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    search->space = setup->space;
    search->seed = setup->seed;
    search->scramble = (enum scramble)options->scramble;
    for (unsigned k = 0; n_rows > 0 && k < BITS; k++)
        search->v[0][k] = UINT64_C(1) << (BITS - 1 - k);
    for (size_t j = 1; j < n_rows; j++)
        make_directions(search->v[j], &sobol_table[j - 1]);
    *state = search;
    return 0;
}

/* Owen's scrambling of a BITS-bit fraction: each bit is flipped by a hash of the key and the bits above it.
 */
static uint64_t owen(uint64_t x, uint64_t key)
{
    uint64_t y = 0;
    for (unsigned b = 1; b <= BITS; b++) {
        uint64_t prefix = x >> (BITS - b);
        uint64_t above = prefix >> 1 | UINT64_C(1) << (b - 1); /* a marker: prefixes of all lengths differ */
        y = y << 1 | ((prefix ^ rng_mix(key, above)) & 1);
    }
    return y;
}

/* Equation (2). */
static uint64_t combine(const uint64_t v[static BITS], uint64_t i)
{
    uint64_t x = 0;
    for (unsigned k = 0; i; k++, i >>= 1)
        x ^= (i & 1) ? v[k] : 0;
    return x;
}

static double coordinate(const struct sobol *search, size_t dim, uint64_t index)
{
    uint64_t key = rng_mix(search->seed, dim), block = dim / SOBOL_DIMS;
    if (block > 0)
        index = owen(index, rng_mix(~search->seed, block));
    uint64_t x = combine(search->v[dim % SOBOL_DIMS], index);
    if (search->scramble == SCRAMBLE_OWEN)
        x = owen(x, key);
    else if (search->scramble == SCRAMBLE_SHIFT)
        x ^= key >> (64 - BITS);
    return (double)x * 0x1p-52;
}

static int sobol_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)err;
    struct sobol *search = state;
    uint64_t index = trial - (search->scramble != SCRAMBLE_NONE) + ((uint64_t)again << AGAIN_SHIFT);
    index &= (UINT64_C(1) << BITS) - 1;
    for (size_t j = 0; j < search->space->n_dims; j++)
        search->unit[j] = coordinate(search, j, index);
    space_from_unit(point, search->space, search->unit);
    return 0;
}

const struct search_type search_sobol = {
    .name = "sobol",
    .summary = "points that fill the space evenly, scrambled by the seed",
    .paper = "Sobol' 1967; Joe & Kuo 2008, SIAM J. Sci. Comput. 30; Owen 1995",
    .options = sobol_options,
    .n_options = sizeof sobol_options / sizeof *sobol_options,
    .options_size = sizeof(struct options),
    .create = sobol_create,
    .destroy = sobol_destroy,
    .suggest = sobol_suggest,
};
