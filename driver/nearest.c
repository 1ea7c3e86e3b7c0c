/* A k-d tree over the points of a table. See driver/nearest.h.
 *
 * A coordinate is the parameter's in the unit cube, a categorical one's the index of its choice, and ABSENT
 * where the parameter is not active: below all others, so that a cut separates it like any value. Nodes are
 * in one array, children behind their parent; leaves are ranges of `order`. */
#include "driver/nearest.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ABSENT    (-1.0)
#define LEAF_SIZE 32 /* of 8, 16 and 32 the fastest with 2,000 points in 7 dimensions */

struct node {
    size_t first, n;    /* its points, in `order` */
    size_t n_left;      /* of them, those that were not removed */
    size_t parent;      /* of the root: itself */
    size_t left, right; /* 0: a leaf */
    size_t block;       /* of a leaf: its first one in `rough` */
    size_t dim;
    double cut; /* left: coordinate <= cut */
};

struct nearest_tree {
    const struct space *space;
    size_t n, n_dims;
    bool *is_choice; /* [n_dims] */
    bool *is_plain;  /* [n_dims] numbers, of which no point lacks one */
    double *coords;  /* [n][n_dims] in `order` */
    float *rough;    /* [n_blocks][n_dims][LEAF_SIZE], the leaves: many points go through a loop at a time */
    size_t *order;   /* [n] indices of points */
    size_t *place;   /* [n] where a point is in `order` */
    size_t *leaf;    /* [n] of each place */
    bool *removed;   /* [n] by place */
    size_t n_nodes;
    struct node *nodes;
    double *query, *gaps; /* [n_dims] */
    double best;          /* of the search under way: squared distance, */
    size_t found;         /* and point */
};

static void set_coords(double *coords, const struct nearest_tree *tree, const double *point)
{
    for (size_t d = 0; d < tree->n_dims; d++) {
        size_t p = tree->space->dim_param[d];
        if (isnan(point[p]))
            coords[d] = ABSENT;
        else
            coords[d] = tree->is_choice[d] ? point[p] : param_to_unit(&tree->space->params[p], point[p]);
    }
}

/* The dimension in which the points lie furthest apart, and where the middle is. */
static double spread(const struct nearest_tree *tree, const struct node *node, size_t dim)
{
    double min = INFINITY, max = -INFINITY;
    for (size_t i = node->first; i < node->first + node->n; i++) {
        double coord = tree->coords[i * tree->n_dims + dim];
        min = fmin(min, coord);
        max = fmax(max, coord);
    }
    if (max <= min)
        return 0;
    return tree->is_choice[dim] || min < 0 ? 1 : max - min;
}

static void swap_places(struct nearest_tree *tree, size_t a, size_t b)
{
    size_t index = tree->order[a], n_dims = tree->n_dims;
    tree->order[a] = tree->order[b];
    tree->order[b] = index;
    for (size_t d = 0; d < n_dims; d++) {
        double coord = tree->coords[a * n_dims + d];
        tree->coords[a * n_dims + d] = tree->coords[b * n_dims + d];
        tree->coords[b * n_dims + d] = coord;
    }
}

