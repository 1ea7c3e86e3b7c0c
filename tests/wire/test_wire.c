/* Every message of core/wire.def there and back, and what peers may send instead. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "tests/wire/sample.h"

enum { N_SAMPLES = 200, ROOM = 1 << 17 };

static struct wire_buffer buffer;
static struct wire_decoder *decoder;
static struct err err;
static unsigned char frame[ROOM];

static void set_up(void)
{
    decoder = wire_decoder_create();
    ck_assert_ptr_nonnull(decoder);
}

static void tear_down(void)
{
    wire_decoder_destroy(decoder);
    wire_buffer_fini(&buffer);
}

static int decode(struct wire_message *message, const void *data, size_t size)
{
    return wire_decode(message, decoder, data, size, &err);
}

/* Encodes a sample and copies its fields behind an array header of 3 bytes and `n_elements`, whatever they
 * are in truth. Returns the frame's size. */
static size_t frame_with_count(const struct wire_message *message, size_t n_elements)
{
    ck_assert_int_eq(wire_encode(&buffer, message), 0);
    size_t header = (unsigned char)buffer.data[0] == 0xdc ? 3 : 1;
    ck_assert_uint_lt(buffer.size + 3, ROOM / 2);
    frame[0] = 0xdc;
    frame[1] = (unsigned char)(n_elements >> 8);
    frame[2] = (unsigned char)n_elements;
    memcpy(frame + 3, buffer.data + header, buffer.size - header);
    return buffer.size - header + 3;
}

/* Where field k begins in `frame` of `size` bytes: only there a frame of that many elements may end. */
static size_t field_offset(size_t size, size_t k)
{
    size_t n_elements = 1 + k;
    unsigned char saved[2] = {frame[1], frame[2]};
    frame[1] = (unsigned char)(n_elements >> 8);
    frame[2] = (unsigned char)n_elements;
    size_t offset = 4;
    while (offset <= size && wire_check(frame, offset, NULL))
        offset++;
    ck_assert_uint_le(offset, size);
    memcpy(frame + 1, saved, 2);
    return offset;
}

START_TEST(every_message_survives_a_round_trip)
{
    const struct message_type *type = &message_types[_i];
    for (uint64_t seed = 0; seed < N_SAMPLES; seed++) {
        struct wire_message sent, got;
        sample_message(&sent, type->type, seed);
        ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
        ck_assert_msg(decode(&got, buffer.data, buffer.size) == 0, "%s", err.text);
        ck_assert_msg(sample_equal(&sent, &got, type->n_fields), "%s, seed %lu", type->name, seed);
    }
}
END_TEST

START_TEST(a_frame_cut_at_any_byte_is_refused)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct wire_message sent, got;
        sample_message(&sent, message_types[_i].type, seed);
        ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
        for (size_t size = 0; size < buffer.size; size++) {
            char *copy =
                malloc(size ? size : 1); /* of this size, so that a sanitizer sees every byte behind it */
            ck_assert_ptr_nonnull(copy);
            memcpy(copy, buffer.data, size);
            ck_assert_int_eq(decode(&got, copy, size), ERR_PROTOCOL);
            free(copy);
        }
    }
}
END_TEST

START_TEST(bytes_after_the_message_are_refused)
{
    struct wire_message sent, got;
    sample_message(&sent, message_types[_i].type, 1);
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    memcpy(frame, buffer.data, buffer.size);
    frame[buffer.size] = 0xc0;
    ck_assert_int_eq(decode(&got, frame, buffer.size + 1), ERR_PROTOCOL);
}
END_TEST

START_TEST(fields_of_a_newer_peer_are_ignored)
{
    static const unsigned char newer[] = {0x81, 0xa1, 'x', 0x91, 0x01, 0xd4, 0x05, 0x06}; /* {x: [1]}, ext */
    const struct message_type *type = &message_types[_i];
    struct wire_message sent, got;
    sample_message(&sent, type->type, 3);
    size_t size = frame_with_count(&sent, 1 + type->n_fields + 2);
    memcpy(frame + size, newer, sizeof newer);
    ck_assert_msg(decode(&got, frame, size + sizeof newer) == 0, "%s", err.text);
    ck_assert(sample_equal(&sent, &got, type->n_fields));
}
END_TEST

