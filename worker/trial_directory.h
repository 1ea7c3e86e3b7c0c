#ifndef WORKER_TRIAL_DIRECTORY_H
#define WORKER_TRIAL_DIRECTORY_H

#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/text.h"

/* Where a trial keeps its files: BASE/NAME-IDIDIDID/NUMBER, with the output of attempt k in output-k.log. */

void trial_directory_path(struct text *path, const char *base, const char *name, struct id experiment,
                          uint64_t trial);
/* Makes it and everything above it; no error if it is there. */
int trial_directory_make(const char *path, struct err *err);
/* The log of an attempt in it. */
void trial_directory_log_path(struct text *path, const char *directory, uint64_t attempt, uint64_t rank);
/* Opens it at its end, for reading and writing (not O_APPEND, which splice refuses); a descriptor, or ERR_IO
 * with a text. *path gets its name. */
int trial_directory_open_log(struct text *path, const char *directory, uint64_t attempt, uint64_t rank,
                             struct err *err);

#endif
