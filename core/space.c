/* The search space as a whole: its parameters in an order in which conditions can be decided, and its points.
 *
 * Invariant of a finished space: `order` is a topological order of the conditions, so one pass along it knows
 * of every parameter whether it is active when it comes to those that depend on it. */
#include "core/space.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct space *space_create(void)
{
    return calloc(1, sizeof(struct space));
}

void space_destroy(struct space *space)
{
    if (!space)
        return;
    for (size_t i = 0; i < space->n_params; i++)
        param_fini(&space->params[i]);
    free(space->params);
    free(space->dim_param);
    free(space->order);
    free(space);
}

int space_find(const struct space *space, const char *name)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (strcmp(space->params[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static void keep_first(void *arg, enum param_field field, size_t choice, const char *text)
{
    (void)field; /* these are for those who know places in a file */
    (void)choice;
    struct err *err = arg;
    if (err->code == 0)
        (void)err_set(err, ERR_INVALID, "%s", text);
}

static int check_new(const struct space *space, const struct param *param, struct err *err)
{
    struct err first = {0};
    param_check(param, keep_first, &first);
    if (first.code < 0)
        return err_set(err, first.code, "%s", first.text);
    if (space_find(space, param->name) >= 0)
        return err_set(err, ERR_EXISTS, "parameter '%s' is there twice", param->name);
    return 0;
}

int space_add(struct space *space, struct param *param, struct err *err)
{
    int code = check_new(space, param, err);
    struct param *params = NULL;
    if (code == 0) {
        params = realloc(space->params, (space->n_params + 1) * sizeof *params);
        if (!params)
            code = err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    }
    if (code < 0) {
        param_fini(param);
        return code;
    }
    space->params = params;
    params[space->n_params++] = *param;
    *param = (struct param){0};
    return 0;
}

static int check_conditions(const struct space *space, const struct param *param, struct err *err)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        const struct condition *condition = &param->conditions[i];
        if (condition->param >= space->n_params)
            return err_set(err, ERR_INVALID, "'%s' depends on a parameter that is not there", param->name);
        const struct param *parent = &space->params[condition->param];
        if (isinf(param_cardinality(parent)))
            return err_set(err, ERR_INVALID, "'%s' depends on '%s', which is continuous", param->name,
                           parent->name);
        for (size_t j = 0; j < condition->n_values; j++) {
            if (!param_has(parent, condition->values[j]))
                return err_set(err, ERR_INVALID, "'%s' depends on a value that '%s' cannot have", param->name,
                               parent->name);
        }
    }
    return 0;
}

static bool is_ready(const struct param *param, const bool *placed)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        if (!placed[param->conditions[i].param])
            return false;
    }
    return true;
}

/* Places every parameter whose parents are placed, pass by pass: as many passes as conditions are nested. */
static int sort(struct space *space, size_t *order, bool *placed, struct err *err)
{
    size_t n = 0, before;
    do {
        before = n;
        for (size_t i = 0; i < space->n_params; i++) {
            if (!placed[i] && is_ready(&space->params[i], placed)) {
                placed[i] = true;
                order[n++] = i;
            }
        }
    } while (n > before);
    for (size_t i = 0; i < space->n_params && n < space->n_params; i++) {
        if (!placed[i])
            return err_set(err, ERR_INVALID, "the conditions of '%s' lead back to themselves",
                           space->params[i].name);
    }
    return 0;
}

static size_t find_dims(size_t *dim_param, const struct space *space)
{
    size_t n = 0;
    for (size_t i = 0; i < space->n_params; i++) {
        if (space->params[i].type != PARAM_CONSTANT)
            dim_param[n++] = i;
    }
    return n;
}

int space_finish(struct space *space, struct err *err)
{
    size_t n = space->n_params;
    for (size_t i = 0; i < n; i++) {
        int code = check_conditions(space, &space->params[i], err);
        if (code < 0)
            return code;
    }
    int code = ERR_NOMEM;
    size_t *order = malloc((n + 1) * sizeof *order), *dim_param = malloc((n + 1) * sizeof *dim_param);
    bool *placed = calloc(n + 1, sizeof *placed);
    if (!order || !dim_param || !placed) {
        (void)err_set(err, code, "%s", err_string(code));
        goto out;
    }
    code = sort(space, order, placed, err);
    if (code < 0)
        goto out;
    free(space->order);
    free(space->dim_param);
    space->n_dims = find_dims(dim_param, space);
    space->order = order;
    space->dim_param = dim_param;
    order = dim_param = NULL;
out:
    free(order);
    free(dim_param);
    free(placed);
    return code;
}

