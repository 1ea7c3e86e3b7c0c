#ifndef CORE_ABLATION_H
#define CORE_ABLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/space.h"
#include "core/text.h"

/* An ablation study: what can be left out of a training function, and which trials leave out what. All of it
 * follows from the sweep file, so that driver, workers and readers of the database agree without a word.
 *
 * A *component* is something that has a name and can be left out: a feature, a layer, a module, a group of
 * these, a parameter (set back to a reference value), or a variant of the user's own. A *variant* is what one
 * trial leaves out; number 0 leaves out nothing: the base. Trial n runs variant (n - 1) mod n_variants in
 * repeat (n - 1) div n_variants: each repeat runs every variant, the base first. */

enum component_kind {
    COMPONENT_FEATURE,
    COMPONENT_LAYER,
    COMPONENT_MODULE,
    COMPONENT_PARAMETER,
    COMPONENT_GROUP,
    COMPONENT_VARIANT,
    N_COMPONENT_KINDS
};

/* A value of a parameter that is not the base's. */
struct change {
    size_t param;
    double value;
};

struct component {
    enum component_kind kind;
    char *name;          /* 1 to 128 bytes, no control characters and commas, no blanks at its ends */
    bool has_own_trials; /* false: left out only with its groups and in sets */
    size_t n_members;    /* of GROUP */
    size_t *members;     /* [n_members] components, no groups */
    size_t n_changes;    /* of PARAMETER (1) and VARIANT */
    struct change *changes;
};

struct variant {
    bool is_only; /* leaves out all but `listed`, else `listed` */
    size_t n_listed;
    size_t *listed; /* [n_listed] components, in the order of the file; none: the base */
};

enum ablation_mode { ABLATION_LOCO = 1, ABLATION_PAIRS = 2, ABLATION_ONLY = 4, ABLATION_SETS = 8 };
enum ablation_test { ABLATION_T, ABLATION_WILCOXON };

struct ablation {
    size_t n_components;
    struct component *components; /* features, layers, modules, parameters, groups, variants */
    size_t n_base;
    struct change *base; /* [n_base] parameters whose value in the base is not their default */
    size_t n_sets;
    struct variant *sets; /* [n_sets] as given */
    unsigned modes;       /* of enum ablation_mode */
    bool with_members;    /* members of groups have trials of their own */
    int64_t repeats;
    int test;              /* enum ablation_test */
    double confidence;     /* of the intervals, in (0, 1) */
    unsigned line, column; /* of the mode, or of the section, for faults of the whole */
    size_t n_variants;
    struct variant *variants; /* [n_variants], 0 is the base */
};

#define ABLATION_MAX_COMPONENTS 4096
#define ABLATION_MAX_VARIANTS   200000
#define ABLATION_MAX_TRIALS     10000000

struct ablation *ablation_create(void); /* NULL: out of memory */
void ablation_destroy(struct ablation *ablation);
/* Adds a component of that name; copies. NULL: out of memory. Valid until the next one is added. */
struct component *ablation_add(struct ablation *ablation, enum component_kind kind, const char *name);
int change_add(struct change **list, size_t *n, struct change change);
/* Adds a component to what a variant lists. Returns 0 or ERR_NOMEM. */
int variant_list(struct variant *variant, size_t component);

/* Makes the variants of the modes, once all components and sets are there. Returns 0, ERR_NOMEM or ERR_FULL:
 * more than ABLATION_MAX_VARIANTS. */
int ablation_plan(struct ablation *ablation);

/* Index of a component; -1: none. By its name, "age", or with the kind, "feature:age"; -2: the name alone is
 * that of several. */
int ablation_find(const struct ablation *ablation, const char *name);
/* "feature", ...; and back: -1 if it is none. */
const char *component_kind_name(enum component_kind kind);
int component_kind_parse(const char *name, size_t size);

uint64_t ablation_n_trials(const struct ablation *ablation);
/* Which variant a trial runs, and which repeat it is, from 0. */
size_t ablation_variant(const struct ablation *ablation, uint64_t trial);
uint64_t ablation_repeat(const struct ablation *ablation, uint64_t trial);
/* Does the variant leave it out? A group is left out if all of its members are. */
bool ablation_is_out(const struct ablation *ablation, size_t variant, size_t component);
/* The parameters of a variant's trials. point[n_params]. */
void ablation_point(double *point, const struct ablation *ablation, const struct space *space,
                    size_t variant);

/* "feature:age" */
void component_write(struct text *out, const struct component *component);
/* "base", "feature:age", "feature:age + layer:2", "only feature:age": for people. */
void ablation_write_variant(struct text *out, const struct ablation *ablation, size_t variant);
/* All that the variant leaves out, "feature:age,layer:2": for the training function. "" of the base. */
void ablation_write_out(struct text *out, const struct ablation *ablation, size_t variant);
/* The section `ablation` of a sweep file. */
void ablation_write_json(struct text *out, const struct ablation *ablation, const struct space *space);
/* Is a component in a list as above? */
bool ablated_has(const char *ablated, const char *kind, const char *name);

#endif
