#ifndef DRIVER_STORE_NAMES_H
#define DRIVER_STORE_NAMES_H

#include "core/id.h"
#include "core/spec.h"
#include "driver/store_db.h"

/* What repeats in every row is kept once, in a table of its own, and stands there as a small number: workers
 * and metrics. And the sweeps of the experiments, which give trials their parameters' names. For the thread
 * of the connection alone. */

struct names;

/* Borrows the connection. */
int names_create(struct names **names, sqlite3 *db, struct err *err);
void names_destroy(struct names *names);

/* workers.key of a worker, which is added if it is new. Its host is kept once it is known (NULL or "": not
 * yet). */
int names_worker(int64_t *key, struct names *names, struct id worker, const char *host, struct err *err);
/* The sweep of an experiment, lent; from `spec_json` if the experiment is new (its objective becomes metric
 * 0), else from the database. With spec_json NULL, ERR_NOT_FOUND if the database has it no more. */
int names_spec(const struct spec **spec, struct names *names, int64_t experiment, const char *spec_json,
               struct err *err);
/* The number of a metric of an experiment, which is added if it is new. */
int names_metric(int64_t *metric, struct names *names, int64_t experiment, const char *name, size_t size,
                 struct err *err);

#endif
