/* Points that are known before an experiment begins, and the table that they are read from and kept in. */
#include "core/warm_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/trial.h"

void warm_start_fini(struct warm_start *warm)
{
    free(warm->csv);
    free(warm->experiment);
    free(warm->database);
    free(warm->list);
    free(warm->points);
    *warm = (struct warm_start){0};
}

size_t warm_start_count(const struct warm_start *warm, enum warm_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < warm->n; i++)
        n += warm->list[i].kind == kind;
    return n;
}

static int reserve(struct warm_start *warm, size_t n_params, struct err *err)
{
    if (warm->n < warm->capacity)
        return 0;
    if ((warm->n + 1) * (n_params + 3) > WARM_MAX_CELLS)
        return err_set(err, ERR_INVALID, "more than %zu points for a warm start: take the most useful ones",
                       warm->n);
    size_t capacity = warm->capacity ? 2 * warm->capacity : 64, most = WARM_MAX_CELLS / (n_params + 3);
    capacity = capacity < most ? capacity : most;
    struct warm_point *list = realloc(warm->list, capacity * sizeof *list);
    if (!list)
        return err_set(err, ERR_NOMEM, "out of memory");
    warm->list = list;
    double *points = realloc(warm->points, (capacity * n_params + 1) * sizeof *points);
    if (!points)
        return err_set(err, ERR_NOMEM, "out of memory");
    warm->points = points;
    warm->capacity = capacity;
    return 0;
}

int warm_start_add(struct warm_start *warm, const struct space *space, const double *point,
                   struct warm_point known, struct err *err)
{
    int code = reserve(warm, space->n_params, err);
    if (code < 0)
        return code;
    if (space->n_params)
        memcpy(&warm->points[warm->n * space->n_params], point, space->n_params * sizeof *point);
    warm->list[warm->n++] = known;
    return 0;
}

int warm_start_complete(double *point, const struct space *space, bool is_try, struct err *err)
{
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[i];
        if (param->type == PARAM_CONSTANT)
            point[i] = 0;
        else if (is_try && isnan(point[i]))
            point[i] = param->initial;
    }
    space_settle(point, space, NULL);
    return space_check(space, point, err);
}

/* Reading a table */

/* What a column holds. */
enum { COLUMN_OTHER = -1, COLUMN_VALUE = -2, COLUMN_STATE = -3, COLUMN_STEP = -4 };

struct reading {
    struct warm_start *warm;
    const struct space *space;
    char *at; /* what is left, written over as fields are taken from it */
    size_t n_columns;
    int *columns;  /* [n_columns] a parameter, or one of the above */
    char **fields; /* [n_columns] of the row at hand */
    double *point; /* [n_params] */
    bool has_state;
    size_t row; /* from 1: the header */
    size_t n_unfit;
    struct err unfit; /* why the first of them does not */
};

static bool is_end_of_row(char c)
{
    return c == '\n' || c == '\r' || c == '\0';
}

