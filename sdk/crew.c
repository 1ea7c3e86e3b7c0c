/* Starting, watching and ending the driver and the worker process of a prova_lagom. */
#include "sdk/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "sdk/command.h"
#include "sdk/spawn.h"

enum { MAX_RESTARTS = 5, DRIVER_END_MS = 10000 };

struct process {
    pid_t pid; /* 0: none, or it has ended */
    int fd;    /* readable once it has ended; -1: none */
    int status;
};

struct crew {
    struct crew_setup setup;
    char directory[64], socket[80], endpoint[96]; /* of a driver of its own */
    char database[PATH_MAX];
    char command[PATH_MAX]; /* the prova binary */
    struct process driver, worker;
    int epoll_fd, output_fd; /* what the driver writes; -1: it has closed it */
    bool is_listening, is_ending;
    int n_restarts;
    char line[1024]; /* of its output, not whole yet */
    size_t line_size;
    char last_words[200];
    struct err *worker_err; /* shared with the worker process, which fills it at its end */
    bool worker_has_ended;
};

/* Processes */

static int watch(struct crew *crew, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(crew->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* leaves the epoll set with it */
    *fd = -1;
}

/* Makes the end of a process that was just started readable. */
static int watch_process(struct crew *crew, struct process *process, pid_t pid, struct err *err)
{
    process->pid = pid;
    process->fd = pidfd_open(pid, 0);
    if (process->fd < 0 || watch(crew, process->fd))
        return err_set(err, ERR_IO, "cannot watch a process: %s", strerror(errno));
    return ERR_OK;
}

/* Waits for it and keeps its status; at once if its fd is readable. What trials have forked and left behind
 * ends with it: until it is waited for, the group is nobody else's. */
static void reap(struct process *process)
{
    siginfo_t info;
    while (process->pid && waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
        ;
    if (process->pid)
        (void)kill(-process->pid, SIGKILL); /* mostly there is nothing left */
    while (process->pid && waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
    close_fd(&process->fd);
}

static bool has_ended(const struct process *process)
{
    struct pollfd fd = {.fd = process->fd, .events = POLLIN};
    return process->pid && process->fd >= 0 && poll(&fd, 1, 0) > 0;
}

/* The driver */

static int make_endpoint(struct crew *crew, struct err *err)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    /* The path of a Unix socket has at most 107 bytes. */
    if (!base || !*base || strlen(base) > 40 || access(base, W_OK))
        base = "/tmp";
    (void)snprintf(crew->directory, sizeof crew->directory, "%s/prova-XXXXXX", base); /* fits */
    if (!mkdtemp(crew->directory)) {                                                  /* 0700 */
        crew->directory[0] = '\0';
        return err_set(err, ERR_IO, "cannot make a directory in %s: %s", base, strerror(errno));
    }
    (void)snprintf(crew->socket, sizeof crew->socket, "%s/driver", crew->directory);
    (void)snprintf(crew->endpoint, sizeof crew->endpoint, "ipc://%s", crew->socket);
    return ERR_OK;
}

static int spawn_driver(pid_t *pid, const struct crew *crew, int output)
{
    char id[ID_TEXT_SIZE];
    const char *argv[] = {"prova",
                          "driver",
                          "--listen",
                          crew->endpoint,
                          "--db",
                          crew->database,
                          "--log-level",
                          "warn",
                          "--ends-with-parent",
                          "--only",
                          id_format(crew->setup.experiment, id),
                          crew->n_restarts ? "--keeps-workers" : NULL, /* or it would take them for dead */
                          NULL};
    return spawn_program(pid, crew->command, argv, NULL, output);
}

static int start_driver(struct crew *crew, struct err *err)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC))
        return err_set(err, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    int failed = spawn_driver(&pid, crew, ends[1]);
    (void)close(ends[1]);
    close_fd(&crew->output_fd);
    crew->output_fd = ends[0];
    crew->line_size = 0;
    if (failed == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "the command 'prova' is not found: put it on the PATH, or its path into PROVA_BIN");
    if (failed)
        return err_set(err, ERR_IO, "cannot start %.150s: %s", crew->command, strerror(failed));
    int rc = watch_process(crew, &crew->driver, pid, err);
    if (rc == ERR_OK && (fcntl(ends[0], F_SETFL, O_NONBLOCK) || watch(crew, ends[0])))
        rc = err_set(err, ERR_IO, "cannot watch the driver: %s", strerror(errno));
    return rc;
}

static void take_line(struct crew *crew, const char *line)
{
    static const char listening[] = "listening at ";
    if (!strncmp(line, listening, sizeof listening - 1)) {
        crew->is_listening = true;
        return;
    }
    (void)snprintf(crew->last_words, sizeof crew->last_words, "%.199s", line); /* a long line is cut */
    if (crew->is_listening) /* before, its last words become the error */
        crew->setup.say(crew->setup.say_arg, line);
}

