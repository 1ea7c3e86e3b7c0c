/* What can be wrong with one parameter, seen alone. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/number.h"
#include "core/space.h"

#define MAX_NAME  128
#define MAX_CELLS 0x1p53 /* values of one parameter: more could not be counted in doubles */

struct check {
    const struct param *param;
    param_fault_fn *fault;
    void *arg;
    size_t choice; /* that is being checked; n_choices: none */
    bool failed;
};

static void __attribute__((format(printf, 3, 4)))
fault(struct check *check, enum param_field field, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* a long one is cut */
    va_end(args);
    check->failed = true;
    check->fault(check->arg, field, check->choice, text);
}

/* A number in a message, as people write it. */
struct digits {
    char text[NUMBER_SIZE];
};

static struct digits digits(double value)
{
    struct digits d;
    (void)number_write(d.text, value); /* its length is not needed */
    return d;
}

static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-";
    size_t n = strspn(name, others);
    return n > 0 && n <= MAX_NAME && !name[n] && strchr(letters, name[0]);
}

static void check_name(struct check *check)
{
    const char *name = check->param->name;
    if (!name || !*name)
        fault(check, FIELD_NAME, "a parameter needs a name");
    else if (!is_name(name))
        fault(check, FIELD_NAME,
              "'%.130s' is no name for a parameter: letters, digits, '_', '.' and '-', a letter or '_' "
              "first, at most "
              "%d",
              name, MAX_NAME);
}

static void check_bound(struct check *check, enum param_field field, const char *what, double value)
{
    const char *name = check->param->name;
    bool is_int = check->param->type == PARAM_INT;
    if (!isfinite(value))
        fault(check, field, "%s of '%s' is not a finite number", what, name);
    else if (is_int && value != trunc(value))
        fault(check, field, "%s (%s) of '%s' is not a whole number", what, digits(value).text, name);
    else if (is_int && fabs(value) > NUMBER_MAX_INT)
        fault(check, field, "%s (%s) of '%s' is beyond 2^53", what, digits(value).text, name);
}

static void check_step(struct check *check)
{
    const struct param *param = check->param;
    double range = param->max - param->min, n = range / param->step;
    if (param->step < 0)
        fault(check, FIELD_STEP, "step (%s) of '%s' is negative", digits(param->step).text, param->name);
    else if (param->step > 0 && n >= MAX_CELLS)
        fault(check, FIELD_STEP, "step (%s) of '%s' is too small for its range", digits(param->step).text,
              param->name);
    /* 1e-9: many times the rounding error of a decimal step, far below any step that is wrong */
    else if (param->step > 0 && fabs(n - nearbyint(n)) > 1e-9 * fmax(1, n))
        fault(check, FIELD_STEP, "step (%s) does not divide the range %s to %s of '%s'",
              digits(param->step).text, digits(param->min).text, digits(param->max).text, param->name);
}

static void check_range(struct check *check)
{
    const struct param *param = check->param;
    check_bound(check, FIELD_MIN, "min", param->min);
    check_bound(check, FIELD_MAX, "max", param->max);
    check_bound(check, FIELD_STEP, "step", param->step);
    if (check->failed)
        return;
    if (param->max < param->min)
        fault(check, FIELD_MAX, "max (%s) is below min (%s) for '%s'", digits(param->max).text,
              digits(param->min).text, param->name);
    else if (!isfinite(param->max - param->min) ||
             (param->type == PARAM_INT && param->max - param->min >= MAX_CELLS))
        fault(check, FIELD_MAX, "the range %s to %s of '%s' is too wide", digits(param->min).text,
              digits(param->max).text, param->name);
    else
        check_step(check);
    if (param->scale == SCALE_LOG && param->min <= 0)
        fault(check, FIELD_MIN, "min (%s) of '%s' must be above 0 on a log scale", digits(param->min).text,
              param->name);
}

static bool is_number(const struct choice *choice)
{
    return choice->type == CHOICE_DOUBLE || choice->type == CHOICE_INT;
}

static void check_choice(struct check *check, const struct choice *choice)
{
    const char *name = check->param->name;
    if (is_number(choice) && !isfinite(choice->number))
        fault(check, FIELD_VALUES, "a value of '%s' is not a finite number", name);
    else if (choice->type == CHOICE_INT && fabs(choice->number) > NUMBER_MAX_INT)
        fault(check, FIELD_VALUES, "a value of '%s' is beyond 2^53", name);
    else if (choice->type == CHOICE_INT && choice->number != trunc(choice->number))
        fault(check, FIELD_VALUES, "value %s of '%s' is not a whole number", digits(choice->number).text,
              name);
}

static void check_ascending(struct check *check)
{
    const struct param *param = check->param;
    for (size_t i = 0; i < param->n_choices; i++) {
        const struct choice *choice = &param->choices[i];
        check->choice = i;
        if (!is_number(choice))
            fault(check, FIELD_VALUES, "value '%.100s' of discrete '%s' is not a number", choice->text,
                  param->name);
        else if (i > 0 && choice->number == choice[-1].number)
            fault(check, FIELD_VALUES, "value %s of '%s' is there twice", choice->text, param->name);
        else if (i > 0 && choice->number < choice[-1].number)
            fault(check, FIELD_VALUES, "values of discrete '%s' must ascend", param->name);
        if (is_number(choice) && choice->number <= 0 && param->scale == SCALE_LOG)
            fault(check, FIELD_VALUES, "value %s of '%s' must be above 0 on a log scale", choice->text,
                  param->name);
    }
}

/* Values that read the same could not be told apart in ${name}, nor in a table. */
static void check_different(struct check *check)
{
    const struct param *param = check->param;
    for (size_t i = 1; i < param->n_choices; i++) {
        check->choice = i;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(param->choices[i].text, param->choices[j].text) == 0) {
                fault(check, FIELD_VALUES, "value '%.100s' of '%s' is there twice", param->choices[i].text,
                      param->name);
                break;
            }
        }
    }
}

static void check_choices(struct check *check)
{
    const struct param *param = check->param;
    if (param->n_choices == 0)
        fault(check, FIELD_VALUES, "'%s' has no values", param->name);
    if (param->type == PARAM_CONSTANT && param->n_choices > 1)
        fault(check, FIELD_VALUES, "constant '%s' has more than one value", param->name);
    for (check->choice = 0; check->choice < param->n_choices; check->choice++)
        check_choice(check, &param->choices[check->choice]);
    if (param->type == PARAM_DISCRETE)
        check_ascending(check);
    else
        check_different(check);
}

void param_check(const struct param *param, param_fault_fn *fault_fn, void *arg)
{
    struct check check = {.param = param, .fault = fault_fn, .arg = arg, .choice = param->n_choices};
    check_name(&check);
    if (!param->name)
        return;
    if (param->type == PARAM_DOUBLE || param->type == PARAM_INT)
        check_range(&check);
    else
        check_choices(&check);
    check.choice = param->n_choices;
    if (!check.failed && !isnan(param->initial) && !param_has(param, param->initial))
        fault(&check, FIELD_DEFAULT, "default of '%s' is none of its values", param->name);
}
