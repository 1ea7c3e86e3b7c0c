/* The distribution of CMA-ES, its cells, and the search by it. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/cma.h"
#include "optimizers/cma_cells.h"
#include "optimizers/registry.h"
#include "spaces.h"

enum { N = 5, LAMBDA = 8 };

static double ellipsoid(const double *x, size_t n)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += pow(1000, (double)j / (double)(n - 1)) * (x[j] - 0.3) * (x[j] - 0.3);
    return sum;
}

static double turned(const double *x, size_t n)
{
    double y[N], sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += x[j] / (double)n;
    for (size_t j = 0; j < n; j++)
        y[j] = x[j] + 20 * (sum - 0.3);
    return ellipsoid(y, n);
}

/* The value at the mean after so many updates from `lambda` draws each. */
static double descend(struct cma *cma, double (*f)(const double *, size_t), int n_updates)
{
    double x[LAMBDA][N], sorted[LAMBDA][N], values[LAMBDA], mean[N] = {0.9, 0.9, 0.9, 0.9, 0.9};
    bool is_foreign[LAMBDA] = {false};
    struct rng rng;
    rng_init(&rng, 3, 1);
    cma_start(cma, mean, 0.2);
    for (int update = 0; update < n_updates; update++) {
        for (size_t i = 0; i < LAMBDA; i++) {
            cma_sample(x[i], cma, 1, &rng);
            values[i] = f(x[i], N);
        }
        for (size_t rank = 0; rank < LAMBDA; rank++) {
            size_t best = 0;
            for (size_t i = 1; i < LAMBDA; i++)
                best = values[i] < values[best] ? i : best;
            memcpy(sorted[rank], x[best], sizeof sorted[rank]);
            values[best] = INFINITY;
        }
        cma_update(cma, &sorted[0][0], is_foreign);
    }
    return f(cma->mean, N);
}

START_TEST(it_converges_on_quadratic_functions_of_any_shape)
{
    struct cma cma;
    ck_assert_int_eq(cma_init(&cma, N, LAMBDA, _i == 2), 0);
    ck_assert_double_lt(descend(&cma, _i == 1 ? turned : ellipsoid, 300), 1e-10);
    ck_assert(!cma_is_degenerate(&cma));
    cma_fini(&cma);
}
END_TEST

START_TEST(the_covariance_takes_the_shape_of_the_function)
{
    struct cma cma;
    ck_assert_int_eq(cma_init(&cma, N, LAMBDA, false), 0);
    (void)descend(&cma, ellipsoid, 200);
    double ratio = cma_deviation(&cma, 0) / cma_deviation(&cma, N - 1); /* sqrt(1000) */
    ck_assert(ratio > 10 && ratio < 100);
    cma_fini(&cma);
}
END_TEST

START_TEST(a_point_from_far_away_has_a_bounded_pull)
{
    struct cma near, far;
    double mean[N] = {0.5, 0.5, 0.5, 0.5, 0.5}, x[LAMBDA][N];
    bool is_foreign[LAMBDA];
    struct rng rng;
    rng_init(&rng, 5, 1);
    ck_assert_int_eq(cma_init(&near, N, LAMBDA, false), 0);
    ck_assert_int_eq(cma_init(&far, N, LAMBDA, false), 0);
    cma_start(&near, mean, 0.001);
    cma_start(&far, mean, 0.001);
    for (size_t i = 0; i < LAMBDA; i++) {
        is_foreign[i] = i == 0;
        cma_sample(x[i], &near, 1, &rng);
    }
    for (size_t j = 0; j < N; j++)
        x[0][j] = 1;
    cma_update(&near, &x[0][0], is_foreign);
    ck_assert_double_lt(fabs(near.mean[0] - 0.5), 0.003); /* 250 standard deviations else */
    is_foreign[0] = false;
    cma_update(&far, &x[0][0], is_foreign);
    ck_assert_double_gt(fabs(far.mean[0] - 0.5), 0.1);
    cma_fini(&near);
    cma_fini(&far);
}
END_TEST

static const struct {
    double x, low, high; /* of an integer from 1 to 4 */
} cell_cases[] = {{-3, -INFINITY, 0.25}, {0.1, -INFINITY, 0.25}, {0.3, 0.25, 0.5},
                  {0.74, 0.5, 0.75},     {0.8, 0.75, INFINITY},  {7, 0.75, INFINITY}};

START_TEST(cells_divide_the_line)
{
    struct space *space = space_create();
    struct cells cells;
    double low, high;
    (void)add_int(space, "k", 1, 4, SCALE_LINEAR);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    ck_assert_int_eq(cells_init(&cells, space), 0);
    cells_find(&low, &high, &cells, 0, cell_cases[_i].x);
    ck_assert(low == cell_cases[_i].low && high == cell_cases[_i].high);
    cells_fini(&cells);
    space_destroy(space);
}
END_TEST

