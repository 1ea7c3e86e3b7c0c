#ifndef EXAMPLES_DIGITS_CHECKPOINT_H
#define EXAMPLES_DIGITS_CHECKPOINT_H

#include <stddef.h>

/* A file that holds a few pieces of memory, written whole: a reader sees the old one or the new one, never
 * half of it, whenever the writer is killed. */
struct piece {
    void *data;
    size_t size;
};

/* Returns 0, or -1 (errno says why) if it cannot be written. */
int checkpoint_save(const char *path, const struct piece *pieces, size_t n);
/* Fills all pieces; 0 if it does. -1: there is none of just these sizes, and nothing has changed. */
int checkpoint_load(const struct piece *pieces, size_t n, const char *path);

#endif
