/* The commands: one line each, in the order in which `prova help` lists them. */
#include "cli/command.h"

#include <string.h>

#define COMMANDS                                                                                             \
    COMMAND(run)                                                                                             \
    COMMAND(resume)                                                                                          \
    COMMAND(check)                                                                                           \
    COMMAND(search)                                                                                          \
    COMMAND(simulate)                                                                                        \
    COMMAND(ls)                                                                                              \
    COMMAND(show)                                                                                            \
    COMMAND(trials)                                                                                          \
    COMMAND(best)                                                                                            \
    COMMAND(logs)                                                                                            \
    COMMAND(export)                                                                                          \
    COMMAND(stop)                                                                                            \
    COMMAND(rm)                                                                                              \
    COMMAND(driver)                                                                                          \
    COMMAND(worker)                                                                                          \
    COMMAND(submit)                                                                                          \
    COMMAND(report)                                                                                          \
    COMMAND(version)                                                                                         \
    COMMAND(help)                                                                                            \
    COMMAND(completion)

#define COMMAND(name) extern const struct cli_command cli_command_##name;
COMMANDS
#undef COMMAND

const struct cli_command *const cli_commands[] = {
#define COMMAND(name) &cli_command_##name,
    COMMANDS
#undef COMMAND
};
const size_t cli_n_commands = CLI_COUNT(cli_commands);

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (!strcmp(cli_commands[i]->name, name))
            return cli_commands[i];
    return NULL;
}
