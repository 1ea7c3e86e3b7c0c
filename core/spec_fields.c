/* Maps by table, and the plain values in them. */
#include <math.h>
#include <stdio.h>
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

#define MAX_SUGGESTIONS 100
#define MAX_FAULTS      2000 /* faults_write tells 1000 */

bool goes_on(const struct reader *r)
{
    return r->code == 0 && r->faults->n < MAX_FAULTS;
}

struct nearest nearest_in_file(const struct reader *r, const char *word)
{
    struct nearest nearest = nearest_begin(word);
    if (r->faults->n >= MAX_SUGGESTIONS)
        nearest.limit = 0;
    return nearest;
}

bool count_values(struct reader *r, const struct yaml *node, size_t n)
{
    r->n_values += n;
    if (n > MAX_VALUES)
        yaml_fault(r->faults, node, "more than %d values", MAX_VALUES);
    else if (r->n_values > MAX_ALL_VALUES)
        yaml_fault(r->faults, node, "more than %d values in all", MAX_ALL_VALUES);
    return n <= MAX_VALUES && r->n_values <= MAX_ALL_VALUES;
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
    struct nearest nearest = nearest_in_file(r, pair->key->text);
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
    for (size_t i = 0; i < map->n && goes_on(r); i++)
        read_pair(r, out, fields, n_fields, what, &map->pairs[i]);
}

/* `meant`: what the user may have meant; NULL: who knows. */
static void fault_value(struct reader *r, const struct yaml_pair *pair, const char *must_be,
                        const char *meant)
{
    const struct yaml *value = pair->value;
    const char *before = meant ? "; did you mean '" : "", *after = meant ? "'?" : "";
    const char *key = pair->key->text;
    meant = meant ? meant : "";
    double number;
    if (value->kind != YAML_SCALAR)
        yaml_fault(r->faults, value, "'%s' must be %s, not a %s", key, must_be,
                   value->kind == YAML_LIST ? "list" : "map");
    else if (value->is_plain)
        yaml_fault(r->faults, value, "'%s' must be %s, not %.80s%s%s%s", key, must_be, value->text, before,
                   meant, after);
    else if (number_read(&number, value->text) != NUMBER_NONE)
        yaml_fault(r->faults, value, "'%s' must be %s, not the text '%.80s'; write it without quotes", key,
                   must_be, value->text);
    else
        yaml_fault(r->faults, value, "'%s' must be %s, not the text '%.80s'%s%s%s", key, must_be, value->text,
                   before, meant, after);
}

static bool is_number(struct reader *r, double *value, const struct yaml_pair *pair, const char *must_be)
{
    const struct yaml *node = pair->value;
    bool may_be = node->kind == YAML_SCALAR && node->is_plain;
    enum number_form form = may_be ? number_read(value, node->text) : NUMBER_NONE;
    bool is_beyond = form == NUMBER_INT && fabs(*value) > NUMBER_MAX_INT;
    if (form == NUMBER_NONE || !isfinite(*value))
        fault_value(r, pair, must_be, NULL);
    else if (is_beyond)
        fault_value(r, pair, "within +-2^53", NULL);
    return form != NUMBER_NONE && isfinite(*value) && !is_beyond;
}

static bool is_in_range(struct reader *r, double value, const struct field *field,
                        const struct yaml_pair *pair)
{
    if (value >= field->min && value <= field->max)
        return true;
    char bound[NUMBER_SIZE], must_be[NUMBER_SIZE + 16];
    (void)number_write(bound, value < field->min ? field->min : field->max);
    (void)snprintf(must_be, sizeof must_be, "at %s %s", value < field->min ? "least" : "most", bound);
    fault_value(r, pair, must_be, NULL);
    return false;
}

void read_int(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    double value;
    if (!is_number(r, &value, pair, "a whole number"))
        return;
    if (value != trunc(value) || fabs(value) > NUMBER_MAX_INT)
        fault_value(r, pair, "a whole number", NULL);
    else if (is_in_range(r, value, field, pair))
        *(int64_t *)target = (int64_t)value;
}

void read_double(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    double value;
    if (is_number(r, &value, pair, "a number") && is_in_range(r, value, field, pair))
        *(double *)target = value;
}

void read_string(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)field; /* any text will do */
    if (pair->value->kind != YAML_SCALAR)
        fault_value(r, pair, "a text", NULL);
    else if (!*pair->value->text)
        fault_value(r, pair, "a text with something in it", NULL);
    else
        set_string(r, target, pair->value->text);
}

/* "one of minimize, maximize", and the one that was meant. */
static void fault_choice(struct reader *r, const struct field *field, const struct yaml_pair *pair)
{
    struct text must_be = {0};
    char names[8][32];
    struct nearest nearest = nearest_in_file(r, pair->value->text);
    const char *at = field->choices;
    for (size_t i = 0; i < 8 && *at; i++) {
        size_t n = strcspn(at, "|");
        (void)snprintf(names[i], sizeof names[i], "%.*s", (int)n, at); /* our own words, all shorter */
        nearest_offer(&nearest, names[i]);
        text_printf(&must_be, "%s%s", i > 0 ? ", " : "one of ", names[i]);
        at += n + (at[n] == '|');
    }
    if (must_be.failed)
        r->code = ERR_NOMEM;
    else
        fault_value(r, pair, text_get(&must_be), nearest.name);
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
