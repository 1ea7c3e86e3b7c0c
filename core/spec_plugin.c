/* search, schedule, stopping and context: a name, or a map with one and the plug-in's own settings. What
 * these may be is for the plug-in's table to say (optimizers/registry.h); here they are kept as text, with
 * their places. */
#include <string.h>

#include "core/number.h"
#include "core/spec_reader.h"

#define MAX_SETTINGS 1000

bool is_json_number(const char *text)
{
    size_t n = strspn(text, "-0123456789.eE+");
    double value;
    if (n == 0 || text[n] || number_read(&value, text) == NUMBER_NONE)
        return false;
    const char *digits = text + (*text == '-'); /* JSON knows neither +1 nor .5, 1. or 01 */
    size_t whole = strspn(digits, "0123456789");
    bool has_fraction = digits[whole] == '.';
    return whole > 0 && !(whole > 1 && *digits == '0') &&
           (!has_fraction || strspn(digits + whole + 1, "0123456789") > 0);
}

static void write_json(struct text *out, const struct yaml *node)
{
    bool value;
    if (node->kind == YAML_SCALAR) {
        if (yaml_is_null(node) || yaml_is_empty(node))
            text_append(out, "null");
        else if (yaml_is_bool(&value, node))
            text_append(out, value ? "true" : "false");
        else if (node->is_plain && is_json_number(node->text))
            text_append(out, node->text);
        else
            text_append_json_string(out, node->text);
        return;
    }
    bool is_map = node->kind == YAML_MAP;
    text_append(out, is_map ? "{" : "[");
    for (size_t i = 0; i < node->n; i++) {
        text_append(out, i > 0 ? "," : "");
        if (is_map) {
            text_append_json_string(out, node->pairs[i].key->text);
            text_append(out, ":");
        }
        write_json(out, is_map ? node->pairs[i].value : node->items[i]);
    }
    text_append(out, is_map ? "}" : "]");
}

static void add_setting(struct reader *r, struct plugin *plugin, const char *key,
                        const struct yaml_pair *pair, const char *text)
{
    const struct yaml *at = pair->value;
    if (plugin_setting(plugin, key)) {
        yaml_fault(r->faults, pair->key, "'%s' is there twice", key);
        return;
    }
    if (plugin->n_settings == MAX_SETTINGS) {
        yaml_fault(r->faults, pair->key, "more than %d settings", MAX_SETTINGS);
        return;
    }
    if (plugin_add(plugin, key, text, at->line, at->column) < 0) {
        r->code = ERR_NOMEM;
        return;
    }
    plugin->settings[plugin->n_settings - 1].key_line = pair->key->line;
    plugin->settings[plugin->n_settings - 1].key_column = pair->key->column;
}

static void read_setting(struct reader *r, struct plugin *plugin, const char *key,
                         const struct yaml_pair *pair)
{
    struct text json = {0};
    switch (pair->value->kind) {
    case YAML_SCALAR:
        add_setting(r, plugin, key, pair, pair->value->text);
        break;
    case YAML_LIST:
        write_json(&json, pair->value);
        if (json.failed)
            r->code = ERR_NOMEM;
        else
            add_setting(r, plugin, key, pair, text_get(&json));
        break;
    case YAML_MAP:
        read_settings(r, plugin, key, pair->value);
        break;
    }
    text_fini(&json);
}

void read_settings(struct reader *r, struct plugin *plugin, const char *prefix, const struct yaml *map)
{
    for (size_t i = 0; i < map->n && goes_on(r); i++) {
        const struct yaml_pair *pair = &map->pairs[i];
        if (!is_given(r, pair))
            continue;
        struct text key = {0};
        if (*prefix)
            text_printf(&key, "%s.", prefix);
        text_append(&key, pair->key->text);
        if (key.failed)
            r->code = ERR_NOMEM;
        else
            read_setting(r, plugin, text_get(&key), pair);
        text_fini(&key);
    }
}

static void read_name(struct reader *r, struct plugin *plugin, const struct yaml *node)
{
    if (plugin_set_name(plugin, node->text, node->line, node->column) < 0)
        r->code = ERR_NOMEM;
}

static bool is_name(const struct yaml *node)
{
    return node->kind == YAML_SCALAR && *node->text && !yaml_is_null(node);
}

static void read_map(struct reader *r, struct plugin *plugin, const struct yaml_pair *pair)
{
    struct yaml settings = *pair->value;
    struct plugin unnamed = {0};
    const struct yaml_pair *name = yaml_find(pair->value, "name");
    if (!name || !is_name(name->value)) {
        yaml_fault(r->faults, name ? name->value : pair->key, "'%s' needs a name", pair->key->text);
        plugin =
            &unnamed; /* its settings are not those of the default: they are read for their faults only */
    } else {
        read_name(r, plugin, name->value);
    }
    /* the pairs before and behind `name`, which is no setting */
    size_t at = name ? (size_t)(name - pair->value->pairs) : settings.n;
    settings.n = at;
    read_settings(r, plugin, "", &settings);
    if (name) {
        settings.pairs += at + 1;
        settings.n = pair->value->n - at - 1;
        read_settings(r, plugin, "", &settings);
    }
    plugin_fini(&unnamed);
}

void read_plugin(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)field; /* all four are read alike */
    struct plugin *plugin = target;
    if (pair->value->kind == YAML_MAP)
        read_map(r, plugin, pair);
    else if (is_name(pair->value))
        read_name(r, plugin, pair->value);
    else
        yaml_fault(r->faults, pair->value, "'%s' must be a name, or a map with one", pair->key->text);
}
