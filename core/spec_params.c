/* The parameters of a sweep file: their keys and their types, which are inferred where they are not given.
 * What a parameter may be is checked by param_check; here its faults get their places. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/spec_reader.h"

enum key {
    KEY_TYPE,
    KEY_MIN,
    KEY_MAX,
    KEY_SCALE,
    KEY_STEP,
    KEY_VALUES,
    KEY_VALUE,
    KEY_DEFAULT,
    KEY_WHEN,
    N_KEYS
};
static const char *const key_names[N_KEYS] = {"type",   "min",   "max",     "scale", "step",
                                              "values", "value", "default", "when"};

static const char *const type_names[] = {"double", "int", "discrete", "categorical", "constant"};
enum { N_TYPES = sizeof type_names / sizeof *type_names };

/* Which keys each type takes besides `type`, `default` and `when`. */
static const bool type_takes[N_TYPES][N_KEYS] = {
    [PARAM_DOUBLE] = {[KEY_MIN] = true, [KEY_MAX] = true, [KEY_SCALE] = true, [KEY_STEP] = true},
    [PARAM_INT] = {[KEY_MIN] = true, [KEY_MAX] = true, [KEY_SCALE] = true, [KEY_STEP] = true},
    [PARAM_DISCRETE] = {[KEY_VALUES] = true, [KEY_SCALE] = true},
    [PARAM_CATEGORICAL] = {[KEY_VALUES] = true},
    [PARAM_CONSTANT] = {[KEY_VALUE] = true},
};

/* One parameter while it is read. */
struct entry {
    struct reader *r;
    const struct yaml_pair *pair;          /* name: {...} */
    const struct yaml_pair *given[N_KEYS]; /* NULL: not given */
    struct param param;
    const struct yaml **choice_places; /* [n_choices] */
    size_t n_faults;                   /* before it */
};

static bool has_failed(const struct entry *e)
{
    return e->r->code < 0 || e->r->faults->n > e->n_faults;
}

static const struct yaml *place_of(const struct entry *e, enum key key)
{
    return e->given[key] ? e->given[key]->value : e->pair->key;
}

static void find_key(struct entry *e, const struct yaml_pair *pair)
{
    struct nearest nearest = nearest_in_file(e->r, pair->key->text);
    for (int i = 0; i < N_KEYS; i++) {
        if (strcmp(key_names[i], pair->key->text) == 0) {
            if (is_given(e->r, pair))
                e->given[i] = pair;
            return;
        }
        nearest_offer(&nearest, key_names[i]);
    }
    struct text what = {0};
    text_printf(&what, "parameter '%s'", e->pair->key->text);
    if (what.failed)
        e->r->code = ERR_NOMEM;
    else
        fault_unknown_key(e->r, pair, text_get(&what), nearest);
    text_fini(&what);
}

/* Type */

static enum number_form form_of(const struct yaml *node)
{
    double value;
    return node->kind == YAML_SCALAR && node->is_plain ? number_read(&value, node->text) : NUMBER_NONE;
}

static bool are_numbers(const struct yaml *values)
{
    for (size_t i = 0; values->kind == YAML_LIST && i < values->n; i++) {
        if (form_of(values->items[i]) == NUMBER_NONE)
            return false;
    }
    return true;
}

static enum param_type infer_range_type(const struct entry *e)
{
    for (int key = KEY_MIN; key <= KEY_STEP; key++) {
        if (key != KEY_SCALE && e->given[key] && form_of(e->given[key]->value) == NUMBER_DOUBLE)
            return PARAM_DOUBLE;
    }
    return PARAM_INT;
}

static enum param_type infer_type(const struct entry *e)
{
    if (e->given[KEY_VALUE])
        return PARAM_CONSTANT;
    if (e->given[KEY_VALUES])
        return are_numbers(e->given[KEY_VALUES]->value) ? PARAM_DISCRETE : PARAM_CATEGORICAL;
    return infer_range_type(e);
}

