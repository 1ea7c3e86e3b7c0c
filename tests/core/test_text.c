/* Text, numbers and UTF-8. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "core/err.h"
#include "core/number.h"
#include "core/rng.h"
#include "core/text.h"
#include "core/utf8.h"
#include "tests/core/suite.h"

static struct text text;

static void clear(void)
{
    text_fini(&text);
}

START_TEST(an_empty_text_can_be_asked_and_taken)
{
    ck_assert_str_eq(text_get(&text), "");
    char *taken = text_take(&text);
    ck_assert_str_eq(taken, "");
    free(taken);
}
END_TEST

START_TEST(appends_of_every_kind_join)
{
    for (int i = 0; i < 1000; i++) {
        text_append(&text, "ab");
        text_append_bytes(&text, "cd", 1);
        text_printf(&text, "%d", i % 10);
    }
    ck_assert_uint_eq(text.size, 4000);
    ck_assert_str_eq(text_get(&text) + 3992, "abc8abc9");
    text_clear(&text);
    ck_assert_str_eq(text_get(&text), "");
    text_printf(&text, "%0500d", 1); /* longer than what is there */
    ck_assert_uint_eq(text.size, 500);
    char *taken = text_take(&text);
    ck_assert_uint_eq(strlen(taken), 500);
    free(taken);
    ck_assert_ptr_null(text.data);
}
END_TEST

START_TEST(after_a_failure_nothing_is_added_and_nothing_is_given)
{
    text_append(&text, "a");
    text_append_bytes(&text, "b", SIZE_MAX);
    ck_assert_int_eq(text.failed, ERR_NOMEM);
    text_append(&text, "c");
    text_printf(&text, "d");
    ck_assert_str_eq(text_get(&text), "a");
    ck_assert_ptr_null(text_take(&text));
    ck_assert_int_eq(text.failed, 0);
}
END_TEST

static const struct {
    double value;
    const char *text;
} doubles[] = {
    {0, "0"},
    {-0.0, "-0"},
    {1, "1"},
    {-17, "-17"},
    {0.1, "0.1"},
    {1e-5, "1e-05"},
    {0.3, "0.3"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1e15, "1000000000000000"},
    {0x1p53, "9007199254740992"},
    {1e22, "1e+22"},
    {NAN, "nan"},
    {INFINITY, "inf"},
    {-INFINITY, "-inf"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {0x1p53 - 1, "9007199254740991"},
};

START_TEST(a_double_has_its_shortest_form)
{
    text_append_double(&text, doubles[_i].value);
    ck_assert_str_eq(text_get(&text), doubles[_i].text);
}
END_TEST

START_TEST(any_double_is_read_back_from_its_text)
{
    struct rng rng;
    rng_init(&rng, 5, 5);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&rng);
        double value, read;
        memcpy(&value, &bits, sizeof value);
        if (i % 2)
            value = rng_uniform(&rng);
        if (isnan(value))
            continue;
        text_clear(&text);
        text_append_double(&text, value);
        ck_assert_int_ne((int)number_read(&read, text_get(&text)), NUMBER_NONE);
        ck_assert_double_eq(read, value);
    }
}
END_TEST

START_TEST(the_programs_locale_does_not_matter)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
    for (size_t i = 0; i < sizeof locales / sizeof *locales && !setlocale(LC_ALL, locales[i]); i++)
        continue; /* the first that this system has; the last one it has for sure */
    double value;
    text_append_double(&text, 0.5);
    ck_assert_str_eq(text_get(&text), "0.5");
    ck_assert_int_eq((int)number_read(&value, "0.5"), NUMBER_DOUBLE);
    ck_assert_double_eq(value, 0.5);
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(json_has_no_word_for_what_is_not_finite)
{
    text_append_json_double(&text, NAN);
    text_append_json_double(&text, -INFINITY);
    text_append_json_double(&text, 1.5);
    ck_assert_str_eq(text_get(&text), "nullnull1.5");
}
END_TEST

