#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdint.h>

#include "core/text.h"

/* Numbers as people read them. Each appends. */

/* "40ms" "1.2s" "12s" "3:05" "1:02:03" "2d 3:04:05"; "-" for what is not finite or negative. */
void format_seconds(struct text *out, double seconds);
/* A metric's value with six significant digits; "-" for NaN. */
void format_value(struct text *out, double value);
/* How long before `now_ms` (wall clock): "now" "12s ago" "5min ago" "3h ago" "4d ago", then the date; "-" for
 * 0. */
void format_ago(struct text *out, int64_t then_ms, int64_t now_ms);
/* "1 trial", "2 trials", "1 failure". */
void format_count(struct text *out, uint64_t n, const char *one);

#endif
