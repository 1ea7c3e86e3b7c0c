/* Gaussian-process optimisation (Jones et al. 1998, "Efficient global optimization of expensive black-box
 * functions").
 *
 * | file           | what                                                                    |
 * | gp_kernel.c    | points as features of every kind; the kernel: main effects and Matern  |
 * | gp_trials.c    | what was told                                                           |
 * | gp_warp.c      | the transform of values                                                 |
 * | gp_fit.c       | hyperparameters by maximum a posteriori                                 |
 * | gp_posterior.c | mean, variance and their gradients; points added to the factor          |
 * | gp_acquisition.c, gp_optimum.c | the acquisition function, and where it is largest       |
 *
 * A trial is one observation: its last value. How far it had come then is a feature of its own (the fidelity,
 * ln(1 + step) relative to the largest), so that a model over all rungs of a schedule predicts the highest
 * one (as Swersky et al. 2013 and Klein et al. 2020, MOBSTER, do). A failed trial is as bad as the worst
 * value. A pending one is believed to come out at its mean, which leaves less to be gained around it.
 *
 * Rebuilt by replay: hyperparameters are fitted afresh, not from the previous ones, to what was known when
 * the number of observations reached certain counts (gp_trials.h). So after a restart one fit brings the
 * search to where it was, to the bit. Between two fits new observations extend the factor.
 *
 * Beyond a thousand observations the model is of some of them, chosen whenever it is fitted: the best half,
 * and others spread evenly over the ranks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "optimizers/gp_optimum.h"
#include "optimizers/gp_trials.h"
#include "optimizers/gp_warp.h"
#include "optimizers/registry.h"

enum {
    MAX_FIT_ROWS = 400, /* that hyperparameters are fitted to */
    MAX_PENDING = 100,  /* pending trials in the model: the newest */
    N_INCUMBENTS = 8,   /* around which the acquisition function is looked at */
    FAR_AIM_FROM = 3    /* times as many results as the startup has */
};

/* Trials of log-EI take turns, by their number; no one criterion is best on all problems (Hoffman et al.
 * 2011, "Portfolio allocation for Bayesian optimization").
 *
 * FAR_AIM: to improve on the best by that much, in standard deviations of the transformed values (the xi of
 * Jones 2001, "A taxonomy of global optimization methods based on response surfaces", section 5, and of
 * Lizotte 2008). Where the model is sure that only little is left to gain, around an optimum that may be a
 * local one, that turn goes elsewhere. Not in the beginning, where all of it is new: there the same aim made
 * regret after 25 trials larger.
 *
 * BOUND: by the optimistic bound (ucb). Where the objective is rough, the expected improvement believes too
 * soon in what it has. Seven tables of learning curves by their last value, 20 seeds: with this turn, and
 * with c as it is now (gp_fit.c), mean regret after 25 trials is 0.31 in place of 0.38, after 50 trials 0.25
 * in place of 0.30. Six tables of lists are as before; seven trainings of small models over ranges have 0.018
 * in place of 0.015 after 25 trials and are as before after 50 (10 seeds). All trials by the bound: 0.29 and
 * 0.25 on the tables of curves, but the trainings lose more, and after 50 as well. */
enum { FAR_TURN = 0, BOUND_TURN = 1, N_TURNS = 3 };

#define FAR_AIM 0.3

/* How much of a list the points of the startup are of: none is at an end of five values or more. Regret as at
 * ENDS (gp_kernel.c), without that: 0.048, with whole lists 0.052. With the first point in the middle of all
 * lists, which makes the others less even, both together have 0.045 in place of 0.041; with a share of 0.55,
 * 0.046. */
#define STARTUP_SHARE 0.7

extern const struct search_type search_sobol;

struct options {
    int64_t startup;
    int acquisition;
    double kappa;
};

