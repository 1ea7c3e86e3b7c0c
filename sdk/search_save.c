/* A search as text, and back: the calls that it has seen, in their order.
 *
 *   {"prova_search": 1, "seed": 7, "spec": "..."}      first line: the space, search and goal as a sweep file
 *   ["ask", {"lr": 0.1}]                               a point that was suggested; its number is its place
 *   ["add", {"lr": 0.2}, 0.93]                         one from elsewhere; value null: pending; "failed"
 *   ["step", 1, 3, 0.5]                                number, step, value
 *   ["tell", 1, 0.4]                                   number, value
 *   ["fail", 2]
 *
 * Suggested points are kept and told, not made again: a later version of a search may suggest others, but
 * what was asked for stays what it was. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "sdk/search.h"

#define FORMAT 1

/* Saving */

static void write_point(struct text *out, const prova_search *search, size_t i)
{
    space_write_json(out, search->spec->space, &search->points[i * search->spec->space->n_params]);
}

static void write_event(struct text *out, const prova_search *search, const struct search_event *event)
{
    switch (event->kind) {
    case EVENT_ASK:
        text_append(out, "[\"ask\",");
        write_point(out, search, event->i);
        break;
    case EVENT_ADD:
        text_append(out, "[\"add\",");
        write_point(out, search, event->i);
        text_append(out, ",");
        if (isinf(event->value))
            text_append(out, "\"failed\"");
        else
            text_append_json_double(out, event->value); /* NaN gives null */
        break;
    case EVENT_STEP:
        text_printf(out, "[\"step\",%zu,%" PRId64 ",", event->i + 1, event->step);
        text_append_json_double(out, event->value);
        break;
    case EVENT_TELL:
        text_printf(out, "[\"tell\",%zu,", event->i + 1);
        text_append_json_double(out, event->value);
        break;
    case EVENT_FAIL:
        text_printf(out, "[\"fail\",%zu", event->i + 1);
        break;
    }
    text_append(out, "]\n");
}

const char *prova_search_save(prova_search *search)
{
    struct text *out = &search->text, spec = {0};
    text_clear(out);
    spec_write_json(&spec, search->spec);
    text_printf(out, "{\"prova_search\":%d,\"seed\":%" PRIu64 ",\"spec\":", FORMAT, search->seed);
    text_append_json_string(out, text_get(&spec));
    text_append(out, "}\n");
    out->failed |= spec.failed;
    text_fini(&spec);
    for (size_t k = 0; k < search->n_events; k++)
        write_event(out, search, &search->events[k]);
    bool has_failed = out->failed;
    if (has_failed)
        text_fini(out); /* so that the next call may try again */
    return has_failed ? NULL : text_get(out);
}

/* Loading */

struct loading {
    prova_search *search;
    struct yaml_doc *doc; /* of the line at hand */
    size_t line;          /* from 1 */
    struct err err;
};

static int refuse(struct loading *loading, const char *what)
{
    return err_set(&loading->err, ERR_INVALID, "line %zu of the saved search: %s", loading->line, what);
}

static bool get_number(double *value, const struct yaml *item)
{
    return item->kind == YAML_SCALAR && number_read(value, item->text) != NUMBER_NONE;
}

static bool get_whole(int64_t *value, const struct yaml *item)
{
    double number;
    if (!get_number(&number, item) || !(number >= 0 && number <= 0x1p53) || number != trunc(number))
        return false;
    *value = (int64_t)number;
    return true;
}

