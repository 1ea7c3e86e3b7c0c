/* Encoder, decoder and names of every message, generated from core/wire.def.
 *
 * A frame is one msgpack array [id, field, ...]. What comes from a peer is walked first (wire_check), without
 * allocating: msgpack-c reserves an array's elements before it has seen one, so that 5 bytes could make it
 * ask for 128 GiB. After the walk every count is at most the bytes behind it, and at most MAX_ELEMENTS in
 * all.
 *
 * Everything that a decoded message points to is copied into one msgpack zone, which is emptied, not freed,
 * from message to message: a small message costs no allocation. msgpack-c's own objects live there too. */
#include "core/wire.h"

#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEPTH = 3,              /* a message, a field, its elements */
    MAX_ELEMENTS = 4 << 20,     /* of one frame: 24 bytes each in msgpack-c, so 100 MB at the most */
    ZONE_CHUNK_SIZE = 16 << 10, /* holds every message but long PROGRESS and SUBMIT */
    FIRST_CAPACITY = 256
};

struct wire_decoder {
    msgpack_zone zone;
};

const char *wire_type_name(enum wire_type type)
{
    switch (type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME:                                                                                        \
        return #NAME;
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
    return "?";
}

struct wire_str wire_string(const char *string)
{
    return (struct wire_str){string ? string : "", string ? strlen(string) : 0};
}

/* Encoding */

void wire_buffer_fini(struct wire_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct wire_buffer){0};
}

static int buffer_write(void *arg, const char *data, size_t size)
{
    struct wire_buffer *buffer = arg;
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
        while (capacity - buffer->size < size)
            capacity *= 2;
        char *grown = realloc(buffer->data, capacity);
        if (!grown)
            return ERR_NOMEM;
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return 0;
}

/* One function a kind. The packer's only failure is buffer_write's. */

static int write_U64(msgpack_packer *packer, uint64_t value)
{
    return msgpack_pack_uint64(packer, value);
}

static int write_I64(msgpack_packer *packer, int64_t value)
{
    return msgpack_pack_int64(packer, value);
}

static int write_F64(msgpack_packer *packer, double value)
{
    return msgpack_pack_double(packer, value);
}

static int write_ID(msgpack_packer *packer, struct id id)
{
    return msgpack_pack_bin_with_body(packer, id.bytes, sizeof id.bytes);
}

static int write_STR(msgpack_packer *packer, struct wire_str string)
{
    return msgpack_pack_str_with_body(packer, string.size ? string.data : "", string.size);
}

static int write_STRS(msgpack_packer *packer, struct wire_strs strings)
{
    int rc = msgpack_pack_array(packer, strings.n);
    for (size_t i = 0; i < strings.n && !rc; i++)
        rc = write_STR(packer, strings.list[i]);
    return rc;
}

static int write_POINT(msgpack_packer *packer, struct wire_point point)
{
    int rc = msgpack_pack_array(packer, point.n);
    for (size_t i = 0; i < point.n && !rc; i++)
        rc = isnan(point.values[i]) ? msgpack_pack_nil(packer) : write_F64(packer, point.values[i]);
    return rc;
}

static int write_REPORTS(msgpack_packer *packer, struct wire_reports reports)
{
    int rc = msgpack_pack_array(packer, 3 * reports.n);
    for (size_t i = 0; i < reports.n && !rc; i++) {
        const struct report *report = &reports.list[i];
        rc = write_I64(packer, report->step);
        if (!rc)
            rc = write_U64(packer, report->metric);
        if (!rc)
            rc = write_F64(packer, report->value);
    }
    return rc;
}

/* enum { hello_fields = 0 + 1 + 1 ... }; */
#define MESSAGE(name, NAME, id, sender, meaning) enum { name##_fields = 0
#define FIELD(kind, name, meaning)               +1
#define END(name)                                                                                            \
    }                                                                                                        \
    ;
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END

/* static int encode_hello(packer, message) for every message. */
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    static int encode_##name(msgpack_packer *packer, const struct wire_##name *message)                      \
    {                                                                                                        \
        (void)message; /* of a message without fields */                                                     \
        int rc = msgpack_pack_array(packer, 1 + name##_fields);                                              \
        if (!rc)                                                                                             \
            rc = msgpack_pack_uint64(packer, id);
#define FIELD(kind, name, meaning)                                                                           \
    if (!rc)                                                                                                 \
        rc = write_##kind(packer, message->name);
#define END(name)                                                                                            \
    return rc;                                                                                               \
    }
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END

int wire_encode(struct wire_buffer *buffer, const struct wire_message *message)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, buffer_write);
    buffer->size = 0;
    switch (message->type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME:                                                                                        \
        return encode_##name(&packer, &message->name);
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
    return ERR_INVALID; /* no type of ours: a fault of the caller */
}

