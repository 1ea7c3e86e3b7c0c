/* A driver on a thread and a worker process. The order matters:
 *   fork the worker -> open the database and bind -> start the driver's thread -> (submit) -> let the worker
 * go; at the end: worker first (the driver still takes what it has to say), then the driver. */
#include "cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/server.h"
#include "worker/worker.h"

struct local {
    char directory[64], socket[80], endpoint[96];
    pid_t worker;
    int worker_fd, go_fd, output_fd, driver_fd;
    struct server *server;
    pthread_t thread;
    bool has_thread;
    void (*take_line)(void *arg, const char *text);
    void *line_arg;
    int driver_code; /* once driver_fd is readable */
    struct err driver_err;
    char line[4096]; /* of the workers' output, not whole yet */
    size_t line_size;
};

static int make_endpoint(struct local *local, struct err *err)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    /* A Unix socket's path has 107 bytes at most. */
    if (!base || !*base || strlen(base) > 40 || access(base, W_OK))
        base = "/tmp";
    (void)snprintf(local->directory, sizeof local->directory, "%s/prova-XXXXXX", base); /* fits */
    if (!mkdtemp(local->directory)) {                                                   /* 0700 */
        local->directory[0] = '\0';
        return err_set(err, ERR_IO, "cannot make a directory in %s: %s", base, strerror(errno));
    }
    (void)snprintf(local->socket, sizeof local->socket, "%s/driver", local->directory);
    (void)snprintf(local->endpoint, sizeof local->endpoint, "ipc://%s", local->socket);
    return 0;
}

/* The worker processes as one fleet of mpirun, which takes the place of this process. What this host has of
 * cores is no matter: the user has said how many workers. mpirun refuses root unless it is told twice. */
static void be_fleet(const struct local *local, const struct local_setup *setup)
{
    char n[16], self[4096], experiment[ID_TEXT_SIZE];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0)
        _exit(1);
    self[size] = '\0';
    (void)snprintf(n, sizeof n, "%lld", (long long)setup->n_workers);
    if (geteuid() == 0) {
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0); /* out of memory: it says what is missing */
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
    execlp("mpirun", "mpirun", "-n", n, "--oversubscribe", "--bind-to", "none", self, "worker", "--driver",
           local->endpoint, "--experiment", id_format(setup->experiment, experiment), "--ends-with-parent",
           "--log-level", "warn", (char *)NULL);
    (void)fprintf(stderr, "cannot start mpirun, which runtime mpi needs: %s\n", strerror(errno));
    _exit(1);
}

/* The worker process: never returns. */
static void be_worker(const struct local *local, const struct local_setup *setup, int go_fd, int output_fd)
{
    (void)setpgid(0, 0); /* a process that was just forked may always */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(output_fd, 1);
    (void)dup2(output_fd, 2);
    char go;
    if (read(go_fd, &go, 1) != 1)
        _exit(0); /* the driver did not come up */
    (void)close(go_fd);
    if (setup->is_fleet)
        be_fleet(local, setup);
    struct worker_setup worker = {
        .driver = local->endpoint,
        .n_slots = (int)setup->n_workers,
        .experiment = setup->experiment,
        .ends_with_parent = true,
        .quiet = true,
    };
    struct err err = {0};
    int code = worker_run(&worker, &err);
    if (code && code != ERR_INTERRUPTED)
        (void)fprintf(stderr, "the worker ended: %s\n", err.text);
    _exit(code ? 1 : 0);
}

static int fork_worker(struct local *local, const struct local_setup *setup, struct err *err)
{
    int go[2], output[2];
    if (pipe2(go, O_CLOEXEC))
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(output, O_CLOEXEC)) {
        (void)close(go[0]);
        (void)close(go[1]);
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    local->go_fd = go[1];
    local->output_fd = output[0];
    (void)fcntl(output[0], F_SETFL, O_NONBLOCK); /* cannot fail on a pipe of our own */
    (void)fflush(NULL);
    local->worker = fork();
    if (local->worker == 0) {
        (void)close(go[1]);
        (void)close(output[0]);
        be_worker(local, setup, go[0], output[1]);
    }
    (void)close(go[0]);
    (void)close(output[1]);
    if (local->worker > 0)
        local->worker_fd = pidfd_open(local->worker, 0);
    if (local->worker < 0 || local->worker_fd < 0)
        return err_set(err, ERR_IO, "cannot start the worker: %s", strerror(errno));
    return 0;
}

static void *serve(void *arg)
{
    struct local *local = arg;
    local->driver_code = server_run(local->server, &local->driver_err);
    (void)eventfd_write(local->driver_fd, 1); /* cannot overflow */
    return NULL;
}