static const struct option gp_options[] = {
    {.name = "startup",
     .type = OPTION_INT,
     .offset = offsetof(struct options, startup),
     .min = 1,
     .max = INFINITY,
     .initial = 8,
     .help = "trials with a value before the model is used; points of Sobol's sequence until then"},
    {.name = "acquisition",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct options, acquisition),
     .choices = "logei|ucb|thompson",
     .initial = GP_LOG_EI,
     .help =
         "what makes a point worth trying: the expected improvement (in one trial of three the bound), an "
         "optimistic bound, or a draw"},
    {.name = "kappa",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, kappa),
     .min = 0,
     .max = 100,
     .initial = 2,
     .help = "of the bound: how many standard deviations of optimism"},
};

struct gp {
    const struct space *space;
    struct options options;
    uint64_t seed;
    void *sobol; /* the search of that name, for the first points */
    struct keyset tried;
    struct gp_features features;
    struct gp_trials trials;
    struct gp_hyper hyper;
    uint64_t n_photos;    /* of trials, when the hyperparameters were fitted */
    uint64_t n_revisions; /* of trials, when the factor was made */
    struct gp_posterior posterior;
    struct gp_optimum optimum;
    size_t capacity;
    double *rows;              /* [capacity][F] scratch */
    double *y, *s, *z, *means; /* [capacity] */
    double *unit;              /* [n_dims] */
    double *unit_row;          /* [F] */
};

static void gp_destroy(void *state)
{
    struct gp *gp = state;
    if (!gp)
        return;
    search_sobol.destroy(gp->sobol);
    keyset_fini(&gp->tried);
    gp_trials_fini(&gp->trials);
    gp_posterior_fini(&gp->posterior);
    gp_optimum_fini(&gp->optimum);
    gp_features_fini(&gp->features);
    free(gp->hyper.lengthscales);
    free(gp->rows);
    free(gp->unit);
    free(gp);
}

static int allocate(struct gp *gp, const struct search_setup *setup, struct err *err)
{
    int scramble = 0; /* its first choice */
    struct search_setup sobol = *setup;
    sobol.options = &scramble;
    int code = gp_features_init(&gp->features, setup->space);
    if (code < 0)
        return code;
    gp_trials_init(&gp->trials, &gp->features);
    gp->hyper.lengthscales = calloc(2 * gp->features.n_scales, sizeof *gp->hyper.lengthscales);
    gp->unit = calloc(setup->space->n_dims + gp->features.n, sizeof *gp->unit);
    if (!gp->hyper.lengthscales || !gp->unit)
        return ERR_NOMEM;
    gp->hyper.weights = gp->hyper.lengthscales + gp->features.n_scales;
    gp->unit_row = gp->unit + setup->space->n_dims;
    code = gp_optimum_init(&gp->optimum, &gp->features);
    return code < 0 ? code : search_sobol.create(&gp->sobol, &sobol, err);
}

static int gp_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct gp *gp = calloc(1, sizeof *gp);
    if (gp) {
        gp->space = setup->space;
        gp->options = *(const struct options *)setup->options;
        gp->seed = setup->seed;
    }
    if (!gp || allocate(gp, setup, err) < 0) {
        gp_destroy(gp);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    gp->optimum.tried = &gp->tried;
    gp->optimum.kappa = gp->options.kappa;
    *state = gp;
    return 0;
}

static int gp_observe(void *state, const struct observation *observation)
{
    struct gp *gp = state;
    int code = keyset_add(NULL, &gp->tried, space_hash(gp->space, observation->point));
    return code < 0 ? code : gp_trials_observe(&gp->trials, observation);
}

/* Room for all rows of the model and the pending ones. */
static int reserve(struct gp *gp)
{
    size_t n_drawn = gp->options.acquisition == GP_THOMPSON ? GP_N_DRAWN : 0;
    size_t n = gp->trials.n_rows + MAX_PENDING + n_drawn;
    if (n <= gp->capacity)
        return 0;
    size_t capacity = n + n / 4;
    double *rows = malloc(capacity * (gp->features.n + 4) * sizeof *rows);
    if (!rows)
        return ERR_NOMEM;
    free(gp->rows);
    gp->rows = rows;
    gp->y = rows + capacity * gp->features.n;
    gp->s = gp->y + capacity;
    gp->z = gp->s + capacity;
    gp->means = gp->z + capacity;
    gp->capacity = capacity;
    return 0;
}

