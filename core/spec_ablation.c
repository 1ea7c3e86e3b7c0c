/* The section `ablation`: what can be left out, and which trials are to be made of it. It is read when the
 * parameters are known, because it may change them.
 *
 * Lists of names first, then what refers to them: groups and sets. A name that is faulty is not in the study,
 * so a reference to it is a fault of its own; that is why references are not read after a faulty list. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/ablation.h"
#include "core/spec_reader.h"

#define MAX_COMPONENT_NAME 128

struct section {
    struct reader *r;
    struct ablation *ablation;
    const struct yaml *map;
};

static bool goes_on_here(const struct section *s)
{
    return goes_on(s->r);
}

static const struct yaml_pair *find(const struct section *s, const char *key)
{
    return yaml_find_given(s->map, key);
}

/* Names */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

/* A name that a list of components can hold, and a line can show. */
static bool is_component_name(const struct section *s, const struct yaml *node, const char *what)
{
    const char *text = node->kind == YAML_SCALAR ? node->text : NULL;
    size_t size = text ? strlen(text) : 0;
    if (!text)
        yaml_fault(s->r->faults, node, "the name of a %s must be a text", what);
    else if (size == 0 || yaml_is_null(node) || yaml_is_empty(node))
        yaml_fault(s->r->faults, node, "the name of a %s is empty", what);
    else if (size > MAX_COMPONENT_NAME)
        yaml_fault(s->r->faults, node, "the name of a %s is longer than %d bytes", what, MAX_COMPONENT_NAME);
    else if (strchr(text, ',') || has_control(text) || is_blank(text[0]) || is_blank(text[size - 1]))
        yaml_fault(s->r->faults, node,
                   "the name of a %s must have no comma, no control character, and no blank at its ends",
                   what);
    else
        return true;
    return false;
}

static struct component *add(struct section *s, enum component_kind kind, const struct yaml *node,
                             const char *name)
{
    struct ablation *ablation = s->ablation;
    for (size_t i = 0; i < ablation->n_components; i++) {
        const struct component *other = &ablation->components[i];
        if (other->kind == kind && strcmp(other->name, name) == 0) {
            yaml_fault(s->r->faults, node, "%s '%s' is there twice", component_kind_name(kind), name);
            return NULL;
        }
    }
    if (ablation->n_components == ABLATION_MAX_COMPONENTS) {
        yaml_fault(s->r->faults, node, "more than %d components", ABLATION_MAX_COMPONENTS);
        return NULL;
    }
    struct component *component = ablation_add(ablation, kind, name);
    if (!component)
        s->r->code = ERR_NOMEM;
    return component;
}

static void add_named(struct section *s, enum component_kind kind, const struct yaml *node)
{
    if (is_component_name(s, node, component_kind_name(kind)))
        (void)add(s, kind, node, node->text); /* a fault, or out of memory, is kept */
}

/* A list of names, or one. */
static void read_names(struct section *s, const char *key, enum component_kind kind)
{
    const struct yaml_pair *pair = find(s, key);
    if (!pair)
        return;
    const struct yaml *value = pair->value;
    if (value->kind == YAML_MAP)
        yaml_fault(s->r->faults, value, "'%s' must be a list of names", key);
    else if (value->kind == YAML_SCALAR)
        add_named(s, kind, value);
    else if (value->n == 0)
        yaml_fault(s->r->faults, value, "'%s' is empty", key);
    else if (count_values(s->r, value, value->n))
        for (size_t i = 0; i < value->n && goes_on_here(s); i++)
            add_named(s, kind, value->items[i]);
}

/* Values of parameters */

static void fault_parameter(const struct section *s, const struct yaml *key)
{
    const struct space *space = s->r->spec->space;
    if (spec_has_param(s->r->spec, key->text))
        return; /* it is there, but faulty itself */
    struct nearest nearest = nearest_in_file(s->r, key->text);
    for (size_t i = 0; i < space->n_params; i++)
        nearest_offer(&nearest, space->params[i].name);
    yaml_fault(s->r->faults, key, "no parameter is called '%s'%s%s%s", key->text,
               nearest.name ? "; did you mean '" : "", nearest.name ? nearest.name : "",
               nearest.name ? "'?" : "");
}

