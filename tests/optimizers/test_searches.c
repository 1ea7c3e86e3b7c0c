/* What every search must do, looped over the registry, spaces and objectives: a new plug-in needs no new
 * test. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/keyset.h"
#include "optimizers/registry.h"
#include "spaces.h"

/* Beyond ALL_ASKED trials a search that learns, which may take its time, is told of others' points and asked
 * for one in twenty. */
enum { N_TRIALS = 60, N_NEXT = 4, ALL_ASKED = 200 };

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

static const struct objective {
    const char *name;
    double (*value)(const struct space *space, const double *point, uint64_t trial);
} objectives[] = {{"smooth", smooth},         {"constant", constant}, {"1e300", huge},       {"1e-300", tiny},
                  {"not finite", not_finite}, {"failing", failing},   {"extremes", extremes}};

enum { N_OBJECTIVES = sizeof objectives / sizeof *objectives };

/* A search that is told nothing does the same whatever the values are. */
static int n_objectives(const struct search_type *type)
{
    return type->observe ? N_OBJECTIVES : 1;
}

/* One search on one space, with the history that it was told. */
struct run {
    const struct search_type *type;
    const struct test_space *kind;
    const struct objective *objective;
    struct space *space;
    struct search *search;
    size_t n;       /* trials */
    double *points; /* [n][n_params] */
    struct keyset seen;
};

static struct search *open_search(const struct search_type *type, const struct space *space, uint64_t seed)
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

static void run_init(struct run *run, const struct search_type *type, const struct test_space *kind,
                     const struct objective *objective, size_t n_max)
{
    *run = (struct run){.type = type, .kind = kind, .objective = objective, .space = test_space_create(kind)};
    run->search = open_search(type, run->space, 7);
    run->points = calloc(n_max * run->space->n_params, sizeof *run->points);
    ck_assert_ptr_nonnull(run->points);
}

static void run_fini(struct run *run)
{
    search_destroy(run->search);
    space_destroy(run->space);
    keyset_fini(&run->seen);
    free(run->points);
}

static double *point_of(const struct run *run, uint64_t trial)
{
    return &run->points[(trial - 1) * run->space->n_params];
}

/* The next suggestion, checked; false: exhausted. */
static bool suggest(struct run *run)
{
    struct err err = {0};
    bool fresh;
    uint64_t trial = run->n + 1;
    double *point = point_of(run, trial);
    int code = search_suggest(point, run->search, trial, &err);
    if (code == ERR_EXHAUSTED) {
        ck_assert_msg(run->type->exhaustive || (double)run->n == run->kind->cardinality,
                      "%s on %s is exhausted after %zu", run->type->name, run->kind->name, run->n);
        return false;
    }
    ck_assert_msg(code == 0, "%s", err.text);
    ck_assert_msg(space_check(run->space, point, &err) == 0, "%s on %s: %s", run->type->name, run->kind->name,
                  err.text);
    ck_assert_int_eq(keyset_add(&fresh, &run->seen, space_hash(run->space, point)), 0);
    ck_assert_msg(fresh, "%s on %s repeats at trial %ju", run->type->name, run->kind->name, (uintmax_t)trial);
    run->n = trial;
    return true;
}

/* The same by another search: a point from elsewhere, which may be a repeat. */
static bool suggest_by(struct run *run, struct search *other)
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

static void tell(struct search *search, const struct observation *observation)
{
    ck_assert_int_eq(search_observe(search, observation), 0);
}

/* A partial value, then the end. */
static void finish(struct run *run, struct search *search, uint64_t trial)
{
    struct observation end = result(run, trial), partial = end;
    partial.kind = OBSERVED_PARTIAL;
    partial.step = 1;
    tell(search, &partial);
    tell(search, &end);
}

/* n trials, each told before the next is asked for. */
static void run_trials(struct run *run, size_t n)
{
    for (size_t i = 0; i < n && suggest(run); i++)
        finish(run, run->search, run->n);
}

#define FOR_EACH_OBJECTIVE(run, n_max)                                                                       \
    for (int o_ = 0; o_ < n_objectives(search_types[_i / (int)n_test_spaces]); o_++)                         \
        for (int once_ = (run_init(run, search_types[_i / (int)n_test_spaces],                               \
                                   &test_spaces[_i % (int)n_test_spaces], &objectives[o_], n_max),           \
                          1);                                                                                \
             once_; once_ = (run_fini(run), 0))

