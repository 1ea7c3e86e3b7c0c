/* A configuration is a sweep file in the making: what the setters are told becomes a JSON document (JSON is
 * YAML) or, over a file of the user's own, overrides as of `--set`. After each setter the whole is parsed, so
 * a fault of one setting is found where it is made; the setting is then dropped again, and later ones can
 * still be judged. How settings go together is judged when all are there, whatever their order was. */
#include "sdk/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"
#include "core/text.h"
#include "optimizers/registry.h"

enum { DEFAULT_INTERVAL_MS = 500 };

/* A parameter that a setter added. */
struct entry {
    char *name;
    struct text fields;     /* `"min": 0, "max": 1`, without braces */
    struct text conditions; /* `"solver": ["sgd"]`, likewise */
};

struct prova_config {
    char *name;   /* of prova_config_new; NULL: of the file */
    char *file;   /* NULL: none */
    char *source; /* its text */
    size_t n_entries;
    struct entry *entries;
    size_t n_overrides;
    struct override *overrides; /* of prova_config_set; owned strings */
    char *database, *driver;
    char **worker; /* NULL-terminated; NULL: none */
    int resume;
    int wait_s; /* -1: the default */
    bool has_progress;
    prova_progress_fn progress;
    void *progress_arg;
    int interval_ms;
    char *json; /* what prova_config_json lends */
    int code;   /* of the first fault */
    char *error;
};

/* Faults */

/* Keeps the first fault. Takes `text`. Returns `code`. */
static int keep_fault(prova_config *config, int code, char *text)
{
    if (config->code) {
        free(text);
    } else {
        config->code = code;
        config->error = text; /* NULL: the meaning of the code */
    }
    return code;
}

static int refuse(prova_config *config, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(prova_config *config, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return keep_fault(config, ERR_INVALID, text);
}

static char *write_faults(struct faults *faults, const char *file)
{
    struct text text = {0};
    faults_write(&text, faults, file);
    text_trim(&text);
    return text_take(&text);
}

/* The document */

static void write_entry(struct text *out, const struct entry *entry)
{
    text_printf(out, "{%s", text_get(&entry->fields));
    if (entry->conditions.size)
        text_printf(out, ", \"when\": {%s}", text_get(&entry->conditions));
    text_append(out, "}");
    out->failed |= entry->fields.failed | entry->conditions.failed;
}

/* `is_draft`: a space that is empty yet gets a parameter, so that its emptiness is no fault. */
static void write_document(struct text *out, const prova_config *config, bool is_draft)
{
    text_append(out, "{\"name\": ");
    text_append_json_string(out, config->name);
    for (size_t i = 0; i < config->n_entries; i++) {
        text_append(out, i ? ",\n  " : ",\n\"parameters\": {\n  ");
        text_append_json_string(out, config->entries[i].name);
        text_append(out, ": ");
        write_entry(out, &config->entries[i]);
    }
    if (config->n_entries == 0 && is_draft)
        text_append(out, ", \"parameters\": {\"none\": {\"value\": 0}");
    text_append(out, config->n_entries || is_draft ? "}}\n" : "}\n");
}

/* Over a file the added parameters are overrides too. Both lists borrow; paths and values of the first
 * n_entries are in `texts`. */
struct parts {
    size_t n;
    struct override *list;
    size_t n_texts;
    struct text *texts;
};

static void parts_fini(struct parts *parts)
{
    for (size_t i = 0; i < parts->n_texts; i++)
        text_fini(&parts->texts[i]);
    free(parts->texts);
    free(parts->list);
}

static int parts_make(struct parts *parts, const prova_config *config)
{
    size_t n = config->source ? config->n_entries : 0;
    parts->list = calloc(n + config->n_overrides + 1, sizeof *parts->list);
    parts->texts = calloc(2 * n + 1, sizeof *parts->texts);
    if (!parts->list || !parts->texts)
        return ERR_NOMEM;
    parts->n_texts = 2 * n;
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        struct text *path = &parts->texts[2 * i], *value = path + 1;
        text_printf(path, "parameters.%s", config->entries[i].name);
        write_entry(value, &config->entries[i]);
        failed |= path->failed | value->failed;
        parts->list[parts->n++] = (struct override){text_get(path), text_get(value)};
    }
    for (size_t i = 0; i < config->n_overrides; i++)
        parts->list[parts->n++] = config->overrides[i];
    return failed ? ERR_NOMEM : ERR_OK;
}

