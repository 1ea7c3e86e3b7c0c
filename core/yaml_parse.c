/* From libfyaml's events to the tree.
 *
 * Its events rather than its documents are used, because they keep the place of every token, leave duplicate
 * keys to us (all of them are to be named, not the first), and need no recursion: depth, number of nodes and
 * the growth by aliases are bounded here, whatever the text. Its messages are collected and never printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#include "core/err.h"
#include "core/utf8.h"
#include "core/yaml_private.h"

#define MAX_ANCHORS 1000

struct anchor {
    struct anchor *next;
    const char *name;
    const struct yaml *node;
};

/* A list or map that is being read. */
struct frame {
    struct yaml *node;
    struct yaml *key; /* of a map: its value comes next; NULL: a key comes next */
};

struct parse {
    struct yaml_doc *doc;
    const char *text; /* terminated */
    size_t size;
    const char *origin;
    struct faults *faults;
    struct anchor *anchors; /* newest first */
    size_t n_anchors;
    struct frame stack[YAML_MAX_DEPTH];
    size_t depth;
    struct yaml *root;
    size_t n_documents;
    int code;
};

static void fault_at(struct parse *p, unsigned line, unsigned column, const char *text)
{
    yaml_fault(p->faults, &(struct yaml){.line = line, .column = column, .origin = p->origin}, "%s", text);
    p->code = ERR_INVALID;
}

/* Bytes */

static size_t allowed_length(const char *at, size_t size)
{
    unsigned char c = (unsigned char)*at;
    if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
        return 0;
    return utf8_length(at, size);
}

/* Only the first such byte is named: what follows it is hardly text. */
static int check_bytes(struct parse *p)
{
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < p->size;) {
        size_t length = allowed_length(p->text + i, p->size - i);
        if (length == 0) {
            char text[80];
            unsigned c = (unsigned char)p->text[i];
            (void)snprintf(text, sizeof text, "byte 0x%02x %s", c,
                           c < 0x80 ? "may not stand in a text" : "is not UTF-8");
            fault_at(p, line, column, text);
            return p->code;
        }
        column = p->text[i] == '\n' ? 1 : column + 1;
        line += p->text[i] == '\n';
        i += length;
    }
    return 0;
}

/* Nodes */

static void place(struct yaml *node, struct fy_token *token)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (!mark)
        return;
    node->line = (unsigned)mark->line + 1;
    node->column = (unsigned)mark->column + 1;
}

static bool count_node(struct parse *p, const struct yaml *at)
{
    if (++p->doc->n_nodes <= YAML_MAX_NODES)
        return true;
    fault_at(p, at->line, at->column, "too many values in one file");
    return false;
}

static struct yaml *new_node(struct parse *p, enum yaml_kind kind, struct fy_token *token)
{
    struct yaml *node = yaml_new(p->doc, kind, p->origin);
    if (!node) {
        p->code = ERR_NOMEM;
        return NULL;
    }
    place(node, token);
    return count_node(p, node) ? node : NULL;
}

/* Does the scalar's text stand in the file as it is? Then a place within it can be named. */
static void place_text(struct yaml *node, const struct parse *p, struct fy_token *token, size_t size)
{
    const struct fy_mark *mark = fy_token_start_mark(token);
    if (!mark || mark->input_pos > p->size || size > p->size - mark->input_pos)
        return;
    if (memcmp(p->text + mark->input_pos, node->text, size) == 0 && !strchr(node->text, '\n'))
        node->text_column = (unsigned)mark->column + 1;
}

static struct yaml *new_scalar(struct parse *p, struct fy_token *token)
{
    struct yaml *node = new_node(p, YAML_SCALAR, token);
    if (!node)
        return NULL;
    size_t size = 0;
    const char *text = token ? fy_token_get_text(token, &size) : "";
    node->text = text ? yaml_copy_text(p->doc, text, size) : NULL;
    if (!node->text) {
        p->code = ERR_NOMEM;
        return NULL;
    }
    enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    node->is_plain = style == FYSS_PLAIN;
    if (token)
        place_text(node, p, token, size);
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && node->column > 1)
        node->column--; /* libfyaml's mark stands behind the quote */
    if (strlen(node->text) < size)
        fault_at(p, node->line, node->column, "a text may not contain a NUL character");
    return node;
}

/* Copies count as nodes, so a bomb of aliases ends at the limit. Depth is bounded by the parse of the
 * original. */
