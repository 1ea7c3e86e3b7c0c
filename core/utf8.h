#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stddef.h>

/* Bytes of the valid UTF-8 sequence that `bytes` begins with, 1 to 4; 0 if it begins with none (overlong
 * forms, surrogates and numbers past U+10FFFF are none). Reads at most `size` bytes. */
size_t utf8_length(const char *bytes, size_t size);

#endif
