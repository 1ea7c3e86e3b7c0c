/* Tables of recorded trainings. See driver/recording.h. */
#include "driver/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/number.h"
#include "driver/nearest.h"

#define MAX_SIZE    (UINT64_C(1) << 32) /* bytes of a file */
#define MAX_FAULTS  100
#define MAX_SECONDS 1e9 /* of one step: more is no training time, and times must not overflow */

/* A row of a full-factorial table by the hash of its point. */
struct keyed_row {
    uint64_t hash;
    size_t row;
};

enum seconds_form { SECONDS_NONE, SECONDS_EACH, SECONDS_WHOLE, SECONDS_ENDS };

/* Where the columns of the file go; SIZE_MAX: there is no such column. */
struct columns {
    size_t n;           /* of the header */
    size_t *params;     /* [n_params] */
    size_t *curve;      /* [n_steps], or the one column of the value */
    size_t *replicates; /* [n_replicates] */
    enum seconds_form seconds_form;
    size_t *seconds; /* EACH: [n_steps]; WHOLE: 1; ENDS: the first and the last */
};

struct loader {
    struct recording *recording;
    const struct spec *spec;
    struct csv csv;
    struct columns columns;
    size_t capacity; /* rows that fit */
    unsigned *lines; /* [n_rows] */
    struct faults *faults;
};

/* Header */

static size_t find_column(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->csv.n; i++)
        if (strcmp(loader->csv.fields[i].text, name) == 0)
            return i;
    return SIZE_MAX;
}

static size_t need_column(struct loader *loader, const char *name, const char *what)
{
    size_t column = find_column(loader, name);
    if (column != SIZE_MAX)
        return column;
    struct nearest nearest = nearest_begin(name);
    for (size_t i = 0; i < loader->csv.n; i++)
        nearest_offer(&nearest, loader->csv.fields[i].text);
    faults_add(loader->faults, loader->csv.line, 1, "there is no column '%s' (%s)%s%s%s", name, what,
               nearest.name ? "; did you mean '" : "", nearest.name ? nearest.name : "",
               nearest.name ? "'?" : "");
    return column;
}

/* The column of a step: `pattern` with its number for {step}. */
static size_t need_step(struct loader *loader, const char *pattern, size_t k, const char *what)
{
    const char *hole = strstr(pattern, "{step}");
    struct text name = {0};
    text_append_bytes(&name, pattern, (size_t)(hole - pattern));
    text_printf(&name, "%" PRId64 "%s", loader->spec->table.first_step + (int64_t)k, hole + strlen("{step}"));
    if (name.failed)
        loader->faults->failed = name.failed;
    size_t column = need_column(loader, text_get(&name), what);
    text_fini(&name);
    return column;
}

static void find_seconds(struct loader *loader)
{
    const struct table_source *source = &loader->spec->table;
    struct columns *columns = &loader->columns;
    if (source->seconds && strstr(source->seconds, "{step}")) {
        columns->seconds_form = SECONDS_EACH;
        for (size_t k = 0; k < loader->recording->n_steps; k++)
            columns->seconds[k] = need_step(loader, source->seconds, k, "the seconds of a step");
    } else if (source->seconds) {
        columns->seconds_form = SECONDS_WHOLE;
        columns->seconds[0] = need_column(loader, source->seconds, "the seconds of a whole training");
    } else if (source->seconds_first) {
        columns->seconds_form = SECONDS_ENDS;
        columns->seconds[0] = need_column(loader, source->seconds_first, "the seconds of the first step");
        columns->seconds[1] = need_column(loader, source->seconds_last, "the seconds up to the last step");
    }
}

