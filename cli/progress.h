#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"

/* How a running experiment is shown: a line that is drawn over itself on a terminal, plain lines elsewhere.
 * The rendering is a pure function; struct progress does the drawing. */

struct progress_view {
    const char *name;
    const char *metric; /* the objective's name */
    const char *note;   /* what it waits for; "" */
    uint64_t limit;     /* trials; 0: none */
    uint64_t n_running, n_completed, n_stopped, n_failed, n_paused, n_workers;
    uint64_t best_trial; /* 0: none yet */
    double best_value;
    double elapsed_s;
    double limit_s;    /* of running time; 0: none */
    double per_second; /* trials that end in a second, of late; 0: unknown */
};

/* One line without newline, at most `width` columns (at least 20). What there is no room for is left out, the
 * least useful first; the count always stays. `utf8` draws the bar in blocks; `colour` colours it. */
void progress_render(struct text *out, const struct progress_view *view, int width, bool utf8, bool colour);
/* The same as a line for a log: everything, `key value` pairs. */
void progress_render_plain(struct text *out, const struct progress_view *view);
/* Seconds until the first limit is reached at this speed; NaN: nobody knows. */
double progress_left(const struct progress_view *view);

enum progress_mode { PROGRESS_AUTO, PROGRESS_QUIET };
struct progress;

/* Writes to `fd` (stderr). While it exists it takes the log lines of this process (core/log.h), so that they
 * appear above the bar. NULL when out of memory. */
struct progress *progress_create(int fd, enum progress_mode mode);
/* Ends the line where one is drawn, and gives log lines back to stderr. */
void progress_destroy(struct progress *progress);
/* Shows it, if it is time to: a bar at most ten times a second, a plain line when a count has changed and
 * five seconds have passed, or at `force`. Strings of the view are borrowed until the next call. */
void progress_update(struct progress *progress, const struct progress_view *view, int64_t now_ns, bool force);
/* When it wants to be updated again although nothing has changed (time left, elapsed); INT64_MAX: never. */
int64_t progress_deadline(const struct progress *progress);
/* Writes a line above the bar; also when quiet. Any thread. */
void progress_say(struct progress *progress, const char *line);
/* Takes the bar off the screen, for something else to be printed. */
void progress_clear(struct progress *progress);

/* Trials a second of late: an average over about the last 30 s that does not jump. {0} is empty. */
struct progress_rate {
    int64_t begun_ns, time_ns;
    uint64_t n;
    double per_second;
};
double progress_rate_update(struct progress_rate *rate, uint64_t n_ended, int64_t now_ns);

#endif
