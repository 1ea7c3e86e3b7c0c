/* Starting a fleet, and hearing what mpirun says when it ends. */
#include "cli/mpirun.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/fleet.h"

extern char **environ;

static bool is_on_path(const char *program)
{
    const char *path = getenv("PATH");
    char place[4096];
    while (path && *path) {
        size_t length = strcspn(path, ":");
        (void)snprintf(place, sizeof place, "%.*s/%s", (int)length, path, program); /* or it is not there */
        if (!access(place, X_OK))
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

int mpirun_prepare(struct err *err)
{
    if (!fleet_is_possible(err))
        return ERR_UNSUPPORTED;
    if (!is_on_path("mpirun"))
        return err_set(err, ERR_NOT_FOUND,
                       "runtime mpi needs the command 'mpirun', which is not on the PATH");
    if (geteuid() == 0) {
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0); /* out of memory: mpirun says what is missing */
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
    return 0;
}

int mpirun_start(struct process *process, const char *endpoint, struct id experiment, int64_t n_workers,
                 struct err *err)
{
    char n[24], self[4096], id[ID_TEXT_SIZE], driver[128];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0)
        return err_set(err, ERR_IO, "cannot find this program: %s", strerror(errno));
    self[size] = '\0';
    (void)snprintf(n, sizeof n, "%" PRId64, n_workers);
    (void)snprintf(driver, sizeof driver, "%s", endpoint); /* a path that fits into a socket's address */
    id_format(experiment, id);
    const char *argv[] = {
        "mpirun", "-n",           n,  "--oversubscribe",    "--bind-to",   "none", self, "worker", "--driver",
        driver,   "--experiment", id, "--ends-with-parent", "--log-level", "warn", NULL};
    struct process_setup setup = {
        .argv = (char *const *)(uintptr_t)argv, .envp = environ, .death_signal = SIGTERM};
    return process_start(process, &setup, err);
}

void mpirun_listen(struct mpirun_words *words, const char *line)
{
    bool is_ruler = strncmp(line, "----", 4) == 0;
    words->is_ruled = words->is_ruled || is_ruler;
    if (is_ruler || line[strspn(line, " \t")] == '\0')
        return;
    if (words->is_ruled)
        words->n = 0;
    words->is_ruled = false;
    (void)snprintf(words->lines[words->n++ % MPIRUN_N_WORDS], MPIRUN_MAX_WORDS, "%s", line); /* or cut */
}

void mpirun_last_words(char *out, size_t size, const struct mpirun_words *words)
{
    size_t used = 0;
    *out = '\0';
    for (size_t i = words->n < MPIRUN_N_WORDS ? 0 : words->n - MPIRUN_N_WORDS; i < words->n && used < size;
         i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "",
                                 words->lines[i % MPIRUN_N_WORDS]);
}