START_TEST(cells_on_a_log_scale_end_where_values_change)
{
    struct space *space = test_space_named("small"); /* c: 1 to 8, logarithmic */
    struct cells cells;
    ck_assert_int_eq(cells_init(&cells, space), 0);
    ck_assert_uint_eq(cells.n, 2);
    for (int k = 2; k < 8; k++) {
        double low, high;
        cells_find(&low, &high, &cells, 1, param_to_unit(&space->params[2], k));
        ck_assert_double_eq(param_from_unit(&space->params[2], low + 1e-9), k);
        ck_assert_double_eq(param_from_unit(&space->params[2], low - 1e-9), k - 1);
        ck_assert_double_eq(param_from_unit(&space->params[2], high + 1e-9), k + 1);
    }
    cells_fini(&cells);
    space_destroy(space);
}
END_TEST

START_TEST(a_margin_keeps_the_chance_to_leave_a_cell)
{
    static const double means[] = {0.01, 0.26, 0.375, 0.49, 0.6, 0.99};
    struct space *space = space_create();
    struct cells cells;
    struct cma cma;
    struct rng rng;
    enum { DRAWS = 20000 };
    double alpha = 0.1, low, high, x;
    int n_outside = 0;
    (void)add_int(space, "k", 1, 4, SCALE_LINEAR);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    ck_assert_int_eq(cells_init(&cells, space), 0);
    ck_assert_int_eq(cma_init(&cma, 1, LAMBDA, false), 0);
    cma_start(&cma, &means[_i], 1e-6);
    cells_find(&low, &high, &cells, 0, means[_i]);
    cells_keep_margin(&cma, &cells, alpha);
    rng_init(&rng, 1, 1);
    for (int i = 0; i < DRAWS; i++) {
        cma_sample(&x, &cma, 1, &rng);
        n_outside += x < low || x > high;
    }
    /* An inner cell: alpha / 2 at either end. An outer one: the mean may only be so far from the edge that
     * the present deviation still crosses it. */
    ck_assert_double_eq_tol((double)n_outside / DRAWS, alpha, 0.01);
    cma_fini(&cma);
    cells_fini(&cells);
    space_destroy(space);
}
END_TEST

START_TEST(what_was_drawn_is_recalled_within_its_cell)
{
    struct space *space = test_space_named("small");
    struct cells cells;
    struct cma cma;
    struct rng rng;
    double mean[2] = {0.2, 0.9}, unit[3], x[2], drawn[2] = {7, 8};
    ck_assert_int_eq(cells_init(&cells, space), 0);
    ck_assert_int_eq(cma_init(&cma, 2, LAMBDA, false), 0);
    cma_start(&cma, mean, 0.01);
    rng_init(&rng, 1, 1);
    for (int a = 1; a <= 6; a++) {
        double low, high, point[] = {a, 0, 3};
        space_to_unit(unit, space, point);
        cells_recall(x, &cells, &cma, unit, (bool[]){false, true}, drawn, &rng);
        cells_find(&low, &high, &cells, 0, unit[0]);
        ck_assert(x[0] >= low && x[0] <= high); /* however improbable it is */
        ck_assert_double_eq(x[1], 8);
    }
    cma_fini(&cma);
    cells_fini(&cells);
    space_destroy(space);
}
END_TEST

/* The search */

static struct search *open_search(const char *name, const struct space *space, uint64_t seed)
{
    struct plugin plugin = {0};
    struct search *search = NULL;
    ck_assert_int_eq(plugin_set_name(&plugin, name, 1, 1), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, seed, 0, 1, NULL), 0);
    plugin_fini(&plugin);
    return search;
}

static void tell(struct search *search, enum observation_kind kind, uint64_t trial, const double *point,
                 int64_t step, double value)
{
    struct observation observation = {
        .kind = kind, .trial = trial, .point = point, .value = value, .step = step};
    ck_assert_int_eq(search_observe(search, &observation), 0);
}

/* The best of n trials of which `pending` are under way at a time, told in reverse within each lot. */
static double run(const char *name, const struct space *space, uint64_t seed, uint64_t n, uint64_t pending,
                  double (*f)(const double *))
{
    struct search *search = open_search(name, space, seed);
    double points[16][16], best = INFINITY;
    for (uint64_t trial = 1; trial <= n; trial += pending) {
        for (uint64_t i = 0; i < pending; i++)
            ck_assert_int_eq(search_suggest(points[i], search, trial + i, NULL), 0);
        for (uint64_t i = pending; i-- > 0;) {
            double value = f(points[i]);
            best = fmin(best, value);
            tell(search, OBSERVED_FINAL, trial + i, points[i], 0, value);
        }
    }
    search_destroy(search);
    return best;
}

static double bowl(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 10; i++)
        sum += (1 + i) * (x[i] - 0.4) * (x[i] - 0.4);
    return sum;
}

/* Integers and a category, 4000 points. */
static double whole(const double *x)
{
    return (x[0] - 23) * (x[0] - 23) + (x[2] - 7) * (x[2] - 7) + (x[1] != 2) * 30;
}