/* Parses what there is, which is a draft while setters are still to come. Returns 0 and *spec; ERR_INVALID
 * and `faults`, with those of plug-ins, which are named alone only once nothing is to come; ERR_NOMEM. */
static int parse(struct spec **spec, const prova_config *config, bool is_draft, struct faults *faults)
{
    struct parts parts = {0};
    struct text document = {0};
    int rc = parts_make(&parts, config);
    if (rc == ERR_OK && !config->source) {
        write_document(&document, config, is_draft);
        rc = document.failed;
    }
    const char *text = config->source ? config->source : text_get(&document);
    if (rc == ERR_OK)
        rc = spec_parse_faulty(spec, text, strlen(text), config->file ? config->file : "", parts.list,
                               parts.n, faults);
    bool is_judged = !is_draft || rc == ERR_INVALID;
    if (*spec && is_judged && registry_check(*spec, faults))
        rc = ERR_INVALID;
    parts_fini(&parts);
    text_fini(&document);
    return rc;
}

/* Judges the configuration after a change: each of its settings alone. */
static int judge(prova_config *config)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    int rc = parse(&spec, config, true, &faults);
    if (rc == ERR_INVALID && faults.n_alone == 0)
        rc = ERR_OK;
    if (rc)
        keep_fault(config, rc, rc == ERR_INVALID ? write_faults(&faults, config->file) : NULL);
    spec_destroy(spec);
    faults_fini(&faults);
    return rc;
}

int config_compile(struct spec **out, char **text, const prova_config *config)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    *text = NULL;
    int rc = config->code;
    if (rc) {
        *text = config->error ? strdup(config->error) : NULL;
        return rc;
    }
    rc = parse(&spec, config, false, &faults);
    if (rc == ERR_OK)
        rc = spec_read_warm_csv(spec, config->file, &faults);
    if (rc == ERR_OK) {
        spec_check_ablation(spec, &faults);
        rc = faults.n > 0 ? ERR_INVALID : faults.failed;
    }
    if (rc == ERR_OK) {
        spec->train.kind = TRAIN_FUNCTION;
        *out = spec;
    } else {
        *text = rc == ERR_INVALID ? write_faults(&faults, config->file) : NULL;
        spec_destroy(spec);
    }
    faults_fini(&faults);
    return rc;
}

const char *prova_config_json(prova_config *config)
{
    struct spec *spec = NULL;
    struct text json = {0};
    char *faults = NULL;
    int code = config_compile(&spec, &faults, config);
    if (code) {
        (void)keep_fault(config, code, faults);
        return NULL;
    }
    spec_write_json(&json, spec);
    spec_destroy(spec);
    free(config->json);
    config->json = text_take(&json);
    if (!config->json)
        (void)keep_fault(config, ERR_NOMEM, NULL);
    return config->json;
}

/* Making and freeing */

static prova_config *create(void)
{
    prova_config *config = calloc(1, sizeof *config);
    if (config) {
        config->interval_ms = DEFAULT_INTERVAL_MS;
        config->wait_s = -1;
    }
    return config;
}

prova_config *prova_config_new(const char *name)
{
    prova_config *config = create();
    if (!config)
        return NULL;
    config->name = strdup(name ? name : "");
    if (!config->name) {
        prova_config_free(config);
        return NULL;
    }
    if (judge(config)) { /* an unusable name must not spoil the judgement of what follows */
        free(config->name);
        config->name = strdup("unnamed");
    }
    if (!config->name) {
        prova_config_free(config);
        return NULL;
    }
    return config;
}

