/* CMA-ES, the covariance matrix adaptation evolution strategy (optimizers/cma.h), asynchronous: any number of
 * points may be asked for at any time, each drawn from the distribution as it is; results may come in any
 * order, and whenever lambda of them have come the distribution learns from these. A point that was drawn
 * from an older one, or comes from elsewhere, counts with a bounded pull.
 *
 *   numeric parameters      coordinates of the normal distribution; finite ones with margin
 *                           (optimizers/cma_cells.h)
 *   bounds                  a draw outside is drawn again; after MAX_DRAWS it is mirrored in
 *   categorical parameters  never numbers: probabilities q of their own, independent of each other, moved
 *                           along the natural gradient as in CatCMA (Hamano et al. 2024, arXiv:2405.09962,
 *                           equation 9), with a fixed rate, and kept above a least probability (its section
 *                           4.2)
 *   inactive parameters     a draw of the distribution stands for them, so on average they teach nothing
 *   failed trials           rank last
 *   equal values            where more than half of lambda are, they say nothing: the step size grows
 *   partial values          count once lambda other trials have begun since (the trial is paused, or slow),
 * and again when it has come further; of trials that count together those that came further (in powers of two
 * of the budget) rank first: the schedule or the stopping rule had better news of them
 *
 * A run ends when its step size or the differences of its values vanish, and the next begins at random: BIPOP
 * (Hansen 2009, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed"), runs of growing and
 * of small lambda in turns, of about the same number of trials each; or IPOP (Auger & Hansen 2005), of
 * growing ones only.
 *
 * Learning is put off until the next suggestion: then all values that came meanwhile are known, whichever
 * order they came in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "optimizers/cma.h"
#include "optimizers/cma_cells.h"
#include "optimizers/registry.h"

enum { MAX_DRAWS = 20, MAX_FULL_DIMS = 100, MAX_POPULATION = 100000, TOLERANT_UPDATES = 10, WHOLE = 64 };

#define LEAST_DEVIATION  1e-10 /* of the unit cube */
#define LEAST_DIFFERENCE 1e-12 /* of values, relative */
#define MOST_SIGMA       1e3

enum restarts { RESTARTS_BIPOP, RESTARTS_IPOP, RESTARTS_NONE };

struct options {
    int64_t population, startup;
    double sigma;
    int restarts;
};

static const struct option cmaes_options[] = {
    {.name = "population",
     .type = OPTION_INT,
     .offset = offsetof(struct options, population),
     .min = 0,
     .max = MAX_POPULATION,
     .initial = 0,
     .help =
         "results that the distribution learns from at a time; 0: 5 + ln(parameters), at least the workers"},
    {.name = "startup",
     .type = OPTION_INT,
     .offset = offsetof(struct options, startup),
     .min = 1,
     .max = INFINITY,
     .initial = 1,
     .help = "trials with a value before the first run, which begins at the better of them and the defaults; "
             "random ones until then"},
    {.name = "sigma",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, sigma),
     .min = 1e-6,
     .max = 10,
     .initial = 1.0 / 8,
     .help = "first standard deviation, as a share of each range"},
    {.name = "restarts",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct options, restarts),
     .choices = "bipop|ipop|none",
     .initial = RESTARTS_BIPOP,
     .help = "after a run: large and small populations in turns; ever larger ones; none: the run goes on"},
};

/* What is known of one trial. */
struct record {
    uint64_t trial;
    uint32_t index; /* of its row in cmaes.units */
    bool is_queued;
    double value;      /* INFINITY: failed */
    int level;         /* power of two of the units that led to it; WHOLE: it ended by itself */
    int counted_level; /* at which it counted; -1: not yet */
    bool is_ended;
    size_t told_at;   /* so many trials had been heard of */
    uint64_t version; /* of the distribution when it was first heard of */
    UT_hash_handle hh;
};

/* Probabilities of a categorical parameter. */
struct odds {
    size_t dim, n;
    double *q; /* [n] */
};

struct cmaes {
    const struct space *space;
    struct options options;
    uint64_t seed;
    int64_t n_workers;
    struct cells cells;
    struct cma cma; /* not used without numeric coordinates */
    size_t n_odds;
    struct odds *odds;
    bool is_running;
    size_t lambda;
    uint64_t version, run_version; /* of the distribution; at the run's beginning */

