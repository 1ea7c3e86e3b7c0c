/* The front of every search: what all of them need, once.
 *
 *   - the goal is flipped here, so that plug-ins minimise;
 *   - NaN and infinity end here: a final value that is not finite is a failure, a partial one is dropped;
 *   - points that the user wants tried come first, then the defaults;
 *   - a point that was tried or is pending is not given again while others are left.
 *
 * Tried points are kept as 64-bit hashes, 8 bytes each. With n points tried the chance that a new one is
 * taken for an old one is n / 2^64: it is then merely passed over.
 *
 * A plug-in whose answer is refused is asked again a few times. After that the point comes from the lattice
 * of all points (optimizers/lattice.h): of a finite space in a fixed random order, whose beginning that is
 * tried already is remembered, so a whole space is emptied in O(1) a point; of an infinite one by sampling it
 * so that every point of the lattice is equally likely, which does not get lost in small branches that are
 * used up.
 *
 * Everything here but the set of tried points and the trial numbers follows from (seed, trial number), so it
 * is rebuilt by telling the history again. */
#include "optimizers/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/keyset.h"
#include "optimizers/lattice.h"
#include "optimizers/registry.h"

enum {
    MAX_REFUSALS = 16,      /* of a plug-in that is cheap to ask */
    MAX_REFUSALS_MODEL = 8, /* of one that computes: it may take milliseconds each */
    MAX_SAMPLES = 1000      /* of an infinite space, before a repeat is accepted */
};

/* What has been told of a trial, as keys of search.told. */
enum told { TOLD_PENDING, TOLD_END };

struct search {
    const struct search_type *type;
    void *state;
    const struct space *space;
    double sign; /* -1: maximise */
    uint64_t seed;
    struct lattice *lattice; /* NULL: cannot be enumerated, or exhaustive */
    uint64_t n_points;       /* of the space; LATTICE_MANY: no end of them */
    uint64_t n_skipped;      /* so many first points of the lattice's random order are tried */
    struct keyset tried;     /* hashes of points */
    struct keyset told;      /* of a type that observes: trial x 2 + enum told */
    double *initial;         /* [n_params] the defaults; NULL: there are none */
    size_t n_queued;         /* points of a warm start that are trials 1 ... n_queued */
    double *queue;           /* [n_queued][n_params] */
    struct keyset warm;      /* of an exhaustive type: hashes of all points of the warm start */
    uint64_t walked;         /* its suggestion number `walked`, those of the warm start left out, */
    uint64_t walked_at;      /* is number walked_at of its list */
};

/* Its own streams, apart from those of the plug-ins (which use the trial's number). */
static uint64_t front_seed(const struct search *search)
{
    return rng_mix(search->seed, UINT64_C(0x66726f6e74)); /* "front" */
}

static int create_state(struct search *search, const struct plugin *plugin, const struct search_setup *plan,
                        struct err *err)
{
    const struct search_type *type = search->type;
    struct faults faults = {0};
    void *options = calloc(1, type->options_size + 1);
    int code = options ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (code == 0 && options_parse(options, type->options, type->n_options, plugin, "search", &faults) > 0) {
        code = err_set(err, ERR_INVALID, "search '%s': %s", type->name,
                       faults.n ? faults.list[0].text : "out of memory");
    }
    if (code == 0) {
        struct search_setup setup = *plan;
        setup.options = options;
        setup.plugin = plugin;
        code = type->create(&search->state, &setup, err);
    }
    faults_fini(&faults);
    free(options);
    return code;
}

static int create_lattice(struct search *search, struct err *err)
{
    search->n_points = LATTICE_MANY;
    if (search->type->exhaustive)
        return 0;
    int code = lattice_create(&search->lattice, search->space, NULL, err);
    if (code == ERR_UNSUPPORTED)
        return 0; /* repeats can then only be refused, not avoided by looking for what is left */
    if (code == 0)
        search->n_points = lattice_size(search->lattice);
    return code;
}

static int create_initial(struct search *search, struct err *err)
{
    if (search->type->exhaustive || !space_has_defaults(search->space))
        return 0;
    search->initial = calloc(search->space->n_params + 1, sizeof *search->initial);
    if (!search->initial)
        return err_set(err, ERR_NOMEM, "out of memory");
    space_default_point(search->initial, search->space);
    return 0;
}

/* `plan` is without options and plugin. */
static int create(struct search **out, const struct plugin *plugin, enum metric_goal goal,
                  const struct search_setup *plan, struct err *err)
{
    const struct search_type *type = search_type_find(plugin->name);
    if (!type)
        return err_set(err, ERR_NOT_FOUND, "there is no search '%s'", plugin->name);
    struct search *search = calloc(1, sizeof *search);
    if (!search)
        return err_set(err, ERR_NOMEM, "out of memory");
    search->type = type;
    search->space = plan->space;
    search->seed = plan->seed;
    search->sign = goal == GOAL_MAXIMIZE ? -1 : 1;
    int code = create_state(search, plugin, plan, err);
    if (code == 0)
        code = create_lattice(search, err);
    if (code == 0)
        code = create_initial(search, err);
    if (code < 0) {
        search_destroy(search);
        return code;
    }
    *out = search;
    return 0;
}