/* name: value */
static bool read_change(const struct section *s, struct change *change, const struct yaml_pair *pair)
{
    const struct space *space = s->r->spec->space;
    int param = space_find(space, pair->key->text);
    struct err err;
    if (param < 0) {
        fault_parameter(s, pair->key);
        return false;
    }
    *change = (struct change){.param = (size_t)param};
    if (pair->value->kind != YAML_SCALAR || yaml_is_empty(pair->value) || yaml_is_null(pair->value))
        yaml_fault(s->r->faults, pair->value, "'%s' needs a value", pair->key->text);
    else if (param_read_text(&change->value, &space->params[param], pair->value->text, &err) < 0)
        yaml_fault(s->r->faults, pair->value, "%s", err.text);
    else
        return true;
    return false;
}

static void read_changes(struct section *s, struct change **list, size_t *n, const struct yaml_pair *section)
{
    if (section->value->kind != YAML_MAP) {
        yaml_fault(s->r->faults, section->value, "'%s' must be a map of parameters and their values",
                   section->key->text);
        return;
    }
    for (size_t i = 0; i < section->value->n && goes_on_here(s); i++) {
        struct change change;
        if (read_change(s, &change, &section->value->pairs[i]) && change_add(list, n, change) < 0)
            s->r->code = ERR_NOMEM;
    }
}

static void read_base(struct section *s)
{
    const struct yaml_pair *pair = find(s, "base");
    if (pair)
        read_changes(s, &s->ablation->base, &s->ablation->n_base, pair);
}

/* parameters: {dropout: 0}: the value that each is set back to. */
static void read_references(struct section *s)
{
    const struct yaml_pair *pair = find(s, "parameters");
    if (!pair)
        return;
    if (pair->value->kind != YAML_MAP) {
        yaml_fault(s->r->faults, pair->value,
                   "'parameters' must be a map of parameters and the values they are set back to");
        return;
    }
    for (size_t i = 0; i < pair->value->n && goes_on_here(s); i++) {
        const struct yaml_pair *reference = &pair->value->pairs[i];
        struct change change;
        if (!read_change(s, &change, reference))
            continue;
        struct component *component = add(s, COMPONENT_PARAMETER, reference->key, reference->key->text);
        if (component && change_add(&component->changes, &component->n_changes, change) < 0)
            s->r->code = ERR_NOMEM;
    }
}

/* variants: names, or a map of names and the parameters that each changes. */
static void read_variants(struct section *s)
{
    const struct yaml_pair *pair = find(s, "variants");
    if (!pair || pair->value->kind != YAML_MAP) {
        read_names(s, "variants", COMPONENT_VARIANT);
        return;
    }
    for (size_t i = 0; i < pair->value->n && goes_on_here(s); i++) {
        const struct yaml_pair *variant = &pair->value->pairs[i];
        if (!is_component_name(s, variant->key, "variant"))
            continue;
        struct component *component = add(s, COMPONENT_VARIANT, variant->key, variant->key->text);
        if (component && !yaml_is_null(variant->value) && !yaml_is_empty(variant->value))
            read_changes(s, &component->changes, &component->n_changes, variant);
    }
}

/* References to components */

static void fault_unknown(const struct section *s, const struct yaml *node)
{
    const struct ablation *ablation = s->ablation;
    struct nearest nearest = nearest_in_file(s->r, node->text);
    for (size_t i = 0; i < ablation->n_components; i++)
        nearest_offer(&nearest, ablation->components[i].name);
    yaml_fault(s->r->faults, node, "no component is called '%.140s'%s%s%s", node->text,
               nearest.name ? "; did you mean '" : "", nearest.name ? nearest.name : "",
               nearest.name ? "'?" : "");
}

/* Index of the component that a node names; -1: none, which is a fault. */
static int find_named(const struct section *s, const struct yaml *node)
{
    if (node->kind != YAML_SCALAR || yaml_is_empty(node) || yaml_is_null(node) || !*node->text) {
        yaml_fault(s->r->faults, node, "the name of a component was expected");
        return -1;
    }
    int index = ablation_find(s->ablation, node->text);
    if (index == -1)
        fault_unknown(s, node);
    else if (index == -2)
        yaml_fault(s->r->faults, node,
                   "'%.140s' is the name of several components: write it with its kind, e.g. feature:%.100s",
                   node->text, node->text);
    return index < 0 ? -1 : index;
}

