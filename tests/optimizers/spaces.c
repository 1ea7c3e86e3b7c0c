/* Spaces of all kinds. */
#include "spaces.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t add(struct space *space, struct param *param)
{
    struct err err = {0};
    ck_assert_msg(space_add(space, param, &err) == 0, "%s", err.text);
    return space->n_params - 1;
}

static size_t add_range(struct space *space, const char *name, enum param_type type, double min, double max,
                        enum param_scale scale)
{
    return add(
        space,
        &(struct param){
            .name = strdup(name), .type = type, .scale = scale, .min = min, .max = max, .initial = NAN});
}

size_t add_double(struct space *space, const char *name, double min, double max, enum param_scale scale)
{
    return add_range(space, name, PARAM_DOUBLE, min, max, scale);
}

size_t add_int(struct space *space, const char *name, double min, double max, enum param_scale scale)
{
    return add_range(space, name, PARAM_INT, min, max, scale);
}

static size_t add_choices(struct space *space, const char *name, enum param_type type, const double *values,
                          size_t n)
{
    struct choice *choices = calloc(n, sizeof *choices);
    ck_assert_ptr_nonnull(choices);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, values ? "%.17g" : "c%.0f", values ? values[i] : (double)i);
        choices[i] = (struct choice){.type = values ? CHOICE_DOUBLE : CHOICE_STRING,
                                     .number = values ? values[i] : (double)NAN,
                                     .text = strdup(text)};
    }
    return add(space,
               &(struct param){
                   .name = strdup(name), .type = type, .n_choices = n, .choices = choices, .initial = NAN});
}

size_t add_categorical(struct space *space, const char *name, size_t n)
{
    return add_choices(space, name, PARAM_CATEGORICAL, NULL, n);
}

size_t add_discrete(struct space *space, const char *name, const double *values, size_t n)
{
    return add_choices(space, name, PARAM_DISCRETE, values, n);
}

size_t add_constant(struct space *space, const char *name)
{
    return add_choices(space, name, PARAM_CONSTANT, NULL, 1);
}

void set_default(struct space *space, size_t param, double value)
{
    space->params[param].initial = value;
}

void set_step(struct space *space, size_t param, double step)
{
    space->params[param].step = step;
}

void set_when(struct space *space, size_t param, size_t parent, const double *values, size_t n)
{
    struct param *child = &space->params[param];
    struct condition *conditions = realloc(child->conditions, (child->n_conditions + 1) * sizeof *conditions);
    double *copy = calloc(n, sizeof *copy);
    ck_assert(conditions && copy);
    memcpy(copy, values, n * sizeof *copy);
    child->conditions = conditions;
    conditions[child->n_conditions++] = (struct condition){.param = parent, .n_values = n, .values = copy};
}

static void fill_one_double(struct space *space)
{
    (void)add_double(space, "x", -5, 10, SCALE_LINEAR);
}

static void fill_doubles(struct space *space, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x%zu", i);
        (void)add_double(space, name, -1, 1, SCALE_LINEAR);
    }
}

static void fill_ten_doubles(struct space *space)
{
    fill_doubles(space, 10);
}

static void fill_hundred_doubles(struct space *space)
{
    fill_doubles(space, 100);
}

static void fill_more_doubles_than_sobol_has(struct space *space)
{
    fill_doubles(space, 150);
}

static void fill_mixed(struct space *space)
{
    static const double batches[] = {16, 32, 64, 128};
    set_default(space, add_double(space, "lr", 1e-5, 1, SCALE_LOG), 0.01);
    (void)add_int(space, "hidden", 8, 1024, SCALE_LOG);
    (void)add_int(space, "layers", 1, 8, SCALE_LINEAR);
    set_step(space, add_double(space, "dropout", 0, 0.5, SCALE_LINEAR), 0.125);
    (void)add_discrete(space, "batch", batches, 4);
    set_default(space, add_categorical(space, "solver", 3), 1);
    (void)add_constant(space, "seed");
}

