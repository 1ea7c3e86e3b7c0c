#ifndef OPTIMIZERS_GP_TRIALS_H
#define OPTIMIZERS_GP_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "optimizers/gp_kernel.h"
#include "optimizers/search.h"

/* What a Gaussian process has been told, one record a trial, and which of the records it is made of.
 *
 * A record is *known* once it has a value (of which the last one counts) or has failed. Whenever the number
 * of known records reaches a certain count, all of them are photographed, for the hyperparameters to be
 * fitted to: to what was known at that count, whenever the fit is made. So a search that is told the same
 * again comes to the same hyperparameters. The rows of the model are those of the photograph (or some of
 * them, if they are too many), then those that became known later, in that order. */
enum gp_status { GP_PENDING, GP_VALUED, GP_FAILED };

struct gp_trial {
    uint64_t trial;
    enum gp_status status;
    double value; /* NAN: none */
    double step;  /* INFINITY: unknown, so to the end */
};

struct gp_rank {
    double value;
    size_t record;
};

struct gp_trials {
    const struct gp_features *features;
    size_t n, capacity;
    struct gp_trial *list; /* [n] */
    double *units;         /* [n][n_dims] */
    double *features_of;   /* [n][F] the fidelity left out */
    size_t n_known, n_valued;
    double max_step; /* of those that are not INFINITY; 0: none */
    size_t next_fit; /* the count of known records for the next photograph */
    size_t n_rows;
    size_t *rows;          /* [n_rows] records */
    struct gp_rank *ranks; /* scratch */
    size_t n_photo;        /* rows that are of the photograph; 0: there is none yet */
    double *photo_values;  /* [n_photo] */
    double *photo_steps;   /* [n_photo] */
    double photo_max_step;
    uint64_t n_photos;    /* changes with each */
    uint64_t n_revisions; /* changes when a row's features do, which are other than they were in the factor */
    struct gp_trial_index *index;
};

/* Borrows features. Cannot fail. */
void gp_trials_init(struct gp_trials *trials, const struct gp_features *features);
void gp_trials_fini(struct gp_trials *trials);
/* Returns 0 or ERR_NOMEM (then nothing changes). */
int gp_trials_observe(struct gp_trials *trials, const struct observation *observation);
/* z[F] of a record that has come to `step` (or INFINITY), where `max_step` is the farthest. */
void gp_trials_encode(double *z, const struct gp_trials *trials, size_t record, double step, double max_step);

#endif
