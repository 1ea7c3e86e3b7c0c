/* prova search: every search, schedule and stopping rule, from the tables that also parse their options. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/term.h"
#include "core/faults.h"
#include "optimizers/registry.h"

struct search_options {
    bool json;
};

/* What the three kinds of plug-in have in common. */
struct entry {
    const char *kind, *name, *summary, *paper;
    const struct option *options;
    size_t n_options;
};

enum { MAX_ENTRIES = 128 };

#define ADD_ENTRIES(what, types, n_types)                                                                    \
    for (size_t i = 0; i < (n_types) && n < MAX_ENTRIES; i++)                                                \
        entries[n++] = (struct entry)                                                                        \
        {                                                                                                    \
            what, (types)[i]->name, (types)[i]->summary, (types)[i]->paper, (types)[i]->options,             \
                (types)[i]->n_options                                                                        \
        }

static size_t list_entries(struct entry *entries)
{
    size_t n = 0;
    ADD_ENTRIES("search", search_types, n_search_types);
    ADD_ENTRIES("schedule", schedule_types, n_schedule_types);
    ADD_ENTRIES("stopping", stopping_types, n_stopping_types);
    return n;
}

static void append_number(struct text *out, const struct option *option, double value)
{
    if (option->type == OPTION_INT)
        text_printf(out, "%.0f", value);
    else
        text_append_double(out, value);
}

static void append_range(struct text *out, const struct option *option)
{
    static const char *const names[] = {[OPTION_DOUBLE] = "number",
                                        [OPTION_INT] = "int",
                                        [OPTION_BOOL] = "true|false",
                                        [OPTION_CHOICE] = "",
                                        [OPTION_TEXT] = "text"};
    text_append(out, option->type == OPTION_CHOICE ? option->choices : names[option->type]);
    if (option->type != OPTION_DOUBLE && option->type != OPTION_INT)
        return;
    bool has_min = fabs(option->min) < 9e15, has_max = fabs(option->max) < 9e15;
    if (has_min) {
        text_append(out, " >= ");
        append_number(out, option, option->min);
    }
    if (has_max) {
        text_append(out, has_min ? ", <= " : " <= ");
        append_number(out, option, option->max);
    }
}

static void append_default(struct text *out, const struct option *option)
{
    const char *at = option->choices;
    switch (option->type) {
    case OPTION_TEXT:
        text_append(out, "-");
        break;
    case OPTION_BOOL:
        text_append(out, option->initial != 0 ? "true" : "false");
        break;
    case OPTION_CHOICE:
        for (int i = 0; i < (int)option->initial && strchr(at, '|'); i++)
            at = strchr(at, '|') + 1;
        text_append_bytes(out, at, strcspn(at, "|"));
        break;
    default:
        if (option->per_param || isnan(option->initial))
            text_append(out, "-");
        else
            append_number(out, option, option->initial);
    }
}

static void write_option_table(struct text *out, const struct entry *entry)
{
    struct table *table = table_create();
    table_add_column(table, "  OPTION", TABLE_LEFT, false);
    table_add_column(table, "VALUE", TABLE_LEFT, false);
    table_add_column(table, "DEFAULT", TABLE_LEFT, false);
    table_add_column(table, "", TABLE_LEFT, true);
    for (size_t i = 0; i < entry->n_options; i++) {
        const struct option *option = &entry->options[i];
        struct text range = {0}, initial = {0};
        append_range(&range, option);
        append_default(&initial, option);
        table_printf(table, STYLE_PLAIN, "  %s%s", option->name, option->per_param ? ".PARAMETER" : "");
        table_add(table, STYLE_PLAIN, text_get(&range));
        table_add(table, STYLE_PLAIN, text_get(&initial));
        table_add(table, STYLE_PLAIN, option->help);
        text_fini(&range);
        text_fini(&initial);
    }
    (void)table_write(out, table, 0, term_has_colour(1)); /* lack of memory stays in out->failed */
    table_destroy(table);
}

static void write_entry(struct text *out, const struct entry *entry)
{
    bool colour = term_has_colour(1);
    text_printf(out, "%s%s: {name: %s}%s\n  %s\n", style_begin(STYLE_BOLD, colour), entry->kind, entry->name,
                style_end(STYLE_BOLD, colour), entry->summary);
    if (entry->paper && *entry->paper)
        text_printf(out, "  %s\n", entry->paper);
    if (entry->n_options) {
        text_append(out, "\n");
        write_option_table(out, entry);
    }
}

