/* Cuts the last lines from an output. */
#include "worker/tail.h"

#include <stdbool.h>
#include <string.h>

#include "worker/report_line.h"

#define TAIL_LINES 5
#define TAIL_BYTES 1000

/* Where the line that ends before `end` begins. */
static size_t line_start(const char *output, size_t end)
{
    while (end > 0 && output[end - 1] != '\n')
        end--;
    return end;
}

static void trim(const char **line, size_t *size)
{
    while (*size > 0 && strchr(" \t\r", (*line)[*size - 1]) && (*line)[*size - 1])
        --*size;
    while (*size > 0 && strchr(" \t\r", **line) && **line) {
        ++*line;
        --*size;
    }
}

/* Reports are kept elsewhere, and differ from trial to trial where the reason of a failure is the same. */
static bool is_report(const char *line, size_t size)
{
    struct report_line report;
    size_t prefix = strlen(REPORT_LINE_PREFIX);
    return size > prefix && !memcmp(line, REPORT_LINE_PREFIX, prefix) &&
           !report_line_parse(&report, line + prefix, size - prefix);
}

void tail_append(struct text *out, const char *before, const char *output, size_t size)
{
    const char *lines[TAIL_LINES];
    size_t sizes[TAIL_LINES], n = 0, bytes = 0;
    for (size_t end = size; n < TAIL_LINES && end > 0;) {
        size_t start = line_start(output, end), length = end - start;
        const char *line = output + start;
        end = start > 0 ? start - 1 : 0;
        trim(&line, &length);
        if (length == 0 || is_report(line, length))
            continue;
        if (bytes + length > TAIL_BYTES) {
            if (n > 0)
                break;
            line += length - TAIL_BYTES; /* the end of a long line says most */
            length = TAIL_BYTES;
        }
        lines[n] = line;
        sizes[n++] = length;
        bytes += length;
    }
    for (size_t i = n; i-- > 0;) {
        text_append(out, i == n - 1 ? before : " | ");
        text_append_bytes(out, lines[i], sizes[i]);
    }
}