static void find_columns(struct loader *loader)
{
    const struct recording *recording = loader->recording;
    const struct table_source *source = &loader->spec->table;
    struct columns *columns = &loader->columns;
    columns->n = loader->csv.n;
    for (size_t i = 0; i < columns->n; i++)
        if (find_column(loader, loader->csv.fields[i].text) != i)
            faults_add(loader->faults, loader->csv.line, loader->csv.fields[i].column,
                       "there are two columns '%s'", loader->csv.fields[i].text);
    for (size_t p = 0; p < recording->space->n_params; p++) {
        const struct param *param = &recording->space->params[p];
        columns->params[p] = param->type == PARAM_CONSTANT ? find_column(loader, param->name)
                                                           : need_column(loader, param->name, "a parameter");
    }
    for (size_t k = 0; source->curve && k < recording->n_steps; k++)
        columns->curve[k] = need_step(loader, source->curve, k, "the objective after a step");
    for (size_t k = 0; k < recording->n_replicates; k++)
        columns->replicates[k] = need_column(loader, source->replicates[k], "a replicate");
    if (!source->curve && recording->n_replicates == 0)
        columns->curve[0] =
            need_column(loader, source->column ? source->column : loader->spec->metric.name, "the objective");
    find_seconds(loader);
}

/* Rows */

static bool grow(struct loader *loader)
{
    struct recording *r = loader->recording;
    if (r->n_rows < loader->capacity)
        return true;
    size_t capacity = loader->capacity ? 2 * loader->capacity : 1024;
#define GROW(array, width)                                                                                   \
    do {                                                                                                     \
        void *grown = reallocarray(array, capacity, ((width) + 1) * sizeof *(array));                        \
        if (!grown)                                                                                          \
            return false;                                                                                    \
        (array) = grown;                                                                                     \
    } while (0)
    GROW(r->points, r->space->n_params);
    GROW(r->curves, r->n_steps);
    GROW(r->replicates, r->n_replicates);
    GROW(r->lengths, 0);
    GROW(loader->lines, 0);
    if (loader->columns.seconds_form)
        GROW(r->seconds, r->n_steps);
#undef GROW
    loader->capacity = capacity;
    return true;
}

static const char *cell(const struct loader *loader, size_t column)
{
    return loader->csv.fields[column].text;
}

static void fault_at(struct loader *loader, size_t column, const char *text)
{
    faults_add(loader->faults, loader->csv.line, loader->csv.fields[column].column, "%s", text);
}

/* A number of a cell; an empty one is `missing`. False, with a fault, if it is none. */
static bool read_number(double *value, struct loader *loader, size_t column, double missing)
{
    const char *text = cell(loader, column);
    *value = missing;
    if (!*text)
        return true;
    if (strcasecmp(text, "nan") == 0) {
        *value = (double)NAN;
        return true;
    }
    if (number_read(value, text) != NUMBER_NONE)
        return true;
    faults_add(loader->faults, loader->csv.line, loader->csv.fields[column].column, "'%.40s' is not a number",
               text);
    return false;
}

static void read_point(struct loader *loader, double *point)
{
    const struct space *space = loader->recording->space;
    size_t n_faults = loader->faults->n;
    for (size_t p = 0; p < space->n_params; p++) {
        struct err err = {0};
        size_t column = loader->columns.params[p];
        point[p] = (double)NAN;
        if (column == SIZE_MAX)
            point[p] = 0; /* a constant: the index of its one value */
        else if (*cell(loader, column) &&
                 param_read_text(&point[p], &space->params[p], cell(loader, column), &err))
            fault_at(loader, column, err.text);
    }
    struct err err = {0};
    space_settle(point, space, NULL);
    for (size_t p = 0; p < space->n_params && loader->faults->n == n_faults; p++) {
        size_t column = loader->columns.params[p];
        if (column != SIZE_MAX && *cell(loader, column) && isnan(point[p]))
            fault_at(loader, column, "this parameter is not active in this row: its cell must be empty");
    }
    if (loader->faults->n == n_faults && space_check(space, point, &err))
        fault_at(loader, 0, err.text);
}

/* Steps behind the last one that has a value are those that were not recorded. */
static void read_curve(struct loader *loader, double *curve, size_t *length)
{
    size_t n_steps = loader->recording->n_steps;
    *length = n_steps;
    while (*length > 0 && !*cell(loader, loader->columns.curve[*length - 1]))
        --*length;
    if (*length == 0)
        fault_at(loader, loader->columns.curve[0], "this row has no value");
    for (size_t k = 0; k < n_steps; k++) {
        size_t column = loader->columns.curve[k];
        if (k < *length && !*cell(loader, column))
            fault_at(loader, column, "a step without a value in the middle of the curve");
        (void)read_number(&curve[k], loader, column, (double)NAN); /* its fault ends the loading */
    }
}