/* Hands out the whole lines of the buffer; a line that fills it counts as whole. */
static void split_lines(struct crew *crew)
{
    char *begin = crew->line, *end = crew->line + crew->line_size, *newline;
    while ((newline = memchr(begin, '\n', (size_t)(end - begin)))) {
        *newline = '\0';
        take_line(crew, begin);
        begin = newline + 1;
    }
    crew->line_size = (size_t)(end - begin);
    memmove(crew->line, begin, crew->line_size);
    if (crew->line_size == sizeof crew->line - 1) {
        crew->line[crew->line_size] = '\0';
        take_line(crew, crew->line);
        crew->line_size = 0;
    }
}

static void read_output(struct crew *crew)
{
    while (crew->output_fd >= 0) {
        ssize_t n =
            read(crew->output_fd, crew->line + crew->line_size, sizeof crew->line - 1 - crew->line_size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_fd(&crew->output_fd);
            return;
        }
        crew->line_size += (size_t)n;
        split_lines(crew);
    }
}

/* What an ended driver leaves to say. */
static int describe_driver_end(const struct crew *crew, struct err *err)
{
    int status = crew->driver.status;
    if (WIFSIGNALED(status))
        return err_set(err, ERR_CLOSED, "the driver was killed by signal %d (%s)%s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)), crew->n_restarts ? " again and again" : "");
    return err_set(err, ERR_CLOSED, "the driver has ended: %s",
                   crew->last_words[0] ? crew->last_words : "it does not say why");
}

static int take_driver_end(struct crew *crew, struct err *err)
{
    read_output(crew);
    reap(&crew->driver);
    if (crew->is_ending)
        return ERR_OK;
    if (!crew->is_listening || !WIFSIGNALED(crew->driver.status) || crew->n_restarts >= MAX_RESTARTS)
        return describe_driver_end(crew, err);
    crew->n_restarts++;
    char line[128];
    (void)snprintf(line, sizeof line, "prova: the driver was killed by signal %d and is started again",
                   WTERMSIG(crew->driver.status)); /* fits */
    crew->setup.say(crew->setup.say_arg, line);
    return start_driver(crew, err);
}

int crew_take(struct crew *crew, struct err *err)
{
    read_output(crew);
    if (has_ended(&crew->worker)) {
        reap(&crew->worker);
        crew->worker_has_ended = true;
    }
    return has_ended(&crew->driver) ? take_driver_end(crew, err) : ERR_OK;
}

int crew_await_driver(struct crew *crew, struct err *err)
{
    while (!crew->setup.endpoint && !crew->is_listening) {
        struct pollfd fds[] = {{.fd = crew->epoll_fd, .events = POLLIN},
                               {.fd = crew->setup.alarm_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "cannot wait for the driver: %s", strerror(errno));
        if (fds[1].revents)
            return err_set(err, ERR_INTERRUPTED, "interrupted");
        int rc = crew_take(crew, err);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static int start_own_driver(struct crew *crew, struct err *err)
{
    if (snprintf(crew->database, sizeof crew->database, "%s", crew->setup.database) >=
        (int)sizeof crew->database)
        return err_set(err, ERR_INVALID, "the database's path is too long");
    int rc = command_find(crew->command, err);
    if (rc == ERR_OK)
        rc = make_endpoint(crew, err);
    return rc == ERR_OK ? start_driver(crew, err) : rc;
}

int crew_start(struct crew **out, const struct crew_setup *setup, struct err *err)
{
    struct crew *crew = calloc(1, sizeof *crew);
    if (!crew)
        return err_set(err, ERR_NOMEM, "out of memory");
    crew->setup = *setup;
    crew->output_fd = crew->driver.fd = crew->worker.fd = -1;
    crew->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int rc =
        crew->epoll_fd < 0 ? err_set(err, ERR_IO, "cannot wait for events: %s", strerror(errno)) : ERR_OK;
    if (rc == ERR_OK && !setup->endpoint)
        rc = start_own_driver(crew, err);
    if (rc)
        crew_end(crew, true);
    else
        *out = crew;
    return rc;
}

const char *crew_endpoint(const struct crew *crew)
{
    return crew->setup.endpoint ? crew->setup.endpoint : crew->endpoint;
}

int crew_fd(const struct crew *crew)
{
    return crew->epoll_fd;
}

/* The worker */

/* The worker process: never returns. */
static void be_worker(struct crew *crew, int n_slots, worker_train_fn *train, void *arg)
{
    (void)setpgid(0, 0); /* a process that was just forked may always */
    close_fd(&crew->output_fd);
    close_fd(&crew->epoll_fd);
    close_fd(&crew->driver.fd);
    struct worker_setup setup = {.driver = crew_endpoint(crew),
                                 .n_slots = n_slots,
                                 .experiment = crew->setup.experiment,
                                 .train = train,
                                 .arg = arg,
                                 .ends_with_parent = true,
                                 .quiet = true};
    int rc = worker_run(&setup, crew->worker_err);
    crew->worker_err->code = rc;
    (void)fflush(NULL); /* what the function printed; _exit, because atexit handlers are the parent's */
    _exit(rc ? 1 : 0);
}

int crew_start_worker(struct crew *crew, int n_slots, worker_train_fn *train, void *arg, struct err *err)
{
    void *page =
        mmap(NULL, sizeof *crew->worker_err, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return err_set(err, ERR_NOMEM, "out of memory");
    crew->worker_err = page;
    (void)fflush(NULL); /* or the child would print it again */
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = fork();
    if (pid == 0) {
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGHUP, SIG_DFL);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        be_worker(crew, n_slots, train, arg);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err_set(err, ERR_IO, "cannot start the worker: %s", strerror(errno));
    (void)setpgid(pid, pid); /* here too: whoever comes first */
    return watch_process(crew, &crew->worker, pid, err);
}

int crew_start_program(struct crew *crew, const char *const *argv, struct err *err)
{
    char id[ID_TEXT_SIZE], experiment[ID_TEXT_SIZE + 20], parent[32];
    struct text endpoint = {0};
    text_printf(&endpoint, "PROVA_DRIVER=%s", crew_endpoint(crew));
    (void)snprintf(experiment, sizeof experiment, "PROVA_EXPERIMENT=%s",
                   id_format(crew->setup.experiment, id));
    (void)snprintf(parent, sizeof parent, "PROVA_PARENT=%ld", (long)getpid()); /* both fit */
    const char *settings[] = {text_get(&endpoint), "PROVA_ROLE=worker", experiment, parent, NULL};
    pid_t pid;
    int failed = endpoint.failed ? ENOMEM : spawn_program(&pid, argv[0], argv, settings, -1);
    text_fini(&endpoint);
    if (failed)
        return err_set(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot start the worker %.150s: %s",
                       argv[0], strerror(failed));
    return watch_process(crew, &crew->worker, pid, err);
}

bool crew_worker_ended(const struct crew *crew, struct err *err)
{
    if (!crew->worker_has_ended)
        return false;
    int status = crew->worker.status;
    if (WIFSIGNALED(status))
        err_set(err, ERR_CLOSED, "the worker process was killed by signal %d (%s)", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else if (status && !crew->worker_err)
        err_set(err, ERR_CLOSED, "the worker program has ended with exit status %d", WEXITSTATUS(status));
    else if (status)
        err_set(err, crew->worker_err->code ? crew->worker_err->code : ERR_CLOSED,
                "the worker process has ended: %s", crew->worker_err->text);
    else
        *err = (struct err){0};
    return true;
}

/* The end */

/* Waits until a process has ended, passing on what the driver says. False: the alarm, or time is over. */
static bool await_end(struct crew *crew, struct process *process, int timeout_ms)
{
    while (!has_ended(process)) {
        struct pollfd fds[] = {{.fd = process->fd, .events = POLLIN},
                               {.fd = crew->output_fd, .events = POLLIN},
                               {.fd = crew->setup.alarm_fd, .events = POLLIN}};
        int n = poll(fds, 3, timeout_ms);
        read_output(crew);
        if (n == 0 || (n > 0 && fds[2].revents))
            return has_ended(process);
    }
    return true;
}

static void end_process(struct crew *crew, struct process *process, int timeout_ms, bool at_once)
{
    if (!process->pid)
        return;
    (void)kill(process->pid, SIGTERM);
    if (at_once || !await_end(crew, process, timeout_ms))
        (void)kill(-process->pid, SIGKILL); /* its whole group */
    reap(process);
}

void crew_end(struct crew *crew, bool at_once)
{
    if (!crew)
        return;
    crew->is_ending = true;
    end_process(crew, &crew->worker, -1, at_once);
    end_process(crew, &crew->driver, DRIVER_END_MS, false);
    close_fd(&crew->output_fd);
    close_fd(&crew->epoll_fd);
    if (crew->worker_err)
        (void)munmap(crew->worker_err, sizeof *crew->worker_err);
    if (crew->directory[0]) {
        (void)unlink(crew->socket); /* the driver may have removed it */
        (void)rmdir(crew->directory);
    }
    free(crew);
}
