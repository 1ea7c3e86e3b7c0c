/* Items by trial number in pages. See optimizers/trial_table.h. */
#include "optimizers/trial_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_ITEMS = 64 };
#define MAX_PAGES (UINT64_C(1) << 32) /* no experiment has 2^38 trials: whoever names one is wrong */

struct trial_page {
    size_t n;         /* items that are there: their number is not 0 */
    uint64_t items[]; /* [PAGE_ITEMS] of item_size bytes */
};

void trial_table_init(struct trial_table *table, size_t item_size)
{
    size_t word = sizeof(uint64_t);
    *table = (struct trial_table){.item_size = (item_size + word - 1) / word * word};
}

void trial_table_fini(struct trial_table *table)
{
    for (size_t i = 0; i < table->n_pages; i++)
        free(table->pages[i]);
    free(table->pages);
    table->pages = NULL;
    table->n_pages = 0;
}

static uint64_t *item_at(const struct trial_table *table, struct trial_page *page, uint64_t trial)
{
    return page->items + (trial - 1) % PAGE_ITEMS * (table->item_size / sizeof(uint64_t));
}

/* The page that holds the number; NULL: it has none. */
static struct trial_page *page_of(const struct trial_table *table, uint64_t trial)
{
    uint64_t index = (trial - 1) / PAGE_ITEMS; /* of 0, which is no trial, beyond any */
    return index < table->n_pages ? table->pages[index] : NULL;
}

void *trial_table_find(const struct trial_table *table, uint64_t trial)
{
    struct trial_page *page = page_of(table, trial);
    uint64_t *item = page ? item_at(table, page, trial) : NULL;
    return item && *item ? item : NULL;
}

/* Room for the number in the directory. */
static int reach(struct trial_table *table, uint64_t trial)
{
    uint64_t index = (trial - 1) / PAGE_ITEMS;
    if (index < table->n_pages)
        return 0;
    if (index >= MAX_PAGES)
        return -1;
    size_t n = 2 * (size_t)index + 8;
    struct trial_page **pages = realloc(table->pages, n * sizeof(struct trial_page *));
    if (!pages)
        return -1;
    memset(pages + table->n_pages, 0, (n - table->n_pages) * sizeof(struct trial_page *));
    table->pages = pages;
    table->n_pages = n;
    return 0;
}

void *trial_table_add(struct trial_table *table, uint64_t trial)
{
    assert(!trial_table_find(table, trial));
    if (reach(table, trial) < 0)
        return NULL;
    struct trial_page **page = &table->pages[(trial - 1) / PAGE_ITEMS];
    if (!*page)
        *page = calloc(1, sizeof **page + PAGE_ITEMS * table->item_size);
    if (!*page)
        return NULL;
    uint64_t *item = item_at(table, *page, trial);
    memset(item, 0, table->item_size);
    *item = trial;
    (*page)->n++;
    return item;
}

void trial_table_remove(struct trial_table *table, uint64_t trial)
{
    struct trial_page *page = page_of(table, trial);
    assert(page && *item_at(table, page, trial));
    *item_at(table, page, trial) = 0;
    if (--page->n > 0)
        return;
    free(page);
    table->pages[(trial - 1) / PAGE_ITEMS] = NULL;
}

void *trial_table_next(const struct trial_table *table, uint64_t trial)
{
    for (uint64_t index = trial / PAGE_ITEMS; trial < UINT64_MAX && index < table->n_pages; index++) {
        uint64_t first = index * PAGE_ITEMS + 1, number = trial + 1 > first ? trial + 1 : first;
        for (; table->pages[index] && number < first + PAGE_ITEMS; number++) {
            uint64_t *item = item_at(table, table->pages[index], number);
            if (*item)
                return item;
        }
    }
    return NULL;
}