static double branches(const double *x)
{
    return x[0] == 1 ? fabs(log10(x[3]) + 1.5) + (x[4] - 1) / 10 : 2 - x[0] / 10;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_run(const char *name, const struct space *space, uint64_t n, uint64_t pending,
                         double (*f)(const double *))
{
    enum { SEEDS = 11 };
    double best[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        best[seed] = run(name, space, seed, n, pending, f);
    qsort(best, SEEDS, sizeof *best, compare_doubles);
    return best[SEEDS / 2];
}

static const struct {
    const char *space;
    double (*f)(const double *);
    uint64_t n, pending;
    double share; /* of random search's median */
} contests[] = {
    {"ten doubles", bowl, 200, 1, 0.1},
    {"ten doubles", bowl, 400, 1, 0.01},
    {"ten doubles", bowl, 208, 8, 0.15},
    {"conditional", branches, 120, 1, 0.6},
};

START_TEST(it_finds_better_points_than_random)
{
    struct space *space = test_space_named(contests[_i].space);
    uint64_t n = contests[_i].n, pending = contests[_i].pending;
    double (*f)(const double *) = contests[_i].f;
    ck_assert_double_lt(median_run("cmaes", space, n, pending, f),
                        contests[_i].share * median_run("random", space, n, pending, f));
    space_destroy(space);
}
END_TEST

START_TEST(it_finds_the_best_integers_and_category)
{
    struct space *space = space_create();
    (void)add_int(space, "a", 1, 50, SCALE_LINEAR);
    (void)add_categorical(space, "b", 4);
    (void)add_int(space, "c", 1, 20, SCALE_LOG);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    ck_assert_double_eq(median_run("cmaes", space, 200, 1, whole), 0);
    space_destroy(space);
}
END_TEST

/* After a run has converged the next ones look elsewhere, so a far second minimum is found as well. */
static double two_bowls(const double *x)
{
    double near = fabs(x[0] + 3), far = fabs(x[0] - 9) * 4;
    return fmin(near + 1, far);
}

START_TEST(restarts_find_another_minimum)
{
    struct space *space = test_space_named("one double");
    ck_assert_double_lt(median_run("cmaes", space, 1600, 1, two_bowls), 0.1);
    space_destroy(space);
}
END_TEST

START_TEST(values_on_the_way_do_not_count_while_a_trial_runs)
{
    /* Two searches are told the same ends; one of them also the values before them, which mislead. */
    struct space *space = test_space_named("ten doubles");
    struct search *plain = open_search("cmaes", space, 3), *told = open_search("cmaes", space, 3);
    for (uint64_t trial = 1; trial <= 60; trial++) {
        double a[10], b[10];
        ck_assert_int_eq(search_suggest(a, plain, trial, NULL), 0);
        ck_assert_int_eq(search_suggest(b, told, trial, NULL), 0);
        ck_assert(space_equal(space, a, b));
        for (int64_t step = 0; step < 9; step++)
            tell(told, OBSERVED_PARTIAL, trial, b, step, -bowl(b));
        tell(told, OBSERVED_FINAL, trial, b, 9, bowl(b));
        tell(plain, OBSERVED_FINAL, trial, a, 9, bowl(a));
    }
    search_destroy(plain);
    search_destroy(told);
    space_destroy(space);
}
END_TEST

START_TEST(it_learns_from_trials_that_stay_paused)
{
    struct space *space = test_space_named("ten doubles");
    struct search *search = open_search("cmaes", space, 3);
    double point[10], best = INFINITY, random = median_run("random", space, 200, 1, bowl);
    for (uint64_t trial = 1; trial <= 200; trial++) {
        ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
        best = fmin(best, bowl(point));
        tell(search, OBSERVED_PARTIAL, trial, point, 0, bowl(point));
    }
    ck_assert_double_lt(best, 0.3 * random);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("cmaes");
    TCase *all = tcase_create("cmaes");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, it_converges_on_quadratic_functions_of_any_shape, 0, 3);
    tcase_add_test(all, the_covariance_takes_the_shape_of_the_function);
    tcase_add_test(all, a_point_from_far_away_has_a_bounded_pull);
    tcase_add_loop_test(all, cells_divide_the_line, 0, COUNT(cell_cases));
    tcase_add_test(all, cells_on_a_log_scale_end_where_values_change);
    tcase_add_loop_test(all, a_margin_keeps_the_chance_to_leave_a_cell, 1, 5);
    tcase_add_test(all, what_was_drawn_is_recalled_within_its_cell);
    tcase_add_loop_test(all, it_finds_better_points_than_random, 0, COUNT(contests));
    tcase_add_test(all, it_finds_the_best_integers_and_category);
    tcase_add_test(all, restarts_find_another_minimum);
    tcase_add_test(all, values_on_the_way_do_not_count_while_a_trial_runs);
    tcase_add_test(all, it_learns_from_trials_that_stay_paused);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
