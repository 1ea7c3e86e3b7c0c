/* Runs programs.
 *
 * One loop of the main thread waits for everything that can happen to a program: output, lines in the FIFO, a
 * stop, the end of its grace period, its end. When the leader of its process group has ended, what it left
 * in the background gets LAST_WORDS_NS to close the output (`prog > >(tee log)` needs that), then it is
 * killed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"
#include "core/spec.h"
#include "worker/clock.h"
#include "worker/command_line.h"
#include "worker/lines.h"
#include "worker/process.h"
#include "worker/report_line.h"
#include "worker/run.h"
#include "worker/tail.h"

#define LAST_WORDS_NS (100 * NS_PER_MS)
#define ENDED_NS      (1 * NS_PER_S) /* what a member of a gang has left when rank 0 has ended */
#define TAIL_KEPT     4096
#define READ_SIZE     65536

struct run {
    struct attempt *attempt;
    struct process process;
    int fifo_fd;
    struct text fifo_path;
    struct lines output, reports; /* of the two streams */
    char *buffer;                 /* [READ_SIZE] */
    char tail[2 * TAIL_KEPT];     /* the end of the output */
    size_t tail_size;
    struct text strange; /* the first report that was not understood */
    int sent;            /* the last signal that it was sent, SIGTERM or SIGKILL; 0: none */
    int64_t kill_ns;     /* when SIGKILL follows */
    int64_t term_ns;     /* when SIGTERM is due; INT64_MAX: it is not */
    int status;          /* as of waitpid */
};

/* Its reports */

static void take_report(struct run *run, const char *text, size_t size)
{
    struct report_line line;
    struct attempt *attempt = run->attempt;
    if (report_line_parse(&line, text, size)) {
        if (run->strange.size == 0)
            text_append_bytes(&run->strange, text, size < 200 ? size : 200);
        return;
    }
    for (size_t i = 0; i < line.n; i++) {
        const struct report_pair *pair = &line.pairs[i];
        int64_t step = line.has_step ? line.step : attempt_next_step(attempt, pair->name, pair->size);
        attempt_report(attempt, step, pair->name, pair->size, pair->value);
    }
}

static void take_match(struct run *run, char *line)
{
    const struct experiment *experiment = run->attempt->experiment;
    regmatch_t groups[2];
    if (regexec(&experiment->pattern, line, 2, groups, 0))
        return;
    const regmatch_t *group = experiment->pattern.re_nsub > 0 ? &groups[1] : &groups[0];
    if (group->rm_so < 0)
        return;
    struct text report = {0};
    text_printf(&report, "%s=", experiment->spec->metric.name);
    text_append_bytes(&report, line + group->rm_so, (size_t)(group->rm_eo - group->rm_so));
    if (!report.failed)
        take_report(run, text_get(&report), report.size);
    text_fini(&report);
}

static void take_output_line(void *arg, char *line, size_t size)
{
    struct run *run = arg;
    const char *rest;
    if (report_line_has_prefix(&rest, line))
        take_report(run, rest, size - (size_t)(rest - line));
    else if (run->attempt->experiment->has_pattern)
        take_match(run, line);
}

static void take_fifo_line(void *arg, char *line, size_t size)
{
    const char *rest = line;
    (void)report_line_has_prefix(&rest, line); /* welcome here, not needed */
    take_report(arg, rest, size - (size_t)(rest - line));
}

/* Its streams */

static void keep_tail(struct run *run, const char *bytes, size_t size)
{
    if (size > TAIL_KEPT) {
        bytes += size - TAIL_KEPT;
        size = TAIL_KEPT;
    }
    if (run->tail_size + size > sizeof run->tail) {
        memmove(run->tail, run->tail + run->tail_size - TAIL_KEPT, TAIL_KEPT);
        run->tail_size = TAIL_KEPT;
    }
    memcpy(run->tail + run->tail_size, bytes, size);
    run->tail_size += size;
}

/* One read; false at the end of the stream, or if there is nothing. */
static bool read_output(struct run *run)
{
    ssize_t n = read(run->process.output_fd, run->buffer, READ_SIZE);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        (void)close(run->process.output_fd); /* the reading end of a pipe */
        run->process.output_fd = -1;
        return false;
    }
    attempt_write_log(run->attempt, run->buffer, (size_t)n);
    keep_tail(run, run->buffer, (size_t)n);
    lines_feed(&run->output, run->buffer, (size_t)n, take_output_line, run);
    return true;
}

static bool read_fifo(struct run *run)
{
    ssize_t n = run->fifo_fd >= 0 ? read(run->fifo_fd, run->buffer, READ_SIZE) : 0;
    if (n <= 0)
        return false;
    lines_feed(&run->reports, run->buffer, (size_t)n, take_fifo_line, run);
    return true;
}

