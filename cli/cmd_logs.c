/* prova logs: what a trial printed. With -f the file is followed by inotify; the trial's end is learnt from
 * its driver, whose STATUS messages say when to look again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "core/trial.h"
#include "driver/store.h"
#include "sdk/client.h"

struct logs_options {
    const char *db;
    int64_t attempt;
    bool follow;
};

static const struct logs_options initial = {.db = CLI_DEFAULT_DB};

enum { STATUS_INTERVAL_MS = 200 };

/* One trial's output. */
struct log {
    const struct logs_options *options;
    struct query *query;
    const char *experiment; /* NULL: the newest */
    int64_t trial;
    /* As the database has it now: */
    char *path, *host;
    struct id id;
    bool is_final, is_live;
    int fd; /* of the file; -1: not opened yet */
};

static void keep(char **slot, const char *text)
{
    free(*slot);
    *slot = *text ? strdup(text) : NULL;
}

/* The attempt that was asked for, among those that have ended; else NULL. */
static const json_t *find_attempt(const json_t *trial, int64_t attempt)
{
    size_t i;
    const json_t *at;
    json_array_foreach(json_object_get(trial, "attempts"), i,
                       at) if (json_whole(at, "attempt") == attempt) return at;
    return NULL;
}

static int take_trial(struct log *log, const json_t *document, struct err *err)
{
    const json_t *experiment = json_object_get(document, "experiment"),
                 *trial = json_object_get(document, "trial");
    const json_t *from = trial;
    int64_t wanted = log->options->attempt, current = json_whole(trial, "attempt");
    enum trial_state state = TRIAL_PENDING;
    if (wanted && wanted != current) {
        from = find_attempt(trial, wanted);
        if (!from)
            return err_set(err, ERR_NOT_FOUND,
                           "trial %" PRId64 " has no attempt %" PRId64 "; its last one is %" PRId64,
                           log->trial, wanted, current);
    }
    keep(&log->path, json_text(from, "log"));
    keep(&log->host, json_text(from, "host"));
    (void)trial_state_parse(&state, json_text(trial, "state")); /* a database of ours knows no others */
    log->is_final = from != trial || trial_state_is_final(state);
    log->is_live = json_is_true(json_object_get(experiment, "live"));
    return id_parse(&log->id, json_text(experiment, "id"));
}

/* A trial that is not there may come, if a driver runs its experiment. */
static bool may_come(struct log *log)
{
    struct query_experiment found;
    struct store_driver driver;
    if (query_find(&found, log->query, log->experiment, NULL) || found.state != EXPERIMENT_RUNNING ||
        store_find_driver(&driver, log->options->db))
        return false;
    log->id = found.id;
    log->is_live = true;
    return true;
}

static int look(struct log *log, struct err *err)
{
    struct text text = {0};
    json_t *document = NULL;
    int code = query_trial(log->query, log->experiment, log->trial, query_to_text(&text), err);
    if (code == ERR_NOT_FOUND && log->options->follow && may_come(log)) {
        text_fini(&text);
        return 0;
    }
    if (!code)
        code = data_parse(&document, text_get(&text), err);
    if (!code)
        code = take_trial(log, document, err);
    json_decref(document);
    text_fini(&text);
    return code;
}

static int open_file(struct log *log, struct err *err)
{
    if (log->fd >= 0 || !log->path)
        return 0;
    log->fd = open(log->path, O_RDONLY | O_CLOEXEC);
    if (log->fd >= 0)
        return 0;
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    if (log->host && strcmp(log->host, host) != 0)
        return err_set(err, ERR_NOT_FOUND, "the output is on %s, in %s", log->host, log->path);
    return err_set(err, ERR_NOT_FOUND, "cannot read %s: %s", log->path, strerror(errno));
}

/* Prints what there is from where we are. */
static int print_rest(const struct log *log, struct err *err)
{
    char buffer[65536];
    ssize_t n;
    while (log->fd >= 0 && (n = read(log->fd, buffer, sizeof buffer)) != 0) {
        if (n < 0)
            return err_set(err, ERR_IO, "cannot read %s: %s", log->path, strerror(errno));
        if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
            return err_set(err, ERR_IO, "cannot write: %s", strerror(errno));
    }
    return fflush(stdout) ? err_set(err, ERR_IO, "cannot write: %s", strerror(errno)) : 0;
}

