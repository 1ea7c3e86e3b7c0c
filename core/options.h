#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/faults.h"

/* A plug-in as the user chose it: `search: {name: tpe, gamma: 0.1}`. Nested settings have dotted keys
 * (`counts: {lr: 5}` is the key "counts.lr"); a list is its JSON text (`features: [a, b]` is ["a","b"]). */
struct setting {
    char *key;
    char *text;
    unsigned line, column;         /* of the value */
    unsigned key_line, key_column; /* of the key */
};

struct plugin {
    char *name;
    unsigned line, column;
    size_t n_settings;
    struct setting *settings;
};

/* What a plug-in can be told; its table of these is its documentation, its parser and its `prova search`
 * listing. */
enum option_type {
    OPTION_DOUBLE, /* double */
    OPTION_INT,    /* int64_t */
    OPTION_BOOL,   /* bool: true false */
    OPTION_CHOICE, /* int: the index in `choices` */
    OPTION_TEXT    /* const char *, borrowed from the plugin; NULL: not given */
};

struct option {
    const char *name;
    enum option_type type;
    size_t offset;       /* in the plug-in's options struct */
    double min, max;     /* of DOUBLE and INT, both included */
    double initial;      /* the default; of CHOICE its index; of BOOL 0 or 1 */
    const char *choices; /* of CHOICE: "a|b|c" */
    const char *help;    /* one line, with the unit */
    bool per_param;      /* the key is "name.PARAMETER"; options_parse leaves these to the plug-in */
};

/* Fills `out` (a plug-in's options struct) with defaults and settings. Unknown keys, wrong types and values
 * out of range become faults at their place, with a "did you mean". `what` is e.g. "search 'tpe'". Returns
 * the number of faults added. */
size_t options_parse(void *out, const struct option *options, size_t n_options, const struct plugin *plugin,
                     const char *what, struct faults *faults);

/* The text of a setting; NULL if the user did not give it. Lends. */
const char *plugin_setting(const struct plugin *plugin, const char *key);
void plugin_fini(struct plugin *plugin);
/* Sets the name, or adds a setting (both its places are the given one). Copies. Return 0 or ERR_NOMEM. */
int plugin_set_name(struct plugin *plugin, const char *name, unsigned line, unsigned column);
int plugin_add(struct plugin *plugin, const char *key, const char *text, unsigned line, unsigned column);

#endif
