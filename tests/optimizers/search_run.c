/* Searches on spaces and objectives, for suites that loop over the registry. */
#include "search_run.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double smooth(const struct space *space, const double *point, uint64_t trial)
{
    double sum = 0;
    (void)trial;
    for (size_t i = 0; i < space->n_params; i++) {
        double u = isnan(point[i]) ? 0.5 : param_to_unit(&space->params[i], point[i]);
        sum += (u - 0.3) * (u - 0.3);
    }
    return sum;
}

static double constant(const struct space *space, const double *point, uint64_t trial)
{
    (void)space, (void)point, (void)trial;
    return 3;
}

static double huge(const struct space *space, const double *point, uint64_t trial)
{
    return (trial % 2 ? 1e300 : -1e300) * smooth(space, point, trial);
}

static double tiny(const struct space *space, const double *point, uint64_t trial)
{
    return 1e-300 * smooth(space, point, trial);
}

static double not_finite(const struct space *space, const double *point, uint64_t trial)
{
    double values[] = {NAN, INFINITY, -INFINITY, smooth(space, point, trial)};
    return values[trial % 4];
}

static double failing(const struct space *space, const double *point, uint64_t trial)
{
    (void)space, (void)point, (void)trial;
    return NAN;
}

static double extremes(const struct space *space, const double *point, uint64_t trial)
{
    (void)space, (void)point;
    return trial % 2 ? 1.7e308 : -1.7e308;
}

const struct objective objectives[N_OBJECTIVES] = {
    {"smooth", smooth},         {"constant", constant}, {"1e300", huge},       {"1e-300", tiny},
    {"not finite", not_finite}, {"failing", failing},   {"extremes", extremes}};

int n_objectives(const struct search_type *type)
{
    return type->observe ? N_OBJECTIVES : 1;
}

struct search *open_search(const struct search_type *type, const struct space *space, uint64_t seed)
{
    struct search *search = NULL;
    struct err err = {0};
    struct plugin plugin = {0};
    ck_assert_int_eq(plugin_set_name(&plugin, type->name, 1, 1), 0);
    ck_assert_msg(search_create(&search, &plugin, space, GOAL_MINIMIZE, seed, 1000, 4, &err) == 0, "%s: %s",
                  type->name, err.text);
    plugin_fini(&plugin);
    return search;
}

void run_init_in(struct run *run, const struct search_type *type, struct space *space, const char *name,
                 double cardinality, const struct objective *objective, size_t n_max)
{
    *run = (struct run){
        .type = type, .name = name, .cardinality = cardinality, .objective = objective, .space = space};
    run->search = open_search(type, space, 7);
    run->points = calloc(n_max * space->n_params + 1, sizeof *run->points);
    ck_assert_ptr_nonnull(run->points);
}

void run_init(struct run *run, const struct search_type *type, const struct test_space *kind,
              const struct objective *objective, size_t n_max)
{
    run_init_in(run, type, test_space_create(kind), kind->name, kind->cardinality, objective, n_max);
}

void run_fini(struct run *run)
{
    search_destroy(run->search);
    space_destroy(run->space);
    keyset_fini(&run->seen);
    free(run->points);
}

double *point_of(const struct run *run, uint64_t trial)
{
    return &run->points[(trial - 1) * run->space->n_params];
}

bool suggest(struct run *run)
{
    struct err err = {0};
    bool fresh;
    uint64_t trial = run->n + 1;
    double *point = point_of(run, trial);
    int code = search_suggest(point, run->search, trial, &err);
    if (code == ERR_EXHAUSTED) {
        ck_assert_msg(run->type->exhaustive || (double)run->n == run->cardinality,
                      "%s on %s is exhausted after %zu", run->type->name, run->name, run->n);
        return false;
    }
    ck_assert_msg(code == 0, "%s", err.text);
    ck_assert_msg(space_check(run->space, point, &err) == 0, "%s on %s: %s", run->type->name, run->name,
                  err.text);
    ck_assert_int_eq(keyset_add(&fresh, &run->seen, space_hash(run->space, point)), 0);
    ck_assert_msg(fresh, "%s on %s repeats at trial %ju", run->type->name, run->name, (uintmax_t)trial);
    run->n = trial;
    return true;
}

bool suggest_by(struct run *run, struct search *other)
{
    bool fresh;
    double *point = point_of(run, run->n + 1);
    if (search_suggest(point, other, run->n + 1, NULL) == ERR_EXHAUSTED)
        return false;
    run->n++;
    return keyset_add(&fresh, &run->seen, space_hash(run->space, point)) == 0;
}

/* What is told of a trial at its end. */
static struct observation result(const struct run *run, uint64_t trial)
{
    const double *point = point_of(run, trial);
    double value = run->objective->value(run->space, point, trial);
    return (struct observation){.kind = trial % 7 == 0 ? OBSERVED_FAILED : OBSERVED_FINAL,
                                .trial = trial,
                                .point = point,
                                .value = value,
                                .step = 3};
}

void tell(struct search *search, const struct observation *observation)
{
    ck_assert_int_eq(search_observe(search, observation), 0);
}

void finish(struct run *run, struct search *search, uint64_t trial)
{
    struct observation end = result(run, trial), partial = end;
    partial.kind = OBSERVED_PARTIAL;
    partial.step = 1;
    tell(search, &partial);
    tell(search, &end);
}

void run_trials(struct run *run, size_t n)
{
    for (size_t i = 0; i < n && suggest(run); i++)
        finish(run, run->search, run->n);
}

int run_shard(int argc, char **argv, const char *name, void (*fill)(TCase *tcase, int type))
{
    int shard = argc > 2 ? atoi(argv[1]) : 0, n_shards = argc > 2 ? atoi(argv[2]) : 1;
    Suite *suite = suite_create(name);
    for (int i = shard; i < (int)n_search_types; i += n_shards) {
        TCase *tcase = tcase_create(search_types[i]->name);
        tcase_set_timeout(tcase, 300); /* of a machine that is busy */
        fill(tcase, i);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
