/* Values of one parameter as text and as JSON, and back. */
#include <math.h>
#include <string.h>

#include "core/faults.h"
#include "core/number.h"
#include "core/space.h"

static bool is_range(const struct param *param)
{
    return param->type == PARAM_DOUBLE || param->type == PARAM_INT;
}

void param_write_text(struct text *text, const struct param *param, double value)
{
    if (isnan(value))
        return;
    if (is_range(param))
        text_append_double(text, value);
    else
        text_append(text, param->choices[(size_t)value].text);
}

/* A double stays one for those who read the JSON: 1.0 and not 1. */
static void write_json_double(struct text *text, double value)
{
    size_t before = text->size;
    text_append_double(text, value);
    if (!text->failed && strcspn(text->data + before, ".en") == text->size - before)
        text_append_bytes(text, ".0", 2);
}

void param_write_json(struct text *text, const struct param *param, double value)
{
    if (isnan(value)) {
        text_append_bytes(text, "null", 4);
    } else if (is_range(param)) {
        if (param->type == PARAM_INT)
            text_append_double(text, value);
        else
            write_json_double(text, value);
    } else {
        const struct choice *choice = &param->choices[(size_t)value];
        if (choice->type == CHOICE_STRING)
            text_append_json_string(text, choice->text);
        else if (choice->type == CHOICE_DOUBLE)
            write_json_double(text, choice->number);
        else
            text_append(text, choice->text);
    }
}

/* A list longer than this gets no "did you mean": each fault of a hostile file would search all of it. */
#define MAX_OFFERED 256

static int refuse_choice(struct err *err, const struct param *param, const char *string, bool is_number)
{
    struct nearest nearest = nearest_begin(string);
    bool may_offer = !is_number && param->n_choices <= MAX_OFFERED;
    for (size_t i = 0; may_offer && i < param->n_choices; i++)
        nearest_offer(&nearest, param->choices[i].text);
    const char *name = nearest.name;
    return err_set(err, ERR_INVALID, "'%.80s' is no value of '%s'%s%.80s%s", string, param->name,
                   name ? "; did you mean '" : "", name ? name : "", name ? "'?" : "");
}

static int read_choice(double *value, const struct param *param, const char *string, struct err *err)
{
    double number;
    bool is_number = number_read(&number, string) != NUMBER_NONE;
    for (size_t i = 0; i < param->n_choices; i++) {
        const struct choice *choice = &param->choices[i];
        bool numeric = choice->type == CHOICE_DOUBLE || choice->type == CHOICE_INT;
        if (strcmp(choice->text, string) == 0 || (numeric && is_number && number == choice->number)) {
            *value = (double)i;
            return 0;
        }
    }
    return refuse_choice(err, param, string, is_number);
}

static int refuse_range(struct err *err, const struct param *param, const char *string)
{
    char min[NUMBER_SIZE], max[NUMBER_SIZE];
    (void)number_write(min, param->min);
    (void)number_write(max, param->max);
    return err_set(err, ERR_INVALID, "%.80s is outside %s to %s for '%s'", string, min, max, param->name);
}

static int refuse_step(struct err *err, const struct param *param, const char *string)
{
    char step[NUMBER_SIZE];
    (void)number_write(step, param->step);
    return err_set(err, ERR_INVALID, "%.80s is not on the steps of %s of '%s'", string, step, param->name);
}

static int read_range(double *value, const struct param *param, const char *string, struct err *err)
{
    double number;
    if (number_read(&number, string) == NUMBER_NONE || isnan(number))
        return err_set(err, ERR_INVALID, "'%.80s' is no number for '%s'", string, param->name);
    if (param->type == PARAM_INT && number != trunc(number))
        return err_set(err, ERR_INVALID, "%.80s is no whole number for '%s'", string, param->name);
    if (number < param->min || number > param->max)
        return refuse_range(err, param, string);
    double n = param_cardinality(param);
    if (isfinite(n)) { /* onto the grid, from as near as a rounded decimal gets */
        double on_grid = param_value(param, param_index(param, number));
        if (n > 1 && fabs(on_grid - number) * (n - 1) > 1e-9 * (param->max - param->min))
            return refuse_step(err, param, string);
        number = on_grid;
    }
    *value = number + 0.0; /* no negative zero */
    return 0;
}

int param_read_text(double *value, const struct param *param, const char *string, struct err *err)
{
    if (is_range(param))
        return read_range(value, param, string, err);
    return read_choice(value, param, string, err);
}
