/* Sobol' sequence: points that fill the unit cube more evenly than random ones (Sobol' 1967), by GSL's
 * generator (Antonov & Saleev 1979; Bratley & Fox 1988, "Algorithm 659", ACM Trans. Math. Softw. 14),
 * scrambled by the seed (Owen 1995, "Randomly permuted (t,m,s)-nets and (t,s)-sequences").
 *
 * | symbol | meaning                                                   | shape                     |
 * | i      | index of the point; 0 is the corner, which GSL leaves out | BITS bits                 |
 * | g_k    | bit k of i's Gray code, i ^ i >> 1                        | 0, 1                      |
 * | x_j    | coordinate j of point i                                   | BITS bits, / 2^BITS       |
 * | v_kj   | direction number k of coordinate j                        | uint32_t[BITS][MAX_DIMS]  |
 *
 *   x_j(i) = g_0 v_0j + g_1 v_1j + ...  (mod 2)                                                      (1)
 *   v_0 = x(1),  v_k = x(2^k) + v_(k-1)  (mod 2)                                                     (2)
 *
 * GSL's generator goes only step by step, from the start. So it is walked once, as far as it is needed: point
 * 2^k of it tells direction number k by (2), since the Gray code of 2^k has the bits k and k - 1; and any
 * point below 2^(k+1) follows by (1). That is one step a trial on the average (some ms in all for 100,000
 * trials, also after a restart), and what a trial gets depends on its number alone.
 *
 * Owen scrambling flips bit b of x by a random bit that depends on the bits above it: the points stay a net
 * (every elementary interval keeps its share), each point alone is uniform, and no point lies on the corner.
 * So the first point is kept: dropping it would spoil the balance of the first 2^m points (Owen 2020, "On
 * dropping the first Sobol' point"). Unscrambled, it is the corner itself and is skipped.
 *
 * GSL has MAX_DIMS coordinates. Beyond them the sequence is used again for the next MAX_DIMS, at indices that
 * are shuffled (a permutation within every aligned block of 2^m indices), so each block of coordinates is a
 * net and different blocks are independent ("padding", Burley 2020).
 *
 * In place of a point that the front refuses (all points of a finite space come back sooner or later), and
 * after 2^BITS points, stands one of another scrambling. */
#include <stdlib.h>

#include <gsl/gsl_qrng.h>

#include "core/rng.h"
#include "optimizers/registry.h"

enum { BITS = 30, MAX_DIMS = 40, TAIL_BITS = 22 }; /* GSL's two; a double has room for the tail */

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
     .help = "by the seed: nested (owen) or one digital shift a coordinate; none: the plain sequence (of 40 "
             "coordinates; further ones are shuffled copies of them)"},
};

struct sobol {
    const struct space *space;
    uint64_t seed;
    enum scramble scramble;
    gsl_qrng walker;   /* in our own memory: see create */
    uint64_t n_walked; /* points that it has given */
    unsigned n_known;  /* direction numbers */
    uint32_t v[BITS][MAX_DIMS];
    double *unit; /* [n_dims] scratch */
};

static void sobol_destroy(void *state)
{
    struct sobol *search = state;
    if (!search)
        return;
    free(search->walker.state);
    free(search->unit);
    free(search);
}

/* Not gsl_qrng_alloc: without memory it calls GSL's error handler, which aborts unless it is changed for the
 * whole program, and that is not for a library to do. */
static int create_walker(gsl_qrng *walker, size_t n_dims)
{
    walker->type = gsl_qrng_sobol;
    walker->dimension = n_dims == 0 ? 1 : n_dims < MAX_DIMS ? (unsigned)n_dims : MAX_DIMS;
    walker->state_size = walker->type->state_size(walker->dimension);
    walker->state = calloc(1, walker->state_size);
    if (!walker->state)
        return ERR_NOMEM;
    gsl_qrng_init(walker);
    return 0;
}