int search_create(struct search **out, const struct plugin *plugin, const struct space *space,
                  enum metric_goal goal, uint64_t seed, int64_t n_trials, int64_t n_workers, struct err *err)
{
    struct search_setup plan = {.space = space, .seed = seed, .n_trials = n_trials, .n_workers = n_workers};
    return create(out, plugin, goal, &plan, err);
}

int search_create_for(struct search **out, const struct spec *spec, struct err *err)
{
    const struct schedule_type *schedule = schedule_type_find(spec->schedule.name);
    struct search_setup plan = {.space = spec->space,
                                .seed = spec->seed,
                                .n_trials = spec->limits.trials,
                                .n_workers = spec->workers,
                                .has_rungs = schedule && schedule->next_level};
    return create(out, &spec->search, spec->metric.goal, &plan, err);
}

void search_destroy(struct search *search)
{
    if (!search)
        return;
    search->type->destroy(search->state);
    lattice_destroy(search->lattice);
    keyset_fini(&search->tried);
    keyset_fini(&search->told);
    keyset_fini(&search->warm);
    free(search->initial);
    free(search->queue);
    free(search);
}

const struct search_type *search_get_type(const struct search *search)
{
    return search->type;
}

void search_explain(struct text *out, const struct search *search)
{
    if (search->type->explain)
        search->type->explain(out, search->state);
}

static bool was_tried(const struct search *search, const double *point)
{
    return keyset_has(&search->tried, space_hash(search->space, point));
}

/* A free point of a finite space: the first one of a fixed random order. */
static int enumerate(double *point, struct search *search)
{
    for (; search->n_skipped < search->n_points; search->n_skipped++) {
        uint64_t k = lattice_permute(search->n_skipped, search->n_points, front_seed(search));
        lattice_point(point, search->lattice, k);
        if (!was_tried(search, point))
            return 0;
    }
    return ERR_EXHAUSTED;
}

/* A free point of a space without end. */
static void sample(double *point, struct search *search, uint64_t trial)
{
    struct rng rng;
    rng_init(&rng, front_seed(search), trial);
    for (unsigned i = 0; i < MAX_SAMPLES; i++) {
        lattice_sample(point, search->lattice, &rng);
        if (!was_tried(search, point))
            return;
    }
}

/* The k-th point of an exhaustive type's list that is not of the warm start. The walk there is remembered, so
 * asking for one after the other costs O(1) a point; which it is depends on k alone. */
static int walk(double *point, struct search *search, uint64_t k, struct err *err)
{
    if (k <= search->walked)
        search->walked = search->walked_at = 0;
    while (search->walked < k) {
        int code = search->type->suggest(point, search->state, search->walked_at + 1, 0, err);
        if (code < 0)
            return code;
        search->walked_at++;
        search->walked += !keyset_has(&search->warm, space_hash(search->space, point));
    }
    return 0;
}

/* A search that does not learn counts its own suggestions. */
static uint64_t own_number(const struct search *search, uint64_t trial)
{
    bool is_own = trial > search->n_queued && !search->type->learns;
    return is_own ? trial - search->n_queued : trial;
}

/* Asks the plug-in until it gives a point that was not tried. Returns 0 and says in *found whether it did. */
static int ask(bool *found, double *point, struct search *search, uint64_t trial, struct err *err)
{
    unsigned max = search->type->learns ? MAX_REFUSALS_MODEL : MAX_REFUSALS;
    uint64_t number = own_number(search, trial);
    *found = search->type->exhaustive;
    if (search->type->exhaustive)
        return search->warm.n ? walk(point, search, number, err)
                              : search->type->suggest(point, search->state, number, 0, err);
    for (unsigned again = 0; again < max && !*found; again++) {
        int code = search->type->suggest(point, search->state, number, again, err);
        if (code == ERR_EXHAUSTED)
            return 0; /* it has nothing more; the space may have */
        if (code < 0)
            return code;
        *found = !was_tried(search, point);
    }
    return 0;
}

/* What the user wants that trial to be; NULL: nothing. */
static const double *given_point(const struct search *search, uint64_t trial)
{
    if (trial >= 1 && trial <= search->n_queued)
        return &search->queue[(trial - 1) * search->space->n_params];
    return trial == search->n_queued + 1 ? search->initial : NULL;
}

