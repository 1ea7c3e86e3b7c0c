/* Curves and points in columns: there and back, and what is no curve. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "driver/store_codec.h"
#include "tests/store/sample.h"

static struct codec_buffer buffer;
static struct curve curve, decoded;

static void tear_down(void)
{
    codec_buffer_fini(&buffer);
    curve_fini(&curve);
    curve_fini(&decoded);
    curve = decoded = (struct curve){0};
}

enum { MAX_STEPS = 5 };

static const struct shape {
    size_t n, size; /* points; bytes that they take */
    int64_t steps[MAX_STEPS];
} shapes[] = {
    {0, 16, {0}},
    {1, 24, {7}},
    {1, 24, {INT64_MIN}},
    {2, 32, {0, 1}},
    {5, 56, {0, 1, 2, 3, 4}},
    {5, 56, {-20, -10, 0, 10, 20}},
    {3, 16 + 48, {0, 1, 3}},
    {3, 16 + 48, {INT64_MIN, 0, INT64_MAX}},
    {3, 40, {INT64_MAX - 2, INT64_MAX - 1, INT64_MAX}},
    {2, 16 + 32, {INT64_MIN, INT64_MAX}},
};

START_TEST(curve_comes_back_to_the_bit)
{
    static const double values[MAX_STEPS] = {0.1, -1e300, 5e-324, -0.0, 3};
    const struct shape *shape = &shapes[_i];
    int64_t last = 0;
    for (size_t i = 0; i < shape->n; i++)
        ck_assert_int_eq(curve_add(&curve, shape->steps[i], values[i]), 0);
    ck_assert_int_eq(curve_encode(&buffer, &curve), 0);
    ck_assert_uint_eq(buffer.size, shape->size);
    ck_assert_int_eq(curve_decode(&decoded, buffer.data, buffer.size), 0);
    ck_assert_uint_eq(decoded.n, shape->n);
    if (shape->n) {
        ck_assert_mem_eq(decoded.steps, shape->steps, shape->n * sizeof *decoded.steps);
        ck_assert_mem_eq(decoded.values, values, shape->n * sizeof *values);
    }
    ck_assert_int_eq(curve_last_step(&last, buffer.data, buffer.size), shape->n > 0);
    if (shape->n)
        ck_assert_int_eq(last, shape->steps[shape->n - 1]);
}
END_TEST

START_TEST(bytes_that_are_no_curve_are_refused)
{
    /* first, stride, ... as words */
    static const struct {
        size_t size;
        int64_t words[6];
    } wrong[] = {
        {0, {0}},
        {8, {0}},
        {23, {0, 1, 0}},
        {24, {0, -1, 0}},
        {24, {0, 0, 0}},
        {48, {0, 0, 5, 5, 0, 0}},
        {32, {INT64_MAX, 1, 0, 0}},
        {40, {0, INT64_MAX, 0, 0, 0}},
    };
    ck_assert_int_eq(curve_decode(&decoded, wrong[_i].words, wrong[_i].size), ERR_INVALID);
}
END_TEST

START_TEST(point_of_another_space_is_refused)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"x\": \"much\"}",
        "{\"solver\": 3}",
        "{\"flag\": 1}",
        "{\"batch\": \"16\"}",
        "{\"unknown\": 1}",
    };
    struct sample sample;
    struct err err = {0};
    double point[N_PARAMS];
    sample_set_up(&sample);
    ck_assert_int_eq(point_read_json(point, sample.spec->space, wrong[_i], &err), ERR_INVALID);
    ck_assert_int_ne(err.text[0], '\0');
    ck_assert_int_eq(point_read_json(point, sample.spec->space, "{\"n\": 9, \"batch\": 64.5}", &err), 0);
    ck_assert_double_eq(point[1], 9);
    ck_assert_double_eq(point[2], 2);
    ck_assert(isnan(point[0]));
    sample_tear_down(&sample);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *all = tcase_create("codec");
    tcase_add_checked_fixture(all, NULL, tear_down);
    tcase_add_loop_test(all, curve_comes_back_to_the_bit, 0, sizeof shapes / sizeof *shapes);
    tcase_add_loop_test(all, bytes_that_are_no_curve_are_refused, 0, 8);
    tcase_add_loop_test(all, point_of_another_space_is_refused, 0, 7);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
