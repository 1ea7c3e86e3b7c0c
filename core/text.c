/* Growing strings, and numbers and strings as text and JSON. */
#include "core/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/number.h"
#include "core/utf8.h"

void text_fini(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->size = 0;
    text->failed = 0;
    if (text->data)
        text->data[0] = '\0';
}

const char *text_get(const struct text *text)
{
    return text->data ? text->data : "";
}

/* Makes room for `more` bytes and the terminator. */
static bool reserve(struct text *text, size_t more)
{
    if (text->failed)
        return false;
    if (more < text->capacity - text->size) /* capacity is at least size + 1, or both are 0 */
        return true;
    size_t needed = text->size + more + 1;
    size_t capacity = text->capacity < 32 ? 64 : 2 * text->capacity;
    if (capacity < needed)
        capacity = needed;
    char *data = needed > more ? realloc(text->data, capacity) : NULL;
    if (!data) {
        text->failed = ERR_NOMEM;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

char *text_take(struct text *text)
{
    char *data = reserve(text, 0) ? text->data : NULL;
    if (!data) {
        text_fini(text);
        return NULL;
    }
    data[text->size] = '\0';
    *text = (struct text){0};
    return data;
}

void text_append_bytes(struct text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = text->capacity - text->size;
    int n = text->failed ? -1 : vsnprintf(room ? text->data + text->size : NULL, room, format, args);
    if (n >= 0 && (size_t)n >= room && reserve(text, (size_t)n))
        n = vsnprintf(text->data + text->size, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    if (n < 0)
        text->failed = ERR_NOMEM;
    if (!text->failed)
        text->size += (size_t)n;
    else if (text->data)
        text->data[text->size] = '\0';
}

/* Digits of an integer, from the end of `buffer`; about ten times as fast as printf. */
static size_t write_integer(char buffer[static 24], double value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = (uint64_t)fabs(value);
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (signbit(value))
        *--at = '-';
    size_t size = (size_t)(digits + sizeof digits - at);
    memcpy(buffer, at, size);
    return size;
}

/* The first of 15, 16 and 17 digits that reads back the same; 17 always do. */
static size_t write_shortest(char buffer[static 32], double value)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = number_format(buffer, digits, value);
        if (digits == 17 || number_strtod(buffer, NULL) == value)
            break;
    }
    return (size_t)n;
}

void text_append_double(struct text *text, double value)
{
    char buffer[32];
    if (isnan(value))
        text_append_bytes(text, "nan", 3);
    else if (isinf(value))
        text_append(text, value < 0 ? "-inf" : "inf");
    else if (fabs(value) < 0x1p53 && value == trunc(value))
        text_append_bytes(text, buffer, write_integer(buffer, value));
    else
        text_append_bytes(text, buffer, write_shortest(buffer, value));
}

void text_append_json_double(struct text *text, double value)
{
    if (isfinite(value))
        text_append_double(text, value);
    else
        text_append_bytes(text, "null", 4);
}

/* How many bytes from `at` need no escape. */
static size_t plain_run(const char *at)
{
    size_t n = 0;
    while ((unsigned char)at[n] >= ' ' && (unsigned char)at[n] < 0x7f && at[n] != '"' && at[n] != '\\')
        n++;
    return n;
}

static void append_escaped(struct text *text, char c)
{
    static const char names[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *name = strchr(names, c);
    if (name)
        text_append_bytes(text, (char[2]){'\\', letters[name - names]}, 2);
    else
        text_printf(text, "\\u%04x", (unsigned)(unsigned char)c);
}

void text_append_json_string(struct text *text, const char *string)
{
    text_append_bytes(text, "\"", 1);
    while (*string) {
        size_t n = plain_run(string);
        text_append_bytes(text, string, n);
        string += n;
        if (!*string)
            break;
        if ((unsigned char)*string < 0x80) {
            append_escaped(text, *string++);
            continue;
        }
        size_t length = utf8_length(string, strlen(string));
        text_append_bytes(text, length ? string : "\xef\xbf\xbd", length ? length : 3);
        string += length ? length : 1;
    }
    text_append_bytes(text, "\"", 1);
}
