/* What no search may trip over, looped over the registry: histories that say nothing, say it too often or
 * contradict themselves, spaces with hardly a point, of any dimension, and very many trials. Each time: a
 * sane suggestion. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search_run.h"

/* A cube of n doubles. */
static struct space *cube(size_t n)
{
    struct space *space = space_create();
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x%zu", i);
        (void)add_double(space, name, 0, 1, SCALE_LINEAR);
    }
    ck_assert_msg(space_finish(space, &err) == 0, "%s", err.text);
    return space;
}

/* Every number of dimensions from 1 to 100, until a model has been used. */
START_TEST(it_works_in_every_dimension)
{
    enum { N_MOST = 16 };
    const struct search_type *type = search_types[_i];
    for (size_t n = 1; n <= 100; n += IS_SANITIZED ? 9 : 1) {
        struct run run;
        run_init_in(&run, type, cube(n), "cube", INFINITY, &objectives[0], N_MOST);
        run_trials(&run, N_MOST);
        ck_assert(run.n == N_MOST || type->exhaustive);
        run_fini(&run);
    }
}
END_TEST

/* The number of trials that a search which learns is told, of others' points, and how often it is asked in
 * between. One that models all results (gp, and auto, which begins with it) models some of that many:
 * docs/search.md. */
enum { MANY = IS_SANITIZED ? 1000 : 10000, ALL_ASKED = 100, ASKED_EVERY = IS_SANITIZED ? 100 : 250 };

START_TEST(ten_thousand_trials_are_no_trouble)
{
    static const char *const names[] = {"mixed", "thousands of categories"};
    const struct search_type *type = search_types[_i];
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct run run;
        run_init_in(&run, type, test_space_named(names[k]), names[k], INFINITY, &objectives[0], MANY);
        struct search *random = open_search(search_type_find("random"), run.space, 7);
        bool has_more = true;
        while (run.n < MANY && has_more) {
            bool is_asked = !type->learns || run.n < ALL_ASKED || run.n % ASKED_EVERY == 0;
            has_more = is_asked ? suggest(&run) : suggest_by(&run, random);
            if (has_more)
                finish(&run, run.search, run.n);
        }
        ck_assert(run.n == MANY || type->exhaustive);
        search_destroy(random);
        run_fini(&run);
    }
}
END_TEST

/* The same point over and over, from elsewhere, with these values: a kernel matrix of equal rows. */
static const double told[][3] = {{1, 1, 1},           {1, 2, 3},
                                 {0, 0, 0},           {1e300, -1e300, 1e300},
                                 {1e-300, 0, 1e-300}, {NAN, NAN, NAN},
                                 {INFINITY, 1, 2},    {5e-324, -5e-324, 0},
                                 {1, 1 + 1e-15, 1},   {-1e-300, -1e-300, -1e300}};

/* n observations of points that differ by `width` in their first coordinate, and n suggestions after them. */
static void tell_of_one_place(const struct search_type *type, const char *name, double width, size_t n)
{
    for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
        struct run run;
        run_init_in(&run, type, test_space_named(name), name, INFINITY, &objectives[0], n);
        double point[8];
        ck_assert_uint_le(run.space->n_params, 8);
        space_default_point(point, run.space);
        double first = point[0];
        for (size_t i = 0; i < n; i++) {
            point[0] = first + width * (double)i;
            tell(run.search, &(struct observation){.kind = i % 5 == 4 ? OBSERVED_FAILED : OBSERVED_FINAL,
                                                   .trial = (UINT64_C(1) << 20) + i,
                                                   .point = point,
                                                   .value = told[k][i % 3],
                                                   .step = (int64_t)(i % 2)});
        }
        if (!type->exhaustive) /* not again */
            ck_assert_int_eq(keyset_add(NULL, &run.seen, space_hash(run.space, point)), 0);
        run_trials(&run, n);
        run_fini(&run);
    }
}

START_TEST(one_point_told_again_and_again_is_no_trouble)
{
    tell_of_one_place(search_types[_i], "mixed", 0, 30);
    tell_of_one_place(search_types[_i], "conditional finite", 0, 15);
}
END_TEST

START_TEST(points_that_nearly_coincide_are_no_trouble)
{
    tell_of_one_place(search_types[_i], "one double", 1e-14, 30);
    tell_of_one_place(search_types[_i], "mixed", 1e-17, 30);
}
END_TEST