START_TEST(points_are_valid_and_never_repeat_whatever_the_values)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS)
    run_trials(&run, N_TRIALS);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_points)
{
    struct run run, other;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS)
    {
        run_init(&other, run.type, run.kind, run.objective, N_TRIALS);
        run_trials(&run, N_TRIALS);
        run_trials(&other, N_TRIALS);
        ck_assert_uint_eq(run.n, other.n);
        for (uint64_t trial = 1; trial <= run.n; trial++)
            ck_assert(space_equal(run.space, point_of(&run, trial), point_of(&other, trial)));
        run_fini(&other);
    }
}
END_TEST

/* Trials 1 ... n told again, in the order in which things happened: each pending, then its end. */
static struct search *rebuild(struct run *run, size_t n)
{
    struct search *search = open_search(run->type, run->space, 7);
    for (uint64_t trial = 1; trial <= n; trial++) {
        tell(search,
             &(struct observation){.kind = OBSERVED_PENDING, .trial = trial, .point = point_of(run, trial)});
        finish(run, search, trial);
    }
    return search;
}

START_TEST(rebuilt_from_history_it_goes_on_the_same)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS + N_NEXT)
    {
        run_trials(&run, N_TRIALS / 2);
        size_t n = run.n;
        struct search *rebuilt = rebuild(&run, n);
        double *point = calloc(run.space->n_params, sizeof *point);
        for (int i = 0; i < N_NEXT; i++) {
            uint64_t trial = run.n + 1;
            bool more = suggest(&run);
            int code = search_suggest(point, rebuilt, trial, NULL);
            ck_assert_int_eq(code, more ? 0 : ERR_EXHAUSTED);
            if (!more)
                break;
            ck_assert_msg(space_equal(run.space, point, point_of(&run, trial)), "%s on %s", run.type->name,
                          run.kind->name);
        }
        free(point);
        search_destroy(rebuilt);
    }
}
END_TEST

START_TEST(pending_points_are_not_given_again)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS)
    {
        run_trials(&run, 10);
        for (int i = 0; i < 20 && suggest(&run); i++) /* none of them told */
            continue;
    }
}
END_TEST

START_TEST(results_in_any_order_are_taken)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS)
    {
        while (run.n < 16 && suggest(&run))
            continue;
        for (uint64_t trial = run.n; trial > 0; trial--)
            finish(&run, run.search, trial);
        (void)suggest(&run);
    }
}
END_TEST

START_TEST(a_finite_space_is_emptied)
{
    const struct search_type *type = search_types[_i / (int)n_test_spaces];
    const struct test_space *kind = &test_spaces[_i % (int)n_test_spaces];
    if (!(kind->cardinality < 1000) || type->exhaustive)
        return;
    struct run run;
    run_init(&run, type, kind, &objectives[0], 1000);
    run_trials(&run, 1000);
    ck_assert_double_eq((double)run.n, kind->cardinality);
    run_fini(&run);
}
END_TEST

