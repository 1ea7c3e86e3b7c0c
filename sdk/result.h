#ifndef SDK_RESULT_H
#define SDK_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "core/spec.h"
#include "core/wire.h"
#include "sdk/prova.h"

/* What prova_lagom returns: how an experiment stands. Made from STATUS messages alone, so it says only what
 * is on disk. */

/* An empty one: code 0, no trials. NULL when out of memory. */
prova_result *result_create(void);
/* Which experiment it is about. Takes `spec`, whose space gives the best point its names. */
void result_set_experiment(prova_result *result, struct id id, struct spec *spec);
/* The numbers and the best point of a STATUS. Copies. Returns 0 or ERR_NOMEM. */
int result_update(prova_result *result, const struct wire_status *status);
/* The same for one trial that ran alone: its end and value (NaN: none). */
int result_set_single(prova_result *result, int64_t trial, const double *point, enum trial_state end,
                      double value);
/* Is it about an ablation study? Then its report is part of the document "show" of the database
 * (driver/store_query.h). Returns 0, ERR_NOMEM, or ERR_INVALID for a document without. */
bool result_is_study(const prova_result *result);
int result_set_components(prova_result *result, const char *show);
/* What the search makes of it, in words. Takes `text`, which free() frees; NULL: nothing. */
void result_explain(prova_result *result, char *text);
/* It could not produce a result, or not all of it: the first reason counts. */
void result_fail(prova_result *result, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
