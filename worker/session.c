/* The session: two threads and one conversation.
 *
 * `lock` is held by whoever drives the conversation. The main thread drives it itself while it waits for
 * work, so a trial that takes microseconds costs no hop between threads (a hop costs more than everything
 * else that happens to such a trial). While it runs a trial it lets go, and the session's thread takes over:
 *
 *   - at once, if the trial before took long (LONG_NS) or is a command;
 *   - else when it next looks, every WATCH_NS while trials are begun;
 *   - else when a report is made more than URGENT_NS after the trial's begin, or the ring is half full.
 *
 * So a long trial is served within microseconds, except the first one after short ones, which waits for its
 * first report or WATCH_NS; and short ones run at the full speed of the main thread.
 *
 * The session's thread sleeps without the lock, so that the main thread can send a result without waking it
 * first. Whatever it slept on, it looks at nothing before it has the lock again and knows that a trial runs.
 */
#include "worker/session.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/clock.h"

#define LONG_NS   (1 * NS_PER_MS)
#define WATCH_NS  (5 * NS_PER_MS)
#define URGENT_NS (NS_PER_MS / 2)
#define LEAVE_NS  (3 * NS_PER_S) /* for acknowledgements at the end */
#define LINGER_MS 1000
#define NEVER     INT64_MAX

struct session {
    struct conversation conversation;
    struct attempt attempt;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;   /* of the conversation */
    int main_fd, thread_fd; /* eventfds: interrupt the sleep of the one and the other */

    _Atomic bool is_leaving;
    _Atomic bool is_driving; /* the session's thread drives, or sleeps while it does */

    /* When the session's thread takes over. */
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_changed;
    _Atomic bool is_watching;   /* it looks every WATCH_NS */
    _Atomic bool is_running;    /* the main thread runs a trial */
    _Atomic uint64_t n_begun;   /* trials */
    bool is_handed_over, quits; /* under watch_lock */
    bool was_long;              /* the trial before; main thread */
    _Atomic int64_t begun_ns;
};

static void wake(int event_fd)
{
    uint64_t one = 1;
    (void)!write(event_fd, &one, sizeof one); /* full means that it is readable already */
}

void session_abandon(struct session *session)
{
    ring_abandon(session->attempt.ring);
}

void session_leave(struct session *session)
{
    atomic_store(&session->is_leaving, true);
    wake(session->main_fd);
    wake(session->thread_fd);
}

/* Taking turns */

static void hand_over(struct session *session)
{
    (void)pthread_mutex_lock(&session->watch_lock);
    session->is_handed_over = true;
    (void)pthread_cond_signal(&session->watch_changed);
    (void)pthread_mutex_unlock(&session->watch_lock);
}

static void start_watching(struct session *session)
{
    (void)pthread_mutex_lock(&session->watch_lock);
    atomic_store(&session->is_watching, true);
    (void)pthread_cond_signal(&session->watch_changed);
    (void)pthread_mutex_unlock(&session->watch_lock);
}

/* A producer found the ring not attended (worker/ring.h). */
static void notify(void *arg, enum ring_state state, bool urgent)
{
    struct session *session = arg;
    struct ring *ring = session->attempt.ring;
    if (state == RING_SLEEPING) {
        ring_set_state(ring, RING_ATTENDED); /* another may do the same at once: one wake-up too many */
        wake(session->thread_fd);
    } else if (urgent || clock_now_ns() - atomic_load(&session->begun_ns) > URGENT_NS) {
        hand_over(session);
    }
}

/* Driving */

/* One round. True if there may be more to do already, else *next_ns says when there will be. */
static bool turn(struct session *session, int64_t *next_ns)
{
    struct conversation *conversation = &session->conversation;
    int64_t now_ns = clock_now_ns();
    if (atomic_load(&session->is_leaving))
        conversation_leave(conversation, now_ns);
    conversation_write(conversation, now_ns);
    *next_ns = conversation_tick(conversation, now_ns);
    /* Last, since sending may swallow the edge of the socket's descriptor. */
    return conversation_read(conversation, now_ns) || conversation->link.is_stirred;
}

