/* The lattice of all points, the set of keys, and the permutation. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/keyset.h"
#include "optimizers/lattice.h"
#include "spaces.h"

static struct lattice *create(const struct space *space)
{
    struct lattice *lattice = NULL;
    struct err err = {0};
    ck_assert_msg(lattice_create(&lattice, space, NULL, &err) == 0, "%s", err.text);
    return lattice;
}

START_TEST(size_is_that_of_the_space)
{
    struct space *space = test_space_create(&test_spaces[_i]);
    struct lattice *lattice = create(space);
    double n = test_spaces[_i].cardinality;
    if (isinf(n))
        ck_assert_uint_eq(lattice_size(lattice), LATTICE_MANY);
    else
        ck_assert_double_eq((double)lattice_size(lattice), n);
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(each_point_is_valid_and_comes_once)
{
    struct space *space = test_space_create(&test_spaces[_i]);
    struct lattice *lattice = create(space);
    double *point = calloc(space->n_params, sizeof *point);
    struct keyset seen = {0};
    uint64_t n = isinf(test_spaces[_i].cardinality) ? 0 : lattice_size(lattice);
    for (uint64_t k = 0; k < n; k++) {
        struct err err = {0};
        bool fresh;
        lattice_point(point, lattice, k);
        ck_assert_msg(space_check(space, point, &err) == 0, "%s", err.text);
        ck_assert_int_eq(keyset_add(&fresh, &seen, space_hash(space, point)), 0);
        ck_assert_msg(fresh, "point %ju came before", (uintmax_t)k);
    }
    keyset_fini(&seen);
    free(point);
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(samples_are_valid)
{
    struct space *space = test_space_create(&test_spaces[_i]);
    struct lattice *lattice = create(space);
    double *point = calloc(space->n_params, sizeof *point);
    struct rng rng;
    rng_init(&rng, 1, 2);
    for (int i = 0; i < 200; i++) {
        struct err err = {0};
        lattice_sample(point, lattice, &rng);
        ck_assert_msg(space_check(space, point, &err) == 0, "%s", err.text);
    }
    free(point);
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(samples_are_uniform_over_the_points)
{
    struct space *space = test_space_named("conditional finite");
    struct lattice *lattice = create(space);
    double points[16][5], point[5];
    int counts[16] = {0};
    for (uint64_t k = 0; k < 16; k++)
        lattice_point(points[k], lattice, k);
    struct rng rng;
    rng_init(&rng, 1, 2);
    for (int i = 0; i < 16000; i++) {
        lattice_sample(point, lattice, &rng);
        for (int k = 0; k < 16; k++)
            counts[k] += space_equal(space, point, points[k]);
    }
    double chi2 = 0;
    for (int k = 0; k < 16; k++)
        chi2 += (counts[k] - 1000.0) * (counts[k] - 1000.0) / 1000.0;
    ck_assert_double_lt(chi2, 37.7); /* 15 degrees of freedom, 0.1 % */
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(last_parameter_changes_fastest)
{
    struct space *space = test_space_named("small");
    struct lattice *lattice = create(space);
    for (uint64_t k = 0; k < 192; k++) {
        double point[3];
        lattice_point(point, lattice, k);
        ck_assert_double_eq(point[0], 1 + (double)(k / 32));
        ck_assert_double_eq(point[1], (double)(k / 8 % 4));
        ck_assert_double_eq(point[2], 1 + (double)(k % 8));
    }
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(a_conjunction_over_many_parents_is_counted)
{
    struct space *space = space_create();
    for (size_t i = 0; i < 30; i++)
        (void)add_categorical(space, (char[]){'p', (char)('0' + i / 10), (char)('0' + i % 10), 0}, 2);
    size_t child = add_categorical(space, "child", 5);
    for (size_t i = 0; i < 30; i++)
        set_when(space, child, i, (double[]){1}, 1);
    ck_assert_int_eq(space_finish(space, NULL), 0);
    struct lattice *lattice = create(space);
    ck_assert_uint_eq(lattice_size(lattice), (UINT64_C(1) << 30) - 1 + 5);
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(a_lattice_beyond_64_bits_still_gives_points)
{
    struct space *space = space_create();
    char name[32];
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "p%zu", i);
        (void)add_categorical(space, name, 5);
    }
    ck_assert_int_eq(space_finish(space, NULL), 0);
    struct lattice *lattice = create(space);
    ck_assert_uint_eq(lattice_size(lattice), LATTICE_MANY);
    double point[100];
    lattice_point(point, lattice, UINT64_C(123456789012345678));
    uint64_t k = UINT64_C(123456789012345678);
    for (size_t i = 100; i-- > 0; k /= 5)
        ck_assert_double_eq(point[i], (double)(k % 5));
    lattice_destroy(lattice);
    space_destroy(space);
}
END_TEST

START_TEST(a_permutation_reaches_every_number_once)
{
    static const uint64_t sizes[] = {1, 2, 3, 7, 64, 100, 1000};
    uint64_t n = sizes[_i];
    bool seen[1000] = {false};
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = lattice_permute(i, n, 42);
        ck_assert_uint_lt(k, n);
        ck_assert(!seen[k]);
        seen[k] = true;
    }
}
END_TEST

START_TEST(a_permutation_depends_on_the_seed)
{
    int same = 0;
    for (uint64_t i = 0; i < 1000; i++)
        same += lattice_permute(i, 1000, 1) == lattice_permute(i, 1000, 2);
    ck_assert_int_lt(same, 20);
}
END_TEST

START_TEST(a_keyset_holds_each_key_once)
{
    struct keyset set = {0};
    for (int round = 0; round < 2; round++) {
        for (uint64_t key = 0; key < 10000; key++) {
            bool added;
            ck_assert_int_eq(keyset_add(&added, &set, key * 977), 0);
            ck_assert_int_eq(added, round == 0);
        }
    }
    ck_assert_uint_eq(set.n, 10000);
    for (uint64_t key = 0; key < 977 * 100; key++)
        ck_assert_int_eq(keyset_has(&set, key), key % 977 == 0);
    keyset_fini(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lattice");
    TCase *lattice = tcase_create("lattice");
    tcase_add_loop_test(lattice, size_is_that_of_the_space, 0, (int)n_test_spaces);
    tcase_add_loop_test(lattice, each_point_is_valid_and_comes_once, 0, (int)n_test_spaces);
    tcase_add_loop_test(lattice, samples_are_valid, 0, (int)n_test_spaces);
    tcase_add_test(lattice, samples_are_uniform_over_the_points);
    tcase_add_test(lattice, last_parameter_changes_fastest);
    tcase_add_test(lattice, a_conjunction_over_many_parents_is_counted);
    tcase_add_test(lattice, a_lattice_beyond_64_bits_still_gives_points);
    tcase_add_loop_test(lattice, a_permutation_reaches_every_number_once, 0, 7);
    tcase_add_test(lattice, a_permutation_depends_on_the_seed);
    tcase_add_test(lattice, a_keyset_holds_each_key_once);
    suite_add_tcase(suite, lattice);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
