/* Whole spaces: conditions, points, counting. Spaces are written as sweep files write them. */
#include <math.h>
#include <string.h>

#include "tests/core/parse.h"
#include "tests/core/suite.h"

static const char nested_yaml[] =
    "parameters:\n"
    "  momentum: {min: 0.0, max: 0.9, step: 0.1, when: {solver: sgd}}\n"
    "  solver: {values: [sgd, adam, lbfgs]}\n"
    "  nesterov: {values: [true, false], when: {momentum: [0.5, 0.9], solver: [sgd]}}\n"
    "  beta: {values: [1, 2], default: 2, when: {solver: [adam]}}\n"
    "  seed: {value: 1, when: {beta: 2}}\n"
    "  lr: {min: 0.0, max: 1.0}\n";
enum { MOMENTUM, SOLVER, NESTEROV, BETA, SEED, LR, N };

static struct spec *spec;
static struct space *space;

static void set_up(void)
{
    spec = parse_spec(nested_yaml);
    space = spec->space;
}

static void tear_down(void)
{
    spec_destroy(spec);
}

START_TEST(only_free_parameters_have_a_coordinate)
{
    ck_assert_uint_eq(space->n_params, N);
    ck_assert_uint_eq(space->n_dims, N - 1);
    ck_assert_uint_eq(space->dim_param[4], LR);
}
END_TEST

START_TEST(every_parameter_comes_after_those_that_it_depends_on)
{
    size_t place[N];
    for (size_t i = 0; i < N; i++)
        place[space->order[i]] = i;
    ck_assert_uint_lt(place[SOLVER], place[MOMENTUM]);
    ck_assert_uint_lt(place[MOMENTUM], place[NESTEROV]);
    ck_assert_uint_lt(place[BETA], place[SEED]);
}
END_TEST

START_TEST(conditions_hold_through_every_level)
{
    double point[N];
    const double sgd[] = {0.99, 0.1, 0.1, 0.9, 0.3}, adam[] = {0.99, 0.5, 0.1, 0.9, 0.3};
    space_from_unit(point, space, sgd);
    ck_assert_double_eq(point[MOMENTUM], 0.9);
    ck_assert_double_eq(point[NESTEROV], 0);
    ck_assert(isnan(point[BETA]) && isnan(point[SEED]));
    space_from_unit(point, space, adam);
    ck_assert(isnan(point[MOMENTUM]) && isnan(point[NESTEROV]));
    ck_assert_double_eq(point[BETA], 1);
    ck_assert_double_eq(point[SEED], 0);
    ck_assert_double_eq(point[LR], 0.3);
}
END_TEST

START_TEST(an_inactive_parameter_stands_in_the_middle)
{
    const double unit[] = {0.99, 0.5, 0.1, 0.9, 0.3};
    double point[N], back[N - 1];
    space_from_unit(point, space, unit);
    space_to_unit(back, space, point);
    ck_assert_double_eq(back[0], 0.5);
    ck_assert_double_eq(back[2], 0.5);
    ck_assert_double_eq_tol(back[4], 0.3, 1e-15);
}
END_TEST

START_TEST(a_space_of_points_survives_the_cube)
{
    struct rng rng;
    rng_init(&rng, 1, 2);
    for (int k = 0; k < 500; k++) {
        double unit[N - 1], point[N], again[N];
        struct err err = {0};
        for (int i = 0; i < N - 1; i++)
            unit[i] = rng_uniform(&rng);
        space_from_unit(point, space, unit);
        ck_assert_msg(space_check(space, point, &err) == 0, "%s", err.text);
        space_to_unit(unit, space, point);
        space_from_unit(again, space, unit);
        again[LR] = point[LR]; /* continuous: equal but for rounding */
        ck_assert(space_equal(space, point, again));
        ck_assert_uint_eq(space_hash(space, point), space_hash(space, again));
    }
}
END_TEST

