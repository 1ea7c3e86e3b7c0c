/* Everything of an experiment as CSV or JSON, row by row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/space.h"
#include "core/spec.h"
#include "core/trial.h"
#include "driver/store_codec.h"
#include "driver/store_document.h"

/* CSV */

void csv_string(struct text *text, const char *string)
{
    if (!string[strcspn(string, ",\"\r\n")]) {
        text_append(text, string);
        return;
    }
    text_append(text, "\"");
    for (const char *c = string; *c; c++)
        text_append_bytes(text, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    text_append(text, "\"");
}

void csv_int(struct text *text, int64_t value)
{
    text_printf(text, "%lld", (long long)value);
}

void csv_double(struct text *text, double value)
{
    if (!isnan(value))
        text_append_double(text, value);
}

static void comma(struct text *text)
{
    text_append(text, ",");
}

static void csv_trial_head(struct text *text, const struct spec *spec)
{
    const struct space *space = spec->space;
    text_append(
        text,
        "trial,state,value,step,n_reports,budget,attempt,n_lost,origin,origin_units,created,started,ended,seconds,worker,host,"
        "text,log");
    text_append(text, spec->ablation ? ",variant,repeat" : "");
    for (size_t i = 0; i < space->n_params; i++)
        text_printf(text, ",params.%s", space->params[i].name);
    text_append(text, "\n");
}

static void csv_numbers(struct text *text, sqlite3_stmt *row)
{
    int64_t step;
    csv_int(text, sqlite3_column_int64(row, T_NUMBER));
    comma(text);
    text_append(text, trial_state_name((enum trial_state)sqlite3_column_int(row, T_STATE)));
    comma(text);
    csv_double(text, db_double(row, T_VALUE));
    comma(text);
    if (trial_last_step(&step, row))
        csv_int(text, step);
    static const enum trial_column rest[] = {T_N_REPORTS, T_BUDGET, T_ATTEMPT, T_N_LOST};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        comma(text);
        csv_int(text, sqlite3_column_int64(row, rest[i]));
    }
    for (int i = T_ORIGIN; i <= T_ORIGIN_UNITS; i++) {
        comma(text);
        if (sqlite3_column_int64(row, T_ORIGIN))
            csv_int(text, sqlite3_column_int64(row, i));
    }
}

static void csv_times_and_texts(struct text *text, sqlite3_stmt *row)
{
    for (int i = T_CREATED; i <= T_ENDED; i++) {
        comma(text);
        append_time(text, sqlite3_column_int64(row, i));
    }
    comma(text);
    csv_double(text, trial_seconds(row));
    static const enum trial_column rest[] = {T_WORKER, T_HOST, T_TEXT, T_LOG};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        comma(text);
        csv_string(text, db_text(row, rest[i]));
    }
}

static void csv_params(struct document *document, const struct space *space, double *point,
                       struct text *field, sqlite3_stmt *row)
{
    const char *params = db_text(row, T_PARAMS);
    int rc = db_check_row(row, document->err);
    if (!rc)
        rc = point_read_json(point, space, params, document->err);
    if (rc)
        document->failed = rc;
    for (size_t i = 0; !rc && i < space->n_params; i++) {
        comma(&document->text);
        text_clear(field);
        if (!isnan(point[i]))
            param_write_text(field, &space->params[i], point[i]);
        csv_string(&document->text, text_get(field));
    }
}

static void csv_variant(struct text *text, const struct spec *spec, uint64_t trial)
{
    struct text name = {0};
    ablation_write_variant(&name, spec->ablation, ablation_variant(spec->ablation, trial));
    comma(text);
    csv_string(text, text_get(&name));
    comma(text);
    csv_int(text, (int64_t)ablation_repeat(spec->ablation, trial) + 1);
    text->failed |= name.failed;
    text_fini(&name);
}

