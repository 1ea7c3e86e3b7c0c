/* From a sweep file's tree to a spec: the top level, train, metric and limits. */
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec_reader.h"

#define MAX_NAME    128
#define MAX_PATTERN 1000
#define MAX_REPEATS 10000

/* Letters, digits, '_', '.' and '-'. */
static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

static void read_name(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    const char *name = pair->value->text;
    size_t n = strspn(name, name_letters);
    if (pair->value->kind != YAML_SCALAR || name[n] || n == 0 || n > MAX_NAME)
        yaml_fault(r->faults, pair->value,
                   "'%s' must be made of letters, digits, '_', '.' and '-', at most %d of them",
                   pair->key->text, MAX_NAME);
    else
        read_string(r, target, field, pair);
}

/* Any number of 64 bits, not only those that a double can hold: whoever draws a seed may draw one of these.
 */
static void read_seed(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)field; /* the range is that of the type */
    struct spec *spec = target;
    const struct yaml *value = pair->value;
    size_t n = strspn(value->text, "0123456789");
    unsigned long long seed = strtoull(value->text, NULL, 10);
    bool fits = n < 20 || (n == 20 && strcmp(value->text, "18446744073709551615") <= 0);
    if (value->kind != YAML_SCALAR || !value->is_plain || n == 0 || value->text[n] || !fits) {
        yaml_fault(r->faults, value, "'seed' must be a whole number from 0 to 2^64 - 1");
        return;
    }
    spec->seed = seed;
    spec->has_seed = true;
}

/* Train */

static int add_argument(struct train *train, const char *text)
{
    char **argv = realloc(train->argv, (train->n_argv + 1) * sizeof *argv);
    if (!argv)
        return ERR_NOMEM;
    train->argv = argv;
    argv[train->n_argv] = strdup(text);
    if (!argv[train->n_argv])
        return ERR_NOMEM;
    train->n_argv++;
    return 0;
}

static void read_argv(struct reader *r, struct train *train, const struct yaml *list)
{
    if (list->n == 0)
        yaml_fault(r->faults, list, "the command is empty");
    for (size_t i = 0; i < list->n && r->code == 0; i++) {
        const struct yaml *item = list->items[i];
        if (item->kind != YAML_SCALAR || yaml_is_empty(item) || yaml_is_null(item))
            yaml_fault(r->faults, item, "an argument of the command must be a text");
        else if (i == 0 && !*item->text)
            yaml_fault(r->faults, item, "the command is empty");
        else
            r->code = add_argument(train, item->text);
    }
}

static void read_command(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    (void)field; /* argv and n_argv are set, so the target is the whole struct */
    struct train *train = target;
    const struct yaml *value = pair->value;
    train->kind = TRAIN_COMMAND;
    if (value->kind == YAML_LIST) {
        read_argv(r, train, value);
    } else if (value->kind == YAML_MAP) {
        yaml_fault(r->faults, value, "'command' must be a list of arguments, or a text for the shell");
    } else if (strspn(value->text, " \t\n") == strlen(value->text)) {
        yaml_fault(r->faults, value, "the command is empty");
    } else {
        const char *const shell[] = {"/bin/sh", "-c", value->text};
        for (size_t i = 0; i < 3 && r->code == 0; i++)
            r->code = add_argument(train, shell[i]);
    }
}

/* A function that the SDK holds itself, or nothing (yet) to run: only programs write these. */
static void read_kind(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    (void)field; /* the numbers of the two are not neighbours, so read_choice cannot do it */
    enum train_kind *kind = target;
    if (strcmp(pair->value->text, "function") == 0)
        *kind = TRAIN_FUNCTION;
    else if (strcmp(pair->value->text, "none") == 0)
        *kind = TRAIN_NONE;
    else
        yaml_fault(r->faults, pair->value, "'kind' must be function or none");
}

