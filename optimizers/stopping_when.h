#ifndef OPTIMIZERS_STOPPING_WHEN_H
#define OPTIMIZERS_STOPPING_WHEN_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/options.h"
#include "core/trial.h"

/* When a rule that compares a trial with completed ones is to look at it: options that several have. */
struct stopping_when {
    int64_t min_trials, min_steps, interval;
};

/* Their rows in the option table of a rule whose options have them as member `when`. */
/* clang-format off */
#define STOPPING_WHEN_OPTIONS(options, initial_min_trials)                            \
    {.name = "min_trials",                                                            \
     .type = OPTION_INT,                                                              \
     .offset = offsetof(options, when.min_trials),                                    \
     .min = 1,                                                                        \
     .max = INFINITY,                                                                 \
     .initial = (initial_min_trials),                                                 \
     .help = "completed trials to compare with before any is stopped"},               \
    {.name = "min_steps",                                                             \
     .type = OPTION_INT,                                                              \
     .offset = offsetof(options, when.min_steps),                                     \
     .min = 0,                                                                        \
     .max = INFINITY,                                                                 \
     .initial = 0,                                                                    \
     .help = "no trial is stopped before it reports this step"},                      \
    {.name = "interval",                                                              \
     .type = OPTION_INT,                                                              \
     .offset = offsetof(options, when.interval),                                      \
     .min = 1,                                                                        \
     .max = INFINITY,                                                                 \
     .initial = 1,                                                                    \
     .help = "a trial is looked at once in so many steps, counted from min_steps"}
/* clang-format on */

/* Is the last report of a curve to be looked at? True for the first one in each interval, so steps need not
 * be multiples of anything. */
bool stopping_is_due(const struct stopping_when *when, const struct curve *curve);

#endif
