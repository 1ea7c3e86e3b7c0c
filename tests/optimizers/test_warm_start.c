/* What every search does with a warm start, looped over the registry and the spaces. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"
#include "spaces.h"

enum { N_KNOWN = 12, N_TRY = 3, N_TRIALS = 20 };

static struct search *open_search(const struct search_type *type, const struct space *space,
                                  enum metric_goal goal)
{
    struct search *search = NULL;
    struct err err = {0};
    struct plugin plugin = {0};
    ck_assert_int_eq(plugin_set_name(&plugin, type->name, 1, 1), 0);
    ck_assert_msg(search_create(&search, &plugin, space, goal, 7, 1000, 1, &err) == 0, "%s", err.text);
    plugin_fini(&plugin);
    return search;
}

/* Different points of the space: those that a random search finds. */
static void make_points(double *points, const struct space *space, size_t n)
{
    struct search *search = open_search(search_type_find("random"), space, GOAL_MINIMIZE);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(search_suggest(&points[i * space->n_params], search, i + 100, NULL), 0);
    search_destroy(search);
}

static void fill_warm(struct warm_start *warm, const struct space *space, const double *points)
{
    for (size_t i = 0; i < N_KNOWN + N_TRY; i++) {
        struct warm_point known = {.kind = i >= N_KNOWN ? WARM_TRY
                                           : i % 5 == 4 ? WARM_FAILED
                                                        : WARM_VALUE,
                                   .value = (double)i};
        ck_assert_int_eq(warm_start_add(warm, space, &points[i * space->n_params], known, NULL), 0);
    }
}

static bool has_room(const struct test_space *kind)
{
    return kind->cardinality > N_KNOWN + N_TRY + N_TRIALS;
}

/* Every pair of a search and a space. */
static void pair_of(const struct search_type **type, const struct test_space **kind, int i)
{
    *type = search_types[(size_t)i / n_test_spaces];
    *kind = &test_spaces[(size_t)i % n_test_spaces];
}

static bool is_among(const struct space *space, const double *point, const double *points, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (space_equal(space, point, &points[i * space->n_params]))
            return true;
    }
    return false;
}

START_TEST(points_to_try_come_first_and_nothing_known_comes_again)
{
    const struct search_type *type;
    const struct test_space *kind;
    pair_of(&type, &kind, _i);
    if (!has_room(kind))
        return;
    struct space *space = test_space_create(kind);
    double *points = calloc((N_KNOWN + N_TRY) * space->n_params + 1, sizeof *points),
           *asked = calloc(N_TRIALS * space->n_params + 1, sizeof *asked);
    make_points(points, space, N_KNOWN + N_TRY);
    struct warm_start warm = {0};
    fill_warm(&warm, space, points);
    struct search *search = open_search(type, space, GOAL_MINIMIZE);
    ck_assert_int_eq(search_warm_start(search, &warm), 0);
    warm_start_fini(&warm); /* it keeps what it needs */
    for (size_t i = 0; i < N_TRIALS; i++) {
        double *point = &asked[i * space->n_params];
        int code = search_suggest(point, search, i + 1, NULL);
        if (code == ERR_EXHAUSTED && type->exhaustive)
            break;
        ck_assert_int_eq(code, 0);
        ck_assert_int_eq(space_check(space, point, NULL), 0);
        if (i < N_TRY)
            ck_assert(space_equal(space, point, &points[(N_KNOWN + i) * space->n_params]));
        else
            ck_assert(!is_among(space, point, points, N_KNOWN + N_TRY));
        ck_assert(!is_among(space, point, asked, i));
        struct observation end = {.kind = OBSERVED_FINAL, .trial = i + 1, .point = point, .value = (double)i};
        ck_assert_int_eq(search_observe(search, &end), 0);
    }
    search_destroy(search);
    space_destroy(space);
    free(points);
    free(asked);
}
END_TEST

START_TEST(a_search_that_is_rebuilt_goes_on_alike)
{
    const struct search_type *type;
    const struct test_space *kind;
    pair_of(&type, &kind, _i);
    if (!has_room(kind))
        return;
    struct space *space = test_space_create(kind);
    double *points = calloc((N_KNOWN + N_TRIALS) * space->n_params + 1, sizeof *points);
    double *again = calloc(space->n_params + 1, sizeof *again);
    make_points(points, space, N_KNOWN + N_TRY);
    struct warm_start warm = {0};
    fill_warm(&warm, space, points);
    struct search *search = open_search(type, space, GOAL_MAXIMIZE),
                  *rebuilt = open_search(type, space, GOAL_MAXIMIZE);
    ck_assert_int_eq(search_warm_start(search, &warm), 0);
    ck_assert_int_eq(search_warm_start(rebuilt, &warm), 0);
    for (size_t i = 0; i < 10; i++) {
        double *point = &points[(N_KNOWN + i) * space->n_params];
        if (search_suggest(point, search, i + 1, NULL) < 0)
            break;
        struct observation pending = {.kind = OBSERVED_PENDING, .trial = i + 1, .point = point};
        struct observation end = {.kind = OBSERVED_FINAL, .trial = i + 1, .point = point, .value = (double)i};
        ck_assert_int_eq(search_observe(search, &end), 0);
        ck_assert_int_eq(search_observe(rebuilt, &pending), 0);
        ck_assert_int_eq(search_observe(rebuilt, &end), 0);
    }
    int code = search_suggest(points, search, 11, NULL);
    ck_assert_int_eq(search_suggest(again, rebuilt, 11, NULL), code);
    if (code == 0)
        ck_assert(space_equal(space, points, again));
    warm_start_fini(&warm);
    search_destroy(search);
    search_destroy(rebuilt);
    space_destroy(space);
    free(points);
    free(again);
}
END_TEST