static bool has(const size_t *list, size_t n, size_t value)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == value)
            return true;
    }
    return false;
}

/* Adds what each item of a list names. */
static void list_named(struct section *s, struct variant *out, const struct yaml *list)
{
    if (!count_values(s->r, list, list->n))
        return;
    for (size_t i = 0; i < list->n && goes_on_here(s); i++) {
        int index = find_named(s, list->items[i]);
        if (index < 0)
            continue;
        if (has(out->listed, out->n_listed, (size_t)index))
            yaml_fault(s->r->faults, list->items[i], "'%s' is there twice", list->items[i]->text);
        else if (variant_list(out, (size_t)index) < 0)
            s->r->code = ERR_NOMEM;
    }
}

/* Everything whose name begins so, the kinds that a group can have. "sensor_*" is "sensor_". */
static void list_prefixed(struct section *s, struct variant *out, const struct yaml *node)
{
    size_t size = strlen(node->text);
    size -= size > 0 && node->text[size - 1] == '*';
    for (size_t i = 0; i < s->ablation->n_components && s->r->code == 0; i++) {
        const struct component *component = &s->ablation->components[i];
        if (component->kind <= COMPONENT_PARAMETER && strncmp(component->name, node->text, size) == 0 &&
            variant_list(out, i) < 0)
            s->r->code = ERR_NOMEM;
    }
    if (out->n_listed == 0 && s->r->code == 0)
        yaml_fault(s->r->faults, node,
                   "no feature, layer, module or parameter has a name that begins with '%.*s'",
                   size < 128 ? (int)size : 128, node->text);
}

/* A list of names, or a prefix of them: "sensor_" or {prefix: sensor_}. */
static void read_members(struct section *s, struct variant *out, const struct yaml *node)
{
    const struct yaml_pair *prefix = yaml_find(node, "prefix");
    const struct yaml *text = prefix && node->n == 1 ? prefix->value : node;
    if (node->kind == YAML_LIST && node->n > 0)
        list_named(s, out, node);
    else if (text->kind == YAML_SCALAR && *text->text && !yaml_is_null(text) && strcmp(text->text, "*") != 0)
        list_prefixed(s, out, text);
    else
        yaml_fault(s->r->faults, node,
                   "a group must be a list of names, or the beginning of its members' names");
}

static void add_group(struct section *s, const struct yaml *node, const char *name, struct variant *members)
{
    for (size_t i = 0; i < members->n_listed; i++) {
        const struct component *member = &s->ablation->components[members->listed[i]];
        if (member->kind > COMPONENT_PARAMETER) {
            yaml_fault(s->r->faults, node, "a group cannot have the %s '%s' in it",
                       component_kind_name(member->kind), member->name);
            return;
        }
    }
    struct component *group = members->n_listed > 0 ? add(s, COMPONENT_GROUP, node, name) : NULL;
    if (!group)
        return;
    group->members = members->listed;
    group->n_members = members->n_listed;
    *members = (struct variant){0};
}

/* A group without a name is called after its members. */
static void read_unnamed_group(struct section *s, const struct yaml *node)
{
    struct variant members = {0};
    struct text name = {0};
    size_t n_faults = s->r->faults->n;
    read_members(s, &members, node);
    if (node->kind == YAML_SCALAR)
        text_append(&name, node->text);
    for (size_t i = 0; node->kind != YAML_SCALAR && i < members.n_listed; i++)
        text_printf(&name, "%s%s", i > 0 ? "+" : "", s->ablation->components[members.listed[i]].name);
    if (name.failed)
        s->r->code = ERR_NOMEM;
    else if (name.size > MAX_COMPONENT_NAME)
        yaml_fault(s->r->faults, node, "a group of so many needs a name: {NAME: [...]}");
    if (s->r->code == 0 && s->r->faults->n == n_faults)
        add_group(s, node, text_get(&name), &members);
    text_fini(&name);
    free(members.listed);
}

