/* CSV (RFC 4180), record by record and in place. */
#include "core/csv.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

void csv_init(struct csv *csv, char *text)
{
    *csv = (struct csv){.at = text, .next_line = 1};
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        csv->at += 3;
}

void csv_fini(struct csv *csv)
{
    free(csv->fields);
    *csv = (struct csv){0};
}

static struct csv_field *add_field(struct csv *csv)
{
    if (csv->n == csv->capacity) {
        size_t capacity = csv->capacity ? 2 * csv->capacity : 16;
        struct csv_field *fields = realloc(csv->fields, capacity * sizeof *fields);
        if (!fields)
            return NULL;
        csv->fields = fields;
        csv->capacity = capacity;
    }
    return &csv->fields[csv->n++];
}

static bool ends_field(char c)
{
    return c == ',' || c == '\n' || c == '\r' || c == '\0';
}

/* Reads what stands between quotes, without them; csv->at is behind the first one. */
static int read_quoted(struct csv *csv, unsigned column, struct faults *faults)
{
    char *to = csv->at, *from = csv->at;
    for (;; from++) {
        if (!*from) {
            faults_add(faults, csv->line, column, "the quotes do not end");
            return ERR_INVALID;
        }
        if (*from == '"' && *++from != '"')
            break;
        csv->next_line += *from == '\n';
        *to++ = *from;
    }
    if (!ends_field(*from)) {
        faults_add(faults, csv->line, column, "text behind the closing quote");
        return ERR_INVALID;
    }
    csv->at = from;
    if (to < from)
        *to = '\0';
    return 0;
}

/* Skips empty lines; false at the end. */
static bool find_record(struct csv *csv)
{
    for (; *csv->at == '\n' || *csv->at == '\r'; csv->at++)
        csv->next_line += *csv->at == '\n';
    return *csv->at != '\0';
}

int csv_next(struct csv *csv, struct faults *faults)
{
    csv->n = 0;
    if (!find_record(csv))
        return 0;
    csv->line = csv->next_line;
    const char *start = csv->at;
    for (;;) {
        struct csv_field *field = add_field(csv);
        if (!field)
            return ERR_NOMEM;
        *field = (struct csv_field){
            .column = (unsigned)(csv->at - start) + 1, .is_quoted = *csv->at == '"', .text = csv->at};
        if (field->is_quoted) {
            field->text = ++csv->at;
            int code = read_quoted(csv, field->column, faults);
            if (code < 0)
                return code;
        } else {
            while (!ends_field(*csv->at))
                csv->at++;
        }
        char end = *csv->at;
        *csv->at = '\0';
        csv->at += end != '\0';
        if (end == ',')
            continue;
        csv->at += end == '\r' && *csv->at == '\n';
        csv->next_line += end != '\0';
        return 1;
    }
}
