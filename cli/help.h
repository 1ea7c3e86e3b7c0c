#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"
#include "core/text.h"

/* Texts made from the tables of the commands. `bold` marks headings for a terminal. */

/* "prova run [OPTION]... SWEEP" */
void help_write_usage(struct text *out, const struct cli_command *command);
/* What `prova CMD --help` says. */
void help_write_command(struct text *out, const struct cli_command *command, bool bold);
/* What `prova help` says. */
void help_write_overview(struct text *out, bool bold);

#endif