/* Fits the hyperparameters to what was photographed, evenly thinned out. */
static int fit(struct gp *gp)
{
    const struct gp_trials *trials = &gp->trials;
    size_t n_all = trials->n_photo, n = n_all < MAX_FIT_ROWS ? n_all : MAX_FIT_ROWS;
    size_t n_features = gp->features.n;
    for (size_t i = 0; i < n; i++) {
        size_t at = (2 * i + 1) * n_all / (2 * n);
        gp_trials_encode(gp->unit_row, trials, trials->rows[at], trials->photo_steps[at],
                         trials->photo_max_step);
        for (size_t f = 0; f < n_features; f++)
            gp->rows[f * n + i] = gp->unit_row[f];
        gp->y[i] = trials->photo_values[at];
    }
    return gp_fit(&gp->hyper, &gp->features, gp->rows, n, n, gp->y);
}

static void encode_rows(struct gp *gp, size_t first, size_t last)
{
    const struct gp_trials *trials = &gp->trials;
    for (size_t i = first; i < last; i++) {
        size_t record = trials->rows[i];
        gp_trials_encode(&gp->rows[(i - first) * gp->features.n], trials, record, trials->list[record].step,
                         trials->max_step);
    }
}

/* The factor: as it was plus what is new, or anew. */
static int factorize(struct gp *gp)
{
    const struct gp_trials *trials = &gp->trials;
    bool is_new = gp->n_photos != trials->n_photos;
    if (is_new) {
        int code = fit(gp);
        if (code < 0)
            return code;
    }
    if (is_new || gp->n_revisions != trials->n_revisions || gp->posterior.capacity < gp->capacity) {
        int code = gp_posterior_begin(&gp->posterior, &gp->features, &gp->hyper, gp->capacity);
        if (code < 0)
            return code;
        encode_rows(gp, 0, trials->n_photo);
        gp_posterior_add(&gp->posterior, gp->rows, trials->n_photo);
    }
    gp->n_photos = trials->n_photos;
    gp->n_revisions = trials->n_revisions;
    for (size_t i = gp->posterior.n; i < trials->n_rows; i++) { /* one by one: so it does not matter when */
        encode_rows(gp, i, i + 1);
        gp_posterior_add(&gp->posterior, gp->rows, 1);
    }
    return 0;
}

static void settle(struct gp *gp)
{
    const struct gp_trials *trials = &gp->trials;
    struct gp_warp warp;
    for (size_t i = 0; i < trials->n_rows; i++)
        gp->y[i] = trials->list[trials->rows[i]].value;
    (void)gp_warp_prepare(&warp, gp->s, gp->y, trials->n_rows, gp->z); /* counted by trials */
    gp_warp_apply(gp->z, NULL, NULL, NULL, &warp, gp->s, trials->n_rows, gp->hyper.c);
    gp_posterior_settle(&gp->posterior, gp->z);
}

/* What they are believed to come out at is no longer to be gained. */
static void add_pending(struct gp *gp)
{
    const struct gp_trials *trials = &gp->trials;
    size_t n = 0;
    for (size_t i = trials->n; i > 0 && n < MAX_PENDING; i--) {
        if (trials->list[i - 1].status == GP_PENDING)
            gp_trials_encode(&gp->rows[n++ * gp->features.n], trials, i - 1, INFINITY, trials->max_step);
    }
    gp_posterior_means(gp->means, &gp->posterior, gp->rows, n);
    for (size_t i = 0; i < n; i++)
        gp->optimum.best = fmin(gp->optimum.best, gp->means[i]);
    gp_posterior_add(&gp->posterior, gp->rows, n);
}

