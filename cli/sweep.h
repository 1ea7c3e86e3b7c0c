#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include "cli/command.h"
#include "core/faults.h"
#include "core/spec.h"

/* A sweep file as a command is given it, with what --set and --workers change of it. */
struct sweep {
    struct spec *spec; /* NULL if there are faults */
    char *source;      /* the file as it is */
    char *submission;  /* what a driver is sent: the source, or canonical JSON if anything was changed */
    char *directory;   /* the file's own, absolute */
    struct faults faults;
};

/* Reads and checks it all, plug-ins too; nothing is created. `workers` 0: as in the file. Returns 0;
 * ERR_INVALID with faults in sweep->faults, or with a text for a --set that is none; ERR_NOT_FOUND, ERR_IO,
 * ERR_NOMEM with a text. sweep_fini is due in every case. */
int sweep_read(struct sweep *sweep, const char *path, const struct cli_list *sets, int64_t workers,
               struct err *err);
void sweep_fini(struct sweep *sweep);

/* The same for a command: what is wrong goes to stderr in the compiler's form. `trains`: the file must say
 * what to run. Returns an enum cli_status. */
int sweep_open(struct sweep *sweep, const struct cli_call *call, const char *path,
               const struct cli_list *sets, int64_t workers, bool trains);

#endif