static bool holds(const struct condition *condition, double value)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        if (condition->values[i] == value) /* never for NaN, an inactive parent */
            return true;
    }
    return false;
}

/* Do its conditions hold in a point whose parents of it are settled? */
static bool is_active(const struct param *param, const double *point)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        if (!holds(&param->conditions[i], point[param->conditions[i].param]))
            return false;
    }
    return true;
}

static void clear_inactive(double *point, const struct space *space)
{
    for (size_t i = 0; i < space->n_params; i++) {
        size_t p = space->order[i];
        if (!is_active(&space->params[p], point))
            point[p] = NAN;
    }
}

void space_settle(double *point, const struct space *space, const double *fill)
{
    for (size_t i = 0, dim = 0; i < space->n_params && fill; i++) {
        const struct param *param = &space->params[i];
        bool has_dim = param->type != PARAM_CONSTANT;
        if (isnan(point[i]))
            point[i] = has_dim ? param_from_unit(param, fill[dim]) : 0;
        dim += has_dim;
    }
    clear_inactive(point, space);
}

void space_from_unit(double *point, const struct space *space, const double *unit)
{
    for (size_t i = 0; i < space->n_params; i++)
        point[i] = NAN;
    space_settle(point, space, unit);
}

void space_to_unit(double *unit, const struct space *space, const double *point)
{
    for (size_t i = 0; i < space->n_dims; i++) {
        size_t p = space->dim_param[i];
        unit[i] = isnan(point[p]) ? 0.5 : param_to_unit(&space->params[p], point[p]);
    }
}

void space_default_point(double *point, const struct space *space)
{
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[i];
        point[i] = isnan(param->initial) ? param_from_unit(param, 0.5) : param->initial;
    }
    clear_inactive(point, space);
}

bool space_has_defaults(const struct space *space)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (!isnan(space->params[i].initial))
            return true;
    }
    return false;
}

int space_check(const struct space *space, const double *point, struct err *err)
{
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[space->order[i]];
        double value = point[space->order[i]];
        bool active = is_active(param, point);
        if (active && isnan(value))
            return err_set(err, ERR_INVALID, "'%s' has no value", param->name);
        if (!active && !isnan(value))
            return err_set(err, ERR_INVALID, "'%s' has a value, but its conditions do not hold", param->name);
        if (active && !param_has(param, value))
            return err_set(err, ERR_INVALID, "%.17g is no value of '%s'", value, param->name);
    }
    return 0;
}

bool space_equal(const struct space *space, const double *a, const double *b)
{
    for (size_t i = 0; i < space->n_params; i++) {
        if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))))
            return false;
    }
    return true;
}

/* The bits of a value, one pattern for all that are equal: NaN has many, zero two. */
static uint64_t value_bits(double value)
{
    uint64_t bits;
    double one = isnan(value) ? (double)NAN : value + 0.0;
    memcpy(&bits, &one, sizeof bits);
    return bits;
}

uint64_t space_hash(const struct space *space, const double *point)
{
    uint64_t hash = space->n_params;
    for (size_t i = 0; i < space->n_params; i++)
        hash = rng_mix(hash, value_bits(point[i]));
    return hash;
}

void space_write_json(struct text *text, const struct space *space, const double *point)
{
    char before = '{';
    for (size_t i = 0; i < space->n_params; i++) {
        if (isnan(point[i]))
            continue;
        text_append_bytes(text, (char[2]){before, '"'}, 2); /* a name needs no escapes */
        text_append(text, space->params[i].name);
        text_append_bytes(text, "\":", 2);
        param_write_json(text, &space->params[i], point[i]);
        before = ',';
    }
    text_append(text, before == '{' ? "{}" : "}");
}