static json_t *option_json(const struct option *option)
{
    static const char *const types[] = {[OPTION_DOUBLE] = "double",
                                        [OPTION_INT] = "int",
                                        [OPTION_BOOL] = "bool",
                                        [OPTION_CHOICE] = "choice",
                                        [OPTION_TEXT] = "text"};
    json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "name", option->name, "type", types[option->type],
                             "help", option->help, "per_parameter", option->per_param);
    struct text initial = {0};
    append_default(&initial, option);
    bool number = option->type == OPTION_DOUBLE || option->type == OPTION_INT;
    if (number) {
        (void)json_object_set_new(json, "min",
                                  json_real(option->min)); /* json_real refuses infinity: left out */
        (void)json_object_set_new(json, "max", json_real(option->max));
    }
    if (option->choices)
        (void)json_object_set_new(json, "choices", json_string(option->choices));
    (void)json_object_set_new(json, "default",
                              number ? json_real(option->initial) : json_string(text_get(&initial)));
    text_fini(&initial);
    return json;
}

static json_t *entries_json(const struct entry *entries, size_t n, const char *name)
{
    json_t *json = json_object();
    for (size_t i = 0; i < n; i++) {
        if (name && strcmp(entries[i].name, name) != 0)
            continue;
        json_t *list = json_object_get(json, entries[i].kind), *options = json_array();
        if (!list) {
            list = json_array();
            (void)json_object_set_new(json, entries[i].kind, list);
        }
        for (size_t k = 0; k < entries[i].n_options; k++)
            (void)json_array_append_new(options, option_json(&entries[i].options[k]));
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o}", "name", entries[i].name, "summary", entries[i].summary,
                            "paper", entries[i].paper ? entries[i].paper : "", "options", options));
    }
    return json;
}

static void write_list(struct text *out, const struct entry *entries, size_t n)
{
    struct table *table = table_create();
    table_add_column(table, "KIND", TABLE_LEFT, false);
    table_add_column(table, "NAME", TABLE_LEFT, false);
    table_add_column(table, "WHAT IT DOES", TABLE_LEFT, true);
    for (size_t i = 0; i < n; i++) {
        table_add(table, STYLE_DIM, entries[i].kind);
        table_add(table, STYLE_BOLD, entries[i].name);
        table_add(table, STYLE_PLAIN, entries[i].summary);
    }
    (void)table_write(out, table, term_width(1), term_has_colour(1)); /* stays in out->failed */
    table_destroy(table);
    text_append(
        out,
        "\n`prova search NAME` lists the options of one. Any search goes with any schedule and any stopping"
        " rule.\n");
}

static int unknown_name(const struct cli_call *call, const struct entry *entries, size_t n, const char *name)
{
    const char *names[MAX_ENTRIES];
    for (size_t i = 0; i < n; i++)
        names[i] = entries[i].name;
    const char *meant = nearest_name(name, names, n);
    if (meant)
        cli_error(call, "nothing is called '%s'; did you mean '%s'?", name, meant);
    else
        cli_error(call, "nothing is called '%s'; `prova search` lists them all", name);
    return CLI_BAD_USAGE;
}

static int run(const struct cli_call *call)
{
    const struct search_options *options = call->options;
    const char *name = call->n_args ? call->args[0] : NULL;
    struct entry entries[MAX_ENTRIES];
    size_t n = list_entries(entries), n_found = 0;
    struct text text = {0};
    for (size_t i = 0; name && i < n; i++) {
        if (strcmp(entries[i].name, name) != 0)
            continue;
        text_append(&text, n_found++ ? "\n" : "");
        write_entry(&text, &entries[i]);
    }
    int status = CLI_DONE;
    if (name && !n_found) {
        status = unknown_name(call, entries, n, name);
    } else if (options->json) {
        status = output_json(call, entries_json(entries, n, name));
    } else {
        if (!name)
            write_list(&text, entries, n);
        (void)fputs(text_get(&text), stdout);
    }
    text_fini(&text);
    return status;
}

static const struct cli_option options_table[] = {CLI_OPTION_JSON(search_options)};
static const struct cli_operand operands[] = {
    {.name = "NAME", .optional = true, .completes = COMPLETES_PLUGIN}};

const struct cli_command cli_command_search = {
    .name = "search",
    .summary = "list every search, schedule and stopping rule, with their options",
    .examples = "prova search\n"
                "prova search random\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct search_options),
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
