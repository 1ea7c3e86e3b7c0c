/* Progress for people. Each change is one write, so that nothing flickers and lines of other processes are
 * not cut in two. */
#include "sdk/display.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/text.h"

#define DRAW_NS  (INT64_C(100) * 1000 * 1000)
#define PLAIN_NS (INT64_C(5000) * 1000 * 1000)

void display_init(struct display *display, bool is_quiet)
{
    const char *type = getenv("TERM");
    bool is_terminal = isatty(STDERR_FILENO) && type && strcmp(type, "dumb") != 0;
    *display = (struct display){.is_quiet = is_quiet, .is_terminal = is_terminal};
}

static void write_text(const struct text *text)
{
    if (text->size && write(STDERR_FILENO, text->data, text->size) < 0)
        return; /* stderr is gone: there is nobody to tell */
}

static void append_count(struct text *out, int64_t n, const char *what)
{
    if (n > 0)
        text_printf(out, ", %" PRId64 " %s", n, what);
}

static int64_t n_ended(const prova_result *result)
{
    return prova_result_count(result, "COMPLETED") + prova_result_count(result, "STOPPED") +
           prova_result_count(result, "FAILED");
}

static void describe(struct text *out, const prova_result *result)
{
    text_printf(out, "%s: %" PRId64, prova_result_name(result), n_ended(result));
    if (prova_result_limit(result))
        text_printf(out, "/%" PRId64, prova_result_limit(result));
    text_append(out, " trials");
    append_count(out, prova_result_count(result, "RUNNING"), "running");
    append_count(out, prova_result_count(result, "STOPPED"), "stopped");
    append_count(out, prova_result_count(result, "FAILED"), "failed");
    if (prova_result_best_trial(result))
        text_printf(out, ", best %.6g (trial %" PRId64 ")", prova_result_best_value(result),
                    prova_result_best_trial(result));
    text_printf(out, ", %.*f s", prova_result_seconds(result) < 10 ? 1 : 0, prova_result_seconds(result));
}

/* Cuts the line to the terminal: a wrapped one could not be drawn over. Names are ASCII, so bytes are
 * columns. */
static void fit(struct text *line)
{
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) || window.ws_col < 2 || line->size < window.ws_col)
        return;
    line->size = (size_t)window.ws_col - 1;
    line->data[line->size] = '\0';
}

void display_update(struct display *display, const prova_result *result, int64_t now_ns, bool is_last)
{
    int64_t passed_ns = display->drawn_ns ? now_ns - display->drawn_ns : INT64_MAX, ended = n_ended(result);
    bool is_due = passed_ns >= (display->is_terminal ? DRAW_NS : PLAIN_NS);
    bool is_news = display->is_terminal || ended != display->n_shown;
    if (display->is_quiet || !(is_last || (is_due && is_news)))
        return;
    struct text line = {0}, out = {0};
    describe(&line, result);
    if (display->is_terminal && line.data)
        fit(&line);
    text_printf(&out, "%s%s%s", display->is_drawn ? "\r" : "", text_get(&line),
                display->is_terminal ? "\033[K" : "\n");
    write_text(&out);
    display->is_drawn = display->is_terminal;
    display->drawn_ns = now_ns;
    display->n_shown = ended;
    text_fini(&line);
    text_fini(&out);
}

/* Whoever else shows progress leaves the cursor where it begins. */
void display_say(struct display *display, const char *line)
{
    struct text out = {0};
    text_printf(&out, "%s%s%s\n", display->is_drawn ? "\r" : "", display->is_terminal ? "\033[J" : "", line);
    write_text(&out);
    display->is_drawn = false; /* the next update draws it below */
    display->drawn_ns = 0;
    text_fini(&out);
}

void display_end(struct display *display)
{
    if (display->is_drawn && write(STDERR_FILENO, "\n", 1) < 0)
        return;
    display->is_drawn = false;
}
