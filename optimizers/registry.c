/* The plug-ins: one line each; and what is wrong with a user's choice of them. */
#include "optimizers/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"

#define SEARCHES(X) X(auto) X(random) X(grid) X(sobol) X(tpe) X(gp) X(cmaes) X(evolution)

#define SCHEDULES(X) X(full) X(asha) X(asha_stopping) X(hyperband) X(pbt)

#define STOPPINGS(X) X(none) X(median) X(percentile) X(threshold) X(patience) X(curve)

#define SEARCH_EXTERN(name)   extern const struct search_type search_##name;
#define SCHEDULE_EXTERN(name) extern const struct schedule_type schedule_##name;
#define STOPPING_EXTERN(name) extern const struct stopping_type stopping_##name;
SEARCHES(SEARCH_EXTERN)
SCHEDULES(SCHEDULE_EXTERN)
STOPPINGS(STOPPING_EXTERN)

#define SEARCH_ADDRESS(name)   &search_##name,
#define SCHEDULE_ADDRESS(name) &schedule_##name,
#define STOPPING_ADDRESS(name) &stopping_##name,
const struct search_type *const search_types[] = {SEARCHES(SEARCH_ADDRESS)};
const struct schedule_type *const schedule_types[] = {SCHEDULES(SCHEDULE_ADDRESS)};
const struct stopping_type *const stopping_types[] = {STOPPINGS(STOPPING_ADDRESS)};

#define COUNT(list) (sizeof(list) / sizeof *(list))
const size_t n_search_types = COUNT(search_types);
const size_t n_schedule_types = COUNT(schedule_types);
const size_t n_stopping_types = COUNT(stopping_types);

const struct search_type *search_type_find(const char *name)
{
    for (size_t i = 0; i < n_search_types; i++) {
        if (strcmp(search_types[i]->name, name) == 0)
            return search_types[i];
    }
    return NULL;
}

const struct schedule_type *schedule_type_find(const char *name)
{
    for (size_t i = 0; i < n_schedule_types; i++) {
        if (strcmp(schedule_types[i]->name, name) == 0)
            return schedule_types[i];
    }
    return NULL;
}

const struct stopping_type *stopping_type_find(const char *name)
{
    for (size_t i = 0; i < n_stopping_types; i++) {
        if (strcmp(stopping_types[i]->name, name) == 0)
            return stopping_types[i];
    }
    return NULL;
}

/* One choice of the user, under check. */
struct check {
    const char *kind; /* "search" */
    const struct plugin *plugin;
    const struct spec *spec;
    struct faults *faults;
    struct err err; /* what `create` says */
};

static void add_unknown(struct check *check, const char *const *names, size_t n)
{
    struct text known = {0};
    for (size_t i = 0; i < n; i++)
        text_printf(&known, "%s%s", i ? ", " : "", names[i]);
    const char *meant = nearest_name(check->plugin->name, names, n);
    faults_add(check->faults, check->plugin->line, check->plugin->column,
               "unknown %s '%s'%s%s%s; there are: %s", check->kind, check->plugin->name,
               meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "", text_get(&known));
    text_fini(&known);
}

/* Checks a setting "name.PARAMETER" of an option that is given a parameter. */
static void check_param_setting(struct check *check, const struct option *option,
                                const struct setting *setting, const char *param)
{
    const struct space *space = check->spec->space;
    if (!spec_has_param(check->spec, param)) {
        const char **names = calloc(space->n_params + 1, sizeof *names);
        for (size_t i = 0; names && i < space->n_params; i++)
            names[i] = space->params[i].name;
        const char *meant = names ? nearest_name(param, names, space->n_params) : NULL;
        faults_add(check->faults, setting->key_line, setting->key_column, "no parameter is called '%s'%s%s%s",
                   param, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
        free(names);
        return;
    }
    double value;
    bool is_int = option->type == OPTION_INT;
    if (number_read(&value, setting->text) == NUMBER_NONE ||
        !(value >= option->min && value <= option->max) || (is_int && value != trunc(value))) {
        char min[NUMBER_SIZE], max[NUMBER_SIZE];
        (void)number_write(min, option->min); /* its length is not needed */
        (void)number_write(max, option->max);
        faults_add(check->faults, setting->line, setting->column, "%s must be %s from %s to %s, not '%s'",
                   setting->key, is_int ? "an integer" : "a number", min, max, setting->text);
    }
}

static void check_param_settings(struct check *check, const struct option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(options[i].name);
        for (size_t j = 0; options[i].per_param && j < check->plugin->n_settings; j++) {
            const struct setting *setting = &check->plugin->settings[j];
            if (strncmp(setting->key, options[i].name, length) == 0 && setting->key[length] == '.')
                check_param_setting(check, &options[i], setting, setting->key + length + 1);
        }
    }
}