/* Spaces of one point, made of ranges without width. */
START_TEST(a_space_without_any_width_has_one_point)
{
    struct space *space = space_create();
    struct err err = {0};
    (void)add_double(space, "x", -0.3, -0.3, SCALE_LINEAR);
    (void)add_double(space, "y", 1e-300, 1e-300, SCALE_LOG);
    (void)add_int(space, "k", 7, 7, SCALE_LOG);
    (void)add_categorical(space, "c", 1);
    ck_assert_msg(space_finish(space, &err) == 0, "%s", err.text);
    struct run run;
    run_init_in(&run, search_types[_i], space, "no width", 1, &objectives[0], 3);
    run_trials(&run, 3);
    ck_assert_uint_eq(run.n, 1);
    run_fini(&run);
}
END_TEST

/* Half of the choices fail. Were failures merely unknown, a model would want to know them better than the
 * others, and a population would not care. */
static bool fails(const double *point)
{
    return point[0] >= 2;
}

START_TEST(failures_are_known_to_be_bad)
{
    enum { N = 80, LAST = 40, N_SEEDS = 3 };
    const struct search_type *type = search_types[_i];
    if (!type->learns)
        return;
    size_t n_failed = 0;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        struct space *space = space_create();
        (void)add_categorical(space, "c", 4);
        (void)add_double(space, "x", 0, 1, SCALE_LINEAR);
        (void)add_double(space, "y", 0, 1, SCALE_LINEAR);
        ck_assert_int_eq(space_finish(space, NULL), 0);
        struct search *search = open_search(type, space, seed);
        for (uint64_t trial = 1; trial <= N; trial++) {
            double point[3];
            ck_assert_int_eq(search_suggest(point, search, trial, NULL), 0);
            tell(search, &(struct observation){.kind = fails(point) ? OBSERVED_FAILED : OBSERVED_FINAL,
                                               .trial = trial,
                                               .point = point,
                                               .value = objectives[0].value(space, point, trial)});
            n_failed += trial > N - LAST && fails(point);
        }
        search_destroy(search);
        space_destroy(space);
    }
    ck_assert_msg(n_failed < N_SEEDS * LAST / 3, "%s: %zu of %d fail", type->name, n_failed, N_SEEDS * LAST);
}
END_TEST

/* A trial that is told twice, begins anew, ends without ever having been asked for, or whose partial values
 * are no numbers. */
START_TEST(histories_may_contradict_themselves)
{
    const struct search_type *type = search_types[_i];
    struct run run;
    run_init_in(&run, type, test_space_named("mixed"), "mixed", INFINITY, &objectives[0], 60);
    for (int i = 0; i < 40; i++) {
        ck_assert(suggest(&run));
        struct observation one = {.kind = OBSERVED_PARTIAL, .trial = run.n, .point = point_of(&run, run.n)};
        static const double values[] = {1, NAN, -INFINITY, 0.5, 1e300};
        static const int64_t steps[] = {5, 6, 6, 2, INT64_MAX};
        for (int k = 0; k < 5; k++) {
            one.value = values[k];
            one.step = steps[k];
            tell(run.search, &one);
        }
        one.kind = i % 3 ? OBSERVED_FINAL : OBSERVED_FAILED;
        one.step = i % 4;
        tell(run.search, &one);
        one.kind = i % 2 ? OBSERVED_FINAL : OBSERVED_PENDING;
        one.value = -7;
        tell(run.search, &one); /* once more, otherwise: it changes nothing, or is only some value */
    }
    run_trials(&run, 20);
    run_fini(&run);
}
END_TEST

static void fill(TCase *tcase, int type)
{
    tcase_add_loop_test(tcase, it_works_in_every_dimension, type, type + 1);
    tcase_add_loop_test(tcase, ten_thousand_trials_are_no_trouble, type, type + 1);
    tcase_add_loop_test(tcase, one_point_told_again_and_again_is_no_trouble, type, type + 1);
    tcase_add_loop_test(tcase, points_that_nearly_coincide_are_no_trouble, type, type + 1);
    tcase_add_loop_test(tcase, a_space_without_any_width_has_one_point, type, type + 1);
    tcase_add_loop_test(tcase, failures_are_known_to_be_bad, type, type + 1);
    tcase_add_loop_test(tcase, histories_may_contradict_themselves, type, type + 1);
}

int main(int argc, char **argv)
{
    return run_shard(argc, argv, "what searches are told", fill);
}