/* Opened for reading and writing, so that it has no end when the last writer closes it. */
static void open_fifo(struct run *run, const char *directory)
{
    char rank[24], path[PATH_MAX];
    (void)snprintf(rank, sizeof rank, "%" PRIu64, run->attempt->gang.part.rank);
    if (report_line_fifo(path, sizeof path, directory, rank)) {
        log_warn("'prova report' will not work in this trial: its path is too long path=%s", directory);
        return;
    }
    text_append(&run->fifo_path, path);
    (void)unlink(path); /* of an attempt that was killed: what is in it is not of this one */
    if (!mkfifo(path, 0666))
        run->fifo_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (run->fifo_fd < 0)
        log_warn("'prova report' will not work in this trial path=%s error=%s", path, strerror(errno));
}

/* Its end */

static void send_signal(struct run *run, int signal)
{
    process_signal(&run->process, signal);
    run->sent = signal;
    run->kill_ns = run->term_ns = INT64_MAX;
}

static void terminate(struct run *run)
{
    send_signal(run, SIGTERM);
    run->kill_ns = clock_now_ns() + (int64_t)(run->attempt->experiment->spec->train.grace_s * 1e9);
}

static void obey_stop(struct run *run)
{
    struct attempt *attempt = run->attempt;
    uint64_t count;
    (void)!read(attempt->stop_fd, &count, sizeof count); /* only to empty it */
    int reason = atomic_load(&attempt->stop);
    if (reason == ATTEMPT_GOES_ON)
        return;
    atomic_store(&attempt->told, reason);
    if (reason == STOP_ENDED && !run->sent) { /* it may be about to end, as rank 0 has */
        run->term_ns = clock_now_ns() + ENDED_NS;
    } else if (reason == STOP_STALE) { /* it may run elsewhere already, in the same directory */
        send_signal(run, SIGKILL);
    } else if (!run->sent) {
        terminate(run);
    }
}

static int wait_for_news(const struct run *run, struct pollfd fds[static 4], int64_t until_ns)
{
    int64_t now_ns = clock_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    const int all[] = {run->process.output_fd, run->fifo_fd, run->attempt->stop_fd, run->process.pid_fd};
    for (int i = 0; i < 4; i++)
        fds[i] = (struct pollfd){.fd = all[i], .events = POLLIN};
    return ppoll(fds, 4, until_ns == INT64_MAX ? NULL : &timeout, NULL);
}

static void watch_process(struct run *run)
{
    struct pollfd fds[4];
    bool has_ended = false;
    while (!has_ended) {
        int n = wait_for_news(run, fds, clock_min(run->kill_ns, run->term_ns));
        if (clock_now_ns() >= run->kill_ns)
            send_signal(run, SIGKILL);
        if (clock_now_ns() >= run->term_ns)
            terminate(run);
        if (n <= 0)
            continue;
        if (fds[0].revents)
            (void)read_output(run); /* more of it is there the next time round */
        if (fds[1].revents)
            (void)read_fifo(run);
        if (fds[2].revents)
            obey_stop(run);
        if (fds[3].revents)
            has_ended = process_has_ended(&run->status, &run->process);
    }
}

static void take_last_words(struct run *run, struct page *page)
{
    int64_t until_ns = clock_now_ns() + LAST_WORDS_NS;
    while (run->process.output_fd >= 0 && clock_now_ns() < until_ns) {
        struct pollfd fd = {.fd = run->process.output_fd, .events = POLLIN};
        if (poll(&fd, 1, (int)(LAST_WORDS_NS / NS_PER_MS)) > 0)
            (void)read_output(run);
    }
    process_signal(&run->process, SIGKILL);
    while (run->process.output_fd >= 0 && read_output(run))
        ;
    while (read_fifo(run))
        ;
    lines_flush(&run->output, take_output_line, run);
    lines_flush(&run->reports, take_fifo_line, run);
    atomic_store(&page->group, 0); /* before the leader is reaped and its number can be given to others */
    process_finish(&run->process);
}

/* What is said of it */

static void describe_exit(struct text *text, const struct run *run)
{
    int status = WEXITSTATUS(run->status);
    text_printf(text, "exit status %d", status);
    if (status == 126 || status == 127)
        text_printf(text, " (of a shell: a command %s)",
                    status == 127 ? "was not found" : "cannot be executed");
    else if (status > 128 && status < 128 + NSIG && sigabbrev_np(status - 128))
        text_printf(text, " (of a shell: a command was killed by SIG%s)", sigabbrev_np(status - 128));
    tail_append(text, ": ", run->tail, run->tail_size);
}

