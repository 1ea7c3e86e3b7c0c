/* prova ls: the experiments of a database. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/output.h"

struct ls_options {
    const char *db, *driver;
    bool json;
};

static const struct ls_options initial = {.db = CLI_DEFAULT_DB};

static void add_row(struct table *table, const json_t *experiment)
{
    struct text cell = {0};
    const json_t *counts = json_object_get(experiment, "counts"), *best = json_object_get(experiment, "best");
    int64_t limit = json_whole(experiment, "limit");
    int64_t ended =
        json_whole(counts, "COMPLETED") + json_whole(counts, "STOPPED") + json_whole(counts, "FAILED");
    table_add(table, STYLE_BOLD, json_text(experiment, "name"));
    table_printf(table, STYLE_DIM, "%.8s", json_text(experiment, "id"));
    table_add(table, output_state_style(experiment), output_state(experiment));
    if (limit)
        table_printf(table, STYLE_PLAIN, "%" PRId64 "/%" PRId64, ended, limit);
    else
        table_printf(table, STYLE_PLAIN, "%" PRId64, ended);
    format_value(&cell, json_number(best, "value"));
    table_add(table, STYLE_PLAIN, text_get(&cell));
    table_printf(table, STYLE_DIM, "%s %s", json_text(experiment, "goal"), json_text(experiment, "metric"));
    text_clear(&cell);
    format_seconds(&cell, json_number(experiment, "seconds"));
    table_add(table, STYLE_PLAIN, text_get(&cell));
    text_clear(&cell);
    format_ago(&cell, json_time_ms(experiment, "created"), (int64_t)time(NULL) * 1000);
    table_add(table, STYLE_PLAIN, text_get(&cell));
    text_fini(&cell);
}

static int print_table(const struct cli_call *call, const json_t *document)
{
    struct table *table = table_create();
    table_add_column(table, "NAME", TABLE_LEFT, true);
    table_add_column(table, "ID", TABLE_LEFT, false);
    table_add_column(table, "STATE", TABLE_LEFT, false);
    table_add_column(table, "TRIALS", TABLE_RIGHT, false);
    table_add_column(table, "BEST", TABLE_RIGHT, false);
    table_add_column(table, "OBJECTIVE", TABLE_LEFT, true);
    table_add_column(table, "TIME", TABLE_RIGHT, false);
    table_add_column(table, "STARTED", TABLE_LEFT, false);
    size_t i;
    const json_t *experiment;
    json_array_foreach(json_object_get(document, "experiments"), i, experiment) add_row(table, experiment);
    return output_table(call, table);
}

static int run(const struct cli_call *call)
{
    const struct ls_options *options = call->options;
    struct data data;
    struct err err = {0};
    json_t *document = NULL;
    int status = CLI_DONE, code = data_open(&data, options->db, options->driver, &err);
    if (!code && options->json)
        code = data_print(&data, "experiments", NULL, &err);
    else if (!code)
        code = data_query(&document, &data, "experiments", NULL, &err);
    if (!code && document && json_array_size(json_object_get(document, "experiments")) == 0)
        (void)fputs("no experiments yet: start one with 'prova run'\n", stderr);
    else if (!code && document)
        status = print_table(call, document);
    json_decref(document);
    data_close(&data);
    return code ? cli_fail(call, &err) : status;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_DB(ls_options),
    CLI_OPTION_DRIVER(ls_options),
    CLI_OPTION_JSON(ls_options),
};

const struct cli_command cli_command_ls = {
    .name = "ls",
    .summary = "list experiments, the newest first",
    .details = "`unfinished` is an experiment whose driver was killed: `prova resume` goes on with it.",
    .examples = "prova ls\n"
                "prova ls --db results.db --json\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct ls_options),
    .initial = &initial,
    .run = run,
};
