#ifndef TESTS_WIRE_SAMPLE_H
#define TESTS_WIRE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"

/* Random messages, made from the one list in core/wire.def, so that a new message is tested without a new
 * test. */

enum field_kind { KIND_U64, KIND_I64, KIND_F64, KIND_ID, KIND_STR, KIND_STRS, KIND_POINT, KIND_REPORTS };

struct message_type {
    enum wire_type type;
    const char *name;
    size_t n_fields;
    const enum field_kind *kinds;
};

extern const struct message_type message_types[];
extern const size_t n_message_types;

/* A message of that type with random fields, the same for the same seed. What it points to lives until the
 * next call. */
void sample_message(struct wire_message *message, enum wire_type type, uint64_t seed);

/* Are the first `n_fields` fields equal (NaN equals NaN), and is every other field of `b` zero? */
bool sample_equal(const struct wire_message *a, const struct wire_message *b, size_t n_fields);

/* The next number of a splitmix64 stream. */
uint64_t sample_next(uint64_t *state);

#endif
