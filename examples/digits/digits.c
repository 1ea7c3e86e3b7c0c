/* Reads digits.csv. The split into training and validation images is drawn with a fixed seed: every trial of
 * every sweep is measured on the same 500 images. */
#include "digits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { SPLIT_SEED = 1998, PIXEL_MAX = 16, MAX_IMAGES = 1 << 20 };

/* Parses "p,p,...,p,label". Returns 0 or -1. */
static int read_line(float *image, unsigned char *label, const char *line)
{
    for (int i = 0; i <= DIGITS_PIXELS; i++) {
        char *end;
        long value = strtol(line, &end, 10);
        long max = i < DIGITS_PIXELS ? PIXEL_MAX : DIGITS_CLASSES - 1;
        char follows = i < DIGITS_PIXELS ? ',' : '\n';
        if (end == line || value < 0 || value > max || (*end != follows && *end != '\0'))
            return -1;
        if (i < DIGITS_PIXELS)
            image[i] = (float)value / PIXEL_MAX;
        else
            *label = (unsigned char)value;
        line = *end ? end + 1 : end;
    }
    return 0;
}

static int grow(struct digits *digits, size_t *capacity)
{
    size_t n = *capacity ? 2 * *capacity : 2048;
    float *images = realloc(digits->images, n * DIGITS_PIXELS * sizeof *images);
    if (images)
        digits->images = images;
    unsigned char *labels = realloc(digits->labels, n);
    if (labels)
        digits->labels = labels;
    if (!images || !labels)
        return -1;
    *capacity = n;
    return 0;
}

static int read_all(struct digits *digits, FILE *file, const char *path, char *error, size_t size)
{
    char line[1024];
    size_t n = 0, capacity = 0;
    while (fgets(line, sizeof line, file)) {
        if (n == capacity && (n >= MAX_IMAGES || grow(digits, &capacity))) {
            (void)snprintf(error, size, "%s: too large", path);
            return -1;
        }
        if (read_line(digits->images + n * DIGITS_PIXELS, &digits->labels[n], line)) {
            (void)snprintf(error, size,
                           "%s:%zu: expected 64 pixels (0 to 16) and a digit, with commas between", path,
                           n + 1);
            return -1;
        }
        n++;
    }
    if (ferror(file) || n <= DIGITS_VALID) {
        (void)snprintf(error, size, "%s: %s", path, ferror(file) ? "cannot be read" : "holds too few images");
        return -1;
    }
    digits->n_train = n - DIGITS_VALID;
    digits->n_valid = DIGITS_VALID;
    return 0;
}

/* Fisher and Yates: afterwards the last DIGITS_VALID images are a random choice. */
static void shuffle(struct digits *digits)
{
    struct random random = {SPLIT_SEED};
    float held[DIGITS_PIXELS];
    for (size_t i = digits->n_train + digits->n_valid - 1; i > 0; i--) {
        size_t k = random_below(&random, i + 1);
        float *a = digits->images + i * DIGITS_PIXELS, *b = digits->images + k * DIGITS_PIXELS;
        memcpy(held, a, sizeof held);
        memmove(a, b, sizeof held);
        memcpy(b, held, sizeof held);
        unsigned char label = digits->labels[i];
        digits->labels[i] = digits->labels[k];
        digits->labels[k] = label;
    }
}

int digits_read(struct digits *digits, const char *path, char *error, size_t size)
{
    *digits = (struct digits){0};
    FILE *file = fopen(path, "r");
    if (!file) {
        (void)snprintf(error, size, "%s: cannot be opened (give the path of digits.csv by --data)", path);
        return -1;
    }
    int rc = read_all(digits, file, path, error, size);
    (void)fclose(file); /* it was only read */
    if (rc)
        digits_fini(digits);
    else
        shuffle(digits);
    return rc;
}

void digits_fini(struct digits *digits)
{
    free(digits->images);
    free(digits->labels);
    *digits = (struct digits){0};
}