static void read_type(struct entry *e)
{
    e->param.type = infer_type(e);
    if (!e->given[KEY_TYPE])
        return;
    int type = -1;
    const struct field field = {.choices = "double|int|discrete|categorical|constant"};
    read_choice(e->r, &type, &field, e->given[KEY_TYPE]);
    if (type >= 0)
        e->param.type = (enum param_type)type;
}

/* Says which keys are missing and which have no meaning for this type. */
static void check_keys(struct entry *e)
{
    const struct yaml *name = e->pair->key;
    bool is_typed = e->given[KEY_TYPE] || e->given[KEY_MIN] || e->given[KEY_MAX] || e->given[KEY_VALUES] ||
                    e->given[KEY_VALUE];
    if (!is_typed) {
        yaml_fault(e->r->faults, name, "'%s' needs min and max, or values, or a value", name->text);
        return;
    }
    const char *type = type_names[e->param.type];
    for (int key = KEY_MIN; key <= KEY_VALUE; key++) {
        bool takes = type_takes[e->param.type][key], optional = key == KEY_SCALE || key == KEY_STEP;
        if (!takes && e->given[key])
            yaml_fault(e->r->faults, e->given[key]->key, "'%s' has no meaning for %s '%s'", key_names[key],
                       type, name->text);
        if (takes && !e->given[key] && !optional)
            yaml_fault(e->r->faults, name, "'%s' of type %s needs '%s'", name->text, type, key_names[key]);
    }
    if (e->param.type == PARAM_CONSTANT && e->given[KEY_DEFAULT])
        yaml_fault(e->r->faults, e->given[KEY_DEFAULT]->key, "'default' has no meaning for constant '%s'",
                   name->text);
}

/* Values */

static void read_number(struct entry *e, double *target, enum key key)
{
    const struct field any = {.min = -INFINITY, .max = INFINITY};
    if (e->given[key])
        read_double(e->r, target, &any, e->given[key]);
}

static void read_scale(struct entry *e)
{
    int scale = SCALE_LINEAR;
    const struct field scales = {.choices = "linear|log"};
    if (e->given[KEY_SCALE])
        read_choice(e->r, &scale, &scales, e->given[KEY_SCALE]);
    e->param.scale = (enum param_scale)scale;
}

static void read_range(struct entry *e)
{
    read_number(e, &e->param.min, KEY_MIN);
    read_number(e, &e->param.max, KEY_MAX);
    read_number(e, &e->param.step, KEY_STEP);
    read_scale(e);
    if (e->given[KEY_STEP] && e->param.step == 0 && form_of(place_of(e, KEY_STEP)) != NUMBER_NONE)
        yaml_fault(e->r->faults, place_of(e, KEY_STEP), "step (0) of '%s' must be above 0", e->param.name);
}

/* A number is kept as its value, a word as its text; either has the text that commands will see. */
static int set_choice(struct choice *choice, const struct yaml *node)
{
    bool truth;
    enum number_form form = node->is_plain ? number_read(&choice->number, node->text) : NUMBER_NONE;
    struct text text = {0};
    if (form != NUMBER_NONE) {
        choice->type = form == NUMBER_INT ? CHOICE_INT : CHOICE_DOUBLE;
        choice->number += 0.0; /* no negative zero */
        text_append_double(&text, choice->number);
    } else if (yaml_is_bool(&truth, node)) {
        choice->type = CHOICE_BOOL;
        choice->number = truth;
        text_append(&text, truth ? "true" : "false");
    } else {
        choice->type = CHOICE_STRING;
        choice->number = NAN;
        text_append(&text, node->text);
    }
    choice->text = text_take(&text);
    return choice->text ? 0 : ERR_NOMEM;
}

