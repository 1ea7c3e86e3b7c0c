#ifndef TESTS_OPTIMIZERS_SPACES_H
#define TESTS_OPTIMIZERS_SPACES_H

#include <stddef.h>

#include "core/space.h"

/* Spaces of all kinds, for suites that loop over them. */
struct test_space {
    const char *name;
    void (*fill)(struct space *space);
    double cardinality; /* INFINITY: no end */
};

extern const struct test_space test_spaces[];
extern const size_t n_test_spaces;

/* Builds it; the caller destroys it. */
struct space *test_space_create(const struct test_space *kind);
struct space *test_space_named(const char *name);

/* Building blocks; a fault in them fails the test. Return the parameter's index. */
size_t add_double(struct space *space, const char *name, double min, double max, enum param_scale scale);
size_t add_int(struct space *space, const char *name, double min, double max, enum param_scale scale);
size_t add_categorical(struct space *space, const char *name, size_t n);
size_t add_discrete(struct space *space, const char *name, const double *values, size_t n);
size_t add_constant(struct space *space, const char *name);
void set_default(struct space *space, size_t param, double value);
void set_step(struct space *space, size_t param, double step);
/* The parameter is active only while `parent` has one of n values. */
void set_when(struct space *space, size_t param, size_t parent, const double *values, size_t n);

#endif
