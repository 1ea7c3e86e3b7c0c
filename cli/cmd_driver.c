/* prova driver: the server alone, until a signal. The signals are waited for on a thread of their own,
 * because the server's loop takes the main one. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/signals.h"
#include "core/log.h"
#include "core/text.h"
#include "driver/server.h"

struct driver_options {
    const char *listen, *db, *log_level, *endpoint_file, *only;
    bool insecure, ends_with_parent, keeps_workers;
    double heartbeat_s, lease_s;
};

static const struct driver_options initial = {
    .listen = CLI_DEFAULT_ENDPOINT, .db = CLI_DEFAULT_DB, .log_level = "info"};

struct watcher {
    struct server *server;
    int signal_fd, parent_fd; /* parent_fd -1: none */
};

static void *watch(void *arg)
{
    struct watcher *watcher = arg;
    struct pollfd fds[] = {{.fd = watcher->signal_fd, .events = POLLIN},
                           {.fd = watcher->parent_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    log_info("the driver ends reason=%s", fds[1].revents ? "parent_ended" : "signal");
    server_stop(watcher->server);
    return NULL;
}

/* Makes the end of the process that started this one readable. */
static int watch_parent(int *fd, pid_t parent, struct err *err)
{
    *fd = pidfd_open(parent, 0);
    if (*fd >= 0 && getppid() == parent)
        return 0;
    return err_set(err, ERR_CLOSED, "the process that started it has ended");
}

/* Written beside and renamed, so that a reader never sees half of it. */
static int write_endpoint_file(const char *path, const char *endpoint, struct err *err)
{
    struct text beside = {0};
    text_printf(&beside, "%s.new", path);
    FILE *file = beside.failed ? NULL : fopen(text_get(&beside), "we");
    int failed = !file || fprintf(file, "%s\n", endpoint) < 0;
    if (file && fclose(file))
        failed = 1;
    if (failed || rename(text_get(&beside), path))
        failed = err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    text_fini(&beside);
    return failed;
}

/* The file first: who has read the line finds it. */
static int announce(const struct driver_options *options, const struct server *server, struct err *err)
{
    int code = 0;
    if (options->endpoint_file)
        code = write_endpoint_file(options->endpoint_file, server_endpoint(server), err);
    if (code)
        return code;
    (void)printf("listening at %s\n", server_endpoint(server));
    return fflush(stdout) ? err_set(err, ERR_IO, "cannot say where it listens: %s", strerror(errno)) : 0;
}

/* Each connection is a file descriptor, and the usual soft limit is 1024. */
static void allow_many_workers(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE,
                        &limit); /* refused: fewer workers, whose connections libzmq then refuses */
    }
}

static int serve(const struct driver_options *options, struct watcher *watcher, struct err *err)
{
    allow_many_workers();
    struct server_setup setup = {
        .endpoint = options->listen,
        .database = options->db,
        .insecure = options->insecure,
        .heartbeat_ms = (int64_t)(options->heartbeat_s * 1000),
        .lease_ms = (int64_t)(options->lease_s * 1000),
    };
    /* One that ends with its parent has an endpoint of its own, which no worker of an earlier driver knows,
     * unless it takes that one's place. */
    setup.starts_alone = options->ends_with_parent && !options->keeps_workers;
    if (options->only && id_parse(&setup.only, options->only))
        return err_set(err, ERR_INVALID, "--only needs a whole id (36 characters), not '%s'", options->only);
    int code = server_create(&watcher->server, &setup, err);
    if (code)
        return code;
    code = announce(options, watcher->server, err);
    pthread_t thread;
    if (!code && pthread_create(&thread, NULL, watch, watcher))
        code = err_set(err, ERR_IO, "cannot start a thread");
    if (!code) {
        code = server_run(watcher->server, err);
        if (!pthread_cancel(thread)) /* poll is a cancellation point; nothing is held there */
            (void)pthread_join(thread, NULL);
    }
    server_destroy(watcher->server);
    return code;
}

static int run(const struct cli_call *call)
{
    const struct driver_options *options = call->options;
    struct watcher watcher = {.signal_fd = -1, .parent_fd = -1};
    struct err err = {0};
    enum log_level level;
    pid_t parent = getppid();
    if (!log_level_parse(&level, options->log_level))
        log_set_level(level);
    if (options->lease_s > 0 && options->heartbeat_s > 0 && options->lease_s <= options->heartbeat_s) {
        cli_error(call, "--lease must be longer than --heartbeat");
        return CLI_BAD_USAGE;
    }
    int code = signals_open(&watcher.signal_fd, &err);
    if (!code && options->ends_with_parent)
        code = watch_parent(&watcher.parent_fd, parent, &err);
    if (!code)
        code = serve(options, &watcher, &err);
    int status = code ? cli_fail(call, &err) : CLI_DONE;
    return code == ERR_REFUSED ? CLI_BAD_USAGE : status; /* an endpoint that needs --insecure */
}

static const struct cli_option options_table[] = {
    {.name = "listen",
     .letter = 'l',
     .kind = CLI_TEXT,
     .offset = offsetof(struct driver_options, listen),
     .value = "ENDPOINT",
     .help = "where workers and clients connect (default: " CLI_DEFAULT_ENDPOINT "; port * is any free one)"},
    CLI_OPTION_DB(driver_options),
    {.name = "insecure",
     .kind = CLI_FLAG,
     .offset = offsetof(struct driver_options, insecure),
     .help =
         "allow an endpoint that other machines can reach, without keys: whoever reaches it can run commands"},
    {.name = "heartbeat",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct driver_options, heartbeat_s),
     .min = 0.01,
     .value = "SECONDS",
     .help = "how often a worker must be heard of (default: 2)"},
    {.name = "lease",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct driver_options, lease_s),
     .min = 0.02,
     .value = "SECONDS",
     .help = "silence after which a worker counts as lost (default: 15)"},
    {.name = "log-level",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct driver_options, log_level),
     .value = "LEVEL",
     .choices = "error|warn|info|debug",
     .help = "error, warn, info (default) or debug"},
    {.name = "endpoint-file",
     .kind = CLI_TEXT,
     .offset = offsetof(struct driver_options, endpoint_file),
     .value = "FILE",
     .completes = COMPLETES_FILE,
     .help = "write the endpoint with its real port into FILE, once it serves"},
    {.name = "only",
     .hidden = true,
     .kind = CLI_TEXT,
     .offset = offsetof(struct driver_options, only),
     .value = "ID",
     .help = "restore and take this experiment only"},
    {.name = "keeps-workers",
     .hidden = true,
     .kind = CLI_FLAG,
     .offset = offsetof(struct driver_options, keeps_workers),
     .help = "it takes the place of one that was killed, whose workers live and know its endpoint"},
    {.name = "ends-with-parent",
     .hidden = true,
     .kind = CLI_FLAG,
     .offset = offsetof(struct driver_options, ends_with_parent),
     .help = "end when the process that started it does"},
};

const struct cli_command cli_command_driver = {
    .name = "driver",
    .summary = "serve experiments to workers on this or other machines",
    .details =
        "Prints `listening at ENDPOINT` and serves until SIGTERM or Ctrl-C. Experiments that were running when\n"
        "an earlier driver of the same database ended go on. Workers keep their trials and results over a\n"
        "restart of the driver.",
    .examples = "prova driver\n"
                "prova driver --listen 'tcp://127.0.0.1:*' --endpoint-file endpoint\n"
                "prova driver --listen tcp://0.0.0.0:5700 --insecure\n"
                "    only where everybody who reaches the port may run commands\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct driver_options),
    .initial = &initial,
    .run = run,
};
