/* The tree: its memory, its nodes, and what may be asked of them. Memory is an arena: a tree is dropped as a
 * whole, and a parse that fails halfway has nothing to undo. */
#include "core/yaml.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/yaml_private.h"

#define BLOCK_SIZE 4096

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct yaml_doc *yaml_doc_create(void)
{
    return calloc(1, sizeof(struct yaml_doc));
}

void yaml_doc_destroy(struct yaml_doc *doc)
{
    if (!doc)
        return;
    while (doc->blocks) {
        struct block *next = doc->blocks->next;
        free(doc->blocks);
        doc->blocks = next;
    }
    free(doc);
}

void *yaml_alloc(struct yaml_doc *doc, size_t size)
{
    const size_t unit = alignof(max_align_t);
    size = (size + unit - 1) / unit * unit;
    struct block *block = doc->blocks;
    if (!block || block->size - block->used < size) {
        size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = malloc(sizeof *block + capacity);
        if (!block)
            return NULL;
        *block = (struct block){.next = doc->blocks, .size = capacity};
        doc->blocks = block;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

char *yaml_copy_text(struct yaml_doc *doc, const char *text, size_t size)
{
    char *copy = yaml_alloc(doc, size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

struct yaml *yaml_new(struct yaml_doc *doc, enum yaml_kind kind, const char *origin)
{
    struct yaml *node = yaml_alloc(doc, sizeof *node);
    if (node)
        *node = (struct yaml){.kind = kind, .origin = origin, .text = ""};
    return node;
}

struct yaml *yaml_new_scalar(struct yaml_doc *doc, const char *text, size_t size, const char *origin)
{
    struct yaml *node = yaml_new(doc, YAML_SCALAR, origin);
    const char *copy = yaml_copy_text(doc, text, size);
    if (!node || !copy)
        return NULL;
    node->text = copy;
    node->is_plain = true;
    return node;
}

struct yaml *yaml_new_map(struct yaml_doc *doc, const char *origin)
{
    return yaml_new(doc, YAML_MAP, origin);
}

/* Arrays grow at powers of two, so the capacity needs no field: it is spent whenever n is one of them. */
static bool is_full(size_t n)
{
    return (n & (n - 1)) == 0; /* 0, 1, 2, 4, 8, ... */
}

static void *grow(struct yaml_doc *doc, const void *array, size_t n, size_t item_size)
{
    void *larger = yaml_alloc(doc, (n ? 2 * n : 1) * item_size);
    if (larger && n > 0)
        memcpy(larger, array, n * item_size);
    return larger;
}

int yaml_map_add(struct yaml_doc *doc, struct yaml *map, struct yaml *key, struct yaml *value)
{
    if (is_full(map->n)) {
        struct yaml_pair *pairs = grow(doc, map->pairs, map->n, sizeof *pairs);
        if (!pairs)
            return ERR_NOMEM;
        map->pairs = pairs;
    }
    map->pairs[map->n++] = (struct yaml_pair){key, value};
    return 0;
}

int yaml_list_add(struct yaml_doc *doc, struct yaml *list, struct yaml *item)
{
    if (is_full(list->n)) {
        struct yaml **items = grow(doc, list->items, list->n, sizeof *items);
        if (!items)
            return ERR_NOMEM;
        list->items = items;
    }
    list->items[list->n++] = item;
    return 0;
}

struct yaml_pair *yaml_find(const struct yaml *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++) {
        if (strcmp(map->pairs[i].key->text, key) == 0)
            return &map->pairs[i];
    }
    return NULL;
}

struct yaml_pair *yaml_find_given(const struct yaml *map, const char *key)
{
    struct yaml_pair *pair = yaml_find(map, key);
    return pair && !yaml_is_null(pair->value) ? pair : NULL;
}

static bool is_one_of(const struct yaml *node, const char *const *words)
{
    for (; node->kind == YAML_SCALAR && node->is_plain && *words; words++) {
        if (strcmp(node->text, *words) == 0)
            return true;
    }
    return false;
}

bool yaml_is_null(const struct yaml *node)
{
    return is_one_of(node, (const char *const[]){"null", "Null", "NULL", "~", NULL});
}

bool yaml_is_empty(const struct yaml *node)
{
    return is_one_of(node, (const char *const[]){"", NULL});
}

bool yaml_is_bool(bool *value, const struct yaml *node)
{
    *value = is_one_of(node, (const char *const[]){"true", "True", "TRUE", NULL});
    return *value || is_one_of(node, (const char *const[]){"false", "False", "FALSE", NULL});
}

void yaml_fault(struct faults *faults, const struct yaml *node, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        faults->failed = ERR_NOMEM;
        return;
    }
    if (node->origin)
        faults_add(faults, 0, 0, "%s: %s", node->origin, text);
    else
        faults_add(faults, node->line, node->column, "%s", text);
    free(text);
}
