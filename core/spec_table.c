/* The section `table` of a sweep file: where the recorded trainings of `prova simulate` are, and what its
 * columns mean. The table itself is read by driver/recording.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec_reader.h"

#define MAX_REPLICATES 1000
#define MAX_STEPS      1000000

static void read_replicates(struct reader *r, void *target, const struct field *field,
                            const struct yaml_pair *pair)
{
    (void)field; /* a list and its length: the target is the whole struct */
    struct table_source *table = target;
    const struct yaml *list = pair->value;
    if (list->kind != YAML_LIST || list->n == 0 || list->n > MAX_REPLICATES) {
        yaml_fault(r->faults, list, "'replicates' must be a list of columns, at most %d", MAX_REPLICATES);
        return;
    }
    table->replicates = calloc(list->n, sizeof *table->replicates);
    if (!table->replicates) {
        r->code = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < list->n && r->code == 0; i++) {
        const struct yaml *item = list->items[i];
        if (item->kind != YAML_SCALAR || !*item->text)
            yaml_fault(r->faults, item, "a replicate must be the name of a column");
        else
            set_string(r, &table->replicates[table->n_replicates++], item->text);
    }
}

static void read_stepped(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    if (pair->value->kind == YAML_SCALAR && !strstr(pair->value->text, "{step}"))
        yaml_fault(r->faults, pair->value, "'%s' must have {step} in it, e.g. \"loss@{step}\"",
                   pair->key->text);
    else
        read_string(r, target, field, pair);
}

static void read_steps(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair)
{
    struct table_source *table = target;
    const struct yaml *list = pair->value;
    if (list->kind != YAML_LIST || list->n != 2) {
        yaml_fault(r->faults, list, "'steps' must be the first and the last step, e.g. [1, 50]");
        return;
    }
    struct yaml_pair first = {.key = pair->key, .value = list->items[0]};
    struct yaml_pair last = {.key = pair->key, .value = list->items[1]};
    read_int(r, &table->first_step, field, &first);
    read_int(r, &table->last_step, field, &last);
    if (table->last_step < table->first_step || table->last_step - table->first_step >= MAX_STEPS) {
        yaml_fault(r->faults, list, "'steps' must be the first and the last step, at most %d in all",
                   MAX_STEPS);
        table->last_step = table->first_step;
    }
}

static void read_curve(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "column", .read = read_stepped, .offset = offsetof(struct table_source, curve)},
        {.name = "steps", .read = read_steps, .max = 0x1p53},
    };
    (void)field; /* its keys are fields of the table */
    READ_FIELDS(r, target, fields, "curve", pair->value);
    if (pair->value->kind != YAML_MAP)
        return;
    if (!yaml_find_given(pair->value, "column"))
        yaml_fault(r->faults, pair->key, "'column' of 'curve' is missing, e.g. \"loss@{step}\"");
    if (!yaml_find_given(pair->value, "steps"))
        yaml_fault(r->faults, pair->key, "'steps' of 'curve' is missing, e.g. [1, 50]");
}

static void read_truth(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair)
{
    (void)field; /* true or false */
    if (!yaml_is_bool(target, pair->value))
        yaml_fault(r->faults, pair->value, "'%s' must be true or false", pair->key->text);
}

static void read_seconds(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "column", .read = read_string, .offset = offsetof(struct table_source, seconds)},
        {.name = "first", .read = read_string, .offset = offsetof(struct table_source, seconds_first)},
        {.name = "last", .read = read_string, .offset = offsetof(struct table_source, seconds_last)},
        {.name = "cumulative",
         .read = read_truth,
         .offset = offsetof(struct table_source, seconds_cumulative)},
    };
    struct table_source *table = target;
    const struct yaml *map = pair->value;
    if (map->kind == YAML_SCALAR) {
        read_string(r, &table->seconds, field, pair);
        return;
    }
    READ_FIELDS(r, table, fields, "seconds", map);
    bool has_ends = table->seconds_first && table->seconds_last;
    if (map->kind == YAML_MAP && (table->seconds ? table->seconds_first || table->seconds_last : !has_ends))
        yaml_fault(r->faults, map, "'seconds' needs a column, or first and last");
}

void read_table_source(struct reader *r, void *target, const struct field *field,
                       const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "file", .read = read_string, .offset = offsetof(struct table_source, file)},
        {.name = "kind",
         .read = read_choice,
         .offset = offsetof(struct table_source, kind),
         .choices = "sampled|full-factorial"},
        {.name = "lookup",
         .read = read_choice,
         .offset = offsetof(struct table_source, lookup),
         .choices = "nearest|rows"},
        {.name = "observe",
         .read = read_choice,
         .offset = offsetof(struct table_source, observe),
         .choices = "one|mean"},
        {.name = "column", .read = read_string, .offset = offsetof(struct table_source, column)},
        {.name = "replicates", .read = read_replicates},
        {.name = "curve", .read = read_curve},
        {.name = "seconds", .read = read_seconds},
#define NUMBER(key)                                                                                          \
    {.name = #key,                                                                                           \
     .read = read_double,                                                                                    \
     .offset = offsetof(struct table_source, key),                                                           \
     .min = -INFINITY,                                                                                       \
     .max = INFINITY}
        NUMBER(optimum),
        NUMBER(median),
        NUMBER(best_one_percent),
#undef NUMBER
    };
    (void)field; /* the whole section */
    struct table_source *table = target;
    READ_FIELDS(r, table, fields, "table", pair->value);
    if (pair->value->kind != YAML_MAP)
        return;
    if (!yaml_find_given(pair->value, "file"))
        yaml_fault(r->faults, pair->key, "'file' of 'table' is missing: the CSV file with the rows");
    if (table->curve && table->n_replicates > 0)
        yaml_fault(r->faults, pair->key, "'table' may have a curve or replicates, not both");
}
