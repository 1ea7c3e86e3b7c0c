#ifndef OPTIMIZERS_HISTORY_H
#define OPTIMIZERS_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "core/space.h"
#include "optimizers/search.h"

/* What a model-based search has been told: one record a trial, and lists of them in order of merit. The order
 * does not depend on the order in which things were told.
 *
 * Parameters with the same conditions are active together; they form a *family*, and every family has a list
 * of the records in which it is active: those with a value, the best first; then the failed; then the
 * pending. A record of which only partial values are known stands with the last of them. */
enum record_class { RECORD_VALUED, RECORD_FAILED, RECORD_PENDING };

struct seen {
    uint64_t trial;
    enum record_class class;
    double value;
    int64_t step;
};

struct family {
    size_t n_dims;
    size_t *dims;               /* [n_dims] coordinates of the unit cube */
    size_t n, capacity;         /* records in which it is active */
    uint32_t *ranked;           /* [n] indices of records */
    size_t n_valued, n_pending; /* of them */
};

struct history {
    const struct space *space;
    size_t n, capacity;
    struct seen *records;
    double *units; /* [n][n_dims], 0.5 where inactive; of a categorical parameter its index */
    size_t n_valued;
    size_t n_families;
    struct family *families; /* every family after those on which its conditions depend */
    struct trial_index *index;
};

int history_init(struct history *history, const struct space *space);
void history_fini(struct history *history);
/* Returns 0 or ERR_NOMEM. O(log n), plus moving up to n 4-byte indices. */
int history_observe(struct history *history, const struct observation *observation);
const double *history_unit(const struct history *history, size_t record);

#endif
