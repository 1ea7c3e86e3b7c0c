/* The progress line. It is drawn with one write: carriage return, the line, "erase to the end". So nothing
 * flickers, and the cursor is never hidden, which a killed process could not undo. A log line is written in
 * the same way over the bar, which is then drawn again below it. */
#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/format.h"
#include "cli/table.h"
#include "cli/term.h"
#include "core/log.h"

#define DRAW_NS  (INT64_C(100) * 1000 * 1000)
#define CLOCK_NS (INT64_C(1000) * 1000 * 1000) /* the bar's seconds go on without news */
#define PLAIN_NS (INT64_C(5000) * 1000 * 1000)
enum { MIN_BAR = 10, MAX_BAR = 30, MAX_PARTS = 10 };

static uint64_t n_ended(const struct progress_view *view)
{
    return view->n_completed + view->n_stopped + view->n_failed;
}

double progress_left(const struct progress_view *view)
{
    double left = NAN;
    if (view->limit && view->per_second > 0) {
        uint64_t done = n_ended(view);
        left = done < view->limit ? (double)(view->limit - done) / view->per_second : 0;
    }
    if (view->limit_s > 0) {
        double rest = fmax(view->limit_s - view->elapsed_s, 0);
        left = isnan(left) ? rest : fmin(left, rest);
    }
    return left;
}

/* The share of the work that is done, by whichever limit is nearer; negative: there is none. */
static double share_done(const struct progress_view *view)
{
    double share = -1;
    if (view->limit)
        share = (double)n_ended(view) / (double)view->limit;
    if (view->limit_s > 0)
        share = fmax(share, view->elapsed_s / view->limit_s);
    return fmin(share, 1);
}

static void append_rate(struct text *out, double per_second)
{
    if (per_second >= 99.5)
        text_printf(out, "%.0f/s", per_second);
    else if (per_second >= 1)
        text_printf(out, "%.1f/s", per_second);
    else if (per_second * 60 >= 1)
        text_printf(out, "%.1f/min", per_second * 60);
    else
        text_printf(out, "%.1f/h", per_second * 3600);
}

/* Whole seconds: a bar is no place for what changes faster than it is read. */
static void append_time(struct text *out, double seconds)
{
    if (seconds < 60)
        text_printf(out, "%.0fs", ceil(seconds));
    else
        format_seconds(out, seconds);
}

static void append_total(struct text *out, const struct progress_view *view)
{
    text_printf(out, "%" PRIu64, n_ended(view));
    if (view->limit)
        text_printf(out, "/%" PRIu64, view->limit);
}

/* One piece of the line. `rank` says how soon it is left out: the highest first, 0 never. */
struct part {
    struct text text;
    int rank;
    enum table_style style;
};

static struct part *add_part(struct part *parts, size_t *n, int rank, enum table_style style)
{
    struct part *part = &parts[(*n)++];
    part->rank = rank;
    part->style = style;
    return part;
}

static void add_number(struct part *parts, size_t *n, int rank, enum table_style style, uint64_t number,
                       const char *what)
{
    if (number)
        text_printf(&add_part(parts, n, rank, style)->text, "%" PRIu64 " %s", number, what);
}

static size_t make_parts(struct part *parts, const struct progress_view *view)
{
    size_t n = 0;
    append_total(&add_part(parts, &n, 0, STYLE_BOLD)->text, view);
    add_number(parts, &n, 5, STYLE_PLAIN, view->n_running, "running");
    add_number(parts, &n, 6, STYLE_DIM, view->n_paused, "paused");
    add_number(parts, &n, 4, STYLE_PLAIN, view->n_stopped, "stopped");
    add_number(parts, &n, 2, STYLE_BAD, view->n_failed, "failed");
    if (view->best_trial) {
        struct text *best = &add_part(parts, &n, 1, STYLE_GOOD)->text;
        text_append(best, "best ");
        format_value(best, view->best_value);
        text_printf(best, " (#%" PRIu64 ")", view->best_trial);
    }
    if (view->note && *view->note)
        text_append(&add_part(parts, &n, 3, STYLE_WARN)->text, view->note);
    if (view->per_second > 0)
        append_rate(&add_part(parts, &n, 8, STYLE_DIM)->text, view->per_second);
    double left = progress_left(view);
    bool is_known = left > 0;
    struct text *time = &add_part(parts, &n, is_known ? 3 : 7, STYLE_DIM)->text;
    append_time(time, is_known ? left : view->elapsed_s);
    text_append(time, is_known ? " left" : "");
    return n;
}

