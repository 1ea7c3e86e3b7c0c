#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A growing, always terminated string. Appending after an allocation has failed does nothing; the failure is
 * kept in `failed`, to be asked once at the end. {0} is an empty text. */
struct text {
    char *data; /* NULL while empty; terminated otherwise */
    size_t size;
    size_t capacity;
    int failed; /* 0 or ERR_NOMEM */
};

void text_fini(struct text *text);
/* Empties it and keeps the memory. */
void text_clear(struct text *text);
/* The content, "" while empty. Lends until the next call that changes it. */
const char *text_get(const struct text *text);
/* Gives the content away (caller frees) and leaves the text empty; NULL if any append has failed. */
char *text_take(struct text *text);

/* Drops the newlines at its end. */
void text_trim(struct text *text);

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t size);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The shortest decimal form that reads back as the same double, e.g. 0.1, 1e-05, nan, inf. */
void text_append_double(struct text *text, double value);
/* The same as a JSON value: a double with no finite value becomes null. */
void text_append_json_double(struct text *text, double value);
/* A JSON string with its quotes; bytes that are no valid UTF-8 become U+FFFD. */
void text_append_json_string(struct text *text, const char *string);

#endif