/* solver 0: momentum; its nesterov only with momentum's own switch; solver 1: beta; solver 2: nothing. */
static void fill_conditional(struct space *space)
{
    size_t solver = add_categorical(space, "solver", 3);
    size_t kind = add_categorical(space, "momentum_kind", 2);
    size_t momentum = add_double(space, "momentum", 0, 0.99, SCALE_LINEAR);
    size_t beta = add_double(space, "beta", 1e-3, 1, SCALE_LOG);
    (void)add_int(space, "layers", 1, 3, SCALE_LINEAR);
    set_when(space, kind, solver, (double[]){0}, 1);
    set_when(space, momentum, kind, (double[]){1}, 1);
    set_when(space, beta, solver, (double[]){1}, 1);
}

/* a: 3 values, b (2) if a = 0, c (4) if b = 1, d (2) if a = 1 or 2 and e = 1, e: 2 values.
 * a = 0: (b = 0: 1, b = 1: 4) x e 2 = 10; a = 1, 2: (e = 0: 1, e = 1: 2) x 2 = 6; in all 16. */
static void fill_conditional_finite(struct space *space)
{
    size_t d = add_categorical(space, "d", 2); /* before what it depends on */
    size_t a = add_categorical(space, "a", 3);
    size_t b = add_categorical(space, "b", 2);
    size_t c = add_int(space, "c", 1, 4, SCALE_LINEAR);
    size_t e = add_categorical(space, "e", 2);
    set_when(space, b, a, (double[]){0}, 1);
    set_when(space, c, b, (double[]){1}, 1);
    set_when(space, d, a, (double[]){1, 2}, 2);
    set_when(space, d, e, (double[]){1}, 1);
}

/* Only one branch in 1000 has any points left for long. */
static void fill_rare_branch(struct space *space)
{
    size_t kind = add_categorical(space, "kind", 1000);
    size_t x = add_double(space, "x", 0, 1, SCALE_LINEAR);
    set_when(space, x, kind, (double[]){777}, 1);
}

static void fill_one_point(struct space *space)
{
    (void)add_constant(space, "a");
    (void)add_constant(space, "b");
}

static void fill_zero_width(struct space *space)
{
    (void)add_double(space, "x", 0.1, 0.1, SCALE_LINEAR);
    (void)add_int(space, "k", 3, 3, SCALE_LINEAR);
    (void)add_categorical(space, "c", 1);
    (void)add_int(space, "free", 0, 4, SCALE_LINEAR);
}

static void fill_categories(struct space *space)
{
    (void)add_categorical(space, "token", 5000);
    (void)add_categorical(space, "other", 3);
}

static void fill_small(struct space *space)
{
    set_default(space, add_int(space, "a", 1, 6, SCALE_LINEAR), 2);
    (void)add_categorical(space, "b", 4);
    (void)add_int(space, "c", 1, 8, SCALE_LOG);
}

static void fill_wide(struct space *space)
{
    (void)add_double(space, "tiny", 1e-300, 1e300, SCALE_LOG);
    (void)add_double(space, "huge", -1e300, 1e300, SCALE_LINEAR);
    (void)add_int(space, "count", -4503599627370496.0, 4503599627370495.0, SCALE_LINEAR);
}

const struct test_space test_spaces[] = {
    {"one double", fill_one_double, INFINITY},
    {"ten doubles", fill_ten_doubles, INFINITY},
    {"hundred doubles", fill_hundred_doubles, INFINITY},
    {"150 doubles", fill_more_doubles_than_sobol_has, INFINITY},
    {"mixed", fill_mixed, INFINITY},
    {"conditional", fill_conditional, INFINITY},
    {"conditional finite", fill_conditional_finite, 16},
    {"rare branch", fill_rare_branch, INFINITY},
    {"one point", fill_one_point, 1},
    {"zero width", fill_zero_width, 5},
    {"thousands of categories", fill_categories, 15000},
    {"small", fill_small, 192},
    {"wide", fill_wide, INFINITY},
};
const size_t n_test_spaces = sizeof test_spaces / sizeof *test_spaces;

struct space *test_space_create(const struct test_space *kind)
{
    struct err err = {0};
    struct space *space = space_create();
    ck_assert_ptr_nonnull(space);
    kind->fill(space);
    ck_assert_msg(space_finish(space, &err) == 0, "%s: %s", kind->name, err.text);
    return space;
}

struct space *test_space_named(const char *name)
{
    for (size_t i = 0; i < n_test_spaces; i++) {
        if (strcmp(test_spaces[i].name, name) == 0)
            return test_space_create(&test_spaces[i]);
    }
    ck_abort_msg("no space '%s'", name);
}
