/* The search that chooses a search: by the space, the schedule, the planned number of trials and of workers,
 * before the first trial; and by the number of trials, while it goes on.
 *
 * tpe is taken from the beginning where gp cannot serve, and where parameters have conditions: on recorded
 * runs of XGBoost (bench/quality, 14 parameters, of which 9 have conditions) gp was left with six times the
 * regret of tpe after 100 trials. It is also taken where the schedule lets most trials end at its rungs: on
 * seven recorded tables of learning curves (asha from 2 epochs, eta 3, reduction 4) the mean regret of gp and
 * of tpe is .240 and .157 after 10 full trainings with one worker, .205 and .196 with eight (20 seeds).
 * Everywhere else gp needs the fewest trials, of every kind of parameter; but its cost grows with what it
 * knows, and it spreads only so many pending points. After gp comes cmaes where all parameters are numbers:
 * it needs some hundred trials to learn the shape of the objective, and goes on improving for thousands; else
 * tpe, whose cost does not grow.
 *
 * Whoever plans thousands of trials has short ones, so the time of a suggestion matters sooner: gp makes way
 * after fewer.
 *
 * The present search is told everything as it comes. All of it is kept until the last switch, and told again
 * to the next search, in its order; so a switch follows from the history alone. */
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"

enum {
    GP_TRIALS = 500, /* a suggestion of gp then takes some 30 ms */
    GP_TRIALS_OF_MANY = 150,
    MANY_TRIALS = 2000,
    MAX_GP_WORKERS = 100, /* so many pending trials it knows */
    MAX_GP_DIMS = 100,
    MAX_PHASES = 2
};

/* A search and how long it is used. */
struct phase {
    const char *name;
    size_t n_trials; /* until so many have begun; of the last one SIZE_MAX */
};

struct automatic {
    struct search_setup setup; /* without options and plugin, which are for the time of create */
    size_t n_phases, phase;
    struct phase phases[MAX_PHASES];
    const char *why;
    const struct search_type *type;
    void *state;
    size_t n_trials; /* that have begun */
    size_t n, capacity;
    struct observation *notes; /* [n] what was told; the points are in points */
    double *points;            /* [n][n_params] */
};

static void add_phase(struct automatic *automatic, const char *name, size_t n_trials)
{
    automatic->phases[automatic->n_phases++] = (struct phase){name, n_trials};
}

static bool is_numeric(const struct space *space)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (space->params[i].type == PARAM_CATEGORICAL)
            return false;
    }
    return true;
}

static bool is_conditional(const struct space *space)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (space->params[i].n_conditions > 0)
            return true;
    }
    return false;
}

/* Which searches, and why. */
static void plan(struct automatic *automatic)
{
    const struct search_setup *setup = &automatic->setup;
    size_t n_gp = setup->n_trials > MANY_TRIALS ? GP_TRIALS_OF_MANY : GP_TRIALS;
    if (setup->n_workers > MAX_GP_WORKERS) {
        add_phase(automatic, "tpe", SIZE_MAX);
        automatic->why = "more than 100 workers at a time";
    } else if (setup->space->n_dims > MAX_GP_DIMS) {
        add_phase(automatic, "tpe", SIZE_MAX);
        automatic->why = "more than 100 parameters";
    } else if (is_conditional(setup->space)) {
        add_phase(automatic, "tpe", SIZE_MAX);
        automatic->why = "parameters with conditions";
    } else if (setup->has_rungs) {
        add_phase(automatic, "tpe", SIZE_MAX);
        automatic->why = "a schedule that ends most trials early";
    } else if (setup->n_trials > 0 && (size_t)setup->n_trials <= n_gp) {
        add_phase(automatic, "gp", SIZE_MAX);
        automatic->why = "few trials are planned, so each must teach much";
    } else if (is_numeric(setup->space)) {
        add_phase(automatic, "gp", n_gp);
        add_phase(automatic, "cmaes", SIZE_MAX);
        automatic->why = "many trials, and numbers alone";
    } else {
        add_phase(automatic, "gp", n_gp);
        add_phase(automatic, "tpe", SIZE_MAX);
        automatic->why = "many trials, of categorical parameters";
    }
}

/* Creates the search of a phase with its default options. */
static int open_phase(void **state, const struct automatic *automatic, size_t phase, struct err *err)
{
    const struct search_type *type = search_type_find(automatic->phases[phase].name);
    struct search_setup setup = automatic->setup;
    struct plugin plugin = {.name = (char *)(uintptr_t)type->name}; /* read only */
    struct faults faults = {0};
    void *options = calloc(1, type->options_size + 1);
    if (!options)
        return err_set(err, ERR_NOMEM, "out of memory");
    size_t n = options_parse(options, type->options, type->n_options, &plugin, type->name, &faults);
    setup.options = options;
    setup.plugin = &plugin;
    int code = n == 0 ? type->create(state, &setup, err) : err_set(err, ERR_NOMEM, "out of memory");
    faults_fini(&faults);
    free(options);
    return code;
}

