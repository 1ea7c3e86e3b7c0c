/* Plug-ins as users choose them, and their options as their tables describe them. */
#include "core/options.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/number.h"

static const struct setting *find_setting(const struct plugin *plugin, const char *key)
{
    for (size_t i = 0; i < plugin->n_settings; i++) {
        if (strcmp(plugin->settings[i].key, key) == 0)
            return &plugin->settings[i];
    }
    return NULL;
}

const char *plugin_setting(const struct plugin *plugin, const char *key)
{
    const struct setting *setting = find_setting(plugin, key);
    return setting ? setting->text : NULL;
}

void plugin_fini(struct plugin *plugin)
{
    for (size_t i = 0; i < plugin->n_settings; i++) {
        free(plugin->settings[i].key);
        free(plugin->settings[i].text);
    }
    free(plugin->settings);
    free(plugin->name);
    *plugin = (struct plugin){0};
}

int plugin_set_name(struct plugin *plugin, const char *name, unsigned line, unsigned column)
{
    char *copy = strdup(name);
    if (!copy)
        return ERR_NOMEM;
    free(plugin->name);
    plugin->name = copy;
    plugin->line = line;
    plugin->column = column;
    return 0;
}

/* Takes key and text, also on failure. */
static int append(struct plugin *plugin, char *key, char *text)
{
    struct setting *settings = NULL;
    if (key && text)
        settings = realloc(plugin->settings, (plugin->n_settings + 1) * sizeof *settings);
    if (!settings) {
        free(key);
        free(text);
        return ERR_NOMEM;
    }
    plugin->settings = settings;
    settings[plugin->n_settings++] = (struct setting){.key = key, .text = text};
    return 0;
}

int plugin_add(struct plugin *plugin, const char *key, const char *text, unsigned line, unsigned column)
{
    int code = append(plugin, strdup(key), strdup(text));
    if (code < 0)
        return code;
    struct setting *setting = &plugin->settings[plugin->n_settings - 1];
    setting->line = setting->key_line = line;
    setting->column = setting->key_column = column;
    return 0;
}

/* One setting on its way into the options struct. */
struct reading {
    const struct option *option;
    const struct setting *setting;
    const char *what;
    struct faults *faults;
};

static void *field(void *out, const struct option *option)
{
    return (char *)out + option->offset;
}

/* "from 0 to 1", "at least 1", "at most 2"; finite numbers of any size otherwise. */
static void write_range(struct text *text, const struct option *option)
{
    bool low = isfinite(option->min), high = isfinite(option->max);
    text_append(text, low && high ? "from " : low ? "at least " : high ? "at most " : "finite");
    if (low)
        text_append_double(text, option->min);
    if (low && high)
        text_append(text, " to ");
    if (high)
        text_append_double(text, option->max);
}

static void fault(const struct reading *r, const char *must_be)
{
    faults_add(r->faults, r->setting->line, r->setting->column, "'%s' of %s must be %s, not '%s'",
               r->setting->key, r->what, must_be, r->setting->text);
}

static bool read_number(double *value, const struct reading *r)
{
    const struct option *option = r->option;
    bool whole = option->type == OPTION_INT;
    if (number_read(value, r->setting->text) == NUMBER_NONE || isnan(*value)) {
        fault(r, whole ? "a whole number" : "a number");
        return false;
    }
    if (whole && (*value != trunc(*value) || fabs(*value) > NUMBER_MAX_INT)) {
        fault(r, "a whole number within +-2^53");
        return false;
    }
    if (!isfinite(*value) || *value < option->min || *value > option->max) {
        struct text range = {0};
        write_range(&range, option);
        fault(r, text_get(&range));
        r->faults->failed = range.failed ? range.failed : r->faults->failed;
        text_fini(&range);
        return false;
    }
    return true;
}

static bool is_one_of(const char *text, const char *const words[3])
{
    return strcmp(text, words[0]) == 0 || strcmp(text, words[1]) == 0 || strcmp(text, words[2]) == 0;
}

static void read_bool(bool *value, const struct reading *r)
{
    const char *text = r->setting->text;
    bool is_true = is_one_of(text, (const char *const[]){"true", "True", "TRUE"});
    if (is_true || is_one_of(text, (const char *const[]){"false", "False", "FALSE"}))
        *value = is_true;
    else
        fault(r, "true or false");
}

