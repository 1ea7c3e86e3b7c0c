/* The section `ablation` as JSON: every default written out, every name with its kind where it refers to
 * another. */
#include <inttypes.h>
#include <string.h>

#include "core/ablation.h"

static void begin(struct text *out, const char *key)
{
    text_append(out, out->data[out->size - 1] == '{' ? "" : ",");
    text_append_json_string(out, key);
    text_append(out, ":");
}

static void next(struct text *out)
{
    char last = out->size > 0 ? out->data[out->size - 1] : '[';
    text_append(out, last == '[' || last == '{' ? "" : ",");
}

/* One of a group's members or of a set. */
static void write_reference(struct text *out, const struct component *component)
{
    struct text name = {0};
    component_write(&name, component);
    out->failed |= name.failed;
    text_append_json_string(out, text_get(&name));
    text_fini(&name);
}

static void write_references(struct text *out, const struct ablation *ablation, size_t n, const size_t *list)
{
    text_append(out, "[");
    for (size_t i = 0; i < n; i++) {
        text_append(out, i > 0 ? "," : "");
        write_reference(out, &ablation->components[list[i]]);
    }
    text_append(out, "]");
}

static void write_change(struct text *out, const struct space *space, const struct change *change)
{
    const struct param *param = &space->params[change->param];
    next(out);
    text_append_json_string(out, param->name);
    text_append(out, ":");
    param_write_json(out, param, change->value);
}

static void write_changes(struct text *out, const struct space *space, size_t n, const struct change *changes)
{
    text_append(out, "{");
    for (size_t i = 0; i < n; i++)
        write_change(out, space, &changes[i]);
    text_append(out, "}");
}

static bool has_kind(const struct ablation *ablation, enum component_kind kind)
{
    for (size_t i = 0; i < ablation->n_components; i++) {
        if (ablation->components[i].kind == kind)
            return true;
    }
    return false;
}

static void write_component(struct text *out, const struct ablation *ablation, const struct space *space,
                            const struct component *component)
{
    if (component->kind == COMPONENT_PARAMETER) {
        write_change(out, space, &component->changes[0]);
        return;
    }
    next(out);
    text_append_json_string(out, component->name);
    if (component->kind == COMPONENT_GROUP) {
        text_append(out, ":");
        write_references(out, ablation, component->n_members, component->members);
    } else if (component->kind == COMPONENT_VARIANT) {
        text_append(out, ":");
        if (component->n_changes > 0)
            write_changes(out, space, component->n_changes, component->changes);
        else
            text_append(out, "null");
    }
}

static void write_kind(struct text *out, const struct ablation *ablation, const struct space *space,
                       enum component_kind kind)
{
    bool is_list = kind <= COMPONENT_MODULE;
    if (!has_kind(ablation, kind))
        return;
    char key[32] = "";
    (void)strcat(strcpy(key, component_kind_name(kind)), "s"); /* our own words, all shorter */
    begin(out, key);
    text_append(out, is_list ? "[" : "{");
    for (size_t i = 0; i < ablation->n_components; i++) {
        if (ablation->components[i].kind == kind)
            write_component(out, ablation, space, &ablation->components[i]);
    }
    text_append(out, is_list ? "]" : "}");
}

static void write_modes(struct text *out, unsigned modes)
{
    static const char *const names[] = {"loco", "pairs", "only", "sets"};
    begin(out, "mode");
    text_append(out, "[");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(modes & 1u << i))
            continue;
        next(out);
        text_append_json_string(out, names[i]);
    }
    text_append(out, "]");
}

static void write_sets(struct text *out, const struct ablation *ablation)
{
    begin(out, "sets");
    text_append(out, "[");
    for (size_t i = 0; i < ablation->n_sets; i++) {
        text_append(out, i > 0 ? "," : "");
        write_references(out, ablation, ablation->sets[i].n_listed, ablation->sets[i].listed);
    }
    text_append(out, "]");
}

void ablation_write_json(struct text *out, const struct ablation *ablation, const struct space *space)
{
    text_append(out, "{");
    if (out->failed)
        return;
    for (int kind = 0; kind < N_COMPONENT_KINDS; kind++)
        write_kind(out, ablation, space, (enum component_kind)kind);
    if (ablation->n_base > 0) {
        begin(out, "base");
        write_changes(out, space, ablation->n_base, ablation->base);
    }
    write_modes(out, ablation->modes);
    if (ablation->n_sets > 0)
        write_sets(out, ablation);
    text_printf(out,
                ",\"repeats\":%" PRId64 ",\"members\":%s,\"test\":\"%s\",\"confidence\":", ablation->repeats,
                ablation->with_members ? "true" : "false", ablation->test == ABLATION_T ? "t" : "wilcoxon");
    text_append_json_double(out, ablation->confidence);
    text_append(out, "}");
}