static struct yaml *copy_tree(struct parse *p, const struct yaml *from)
{
    struct yaml *node = new_node(p, from->kind, NULL);
    if (!node)
        return NULL;
    *node = *from;
    node->n = 0;
    node->items = NULL;
    node->pairs = NULL;
    for (size_t i = 0; i < from->n && p->code == 0; i++) {
        bool is_map = from->kind == YAML_MAP;
        struct yaml *value = copy_tree(p, is_map ? from->pairs[i].value : from->items[i]);
        int code = !value   ? p->code
                   : is_map ? yaml_map_add(p->doc, node, from->pairs[i].key, value)
                            : yaml_list_add(p->doc, node, value);
        if (code < 0)
            p->code = code;
    }
    return node;
}

static int tree_depth(const struct yaml *node)
{
    int depth = 0;
    for (size_t i = 0; i < node->n; i++) {
        int below = tree_depth(node->kind == YAML_MAP ? node->pairs[i].value : node->items[i]);
        depth = below > depth ? below : depth;
    }
    return depth + 1;
}

static void remember_anchor(struct parse *p, struct fy_token *token, const struct yaml *node)
{
    size_t size = 0;
    const char *name = token ? fy_token_get_text(token, &size) : NULL;
    if (!name || !node)
        return;
    if (++p->n_anchors > MAX_ANCHORS) { /* they are looked up one by one */
        fault_at(p, node->line, node->column, "too many anchors (&)");
        return;
    }
    struct anchor *anchor = yaml_alloc(p->doc, sizeof *anchor);
    const char *copy = yaml_copy_text(p->doc, name, size);
    if (!anchor || !copy) {
        p->code = ERR_NOMEM;
        return;
    }
    *anchor = (struct anchor){p->anchors, copy, node};
    p->anchors = anchor;
}

static bool is_open(const struct parse *p, const struct yaml *node)
{
    for (size_t i = 0; i < p->depth; i++) {
        if (p->stack[i].node == node)
            return true;
    }
    return false;
}

static struct yaml *expand_alias(struct parse *p, struct fy_token *token)
{
    struct yaml at = {.origin = p->origin};
    place(&at, token);
    size_t size = 0;
    const char *name = fy_token_get_text(token, &size);
    const struct anchor *anchor = p->anchors;
    while (anchor && !(name && strlen(anchor->name) == size && memcmp(anchor->name, name, size) == 0))
        anchor = anchor->next;
    if (!anchor)
        fault_at(p, at.line, at.column,
                 "this alias (*) stands for nothing: no anchor (&) of that name is before it");
    else if (is_open(p, anchor->node))
        fault_at(p, at.line, at.column, "this alias (*) stands for something that contains it");
    else if (p->depth + (size_t)tree_depth(anchor->node) > YAML_MAX_DEPTH)
        fault_at(p, at.line, at.column, "nested too deep");
    else
        return copy_tree(p, anchor->node);
    return NULL;
}

/* Events */

static int compare_pairs(const void *a, const void *b)
{
    const struct yaml *x = (*(struct yaml_pair *const *)a)->key, *y = (*(struct yaml_pair *const *)b)->key;
    int order = strcmp(x->text, y->text);
    if (order != 0)
        return order;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

/* A key that is there again is a fault, and dropped: the rest is checked as if it were not there. */
static void check_keys(struct parse *p, struct yaml *map)
{
    struct yaml_pair **sorted = yaml_alloc(p->doc, (map->n + 1) * sizeof *sorted);
    if (!sorted) {
        p->code = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < map->n; i++)
        sorted[i] = &map->pairs[i];
    qsort(sorted, map->n, sizeof *sorted, compare_pairs);
    const struct yaml *first = NULL;
    for (size_t i = 0; i < map->n; i++) {
        struct yaml *key = sorted[i]->key;
        if (!first || strcmp(first->text, key->text) != 0) {
            first = key;
            continue;
        }
        yaml_fault(p->faults, key, "key '%s' is there twice; first at line %u", key->text, first->line);
        sorted[i]->value = NULL;
    }
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++) {
        if (map->pairs[i].value)
            map->pairs[n++] = map->pairs[i];
    }
    map->n = n;
}

static void add_to_map(struct parse *p, struct frame *frame, struct yaml *node)
{
    if (!frame->key) {
        frame->key = node;
        if (node->kind != YAML_SCALAR || yaml_is_empty(node))
            fault_at(p, node->line ? node->line : frame->node->line,
                     node->line ? node->column : frame->node->column, "a key must be a word");
        return;
    }
    if (node->line == 0 && !p->origin) { /* nothing stands there: its key is the place */
        node->line = frame->key->line;
        node->column = frame->key->column;
    }
    if (yaml_map_add(p->doc, frame->node, frame->key, node) < 0)
        p->code = ERR_NOMEM;
    frame->key = NULL;
}

