/* prova best: the best trial of an experiment. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/term.h"

struct best_options {
    const char *db, *driver;
    bool json;
};

static const struct best_options initial = {.db = CLI_DEFAULT_DB};

/* One parameter a line, in the way a sweep file and a program both can read: "lr: 0.01". */
static void print_best(const json_t *document, const json_t *best)
{
    struct text text = {0};
    bool colour = term_has_colour(1);
    const char *key;
    const json_t *value;
    text_printf(&text, "trial: %" PRId64 "\n%s: %s", json_whole(best, "trial"), json_text(document, "metric"),
                style_begin(STYLE_GOOD, colour));
    text_append_double(&text, json_number(best, "value"));
    text_printf(&text, "%s\n", style_end(STYLE_GOOD, colour));
    json_object_foreach(json_object_get(best, "params"), key, value)
    {
        text_printf(&text, "%s: ", key);
        json_append_exact(&text, value);
        text_append(&text, "\n");
    }
    (void)fputs(text_get(&text), stdout);
    text_fini(&text);
}

static int print(const struct cli_call *call, const json_t *document)
{
    const json_t *best = json_object_get(document, "best");
    if (json_is_object(best)) {
        print_best(document, best);
        return CLI_DONE;
    }
    cli_error(call, "no trial of '%s' has a value yet",
              json_text(json_object_get(document, "experiment"), "name"));
    return CLI_NO_RESULT;
}

static int run(const struct cli_call *call)
{
    const struct best_options *options = call->options;
    struct data data;
    struct err err = {0};
    json_t *document = NULL;
    const char *experiment = call->n_args ? call->args[0] : NULL;
    int status = CLI_DONE, code = data_open(&data, options->db, options->driver, &err);
    if (!code)
        code = data_query(&document, &data, "best", experiment, &err);
    if (!code && options->json)
        status = output_json(call, json_incref(document));
    else if (!code)
        status = print(call, document);
    if (!code && !status && !json_is_object(json_object_get(document, "best")))
        status = CLI_NO_RESULT;
    json_decref(document);
    data_close(&data);
    return code ? cli_fail(call, &err) : status;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_DB(best_options),
    CLI_OPTION_DRIVER(best_options),
    CLI_OPTION_JSON(best_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_best = {
    .name = "best",
    .summary = "print the best trial and its parameters",
    .details = "Ends with 1 while no trial has a value.",
    .examples = "prova best\n"
                "prova best digits\n"
                "prova best digits --json | jq .best.params\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct best_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