static void read_named_group(struct section *s, const struct yaml_pair *pair)
{
    struct variant members = {0};
    size_t n_faults = s->r->faults->n;
    if (is_component_name(s, pair->key, "group"))
        read_members(s, &members, pair->value);
    if (s->r->code == 0 && s->r->faults->n == n_faults)
        add_group(s, pair->key, pair->key->text, &members);
    free(members.listed);
}

static void read_groups(struct section *s)
{
    const struct yaml_pair *pair = find(s, "groups");
    if (!pair)
        return;
    const struct yaml *value = pair->value;
    if (value->kind == YAML_SCALAR)
        read_unnamed_group(s, value);
    for (size_t i = 0; value->kind == YAML_LIST && i < value->n && goes_on_here(s); i++)
        read_unnamed_group(s, value->items[i]);
    for (size_t i = 0; value->kind == YAML_MAP && i < value->n && goes_on_here(s); i++)
        read_named_group(s, &value->pairs[i]);
}

static bool is_same_set(const struct variant *a, const struct variant *b)
{
    if (a->n_listed != b->n_listed)
        return false;
    for (size_t i = 0; i < a->n_listed; i++) {
        if (!has(b->listed, b->n_listed, a->listed[i]))
            return false;
    }
    return true;
}

/* Takes the set. */
static void add_set(struct section *s, const struct yaml *node, struct variant set)
{
    struct ablation *ablation = s->ablation;
    for (size_t i = 0; i < ablation->n_sets; i++) {
        if (is_same_set(&ablation->sets[i], &set)) {
            yaml_fault(s->r->faults, node, "this set is there twice");
            free(set.listed);
            return;
        }
    }
    struct variant *grown = realloc(ablation->sets, (ablation->n_sets + 1) * sizeof *grown);
    if (!grown) {
        s->r->code = ERR_NOMEM;
        free(set.listed);
        return;
    }
    ablation->sets = grown;
    grown[ablation->n_sets++] = set;
}

static void read_sets(struct section *s)
{
    const struct yaml_pair *pair = find(s, "sets");
    if (!pair)
        return;
    const struct yaml *value = pair->value;
    if (value->kind != YAML_LIST || value->n == 0) {
        yaml_fault(s->r->faults, value, "'sets' must be a list of lists of components");
        return;
    }
    if (!count_values(s->r, value, value->n))
        return;
    for (size_t i = 0; i < value->n && goes_on_here(s); i++) {
        const struct yaml *item = value->items[i];
        struct variant set = {0};
        size_t n_faults = s->r->faults->n;
        if (item->kind != YAML_LIST || item->n == 0)
            yaml_fault(s->r->faults, item, "a set must be a list of components, and not empty");
        else
            list_named(s, &set, item);
        if (s->r->code == 0 && s->r->faults->n == n_faults)
            add_set(s, item, set);
        else
            free(set.listed);
    }
}

/* Settings */

struct settings {
    int64_t repeats;
    double confidence;
    int test, members;
};

static void read_nothing(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    (void)r, (void)target, (void)field, (void)pair; /* in its turn: see read_components */
}

static void read_settings_of(struct section *s)
{
    static const struct field fields[] = {
        {.name = "features", .read = read_nothing},
        {.name = "layers", .read = read_nothing},
        {.name = "modules", .read = read_nothing},
        {.name = "groups", .read = read_nothing},
        {.name = "parameters", .read = read_nothing},
        {.name = "variants", .read = read_nothing},
        {.name = "base", .read = read_nothing},
        {.name = "sets", .read = read_nothing},
        {.name = "mode", .read = read_nothing},
        {.name = "repeats",
         .read = read_int,
         .offset = offsetof(struct settings, repeats),
         .min = 1,
         .max = 1e6},
        {.name = "confidence",
         .read = read_double,
         .offset = offsetof(struct settings, confidence),
         .min = 0.5,
         .max = 0.9999},
        {.name = "test",
         .read = read_choice,
         .offset = offsetof(struct settings, test),
         .choices = "t|wilcoxon"},
        {.name = "members",
         .read = read_choice,
         .offset = offsetof(struct settings, members),
         .choices = "false|true"},
    };
    struct ablation *ablation = s->ablation;
    struct settings settings = {ablation->repeats, ablation->confidence, ablation->test,
                                ablation->with_members};
    READ_FIELDS(s->r, &settings, fields, "ablation", s->map);
    ablation->repeats = settings.repeats;
    ablation->confidence = settings.confidence;
    ablation->test = settings.test;
    ablation->with_members = settings.members;
}