static void add_node(struct parse *p, struct yaml *node)
{
    if (!node)
        return;
    if (p->depth == 0) {
        p->root = node;
        return;
    }
    struct frame *frame = &p->stack[p->depth - 1];
    if (frame->node->kind == YAML_MAP)
        add_to_map(p, frame, node);
    else if (yaml_list_add(p->doc, frame->node, node) < 0)
        p->code = ERR_NOMEM;
}

static void open_node(struct parse *p, enum yaml_kind kind, struct fy_token *token, struct fy_token *anchor)
{
    struct yaml *node = new_node(p, kind, token);
    if (!node)
        return;
    if (p->depth == YAML_MAX_DEPTH) {
        fault_at(p, node->line, node->column, "nested too deep");
        return;
    }
    add_node(p, node);
    remember_anchor(p, anchor, node);
    p->stack[p->depth++] = (struct frame){.node = node};
}

static void close_node(struct parse *p)
{
    struct yaml *node = p->stack[--p->depth].node;
    if (node->kind == YAML_MAP)
        check_keys(p, node);
}

static void refuse_tag(struct parse *p, struct fy_token *tag)
{
    struct yaml at = {.origin = p->origin};
    place(&at, tag);
    if (tag)
        yaml_fault(p->faults, &at, "tags (!) have no meaning here");
}

static void refuse_documents(struct parse *p, struct fy_token *token)
{
    struct yaml at = {.line = 1, .column = 1};
    place(&at, token);
    if (++p->n_documents > 1)
        fault_at(p, at.line, at.column, "a second document: one file is one sweep");
}

static void take_event(struct parse *p, const struct fy_event *event)
{
    struct yaml *node;
    switch (event->type) {
    case FYET_DOCUMENT_START:
        refuse_documents(p, event->document_start.document_start);
        break;
    case FYET_SCALAR:
        refuse_tag(p, event->scalar.tag);
        node = new_scalar(p, event->scalar.value);
        remember_anchor(p, event->scalar.anchor, node);
        add_node(p, node);
        break;
    case FYET_ALIAS:
        add_node(p, expand_alias(p, event->alias.anchor));
        break;
    case FYET_SEQUENCE_START:
        refuse_tag(p, event->sequence_start.tag);
        open_node(p, YAML_LIST, event->sequence_start.sequence_start, event->sequence_start.anchor);
        break;
    case FYET_MAPPING_START:
        refuse_tag(p, event->mapping_start.tag);
        open_node(p, YAML_MAP, event->mapping_start.mapping_start, event->mapping_start.anchor);
        break;
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        close_node(p);
        break;
    default: /* the stream's and document's ends say nothing new */
        break;
    }
}

/* libfyaml's own words for a fault of syntax; it stops at the first. */
static void take_syntax_faults(struct parse *p, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    if (error && error->msg)
        fault_at(p, error->line > 0 ? (unsigned)error->line : 1,
                 error->column > 0 ? (unsigned)error->column : 1, error->msg);
    else
        fault_at(p, 1, 1, "this is not YAML");
}

static void read_events(struct parse *p, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_event *event;
    while (p->code == 0 && (event = fy_parser_parse(parser))) {
        take_event(p, event);
        fy_parser_event_free(parser, event);
    }
    if (p->code == 0 && (fy_parser_get_stream_error(parser) || fy_diag_got_error(diag)))
        take_syntax_faults(p, diag);
}

static void run_parser(struct parse *p)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.level = FYET_ERROR;
    config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&config);
    struct fy_parser *parser = NULL;
    p->code = ERR_NOMEM;
    if (!diag)
        return;
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg parse_config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE,
                                              .diag = diag};
    parser = fy_parser_create(&parse_config);
    if (parser && fy_parser_set_string(parser, p->text, p->size) == 0) {
        p->code = 0;
        read_events(p, parser, diag);
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

int yaml_parse(struct yaml **root, struct yaml_doc *doc, const char *text, size_t size, const char *origin,
               struct faults *faults)
{
    *root = NULL;
    struct parse p = {.doc = doc, .size = size, .origin = origin, .faults = faults};
    if (size > YAML_MAX_SIZE) {
        fault_at(&p, 0, 0, "larger than 16 MiB");
        return p.code;
    }
    p.text = yaml_copy_text(doc, text, size); /* terminated, which libfyaml is safer with */
    if (!p.text)
        return ERR_NOMEM;
    if (size > 0 && check_bytes(&p) == 0)
        run_parser(&p);
    if (p.code == 0)
        *root = p.root;
    return p.code;
}
