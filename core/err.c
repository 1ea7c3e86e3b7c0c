/* Error codes and texts. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_string(int code)
{
    switch (code) {
    case ERR_OK:
        return "no error";
#define ERR(name, number, text)                                                                              \
    case number:                                                                                             \
        return text;
#include "core/err.def"
#undef ERR
    default:
        return "unknown error";
    }
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        (void)vsnprintf(err->text, sizeof err->text, format, args); /* a long text is cut */
        va_end(args);
    }
    return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return ERR_OK;
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (used + 2 < sizeof text) /* a long text is cut */
        (void)snprintf(err->text + used, sizeof text - used, ": %.*s", (int)(sizeof text - used - 3), text);
    return err->code;
}
