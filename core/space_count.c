/* How many different points a space has, conditions counted.
 *
 * Parameters that do not depend on each other multiply. Of those that do, one without undecided parents is
 * decided: its values fall into classes under which the same conditions hold, and the points of each class
 * are counted by the same rule. A chain or tree of conditions costs about one step a class; entangled ones
 * may cost more than the universe has, so the steps are counted too. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/space.h"

#define MAX_STEPS 1000000 /* well under a second */

enum standing {
    UNDECIDED,
    INACTIVE,
    OTHER, /* active, with a value that no condition names */
    NAMED  /* active, with `value` */
};

struct decided {
    enum standing standing;
    double value;
};

struct count {
    const struct space *space;
    struct decided *decided; /* [n_params] */
    size_t steps;
    bool failed; /* too many steps, or out of memory */
};

/* Parameters that conditions tie together, in topological order: the first has no undecided parents. */
struct group {
    const size_t *params;
    size_t n;
};

static double count_set(struct count *count, const size_t *params, size_t n);

static bool spend(struct count *count, size_t steps)
{
    count->steps += steps;
    if (count->steps > MAX_STEPS)
        count->failed = true;
    return !count->failed;
}

static bool holds(const struct condition *condition, double value)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        if (condition->values[i] == value)
            return true;
    }
    return false;
}

/* Does a parent that is decided already keep it from being active? */
static bool is_ruled_out(const struct count *count, const struct param *param)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        const struct decided *parent = &count->decided[param->conditions[i].param];
        bool may_hold = parent->standing == UNDECIDED ||
                        (parent->standing == NAMED && holds(&param->conditions[i], parent->value));
        if (!may_hold)
            return true;
    }
    return false;
}

