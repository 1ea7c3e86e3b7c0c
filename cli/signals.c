/* Signals as events, and the second Ctrl-C as the end of it all.
 *
 * A signal is only kept for the descriptor if every thread blocks it, and a library may have started a thread
 * before main() (OpenBLAS does): that one would take the signal and end the process. So there is a handler,
 * which can only ever run on such a thread: it blocks the signals there, for good, and sends this one again.
 */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli/command.h"

static void (*abandon_fn)(const void *arg);
static const void *abandon_arg;

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)info; /* who sent it does not matter */
    sigaddset(&interrupted->uc_sigmask, SIGINT);
    sigaddset(&interrupted->uc_sigmask, SIGTERM);
    sigaddset(&interrupted->uc_sigmask, SIGHUP);
    (void)kill(getpid(), number); /* itself: always allowed */
}

int signals_open(int *fd, struct err *err)
{
    sigset_t set;
    signal_set(&set);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return err_set(err, ERR_IO, "cannot block signals: %s", strerror(errno));
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART, .sa_mask = set};
    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with signals that exist */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd < 0 ? err_set(err, ERR_IO, "cannot wait for signals: %s", strerror(errno)) : 0;
}

int signals_read(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static void abandon(int number)
{
    (void)number;
    abandon_fn(abandon_arg);
    ssize_t ignored = write(2, "\n", 1); /* ends the progress line; if not, there is nobody to tell */
    (void)ignored;
    _exit(CLI_INTERRUPTED);
}

void signals_abandon_at_next(void (*fn)(const void *arg), const void *arg)
{
    abandon_fn = fn;
    abandon_arg = arg;
    struct sigaction action = {.sa_handler = abandon};
    sigset_t set;
    signal_set(&set);
    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with signals that exist */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