/* Drops what inotify has to say: that it has something is all that matters. */
static void drain_events(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof events) > 0)
        ;
}

static int wait_for_news(struct client *client, int inotify_fd, struct err *err)
{
    struct wire_status status;
    struct pollfd fds[] = {{.fd = client_fd(client), .events = POLLIN}, {.fd = inotify_fd, .events = POLLIN}};
    int code = client_next_status(&status, client, 0, err);
    if (code != ERR_TIMEOUT)
        return code;
    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        return err_set(err, ERR_IO, "cannot wait: %s", strerror(errno));
    drain_events(inotify_fd);
    return 0;
}

static int follow_with(struct log *log, struct client *client, int inotify_fd, struct err *err)
{
    bool watched = false;
    for (;;) {
        /* First whether it has ended, then the rest of the file: so nothing at the end is missed. */
        int code = look(log, err);
        if (!code)
            code = open_file(log, err);
        if (!code && log->fd >= 0 && !watched)
            watched = inotify_add_watch(inotify_fd, log->path, IN_MODIFY) >= 0;
        if (!code)
            code = print_rest(log, err);
        if (code || log->is_final || !log->is_live)
            return code;
        code = wait_for_news(client, inotify_fd, err);
        if (code == ERR_CLOSED)
            log->is_live = false;
        else if (code)
            return code;
    }
}

static int follow(struct log *log, struct err *err)
{
    struct store_driver driver = {0};
    struct client *client = NULL;
    if (log->is_final || !log->is_live || store_find_driver(&driver, log->options->db)) {
        int code = open_file(log, err);
        return code ? code : print_rest(log, err);
    }
    int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), code = 0;
    if (inotify_fd < 0)
        code = err_set(err, ERR_IO, "cannot follow files: %s", strerror(errno));
    if (!code)
        code = client_connect(&client, driver.endpoint, err);
    if (!code)
        code = client_watch(client, log->id, STATUS_INTERVAL_MS, err);
    if (!code)
        code = follow_with(log, client, inotify_fd, err);
    client_close(client);
    if (inotify_fd >= 0)
        (void)close(inotify_fd);
    return code;
}

static int print_log(struct log *log, struct err *err)
{
    int code = look(log, err);
    if (code)
        return code;
    if (log->options->follow)
        return follow(log, err);
    if (!log->path) {
        (void)fprintf(stderr, "Trial %" PRId64 " has printed nothing%s.\n", log->trial,
                      log->is_final ? "" : " yet; -f waits for it");
        return 0;
    }
    code = open_file(log, err);
    return code ? code : print_rest(log, err);
}

/* "EXP TRIAL", or "TRIAL" of the newest experiment. */
static int read_operands(struct log *log, const struct cli_call *call, struct err *err)
{
    const char *trial = call->args[call->n_args - 1];
    log->experiment = call->n_args == 2 ? call->args[0] : NULL;
    return parse_int(&log->trial, trial, 1, INT64_MAX,
                     call->n_args == 2 ? "TRIAL" : "TRIAL (of the newest experiment)", err);
}

static int run(const struct cli_call *call)
{
    struct log log = {.options = call->options, .fd = -1};
    struct err err = {0};
    int code = read_operands(&log, call, &err);
    if (!code)
        code = query_open(&log.query, log.options->db, &err);
    if (!code)
        code = print_log(&log, &err);
    query_close(log.query);
    if (log.fd >= 0)
        (void)close(log.fd);
    free(log.path);
    free(log.host);
    return code ? cli_fail(call, &err) : CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "follow",
     .letter = 'f',
     .kind = CLI_FLAG,
     .offset = offsetof(struct logs_options, follow),
     .help = "go on printing until the trial ends"},
    {.name = "attempt",
     .letter = 'a',
     .kind = CLI_INT,
     .offset = offsetof(struct logs_options, attempt),
     .min = 1,
     .value = "K",
     .help = "of attempt K (default: the last one)"},
    CLI_OPTION_DB(logs_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT},
    {.name = "TRIAL"},
};

const struct cli_command cli_command_logs = {
    .name = "logs",
    .summary = "print what a trial has printed",
    .details =
        "`prova logs 7` is trial 7 of the newest experiment. Output is kept on the machine where the trial ran.",
    .examples = "prova logs digits 7\n"
                "prova logs digits 7 -f\n"
                "prova logs digits 7 --attempt 1\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct logs_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