prova_config *prova_config_file(const char *path)
{
    prova_config *config = create();
    if (!config)
        return NULL;
    struct spec *spec = NULL;
    struct faults faults = {0};
    struct err err = {0};
    config->file = strdup(path ? path : "");
    int rc =
        config->file ? spec_read(&spec, &config->source, config->file, NULL, 0, &faults, &err) : ERR_NOMEM;
    if (spec && rc == ERR_INVALID)
        (void)registry_check(spec, &faults);            /* it is no good file already */
    if (spec && faults.n_alone == 0 && rc != ERR_NOMEM) /* what setters say may mend the others */
        rc = ERR_OK;
    else if (faults.n)
        keep_fault(config, rc, write_faults(&faults, config->file));
    else if (rc != ERR_NOMEM)
        keep_fault(config, rc, strdup(err.text));
    if (rc && rc != ERR_NOMEM) { /* as after a bad name: setters are judged by themselves */
        free(config->source);
        config->source = NULL;
        config->name = strdup("unnamed");
        rc = config->name ? rc : ERR_NOMEM;
    }
    spec_destroy(spec);
    faults_fini(&faults);
    if (rc == ERR_NOMEM) {
        prova_config_free(config);
        return NULL;
    }
    return config;
}

prova_config *prova_config_text(const char *sweep)
{
    prova_config *config = create();
    if (!config)
        return NULL;
    config->source = strdup(sweep ? sweep : "");
    if (!config->source || judge(config) == ERR_NOMEM) {
        prova_config_free(config);
        return NULL;
    }
    return config;
}

static void free_words(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

static void entry_fini(struct entry *entry)
{
    free(entry->name);
    text_fini(&entry->fields);
    text_fini(&entry->conditions);
}

static void override_fini(struct override *override)
{
    free((void *)(uintptr_t) override->path);
    free((void *)(uintptr_t) override->value);
}

void prova_config_free(prova_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n_entries; i++)
        entry_fini(&config->entries[i]);
    for (size_t i = 0; i < config->n_overrides; i++)
        override_fini(&config->overrides[i]);
    free(config->entries);
    free(config->overrides);
    free(config->name);
    free(config->file);
    free(config->source);
    free(config->database);
    free(config->driver);
    free_words(config->worker);
    free(config->json);
    free(config->error);
    free(config);
}

const char *prova_config_error(const prova_config *config)
{
    if (config->error)
        return config->error;
    return config->code ? err_string(config->code) : "";
}

/* Parameters */

/* Adds a parameter of these fields and judges it. Takes the content of `fields`. */
static int add_entry(prova_config *config, const char *name, struct text *fields)
{
    struct entry *grown = realloc(config->entries, (config->n_entries + 1) * sizeof *grown);
    if (grown)
        config->entries = grown;
    char *copy = name ? strdup(name) : NULL;
    if (!grown || !copy || fields->failed) {
        free(copy);
        text_fini(fields);
        return name ? keep_fault(config, ERR_NOMEM, NULL) : refuse(config, "a parameter needs a name");
    }
    for (size_t i = 0; i < config->n_entries; i++) {
        if (!strcmp(config->entries[i].name, name)) {
            free(copy);
            text_fini(fields);
            return refuse(config, "parameter '%s' was added before", name);
        }
    }
    config->entries[config->n_entries++] = (struct entry){.name = copy, .fields = *fields};
    *fields = (struct text){0};
    int rc = judge(config);
    if (rc)
        entry_fini(&config->entries[--config->n_entries]);
    return rc;
}

/* A value as in a sweep file: a number or truth value stays one, anything else is a string. */
static void append_scalar(struct text *out, const char *value)
{
    char *end;
    double number = strtod(value, &end);
    bool is_number = *value && !*end && isfinite(number) && !strpbrk(value, " \txXpP");
    if (is_number || !strcmp(value, "true") || !strcmp(value, "false"))
        text_append(out, value);
    else
        text_append_json_string(out, value);
}

