/* See checkpoint.h. The sizes come first, so that a file of another network is not taken for one of this. */
#include "checkpoint.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_pieces(FILE *file, const struct piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t size = pieces[i].size;
        if (fwrite(&size, sizeof size, 1, file) != 1)
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (fwrite(pieces[i].data, 1, pieces[i].size, file) != pieces[i].size)
            return -1;
    }
    return 0;
}

int checkpoint_save(const char *path, const struct piece *pieces, size_t n)
{
    char other[4096];
    if ((size_t)snprintf(other, sizeof other, "%s.new", path) >= sizeof other)
        return -1;
    FILE *file = fopen(other, "wb");
    if (!file)
        return -1;
    int rc = write_pieces(file, pieces, n);
    if (fclose(file) || rc)
        return -1;
    return rename(other, path);
}

static int has_sizes(FILE *file, const struct piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t size;
        if (fread(&size, sizeof size, 1, file) != 1 || size != pieces[i].size)
            return 0;
    }
    return 1;
}

int checkpoint_load(const struct piece *pieces, size_t n, const char *path)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].size;
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    char *bytes = malloc(total + 1);
    int rc = bytes && has_sizes(file, pieces, n) && fread(bytes, 1, total, file) == total ? 0 : -1;
    char *at = bytes;
    for (size_t i = 0; rc == 0 && i < n; at += pieces[i++].size)
        memcpy(pieces[i].data, at, pieces[i].size);
    free(bytes);
    (void)fclose(file); /* it was only read */
    return rc;
}
