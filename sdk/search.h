#ifndef SDK_SEARCH_H
#define SDK_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/spec.h"
#include "core/text.h"
#include "core/yaml.h"
#include "optimizers/search.h"
#include "sdk/prova.h"

/* What is behind prova_search: sdk/search.c asks and tells, sdk/search_save.c keeps and restores. */

/* One numbered point. */
struct entry {
    uint64_t trial; /* the search's number of it */
    int64_t step;   /* the last one that was told */
    double value;   /* NaN: none */
    bool is_told;   /* its end is known */
};

/* What was done, in order: told again, it makes the same search. */
enum search_event_kind { EVENT_ASK, EVENT_ADD, EVENT_STEP, EVENT_TELL, EVENT_FAIL };
struct search_event {
    enum search_event_kind kind;
    size_t i;     /* index of its entry */
    int64_t step; /* of STEP */
    double value; /* of STEP and TELL; of ADD too, where it came with one (else NaN) */
};

struct prova_search {
    struct spec *spec;
    struct search *search;
    uint64_t seed;
    size_t n, capacity;
    struct entry *entries; /* [capacity] of number i + 1 */
    double *points;        /* [capacity][n_params] */
    uint64_t n_asked, n_added;
    int64_t best;
    double best_value;
    size_t n_events, event_capacity;
    struct search_event *events; /* [n_events] */
    struct text text;            /* what prova_search_string and _json lend */
};

/* A search of a checked spec, which it takes. NULL with a text. */
prova_search *search_open(struct spec *spec, uint64_t seed, struct err *err);
/* A spec from a text and overrides; checked. NULL with a text that has every fault. */
struct spec *search_make_spec(const char *text, const struct override *overrides, size_t n_overrides,
                              char *error, size_t error_size);
/* Copies a message as far as it fits. */
void search_say(char *error, size_t error_size, const char *text);
/* Reads {"lr": 0.1, ...} into a point. Constants may be left out; null is as good as left out. */
int search_read_point(double *point, const struct space *space, const struct yaml *map, struct err *err);
/* Room for one more point, and its place. NULL: out of memory. */
double *search_next_point(prova_search *search);
/* What is at search_next_point was asked for before: pending, as then. */
int search_ask_again(prova_search *search);
/* What is there comes from elsewhere, with this value (NaN: it is pending). */
int search_add_point(prova_search *search, double value);

#endif
