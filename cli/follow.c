/* Following an experiment. One wait for everything: the client waits for STATUS with an epoll descriptor as
 * its alarm, in which the signals, the workers' output and both ends of life are. */
#include "cli/follow.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "cli/signals.h"
#include "core/log.h"

enum {
    STATUS_INTERVAL_MS = 100,
    CANCEL_TIMEOUT_MS = 30000,
    MAX_FUTILE = 3 /* fleets, and one more for each retry of a trial */
};

/* One run of it. */
struct session {
    struct follow *follow;
    int epoll_fd;
    bool stopping; /* a signal came and the driver was told */
    bool seen;     /* a STATUS has come */
    uint64_t n_running;
    struct err loss;  /* of the workers: the experiment was stopped for it */
    int64_t n_futile; /* fleets in a row that have ended before any trial did */
    uint64_t n_ended; /* trials, when the last fleet ended */
    struct progress_view view;
    struct progress_rate rate;
    char note[64], name[129];
};

int64_t follow_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int watch(struct session *session, int fd, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= 0 && epoll_ctl(session->epoll_fd, EPOLL_CTL_ADD, fd, &event))
        return err_set(err, ERR_IO, "cannot wait for events: %s", strerror(errno));
    return 0;
}

static int session_open(struct session *session, struct err *err)
{
    struct local *local = session->follow->local;
    session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (session->epoll_fd < 0)
        return err_set(err, ERR_IO, "cannot wait for events: %s", strerror(errno));
    int code = watch(session, session->follow->signal_fd, err);
    if (!code && local)
        code = watch(session, local_output_fd(local), err);
    if (!code && local)
        code = watch(session, local_worker_fd(local), err);
    if (!code && local)
        code = watch(session, local_driver_fd(local), err);
    return code;
}

static bool is_over(const struct session *session)
{
    return session->seen && session->follow->state != EXPERIMENT_RUNNING && session->n_running == 0;
}

static void take_status(struct session *session, const struct wire_status *status)
{
    struct follow *follow = session->follow;
    struct progress_view *view = &session->view;
    session->seen = true;
    session->n_running = status->n_running;
    follow->state = (enum experiment_state)status->state;
    (void)snprintf(follow->reason, sizeof follow->reason, "%s", status->text.data); /* a long one is cut */
    (void)snprintf(session->name, sizeof session->name, "%s", status->name.data);
    *view = (struct progress_view){
        .name = session->name,
        .metric = follow->spec->metric.name,
        .limit = status->n_trials,
        .n_running = status->n_running,
        .n_completed = status->n_completed,
        .n_stopped = status->n_stopped,
        .n_failed = status->n_failed,
        .n_paused = status->n_paused,
        .n_workers = status->n_workers,
        .best_trial = status->best_trial,
        .best_value = status->best_value,
        .elapsed_s = status->elapsed_s,
        .limit_s = follow->spec->limits.hours * 3600,
        .note = session->note,
    };
    session->note[0] = '\0';
    if (session->stopping)
        (void)snprintf(session->note, sizeof session->note, "stopping");
    else if (status->n_workers == 0 && status->elapsed_s > 1 && follow->state == EXPERIMENT_RUNNING)
        (void)snprintf(session->note, sizeof session->note, "waits for workers");
}

static void draw(struct session *session, bool force)
{
    struct progress_view view = session->view;
    int64_t now_ns = follow_now_ns();
    if (!session->seen)
        return;
    view.per_second =
        progress_rate_update(&session->rate, view.n_completed + view.n_stopped + view.n_failed, now_ns);
    if (client_is_cut_off(session->follow->client))
        view.note = "no driver answers";
    progress_update(session->follow->progress, &view, now_ns, force);
}

/* In a signal handler. The caller ends the line. */
static void abandon(const void *arg)
{
    const struct follow *follow = arg;
    if (follow->local)
        local_abandon(follow->local);
    if (follow->resume) {
        static const char text[] = "\nended at once; what was acknowledged is saved; to go on: ";
        ssize_t ignored = write(2, text, sizeof text - 1); /* if not, there is nobody to tell */
        ignored = write(2, follow->resume, strlen(follow->resume));
        (void)ignored;
    }
}

/* Tells the driver to stop the experiment. From here on a signal ends the process at once. */
static int cancel(struct session *session, struct err *err)
{
    struct follow *follow = session->follow;
    session->stopping = true;
    signals_abandon_at_next(abandon, follow);
    client_set_alarm(follow->client, -1);
    int code = client_cancel(follow->client, follow->experiment, CANCEL_TIMEOUT_MS, err);
    client_set_alarm(follow->client, session->epoll_fd);
    return code;
}

