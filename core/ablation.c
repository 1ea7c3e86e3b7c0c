/* The plan of an ablation study. Variants are kept as what the user would list, not as all that is left out,
 * so that a study of n components has a plan of O(n) in mode `only` too. */
#include "core/ablation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

static const char *const kind_names[] = {"feature", "layer", "module", "parameter", "group", "variant"};

const char *component_kind_name(enum component_kind kind)
{
    return kind_names[kind];
}

int component_kind_parse(const char *name, size_t size)
{
    for (int kind = 0; kind < N_COMPONENT_KINDS; kind++) {
        if (strlen(kind_names[kind]) == size && memcmp(kind_names[kind], name, size) == 0)
            return kind;
    }
    return -1;
}

struct ablation *ablation_create(void)
{
    struct ablation *ablation = calloc(1, sizeof *ablation);
    if (!ablation)
        return NULL;
    ablation->modes = ABLATION_LOCO;
    ablation->with_members = true;
    ablation->repeats = 1;
    ablation->confidence = 0.95;
    return ablation;
}

static void free_variants(struct variant *variants, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(variants[i].listed);
    free(variants);
}

void ablation_destroy(struct ablation *ablation)
{
    if (!ablation)
        return;
    for (size_t i = 0; i < ablation->n_components; i++) {
        free(ablation->components[i].name);
        free(ablation->components[i].members);
        free(ablation->components[i].changes);
    }
    free(ablation->components);
    free(ablation->base);
    free_variants(ablation->sets, ablation->n_sets);
    free_variants(ablation->variants, ablation->n_variants);
    free(ablation);
}

struct component *ablation_add(struct ablation *ablation, enum component_kind kind, const char *name)
{
    struct component *list =
        realloc(ablation->components, (ablation->n_components + 1) * sizeof *ablation->components);
    if (!list)
        return NULL;
    ablation->components = list;
    struct component *component = &list[ablation->n_components];
    *component = (struct component){.kind = kind, .name = strdup(name), .has_own_trials = true};
    if (!component->name)
        return NULL;
    ablation->n_components++;
    return component;
}

