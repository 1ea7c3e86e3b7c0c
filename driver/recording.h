#ifndef DRIVER_RECORDING_H
#define DRIVER_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "core/faults.h"
#include "core/spec.h"

/* A table of recorded trainings: a configuration a row, with its learning curve (or its value alone), the
 * values of independent repeats, and the time that each step took. docs/simulate.md describes the file.
 *
 * | symbol     | meaning                                                       | shape              |
 * | points     | configurations, as points of the space                        | [n_rows][n_params] |
 * | curves     | the objective after each step, in the user's sign; NaN: diverged. Of a table with |
 * |            | replicates their mean                                         | [n_rows][n_steps]  |
 * | lengths    | steps that were recorded                                      | [n_rows]           |
 * | replicates | NaN: that one is missing                                      | [n_rows][n_replicates] |
 * | seconds    | that each step took; NULL: unknown                            | [n_rows][n_steps]  | */
struct recording {
    const struct space *space;
    const struct table_source *source;
    enum metric_goal goal;
    size_t n_rows, n_steps, n_replicates;
    double *points, *curves, *replicates, *seconds;
    size_t *lengths;
    double optimum;            /* the file's, or the best value of any row at any step */
    double median;             /* the file's, or that of the last values; what diverged counts as worst */
    struct nearest_tree *tree; /* of a sampled table */
    struct keyed_row *keys;    /* [n_rows] of a full-factorial one, ascending */
};

/* Reads the table that spec->table describes from the CSV text, which is changed; `spec` is borrowed as long
 * as the recording lives. Returns 0; ERR_INVALID with faults of the file at their places; ERR_NOMEM. O(n log
 * n). */
int recording_create(struct recording **recording, const struct spec *spec, char *text,
                     struct faults *faults);
void recording_destroy(struct recording *recording);

/* The same from the file at `path`. ERR_NOT_FOUND or ERR_IO with a text where it cannot be read; ERR_INVALID
 * with faults. */
int recording_read(struct recording **recording, const struct spec *spec, const char *path,
                   struct faults *faults, struct err *err);

/* The row that stands for a point: its own where it has one, else the nearest. With lookup `rows` a row is
 * given once, until recording_rewind. SIZE_MAX: none is left. */
size_t recording_find(struct recording *recording, const double *point);
void recording_rewind(struct recording *recording);

/* (value - optimum) / (median - optimum), at most 1: 0 is the best there is, 1 the median row or worse. NaN
 * for NaN, and where the table has no spread. */
double recording_regret(const struct recording *recording, double value);

#endif
