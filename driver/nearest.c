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

#define ABSENT (-1.0)

/* Of points, or of leaves, several at a time go through a processor's registers. */
enum { LEAF_SIZE = 32, LANES = 4, N_VECTORS = LEAF_SIZE / LANES, MAX_LEAVES = 128 };
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

struct node {
    size_t first, n;    /* its points, in `order` */
    size_t n_left;      /* of them, those that were not removed */
    size_t parent;      /* of the root: itself */
    size_t left, right; /* 0: a leaf */
    size_t block;       /* of a leaf: its first one in `rough` */
    size_t n_leaves;    /* below it, or 1 */
    size_t cluster;     /* one more than the place in `clusters` of those leaves; 0: there are too many */
    size_t dim;
    double cut; /* left: coordinate <= cut */
};

/* Up to MAX_LEAVES neighbouring leaves, whose boxes are compared with a query without any jumps: the fewest
 * that hold what may be nearer are then looked into. */
struct cluster {
    size_t n;     /* leaves */
    size_t width; /* n, and what makes it a multiple of LANES */
    size_t leaves[MAX_LEAVES];
    float *boxes; /* [width / LANES][n_dims][2][LANES] of their points: middles and half widths, or, where not
                     all points are numbers, lowest and highest */
};

struct nearest_tree {
    const struct space *space;
    size_t n, n_dims;
    bool *is_choice; /* [n_dims] */
    size_t n_plain, n_mixed;
    size_t *plain, *mixed; /* [n_plain] dimensions of numbers, of which no point lacks one; the others */
    double *coords;        /* [n][n_dims] in `order` */
    float *rough;  /* [n_blocks][n_dims][LEAF_SIZE], the leaves: many points go through a loop at a time */
    size_t *order; /* [n] indices of points */
    size_t *place; /* [n] where a point is in `order` */
    size_t *leaf;  /* [n] of each place */
    bool *removed; /* [n] by place */
    size_t n_nodes;
    struct node *nodes;
    size_t n_clusters;
    struct cluster *clusters;
    double *query, *gaps; /* [n_dims] */
    float *rough_query;   /* [n_dims] */
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

/* A cut that leaves points on both sides, near the median; of not too many points such that the leaves are
 * full. */
static double choose_cut(const struct nearest_tree *tree, const struct node *node, size_t dim)
{
    enum { SAMPLE = 32 * LEAF_SIZE };
    double sample[SAMPLE], max = -INFINITY, below = -INFINITY;
    size_t n = node->n < SAMPLE ? node->n : SAMPLE;
    for (size_t i = 0; i < n; i++)
        sample[i] = tree->coords[(node->first + i * node->n / n) * tree->n_dims + dim];
    qsort(sample, n, sizeof *sample, compare);
    double cut = sample[(n / 2 + LEAF_SIZE / 2) / LEAF_SIZE * LEAF_SIZE - 1];
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

static bool begins_cluster(const struct nearest_tree *tree, size_t at)
{
    const struct node *node = &tree->nodes[at];
    return node->n > 0 && node->n_leaves <= MAX_LEAVES &&
           (at == 0 || tree->nodes[node->parent].n_leaves > MAX_LEAVES);
}

/* The two numbers of a leaf's box in a dimension; the second stands LANES behind the first. */
static float *box_of(const struct cluster *cluster, const struct nearest_tree *tree, size_t leaf, size_t dim)
{
    return cluster->boxes + (leaf / LANES * tree->n_dims + dim) * 2 * LANES + leaf % LANES;
}

static void fill_box(struct cluster *cluster, const struct nearest_tree *tree, size_t i, size_t dim,
                     bool is_plain)
{
    const struct node *leaf = &tree->nodes[cluster->leaves[i]];
    float *box = box_of(cluster, tree, i, dim);
    double low = INFINITY, high = -INFINITY;
    for (size_t k = leaf->first; k < leaf->first + leaf->n; k++) {
        low = fmin(low, tree->coords[k * tree->n_dims + dim]);
        high = fmax(high, tree->coords[k * tree->n_dims + dim]);
    }
    box[0] = (float)(is_plain ? (low + high) / 2 : low);
    box[LANES] = (float)(is_plain ? (high - low) / 2 : high);
}

static bool make_cluster(struct nearest_tree *tree, struct node *node)
{
    struct cluster *cluster = &tree->clusters[tree->n_clusters++];
    cluster->width = (node->n_leaves + LANES - 1) / LANES * LANES;
    cluster->boxes = calloc(2 * cluster->width * tree->n_dims + 1, sizeof *cluster->boxes);
    if (!cluster->boxes)
        return false;
    for (size_t i = node->first; i < node->first + node->n; i += tree->nodes[tree->leaf[i]].n) {
        cluster->leaves[cluster->n] = tree->leaf[i];
        for (size_t k = 0; k < tree->n_plain; k++)
            fill_box(cluster, tree, cluster->n, tree->plain[k], true);
        for (size_t k = 0; k < tree->n_mixed; k++)
            fill_box(cluster, tree, cluster->n, tree->mixed[k], false);
        cluster->n++;
    }
    node->cluster = tree->n_clusters;
    return true;
}

/* Groups the leaves: each in the largest part of the tree that has no more than MAX_LEAVES. */
static bool make_clusters(struct nearest_tree *tree)
{
    size_t n = 0;
    for (size_t at = tree->n_nodes; at-- > 0;) {
        struct node *node = &tree->nodes[at];
        node->n_leaves =
            node->left ? tree->nodes[node->left].n_leaves + tree->nodes[node->right].n_leaves : 1;
    }
    for (size_t at = 0; at < tree->n_nodes; at++)
        n += begins_cluster(tree, at);
    tree->clusters = calloc(n + 1, sizeof *tree->clusters);
    for (size_t at = 0; tree->clusters && at < tree->n_nodes; at++)
        if (begins_cluster(tree, at) && !make_cluster(tree, &tree->nodes[at]))
            return false;
    return tree->clusters != NULL;
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
    tree->plain = calloc(n_dims, sizeof *tree->plain);
    tree->mixed = calloc(n_dims, sizeof *tree->mixed);
    tree->coords = calloc(n * n_dims, sizeof *tree->coords);
    tree->order = calloc(n, sizeof *tree->order);
    tree->place = calloc(n, sizeof *tree->place);
    tree->leaf = calloc(n, sizeof *tree->leaf);
    tree->removed = calloc(n, sizeof *tree->removed);
    tree->nodes = calloc(2 * n, sizeof *tree->nodes);
    tree->query = calloc(n_dims, sizeof *tree->query);
    tree->gaps = calloc(n_dims, sizeof *tree->gaps);
    tree->rough_query = calloc(n_dims, sizeof *tree->rough_query);
    return tree->is_choice && tree->plain && tree->mixed && tree->coords && tree->order && tree->place &&
           tree->leaf && tree->removed && tree->nodes && tree->query && tree->gaps && tree->rough_query;
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
        bool is_plain = !tree->is_choice[d];
        for (size_t i = 0; i < n; i++)
            is_plain &= tree->coords[i * tree->n_dims + d] >= 0;
        *(is_plain ? &tree->plain[tree->n_plain++] : &tree->mixed[tree->n_mixed++]) = d;
    }
    build(tree);
    if (!make_rough(tree) || !make_clusters(tree)) {
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
    free(tree->plain);
    free(tree->mixed);
    free(tree->coords);
    free(tree->rough);
    free(tree->order);
    free(tree->place);
    free(tree->leaf);
    free(tree->removed);
    for (size_t i = 0; i < tree->n_clusters; i++)
        free(tree->clusters[i].boxes);
    free(tree->clusters);
    free(tree->nodes);
    free(tree->query);
    free(tree->gaps);
    free(tree->rough_query);
    free(tree);
}

/* Adds the squared distances of a block's points in all dimensions that are plain. Nearly all time goes into
 * this: without a condition in it, and with the sums in registers. */
static void add_plain(vector sums[N_VECTORS], const struct nearest_tree *tree, const float *block)
{
    for (size_t k = 0; k < tree->n_plain; k++) {
        size_t dim = tree->plain[k];
        float coord = tree->rough_query[dim];
        const float *column = block + dim * LEAF_SIZE;
        for (size_t i = 0; i < N_VECTORS; i++) {
            vector gap;
            memcpy(&gap, column + i * LANES, sizeof gap);
            gap = coord < 0 ? (vector){1, 1, 1, 1} : gap - coord; /* below 0: the query lacks it */
            sums[i] += gap * gap;
        }
    }
}

/* The same in one dimension of choices, or that some points lack. Choices are small whole numbers and ABSENT
 * is one: exact in a float too. */
static void add_mixed(float sums[LEAF_SIZE], const struct nearest_tree *tree, size_t dim, const float *column)
{
    float coord = tree->rough_query[dim];
    for (size_t i = 0; i < LEAF_SIZE; i++) {
        bool is_number = !tree->is_choice[dim] && column[i] >= 0 && coord >= 0;
        float gap = is_number ? column[i] - coord : (float)(column[i] != coord);
        sums[i] += gap * gap;
    }
}

static bool any_within(const vector sums[N_VECTORS], float bound)
{
    mask within = {0};
    uint64_t halves[2];
    for (size_t i = 0; i < N_VECTORS; i++)
        within |= sums[i] <= bound;
    memcpy(halves, &within, sizeof halves);
    return halves[0] | halves[1];
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

/* What is further away in floats is certainly no nearer: a sum is wrong by less than its 10,000th part and a
 * millionth, up to hundreds of dimensions. */
static float rough_bound(const struct nearest_tree *tree)
{
    return (float)(tree->best * 1.0002 + 2e-6);
}

static void search_block(struct nearest_tree *tree, const float *block, size_t place, size_t n)
{
    vector sums[N_VECTORS] = {{0}};
    float list[LEAF_SIZE];
    add_plain(sums, tree, block);
    if (!any_within(sums, rough_bound(tree))) /* nor will they be with more dimensions */
        return;
    memcpy(list, sums, sizeof list);
    for (size_t k = 0; k < tree->n_mixed; k++)
        add_mixed(list, tree, tree->mixed[k], block + tree->mixed[k] * LEAF_SIZE);
    for (size_t i = 0; i < n; i++)
        if (list[i] <= rough_bound(tree))
            compare_point(tree, place + i);
}

static void search_leaf(struct nearest_tree *tree, const struct node *node)
{
    size_t size = tree->n_dims * LEAF_SIZE;
    if (node->n_left == 0)
        return;
    const float *block = tree->rough + node->block * size;
    for (size_t at = 0; at < node->n; at += LEAF_SIZE, block += size)
        search_block(tree, block, node->first + at, node->n - at < LEAF_SIZE ? node->n - at : LEAF_SIZE);
}

static vector absolute(vector x)
{
    return (vector)((mask)x & INT32_MAX);
}

/* The squared distances from the boxes in the dimensions that are plain. A coordinate is as far from a box as
 * it is further from its middle than half its width, if it is: max(g, 0) = (g + |g|) / 2. */
static void measure_boxes(float *sums, const struct nearest_tree *tree, const struct cluster *cluster)
{
    const float *boxes = cluster->boxes;
    for (size_t i = 0; i < cluster->width; i += LANES, boxes += tree->n_dims * 2 * LANES) {
        vector sum = {0};
        for (size_t k = 0; k < tree->n_plain; k++) {
            float coord = tree->rough_query[tree->plain[k]];
            vector middle, half;
            memcpy(&middle, boxes + tree->plain[k] * 2 * LANES, sizeof middle);
            memcpy(&half, boxes + tree->plain[k] * 2 * LANES + LANES, sizeof half);
            vector gap = absolute(middle - coord) - half;
            gap += absolute(gap);
            sum += coord < 0 ? (vector){4, 4, 4, 4} : gap * gap;
        }
        sum *= 0.25f;
        memcpy(sums + i, &sum, sizeof sum);
    }
}

/* How far a coordinate is from a box of choices, or of numbers of which there may be none in some points. */
static float mixed_gap(float low, float high, float coord, bool is_choice)
{
    if (low <= coord && coord <= high)
        return 0;
    if (is_choice || coord < 0 || high < 0)
        return 1;
    if (low < 0)
        return 0; /* some have a number, perhaps that one */
    return coord > high ? coord - high : low - coord;
}

static void add_mixed_boxes(float *sums, const struct nearest_tree *tree, const struct cluster *cluster)
{
    for (size_t k = 0; k < tree->n_mixed; k++) {
        size_t dim = tree->mixed[k];
        for (size_t i = 0; i < cluster->n; i++) {
            const float *box = box_of(cluster, tree, i, dim);
            float gap = mixed_gap(box[0], box[LANES], tree->rough_query[dim], tree->is_choice[dim]);
            sums[i] += gap * gap;
        }
    }
}

/* The leaf whose box is nearest first, and then those that may yet hold something nearer. */
static void search_cluster(struct nearest_tree *tree, const struct cluster *cluster)
{
    float distances[MAX_LEAVES];
    size_t nearest = 0;
    measure_boxes(distances, tree, cluster);
    add_mixed_boxes(distances, tree, cluster);
    for (size_t i = 1; i < cluster->n; i++)
        nearest = distances[i] < distances[nearest] ? i : nearest;
    search_leaf(tree, &tree->nodes[cluster->leaves[nearest]]);
    for (size_t i = 0; i < cluster->n; i++)
        if (i != nearest && distances[i] <= rough_bound(tree))
            search_leaf(tree, &tree->nodes[cluster->leaves[i]]);
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
    if (node->cluster) {
        search_cluster(tree, &tree->clusters[node->cluster - 1]);
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
    for (size_t d = 0; d < tree->n_dims; d++)
        tree->rough_query[d] = (float)tree->query[d];
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