START_TEST(fields_that_an_older_peer_leaves_out_are_zero)
{
    const struct message_type *type = &message_types[_i];
    for (size_t k = 0; k <= type->n_fields; k++) {
        struct wire_message sent, got;
        sample_message(&sent, type->type, 5 + k);
        if (sent.type == WIRE_PROGRESS && sent.progress.names.n == 0)
            sent.progress.reports.n = 0;
        size_t offset = field_offset(frame_with_count(&sent, 1 + k), k);
        memset(&got, 0xa5, sizeof got);
        ck_assert_msg(decode(&got, frame, offset) == 0, "%s", err.text);
        ck_assert_msg(sample_equal(&sent, &got, k), "%s with %zu fields", type->name, k);
    }
}
END_TEST

/* Values, and the kinds of field that may have them. */
#define MAY(kind)   (1u << KIND_##kind)
#define MAY_NUMBER  (MAY(U64) | MAY(I64) | MAY(F64))
#define MAY_SIGNED  (MAY(I64) | MAY(F64))
#define MAY_BE_LIST (MAY(STRS) | MAY(POINT) | MAY(REPORTS))
static const struct {
    const char *bytes;
    size_t size;
    unsigned kinds;
} values[] = {
    {"\xc0", 1, 0},                                                   /* nil */
    {"\xc3", 1, 0},                                                   /* true */
    {"\x07", 1, MAY_NUMBER},                                          /* 7 */
    {"\xff", 1, MAY_SIGNED},                                          /* -1 */
    {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, MAY(U64) | MAY(F64)}, /* 2^64 - 1 */
    {"\xd3\x80\0\0\0\0\0\0\0", 9, MAY_SIGNED},                        /* -2^63 */
    {"\xcb\x3f\xf0\0\0\0\0\0\0", 9, MAY(F64)},                        /* 1.0 */
    {"\xca\x3f\x80\0\0", 5, MAY(F64)},                                /* 1.0 in 32 bits */
    {"\xa1x", 2, MAY(STR)},                                           /* "x" */
    {"\xa0", 1, MAY(STR)},                                            /* "" */
    {"\xc4\x01x", 3, 0},                                              /* 1 byte of binary */
    {"\xc4\x10"
     "0123456789abcdef",
     18, MAY(ID)}, /* 16 bytes of binary */
    {"\xb0"
     "0123456789abcdef",
     17, MAY(STR)},                                           /* 16 characters */
    {"\x90", 1, MAY_BE_LIST},                                 /* [] */
    {"\x91\xa1x", 3, MAY(STRS)},                              /* ["x"] */
    {"\x91\x01", 2, MAY(POINT)},                              /* [1] */
    {"\x91\xc0", 2, MAY(POINT)},                              /* [nil] */
    {"\x92\x01\xa1x", 4, 0},                                  /* [1, "x"] */
    {"\x93\x01\x00\x01", 4, MAY(POINT) | MAY(REPORTS)},       /* [1, 0, 1] */
    {"\x93\xcb\x3f\xf0\0\0\0\0\0\0\x00\x01", 12, MAY(POINT)}, /* [1.0, 0, 1] */
    {"\x93\x01\xff\x01", 4, MAY(POINT)},                      /* [1, -1, 1] */
    {"\x93\x01\x00\xc0", 4, MAY(POINT)},                      /* [1, 0, nil] */
    {"\x91\x90", 2, 0},                                       /* [[]] */
    {"\x80", 1, 0},                                           /* {} */
    {"\xd4\x01\x02", 3, 0},                                   /* an extension */
};

