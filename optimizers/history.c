/* Records of trials, level by level in order of merit. */
#include "optimizers/history.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

struct trial_index {
    uint64_t trial;
    uint32_t record;
    UT_hash_handle hh;
};

static bool conditions_equal(const struct param *a, const struct param *b)
{
    if (a->n_conditions != b->n_conditions)
        return false;
    for (size_t i = 0; i < a->n_conditions; i++) {
        const struct condition *x = &a->conditions[i], *y = &b->conditions[i];
        if (x->param != y->param || x->n_values != y->n_values ||
            memcmp(x->values, y->values, x->n_values * sizeof *x->values) != 0)
            return false;
    }
    return true;
}

/* The coordinate of a parameter; n_dims: a constant has none. */
static size_t dim_of(const struct space *space, size_t param)
{
    size_t dim = 0;
    while (dim < space->n_dims && space->dim_param[dim] != param)
        dim++;
    return dim;
}

static int add_to_family(struct history *history, size_t param, size_t dim)
{
    const struct space *space = history->space;
    struct family *family = history->families, *end = &history->families[history->n_families];
    while (family < end &&
           !conditions_equal(&space->params[space->dim_param[family->dims[0]]], &space->params[param]))
        family++;
    if (family == end) {
        family->dims = calloc(space->n_dims, sizeof *family->dims);
        if (!family->dims)
            return ERR_NOMEM;
        history->n_families++;
    }
    family->dims[family->n_dims++] = dim;
    return 0;
}

int history_init(struct history *history, const struct space *space)
{
    *history =
        (struct history){.space = space, .families = calloc(space->n_dims + 1, sizeof *history->families)};
    int code = history->families ? 0 : ERR_NOMEM;
    for (size_t i = 0; code == 0 && i < space->n_params; i++) {
        size_t dim = dim_of(space, space->order[i]);
        if (dim < space->n_dims)
            code = add_to_family(history, space->order[i], dim);
    }
    if (code < 0)
        history_fini(history);
    return code;
}

static void family_fini(struct family *family)
{
    free(family->dims);
    free(family->settled.records);
    free(family->pending.records);
    for (size_t k = 0; k < HISTORY_LEVELS; k++)
        free(family->levels[k].records);
}

void history_fini(struct history *history)
{
    struct trial_index *entry, *next;
    HASH_ITER(hh, history->index, entry, next)
    {
        HASH_DEL(history->index, entry);
        free(entry);
    }
    for (size_t i = 0; history->families && i <= history->n_families; i++)
        family_fini(&history->families[i]);
    for (size_t i = 0; i < history->n; i++)
        free(history->records[i].readings);
    free(history->families);
    free(history->records);
    free(history->units);
    free(history->scratch);
    *history = (struct history){0};
}

const double *history_unit(const struct history *history, size_t record)
{
    return &history->units[record * history->space->n_dims];
}

const struct family *history_all(const struct history *history)
{
    return &history->families[history->n_families];
}

static const struct reading *find_reading(const struct seen *record, int level)
{
    for (size_t i = 0; i < record->n_readings; i++)
        if (record->readings[i].level == level)
            return &record->readings[i];
    return NULL;
}

static bool is_beyond(const struct seen *record, int level)
{
    return record->n_readings && record->readings[record->n_readings - 1].level > level;
}

/* Lists: by trial number (level < 0), or by the value at a level. */

static bool is_before(const struct seen *a, const struct seen *b, int level)
{
    if (level >= 0) {
        double x = find_reading(a, level)->value, y = find_reading(b, level)->value;
        if (x != y)
            return x < y;
    }
    return a->trial < b->trial;
}

/* Where a record stands or belongs. */
static size_t find_place(const struct history *history, const struct record_list *list, int level,
                         const struct seen *record)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (is_before(&history->records[list->records[middle]], record, level))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t history_place(const struct history *history, const struct record_list *list, uint32_t record)
{
    return find_place(history, list, -1, &history->records[record]);
}

