/* Numbers as people read them. */
#include "cli/format.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

void format_seconds(struct text *out, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        text_append(out, "-");
    } else if (seconds < 0.9995) {
        text_printf(out, "%.0fms", seconds * 1000);
    } else if (seconds < 9.95) {
        text_printf(out, "%.1fs", seconds);
    } else if (seconds < 59.5) {
        text_printf(out, "%.0fs", seconds);
    } else {
        int64_t whole = (int64_t)(seconds + 0.5), days = whole / 86400, hours = whole / 3600 % 24;
        int minutes = (int)(whole / 60 % 60), rest = (int)(whole % 60);
        if (days)
            text_printf(out, "%" PRId64 "d ", days);
        if (days || hours)
            text_printf(out, "%" PRId64 ":%02d:%02d", hours, minutes, rest);
        else
            text_printf(out, "%d:%02d", minutes, rest);
    }
}

void format_value(struct text *out, double value)
{
    if (isnan(value))
        text_append(out, "-");
    else
        text_printf(out, "%.6g", value);
}

void format_ago(struct text *out, int64_t then_ms, int64_t now_ms)
{
    if (then_ms <= 0) {
        text_append(out, "-");
        return;
    }
    int64_t seconds = (now_ms - then_ms) / 1000;
    if (seconds < 1)
        text_append(out, "now");
    else if (seconds < 60)
        text_printf(out, "%" PRId64 "s ago", seconds);
    else if (seconds < 3600)
        text_printf(out, "%" PRId64 "min ago", seconds / 60);
    else if (seconds < 86400)
        text_printf(out, "%" PRId64 "h ago", seconds / 3600);
    else if (seconds < 7 * 86400)
        text_printf(out, "%" PRId64 "d ago", seconds / 86400);
    else {
        time_t then = (time_t)(then_ms / 1000);
        struct tm local;
        char date[16] = "-";
        if (localtime_r(&then, &local))
            (void)strftime(date, sizeof date, "%Y-%m-%d", &local); /* fits */
        text_append(out, date);
    }
}

void format_count(struct text *out, uint64_t n, const char *one)
{
    text_printf(out, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
}
