/* The best value so far of each running trial. */
#include "optimizers/incumbent.h"

#include <math.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl == NULL */
#include <uthash.h>

#include "core/err.h"

struct incumbents {
    uint64_t trial;
    size_t n_seen; /* reports of its curve */
    struct incumbent best;
    UT_hash_handle hh;
};

void incumbents_destroy(struct incumbents *table)
{
    struct incumbents *entry, *next;
    HASH_ITER(hh, table, entry, next)
    {
        HASH_DEL(table, entry);
        free(entry);
    }
}

static struct incumbents *get(struct incumbents **table, uint64_t trial)
{
    struct incumbents *entry;
    HASH_FIND(hh, *table, &trial, sizeof trial, entry);
    if (entry)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->trial = trial;
    HASH_ADD(hh, *table, trial, sizeof entry->trial, entry);
    if (entry->hh.tbl)
        return entry;
    free(entry);
    return NULL;
}

int incumbents_update(struct incumbent *incumbent, struct incumbents **table, uint64_t trial,
                      const struct curve *curve, double min_delta)
{
    struct incumbents *entry = get(table, trial);
    if (!entry)
        return ERR_NOMEM;
    if (curve->n <= entry->n_seen) /* every call brings a report, so this is another attempt */
        entry->n_seen = 0;
    if (entry->n_seen == 0 && curve->n > 0)
        entry->best = (struct incumbent){.value = INFINITY, .step = curve->steps[0]};
    for (; entry->n_seen < curve->n; entry->n_seen++) {
        double value = curve->values[entry->n_seen];
        if (isfinite(value) && (isinf(entry->best.value) || entry->best.value - value > min_delta))
            entry->best = (struct incumbent){.value = value, .step = curve->steps[entry->n_seen]};
    }
    *incumbent = entry->best;
    return 0;
}

void incumbents_forget(struct incumbents **table, uint64_t trial)
{
    struct incumbents *entry;
    HASH_FIND(hh, *table, &trial, sizeof trial, entry);
    if (!entry)
        return;
    HASH_DEL(*table, entry);
    free(entry);
}
