#ifndef EXAMPLES_DIGITS_DIGITS_H
#define EXAMPLES_DIGITS_DIGITS_H

#include <stddef.h>

/* The data: 8x8 images of handwritten digits (see SOURCE), split once and for all into what is trained on and
 * what accuracy is measured on. */

enum {
    DIGITS_ROWS = 8,
    DIGITS_COLUMNS = 8,
    DIGITS_PIXELS = DIGITS_ROWS * DIGITS_COLUMNS,
    DIGITS_CLASSES = 10,
    DIGITS_VALID = 500
};

struct digits {
    size_t n_train, n_valid;
    float *images; /* [n_train + n_valid][DIGITS_PIXELS], pixels in [0, 1]; the validation images come last */
    unsigned char *labels; /* [n_train + n_valid], 0 to 9 */
};

/* Reads the CSV file. Returns 0, or -1 with a text that says what is wrong, and where, in error[size]. */
int digits_read(struct digits *digits, const char *path, char *error, size_t size);
void digits_fini(struct digits *digits);

#endif
