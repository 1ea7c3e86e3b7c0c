/* The front of every search: what all of them need, once.
 *
 *   - the goal is flipped here, so that plug-ins minimise;
 *   - NaN and infinity end here: a final value that is not finite is a failure, a partial one is dropped;
 *   - the user's defaults are trial 1;
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
};

/* Its own streams, apart from those of the plug-ins (which use the trial's number). */
static uint64_t front_seed(const struct search *search)
{
    return rng_mix(search->seed, UINT64_C(0x66726f6e74)); /* "front" */
}

static int create_state(struct search *search, const struct plugin *plugin, int64_t n_trials,
                        int64_t n_workers, struct err *err)
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
        code = type->create(&search->state,
                            &(struct search_setup){.space = search->space,
                                                   .options = options,
                                                   .plugin = plugin,
                                                   .seed = search->seed,
                                                   .n_trials = n_trials,
                                                   .n_workers = n_workers},
                            err);
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

int search_create(struct search **out, const struct plugin *plugin, const struct space *space,
                  enum metric_goal goal, uint64_t seed, int64_t n_trials, int64_t n_workers, struct err *err)
{
    const struct search_type *type = search_type_find(plugin->name);
    if (!type)
        return err_set(err, ERR_NOT_FOUND, "there is no search '%s'", plugin->name);
    struct search *search = calloc(1, sizeof *search);
    if (!search)
        return err_set(err, ERR_NOMEM, "out of memory");
    search->type = type;
    search->space = space;
    search->seed = seed;
    search->sign = goal == GOAL_MAXIMIZE ? -1 : 1;
    int code = create_state(search, plugin, n_trials, n_workers, err);
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

void search_destroy(struct search *search)
{
    if (!search)
        return;
    search->type->destroy(search->state);
    lattice_destroy(search->lattice);
    keyset_fini(&search->tried);
    keyset_fini(&search->told);
    free(search->initial);
    free(search);
}

const struct search_type *search_get_type(const struct search *search)
{
    return search->type;
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

/* Asks the plug-in until it gives a point that was not tried. Returns 0 and says in *found whether it did. */
static int ask(bool *found, double *point, struct search *search, uint64_t trial, struct err *err)
{
    unsigned max = search->type->learns ? MAX_REFUSALS_MODEL : MAX_REFUSALS;
    *found = false;
    for (unsigned again = 0; again < max && !*found; again++) {
        int code = search->type->suggest(point, search->state, trial, again, err);
        if (code == ERR_EXHAUSTED && !search->type->exhaustive)
            return 0; /* it has nothing more; the space may have */
        if (code < 0)
            return code;
        *found = search->type->exhaustive || !was_tried(search, point);
    }
    return 0;
}

static int choose(double *point, struct search *search, uint64_t trial, struct err *err)
{
    if (trial == 1 && search->initial && !was_tried(search, search->initial)) {
        memcpy(point, search->initial, search->space->n_params * sizeof *point);
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
