#ifndef CORE_ID_H
#define CORE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A 128-bit identity (UUID) of an experiment, worker or driver. All zero means "none". */
struct id {
    uint8_t bytes[16];
};

#define ID_TEXT_SIZE 37 /* 36 characters and the terminator */

/* A fresh random UUID (libuuid). */
struct id id_new(void);

bool id_is_none(struct id id);
bool id_equal(struct id a, struct id b);

/* Writes the usual 8-4-4-4-12 form into `text`, lower case; returns `text`. */
const char *id_format(struct id id, char text[static ID_TEXT_SIZE]);

/* Reads the 36-character form. Returns 0 or ERR_INVALID (then *id is unchanged). */
int id_parse(struct id *id, const char *text);

#endif
