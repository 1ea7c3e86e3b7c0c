#ifndef DRIVER_NEAREST_H
#define DRIVER_NEAREST_H

#include <stddef.h>

#include "core/space.h"

/* The nearest of a set of points, in the unit cube of their space:
 *
 *   d(a, b)^2 = sum_j d_j^2,   d_j = |u_j(a) - u_j(b)|   numeric parameters
 *                                    [a_j != b_j]        categorical ones
 *                                    1                   active in only one of a and b
 *
 * A k-d tree (Bentley 1975) whose search keeps the distance to the cell dimension by dimension (Arya & Mount
 * 1993); its lowest leaves are compared in groups, several boxes and points at a time. */
struct nearest_tree;

/* Of the points [n][n_params], which it borrows, and the space too. Returns 0 or ERR_NOMEM. O(n log n). */
int nearest_create(struct nearest_tree **tree, const struct space *space, const double *points, size_t n);
void nearest_destroy(struct nearest_tree *tree);
/* The index of the nearest point that was not removed; of equal ones the lowest. (size_t)-1: all were
 * removed. About O(log n) in few dimensions, O(n) in many. */
size_t nearest_find(struct nearest_tree *tree, const double *point);
/* Takes a point out of the set. O(log n). nearest_restore puts all back. */
void nearest_remove(struct nearest_tree *tree, size_t index);
void nearest_restore(struct nearest_tree *tree);

#endif
