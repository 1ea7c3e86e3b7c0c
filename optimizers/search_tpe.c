/* TPE, the tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter
 * optimization"; multivariate kernels, priors and bandwidths as analysed by Watanabe 2023, arXiv 2304.11127).
 *
 * | symbol  | meaning                                                                 |
 * | n       | trials with a value in which the parameters at hand are active          |
 * | n_good  | min(ceil(gamma n), MAX_GOOD), at least 1                                |
 * | l(u)    | density of the best n_good of them (optimizers/parzen.h)                |
 * | g(u)    | density of all others: the worse, the failed and the pending            |
 *
 *   expected improvement grows with l(u) / g(u)                       (Bergstra et al. 2011, equation 3)
 *   suggestion: of `candidates` draws from l the one with the largest ln l - ln g
 *
 * Only the order of values matters, so their scale and outliers do not. Pending trials count as bad until
 * more is known (the constant liar), so parallel workers spread; failed ones for good.
 *
 * Trials that did not run to their end: the good are chosen among those that reached the highest level
 * (optimizers/history.h) that at least ENOUGH have reached, all others are bad, as in BOHB (Falkner et al.
 * 2018, section 3.2; there the others are left out). While most trials are short ones, what is good is known
 * but roughly, and the least bandwidth is SHORT_BLUR times as wide (BOHB widens its draws by 3). Measured on
 * seven tables of learning curves, asha from 3 epochs, 10 and 30 full trainings, 20 seeds: mean regret .25
 * and .12; from all levels without blur .33 and .26; with ENOUGH 10 and without blur .33 and .20; random .30
 * and .19.
 *
 * A density ratio for each level, from all that reached it, and their weighted sum in place of the one, was
 * no better (asha from 2 epochs, eta 4, 40 seeds; 10 full trainings with one worker, 30 with eight): .20 and
 * .086 as it is; .24 and .116 with equal weights, .20 and .100 with three times the least bandwidth, .21 and
 * .101 with weights 1 / n; nor were more good ones at the top level, three .20 and .094, five .22 and .107.
 *
 * Conditional parameters: those with the same conditions form a family (optimizers/history.h), with densities
 * of its own from the trials in which it was active. Families are drawn one after the other, parents first,
 * as the tree in the name has it. Within a family the densities are joint (multivariate) or one a parameter.
 *
 * Where all parameters have few values, the best of many draws is the same again and again, and was tried. A
 * refused suggestion is therefore followed by one from a quarter of the draws, down to a single one: a plain
 * draw from l.
 *
 * Cost: g is built from at most MAX_BAD (joint) or MAX_BAD_SINGLE others, evenly spread over their ranks,
 * plus the pending: beyond that a density of a few coordinates does not change, and the time of a suggestion
 * no longer grows with the number of trials. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/history.h"
#include "optimizers/parzen.h"
#include "optimizers/registry.h"

enum { ENOUGH = 4, MAX_GOOD = 25, MAX_BAD = 500, MAX_BAD_SINGLE = 100, MAX_PENDING = 100 };

#define SHORT_BLUR 5.0

struct options {
    int64_t startup, candidates;
    double gamma;
    bool multivariate;
};

static const struct option tpe_options[] = {
    {.name = "startup",
     .type = OPTION_INT,
     .offset = offsetof(struct options, startup),
     .min = 1,
     .max = INFINITY,
     .initial = 10,
     .help = "trials with a value before the model is used; random ones until then"},
    {.name = "candidates",
     .type = OPTION_INT,
     .offset = offsetof(struct options, candidates),
     .min = 1,
     .max = 10000,
     .initial = 24,
     .help = "draws of which the most promising one is suggested"},
    {.name = "gamma",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, gamma),
     .min = 0.001,
     .max = 0.9,
     .initial = 0.15,
     .help = "share of the trials that count as good, at most 25 of them"},
    {.name = "multivariate",
     .type = OPTION_BOOL,
     .offset = offsetof(struct options, multivariate),
     .initial = 1,
     .help = "model parameters jointly; false: each by itself"},
};

struct tpe {
    const struct space *space;
    struct options options;
    uint64_t seed;
    struct history history;
    struct parzen good, bad;
    uint32_t best_records[MAX_GOOD];       /* of the family at hand */
    int64_t n_candidates;                  /* of this suggestion */
    struct parzen_dim *dims;               /* [n_dims] of the coordinates at hand */
    double *unit, *candidate, *best, *row; /* [n_dims] scratch */
};

