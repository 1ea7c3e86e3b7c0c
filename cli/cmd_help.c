/* prova help: the list of commands, or what one of them does. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/term.h"

static int run(const struct cli_call *call)
{
    struct text text = {0};
    bool bold = term_has_colour(1);
    if (call->n_args == 0) {
        help_write_overview(&text, bold);
    } else {
        const struct cli_command *command = cli_command_find(call->args[0]);
        if (!command)
            return cli_unknown_command(call->args[0]);
        help_write_command(&text, command, bold);
    }
    (void)fputs(text_get(&text), stdout);
    text_fini(&text);
    return CLI_DONE;
}

static const struct cli_operand operands[] = {
    {.name = "COMMAND", .optional = true, .completes = COMPLETES_COMMAND}};

const struct cli_command cli_command_help = {
    .name = "help",
    .summary = "list the commands, or explain one",
    .examples = "prova help\n"
                "prova help run\n",
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
