/* L-BFGS in a box. */
#include "optimizers/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "core/err.h"

enum { MAX_SHORTENED = 12 };

#define ARMIJO        1e-4
#define MIN_CURVATURE 1e-10

int lbfgs_init(struct lbfgs *lbfgs, size_t max)
{
    size_t n_vectors = 6 + 2 * LBFGS_MEMORY;
    double *block = calloc(n_vectors * (max + 1), sizeof *block);
    *lbfgs = (struct lbfgs){.lower = block};
    if (!block)
        return ERR_NOMEM;
    double **vectors[] = {&lbfgs->upper, &lbfgs->next, &lbfgs->x, &lbfgs->g, &lbfgs->direction, &lbfgs->s};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = block + (i + 1) * max;
    lbfgs->y = lbfgs->s + LBFGS_MEMORY * max;
    return 0;
}

void lbfgs_fini(struct lbfgs *lbfgs)
{
    free(lbfgs->lower); /* the block */
    *lbfgs = (struct lbfgs){0};
}

static double clip(double x, double low, double high)
{
    return x > low ? (x < high ? x : high) : low;
}

void lbfgs_begin(struct lbfgs *lbfgs, size_t n, double tolerance, double first_step)
{
    lbfgs->n = n;
    lbfgs->f = INFINITY;
    lbfgs->n_pairs = 0;
    lbfgs->n_shortened = 0;
    lbfgs->tolerance = tolerance;
    lbfgs->first_step = first_step;
    for (size_t i = 0; i < n; i++)
        lbfgs->next[i] = clip(lbfgs->next[i], lbfgs->lower[i], lbfgs->upper[i]);
}

static double dot(const struct lbfgs *lbfgs, const double *a, const double *b)
{
    return cblas_ddot((int)lbfgs->n, a, 1, b, 1);
}

/* Is coordinate i at a bound that the descent pushes against? */
static bool is_held(const struct lbfgs *lbfgs, size_t i)
{
    return (lbfgs->x[i] <= lbfgs->lower[i] && lbfgs->g[i] > 0) ||
           (lbfgs->x[i] >= lbfgs->upper[i] && lbfgs->g[i] < 0);
}

/* direction = -H g on the free coordinates. */
static void two_loops(struct lbfgs *lbfgs)
{
    size_t n = lbfgs->n, n_pairs = lbfgs->n_pairs < LBFGS_MEMORY ? lbfgs->n_pairs : LBFGS_MEMORY;
    double *q = lbfgs->direction, a[LBFGS_MEMORY];
    for (size_t k = 1; k <= n_pairs; k++) {
        size_t at = (lbfgs->n_pairs - k) % LBFGS_MEMORY;
        a[at] = lbfgs->rho[at] * dot(lbfgs, &lbfgs->s[at * n], q);
        cblas_daxpy((int)n, -a[at], &lbfgs->y[at * n], 1, q, 1);
    }
    if (n_pairs > 0) {
        size_t last = (lbfgs->n_pairs - 1) % LBFGS_MEMORY;
        const double *y = &lbfgs->y[last * n];
        cblas_dscal((int)n, 1 / (lbfgs->rho[last] * dot(lbfgs, y, y)), q, 1);
    }
    for (size_t k = n_pairs; k >= 1; k--) {
        size_t at = (lbfgs->n_pairs - k) % LBFGS_MEMORY;
        double b = lbfgs->rho[at] * dot(lbfgs, &lbfgs->y[at * n], q);
        cblas_daxpy((int)n, a[at] - b, &lbfgs->s[at * n], 1, q, 1);
    }
}

static void set_steepest(struct lbfgs *lbfgs)
{
    for (size_t i = 0; i < lbfgs->n; i++)
        lbfgs->direction[i] = is_held(lbfgs, i) ? 0 : -lbfgs->g[i];
}