/* The bounds check */

enum shape_unit { UNIT_NONE, UNIT_BYTES, UNIT_ELEMENTS, UNIT_PAIRS };

/* What follows a first byte: a count of `width` bytes in big endian, `fixed` bytes, and as much as counted.
 */
struct shape {
    uint8_t width, fixed, unit;
    bool bad;
};

/* First bytes 0xc0 to 0xdf, of msgpack's specification. */
static const struct shape shapes[32] = {
    {0},          {.bad = true}, {0},          {0},          /* nil, (never used), false, true */
    {1, 0, 1, 0}, {2, 0, 1, 0},  {4, 0, 1, 0},               /* bin 8 16 32 */
    {1, 1, 1, 0}, {2, 1, 1, 0},  {4, 1, 1, 0},               /* ext 8 16 32 */
    {0, 4, 0, 0}, {0, 8, 0, 0},                              /* float 32 64 */
    {0, 1, 0, 0}, {0, 2, 0, 0},  {0, 4, 0, 0}, {0, 8, 0, 0}, /* uint 8 16 32 64 */
    {0, 1, 0, 0}, {0, 2, 0, 0},  {0, 4, 0, 0}, {0, 8, 0, 0}, /* int 8 16 32 64 */
    {0, 2, 0, 0}, {0, 3, 0, 0},  {0, 5, 0, 0}, {0, 9, 0, 0}, {0, 17, 0, 0}, /* fixext 1 2 4 8 16 */
    {1, 0, 1, 0}, {2, 0, 1, 0},  {4, 0, 1, 0},                              /* str 8 16 32 */
    {2, 0, 2, 0}, {4, 0, 2, 0},                                             /* array 16 32 */
    {2, 0, 3, 0}, {4, 0, 3, 0},                                             /* map 16 32 */
};

struct walk {
    const uint8_t *start, *next, *end;
};

static int walk_fault(const struct walk *walk, const char *what, struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "byte %zu: %s", (size_t)(walk->next - walk->start), what);
}

/* Steps over one value's head and bytes; *children is how many values belong to it. */
static int walk_value(uint64_t *children, struct walk *walk, struct err *err)
{
    if (walk->next == walk->end)
        return walk_fault(walk, "the message ends too early", err);
    uint8_t first = *walk->next++;
    *children = 0;
    if (first <= 0x7f || first >= 0xe0) /* small integer */
        return 0;
    struct shape shape = {0};
    uint64_t count = 0;
    if (first <= 0x9f) {
        shape.unit = first <= 0x8f ? UNIT_PAIRS : UNIT_ELEMENTS;
        count = first & 0x0f;
    } else if (first <= 0xbf) {
        shape.unit = UNIT_BYTES;
        count = first & 0x1f;
    } else {
        shape = shapes[first - 0xc0];
    }
    if (shape.bad)
        return walk_fault(walk, "no such type", err);
    size_t left = (size_t)(walk->end - walk->next);
    if (left < (size_t)shape.width + shape.fixed)
        return walk_fault(walk, "the message ends too early", err);
    for (unsigned i = 0; i < shape.width; i++)
        count = count << 8 | walk->next[i];
    walk->next += shape.width + shape.fixed;
    left -= (size_t)shape.width + shape.fixed;
    if (shape.unit == UNIT_PAIRS)
        count *= 2;
    if (count > left)
        return walk_fault(walk, "a count runs past the end of the message", err);
    if (shape.unit == UNIT_BYTES)
        walk->next += count;
    else
        *children = count;
    return 0;
}

int wire_check(const void *data, size_t size, struct err *err)
{
    struct walk walk = {data, data, (const uint8_t *)data + size};
    if (size == 0)
        return err_set(err, ERR_PROTOCOL, "empty frame");
    if (size > WIRE_MAX_FRAME)
        return err_set(err, ERR_PROTOCOL, "frame of %zu bytes; at most %u are allowed", size, WIRE_MAX_FRAME);
    if ((*walk.start & 0xf0) != 0x90 && *walk.start != 0xdc && *walk.start != 0xdd)
        return err_set(err, ERR_PROTOCOL, "byte 0: not a msgpack array");
    uint64_t left[MAX_DEPTH + 1] = {1}; /* values still to come, per depth */
    uint64_t n_elements = 0;
    size_t depth = 0;
    for (;;) {
        while (left[depth] == 0) {
            if (depth-- == 0)
                return walk.next == walk.end ? 0 : walk_fault(&walk, "bytes after the message's end", err);
        }
        left[depth]--;
        uint64_t children = 0;
        int rc = walk_value(&children, &walk, err);
        if (rc)
            return rc;
        if (children == 0)
            continue;
        if (depth == MAX_DEPTH)
            return walk_fault(&walk, "nested too deeply", err);
        n_elements += children;
        if (n_elements > MAX_ELEMENTS)
            return walk_fault(&walk, "too many elements", err);
        left[++depth] = children;
    }
}