static void add_choice(struct entry *e, const struct yaml *node)
{
    if (node->kind != YAML_SCALAR || yaml_is_empty(node) || yaml_is_null(node)) {
        yaml_fault(e->r->faults, node, "a value of '%s' must be a number, a text, true or false",
                   e->param.name);
        return;
    }
    struct choice *choice = &e->param.choices[e->param.n_choices];
    if (set_choice(choice, node) < 0) {
        e->r->code = ERR_NOMEM;
        return;
    }
    if (e->param.type == PARAM_DISCRETE && choice->type != CHOICE_INT && choice->type != CHOICE_DOUBLE)
        yaml_fault(e->r->faults, node, "value '%.100s' of discrete '%s' is not a number", choice->text,
                   e->param.name);
    e->choice_places[e->param.n_choices++] = node;
}

/* Insertion sort, stable, so that of two equal values the later one is to blame. Lists are short and mostly
 * sorted. */
static void sort_choices(struct entry *e)
{
    struct choice *choices = e->param.choices;
    for (size_t i = 1; i < e->param.n_choices; i++) {
        struct choice choice = choices[i];
        const struct yaml *place = e->choice_places[i];
        size_t at = i;
        for (; at > 0 && choices[at - 1].number > choice.number; at--) {
            choices[at] = choices[at - 1];
            e->choice_places[at] = e->choice_places[at - 1];
        }
        choices[at] = choice;
        e->choice_places[at] = place;
    }
}

static bool are_sortable(const struct param *param)
{
    for (size_t i = 0; i < param->n_choices; i++) {
        if (isnan(param->choices[i].number)) /* a text, or .nan */
            return false;
    }
    return true;
}

static void read_choices(struct entry *e, const struct yaml *const *nodes, size_t n)
{
    e->param.choices = calloc(n + 1, sizeof *e->param.choices);
    e->choice_places = calloc(n + 1, sizeof *e->choice_places);
    if (!e->param.choices || !e->choice_places) {
        e->r->code = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < n && goes_on(e->r); i++)
        add_choice(e, nodes[i]);
    bool are_all = e->param.n_choices == n && are_sortable(&e->param);
    if (e->param.type == PARAM_DISCRETE && are_all)
        sort_choices(e);
}

static void read_values(struct entry *e)
{
    const struct yaml *value = place_of(e, e->param.type == PARAM_CONSTANT ? KEY_VALUE : KEY_VALUES);
    if (e->param.type == PARAM_CONSTANT)
        read_choices(e, &value, 1);
    else if (value->kind != YAML_LIST)
        yaml_fault(e->r->faults, value, "'values' of '%s' must be a list", e->param.name);
    else if (count_values(e->r, value, value->n))
        read_choices(e, (const struct yaml *const *)value->items, value->n);
}

static void take_fault(void *arg, enum param_field field, size_t choice, const char *text)
{
    static const enum key keys[] = {
        [FIELD_MIN] = KEY_MIN,   [FIELD_MAX] = KEY_MAX,       [FIELD_SCALE] = KEY_SCALE,
        [FIELD_STEP] = KEY_STEP, [FIELD_VALUES] = KEY_VALUES, [FIELD_DEFAULT] = KEY_DEFAULT};
    struct entry *e = arg;
    const struct yaml *place = field == FIELD_NAME ? e->pair->key : place_of(e, keys[field]);
    if (field == FIELD_VALUES && choice < e->param.n_choices)
        place = e->choice_places[choice];
    yaml_fault(e->r->faults, place, "%s", text);
}

static void read_default(struct entry *e)
{
    if (!e->given[KEY_DEFAULT])
        return;
    const struct yaml *node = e->given[KEY_DEFAULT]->value;
    struct err err;
    if (node->kind != YAML_SCALAR)
        yaml_fault(e->r->faults, node, "the default of '%s' must be one of its values", e->param.name);
    else if (param_read_text(&e->param.initial, &e->param, node->text, &err) < 0)
        yaml_fault(e->r->faults, node, "default %s", err.text);
}

/* Whatever keys a type needs are there. */
static bool is_whole(const struct entry *e)
{
    for (int key = KEY_MIN; key <= KEY_VALUE; key++) {
        bool optional = key == KEY_SCALE || key == KEY_STEP;
        if (type_takes[e->param.type][key] && !optional && !e->given[key])
            return false;
    }
    return true;
}