static int choose(double *point, struct search *search, uint64_t trial, struct err *err)
{
    const double *given = given_point(search, trial);
    if (given && !was_tried(search, given)) {
        memcpy(point, given, search->space->n_params * sizeof *point);
        return 0;
    }
    if (search->tried.n >= search->n_points)
        return err_set(err, ERR_EXHAUSTED, "all points of the space have been tried");
    bool found;
    int code = ask(&found, point, search, trial, err);
    if (code < 0 || found || !search->lattice)
        return code;
    if (search->n_points == LATTICE_MANY) {
        sample(point, search, trial);
        return 0;
    }
    code = enumerate(point, search);
    return code < 0 ? err_set(err, code, "all points of the space have been tried") : 0;
}

/* Tells the plug-in, once of a kind and trial but for PARTIAL. */
static int tell(struct search *search, const struct observation *observation)
{
    if (!search->type->observe)
        return 0;
    if (observation->kind != OBSERVED_PARTIAL) {
        enum told told = observation->kind == OBSERVED_PENDING ? TOLD_PENDING : TOLD_END;
        bool fresh;
        int code = keyset_add(&fresh, &search->told, 2 * observation->trial + told);
        if (code < 0 || !fresh)
            return code;
    }
    return search->type->observe(search->state, observation);
}

int search_suggest(double *point, struct search *search, uint64_t trial, struct err *err)
{
    int code = choose(point, search, trial, err);
    if (code < 0)
        return code;
    code = keyset_add(NULL, &search->tried, space_hash(search->space, point));
    if (code == 0)
        code = tell(search, &(struct observation){.kind = OBSERVED_PENDING, .trial = trial, .point = point});
    return code < 0 ? err_set(err, code, "out of memory") : 0;
}

int search_observe(struct search *search, const struct observation *told)
{
    struct observation observation = *told;
    uint64_t hash = space_hash(search->space, told->point);
    if (!keyset_has(&search->tried, hash)) {
        int code = space_check(search->space, told->point, NULL);
        if (code == 0)
            code = keyset_add(NULL, &search->tried, hash);
        if (code < 0)
            return code;
    }
    if (observation.kind == OBSERVED_PARTIAL && !isfinite(observation.value))
        return 0;
    if (observation.kind == OBSERVED_FINAL && !isfinite(observation.value))
        observation.kind = OBSERVED_FAILED;
    bool has_value = observation.kind == OBSERVED_PARTIAL || observation.kind == OBSERVED_FINAL;
    observation.value = has_value ? search->sign * told->value : NAN;
    return tell(search, &observation);
}

/* Is the point neither known nor in the queue already? Marks it as queued. */
static int mark_queued(bool *is_new, struct keyset *queued, const struct search *search, const double *point)
{
    *is_new = false;
    if (was_tried(search, point))
        return 0;
    return keyset_add(is_new, queued, space_hash(search->space, point));
}

/* The points to be tried, each once. */
static int make_queue(struct search *search, const struct warm_start *warm, struct keyset *queued)
{
    size_t n_params = search->space->n_params;
    search->queue = calloc(warm_start_count(warm, WARM_TRY) * n_params + 1, sizeof *search->queue);
    int code = search->queue ? 0 : ERR_NOMEM;
    for (size_t i = 0; code == 0 && i < warm->n; i++) {
        const double *point = &warm->points[i * n_params];
        bool is_new = false;
        if (warm->list[i].kind == WARM_TRY)
            code = space_check(search->space, point, NULL);
        if (code == 0 && warm->list[i].kind == WARM_TRY)
            code = mark_queued(&is_new, queued, search, point);
        if (code == 0 && is_new && n_params)
            memcpy(&search->queue[search->n_queued * n_params], point, n_params * sizeof *point);
        search->n_queued += is_new;
    }
    return code;
}

static int tell_known(struct search *search, const struct warm_start *warm)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < warm->n; i++) {
        const struct warm_point *known = &warm->list[i];
        if (known->kind == WARM_TRY)
            continue;
        struct observation observation = {
            .kind = known->kind == WARM_VALUE ? OBSERVED_FINAL : OBSERVED_FAILED,
            .trial = SEARCH_FIRST_WARM + i,
            .point = &warm->points[i * search->space->n_params],
            .value = known->value,
            .step = known->step,
        };
        code = search_observe(search, &observation);
    }
    return code;
}

int search_warm_start(struct search *search, const struct warm_start *warm)
{
    struct keyset queued = {0};
    int code = tell_known(search, warm);
    if (code == 0)
        code = make_queue(search, warm, &queued);
    for (size_t i = 0; code == 0 && search->type->exhaustive && i < warm->n; i++) {
        const double *point = &warm->points[i * search->space->n_params];
        code = keyset_add(NULL, &search->warm, space_hash(search->space, point));
    }
    keyset_fini(&queued);
    return code;
}
