/* PROGRESS messages.
 *
 * A no-op trial is one frame: its reports and its end together. While an attempt runs, reports are sent as
 * they come but at most every PACE_NS: a report after a pause leaves at once, and a function that reports in
 * a tight loop pays for a wake-up of the session at most that often. */
#include "worker/progress.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/clock.h"
#include "worker/tail.h"
#include "worker/trial_directory.h"

#define PACE_NS     (300 * NS_PER_MS / 1000)
#define OUTPUT_READ 65536 /* the capacity of a pipe */
#define LAST_WORDS  4096

/* Numbers the message, keeps it and sends it. */
static int keep_and_send(struct conversation *c, struct wire_message *message, int64_t now_ns)
{
    struct outbox_frame *frame;
    uint64_t seq = atomic_load_explicit(&c->page->seq, memory_order_relaxed) + 1;
    message->progress.seq = seq;
    bool ends = message->progress.outcome != OUTCOME_NONE;
    int code = wire_encode(&c->buffer, message);
    if (!code)
        code = outbox_add(&frame, &c->outbox, seq, ends, c->buffer.data, c->buffer.size);
    if (code) {
        conversation_end(c, code, err_string(code));
        return code;
    }
    atomic_store(&c->page->seq, seq);
    c->is_announced = true;
    if (c->is_welcomed)
        (void)link_send(&c->link, &frame->message,
                        now_ns); /* kept until acknowledged, sent again if need be */
    log_debug("sent message=PROGRESS seq=%llu", (unsigned long long)seq);
    return ERR_OK;
}

/* Gives the metrics of these reports numbers of their own, so that the message names those only. `seq` marks
 * what was numbered for this message. */
static size_t number_names(struct conversation *c, struct report *reports, size_t n, uint64_t seq)
{
    size_t n_names = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t metric = reports[i].metric;
        if (metric == 0)
            continue;
        if (c->stamps[metric] != seq) {
            c->stamps[metric] = seq;
            c->numbers[metric] = (uint32_t)n_names + 1;
            c->names[n_names++] = wire_string(c->attempt->names.list[metric]);
        }
        reports[i].metric = c->numbers[metric];
    }
    return n_names;
}

static struct wire_message progress_of(const struct attempt *attempt)
{
    struct wire_message message = {.type = WIRE_PROGRESS};
    message.progress.experiment = attempt->experiment->id;
    message.progress.trial = attempt->trial.number;
    message.progress.attempt = attempt->trial.attempt;
    message.progress.gang = attempt->gang.part.number;
    message.progress.value = (double)NAN;
    message.progress.text = message.progress.log = wire_string("");
    return message;
}

static void send_reports(struct conversation *c, size_t n, bool ends, int64_t now_ns)
{
    const struct attempt *attempt = c->attempt;
    struct wire_message message = progress_of(attempt);
    size_t n_names =
        number_names(c, c->reports, n, atomic_load_explicit(&c->page->seq, memory_order_relaxed) + 1);
    message.progress.names = (struct wire_strs){.n = n_names, .list = c->names};
    message.progress.reports = (struct wire_reports){.n = n, .list = c->reports};
    if (ends) {
        message.progress.outcome = (uint64_t)attempt->outcome;
        message.progress.value = attempt->value;
        message.progress.text = wire_string(text_get(&attempt->text));
        message.progress.log = wire_string(attempt_log_path(attempt));
    }
    (void)keep_and_send(c, &message, now_ns); /* a failure has ended the conversation */
}

static void forget_attempt(struct conversation *c, int64_t now_ns)
{
    if (!c->is_forsaken) {
        outbox_release(&c->outbox);
        atomic_store(&c->page->is_running, false);
    }
    attempt_forget(c->attempt);
    c->is_busy = c->is_forsaken = false;
    c->kill_ns = INT64_MAX;
    if (!c->is_welcomed)
        c->alone_ns = now_ns; /* the wait for a driver starts anew: there is something to deliver */
}

void conversation_write(struct conversation *c, int64_t now_ns)
{
    struct attempt *attempt = c->attempt;
    if (!c->is_busy || c->is_assigned || c->is_gathering || c->over.code)
        return;
    bool has_ended =
        atomic_load(&attempt->has_ended); /* before the ring, so that its last report is in time */
    if (!has_ended && (now_ns < c->pace_ns || c->outbox.bytes > OUTBOX_MAX_BYTES))
        return;
    if (has_ended)
        conversation_drain_output(c); /* all of it: no more fits into the pipe */
    bool says_end = has_ended && attempt->outcome != OUTCOME_NONE && !c->is_forsaken, goes_on = true;
    while (goes_on && !c->over.code) {
        size_t n = c->is_forsaken ? 0 : ring_pop(c->reports, attempt->ring, RING_CAPACITY);
        goes_on = n == RING_CAPACITY;
        bool is_last = says_end && !goes_on;
        if (n == 0 && !is_last)
            break;
        send_reports(c, n, is_last, now_ns);
        c->pace_ns = now_ns + PACE_NS;
    }
    if (has_ended)
        forget_attempt(c, now_ns);
}

void progress_announce(struct conversation *c, int64_t now_ns)
{
    struct wire_message message = progress_of(c->attempt);
    (void)keep_and_send(c, &message, now_ns); /* a failure has ended the conversation */
}

void progress_abandon(struct conversation *c)
{
    ring_close(c->attempt->ring);
    outbox_release(&c->outbox);
    atomic_store(&c->page->is_running, false);
    c->is_forsaken = true;
}

