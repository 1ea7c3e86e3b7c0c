#ifndef DRIVER_CLERK_H
#define DRIVER_CLERK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "driver/route.h"

/* The clerk: a thread that answers QUERYs from the database with a connection of its own, because a document
 * of a hundred thousand trials takes a second to write and the loop has none to spare. It is started by the
 * first question. All calls are for the loop's thread. */

#define CLERK_MAX_WAITING 64 /* questions; more are refused */

struct clerk;

/* Copies the path. After a failure too *clerk is to be destroyed. */
int clerk_create(struct clerk **clerk, const char *database, struct err *err);
/* Waits for the document that is being written; drops the rest. */
void clerk_destroy(struct clerk *clerk);
/* Copies all. ERR_BUSY: too many are waiting; ERR_NOMEM, ERR_IO. */
int clerk_ask(struct clerk *clerk, const struct route *route, uint64_t request, const char *what,
              const char *experiment, struct err *err);
/* Readable when there are answers. */
int clerk_event_fd(const struct clerk *clerk);

struct document {
    struct route route; /* who asked */
    uint64_t request;
    int code;
    char *text; /* JSON, or the message of an error; the caller frees it */
};
/* The next answer; false: no more now. */
bool clerk_next(struct document *document, struct clerk *clerk);

#endif