static void csv_trials(struct document *document, const struct spec *spec)
{
    const struct space *space = spec->space;
    double *point = calloc(space->n_params + 1, sizeof *point);
    struct text field = {0};
    sqlite3_stmt *get = document_prepare(document, "SELECT " TRIAL_COLUMNS " FROM " TRIAL_TABLES
                                                   " WHERE t.id BETWEEN ?2 AND ?3 ORDER BY t.id");
    if (!point && !document->failed)
        document->failed = err_set(document->err, ERR_NOMEM, "out of memory");
    csv_trial_head(&document->text, spec);
    while (document_next(document, get)) {
        csv_numbers(&document->text, get);
        csv_times_and_texts(&document->text, get);
        if (spec->ablation)
            csv_variant(&document->text, spec, (uint64_t)sqlite3_column_int64(get, T_NUMBER));
        csv_params(document, space, point, &field, get);
        text_append(&document->text, "\n");
    }
    (void)sqlite3_finalize(get); /* repeats the error of the step, as everywhere here */
    text_fini(&field);
    free(point);
}

static void csv_reports(struct document *document)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(document, REPORTS_SQL REPORTS_ORDER);
    text_append(text, "trial,attempt,step,metric,value,time\n");
    while (document_next(document, get)) {
        for (int i = 0; i < 3; i++) {
            csv_int(text, sqlite3_column_int64(get, i));
            comma(text);
        }
        csv_string(text, db_text(get, 3));
        comma(text);
        csv_double(text, db_double(get, 4));
        comma(text);
        append_time(text, sqlite3_column_int64(get, 5));
        text_append(text, "\n");
    }
    (void)sqlite3_finalize(get);
}

static struct spec *read_spec(struct document *document)
{
    struct spec *spec = NULL;
    sqlite3_stmt *get = document_prepare(document, "SELECT spec_json FROM experiments WHERE key = ?1");
    if (document_next(document, get)) {
        const char *spec_json = db_text(get, 0);
        int rc = db_check_row(get, document->err);
        if (!rc)
            rc = spec_read_json(&spec, spec_json, document->err);
        if (rc)
            document->failed = rc;
    }
    (void)sqlite3_finalize(get);
    return spec;
}

int query_export_csv(struct query *query, const char *experiment, bool with_reports, struct query_sink sink,
                     struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        struct spec *spec = with_reports ? NULL : read_spec(&document);
        if (with_reports)
            csv_reports(&document);
        else if (spec)
            csv_trials(&document, spec);
        spec_destroy(spec);
    }
    return document_end(&document);
}

/* JSON */

static void json_trials(struct document *document, bool with_reports)
{
    struct text *text = &document->text;
    sqlite3_stmt *get = document_prepare(document, "SELECT " TRIAL_COLUMNS " FROM " TRIAL_TABLES
                                                   " WHERE t.id BETWEEN ?2 AND ?3 ORDER BY t.id");
    sqlite3_stmt *attempts = document_prepare(document, ATTEMPTS_SQL);
    sqlite3_stmt *reports = document_prepare(document, REPORTS_SQL "AND r.trial = ?4" REPORTS_ORDER);
    write_key(text, "trials");
    text_append(text, "[");
    while (document_next(document, get)) {
        int64_t trial = sqlite3_column_int64(get, T_NUMBER);
        separate(text);
        text_append(text, "{");
        write_trial_members(document, get);
        write_attempts(document, attempts, trial);
        if (with_reports && reports) {
            (void)sqlite3_bind_int64(reports, 4, trial); /* cannot fail: the index is one */
            write_reports(document, reports);
        }
        text_append(text, "}");
    }
    text_append(text, "]");
    (void)sqlite3_finalize(get);
    (void)sqlite3_finalize(attempts);
    (void)sqlite3_finalize(reports);
}

int query_export_json(struct query *query, const char *experiment, bool with_reports, struct query_sink sink,
                      struct err *err)
{
    struct document document;
    if (!document_begin(&document, query, experiment, false, sink, err)) {
        document_read_study(&document);
        text_append(&document.text, "{");
        write_experiment_full(&document, true);
        write_study(&document);
        json_trials(&document, with_reports);
        sqlite3_stmt *events = document_prepare(
            &document, "SELECT time_ms, trial, kind, text FROM events WHERE experiment = ?1 ORDER BY key");
        write_events(&document, events);
        (void)sqlite3_finalize(events);
        text_append(&document.text, "}\n");
    }
    return document_end(&document);
}
