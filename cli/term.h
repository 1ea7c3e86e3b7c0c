#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"

/* What is known of a terminal. */

bool term_is_terminal(int fd);
/* Columns; 0: it is no terminal, so lines may be as long as they like. Asked anew each time: windows change.
 */
int term_width(int fd);
/* Colours are wanted: a terminal that is not "dumb", and NO_COLOR is not set (no-color.org). */
bool term_has_colour(int fd);
/* The locale can show more than ASCII. */
bool term_is_utf8(void);

/* Columns that a string takes, by the locale; what cannot be shown takes one ("?"). */
int term_columns(const char *string);
/* Appends at most `width` columns of it; a longer one ends in an ellipsis. Control characters become '?', so
 * that nothing a trial printed can steer the terminal. */
void term_append_cut(struct text *out, const char *string, int width);

#endif