static const struct {
    const char *string, *json;
} json_strings[] = {
    {"", "\"\""},
    {"plain", "\"plain\""},
    {"\"\\/", "\"\\\"\\\\/\""},
    {"\b\t\n\f\r\x01\x7f", "\"\\b\\t\\n\\f\\r\\u0001\\u007f\""},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(a_json_string_is_valid_whatever_the_bytes)
{
    text_append_json_string(&text, json_strings[_i].string);
    ck_assert_str_eq(text_get(&text), json_strings[_i].json);
}
END_TEST

static const struct {
    const char *string;
    enum number_form form;
    double value;
} numbers[] = {
    {"0", NUMBER_INT, 0},
    {"-12", NUMBER_INT, -12},
    {"+3", NUMBER_INT, 3},
    {"007", NUMBER_INT, 7},
    {"0x1f", NUMBER_INT, 31},
    {"0o17", NUMBER_INT, 15},
    {"9007199254740992", NUMBER_INT, 0x1p53},
    {"9007199254740993", NUMBER_INT, 0x1p53 + 2},
    {"-9007199254740993", NUMBER_INT, -0x1p53 - 2},
    {"100000000000000000000", NUMBER_INT, 1e20},
    {"1.5", NUMBER_DOUBLE, 1.5},
    {".5", NUMBER_DOUBLE, 0.5},
    {"1.", NUMBER_DOUBLE, 1},
    {"1e-4", NUMBER_DOUBLE, 1e-4},
    {"1.0E+4", NUMBER_DOUBLE, 1e4},
    {".inf", NUMBER_DOUBLE, INFINITY},
    {"-.INF", NUMBER_DOUBLE, -INFINITY},
    {"inf", NUMBER_DOUBLE, INFINITY},
    {"", NUMBER_NONE, 0},
    {"-", NUMBER_NONE, 0},
    {".", NUMBER_NONE, 0},
    {"e5", NUMBER_NONE, 0},
    {"1e", NUMBER_NONE, 0},
    {"1e+", NUMBER_NONE, 0},
    {"1 ", NUMBER_NONE, 0},
    {" 1", NUMBER_NONE, 0},
    {"1_000", NUMBER_NONE, 0},
    {"1,5", NUMBER_NONE, 0},
    {"0x", NUMBER_NONE, 0},
    {"0x-1", NUMBER_NONE, 0},
    {"0o8", NUMBER_NONE, 0},
    {"--1", NUMBER_NONE, 0},
    {"1e999", NUMBER_NONE, 0},
    {"0x1p3", NUMBER_NONE, 0},
    {"infinity", NUMBER_NONE, 0},
    {"3 apples", NUMBER_NONE, 0},
};

START_TEST(numbers_are_those_of_yaml)
{
    double value = 77;
    ck_assert_int_eq((int)number_read(&value, numbers[_i].string), (int)numbers[_i].form);
    ck_assert_double_eq(value, numbers[_i].form == NUMBER_NONE ? 77 : numbers[_i].value);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size, length;
} sequences[] = {
    {"a", 1, 1},
    {"", 0, 0},
    {"\x80", 1, 0},
    {"\xc0\x80", 2, 0},
    {"\xc2\x80", 2, 2},
    {"\xc2", 1, 0},
    {"\xe0\x9f\xbf", 3, 0},
    {"\xe0\xa0\x80", 3, 3},
    {"\xed\x9f\xbf", 3, 3},
    {"\xed\xa0\x80", 3, 0},
    {"\xe2\x82", 2, 0},
    {"\xf0\x8f\xbf\xbf", 4, 0},
    {"\xf0\x90\x80\x80", 4, 4},
    {"\xf4\x8f\xbf\xbf", 4, 4},
    {"\xf4\x90\x80\x80", 4, 0},
    {"\xf5\x80\x80\x80", 4, 0},
    {"\xe2\x82"
     "a",
     3, 0},
};

START_TEST(utf8_is_that_of_the_standard)
{
    ck_assert_uint_eq(utf8_length(sequences[_i].bytes, sequences[_i].size), sequences[_i].length);
}
END_TEST

#define ADD_TABLE(tests, test, table) tcase_add_loop_test(tests, test, 0, sizeof(table) / sizeof *(table))

int main(void)
{
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, NULL, clear);
    tcase_add_test(tests, an_empty_text_can_be_asked_and_taken);
    tcase_add_test(tests, appends_of_every_kind_join);
    tcase_add_test(tests, after_a_failure_nothing_is_added_and_nothing_is_given);
    ADD_TABLE(tests, a_double_has_its_shortest_form, doubles);
    tcase_add_test(tests, any_double_is_read_back_from_its_text);
    tcase_add_test(tests, the_programs_locale_does_not_matter);
    tcase_add_test(tests, json_has_no_word_for_what_is_not_finite);
    ADD_TABLE(tests, a_json_string_is_valid_whatever_the_bytes, json_strings);
    ADD_TABLE(tests, numbers_are_those_of_yaml, numbers);
    ADD_TABLE(tests, utf8_is_that_of_the_standard, sequences);
    return run_case(tests);
}
