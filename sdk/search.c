/* Ask and tell: a search without any driver (prova_search_... of prova.h).
 *
 * The space and the choice of the search go through the same reader and checks as a sweep file, as overrides
 * of an empty one. Numbers that the user sees count asked and added points alike; the search counts them
 * apart, so that a point from elsewhere leaves no hole in a grid or sequence: those that were asked for are
 * its trials 1, 2, ..., those that were added follow FIRST_ADDED. */
#include "sdk/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"

#define FIRST_ADDED (UINT64_C(1) << 40)

void search_say(char *error, size_t error_size, const char *text)
{
    if (error && error_size)
        (void)snprintf(error, error_size, "%s", text);
}

static void say_faults(char *error, size_t error_size, const struct faults *faults)
{
    struct text text = {0};
    for (size_t i = 0; i < faults->n; i++)
        text_printf(&text, "%s%s", i ? "; " : "", faults->list[i].text);
    search_say(error, error_size, faults->n && !text.failed ? text_get(&text) : err_string(ERR_NOMEM));
    text_fini(&text);
}

struct spec *search_make_spec(const char *text, const struct override *overrides, size_t n_overrides,
                              char *error, size_t error_size)
{
    struct faults faults = {0};
    struct spec *spec = NULL;
    int code = spec_parse_faulty(&spec, text, strlen(text), "search", overrides, n_overrides, &faults);
    size_t n_faults = spec ? registry_check(spec, &faults) : 0;
    if (code < 0 || n_faults > 0 || faults.failed) {
        say_faults(error, error_size, &faults);
        spec_destroy(spec);
        spec = NULL;
    }
    faults_fini(&faults);
    return spec;
}

prova_search *search_open(struct spec *spec, uint64_t seed, struct err *err)
{
    prova_search *search = calloc(1, sizeof *search);
    if (!search) {
        spec_destroy(spec);
        (void)err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM)); /* NULL says it, too */
        return NULL;
    }
    search->best_value = NAN;
    search->spec = spec;
    search->seed = seed;
    if (search_create(&search->search, &spec->search, spec->space, spec->metric.goal, seed, 0, 0, err) < 0) {
        prova_search_free(search);
        return NULL;
    }
    return search;
}

prova_search *prova_search_new(const char *space, const char *search_name, const char *options,
                               const char *goal, uint64_t seed, char *error, size_t error_size)
{
    search_say(error, error_size, "");
    if (!space) {
        search_say(error, error_size, "a search needs a space");
        return NULL;
    }
    struct err err = {0};
    const struct override overrides[] = {{"parameters", space},
                                         {"metric.goal", goal ? goal : "minimize"},
                                         {"search", options && *options ? options : "{}"},
                                         {"search.name", search_name ? search_name : "auto"}};
    struct spec *spec =
        search_make_spec("", overrides, sizeof overrides / sizeof *overrides, error, error_size);
    prova_search *search = spec ? search_open(spec, seed, &err) : NULL;
    if (spec && !search)
        search_say(error, error_size, err.text);
    return search;
}

void prova_search_free(prova_search *search)
{
    if (!search)
        return;
    search_destroy(search->search);
    spec_destroy(search->spec);
    text_fini(&search->text);
    free(search->entries);
    free(search->points);
    free(search->events);
    free(search);
}

/* Room for one more event. */
static int reserve_event(prova_search *search)
{
    if (search->n_events < search->event_capacity)
        return 0;
    size_t capacity = search->event_capacity ? 2 * search->event_capacity : 64;
    struct search_event *events = realloc(search->events, capacity * sizeof *events);
    if (!events)
        return ERR_NOMEM;
    search->events = events;
    search->event_capacity = capacity;
    return 0;
}

/* There is room. */
static void keep_event(prova_search *search, enum search_event_kind kind, size_t i, int64_t step,
                       double value)
{
    search->events[search->n_events++] =
        (struct search_event){.kind = kind, .i = i, .step = step, .value = value};
}

/* Room for one more point, and what is said of it. */
static int reserve(prova_search *search)
{
    if (reserve_event(search) < 0)
        return ERR_NOMEM;
    if (search->n < search->capacity)
        return 0;
    size_t capacity = search->capacity ? 2 * search->capacity : 64;
    struct entry *entries = realloc(search->entries, capacity * sizeof *entries);
    if (!entries)
        return ERR_NOMEM;
    search->entries = entries;
    size_t n_params = search->spec->space->n_params;
    double *points = realloc(search->points, (capacity * n_params + 1) * sizeof *points);
    if (!points)
        return ERR_NOMEM;
    search->points = points;
    search->capacity = capacity;
    return 0;
}

static double *point_at(const prova_search *search, size_t i)
{
    return &search->points[i * search->spec->space->n_params];
}