START_TEST(a_field_of_the_wrong_type_is_refused_by_its_name)
{
    const struct message_type *type = &message_types[_i];
    for (size_t k = 0; k < type->n_fields; k++) {
        struct wire_message sent, got;
        sample_message(&sent, type->type, 11);
        size_t offset = field_offset(frame_with_count(&sent, 1 + type->n_fields), k);
        frame[1] = 0;
        frame[2] = (unsigned char)(2 + k); /* the field in question is the last one */
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            memcpy(frame + offset, values[v].bytes, values[v].size);
            bool may = values[v].kinds >> type->kinds[k] & 1;
            int rc = decode(&got, frame, offset + values[v].size);
            ck_assert_msg(rc == (may ? 0 : ERR_PROTOCOL), "%s, field %zu, value %zu: %d", type->name, k, v,
                          rc);
            ck_assert(may || strncmp(err.text, type->name, strlen(type->name)) == 0);
        }
    }
}
END_TEST

/* Frames that no message is. */
static const struct {
    const char *bytes;
    size_t size;
    int code;
} refused[] = {
    {"", 0, ERR_PROTOCOL},
    {"\x90", 1, ERR_PROTOCOL},      /* no id */
    {"\x91\xff", 2, ERR_PROTOCOL},  /* id -1 */
    {"\x91\xa1x", 3, ERR_PROTOCOL}, /* id "x" */
    {"\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 10, ERR_PROTOCOL},
    {"\x91\x00", 2, ERR_UNSUPPORTED},         /* id 0 */
    {"\x91\x7f", 2, ERR_UNSUPPORTED},         /* id 127 */
    {"\x91\xcd\xff\xff", 4, ERR_UNSUPPORTED}, /* id 65535 */
    {"\xc1", 1, ERR_PROTOCOL},                /* a type that msgpack does not have */
    {"\x91\xc1", 2, ERR_PROTOCOL},
    {"\x04", 1, ERR_PROTOCOL}, /* not an array */
    {"\x81\x04\x04", 3, ERR_PROTOCOL},
    {"GET / HTTP/1.1\r\n", 16, ERR_PROTOCOL},
    {"\xdd\xff\xff\xff\xff", 5, ERR_PROTOCOL}, /* an array of 4 G elements: 96 GiB for msgpack-c */
    {"\xdd\x80\x00\x00\x00", 5, ERR_PROTOCOL},
    {"\xdc\xff\xff", 3, ERR_PROTOCOL},
    {"\x92\x03\xdd\xff\xff\xff\xff", 7, ERR_PROTOCOL},     /* the same in a field */
    {"\x92\x03\xdf\xff\xff\xff\xff", 7, ERR_PROTOCOL},     /* map, */
    {"\x92\x03\xdf\x80\x00\x00\x00", 7, ERR_PROTOCOL},     /* whose count doubled is 0 in 32 bits, */
    {"\x92\x03\xdb\xff\xff\xff\xff", 7, ERR_PROTOCOL},     /* string, */
    {"\x92\x03\xc6\xff\xff\xff\xff", 7, ERR_PROTOCOL},     /* binary, */
    {"\x92\x03\xc9\xff\xff\xff\xff\x01", 8, ERR_PROTOCOL}, /* extension */
    {"\x94\x04\x91\x91\x91\x01", 6, ERR_PROTOCOL},         /* nested too deeply, and short */
    {"\x92\x04\x91\x91\x91\x01", 6, ERR_PROTOCOL},         /* nested too deeply */
};

START_TEST(what_is_no_message_is_refused)
{
    struct wire_message got;
    int rc = decode(&got, refused[_i].bytes, refused[_i].size);
    ck_assert_int_eq(rc, refused[_i].code);
    ck_assert_int_eq(err.code, refused[_i].code);
    ck_assert_uint_gt(strlen(err.text), 0);
}
END_TEST

START_TEST(a_thousand_nested_arrays_are_refused)
{
    memset(frame, 0x91, 1000);
    frame[1000] = 0x01;
    ck_assert_int_eq(wire_check(frame, 1001, &err), ERR_PROTOCOL);
    ck_assert_ptr_nonnull(strstr(err.text, "nested"));
}
END_TEST

START_TEST(a_frame_of_nothing_but_elements_is_refused)
{
    size_t n = (4u << 20) + 1;
    unsigned char *many = malloc(5 + n);
    ck_assert_ptr_nonnull(many);
    many[0] = 0xdd;
    for (int i = 0; i < 4; i++)
        many[1 + i] = (unsigned char)(n >> (24 - 8 * i));
    memset(many + 5, 0xc0, n);
    ck_assert_int_eq(wire_check(many, 5 + n, &err), ERR_PROTOCOL);
    ck_assert_ptr_nonnull(strstr(err.text, "too many elements"));
    free(many);
}
END_TEST

START_TEST(a_frame_beyond_the_largest_is_refused_unread)
{
    ck_assert_int_eq(wire_check("\x91\x04", (size_t)WIRE_MAX_FRAME + 1, &err), ERR_PROTOCOL);
}
END_TEST

START_TEST(not_a_number_is_kept)
{
    double values_of[] = {NAN, 1, NAN};
    struct wire_message sent = {.type = WIRE_STATUS}, got;
    sent.status.best_value = NAN;
    sent.status.best_point = (struct wire_point){3, values_of};
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    ck_assert_int_eq(decode(&got, buffer.data, buffer.size), 0);
    ck_assert_double_nan(got.status.best_value);
    ck_assert_double_nan(got.status.best_point.values[0]);
    ck_assert_double_eq(got.status.best_point.values[1], 1);
}
END_TEST

START_TEST(a_decoded_message_outlives_its_frame)
{
    struct wire_message sent, got;
    sample_message(&sent, message_types[_i].type, 17);
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    ck_assert_int_eq(decode(&got, buffer.data, buffer.size), 0);
    memset(buffer.data, 0x5a, buffer.size);
    ck_assert(sample_equal(&sent, &got, message_types[_i].n_fields));
}
END_TEST

static struct report *progress_of(struct wire_message *message, size_t n_reports, uint32_t metric)
{
    struct report *reports = calloc(n_reports, sizeof *reports);
    ck_assert_ptr_nonnull(reports);
    for (size_t i = 0; i < n_reports; i++)
        reports[i] = (struct report){(int64_t)i, metric, 0.5 * (double)i};
    *message = (struct wire_message){.type = WIRE_PROGRESS};
    message->progress.reports = (struct wire_reports){n_reports, reports};
    return reports;
}

START_TEST(a_report_of_a_metric_without_a_name_is_refused)
{
    struct wire_message sent, got;
    struct report *reports = progress_of(&sent, 1, 1);
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    ck_assert_int_eq(decode(&got, buffer.data, buffer.size), ERR_PROTOCOL);
    ck_assert_str_eq(err.text, "PROGRESS.reports: metric 1 has no name");
    free(reports);
}
END_TEST

START_TEST(a_step_that_is_none_is_refused)
{
    static const int64_t steps[] = {-1, INT64_MIN, REPORT_MAX_STEP + 1, INT64_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct wire_message sent, got;
        struct report *reports = progress_of(&sent, 3, 0);
        reports[2].step = steps[i];
        ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
        ck_assert_int_eq(decode(&got, buffer.data, buffer.size), ERR_PROTOCOL);
        ck_assert_str_eq(err.text, "PROGRESS.reports: a step must be a whole number from 0 to 2^53");
        reports[2].step = REPORT_MAX_STEP;
        ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
        ck_assert_int_eq(decode(&got, buffer.data, buffer.size), 0);
        free(reports);
    }
}
END_TEST

START_TEST(ten_thousand_reports_travel_in_one_message)
{
    struct wire_message sent, got;
    struct report *reports = progress_of(&sent, 10000, 0);
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    for (int round = 0; round < 3; round++)
        ck_assert_msg(decode(&got, buffer.data, buffer.size) == 0, "%s", err.text);
    ck_assert(sample_equal(&sent, &got, SIZE_MAX));
    free(reports);
}
END_TEST

START_TEST(more_metrics_than_are_allowed_are_refused)
{
    struct wire_str *names = calloc(WIRE_MAX_NAMES + 1, sizeof *names);
    struct wire_message sent = {.type = WIRE_PROGRESS}, got;
    sent.progress.names = (struct wire_strs){WIRE_MAX_NAMES, names};
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    ck_assert_int_eq(decode(&got, buffer.data, buffer.size), 0);
    sent.progress.names.n++;
    ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
    ck_assert_int_eq(decode(&got, buffer.data, buffer.size), ERR_PROTOCOL);
    free(names);
}
END_TEST

START_TEST(a_damaged_frame_is_decoded_or_refused)
{
    uint64_t state = 1;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct wire_message sent, got;
        sample_message(&sent, message_types[_i].type, seed);
        ck_assert_int_eq(wire_encode(&buffer, &sent), 0);
        for (int n = 0; n < 3; n++)
            buffer.data[sample_next(&state) % buffer.size] = (char)sample_next(&state);
        int rc = decode(&got, buffer.data, buffer.size);
        ck_assert(rc == 0 || rc == ERR_PROTOCOL || rc == ERR_UNSUPPORTED);
        ck_assert(rc != 0 || wire_encode(&buffer, &got) == 0);
    }
}
END_TEST

