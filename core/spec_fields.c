/* Maps by table, and the plain values in them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/spec_reader.h"

void set_string(struct reader *r, char **target, const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        r->code = ERR_NOMEM;
        return;
    }
    free(*target);
    *target = copy;
}

bool is_given(struct reader *r, const struct yaml_pair *pair)
{
    if (yaml_is_empty(pair->value)) {
        yaml_fault(r->faults, pair->value, "'%s' has no value", pair->key->text);
        return false;
    }
    return !yaml_is_null(pair->value);
}

void fault_unknown_key(struct reader *r, const struct yaml_pair *pair, const char *what,
                       struct nearest nearest)
{
    const char *name = nearest.name;
    yaml_fault(r->faults, pair->key, "unknown key '%s'%s%s%s%s%s", pair->key->text, what ? " in " : "",
               what ? what : "", name ? "; did you mean '" : "", name ? name : "", name ? "'?" : "");
}

static void read_pair(struct reader *r, void *out, const struct field *fields, size_t n_fields,
                      const char *what, const struct yaml_pair *pair)
{
    struct nearest nearest = nearest_begin(pair->key->text);
    for (size_t i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].name, pair->key->text) == 0) {
            if (is_given(r, pair))
                fields[i].read(r, (char *)out + fields[i].offset, &fields[i], pair);
            return;
        }
        nearest_offer(&nearest, fields[i].name);
    }
    fault_unknown_key(r, pair, what, nearest);
}

void read_fields(struct reader *r, void *out, const struct field *fields, size_t n_fields, const char *what,
                 const struct yaml *map)
{
    if (map->kind != YAML_MAP) {
        yaml_fault(r->faults, map, "%s must be a map of keys and values", what ? what : "a sweep file");
        return;
    }
    for (size_t i = 0; i < map->n; i++)
        read_pair(r, out, fields, n_fields, what, &map->pairs[i]);
}

static void fault_value(struct reader *r, const struct yaml_pair *pair, const char *must_be)
{
    const struct yaml *value = pair->value;
    if (value->kind == YAML_SCALAR)
        yaml_fault(r->faults, value, "'%s' must be %s, not %s%.80s%s", pair->key->text, must_be,
                   value->is_plain ? "" : "the text '", value->text, value->is_plain ? "" : "'");
    else
        yaml_fault(r->faults, value, "'%s' must be %s, not a %s", pair->key->text, must_be,
                   value->kind == YAML_LIST ? "list" : "map");
}

/* Finite, and an integer within +-2^53 if it is one. */
static bool is_number(double *value, const struct yaml *node)
{
    if (node->kind != YAML_SCALAR || !node->is_plain)
        return false;
    enum number_form form = number_read(value, node->text);
    return form != NUMBER_NONE && isfinite(*value) &&
           (form == NUMBER_DOUBLE || fabs(*value) <= NUMBER_MAX_INT);
}

static bool is_in_range(struct reader *r, double value, const struct field *field,
                        const struct yaml_pair *pair)
{
    if (value >= field->min && value <= field->max)
        return true;
    struct text must_be = {0};
    text_append(&must_be, value < field->min ? "at least " : "at most ");
    text_append_double(&must_be, value < field->min ? field->min : field->max);
    fault_value(r, pair, text_get(&must_be));
    text_fini(&must_be);
    return false;
}

void read_int(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    double value;
    if (!is_number(&value, pair->value) || value != trunc(value) || fabs(value) > NUMBER_MAX_INT)
        fault_value(r, pair, "a whole number (within +-2^53)");
    else if (is_in_range(r, value, field, pair))
        *(int64_t *)target = (int64_t)value;
}

void read_double(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    double value;
    if (!is_number(&value, pair->value))
        fault_value(r, pair, "a number");
    else if (is_in_range(r, value, field, pair))
        *(double *)target = value;
}

void read_string(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)field; /* any text will do */
    if (pair->value->kind != YAML_SCALAR)
        fault_value(r, pair, "a text");
    else if (!*pair->value->text)
        fault_value(r, pair, "a text with something in it");
    else
        set_string(r, target, pair->value->text);
}

static void fault_choice(struct reader *r, const struct field *field, const struct yaml_pair *pair)
{
    struct text must_be = {0};
    for (const char *c = field->choices; *c; c++)
        text_append_bytes(&must_be, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
    struct text one_of = {0};
    text_printf(&one_of, "one of %s", text_get(&must_be));
    fault_value(r, pair, text_get(&one_of));
    text_fini(&one_of);
    text_fini(&must_be);
}

void read_choice(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    const char *choice = field->choices, *text = pair->value->text;
    for (int i = 0; pair->value->kind == YAML_SCALAR; i++) {
        size_t n = strcspn(choice, "|");
        if (strlen(text) == n && memcmp(choice, text, n) == 0) {
            *(int *)target = i;
            return;
        }
        if (!choice[n])
            break;
        choice += n + 1;
    }
    fault_choice(r, field, pair);
}