    uint64_t n_runs, n_large;
    uint64_t used[2]; /* results that runs of large and of small lambda used up */
    bool is_small;
    size_t n_flat; /* updates in a row whose values hardly differ */

    struct record *records; /* by trial */
    size_t n, capacity;
    double *units; /* [n][n_dims], NaN where inactive; of a categorical parameter its index */
    size_t n_queue, capacity_queue;
    struct record **queue;
    double *rows; /* [lambda][cells.n] scratch of learning */
    bool *is_foreign;
    double *unit, *x, *drawn; /* [n_dims] scratch */
    double *point;            /* [n_params] scratch */
    bool *free;
};

static void free_learning(double *rows, bool *is_foreign)
{
    free(rows);
    free(is_foreign);
}

static void cmaes_destroy(void *state)
{
    struct cmaes *cmaes = state;
    if (!cmaes)
        return;
    struct record *record, *next;
    HASH_ITER(hh, cmaes->records, record, next)
    {
        HASH_DEL(cmaes->records, record);
        free(record);
    }
    for (size_t i = 0; i < cmaes->n_odds; i++)
        free(cmaes->odds[i].q);
    free(cmaes->odds);
    cells_fini(&cmaes->cells);
    cma_fini(&cmaes->cma);
    free_learning(cmaes->rows, cmaes->is_foreign);
    free(cmaes->units);
    free(cmaes->queue);
    free(cmaes->unit);
    free(cmaes->x);
    free(cmaes->drawn);
    free(cmaes->point);
    free(cmaes->free);
    free(cmaes);
}

static int create_odds(struct cmaes *cmaes)
{
    const struct space *space = cmaes->space;
    cmaes->odds = calloc(space->n_dims + 1, sizeof *cmaes->odds);
    for (size_t dim = 0; cmaes->odds && dim < space->n_dims; dim++) {
        const struct param *param = &space->params[space->dim_param[dim]];
        if (param->type != PARAM_CATEGORICAL)
            continue;
        struct odds *odds = &cmaes->odds[cmaes->n_odds++];
        *odds =
            (struct odds){.dim = dim, .n = param->n_choices, .q = malloc(param->n_choices * sizeof *odds->q)};
        if (!odds->q)
            return ERR_NOMEM;
    }
    return cmaes->odds ? 0 : ERR_NOMEM;
}

static int allocate(struct cmaes *cmaes)
{
    size_t n = cmaes->space->n_dims + 1;
    cmaes->unit = calloc(n, sizeof *cmaes->unit);
    cmaes->x = calloc(n, sizeof *cmaes->x);
    cmaes->drawn = calloc(n, sizeof *cmaes->drawn);
    cmaes->free = calloc(n, sizeof *cmaes->free);
    cmaes->point = calloc(cmaes->space->n_params + 1, sizeof *cmaes->point);
    if (!cmaes->unit || !cmaes->x || !cmaes->drawn || !cmaes->free || !cmaes->point)
        return ERR_NOMEM;
    int code = cells_init(&cmaes->cells, cmaes->space);
    return code < 0 ? code : create_odds(cmaes);
}

static int cmaes_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct cmaes *cmaes = calloc(1, sizeof *cmaes);
    if (cmaes) {
        cmaes->space = setup->space;
        cmaes->options = *(const struct options *)setup->options;
        cmaes->seed = setup->seed;
        cmaes->n_workers = setup->n_workers;
    }
    if (!cmaes || allocate(cmaes) < 0) {
        cmaes_destroy(cmaes);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *state = cmaes;
    return 0;
}

/* The history */

static int reserve(struct cmaes *cmaes)
{
    size_t n_dims = cmaes->space->n_dims;
    if (cmaes->n == cmaes->capacity) {
        size_t capacity = cmaes->capacity ? 2 * cmaes->capacity : 64;
        double *units = realloc(cmaes->units, (capacity * n_dims + 1) * sizeof *units);
        if (!units)
            return ERR_NOMEM;
        cmaes->units = units;
        cmaes->capacity = capacity;
    }
    if (cmaes->n_queue == cmaes->capacity_queue) {
        size_t capacity = cmaes->capacity_queue ? 2 * cmaes->capacity_queue : 64;
        struct record **queue = realloc(cmaes->queue, capacity * sizeof *queue);
        if (!queue)
            return ERR_NOMEM;
        cmaes->queue = queue;
        cmaes->capacity_queue = capacity;
    }
    return 0;
}

