/* Signals as events, and the second Ctrl-C as the end of it all. */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
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

int signals_open(int *fd, struct err *err)
{
    sigset_t set;
    signal_set(&set);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return err_set(err, ERR_IO, "cannot block signals: %s", strerror(errno));
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
