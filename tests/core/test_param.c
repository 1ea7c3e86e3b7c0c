/* One parameter: its values, its coordinate, its texts, and what is refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/number.h"
#include "core/space.h"
#include "tests/core/suite.h"

static char name[] = "x", text_a[] = "sgd", text_b[] = "adam", text_c[] = "true", text_1[] = "16",
            text_2[] = "32", text_3[] = "0.5", text_4[] = "1", text_5[] = "10", text_6[] = "1000",
            text_7[] = "0";
static struct choice words[] = {
    {CHOICE_STRING, NAN, text_a}, {CHOICE_STRING, NAN, text_b}, {CHOICE_BOOL, 1, text_c}};
static struct choice rising[] = {
    {CHOICE_DOUBLE, 0.5, text_3}, {CHOICE_INT, 16, text_1}, {CHOICE_INT, 32, text_2}};
static struct choice uneven[] = {
    {CHOICE_INT, 1, text_4}, {CHOICE_INT, 10, text_5}, {CHOICE_INT, 1000, text_6}};
static struct choice from_zero[] = {{CHOICE_INT, 0, text_7}, {CHOICE_INT, 1, text_4}};

#define RANGE(type_, scale_, min_, max_, step_)                                                              \
    {                                                                                                        \
        .name = name, .type = type_, .scale = scale_, .min = min_, .max = max_, .step = step_,               \
        .initial = NAN                                                                                       \
    }
#define CHOICES(type_, list, n)                                                                              \
    {                                                                                                        \
        .name = name, .type = type_, .n_choices = n, .choices = list, .initial = NAN                         \
    }
#define LOG_CHOICES(list, n)                                                                                 \
    {                                                                                                        \
        .name = name, .type = PARAM_DISCRETE, .scale = SCALE_LOG, .n_choices = n, .choices = list,           \
        .initial = NAN                                                                                       \
    }

static const struct param params[] = {
    RANGE(PARAM_DOUBLE, SCALE_LINEAR, -3, 5, 0),
    RANGE(PARAM_DOUBLE, SCALE_LOG, 1e-5, 10, 0),
    RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0, 1, 0.1),
    RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0.1, 0.9, 0.2),
    RANGE(PARAM_DOUBLE, SCALE_LINEAR, -1e6, 1e6, 0.125),
    RANGE(PARAM_DOUBLE, SCALE_LOG, 0.5, 100, 0.5),
    RANGE(PARAM_DOUBLE, SCALE_LOG, 1, 91, 10), /* half a step below min is not positive */
    RANGE(PARAM_DOUBLE, SCALE_LINEAR, 2, 2, 0),
    RANGE(PARAM_DOUBLE, SCALE_LOG, 2, 2, 0),
    RANGE(PARAM_INT, SCALE_LINEAR, -4, 9, 0),
    RANGE(PARAM_INT, SCALE_LINEAR, 0, 100, 25),
    RANGE(PARAM_INT, SCALE_LOG, 1, 1024, 0),
    RANGE(PARAM_INT, SCALE_LOG, 8, 256, 8),
    RANGE(PARAM_INT, SCALE_LOG, 1, 1000000000, 0),
    RANGE(PARAM_INT, SCALE_LINEAR, 7, 7, 0),
    RANGE(PARAM_INT, SCALE_LOG, 7, 7, 0),
    RANGE(PARAM_INT, SCALE_LINEAR, 0, 0x1p40, 0),
    RANGE(PARAM_INT, SCALE_LINEAR, -0x1p52, 0x1p52 - 1, 0), /* as many values as there may be */
    CHOICES(PARAM_CATEGORICAL, words, 3),
    CHOICES(PARAM_CATEGORICAL, words, 1),
    CHOICES(PARAM_DISCRETE, rising, 3),
    CHOICES(PARAM_CONSTANT, words, 1),
    LOG_CHOICES(uneven, 3),
    LOG_CHOICES(uneven, 1),
};
enum { N_PARAMS = sizeof params / sizeof *params };

/* A few of the indices of many values: both ends and some between. */
static uint64_t some_index(const struct param *param, int i)
{
    double last = param_cardinality(param) - 1;
    return last < 200 ? (uint64_t)fmin(i, last) : (uint64_t)floor(last * i / 199);
}

START_TEST(a_value_is_the_inverse_of_its_index)
{
    const struct param *param = &params[_i];
    for (int i = 0; i < 200 && isfinite(param_cardinality(param)); i++) {
        uint64_t k = some_index(param, i);
        double value = param_value(param, k);
        ck_assert_uint_eq(param_index(param, value), k);
        ck_assert(param_has(param, value));
        ck_assert(k == 0 || value > param_value(param, k - 1));
    }
}
END_TEST