static void append_strings(struct text *out, const char *const *values, size_t n)
{
    text_append(out, "[");
    for (size_t i = 0; i < n; i++) {
        text_append(out, i ? ", " : "");
        text_append_json_string(out, values[i]);
    }
    text_append(out, "]");
}

int prova_config_double(prova_config *config, const char *name, double min, double max,
                        enum prova_scale scale)
{
    if (!isfinite(min) || !isfinite(max))
        return refuse(config, "the range of parameter '%s' is not finite", name ? name : "");
    struct text fields = {0};
    text_append(&fields, "\"type\": \"double\", \"min\": ");
    text_append_double(&fields, min);
    text_append(&fields, ", \"max\": ");
    text_append_double(&fields, max);
    text_append(&fields, scale == PROVA_LOG ? ", \"scale\": \"log\"" : "");
    return add_entry(config, name, &fields);
}

int prova_config_int(prova_config *config, const char *name, int64_t min, int64_t max, enum prova_scale scale)
{
    struct text fields = {0};
    text_printf(&fields, "\"type\": \"int\", \"min\": %lld, \"max\": %lld%s", (long long)min, (long long)max,
                scale == PROVA_LOG ? ", \"scale\": \"log\"" : "");
    return add_entry(config, name, &fields);
}

int prova_config_discrete(prova_config *config, const char *name, const double *values, size_t n)
{
    struct text fields = {0};
    text_append(&fields, "\"type\": \"discrete\", \"values\": [");
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            text_fini(&fields);
            return refuse(config, "a value of parameter '%s' is not finite", name ? name : "");
        }
        text_append(&fields, i ? ", " : "");
        text_append_double(&fields, values[i]);
    }
    text_append(&fields, "]");
    return add_entry(config, name, &fields);
}

int prova_config_categorical(prova_config *config, const char *name, const char *const *values, size_t n)
{
    struct text fields = {0};
    text_append(&fields, "\"type\": \"categorical\", \"values\": ");
    append_strings(&fields, values, n);
    return add_entry(config, name, &fields);
}

int prova_config_constant(prova_config *config, const char *name, const char *value)
{
    struct text fields = {0};
    text_append(&fields, "\"value\": ");
    append_scalar(&fields, value ? value : "");
    return add_entry(config, name, &fields);
}

/* Details */

static struct entry *find_entry(prova_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_entries; i++)
        if (!strcmp(config->entries[i].name, name))
            return &config->entries[i];
    return NULL;
}

/* Cuts a text back to a former size. */
static void cut(struct text *text, size_t size)
{
    text->size = size;
    if (text->data)
        text->data[size] = '\0';
}

/* Adds `key: value` to a parameter that a setter or the file has. Takes the content of `value`. */
static int add_detail(prova_config *config, const char *name, const char *key, struct text *value)
{
    struct entry *entry = find_entry(config, name);
    int rc;
    if (entry) {
        size_t before = entry->fields.size;
        text_printf(&entry->fields, ", \"%s\": %s", key, text_get(value));
        rc = judge(config);
        if (rc)
            cut(&entry->fields, before);
    } else if (config->source) {
        struct text path = {0};
        text_printf(&path, "parameters.%s.%s", name, key);
        rc = path.failed ? keep_fault(config, ERR_NOMEM, NULL)
                         : prova_config_set(config, text_get(&path), text_get(value));
        text_fini(&path);
    } else {
        rc = refuse(config, "parameter '%s' was not added before its %s", name, key);
    }
    text_fini(value);
    return rc;
}

int prova_config_step(prova_config *config, const char *name, double step)
{
    if (!isfinite(step))
        return refuse(config, "the step of parameter '%s' is not finite", name);
    struct text value = {0};
    text_append_double(&value, step);
    return add_detail(config, name, "step", &value);
}