START_TEST(a_type_that_is_none_is_not_encoded)
{
    struct wire_message message = {.type = (enum wire_type)99};
    ck_assert_int_eq(wire_encode(&buffer, &message), ERR_INVALID);
}
END_TEST

START_TEST(types_have_names)
{
    ck_assert_str_eq(wire_type_name(message_types[_i].type), message_types[_i].name);
    ck_assert_str_eq(wire_type_name((enum wire_type)99), "?");
}
END_TEST

START_TEST(a_missing_string_is_empty)
{
    ck_assert_str_eq(wire_string(NULL).data, "");
    ck_assert_uint_eq(wire_string("abc").size, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *messages = tcase_create("messages");
    int n = (int)n_message_types;
    tcase_add_checked_fixture(messages, set_up, tear_down);
    tcase_add_loop_test(messages, every_message_survives_a_round_trip, 0, n);
    tcase_add_loop_test(messages, a_frame_cut_at_any_byte_is_refused, 0, n);
    tcase_add_loop_test(messages, bytes_after_the_message_are_refused, 0, n);
    tcase_add_loop_test(messages, fields_of_a_newer_peer_are_ignored, 0, n);
    tcase_add_loop_test(messages, fields_that_an_older_peer_leaves_out_are_zero, 0, n);
    tcase_add_loop_test(messages, a_field_of_the_wrong_type_is_refused_by_its_name, 0, n);
    tcase_add_loop_test(messages, a_decoded_message_outlives_its_frame, 0, n);
    tcase_add_loop_test(messages, a_damaged_frame_is_decoded_or_refused, 0, n);
    tcase_add_loop_test(messages, types_have_names, 0, n);
    suite_add_tcase(suite, messages);
    TCase *frames = tcase_create("frames");
    tcase_add_checked_fixture(frames, set_up, tear_down);
    tcase_add_loop_test(frames, what_is_no_message_is_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(frames, a_thousand_nested_arrays_are_refused);
    tcase_add_test(frames, a_frame_of_nothing_but_elements_is_refused);
    tcase_add_test(frames, a_frame_beyond_the_largest_is_refused_unread);
    tcase_add_test(frames, not_a_number_is_kept);
    tcase_add_test(frames, a_report_of_a_metric_without_a_name_is_refused);
    tcase_add_test(frames, a_step_that_is_none_is_refused);
    tcase_add_test(frames, ten_thousand_reports_travel_in_one_message);
    tcase_add_test(frames, more_metrics_than_are_allowed_are_refused);
    tcase_add_test(frames, a_type_that_is_none_is_not_encoded);
    tcase_add_test(frames, a_missing_string_is_empty);
    suite_add_tcase(suite, frames);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