/* The options as `create` wants them, to be freed; NULL if there is something wrong with them. */
static void *check_options(struct check *check, const struct option *options, size_t n, size_t size)
{
    char what[80];
    (void)snprintf(what, sizeof what, "%s '%s'", check->kind, check->plugin->name); /* ours: it fits */
    size_t before = check->faults->n;
    void *values = calloc(1, size + 1);
    if (!values) {
        check->faults->failed = ERR_NOMEM;
        return NULL;
    }
    (void)options_parse(values, options, n, check->plugin, what, check->faults); /* counted below */
    check_param_settings(check, options, n);
    if (check->faults->n > before || check->faults->failed) {
        free(values);
        return NULL;
    }
    return values;
}

static void add_refusal(struct check *check, int code)
{
    if (code == ERR_NOMEM)
        check->faults->failed = ERR_NOMEM;
    else if (code < 0)
        faults_add(check->faults, check->plugin->line, check->plugin->column, "%s '%s': %s", check->kind,
                   check->plugin->name, check->err.text);
}

static void check_search(struct check *check)
{
    const struct search_type *type = search_type_find(check->plugin->name);
    if (!type) {
        const char *names[COUNT(search_types)];
        for (size_t i = 0; i < n_search_types; i++)
            names[i] = search_types[i]->name;
        add_unknown(check, names, n_search_types);
        return;
    }
    void *options = check_options(check, type->options, type->n_options, type->options_size);
    if (!options || check->spec->is_space_partial) {
        free(options);
        return;
    }
    void *state = NULL;
    int code = type->create(&state,
                            &(struct search_setup){.space = check->spec->space,
                                                   .options = options,
                                                   .plugin = check->plugin,
                                                   .seed = check->spec->seed,
                                                   .n_trials = check->spec->limits.trials,
                                                   .n_workers = check->spec->workers},
                            &check->err);
    add_refusal(check, code);
    if (code == 0)
        type->destroy(state);
    free(options);
}

static void check_schedule(struct check *check)
{
    const struct schedule_type *type = schedule_type_find(check->plugin->name);
    if (!type) {
        const char *names[COUNT(schedule_types)];
        for (size_t i = 0; i < n_schedule_types; i++)
            names[i] = schedule_types[i]->name;
        add_unknown(check, names, n_schedule_types);
        return;
    }
    void *options = check_options(check, type->options, type->n_options, type->options_size);
    if (!options)
        return;
    void *state = NULL;
    int code = type->create(&state,
                            &(struct schedule_setup){.options = options,
                                                     .seed = check->spec->seed,
                                                     .n_trials = check->spec->limits.trials,
                                                     .n_workers = check->spec->workers},
                            &check->err);
    add_refusal(check, code);
    if (code == 0)
        type->destroy(state);
    free(options);
}

static void check_stopping(struct check *check)
{
    const struct stopping_type *type = stopping_type_find(check->plugin->name);
    if (!type) {
        const char *names[COUNT(stopping_types)];
        for (size_t i = 0; i < n_stopping_types; i++)
            names[i] = stopping_types[i]->name;
        add_unknown(check, names, n_stopping_types);
        return;
    }
    void *options = check_options(check, type->options, type->n_options, type->options_size);
    if (!options)
        return;
    void *state = NULL;
    int code = type->create(
        &state, &(struct stopping_setup){.options = options, .goal = check->spec->metric.goal}, &check->err);
    add_refusal(check, code);
    if (code == 0)
        type->destroy(state);
    free(options);
}

size_t registry_check(const struct spec *spec, struct faults *faults)
{
    size_t before = faults->n;
    check_search(&(struct check){.kind = "search", .plugin = &spec->search, .spec = spec, .faults = faults});
    check_schedule(
        &(struct check){.kind = "schedule", .plugin = &spec->schedule, .spec = spec, .faults = faults});
    check_stopping(
        &(struct check){.kind = "stopping", .plugin = &spec->stopping, .spec = spec, .faults = faults});
    return faults->n - before;
}

void registry_explain_search(struct text *out, const struct spec *spec)
{
    struct search *search = NULL;
    const struct search_type *type = search_type_find(spec->search.name);
    if (!type || !type->explain)
        return;
    if (search_create_for(&search, spec, NULL) == 0)
        search_explain(out, search);
    search_destroy(search);
}
