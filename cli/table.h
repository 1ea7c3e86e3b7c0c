#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"

/* A table for people: columns aligned, headed, and cut to a terminal's width. */

enum table_align { TABLE_LEFT, TABLE_RIGHT };
enum table_style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_WARN, STYLE_DIM, STYLE_BOLD };

struct table;

/* Returns NULL only when out of memory; then the other calls do nothing. */
struct table *table_create(void);
void table_destroy(struct table *table);
/* All columns come before the first cell. A column that `shrinks` is cut when the lines are too long. Copies.
 */
void table_add_column(struct table *table, const char *heading, enum table_align align, bool shrinks);
/* Cells come row by row, from left to right. Copies; NULL is "". */
void table_add(struct table *table, enum table_style style, const char *cell);
void table_printf(struct table *table, enum table_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `width` 0: lines of any length. Returns 0 or ERR_NOMEM if anything was lost on the way. */
int table_write(struct text *out, const struct table *table, int width, bool colour);

/* The escape that begins a style; "" for PLAIN or without colour. style_end ends it. Lends. */
const char *style_begin(enum table_style style, bool colour);
const char *style_end(enum table_style style, bool colour);

#endif
