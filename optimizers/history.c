/* Records of trials in order of merit. */
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

void history_fini(struct history *history)
{
    struct trial_index *entry, *next;
    HASH_ITER(hh, history->index, entry, next)
    {
        HASH_DEL(history->index, entry);
        free(entry);
    }
    for (size_t i = 0; i < history->n_families; i++) {
        free(history->families[i].dims);
        free(history->families[i].ranked);
    }
    free(history->families);
    free(history->records);
    free(history->units);
    *history = (struct history){0};
}

const double *history_unit(const struct history *history, size_t record)
{
    return &history->units[record * history->space->n_dims];
}

static bool is_before(const struct seen *a, const struct seen *b)
{
    if (a->class != b->class)
        return a->class < b->class;
    if (a->class == RECORD_VALUED && a->value != b->value)
        return a->value < b->value;
    return a->trial < b->trial;
}

/* Where a record stands or belongs in a family's list. */
static size_t find_rank(const struct history *history, const struct family *family, const struct seen *record)
{
    size_t low = 0, high = family->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (is_before(&history->records[family->ranked[middle]], record))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_active(const struct history *history, const struct family *family, const double *point)
{
    return !isnan(point[history->space->dim_param[family->dims[0]]]);
}

static void remove_ranked(const struct history *history, struct family *family, uint32_t record)
{
    const struct seen *seen = &history->records[record];
    size_t rank = find_rank(history, family, seen);
    memmove(&family->ranked[rank], &family->ranked[rank + 1], (--family->n - rank) * sizeof *family->ranked);
    family->n_valued -= seen->class == RECORD_VALUED;
    family->n_pending -= seen->class == RECORD_PENDING;
}

/* There is room. */
static void insert_ranked(const struct history *history, struct family *family, uint32_t record)
{
    const struct seen *seen = &history->records[record];
    size_t rank = find_rank(history, family, seen);
    memmove(&family->ranked[rank + 1], &family->ranked[rank], (family->n++ - rank) * sizeof *family->ranked);
    family->ranked[rank] = record;
    family->n_valued += seen->class == RECORD_VALUED;
    family->n_pending += seen->class == RECORD_PENDING;
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
    history->capacity = capacity;
    return 0;
}

static int reserve_ranked(struct history *history, const double *point)
{
    for (size_t i = 0; i < history->n_families; i++) {
        struct family *family = &history->families[i];
        if (family->n < family->capacity || !is_active(history, family, point))
            continue;
        size_t capacity = family->capacity ? 2 * family->capacity : 64;
        uint32_t *ranked = realloc(family->ranked, capacity * sizeof *ranked);
        if (!ranked)
            return ERR_NOMEM;
        family->ranked = ranked;
        family->capacity = capacity;
    }
    return 0;
}

/* A new record of that trial, in no list yet. */
static int add_record(uint32_t *record, struct history *history, const struct observation *observation)
{
    const struct space *space = history->space;
    struct trial_index *entry = calloc(1, sizeof *entry);
    if (!entry || reserve_records(history) < 0 || reserve_ranked(history, observation->point) < 0) {
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
    *record = (uint32_t)history->n;
    entry->trial = observation->trial;
    entry->record = *record;
    HASH_ADD(hh, history->index, trial, sizeof entry->trial, entry);
    if (!entry->hh.tbl) {
        free(entry);
        return ERR_NOMEM;
    }
    history->n++;
    return 0;
}

static struct seen judge(const struct observation *observation)
{
    static const enum record_class classes[] = {[OBSERVED_PENDING] = RECORD_PENDING,
                                                [OBSERVED_PARTIAL] = RECORD_VALUED,
                                                [OBSERVED_FINAL] = RECORD_VALUED,
                                                [OBSERVED_FAILED] = RECORD_FAILED};
    return (struct seen){.trial = observation->trial,
                         .class = classes[observation->kind],
                         .value = observation->value,
                         .step = observation->step};
}

int history_observe(struct history *history, const struct observation *observation)
{
    struct trial_index *entry;
    struct seen seen = judge(observation);
    uint32_t record;
    HASH_FIND(hh, history->index, &observation->trial, sizeof observation->trial, entry);
    if (entry) {
        record = entry->record;
        if (seen.class == RECORD_PENDING)
            return 0; /* more is known already */
        for (size_t i = 0; i < history->n_families; i++) {
            if (is_active(history, &history->families[i], observation->point))
                remove_ranked(history, &history->families[i], record);
        }
        history->n_valued -= history->records[record].class == RECORD_VALUED;
    } else {
        int code = add_record(&record, history, observation);
        if (code < 0)
            return code;
    }
    history->records[record] = seen;
    history->n_valued += seen.class == RECORD_VALUED;
    for (size_t i = 0; i < history->n_families; i++) {
        if (is_active(history, &history->families[i], observation->point))
            insert_ranked(history, &history->families[i], record);
    }
    return 0;
}
