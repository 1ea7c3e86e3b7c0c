/* The nearest point, compared with looking at all of them. */
#include <math.h>

#include "driver/nearest.h"
#include "table.h"

enum { FEW = 400, MANY = 9000, MAX_PARAMS = 8 }; /* many: several groups of leaves */

static const char *const sweeps[] = {
    "parameters: {a: {min: 0.0, max: 1.0}, b: {min: 1.0e-4, max: 1.0, scale: log}}\n",
    "parameters: {a: {min: 1, max: 5}, b: {values: [x, y, z]}, c: {min: 0.0, max: 9.0}}\n",
    ("parameters: {b: {values: [x, y, z]}, c: {min: 0.0, max: 1.0, when: {b: [x, y]}},\n"
     "             d: {values: [u, v], when: {b: x}}, e: {min: 1, max: 9, when: {d: [u]}}}\n"),
    "parameters: {a: {values: [p, q]}}\n",
    "parameters: {a: {min: 0.0, max: 1.0}, b: {values: [x, y]}, c: {min: 0.0, max: 1.0, when: {b: x}}}\n",
};
enum {
    N_SWEEPS = sizeof sweeps / sizeof *sweeps,
    WHOLE = N_SWEEPS - 1
}; /* of the last one all rows have c */

static struct spec *spec;
static size_t n;
static double points[MANY * MAX_PARAMS];
static bool gone[MANY];

static void draw(double *point, struct rng *rng)
{
    double unit[MAX_PARAMS];
    for (size_t d = 0; d < spec->space->n_dims; d++)
        unit[d] = rng_uniform(rng);
    space_from_unit(point, spec->space, unit);
}

static double distance(const double *a, const double *b)
{
    double sum = 0;
    for (size_t p = 0; p < spec->space->n_params; p++) {
        const struct param *param = &spec->space->params[p];
        double gap = 0;
        if (isnan(a[p]) || isnan(b[p]))
            gap = isnan(a[p]) != isnan(b[p]);
        else if (param->type == PARAM_CATEGORICAL)
            gap = a[p] != b[p];
        else
            gap = param_to_unit(param, a[p]) - param_to_unit(param, b[p]);
        sum += gap * gap;
    }
    return sum;
}

static double least(const double *point)
{
    double best = INFINITY;
    for (size_t i = 0; i < n; i++)
        if (!gone[i])
            best = fmin(best, distance(points + i * spec->space->n_params, point));
    return best;
}

/* Each sweep with few points, and with many. */
static struct nearest_tree *make(int which, struct rng *rng)
{
    struct nearest_tree *tree = NULL;
    n = which < N_SWEEPS ? FEW : MANY;
    which %= N_SWEEPS;
    spec = table_spec(sweeps[which]);
    ck_assert_uint_le(spec->space->n_params, MAX_PARAMS);
    for (size_t i = 0; i < n; i++) {
        do
            draw(points + i * spec->space->n_params, rng);
        while (which == WHOLE && isnan(points[i * spec->space->n_params + 2]));
        gone[i] = false;
    }
    ck_assert_int_eq(nearest_create(&tree, spec->space, points, n), 0);
    return tree;
}

START_TEST(no_point_is_nearer_than_the_one_that_is_found)
{
    struct rng rng;
    rng_init(&rng, 1, (uint64_t)_i);
    struct nearest_tree *tree = make(_i, &rng);
    for (int k = 0; k < (n == FEW ? 500 : 50); k++) {
        double point[MAX_PARAMS];
        draw(point, &rng);
        size_t found = nearest_find(tree, point);
        ck_assert_uint_lt(found, n);
        ck_assert_double_eq_tol(distance(points + found * spec->space->n_params, point), least(point), 1e-12);
    }
    nearest_destroy(tree);
    spec_destroy(spec);
}
END_TEST

START_TEST(removed_points_are_not_found_until_they_are_restored)
{
    struct rng rng;
    rng_init(&rng, 2, (uint64_t)_i);
    struct nearest_tree *tree = make(_i, &rng);
    double point[MAX_PARAMS];
    for (int k = 0; k < (n == FEW ? FEW : 50); k++) {
        draw(point, &rng);
        size_t found = nearest_find(tree, point);
        ck_assert_uint_lt(found, n);
        ck_assert(!gone[found]);
        ck_assert_double_eq_tol(distance(points + found * spec->space->n_params, point), least(point), 1e-12);
        nearest_remove(tree, found);
        nearest_remove(tree, found); /* twice is once */
        gone[found] = true;
    }
    ck_assert_int_eq(nearest_find(tree, point) == (size_t)-1, n == FEW);
    nearest_restore(tree);
    ck_assert_uint_lt(nearest_find(tree, point), n);
    nearest_destroy(tree);
    spec_destroy(spec);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nearest");
    TCase *tcase = tcase_create("tree");
    tcase_add_loop_test(tcase, no_point_is_nearer_than_the_one_that_is_found, 0, 2 * N_SWEEPS);
    tcase_add_loop_test(tcase, removed_points_are_not_found_until_they_are_restored, 0, 2 * N_SWEEPS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
