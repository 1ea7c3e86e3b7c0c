#ifndef SDK_DISPLAY_H
#define SDK_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "sdk/prova.h"

/* The progress of prova_lagom on standard error: a line that is drawn over itself on a terminal, elsewhere a
 * plain line now and then. */
struct display {
    bool is_quiet; /* draws nothing; says all the same */
    bool is_terminal;
    bool is_drawn;    /* the cursor stands at the end of the progress line */
    int64_t drawn_ns; /* 0: never */
    int64_t n_shown;  /* trials that had ended then */
};

void display_init(struct display *display, bool is_quiet);
/* Shows it, if it is time to: at most ten times a second on a terminal; elsewhere every five seconds, if a
 * trial has ended since. `is_last`: in any case. */
void display_update(struct display *display, const prova_result *result, int64_t now_ns, bool is_last);
/* Writes a line for people, above the progress. */
void display_say(struct display *display, const char *line);
/* Ends the progress line. */
void display_end(struct display *display);

#endif
