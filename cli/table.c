/* A table for people. It is laid out when it is written, from the widths of all cells. If the lines are too
 * long, the widest shrinking column gives way one column at a time, never below MIN_WIDTH; what is still too
 * long then is left to the terminal to wrap, because hiding a column would be worse. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/term.h"
#include "core/err.h"

enum { MAX_COLUMNS = 32, MIN_WIDTH = 8, GAP = 2 };

struct cell {
    enum table_style style;
    char *text;
};

struct table {
    size_t n_columns, n_cells, capacity;
    struct {
        char *heading;
        enum table_align align;
        bool shrinks;
    } columns[MAX_COLUMNS];
    struct cell *cells;
    int failed;
};

struct table *table_create(void)
{
    return calloc(1, sizeof(struct table));
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n_columns; i++)
        free(table->columns[i].heading);
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

static char *copy(struct table *table, const char *string)
{
    struct text text = {0};
    text_append(&text, string ? string : "");
    char *result = text.data ? text_take(&text) : calloc(1, 1);
    if (!result)
        table->failed = ERR_NOMEM;
    return result;
}

void table_add_column(struct table *table, const char *heading, enum table_align align, bool shrinks)
{
    if (!table || table->n_columns == MAX_COLUMNS)
        return;
    size_t i = table->n_columns++;
    table->columns[i].heading = copy(table, heading);
    table->columns[i].align = align;
    table->columns[i].shrinks = shrinks;
}

void table_add(struct table *table, enum table_style style, const char *cell)
{
    if (!table || table->failed)
        return;
    if (table->n_cells == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        struct cell *cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) {
            table->failed = ERR_NOMEM;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[table->n_cells++] = (struct cell){style, copy(table, cell)};
}

void table_printf(struct table *table, enum table_style style, const char *format, ...)
{
    char cell[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(cell, sizeof cell, format, args); /* a long cell is cut */
    va_end(args);
    table_add(table, style, cell);
}

const char *style_begin(enum table_style style, bool colour)
{
    static const char *const escapes[] = {
        [STYLE_PLAIN] = "",        [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[31m",
        [STYLE_WARN] = "\033[33m", [STYLE_DIM] = "\033[2m",   [STYLE_BOLD] = "\033[1m",
    };
    return colour ? escapes[style] : "";
}

const char *style_end(enum table_style style, bool colour)
{
    return colour && style != STYLE_PLAIN ? "\033[0m" : "";
}

static void measure(int *widths, const struct table *table)
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = term_columns(table->columns[i].heading);
    for (size_t i = 0; i < table->n_cells; i++) {
        int columns = term_columns(table->cells[i].text);
        if (columns > widths[i % table->n_columns])
            widths[i % table->n_columns] = columns;
    }
}

static void shrink(int *widths, const struct table *table, int width)
{
    int total = -GAP;
    for (size_t i = 0; i < table->n_columns; i++)
        total += widths[i] + GAP;
    for (; total > width; total--) {
        size_t widest = table->n_columns;
        for (size_t i = 0; i < table->n_columns; i++)
            if (table->columns[i].shrinks && widths[i] > MIN_WIDTH &&
                (widest == table->n_columns || widths[i] > widths[widest]))
                widest = i;
        if (widest == table->n_columns)
            return;
        widths[widest]--;
    }
}

static void write_cell(struct text *out, const struct table *table, size_t column, int width,
                       const char *cell, enum table_style style, bool colour)
{
    bool last = column + 1 == table->n_columns;
    int used = term_columns(cell), padding = used < width ? width - used : 0;
    bool right = table->columns[column].align == TABLE_RIGHT;
    if (right)
        text_printf(out, "%*s", padding, "");
    text_append(out, style_begin(style, colour && *cell));
    term_append_cut(out, cell, width);
    text_append(out, style_end(style, colour && *cell));
    if (!last)
        text_printf(out, "%*s", GAP + (right ? 0 : padding), "");
}

/* Without the blanks that an empty last cell leaves. */
static void end_line(struct text *out)
{
    while (out->size && out->data[out->size - 1] == ' ')
        out->data[--out->size] = '\0';
    text_append(out, "\n");
}

int table_write(struct text *out, const struct table *table, int width, bool colour)
{
    if (!table || table->failed)
        return ERR_NOMEM;
    int widths[MAX_COLUMNS] = {0};
    measure(widths, table);
    if (width > 0)
        shrink(widths, table, width);
    for (size_t i = 0; i < table->n_columns; i++)
        write_cell(out, table, i, widths[i], table->columns[i].heading, STYLE_BOLD, colour);
    end_line(out);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % table->n_columns;
        write_cell(out, table, column, widths[column], table->cells[i].text, table->cells[i].style, colour);
        if (column + 1 == table->n_columns)
            end_line(out);
    }
    return out->failed;
}
