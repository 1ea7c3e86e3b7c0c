/* Ablation studies in documents: what each trial leaves out, and what came of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contexts/ablation_report.h"
#include "core/ablation.h"
#include "core/spec.h"
#include "driver/store_codec.h"
#include "driver/store_document.h"

void document_read_study(struct document *document)
{
    sqlite3_stmt *get = document_prepare(document, "SELECT spec_json FROM experiments WHERE key = ?1 AND "
                                                   "json_extract(spec_json, '$.context.name') = 'ablation'");
    if (document_next(document, get)) {
        const char *spec_json = db_text(get, 0);
        int rc = db_check_row(get, document->err);
        if (!rc)
            rc = spec_read_json(&document->study, spec_json, document->err);
        if (rc)
            document->failed = rc;
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step, as everywhere here */
}

/* One trial */

void write_trial_variant(struct text *text, const struct spec *study, int64_t trial)
{
    struct text name = {0};
    if (!study || trial < 1)
        return;
    ablation_write_variant(&name, study->ablation, ablation_variant(study->ablation, (uint64_t)trial));
    write_string(text, "variant", text_get(&name));
    write_int(text, "repeat", (int64_t)ablation_repeat(study->ablation, (uint64_t)trial) + 1);
    text->failed |= name.failed;
    text_fini(&name);
}

/* The report */

struct outcomes {
    size_t n, capacity;
    struct ablation_outcome *list;
};