/* A field without quotes ends here, less the blanks before it. */
static char *end_of_plain(char *from)
{
    char *end = from + strcspn(from, ",\r\n"), *last = end;
    while (last > from && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    return last;
}

/* Takes the quotes off a field, in place; the end of what it was. NULL: it has no end. */
static char *take_quoted(char *from)
{
    char *to = from, *c = from + 1;
    for (; *c && !(c[0] == '"' && c[1] != '"'); c++) {
        c += *c == '"';
        *to++ = *c;
    }
    if (!*c)
        return NULL;
    *to = '\0';
    return c + 1;
}

/* The next field of the row. *is_last: the row ends behind it. NULL: it is not well formed. */
static char *take_field(bool *is_last, char **at)
{
    char *field = *at + strspn(*at, " \t"), *end, *last;
    bool is_quoted = *field == '"';
    if (is_quoted) {
        end = take_quoted(field);
        if (!end)
            return NULL;
        end += strspn(end, " \t");
        last = NULL;
    } else {
        last = end_of_plain(field);
        end = field + strcspn(field, ",\r\n");
    }
    if (*end != ',' && !is_end_of_row(*end))
        return NULL;
    *is_last = *end != ',';
    char *next = *end ? end + 1 : end;
    if (end[0] == '\r' && end[1] == '\n')
        next++;
    if (last)
        *last = '\0';
    *at = next;
    return field;
}

static void skip_blank_lines(struct reading *reading)
{
    for (char *c = reading->at; *c == '\n' || *c == '\r'; reading->at = ++c)
        continue;
}

static int refuse_form(const struct reading *reading, struct err *err)
{
    return err_set(err, ERR_INVALID, "row %zu: a field in quotes has no end, or more behind it",
                   reading->row);
}

/* Parameters have columns of their own name, unless some say that they are parameters' (as an export does).
 */
static int column_of(const struct reading *reading, const char *name, const char *metric, bool has_prefix)
{
    static const char prefix[] = "params.";
    bool is_prefixed = strncmp(name, prefix, sizeof prefix - 1) == 0;
    if (has_prefix && is_prefixed)
        return space_find(reading->space, name + sizeof prefix - 1); /* -1: a parameter of another space */
    int param = has_prefix ? -1 : space_find(reading->space, name);
    if (param >= 0)
        return param;
    if (strcmp(name, "state") == 0)
        return COLUMN_STATE;
    if (strcmp(name, "step") == 0)
        return COLUMN_STEP;
    return strcmp(name, "value") == 0 || strcmp(name, metric) == 0 ? COLUMN_VALUE : COLUMN_OTHER;
}

static int check_columns(const struct reading *reading, struct err *err)
{
    size_t n_params = 0;
    for (size_t i = 0; i < reading->n_columns; i++) {
        n_params += reading->columns[i] >= 0;
        for (size_t k = 0; k < i; k++) {
            if (reading->columns[i] != COLUMN_OTHER && reading->columns[i] == reading->columns[k])
                return err_set(err, ERR_INVALID, "row 1: two columns are '%s' and '%s', which is the same",
                               reading->fields[k], reading->fields[i]);
        }
    }
    if (n_params == 0)
        return err_set(err, ERR_INVALID,
                       "row 1: no column has the name of a parameter; the first row names the columns");
    return 0;
}

static int read_header(struct reading *reading, const char *metric, struct err *err)
{
    size_t most = 1;
    for (const char *c = reading->at; *c && *c != '\n'; c++)
        most += *c == ',';
    reading->columns = calloc(most, sizeof *reading->columns);
    reading->fields = calloc(most, sizeof *reading->fields);
    if (!reading->columns || !reading->fields)
        return err_set(err, ERR_NOMEM, "out of memory");
    bool is_last = false, has_prefix = false;
    for (; !is_last && reading->n_columns < most; reading->n_columns++) {
        char *field = take_field(&is_last, &reading->at);
        if (!field)
            return refuse_form(reading, err);
        reading->fields[reading->n_columns] = field;
        has_prefix |= strncmp(field, "params.", 7) == 0;
    }
    for (size_t i = 0; i < reading->n_columns; i++) {
        reading->columns[i] = column_of(reading, reading->fields[i], metric, has_prefix);
        reading->has_state |= reading->columns[i] == COLUMN_STATE;
    }
    return check_columns(reading, err);
}

static int read_fields(struct reading *reading, struct err *err)
{
    bool is_last = false;
    size_t n = 0;
    while (!is_last) {
        char *field = take_field(&is_last, &reading->at);
        if (!field)
            return refuse_form(reading, err);
        if (n < reading->n_columns)
            reading->fields[n] = field;
        n++;
    }
    if (n != reading->n_columns)
        return err_set(err, ERR_INVALID, "row %zu has %zu field%s, the first row %zu", reading->row, n,
                       n == 1 ? "" : "s", reading->n_columns);
    return 0;
}

static const char *field_of(const struct reading *reading, int column)
{
    for (size_t i = 0; i < reading->n_columns; i++) {
        if (reading->columns[i] == column)
            return reading->fields[i];
    }
    return "";
}

static int read_number(double *value, const struct reading *reading, const char *what, const char *text,
                       struct err *err)
{
    if (number_read(value, text) == NUMBER_NONE)
        return err_set(err, ERR_INVALID, "row %zu: '%.60s' is no number for '%s'", reading->row, text, what);
    return 0;
}

static bool find_state(enum trial_state *state, const char *name)
{
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        *state = (enum trial_state)i;
        if (strcmp(name, trial_state_name(*state)) == 0)
            return true;
    }
    return false;
}

/* What the row says of its point. *is_known false: nothing, it was never evaluated to an end. */
static int read_known(struct warm_point *known, bool *is_known, const struct reading *reading,
                      struct err *err)
{
    const char *state = field_of(reading, COLUMN_STATE), *value = field_of(reading, COLUMN_VALUE);
    const char *step = field_of(reading, COLUMN_STEP);
    double at = 0;
    enum trial_state end = TRIAL_COMPLETED;
    *known = (struct warm_point){.value = NAN};
    if (*state && !find_state(&end, state))
        return err_set(err, ERR_INVALID, "row %zu: '%.60s' is no state of a trial", reading->row, state);
    bool is_failed = end == TRIAL_FAILED, is_open = !trial_state_is_final(end);
    *is_known = !is_open && (is_failed || *value || !*state);
    if (!*is_known)
        return 0;
    if (*value && read_number(&known->value, reading, "value", value, err) < 0)
        return ERR_INVALID;
    if (*step && read_number(&at, reading, "step", step, err) < 0)
        return ERR_INVALID;
    known->step = at >= 0 && at <= 0x1p53 ? (int64_t)at : 0;
    known->kind = is_failed || (*value && !isfinite(known->value)) ? WARM_FAILED
                  : *value                                         ? WARM_VALUE
                                                                   : WARM_TRY;
    return 0;
}

