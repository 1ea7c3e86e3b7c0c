#ifndef CORE_LOG_H
#define CORE_LOG_H

/* Log lines on stderr: constant event text, then key=value. ERROR: someone must act. WARN: degraded, will
 * retry. INFO: life cycle. DEBUG: every message. Nothing of it on stdout. The level is process-wide. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Reads "error", "warn", "info" or "debug". Returns 0 or ERR_INVALID. */
int log_level_parse(enum log_level *level, const char *text);

/* A function that is called with every line instead of writing it to stderr (the progress bar needs it to
 * keep its line clean). NULL restores stderr. The line has no newline. Called on the logging thread. */
typedef void log_sink_fn(enum log_level level, const char *line, void *arg);
void log_set_sink(log_sink_fn *sink, void *arg);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_level() >= LOG_DEBUG)                                                                        \
            log_write(LOG_DEBUG, __VA_ARGS__);                                                               \
    } while (0)

#endif