START_TEST(settling_clears_and_fills)
{
    const double fill[] = {0, 0, 0.99, 0, 0};
    double point[N] = {0.5, 1, 0, NAN, NAN, 0.25}; /* adam, with sgd's parameters */
    space_settle(point, space, NULL);
    ck_assert(isnan(point[MOMENTUM]) && isnan(point[NESTEROV]) && isnan(point[BETA]));
    space_settle(point, space, fill);
    ck_assert_double_eq(point[BETA], 0);
    ck_assert(isnan(point[SEED])); /* beta is 1 */
    point[SOLVER] = 0;
    point[MOMENTUM] = 0.9;
    space_settle(point, space, fill);
    ck_assert_double_eq(point[NESTEROV], 1);
    ck_assert(isnan(point[BETA]));
    ck_assert_double_eq(point[LR], 0.25);
}
END_TEST

START_TEST(the_default_point_has_the_defaults_and_the_middles)
{
    double point[N];
    ck_assert(space_has_defaults(space));
    space_default_point(point, space);
    ck_assert_double_eq(point[SOLVER], 1);
    ck_assert_double_eq(point[BETA], 1); /* the second */
    ck_assert_double_eq(point[SEED], 0);
    ck_assert_double_eq(point[LR], 0.5);
    ck_assert_int_eq(space_check(space, point, NULL), 0);
}
END_TEST

static const struct {
    double point[N];
    const char *fault;
} bad_points[] = {
    {{0.5, 0, 0, NAN, NAN, 2}, "2 is no value of 'lr'"},
    {{0.55, 0, 0, NAN, NAN, 0.5}, "0.55000000000000004 is no value of 'momentum'"},
    {{0.5, 3, 0, NAN, NAN, 0.5}, "3 is no value of 'solver'"},
    {{0.5, 0.5, 0, NAN, NAN, 0.5}, "0.5 is no value of 'solver'"},
    {{0.5, 0, 0, NAN, NAN, NAN}, "'lr' has no value"},
    {{0.5, 0, NAN, NAN, NAN, 0.5}, "'nesterov' has no value"},
    {{0.5, 0, 0, 1, NAN, 0.5}, "'beta' has a value, but its conditions do not hold"},
    {{0.5, 0, 0, NAN, NAN, INFINITY}, "inf is no value of 'lr'"},
    {{0.5, -1, 0, NAN, NAN, 0.5}, "-1 is no value of 'solver'"},
};