/* Decoding */

/* What a field is that an older peer's frame leaves out. */
static const uint64_t absent_U64 = 0;
static const int64_t absent_I64 = 0;
static const double absent_F64 = 0;
static const struct id absent_ID = {{0}};
static const struct wire_str absent_STR = {"", 0};
static const struct wire_strs absent_STRS = {0, NULL};
static const struct wire_point absent_POINT = {0, NULL};
static const struct wire_reports absent_REPORTS = {0, NULL};

struct reader {
    const msgpack_object *next, *end; /* fields that are left */
    msgpack_zone *zone;
    const char *message; /* its name, for texts */
    struct err *err;
};

/* What a field's reader needs to say where it is. */
#define READ(kind) static int read_##kind(WIRE_TYPE_##kind *value, struct reader *reader, const char *field)

static int field_fault(const struct reader *reader, const char *field, const char *what)
{
    return err_set(reader->err, ERR_PROTOCOL, "%s.%s: %s", reader->message, field, what);
}

static int no_memory(const struct reader *reader)
{
    return err_set(reader->err, ERR_NOMEM, "out of memory while decoding %s", reader->message);
}

READ(U64)
{
    const msgpack_object *object = reader->next;
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return field_fault(reader, field, "expected an integer >= 0");
    *value = object->via.u64;
    return 0;
}

static bool object_i64(int64_t *value, const msgpack_object *object)
{
    bool fits = object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
                (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX);
    *value = object->via.i64;
    return fits;
}

/* Integers are taken too: encoders of dynamic languages write 1.0 as 1. */
static bool object_f64(double *value, const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *value = object->via.f64;
        return true;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        *value = (double)object->via.u64;
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *value = (double)object->via.i64;
        return true;
    default:
        return false;
    }
}

READ(I64)
{
    return object_i64(value, reader->next) ? 0 : field_fault(reader, field, "expected a 64-bit integer");
}

READ(F64)
{
    return object_f64(value, reader->next) ? 0 : field_fault(reader, field, "expected a number");
}

READ(ID)
{
    const msgpack_object *object = reader->next;
    if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size != sizeof value->bytes)
        return field_fault(reader, field, "expected 16 bytes of binary");
    memcpy(value->bytes, object->via.bin.ptr, sizeof value->bytes);
    return 0;
}

/* Bytes that are no UTF-8 are let through: a failing program's last words must not cost its trial. */
static int copy_string(struct wire_str *value, const msgpack_object *object, struct reader *reader,
                       const char *field)
{
    if (object->type != MSGPACK_OBJECT_STR)
        return field_fault(reader, field, "expected a string");
    size_t size = object->via.str.size;
    char *copy = msgpack_zone_malloc_no_align(reader->zone, size + 1);
    if (!copy)
        return no_memory(reader);
    if (size) /* msgpack-c has no pointer to an empty one */
        memcpy(copy, object->via.str.ptr, size);
    copy[size] = '\0';
    *value = (struct wire_str){copy, size};
    return 0;
}

READ(STR)
{
    return copy_string(value, reader->next, reader, field);
}

/* The elements of the current field if it is an array; NULL if not. */
static const msgpack_object_array *object_array(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_ARRAY ? &object->via.array : NULL;
}

READ(STRS)
{
    const msgpack_object_array *array = object_array(reader->next);
    if (!array || array->size > WIRE_MAX_NAMES)
        return field_fault(reader, field, "expected an array of at most 1024 strings");
    *value = absent_STRS;
    if (array->size == 0)
        return 0;
    struct wire_str *list = msgpack_zone_malloc(reader->zone, array->size * sizeof *list);
    if (!list)
        return no_memory(reader);
    for (size_t i = 0; i < array->size; i++) {
        int rc = copy_string(&list[i], &array->ptr[i], reader, field);
        if (rc)
            return rc;
    }
    *value = (struct wire_strs){array->size, list};
    return 0;
}

