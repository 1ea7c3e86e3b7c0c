/* The fleet that this process belongs to: state of the process, as MPI itself is. */
#include "worker/fleet.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"

static struct {
    const struct mpi_module *module; /* NULL: not open */
    int rank;
    char name[ID_TEXT_SIZE];
} fleet;

bool fleet_is_here(void)
{
    return getenv("OMPI_COMM_WORLD_RANK") || getenv("PMI_RANK") || getenv("PMIX_RANK");
}

/* By its bare name: found by the run path of whoever is linked with this file. Global, since Open MPI's own
 * plug-ins look for its symbols. */
static const struct mpi_module *load(struct err *err)
{
    void *library = dlopen(MPI_MODULE_FILE, RTLD_NOW | RTLD_GLOBAL);
    const struct mpi_module *module = library ? dlsym(library, MPI_MODULE_SYMBOL) : NULL;
    if (!library)
        (void)err_set(err, ERR_UNSUPPORTED, "this prova was built without MPI: %s", dlerror());
    else if (!module || module->version != MPI_MODULE_VERSION)
        (void)err_set(err, ERR_VERSION, "%s is of another version of prova", MPI_MODULE_FILE);
    return module && module->version == MPI_MODULE_VERSION ? module : NULL; /* it stays loaded */
}

bool fleet_is_possible(struct err *err)
{
    return load(err) != NULL;
}

int fleet_open(struct err *err)
{
    char error[256] = "";
    const struct mpi_module *module = load(err);
    if (!module)
        return err ? err->code : ERR_UNSUPPORTED;
    (void)id_format(id_new(), fleet.name);
    if (module->open(&fleet.rank, fleet.name, sizeof fleet.name, error, sizeof error))
        return err_set(err, ERR_IO, "%s", error);
    fleet.name[sizeof fleet.name - 1] = '\0';
    fleet.module = module;
    return ERR_OK;
}

void fleet_close(void)
{
    if (fleet.module)
        fleet.module->close();
    memset(&fleet, 0, sizeof fleet);
}

bool fleet_is_open(void)
{
    return fleet.module != NULL;
}

const struct mpi_module *fleet_module(void)
{
    return fleet.module;
}

int fleet_rank(void)
{
    return fleet.rank;
}

const char *fleet_name(void)
{
    return fleet.module ? fleet.name : "";
}
