#ifndef WORKER_TAIL_H
#define WORKER_TAIL_H

#include <stddef.h>

#include "core/text.h"

/* The last words of an output, for the message of a failure: its last whole lines that are neither
 * blank nor reports, at most 5 of them and 1,000 bytes, joined by " | ". Adds nothing where there are none.
 */
void tail_append(struct text *out, const char *before, const char *output, size_t size);

#endif
