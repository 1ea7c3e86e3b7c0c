#ifndef OPTIMIZERS_TRIAL_TABLE_H
#define OPTIMIZERS_TRIAL_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* What is kept of each trial, by its number. The numbers of an experiment's trials are dense, so they are
 * places in pages of 64 items: no hashing, neighbours side by side, and none of the 56 bytes an item that
 * uthash takes. A page is freed with its last item; 8 bytes for every 64 numbers remain. An item stays where
 * it is as long as it is there.
 *
 * An item is a struct of the caller's that begins with a uint64_t: its trial's number, from 1. */
struct trial_table {
    size_t item_size;
    size_t n_pages; /* in the directory; NULL: no item of it */
    struct trial_page **pages;
};

void trial_table_init(struct trial_table *table, size_t item_size);
void trial_table_fini(struct trial_table *table);
/* NULL: none. Lends. */
void *trial_table_find(const struct trial_table *table, uint64_t trial);
/* A new item, zero but for its number; the trial has none yet. NULL: out of memory, or the
 * number is beyond any experiment's (nothing changes). Lends. */
void *trial_table_add(struct trial_table *table, uint64_t trial);
void trial_table_remove(struct trial_table *table, uint64_t trial);
/* The item with the lowest number above `trial`; NULL: none. Lends. */
void *trial_table_next(const struct trial_table *table, uint64_t trial);

#endif
