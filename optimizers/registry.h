#ifndef OPTIMIZERS_REGISTRY_H
#define OPTIMIZERS_REGISTRY_H

#include <stddef.h>

#include "core/spec.h"
#include "optimizers/schedule.h"
#include "optimizers/search.h"
#include "optimizers/stopping.h"

/* Every search, schedule and stopping rule, one line each in registry.c. */
extern const struct search_type *const search_types[];
extern const size_t n_search_types;
extern const struct schedule_type *const schedule_types[];
extern const size_t n_schedule_types;
extern const struct stopping_type *const stopping_types[];
extern const size_t n_stopping_types;

/* By name; NULL: none. */
const struct search_type *search_type_find(const char *name);
const struct schedule_type *schedule_type_find(const char *name);
const struct stopping_type *stopping_type_find(const char *name);

/* Checks the user's choices of a spec against the tables: unknown plug-ins and options, wrong types, values
 * out of range; and, by creating each for a moment, whatever it refuses of this space. Faults at their
 * places. Returns how many were added. */
size_t registry_check(const struct spec *spec, struct faults *faults);

/* Appends what the spec's search says of itself (search_explain); nothing, if it has nothing to say. */
void registry_explain_search(struct text *out, const struct spec *spec);

#endif