static void tpe_destroy(void *state)
{
    struct tpe *tpe = state;
    if (!tpe)
        return;
    history_fini(&tpe->history);
    parzen_fini(&tpe->good);
    parzen_fini(&tpe->bad);
    free(tpe->dims);
    free(tpe->unit);
    free(tpe->candidate);
    free(tpe->best);
    free(tpe->row);
    free(tpe);
}

static int allocate(struct tpe *tpe)
{
    size_t n = tpe->space->n_dims;
    tpe->dims = calloc(n + 1, sizeof *tpe->dims);
    tpe->unit = calloc(n + 1, sizeof *tpe->unit);
    tpe->candidate = calloc(n + 1, sizeof *tpe->candidate);
    tpe->best = calloc(n + 1, sizeof *tpe->best);
    tpe->row = calloc(n + 1, sizeof *tpe->row);
    if (!tpe->dims || !tpe->unit || !tpe->candidate || !tpe->best || !tpe->row)
        return ERR_NOMEM;
    int code = history_init(&tpe->history, tpe->space);
    if (code == 0)
        code = parzen_init(&tpe->good, MAX_GOOD, n);
    if (code == 0)
        code = parzen_init(&tpe->bad, MAX_BAD + MAX_PENDING, n);
    return code;
}

static int tpe_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct tpe *tpe = calloc(1, sizeof *tpe);
    if (tpe) {
        tpe->space = setup->space;
        tpe->options = *(const struct options *)setup->options;
        tpe->seed = setup->seed;
    }
    if (!tpe || allocate(tpe) < 0) {
        tpe_destroy(tpe);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *state = tpe;
    return 0;
}

static int tpe_observe(void *state, const struct observation *observation)
{
    struct tpe *tpe = state;
    return history_observe(&tpe->history, observation);
}

/* How the estimators see a coordinate. */
static struct parzen_dim describe(const struct param *param)
{
    double n = param_cardinality(param);
    if (param->type == PARAM_CATEGORICAL)
        return (struct parzen_dim){.n_choices = param->n_choices};
    return (struct parzen_dim){.cell = isinf(n) ? 0 : 1 / n};
}

/* Adds a record to an estimator of these coordinates. */
static void add_record(struct tpe *tpe, struct parzen *parzen, uint32_t record, const size_t *dims,
                       size_t n_dims)
{
    const double *unit = history_unit(&tpe->history, record);
    for (size_t j = 0; j < n_dims; j++)
        tpe->row[j] = unit[dims[j]];
    parzen_add(parzen, tpe->row);
}

