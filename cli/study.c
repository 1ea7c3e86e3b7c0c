/* The report of an ablation study as a table. */
#include "cli/study.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/term.h"

/* "+0.0123" */
static void format_change(struct text *out, double change)
{
    if (isnan(change))
        text_append(out, "-");
    else
        text_printf(out, "%+.4g", change + 0.0); /* -0 is 0 */
}

static void add_interval(struct table *table, const json_t *component)
{
    double low = json_number(component, "low"), high = json_number(component, "high");
    if (isnan(low) || isnan(high))
        table_add(table, STYLE_DIM, "-");
    else
        table_printf(table, STYLE_PLAIN, "%+.3g .. %+.3g", low, high);
}

static void add_p(struct table *table, const json_t *component, double level)
{
    double p = json_number(component, "p_holm");
    if (isnan(p))
        table_add(table, STYLE_DIM, "-");
    else if (p < 0.0001)
        table_add(table, STYLE_BOLD, "<0.0001");
    else
        table_printf(table, p < level ? STYLE_BOLD : STYLE_PLAIN, "%.4f", p);
}

/* "5", "4, 1 failed" */
static void add_counts(struct table *table, const json_t *component)
{
    struct text cell = {0};
    int64_t n_failed = json_whole(component, "n_failed"), n_stopped = json_whole(component, "n_stopped");
    text_printf(&cell, "%" PRId64, json_whole(component, "n_values"));
    if (n_stopped)
        text_printf(&cell, ", %" PRId64 " stopped", n_stopped);
    if (n_failed)
        text_printf(&cell, ", %" PRId64 " failed", n_failed);
    table_add(table, n_failed ? STYLE_BAD : STYLE_PLAIN, text_get(&cell));
    text_fini(&cell);
}

static void add_value(struct table *table, const json_t *component)
{
    struct text cell = {0};
    format_value(&cell, json_number(component, "mean"));
    table_add(table, STYLE_PLAIN, text_get(&cell));
    text_fini(&cell);
}

static void add_row(struct table *table, const json_t *component, double level)
{
    struct text change = {0};
    const char *state = json_text(component, "state");
    int64_t rank = json_whole(component, "rank");
    if (rank)
        table_printf(table, STYLE_BOLD, "%" PRId64, rank);
    else
        table_add(table, !strcmp(state, "failed") ? STYLE_BAD : STYLE_DIM, state);
    table_add(table, STYLE_PLAIN, json_text(component, "component"));
    add_value(table, component);
    format_change(&change, rank ? json_number(component, "change") : (double)NAN);
    table_add(table, STYLE_PLAIN, text_get(&change));
    text_fini(&change);
    add_interval(table, rank ? component : NULL);
    add_p(table, component, level);
    add_counts(table, component);
}

static void add_base(struct table *table, const json_t *base)
{
    table_add(table, STYLE_PLAIN, "");
    table_add(table, STYLE_PLAIN, "base");
    add_value(table, base);
    table_add(table, STYLE_PLAIN, "");
    table_add(table, STYLE_PLAIN, "");
    table_add(table, STYLE_PLAIN, "");
    add_counts(table, base);
}

static struct table *begin(const json_t *study, const char *metric)
{
    struct table *table = table_create();
    table_add_column(table, "RANK", TABLE_RIGHT, false);
    table_add_column(table, "LEFT OUT", TABLE_LEFT, true);
    table_add_column(table, metric, TABLE_RIGHT, false);
    table_add_column(table, "CHANGE", TABLE_RIGHT, false);
    char interval[32];
    (void)snprintf(interval, sizeof interval, "%g %% INTERVAL", 100 * json_number(study, "confidence"));
    table_add_column(table, interval, TABLE_LEFT, false);
    table_add_column(table, "P (HOLM)", TABLE_RIGHT, false);
    table_add_column(table, "TRIALS", TABLE_LEFT, false);
    return table;
}

/* A name that the function does not know makes a trial like the base: nothing else tells of it. */
static void write_same(struct text *out, const json_t *components)
{
    const json_t *component;
    const char *before = "no change at all without ";
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)components, i, component)
    {
        if (!json_is_true(json_object_get(component, "same")))
            continue;
        text_printf(out, "%s%s", before, json_text(component, "component"));
        before = ", ";
    }
    if (*before == ',')
        text_append(out, ": does the function ask for them by these names?\n");
}

void study_write(struct text *out, const json_t *show, size_t most)
{
    const json_t *study = json_object_get(show, "ablation"),
                 *components = json_object_get(show, "components");
    const json_t *component;
    size_t i, n = json_array_size(components);
    if (!json_is_object(study))
        return;
    most = most && most < n ? most : n;
    struct table *table = begin(study, json_text(json_object_get(show, "experiment"), "metric"));
    add_base(table, json_object_get(study, "base"));
    json_array_foreach((json_t *)(uintptr_t)components, i, component)
    {
        if (i < most)
            add_row(table, component, 1 - json_number(study, "confidence"));
    }
    (void)table_write(out, table, term_width(1), term_has_colour(1)); /* stays in out->failed */
    table_destroy(table);
    write_same(out, components);
    if (most < n)
        text_printf(out, "and %zu more: `prova show` has them all\n", n - most);
}
