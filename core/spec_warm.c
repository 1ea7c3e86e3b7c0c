/* Section warm_start of a sweep file: points that are known or to be tried first, or where they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/spec_reader.h"

/* Where one of the points is read. */
struct warm_reader {
    struct reader *r;
    double *point; /* [n_params] */
    struct warm_point known;
};

static bool is_value_key(const struct spec *spec, const char *key)
{
    return strcmp(key, "value") == 0 || strcmp(key, spec->metric.name) == 0;
}

static void read_known(struct warm_reader *w, const struct yaml *value)
{
    double number;
    if (value->kind == YAML_SCALAR && yaml_is_null(value))
        return;
    if (value->kind != YAML_SCALAR || number_read(&number, value->text) == NUMBER_NONE) {
        yaml_fault(w->r->faults, value, "the value of a point must be a number (.nan: it has failed)");
        return;
    }
    w->known = isfinite(number) ? (struct warm_point){.kind = WARM_VALUE, .value = number}
                                : (struct warm_point){.kind = WARM_FAILED, .value = NAN};
}

static void fault_unknown(struct reader *r, const struct yaml *key)
{
    const struct space *space = r->spec->space;
    struct nearest nearest = nearest_in_file(r, key->text);
    for (size_t i = 0; i < space->n_params; i++)
        nearest_offer(&nearest, space->params[i].name);
    const char *name = nearest.name;
    yaml_fault(r->faults, key, "no parameter is called '%s'%s%s%s", key->text, name ? "; did you mean '" : "",
               name ? name : "", name ? "'?" : "");
}

static void read_pair(struct warm_reader *w, const struct yaml_pair *pair)
{
    struct reader *r = w->r;
    struct err err = {0};
    int param = space_find(r->spec->space, pair->key->text);
    if (!is_given(r, pair))
        return;
    if (param < 0 && is_value_key(r->spec, pair->key->text))
        read_known(w, pair->value);
    else if (param < 0)
        fault_unknown(r, pair->key);
    else if (pair->value->kind != YAML_SCALAR)
        yaml_fault(r->faults, pair->value, "the value of '%s' must be a number or a text", pair->key->text);
    else if (param_read_text(&w->point[param], &r->spec->space->params[param], pair->value->text, &err) < 0)
        yaml_fault(r->faults, pair->value, "%s", err.text);
}

static void read_point(struct warm_reader *w, const struct yaml *map)
{
    struct reader *r = w->r;
    struct warm_start *warm = &r->spec->warm_start;
    size_t n_faults = r->faults->n;
    struct err err = {0};
    w->known = (struct warm_point){.value = NAN};
    for (size_t i = 0; i < r->spec->space->n_params; i++)
        w->point[i] = NAN;
    if (map->kind != YAML_MAP)
        yaml_fault(r->faults, map, "a point must be a map, e.g. {lr: 0.1, value: 0.93}");
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
        read_pair(w, &map->pairs[i]);
    if (r->faults->n > n_faults)
        return;
    int code = warm_start_complete(w->point, r->spec->space, w->known.kind == WARM_TRY, &err);
    if (code == 0)
        code = warm_start_add(warm, r->spec->space, w->point, w->known, &err);
    if (code == ERR_NOMEM)
        r->code = code;
    else if (code < 0)
        yaml_fault(r->faults, map, "%s", err.text);
}

static void read_points(struct reader *r, void *target, const struct field *field,
                        const struct yaml_pair *pair)
{
    (void)target, (void)field; /* all of the section is one struct */
    struct warm_reader w = {.r = r};
    if (pair->value->kind != YAML_LIST) {
        yaml_fault(r->faults, pair->value, "'points' must be a list of maps, e.g. [{lr: 0.1}, {lr: 0.3}]");
        return;
    }
    w.point = calloc(r->spec->space->n_params + 1, sizeof *w.point);
    if (!w.point)
        r->code = ERR_NOMEM;
    for (size_t i = 0; i < pair->value->n && goes_on(r); i++)
        read_point(&w, pair->value->items[i]);
    free(w.point);
}

static void read_table(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair)
{
    (void)field; /* the table goes to several fields */
    struct err err = {0};
    if (pair->value->kind != YAML_SCALAR) {
        yaml_fault(r->faults, pair->value, "'table' must be a text: lines of values with commas between");
        return;
    }
    int code = warm_start_read_table(target, r->spec->space, r->spec->metric.name, pair->value->text,
                                     strlen(pair->value->text), &err);
    if (code == ERR_NOMEM)
        r->code = code;
    else if (code < 0)
        yaml_fault(r->faults, pair->value, "%s", err.text);
}

/* Whether rows of other spaces may be left out concerns the table, wherever it stands. */
static void read_unfit(struct reader *r, struct warm_start *warm, const struct yaml *section)
{
    static const struct field field = {.name = "unfit", .choices = "refuse|skip"};
    const struct yaml_pair *unfit = yaml_find_given(section, "unfit");
    int choice = 0;
    if (unfit && !yaml_is_empty(unfit->value))
        read_choice(r, &choice, &field, unfit);
    warm->skips_unfit = choice == 1;
}

static void pass_over(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)r, (void)target, (void)field, (void)pair; /* read before the others */
}

static void check_sources(struct reader *r, const struct yaml_pair *section)
{
    const struct warm_start *warm = &r->spec->warm_start;
    const struct yaml_pair *database = yaml_find_given(section->value, "database");
    if (database && !warm->experiment)
        yaml_fault(r->faults, database->key,
                   "'database' is where an experiment is looked for: 'experiment' "
                   "is missing");
    if (!warm->csv && !warm->experiment && !yaml_find_given(section->value, "points") &&
        !yaml_find_given(section->value, "table"))
        yaml_fault(r->faults, section->key, "'warm_start' needs points, table, csv or experiment");
}

void read_warm_start(struct reader *r, const struct yaml *root)
{
    static const struct field fields[] = {
        {.name = "points", .read = read_points},
        {.name = "table", .read = read_table},
        {.name = "csv", .read = read_string, .offset = offsetof(struct warm_start, csv)},
        {.name = "experiment", .read = read_string, .offset = offsetof(struct warm_start, experiment)},
        {.name = "database", .read = read_string, .offset = offsetof(struct warm_start, database)},
        {.name = "unfit", .read = pass_over},
    };
    const struct yaml_pair *section = yaml_find_given(root, "warm_start");
    struct warm_start *warm = &r->spec->warm_start;
    if (!section || yaml_is_empty(section->value) || r->code < 0)
        return; /* an empty one has its fault already */
    warm->line = section->value->line;
    warm->column = section->value->column;
    if (section->value->kind == YAML_SCALAR) { /* `warm_start: NAME` is short for {experiment: NAME} */
        set_string(r, &warm->experiment, section->value->text);
        return;
    }
    /* Points cannot be judged by half a space; what is wrong with that is told first. */
    if (section->value->kind == YAML_MAP && r->spec->is_space_partial)
        return;
    read_unfit(r, warm, section->value);
    READ_FIELDS(r, warm, fields, "warm_start", section->value);
    if (section->value->kind == YAML_MAP)
        check_sources(r, section);
}