static int start_driver(struct local *local, const struct local_setup *setup, struct err *err)
{
    struct server_setup server = {.endpoint = local->endpoint,
                                  .database = setup->database,
                                  .only = setup->experiment,
                                  .starts_alone = true};
    int code = server_create(&local->server, &server, err);
    if (code)
        return code;
    local->driver_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (local->driver_fd < 0)
        return err_set(err, ERR_IO, "cannot make an event: %s", strerror(errno));
    int failed = pthread_create(&local->thread, NULL, serve, local);
    if (failed)
        return err_set(err, ERR_IO, "cannot start the driver's thread: %s", strerror(failed));
    local->has_thread = true;
    return 0;
}

int local_start(struct local **out, const struct local_setup *setup, struct err *err)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return err_set(err, ERR_NOMEM, "out of memory");
    local->take_line = setup->line;
    local->line_arg = setup->line_arg;
    local->worker = -1;
    local->worker_fd = local->go_fd = local->output_fd = local->driver_fd = -1;
    int code = make_endpoint(local, err);
    if (!code)
        code = fork_worker(local, setup, err);
    if (!code)
        code = start_driver(local, setup, err);
    if (code)
        local_destroy(local);
    else
        *out = local;
    return code;
}

int local_release(struct local *local, struct err *err)
{
    if (write(local->go_fd, "g", 1) != 1)
        return err_set(err, ERR_IO, "cannot let the worker go: %s", strerror(errno));
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void end_worker(struct local *local)
{
    if (local->worker <= 0)
        return;
    close_fd(&local->go_fd);
    (void)kill(local->worker, SIGTERM);
    struct pollfd fds[2] = {{.fd = local->worker_fd, .events = POLLIN}};
    do { /* a worker that waits for room in its pipe would never end */
        fds[1] = (struct pollfd){.fd = local->output_fd, .events = POLLIN};
        local_read_output(local);
        (void)poll(fds, 2, -1); /* a signal is as good as an event here */
    } while (local->worker_fd >= 0 && !(fds[0].revents & POLLIN));
    local_read_output(local);
    while (waitpid(local->worker, NULL, 0) < 0 && errno == EINTR)
        ;
    local->worker = -1;
}

static void end_driver(struct local *local)
{
    if (!local->has_thread)
        return;
    server_stop(local->server);
    (void)pthread_join(local->thread, NULL); /* our own, joined once */
    local->has_thread = false;
}

int local_stop(struct local *local, struct err *err)
{
    end_worker(local);
    end_driver(local);
    server_destroy(local->server);
    local->server = NULL;
    if (local->driver_code && err)
        *err = local->driver_err;
    return local->driver_code;
}

void local_destroy(struct local *local)
{
    if (!local)
        return;
    end_worker(local);
    end_driver(local);
    server_destroy(local->server);
    close_fd(&local->worker_fd);
    close_fd(&local->go_fd);
    close_fd(&local->output_fd);
    close_fd(&local->driver_fd);
    if (local->directory[0]) {
        (void)unlink(local->socket); /* the server may have removed it */
        (void)rmdir(local->directory);
    }
    free(local);
}

void local_abandon(const struct local *local)
{
    if (local->worker > 0)
        (void)kill(local->worker, SIGTERM);
    (void)unlink(local->socket);
    (void)rmdir(local->directory);
}

const char *local_endpoint(const struct local *local)
{
    return local->endpoint;
}

int local_output_fd(const struct local *local)
{
    return local->output_fd;
}

int local_worker_fd(const struct local *local)
{
    return local->worker_fd;
}

int local_worker_end(struct local *local, struct err *err)
{
    int status = 0;
    local_read_output(local);
    if (local->worker > 0 && waitpid(local->worker, &status, 0) == local->worker)
        local->worker = -1;
    if (WIFSIGNALED(status))
        return err_set(err, ERR_CLOSED, "the worker process was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    return status ? err_set(err, ERR_CLOSED, "the worker process could not go on") : 0;
}

int local_driver_fd(const struct local *local)
{
    return local->driver_fd;
}

/* Hands out the whole lines of the buffer; a line that fills it counts as whole. */
static void split_lines(struct local *local)
{
    char *begin = local->line, *newline;
    local->line[local->line_size] = '\0';
    while ((newline = memchr(begin, '\n', local->line_size - (size_t)(begin - local->line)))) {
        *newline = '\0';
        local->take_line(local->line_arg, begin);
        begin = newline + 1;
    }
    local->line_size -= (size_t)(begin - local->line);
    memmove(local->line, begin, local->line_size);
    if (local->line_size == sizeof local->line - 1) {
        local->line[local->line_size] = '\0';
        local->take_line(local->line_arg, local->line);
        local->line_size = 0;
    }
}

void local_read_output(struct local *local)
{
    while (local->output_fd >= 0) {
        ssize_t n =
            read(local->output_fd, local->line + local->line_size, sizeof local->line - 1 - local->line_size);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close_fd(&local->output_fd);
            return;
        }
        local->line_size += (size_t)n;
        split_lines(local);
    }
}