static void describe_missing(struct text *text, const struct run *run)
{
    const struct attempt *attempt = run->attempt;
    const struct metric *metric = &attempt->experiment->spec->metric;
    text_printf(text, "it ended without a value of '%s'", metric->name);
    if (metric->pattern)
        text_printf(text, ": no line of its output matched the metric's pattern '%s'", metric->pattern);
    else
        text_printf(text,
                    ": a line 'prova: step=1 %s=0.5' of its output, or `prova report %s=0.5`, was expected",
                    metric->name, metric->name);
    for (size_t i = 1; i < attempt->names.n && i <= 5; i++)
        text_printf(text, "%s'%s'", i == 1 ? "; it reported only " : ", ", attempt->names.list[i]);
    if (run->strange.size > 0)
        text_printf(text, "; not understood: '%s'%s", text_get(&run->strange),
                    strstr(text_get(&run->strange), "step=") ? " (steps are whole numbers from 0 to 2^53)"
                                                             : "");
    tail_append(text, "; its last output: ", run->tail, run->tail_size);
}

static void describe_signal(struct text *text, const struct run *run)
{
    int number = WTERMSIG(run->status);
    text_printf(text, "killed by signal %d (%s)", number, strsignal(number));
    tail_append(text, ": ", run->tail, run->tail_size);
}

static void end(struct run *run)
{
    struct attempt *attempt = run->attempt;
    bool has_value = atomic_load(&attempt->n_objective) > 0;
    double value = has_value ? atomic_load(&attempt->last_objective) : (double)NAN;
    enum outcome outcome = OUTCOME_FAILED;
    struct text text = {0};
    if (run->sent) {
        attempt_end_stopped(attempt, value);
        return;
    }
    if (attempt->failure.size > 0) {
        text_append(&text, text_get(&attempt->failure));
    } else if (WIFSIGNALED(run->status)) {
        outcome = OUTCOME_LOST;
        describe_signal(&text, run);
    } else if (WEXITSTATUS(run->status)) {
        describe_exit(&text, run);
    } else if (!attempt_speaks(attempt)) {
        outcome = OUTCOME_COMPLETED;
    } else if (!has_value) {
        describe_missing(&text, run);
    } else if (!isfinite(value)) {
        text_printf(&text, "the last value of '%s' was %s", attempt->experiment->spec->metric.name,
                    isnan(value) ? "nan" : "an infinity");
    } else {
        outcome = OUTCOME_COMPLETED;
    }
    attempt_end(attempt, outcome, outcome == OUTCOME_COMPLETED ? value : (double)NAN, text_get(&text));
    text_fini(&text);
}

static int start(struct run *run, struct page *page, struct err *err)
{
    struct attempt *attempt = run->attempt;
    const char *directory = attempt->trial.ops->directory(&attempt->trial);
    if (!directory)
        return err_set(err, ERR_IO, "%s", text_get(&attempt->failure));
    open_fifo(run, directory);
    struct command_line line = {0};
    int code = command_line_make(&line, &attempt->trial, directory, err);
    struct process_setup setup = {
        .argv = line.argv, .envp = line.envp, .directory = attempt->experiment->spec->train.directory};
    if (!code)
        code = process_start(&run->process, &setup, err);
    if (!code)
        atomic_store(&page->group, run->process.pid);
    command_line_fini(&line);
    return code;
}

void run_command(struct attempt *attempt, struct page *page)
{
    struct err err = {0};
    struct run *run = calloc(1, sizeof *run);
    int code = run ? ERR_OK : err_set(&err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    if (code)
        goto fail;
    run->attempt = attempt;
    run->fifo_fd = -1;
    run->kill_ns = run->term_ns = INT64_MAX;
    run->buffer = malloc(READ_SIZE);
    code = lines_init(&run->output) || lines_init(&run->reports) || !run->buffer
               ? err_set(&err, ERR_NOMEM, "%s", err_string(ERR_NOMEM))
               : start(run, page, &err);
    if (code)
        goto fail;
    watch_process(run);
    take_last_words(run, page);
    end(run);
    goto out;
fail:
    attempt_end(attempt, OUTCOME_FAILED, (double)NAN, err.text);
out:
    if (!run)
        return;
    if (run->fifo_fd >= 0)
        (void)close(run->fifo_fd); /* it was read to its end */
    if (run->fifo_path.size > 0)
        (void)unlink(text_get(&run->fifo_path)); /* so that a later writer does not wait for a reader */
    text_fini(&run->fifo_path);
    text_fini(&run->strange);
    lines_fini(&run->output);
    lines_fini(&run->reports);
    free(run->buffer);
    free(run);
}