static void list_remove(const struct history *history, struct record_list *list, int level, uint32_t record)
{
    size_t place = find_place(history, list, level, &history->records[record]);
    memmove(&list->records[place], &list->records[place + 1], (--list->n - place) * sizeof *list->records);
}

/* There is room. */
static void list_insert(const struct history *history, struct record_list *list, int level, uint32_t record)
{
    size_t place = find_place(history, list, level, &history->records[record]);
    memmove(&list->records[place + 1], &list->records[place], (list->n++ - place) * sizeof *list->records);
    list->records[place] = record;
}

static int list_reserve(struct record_list *list)
{
    if (list->n < list->capacity)
        return 0;
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    uint32_t *records = realloc(list->records, capacity * sizeof *records);
    if (!records)
        return ERR_NOMEM;
    list->records = records;
    list->capacity = capacity;
    return 0;
}

static bool is_active(const struct history *history, const struct family *family, const double *point)
{
    return !family->n_dims || !isnan(point[history->space->dim_param[family->dims[0]]]);
}

/* Takes a record out of all lists of a family, and puts it into them: as it is now. */
static void withdraw(const struct history *history, struct family *family, uint32_t record)
{
    const struct seen *seen = &history->records[record];
    for (size_t i = 0; i < seen->n_readings; i++) {
        int level = seen->readings[i].level;
        list_remove(history, &family->levels[level], level, record);
        family->n_beyond[level] -= is_beyond(seen, level);
    }
    list_remove(history, seen->class == RECORD_PENDING ? &family->pending : &family->settled, -1, record);
    family->n_valued -= seen->class == RECORD_VALUED;
}

static void enter(const struct history *history, struct family *family, uint32_t record)
{
    const struct seen *seen = &history->records[record];
    for (size_t i = 0; i < seen->n_readings; i++) {
        int level = seen->readings[i].level;
        list_insert(history, &family->levels[level], level, record);
        family->n_beyond[level] += is_beyond(seen, level);
    }
    list_insert(history, seen->class == RECORD_PENDING ? &family->pending : &family->settled, -1, record);
    family->n_valued += seen->class == RECORD_VALUED;
}

static int reserve_records(struct history *history)
{
    if (history->n < history->capacity)
        return 0;
    size_t capacity = history->capacity ? 2 * history->capacity : 64, n_dims = history->space->n_dims;
    struct seen *records = realloc(history->records, capacity * sizeof *records);
    if (!records)
        return ERR_NOMEM;
    history->records = records;
    double *units = realloc(history->units, (capacity * n_dims + 1) * sizeof *units);
    if (!units)
        return ERR_NOMEM;
    history->units = units;
    uint32_t *scratch = realloc(history->scratch, 2 * capacity * sizeof *scratch);
    if (!scratch)
        return ERR_NOMEM;
    history->scratch = scratch;
    history->capacity = capacity;
    return 0;
}

/* Room for one record more in the lists of its families that it may come into. */
static int reserve_lists(struct history *history, const double *point, int level)
{
    int code = 0;
    for (size_t i = 0; i <= history->n_families && code == 0; i++) {
        struct family *family = &history->families[i];
        if (!is_active(history, family, point))
            continue;
        code = list_reserve(&family->settled);
        if (code == 0)
            code = list_reserve(&family->pending);
        if (code == 0 && level >= 0)
            code = list_reserve(&family->levels[level]);
    }
    return code;
}

/* A new record of that trial, PENDING and in no list yet. */
static int add_record(struct history *history, const struct observation *observation)
{
    const struct space *space = history->space;
    struct trial_index *entry = calloc(1, sizeof *entry);
    if (!entry || reserve_records(history) < 0) {
        free(entry);
        return ERR_NOMEM;
    }
    double *unit = &history->units[history->n * space->n_dims];
    space_to_unit(unit, space, observation->point);
    for (size_t j = 0; j < space->n_dims; j++) {
        double value = observation->point[space->dim_param[j]];
        if (space->params[space->dim_param[j]].type == PARAM_CATEGORICAL && !isnan(value))
            unit[j] = value;
    }
    entry->trial = observation->trial;
    entry->record = (uint32_t)history->n;
    HASH_ADD(hh, history->index, trial, sizeof entry->trial, entry);
    if (!entry->hh.tbl) {
        free(entry);
        return ERR_NOMEM;
    }
    history->records[history->n++] =
        (struct seen){.trial = observation->trial, .class = RECORD_PENDING, .value = NAN};
    return 0;
}

