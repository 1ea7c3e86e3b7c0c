#ifndef OPTIMIZERS_CMA_CELLS_H
#define OPTIMIZERS_CMA_CELLS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/rng.h"
#include "core/space.h"
#include "optimizers/cma.h"

/* Between the coordinates of CMA-ES and the unit cube: a coordinate of CMA-ES is one of the numeric
 * parameters; one of finitely many values divides the line into as many *cells*, the outer two without end.
 */
struct cells {
    const struct space *space;
    size_t n;     /* numeric coordinates */
    size_t *dims; /* [n] of the unit cube */
    bool *finite; /* [n] */
};

/* Returns 0 or ERR_NOMEM. */
int cells_init(struct cells *cells, const struct space *space);
void cells_fini(struct cells *cells);

/* The ends of the cell of coordinate j in which x lies, +-INFINITY at the outer ends. */
void cells_find(double *low, double *high, const struct cells *cells, size_t j, double x);
/* Is every continuous coordinate of x[n] inside [0, 1]? */
bool cells_contain(const struct cells *cells, const double *x);
/* Mirrors the continuous coordinates that are outside. */
void cells_reflect(double *x, const struct cells *cells);

/* What CMA-ES may have drawn when `unit` was tried, for learning from it: continuous coordinates as they are;
 * within a cell a draw of the present distribution between its ends; `free[j]`, the parameter was inactive:
 * the j-th coordinate of drawn[n], which is any draw. */
void cells_recall(double *x, const struct cells *cells, const struct cma *cma, const double *unit,
                  const bool *free, const double *drawn, struct rng *rng);
/* Keeps the chance of leaving the cell of the mean, of each finite coordinate, at `alpha` or more. */
void cells_keep_margin(struct cma *cma, const struct cells *cells, double alpha);

#endif
