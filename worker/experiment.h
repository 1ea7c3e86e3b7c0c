#ifndef WORKER_EXPERIMENT_H
#define WORKER_EXPERIMENT_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "core/id.h"
#include "core/spec.h"
#include "worker/worker.h"

/* An experiment as its worker knows it: the spec, and what is made of it once for all its trials. Counted
 * references, because the driver may end it while its last trial still runs; the count is guarded by the
 * session's lock. */

struct experiment {
    struct id id;
    char id_text[ID_TEXT_SIZE];
    char *name;
    struct spec *spec; /* NULL: it could not be read, see `fault` */
    struct err fault;  /* why none of its trials can run here; code 0: none */
    bool has_pattern;  /* metric.pattern, compiled */
    regex_t pattern;
    void *library; /* of TRAIN_LIBRARY, opened by its first trial; used by the main thread alone */
    worker_train_fn *function; /* in it */
    unsigned refs;
};

/* With one reference. Copies the strings. NULL when out of memory; a spec that cannot be used is no error
 * here but of every trial of it. */
struct experiment *experiment_read(struct id id, const char *name, const char *spec, size_t spec_size);
struct experiment *experiment_ref(struct experiment *experiment);
void experiment_unref(struct experiment *experiment); /* NULL is a no-op */

#endif
