#ifndef OPTIMIZERS_HISTORY_H
#define OPTIMIZERS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/space.h"
#include "optimizers/search.h"

/* What a model-based search has been told: one record a trial, and lists of them. No list depends on the
 * order in which trials were told.
 *
 * Parameters with the same conditions are active together; they form a *family*, and every family has lists
 * of the records in which it is active.
 *
 * Values at different budgets do not compare, so a record has one reading for each *level* that it reached:
 * level k < HISTORY_WHOLE is the least number of units in [2^k, 2^(k+1)) at which it was told (rungs of a
 * schedule are at least a factor of 2 apart, so each is a level of its own), HISTORY_WHOLE the value with
 * which it ended by itself. One that was stopped early without having reached a level counts at the level of
 * what it used. history_best makes one order of all levels. */
enum record_class { RECORD_VALUED, RECORD_FAILED, RECORD_PENDING };

enum { HISTORY_WHOLE = 54, HISTORY_LEVELS = 55 };

struct reading {
    int level;
    int64_t step;
    double value;
};

struct seen {
    uint64_t trial;
    enum record_class class;
    double value; /* the last one told, */
    int64_t step; /* at this step */
    size_t n_readings, capacity_readings;
    struct reading *readings; /* levels ascending; the last one is the highest reached */
};

struct record_list {
    size_t n, capacity;
    uint32_t *records; /* [n] indices */
};

struct family {
    size_t n_dims;
    size_t *dims; /* [n_dims] coordinates of the unit cube */
    size_t n_valued;
    struct record_list settled;                /* with a value, or failed, by trial number */
    struct record_list pending;                /* by trial number */
    struct record_list levels[HISTORY_LEVELS]; /* that have a reading there, the best first */
    size_t n_beyond[HISTORY_LEVELS];           /* of them, how many have a higher one */
};

struct history {
    const struct space *space;
    size_t n, capacity;
    struct seen *records;
    double *units;     /* [n][n_dims], 0.5 where inactive; of a categorical parameter its index */
    uint32_t *scratch; /* [2][capacity] */
    size_t n_valued;
    size_t n_families;       /* without the last one, */
    struct family *families; /* every family after those on which its conditions depend; [n_families] is
                              * that of all records, without coordinates */
    struct trial_index *index;
};

int history_init(struct history *history, const struct space *space);
void history_fini(struct history *history);
/* Returns 0 or ERR_NOMEM. O(log n), plus moving up to n 4-byte indices for each level. */
int history_observe(struct history *history, const struct observation *observation);
const double *history_unit(const struct history *history, size_t record);
/* Where a record stands in the settled or the pending of a family. O(log n). */
size_t history_place(const struct history *history, const struct record_list *list, uint32_t record);
/* The family of all records. */
const struct family *history_all(const struct history *history);

/* How many records have reached a level. */
size_t history_n_reached(const struct family *family, int level);
/* The highest level that at least `enough` records have reached; 0: none. O(levels). */
int history_top_level(const struct family *family, size_t enough);

/* Writes the best `want` of the records that have reached level `floor` (0: of all with a value) to
 * best[want], the best first, and returns how many there are.
 *
 * The levels' orders are made one from the top down: at each level the trials that went on divide the places
 * that they hold there anew among themselves, in the order that they showed later; the others keep theirs. So
 * a trial that stopped at a level is compared with all others by what they had there, and those that went
 * further with each other by the most that is known. Where what lies above a level contains trials that were
 * never told there (a warm start, other budgets), these keep their order relative to the others above, and
 * the shares of the two groups are mixed evenly.
 *
 * O(levels want). */
size_t history_best(uint32_t *best, const struct history *history, const struct family *family, int floor,
                    size_t want);

#endif
