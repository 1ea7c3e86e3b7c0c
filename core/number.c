/* Reading and writing numbers in the C locale: libprova lives in other people's processes, where the decimal
 * point may be a comma. */
#include "core/number.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* built into the C library: allocates nothing */
}

double number_strtod(const char *string, char **end)
{
    (void)pthread_once(&c_locale_once, make_c_locale);
    return strtod_l(string, end, c_locale);
}

int number_format(char buffer[static NUMBER_SIZE], int digits, double value)
{
    (void)pthread_once(&c_locale_once, make_c_locale);
    locale_t before = uselocale(c_locale);
    int n = snprintf(buffer, NUMBER_SIZE, "%.*g", digits, value);
    (void)uselocale(before);
    return n;
}

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* [0-9]+ | ( \.[0-9]+ | [0-9]+(\.[0-9]*)? ) ( [eE][-+]?[0-9]+ )? */
static enum number_form decimal_form(const char *at)
{
    const char *fraction = skip_digits(at);
    bool digits = fraction > at;
    if (digits && !*fraction)
        return NUMBER_INT;
    at = fraction;
    if (*at == '.') {
        at = skip_digits(fraction + 1);
        digits = digits || at > fraction + 1;
    }
    if (digits && (*at == 'e' || *at == 'E')) {
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        digits = *at >= '0' && *at <= '9';
        at = skip_digits(at);
    }
    return digits && !*at ? NUMBER_DOUBLE : NUMBER_NONE;
}

/* 2^53 + 1 rounds to 2^53 and would pass for it: beyond the limit an integer is kept beyond it. */
static double integer_value(uint64_t value)
{
    const uint64_t limit = UINT64_C(1) << 53;
    return value == limit + 1 ? (double)(limit + 2) : (double)value;
}

static enum number_form read_based(double *value, const char *digits, int base)
{
    if (!isxdigit((unsigned char)*digits)) /* strtoull would take a sign or a blank */
        return NUMBER_NONE;
    char *end;
    uint64_t read = strtoull(digits, &end, base);
    if (*end || strlen(digits) > 16)
        return NUMBER_NONE;
    *value = integer_value(read);
    return NUMBER_INT;
}

static enum number_form read_named(double *value, const char *name)
{
    const char *bare = *name == '.' ? name + 1 : name;
    if (strcasecmp(bare, "inf") == 0)
        *value = INFINITY;
    else if (strcasecmp(bare, "nan") == 0)
        *value = NAN;
    else
        return NUMBER_NONE;
    return NUMBER_DOUBLE;
}

static enum number_form read_unsigned(double *value, const char *string)
{
    if (string[0] == '0' && (string[1] == 'x' || string[1] == 'o'))
        return read_based(value, string + 2, string[1] == 'x' ? 16 : 8);
    enum number_form form = decimal_form(string);
    if (form == NUMBER_NONE)
        return read_named(value, string);
    *value = number_strtod(string, NULL);
    if (form == NUMBER_INT && *value <= 0x1p63)
        *value = integer_value(strtoull(string, NULL, 10));
    return isinf(*value) ? NUMBER_NONE : form;
}

enum number_form number_read(double *value, const char *string)
{
    bool has_sign = *string == '-' || *string == '+';
    double size;
    enum number_form form = read_unsigned(&size, string + has_sign);
    if (form != NUMBER_NONE)
        *value = *string == '-' ? -size : size;
    return form;
}

/* Digits of an integer, from the end of `buffer`; about ten times as fast as printf. */
static size_t write_integer(char buffer[static NUMBER_SIZE], double value)
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
    buffer[size] = '\0';
    return size;
}

/* The first of 15, 16 and 17 digits that reads back the same; 17 always do. */
static size_t write_shortest(char buffer[static NUMBER_SIZE], double value)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = number_format(buffer, digits, value);
        if (digits == 17 || number_strtod(buffer, NULL) == value)
            break;
    }
    return (size_t)n;
}

static size_t write_word(char buffer[static NUMBER_SIZE], const char *word)
{
    size_t size = strlen(word);
    memcpy(buffer, word, size + 1);
    return size;
}

size_t number_write(char buffer[static NUMBER_SIZE], double value)
{
    if (isnan(value))
        return write_word(buffer, "nan");
    if (isinf(value))
        return write_word(buffer, value < 0 ? "-inf" : "inf");
    bool is_integer = fabs(value) < 0x1p53 && value == trunc(value);
    return is_integer ? write_integer(buffer, value) : write_shortest(buffer, value);
}
