/* Runtime mpi, of a build without MPI: says so. */
#include "worker/runtime.h"

static int enter(const struct prova_trial *trial, struct err *err)
{
    (void)trial;
    return err_set(err, ERR_UNSUPPORTED, "this prova was built without MPI");
}

static void leave(void)
{
}

const struct runtime_type runtime_mpi = {.name = "mpi", .enter = enter, .leave = leave};
