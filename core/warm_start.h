#ifndef CORE_WARM_START_H
#define CORE_WARM_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/space.h"
#include "core/text.h"

/* What is known of a space before an experiment begins: points with values, which the search learns from, and
 * points without, which are its first trials. Once read they are part of the spec, so what the database keeps
 * of an experiment says all that its search was told, whatever becomes of the file or experiment that it came
 * from. */

enum warm_kind {
    WARM_TRY,   /* not evaluated yet: to be tried first */
    WARM_VALUE, /* has a value */
    WARM_FAILED /* was tried and gave none */
};

struct warm_point {
    enum warm_kind kind;
    double value; /* of VALUE: finite, in the user's own sign */
    int64_t step; /* at which the value was reached; 0: not known */
};

struct warm_start {
    /* A source that is still to be read, as the user names it; NULL: none. */
    char *csv;        /* path; read by spec_read_warm_csv */
    char *experiment; /* name, or beginning of an id; read by whoever has the database */
    char *database;   /* of `experiment`; NULL: that of the new experiment */
    bool skips_unfit; /* what does not fit the space is left out; else it is a fault */

    size_t n, capacity;
    struct warm_point *list; /* [n] */
    double *points;          /* [n][n_params] */
    size_t n_left_out;       /* that did not fit */
    unsigned line, column;   /* of its section */
};

/* Lookups of peers' tables shall not take all memory: points times (parameters + 3). */
#define WARM_MAX_CELLS 1000000

void warm_start_fini(struct warm_start *warm);
/* How many of its points are of that kind. O(n). */
size_t warm_start_count(const struct warm_start *warm, enum warm_kind kind);
/* Copies both. ERR_NOMEM; ERR_INVALID with a text: they are too many. */
int warm_start_add(struct warm_start *warm, const struct space *space, const double *point,
                   struct warm_point known, struct err *err);

/* Makes a point of what a user gave of it, NaN where nothing is given: constants get their value, parameters
 * whose conditions do not hold become NaN. With `is_try` a missing one takes its default. ERR_INVALID: one
 * has no value. */
int warm_start_complete(double *point, const struct space *space, bool is_try, struct err *err);

/* Adds the rows of a table as of RFC 4180, with a header. Its columns are the parameters, and
 *
 *   value, or the metric's name   the value; empty: to be tried; nan or inf: failed
 *   state                         only rows that are COMPLETED, STOPPED or FAILED are taken then
 *   step                          at which the value was reached
 *
 * A parameter's column is `params.NAME`, or NAME where no column begins with `params.`; a parameter comes
 * before a column of ours of the same name; other columns are passed over. So what `prova export` writes is a
 * table. ERR_INVALID with the row; rows that do not fit the space are left out with `skips_unfit`, else
 * counted in the text. ERR_NOMEM. */
int warm_start_read_table(struct warm_start *warm, const struct space *space, const char *metric,
                          const char *text, size_t size, struct err *err);
/* The same as such a table. */
void warm_start_write_table(struct text *out, const struct warm_start *warm, const struct space *space);

#endif