/* Leaves parts out, the highest rank first, until `width` columns suffice; returns the columns they take. */
static int fit_parts(struct part *parts, size_t n, int width)
{
    for (;;) {
        int used = 0;
        struct part *least = NULL;
        for (size_t i = 0; i < n; i++) {
            int columns = term_columns(text_get(&parts[i].text));
            if (!columns)
                continue;
            used += columns + (used ? 2 : 0);
            if (parts[i].rank > 0 && (!least || parts[i].rank > least->rank))
                least = &parts[i];
        }
        if (used <= width || !least)
            return used;
        text_clear(&least->text);
    }
}

static void append_bar(struct text *out, double share, int width, bool utf8, bool colour)
{
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    int cells = width - 2, filled = (int)(share * cells * 8 + 1e-9), full = filled / 8, used = full;
    text_append(out, utf8 ? "\u2595" : "[");
    text_append(out, style_begin(STYLE_GOOD, colour));
    for (int i = 0; i < full; i++)
        text_append(out, utf8 ? "\u2588" : "#");
    if (utf8 && filled % 8) {
        text_append(out, eighths[filled % 8]);
        used++;
    }
    text_append(out, style_end(STYLE_GOOD, colour));
    for (int i = used; i < cells; i++)
        text_append(out, utf8 ? " " : "-");
    text_append(out, utf8 ? "\u258f" : "]");
}

void progress_render(struct text *out, const struct progress_view *view, int width, bool utf8, bool colour)
{
    struct part parts[MAX_PARTS] = {0};
    size_t n = make_parts(parts, view);
    int name = term_columns(view->name), used = fit_parts(parts, n, width);
    double share = share_done(view);
    int room = width - used - 2;
    bool has_name = room >= name + (share >= 0 ? MIN_BAR + 2 : 0);
    if (has_name) {
        term_append_cut(out, view->name, name);
        text_append(out, "  ");
        room -= name + 2;
    }
    if (share >= 0 && room >= MIN_BAR) {
        append_bar(out, share, room < MAX_BAR ? room : MAX_BAR, utf8, colour);
        text_append(out, "  ");
    }
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].text.size) {
            text_append(out, first ? "" : "  ");
            text_append(out, style_begin(parts[i].style, colour));
            term_append_cut(out, text_get(&parts[i].text), width);
            text_append(out, style_end(parts[i].style, colour));
            first = false;
        }
        text_fini(&parts[i].text);
    }
}

void progress_render_plain(struct text *out, const struct progress_view *view)
{
    struct part parts[MAX_PARTS] = {0};
    size_t n = make_parts(parts, view);
    text_printf(out, "%s: ", view->name);
    for (size_t i = 0; i < n; i++) {
        text_printf(out, "%s%s%s", i ? ", " : "", text_get(&parts[i].text), i ? "" : " trials");
        text_fini(&parts[i].text);
    }
}

double progress_rate_update(struct progress_rate *rate, uint64_t n, int64_t now_ns)
{
    if (!rate->begun_ns)
        *rate = (struct progress_rate){.begun_ns = now_ns, .time_ns = now_ns, .n = n};
    double passed = (double)(now_ns - rate->time_ns) * 1e-9, whole = (double)(now_ns - rate->begun_ns) * 1e-9;
    if (passed < 0.5)
        return rate->per_second;
    /* Nothing has ended yet: there is no speed to speak of, and the clock keeps running. */
    if (rate->per_second <= 0 && n == rate->n)
        return 0;
    /* The plain average at first, then one that forgets. */
    double weight = fmax(passed / whole, 1 - exp(-passed / 30));
    rate->per_second += weight * ((double)(n - rate->n) / passed - rate->per_second);
    rate->time_ns = now_ns;
    rate->n = n;
    return rate->per_second;
}

struct progress {
    int fd;
    bool quiet, terminal, utf8, colour;
    pthread_mutex_t lock; /* of everything below: log lines come on other threads */
    struct text line;     /* what is drawn now; empty: nothing */
    struct text scratch;
    int64_t drawn_ns;
    bool has_drawn;
    bool withheld;              /* news came too soon after the last plain line */
    struct progress_view shown; /* its numbers; strings are not looked at */
};

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n <= 0)
            return; /* stderr is gone: there is nobody to tell */
        data += n;
        size -= (size_t)n;
    }
}