static int compare_records(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Where the best records of the family stand in its list of the settled ones, ascending. */
static void find_places(uint32_t *places, const struct tpe *tpe, const struct family *family, size_t n_good)
{
    for (size_t i = 0; i < n_good; i++)
        places[i] = (uint32_t)history_place(&tpe->history, &family->settled, tpe->best_records[i]);
    qsort(places, n_good, sizeof *places, compare_records);
}

/* g: of all settled records but those at `places` some, evenly spread, and the newest of the pending. */
static void add_bad(struct tpe *tpe, const struct family *family, const uint32_t *places, size_t n_good,
                    const size_t *dims, size_t n_dims)
{
    size_t n_bad = family->settled.n - n_good;
    size_t max = tpe->options.multivariate ? MAX_BAD : MAX_BAD_SINGLE;
    size_t n_taken = n_bad < max ? n_bad : max, skipped = 0;
    for (size_t i = 0; i < n_taken; i++) {
        size_t k = (2 * i + 1) * n_bad / (2 * n_taken); /* the k-th that is not good */
        while (skipped < n_good && places[skipped] <= k + skipped)
            skipped++;
        add_record(tpe, &tpe->bad, family->settled.records[k + skipped], dims, n_dims);
    }
    size_t n_pending = family->pending.n < MAX_PENDING ? family->pending.n : MAX_PENDING;
    for (size_t i = 0; i < n_pending; i++)
        add_record(tpe, &tpe->bad, family->pending.records[family->pending.n - 1 - i], dims, n_dims);
}

/* Fills best_records and returns how many: the best share of those that reached the level. */
static size_t choose_good(struct tpe *tpe, const struct family *family, int level)
{
    double share = ceil(tpe->options.gamma * (double)history_n_reached(family, level));
    size_t want = share > MAX_GOOD ? MAX_GOOD : (size_t)share;
    return history_best(tpe->best_records, &tpe->history, family, level, want);
}

/* l and g for these coordinates of a family. */
static void build(struct tpe *tpe, const struct family *family, const size_t *dims, size_t n_dims)
{
    uint32_t places[MAX_GOOD];
    size_t n_good = choose_good(tpe, family, history_top_level(family, ENOUGH));
    bool are_short = 2 * family->levels[HISTORY_WHOLE].n < family->n_valued;
    find_places(places, tpe, family, n_good);
    for (size_t j = 0; j < n_dims; j++)
        tpe->dims[j] = describe(&tpe->space->params[tpe->space->dim_param[dims[j]]]);
    parzen_begin(&tpe->good, tpe->dims, n_dims);
    parzen_begin(&tpe->bad, tpe->dims, n_dims);
    for (size_t i = 0; i < n_good; i++)
        add_record(tpe, &tpe->good, tpe->best_records[i], dims, n_dims);
    add_bad(tpe, family, places, n_good, dims, n_dims);
    bool are_many = tpe->options.multivariate && tpe->bad.n > MAX_GOOD;
    double blur = are_short ? SHORT_BLUR : 1;
    parzen_finish(&tpe->good, PARZEN_NEIGHBOURS, blur);
    parzen_finish(&tpe->bad, are_many ? PARZEN_RATE : PARZEN_NEIGHBOURS, blur);
}

/* Rounds a draw to what the parameters can be, and scores it. */
static double score(struct tpe *tpe, double *u, const size_t *dims, size_t n_dims)
{
    for (size_t j = 0; j < n_dims; j++) {
        const struct param *param = &tpe->space->params[tpe->space->dim_param[dims[j]]];
        if (tpe->dims[j].cell > 0)
            u[j] = param_to_unit(param, param_from_unit(param, u[j]));
    }
    return parzen_log_density(&tpe->good, u) - parzen_log_density(&tpe->bad, u);
}

/* Fills these coordinates of tpe->unit. */
static void choose(struct tpe *tpe, const struct family *family, const size_t *dims, size_t n_dims,
                   struct rng *rng)
{
    double best = -INFINITY;
    build(tpe, family, dims, n_dims);
    for (int64_t k = 0; k < tpe->n_candidates; k++) {
        parzen_sample(tpe->candidate, &tpe->good, rng);
        double merit = score(tpe, tpe->candidate, dims, n_dims);
        if (k > 0 && !(merit > best))
            continue;
        best = merit;
        for (size_t j = 0; j < n_dims; j++)
            tpe->best[j] = tpe->candidate[j];
    }
    for (size_t j = 0; j < n_dims; j++) {
        const struct param *param = &tpe->space->params[tpe->space->dim_param[dims[j]]];
        tpe->unit[dims[j]] = tpe->dims[j].n_choices ? param_to_unit(param, tpe->best[j]) : tpe->best[j];
    }
}

/* The family's coordinates, jointly or one by one; they stay random where nothing is known of it. */
static void choose_family(struct tpe *tpe, const struct family *family, struct rng *rng)
{
    if (family->n_valued == 0)
        return;
    if (tpe->options.multivariate) {
        choose(tpe, family, family->dims, family->n_dims, rng);
        return;
    }
    for (size_t j = 0; j < family->n_dims; j++)
        choose(tpe, family, &family->dims[j], 1, rng);
}

static int tpe_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    (void)err;
    struct tpe *tpe = state;
    struct rng rng;
    rng_init(&rng, tpe->seed, again ? rng_mix(trial, again) : trial);
    tpe->n_candidates = tpe->options.candidates >> (again < 31 ? 2 * again : 62);
    tpe->n_candidates = tpe->n_candidates > 1 ? tpe->n_candidates : 1;
    for (size_t j = 0; j < tpe->space->n_dims; j++)
        tpe->unit[j] = rng_uniform(&rng);
    space_from_unit(point, tpe->space, tpe->unit);
    if (tpe->history.n_valued < (size_t)tpe->options.startup)
        return 0;
    for (size_t i = 0; i < tpe->history.n_families; i++) {
        const struct family *family = &tpe->history.families[i];
        if (isnan(point[tpe->space->dim_param[family->dims[0]]]))
            continue; /* its parents, which are settled by now, do not want it */
        choose_family(tpe, family, &rng);
        space_from_unit(point, tpe->space, tpe->unit);
    }
    return 0;
}

const struct search_type search_tpe = {
    .name = "tpe",
    .summary = "learns densities of good and bad parameters and samples where they differ most",
    .paper =
        "Bergstra et al. 2011, Algorithms for hyper-parameter optimization; Watanabe 2023, arXiv 2304.11127",
    .options = tpe_options,
    .n_options = sizeof tpe_options / sizeof *tpe_options,
    .options_size = sizeof(struct options),
    .learns = true,
    .create = tpe_create,
    .destroy = tpe_destroy,
    .suggest = tpe_suggest,
    .observe = tpe_observe,
};