/* Moves those <= cut to the front; returns how many they are. */
static size_t part(struct nearest_tree *tree, size_t first, size_t n, size_t dim, double cut)
{
    size_t low = first, high = first + n;
    while (low < high) {
        if (tree->coords[low * tree->n_dims + dim] <= cut)
            low++;
        else
            swap_places(tree, low, --high);
    }
    return low - first;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A cut that leaves points on both sides, near the median of a sample of them. */
static double choose_cut(const struct nearest_tree *tree, const struct node *node, size_t dim)
{
    enum { SAMPLE = 65 };
    double sample[SAMPLE], max = -INFINITY, below = -INFINITY;
    size_t n = node->n < SAMPLE ? node->n : SAMPLE;
    for (size_t i = 0; i < n; i++)
        sample[i] = tree->coords[(node->first + i * node->n / n) * tree->n_dims + dim];
    qsort(sample, n, sizeof *sample, compare);
    double cut = sample[(n - 1) / 2];
    for (size_t i = node->first; i < node->first + node->n; i++)
        max = fmax(max, tree->coords[i * tree->n_dims + dim]);
    if (cut < max)
        return cut;
    for (size_t i = node->first; i < node->first + node->n; i++) {
        double coord = tree->coords[i * tree->n_dims + dim];
        if (coord < max)
            below = fmax(below, coord);
    }
    return below;
}

static size_t new_node(struct nearest_tree *tree, size_t parent, size_t first, size_t n)
{
    tree->nodes[tree->n_nodes] = (struct node){.first = first, .n = n, .parent = parent};
    return tree->n_nodes++;
}

static size_t n_blocks(const struct node *node)
{
    return node->left == 0 ? (node->n + LEAF_SIZE - 1) / LEAF_SIZE : 0;
}

/* The leaves once more, dimension by dimension. */
static bool make_rough(struct nearest_tree *tree)
{
    size_t n = 0, n_dims = tree->n_dims;
    for (size_t at = 0; at < tree->n_nodes; at++) {
        tree->nodes[at].block = n;
        n += n_blocks(&tree->nodes[at]);
    }
    tree->rough = calloc(n * n_dims * LEAF_SIZE + 1, sizeof *tree->rough);
    for (size_t i = 0; i < tree->n; i++) {
        const struct node *leaf = &tree->nodes[tree->leaf[i]];
        size_t within = i - leaf->first;
        float *block = tree->rough + (leaf->block + within / LEAF_SIZE) * n_dims * LEAF_SIZE;
        for (size_t d = 0; d < n_dims; d++)
            block[d * LEAF_SIZE + within % LEAF_SIZE] = (float)tree->coords[i * n_dims + d];
    }
    return tree->rough != NULL;
}

/* Divides the nodes in the order in which they come: no recursion, whatever the points are. */
static void build(struct nearest_tree *tree)
{
    (void)new_node(tree, 0, 0, tree->n);
    for (size_t at = 0; at < tree->n_nodes; at++) {
        struct node *node = &tree->nodes[at];
        double widest = 0;
        for (size_t d = 0; node->n > LEAF_SIZE && d < tree->n_dims; d++) {
            double width = spread(tree, node, d);
            if (width > widest) {
                widest = width;
                node->dim = d;
            }
        }
        if (widest > 0) {
            node->cut = choose_cut(tree, node, node->dim);
            size_t n = part(tree, node->first, node->n, node->dim, node->cut);
            node->left = new_node(tree, at, node->first, n);
            node->right = new_node(tree, at, node->first + n, node->n - n);
        }
        for (size_t i = node->first; node->left == 0 && i < node->first + node->n; i++)
            tree->leaf[i] = at;
    }
    for (size_t i = 0; i < tree->n; i++)
        tree->place[tree->order[i]] = i;
}

static bool allocate(struct nearest_tree *tree)
{
    size_t n = tree->n + 1, n_dims = tree->n_dims + 1;
    tree->is_choice = calloc(n_dims, sizeof *tree->is_choice);
    tree->is_plain = calloc(n_dims, sizeof *tree->is_plain);
    tree->coords = calloc(n * n_dims, sizeof *tree->coords);
    tree->order = calloc(n, sizeof *tree->order);
    tree->place = calloc(n, sizeof *tree->place);
    tree->leaf = calloc(n, sizeof *tree->leaf);
    tree->removed = calloc(n, sizeof *tree->removed);
    tree->nodes = calloc(2 * n, sizeof *tree->nodes);
    tree->query = calloc(n_dims, sizeof *tree->query);
    tree->gaps = calloc(n_dims, sizeof *tree->gaps);
    return tree->is_choice && tree->is_plain && tree->coords && tree->order && tree->place && tree->leaf &&
           tree->removed && tree->nodes && tree->query && tree->gaps;
}

int nearest_create(struct nearest_tree **out, const struct space *space, const double *points, size_t n)
{
    struct nearest_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return ERR_NOMEM;
    tree->space = space;
    tree->n = n;
    tree->n_dims = space->n_dims;
    if (!allocate(tree)) {
        nearest_destroy(tree);
        return ERR_NOMEM;
    }
    for (size_t d = 0; d < tree->n_dims; d++)
        tree->is_choice[d] = space->params[space->dim_param[d]].type == PARAM_CATEGORICAL;
    for (size_t i = 0; i < n; i++) {
        tree->order[i] = i;
        set_coords(tree->coords + i * tree->n_dims, tree, points + i * space->n_params);
    }
    for (size_t d = 0; d < tree->n_dims; d++) {
        tree->is_plain[d] = !tree->is_choice[d];
        for (size_t i = 0; i < n; i++)
            tree->is_plain[d] &= tree->coords[i * tree->n_dims + d] >= 0;
    }
    build(tree);
    if (!make_rough(tree)) {
        nearest_destroy(tree);
        return ERR_NOMEM;
    }
    nearest_restore(tree);
    *out = tree;
    return 0;
}

void nearest_destroy(struct nearest_tree *tree)
{
    if (!tree)
        return;
    free(tree->is_choice);
    free(tree->is_plain);
    free(tree->coords);
    free(tree->rough);
    free(tree->order);
    free(tree->place);
    free(tree->leaf);
    free(tree->removed);
    free(tree->nodes);
    free(tree->query);
    free(tree->gaps);
    free(tree);
}

/* Adds the squared distances of a block's points in one dimension to their sums. Choices are small whole
 * numbers and ABSENT is one: exact in a float too. The first loop is what nearly all time goes into: without
 * a condition in it the compiler takes several points at a time. */
static void add_distances(float *restrict sums, const struct nearest_tree *tree, size_t dim,
                          const float *restrict column)
{
    float coord = (float)tree->query[dim];
    if (tree->is_plain[dim] && coord >= 0)
        for (size_t i = 0; i < LEAF_SIZE; i++) {
            float gap = column[i] - coord;
            sums[i] += gap * gap;
        }
    else
        for (size_t i = 0; i < LEAF_SIZE; i++) {
            bool is_number = !tree->is_choice[dim] && column[i] >= 0 && coord >= 0;
            float gap = is_number ? column[i] - coord : (float)(column[i] != coord);
            sums[i] += gap * gap;
        }
}

static void compare_point(struct nearest_tree *tree, size_t place)
{
    const double *coords = tree->coords + place * tree->n_dims;
    size_t index = tree->order[place];
    double sum = 0;
    for (size_t d = 0; d < tree->n_dims; d++) {
        double a = coords[d], b = tree->query[d];
        double gap = !tree->is_choice[d] && a >= 0 && b >= 0 ? a - b : a != b;
        sum += gap * gap;
    }
    bool is_nearer = sum < tree->best || (sum == tree->best && index < tree->found);
    if (is_nearer && !tree->removed[place]) {
        tree->best = sum;
        tree->found = index;
    }
}

/* In floats first: what is certainly further away is not looked at again. A sum is wrong by less than its
 * 10,000th part and a millionth, up to hundreds of dimensions. */
static void search_leaf(struct nearest_tree *tree, const struct node *node)
{
    size_t n_dims = tree->n_dims;
    const float *block = tree->rough + node->block * n_dims * LEAF_SIZE;
    for (size_t at = 0; at < node->n; at += LEAF_SIZE, block += n_dims * LEAF_SIZE) {
        float sums[LEAF_SIZE] = {0}, bound = (float)(tree->best * 1.0002 + 2e-6);
        for (size_t d = 0; d < n_dims; d++)
            add_distances(sums, tree, d, block + d * LEAF_SIZE);
        for (size_t i = 0; i < LEAF_SIZE && at + i < node->n; i++)
            if (sums[i] <= bound)
                compare_point(tree, node->first + at + i);
    }
}

/* How far any point beyond the cut is at least, in that dimension. */
static double gap_to(const struct nearest_tree *tree, const struct node *node)
{
    double coord = tree->query[node->dim];
    if (tree->is_choice[node->dim] || coord < 0 || node->cut < 0)
        return 1;
    return fabs(coord - node->cut);
}

/* `distance`: squared, from the query to the node's cell. The depth is that of the tree: a few dozen. */
static void search(struct nearest_tree *tree, size_t at, double distance)
{
    const struct node *node = &tree->nodes[at];
    if (node->n_left == 0 || distance > tree->best)
        return;
    if (node->left == 0) {
        search_leaf(tree, node);
        return;
    }
    bool goes_left = tree->query[node->dim] <= node->cut;
    search(tree, goes_left ? node->left : node->right, distance);
    double before = tree->gaps[node->dim], gap = fmax(before, gap_to(tree, node));
    tree->gaps[node->dim] = gap;
    search(tree, goes_left ? node->right : node->left, distance - before * before + gap * gap);
    tree->gaps[node->dim] = before;
}

size_t nearest_find(struct nearest_tree *tree, const double *point)
{
    set_coords(tree->query, tree, point);
    memset(tree->gaps, 0, tree->n_dims * sizeof *tree->gaps);
    tree->best = INFINITY;
    tree->found = SIZE_MAX;
    search(tree, 0, 0);
    return tree->found;
}

void nearest_remove(struct nearest_tree *tree, size_t index)
{
    size_t place = tree->place[index], at = tree->leaf[place];
    if (tree->removed[place])
        return;
    tree->removed[place] = true;
    for (tree->nodes[at].n_left--; at != 0; tree->nodes[at].n_left--)
        at = tree->nodes[at].parent;
}

void nearest_restore(struct nearest_tree *tree)
{
    memset(tree->removed, 0, tree->n * sizeof *tree->removed);
    for (size_t i = 0; i < tree->n_nodes; i++)
        tree->nodes[i].n_left = tree->nodes[i].n;
}