START_TEST(points_to_try_that_are_known_or_there_twice_are_tried_once)
{
    struct space *space = space_create();
    size_t x = add_double(space, "x", 0, 1, SCALE_LINEAR);
    set_default(space, x, 0.75);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    struct warm_start warm = {0};
    double first = 0.25, known = 0.5, point;
    struct warm_point try = {.kind = WARM_TRY}, value = {.kind = WARM_VALUE, .value = 1};
    ck_assert_int_eq(warm_start_add(&warm, space, &known, try, NULL), 0);
    ck_assert_int_eq(warm_start_add(&warm, space, &first, try, NULL), 0);
    ck_assert_int_eq(warm_start_add(&warm, space, &first, try, NULL), 0);
    ck_assert_int_eq(warm_start_add(&warm, space, &known, value, NULL), 0);
    struct search *search = open_search(search_type_find("random"), space, GOAL_MINIMIZE);
    ck_assert_int_eq(search_warm_start(search, &warm), 0);
    ck_assert_int_eq(search_suggest(&point, search, 1, NULL), 0);
    ck_assert_double_eq(point, 0.25);
    ck_assert_int_eq(search_suggest(&point, search, 2, NULL), 0);
    ck_assert_double_eq(point, 0.75); /* the defaults are next */
    warm_start_fini(&warm);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(a_grid_leaves_out_what_is_known)
{
    struct space *space = space_create();
    add_int(space, "x", 1, 5, SCALE_LINEAR);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    struct warm_start warm = {0};
    double two = 2, four = 4, point;
    ck_assert_int_eq(
        warm_start_add(&warm, space, &two, (struct warm_point){.kind = WARM_VALUE, .value = 1}, NULL), 0);
    ck_assert_int_eq(warm_start_add(&warm, space, &four, (struct warm_point){.kind = WARM_TRY}, NULL), 0);
    struct search *search = open_search(search_type_find("grid"), space, GOAL_MINIMIZE);
    ck_assert_int_eq(search_warm_start(search, &warm), 0);
    const double expected[] = {4, 1, 3, 5};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(search_suggest(&point, search, i + 1, NULL), 0);
        ck_assert_double_eq(point, expected[i]);
    }
    ck_assert_int_eq(search_suggest(&point, search, 5, NULL), ERR_EXHAUSTED);
    warm_start_fini(&warm);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

/* The sum over trials of how far they are from the optimum at 0.2 in three dimensions. */
static double distance_of(const struct search_type *type, enum metric_goal goal, bool is_warm)
{
    struct space *space = space_create();
    double point[3], sum = 0, sign = goal == GOAL_MAXIMIZE ? -1 : 1;
    for (int i = 0; i < 3; i++)
        add_double(space, (const char *[]){"a", "b", "c"}[i], 0, 1, SCALE_LINEAR);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    struct warm_start warm = {0};
    struct search *search = open_search(type, space, goal);
    struct rng rng;
    rng_init(&rng, 5, 5);
    for (int k = 0; is_warm && k < 60; k++) {
        double value = 0;
        for (int i = 0; i < 3; i++) {
            point[i] = rng_uniform(&rng);
            value += (point[i] - 0.2) * (point[i] - 0.2);
        }
        struct warm_point known = {.kind = WARM_VALUE, .value = sign * value};
        ck_assert_int_eq(warm_start_add(&warm, space, point, known, NULL), 0);
    }
    ck_assert_int_eq(search_warm_start(search, &warm), 0);
    for (uint64_t trial = 1; trial <= 10; trial++) { /* told nothing: what it knows is the warm start */
        ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
        for (int i = 0; i < 3; i++)
            sum += (point[i] - 0.2) * (point[i] - 0.2);
    }
    warm_start_fini(&warm);
    search_destroy(search);
    space_destroy(space);
    return sum;
}

START_TEST(a_search_that_learns_learns_from_it_for_either_goal)
{
    const struct search_type *type = search_types[_i];
    if (strcmp(type->name, "tpe") != 0 && strcmp(type->name, "gp") != 0)
        return; /* others may learn from generations of their own, or need more than ten trials */
    double cold = distance_of(type, GOAL_MINIMIZE, false);
    ck_assert_double_lt(distance_of(type, GOAL_MINIMIZE, true), 0.5 * cold);
    ck_assert_double_lt(distance_of(type, GOAL_MAXIMIZE, true), 0.5 * cold);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("warm start");
    TCase *tests = tcase_create("warm start");
    int n_pairs = (int)(n_search_types * n_test_spaces);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, points_to_try_come_first_and_nothing_known_comes_again, 0, n_pairs);
    tcase_add_loop_test(tests, a_search_that_is_rebuilt_goes_on_alike, 0, n_pairs);
    tcase_add_test(tests, points_to_try_that_are_known_or_there_twice_are_tried_once);
    tcase_add_test(tests, a_grid_leaves_out_what_is_known);
    tcase_add_loop_test(tests, a_search_that_learns_learns_from_it_for_either_goal, 0, (int)n_search_types);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
