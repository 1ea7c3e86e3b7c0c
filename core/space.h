#ifndef CORE_SPACE_H
#define CORE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/rng.h"
#include "core/text.h"

/* The search space: named parameters, their ranges, scales, steps and conditions. This module alone knows how
 * they are encoded; everything else passes points around.
 *
 * | symbol | meaning                                                      | shape            |
 * | point  | one configuration in the user's own units                    | double[n_params] |
 * | unit   | the same in the unit cube, one coordinate a free parameter   | double[n_dims]   |
 *
 * A point holds one double a parameter, in declaration order: a double or int as its value (integers within
 * +-2^53, so exact), a discrete, categorical or constant as the *index* of its choice, and NaN where the
 * parameter is inactive (its `when` does not hold). Constants have no coordinate in the unit cube.
 */

enum param_type { PARAM_DOUBLE, PARAM_INT, PARAM_DISCRETE, PARAM_CATEGORICAL, PARAM_CONSTANT };
enum param_scale { SCALE_LINEAR, SCALE_LOG };
enum choice_type { CHOICE_DOUBLE, CHOICE_INT, CHOICE_STRING, CHOICE_BOOL };

/* One value of a discrete, categorical or constant parameter. */
struct choice {
    enum choice_type type;
    double number; /* of DOUBLE and INT; 0 or 1 of BOOL; NaN of STRING */
    char *text;    /* as the user sees it; for STRING without quotes */
};

/* The parameter is active only while parameter `param` is active and has one of these values (as in a point).
 */
struct condition {
    size_t param;
    size_t n_values;
    double *values;
};

struct param {
    char *name; /* [A-Za-z_][A-Za-z0-9_.-]*, at most 128 characters */
    enum param_type type;
    enum param_scale scale; /* of DOUBLE, INT and DISCRETE */
    double min, max;        /* of DOUBLE and INT, both included */
    double step;            /* of DOUBLE and INT, counted from min; 0: none (an int then has 1) */
    size_t n_choices;       /* of DISCRETE (ascending numbers), CATEGORICAL, CONSTANT (1) */
    struct choice *choices;
    double initial;      /* the user's `default`, as in a point; NaN: none */
    size_t n_conditions; /* all must hold */
    struct condition *conditions;
};

struct space {
    size_t n_params;
    struct param *params;
    size_t n_dims;     /* coordinates of the unit cube */
    size_t *dim_param; /* [n_dims] the parameter of each coordinate */
    size_t *order;     /* [n_params] every parameter after those that it depends on */
};

struct space *space_create(void);
void space_destroy(struct space *space);

/* Adds a parameter; takes everything it points to, also on failure. Checks what can be seen of it alone:
 * name, range, scale, step, choices, default; the text names the parameter. O(n_params). */
int space_add(struct space *space, struct param *param, struct err *err);
/* Resolves order and coordinates once all are added; refuses a cycle of conditions. */
int space_finish(struct space *space, struct err *err);
/* Frees what a param points to (for one that was never added). */
void param_fini(struct param *param);

/* Tells `fault` everything that is wrong with a parameter, seen alone, and which of its fields is to blame.
 */
enum param_field { FIELD_NAME, FIELD_MIN, FIELD_MAX, FIELD_SCALE, FIELD_STEP, FIELD_VALUES, FIELD_DEFAULT };
typedef void param_fault_fn(void *arg, enum param_field field, size_t choice, const char *text);
void param_check(const struct param *param, param_fault_fn *fault, void *arg);

/* Index of the parameter of that name; -1: none. O(n_params). */
int space_find(const struct space *space, const char *name);

/* Number of different points, conditions counted; INFINITY where a double without step is free. Exact up to
 * 2^53; too high (every parameter counted as free, or inactive)
 * where conditions are so entangled that counting
 * would take seconds. */
double space_cardinality(const struct space *space);
/* Number of values of one parameter; INFINITY for a double without step. */
double param_cardinality(const struct param *param);
/* The k-th value of a parameter with a finite number of them, ascending, 0 <= k < cardinality. A decimal step
 * gives decimal values: 0.3 and not 0.1 + 2 * 0.1. */
double param_value(const struct param *param, uint64_t k);
/* The inverse of it: which k a value is. */
uint64_t param_index(const struct param *param, double value);
/* One parameter's coordinate <-> value. On a log scale the cells of discrete values are wide as their
 * distance is in the logarithm. A parameter of k values (choices, steps, integers on a linear scale) divides
 * [0, 1] into k equal cells; a log scale is uniform in the logarithm (integers: cells between min - 1/2 and
 * max + 1/2; with a step likewise, half a step to each side). `unit` outside [0, 1] is clipped. to_unit gives
 * the middle of the cell, and from_unit gives its value back (unless there are more cells than doubles). */
double param_from_unit(const struct param *param, double unit);
double param_to_unit(const struct param *param, double value);
/* Can the parameter have this value: in range and on its grid, or the index of a choice? False for NaN. */
bool param_has(const struct param *param, double value);

/* Whole points. from_unit sets inactive parameters to NaN; to_unit gives 0.5 for an inactive one.
 * point[n_params], unit[n_dims]. */
void space_from_unit(double *point, const struct space *space, const double *unit);
void space_to_unit(double *unit, const struct space *space, const double *point);
/* Every default; the middle of its range where a parameter has none. */
void space_default_point(double *point, const struct space *space);
/* True if the user gave at least one default. */
bool space_has_defaults(const struct space *space);
/* Writes NaN where conditions do not hold and, with `fill` given, fill's value (as from_unit would) where a
 * parameter has become active and is NaN. */
void space_settle(double *point, const struct space *space, const double *fill);
/* Is it a point of this space (each value in range and on its grid, NaN exactly where inactive)? The door for
 * what comes from a peer or a user. Returns 0 or ERR_INVALID with the parameter named. */
int space_check(const struct space *space, const double *point, struct err *err);
bool space_equal(const struct space *space, const double *a, const double *b);
uint64_t space_hash(const struct space *space, const double *point);

/* A value as text (for ${name}), as JSON (numbers, strings, true), and the whole point as a JSON object with
 * only the active parameters, in declaration order. */
void param_write_text(struct text *text, const struct param *param, double value);
void param_write_json(struct text *text, const struct param *param, double value);
void space_write_json(struct text *text, const struct space *space, const double *point);
/* Reads a value as the user or a CSV file would write it ("0.01", "adam"). Returns 0 or ERR_INVALID. */
int param_read_text(double *value, const struct param *param, const char *string, struct err *err);

#endif
