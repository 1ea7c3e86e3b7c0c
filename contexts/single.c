/* Contexts single and distributed: one trial, with the parameters' defaults or the values that its section
 * gives, on one worker or on several at once:
 *
 *   context: single                 context: distributed
 *   single: {lr: 0.1, solver: sgd}  distributed: {workers: 4, parameters: {lr: 0.1, solver: sgd}}
 *
 * The plan is the same: on how many workers a trial runs is the engine's business, in every context.
 *
 * It is how the same file and function run once, to try them or to repeat the best trial of a search. A
 * parameter without default and value takes the middle of its range. */
#include <math.h>
#include <stdlib.h>

#include "contexts/context.h"
#include "core/space.h"

struct single {
    double *point;
    bool is_started, has_ended;
};

/* Writes one setting into the point; a fault if it cannot be. */
static int apply_setting(double *point, const struct space *space, const struct setting *setting,
                         struct err *err)
{
    int param = space_find(space, setting->key);
    if (param < 0)
        return err_set(err, ERR_INVALID, "no parameter is called '%s'", setting->key);
    return param_read_text(&point[param], &space->params[param], setting->text, err);
}

static void add_unknown(const struct setting *setting, const struct space *space, struct faults *faults)
{
    const char **names = calloc(space->n_params + 1, sizeof *names);
    for (size_t i = 0; names && i < space->n_params; i++)
        names[i] = space->params[i].name;
    const char *meant = names ? nearest_name(setting->key, names, space->n_params) : NULL;
    faults_add(faults, setting->key_line, setting->key_column, "no parameter is called '%s'%s%s%s",
               setting->key, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
    free(names);
}

static void single_check(const struct spec *spec, struct faults *faults)
{
    double *point = calloc(spec->space->n_params + 1, sizeof *point);
    if (!point) {
        faults->failed = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < spec->context.n_settings; i++) {
        const struct setting *setting = &spec->context.settings[i];
        struct err err = {0};
        if (!spec_has_param(spec, setting->key))
            add_unknown(setting, spec->space, faults);
        else if (space_find(spec->space, setting->key) >= 0 &&
                 apply_setting(point, spec->space, setting, &err) < 0)
            faults_add(faults, setting->line, setting->column, "%s", err.text);
    }
    free(point);
}

static void single_destroy(void *state)
{
    struct single *single = state;
    if (!single)
        return;
    free(single->point);
    free(single);
}

/* The given values, and defaults where nothing is given. */
static int make_point(double *point, const struct spec *spec, struct err *err)
{
    const struct space *space = spec->space;
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[i];
        point[i] = isnan(param->initial) ? param_from_unit(param, 0.5) : param->initial;
    }
    for (size_t i = 0; i < spec->context.n_settings; i++) {
        int code = apply_setting(point, space, &spec->context.settings[i], err);
        if (code < 0)
            return code;
    }
    space_settle(point, space, NULL);
    return space_check(space, point, err);
}

static int single_create(void **state, const struct spec *spec, struct err *err)
{
    struct single *single = calloc(1, sizeof *single);
    if (single)
        single->point = calloc(spec->space->n_params + 1, sizeof *single->point);
    int code = single && single->point ? make_point(single->point, spec, err)
                                       : err_set(err, ERR_NOMEM, "out of memory");
    if (code < 0) {
        single_destroy(single);
        return code;
    }
    *state = single;
    return 0;
}

static void single_next(struct context_plan *plan, void *state)
{
    const struct single *single = state;
    *plan = (struct context_plan){.kind = CONTEXT_POINT, .point = single->point};
    if (single->is_started)
        plan->kind = single->has_ended ? CONTEXT_DONE : CONTEXT_WAIT;
}

static int single_started(void *state, uint64_t trial, int64_t budget)
{
    (void)trial, (void)budget;
    ((struct single *)state)->is_started = true;
    return 0;
}

static enum decision single_report(void *state, uint64_t trial, const struct curve *curve)
{
    (void)state, (void)trial, (void)curve;
    return DECISION_CONTINUE;
}

static int single_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve,
                        double value)
{
    (void)trial, (void)end, (void)curve, (void)value;
    ((struct single *)state)->has_ended = true;
    return 0;
}

const struct context_type context_single = {
    .name = "single",
    .summary = "one trial, with the defaults or the values given in its section",
    .check = single_check,
    .create = single_create,
    .destroy = single_destroy,
    .next = single_next,
    .started = single_started,
    .report = single_report,
    .ended = single_ended,
};

const struct context_type context_distributed = {
    .name = "distributed",
    .summary = "one trial on several workers at once",
    .check = single_check,
    .create = single_create,
    .destroy = single_destroy,
    .next = single_next,
    .started = single_started,
    .report = single_report,
    .ended = single_ended,
};
