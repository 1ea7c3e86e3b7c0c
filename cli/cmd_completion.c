/* prova completion: what a shell's completion asks for. Not listed in the help: the installed script is made
 * by it, and asks it for the names of experiments. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/complete.h"
#include "cli/data.h"
#include "cli/output.h"

struct completion_options {
    const char *db;
};

static const struct completion_options initial = {.db = CLI_DEFAULT_DB};

static int print_script(void)
{
    struct text script = {0};
    complete_write_bash(&script);
    (void)fputs(text_get(&script), stdout);
    text_fini(&script);
    return CLI_DONE;
}

/* Errors are silent: a shell that completes has no place for them. */
static int print_experiments(const char *db)
{
    struct data data;
    json_t *document = NULL;
    if (!data_open(&data, db, NULL, NULL) && !data_query(&document, &data, "experiments", NULL, NULL)) {
        size_t i;
        const json_t *experiment;
        json_array_foreach(json_object_get(document, "experiments"), i, experiment)(void)
            printf("%s\n", json_text(experiment, "name"));
    }
    json_decref(document);
    data_close(&data);
    return CLI_DONE;
}

static int run(const struct cli_call *call)
{
    const struct completion_options *options = call->options;
    if (!strcmp(call->args[0], "bash"))
        return print_script();
    if (!strcmp(call->args[0], "experiments"))
        return print_experiments(options->db);
    cli_error(call, "'%s' is neither bash nor experiments", call->args[0]);
    return CLI_BAD_USAGE;
}

static const struct cli_option options_table[] = {CLI_OPTION_DB(completion_options)};
static const struct cli_operand operands[] = {{.name = "WHAT"}};

const struct cli_command cli_command_completion = {
    .name = "completion",
    .summary = "print the bash completion script, or the names of experiments",
    .hidden = true,
    .examples = "eval \"$(prova completion bash)\"\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct completion_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
