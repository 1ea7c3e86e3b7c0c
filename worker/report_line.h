#ifndef WORKER_REPORT_LINE_H
#define WORKER_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A report as a line of text, "step=3 val_accuracy=0.91 loss=0.3": what a command prints behind "prova:",
 * and what is written to the FIFO `.reports` in its trial's directory. */

#define REPORT_LINE_PREFIX "prova:"
#define REPORT_LINE_FIFO   ".reports" /* in $PROVA_TRIAL_DIR; of rank 3 of a gang ".reports-3" */
#define REPORT_LINE_PAIRS  64         /* values in one line */
#define REPORT_LINE_NAME   128        /* characters of a metric's name */

struct report_pair {
    const char *name; /* borrowed from the line, not terminated */
    size_t size;
    double value;
};

struct report_line {
    bool has_step;
    int64_t step;
    size_t n;
    struct report_pair pairs[REPORT_LINE_PAIRS];
};

/* Reads `size` bytes, without prefix and line end; pairs are separated by blanks or commas. A decimal point
 * is a point in every locale. Returns 0, or ERR_INVALID for anything else than pairs name=number (a `step`
 * must be a whole number from 0 to 2^53) or for no value at all. Allocates nothing. */
int report_line_parse(struct report_line *line, const char *text, size_t size);

/* The path of the FIFO; `rank` as in $PROVA_RANK: NULL, "" and "0" are no different. Returns 0 or ERR_INVALID
 * if it does not fit. */
int report_line_fifo(char *path, size_t capacity, const char *directory, const char *rank);

/* Is it a line of this kind? *rest is what follows the prefix. */
bool report_line_has_prefix(const char **rest, const char *text);

/* Writes "step=3 name=0.91\n" (no step if it is negative). Returns its size, or ERR_INVALID if the name is
 * none or `capacity` is too small; PIPE_BUF always suffices. */
int report_line_format(char *text, size_t capacity, int64_t step, const char *name, double value);

#endif
