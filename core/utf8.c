/* UTF-8 by table 3-7 of the Unicode standard: the second byte's range depends on the first, the rest
 * are 80..BF. */
#include "core/utf8.h"

#include <stdbool.h>

struct lead {
    unsigned char first, last; /* of the lead byte */
    unsigned char low, high;   /* of the second byte */
    size_t length;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_sequence(const unsigned char *bytes, const struct lead *lead)
{
    if (bytes[1] < lead->low || bytes[1] > lead->high)
        return false;
    for (size_t i = 2; i < lead->length; i++) {
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return false;
    }
    return true;
}

size_t utf8_length(const char *string, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)string;
    if (size == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        const struct lead *lead = &leads[i];
        if (bytes[0] >= lead->first && bytes[0] <= lead->last)
            return size >= lead->length && is_sequence(bytes, lead) ? lead->length : 0;
    }
    return 0;
}