static struct entry *find(const prova_search *search, int64_t number)
{
    return number >= 1 && (uint64_t)number <= search->n ? &search->entries[number - 1] : NULL;
}

double *search_next_point(prova_search *search)
{
    return reserve(search) < 0 ? NULL : point_at(search, search->n);
}

/* What is at the next point is one that was asked for. */
static void keep_asked(prova_search *search)
{
    keep_event(search, EVENT_ASK, search->n, 0, NAN);
    search->entries[search->n++] = (struct entry){.trial = ++search->n_asked, .value = NAN};
}

int prova_search_ask(prova_search *search, int64_t *number)
{
    int code = reserve(search);
    if (code == 0)
        code = search_suggest(point_at(search, search->n), search->search, search->n_asked + 1, NULL);
    if (code < 0)
        return code;
    keep_asked(search);
    *number = (int64_t)search->n;
    return 0;
}

int64_t prova_search_ask_many(prova_search *search, int64_t n, int64_t *numbers)
{
    int64_t n_asked = 0;
    int code = n < 0 ? PROVA_EINVALID : 0;
    while (code == 0 && n_asked < n) {
        code = prova_search_ask(search, &numbers[n_asked]);
        n_asked += code == 0;
    }
    return n_asked ? n_asked : code;
}

int64_t prova_search_count(const prova_search *search)
{
    return (int64_t)search->n;
}

int prova_search_state(const prova_search *search, int64_t number)
{
    const struct entry *entry = find(search, number);
    if (!entry)
        return PROVA_ENOTFOUND;
    return !entry->is_told       ? PROVA_SEARCH_PENDING
           : isnan(entry->value) ? PROVA_SEARCH_FAILED
                                 : PROVA_SEARCH_TOLD;
}

double prova_search_value(const prova_search *search, int64_t number)
{
    const struct entry *entry = find(search, number);
    return entry ? entry->value : NAN;
}

/* The parameter of that name if it is active in the point. */
static const struct param *find_active(double *value, const prova_search *search, int64_t number,
                                       const char *name)
{
    const struct space *space = search->spec->space;
    int param = space_find(space, name);
    if (!find(search, number) || param < 0)
        return NULL;
    *value = point_at(search, (size_t)number - 1)[param];
    return isnan(*value) ? NULL : &space->params[param];
}

double prova_search_double(prova_search *search, int64_t number, const char *name)
{
    double value;
    const struct param *param = find_active(&value, search, number, name);
    if (!param)
        return NAN;
    return param->n_choices ? param->choices[(size_t)value].number : value;
}

const char *prova_search_string(prova_search *search, int64_t number, const char *name)
{
    double value;
    const struct param *param = find_active(&value, search, number, name);
    if (!param)
        return NULL;
    text_clear(&search->text);
    param_write_text(&search->text, param, value);
    return search->text.failed ? NULL : text_get(&search->text);
}

const char *prova_search_json(prova_search *search, int64_t number)
{
    if (!find(search, number))
        return NULL;
    text_clear(&search->text);
    space_write_json(&search->text, search->spec->space, point_at(search, (size_t)number - 1));
    return search->text.failed ? NULL : text_get(&search->text);
}

/* Tells the search about entry i. */
static int observe(prova_search *search, size_t i, enum observation_kind kind, int64_t step, double value)
{
    return search_observe(search->search, &(struct observation){.kind = kind,
                                                                .trial = search->entries[i].trial,
                                                                .point = point_at(search, i),
                                                                .value = value,
                                                                .step = step});
}

/* The end of entry i. */
static int tell_end(prova_search *search, size_t i, enum observation_kind kind, double value)
{
    struct entry *entry = &search->entries[i];
    int code = observe(search, i, kind, entry->step, value);
    if (code < 0)
        return code;
    bool has_value = kind == OBSERVED_FINAL && isfinite(value);
    entry->is_told = true;
    entry->value = has_value ? value : NAN;
    if (has_value && metric_better(search->spec->metric.goal, value, search->best_value)) {
        search->best = (int64_t)i + 1;
        search->best_value = value;
    }
    return 0;
}

int prova_search_tell(prova_search *search, int64_t number, double value)
{
    const struct entry *entry = find(search, number);
    if (!entry)
        return PROVA_ENOTFOUND;
    if (entry->is_told)
        return PROVA_EEXISTS;
    int code = reserve_event(search);
    if (code == 0)
        code = tell_end(search, (size_t)number - 1, OBSERVED_FINAL, value);
    if (code == 0)
        keep_event(search, isfinite(value) ? EVENT_TELL : EVENT_FAIL, (size_t)number - 1, 0, value);
    return code;
}

int prova_search_tell_failed(prova_search *search, int64_t number)
{
    const struct entry *entry = find(search, number);
    if (!entry)
        return PROVA_ENOTFOUND;
    if (entry->is_told)
        return PROVA_EEXISTS;
    int code = reserve_event(search);
    if (code == 0)
        code = tell_end(search, (size_t)number - 1, OBSERVED_FAILED, NAN);
    if (code == 0)
        keep_event(search, EVENT_FAIL, (size_t)number - 1, 0, NAN);
    return code;
}

