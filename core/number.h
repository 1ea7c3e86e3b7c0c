#ifndef CORE_NUMBER_H
#define CORE_NUMBER_H

#include <stddef.h>

/* Numbers as people write them: YAML 1.2's core schema (12, -3, 0x1f, 0o17, 1.5, .5, 1e-4, .inf, .nan), and
 * inf and nan as text_append_double writes them. In the C locale, whatever the program's is. */

enum number_form {
    NUMBER_NONE, /* not a number */
    NUMBER_INT,
    NUMBER_DOUBLE
};

/* Integers beyond this are not all doubles, and so are refused wherever a user may write one. */
#define NUMBER_MAX_INT 0x1p53

/* Reads the whole of `string`; *value is set unless it is NUMBER_NONE. An integer beyond +-2^53 gives a value
 * that is beyond it too. A number too large for a double is NUMBER_NONE. */
enum number_form number_read(double *value, const char *string);

#define NUMBER_SIZE 32 /* of a buffer; 24 characters at most are written */

/* strtod, and "%.*g" with its length returned, in the C locale. */
double number_strtod(const char *string, char **end);
int number_format(char buffer[static NUMBER_SIZE], int digits, double value);
/* Writes the form of text_append_double, terminated; returns its length. */
size_t number_write(char buffer[static NUMBER_SIZE], double value);

#endif