/* The level of what is told of a record; -1: none, or none that is not known better. */
static int level_of(const struct observation *observation, const struct seen *seen)
{
    if (observation->kind != OBSERVED_PARTIAL && observation->kind != OBSERVED_FINAL)
        return -1;
    if (observation->kind == OBSERVED_FINAL && !observation->is_cut)
        return HISTORY_WHOLE;
    if (observation->kind == OBSERVED_FINAL && seen->n_readings)
        return -1;
    int level = 0;
    while (level + 1 < HISTORY_WHOLE && observation->step >= (INT64_C(2) << level) - 1) /* units: step + 1 */
        level++;
    return level;
}

/* Room for one reading more. */
static int reserve_readings(struct seen *seen)
{
    if (seen->n_readings < seen->capacity_readings)
        return 0;
    size_t capacity = seen->capacity_readings ? 2 * seen->capacity_readings : 1;
    struct reading *readings = realloc(seen->readings, capacity * sizeof *readings);
    if (!readings)
        return ERR_NOMEM;
    seen->readings = readings;
    seen->capacity_readings = capacity;
    return 0;
}

/* There is room. What stands at this step or after it was of a run that is gone. */
static void add_reading(struct seen *seen, const struct observation *observation, int level)
{
    size_t n = seen->n_readings;
    while (n > 0 && level < HISTORY_WHOLE && seen->readings[n - 1].step >= observation->step)
        n--;
    if (n == 0 || seen->readings[n - 1].level < level)
        seen->readings[n++] =
            (struct reading){.level = level, .step = observation->step, .value = observation->value};
    seen->n_readings = n;
}

static void update(struct seen *seen, const struct observation *observation, int level)
{
    static const enum record_class classes[] = {[OBSERVED_PENDING] = RECORD_PENDING,
                                                [OBSERVED_PARTIAL] = RECORD_VALUED,
                                                [OBSERVED_FINAL] = RECORD_VALUED,
                                                [OBSERVED_FAILED] = RECORD_FAILED};
    seen->class = classes[observation->kind];
    seen->value = observation->value;
    seen->step = observation->step;
    if (seen->class == RECORD_FAILED)
        seen->n_readings = 0;
    if (level >= 0)
        add_reading(seen, observation, level);
}

static bool has_ended(const struct seen *seen)
{
    return seen->class == RECORD_FAILED || find_reading(seen, HISTORY_WHOLE);
}

/* A record that exists is in lists, so there must be room there first. */
static int add_pending(struct history *history, const struct observation *observation)
{
    uint32_t record = (uint32_t)history->n;
    int code = reserve_lists(history, observation->point, -1);
    if (code == 0)
        code = add_record(history, observation);
    for (size_t i = 0; code == 0 && i <= history->n_families; i++)
        if (is_active(history, &history->families[i], observation->point))
            enter(history, &history->families[i], record);
    return code;
}

/* Something new of a record that exists. */
static int change(struct history *history, uint32_t record, const struct observation *observation)
{
    struct seen *seen = &history->records[record];
    int level = level_of(observation, seen);
    int code = reserve_lists(history, observation->point, level);
    if (code == 0 && level >= 0)
        code = reserve_readings(seen);
    if (code < 0)
        return code;
    for (size_t i = 0; i <= history->n_families; i++)
        if (is_active(history, &history->families[i], observation->point))
            withdraw(history, &history->families[i], record);
    history->n_valued -= seen->class == RECORD_VALUED;
    update(seen, observation, level);
    history->n_valued += seen->class == RECORD_VALUED;
    for (size_t i = 0; i <= history->n_families; i++)
        if (is_active(history, &history->families[i], observation->point))
            enter(history, &history->families[i], record);
    return 0;
}