/* The best trials by what the model thinks of them at full fidelity, the best first. Returns how many. */
static size_t find_incumbents(const double **units, struct gp *gp)
{
    const struct gp_trials *trials = &gp->trials;
    size_t best[N_INCUMBENTS], n = 0, n_dims = gp->space->n_dims;
    for (size_t i = 0; i < trials->n_rows; i++)
        gp_trials_encode(&gp->rows[i * gp->features.n], trials, trials->rows[i], INFINITY, trials->max_step);
    gp_posterior_means(gp->means, &gp->posterior, gp->rows, trials->n_rows);
    for (size_t i = 0; i < trials->n_rows; i++) {
        if (trials->list[trials->rows[i]].status != GP_VALUED)
            continue;
        size_t at = n < N_INCUMBENTS ? n++ : N_INCUMBENTS;
        for (; at > 0 && gp->means[i] < gp->means[best[at - 1]]; at--) {
            if (at < N_INCUMBENTS)
                best[at] = best[at - 1];
        }
        if (at < N_INCUMBENTS)
            best[at] = i;
    }
    for (size_t k = 0; k < n; k++)
        units[k] = &trials->units[trials->rows[best[k]] * n_dims];
    gp->optimum.best = gp->means[best[0]];
    return n;
}

static void take_turn(struct gp *gp, uint64_t trial)
{
    enum gp_acquisition acquisition = (enum gp_acquisition)gp->options.acquisition;
    uint64_t turn = trial % N_TURNS;
    gp->optimum.acquisition = acquisition == GP_LOG_EI && turn == BOUND_TURN ? GP_UCB : acquisition;
    if (turn == FAR_TURN && gp->trials.n_valued >= FAR_AIM_FROM * (size_t)gp->options.startup)
        gp->optimum.best -= FAR_AIM;
}

/* The model's choice, with one thread of OpenBLAS: more of them cost more than they bring at these sizes, and
 * other parts of the program want theirs. */
static int choose(bool *found, struct gp *gp, uint64_t trial, struct rng *rng)
{
    const double *units[N_INCUMBENTS];
    int code = factorize(gp);
    if (code < 0)
        return code;
    settle(gp);
    struct gp_incumbents incumbents = {.n = find_incumbents(units, gp), .units = units};
    add_pending(gp);
    take_turn(gp, trial);
    code = gp_optimum_find(gp->unit, found, &gp->optimum, &gp->posterior, &incumbents, rng);
    gp_posterior_forget_pending(&gp->posterior);
    return code;
}

/* Before the model: points of Sobol's sequence, drawn in to the middle of lists. */
static int suggest_first(double *point, struct gp *gp, uint64_t trial, unsigned again, struct err *err)
{
    int code = search_sobol.suggest(point, gp->sobol, trial, again, err);
    if (code < 0 || again > 0 || gp->features.n_lists == 0)
        return code;
    space_to_unit(gp->unit, gp->space, point);
    for (size_t j = 0; j < gp->space->n_dims; j++) {
        if (gp->features.dims[j].is_list)
            gp->unit[j] = 0.5 + STARTUP_SHARE * (gp->unit[j] - 0.5);
    }
    space_from_unit(point, gp->space, gp->unit);
    return 0;
}

static int gp_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    struct gp *gp = state;
    struct rng rng;
    bool found = false;
    rng_init(&rng, gp->seed, again ? rng_mix(trial, again) : trial);
    if (gp->trials.n_valued < (size_t)gp->options.startup)
        return suggest_first(point, gp, trial, again, err);
    if (again == 0 && gp->features.n > 1) {
        int n_threads = openblas_get_num_threads();
        openblas_set_num_threads(1);
        int code = reserve(gp);
        if (code == 0)
            code = choose(&found, gp, trial, &rng);
        openblas_set_num_threads(n_threads);
        if (code < 0)
            return err_set(err, code, "out of memory");
    }
    for (size_t j = 0; j < gp->space->n_dims && !found; j++)
        gp->unit[j] = rng_uniform(&rng);
    space_from_unit(point, gp->space, gp->unit);
    return 0;
}

const struct search_type search_gp = {
    .name = "gp",
    .summary = "models the objective as a Gaussian process and tries where most is to be gained",
    .paper = "Jones et al. 1998; Hvarfner et al. 2024, arXiv 2402.02229; Ament et al. 2023, arXiv 2310.20708",
    .options = gp_options,
    .n_options = sizeof gp_options / sizeof *gp_options,
    .options_size = sizeof(struct options),
    .learns = true,
    .create = gp_create,
    .destroy = gp_destroy,
    .suggest = gp_suggest,
    .observe = gp_observe,
};