static bool has_reports(struct session *session)
{
    const struct conversation *conversation = &session->conversation;
    return conversation->is_busy && !conversation->is_forsaken &&
           conversation->outbox.bytes <= OUTBOX_MAX_BYTES && !ring_is_empty(session->attempt.ring);
}

/* What both threads sleep on, each with an eventfd of its own. */
struct sleep {
    struct pollfd fds[4];
    int64_t until_ns;
};

static struct sleep sleep_make(const struct session *session, int event_fd, int64_t until_ns)
{
    const struct conversation *conversation = &session->conversation;
    return (struct sleep){.fds = {{.fd = conversation->link.fd, .events = POLLIN},
                                  {.fd = conversation->link.monitor_fd, .events = POLLIN},
                                  {.fd = conversation->setup.output_fd, .events = POLLIN},
                                  {.fd = event_fd, .events = POLLIN}},
                          .until_ns = until_ns};
}

static void sleep_take(struct sleep *sleep)
{
    int64_t now_ns = clock_now_ns(), left_ns = sleep->until_ns > now_ns ? sleep->until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
    uint64_t count;
    if (ppoll(sleep->fds, 4, sleep->until_ns == NEVER ? NULL : &timeout, NULL) < 0)
        sleep->fds[1].revents = sleep->fds[2].revents = sleep->fds[3].revents = 0; /* a signal came */
    if (sleep->fds[3].revents)
        (void)!read(sleep->fds[3].fd, &count, sizeof count); /* only to empty it */
}

/* What came meanwhile, but for frames: these are looked for in any case. */
static void sleep_settle(const struct sleep *sleep, struct session *session)
{
    if (sleep->fds[1].revents)
        conversation_look(&session->conversation, clock_now_ns());
    if (sleep->fds[2].revents)
        conversation_drain_output(&session->conversation);
}

/* The last word to the driver, and the code and text for whoever started the worker. */
static int say_why(struct session *session, struct err *err)
{
    struct conversation *conversation = &session->conversation;
    if (conversation->over.code) {
        if (err)
            *err = conversation->over;
        return conversation->over.code;
    }
    conversation_send_leave(conversation, clock_now_ns());
    return conversation->is_leaving ? err_set(err, ERR_INTERRUPTED, "%s", err_string(ERR_INTERRUPTED))
                                    : ERR_OK;
}

/* The function under way is deaf to its end: its process goes instead. */
static void kill_deaf(struct session *session)
{
    struct conversation *conversation = &session->conversation;
    if (!conversation->is_busy || atomic_load(&session->attempt.has_ended))
        return;
    if (conversation->is_forsaken) {
        if (!conversation_is_settled(conversation))
            return;
        log_warn("a trial's function does not end: its process is ended instead trial=%llu",
                 (unsigned long long)session->attempt.trial.number);
        link_close(&conversation->link, LINGER_MS);
        _exit(EXIT_FAILURE); /* not orderly, so the supervisor starts the next one */
    }
    if (!conversation->is_leaving || clock_now_ns() < conversation->kill_ns)
        return;
    struct err err = {0};
    int code = say_why(session, &err);
    link_close(&conversation->link, LINGER_MS);
    page_end(conversation->page, code, err.text);
    _exit(EXIT_SUCCESS);
}

/* One round of the session's thread, while a trial runs. True if it need not sleep before the next one. */
static bool serve_trial(struct session *session, int64_t *next_ns)
{
    struct conversation *conversation = &session->conversation;
    bool is_restless = turn(session, next_ns);
    if (conversation->over.code) {
        conversation_leave(conversation, clock_now_ns());
        ring_close(session->attempt.ring);
        *next_ns = conversation->kill_ns;
        is_restless = false;
    }
    kill_deaf(session);
    return is_restless && !conversation->is_assigned; /* the next trial is the main thread's to begin */
}

