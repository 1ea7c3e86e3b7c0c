#ifndef CORE_YAML_PRIVATE_H
#define CORE_YAML_PRIVATE_H

#include "core/yaml.h"

/* What core/yaml.c and core/yaml_parse.c share. */

struct block;

struct yaml_doc {
    struct block *blocks;
    size_t n_nodes; /* read from texts, copies of aliases included */
};

/* Aligned for anything; freed with the document. NULL: out of memory. */
void *yaml_alloc(struct yaml_doc *doc, size_t size);
struct yaml *yaml_new(struct yaml_doc *doc, enum yaml_kind kind, const char *origin);

#endif