static void add_mode(struct section *s, unsigned *modes, const struct yaml_pair *pair,
                     const struct yaml *item)
{
    static const struct field field = {.name = "mode", .choices = "loco|pairs|only|sets"};
    int mode = -1;
    struct yaml_pair one = {pair->key, (struct yaml *)(uintptr_t)item}; /* only read */
    read_choice(s->r, &mode, &field, &one);
    if (mode < 0)
        return;
    if (*modes & 1u << mode)
        yaml_fault(s->r->faults, item, "'%s' is there twice", item->text);
    *modes |= 1u << mode;
}

/* One mode or a list; sets alone if nothing else is said. */
static void read_mode(struct section *s)
{
    const struct yaml_pair *pair = find(s, "mode"), *sets = find(s, "sets");
    unsigned modes = 0;
    if (pair && pair->value->kind == YAML_LIST) {
        if (pair->value->n == 0)
            yaml_fault(s->r->faults, pair->value, "'mode' is empty");
        for (size_t i = 0; i < pair->value->n && goes_on_here(s); i++)
            add_mode(s, &modes, pair, pair->value->items[i]);
    } else if (pair) {
        add_mode(s, &modes, pair, pair->value);
    }
    if ((modes & ABLATION_SETS) && !sets)
        yaml_fault(s->r->faults, pair->value, "mode 'sets' needs 'sets', a list of lists of components");
    if (sets)
        modes |= ABLATION_SETS;
    s->ablation->modes = modes ? modes : ABLATION_LOCO;
}

/* What follows from all of it */

static void settle_members(struct ablation *ablation)
{
    for (size_t i = 0; i < ablation->n_components && !ablation->with_members; i++) {
        const struct component *component = &ablation->components[i];
        for (size_t j = 0; j < component->n_members; j++)
            ablation->components[component->members[j]].has_own_trials = false;
    }
}

static void plan(struct section *s, const struct yaml_pair *pair)
{
    struct ablation *ablation = s->ablation;
    const struct yaml_pair *mode = find(s, "mode");
    ablation->line = mode ? mode->value->line : pair->key->line;
    ablation->column = mode ? mode->value->column : pair->key->column;
    settle_members(ablation);
    int code = ablation_plan(ablation);
    if (code == ERR_NOMEM)
        s->r->code = code;
    else if (code < 0)
        yaml_fault(s->r->faults, mode ? mode->key : pair->key, "this makes more than %d variants",
                   ABLATION_MAX_VARIANTS);
    else if (ablation_n_trials(ablation) > ABLATION_MAX_TRIALS)
        yaml_fault(s->r->faults, pair->key, "this makes more than %d trials", ABLATION_MAX_TRIALS);
}

/* Where a component that changes parameters stands in the file. */
static const struct yaml *place_of(const struct section *s, const struct component *component)
{
    bool is_parameter = component->kind == COMPONENT_PARAMETER;
    const struct yaml_pair *list = find(s, is_parameter ? "parameters" : "variants");
    const struct yaml_pair *own = list ? yaml_find(list->value, component->name) : NULL;
    return own ? own->value : s->map;
}

/* A trial whose parameters are those of the base would measure nothing. */
static void check_changes(struct section *s)
{
    const struct ablation *ablation = s->ablation;
    const struct space *space = s->r->spec->space;
    double *base = calloc(2 * space->n_params + 1, sizeof *base), *point = base + space->n_params;
    if (!base) {
        s->r->code = ERR_NOMEM;
        return;
    }
    ablation_point(base, ablation, space, 0);
    for (size_t i = 1; i < ablation->n_variants && goes_on_here(s); i++) {
        const struct variant *variant = &ablation->variants[i];
        const struct component *component = &ablation->components[variant->listed[0]];
        if (variant->n_listed > 1 || variant->is_only || component->n_changes == 0)
            continue;
        ablation_point(point, ablation, space, i);
        if (space_equal(space, base, point))
            yaml_fault(s->r->faults, place_of(s, component),
                       "%s '%s' changes nothing: the base has %s already",
                       component_kind_name(component->kind), component->name,
                       component->n_changes == 1 ? "this value" : "these values");
    }
    free(base);
}