static void read_replicates(struct loader *loader, double *replicates, double *mean, size_t *length)
{
    size_t n = 0;
    double sum = 0;
    for (size_t k = 0; k < loader->recording->n_replicates; k++) {
        size_t column = loader->columns.replicates[k];
        (void)read_number(&replicates[k], loader, column, (double)NAN); /* its fault ends the loading */
        if (*cell(loader, column)) {
            sum += replicates[k];
            n++;
        }
    }
    if (n == 0)
        fault_at(loader, loader->columns.replicates[0], "this row has no value");
    *mean = n ? sum / (double)n : (double)NAN;
    *length = 1;
}

/* From what the file has to what each step took; a step that was not recorded takes no time. */
static void read_seconds(struct loader *loader, double *seconds, size_t length)
{
    const struct columns *columns = &loader->columns;
    size_t n_steps = loader->recording->n_steps, bad = SIZE_MAX;
    double first = 0, last = 0;
    if (columns->seconds_form != SECONDS_EACH)
        (void)read_number(&first, loader, columns->seconds[0], (double)NAN); /* NaN is refused below */
    if (columns->seconds_form == SECONDS_ENDS)
        (void)read_number(&last, loader, columns->seconds[1], (double)NAN);
    for (size_t k = 0; k < n_steps; k++) {
        if (columns->seconds_form == SECONDS_WHOLE)
            seconds[k] = first / (double)length;
        else if (columns->seconds_form == SECONDS_ENDS)
            seconds[k] = k == 0 ? first : (last - first) / (double)(n_steps - 1);
        else
            (void)read_number(&seconds[k], loader, columns->seconds[k], (double)NAN);
    }
    for (size_t k = length; k-- > 1 && loader->spec->table.seconds_cumulative;)
        seconds[k] -= seconds[k - 1];
    for (size_t k = 0; k < length && bad == SIZE_MAX; k++)
        if (!(seconds[k] >= 0 && seconds[k] <= MAX_SECONDS))
            bad = columns->seconds_form == SECONDS_EACH ? k : columns->seconds_form == SECONDS_ENDS && k > 0;
    if (bad != SIZE_MAX)
        fault_at(loader, columns->seconds[bad], "the seconds of a step must be between 0 and 1e9");
}

static int read_row(struct loader *loader)
{
    struct recording *r = loader->recording;
    if (loader->csv.n != loader->columns.n) {
        faults_add(loader->faults, loader->csv.line, 1, "%zu cells where the header has %zu", loader->csv.n,
                   loader->columns.n);
        return 0;
    }
    if (!grow(loader))
        return ERR_NOMEM;
    size_t row = r->n_rows++;
    loader->lines[row] = loader->csv.line;
    read_point(loader, r->points + row * r->space->n_params);
    if (r->n_replicates)
        read_replicates(loader, r->replicates + row * r->n_replicates, &r->curves[row], &r->lengths[row]);
    else
        read_curve(loader, r->curves + row * r->n_steps, &r->lengths[row]);
    if (loader->columns.seconds_form)
        read_seconds(loader, r->seconds + row * r->n_steps, r->lengths[row]);
    return 0;
}

static int read_header(struct loader *loader)
{
    size_t n_faults = loader->faults->n;
    int code = csv_next(&loader->csv, loader->faults);
    if (code == 0)
        faults_add(loader->faults, 1, 1, "the file is empty: it needs a header and a row a configuration");
    else if (code > 0)
        find_columns(loader);
    return code < 0 ? code : loader->faults->n > n_faults ? ERR_INVALID : 0;
}

