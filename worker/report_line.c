/* Reports as lines of text: one parser for a command's output and for its FIFO. */
#include "worker/report_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/number.h"
#include "core/trial.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == '\r';
}

static int parse_number(double *value, const char *text, size_t size)
{
    char copy[64], *end = NULL;
    if (size == 0 || size >= sizeof copy)
        return ERR_INVALID;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *value = number_strtod(copy, &end);
    return *end ? ERR_INVALID : ERR_OK;
}

static int parse_step(int64_t *step, const char *text, size_t size)
{
    char copy[32], *end = NULL;
    if (size == 0 || size >= sizeof copy || text[0] < '0' || text[0] > '9')
        return ERR_INVALID;
    memcpy(copy, text, size);
    copy[size] = '\0';
    errno = 0;
    *step = strtoll(copy, &end, 10);
    return *end || errno || !report_step_is_valid(*step) ? ERR_INVALID : ERR_OK;
}

static int parse_pair(struct report_line *line, const char *pair, size_t size)
{
    const char *equals = memchr(pair, '=', size);
    if (!equals || equals == pair)
        return ERR_INVALID;
    size_t name_size = (size_t)(equals - pair), value_size = size - name_size - 1;
    if (name_size == 4 && !memcmp(pair, "step", 4)) {
        line->has_step = true;
        return parse_step(&line->step, equals + 1, value_size);
    }
    if (name_size > REPORT_LINE_NAME || line->n == REPORT_LINE_PAIRS)
        return ERR_INVALID;
    struct report_pair *out = &line->pairs[line->n++];
    out->name = pair;
    out->size = name_size;
    return parse_number(&out->value, equals + 1, value_size);
}

int report_line_parse(struct report_line *line, const char *text, size_t size)
{
    line->has_step = false;
    line->step = 0;
    line->n = 0;
    for (size_t at = 0; at < size;) {
        if (is_blank(text[at])) {
            at++;
            continue;
        }
        size_t end = at;
        while (end < size && !is_blank(text[end]))
            end++;
        if (parse_pair(line, text + at, end - at))
            return ERR_INVALID;
        at = end;
    }
    return line->n ? ERR_OK : ERR_INVALID;
}

bool report_line_has_prefix(const char **rest, const char *text)
{
    size_t size = strlen(REPORT_LINE_PREFIX);
    if (strncmp(text, REPORT_LINE_PREFIX, size))
        return false;
    *rest = text + size;
    return true;
}

int report_line_format(char *text, size_t capacity, int64_t step, const char *name, double value)
{
    size_t size = strlen(name);
    if (size == 0 || size > REPORT_LINE_NAME || strpbrk(name, "= \t\r\n,") || !strcmp(name, "step"))
        return ERR_INVALID;
    char number[32];
    (void)number_format(number, 17, value); /* always fits */
    int written = step < 0 ? snprintf(text, capacity, "%s=%s\n", name, number)
                           : snprintf(text, capacity, "step=%" PRId64 " %s=%s\n", step, name, number);
    return written < 0 || (size_t)written >= capacity ? ERR_INVALID : written;
}

int report_line_fifo(char *path, size_t capacity, const char *directory, const char *rank)
{
    bool has_rank = rank && *rank && strcmp(rank, "0") != 0;
    int size = snprintf(path, capacity, "%s/%s%s%s", directory, REPORT_LINE_FIFO, has_rank ? "-" : "",
                        has_rank ? rank : "");
    return size >= 0 && (size_t)size < capacity ? 0 : ERR_INVALID;
}
