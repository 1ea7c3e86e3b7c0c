#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Cuts a stream of bytes into lines. A line longer than LINES_MAX is cut there, and its rest is dropped. */

#define LINES_MAX 65536

struct lines {
    char *data; /* [LINES_MAX + 1] the line that is not whole yet */
    size_t size;
    bool is_cut;
};

/* Is given each line, terminated, without its end. May change it. */
typedef void lines_fn(void *arg, char *line, size_t size);

int lines_init(struct lines *lines); /* ERR_NOMEM */
void lines_fini(struct lines *lines);
void lines_feed(struct lines *lines, const char *bytes, size_t size, lines_fn *take, void *arg);
/* The last line, if it has no end. */
void lines_flush(struct lines *lines, lines_fn *take, void *arg);

#endif