static void check_kind(struct reader *r, struct train *train, const struct yaml_pair *pair)
{
    const struct yaml_pair *command = yaml_find_given(pair->value, "command");
    const struct yaml_pair *library = yaml_find_given(pair->value, "library");
    const struct yaml_pair *function = yaml_find_given(pair->value, "function");
    const struct yaml_pair *kind = yaml_find_given(pair->value, "kind");
    const struct yaml_pair *other = library ? library : function;
    if (command && other)
        yaml_fault(r->faults, other->key, "'train' has a command and a %s: it takes one of them",
                   other->key->text);
    else if (library && !function)
        yaml_fault(r->faults, library->key, "'library' needs the 'function' in it");
    else if (function && !library && !kind)
        yaml_fault(r->faults, function->key, "'function' needs the 'library' that it is in");
    else if (kind && (command || library))
        yaml_fault(r->faults, kind->key, "'kind' is not for a %s", command ? "command" : "library");
    else if (!kind && !command && !library)
        yaml_fault(r->faults, pair->key, "'train' needs a command, or a library and a function");
    if (library)
        train->kind = TRAIN_LIBRARY;
}

void read_train(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "command", .read = read_command},
        {.name = "library", .read = read_string, .offset = offsetof(struct train, library)},
        {.name = "function", .read = read_string, .offset = offsetof(struct train, function)},
        {.name = "directory", .read = read_string, .offset = offsetof(struct train, directory)},
        {.name = "grace_s", .read = read_double, .offset = offsetof(struct train, grace_s), .max = 1e6},
        {.name = "kind", .read = read_kind, .offset = offsetof(struct train, kind)},
    };
    (void)field; /* the whole section */
    size_t n_faults = r->faults->n;
    READ_FIELDS(r, target, fields, "train", pair->value);
    struct train *train = target;
    if (pair->value->kind == YAML_MAP)
        check_kind(r, train, pair);
    if (train->kind == TRAIN_NONE && r->faults->n > n_faults)
        train->kind = TRAIN_COMMAND; /* faulty, but not missing */
}

/* Where `offset` of the item's text stands; its beginning where that is not known. */
static struct yaml place_within(const struct yaml *item, const char *at)
{
    struct yaml place = *item;
    if (item->text_column > 0) {
        place.column = item->text_column;
        for (const char *c = item->text; c < at; c++)
            place.column += ((unsigned char)*c & 0xc0) != 0x80; /* characters, not bytes */
    }
    return place;
}

/* Parameters that are in the file but faulty have their fault already. */
static bool is_known(const struct reader *r, const struct yaml *root, const struct piece *piece)
{
    const struct yaml_pair *parameters = yaml_find(root, "parameters");
    if (parameters && parameters->value->kind != YAML_MAP)
        return true;
    for (size_t i = 0; parameters && parameters->value->kind == YAML_MAP && i < parameters->value->n; i++) {
        const char *name = parameters->value->pairs[i].key->text;
        if (strncmp(name, piece->start, piece->size) == 0 && !name[piece->size])
            return true;
    }
    return is_reference(r->spec->space, piece->start, piece->size);
}

static void check_argument(struct reader *r, const struct yaml *root, const struct yaml *item)
{
    if (item->kind != YAML_SCALAR)
        return;
    const char *at = item->text, *before = at;
    for (struct piece piece; (piece = next_piece(&at)).kind != PIECE_END; before = at) {
        struct yaml place = place_within(item, before);
        if (piece.kind == PIECE_UNCLOSED)
            yaml_fault(r->faults, &place, "'${' without '}'");
        if (piece.kind != PIECE_NAME || is_known(r, root, &piece))
            continue;
        int size = piece.size < 128 ? (int)piece.size : 128;
        yaml_fault(r->faults, &place,
                   "${%.*s} is not a parameter; for a variable of the shell write $${%.*s}", size,
                   piece.start, size, piece.start);
    }
}

void check_command(struct reader *r, const struct yaml *root)
{
    const struct yaml_pair *train = yaml_find(root, "train");
    const struct yaml_pair *command = train ? yaml_find(train->value, "command") : NULL;
    if (!command)
        return;
    if (command->value->kind == YAML_SCALAR)
        check_argument(r, root, command->value);
    for (size_t i = 0; command->value->kind == YAML_LIST && i < command->value->n; i++)
        check_argument(r, root, command->value->items[i]);
}

/* Metric */

