/* Grid, Sobol', schedule full, and the check of a user's choices against the registry. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_qrng.h>

#include "optimizers/registry.h"
#include "spaces.h"

/* A search by name and settings: {"name", "key", "value", ..., NULL}. */
static int open_search(struct search **search, const struct space *space, uint64_t seed,
                       const char *const *words, struct err *err)
{
    struct plugin plugin = {0};
    ck_assert_int_eq(plugin_set_name(&plugin, words[0], 1, 1), 0);
    for (size_t i = 1; words[i]; i += 2)
        ck_assert_int_eq(plugin_add(&plugin, words[i], words[i + 1], 1, 1), 0);
    int code = search_create(search, &plugin, space, GOAL_MINIMIZE, seed, 100, 1, err);
    plugin_fini(&plugin);
    return code;
}

#define OPEN(search, space, seed, ...)                                                                       \
    do {                                                                                                     \
        struct err err_ = {0};                                                                               \
        ck_assert_msg(open_search(search, space, seed, (const char *[]){__VA_ARGS__, NULL}, &err_) == 0,     \
                      "%s", err_.text);                                                                      \
    } while (0)

static struct space *finished(struct space *space)
{
    struct err err = {0};
    ck_assert_msg(space_finish(space, &err) == 0, "%s", err.text);
    return space;
}

/* Every value that parameter `param` takes in the whole grid, in the order of first use. */
static size_t grid_values(double *values, struct search *search, const struct space *space, size_t param)
{
    double point[16];
    size_t n = 0;
    for (uint64_t trial = 1; search_suggest(point, search, trial, NULL) == 0; trial++) {
        size_t i = 0;
        while (i < n && values[i] != point[param])
            i++;
        if (i == n && !isnan(point[param]))
            values[n++] = point[param];
    }
    (void)space;
    return n;
}

static const struct {
    enum param_type type;
    double min, max;
    enum param_scale scale;
    double step;
    const char *count;
    size_t n;
    double values[8];
} level_cases[] = {
    {PARAM_DOUBLE, 0, 1, SCALE_LINEAR, 0, "5", 5, {0, 0.25, 0.5, 0.75, 1}},
    {PARAM_DOUBLE, 0, 1, SCALE_LINEAR, 0, "2", 2, {0, 1}},
    {PARAM_DOUBLE, 0, 1, SCALE_LINEAR, 0, "1", 1, {0.5}},
    {PARAM_DOUBLE, 0.5, 8, SCALE_LOG, 0, "5", 5, {0.5, 1, 2, 4, 8}},
    {PARAM_DOUBLE, 3, 3, SCALE_LINEAR, 0, "5", 1, {3}},
    {PARAM_DOUBLE, 0, 1, SCALE_LINEAR, 0.25, "9", 5, {0, 0.25, 0.5, 0.75, 1}},
    {PARAM_DOUBLE, 0, 1, SCALE_LINEAR, 0.25, "3", 3, {0, 0.5, 1}},
    {PARAM_INT, 1, 4, SCALE_LINEAR, 0, "5", 4, {1, 2, 3, 4}},
    {PARAM_INT, 0, 100, SCALE_LINEAR, 0, "5", 5, {0, 25, 50, 75, 100}},
    {PARAM_INT, 1, 16, SCALE_LOG, 0, "5", 5, {1, 2, 4, 8, 16}},
    {PARAM_INT, 1, 9, SCALE_LOG, 0, "8", 7, {1, 2, 3, 4, 5, 7, 9}}, /* 1 1.4 1.9 2.6 3.5 4.8 6.6 9 */
    {PARAM_INT, 0, 12, SCALE_LINEAR, 3, "5", 5, {0, 3, 6, 9, 12}},
};

