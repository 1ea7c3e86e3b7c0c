#ifndef CORE_YAML_H
#define CORE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "core/faults.h"

/* A YAML (or JSON) text as a small tree whose every node knows its place. core/spec* reads sweep files
 * with it, sdk/search.c points; libfyaml stays behind it. Aliases are replaced by copies of what they stand
 * for, keys are texts and unique within their map. */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    bool is_plain;           /* of SCALAR: written without quotes, so it may be a number, true or null */
    unsigned line, column;   /* from 1, in characters; 0: not in the file */
    unsigned text_column;    /* of SCALAR: where its text begins, if it stands in the file as it is; else 0 */
    const char *origin;      /* the override that it comes from, "path=value"; NULL: the file */
    const char *text;        /* of SCALAR */
    size_t n;                /* of LIST and MAP */
    struct yaml **items;     /* of LIST, [n] */
    struct yaml_pair *pairs; /* of MAP, [n], in the order of the file */
};

struct yaml_pair {
    struct yaml *key; /* SCALAR */
    struct yaml *value;
};

/* Owns every node, text and array of the trees that are made with it. */
struct yaml_doc;
struct yaml_doc *yaml_doc_create(void);
void yaml_doc_destroy(struct yaml_doc *doc);

#define YAML_MAX_SIZE  (16u << 20) /* bytes of a text */
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 200000 /* once aliases are replaced */

/* Reads a text; *root is NULL if there is nothing in it. With `origin` its faults name that instead of a
 * place. Returns 0, ERR_INVALID (with faults) or ERR_NOMEM. */
int yaml_parse(struct yaml **root, struct yaml_doc *doc, const char *text, size_t size, const char *origin,
               struct faults *faults);

/* New nodes without a place, for overrides. NULL: out of memory. */
struct yaml *yaml_new_scalar(struct yaml_doc *doc, const char *text, size_t size, const char *origin);
struct yaml *yaml_new_map(struct yaml_doc *doc, const char *origin);
char *yaml_copy_text(struct yaml_doc *doc, const char *text, size_t size);
/* Adds at the end. Returns 0 or ERR_NOMEM. */
int yaml_map_add(struct yaml_doc *doc, struct yaml *map, struct yaml *key, struct yaml *value);
int yaml_list_add(struct yaml_doc *doc, struct yaml *list, struct yaml *item);

/* The pair of that key; NULL: none, or not a map. */
struct yaml_pair *yaml_find(const struct yaml *map, const char *key);
/* The same; NULL also if its value is null. */
struct yaml_pair *yaml_find_given(const struct yaml *map, const char *key);
/* null, Null, NULL or ~; an empty value is not. */
bool yaml_is_null(const struct yaml *node);
/* Nothing stands after the colon. */
bool yaml_is_empty(const struct yaml *node);
/* Is it true or false? */
bool yaml_is_bool(bool *value, const struct yaml *node);

/* A fault at the place of a node. */
void yaml_fault(struct faults *faults, const struct yaml *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
