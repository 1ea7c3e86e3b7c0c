/* --set path=value: a value in YAML at a dotted path, put into the tree as if it stood in the file. */
#include <stdio.h>
#include <string.h>

#include "core/spec_reader.h"

/* One override on its way down the tree. */
struct descent {
    struct reader *r;
    const char *origin; /* "path=value", for messages */
    const char *rest;   /* of the path */
    struct yaml *value;
};

/* The key that the rest of the path begins with, as long as can be, because a parameter's name may have dots
 * in it; NULL: none of the map's. */
static struct yaml_pair *find_longest(const struct yaml *map, const char *rest)
{
    struct yaml_pair *longest = NULL;
    size_t longest_size = 0;
    for (size_t i = 0; i < map->n; i++) {
        const char *key = map->pairs[i].key->text;
        size_t size = strlen(key);
        if (size >= longest_size && strncmp(key, rest, size) == 0 && (rest[size] == '.' || !rest[size])) {
            longest = &map->pairs[i];
            longest_size = size;
        }
    }
    return longest;
}

static struct yaml_pair *add_key(const struct descent *d, struct yaml *map)
{
    size_t size = strcspn(d->rest, ".");
    struct yaml *key = yaml_new_scalar(d->r->doc, d->rest, size, d->origin);
    struct yaml *value = yaml_new_map(d->r->doc, d->origin);
    if (!key || !value || yaml_map_add(d->r->doc, map, key, value) < 0) {
        d->r->code = ERR_NOMEM;
        return NULL;
    }
    return &map->pairs[map->n - 1];
}

/* `search: tpe` becomes {name: tpe} when a setting of it is given; so does nothing at all become a map. */
static struct yaml *as_map(const struct descent *d, struct yaml *value, bool is_top)
{
    if (value->kind == YAML_MAP)
        return value;
    bool is_nothing = yaml_is_null(value) || yaml_is_empty(value);
    if (value->kind == YAML_LIST || !(is_nothing || is_top))
        return NULL;
    struct yaml *map = yaml_new_map(d->r->doc, d->origin);
    struct yaml *name = yaml_new_scalar(d->r->doc, "name", 4, d->origin);
    if (!map || !name || (!is_nothing && yaml_map_add(d->r->doc, map, name, value) < 0)) {
        d->r->code = ERR_NOMEM;
        return NULL;
    }
    return map;
}

static bool is_plugin(const char *key)
{
    return strcmp(key, "search") == 0 || strcmp(key, "schedule") == 0 || strcmp(key, "stopping") == 0 ||
           strcmp(key, "context") == 0 || strcmp(key, "metric") == 0;
}

/* Goes down by one key. Returns the map below, or NULL at the end of the path or of what can be done. */
static struct yaml *step_down(struct descent *d, struct yaml *map, bool is_top)
{
    struct yaml_pair *pair = find_longest(map, d->rest);
    if (!pair)
        pair = add_key(d, map);
    if (!pair)
        return NULL;
    d->rest += strlen(pair->key->text);
    if (!*d->rest) {
        pair->value = d->value;
        return NULL;
    }
    d->rest++; /* the dot */
    struct yaml *below = as_map(d, pair->value, is_top && is_plugin(pair->key->text));
    if (below)
        pair->value = below;
    else if (d->r->code == 0)
        yaml_fault(d->r->faults, &(struct yaml){.origin = d->origin}, "'%s' is not a map, so it has no '%s'",
                   pair->key->text, d->rest);
    return below;
}

static bool is_path(const char *path)
{
    size_t n_keys = 1;
    for (const char *c = path; *c; c++) {
        if (*c == '.' && (c == path || c[1] == '.' || !c[1] || ++n_keys > YAML_MAX_DEPTH / 2))
            return false;
    }
    return *path;
}

static const char *name_override(struct reader *r, const struct override *override)
{
    char text[256]; /* a long one is cut */
    int n = snprintf(text, sizeof text, "%.100s=%.100s", override->path, override->value);
    const char *origin = n < 0 ? NULL : yaml_copy_text(r->doc, text, (size_t)n);
    if (!origin)
        r->code = ERR_NOMEM;
    return origin;
}

static void apply(struct reader *r, struct yaml *root, const struct override *override)
{
    struct descent d = {.r = r, .origin = name_override(r, override), .rest = override->path};
    if (!d.origin)
        return;
    if (!is_path(override->path)) {
        yaml_fault(r->faults, &(struct yaml){.origin = d.origin},
                   "a path is made of keys with dots between them");
        return;
    }
    int code = yaml_parse(&d.value, r->doc, override->value, strlen(override->value), d.origin, r->faults);
    if (code == 0 && !d.value) {
        d.value = yaml_new_scalar(r->doc, "", 0, d.origin);
        code = d.value ? 0 : ERR_NOMEM;
    }
    if (code == ERR_NOMEM)
        r->code = code;
    bool is_top = true;
    while (root && code == 0 && r->code == 0) {
        root = step_down(&d, root, is_top);
        is_top = false;
    }
}

void apply_overrides(struct reader *r, struct yaml *root, const struct override *overrides,
                     size_t n_overrides)
{
    for (size_t i = 0; i < n_overrides && r->code == 0; i++)
        apply(r, root, &overrides[i]);
}