START_TEST(a_finite_value_survives_the_unit_cube)
{
    const struct param *param = &params[_i];
    for (int i = 0; i < 200 && param_cardinality(param) < 0x1p50; i++) {
        double value = param_value(param, some_index(param, i)), unit = param_to_unit(param, value);
        ck_assert(unit > 0 && unit < 1);
        ck_assert_double_eq(param_from_unit(param, unit), value);
    }
}
END_TEST

START_TEST(a_continuous_value_survives_the_unit_cube_but_for_rounding)
{
    const struct param *param = &params[_i];
    for (int i = 0; i <= 1000 && isinf(param_cardinality(param)); i++) {
        double unit = i / 1000.0, value = param_from_unit(param, unit);
        ck_assert(param_has(param, value));
        ck_assert_double_eq_tol(param_to_unit(param, value), unit, 1e-12);
    }
}
END_TEST

START_TEST(every_unit_gives_a_value_and_the_ends_give_the_ends)
{
    const struct param *param = &params[_i];
    static const double units[] = {-1, 0, 0x1p-1074, 0.25, 0.5, 0.999999, 1, 2, INFINITY, NAN};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        ck_assert(param_has(param, param_from_unit(param, units[i])));
    bool is_range = param->type == PARAM_DOUBLE || param->type == PARAM_INT;
    ck_assert_double_eq(param_from_unit(param, 0), is_range ? param->min : 0);
    ck_assert_double_eq(param_from_unit(param, 1), is_range ? param->max : (double)param->n_choices - 1);
}
END_TEST

START_TEST(a_value_is_read_back_from_its_text)
{
    const struct param *param = &params[_i];
    for (int i = 0; i < 50; i++) {
        struct text text = {0};
        struct err err = {0};
        double value = param_from_unit(param, i / 49.0), read;
        param_write_text(&text, param, value);
        ck_assert_msg(param_read_text(&read, param, text_get(&text), &err) == 0, "%s", err.text);
        ck_assert_double_eq(read, value);
        text_fini(&text);
    }
}
END_TEST

START_TEST(these_parameters_have_no_fault)
{
    struct space *space = space_create();
    struct param copy = params[_i];
    struct err err = {0};
    copy.name = strdup(copy.name);
    struct choice *choices = copy.choices;
    copy.choices = calloc(copy.n_choices + 1, sizeof *copy.choices);
    for (size_t i = 0; i < copy.n_choices; i++)
        copy.choices[i] = (struct choice){choices[i].type, choices[i].number, strdup(choices[i].text)};
    ck_assert_msg(space_add(space, &copy, &err) == 0, "%s", err.text);
    space_destroy(space);
}
END_TEST

/* 1, 10 and 1000: cells of one, one and a half and two decades. */
START_TEST(discrete_values_on_a_log_scale_have_cells_of_their_distance)
{
    const struct param param = LOG_CHOICES(uneven, 3);
    ck_assert_double_eq_tol(param_to_unit(&param, 0), 0.5 / 4.5, 1e-12);
    ck_assert_double_eq_tol(param_to_unit(&param, 1), 1.75 / 4.5, 1e-12);
    ck_assert_double_eq_tol(param_to_unit(&param, 2), 3.5 / 4.5, 1e-12);
    ck_assert_double_eq(param_from_unit(&param, 0.99 / 4.5), 0);
    ck_assert_double_eq(param_from_unit(&param, 1.01 / 4.5), 1);
    ck_assert_double_eq(param_from_unit(&param, 2.49 / 4.5), 1);
    ck_assert_double_eq(param_from_unit(&param, 2.51 / 4.5), 2);
}
END_TEST

START_TEST(decimal_steps_give_decimal_values)
{
    struct text text = {0};
    for (uint64_t k = 0; k < 11; k++) {
        param_write_text(&text, &params[2], param_value(&params[2], k));
        text_append(&text, " ");
    }
    ck_assert_str_eq(text_get(&text), "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1 ");
    text_fini(&text);
}
END_TEST

START_TEST(a_log_scale_shares_the_cube_by_the_logarithm)
{
    const struct param *powers = &params[11]; /* 1 to 1024 */
    int n_small = 0;
    for (int i = 0; i < 10000; i++)
        n_small += param_from_unit(powers, (i + 0.5) / 10000) <= 32;
    /* cells of 1 to 32 reach from 1/2 to 32 1/2, all cells from 1/2 to 1024 1/2 */
    ck_assert_int_eq(n_small, (int)nearbyint(10000 * log(65) / log(2049)));
}
END_TEST