/* The index of `text` in "a|b|c"; -1: it is none of them. */
static int choice_index(const char *choices, const char *text)
{
    size_t size = strlen(text);
    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|");
        if (n == size && memcmp(choices, text, n) == 0)
            return i;
        if (!choices[n])
            return -1;
        choices += n + 1;
    }
}

static void fault_choice(const struct reading *r)
{
    struct text list = {0};
    text_append(&list, "one of ");
    for (const char *at = r->option->choices;;) {
        size_t n = strcspn(at, "|");
        text_append_bytes(&list, at, n);
        if (!at[n])
            break;
        text_append(&list, ", ");
        at += n + 1;
    }
    fault(r, text_get(&list));
    r->faults->failed = list.failed ? list.failed : r->faults->failed;
    text_fini(&list);
}

static void read_setting(void *out, const struct reading *r)
{
    double number;
    int index;
    void *at = field(out, r->option);
    switch (r->option->type) {
    case OPTION_DOUBLE:
        if (read_number(&number, r))
            *(double *)at = number;
        break;
    case OPTION_INT:
        if (read_number(&number, r))
            *(int64_t *)at = (int64_t)number;
        break;
    case OPTION_BOOL:
        read_bool(at, r);
        break;
    case OPTION_CHOICE:
        index = choice_index(r->option->choices, r->setting->text);
        if (index >= 0)
            *(int *)at = index;
        else
            fault_choice(r);
        break;
    case OPTION_TEXT:
        *(const char **)at = r->setting->text;
        break;
    }
}

static void write_default(void *out, const struct option *option)
{
    void *at = field(out, option);
    switch (option->type) {
    case OPTION_DOUBLE:
        *(double *)at = option->initial;
        break;
    case OPTION_INT:
        *(int64_t *)at = (int64_t)option->initial;
        break;
    case OPTION_BOOL:
        *(bool *)at = option->initial != 0;
        break;
    case OPTION_CHOICE:
        *(int *)at = (int)option->initial;
        break;
    case OPTION_TEXT:
        *(const char **)at = NULL;
        break;
    }
}

/* Does the key say this option? "counts.lr" says the per-parameter option "counts". */
static bool is_option(const struct option *option, const char *key)
{
    size_t n = strlen(option->name);
    if (strncmp(option->name, key, n) != 0)
        return false;
    return option->per_param ? key[n] == '.' && key[n + 1] : !key[n];
}

static const struct option *find_option(const struct option *options, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (is_option(&options[i], key))
            return &options[i];
    }
    return NULL;
}

static void fault_unknown(const struct setting *setting, const struct option *options, size_t n_options,
                          const char *what, struct faults *faults)
{
    for (size_t i = 0; i < n_options; i++) {
        if (options[i].per_param && strcmp(options[i].name, setting->key) == 0) {
            faults_add(faults, setting->line, setting->column,
                       "'%s' of %s takes a value for each parameter: {NAME: ...}", setting->key, what);
            return;
        }
    }
    struct nearest nearest = nearest_begin(setting->key);
    for (size_t i = 0; i < n_options; i++)
        nearest_offer(&nearest, options[i].name);
    const char *name = nearest.name;
    faults_add(faults, setting->key_line, setting->key_column, "unknown option '%s' of %s%s%s%s",
               setting->key, what, name ? "; did you mean '" : "", name ? name : "", name ? "'?" : "");
}

size_t options_parse(void *out, const struct option *options, size_t n_options, const struct plugin *plugin,
                     const char *what, struct faults *faults)
{
    size_t before = faults->n;
    for (size_t i = 0; i < n_options; i++) {
        if (!options[i].per_param)
            write_default(out, &options[i]);
    }
    for (size_t i = 0; i < plugin->n_settings; i++) {
        const struct setting *setting = &plugin->settings[i];
        const struct option *option = find_option(options, n_options, setting->key);
        if (!option)
            fault_unknown(setting, options, n_options, what, faults);
        else if (!option->per_param)
            read_setting(out, &(struct reading){option, setting, what, faults});
    }
    return faults->n - before;
}
