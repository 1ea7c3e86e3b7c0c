/* The lattice as a tree of choices.
 *
 *   LEAF     one parameter that decides nothing: its levels
 *   PRODUCT  independent parts: sizes multiply
 *   BRANCH   a parameter on which others depend: its levels fall into classes with the same consequences;
 *            sizes are (levels in the class) x (size of what is then active), added up
 *
 * Built by splitting: the undecided parameters fall into components that no condition connects (a PRODUCT);
 * in a component the first parameter has no open condition, so it can be decided (a BRANCH), and each class
 * of it settles conditions and makes the rest smaller. A conjunction over many parents costs one node a
 * parent, since a parameter that has become inactive leaves its component at once. Only parameters that share
 * several parents crosswise multiply nodes; MAX_NODES bounds that.
 *
 * Sizes saturate at LATTICE_MANY; every digit of a mixed-radix number is then still right, as k is below it.
 */
#include "optimizers/lattice.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 1 << 18 };

enum node_kind { LEAF, PRODUCT, BRANCH };

/* Levels of a branching parameter with the same consequences. */
struct class
{
    bool rest; /* all levels but `levels` */
    size_t n;
    uint64_t *levels;   /* [n] ascending */
    uint64_t count;     /* how many levels it has */
    struct node *child; /* what is decided next; NULL: nothing */
};

struct node {
    enum node_kind kind;
    uint64_t size;
    size_t param;           /* of LEAF and BRANCH */
    size_t n;               /* children or classes */
    struct node **children; /* of PRODUCT */
    struct class *classes;  /* of BRANCH */
};

struct lattice {
    const struct space *space;
    const struct levels *levels; /* NULL: all values */
    struct node *root;           /* NULL: no parameters */
    size_t n_nodes;
    bool continuous;
};

/* Which parameters are open in a part, as its list in topological order and as flags. */
struct part {
    size_t n;
    size_t *params;
};

static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? LATTICE_MANY : product;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? LATTICE_MANY : sum;
}

static bool is_continuous(const struct param *param)
{
    return param->type == PARAM_DOUBLE && isinf(param_cardinality(param));
}

static uint64_t n_levels(const struct lattice *lattice, size_t p)
{
    if (lattice->levels)
        return lattice->levels[p].n;
    const struct param *param = &lattice->space->params[p];
    return is_continuous(param) ? LATTICE_CONTINUUM : (uint64_t)param_cardinality(param);
}

static double level_value(const struct lattice *lattice, size_t p, uint64_t k)
{
    const struct param *param = &lattice->space->params[p];
    if (lattice->levels && lattice->levels[p].values)
        return lattice->levels[p].values[k];
    return is_continuous(param) ? param_from_unit(param, 0.5) : param_value(param, k);
}

/* The level at which parameter p has this value; false: at none. */
static bool level_of(uint64_t *k, const struct lattice *lattice, size_t p, double value)
{
    const struct param *param = &lattice->space->params[p];
    if (lattice->levels && lattice->levels[p].values) {
        for (uint64_t i = 0; i < lattice->levels[p].n; i++) {
            if (lattice->levels[p].values[i] == value) {
                *k = i;
                return true;
            }
        }
        return false;
    }
    if (is_continuous(param))
        return false;
    *k = param_index(param, value);
    return *k < n_levels(lattice, p) && param_value(param, *k) == value;
}

static void node_destroy(struct node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->n; i++) {
        if (node->kind == PRODUCT) {
            node_destroy(node->children[i]);
        } else {
            node_destroy(node->classes[i].child);
            free(node->classes[i].levels);
        }
    }
    free(node->children);
    free(node->classes);
    free(node);
}

static int node_create(struct node **node, struct lattice *lattice, enum node_kind kind, size_t n)
{
    if (lattice->n_nodes == MAX_NODES)
        return ERR_UNSUPPORTED;
    *node = calloc(1, sizeof **node);
    if (!*node)
        return ERR_NOMEM;
    lattice->n_nodes++;
    (*node)->kind = kind;
    if (kind == PRODUCT)
        (*node)->children = calloc(n, sizeof *(*node)->children);
    else if (n)
        (*node)->classes = calloc(n, sizeof *(*node)->classes);
    if (n && !(*node)->children && !(*node)->classes) {
        free(*node);
        *node = NULL;
        return ERR_NOMEM;
    }
    (*node)->n = n;
    return 0;
}

static int build(struct node **node, struct lattice *lattice, const struct part *part);

static int build_leaf(struct node **node, struct lattice *lattice, size_t param)
{
    int code = node_create(node, lattice, LEAF, 0);
    if (code < 0)
        return code;
    (*node)->param = param;
    (*node)->size = n_levels(lattice, param);
    return 0;
}

