/* prova export: everything of an experiment, for other programs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "driver/store_query.h"

struct export_options {
    const char *db, *format, *output;
    bool reports, components;
};

static const struct export_options initial = {.db = CLI_DEFAULT_DB, .format = "csv"};

static int write_to(FILE *file, struct query *query, const struct cli_call *call, struct err *err)
{
    const struct export_options *options = call->options;
    const char *experiment = call->n_args ? call->args[0] : NULL;
    struct query_sink sink = query_to_file(file);
    if (options->components)
        return query_export_components(query, experiment, sink, err);
    if (!strcmp(options->format, "csv"))
        return query_export_csv(query, experiment, options->reports, sink, err);
    return query_export_json(query, experiment, options->reports, sink, err);
}

/* A file that could not be written whole is removed. */
static int write_file(const char *path, struct query *query, const struct cli_call *call, struct err *err)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    int code = write_to(file, query, call, err);
    if (fclose(file) && !code)
        code = err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (code)
        (void)remove(path);
    return code;
}

static int run(const struct cli_call *call)
{
    const struct export_options *options = call->options;
    struct query *query = NULL;
    struct err err = {0};
    if (options->components && (options->reports || strcmp(options->format, "csv") != 0)) {
        cli_error(call, "--components is CSV, and goes without --reports; --format json has them anyway");
        return CLI_BAD_USAGE;
    }
    int code = query_open(&query, options->db, &err);
    if (!code && options->output)
        code = write_file(options->output, query, call, &err);
    else if (!code)
        code = write_to(stdout, query, call, &err);
    query_close(query);
    return code ? cli_fail(call, &err) : CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "format",
     .letter = 'f',
     .kind = CLI_CHOICE,
     .offset = offsetof(struct export_options, format),
     .value = "FORMAT",
     .choices = "csv|json",
     .help = "csv (default): one row a trial; json: all there is"},
    {.name = "reports",
     .letter = 'r',
     .kind = CLI_FLAG,
     .offset = offsetof(struct export_options, reports),
     .help = "every report too; in csv instead of the trials, one row a report"},
    {.name = "components",
     .letter = 'c',
     .kind = CLI_FLAG,
     .offset = offsetof(struct export_options, components),
     .help = "the report of an ablation study instead, one row a component"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .offset = offsetof(struct export_options, output),
     .value = "FILE",
     .completes = COMPLETES_FILE,
     .help = "write to FILE instead of stdout"},
    CLI_OPTION_DB(export_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_export = {
    .name = "export",
    .summary = "write an experiment as CSV or JSON",
    .examples = "prova export digits > digits.csv\n"
                "prova export digits --reports --output curves.csv\n"
                "prova export digits --components > report.csv\n"
                "prova export digits --format json --reports | jq .trials[0]\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct export_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