/* The conditions on the first parameter of a group. */
struct dependents {
    size_t n;
    const struct condition **conditions;
    size_t n_values;
    double *values; /* named by any of them, ascending, each once */
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void dependents_fini(struct dependents *dependents)
{
    free(dependents->conditions);
    free(dependents->values);
}

/* Calls for each condition on the group's first parameter; with NULL arrays it only counts. */
static void collect(struct dependents *dependents, const struct count *count, const struct group *group)
{
    dependents->n = dependents->n_values = 0;
    for (size_t i = 1; i < group->n; i++) {
        const struct param *param = &count->space->params[group->params[i]];
        for (size_t j = 0; j < param->n_conditions; j++) {
            const struct condition *condition = &param->conditions[j];
            if (condition->param != group->params[0])
                continue;
            if (dependents->conditions) {
                dependents->conditions[dependents->n] = condition;
                memcpy(dependents->values + dependents->n_values, condition->values,
                       condition->n_values * sizeof *condition->values);
            }
            dependents->n++;
            dependents->n_values += condition->n_values;
        }
    }
}

static bool dependents_init(struct dependents *dependents, struct count *count, const struct group *group)
{
    *dependents = (struct dependents){0};
    collect(dependents, count, group);
    if (!spend(count, dependents->n_values))
        return false;
    const struct condition **conditions = malloc((dependents->n + 1) * sizeof *conditions);
    dependents->values = malloc((dependents->n_values + 1) * sizeof *dependents->values);
    if (!conditions || !dependents->values) {
        free(conditions);
        free(dependents->values);
        count->failed = true;
        return false;
    }
    dependents->conditions = conditions;
    collect(dependents, count, group);
    qsort(dependents->values, dependents->n_values, sizeof *dependents->values, compare);
    size_t n = 0;
    for (size_t i = 0; i < dependents->n_values; i++) {
        if (n == 0 || dependents->values[i] != dependents->values[n - 1])
            dependents->values[n++] = dependents->values[i];
    }
    dependents->n_values = n;
    return true;
}

/* Do the same conditions hold for both values? */
static bool same_class(const struct dependents *dependents, double a, double b)
{
    for (size_t i = 0; i < dependents->n; i++) {
        if (holds(dependents->conditions[i], a) != holds(dependents->conditions[i], b))
            return false;
    }
    return true;
}

static double count_class(struct count *count, const struct group *group, struct decided decided)
{
    count->decided[group->params[0]] = decided;
    double points = count_set(count, group->params + 1, group->n - 1);
    count->decided[group->params[0]] = (struct decided){UNDECIDED, 0};
    return points;
}

/* Takes the class of the first value left out of `values`; returns how many it had. */
static size_t take_class(struct dependents *dependents, double *value)
{
    size_t n = 0;
    *value = dependents->values[0];
    for (size_t i = 0; i < dependents->n_values; i++) {
        if (!same_class(dependents, dependents->values[i], *value))
            dependents->values[n++] = dependents->values[i];
    }
    size_t taken = dependents->n_values - n;
    dependents->n_values = n;
    return taken;
}

static double count_classes(struct count *count, const struct group *group)
{
    struct dependents dependents;
    if (!dependents_init(&dependents, count, group))
        return 0;
    double others = param_cardinality(&count->space->params[group->params[0]]) - (double)dependents.n_values;
    double points = others > 0 ? others * count_class(count, group, (struct decided){OTHER, 0}) : 0;
    while (dependents.n_values > 0 && spend(count, dependents.n_values * dependents.n)) {
        double value;
        double n = (double)take_class(&dependents, &value);
        points += n * count_class(count, group, (struct decided){NAMED, value});
    }
    dependents_fini(&dependents);
    return points;
}

/* The first is active: its parents are decided, and it was not ruled out. */
static double count_group(struct count *count, const struct group *group)
{
    return group->n == 1 ? param_cardinality(&count->space->params[group->params[0]])
                         : count_classes(count, group);
}

static size_t find_root(size_t *parents, size_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

/* Union-find over the conditions within the set. `where` is the place of a parameter in it; a parent that is
 * not decided always has one. */
static void tie(size_t *roots, const struct count *count, const size_t *params, size_t n, size_t *where)
{
    for (size_t i = 0; i < n; i++) {
        roots[i] = i;
        where[params[i]] = i;
        const struct param *param = &count->space->params[params[i]];
        for (size_t j = 0; j < param->n_conditions; j++) {
            size_t parent = param->conditions[j].param;
            if (count->decided[parent].standing == UNDECIDED)
                roots[find_root(roots, i)] = find_root(roots, where[parent]);
        }
    }
}

/* Writes the set group by group, the order within each kept; sizes[g] is how many the g-th has. */
static size_t split(size_t *grouped, size_t *sizes, size_t *roots, const size_t *params, size_t n,
                    size_t *starts)
{
    size_t n_groups = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        starts[i] = 0;
    for (size_t i = 0; i < n; i++)
        starts[find_root(roots, i)]++;
    for (size_t i = 0; i < n; i++) {
        size_t size = starts[i];
        starts[i] = at;
        at += size;
        if (size > 0)
            sizes[n_groups++] = size;
    }
    for (size_t i = 0; i < n; i++)
        grouped[starts[find_root(roots, i)]++] = params[i];
    return n_groups;
}

/* Decides that parameters that are ruled out are inactive; writes the others to `open` and returns how many.
 */
static size_t rule_out(size_t *open, struct count *count, const size_t *params, size_t n)
{
    size_t n_open = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_ruled_out(count, &count->space->params[params[i]]))
            count->decided[params[i]].standing = INACTIVE;
        else
            open[n_open++] = params[i];
    }
    return n_open;
}

static double count_groups(struct count *count, const size_t *open, size_t n, size_t *work)
{
    size_t *grouped = work, *sizes = work + n, *roots = work + 2 * n, *starts = work + 3 * n;
    tie(roots, count, open, n, work + 4 * n);
    size_t n_groups = split(grouped, sizes, roots, open, n, starts);
    double points = 1;
    for (size_t i = 0, at = 0; i < n_groups; at += sizes[i++])
        points *= count_group(count, &(struct group){grouped + at, sizes[i]});
    return points;
}

/* `params` in topological order, none of them decided. */
static double count_set(struct count *count, const size_t *params, size_t n)
{
    if (n == 0 || !spend(count, n))
        return 1;
    size_t *work = malloc((5 * n + count->space->n_params) * sizeof *work);
    if (!work) {
        count->failed = true;
        return 1;
    }
    size_t n_open = rule_out(work, count, params, n);
    double points = n_open > 0 ? count_groups(count, work, n_open, work + n) : 1;
    for (size_t i = 0; i < n; i++)
        count->decided[params[i]].standing = UNDECIDED;
    free(work);
    return points;
}

static double product(const struct space *space)
{
    double points = 1;
    for (size_t i = 0; i < space->n_params; i++)
        points *= param_cardinality(&space->params[i]) + (space->params[i].n_conditions > 0);
    return points;
}

double space_cardinality(const struct space *space)
{
    struct count count = {.space = space, .decided = calloc(space->n_params + 1, sizeof *count.decided)};
    count.failed = !count.decided;
    double points = count.failed ? 0 : count_set(&count, space->order, space->n_params);
    free(count.decided);
    return count.failed ? product(space) : points;
}
