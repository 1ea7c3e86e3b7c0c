/* The contexts: one line each, and the front that the engine calls. */
#include "contexts/context.h"

#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"

#define CONTEXTS(X) X(optimization) X(single) X(distributed) X(ablation)

#define CONTEXT_EXTERN(name) extern const struct context_type context_##name;
CONTEXTS(CONTEXT_EXTERN)

#define CONTEXT_ADDRESS(name) &context_##name,
const struct context_type *const context_types[] = {CONTEXTS(CONTEXT_ADDRESS)};
const size_t n_context_types = sizeof context_types / sizeof *context_types;

struct context {
    const struct context_type *type;
    void *state;
};

const struct context_type *context_type_find(const char *name)
{
    for (size_t i = 0; i < n_context_types; i++) {
        if (strcmp(context_types[i]->name, name) == 0)
            return context_types[i];
    }
    return NULL;
}

static void add_unknown(const struct plugin *plugin, struct faults *faults)
{
    const char *names[sizeof context_types / sizeof *context_types];
    struct text known = {0};
    for (size_t i = 0; i < n_context_types; i++) {
        names[i] = context_types[i]->name;
        text_printf(&known, "%s%s", i ? ", " : "", names[i]);
    }
    const char *meant = nearest_name(plugin->name, names, n_context_types);
    faults_add(faults, plugin->line, plugin->column, "unknown context '%s'%s%s%s; there are: %s",
               plugin->name, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "",
               text_get(&known));
    text_fini(&known);
}

size_t context_check(const struct spec *spec, struct faults *faults)
{
    size_t before = faults->n;
    const struct context_type *type = context_type_find(spec->context.name);
    if (!type)
        add_unknown(&spec->context, faults);
    else if (type->check)
        type->check(spec, faults);
    if (type && !type->searches && spec->warm_start.line)
        faults_add(faults, spec->warm_start.line, spec->warm_start.column,
                   "context '%s' does not search: a warm start is nothing to it", type->name);
    /* A misspelt search is a fault in a context that makes no use of it as well. */
    (void)registry_check(spec, faults); /* counted below */
    return faults->n - before;
}

int context_create(struct context **out, const struct spec *spec, struct err *err)
{
    const struct context_type *type = context_type_find(spec->context.name);
    if (!type)
        return err_set(err, ERR_NOT_FOUND, "there is no context '%s'", spec->context.name);
    struct context *context = calloc(1, sizeof *context);
    if (!context)
        return err_set(err, ERR_NOMEM, "out of memory");
    context->type = type;
    int code = type->create(&context->state, spec, err);
    if (code < 0) {
        free(context);
        return code;
    }
    *out = context;
    return 0;
}

void context_destroy(struct context *context)
{
    if (!context)
        return;
    context->type->destroy(context->state);
    free(context);
}

void context_explain_search(struct text *text, const struct spec *spec)
{
    const struct context_type *type = context_type_find(spec->context.name);
    if (type && type->searches)
        registry_explain_search(text, spec);
}

bool context_searches(const struct context *context)
{
    return context->type->searches;
}

void context_next(struct context_plan *plan, struct context *context)
{
    context->type->next(plan, context->state);
}

int context_started(struct context *context, uint64_t trial, int64_t budget)
{
    return context->type->started(context->state, trial, budget);
}

int context_forked(struct context *context, uint64_t trial, uint64_t origin, int64_t units)
{
    return context->type->forked ? context->type->forked(context->state, trial, origin, units) : 0;
}

int context_explore(double *point, const struct context *context, const struct space *space,
                    const double *origin, uint64_t trial)
{
    return context->type->explore ? context->type->explore(point, context->state, space, origin, trial)
                                  : ERR_UNSUPPORTED;
}

enum decision context_report(struct context *context, uint64_t trial, const struct curve *curve)
{
    return context->type->report(context->state, trial, curve);
}

int context_ended(struct context *context, uint64_t trial, enum trial_state end, const struct curve *curve,
                  double value)
{
    return context->type->ended(context->state, trial, end, curve, value);
}

int64_t context_next_level(const struct context *context, int64_t units)
{
    return context->type->next_level ? context->type->next_level(context->state, units) : INT64_MAX;
}