/* The point of an "ask" or "add" goes to its place. */
static int take_point(struct loading *loading, const struct yaml *map)
{
    struct err err = {0};
    double *point = search_next_point(loading->search);
    if (!point)
        return err_set(&loading->err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    if (map->kind != YAML_MAP)
        return refuse(loading, "the point is no object");
    int code = search_read_point(point, loading->search->spec->space, map, &err);
    return code == ERR_INVALID ? refuse(loading, err.text)
           : code < 0          ? err_set(&loading->err, code, "%s", err.text)
                               : 0;
}

static int take_added(struct loading *loading, const struct yaml *item)
{
    double value = NAN;
    bool is_failed = item->kind == YAML_SCALAR && strcmp(item->text, "failed") == 0;
    if (!is_failed && !yaml_is_null(item) && !get_number(&value, item))
        return refuse(loading, "the value is no number");
    return search_add_point(loading->search, is_failed ? INFINITY : value);
}

static int take_told(struct loading *loading, const char *kind, const struct yaml *event)
{
    int64_t number, step = 0;
    double value = NAN;
    bool is_step = strcmp(kind, "step") == 0, is_tell = strcmp(kind, "tell") == 0;
    size_t n = is_step ? 4 : is_tell ? 3 : 2;
    if (event->n != n || !get_whole(&number, event->items[1]))
        return refuse(loading, "it does not name a point");
    const struct yaml *last = event->items[n - 1];
    bool has_value = is_step || is_tell;
    bool is_read = !has_value || get_number(&value, last) || (is_step && yaml_is_null(last));
    if (!is_read || (is_step && !get_whole(&step, event->items[2])))
        return refuse(loading, "the value is no number");
    int code = is_step   ? prova_search_tell_step(loading->search, number, step, value)
               : is_tell ? prova_search_tell(loading->search, number, value)
                         : prova_search_tell_failed(loading->search, number);
    return code < 0 && code != ERR_NOMEM ? refuse(loading, err_string(code)) : code;
}

static int take_event(struct loading *loading, const struct yaml *event)
{
    bool is_list = event && event->kind == YAML_LIST && event->n >= 2 && event->items[0]->kind == YAML_SCALAR;
    const char *kind = is_list ? event->items[0]->text : "";
    int code = 0;
    if (strcmp(kind, "ask") == 0) {
        code = take_point(loading, event->items[1]);
        return code < 0 ? code : search_ask_again(loading->search);
    }
    if (strcmp(kind, "add") == 0 && event->n == 3) {
        code = take_point(loading, event->items[1]);
        return code < 0 ? code : take_added(loading, event->items[2]);
    }
    if (strcmp(kind, "step") == 0 || strcmp(kind, "tell") == 0 || strcmp(kind, "fail") == 0)
        return take_told(loading, kind, event);
    return refuse(loading, "it is none of ask, add, step, tell and fail");
}

static const char *text_of(const struct yaml *map, const char *key)
{
    const struct yaml_pair *pair = map ? yaml_find(map, key) : NULL;
    return pair && pair->value->kind == YAML_SCALAR ? pair->value->text : "";
}

static int take_header(struct loading *loading, const struct yaml *root)
{
    char format[16], fault[sizeof loading->err.text] = "";
    (void)snprintf(format, sizeof format, "%d", FORMAT); /* it fits */
    const char *found = text_of(root, "prova_search"), *seed = text_of(root, "seed");
    if (!*found)
        return refuse(loading, "this is no search that prova_search_save has written");
    if (strcmp(found, format) != 0)
        return err_set(&loading->err, ERR_VERSION, "a search of format %.20s; this version reads %s", found,
                       format);
    struct spec *spec = search_make_spec(text_of(root, "spec"), NULL, 0, fault, sizeof fault);
    if (!spec)
        return refuse(loading, fault);
    if (!*seed || seed[strspn(seed, "0123456789")]) {
        spec_destroy(spec);
        return refuse(loading, "the seed is no whole number");
    }
    loading->search = search_open(spec, strtoull(seed, NULL, 10), &loading->err);
    return loading->search ? 0 : loading->err.code ? loading->err.code : ERR_NOMEM;
}

static int take_line(struct loading *loading, const char *line, size_t size)
{
    struct faults faults = {0};
    struct yaml *root = NULL;
    loading->line++;
    loading->doc = yaml_doc_create();
    int code = loading->doc ? yaml_parse(&root, loading->doc, line, size, NULL, &faults) : ERR_NOMEM;
    if (code == ERR_INVALID)
        (void)refuse(loading, faults.n ? faults.list[0].text : "it is no JSON"); /* code says it */
    else if (code == 0 && loading->line == 1)
        code = take_header(loading, root);
    else if (code == 0)
        code = take_event(loading, root);
    yaml_doc_destroy(loading->doc);
    faults_fini(&faults);
    return code;
}

prova_search *prova_search_load(const char *text, char *error, size_t error_size)
{
    struct loading loading = {0};
    int code = 0;
    search_say(error, error_size, "");
    for (const char *line = text ? text : ""; code == 0 && *line;) {
        size_t size = strcspn(line, "\n");
        if (size > 0)
            code = take_line(&loading, line, size);
        line += size + (line[size] == '\n');
    }
    if (code == 0 && !loading.search)
        code = err_set(&loading.err, ERR_INVALID, "there is nothing in the saved search");
    if (code < 0) {
        search_say(error, error_size, loading.err.code ? loading.err.text : err_string(code));
        prova_search_free(loading.search);
        return NULL;
    }
    return loading.search;
}
