/* Runtime mpi: the workers are one fleet, started by mpirun, and the members of a gang get a communicator of
 * their own. What stands for a member's port is its rank in the fleet, counted from 1. */
#include <stdlib.h>
#include <string.h>

#include "worker/fleet.h"
#include "worker/runtime.h"

static int enter(const struct prova_trial *trial, struct err *err)
{
    const struct handle_gang *gang = trial->gang;
    char error[256] = "";
    if (!fleet_is_open())
        return err_set(err, ERR_UNSUPPORTED, "runtime mpi needs workers that mpirun has started");
    int *ranks = calloc((size_t)gang->world, sizeof *ranks);
    if (!ranks)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    for (uint64_t i = 0; i < gang->world; i++)
        ranks[i] = atoi(strrchr(gang->addresses[i], ':') + 1) - 1;
    int code = fleet_module()->enter(ranks, (int)gang->world, gang->number, error, sizeof error);
    free(ranks);
    return code ? err_set(err, ERR_IO, "%s", error) : ERR_OK;
}

static void leave(void)
{
    fleet_module()->leave();
}

static int allreduce_sum(double *x, size_t n, struct err *err)
{
    char error[256] = "";
    return fleet_module()->allreduce_sum(x, n, error, sizeof error) ? err_set(err, ERR_IO, "%s", error)
                                                                    : ERR_OK;
}

static int broadcast(void *data, size_t size, struct err *err)
{
    char error[256] = "";
    return fleet_module()->broadcast(data, size, error, sizeof error) ? err_set(err, ERR_IO, "%s", error)
                                                                      : ERR_OK;
}

static const void *communicator(void)
{
    return fleet_module()->communicator();
}

const struct runtime_type runtime_mpi = {
    .name = "mpi",
    .enter = enter,
    .leave = leave,
    .allreduce_sum = allreduce_sum,
    .broadcast = broadcast,
    .communicator = communicator,
};
