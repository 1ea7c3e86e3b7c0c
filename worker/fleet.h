#ifndef WORKER_FLEET_H
#define WORKER_FLEET_H

#include <stdbool.h>

#include "core/err.h"
#include "worker/mpi_module.h"

/* The fleet: workers that were started together by mpirun, so that some of them can join in a communicator. A
 * process is in one or in none. */

/* Was this process started by mpirun (or srun with PMIx)? */
bool fleet_is_here(void);
/* Could this prova have fleets at all? If not, *err says why. */
bool fleet_is_possible(struct err *err);
/* Loads the module and joins the others, all of which must do so too. ERR_UNSUPPORTED where this prova was
 * built without MPI, or the module is not found. For the main thread, before any other. */
int fleet_open(struct err *err);
void fleet_close(void);
bool fleet_is_open(void);

/* Once open: */
const struct mpi_module *fleet_module(void);
int fleet_rank(void);         /* of this process among all of the fleet */
const char *fleet_name(void); /* the same in all of it, and in no other; "" in none */

#endif
