/* The module libprova_mpi.so: see worker/mpi_module.h. */
#include "worker/mpi_module.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>

static MPI_Comm gang = MPI_COMM_NULL;

static int describe(int code, const char *what, char *error, size_t capacity)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int size = 0;
    if (code == MPI_SUCCESS)
        return 0;
    (void)MPI_Error_string(code, text, &size);
    (void)snprintf(error, capacity, "%s: %s", what, text);
    return -1;
}

static int open_world(int *rank, char *name, size_t size, char *error, size_t capacity)
{
    /* Calls come from one thread at a time, the function's; a thread of ours runs beside it. */
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &(int){0});
    if (code == MPI_SUCCESS)
        code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
    if (code == MPI_SUCCESS)
        code = MPI_Bcast(name, (int)size, MPI_CHAR, 0, MPI_COMM_WORLD);
    return describe(code, "MPI_Init", error, capacity);
}

static void close_world(void)
{
    (void)MPI_Finalize(); /* nothing is left to be done about it */
}

static int enter(const int *ranks, int n, uint64_t number, char *error, size_t capacity)
{
    MPI_Group world, members;
    (void)MPI_Comm_group(MPI_COMM_WORLD, &world); /* local */
    int code = MPI_Group_incl(world, n, ranks, &members);
    (void)MPI_Group_free(&world);
    if (code != MPI_SUCCESS)
        return describe(code, "MPI_Group_incl", error, capacity);
    /* Tags up to 32767 are always allowed; only gangs with the same first member must differ in it. */
    code = MPI_Comm_create_group(MPI_COMM_WORLD, members, (int)(number % 32768), &gang);
    (void)MPI_Group_free(&members);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_set_errhandler(gang, MPI_ERRORS_RETURN);
    return describe(code, "MPI_Comm_create_group", error, capacity);
}

static void leave(void)
{
    if (gang != MPI_COMM_NULL)
        (void)MPI_Comm_free(&gang); /* its members are done with it */
}

/* Counts of MPI are ints. */
static int allreduce_sum(double *x, size_t n, char *error, size_t capacity)
{
    int code = MPI_SUCCESS;
    for (size_t done = 0; done < n && code == MPI_SUCCESS;) {
        int part = n - done < INT_MAX ? (int)(n - done) : INT_MAX;
        code = MPI_Allreduce(MPI_IN_PLACE, x + done, part, MPI_DOUBLE, MPI_SUM, gang);
        done += (size_t)part;
    }
    return describe(code, "MPI_Allreduce", error, capacity);
}

static int broadcast(void *data, size_t size, char *error, size_t capacity)
{
    int code = MPI_SUCCESS;
    for (size_t done = 0; done < size && code == MPI_SUCCESS;) {
        int part = size - done < INT_MAX ? (int)(size - done) : INT_MAX;
        code = MPI_Bcast((char *)data + done, part, MPI_BYTE, 0, gang);
        done += (size_t)part;
    }
    return describe(code, "MPI_Bcast", error, capacity);
}

static const void *communicator(void)
{
    return &gang;
}

extern const struct mpi_module prova_mpi_module;

__attribute__((visibility("default"))) const struct mpi_module prova_mpi_module = {
    .version = MPI_MODULE_VERSION,
    .open = open_world,
    .close = close_world,
    .enter = enter,
    .leave = leave,
    .allreduce_sum = allreduce_sum,
    .broadcast = broadcast,
    .communicator = communicator,
};
