#ifndef TESTS_OPTIMIZERS_SEARCH_RUN_H
#define TESTS_OPTIMIZERS_SEARCH_RUN_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "optimizers/keyset.h"
#include "optimizers/registry.h"
#include "spaces.h"

/* What all suites of searches need: objectives of all kinds, and a search with the history that it was told.
 * Whatever it suggests is checked: a point of the space, none twice, and all of a finite space. A fault fails
 * the test. */

struct objective {
    const char *name;
    double (*value)(const struct space *space, const double *point, uint64_t trial);
};

enum { N_OBJECTIVES = 7 };
extern const struct objective objectives[N_OBJECTIVES]; /* the first one is smooth */

/* A search that is told nothing does the same whatever the values are: 1. */
int n_objectives(const struct search_type *type);

/* Sanitizers make the models ten times slower: what says nothing about memory is there done in less. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

struct run {
    const struct search_type *type;
    const char *name;   /* of the space */
    double cardinality; /* INFINITY: no end */
    const struct objective *objective;
    struct space *space;
    struct search *search;
    size_t n;       /* trials */
    double *points; /* [n][n_params] */
    struct keyset seen;
};

struct search *open_search(const struct search_type *type, const struct space *space, uint64_t seed);

/* For at most n_max trials. */
void run_init(struct run *run, const struct search_type *type, const struct test_space *kind,
              const struct objective *objective, size_t n_max);
/* The same in any space, which it takes. */
void run_init_in(struct run *run, const struct search_type *type, struct space *space, const char *name,
                 double cardinality, const struct objective *objective, size_t n_max);
void run_fini(struct run *run);

double *point_of(const struct run *run, uint64_t trial);
/* The next suggestion, checked; false: exhausted. */
bool suggest(struct run *run);
/* The same by another search: a point from elsewhere, which may be a repeat. */
bool suggest_by(struct run *run, struct search *other);
void tell(struct search *search, const struct observation *observation);
/* A partial value, then the end; every seventh trial fails. */
void finish(struct run *run, struct search *search, uint64_t trial);
/* n trials, each told before the next is asked for. */
void run_trials(struct run *run, size_t n);

/* Runs the tests that `fill` adds for each search type number i with i % argv[2] == argv[1]; without
 * arguments, for all. So several processes share the registry, and a new plug-in is in one of them. */
int run_shard(int argc, char **argv, const char *name, void (*fill)(TCase *tcase, int type));

#endif