/* Sleeps without the lock. False: the main thread has taken it. */
static bool sleep_unlocked(struct session *session, int64_t until_ns)
{
    struct ring *ring = session->attempt.ring;
    bool is_paced = clock_now_ns() < session->conversation.pace_ns;
    if (is_paced) {
        until_ns = clock_min(until_ns, session->conversation.pace_ns);
    } else {
        ring_set_state(ring, RING_SLEEPING);
        if (has_reports(session))
            until_ns = 0;
    }
    struct sleep sleep = sleep_make(session, session->thread_fd, until_ns);
    (void)pthread_mutex_unlock(&session->lock);
    sleep_take(&sleep);
    if (pthread_mutex_trylock(&session->lock))
        return false;
    if (atomic_load(&session->is_running)) {
        ring_set_state(ring, RING_ATTENDED);
        sleep_settle(&sleep, session);
    }
    return true;
}

/* The session's thread: while the main thread runs a trial. Finding the lock taken means that it does not (it
 * hands over again with the next one). */
static void drive(struct session *session)
{
    int64_t next_ns;
    bool is_mine = !pthread_mutex_trylock(&session->lock);
    atomic_store(&session->is_driving, true);
    if (is_mine && atomic_load(&session->is_running))
        ring_set_state(session->attempt.ring, RING_ATTENDED);
    while (is_mine && atomic_load(&session->is_running)) {
        if (!serve_trial(session, &next_ns))
            is_mine = sleep_unlocked(session, next_ns);
    }
    atomic_store(&session->is_driving, false);
    if (is_mine)
        (void)pthread_mutex_unlock(&session->lock);
}

static void wait_a_watch(struct session *session)
{
    struct timespec until;
    int64_t until_ns = clock_now_ns() + WATCH_NS;
    until.tv_sec = until_ns / NS_PER_S;
    until.tv_nsec = until_ns % NS_PER_S;
    while (!session->quits && !session->is_handed_over &&
           !pthread_cond_timedwait(&session->watch_changed, &session->watch_lock, &until))
        ;
}

/* Waits until the session's thread should take over; false: it should end. */
static bool watch(struct session *session)
{
    uint64_t seen = 0;
    bool takes_over = false;
    (void)pthread_mutex_lock(&session->watch_lock);
    while (!takes_over && !session->quits) {
        while (!session->quits && !session->is_handed_over && !atomic_load(&session->is_watching))
            (void)pthread_cond_wait(&session->watch_changed, &session->watch_lock);
        seen = atomic_load(&session->n_begun);
        wait_a_watch(session);
        bool is_same = atomic_load(&session->n_begun) == seen;
        takes_over = session->is_handed_over || (is_same && atomic_load(&session->is_running));
        if (is_same && !takes_over) { /* idle: sleeps, unless a trial begins at this moment */
            atomic_store(&session->is_watching, false);
            if (atomic_load(&session->n_begun) != seen)
                atomic_store(&session->is_watching, true);
        }
    }
    session->is_handed_over = false;
    bool goes_on = !session->quits;
    (void)pthread_mutex_unlock(&session->watch_lock);
    return goes_on;
}

static void *run_thread(void *arg)
{
    struct session *session = arg;
    while (watch(session))
        drive(session);
    return NULL;
}

/* The main thread's side */

/* After the lock was let go, or the session's thread would find it taken. */
static void begin(struct session *session)
{
    struct attempt *attempt = &session->attempt;
    const struct spec *spec = attempt->trial.spec;
    bool at_once = session->was_long || (spec && spec->train.kind == TRAIN_COMMAND);
    atomic_store_explicit(&session->begun_ns, attempt->begun_ns, memory_order_relaxed);
    ring_set_state(attempt->ring, RING_UNATTENDED);
    atomic_store(&session->is_running, true);
    (void)atomic_fetch_add(&session->n_begun, 1);
    if (at_once)
        hand_over(session);
    else if (!atomic_load(&session->is_watching))
        start_watching(session);
}

