#ifndef CORE_ERR_H
#define CORE_ERR_H

/* An error is a negative code and, where a human needs it, a text. The place that detects the fault writes
 * the text; callers add only what they alone know (err_prefix). Functions return 0 or a code; `struct err *`
 * comes last and may be NULL where the caller does not want the text. */

enum err_code {
    ERR_OK = 0,
#define ERR(name, number, text) ERR_##name = number,
#include "core/err.def"
#undef ERR
};

struct err {
    int code;
    char text[256];
};

/* Meaning of a code, e.g. "out of memory"; "unknown error" for a number that is none of ours. Lends. */
const char *err_string(int code);

/* Fills *err (if not NULL) and returns `code`, so that a fault is one line: return err_set(err, ERR_IO, ...).
 */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the text that is there. Returns err->code. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
