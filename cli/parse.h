#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "cli/command.h"

/* Reads a command's line by its table: options anywhere, "--" ends them, "--name=value" and unambiguous
 * beginnings of names are allowed. */

enum parse_result { PARSE_OK = 0, PARSE_HELP = 1 }; /* or a negative error code */

/* argv[0] is the command's name. Fills *options (the command's struct of options_size bytes), and the
 * operands of *call, which borrow from argv. ERR_INVALID with a text that says what is wrong and what may
 * have been meant. Lists in `options` are freed by parse_release. */
int parse_command(struct cli_call *call, void *options, const struct cli_command *command, int argc,
                  char **argv, struct err *err);
void parse_release(void *options, const struct cli_command *command);

/* Reads a whole number in [min, max]. Returns 0 or ERR_INVALID with `what` in the text. */
int parse_int(int64_t *value, const char *text, int64_t min, int64_t max, const char *what, struct err *err);
/* Reads a duration in seconds: "90", "1.5s", "500ms", "10m", "2h". */
int parse_seconds(double *value, const char *text, struct err *err);

#endif
