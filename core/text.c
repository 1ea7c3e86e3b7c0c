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

void text_trim(struct text *text)
{
    while (text->size > 0 && text->data[text->size - 1] == '\n')
        text->data[--text->size] = '\0';
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

void text_append_double(struct text *text, double value)
{
    char buffer[NUMBER_SIZE];
    text_append_bytes(text, buffer, number_write(buffer, value));
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
