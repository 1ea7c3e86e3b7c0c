#ifndef CORE_FAULTS_H
#define CORE_FAULTS_H

#include <stddef.h>

#include "core/text.h"

/* Everything that is wrong with a user's file, collected so that it can be said at one time. */
struct fault {
    unsigned line, column; /* from 1; 0: unknown */
    char *text;
};

struct faults {
    size_t n, capacity;
    struct fault *list;
    /* Of a spec: so many of them are about one setting each, the rest about several together. */
    size_t n_alone;
    int failed; /* 0 or ERR_NOMEM */
};

void faults_fini(struct faults *faults);
void faults_add(struct faults *faults, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Writes "file:line:column: error: text" lines, in the order of the file; of none (NULL or "") the texts
 * alone. */
void faults_write(struct text *out, struct faults *faults, const char *file);

/* Looks for the name that the user may have meant by `word` among names offered one by one: the one that
 * other tools call so (low for min), or else the nearest in spelling. */
struct nearest {
    const char *word;
    const char *name; /* lent: the nearest so far; NULL: none is near */
    unsigned limit;   /* only a name that is nearer than this counts */
};
struct nearest nearest_begin(const char *word);
void nearest_offer(struct nearest *nearest, const char *name);

/* Of `n` names the one that the user may have meant by `word` (Damerau-Levenshtein distance, at most a third
 * of its length); NULL if none is near. Lends. */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