int prova_config_default(prova_config *config, const char *name, const char *value)
{
    struct text text = {0};
    append_scalar(&text, value);
    return add_detail(config, name, "default", &text);
}

int prova_config_when(prova_config *config, const char *name, const char *parent, const char *const *values,
                      size_t n)
{
    struct entry *entry = find_entry(config, name);
    struct text text = {0};
    if (!entry) { /* of the file: replaces its conditions on this parent */
        append_strings(&text, values, n);
        char key[256];
        (void)snprintf(key, sizeof key, "when.%s", parent); /* a name has at most 128 characters */
        return add_detail(config, name, key, &text);
    }
    size_t before = entry->conditions.size;
    text_append(&entry->conditions, before ? ", " : "");
    text_append_json_string(&entry->conditions, parent);
    text_append(&entry->conditions, ": ");
    append_strings(&entry->conditions, values, n);
    int rc = judge(config);
    if (rc)
        cut(&entry->conditions, before);
    return rc;
}

/* Everything else */

int prova_config_set(prova_config *config, const char *path, const char *value)
{
    struct override *grown = realloc(config->overrides, (config->n_overrides + 1) * sizeof *grown);
    if (!grown)
        return keep_fault(config, ERR_NOMEM, NULL);
    config->overrides = grown;
    struct override override = {strdup(path), strdup(value)};
    if (!override.path || !override.value) {
        override_fini(&override);
        return keep_fault(config, ERR_NOMEM, NULL);
    }
    config->overrides[config->n_overrides++] = override;
    int rc = judge(config);
    if (rc)
        override_fini(&config->overrides[--config->n_overrides]);
    return rc;
}

static int set_string(prova_config *config, char **place, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return keep_fault(config, ERR_NOMEM, NULL);
    free(*place);
    *place = copy;
    return ERR_OK;
}

int prova_config_database(prova_config *config, const char *path)
{
    return set_string(config, &config->database, path);
}

int prova_config_driver(prova_config *config, const char *endpoint)
{
    return set_string(config, &config->driver, endpoint);
}

int prova_config_wait(prova_config *config, int seconds)
{
    if (seconds < 0)
        return refuse(config, "the wait for a driver is %d s: it must be 0 (without end) or more", seconds);
    config->wait_s = seconds;
    return ERR_OK;
}

int prova_config_worker(prova_config *config, const char *const *argv)
{
    size_t n = 0;
    while (argv && argv[n])
        n++;
    if (n == 0)
        return refuse(config, "the worker's program has no name");
    char **words = calloc(n + 1, sizeof *words);
    for (size_t i = 0; words && i < n; i++) {
        words[i] = strdup(argv[i]);
        if (!words[i]) {
            free_words(words);
            words = NULL;
        }
    }
    if (!words)
        return keep_fault(config, ERR_NOMEM, NULL);
    free_words(config->worker);
    config->worker = words;
    return ERR_OK;
}

int prova_config_resume(prova_config *config, int resume)
{
    config->resume = resume;
    return ERR_OK;
}

int prova_config_progress(prova_config *config, prova_progress_fn progress, void *arg, int interval_ms)
{
    if (interval_ms < 0)
        return refuse(config, "the interval of progress is %d ms: it must be 0 or more", interval_ms);
    config->has_progress = true;
    config->progress = progress;
    config->progress_arg = arg;
    config->interval_ms = interval_ms;
    return ERR_OK;
}

struct config_local config_local(const prova_config *config)
{
    return (struct config_local){.file = config->file ? config->file : "",
                                 .database = config->database ? config->database : "prova.db",
                                 .driver = config->driver,
                                 .wait_s = config->wait_s,
                                 .worker = (const char *const *)config->worker,
                                 .resume = config->resume != 0,
                                 .has_progress = config->has_progress,
                                 .progress = config->progress,
                                 .progress_arg = config->progress_arg,
                                 .interval_ms = config->interval_ms};
}
