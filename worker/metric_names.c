/* Numbers the names of metrics. */
#include "worker/metric_names.h"

#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define TABLE_SIZE ((size_t)4 * METRIC_NAMES_MAX)

_Static_assert((TABLE_SIZE & (TABLE_SIZE - 1)) == 0, "the mask needs a power of two");

int metric_names_init(struct metric_names *names)
{
    names->n = 0;
    names->list = calloc(METRIC_NAMES_MAX, sizeof *names->list);
    names->last_steps = calloc(METRIC_NAMES_MAX, sizeof *names->last_steps);
    names->table = calloc(TABLE_SIZE, sizeof *names->table);
    if (names->list && names->last_steps && names->table)
        return ERR_OK;
    metric_names_fini(names);
    return ERR_NOMEM;
}

static void clear(struct metric_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->list[i]);
    if (names->n > 0)
        memset(names->table, 0, TABLE_SIZE * sizeof *names->table);
    names->n = 0;
}

void metric_names_fini(struct metric_names *names)
{
    if (names->list && names->table)
        clear(names);
    free(names->list);
    free(names->last_steps);
    free(names->table);
    names->list = NULL;
    names->last_steps = NULL;
    names->table = NULL;
}

int metric_names_reset(struct metric_names *names, const char *objective)
{
    if (names->n == 1 && !strcmp(names->list[0], objective)) {
        names->last_steps[0] = -1; /* the usual case: nothing to clear from the trial before */
        return ERR_OK;
    }
    clear(names);
    int number = metric_names_find(names, objective, strlen(objective));
    return number < 0 ? number : ERR_OK;
}

/* FNV-1a. */
static size_t hash(const char *name, size_t size)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

int metric_names_find(struct metric_names *names, const char *name, size_t size)
{
    size_t at = hash(name, size) & (TABLE_SIZE - 1);
    for (; names->table[at]; at = (at + 1) & (TABLE_SIZE - 1)) {
        const char *known = names->list[names->table[at] - 1];
        if (!strncmp(known, name, size) && known[size] == '\0')
            return names->table[at] - 1;
    }
    if (names->n == METRIC_NAMES_MAX)
        return ERR_FULL;
    char *copy = strndup(name, size);
    if (!copy)
        return ERR_NOMEM;
    names->last_steps[names->n] = -1;
    names->list[names->n++] = copy;
    names->table[at] = (uint16_t)names->n;
    return (int)names->n - 1;
}