static int add_outcome(struct outcomes *outcomes, struct ablation_outcome outcome)
{
    if (outcomes->n == outcomes->capacity) {
        size_t capacity = 2 * outcomes->capacity + 64;
        struct ablation_outcome *grown = realloc(outcomes->list, capacity * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        outcomes->list = grown;
        outcomes->capacity = capacity;
    }
    outcomes->list[outcomes->n++] = outcome;
    return 0;
}

static void read_outcomes(struct outcomes *outcomes, struct document *document)
{
    sqlite3_stmt *get =
        document_prepare(document, "SELECT number, state, value FROM trials WHERE id BETWEEN ?2 AND ?3");
    while (document_next(document, get)) {
        struct ablation_outcome outcome = {.trial = (uint64_t)sqlite3_column_int64(get, 0),
                                           .state = (enum trial_state)sqlite3_column_int(get, 1),
                                           .value = db_double(get, 2)};
        if (add_outcome(outcomes, outcome))
            document->failed = err_set(document->err, ERR_NOMEM, "out of memory");
    }
    (void)sqlite3_finalize(get);
}

/* Frees what it has made if it fails. */
int document_report(struct ablation_report *report, struct document *document)
{
    struct outcomes outcomes = {0};
    *report = (struct ablation_report){0};
    read_outcomes(&outcomes, document);
    if (!document->failed && ablation_report_make(report, document->study, outcomes.list, outcomes.n))
        document->failed = err_set(document->err, ERR_NOMEM, "out of memory");
    if (document->failed)
        ablation_report_fini(report);
    free(outcomes.list);
    return document->failed;
}

/* Of what leaves out one component: that one's kind and name; else how it came about, and the whole. */
static const char *kind_of(const struct ablation *ablation, size_t index)
{
    const struct variant *variant = &ablation->variants[index];
    if (variant->is_only)
        return "only";
    return variant->n_listed == 1 ? component_kind_name(ablation->components[variant->listed[0]].kind)
                                  : "set";
}

static const char *name_of(const struct ablation *ablation, size_t index, const char *whole)
{
    const struct variant *variant = &ablation->variants[index];
    bool is_one = variant->n_listed == 1 && !variant->is_only;
    return is_one ? ablation->components[variant->listed[0]].name : whole;
}

static void write_listed(struct text *text, const struct component *component)
{
    struct text name = {0};
    component_write(&name, component);
    separate(text);
    text_append_json_string(text, text_get(&name));
    text->failed |= name.failed;
    text_fini(&name);
}

/* Is it kept, where all but the one listed are left out? A group is if it is that one: its members may be
 * kept without the rest of it. */
static bool is_kept(const struct ablation *ablation, size_t variant, size_t index)
{
    enum component_kind kind = ablation->components[index].kind;
    if (kind == COMPONENT_GROUP)
        return ablation->variants[variant].listed[0] == index;
    return kind != COMPONENT_VARIANT && !ablation_is_out(ablation, variant, index);
}

/* All that is left out; of "all but one" what is kept, so that n components do not make n * n names. */
static void write_left_out(struct text *text, const struct ablation *ablation, size_t variant)
{
    bool is_only = ablation->variants[variant].is_only;
    write_key(text, is_only ? "kept" : "left_out");
    text_append(text, "[");
    for (size_t i = 0; i < ablation->n_components; i++) {
        if (is_only ? is_kept(ablation, variant, i) : ablation_is_out(ablation, variant, i))
            write_listed(text, &ablation->components[i]);
    }
    text_append(text, "]");
}

static void write_rank(struct text *text, size_t rank)
{
    if (rank)
        write_int(text, "rank", (int64_t)rank);
    else
        write_json(text, "rank", "");
}

static void write_counts(struct text *text, const struct comparison *comparison)
{
    write_int(text, "n_values", (int64_t)comparison->n_values);
    write_int(text, "n_failed", (int64_t)comparison->n_failed);
    write_int(text, "n_stopped", (int64_t)comparison->n_stopped);
}

static void write_component(struct text *text, const struct spec *study, const struct comparison *comparison)
{
    struct text name = {0};
    ablation_write_variant(&name, study->ablation, comparison->variant);
    separate(text);
    text_append(text, "{");
    write_rank(text, comparison->rank);
    write_string(text, "component", text_get(&name));
    write_string(text, "kind", kind_of(study->ablation, comparison->variant));
    write_string(text, "name", name_of(study->ablation, comparison->variant, text_get(&name)));
    write_left_out(text, study->ablation, comparison->variant);
    write_string(text, "state", comparison_state_name(comparison->state));
    write_double(text, "mean", comparison->mean);
    write_double(text, "sd", comparison->sd);
    write_double(text, "change", comparison->change);
    write_double(text, "low", comparison->low);
    write_double(text, "high", comparison->high);
    write_double(text, "importance", comparison->importance);
    write_double(text, "interaction", comparison->interaction);
    write_double(text, "p", comparison->p);
    write_double(text, "p_holm", comparison->p_holm);
    write_int(text, "n_pairs", (int64_t)comparison->n_pairs);
    write_bool(text, "same", comparison->is_same);
    write_counts(text, comparison);
    text_append(text, "}");
    text->failed |= name.failed;
    text_fini(&name);
}

static void write_base(struct text *text, const struct spec *study, const struct comparison *base)
{
    write_key(text, "ablation");
    text_append(text, "{");
    write_int(text, "repeats", study->ablation->repeats);
    write_string(text, "test", study->ablation->test == ABLATION_T ? "t" : "wilcoxon");
    write_double(text, "confidence", study->ablation->confidence);
    write_key(text, "base");
    text_append(text, "{");
    write_double(text, "mean", base->mean);
    write_double(text, "sd", base->sd);
    write_counts(text, base);
    text_append(text, "}}");
}

void write_study(struct document *document)
{
    struct ablation_report report;
    struct text *text = &document->text;
    if (!document->study || document_report(&report, document))
        return;
    write_base(text, document->study, &report.base);
    write_key(text, "components");
    text_append(text, "[");
    for (size_t i = 0; i < report.n; i++) {
        write_component(text, document->study, &report.list[i]);
        document_flush(document);
    }
    text_append(text, "]");
    ablation_report_fini(&report);
}

/* As CSV */

static void csv_component(struct text *text, const struct ablation *ablation, const struct comparison *c)
{
    struct text name = {0}, out = {0};
    ablation_write_variant(&name, ablation, c->variant);
    if (!ablation->variants[c->variant].is_only)
        ablation_write_out(&out, ablation, c->variant);
    const char *const texts[] = {text_get(&name), kind_of(ablation, c->variant),
                                 name_of(ablation, c->variant, text_get(&name)), text_get(&out),
                                 comparison_state_name(c->state)};
    const double numbers[] = {c->mean,       c->sd,          c->change, c->low,   c->high,
                              c->importance, c->interaction, c->p,      c->p_holm};
    const size_t counts[] = {c->n_pairs, c->n_values, c->n_failed, c->n_stopped};
    if (c->rank)
        csv_int(text, (int64_t)c->rank);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        text_append(text, ",");
        csv_string(text, texts[i]);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        text_append(text, ",");
        csv_double(text, numbers[i]);
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        text_append(text, ",");
        csv_int(text, (int64_t)counts[i]);
    }
    text_append(text, c->is_same ? ",true\n" : ",false\n");
    text->failed |= name.failed | out.failed;
    text_fini(&name);
    text_fini(&out);
}

static void csv_components(struct document *document)
{
    struct ablation_report report;
    if (document_report(&report, document))
        return;
    text_append(&document->text,
                "rank,component,kind,name,left_out,state,mean,sd,change,low,high,"
                "importance,interaction,p,p_holm,n_pairs,n_values,n_failed,n_stopped,same\n");
    for (size_t i = 0; i < report.n; i++) {
        csv_component(&document->text, document->study->ablation, &report.list[i]);
        document_flush(document);
    }
    ablation_report_fini(&report);
}

int query_export_components(struct query *query, const char *experiment, struct query_sink sink,
                            struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        document_read_study(&document);
        if (document.study)
            csv_components(&document);
        else if (!document.failed)
            document.failed =
                err_set(err, ERR_INVALID, "experiment '%.100s' is no ablation study: it has no components",
                        document.experiment.name);
    }
    return document_end(&document);
}
