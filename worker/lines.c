/* Cuts a stream into lines. */
#include "worker/lines.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

int lines_init(struct lines *lines)
{
    memset(lines, 0, sizeof *lines);
    lines->data = malloc(LINES_MAX + 1);
    return lines->data ? ERR_OK : ERR_NOMEM;
}

void lines_fini(struct lines *lines)
{
    free(lines->data);
    lines->data = NULL;
}

static void keep(struct lines *lines, const char *bytes, size_t size)
{
    size_t room = LINES_MAX - lines->size;
    if (size > room)
        lines->is_cut = true;
    size_t kept = size < room ? size : room;
    memcpy(lines->data + lines->size, bytes, kept);
    lines->size += kept;
}

static void end_line(struct lines *lines, lines_fn *take, void *arg)
{
    lines->data[lines->size] = '\0';
    take(arg, lines->data, lines->size);
    lines->size = 0;
    lines->is_cut = false;
}

void lines_feed(struct lines *lines, const char *bytes, size_t size, lines_fn *take, void *arg)
{
    while (size > 0) {
        const char *end = memchr(bytes, '\n', size);
        size_t length = end ? (size_t)(end - bytes) : size;
        keep(lines, bytes, length);
        if (!end)
            return;
        end_line(lines, take, arg);
        bytes += length + 1;
        size -= length + 1;
    }
}

void lines_flush(struct lines *lines, lines_fn *take, void *arg)
{
    if (lines->size > 0)
        end_line(lines, take, arg);
}
