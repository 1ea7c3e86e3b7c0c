#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/trial.h"

/* The protocol between workers, clients and the driver, from the one list in core/wire.def. No sockets here:
 * a message is a struct on one side and a frame of bytes on the other.
 *
 * Decoding is two passes: wire_check walks the frame without allocating and refuses whatever runs past its
 * end, nests deeper than 3, or counts more elements than bytes are left; only then msgpack-c sees it. A
 * decoded message borrows its strings, and lives in the decoder's arena until the next decode. */

#define WIRE_VERSION   1
#define WIRE_MAX_FRAME (64u << 20) /* bytes */
#define WIRE_MAX_NAMES 1024        /* metrics of one PROGRESS */

struct wire_str {
    const char *data; /* not terminated by the format, but by the decoder: data[size] is 0 */
    size_t size;
};

struct wire_strs {
    size_t n;
    const struct wire_str *list;
};

struct wire_point {
    size_t n;
    const double *values; /* NaN: inactive */
};

struct wire_reports {
    size_t n;
    const struct report *list;
};

#define WIRE_TYPE_U64     uint64_t
#define WIRE_TYPE_I64     int64_t
#define WIRE_TYPE_F64     double
#define WIRE_TYPE_ID      struct id
#define WIRE_TYPE_STR     struct wire_str
#define WIRE_TYPE_STRS    struct wire_strs
#define WIRE_TYPE_POINT   struct wire_point
#define WIRE_TYPE_REPORTS struct wire_reports

#define MESSAGE(name, NAME, id, sender, meaning) struct wire_##name {
#define FIELD(kind, name, meaning)               WIRE_TYPE_##kind name;
#define END(name)                                                                                            \
    }                                                                                                        \
    ;
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END

enum wire_type {
#define MESSAGE(name, NAME, id, sender, meaning) WIRE_##NAME = id,
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
};

struct wire_message {
    enum wire_type type;
    union {
#define MESSAGE(name, NAME, id, sender, meaning) struct wire_##name name;
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    };
};

/* A reusable buffer for encoding; {0} is empty. wire_encode overwrites it. */
struct wire_buffer {
    char *data;
    size_t size, capacity;
};

void wire_buffer_fini(struct wire_buffer *buffer);
/* Returns 0 or ERR_NOMEM. O(size of the message). */
int wire_encode(struct wire_buffer *buffer, const struct wire_message *message);

/* Holds what decoded messages point to. Not for two threads. */
struct wire_decoder;
struct wire_decoder *wire_decoder_create(void);
void wire_decoder_destroy(struct wire_decoder *decoder);
/* Returns 0 and *message, which borrows from the decoder until its next call, never from `data`. ERR_PROTOCOL
 * with the place and fault; ERR_UNSUPPORTED for a message id that is none of ours; ERR_NOMEM. */
int wire_decode(struct wire_message *message, struct wire_decoder *decoder, const void *data, size_t size,
                struct err *err);
/* The bounds check alone (for fuzzing). */
int wire_check(const void *data, size_t size, struct err *err);

/* "HELLO"; "?" for none of ours. Lends. */
const char *wire_type_name(enum wire_type type);
struct wire_str wire_string(const char *string); /* borrows; NULL is "" */

#endif