/* Sanitizers make the models ten times slower; the release build tells them all. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { THOUSANDS = 400 };
#else
enum { THOUSANDS = 3000 };
#endif

START_TEST(thousands_of_trials_are_no_trouble)
{
    const struct search_type *type = search_types[_i / (int)n_test_spaces];
    const struct test_space *kind = &test_spaces[_i % (int)n_test_spaces];
    size_t n = strcmp(kind->name, "mixed") == 0 || strcmp(kind->name, "thousands of categories") == 0
                   ? THOUSANDS
                   : 0;
    struct run run;
    run_init(&run, type, kind, &objectives[0], THOUSANDS);
    struct search *random = open_search(search_type_find("random"), run.space, 7);
    while (run.n < n) {
        bool is_asked = !type->learns || run.n < ALL_ASKED || run.n % 20 == 0;
        if (is_asked && !suggest(&run))
            break;
        if (!is_asked && !suggest_by(&run, random))
            break;
        finish(&run, run.search, run.n);
    }
    search_destroy(random);
    run_fini(&run);
}
END_TEST

START_TEST(defaults_come_first)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("mixed");
    struct search *search = open_search(type, space, 3);
    double point[7], initial[7];
    space_default_point(initial, space);
    ck_assert_int_eq(search_suggest(point, search, 1, NULL), 0);
    ck_assert_int_eq(space_equal(space, point, initial), !type->exhaustive);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(maximising_is_minimising_the_negative)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("mixed");
    struct plugin plugin = {0};
    struct search *up = NULL, *down = open_search(type, space, 5);
    ck_assert_int_eq(plugin_set_name(&plugin, type->name, 1, 1), 0);
    ck_assert_int_eq(search_create(&up, &plugin, space, GOAL_MAXIMIZE, 5, 1000, 4, NULL), 0);
    for (uint64_t trial = 1; trial <= 40; trial++) {
        double a[7], b[7];
        ck_assert_int_eq(search_suggest(a, down, trial, NULL), 0);
        ck_assert_int_eq(search_suggest(b, up, trial, NULL), 0);
        ck_assert(space_equal(space, a, b));
        double value = smooth(space, a, trial);
        tell(down, &(struct observation){.kind = OBSERVED_FINAL, .trial = trial, .point = a, .value = value});
        tell(up, &(struct observation){.kind = OBSERVED_FINAL, .trial = trial, .point = a, .value = -value});
    }
    search_destroy(up);
    search_destroy(down);
    plugin_fini(&plugin);
    space_destroy(space);
}
END_TEST

START_TEST(a_point_from_elsewhere_is_not_given_again)
{
    const struct search_type *type = search_types[_i];
    if (type->exhaustive)
        return;
    struct space *space = test_space_named("conditional finite");
    struct search *search = open_search(type, space, 5);
    double theirs[5] = {NAN, 0, 1, 3, 1}, point[5];
    tell(search,
         &(struct observation){.kind = OBSERVED_FINAL, .trial = 1u << 20, .point = theirs, .value = 1});
    uint64_t n = 0;
    while (search_suggest(point, search, n + 1, NULL) == 0) {
        ck_assert(!space_equal(space, point, theirs));
        n++;
    }
    ck_assert_uint_eq(n, 15);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(a_point_that_is_none_of_the_space_is_refused)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("conditional finite");
    struct search *search = open_search(type, space, 5);
    double wrong[5] = {1, 0, 1, 3, 1};
    struct observation observation = {.kind = OBSERVED_FINAL, .trial = 1, .point = wrong, .value = 1};
    ck_assert_int_eq(search_observe(search, &observation), ERR_INVALID);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(the_type_is_complete)
{
    const struct search_type *type = search_types[_i];
    ck_assert(type->name && *type->name && type->summary && *type->summary && type->paper);
    ck_assert(type->create && type->destroy && type->suggest);
    ck_assert(!type->learns || type->observe);
    ck_assert_ptr_eq(search_type_find(type->name), type);
    for (size_t i = 0; i < type->n_options; i++)
        ck_assert(type->options[i].name && type->options[i].help && *type->options[i].help);
    type->destroy(NULL);
}
END_TEST

int main(void)
{
    int n_types = (int)n_search_types, n_pairs = n_types * (int)n_test_spaces;
    Suite *suite = suite_create("searches");
    TCase *all = tcase_create("every search");
    tcase_set_timeout(all, 300); /* of a machine that is busy */
    tcase_add_loop_test(all, the_type_is_complete, 0, n_types);
    tcase_add_loop_test(all, points_are_valid_and_never_repeat_whatever_the_values, 0, n_pairs);
    tcase_add_loop_test(all, the_same_seed_gives_the_same_points, 0, n_pairs);
    tcase_add_loop_test(all, rebuilt_from_history_it_goes_on_the_same, 0, n_pairs);
    tcase_add_loop_test(all, pending_points_are_not_given_again, 0, n_pairs);
    tcase_add_loop_test(all, results_in_any_order_are_taken, 0, n_pairs);
    tcase_add_loop_test(all, a_finite_space_is_emptied, 0, n_pairs);
    tcase_add_loop_test(all, thousands_of_trials_are_no_trouble, 0, n_pairs);
    tcase_add_loop_test(all, defaults_come_first, 0, n_types);
    tcase_add_loop_test(all, maximising_is_minimising_the_negative, 0, n_types);
    tcase_add_loop_test(all, a_point_from_elsewhere_is_not_given_again, 0, n_types);
    tcase_add_loop_test(all, a_point_that_is_none_of_the_space_is_refused, 0, n_types);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
