/* Log lines. Without a sink each line is one write(2), so lines of several threads and processes do not mix
 * and no lock is taken (a worker forks while other threads log). With one, lines go to it one at a time,
 * under a lock that fork leaves free in the child; a sink must not log. */
#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static _Atomic int current_level = LOG_WARN;
static atomic_bool has_sink;
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static log_sink_fn *sink_fn;
static void *sink_arg;

void log_set_level(enum log_level level)
{
    current_level = (int)level;
}

enum log_level log_level(void)
{
    return (enum log_level)current_level;
}

int log_level_parse(enum log_level *level, const char *text)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(level_names[i], text) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

static void lock_sink(void)
{
    (void)pthread_mutex_lock(&sink_lock); /* a plain mutex of static storage: cannot fail */
}

static void unlock_sink(void)
{
    (void)pthread_mutex_unlock(&sink_lock);
}

static void guard_fork(void)
{
    (void)pthread_atfork(lock_sink, unlock_sink, unlock_sink); /* out of memory: a fork stays a small risk */
}

void log_set_sink(log_sink_fn *sink, void *arg)
{
    (void)pthread_once(&fork_once, guard_fork);
    lock_sink();
    sink_fn = sink;
    sink_arg = arg;
    has_sink = sink != NULL;
    unlock_sink();
}

/* One event is one line, whatever a peer or a user has put into its values. */
static void flatten(char *line)
{
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
}

static void write_stderr(char *line, size_t size)
{
    line[size] = '\n';
    for (size_t done = 0; done <= size;) {
        ssize_t n = write(STDERR_FILENO, line + done, size + 1 - done);
        if (n < 0 && errno != EINTR)
            return; /* nobody is left to tell */
        done += n > 0 ? (size_t)n : 0;
    }
}

static bool write_sink(enum log_level level, const char *line)
{
    if (!has_sink)
        return false;
    lock_sink();
    bool has = sink_fn != NULL;
    if (has)
        sink_fn(level, line, sink_arg);
    unlock_sink();
    return has;
}

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level > current_level)
        return;
    char line[2048];
    int prefix = snprintf(line, sizeof line, "prova: %s: ", level_names[level]);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + prefix, sizeof line - 1 - (size_t)prefix, format, args); /* a long line is cut */
    va_end(args);
    if (n < 0)
        return;
    flatten(line);
    if (!write_sink(level, line))
        write_stderr(line, strlen(line));
}
