/* The conditions between parameters: `when: {solver: [sgd]}`. They are read when all parameters are known,
 * and each is refused that would close a cycle, so the place of the fault is that of the condition to blame.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec_reader.h"

/* One key of a `when`. */
struct link {
    struct reader *r;
    const struct yaml *parameters;
    const struct yaml_pair *pair; /* parent: values */
    const char *child_name;
    struct param *child; /* in the space; NULL: it is faulty, but its conditions are checked all the same */
    size_t parent;       /* in the space */
};

/* Does `from` depend on `on`, through any number of conditions? `seen` is [n_params]. */
static bool depends(const struct space *space, size_t from, size_t on, bool *seen)
{
    if (from == on)
        return true;
    seen[from] = true;
    const struct param *param = &space->params[from];
    for (size_t i = 0; i < param->n_conditions; i++) {
        size_t parent = param->conditions[i].param;
        if (!seen[parent] && depends(space, parent, on, seen))
            return true;
    }
    return false;
}

static bool closes_cycle(struct link *link)
{
    const struct space *space = link->r->spec->space;
    bool *seen = calloc(space->n_params, sizeof *seen);
    if (!seen) {
        link->r->code = ERR_NOMEM;
        return true;
    }
    bool is_cycle = depends(space, link->parent, (size_t)(link->child - space->params), seen);
    free(seen);
    if (is_cycle)
        yaml_fault(link->r->faults, link->pair->key, "'%s' cannot depend on '%s', which depends on it",
                   link->child_name, link->pair->key->text);
    return is_cycle;
}

static void add_value(struct link *link, struct condition *condition, const struct yaml *node)
{
    const struct param *parent = &link->r->spec->space->params[link->parent];
    struct err err;
    if (node->kind != YAML_SCALAR)
        yaml_fault(link->r->faults, node, "a condition on '%s' needs its values", parent->name);
    else if (param_read_text(&condition->values[condition->n_values], parent, node->text, &err) < 0)
        yaml_fault(link->r->faults, node, "%s", err.text);
    else
        condition->n_values++;
}

static void read_condition(struct link *link, struct condition *condition)
{
    const struct yaml *value = link->pair->value;
    bool is_list = value->kind == YAML_LIST;
    size_t n = is_list ? value->n : 1;
    *condition = (struct condition){.param = link->parent};
    if (n == 0) {
        yaml_fault(link->r->faults, value, "a condition on '%s' needs its values", link->pair->key->text);
        return;
    }
    if (!count_values(link->r, value, n))
        return;
    condition->values = malloc(n * sizeof *condition->values);
    if (!condition->values) {
        link->r->code = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < n && goes_on(link->r); i++)
        add_value(link, condition, is_list ? value->items[i] : value);
}

/* Takes its values. */
static int keep_condition(struct param *child, const struct condition *condition)
{
    size_t n = child->n_conditions + 1;
    struct condition *conditions = realloc(child->conditions, n * sizeof *conditions);
    if (!conditions)
        return ERR_NOMEM;
    child->conditions = conditions;
    conditions[n - 1] = *condition;
    child->n_conditions = n;
    return 0;
}

static void add_condition(struct link *link)
{
    struct space *space = link->r->spec->space;
    if (isinf(param_cardinality(&space->params[link->parent]))) {
        yaml_fault(link->r->faults, link->pair->key,
                   "'%s' is continuous: a condition needs a parameter with values or a step",
                   link->pair->key->text);
        return;
    }
    struct condition condition;
    read_condition(link, &condition);
    if (link->r->code == 0 && link->child && !closes_cycle(link)) {
        link->r->code = keep_condition(link->child, &condition);
        if (link->r->code == 0)
            return;
    }
    free(condition.values);
}

static void fault_parent(struct link *link)
{
    const char *name = link->pair->key->text;
    if (yaml_find(link->parameters, name)) /* it is there, but faulty itself */
        return;
    struct nearest nearest = nearest_in_file(link->r, name);
    for (size_t i = 0; i < link->parameters->n; i++)
        nearest_offer(&nearest, link->parameters->pairs[i].key->text);
    const char *meant = nearest.name;
    yaml_fault(link->r->faults, link->pair->key, "unknown parameter '%s' in 'when' of '%s'%s%s%s", name,
               link->child_name, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static void read_when(struct reader *r, const struct yaml *parameters, const struct yaml_pair *child,
                      const struct yaml *when)
{
    if (when->kind != YAML_MAP) {
        yaml_fault(r->faults, when, "'when' must be a map, e.g. {solver: [sgd]}");
        return;
    }
    struct space *space = r->spec->space;
    int at = space_find(space, child->key->text);
    for (size_t i = 0; i < when->n && goes_on(r); i++) {
        const struct yaml_pair *pair = &when->pairs[i];
        struct link link = {r, parameters, pair, child->key->text, at >= 0 ? &space->params[at] : NULL, 0};
        int parent = space_find(space, pair->key->text);
        if (!is_given(r, pair))
            continue;
        link.parent = (size_t)parent;
        if (parent < 0)
            fault_parent(&link);
        else
            add_condition(&link);
    }
}

void read_conditions(struct reader *r, const struct yaml *parameters)
{
    for (size_t i = 0; i < parameters->n && goes_on(r); i++) {
        const struct yaml_pair *pair = &parameters->pairs[i];
        const struct yaml_pair *when = yaml_find_given(pair->value, "when");
        if (when && !yaml_is_empty(when->value)) /* whose fault is there already */
            read_when(r, parameters, pair, when->value);
    }
}