int change_add(struct change **list, size_t *n, struct change change)
{
    struct change *grown = realloc(*list, (*n + 1) * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    *list = grown;
    grown[(*n)++] = change;
    return 0;
}

int variant_list(struct variant *variant, size_t component)
{
    size_t *listed = realloc(variant->listed, (variant->n_listed + 1) * sizeof *listed);
    if (!listed)
        return ERR_NOMEM;
    variant->listed = listed;
    listed[variant->n_listed++] = component;
    return 0;
}

/* Names */

static bool is_called(const struct component *component, const char *name)
{
    return strcmp(component->name, name) == 0;
}

int ablation_find(const struct ablation *ablation, const char *name)
{
    const char *colon = strchr(name, ':');
    int kind = colon ? component_kind_parse(name, (size_t)(colon - name)) : -1;
    int found = -1;
    for (size_t i = 0; i < ablation->n_components; i++) {
        const struct component *component = &ablation->components[i];
        if (kind >= 0 && component->kind == (enum component_kind)kind && is_called(component, colon + 1))
            return (int)i;
        if (is_called(component, name))
            found = found == -1 ? (int)i : -2;
    }
    return found;
}

/* The plan */

static bool has_member(const struct component *group, size_t member)
{
    for (size_t i = 0; i < group->n_members; i++) {
        if (group->members[i] == member)
            return true;
    }
    return false;
}

/* Is all of `part` in `whole` as well? */
static bool covers(const struct ablation *ablation, size_t whole, size_t part)
{
    const struct component *outer = &ablation->components[whole], *inner = &ablation->components[part];
    if (outer->kind != COMPONENT_GROUP)
        return false;
    if (inner->kind != COMPONENT_GROUP)
        return has_member(outer, part);
    for (size_t i = 0; i < inner->n_members; i++) {
        if (!has_member(outer, inner->members[i]))
            return false;
    }
    return true;
}

struct plan {
    struct ablation *ablation;
    size_t capacity;
};

static int add_variant(struct plan *plan, bool is_only, size_t n_listed, const size_t *listed)
{
    struct ablation *ablation = plan->ablation;
    if (ablation->n_variants == ABLATION_MAX_VARIANTS)
        return ERR_FULL;
    if (ablation->n_variants == plan->capacity) {
        size_t capacity = 2 * plan->capacity + 16;
        struct variant *grown = realloc(ablation->variants, capacity * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        ablation->variants = grown;
        plan->capacity = capacity;
    }
    struct variant *variant = &ablation->variants[ablation->n_variants];
    *variant = (struct variant){.is_only = is_only, .n_listed = n_listed};
    if (n_listed > 0) {
        variant->listed = malloc(n_listed * sizeof *listed);
        if (!variant->listed)
            return ERR_NOMEM;
        memcpy(variant->listed, listed, n_listed * sizeof *listed);
    }
    ablation->n_variants++;
    return 0;
}

/* One variant for each component; the user's own have one in every mode. */
static int add_single(struct plan *plan, bool is_only)
{
    const struct ablation *ablation = plan->ablation;
    int code = 0;
    for (size_t i = 0; i < ablation->n_components && code == 0; i++) {
        const struct component *component = &ablation->components[i];
        if (component->has_own_trials && component->kind != COMPONENT_VARIANT)
            code = add_variant(plan, is_only, 1, &i);
    }
    return code;
}

static int add_own(struct plan *plan)
{
    const struct ablation *ablation = plan->ablation;
    int code = 0;
    for (size_t i = 0; i < ablation->n_components && code == 0; i++) {
        if (ablation->components[i].kind == COMPONENT_VARIANT)
            code = add_variant(plan, false, 1, &i);
    }
    return code;
}

/* A group and what is in it make no pair: to leave out both is to leave out the group. */
static bool is_pair(const struct ablation *ablation, size_t a, size_t b)
{
    const struct component *first = &ablation->components[a], *second = &ablation->components[b];
    return first->has_own_trials && second->has_own_trials && first->kind != COMPONENT_VARIANT &&
           second->kind != COMPONENT_VARIANT && !covers(ablation, a, b) && !covers(ablation, b, a);
}

static int add_pairs(struct plan *plan)
{
    const struct ablation *ablation = plan->ablation;
    int code = 0;
    for (size_t i = 0; i < ablation->n_components && code == 0; i++) {
        for (size_t j = i + 1; j < ablation->n_components && code == 0; j++) {
            if (is_pair(ablation, i, j))
                code = add_variant(plan, false, 2, (size_t[]){i, j});
        }
    }
    return code;
}

/* A set of one component that has its variant already is that one. */
static int add_sets(struct plan *plan)
{
    const struct ablation *ablation = plan->ablation;
    int code = 0;
    for (size_t i = 0; i < ablation->n_sets && code == 0; i++) {
        const struct variant *set = &ablation->sets[i];
        const struct component *first = &ablation->components[set->listed[0]];
        bool is_there =
            set->n_listed == 1 && (first->kind == COMPONENT_VARIANT ||
                                   (first->has_own_trials && (ablation->modes & ABLATION_LOCO) != 0));
        if (!is_there)
            code = add_variant(plan, false, set->n_listed, set->listed);
    }
    return code;
}

int ablation_plan(struct ablation *ablation)
{
    struct plan plan = {.ablation = ablation};
    int code = add_variant(&plan, false, 0, NULL);
    if (code == 0 && (ablation->modes & ABLATION_LOCO))
        code = add_single(&plan, false);
    if (code == 0)
        code = add_own(&plan);
    if (code == 0 && (ablation->modes & ABLATION_ONLY))
        code = add_single(&plan, true);
    if (code == 0 && (ablation->modes & ABLATION_PAIRS))
        code = add_pairs(&plan);
    if (code == 0 && (ablation->modes & ABLATION_SETS))
        code = add_sets(&plan);
    return code;
}

/* A trial's part */

uint64_t ablation_n_trials(const struct ablation *ablation)
{
    return (uint64_t)ablation->n_variants * (uint64_t)ablation->repeats;
}

size_t ablation_variant(const struct ablation *ablation, uint64_t trial)
{
    return (size_t)((trial - 1) % ablation->n_variants);
}

uint64_t ablation_repeat(const struct ablation *ablation, uint64_t trial)
{
    return (trial - 1) / ablation->n_variants;
}

static bool lists(const struct ablation *ablation, const struct variant *variant, size_t component)
{
    for (size_t i = 0; i < variant->n_listed; i++) {
        if (variant->listed[i] == component || covers(ablation, variant->listed[i], component))
            return true;
    }
    return false;
}

bool ablation_is_out(const struct ablation *ablation, size_t variant, size_t index)
{
    const struct variant *v = &ablation->variants[variant];
    const struct component *component = &ablation->components[index];
    if (component->kind == COMPONENT_VARIANT)
        return !v->is_only && lists(ablation, v, index);
    if (component->kind != COMPONENT_GROUP)
        return lists(ablation, v, index) != v->is_only;
    for (size_t i = 0; i < component->n_members; i++) {
        if (lists(ablation, v, component->members[i]) == v->is_only)
            return false;
    }
    return true;
}

static void apply(double *point, size_t n, const struct change *changes)
{
    for (size_t i = 0; i < n; i++)
        point[changes[i].param] = changes[i].value;
}

void ablation_point(double *point, const struct ablation *ablation, const struct space *space, size_t variant)
{
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[i];
        point[i] = isnan(param->initial) ? param_from_unit(param, 0.5) : param->initial;
    }
    apply(point, ablation->n_base, ablation->base);
    for (size_t i = 0; i < ablation->n_components; i++) {
        const struct component *component = &ablation->components[i];
        if (component->n_changes > 0 && ablation_is_out(ablation, variant, i))
            apply(point, component->n_changes, component->changes);
    }
    space_settle(point, space, NULL); /* of the inactive ones */
}

/* As text */

void component_write(struct text *out, const struct component *component)
{
    text_printf(out, "%s:%s", component_kind_name(component->kind), component->name);
}

void ablation_write_variant(struct text *out, const struct ablation *ablation, size_t variant)
{
    const struct variant *v = &ablation->variants[variant];
    text_append(out, v->n_listed == 0 ? "base" : v->is_only ? "only " : "");
    for (size_t i = 0; i < v->n_listed; i++) {
        text_append(out, i > 0 ? " + " : "");
        component_write(out, &ablation->components[v->listed[i]]);
    }
}

void ablation_write_out(struct text *out, const struct ablation *ablation, size_t variant)
{
    const char *comma = "";
    for (size_t i = 0; i < ablation->n_components; i++) {
        if (!ablation_is_out(ablation, variant, i))
            continue;
        text_append(out, comma);
        component_write(out, &ablation->components[i]);
        comma = ",";
    }
}

bool ablated_has(const char *ablated, const char *kind, const char *name)
{
    size_t kind_size = strlen(kind), name_size = strlen(name);
    while (*ablated) {
        size_t size = strcspn(ablated, ",");
        if (size == kind_size + 1 + name_size && memcmp(ablated, kind, kind_size) == 0 &&
            ablated[kind_size] == ':' && memcmp(ablated + kind_size + 1, name, name_size) == 0)
            return true;
        ablated += size + (ablated[size] == ',');
    }
    return false;
}