/* "prova: step=3 name=value" is how a metric is reported: its name must be one word of that. */
static void read_metric_name(struct reader *r, void *target, const struct field *field,
                             const struct yaml_pair *pair)
{
    const char *name = pair->value->text;
    bool is_word = !strpbrk(name, "= \t\r\n") && *name && strlen(name) <= MAX_NAME;
    if (pair->value->kind != YAML_SCALAR || !is_word || strcmp(name, "step") == 0)
        yaml_fault(
            r->faults, pair->value,
            "the metric's name must be a word without blanks and '=', at most %d bytes, and not 'step'",
            MAX_NAME);
    else
        read_string(r, target, field, pair);
}

/* The C library's matcher copies what is repeated by {m,n}: a short pattern can take all memory. */
static bool repeats_too_much(const char *pattern)
{
    double repeats = 1;
    for (const char *c = pattern; (c = strchr(c, '{')); c++) {
        size_t comma = strcspn(c, ",}");
        double low = strtod(c + 1, NULL), high = c[comma] == ',' ? strtod(c + comma + 1, NULL) : 0;
        double most = fmax(low, high);
        repeats *= most > 1 ? most : 1;
    }
    return repeats > MAX_REPEATS;
}

static void check_pattern(struct reader *r, const struct yaml *node)
{
    if (strlen(node->text) > MAX_PATTERN || repeats_too_much(node->text)) {
        yaml_fault(r->faults, node, "the pattern is too large");
        return;
    }
    regex_t regex;
    int code = regcomp(&regex, node->text, REG_EXTENDED | REG_NEWLINE);
    if (code != 0) {
        char text[128];
        (void)regerror(code, &regex, text, sizeof text); /* a long one is cut */
        yaml_fault(r->faults, node, "the pattern is no extended regular expression: %s", text);
        return;
    }
    if (regex.re_nsub == 0)
        yaml_fault(r->faults, node, "the pattern needs a group, (...), around the value");
    regfree(&regex);
}

static void read_pattern(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    read_string(r, target, field, pair);
    if (*(char **)target)
        check_pattern(r, pair->value);
}

void read_metric(struct reader *r, void *target, const struct field *field, const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "name", .read = read_metric_name, .offset = offsetof(struct metric, name)},
        {.name = "goal",
         .read = read_choice,
         .offset = offsetof(struct metric, goal),
         .choices = "minimize|maximize"},
        {.name = "value",
         .read = read_choice,
         .offset = offsetof(struct metric, value),
         .choices = "final|last|best"},
        {.name = "pattern", .read = read_pattern, .offset = offsetof(struct metric, pattern)},
    };
    (void)field; /* the whole section */
    struct metric *metric = target;
    if (pair->value->kind == YAML_SCALAR)
        read_metric_name(r, &metric->name, &fields[0], pair);
    else
        READ_FIELDS(r, metric, fields, "metric", pair->value);
}

/* Limits */

static void read_limits(struct reader *r, void *target, const struct field *field,
                        const struct yaml_pair *pair)
{
    static const struct field fields[] = {
        {.name = "trials", .read = read_int, .offset = offsetof(struct limits, trials), .max = 0x1p53},
        {.name = "hours", .read = read_double, .offset = offsetof(struct limits, hours), .max = 1e6},
        {.name = "target",
         .read = read_double,
         .offset = offsetof(struct limits, target),
         .min = -INFINITY,
         .max = INFINITY},
        {.name = "failures", .read = read_int, .offset = offsetof(struct limits, failures), .max = 0x1p53},
        {.name = "trial_hours",
         .read = read_double,
         .offset = offsetof(struct limits, trial_hours),
         .max = 1e6},
        {.name = "budget", .read = read_int, .offset = offsetof(struct limits, budget), .max = 0x1p53},
    };
    (void)field; /* the whole section */
    READ_FIELDS(r, target, fields, "limits", pair->value);
}

/* A study ends by itself. By default it goes on while a whole repeat of it has not failed. */
static void settle_study_limits(struct spec *spec, const struct yaml_pair *limits)
{
    int64_t n_trials = (int64_t)ablation_n_trials(spec->ablation);
    int64_t n_variants = (int64_t)spec->ablation->n_variants;
    if (spec->limits.trials == 0 || spec->limits.trials > n_trials ||
        !(limits && yaml_find_given(limits->value, "trials")))
        spec->limits.trials = n_trials;
    if (spec->limits.failures < n_variants && !(limits && yaml_find_given(limits->value, "failures")))
        spec->limits.failures = n_variants;
}