/* Writes `above` (may be NULL) as a line and the bar below it. */
static void redraw(struct progress *progress, const char *above)
{
    struct text *out = &progress->scratch;
    text_clear(out);
    if (progress->terminal && progress->has_drawn)
        text_append(out, "\r");
    if (above) {
        text_append(out, above);
        text_append(out, progress->terminal && progress->has_drawn ? "\033[K\n" : "\n");
    }
    if (progress->terminal) {
        text_append(out, text_get(&progress->line));
        if (progress->has_drawn)
            text_append(out, "\033[K");
        progress->has_drawn = progress->line.size > 0;
    }
    if (out->size)
        write_all(progress->fd, out->data, out->size);
}

void progress_say(struct progress *progress, const char *line)
{
    pthread_mutex_lock(&progress->lock);
    redraw(progress, line);
    pthread_mutex_unlock(&progress->lock);
}

static void take_log_line(enum log_level level, const char *line, void *arg)
{
    (void)level; /* is in the line already, or was filtered by log_set_level */
    progress_say(arg, line);
}

struct progress *progress_create(int fd, enum progress_mode mode)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return NULL;
    if (pthread_mutex_init(&progress->lock, NULL)) {
        free(progress);
        return NULL;
    }
    progress->fd = fd;
    progress->quiet = mode == PROGRESS_QUIET;
    const char *type = getenv("TERM");
    progress->terminal = term_is_terminal(fd) && type && strcmp(type, "dumb") != 0;
    progress->utf8 = term_is_utf8();
    progress->colour = term_has_colour(fd);
    log_set_sink(take_log_line, progress);
    return progress;
}

void progress_clear(struct progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->has_drawn) {
        text_clear(&progress->line);
        redraw(progress, NULL);
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_destroy(struct progress *progress)
{
    if (!progress)
        return;
    log_set_sink(NULL, NULL);
    progress_clear(progress);
    pthread_mutex_destroy(&progress->lock);
    text_fini(&progress->line);
    text_fini(&progress->scratch);
    free(progress);
}

static bool has_news(const struct progress_view *a, const struct progress_view *b)
{
    return a->n_completed != b->n_completed || a->n_stopped != b->n_stopped || a->n_failed != b->n_failed ||
           a->best_trial != b->best_trial || a->n_paused != b->n_paused;
}

static void draw_bar(struct progress *progress, const struct progress_view *view)
{
    int width = term_width(progress->fd);
    text_clear(&progress->line);
    /* The last column stays free: some terminals wrap as soon as it is written. */
    progress_render(&progress->line, view, (width > 20 ? width : 20) - 1, progress->utf8, progress->colour);
    if (!progress->has_drawn) {
        write_all(progress->fd, "\r\033[K", 4);
        progress->has_drawn = true;
    }
    redraw(progress, NULL);
}

static void draw_plain(struct progress *progress, const struct progress_view *view)
{
    struct text line = {0};
    progress_render_plain(&line, view);
    redraw(progress, text_get(&line));
    text_fini(&line);
}

void progress_update(struct progress *progress, const struct progress_view *view, int64_t now_ns, bool force)
{
    if (progress->quiet)
        return;
    pthread_mutex_lock(&progress->lock);
    int64_t passed = progress->drawn_ns ? now_ns - progress->drawn_ns : INT64_MAX;
    bool due = force || passed >= (progress->terminal ? DRAW_NS : PLAIN_NS);
    bool news = progress->terminal || has_news(view, &progress->shown), draw = due && news;
    progress->withheld = news && !due;
    if (draw) {
        if (progress->terminal)
            draw_bar(progress, view);
        else
            draw_plain(progress, view);
        progress->shown = *view;
        progress->drawn_ns = now_ns;
    }
    pthread_mutex_unlock(&progress->lock);
}

int64_t progress_deadline(const struct progress *progress)
{
    if (progress->quiet)
        return INT64_MAX;
    if (progress->terminal)
        return progress->drawn_ns + (progress->withheld ? DRAW_NS : CLOCK_NS);
    return progress->withheld ? progress->drawn_ns + PLAIN_NS : INT64_MAX;
}