/* Everything that can end the wait for work but work. */
static bool is_over(struct session *session, int64_t *leave_ns)
{
    struct conversation *conversation = &session->conversation;
    if (conversation->over.code)
        return true;
    if (!conversation->is_leaving && !conversation->is_done)
        return false;
    int64_t now_ns = clock_now_ns();
    if (*leave_ns == NEVER)
        *leave_ns = now_ns + LEAVE_NS;
    bool is_hopeless = conversation->is_leaving && !conversation->link.is_connected;
    return conversation_is_settled(conversation) || is_hopeless || now_ns >= *leave_ns;
}

int session_next(struct attempt **attempt, struct session *session, struct err *err)
{
    struct conversation *conversation = &session->conversation;
    int64_t next_ns, leave_ns = NEVER;
    int code = ERR_OK;
    *attempt = NULL;
    (void)pthread_mutex_lock(&session->lock);
    for (;;) {
        bool is_restless = turn(session, &next_ns);
        if (conversation->is_assigned && !conversation->over.code)
            break;
        if (is_over(session, &leave_ns)) {
            code = say_why(session, err);
            break;
        }
        if (is_restless)
            continue;
        struct sleep sleep = sleep_make(session, session->main_fd, clock_min(next_ns, leave_ns));
        sleep_take(&sleep);
        sleep_settle(&sleep, session);
    }
    if (conversation->is_assigned) {
        conversation->is_assigned = false;
        *attempt = &session->attempt;
    }
    (void)pthread_mutex_unlock(&session->lock);
    if (*attempt)
        begin(session);
    return code;
}

void session_finish(struct session *session)
{
    session->was_long = clock_now_ns() - atomic_load(&session->begun_ns) >= LONG_NS;
    (void)pthread_mutex_lock(&session->lock);
    atomic_store(&session->is_running, false);
    ring_set_state(session->attempt.ring, RING_ATTENDED);
    conversation_write(&session->conversation, clock_now_ns());
    (void)pthread_mutex_unlock(&session->lock);
    if (atomic_load(&session->is_driving))
        wake(session->thread_fd); /* after the result is on its way: it goes back to its watch */
}

/* Life */

static int start_thread(struct session *session, struct err *err)
{
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&session->lock, NULL); /* these cannot fail on Linux */
    (void)pthread_mutex_init(&session->watch_lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&session->watch_changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    /* Signals are the main thread's: its handlers must not run where locks are held. */
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int fault = pthread_create(&session->thread, NULL, run_thread, session);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (fault)
        return err_set(err, ERR_IO, "cannot start a thread: %s", strerror(fault));
    session->has_thread = true;
    return ERR_OK;
}

static void close_events(struct session *session)
{
    if (session->main_fd >= 0)
        (void)close(session->main_fd); /* nothing in them that could be lost */
    if (session->thread_fd >= 0)
        (void)close(session->thread_fd);
}

int session_create(struct session **out, const struct conversation_setup *setup, const char *directory,
                   struct page *page, struct err *err)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    session->main_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    session->thread_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = ERR_OK;
    if (session->main_fd < 0 || session->thread_fd < 0)
        code = err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
    if (!code)
        code = attempt_init(&session->attempt, directory, notify, session, err);
    if (code) {
        close_events(session);
        free(session);
        return code;
    }
    code = conversation_open(&session->conversation, setup, page, &session->attempt, err);
    if (!code && atomic_load(&page->is_running))
        code = conversation_confess(&session->conversation, err);
    if (!code)
        code = start_thread(session, err);
    if (code) {
        session_destroy(session);
        return code;
    }
    *out = session;
    return ERR_OK;
}

void session_destroy(struct session *session)
{
    if (!session)
        return;
    if (session->has_thread) {
        (void)pthread_mutex_lock(&session->watch_lock);
        session->quits = true;
        (void)pthread_cond_signal(&session->watch_changed);
        (void)pthread_mutex_unlock(&session->watch_lock);
        (void)pthread_join(session->thread, NULL);
    }
    attempt_fini(&session->attempt);
    conversation_close(&session->conversation, LINGER_MS);
    close_events(session);
    free(session);
}