static int sobol_create(void **state, const struct search_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    struct sobol *search = calloc(1, sizeof *search);
    if (search)
        search->unit = calloc(setup->space->n_dims + 1, sizeof *search->unit);
    if (!search || !search->unit || create_walker(&search->walker, setup->space->n_dims) < 0) {
        sobol_destroy(search);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    search->space = setup->space;
    search->scramble = (enum scramble)options->scramble;
    search->seed = search->scramble == SCRAMBLE_NONE ? 0 : setup->seed;
    *state = search;
    return 0;
}

/* Walks to where the direction numbers of all bits of `index` are known: equation (2). */
static void learn(struct sobol *search, uint64_t index)
{
    for (unsigned k = search->n_known; index >> k; k++) {
        double x[MAX_DIMS];
        for (; search->n_walked < UINT64_C(1) << k; search->n_walked++)
            (void)gsl_qrng_get(&search->walker, x); /* fails only after 2^BITS points */
        for (unsigned j = 0; j < search->walker.dimension; j++)
            search->v[k][j] = (uint32_t)(x[j] * (UINT32_C(1) << BITS)) ^ (k ? search->v[k - 1][j] : 0);
        search->n_known = k + 1;
    }
}

/* Equation (1). */
static uint32_t combine(const struct sobol *search, size_t dim, uint64_t index)
{
    uint32_t x = 0;
    uint64_t gray = index ^ index >> 1;
    for (unsigned k = 0; gray; k++, gray >>= 1)
        x ^= (gray & 1) ? search->v[k][dim] : 0;
    return x;
}

/* Owen's scrambling of a fraction of n bits: each is flipped by a hash of the key and the bits above it. */
static uint64_t owen(uint64_t x, unsigned n, uint64_t key)
{
    uint64_t y = 0;
    for (unsigned b = 1; b <= n; b++) {
        uint64_t prefix = x >> (n - b);
        uint64_t above = prefix >> 1 | UINT64_C(1) << (b - 1); /* a marker: prefixes of all lengths differ */
        y = y << 1 | ((prefix ^ rng_mix(key, above)) & 1);
    }
    return y;
}

/* The bits below the highest are scrambled, so no direction number is needed that the first block does not.
 */
static uint64_t shuffle(uint64_t index, uint64_t key)
{
    if (index == 0)
        return 0;
    unsigned top = 63 - (unsigned)__builtin_clzll(index);
    uint64_t block = UINT64_C(1) << top;
    return block | owen(index ^ block, top, rng_mix(key, top));
}

/* `x` scrambled, and continued to BITS + TAIL_BITS bits where the scrambling has so many. */
static uint64_t scramble(uint32_t x, enum scramble how, uint64_t key)
{
    uint64_t head = (uint64_t)x << TAIL_BITS;
    switch (how) {
    case SCRAMBLE_OWEN: /* bits below x's last one depend on all of it: one hash has them all */
        return owen(x, BITS, key) << TAIL_BITS | rng_mix(key, x | UINT64_C(1) << BITS) >> (64 - TAIL_BITS);
    case SCRAMBLE_SHIFT:
        return head ^ key >> (64 - BITS - TAIL_BITS);
    case SCRAMBLE_NONE:
        break;
    }
    return head;
}

static int sobol_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)err;
    struct sobol *search = state;
    uint64_t index = trial - (search->scramble != SCRAMBLE_NONE);
    uint64_t round = (index >> BITS) + again, seed = round ? rng_mix(search->seed, round) : search->seed;
    enum scramble how = round && search->scramble == SCRAMBLE_NONE ? SCRAMBLE_SHIFT : search->scramble;
    index &= (UINT64_C(1) << BITS) - 1;
    learn(search, index);
    uint64_t at = index;
    for (size_t j = 0; j < search->space->n_dims; j++) {
        if (j > 0 && j % MAX_DIMS == 0)
            at = shuffle(index, rng_mix(~search->seed, j / MAX_DIMS));
        uint64_t x = scramble(combine(search, j % MAX_DIMS, at), how, rng_mix(seed, j));
        search->unit[j] = (double)x * 0x1p-52;
    }
    space_from_unit(point, search->space, search->unit);
    return 0;
}

const struct search_type search_sobol = {
    .name = "sobol",
    .summary = "points that fill the space evenly, scrambled by the seed",
    .paper = "Sobol' 1967; Bratley & Fox 1988, ACM Trans. Math. Softw. 14; Owen 1995",
    .options = sobol_options,
    .n_options = sizeof sobol_options / sizeof *sobol_options,
    .options_size = sizeof(struct options),
    .create = sobol_create,
    .destroy = sobol_destroy,
    .suggest = sobol_suggest,
};
