/* Records of trials for a Gaussian process. */
#include "optimizers/gp_trials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

enum {
    MAX_ROWS = 1000,   /* of a photograph */
    MAX_BETWEEN = 100, /* known records between two photographs */
    SHARE_BETWEEN = 20 /* one part in so many of the known ones; at least 1 */
};

struct gp_trial_index {
    uint64_t trial;
    size_t record;
    UT_hash_handle hh;
};

void gp_trials_init(struct gp_trials *trials, const struct gp_features *features)
{
    *trials = (struct gp_trials){.features = features, .next_fit = 2};
}

void gp_trials_fini(struct gp_trials *trials)
{
    struct gp_trial_index *entry, *next;
    HASH_ITER(hh, trials->index, entry, next)
    {
        HASH_DEL(trials->index, entry);
        free(entry);
    }
    free(trials->list);
    free(trials->units);
    free(trials->features_of);
    free(trials->rows);
    free(trials->ranks);
    free(trials->photo_values);
    free(trials->photo_steps);
    *trials = (struct gp_trials){0};
}

/* *array becomes an array of `count` elements (and never NULL). */
static int grow(void *array, size_t count, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *bigger = realloc(old, count * size + 1);
    if (!bigger)
        return ERR_NOMEM;
    memcpy(array, &bigger, sizeof bigger);
    return 0;
}

static int reserve(struct gp_trials *trials)
{
    if (trials->n < trials->capacity)
        return 0;
    size_t n = trials->capacity ? 2 * trials->capacity : 64, n_dims = trials->features->space->n_dims;
    if (grow(&trials->list, n, sizeof *trials->list) < 0 ||
        grow(&trials->units, n * n_dims, sizeof *trials->units) < 0 ||
        grow(&trials->features_of, n * trials->features->n, sizeof *trials->features_of) < 0 ||
        grow(&trials->rows, n, sizeof *trials->rows) < 0 ||
        grow(&trials->ranks, n, sizeof *trials->ranks) < 0 ||
        grow(&trials->photo_values, n, sizeof *trials->photo_values) < 0 ||
        grow(&trials->photo_steps, n, sizeof *trials->photo_steps) < 0)
        return ERR_NOMEM;
    trials->capacity = n;
    return 0;
}

static int add_record(size_t *record, struct gp_trials *trials, const struct observation *observation)
{
    struct gp_trial_index *entry = calloc(1, sizeof *entry);
    if (!entry || reserve(trials) < 0) {
        free(entry);
        return ERR_NOMEM;
    }
    entry->trial = observation->trial;
    entry->record = *record = trials->n;
    HASH_ADD(hh, trials->index, trial, sizeof entry->trial, entry);
    if (!entry->hh.tbl) {
        free(entry);
        return ERR_NOMEM;
    }
    const struct gp_features *features = trials->features;
    trials->list[trials->n] = (struct gp_trial){.trial = observation->trial, .value = NAN, .step = INFINITY};
    space_to_unit(&trials->units[trials->n * features->space->n_dims], features->space, observation->point);
    gp_features_encode(&trials->features_of[trials->n * features->n], features, observation->point, 1);
    trials->n++;
    return 0;
}

static double fidelity(double step, double max_step)
{
    return step < max_step ? log1p(step) / log1p(max_step) : 1;
}

void gp_trials_encode(double *z, const struct gp_trials *trials, size_t record, double step, double max_step)
{
    size_t n_features = trials->features->n;
    memcpy(z, &trials->features_of[record * n_features], n_features * sizeof *z);
    z[n_features - 1] = fidelity(step, max_step);
}

static int compare_ranks(const void *a, const void *b)
{
    const struct gp_rank *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->record < y->record ? -1 : 1;
}

static int compare_records(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return *x < *y ? -1 : 1;
}

/* The best half of MAX_ROWS, and others evenly spread over the ranks; failed ones are the last. */
static void thin_out(struct gp_trials *trials)
{
    size_t n = trials->n_rows, n_best = MAX_ROWS / 2, n_others = MAX_ROWS - n_best;
    for (size_t i = 0; i < n; i++) {
        const struct gp_trial *trial = &trials->list[trials->rows[i]];
        double value = trial->status == GP_VALUED ? trial->value : INFINITY;
        trials->ranks[i] = (struct gp_rank){.value = value, .record = trials->rows[i]};
    }
    qsort(trials->ranks, n, sizeof *trials->ranks, compare_ranks);
    for (size_t i = 0; i < n_best; i++)
        trials->rows[i] = trials->ranks[i].record;
    for (size_t i = 0; i < n_others; i++)
        trials->rows[n_best + i] = trials->ranks[n_best + (2 * i + 1) * (n - n_best) / (2 * n_others)].record;
    trials->n_rows = MAX_ROWS;
    qsort(trials->rows, MAX_ROWS, sizeof *trials->rows, compare_records);
}

static void photograph(struct gp_trials *trials)
{
    size_t between = trials->n_known / SHARE_BETWEEN;
    between = between < 1 ? 1 : between < MAX_BETWEEN ? between : MAX_BETWEEN;
    trials->next_fit = trials->n_known + between;
    trials->n_rows = 0;
    for (size_t i = 0; i < trials->n; i++) {
        if (trials->list[i].status != GP_PENDING)
            trials->rows[trials->n_rows++] = i;
    }
    if (trials->n_rows > MAX_ROWS)
        thin_out(trials);
    for (size_t i = 0; i < trials->n_rows; i++) {
        trials->photo_values[i] = trials->list[trials->rows[i]].value;
        trials->photo_steps[i] = trials->list[trials->rows[i]].step;
    }
    trials->n_photo = trials->n_rows;
    trials->photo_max_step = trials->max_step;
    trials->n_photos++;
}

static double step_of(const struct observation *observation)
{
    if (observation->kind == OBSERVED_PARTIAL)
        return (double)observation->step;
    return observation->kind == OBSERVED_FINAL && observation->step > 0 ? (double)observation->step
                                                                        : INFINITY;
}

int gp_trials_observe(struct gp_trials *trials, const struct observation *observation)
{
    struct gp_trial_index *entry;
    size_t record = 0;
    HASH_FIND(hh, trials->index, &observation->trial, sizeof observation->trial, entry);
    if (entry)
        record = entry->record;
    else if (add_record(&record, trials, observation) < 0)
        return ERR_NOMEM;
    if (observation->kind == OBSERVED_PENDING)
        return 0; /* more may be known already */
    struct gp_trial *trial = &trials->list[record], before = *trial;
    bool has_value = observation->kind != OBSERVED_FAILED;
    trial->status = has_value ? GP_VALUED : GP_FAILED;
    trial->value = has_value ? observation->value : (double)NAN;
    trial->step = has_value ? step_of(observation) : INFINITY;
    trials->n_valued = trials->n_valued + has_value - (before.status == GP_VALUED);
    if (has_value && isfinite(trial->step) && trial->step > trials->max_step) {
        trials->max_step = trial->step;
        trials->n_revisions++;
    }
    if (before.status != GP_PENDING) {
        trials->n_revisions += trial->step != before.step;
        return 0;
    }
    trials->rows[trials->n_rows++] = record;
    if (++trials->n_known >= trials->next_fit)
        photograph(trials);
    return 0;
}