START_TEST(cells_of_a_linear_scale_are_equal)
{
    const struct param *param = &params[9]; /* -4 to 9 */
    int counts[14] = {0};
    for (int i = 0; i < 14000; i++)
        counts[(int)param_from_unit(param, (i + 0.5) / 14000) + 4]++;
    for (int k = 0; k < 14; k++)
        ck_assert_int_eq(counts[k], 1000);
}
END_TEST

START_TEST(cardinality_counts_values)
{
    ck_assert(isinf(param_cardinality(&params[0])));
    ck_assert_double_eq(param_cardinality(&params[2]), 11);
    ck_assert_double_eq(param_cardinality(&params[7]), 1);
    ck_assert_double_eq(param_cardinality(&params[9]), 14);
    ck_assert_double_eq(param_cardinality(&params[10]), 5);
    ck_assert_double_eq(param_cardinality(&params[12]), 32);
    ck_assert_double_eq(param_cardinality(&params[18]), 3);
    ck_assert_double_eq(param_cardinality(&params[21]), 1);
}
END_TEST

START_TEST(json_keeps_the_type)
{
    struct text text = {0};
    const struct {
        int param;
        double value;
    } cases[] = {{0, 1}, {0, 0.25}, {1, 1e-5}, {9, 3}, {18, 0}, {18, 2}, {20, 0}, {20, 1}, {0, NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        param_write_json(&text, &params[cases[i].param], cases[i].value);
        text_append(&text, " ");
    }
    ck_assert_str_eq(text_get(&text), "1.0 0.25 1e-05 3 \"sgd\" true 0.5 16 null ");
    text_fini(&text);
}
END_TEST

static const struct {
    int param;
    const char *text, *fault;
    double value;
} readings[] = {
    {0, "1e0", NULL, 1},
    {0, "6", "6 is outside -3 to 5 for 'x'", 0},
    {0, "nan", "'nan' is no number for 'x'", 0},
    {0, "", "'' is no number for 'x'", 0},
    {2, "0.30000000000000004", NULL, 0.3},
    {2, "0.35", "0.35 is not on the steps of 0.1 of 'x'", 0},
    {9, "3", NULL, 3},
    {9, "3.0", NULL, 3},
    {9, "3.5", "3.5 is no whole number for 'x'", 0},
    {10, "30", "30 is not on the steps of 25 of 'x'", 0},
    {14, "7", NULL, 7},
    {18, "adam", NULL, 1},
    {18, "adma", "'adma' is no value of 'x'; did you mean 'adam'?", 0},
    {20, "16.0", NULL, 1},
    {20, "0x20", NULL, 2},
    {20, "17", "'17' is no value of 'x'", 0},
    {21, "sgd", NULL, 0},
};

START_TEST(what_a_user_writes_is_read_or_refused)
{
    double value = 77;
    struct err err = {0};
    int code = param_read_text(&value, &params[readings[_i].param], readings[_i].text, &err);
    ck_assert_int_eq(code, readings[_i].fault ? ERR_INVALID : 0);
    ck_assert_str_eq(err.text, readings[_i].fault ? readings[_i].fault : "");
    ck_assert_double_eq(value, readings[_i].fault ? 77 : readings[_i].value);
}
END_TEST

static struct choice twice[] = {{CHOICE_STRING, NAN, text_a}, {CHOICE_STRING, NAN, text_a}};
static struct choice falling[] = {{CHOICE_INT, 32, text_2}, {CHOICE_INT, 16, text_1}};
static char bad_name[] = "2x", empty_name[] = "", blank_name[] = "a b";

static const struct {
    struct param param;
    enum param_field field;
    const char *fault;
} refused[] = {
    {RANGE(PARAM_INT, SCALE_LINEAR, 10, 1, 0), FIELD_MAX, "max (1) is below min (10) for 'x'"},
    {RANGE(PARAM_INT, SCALE_LINEAR, 0.5, 3, 0), FIELD_MIN, "min (0.5) of 'x' is not a whole number"},
    {RANGE(PARAM_INT, SCALE_LINEAR, 0, 0x1p60, 0), FIELD_MAX,
     "max (1.152921504606847e+18) of 'x' is beyond 2^53"},
    {RANGE(PARAM_INT, SCALE_LINEAR, 0, 10, 0.5), FIELD_STEP, "step (0.5) of 'x' is not a whole number"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, NAN, 1, 0), FIELD_MIN, "min of 'x' is not a finite number"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, -1.7e308, 1.7e308, 0), FIELD_MAX,
     "the range -1.7e+308 to 1.7e+308 of 'x' is too wide"},
    {RANGE(PARAM_INT, SCALE_LINEAR, -0x1p52, 0x1p52, 0), FIELD_MAX,
     "the range -4503599627370496 to 4503599627370496 of 'x' is too wide"},
    {RANGE(PARAM_DOUBLE, SCALE_LOG, 0, 1, 0), FIELD_MIN, "min (0) of 'x' must be above 0 on a log scale"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0, 1, 0.3), FIELD_STEP,
     "step (0.3) does not divide the range 0 to 1 of 'x'"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0, 1, 2), FIELD_STEP,
     "step (2) does not divide the range 0 to 1 of 'x'"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0, 1, -0.5), FIELD_STEP, "step (-0.5) of 'x' is negative"},
    {RANGE(PARAM_DOUBLE, SCALE_LINEAR, 0, 1, 1e-300), FIELD_STEP,
     "step (1e-300) of 'x' is too small for its range"},
    {CHOICES(PARAM_CATEGORICAL, NULL, 0), FIELD_VALUES, "'x' has no values"},
    {CHOICES(PARAM_CATEGORICAL, twice, 2), FIELD_VALUES, "value 'sgd' of 'x' is there twice"},
    {CHOICES(PARAM_CONSTANT, words, 2), FIELD_VALUES, "constant 'x' has more than one value"},
    {CHOICES(PARAM_DISCRETE, falling, 2), FIELD_VALUES, "values of discrete 'x' must ascend"},
    {LOG_CHOICES(from_zero, 2), FIELD_VALUES, "value 0 of 'x' must be above 0 on a log scale"},
    {CHOICES(PARAM_DISCRETE, words, 1), FIELD_VALUES, "value 'sgd' of discrete 'x' is not a number"},
    {{.name = bad_name, .type = PARAM_INT, .max = 1, .initial = NAN}, FIELD_NAME, NULL},
    {{.name = blank_name, .type = PARAM_INT, .max = 1, .initial = NAN}, FIELD_NAME, NULL},
    {{.name = empty_name, .type = PARAM_INT, .max = 1, .initial = NAN},
     FIELD_NAME,
     "a parameter needs a name"},
    {{.type = PARAM_INT, .max = 1, .initial = NAN}, FIELD_NAME, "a parameter needs a name"},
    {{.name = name, .type = PARAM_INT, .max = 1, .initial = 2},
     FIELD_DEFAULT,
     "default of 'x' is none of its values"},
};

