#ifndef CORE_CSV_H
#define CORE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/faults.h"

/* Records of a CSV text (RFC 4180): commas, quotes doubled within quotes, lines ended by LF or CRLF, a byte
 * order mark and empty lines passed over. The text is read once, and changed: fields are terminated in it. */
struct csv_field {
    char *text;
    unsigned column; /* where it begins, in bytes from 1 */
    bool is_quoted;
};

struct csv {
    char *at;
    unsigned next_line;
    unsigned line; /* where the last record begins, from 1 */
    size_t n;      /* its fields */
    struct csv_field *fields;
    size_t capacity;
};

/* `text` is terminated, borrowed and changed. */
void csv_init(struct csv *csv, char *text);
void csv_fini(struct csv *csv);
/* Reads the next record into csv->fields. Returns 1; 0 at the end; ERR_INVALID with a fault at its place
 * (quotes that do not end, text behind a quote); ERR_NOMEM. */
int csv_next(struct csv *csv, struct faults *faults);

#endif
