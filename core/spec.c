/* A spec as a whole: its defaults, its end, and the file that it comes from. */
#include "core/spec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/yaml.h"

static int set_default(struct plugin *plugin, const char *name)
{
    return plugin_set_name(plugin, name, 0, 0);
}

static int set_defaults(struct spec *spec)
{
    spec->space = space_create();
    spec->name = strdup("experiment");
    spec->metric.name = strdup("objective");
    spec->train.grace_s = 10;
    spec->limits = (struct limits){.trials = 100, .target = NAN, .failures = 10};
    spec->table = (struct table_source){
        .first_step = 1, .last_step = 1, .optimum = NAN, .median = NAN, .best_one_percent = NAN};
    spec->gang.workers = 1;
    spec->workers = 1;
    spec->retries = 1;
    if (!spec->space || !spec->name || !spec->metric.name)
        return ERR_NOMEM;
    int code = set_default(&spec->search, "auto");
    if (code == 0)
        code = set_default(&spec->schedule, "full");
    if (code == 0)
        code = set_default(&spec->stopping, "none");
    return code < 0 ? code : set_default(&spec->context, "optimization");
}

struct spec *spec_create(void)
{
    struct spec *spec = calloc(1, sizeof *spec);
    if (spec && set_defaults(spec) < 0) {
        spec_destroy(spec);
        return NULL;
    }
    return spec;
}

static void train_fini(struct train *train)
{
    for (size_t i = 0; i < train->n_argv; i++)
        free(train->argv[i]);
    free(train->argv);
    free(train->library);
    free(train->function);
    free(train->directory);
}

static void table_fini(struct table_source *table)
{
    for (size_t i = 0; i < table->n_replicates; i++)
        free(table->replicates[i]);
    free(table->replicates);
    free(table->file);
    free(table->column);
    free(table->curve);
    free(table->seconds);
    free(table->seconds_first);
    free(table->seconds_last);
}

void spec_destroy(struct spec *spec)
{
    if (!spec)
        return;
    train_fini(&spec->train);
    table_fini(&spec->table);
    free(spec->metric.name);
    free(spec->metric.pattern);
    space_destroy(spec->space);
    for (size_t i = 0; i < spec->n_faulty_params; i++)
        free(spec->faulty_params[i]);
    free(spec->faulty_params);
    plugin_fini(&spec->search);
    plugin_fini(&spec->schedule);
    plugin_fini(&spec->stopping);
    plugin_fini(&spec->context);
    warm_start_fini(&spec->warm_start);
    ablation_destroy(spec->ablation);
    free(spec->name);
    free(spec);
}

bool spec_searches(const struct spec *spec)
{
    return strcmp(spec->context.name, "optimization") == 0;
}

void spec_write_ablated(struct text *out, const struct spec *spec, uint64_t trial)
{
    if (spec->ablation)
        ablation_write_out(out, spec->ablation, ablation_variant(spec->ablation, trial));
}

uint64_t spec_trial_seed(const struct spec *spec, uint64_t trial)
{
    uint64_t stream = spec->ablation ? ablation_repeat(spec->ablation, trial) + 1 : trial;
    return rng_mix(spec->seed, stream) >> 33;
}

bool spec_has_param(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_faulty_params; i++) {
        if (strcmp(spec->faulty_params[i], name) == 0)
            return true;
    }
    return space_find(spec->space, name) >= 0;
}

/* What people write is far below this; the JSON of a spec, which says all defaults, may be several times as
 * large. */
#define MAX_FILE (1u << 20)
/* A table of points may be larger; as a part of the spec it still is a text that yaml_parse reads. */
#define MAX_TABLE (YAML_MAX_SIZE / 2)

static int read_stream(struct text *text, FILE *file, size_t most)
{
    char buffer[8192];
    size_t n;
    while (text->size <= most && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_append_bytes(text, buffer, n);
    if (text->failed)
        return text->failed;
    return ferror(file) ? ERR_IO : 0;
}

/* Reads no more than is needed to see that it is larger than `most`. */
static int read_file(struct text *text, const char *path, size_t most, struct err *err)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        int code = errno == ENOMEM ? ERR_NOMEM : errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
        return err_set(err, code, "cannot read '%s': %s", path, strerror(errno));
    }
    int code = read_stream(text, file, most);
    if (code < 0) {
        const char *why = code == ERR_NOMEM ? err_string(code) : strerror(errno);
        (void)err_set(err, code, "cannot read '%s': %s", path, why);
    }
    (void)fclose(file); /* only read from */
    return code;
}

static int read_table(struct spec *spec, const char *path, struct err *err)
{
    struct text text = {0};
    int code = read_file(&text, path, MAX_TABLE, err);
    if (code == 0 && text.size > MAX_TABLE)
        code = err_set(err, ERR_INVALID, "larger than %u MiB", MAX_TABLE >> 20);
    if (code == 0)
        code = warm_start_read_table(&spec->warm_start, spec->space, spec->metric.name, text_get(&text),
                                     text.size, err);
    text_fini(&text);
    return code;
}

int spec_read_warm_csv(struct spec *spec, const char *file, struct faults *faults)
{
    struct warm_start *warm = &spec->warm_start;
    if (!warm->csv || spec->is_space_partial)
        return 0;
    struct text path = {0};
    struct err err = {0};
    const char *slash = file && *warm->csv != '/' ? strrchr(file, '/') : NULL;
    if (slash)
        text_append_bytes(&path, file, (size_t)(slash + 1 - file));
    text_append(&path, warm->csv);
    int code = path.failed ? path.failed : read_table(spec, text_get(&path), &err);
    text_fini(&path);
    if (code == ERR_NOMEM) {
        faults->failed = ERR_NOMEM;
    } else if (code < 0) {
        faults_add(faults, warm->line, warm->column, "warm_start: %.100s: %s", warm->csv, err.text);
        code = ERR_INVALID;
    } else {
        free(warm->csv);
        warm->csv = NULL;
    }
    return code;
}

int spec_read(struct spec **spec, char **source, const char *path, const struct override *overrides,
              size_t n_overrides, struct faults *faults, struct err *err)
{
    struct text text = {0};
    struct spec *read = NULL;
    char *taken = NULL;
    int code = read_file(&text, path, MAX_FILE, err);
    if (code < 0)
        goto out;
    if (text.size > MAX_FILE) {
        faults_add(faults, 0, 0, "larger than %u MiB: this is no sweep file", MAX_FILE >> 20);
        code = ERR_INVALID;
    } else {
        code = spec_parse_faulty(&read, text_get(&text), text.size, path, overrides, n_overrides, faults);
    }
    if (read && code != ERR_NOMEM) {
        int beside = spec_read_warm_csv(read, path, faults);
        code = beside < 0 ? beside : code;
    }
    if (read && source && !(taken = text_take(&text)))
        code = ERR_NOMEM;
    if (code < 0) {
        if (code == ERR_INVALID)
            (void)err_set(err, code, "'%s' has %zu fault%s", path, faults->n, faults->n == 1 ? "" : "s");
        else
            (void)err_set(err, code, "%s", err_string(code));
    }
    if (code == ERR_NOMEM) {
        free(taken);
        spec_destroy(read);
        goto out;
    }
    *spec = read; /* with ERR_INVALID as much of it as there is */
    if (source)
        *source = taken;
out:
    text_fini(&text);
    return code;
}