READ(POINT)
{
    const msgpack_object_array *array = object_array(reader->next);
    if (!array)
        return field_fault(reader, field, "expected an array of numbers and nils");
    *value = absent_POINT;
    if (array->size == 0)
        return 0;
    double *values = msgpack_zone_malloc(reader->zone, array->size * sizeof *values);
    if (!values)
        return no_memory(reader);
    for (size_t i = 0; i < array->size; i++) {
        if (array->ptr[i].type == MSGPACK_OBJECT_NIL)
            values[i] = NAN;
        else if (!object_f64(&values[i], &array->ptr[i]))
            return field_fault(reader, field, "expected an array of numbers and nils");
    }
    *value = (struct wire_point){array->size, values};
    return 0;
}

READ(REPORTS)
{
    const msgpack_object_array *array = object_array(reader->next);
    if (!array || array->size % 3)
        return field_fault(reader, field, "expected a flat array of step, metric, value");
    *value = absent_REPORTS;
    if (array->size == 0)
        return 0;
    size_t n = array->size / 3;
    struct report *list = msgpack_zone_malloc(reader->zone, n * sizeof *list);
    if (!list)
        return no_memory(reader);
    const msgpack_object *object = array->ptr;
    for (size_t i = 0; i < n; i++, object += 3) {
        if (!object_i64(&list[i].step, &object[0]) || !report_step_is_valid(list[i].step))
            return field_fault(reader, field, "a step must be a whole number from 0 to 2^53");
        if (object[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER || object[1].via.u64 > WIRE_MAX_NAMES)
            return field_fault(reader, field, "a metric must be an integer from 0 to 1024");
        list[i].metric = (uint32_t)object[1].via.u64;
        if (!object_f64(&list[i].value, &object[2]))
            return field_fault(reader, field, "a value must be a number");
    }
    *value = (struct wire_reports){n, list};
    return 0;
}

/* static int decode_hello(message, reader) for every message. */
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    static int decode_##name(struct wire_##name *message, struct reader *reader)                             \
    {                                                                                                        \
        int rc = 0;                                                                                          \
        (void)message; /* of a message without fields */                                                     \
        (void)reader;
#define FIELD(kind, name, meaning)                                                                           \
    if (reader->next == reader->end)                                                                         \
        message->name = absent_##kind;                                                                       \
    else if ((rc = read_##kind(&message->name, reader, #name)))                                              \
        return rc;                                                                                           \
    else                                                                                                     \
        reader->next++;
#define END(name)                                                                                            \
    return rc;                                                                                               \
    }
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END

/* What no field can see alone: every report's metric has a name. */
static int check_progress(const struct wire_progress *progress, struct err *err)
{
    for (size_t i = 0; i < progress->reports.n; i++)
        if (progress->reports.list[i].metric > progress->names.n)
            return err_set(err, ERR_PROTOCOL, "PROGRESS.reports: metric %u has no name",
                           progress->reports.list[i].metric);
    return 0;
}

static int decode_message(struct wire_message *message, struct reader *reader)
{
    switch (message->type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME:                                                                                        \
        reader->message = #NAME;                                                                             \
        return decode_##name(&message->name, reader);
#define FIELD(kind, name, meaning)
#define END(name)
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
    return err_set(reader->err, ERR_UNSUPPORTED, "message %u is not known here", (unsigned)message->type);
}

struct wire_decoder *wire_decoder_create(void)
{
    struct wire_decoder *decoder = malloc(sizeof *decoder);
    if (decoder && !msgpack_zone_init(&decoder->zone, ZONE_CHUNK_SIZE)) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void wire_decoder_destroy(struct wire_decoder *decoder)
{
    if (!decoder)
        return;
    msgpack_zone_destroy(&decoder->zone);
    free(decoder);
}

int wire_decode(struct wire_message *message, struct wire_decoder *decoder, const void *data, size_t size,
                struct err *err)
{
    int rc = wire_check(data, size, err);
    if (rc)
        return rc;
    msgpack_zone_clear(&decoder->zone);
    msgpack_object root;
    size_t offset = 0;
    switch (msgpack_unpack(data, size, &offset, &decoder->zone, &root)) {
    case MSGPACK_UNPACK_SUCCESS:
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        return err_set(err, ERR_NOMEM, "out of memory while decoding");
    default: /* after the check only a limit of msgpack-c's own */
        return err_set(err, ERR_PROTOCOL, "not a msgpack message");
    }
    const msgpack_object *first = root.via.array.ptr;
    if (root.via.array.size == 0 || first->type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
        first->via.u64 > UINT16_MAX)
        return err_set(err, ERR_PROTOCOL, "a message begins with its id");
    struct reader reader = {first + 1, first + root.via.array.size, &decoder->zone, "", err};
    message->type = (enum wire_type)first->via.u64;
    rc = decode_message(message, &reader);
    if (rc == 0 && message->type == WIRE_PROGRESS)
        rc = check_progress(&message->progress, err);
    return rc;
}
