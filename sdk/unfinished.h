#ifndef SDK_UNFINISHED_H
#define SDK_UNFINISHED_H

#include "core/err.h"
#include "core/id.h"
#include "core/spec.h"

/* Looks for an experiment to go on with. */

/* The newest experiment of that name that is not complete: its id and spec, which the caller destroys. No
 * error and *spec NULL if there is none. Asks the driver at `endpoint`; NULL: reads the database. Starts no
 * thread that is left when it returns, so that workers can be forked afterwards. */
int unfinished_find(struct id *id, struct spec **spec, const char *name, const char *endpoint,
                    const char *database, struct err *err);

#endif