static void read_components(struct section *s)
{
    read_names(s, "features", COMPONENT_FEATURE);
    read_names(s, "layers", COMPONENT_LAYER);
    read_names(s, "modules", COMPONENT_MODULE);
    read_base(s);
    read_references(s);
    size_t n_faults = s->r->faults->n;
    read_groups(s);
    read_variants(s);
    if (s->r->faults->n == n_faults)
        read_sets(s);
}

static void read_section(struct section *s, const struct yaml_pair *pair)
{
    size_t n_faults = s->r->faults->n;
    read_settings_of(s);
    read_mode(s);
    read_components(s);
    if (!goes_on_here(s) || s->r->faults->n > n_faults)
        return;
    plan(s, pair);
    if (goes_on_here(s) && s->r->faults->n == n_faults && !s->r->spec->is_space_partial)
        check_changes(s);
}

/* A file with the section and without `context` is a study. */
static bool is_study(struct reader *r, const struct yaml *root)
{
    struct plugin *context = &r->spec->context;
    if (!yaml_find_given(root, "context") && yaml_find_given(root, "ablation") &&
        plugin_set_name(context, "ablation", 0, 0) < 0)
        r->code = ERR_NOMEM;
    return strcmp(context->name, "ablation") == 0;
}

void read_ablation(struct reader *r, const struct yaml *root)
{
    const struct yaml_pair *pair = yaml_find_given(root, "ablation");
    bool is_context = is_study(r, root);
    for (size_t i = 0; is_context && i < r->spec->context.n_settings; i++) {
        const struct setting *setting = &r->spec->context.settings[i];
        faults_add(r->faults, setting->key_line, setting->key_column,
                   "'%s' belongs into the section 'ablation'", setting->key);
    }
    if (!pair || yaml_is_empty(pair->value) || r->code < 0)
        return;
    if (pair->value->kind != YAML_MAP) {
        yaml_fault(r->faults, pair->value, "'ablation' must be a map, e.g. {features: [age, income]}");
        return;
    }
    struct section section = {.r = r, .ablation = ablation_create(), .map = pair->value};
    if (!section.ablation) {
        r->code = ERR_NOMEM;
        return;
    }
    read_section(&section, pair);
    if (is_context)
        r->spec->ablation = section.ablation;
    else
        ablation_destroy(section.ablation);
}

static bool has_pair(const struct ablation *ablation)
{
    for (size_t i = 0; i < ablation->n_variants; i++) {
        if (!ablation->variants[i].is_only && ablation->variants[i].n_listed == 2)
            return true;
    }
    return false;
}

/* Are there two components of which one is left out while the other is kept? */
static bool has_others(const struct ablation *ablation)
{
    size_t n = 0;
    for (size_t i = 0; i < ablation->n_components; i++)
        n += ablation->components[i].kind != COMPONENT_VARIANT;
    return n > 1;
}

void spec_check_ablation(const struct spec *spec, struct faults *faults)
{
    const struct ablation *ablation = spec->ablation;
    if (strcmp(spec->context.name, "ablation") != 0)
        return;
    if (!ablation)
        faults_add(faults, spec->context.line, spec->context.column,
                   "context 'ablation' needs a section 'ablation' that says what to leave out");
    else if (ablation->n_components == 0)
        faults_add(faults, ablation->line, ablation->column,
                   "there is nothing to leave out: 'ablation' names no features, layers, modules, groups, "
                   "parameters or variants");
    else if ((ablation->modes & ABLATION_PAIRS) && !has_pair(ablation))
        faults_add(faults, ablation->line, ablation->column,
                   "mode 'pairs' needs at least two components of which neither is part of the other");
    else if ((ablation->modes & ABLATION_ONLY) && !has_others(ablation))
        faults_add(faults, ablation->line, ablation->column, "mode 'only' needs at least two components");
}
