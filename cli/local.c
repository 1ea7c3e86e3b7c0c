/* A driver on a thread and a worker process. The order matters:
 *   fork the worker -> open the database and bind -> start the driver's thread -> (submit) -> let the worker
 * go; at the end: worker first (the driver still takes what it has to say), then the driver. A fleet is
 * started only when it is let go, by mpirun, which this process may do beside its threads, and do again. */
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

#include "cli/mpirun.h"
#include "driver/server.h"
#include "worker/worker.h"

struct local {
    char directory[64], socket[80], endpoint[96];
    struct local_setup setup;
    pid_t worker; /* its process, or mpirun; -1: none */
    int worker_fd, go_fd, output_fd, driver_fd;
    struct server *server;
    pthread_t thread;
    bool has_thread;
    struct mpirun_words words; /* of the fleet */
    int driver_code;           /* once driver_fd is readable */
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
    local->setup = *setup;
    local->worker = -1;
    local->worker_fd = local->go_fd = local->output_fd = local->driver_fd = -1;
    int code = setup->is_fleet ? mpirun_prepare(err) : 0;
    if (!code)
        code = make_endpoint(local, err);
    if (!code && !setup->is_fleet)
        code = fork_worker(local, setup, err);
    if (!code)
        code = start_driver(local, setup, err);
    if (code)
        local_destroy(local);
    else
        *out = local;
    return code;
}

static int start_fleet(struct local *local, struct err *err)
{
    struct process process;
    int code = mpirun_start(&process, local->endpoint, local->setup.experiment, local->setup.n_workers, err);
    local->words = (struct mpirun_words){0};
    if (code)
        return code;
    local->worker = process.pid;
    local->worker_fd = process.pid_fd;
    local->output_fd = process.output_fd;
    return 0;
}

int local_release(struct local *local, struct err *err)
{
    if (local->setup.is_fleet)
        return start_fleet(local, err);
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

static int describe_fleet_end(const struct local *local, int status, struct err *err)
{
    char words[MPIRUN_N_WORDS * MPIRUN_MAX_WORDS];
    mpirun_last_words(words, sizeof words, &local->words);
    return err_set(err, ERR_CLOSED, "mpirun ended with status %d%s%s", status, *words ? ": " : "", words);
}

int local_worker_end(struct local *local, struct err *err)
{
    int status = 0;
    local_read_output(local);
    if (local->worker > 0 && waitpid(local->worker, &status, 0) == local->worker)
        local->worker = -1;
    const char *who = local->setup.is_fleet ? "mpirun" : "the worker process";
    if (WIFSIGNALED(status))
        return err_set(err, ERR_CLOSED, "%s was killed by signal %d (%s)", who, WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    if (status && local->setup.is_fleet)
        return describe_fleet_end(local, WEXITSTATUS(status), err);
    return status ? err_set(err, ERR_CLOSED, "the worker process could not go on") : 0;
}

int local_replace_workers(struct local *local, const char *why, struct err *err)
{
    if (!local->setup.is_fleet)
        return err_set(err, ERR_UNSUPPORTED, "%s", why);
    close_fd(&local->worker_fd);
    close_fd(&local->output_fd);
    local->line_size = 0; /* of a line without end */
    server_workers_ended(local->server, why);
    return start_fleet(local, err);
}

int local_driver_fd(const struct local *local)
{
    return local->driver_fd;
}

static void take_line(struct local *local, const char *line)
{
    if (local->setup.is_fleet)
        mpirun_listen(&local->words, line);
    local->setup.line(local->setup.line_arg, line);
}

/* Hands out the whole lines of the buffer; a line that fills it counts as whole. */
static void split_lines(struct local *local)
{
    char *begin = local->line, *newline;
    local->line[local->line_size] = '\0';
    while ((newline = memchr(begin, '\n', local->line_size - (size_t)(begin - local->line)))) {
        *newline = '\0';
        take_line(local, begin);
        begin = newline + 1;
    }
    local->line_size -= (size_t)(begin - local->line);
    memmove(local->line, begin, local->line_size);
    if (local->line_size == sizeof local->line - 1) {
        local->line[local->line_size] = '\0';
        take_line(local, local->line);
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
