/* Any bytes as a frame: a message or an error with a text, nothing between; what is decoded passes the bounds
 * check, has terminated strings, and survives being encoded and decoded again, byte by byte. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "tests/fuzz/fuzz.h"

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void touch_U64(uint64_t value)
{
    (void)value;
}

static void touch_I64(int64_t value)
{
    (void)value;
}

static void touch_F64(double value)
{
    (void)value;
}

static void touch_ID(struct id id)
{
    (void)id;
}

static void touch_STR(struct wire_str string)
{
    require(string.data && string.data[string.size] == '\0', "a string is not terminated");
    require(strlen(string.data) <= string.size, "a string is longer than its size");
}

static void touch_STRS(struct wire_strs strings)
{
    require(strings.n <= WIRE_MAX_NAMES, "too many strings");
    for (size_t i = 0; i < strings.n; i++)
        touch_STR(strings.list[i]);
}

static void touch_POINT(struct wire_point point)
{
    double sum = 0;
    for (size_t i = 0; i < point.n; i++)
        sum += point.values[i]; /* a sanitizer sees what is not there */
    (void)sum;
}

static void touch_REPORTS(struct wire_reports reports)
{
    for (size_t i = 0; i < reports.n; i++)
        require(reports.list[i].metric <= WIRE_MAX_NAMES, "a metric that cannot be");
}

static void touch(const struct wire_message *message)
{
    switch (message->type) {
#define MESSAGE(name, NAME, id, sender, meaning)                                                             \
    case WIRE_##NAME: {                                                                                      \
        const struct wire_##name *m = &message->name;                                                        \
        (void)m;
#define FIELD(kind, name, meaning) touch_##kind(m->name);
#define END(name)                                                                                            \
    return;                                                                                                  \
    }
#include "core/wire.def"
#undef MESSAGE
#undef FIELD
#undef END
    }
    require(false, "a message that is none");
}

static void check_round_trip(const struct wire_message *message)
{
    struct wire_decoder *decoder = wire_decoder_create();
    struct wire_buffer first = {0}, second = {0};
    struct wire_message again;
    struct err err = {0};
    require(decoder != NULL, "out of memory");
    require(wire_encode(&first, message) == 0, "a decoded message cannot be encoded");
    if (first.size <= WIRE_MAX_FRAME) {
        require(wire_decode(&again, decoder, first.data, first.size, &err) == 0, err.text);
        require(wire_encode(&second, &again) == 0, "a message cannot be encoded twice");
        require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0,
                "a message is decoded as another one");
    }
    wire_buffer_fini(&first);
    wire_buffer_fini(&second);
    wire_decoder_destroy(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_decoder *decoder = wire_decoder_create();
    struct wire_message message;
    struct err err = {0};
    require(decoder != NULL, "out of memory");
    int checked = wire_check(data, size, NULL), code = wire_decode(&message, decoder, data, size, &err);
    require(code == 0 || (code == err.code && err.text[0]), "an error without a text");
    require(code == 0 || code == ERR_PROTOCOL || code == ERR_UNSUPPORTED, err.text);
    require(checked == 0 || code == checked, "decoded what does not pass the check");
    if (code == 0) {
        touch(&message);
        check_round_trip(&message);
    }
    wire_decoder_destroy(decoder);
    return 0;
}
