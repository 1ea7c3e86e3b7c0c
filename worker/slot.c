/* The slot process: its surroundings, and the loop of its main thread. */
#include "worker/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/clock.h"
#include "worker/fleet.h"
#include "worker/run.h"
#include "worker/session.h"

#define END_S 5 /* for the teardown of a session, which lingers for 1 s at most */

/* For the signal handler and for forks of any thread; a process has one slot. NULL before and after it. */
static struct session *_Atomic the_session;
static struct page *the_page;
static int stderr_fd = -1;

/* Once: end as soon as it can be done decently. Twice: now. */
static void on_terminate(int signal)
{
    static volatile sig_atomic_t n_signals;
    int saved = errno;
    (void)signal;
    if (n_signals++ > 0) {
        int group = atomic_load(&the_page->group);
        if (group)
            (void)kill(-group, SIGKILL); /* it may have ended by itself */
        _exit(EXIT_FAILURE);
    }
    session_leave(the_session);
    errno = saved;
}

/* The log goes where it went before stdout and stderr became those of trials. */
static void write_log(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    (void)dprintf(stderr_fd, "%s\n", line); /* nobody is left to be told of a failure */
}

static int redirect(const struct slot_setup *setup, struct err *err)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    stderr_fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
    if (stderr_fd < 0)
        stderr_fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* it was started without one */
    if (null_fd < 0 || stderr_fd < 0 || dup2(null_fd, 0) < 0 || dup2(setup->output[1], 1) < 0 ||
        dup2(setup->output[1], 2) < 0)
        return err_set(err, ERR_IO, "cannot redirect the output of trials: %s", strerror(errno));
    (void)close(null_fd);
    log_set_sink(write_log, NULL);
    /* By lines, so that the last words of a function that crashes are seen. */
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* if it fails, they come late */
    return ERR_OK;
}

/* What a training function forks is not the slot: SIGTERM ends it (a multiprocessing pool waits for that),
 * and nobody empties its copy of the ring. */
static void after_fork(void)
{
    struct session *session = the_session;
    (void)signal(SIGTERM, SIG_DFL); /* cannot fail */
    if (session)
        session_abandon(session);
}

static void take_signals(void)
{
    struct sigaction terminate = {.sa_handler = on_terminate, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, otherwise = {.sa_handler = SIG_DFL};
    sigset_t none;
    (void)sigaction(SIGTERM, &terminate, NULL); /* none of these can fail */
    (void)sigaction(SIGINT, &ignore, NULL);     /* Ctrl-C is the supervisor's business */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGCHLD, &otherwise, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int serve(struct session *session, const struct slot_setup *setup, struct err *err)
{
    for (;;) {
        struct attempt *attempt;
        int code = session_next(&attempt, session, err);
        if (code || !attempt)
            return code;
        run_attempt(attempt, setup->worker, setup->page);
        session_finish(session);
    }
}

/* Once in many kills of a supervisor, libzmq's teardown did not come back. A slot that is over has nothing
 * left to lose but its last second of sending, so SIGALRM's default action ends it then. */
static void end_in_time(void)
{
    sigset_t set;
    (void)signal(SIGALRM, SIG_DFL); /* a training function may have taken it */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)alarm(END_S);
}

/* There is no supervisor to say why, and mpirun wants every process to take leave of the others. */
static _Noreturn void end_in_fleet(int code, const struct err *err)
{
    bool is_well = !code || code == ERR_INTERRUPTED;
    if (!is_well)
        log_error("the worker ended error=%s", err->text);
    fleet_close();
    _exit(is_well ? EXIT_SUCCESS : EXIT_FAILURE);
}

void slot_run(const struct slot_setup *setup)
{
    const struct worker_setup *worker = setup->worker;
    struct conversation_setup conversation = {
        .endpoint = worker->driver,
        .worker = setup->id,
        .experiment = worker->experiment,
        .slot = setup->number,
        .wait_ns = worker->wait_s * NS_PER_S,
        .output_fd = setup->output[0],
    };
    struct session *session = NULL;
    struct err err = {0};
    the_page = setup->page;
    if (worker->quiet && log_level() > LOG_WARN)
        log_set_level(LOG_WARN);
    int code = redirect(setup, &err);
    conversation.stderr_fd = stderr_fd;
    if (!code)
        code = session_create(&session, &conversation, setup->directory, setup->page, &err);
    if (!code && pthread_atfork(NULL, NULL, after_fork))
        code = err_set(&err, ERR_NOMEM, "out of memory");
    if (!code) {
        the_session = session;
        take_signals();
        code = serve(session, setup, &err);
    }
    /* Whatever the supervisor waits for is decided. */
    (void)signal(SIGTERM, SIG_IGN);
    page_end(setup->page, code, err.text);
    if (!fleet_is_open())
        end_in_time();
    the_session = NULL;
    session_destroy(session);
    (void)fflush(stdout); /* into the pipe; for nobody, unless a trial's thread runs on */
    if (fleet_is_open())
        end_in_fleet(code, &err);
    _exit(EXIT_SUCCESS);
}