static int read_rows(struct loader *loader)
{
    int code;
    while (loader->faults->n < MAX_FAULTS && (code = csv_next(&loader->csv, loader->faults)) != 0) {
        if (code > 0)
            code = read_row(loader);
        if (code < 0)
            return code;
    }
    if (loader->faults->n == 0 && loader->recording->n_rows == 0)
        faults_add(loader->faults, 1, 1, "there is no row below the header");
    return loader->faults->failed;
}

/* The whole */

static int compare_keys(const void *a, const void *b)
{
    const struct keyed_row *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Every point of the space must be there, and once. */
static int index_points(struct loader *loader)
{
    struct recording *r = loader->recording;
    r->keys = calloc(r->n_rows, sizeof *r->keys);
    if (!r->keys)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->n_rows; i++)
        r->keys[i] =
            (struct keyed_row){.hash = space_hash(r->space, r->points + i * r->space->n_params), .row = i};
    qsort(r->keys, r->n_rows, sizeof *r->keys, compare_keys);
    for (size_t i = 1; i < r->n_rows && loader->faults->n < MAX_FAULTS; i++) {
        size_t a = r->keys[i - 1].row, b = r->keys[i].row;
        if (space_equal(r->space, r->points + a * r->space->n_params, r->points + b * r->space->n_params))
            faults_add(loader->faults, loader->lines[b], 1, "the same configuration as in line %u",
                       loader->lines[a]);
    }
    double n_points = space_cardinality(r->space);
    if (loader->faults->n == 0 && n_points != (double)r->n_rows)
        faults_add(loader->faults, 1, 1,
                   "a full-factorial table has a row for each of the %.15g points of the space, this one has "
                   "%zu; is it 'kind: sampled'?",
                   n_points, r->n_rows);
    return 0;
}

