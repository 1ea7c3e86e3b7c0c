#ifndef OPTIMIZERS_LBFGS_H
#define OPTIMIZERS_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

/* L-BFGS in a box, by ask and tell: many of them can be advanced side by side and their points evaluated
 * together. Minimises. Steps are projected onto the box (Bertsekas 1982, "Projected Newton methods"): a
 * coordinate at its bound whose gradient points outwards is held, and the two-loop recursion (Nocedal &
 * Wright, "Numerical optimization", algorithm 7.4) runs on the others; the step is shortened until it
 * decreases f enough (Armijo). */
enum { LBFGS_MEMORY = 8 };

struct lbfgs {
    size_t n;
    double *lower, *upper; /* [n] the box, the caller's to fill */
    double *next;          /* [n] where f and its gradient are wanted */
    double *x, *g;         /* [n] the best point so far and its gradient */
    double f;              /* of x; INFINITY before the first tell */
    double *direction;     /* [n] */
    double *s, *y;         /* [LBFGS_MEMORY][n] steps and what they changed in the gradient */
    double rho[LBFGS_MEMORY];
    size_t n_pairs;       /* all in all; the newest LBFGS_MEMORY are kept */
    double step;          /* of the line search */
    double slope;         /* of f along the direction */
    unsigned n_shortened; /* in this line search */
    double tolerance;     /* relative decrease of f below which it ends */
    double first_step;    /* the largest change of a coordinate in the first step */
};

/* Room for n <= max coordinates. Returns 0 or ERR_NOMEM. */
int lbfgs_init(struct lbfgs *lbfgs, size_t max);
void lbfgs_fini(struct lbfgs *lbfgs);
/* Begins at lbfgs->next[n], which the caller has filled and which is moved into the box. */
void lbfgs_begin(struct lbfgs *lbfgs, size_t n, double tolerance, double first_step);
/* f and its gradient at lbfgs->next. Returns whether to go on: then `next` is another point. A value that is
 * not finite counts as too large. lbfgs->x and f are the best so far. */
bool lbfgs_tell(struct lbfgs *lbfgs, double f, const double *gradient);

#endif