/* Goes on after faults of keys and types, as far as there is something to read. */
static void read_ranges_and_values(struct entry *e)
{
    size_t n_faults = e->r->faults->n;
    if (e->param.type == PARAM_DOUBLE || e->param.type == PARAM_INT)
        read_range(e);
    else if (is_whole(e))
        read_values(e);
    if (e->param.type == PARAM_DISCRETE)
        read_scale(e);
    if (e->r->code < 0 || e->r->faults->n > n_faults || !is_whole(e))
        return;
    param_check(&e->param, take_fault, e);
    if (e->r->faults->n == n_faults)
        read_default(e);
}

static void read_entry(struct entry *e)
{
    const struct yaml *name = e->pair->key, *value = e->pair->value;
    if (yaml_is_empty(value)) {
        yaml_fault(e->r->faults, value, "'%s' has nothing in it; are its keys indented?", name->text);
        return;
    }
    if (value->kind != YAML_MAP) {
        yaml_fault(e->r->faults, value,
                   "'%s' must be a map, e.g. {min: 0.1, max: 1}, {values: [a, b]} or {value: 1}", name->text);
        return;
    }
    for (size_t i = 0; i < value->n && goes_on(e->r); i++)
        find_key(e, &value->pairs[i]);
    read_type(e);
    check_keys(e);
    set_string(e->r, &e->param.name, name->text);
    if (e->r->code == 0)
        read_ranges_and_values(e);
}

/* Remembers its name: a fault of its own is no reason to say elsewhere that it does not exist. */
static void keep_faulty_name(struct reader *r, const char *name)
{
    struct spec *spec = r->spec;
    char **names = realloc(spec->faulty_params, (spec->n_faulty_params + 1) * sizeof *names);
    if (!names) {
        r->code = ERR_NOMEM;
        return;
    }
    spec->faulty_params = names;
    names[spec->n_faulty_params] = strdup(name);
    if (!names[spec->n_faulty_params])
        r->code = ERR_NOMEM;
    else
        spec->n_faulty_params++;
}

static void add_entry(struct reader *r, const struct yaml_pair *pair)
{
    struct entry e = {.r = r, .pair = pair, .param.initial = NAN, .n_faults = r->faults->n};
    struct err err;
    read_entry(&e);
    if (has_failed(&e)) {
        param_fini(&e.param);
    } else {
        int code = space_add(r->spec->space, &e.param, &err);
        if (code == ERR_NOMEM)
            r->code = code;
        else if (code < 0)
            yaml_fault(r->faults, pair->key, "%s", err.text);
    }
    if (has_failed(&e) && r->code == 0)
        keep_faulty_name(r, pair->key->text);
    free(e.choice_places);
}

/* Adds every parameter and condition. */
static void read_space(struct reader *r, const struct yaml *map)
{
    if (map->kind != YAML_MAP) {
        yaml_fault(r->faults, map, "'parameters' must be a map, e.g. lr: {min: 0.1, max: 1}");
        return;
    }
    if (map->n > MAX_PARAMS) {
        yaml_fault(r->faults, map, "more than %d parameters", MAX_PARAMS);
        return;
    }
    for (size_t i = 0; i < map->n && goes_on(r); i++)
        add_entry(r, &map->pairs[i]);
    read_conditions(r, map);
}

void read_parameters(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)target; /* the space of r->spec */
    (void)field;  /* the whole section */
    size_t n_faults = r->faults->n;
    read_space(r, pair->value);
    struct err err;
    int code = r->code == 0 && r->faults->n == n_faults ? space_finish(r->spec->space, &err) : 0;
    if (code == ERR_NOMEM)
        r->code = code;
    else if (code < 0)
        yaml_fault(r->faults, pair->key, "%s", err.text);
    r->spec->is_space_partial = r->faults->n > n_faults;
}