/* A new direction from x; false: there is none that descends. */
static bool set_direction(struct lbfgs *lbfgs)
{
    double largest = 0;
    set_steepest(lbfgs);
    for (size_t i = 0; i < lbfgs->n; i++)
        largest = fmax(largest, fabs(lbfgs->direction[i]));
    if (!(largest > 0) || isinf(largest))
        return false;
    lbfgs->step = 1;
    two_loops(lbfgs);
    for (size_t i = 0; i < lbfgs->n; i++)
        lbfgs->direction[i] = is_held(lbfgs, i) ? 0 : lbfgs->direction[i];
    lbfgs->slope = dot(lbfgs, lbfgs->g, lbfgs->direction);
    if (!(lbfgs->slope < 0) || lbfgs->n_pairs == 0) {
        set_steepest(lbfgs);
        lbfgs->n_pairs = 0;
        lbfgs->step = lbfgs->first_step / largest;
        lbfgs->slope = dot(lbfgs, lbfgs->g, lbfgs->direction);
    }
    return lbfgs->slope < 0;
}

/* Puts `next` at the end of the step; false: it would not move. */
static bool set_next(struct lbfgs *lbfgs)
{
    bool moves = false;
    for (size_t i = 0; i < lbfgs->n; i++) {
        double x = lbfgs->x[i] + lbfgs->step * lbfgs->direction[i];
        lbfgs->next[i] = clip(x, lbfgs->lower[i], lbfgs->upper[i]);
        moves = moves || lbfgs->next[i] != lbfgs->x[i];
    }
    return moves;
}

static bool shorten(struct lbfgs *lbfgs, double f)
{
    if (++lbfgs->n_shortened > MAX_SHORTENED)
        return false;
    double shorter = 0.1; /* else the minimum of the parabola through f, its slope and the new f */
    if (isfinite(f))
        shorter =
            clip(-lbfgs->slope * lbfgs->step / (2 * (f - lbfgs->f - lbfgs->slope * lbfgs->step)), 0.1, 0.5);
    lbfgs->step *= shorter;
    return set_next(lbfgs);
}

/* Keeps the pair if the curvature along the step is positive. */
static void add_pair(struct lbfgs *lbfgs, const double *gradient)
{
    size_t n = lbfgs->n, at = lbfgs->n_pairs % LBFGS_MEMORY;
    double *s = &lbfgs->s[at * n], *y = &lbfgs->y[at * n];
    for (size_t i = 0; i < n; i++) {
        s[i] = lbfgs->next[i] - lbfgs->x[i];
        y[i] = gradient[i] - lbfgs->g[i];
    }
    double curvature = dot(lbfgs, s, y);
    if (!(curvature > MIN_CURVATURE * dot(lbfgs, y, y)))
        return;
    lbfgs->rho[at] = 1 / curvature;
    lbfgs->n_pairs++;
}

bool lbfgs_tell(struct lbfgs *lbfgs, double f, const double *gradient)
{
    bool is_first = isinf(lbfgs->f);
    double moved = 0; /* how far down the slope the projected step goes */
    for (size_t i = 0; !is_first && i < lbfgs->n; i++)
        moved += lbfgs->g[i] * (lbfgs->next[i] - lbfgs->x[i]);
    if (!isfinite(f) || (!is_first && !(f <= lbfgs->f + ARMIJO * moved)))
        return !is_first && shorten(lbfgs, f);
    double before = lbfgs->f;
    if (!is_first)
        add_pair(lbfgs, gradient);
    memcpy(lbfgs->x, lbfgs->next, lbfgs->n * sizeof *lbfgs->x);
    memcpy(lbfgs->g, gradient, lbfgs->n * sizeof *lbfgs->g);
    lbfgs->f = f;
    lbfgs->n_shortened = 0;
    if (!is_first && before - f <= lbfgs->tolerance * (fabs(f) + 1))
        return false;
    return set_direction(lbfgs) && set_next(lbfgs);
}