static void auto_destroy(void *state)
{
    struct automatic *automatic = state;
    if (!automatic)
        return;
    if (automatic->type)
        automatic->type->destroy(automatic->state);
    free(automatic->notes);
    free(automatic->points);
    free(automatic);
}

static int auto_create(void **state, const struct search_setup *setup, struct err *err)
{
    struct automatic *automatic = calloc(1, sizeof *automatic);
    if (!automatic)
        return err_set(err, ERR_NOMEM, "out of memory");
    automatic->setup = *setup;
    automatic->setup.options = NULL;
    automatic->setup.plugin = NULL;
    plan(automatic);
    int code = open_phase(&automatic->state, automatic, 0, err);
    if (code < 0) {
        auto_destroy(automatic);
        return code;
    }
    automatic->type = search_type_find(automatic->phases[0].name);
    *state = automatic;
    return 0;
}

static double *point_of(const struct automatic *automatic, size_t note)
{
    return &automatic->points[note * automatic->setup.space->n_params];
}

/* The next search, told all that is known. Nothing changes if there is no memory. */
static int switch_phase(struct automatic *automatic)
{
    void *state = NULL;
    const struct search_type *type = search_type_find(automatic->phases[automatic->phase + 1].name);
    int code = open_phase(&state, automatic, automatic->phase + 1, NULL);
    for (size_t i = 0; code == 0 && i < automatic->n; i++) {
        struct observation observation = automatic->notes[i];
        observation.point = point_of(automatic, i);
        code = type->observe(state, &observation);
    }
    if (code < 0) {
        type->destroy(state);
        return code;
    }
    automatic->type->destroy(automatic->state);
    automatic->type = type;
    automatic->state = state;
    if (++automatic->phase + 1 == automatic->n_phases) {
        free(automatic->notes);
        free(automatic->points);
        automatic->notes = NULL;
        automatic->points = NULL;
        automatic->n = automatic->capacity = 0;
    }
    return 0;
}

static int catch_up(struct automatic *automatic)
{
    int code = 0;
    while (code == 0 && automatic->n_trials >= automatic->phases[automatic->phase].n_trials)
        code = switch_phase(automatic);
    return code;
}

static int reserve(struct automatic *automatic)
{
    if (automatic->n < automatic->capacity)
        return 0;
    size_t capacity = automatic->capacity ? 2 * automatic->capacity : 64;
    struct observation *notes = realloc(automatic->notes, capacity * sizeof *notes);
    if (!notes)
        return ERR_NOMEM;
    automatic->notes = notes;
    size_t n_params = automatic->setup.space->n_params;
    double *points = realloc(automatic->points, (capacity * n_params + 1) * sizeof *points);
    if (!points)
        return ERR_NOMEM;
    automatic->points = points;
    automatic->capacity = capacity;
    return 0;
}

static int auto_observe(void *state, const struct observation *observation)
{
    struct automatic *automatic = state;
    bool is_pending = observation->kind == OBSERVED_PENDING;
    int code = is_pending ? catch_up(automatic) : 0;
    bool is_last = automatic->phase + 1 == automatic->n_phases;
    if (code == 0 && !is_last)
        code = reserve(automatic);
    if (code == 0)
        code = automatic->type->observe(automatic->state, observation);
    if (code < 0)
        return code;
    automatic->n_trials += is_pending;
    if (!is_last) {
        size_t n_params = automatic->setup.space->n_params;
        automatic->notes[automatic->n] = *observation;
        memcpy(point_of(automatic, automatic->n++), observation->point, n_params * sizeof(double));
    }
    return 0;
}

static int auto_suggest(double *point, void *state, uint64_t trial, unsigned again, struct err *err)
{
    struct automatic *automatic = state;
    int code = catch_up(automatic);
    if (code < 0)
        return err_set(err, code, "out of memory");
    return automatic->type->suggest(point, automatic->state, trial, again, err);
}

static void auto_explain(struct text *out, const void *state)
{
    const struct automatic *automatic = state;
    for (size_t i = 0; i < automatic->n_phases; i++) {
        text_printf(out, "%s%s", i ? ", then " : "", automatic->phases[i].name);
        if (i + 1 < automatic->n_phases)
            text_printf(out, " for %zu trials", automatic->phases[i].n_trials);
    }
    text_printf(out, ": %s", automatic->why);
}

const struct search_type search_auto = {
    .name = "auto",
    .summary =
        "chooses among gp, cmaes and tpe by the space, the schedule and how many trials and workers there are",
    .paper = "",
    .learns = true,
    .create = auto_create,
    .destroy = auto_destroy,
    .suggest = auto_suggest,
    .observe = auto_observe,
    .explain = auto_explain,
};