/* Contexts that make one trial, whatever the limits say. */
static bool is_one_run(const struct spec *spec)
{
    const char *context = spec->context.name ? spec->context.name : "";
    return strcmp(context, "single") == 0 || strcmp(context, "distributed") == 0;
}

/* Without any limit a search would never end: 100 trials, unless it walks a grid, which ends by itself. */
static void settle_limits(struct spec *spec, const struct yaml *root)
{
    const struct yaml_pair *limits = yaml_find(root, "limits");
    if (spec->ablation) {
        settle_study_limits(spec, limits);
        return;
    }
    if (is_one_run(spec)) {
        spec->limits.trials = 1;
        return;
    }
    bool is_limited =
        limits && (yaml_find_given(limits->value, "trials") || yaml_find_given(limits->value, "hours") ||
                   yaml_find_given(limits->value, "target") || yaml_find_given(limits->value, "budget"));
    if (!is_limited)
        spec->limits.trials = strcmp(spec->search.name, "grid") == 0 ? 0 : 100;
    else if (!yaml_find_given(limits->value, "trials"))
        spec->limits.trials = 0;
}

/* The whole file */

/* Sections that are read in their turn, see read_top. */
static void read_nothing(struct reader *r, void *target, const struct field *field,
                         const struct yaml_pair *pair)
{
    (void)r, (void)target, (void)field, (void)pair;
}

static const struct field top_fields[] = {
    {.name = "name", .read = read_name, .offset = offsetof(struct spec, name)},
    {.name = "train", .read = read_train, .offset = offsetof(struct spec, train)},
    {.name = "metric", .read = read_metric, .offset = offsetof(struct spec, metric)},
    {.name = "parameters", .read = read_parameters},
    {.name = "search", .read = read_plugin, .offset = offsetof(struct spec, search)},
    {.name = "schedule", .read = read_plugin, .offset = offsetof(struct spec, schedule)},
    {.name = "stopping", .read = read_plugin, .offset = offsetof(struct spec, stopping)},
    {.name = "context", .read = read_plugin, .offset = offsetof(struct spec, context)},
    {.name = "warm_start", .read = read_nothing}, /* with the space at hand: read_warm_start */
    {.name = "ablation", .read = read_nothing},   /* likewise: read_ablation */
    {.name = "distributed", .read = read_distributed},
    {.name = "workers_per_trial", .read = read_workers_per_trial},
    {.name = "limits", .read = read_limits, .offset = offsetof(struct spec, limits)},
    {.name = "table", .read = read_table_source, .offset = offsetof(struct spec, table)},
    {.name = "workers", .read = read_int, .offset = offsetof(struct spec, workers), .min = 1, .max = 100000},
    {.name = "retries", .read = read_int, .offset = offsetof(struct spec, retries), .max = 0x1p53},
    {.name = "seed", .read = read_seed},
};

/* The file's name without folders and ending; what a name may not have becomes '-'. */
static void set_default_name(struct reader *r, const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    const char *base = slash ? slash + 1 : file;
    if (!base || !*base)
        return;
    const char *dot = strrchr(base, '.');
    size_t size = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    set_string(r, &r->spec->name, base);
    char *name = r->spec->name;
    if (r->code < 0)
        return;
    name[size < MAX_NAME ? size : MAX_NAME] = '\0';
    for (char *c = name; *(c += strspn(c, name_letters));)
        *c = '-';
}

/* The section of a context that is not the default has the context's own name: `ablation: {...}`. */
static void read_context_section(struct reader *r, void *target, const struct field *field,
                                 const struct yaml_pair *pair)
{
    (void)field; /* the whole section */
    if (pair->value->kind != YAML_MAP)
        yaml_fault(r->faults, pair->value, "'%s' must be a map of settings", pair->key->text);
    else
        read_settings(r, target, "", pair->value);
}