static const double *unit_of(const struct cmaes *cmaes, const struct record *record)
{
    return &cmaes->units[record->index * cmaes->space->n_dims];
}

/* A point in the unit cube; NaN where inactive; of a categorical parameter its index. */
static void encode(double *unit, const struct space *space, const double *point)
{
    space_to_unit(unit, space, point);
    for (size_t dim = 0; dim < space->n_dims; dim++) {
        double value = point[space->dim_param[dim]];
        if (isnan(value) || space->params[space->dim_param[dim]].type == PARAM_CATEGORICAL)
            unit[dim] = value;
    }
}

static struct record *add_record(struct cmaes *cmaes, const struct observation *observation)
{
    struct record *record = calloc(1, sizeof *record);
    if (!record)
        return NULL;
    *record = (struct record){.trial = observation->trial,
                              .index = (uint32_t)cmaes->n,
                              .counted_level = -1,
                              .version = cmaes->version};
    HASH_ADD(hh, cmaes->records, trial, sizeof record->trial, record);
    if (!record->hh.tbl) {
        free(record);
        return NULL;
    }
    encode(&cmaes->units[cmaes->n * cmaes->space->n_dims], cmaes->space, observation->point);
    cmaes->n++;
    return record;
}

/* The distribution */

/* Smaller than the 4 + 3 ln n of Hansen's tutorial: trials are few and dear, restarts double it, and on 25
 * functions of 2 to 15 parameters, with 60 to 250 trials, more updates were worth more than better ones (of
 * 4, 5, 6, 7 and the tutorial's 6 to 12 points for all, 7 were best). The first deviation is smaller than the
 * usual 1/6 of the range for the same reason. */
static size_t default_lambda(const struct cmaes *cmaes)
{
    if (cmaes->options.population > 0)
        return cmaes->options.population > 2 ? (size_t)cmaes->options.population : 2;
    double n = (double)(cmaes->cells.n + cmaes->n_odds);
    double lambda = 5 + floor(log(fmax(n, 1)));
    lambda = fmax(lambda, (double)cmaes->n_workers);
    return (size_t)fmin(lambda, MAX_POPULATION);
}

/* Room for runs of that lambda; nothing changes if there is none. */
static int resize(struct cmaes *cmaes, size_t lambda)
{
    size_t n = cmaes->cells.n;
    struct cma cma = {0};
    if (lambda == cmaes->lambda)
        return 0;
    double *rows = malloc((lambda * n + 1) * sizeof *rows);
    bool *is_foreign = malloc(lambda * sizeof *is_foreign);
    if (!rows || !is_foreign || (n > 0 && cma_init(&cma, n, lambda, n > MAX_FULL_DIMS) < 0)) {
        free_learning(rows, is_foreign);
        return ERR_NOMEM;
    }
    free_learning(cmaes->rows, cmaes->is_foreign);
    cma_fini(&cmaes->cma);
    cmaes->cma = cma;
    cmaes->rows = rows;
    cmaes->is_foreign = is_foreign;
    cmaes->lambda = lambda;
    return 0;
}

/* Begins a run with the mean at x[cells.n]. */
static void start_run(struct cmaes *cmaes, const double *x, double sigma)
{
    if (cmaes->cells.n > 0) {
        cma_start(&cmaes->cma, x, sigma);
        cells_keep_margin(&cmaes->cma, &cmaes->cells, 1 / ((double)cmaes->cells.n * (double)cmaes->lambda));
    }
    for (size_t i = 0; i < cmaes->n_odds; i++) {
        for (size_t k = 0; k < cmaes->odds[i].n; k++)
            cmaes->odds[i].q[k] = 1 / (double)cmaes->odds[i].n;
    }
    cmaes->is_running = true;
    cmaes->n_flat = 0;
    cmaes->run_version = ++cmaes->version;
}