int prova_search_tell_step(prova_search *search, int64_t number, int64_t step, double value)
{
    struct entry *entry = find(search, number);
    if (!entry)
        return PROVA_ENOTFOUND;
    if (entry->is_told)
        return PROVA_EEXISTS;
    if (!report_step_is_valid(step))
        return PROVA_EINVALID;
    int code = reserve_event(search);
    if (code == 0)
        code = observe(search, (size_t)number - 1, OBSERVED_PARTIAL, step, value);
    if (code == 0) {
        keep_event(search, EVENT_STEP, (size_t)number - 1, step, value);
        entry->step = step > entry->step ? step : entry->step;
    }
    return code;
}

/* Gives every active constant its value. */
static int add_constants(double *point, const struct space *space)
{
    double *settled = calloc(space->n_params + 1, sizeof *settled);
    if (!settled)
        return ERR_NOMEM;
    for (size_t p = 0; p < space->n_params; p++)
        settled[p] = space->params[p].type == PARAM_CONSTANT ? 0 : point[p];
    space_settle(settled, space, NULL);
    for (size_t p = 0; p < space->n_params; p++)
        point[p] = space->params[p].type == PARAM_CONSTANT ? settled[p] : point[p];
    free(settled);
    return 0;
}

int search_read_point(double *point, const struct space *space, const struct yaml *map, struct err *err)
{
    for (size_t p = 0; p < space->n_params; p++)
        point[p] = NAN;
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml *value = map->pairs[i].value;
        int p = space_find(space, map->pairs[i].key->text);
        if (p < 0)
            return err_set(err, ERR_INVALID, "no parameter is called '%s'", map->pairs[i].key->text);
        if (value->kind != YAML_SCALAR)
            return err_set(err, ERR_INVALID, "the value of '%s' must be a number or a string",
                           space->params[p].name);
        if (yaml_is_null(value))
            continue;
        int code = param_read_text(&point[p], &space->params[p], value->text, err);
        if (code < 0)
            return code;
    }
    int code = add_constants(point, space);
    return code < 0 ? err_set(err, code, "out of memory") : space_check(space, point, err);
}

/* The same from text. */
static int parse_point(double *point, const struct space *space, const char *params, struct err *err)
{
    struct faults faults = {0};
    struct yaml *root = NULL;
    struct yaml_doc *doc = yaml_doc_create();
    int code = doc ? yaml_parse(&root, doc, params, strlen(params), NULL, &faults) : ERR_NOMEM;
    if (code == ERR_NOMEM)
        (void)err_set(err, code, "out of memory"); /* returned below */
    else if (code < 0)
        (void)err_set(err, code, "%s", faults.n ? faults.list[0].text : err_string(code));
    else if (!root || root->kind != YAML_MAP)
        code = err_set(err, ERR_INVALID, "a point is an object of parameters, e.g. {\"lr\": 0.1}");
    else
        code = search_read_point(point, space, root, err);
    yaml_doc_destroy(doc);
    faults_fini(&faults);
    return code;
}

int search_ask_again(prova_search *search)
{
    search->entries[search->n] = (struct entry){.trial = search->n_asked + 1};
    int code = observe(search, search->n, OBSERVED_PENDING, 0, NAN);
    if (code == 0)
        keep_asked(search);
    return code;
}

int search_add_point(prova_search *search, double value)
{
    size_t i = search->n;
    search->entries[i] = (struct entry){.trial = FIRST_ADDED + search->n_added, .value = NAN};
    int code = isnan(value) ? observe(search, i, OBSERVED_PENDING, 0, NAN)
                            : tell_end(search, i, OBSERVED_FINAL, value);
    if (code < 0)
        return code;
    keep_event(search, EVENT_ADD, i, 0, value);
    search->n++;
    search->n_added++;
    return 0;
}

int prova_search_add(prova_search *search, const char *params, double value, int64_t *number, char *error,
                     size_t error_size)
{
    struct err err = {.code = ERR_NOMEM, .text = "out of memory"};
    search_say(error, error_size, "");
    int code = reserve(search);
    if (code == 0)
        code = parse_point(point_at(search, search->n), search->spec->space, params ? params : "", &err);
    if (code < 0) {
        search_say(error, error_size, err.text);
        return code;
    }
    code = search_add_point(search, value);
    if (code < 0) {
        search_say(error, error_size, err_string(code));
        return code;
    }
    if (number)
        *number = (int64_t)search->n;
    return 0;
}

int64_t prova_search_best(const prova_search *search, double *value)
{
    if (value)
        *value = search->best_value;
    return search->best;
}
