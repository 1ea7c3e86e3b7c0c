#ifndef SDK_COMMAND_H
#define SDK_COMMAND_H

#include <limits.h>

#include "core/err.h"

/* The `prova` command, as the library uses it. */

/* Its path: $PROVA_BIN; beside the library, as installed or as built; or "prova", for which the PATH is
 * searched when it is started. ERR_NOT_FOUND: PROVA_BIN names nothing that can be executed. */
int command_find(char path[static PATH_MAX], struct err *err);

/* Runs it with these arguments (argv[0] is "prova") and waits. *output is what it has printed, which the
 * caller frees; NULL if it has failed, which is no error here. Starts no thread. */
int command_output(char **output, const char *const *argv, struct err *err);

#endif