static int compare_records(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
    if (x->level != y->level)
        return x->level > y->level ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* Where the first run begins: the mean of the better half of what is known, weighted by rank, and of the
 * user's defaults (the middle of a range without one) as if they were one point of the median's merit.
 * Measured on 18 functions with optima off the centre: to begin at the best point alone is worse on wide
 * ranges, at the middle alone on narrow ones. */
static void find_first_mean(double *x, struct cmaes *cmaes)
{
    double total = 1;
    space_default_point(cmaes->point, cmaes->space);
    space_to_unit(cmaes->unit, cmaes->space, cmaes->point);
    for (size_t j = 0; j < cmaes->cells.n; j++)
        x[j] = cmaes->unit[cmaes->cells.dims[j]];
    qsort(cmaes->queue, cmaes->n_queue, sizeof(struct record *), compare_records);
    for (size_t i = 0; 2 * i + 1 < cmaes->n_queue; i++) {
        const double *unit = unit_of(cmaes, cmaes->queue[i]);
        double w = log(((double)cmaes->n_queue + 1) / 2) - log((double)i + 1);
        total += w;
        for (size_t j = 0; j < cmaes->cells.n; j++) {
            double u = unit[cmaes->cells.dims[j]];
            x[j] += isnan(u) ? 0 : w / total * (u - x[j]);
        }
    }
}

/* The distribution then learns from these points as from any others. */
static int start_first(struct cmaes *cmaes)
{
    int code = resize(cmaes, default_lambda(cmaes));
    if (code < 0)
        return code;
    find_first_mean(cmaes->x, cmaes);
    start_run(cmaes, cmaes->x, cmaes->options.sigma);
    return 0;
}

/* lambda and sigma of the next run: Hansen 2009, section 2. */
static int start_next(struct cmaes *cmaes)
{
    struct rng rng;
    rng_init(&rng, rng_mix(cmaes->seed, UINT64_C(0x72657374617274)), ++cmaes->n_runs); /* "restart" */
    double base = (double)default_lambda(cmaes), sigma = cmaes->options.sigma;
    bool is_small =
        cmaes->options.restarts == RESTARTS_BIPOP && cmaes->n_large > 0 && cmaes->used[1] < cmaes->used[0];
    double large = fmin(base * exp2((double)(cmaes->n_large + !is_small)), MAX_POPULATION), lambda = large;
    double power = rng_uniform(&rng), narrow = rng_uniform(&rng);
    if (is_small) {
        lambda = floor(base * pow(large / base / 2, power * power));
        sigma *= pow(10, -2 * narrow);
    }
    int code = resize(cmaes, (size_t)fmax(lambda, base));
    if (code < 0)
        return code;
    cmaes->is_small = is_small;
    cmaes->n_large += !is_small;
    for (size_t j = 0; j < cmaes->cells.n; j++)
        cmaes->x[j] = rng_uniform(&rng);
    start_run(cmaes, cmaes->x, sigma);
    return 0;
}

/* The coordinates of CMA-ES for one record. */
static void recall(double *x, struct cmaes *cmaes, const struct record *record)
{
    struct rng rng;
    const double *unit = unit_of(cmaes, record);
    rng_init(&rng, rng_mix(cmaes->seed, UINT64_C(0x726563616c6c)), record->trial); /* "recall" */
    cma_sample(cmaes->drawn, &cmaes->cma, 1, &rng);
    for (size_t j = 0; j < cmaes->cells.n; j++)
        cmaes->free[j] = isnan(unit[cmaes->cells.dims[j]]);
    cells_recall(x, &cmaes->cells, &cmaes->cma, unit, cmaes->free, cmaes->drawn, &rng);
}

/* q += rate sum_i w_i (e_(c_i) - q) over the better half, with weights as for the mean; then the least
 * probability. */
static void learn_odds(struct cmaes *cmaes, struct odds *odds)
{
    size_t lambda = cmaes->lambda, n = odds->n;
    double sum = 0, squares = 0, half = log(((double)lambda + 1) / 2);
    for (size_t i = 0; log((double)i + 1) < half; i++) {
        double w = half - log((double)i + 1);
        sum += w;
        squares += w * w;
    }
    double mu_eff = sum * sum / squares, rate = mu_eff / (mu_eff + (double)n + 2), total = 0;
    for (size_t i = 0; log((double)i + 1) < half; i++) {
        double w = rate * (half - log((double)i + 1)) / sum,
               choice = unit_of(cmaes, cmaes->queue[i])[odds->dim];
        if (isnan(choice))
            continue;
        for (size_t k = 0; k < n; k++)
            odds->q[k] *= 1 - w;
        odds->q[(size_t)choice] += w;
    }
    double least = 1 / ((double)cmaes->n_odds * (double)lambda * (double)n);
    for (size_t k = 0; k < n; k++)
        total += odds->q[k] = fmax(odds->q[k], least);
    for (size_t k = 0; k < n; k++)
        odds->q[k] /= total;
}

/* True where the best of one update and another of them hardly differ. */
static bool is_flat(const struct record *best, const struct record *other)
{
    if (best->level != other->level)
        return false;
    double most = fmax(fabs(best->value), fabs(other->value));
    return isinf(best->value) || other->value - best->value <= LEAST_DIFFERENCE * most;
}

static bool is_over(const struct cmaes *cmaes)
{
    if (cmaes->n_flat > TOLERANT_UPDATES)
        return true;
    if (cmaes->cells.n == 0)
        return false;
    double most = 0;
    bool any = false;
    for (size_t j = 0; j < cmaes->cells.n; j++) {
        any = any || !cmaes->cells.finite[j];
        most = fmax(most, cmaes->cells.finite[j] ? 0 : cma_deviation(&cmaes->cma, j));
    }
    return (any && most < LEAST_DEVIATION) || cmaes->cma.sigma > MOST_SIGMA || cma_is_degenerate(&cmaes->cma);
}

/* One update from the first lambda of the queue. */
static void learn(struct cmaes *cmaes)
{
    size_t lambda = cmaes->lambda, n = cmaes->cells.n;
    qsort(cmaes->queue, lambda, sizeof(struct record *), compare_records);
    bool is_silent = is_flat(cmaes->queue[0], cmaes->queue[lambda / 2]);
    bool is_all_flat = is_flat(cmaes->queue[0], cmaes->queue[lambda - 1]);
    for (size_t i = 0; i < lambda; i++) {
        struct record *record = cmaes->queue[i];
        if (n > 0)
            recall(&cmaes->rows[i * n], cmaes, record);
        cmaes->is_foreign[i] = record->version != cmaes->version || record->counted_level >= 0;
        record->is_queued = false;
        record->counted_level = record->level < 0 ? WHOLE : record->level;
    }
    for (size_t i = 0; i < cmaes->n_odds && !is_silent; i++)
        learn_odds(cmaes, &cmaes->odds[i]);
    if (n > 0 && is_silent)
        cma_widen(&cmaes->cma);
    else if (n > 0)
        cma_update(&cmaes->cma, cmaes->rows, cmaes->is_foreign);
    if (n > 0)
        cells_keep_margin(&cmaes->cma, &cmaes->cells, 1 / ((double)n * (double)lambda));
    cmaes->n_flat = is_all_flat ? cmaes->n_flat + 1 : 0;
    cmaes->used[cmaes->is_small] += lambda;
    cmaes->version++;
    cmaes->n_queue -= lambda;
    memmove(cmaes->queue, cmaes->queue + lambda, cmaes->n_queue * sizeof(struct record *));
}

/* A new run does not want what was drawn for an older one. */
static void drop_stale(struct cmaes *cmaes)
{
    size_t n = 0;
    for (size_t i = 0; i < cmaes->n_queue; i++) {
        struct record *record = cmaes->queue[i];
        if (record->version >= cmaes->run_version)
            cmaes->queue[n++] = record;
        else
            record->is_queued = false;
    }
    cmaes->n_queue = n;
}

static bool is_mature(const struct cmaes *cmaes, const struct record *record, size_t lambda)
{
    return record->is_ended || cmaes->n - record->told_at >= lambda;
}

/* Moves what may count to the front of the queue, in its order. Returns how many; *n_valued: with a value. */
static size_t gather(size_t *n_valued, struct cmaes *cmaes, size_t lambda)
{
    size_t n = 0;
    *n_valued = 0;
    for (size_t i = 0; i < cmaes->n_queue; i++) {
        struct record *record = cmaes->queue[i];
        if (!is_mature(cmaes, record, lambda))
            continue;
        if (i > n)
            memmove(&cmaes->queue[n + 1], &cmaes->queue[n], (i - n) * sizeof(struct record *));
        cmaes->queue[n++] = record;
        *n_valued += isfinite(record->value);
    }
    return n;
}

/* Learns from all that has come. */
static int catch_up(struct cmaes *cmaes)
{
    size_t n_valued, startup = (size_t)cmaes->options.startup;
    int code = 0;
    if (!cmaes->is_running) {
        size_t lambda = default_lambda(cmaes);
        (void)gather(&n_valued, cmaes, lambda); /* all of them are wanted */
        if (n_valued < (startup ? startup : lambda))
            return 0;
        code = start_first(cmaes);
    }
    while (code == 0 && gather(&n_valued, cmaes, cmaes->lambda) >= cmaes->lambda) {
        learn(cmaes);
        if (cmaes->options.restarts == RESTARTS_NONE || !is_over(cmaes))
            continue;
        code = start_next(cmaes);
        drop_stale(cmaes);
    }
    return code;
}

/* Takes a value or an end, and queues it where it teaches something new. */
static void take(struct cmaes *cmaes, struct record *record, const struct observation *observation)
{
    bool has_failed = observation->kind == OBSERVED_FAILED;
    bool is_whole = observation->kind == OBSERVED_FINAL && !observation->is_cut;
    record->is_ended = observation->kind != OBSERVED_PARTIAL;
    record->told_at = cmaes->n;
    record->value = has_failed ? INFINITY : observation->value;
    record->level = has_failed ? -1 : is_whole ? WHOLE : ilogb((double)observation->step + 1);
    bool is_news = record->counted_level < 0 || record->level > record->counted_level;
    if (is_news && !record->is_queued) {
        record->is_queued = true;
        cmaes->queue[cmaes->n_queue++] = record;
    }
}

static int cmaes_observe(void *state, const struct observation *observation)
{
    struct cmaes *cmaes = state;
    struct record *record;
    int code = observation->kind == OBSERVED_PENDING ? catch_up(cmaes) : 0;
    if (code == 0)
        code = reserve(cmaes);
    if (code < 0)
        return code;
    HASH_FIND(hh, cmaes->records, &observation->trial, sizeof observation->trial, record);
    if (!record)
        record = add_record(cmaes, observation);
    if (!record)
        return ERR_NOMEM;
    if (observation->kind != OBSERVED_PENDING)
        take(cmaes, record, observation);
    return 0;
}

static void choose_odds(struct cmaes *cmaes, const struct odds *odds, double uniform_share, struct rng *rng)
{
    double u = rng_uniform(rng), any = rng_uniform(rng), at = rng_uniform(rng);
    size_t k = 0;
    for (; k + 1 < odds->n && u >= odds->q[k]; k++)
        u -= odds->q[k];
    if (any < uniform_share)
        k = (size_t)(at * (double)odds->n);
    const struct space *space = cmaes->space;
    cmaes->unit[odds->dim] = param_to_unit(&space->params[space->dim_param[odds->dim]], (double)k);
}

static int cmaes_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    struct cmaes *cmaes = state;
    struct rng rng;
    const struct cells *cells = &cmaes->cells;
    rng_init(&rng, cmaes->seed, again ? rng_mix(trial, again) : trial);
    if (catch_up(cmaes) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t dim = 0; dim < cmaes->space->n_dims; dim++)
        cmaes->unit[dim] = rng_uniform(&rng);
    if (cmaes->is_running && cells->n > 0) {
        bool is_inside = false;
        for (int i = 0; i < MAX_DRAWS && !is_inside; i++) {
            cma_sample(cmaes->x, &cmaes->cma, exp2(again / 2.0), &rng); /* repeats: look further away */
            is_inside = cells_contain(cells, cmaes->x);
        }
        if (!is_inside)
            cells_reflect(cmaes->x, cells);
        for (size_t j = 0; j < cells->n; j++)
            cmaes->unit[cells->dims[j]] = fmin(fmax(cmaes->x[j], 0), 1);
    }
    for (size_t i = 0; cmaes->is_running && i < cmaes->n_odds; i++)
        choose_odds(cmaes, &cmaes->odds[i], again / 8.0, &rng);
    space_from_unit(point, cmaes->space, cmaes->unit);
    return 0;
}

const struct search_type search_cmaes = {
    .name = "cmaes",
    .summary = "a normal distribution that moves and changes its shape towards better points",
    .paper =
        "Hansen 2016, The CMA evolution strategy: a tutorial, arXiv 1604.00772; Hamano et al. 2022, CMA-ES "
        "with margin, arXiv 2205.13482",
    .options = cmaes_options,
    .n_options = sizeof cmaes_options / sizeof *cmaes_options,
    .options_size = sizeof(struct options),
    .learns = true,
    .create = cmaes_create,
    .destroy = cmaes_destroy,
    .suggest = cmaes_suggest,
    .observe = cmaes_observe,
};