static bool is_better(const struct recording *recording, double a, double b)
{
    return metric_better(recording->goal, a, b);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the last values; a training that has diverged is worse than any other. */
static int settle_median(struct recording *r)
{
    double *last = calloc(r->n_rows, sizeof *last);
    if (!last)
        return ERR_NOMEM;
    double sign = r->goal == GOAL_MAXIMIZE ? -1 : 1;
    for (size_t i = 0; i < r->n_rows; i++) {
        double value = sign * r->curves[i * r->n_steps + r->lengths[i] - 1];
        last[i] = isfinite(value) ? value : INFINITY;
    }
    qsort(last, r->n_rows, sizeof *last, compare_doubles);
    r->median = sign * (last[(r->n_rows - 1) / 2] + last[r->n_rows / 2]) / 2;
    free(last);
    return 0;
}

static int settle_scale(struct recording *r)
{
    r->optimum = r->source->optimum;
    r->median = r->source->median;
    for (size_t i = 0; i < r->n_rows * r->n_steps && isnan(r->source->optimum); i++)
        if (isfinite(r->curves[i]) && (isnan(r->optimum) || is_better(r, r->curves[i], r->optimum)))
            r->optimum = r->curves[i];
    return isnan(r->median) ? settle_median(r) : 0;
}

static int finish(struct loader *loader)
{
    struct recording *r = loader->recording;
    int code = loader->faults->n ? ERR_INVALID : 0;
    if (code == 0 && r->source->kind == TABLE_FULL_FACTORIAL)
        code = index_points(loader);
    if (code == 0 && (r->source->kind == TABLE_SAMPLED || r->source->lookup == LOOKUP_ROWS))
        code = nearest_create(&r->tree, r->space, r->points, r->n_rows);
    if (code == 0)
        code = settle_scale(r);
    if (code == 0 && (loader->faults->n || loader->faults->failed))
        code = loader->faults->failed ? loader->faults->failed : ERR_INVALID;
    return code;
}

static int columns_init(struct columns *columns, const struct recording *recording)
{
    columns->params = calloc(recording->space->n_params + 1, sizeof *columns->params);
    columns->curve = calloc(recording->n_steps, sizeof *columns->curve);
    columns->replicates = calloc(recording->n_replicates + 1, sizeof *columns->replicates);
    columns->seconds = calloc(recording->n_steps + 1, sizeof *columns->seconds);
    return columns->params && columns->curve && columns->replicates && columns->seconds ? 0 : ERR_NOMEM;
}

static void loader_fini(struct loader *loader)
{
    free(loader->columns.params);
    free(loader->columns.curve);
    free(loader->columns.replicates);
    free(loader->columns.seconds);
    free(loader->lines);
    csv_fini(&loader->csv);
}

int recording_create(struct recording **out, const struct spec *spec, char *text, struct faults *faults)
{
    struct recording *recording = calloc(1, sizeof *recording);
    if (!recording)
        return ERR_NOMEM;
    recording->space = spec->space;
    recording->source = &spec->table;
    recording->goal = spec->metric.goal;
    recording->n_steps = spec->table.curve ? (size_t)(spec->table.last_step - spec->table.first_step) + 1 : 1;
    recording->n_replicates = spec->table.n_replicates;
    struct loader loader = {.recording = recording, .spec = spec, .faults = faults};
    csv_init(&loader.csv, text);
    int code = columns_init(&loader.columns, recording);
    if (code == 0)
        code = read_header(&loader);
    if (code == 0)
        code = read_rows(&loader);
    if (code == 0)
        code = finish(&loader);
    loader_fini(&loader);
    if (code < 0) {
        recording_destroy(recording);
        return code;
    }
    *out = recording;
    return 0;
}

void recording_destroy(struct recording *recording)
{
    if (!recording)
        return;
    free(recording->points);
    free(recording->curves);
    free(recording->replicates);
    free(recording->seconds);
    free(recording->lengths);
    free(recording->keys);
    nearest_destroy(recording->tree);
    free(recording);
}

static int read_text(char **text, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
                       "cannot read the table '%s': %s", path, strerror(errno));
    struct text content = {0};
    char buffer[65536];
    size_t n;
    while (content.size <= MAX_SIZE && !content.failed && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_append_bytes(&content, buffer, n);
    int code = 0;
    if (ferror(file))
        code = err_set(err, ERR_IO, "cannot read the table '%s': %s", path, strerror(errno));
    else if (content.size > MAX_SIZE || memchr(text_get(&content), '\0', content.size))
        code = err_set(err, ERR_INVALID, "'%s' is no CSV file", path);
    (void)fclose(file); /* only read from */
    if (code == 0 && !(*text = content.size ? text_take(&content) : strdup("")))
        code = err_set(err, ERR_NOMEM, "out of memory");
    text_fini(&content);
    return code;
}

int recording_read(struct recording **recording, const struct spec *spec, const char *path,
                   struct faults *faults, struct err *err)
{
    char *text = NULL;
    int code = read_text(&text, path, err);
    if (code < 0)
        return code;
    code = recording_create(recording, spec, text, faults);
    free(text);
    return code < 0 ? err_set(err, code, "%s", code == ERR_NOMEM ? "out of memory" : "the table has faults")
                    : 0;
}

/* Lookups */

static size_t find_exact(const struct recording *recording, const double *point)
{
    struct keyed_row key = {.hash = space_hash(recording->space, point)};
    size_t low = 0, high = recording->n_rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (recording->keys[middle].hash < key.hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < recording->n_rows && recording->keys[low].hash == key.hash; low++) {
        size_t row = recording->keys[low].row;
        if (space_equal(recording->space, recording->points + row * recording->space->n_params, point))
            return row;
    }
    return SIZE_MAX;
}

size_t recording_find(struct recording *recording, const double *point)
{
    if (!recording->tree)
        return find_exact(recording, point);
    size_t row = nearest_find(recording->tree, point);
    if (row != SIZE_MAX && recording->source->lookup == LOOKUP_ROWS)
        nearest_remove(recording->tree, row);
    return row;
}

void recording_rewind(struct recording *recording)
{
    if (recording->tree)
        nearest_restore(recording->tree);
}

double recording_regret(const struct recording *recording, double value)
{
    double scale = recording->median - recording->optimum;
    double regret = (value - recording->optimum) / scale;
    return isfinite(regret) ? fmin(regret, 1) : (double)NAN;
}
