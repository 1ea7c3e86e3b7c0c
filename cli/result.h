#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include "cli/command.h"
#include "cli/data.h"
#include "core/text.h"

/* What came of an experiment: what `prova run` ends with. */
struct result_view {
    bool json, hints;
    const char *database; /* to be named in the hints if it is not the default; NULL: a driver's */
};

/* Prints it: the result on stdout, what to type next on stderr. *status is an enum cli_status. Returns 0 or
 * why it could not be read. */
int result_print(int *status, const struct cli_call *call, struct data *data, const char *experiment,
                 const struct result_view *view, struct err *err);

/* "prova show digits", with --db if it is not the default one. */
void result_append_command(struct text *out, const char *command, const char *arguments,
                           const char *database);

#endif