static int read_point(const struct reading *reading, bool is_try, struct err *err)
{
    for (size_t i = 0; i < reading->space->n_params; i++)
        reading->point[i] = NAN;
    for (size_t i = 0; i < reading->n_columns; i++) {
        int param = reading->columns[i];
        if (param < 0 || !*reading->fields[i])
            continue;
        int code =
            param_read_text(&reading->point[param], &reading->space->params[param], reading->fields[i], err);
        if (code < 0)
            return code;
    }
    return warm_start_complete(reading->point, reading->space, is_try, err);
}

static int read_row(struct reading *reading, struct err *err)
{
    struct warm_point known;
    bool is_known = false;
    struct err unfit = {0};
    reading->row++;
    int code = read_fields(reading, err);
    if (code == 0)
        code = read_known(&known, &is_known, reading, err);
    if (code < 0 || !is_known)
        return code;
    code = read_point(reading, known.kind == WARM_TRY, &unfit);
    if (code == 0)
        return warm_start_add(reading->warm, reading->space, reading->point, known, err);
    if (code != ERR_INVALID)
        return err_set(err, code, "%s", unfit.text);
    if (reading->n_unfit++ == 0)
        (void)err_set(&reading->unfit, code, "row %zu: %s", reading->row, unfit.text);
    return 0;
}

/* Rows of another space are either all right to leave out, or all told of at one time. */
static int judge_unfit(struct reading *reading, struct err *err)
{
    if (reading->warm->skips_unfit)
        reading->warm->n_left_out += reading->n_unfit;
    else if (reading->n_unfit)
        return err_set(err, ERR_INVALID,
                       "%zu of %zu rows do%s not fit the space (%s); with 'unfit: skip' "
                       "such rows are left out",
                       reading->n_unfit, reading->row - 1, reading->n_unfit == 1 ? "es" : "",
                       reading->unfit.text);
    return 0;
}

static int read_rows(struct reading *reading, const char *metric, struct err *err)
{
    skip_blank_lines(reading);
    if (!*reading->at)
        return err_set(err, ERR_INVALID, "the table is empty: its first row names the columns");
    reading->row = 1;
    int code = read_header(reading, metric, err);
    skip_blank_lines(reading);
    while (code == 0 && *reading->at) {
        code = read_row(reading, err);
        skip_blank_lines(reading);
    }
    return code < 0 ? code : judge_unfit(reading, err);
}

int warm_start_read_table(struct warm_start *warm, const struct space *space, const char *metric,
                          const char *text, size_t size, struct err *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* that spreadsheets write before UTF-8 */
    struct reading reading = {.warm = warm, .space = space};
    char *copy = malloc(size + 1);
    reading.point = calloc(space->n_params + 1, sizeof *reading.point);
    int code = 0;
    if (!copy || !reading.point) {
        code = err_set(err, ERR_NOMEM, "out of memory");
    } else if (size && memchr(text, '\0', size)) {
        code = err_set(err, ERR_INVALID, "it is no text");
    } else {
        if (size)
            memcpy(copy, text, size);
        copy[size] = '\0';
        reading.at = copy + (strncmp(copy, mark, 3) == 0 ? 3 : 0);
        code = read_rows(&reading, metric, err);
    }
    free(reading.columns);
    free(reading.fields);
    free(reading.point);
    free(copy);
    return code;
}

/* Writing one */

static void write_field(struct text *out, const char *string)
{
    if (!string[strcspn(string, ",\"\r\n")] && *string != ' ' && *string != '\t') {
        text_append(out, string);
        return;
    }
    text_append(out, "\"");
    for (const char *c = string; *c; c++)
        text_append_bytes(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    text_append(out, "\"");
}

static void write_known(struct text *out, const struct warm_point *known)
{
    if (known->kind == WARM_VALUE)
        text_append_double(out, known->value);
    else if (known->kind == WARM_FAILED)
        text_append(out, "nan");
    text_append(out, ",");
    if (known->step)
        text_printf(out, "%lld", (long long)known->step);
}

void warm_start_write_table(struct text *out, const struct warm_start *warm, const struct space *space)
{
    struct text field = {0};
    text_append(out, "value,step");
    for (size_t i = 0; i < space->n_params; i++)
        text_printf(out, ",params.%s", space->params[i].name);
    text_append(out, "\n");
    for (size_t k = 0; k < warm->n; k++) {
        write_known(out, &warm->list[k]);
        for (size_t i = 0; i < space->n_params; i++) {
            double value = warm->points[k * space->n_params + i];
            text_append(out, ",");
            text_clear(&field);
            if (!isnan(value))
                param_write_text(&field, &space->params[i], value);
            write_field(out, text_get(&field));
        }
        text_append(out, "\n");
    }
    out->failed |= field.failed;
    text_fini(&field);
}