START_TEST(what_is_no_point_is_refused_by_name)
{
    struct err err = {0};
    ck_assert_int_eq(space_check(space, bad_points[_i].point, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, bad_points[_i].fault);
}
END_TEST

START_TEST(equal_points_have_equal_hashes)
{
    double a[N] = {NAN, 1, NAN, 0, NAN, 0.0}, b[N] = {-NAN, 1, NAN, 0, NAN, -0.0},
           c[N] = {NAN, 1, NAN, 0, NAN, 0.1};
    ck_assert(space_equal(space, a, b));
    ck_assert_uint_eq(space_hash(space, a), space_hash(space, b));
    ck_assert(!space_equal(space, a, c));
    ck_assert_uint_ne(space_hash(space, a), space_hash(space, c));
    b[SEED] = 0;
    ck_assert(!space_equal(space, a, b));
}
END_TEST

START_TEST(json_has_the_active_parameters_in_order)
{
    struct text text = {0};
    const double point[N] = {NAN, 1, NAN, 1, 0, 0.5};
    space_write_json(&text, space, point);
    ck_assert_str_eq(text_get(&text), "{\"solver\":\"adam\",\"beta\":2,\"seed\":1,\"lr\":0.5}");
    text_clear(&text);
    const double none[N] = {NAN, NAN, NAN, NAN, NAN, NAN};
    space_write_json(&text, space, none);
    ck_assert_str_eq(text_get(&text), "{}");
    text_fini(&text);
}
END_TEST

static const struct {
    const char *parameters;
    double n;
} counted[] = {
    {"{a: {values: [1, 2, 3]}, b: {min: 1, max: 5}}", 15},
    {"{a: {min: 0.0, max: 1.0}, b: {min: 1, max: 5}}", INFINITY},
    {"{a: {values: [x, y, z]}, b: {min: 1, max: 5, when: {a: x}}}", 5 + 2},
    {"{a: {values: [x, y, z]}, b: {min: 1, max: 5, when: {a: [x, y]}}, c: {min: 1, max: 2, when: {a: [y]}}}",
     5 + 10 + 1},
    {"{a: {values: [x, y]}, b: {values: [1, 2, 3], when: {a: x}}, c: {min: 0, max: 9, when: {b: [2, 3]}}}",
     1 + 10 + 10 + 1},
    {"{a: {min: 1, max: 1000000}, b: {min: 1, max: 10, when: {a: [7, 8]}}}", 999998 + 20},
    {"{a: {values: [0, 1]}, b: {values: [0, 1]}, c: {min: 1, max: 10, when: {a: 1, b: 1}}}", 3 + 10},
    {"{a: {values: [0, 1]}, b: {values: [0, 1]}, c: {min: 1, max: 10, when: {a: 1}}, d: {min: 1, max: 3, when: "
     "{c: 5, b: 1}}}",
     /* a=0: 2; a=1, b=0: 10; a=1, b=1: 9 + 3 */ 2 + 10 + 12},
    {"{a: {values: [x, y]}, b: {min: 0.0, max: 1.0, when: {a: x}}}", INFINITY},
    {"{a: {value: 1}, b: {values: [1, 2], when: {a: 1}}}", 2},
    {"{a: {values: [x, y]}, z: {value: 1, when: {a: x}}}", 2},
};

START_TEST(points_are_counted_with_their_conditions)
{
    struct text yaml = {0};
    text_printf(&yaml, "parameters: %s\n", counted[_i].parameters);
    struct spec *counted_spec = parse_spec(text_get(&yaml));
    ck_assert_double_eq(space_cardinality(counted_spec->space), counted[_i].n);
    spec_destroy(counted_spec);
    text_fini(&yaml);
}
END_TEST

/* Every point of the nested space but for lr, by trying all. */
START_TEST(the_count_is_that_of_an_enumeration)
{
    struct text yaml = {0};
    text_append_bytes(&yaml, nested_yaml, (size_t)(strstr(nested_yaml, "  lr:") - nested_yaml));
    struct spec *finite = parse_spec(text_get(&yaml));
    static double seen[4000][N];
    size_t n_seen = 0;
    for (int i = 0; i < 10 * 3 * 2 * 2; i++) {
        const double unit[] = {(i % 10 + 0.5) / 10, (i / 10 % 3 + 0.5) / 3, (i / 30 % 2 + 0.5) / 2,
                               (i / 60 + 0.5) / 2};
        double *point = seen[n_seen];
        space_from_unit(point, finite->space, unit);
        bool is_new = true;
        for (size_t j = 0; j < n_seen; j++)
            is_new = is_new && !space_equal(finite->space, point, seen[j]);
        n_seen += is_new;
    }
    ck_assert_double_eq(space_cardinality(finite->space), (double)n_seen);
    spec_destroy(finite);
    text_fini(&yaml);
}
END_TEST

START_TEST(a_long_chain_of_conditions_is_counted)
{
    struct text yaml = {0};
    text_append(&yaml, "parameters:\n  p0: {values: [0, 1]}\n");
    for (int i = 1; i < 300; i++)
        text_printf(&yaml, "  p%d: {values: [0, 1], when: {p%d: 1}}\n", i, i - 1);
    struct spec *chain = parse_spec(text_get(&yaml));
    ck_assert_double_eq(space_cardinality(chain->space), 301);
    spec_destroy(chain);
    text_fini(&yaml);
}
END_TEST

START_TEST(independent_conditions_multiply)
{
    struct text yaml = {0};
    text_append(&yaml, "parameters:\n");
    for (int i = 0; i < 30; i++)
        text_printf(&yaml, "  a%d: {values: [0, 1]}\n  b%d: {values: [0, 1], when: {a%d: 1}}\n", i, i, i);
    struct spec *many = parse_spec(text_get(&yaml));
    ck_assert_double_eq(space_cardinality(many->space), pow(3, 30));
    spec_destroy(many);
    text_fini(&yaml);
}
END_TEST

START_TEST(entangled_conditions_are_bounded_from_above)
{
    struct text yaml = {0};
    text_append(&yaml, "parameters:\n");
    for (int i = 0; i < 40; i++)
        text_printf(&yaml, "  a%d: {values: [0, 1]}\n", i);
    text_append(&yaml, "  z: {values: [0, 1], when: {");
    for (int i = 0; i < 40; i++)
        text_printf(&yaml, "%sa%d: 1", i ? ", " : "", i);
    text_append(&yaml, "}}\n");
    struct spec *entangled = parse_spec(text_get(&yaml));
    double n = space_cardinality(entangled->space);
    ck_assert(n >= pow(2, 40) && n <= 3 * pow(2, 40));
    spec_destroy(entangled);
    text_fini(&yaml);
}
END_TEST

static struct param int_param(const char *name)
{
    return (struct param){.name = strdup(name), .type = PARAM_INT, .max = 3, .initial = NAN};
}

START_TEST(a_name_is_there_once)
{
    struct space *own = space_create();
    struct param a = int_param("a"), b = int_param("a");
    struct err err;
    ck_assert_int_eq(space_add(own, &a, &err), 0);
    ck_assert_int_eq(space_add(own, &b, &err), ERR_EXISTS);
    ck_assert_ptr_null(b.name); /* taken all the same */
    ck_assert_uint_eq(own->n_params, 1);
    ck_assert_int_eq(space_find(own, "a"), 0);
    ck_assert_int_eq(space_find(own, "b"), -1);
    space_destroy(own);
}
END_TEST

static void depend(struct param *param, size_t parent, double value)
{
    param->conditions = calloc(1, sizeof *param->conditions);
    param->conditions[0] = (struct condition){parent, 1, malloc(sizeof value)};
    param->conditions[0].values[0] = value;
    param->n_conditions = 1;
}

static const struct {
    size_t parent_of_a, parent_of_b;
    double value;
    const char *fault;
} tied[] = {
    {1, 0, 2, "the conditions of 'a' lead back to themselves"},
    {0, 0, 2, "the conditions of 'a' lead back to themselves"},
    {7, 0, 2, "'a' depends on a parameter that is not there"},
    {1, 0, 9, "'a' depends on a value that 'b' cannot have"},
};

START_TEST(a_space_with_impossible_conditions_is_not_finished)
{
    struct space *own = space_create();
    struct param a = int_param("a"), b = int_param("b");
    struct err err = {0};
    depend(&a, tied[_i].parent_of_a, tied[_i].value);
    depend(&b, tied[_i].parent_of_b, 1);
    ck_assert_int_eq(space_add(own, &a, &err), 0);
    ck_assert_int_eq(space_add(own, &b, &err), 0);
    ck_assert_int_eq(space_finish(own, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, tied[_i].fault);
    space_destroy(own);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("space");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, only_free_parameters_have_a_coordinate);
    tcase_add_test(tests, every_parameter_comes_after_those_that_it_depends_on);
    tcase_add_test(tests, conditions_hold_through_every_level);
    tcase_add_test(tests, an_inactive_parameter_stands_in_the_middle);
    tcase_add_test(tests, a_space_of_points_survives_the_cube);
    tcase_add_test(tests, settling_clears_and_fills);
    tcase_add_test(tests, the_default_point_has_the_defaults_and_the_middles);
    tcase_add_loop_test(tests, what_is_no_point_is_refused_by_name, 0,
                        sizeof bad_points / sizeof *bad_points);
    tcase_add_test(tests, equal_points_have_equal_hashes);
    tcase_add_test(tests, json_has_the_active_parameters_in_order);
    tcase_add_loop_test(tests, points_are_counted_with_their_conditions, 0, sizeof counted / sizeof *counted);
    tcase_add_test(tests, the_count_is_that_of_an_enumeration);
    tcase_add_test(tests, a_long_chain_of_conditions_is_counted);
    tcase_add_test(tests, independent_conditions_multiply);
    tcase_add_test(tests, entangled_conditions_are_bounded_from_above);
    tcase_add_test(tests, a_name_is_there_once);
    tcase_add_loop_test(tests, a_space_with_impossible_conditions_is_not_finished, 0,
                        sizeof tied / sizeof *tied);
    return run_case(tests);
}