static bool is_true(const struct condition *condition, double value)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        if (condition->values[i] == value)
            return true;
    }
    return false;
}

/* Does `param` stay in a part once `root` has been decided as `value` (NaN: none that a condition names)? */
static bool stays(const struct param *param, size_t root, double value, const bool *gone)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        const struct condition *condition = &param->conditions[i];
        if (gone[condition->param] || (condition->param == root && !is_true(condition, value)))
            return false;
    }
    return true;
}

/* What is left of `part` after that: `rest` has room for part->n. `gone` is scratch, [n_params]. */
static void decide(struct part *rest, bool *gone, const struct lattice *lattice, const struct part *part,
                   double value)
{
    size_t root = part->params[0];
    rest->n = 0;
    for (size_t i = 1; i < part->n; i++) {
        size_t p = part->params[i];
        gone[p] = !stays(&lattice->space->params[p], root, value, gone);
        if (!gone[p])
            rest->params[rest->n++] = p;
    }
    for (size_t i = 1; i < part->n; i++)
        gone[part->params[i]] = false;
}

static int compare_levels(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The levels of the part's first parameter that some condition in the part names, ascending, without repeats.
 * *levels is the caller's. */
static int named_levels(uint64_t **levels, size_t *n, const struct lattice *lattice, const struct part *part)
{
    size_t root = part->params[0], capacity = 0;
    *n = 0;
    *levels = NULL;
    for (size_t i = 1; i < part->n; i++) {
        const struct param *param = &lattice->space->params[part->params[i]];
        for (size_t j = 0; j < param->n_conditions; j++)
            capacity += param->conditions[j].param == root ? param->conditions[j].n_values : 0;
    }
    *levels = calloc(capacity + 1, sizeof **levels);
    if (!*levels)
        return ERR_NOMEM;
    for (size_t i = 1; i < part->n; i++) {
        const struct param *param = &lattice->space->params[part->params[i]];
        for (size_t j = 0; j < param->n_conditions; j++) {
            const struct condition *condition = &param->conditions[j];
            for (size_t v = 0; condition->param == root && v < condition->n_values; v++)
                *n += level_of(&(*levels)[*n], lattice, root, condition->values[v]);
        }
    }
    qsort(*levels, *n, sizeof **levels, compare_levels);
    size_t n_distinct = 0;
    for (size_t i = 0; i < *n; i++) {
        if (n_distinct == 0 || (*levels)[n_distinct - 1] != (*levels)[i])
            (*levels)[n_distinct++] = (*levels)[i];
    }
    *n = n_distinct;
    return 0;
}

/* A class under construction: its levels and what is left to decide in it. */
struct draft {
    struct class class;
    struct part rest;
};

static int draft_init(struct draft *draft, size_t n_levels_max, const struct part *rest)
{
    *draft = (struct draft){.rest = {.n = rest->n}};
    draft->class.levels = malloc((n_levels_max + 1) * sizeof *draft->class.levels);
    draft->rest.params = malloc((rest->n + 1) * sizeof *draft->rest.params);
    if (!draft->class.levels || !draft->rest.params)
        return ERR_NOMEM;
    memcpy(draft->rest.params, rest->params, rest->n * sizeof *rest->params);
    return 0;
}

static bool part_equal(const struct part *a, const struct part *b)
{
    return a->n == b->n && memcmp(a->params, b->params, a->n * sizeof *a->params) == 0;
}

/* Puts every named level into the draft whose consequences it shares; drafts[0] is that of all other levels
 * and lists the ones it does not have. drafts has room for n_named + 1. */
static int classify(struct draft *drafts, size_t *n_drafts, const struct lattice *lattice,
                    const struct part *part, const uint64_t *named, size_t n_named)
{
    size_t root = part->params[0];
    bool *gone = calloc(lattice->space->n_params, sizeof *gone);
    struct part rest = {.params = malloc(part->n * sizeof *rest.params)};
    int code = gone && rest.params ? 0 : ERR_NOMEM;
    if (code == 0) {
        decide(&rest, gone, lattice, part, NAN);
        code = draft_init(&drafts[(*n_drafts)++], n_named, &rest);
        drafts[0].class.rest = true;
    }
    for (size_t i = 0; code == 0 && i < n_named; i++) {
        decide(&rest, gone, lattice, part, level_value(lattice, root, named[i]));
        size_t d = 0;
        while (d < *n_drafts && !part_equal(&rest, &drafts[d].rest))
            d++;
        if (d == 0)
            continue;
        if (d == *n_drafts)
            code = draft_init(&drafts[(*n_drafts)++], n_named, &rest);
        if (code == 0) {
            drafts[d].class.levels[drafts[d].class.n++] = named[i];
            drafts[0].class.levels[drafts[0].class.n++] = named[i];
        }
    }
    free(rest.params);
    free(gone);
    return code;
}

static uint64_t child_size(const struct class *class)
{
    return class->child ? class->child->size : 1;
}

/* Moves the drafts' classes into a node and builds what follows each of them. */
static int finish_branch(struct node **node, struct lattice *lattice, const struct part *part,
                         struct draft *drafts, size_t n_drafts)
{
    size_t root = part->params[0];
    bool has_rest = n_levels(lattice, root) > drafts[0].class.n;
    int code = node_create(node, lattice, BRANCH, n_drafts - !has_rest);
    if (code < 0)
        return code;
    (*node)->param = root;
    for (size_t d = !has_rest, i = 0; d < n_drafts; d++, i++) {
        struct class *class = &(*node)->classes[i];
        *class = drafts[d].class;
        drafts[d].class.levels = NULL;
        class->count = class->rest ? n_levels(lattice, root) - class->n : class->n;
        code = build(&class->child, lattice, &drafts[d].rest);
        if (code < 0)
            return code;
        (*node)->size = add((*node)->size, multiply(class->count, child_size(class)));
    }
    return 0;
}

static int build_branch(struct node **node, struct lattice *lattice, const struct part *part)
{
    uint64_t *named = NULL;
    size_t n_named = 0, n_drafts = 0;
    int code = named_levels(&named, &n_named, lattice, part);
    struct draft *drafts = calloc(n_named + 1, sizeof *drafts);
    if (code == 0 && !drafts)
        code = ERR_NOMEM;
    if (code == 0)
        code = classify(drafts, &n_drafts, lattice, part, named, n_named);
    if (code == 0)
        code = finish_branch(node, lattice, part, drafts, n_drafts);
    for (size_t d = 0; d < n_drafts; d++) {
        free(drafts[d].class.levels);
        free(drafts[d].rest.params);
    }
    free(drafts);
    free(named);
    return code;
}

static size_t find_root(size_t *parent, size_t p)
{
    while (parent[p] != p)
        p = parent[p] = parent[parent[p]];
    return p;
}

/* component[p] for every p of the part: the smallest parameter (in declaration order) of those tied to it.
 * Both arrays [n_params]; only the part's entries are used. */
static void find_components(size_t *component, bool *open, const struct space *space, const struct part *part)
{
    for (size_t i = 0; i < part->n; i++) {
        component[part->params[i]] = part->params[i];
        open[part->params[i]] = true;
    }
    for (size_t i = 0; i < part->n; i++) {
        const struct param *param = &space->params[part->params[i]];
        for (size_t j = 0; j < param->n_conditions; j++) {
            if (!open[param->conditions[j].param])
                continue;
            size_t a = find_root(component, part->params[i]);
            size_t b = find_root(component, param->conditions[j].param);
            component[a < b ? b : a] = a < b ? a : b;
        }
    }
    for (size_t i = 0; i < part->n; i++)
        component[part->params[i]] = find_root(component, part->params[i]);
}

/* The part's parameters that belong to component c, in the part's order. */
static void select_component(struct part *piece, const struct part *part, const size_t *component, size_t c)
{
    piece->n = 0;
    for (size_t i = 0; i < part->n; i++) {
        if (component[part->params[i]] == c)
            piece->params[piece->n++] = part->params[i];
    }
}

static int build_product(struct node **node, struct lattice *lattice, const struct part *part,
                         const size_t *component, size_t n_components)
{
    int code = node_create(node, lattice, PRODUCT, n_components);
    if (code < 0)
        return code;
    struct part piece = {.params = malloc(part->n * sizeof *piece.params)};
    if (!piece.params)
        return ERR_NOMEM;
    (*node)->size = 1;
    /* A component is named after its smallest member, so ascending p is declaration order. */
    size_t n = 0;
    for (size_t p = 0; code == 0 && p < lattice->space->n_params; p++) {
        select_component(&piece, part, component, p);
        if (piece.n == 0)
            continue;
        code = build(&(*node)->children[n], lattice, &piece);
        if (code == 0)
            (*node)->size = multiply((*node)->size, (*node)->children[n++]->size);
    }
    free(piece.params);
    return code;
}

/* The tree of a part; *node is NULL for an empty one, and what was built so far on failure. */
static int build(struct node **node, struct lattice *lattice, const struct part *part)
{
    if (part->n == 0)
        return 0;
    if (part->n == 1)
        return build_leaf(node, lattice, part->params[0]);
    size_t n_params = lattice->space->n_params, n_components = 0;
    size_t *component = malloc(n_params * sizeof *component);
    bool *open = calloc(n_params, sizeof *open);
    int code = ERR_NOMEM;
    if (component && open) {
        for (size_t p = 0; p < n_params; p++)
            component[p] = SIZE_MAX;
        find_components(component, open, lattice->space, part);
        for (size_t i = 0; i < part->n; i++)
            n_components += component[part->params[i]] == part->params[i];
        code = n_components == 1 ? build_branch(node, lattice, part)
                                 : build_product(node, lattice, part, component, n_components);
    }
    free(open);
    free(component);
    return code;
}

int lattice_create(struct lattice **out, const struct space *space, const struct levels *levels,
                   struct err *err)
{
    struct lattice *lattice = calloc(1, sizeof *lattice);
    if (!lattice)
        return err_set(err, ERR_NOMEM, "out of memory");
    lattice->space = space;
    lattice->levels = levels;
    for (size_t p = 0; !levels && p < space->n_params; p++)
        lattice->continuous = lattice->continuous || is_continuous(&space->params[p]);
    struct part all = {.n = space->n_params, .params = space->order};
    int code = build(&lattice->root, lattice, &all);
    if (code < 0) {
        lattice_destroy(lattice);
        return err_set(err, code, "%s",
                       code == ERR_NOMEM ? "out of memory" : "the conditions are too entangled to enumerate");
    }
    *out = lattice;
    return 0;
}

void lattice_destroy(struct lattice *lattice)
{
    if (!lattice)
        return;
    node_destroy(lattice->root);
    free(lattice);
}

uint64_t lattice_size(const struct lattice *lattice)
{
    if (lattice->continuous)
        return LATTICE_MANY;
    return lattice->root ? lattice->root->size : 1;
}

/* The i-th level of a class: with `rest`, the i-th that is not listed. */
static uint64_t class_level(const struct class *class, uint64_t i)
{
    if (!class->rest)
        return class->levels[i];
    for (size_t j = 0; j < class->n && class->levels[j] <= i; j++)
        i++;
    return i;
}

/* The class of a branch in which point *k lies, and its number there. */
static const struct class *find_class(uint64_t *k, const struct node *node)
{
    for (size_t i = 0; i + 1 < node->n; i++) {
        uint64_t size = multiply(node->classes[i].count, child_size(&node->classes[i]));
        if (*k < size)
            return &node->classes[i];
        *k -= size;
    }
    return &node->classes[node->n - 1];
}

static void fill(double *point, const struct lattice *lattice, const struct node *node, uint64_t k)
{
    if (!node)
        return;
    if (node->kind == LEAF) {
        point[node->param] = level_value(lattice, node->param, k);
    } else if (node->kind == PRODUCT) {
        for (size_t i = node->n; i-- > 0;) {
            fill(point, lattice, node->children[i], k % node->children[i]->size);
            k /= node->children[i]->size;
        }
    } else {
        const struct class *class = find_class(&k, node);
        uint64_t level = k / child_size(class);
        point[node->param] = level_value(lattice, node->param, class_level(class, level));
        fill(point, lattice, class->child, k % child_size(class));
    }
}

void lattice_point(double *point, const struct lattice *lattice, uint64_t k)
{
    for (size_t p = 0; p < lattice->space->n_params; p++)
        point[p] = NAN;
    fill(point, lattice, lattice->root, k);
}

static double sample_level(const struct lattice *lattice, size_t p, const struct class *class,
                           struct rng *rng)
{
    if (!lattice->levels && is_continuous(&lattice->space->params[p]))
        return param_from_unit(&lattice->space->params[p], rng_uniform(rng));
    uint64_t level =
        class ? class_level(class, rng_below(rng, class->count)) : rng_below(rng, n_levels(lattice, p));
    return level_value(lattice, p, level);
}

static void sample(double *point, const struct lattice *lattice, const struct node *node, struct rng *rng)
{
    if (!node)
        return;
    if (node->kind == LEAF) {
        point[node->param] = sample_level(lattice, node->param, NULL, rng);
    } else if (node->kind == PRODUCT) {
        for (size_t i = 0; i < node->n; i++)
            sample(point, lattice, node->children[i], rng);
    } else {
        uint64_t k = rng_below(rng, node->size);
        const struct class *class = find_class(&k, node);
        point[node->param] = sample_level(lattice, node->param, class, rng);
        sample(point, lattice, class->child, rng);
    }
}

void lattice_sample(double *point, const struct lattice *lattice, struct rng *rng)
{
    for (size_t p = 0; p < lattice->space->n_params; p++)
        point[p] = NAN;
    sample(point, lattice, lattice->root, rng);
}

/* One pass through the network on words of 2 x half bits. */
static uint64_t feistel(uint64_t x, unsigned half, uint64_t seed)
{
    enum { ROUNDS = 4 };
    uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t left = x >> half, right = x & mask;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ (rng_mix(seed + round, right) & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

uint64_t lattice_permute(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 1;
    unsigned half = (bits + 1) / 2;
    do
        i = feistel(i, half, seed);
    while (i >= n);
    return i;
}