/* That of another context waits until its context is asked for. */
static void read_waiting_section(struct reader *r, void *target, const struct field *field,
                                 const struct yaml_pair *pair)
{
    (void)target, (void)field;
    if (pair->value->kind != YAML_MAP)
        yaml_fault(r->faults, pair->value, "'%s' must be a map of settings", pair->key->text);
}

static const char *context_name(const struct yaml *root)
{
    const struct yaml_pair *context = yaml_find(root, "context");
    if (context && context->value->kind == YAML_MAP)
        context = yaml_find(context->value, "name");
    return context && context->value->kind == YAML_SCALAR ? context->value->text : "optimization";
}

enum { N_TOP = sizeof top_fields / sizeof *top_fields };

/* Other contexts may do with constants, or with nothing. */
static void check_something_to_search(struct reader *r, const struct yaml *root)
{
    const struct yaml_pair *parameters = yaml_find_given(root, "parameters");
    if (!spec_searches(r->spec))
        return;
    if (parameters && (parameters->value->kind != YAML_MAP || parameters->value->n > 0))
        return;
    r->spec->is_space_partial = true;
    if (!parameters)
        yaml_fault(r->faults, root, "'parameters' is missing: there is nothing to search");
    else
        yaml_fault(r->faults, parameters->value, "no parameters: there is nothing to search");
}

static void read_top(struct reader *r, const struct yaml *root)
{
    r->spec->is_space_partial = root->kind != YAML_MAP;
    struct field fields[N_TOP + 2];
    memcpy(fields, top_fields, sizeof top_fields);
    fields[N_TOP] = (struct field){
        .name = context_name(root), .read = read_context_section, .offset = offsetof(struct spec, context)};
    fields[N_TOP + 1] = (struct field){.name = "single", .read = read_waiting_section}; /* after its own */
    read_fields(r, r->spec, fields, N_TOP + 2, NULL, root);
    r->faults->n_alone = r->faults->n;
    if (root->kind != YAML_MAP)
        return;
    check_command(r, root);
    if (r->code == 0)
        read_ablation(r, root);
    settle_limits(r->spec, root);
    settle_gang(r, root);
    check_something_to_search(r, root);
    read_warm_start(r, root);
}

static int read_tree(struct reader *r, const char *text, size_t size, const struct override *overrides,
                     size_t n_overrides)
{
    struct yaml *root;
    int code = yaml_parse(&root, r->doc, text, size, NULL, r->faults);
    if (code < 0)
        return code;
    if (!root) {
        root = yaml_new_map(r->doc, NULL);
        if (!root)
            return ERR_NOMEM;
        root->line = root->column = 1;
    }
    if (root->kind == YAML_MAP)
        apply_overrides(r, root, overrides, n_overrides);
    if (r->code == 0)
        read_top(r, root);
    return r->code;
}

int spec_parse_faulty(struct spec **spec, const char *text, size_t size, const char *file,
                      const struct override *overrides, size_t n_overrides, struct faults *faults)
{
    *spec = NULL;
    struct reader r = {.spec = spec_create(), .doc = yaml_doc_create(), .faults = faults};
    size_t n_faults = faults->n;
    int code = ERR_NOMEM;
    faults->n_alone = SIZE_MAX; /* it may be no YAML at all */
    if (!r.spec || !r.doc)
        goto out;
    set_default_name(&r, file);
    code = r.code < 0 ? r.code : read_tree(&r, text, size, overrides, n_overrides);
    if (faults->n_alone > faults->n)
        faults->n_alone = faults->n;
    if (faults->failed)
        code = faults->failed;
    if (code == 0) {
        *spec = r.spec;
        r.spec = NULL;
        code = faults->n > n_faults ? ERR_INVALID : 0;
    }
out:
    spec_destroy(r.spec);
    yaml_doc_destroy(r.doc);
    return code;
}

int spec_parse(struct spec **spec, const char *text, size_t size, const char *file,
               const struct override *overrides, size_t n_overrides, struct faults *faults)
{
    struct spec *read;
    int code = spec_parse_faulty(&read, text, size, file, overrides, n_overrides, faults);
    if (code == 0)
        *spec = read;
    else
        spec_destroy(read);
    return code;
}