START_TEST(grid_levels_follow_the_table)
{
    struct space *space = space_create();
    double values[64];
    ck_assert_int_eq(space_add(space,
                               &(struct param){.name = strdup("x"),
                                               .type = level_cases[_i].type,
                                               .min = level_cases[_i].min,
                                               .max = level_cases[_i].max,
                                               .scale = level_cases[_i].scale,
                                               .step = level_cases[_i].step,
                                               .initial = NAN},
                               NULL),
                     0);
    struct search *search = NULL;
    OPEN(&search, finished(space), 0, "grid", "count", level_cases[_i].count);
    ck_assert_uint_eq(grid_values(values, search, space, 0), level_cases[_i].n);
    for (size_t i = 0; i < level_cases[_i].n; i++)
        ck_assert_double_eq_tol(values[i], level_cases[_i].values[i], 1e-12);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(grid_takes_a_count_for_one_parameter)
{
    struct space *space = space_create();
    (void)add_double(space, "x", 0, 1, SCALE_LINEAR);
    (void)add_double(space, "y.z", 0, 1, SCALE_LINEAR);
    struct search *search = NULL;
    double values[64];
    OPEN(&search, finished(space), 0, "grid", "counts.y.z", "7", "count", "3");
    ck_assert_uint_eq(grid_values(values, search, space, 0), 3);
    search_destroy(search);
    OPEN(&search, space, 0, "grid", "counts.y.z", "7", "count", "3");
    ck_assert_uint_eq(grid_values(values, search, space, 1), 7);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(grid_refuses_a_count_where_all_values_are_tried)
{
    struct space *space = space_create();
    (void)add_categorical(space, "c", 3);
    struct search *search = NULL;
    struct err err = {0};
    ck_assert_int_eq(
        open_search(&search, finished(space), 0, (const char *[]){"grid", "counts.c", "2", NULL}, &err),
        ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "'c'"));
    space_destroy(space);
}
END_TEST

START_TEST(grid_goes_as_nested_loops)
{
    struct space *space = space_create();
    (void)add_categorical(space, "a", 2);
    (void)add_double(space, "x", 0, 1, SCALE_LINEAR);
    struct search *search = NULL;
    OPEN(&search, finished(space), 0, "grid", "count", "3");
    for (uint64_t trial = 1; trial <= 6; trial++) {
        double point[2];
        ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
        ck_assert_double_eq(point[0], (double)((trial - 1) / 3));
        ck_assert_double_eq(point[1], (double)((trial - 1) % 3) / 2);
    }
    search_destroy(search);
    space_destroy(space);
}
END_TEST

static uint64_t grid_size(const struct space *space, const char *count, const char *order)
{
    struct search *search = NULL;
    double point[200];
    OPEN(&search, space, 0, "grid", "count", count, "order", order);
    uint64_t trial = 1;
    while (search_suggest(point, search, trial, NULL) == 0) {
        ck_assert_int_eq(space_check(space, point, NULL), 0);
        trial++;
    }
    search_destroy(search);
    return trial - 1;
}

START_TEST(grid_counts_conditional_combinations_once)
{
    /* solver 0: kind 0 or (kind 1 and 3 momenta); solver 1: 3 betas; solver 2: 1; times 3 layers */
    struct space *space = test_space_named("conditional");
    ck_assert_uint_eq(grid_size(space, "3", "nested"), (4 + 3 + 1) * 3);
    ck_assert_uint_eq(grid_size(space, "3", "shuffled"), (4 + 3 + 1) * 3);
    space_destroy(space);
}
END_TEST

START_TEST(grid_of_more_points_than_numbers_has_the_first_ones)
{
    struct space *space = test_space_named("hundred doubles");
    struct search *search = NULL;
    double point[100];
    OPEN(&search, space, 0, "grid", "order", "shuffled");
    for (uint64_t trial = 1; trial <= 10; trial++) {
        ck_assert_int_eq(search_suggest(point, search, trial * UINT64_C(1000000000000), NULL), 0);
        ck_assert_int_eq(space_check(space, point, NULL), 0);
    }
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(shuffled_grids_differ_by_seed)
{
    struct space *space = test_space_named("ten doubles");
    struct search *a = NULL, *b = NULL;
    double p[10], q[10];
    OPEN(&a, space, 1, "grid", "order", "shuffled");
    OPEN(&b, space, 2, "grid", "order", "shuffled");
    ck_assert_int_eq(search_suggest(p, a, 1, NULL), 0);
    ck_assert_int_eq(search_suggest(q, b, 1, NULL), 0);
    ck_assert(!space_equal(space, p, q));
    search_destroy(a);
    search_destroy(b);
    space_destroy(space);
}
END_TEST

/* A cube of n doubles in [0, 1]. */
static struct space *cube(size_t n)
{
    struct space *space = space_create();
    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x%zu", i);
        (void)add_double(space, name, 0, 1, SCALE_LINEAR);
    }
    return finished(space);
}

static const char *const scrambles[] = {"owen", "shift", "none"};

START_TEST(sobol_fills_every_interval_once)
{
    /* Of the first 2^m points each interval [k, k+1) / 2^m of every coordinate holds one, scrambled or not.
     * (Unscrambled the first is left out, so only intervals but the first.) */
    struct space *space = cube(150);
    struct search *search = NULL;
    static double points[256][150];
    bool plain = strcmp(scrambles[_i], "none") == 0;
    OPEN(&search, space, 11, "sobol", "scramble", scrambles[_i]);
    for (uint64_t trial = 1; trial <= 256; trial++)
        ck_assert_int_eq(search_suggest(points[trial - 1], search, trial, NULL), 0);
    for (size_t dim = 0; dim < 150; dim++) {
        int counts[256] = {0};
        for (size_t i = 0; i < 256 - (plain ? 1 : 0); i++)
            counts[(size_t)(points[i][dim] * 256)]++;
        for (int k = plain ? 1 : 0; k < 256; k++)
            ck_assert_int_eq(counts[k], 1);
    }
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(sobol_is_a_net_in_two_dimensions)
{
    /* The first two coordinates are a (0, m, 2)-net: of 2^m points each box of area 2^-m, whatever its shape,
     * has one. */
    enum { M = 10, N = 1 << M };
    struct space *space = cube(2);
    struct search *search = NULL;
    static double points[N][2];
    OPEN(&search, space, 5, "sobol");
    for (uint64_t trial = 1; trial <= N; trial++)
        ck_assert_int_eq(search_suggest(points[trial - 1], search, trial, NULL), 0);
    for (int a = 0; a <= M; a++) {
        bool taken[N] = {false};
        for (size_t i = 0; i < N; i++) {
            size_t box = (size_t)ldexp(points[i][0], a) << (M - a) | (size_t)ldexp(points[i][1], M - a);
            ck_assert(!taken[box]);
            taken[box] = true;
        }
    }
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(plain_sobol_is_the_sequence_of_gsl)
{
    enum { N = 2000, DIMS = 40 };
    struct space *space = cube(DIMS);
    struct search *search = NULL;
    static double known[N][DIMS];
    gsl_qrng *generator = gsl_qrng_alloc(gsl_qrng_sobol, DIMS);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(gsl_qrng_get(generator, known[i]), 0);
    gsl_qrng_free(generator);
    OPEN(&search, space, 5, "sobol", "scramble", "none");
    for (uint64_t trial = 1; trial <= N; trial++) {
        double point[DIMS];
        ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
        ck_assert_mem_eq(point, known[trial - 1], sizeof point);
    }
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(a_point_of_sobol_follows_from_its_number_alone)
{
    static const uint64_t trials[] = {100000, 7, 65536, 65537, 1, 2, 99999};
    struct space *space = cube(90);
    struct search *one = NULL;
    OPEN(&one, space, 3, "sobol", "scramble", scrambles[_i]);
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        struct search *other = NULL;
        double p[90], q[90];
        OPEN(&other, space, 3, "sobol", "scramble", scrambles[_i]);
        ck_assert_int_eq(search_suggest(p, one, trials[i], NULL), 0);
        ck_assert_int_eq(search_suggest(q, other, trials[i], NULL), 0);
        ck_assert_mem_eq(p, q, sizeof p);
        search_destroy(other);
    }
    search_destroy(one);
    space_destroy(space);
}
END_TEST

START_TEST(sobol_beyond_40_coordinates_is_no_copy_of_the_first)
{
    /* Coordinates j and j + 40 come of the same direction numbers. If they were tied, one cell of 16 x 16
     * would decide the other coordinate; of independent ones nearly all 256 cells have some of 1024 points.
     */
    struct space *space = cube(41);
    struct search *search = NULL;
    bool taken[256] = {false};
    int n = 0;
    OPEN(&search, space, 5, "sobol", "scramble", scrambles[_i]);
    for (uint64_t trial = 1; trial <= 1024; trial++) {
        double point[41];
        ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
        size_t cell = (size_t)(point[0] * 16) * 16 + (size_t)(point[40] * 16);
        n += !taken[cell];
        taken[cell] = true;
    }
    ck_assert_int_gt(n, 230);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(sobol_differs_by_seed)
{
    struct space *space = cube(3);
    struct search *a = NULL, *b = NULL;
    double p[3], q[3];
    OPEN(&a, space, 1, "sobol", "scramble", scrambles[_i]);
    OPEN(&b, space, 2, "sobol", "scramble", scrambles[_i]);
    ck_assert_int_eq(search_suggest(p, a, 4, NULL), 0);
    ck_assert_int_eq(search_suggest(q, b, 4, NULL), 0);
    ck_assert_int_eq(space_equal(space, p, q), strcmp(scrambles[_i], "none") == 0);
    search_destroy(a);
    search_destroy(b);
    space_destroy(space);
}
END_TEST

START_TEST(sobol_integrates_better_than_random)
{
    /* f = prod (1 + (x_j - 1/2) / 2) over 8 coordinates, mean 1; 1024 points, mean squared error over 20
     * seeds. */
    struct space *space = cube(8);
    double errors[2] = {0, 0};
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct search *search = NULL;
            double mean = 0;
            OPEN(&search, space, seed, kind ? "sobol" : "random");
            for (uint64_t trial = 1; trial <= 1024; trial++) {
                double point[8], product = 1;
                ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
                for (int j = 0; j < 8; j++)
                    product *= 1 + (point[j] - 0.5) / 2;
                mean += product / 1024;
            }
            errors[kind] += (mean - 1) * (mean - 1);
            search_destroy(search);
        }
    }
    ck_assert_double_lt(errors[1], errors[0] / 100);
    space_destroy(space);
}
END_TEST

START_TEST(full_gives_every_trial_the_same_budget)
{
    struct plan plan;
    void *state = NULL;
    const struct schedule_type *full = schedule_type_find("full");
    int64_t budget = 27;
    ck_assert_int_eq(full->create(&state, &(struct schedule_setup){.options = &budget}, NULL), 0);
    full->next(&plan, state);
    ck_assert_int_eq(plan.kind, PLAN_NEW);
    ck_assert_int_eq(plan.budget, 27);
    ck_assert_int_eq(full->report(state, 1, 5, 1e9), DECISION_CONTINUE);
    full->destroy(state);
}
END_TEST

/* registry_check on a spec with this choice of search. */
static size_t check_choice(struct faults *faults, const char *search, const char *key, const char *value)
{
    struct space *space = test_space_named("mixed");
    struct spec spec = {.space = space};
    ck_assert_int_eq(plugin_set_name(&spec.search, search, 3, 9), 0);
    ck_assert_int_eq(plugin_set_name(&spec.schedule, "full", 4, 9), 0);
    ck_assert_int_eq(plugin_set_name(&spec.stopping, "none", 5, 9), 0);
    if (key)
        ck_assert_int_eq(plugin_add(&spec.search, key, value, 7, 5), 0);
    size_t n = registry_check(&spec, faults);
    plugin_fini(&spec.search);
    plugin_fini(&spec.schedule);
    plugin_fini(&spec.stopping);
    space_destroy(space);
    return n;
}

static const struct {
    const char *search, *key, *value;
    unsigned line; /* of the fault; 0: there is none */
    const char *text;
} choices[] = {
    {"random", NULL, NULL, 0, ""},
    {"grid", "count", "3", 0, ""},
    {"grid", "counts.lr", "3", 0, ""},
    {"rnadom", NULL, NULL, 3, "did you mean 'random'"},
    {"zzz", NULL, NULL, 3, "there are: auto, random"},
    {"grid", "cuont", "3", 7, "count"},
    {"grid", "count", "0", 7, "count"},
    {"grid", "count", "many", 7, "count"},
    {"grid", "counts.lrr", "3", 7, "did you mean 'lr'"},
    {"grid", "counts.lr", "2.5", 7, "integer"},
    {"grid", "counts.lr", "0", 7, "from 1"},
    {"grid", "counts.solver", "2", 3, "solver"},
    {"sobol", "scramble", "oven", 7, "owen"},
};

START_TEST(choices_are_checked_at_their_place)
{
    struct faults faults = {0};
    size_t n = check_choice(&faults, choices[_i].search, choices[_i].key, choices[_i].value);
    ck_assert_uint_eq(n, choices[_i].line != 0);
    if (n > 0) {
        ck_assert_uint_eq(faults.list[0].line, choices[_i].line);
        ck_assert_msg(strstr(faults.list[0].text, choices[_i].text) != NULL, "%s", faults.list[0].text);
    }
    faults_fini(&faults);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("plugins");
    TCase *grid = tcase_create("grid"), *sobol = tcase_create("sobol"), *other = tcase_create("other");
    tcase_add_loop_test(grid, grid_levels_follow_the_table, 0, COUNT(level_cases));
    tcase_add_test(grid, grid_takes_a_count_for_one_parameter);
    tcase_add_test(grid, grid_refuses_a_count_where_all_values_are_tried);
    tcase_add_test(grid, grid_goes_as_nested_loops);
    tcase_add_test(grid, grid_counts_conditional_combinations_once);
    tcase_add_test(grid, grid_of_more_points_than_numbers_has_the_first_ones);
    tcase_add_test(grid, shuffled_grids_differ_by_seed);
    tcase_add_loop_test(sobol, sobol_fills_every_interval_once, 0, COUNT(scrambles));
    tcase_add_test(sobol, sobol_is_a_net_in_two_dimensions);
    tcase_add_test(sobol, plain_sobol_is_the_sequence_of_gsl);
    tcase_add_loop_test(sobol, a_point_of_sobol_follows_from_its_number_alone, 0, COUNT(scrambles));
    tcase_add_loop_test(sobol, sobol_beyond_40_coordinates_is_no_copy_of_the_first, 0, COUNT(scrambles));
    tcase_add_loop_test(sobol, sobol_differs_by_seed, 0, COUNT(scrambles));
    tcase_add_test(sobol, sobol_integrates_better_than_random);
    tcase_add_test(other, full_gives_every_trial_the_same_budget);
    tcase_add_loop_test(other, choices_are_checked_at_their_place, 0, COUNT(choices));
    suite_add_tcase(suite, grid);
    suite_add_tcase(suite, sobol);
    suite_add_tcase(suite, other);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
