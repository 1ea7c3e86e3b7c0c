#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include "core/id.h"
#include "worker/page.h"
#include "worker/worker.h"

/* A slot, as its process knows it. */
struct slot_setup {
    const struct worker_setup *worker;
    unsigned number;
    struct id id;          /* of the worker that it is */
    const char *directory; /* absolute: where trial directories are made */
    struct page *page;
    int output[2]; /* pipe of its stdout and stderr, kept by the supervisor over its processes; the reading
                      end does not block */
};

/* The life of a slot process: serves trials until it is told to go. Never returns; says on the page how it
 * ended. */
_Noreturn void slot_run(const struct slot_setup *setup);

#endif
