#ifndef DRIVER_STORE_CODEC_H
#define DRIVER_STORE_CODEC_H

#include <stddef.h>

#include "core/err.h"
#include "core/space.h"
#include "core/spec.h"
#include "core/trial.h"

/* Values in columns that are more than a number: curves as blobs, points as JSON, sweeps as JSON.
 *
 * A curve, all little-endian, 8 bytes each: int64 first, int64 stride; with stride > 0 the steps are first,
 * first
 * + stride, ... and n doubles follow; with stride 0 n int64 steps follow, then n doubles. Most curves take
 * the short form, which halves what a driver reads when it starts. */

/* A reusable buffer; {0} is empty. */
struct codec_buffer {
    void *data;
    size_t size, capacity;
};

void codec_buffer_fini(struct codec_buffer *buffer);
/* Overwrites the buffer. 0 or ERR_NOMEM. O(n). */
int curve_encode(struct codec_buffer *buffer, const struct curve *curve);
/* Appends to *curve. ERR_INVALID for bytes that are no curve. O(n). */
int curve_decode(struct curve *curve, const void *blob, size_t size);
/* Last step of an encoded curve, without decoding it; false: there is none. */
bool curve_last_step(int64_t *step, const void *blob, size_t size);

/* The inverse of space_write_json: point[n_params] from the active parameters. ERR_INVALID with the parameter
 * that is not of this space. */
int point_read_json(double *point, const struct space *space, const char *json, struct err *err);

/* The spec of a stored JSON text; what is wrong with it as one line. */
int spec_read_json(struct spec **spec, const char *json, struct err *err);

#endif