struct kept {
    int n;
    enum param_field field;
    char text[300];
};

static void keep(void *arg, enum param_field field, size_t choice, const char *text)
{
    struct kept *kept = arg;
    (void)choice; /* tested by the places of the sweep file */
    kept->n++;
    kept->field = field;
    (void)snprintf(kept->text, sizeof kept->text, "%s", text);
}

START_TEST(a_faulty_parameter_is_refused_with_the_field_to_blame)
{
    struct kept kept = {0};
    param_check(&refused[_i].param, keep, &kept);
    ck_assert_int_eq(kept.n, 1);
    ck_assert_int_eq((int)kept.field, (int)refused[_i].field);
    if (refused[_i].fault)
        ck_assert_str_eq(kept.text, refused[_i].fault);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("param");
    tcase_add_loop_test(tests, a_value_is_the_inverse_of_its_index, 0, N_PARAMS);
    tcase_add_loop_test(tests, a_finite_value_survives_the_unit_cube, 0, N_PARAMS);
    tcase_add_loop_test(tests, a_continuous_value_survives_the_unit_cube_but_for_rounding, 0, N_PARAMS);
    tcase_add_loop_test(tests, every_unit_gives_a_value_and_the_ends_give_the_ends, 0, N_PARAMS);
    tcase_add_loop_test(tests, a_value_is_read_back_from_its_text, 0, N_PARAMS);
    tcase_add_loop_test(tests, these_parameters_have_no_fault, 0, N_PARAMS);
    tcase_add_test(tests, discrete_values_on_a_log_scale_have_cells_of_their_distance);
    tcase_add_test(tests, decimal_steps_give_decimal_values);
    tcase_add_test(tests, a_log_scale_shares_the_cube_by_the_logarithm);
    tcase_add_test(tests, cells_of_a_linear_scale_are_equal);
    tcase_add_test(tests, cardinality_counts_values);
    tcase_add_test(tests, json_keeps_the_type);
    tcase_add_loop_test(tests, what_a_user_writes_is_read_or_refused, 0, sizeof readings / sizeof *readings);
    tcase_add_loop_test(tests, a_faulty_parameter_is_refused_with_the_field_to_blame, 0,
                        sizeof refused / sizeof *refused);
    return run_case(tests);
}