int history_observe(struct history *history, const struct observation *observation)
{
    struct trial_index *entry;
    HASH_FIND(hh, history->index, &observation->trial, sizeof observation->trial, entry);
    if (!entry) {
        uint32_t record = (uint32_t)history->n;
        int code = add_pending(history, observation);
        return code < 0 || observation->kind == OBSERVED_PENDING ? code
                                                                 : change(history, record, observation);
    }
    if (observation->kind == OBSERVED_PENDING)
        return 0; /* it, or more, is known already */
    if (observation->kind == OBSERVED_PARTIAL && has_ended(&history->records[entry->record]))
        return 0;
    return change(history, entry->record, observation);
}

/* What lies at a level or above, each record counted at the highest it reached. */
size_t history_n_reached(const struct family *family, int level)
{
    size_t n = 0;
    for (int k = level; k < HISTORY_LEVELS; k++)
        n += family->levels[k].n - family->n_beyond[k];
    return n;
}

int history_top_level(const struct family *family, size_t enough)
{
    int level = HISTORY_WHOLE;
    for (size_t n = 0; level > 0; level--) {
        n += family->levels[level].n - family->n_beyond[level];
        if (n >= enough)
            break;
    }
    return level;
}

/* The order of what lies above a level: the first records of it, and how many there are in all. */
struct order {
    uint32_t *records;
    size_t n, total;
};

/* Takes records of `above` up to the next one that has a reading at the level, and that one. */
static void take_next(struct order *merged, size_t want, const struct history *history,
                      const struct order *above, size_t *taken, int level)
{
    while (*taken < above->n && merged->n < want) {
        uint32_t record = above->records[(*taken)++];
        merged->records[merged->n++] = record;
        if (find_reading(&history->records[record], level))
            break;
    }
}

/* Takes those without a reading at the level, until `share` of all above have been taken. */
static void take_share(struct order *merged, size_t want, const struct history *history,
                       const struct order *above, size_t *taken, int level, double share)
{
    while (*taken < above->n && merged->n < want && (double)*taken < share * (double)above->total &&
           !find_reading(&history->records[above->records[*taken]], level))
        merged->records[merged->n++] = above->records[(*taken)++];
}

static void merge_level(struct order *merged, size_t want, const struct history *history,
                        const struct order *above, const struct record_list *list, int level)
{
    size_t taken = 0;
    merged->n = 0;
    for (size_t i = 0; i < list->n && merged->n < want; i++) {
        if (is_beyond(&history->records[list->records[i]], level)) {
            take_next(merged, want, history, above, &taken, level);
            continue;
        }
        take_share(merged, want, history, above, &taken, level, ((double)i + 0.5) / (double)list->n);
        if (merged->n < want)
            merged->records[merged->n++] = list->records[i];
    }
    while (taken < above->n && merged->n < want)
        merged->records[merged->n++] = above->records[taken++];
}

size_t history_best(uint32_t *best, const struct history *history, const struct family *family, int floor,
                    size_t want)
{
    size_t n_reached = history_n_reached(family, floor);
    if (want > n_reached)
        want = n_reached;
    struct order above = {.records = history->scratch},
                 merged = {.records = history->scratch ? history->scratch + history->capacity : NULL};
    for (int level = HISTORY_WHOLE; level >= floor; level--) {
        const struct record_list *list = &family->levels[level];
        if (!list->n)
            continue;
        merge_level(&merged, want, history, &above, list, level);
        merged.total = above.total + list->n - family->n_beyond[level];
        struct order swapped = above;
        above = merged;
        merged = swapped;
    }
    for (size_t i = 0; i < above.n; i++)
        best[i] = above.records[i];
    return above.n;
}
