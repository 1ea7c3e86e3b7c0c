/* What is known of a terminal, and strings measured in its columns. */
#include "cli/term.h"

#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

bool term_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

int term_width(int fd)
{
    if (!term_is_terminal(fd))
        return 0;
    struct winsize size;
    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col > 0)
        return size.ws_col;
    const char *columns = getenv("COLUMNS");
    int width = columns ? atoi(columns) : 0;
    return width > 0 ? width : 80;
}

bool term_has_colour(int fd)
{
    const char *no_colour = getenv("NO_COLOR"), *type = getenv("TERM");
    return term_is_terminal(fd) && !(no_colour && *no_colour) && type && strcmp(type, "dumb") != 0;
}

bool term_is_utf8(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* The next character: its length in bytes (at least 1) and its columns; -1 columns: not to be shown. */
static size_t next_character(int *columns, const char *at, mbstate_t *state)
{
    wchar_t wide;
    size_t size = mbrtowc(&wide, at, MB_LEN_MAX, state);
    if (size == (size_t)-1 || size == (size_t)-2 || size == 0) {
        memset(state, 0, sizeof *state);
        *columns = -1;
        return 1;
    }
    *columns = wcwidth(wide);
    return size;
}

int term_columns(const char *string)
{
    mbstate_t state = {0};
    int total = 0;
    while (*string) {
        int columns;
        string += next_character(&columns, string, &state);
        total += columns < 0 ? 1 : columns;
    }
    return total;
}

void term_append_cut(struct text *out, const char *string, int width)
{
    mbstate_t state = {0};
    bool cut = term_columns(string) > width;
    const char *ellipsis = term_is_utf8() ? "\u2026" : "~";
    int left = cut ? width - 1 : width;
    while (*string) {
        int columns;
        size_t size = next_character(&columns, string, &state);
        if ((columns < 0 ? 1 : columns) > left)
            break;
        left -= columns < 0 ? 1 : columns;
        if (columns < 0)
            text_append(out, "?");
        else
            text_append_bytes(out, string, size);
        string += size;
    }
    if (cut && width > 0)
        text_append(out, ellipsis);
}