static int take_signal(struct session *session, struct err *err)
{
    struct follow *follow = session->follow;
    if (!signals_read(follow->signal_fd) || session->stopping)
        return 0;
    follow->interrupted = true;
    if (!follow->local) {
        follow->detached = true;
        return 0;
    }
    progress_say(follow->progress, "stopping the running trials; once more to end at once");
    return cancel(session, err);
}

/* One dead process takes a whole fleet with it, so there is a new one, unless trial after trial comes to
 * nothing: each loss counts against its retries, after which it has failed, which is an end as well. */
static bool deserves_new_workers(struct session *session)
{
    const struct progress_view *view = &session->view;
    uint64_t n_ended = view->n_completed + view->n_stopped + view->n_failed + view->n_paused;
    if (n_ended != session->n_ended)
        session->n_futile = 0;
    session->n_ended = n_ended;
    return ++session->n_futile < MAX_FUTILE + session->follow->spec->retries &&
           (!session->seen || session->follow->state == EXPERIMENT_RUNNING);
}

static int replace_workers(struct session *session, struct err *err)
{
    struct local *local = session->follow->local;
    struct err fault = {0};
    int code = local_replace_workers(local, session->loss.text, &fault);
    if (code == ERR_UNSUPPORTED)
        return code;
    if (code) {
        session->loss = fault;
        return code;
    }
    log_warn("the MPI fleet has ended, and a new one is started reason=\"%s\"", session->loss.text);
    session->loss = (struct err){0};
    code = watch(session, local_output_fd(local), err);
    return code ? code : watch(session, local_worker_fd(local), err);
}

/* The workers are gone. If that was not their normal end, and there can be no others, the experiment is
 * stopped, so that all is saved and can be resumed. */
static int take_worker_end(struct session *session, struct err *err)
{
    struct follow *follow = session->follow;
    (void)epoll_ctl(session->epoll_fd, EPOLL_CTL_DEL, local_worker_fd(follow->local),
                    NULL); /* it was added */
    if (local_worker_end(follow->local, &session->loss) == 0 || session->stopping)
        return 0;
    if (deserves_new_workers(session) && replace_workers(session, err) == 0)
        return 0;
    if (session->n_futile > 1)
        (void)err_prefix(&session->loss, "%lld fleets in a row have ended before any trial did",
                         (long long)session->n_futile);
    return cancel(session, err);
}

static int take_events(struct session *session, struct err *err)
{
    struct epoll_event events[8];
    struct local *local = session->follow->local;
    int n = epoll_wait(session->epoll_fd, events, 8, 0), code = 0;
    for (int i = 0; i < n && !code; i++) {
        int fd = events[i].data.fd;
        if (fd == session->follow->signal_fd)
            code = take_signal(session, err);
        else if (fd == local_output_fd(local))
            local_read_output(local);
        else if (fd == local_worker_fd(local))
            code = take_worker_end(session, err);
        else
            code = err_set(err, ERR_CLOSED, "the driver has ended");
    }
    return code;
}

static int timeout_ms(const struct session *session)
{
    int64_t deadline_ns = progress_deadline(session->follow->progress);
    if (deadline_ns == INT64_MAX)
        return -1;
    int64_t left_ms = (deadline_ns - follow_now_ns()) / 1000000 + 1;
    return left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

static int step(struct session *session, struct err *err)
{
    struct wire_status status;
    int code = client_next_status(&status, session->follow->client, timeout_ms(session), err);
    if (code == 0)
        take_status(session, &status);
    else if (code == ERR_INTERRUPTED)
        code = take_events(session, err);
    else if (code == ERR_TIMEOUT)
        code = 0;
    return code;
}

int follow_run(struct follow *follow, struct err *err)
{
    struct session session = {.follow = follow, .epoll_fd = -1};
    int code = session_open(&session, err);
    if (!code) {
        client_set_alarm(follow->client, session.epoll_fd);
        code = client_watch(follow->client, follow->experiment, STATUS_INTERVAL_MS, err);
    }
    while (!code && !is_over(&session) && !follow->detached) {
        code = step(&session, err);
        if (!code)
            draw(&session, false);
    }
    if (!code)
        draw(&session, true);
    client_set_alarm(follow->client, -1);
    if (session.epoll_fd >= 0)
        (void)close(session.epoll_fd);
    if (!code && session.loss.code && !follow->interrupted)
        code = err_set(err, session.loss.code, "%s", session.loss.text);
    return code;
}