void progress_forsake(struct conversation *c, int64_t now_ns)
{
    struct text text = {0};
    attempt_describe_limit(&text, c->attempt);
    text_append(&text, " and did not end when it was asked to: its process was ended");
    struct wire_message message = progress_of(c->attempt);
    message.progress.outcome = OUTCOME_FAILED;
    message.progress.text = wire_string(text_get(&text));
    message.progress.log = wire_string(attempt_log_path(c->attempt));
    if (!keep_and_send(c, &message, now_ns))
        progress_abandon(c);
    text_fini(&text);
}

void progress_void(struct conversation *c, struct id experiment, uint64_t trial, uint64_t attempt,
                   uint64_t gang)
{
    const struct held *held = outbox_find(&c->outbox, experiment, trial, attempt, gang);
    if (!held)
        return;
    struct wire_message message = {.type = WIRE_PROGRESS};
    message.progress = (struct wire_progress){.experiment = experiment,
                                              .trial = trial,
                                              .attempt = attempt,
                                              .gang = held->gang,
                                              .outcome = OUTCOME_STOPPED,
                                              .value = (double)NAN,
                                              .text = wire_string(""),
                                              .log = wire_string("")};
    for (size_t i = 0; i < c->outbox.n_frames; i++) {
        struct outbox_frame *frame = outbox_frame(&c->outbox, i);
        if (frame->ends || frame->seq < held->first_seq || frame->seq > held->last_seq)
            continue;
        message.progress.seq = frame->seq;
        if (wire_encode(&c->buffer, &message) ||
            outbox_replace(&c->outbox, frame, c->buffer.data, c->buffer.size)) {
            conversation_end(c, ERR_NOMEM, err_string(ERR_NOMEM));
            return;
        }
    }
}

void conversation_drain_output(struct conversation *c)
{
    char bytes[4096];
    int n = 0;
    if (ioctl(c->setup.output_fd, FIONREAD, &n) || n == 0)
        return; /* the usual case: no log is made for nothing */
    if (c->is_busy) {
        attempt_move_to_log(c->attempt, c->setup.output_fd);
        return;
    }
    ssize_t size = read(c->setup.output_fd, bytes, sizeof bytes);
    if (size > 0)
        (void)!write(c->setup.stderr_fd, bytes, (size_t)size); /* nobody is left to be told of a failure */
}

/* What a process that its trial has killed has written last is in the trial's log already or still in the
 * pipe. *log gets the path, unless there is none. Returns a descriptor, or a negative code. */
static int complete_log(struct text *log, const struct conversation *c, const char *bytes, ssize_t n,
                        struct err *err)
{
    const struct page *page = c->page;
    struct text directory = {0};
    trial_directory_path(&directory, c->attempt->base, page->name, page->experiment, page->trial);
    trial_directory_log_path(log, text_get(&directory), page->attempt, page->rank);
    int fd = ERR_NOT_FOUND;
    if (n > 0 || !access(text_get(log), F_OK)) {
        int code = trial_directory_make(text_get(&directory), err);
        fd =
            code ? code : trial_directory_open_log(log, text_get(&directory), page->attempt, page->rank, err);
    }
    if (fd < 0)
        text_clear(log);
    else if (n > 0)
        (void)!write(fd, bytes, (size_t)n); /* best effort: the trial is lost anyway */
    text_fini(&directory);
    return fd;
}

static void take_last_words(struct text *text, struct text *log, const struct conversation *c)
{
    static char bytes[OUTPUT_READ];
    struct err err = {0};
    ssize_t n = read(c->setup.output_fd, bytes, sizeof bytes);
    int fd = complete_log(log, c, bytes, n, &err);
    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END), start = size > LAST_WORDS ? size - LAST_WORDS : 0;
        n = pread(fd, bytes, LAST_WORDS, start);
        (void)close(fd);
    } else if (err.code) {
        log_warn("output of a trial is not kept trial=%llu error=%s", (unsigned long long)c->page->trial,
                 err.text);
    }
    if (n > 0)
        tail_append(text, "; its last output: ", bytes, (size_t)n);
}

int conversation_confess(struct conversation *c, struct err *err)
{
    struct page *page = c->page;
    struct wire_hold hold = {.experiment = page->experiment,
                             .trial = page->trial,
                             .attempt = page->attempt,
                             .budget = page->budget,
                             .point = {.n = page->n_point, .values = page->point},
                             .origin = page->origin,
                             .done = page->done,
                             .gang = page->gang,
                             .rank = page->rank};
    if (outbox_hold(&c->outbox, &hold))
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    struct text text = {0}, log = {0};
    text_append(&text, page->lost);
    take_last_words(&text, &log, c);
    struct wire_message message = {.type = WIRE_PROGRESS};
    message.progress = (struct wire_progress){.experiment = page->experiment,
                                              .trial = page->trial,
                                              .attempt = page->attempt,
                                              .gang = page->gang,
                                              .outcome = OUTCOME_LOST,
                                              .value = (double)NAN,
                                              .text = wire_string(text_get(&text)),
                                              .log = wire_string(text_get(&log))};
    int code = keep_and_send(c, &message, clock_now_ns());
    outbox_release(&c->outbox);
    atomic_store(&page->is_running, false);
    text_fini(&text);
    text_fini(&log);
    return code ? err_set(err, code, "%s", err_string(code)) : ERR_OK;
}
