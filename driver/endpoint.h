#ifndef DRIVER_ENDPOINT_H
#define DRIVER_ENDPOINT_H

#include <stdbool.h>

#include "core/err.h"

#define ENDPOINT_SIZE 256 /* of the text, with its terminator */

/* May the driver listen there? Only ipc and loopback TCP, unless `insecure`: frames are neither encrypted nor
 * authenticated. ERR_REFUSED; ERR_INVALID for what is no endpoint; ERR_BUSY for an ipc path where another
 * process listens (ZeroMQ would take it away from it). */
int endpoint_check(const char *endpoint, bool insecure, struct err *err);

/* Binds a ZeroMQ socket and writes the endpoint as bound, with its real port. ERR_BUSY: the port is in use.
 */
int endpoint_bind(char bound[static ENDPOINT_SIZE], void *socket, const char *endpoint, struct err *err);

#endif
