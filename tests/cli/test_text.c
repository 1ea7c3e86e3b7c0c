/* Tables, numbers for people, and strings measured in columns. */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/term.h"

static struct text text;

static void setup(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
}

static void teardown(void)
{
    text_fini(&text);
}

static const struct {
    double seconds;
    const char *text;
} durations[] = {{0, "0ms"},    {0.0234, "23ms"}, {0.9996, "1.0s"}, {4.44, "4.4s"},    {9.96, "10s"},
                 {59.4, "59s"}, {59.6, "1:00"},   {185, "3:05"},    {3723, "1:02:03"}, {90061, "1d 1:01:01"},
                 {NAN, "-"},    {-1, "-"},        {INFINITY, "-"}};

START_TEST(durations_read_like_a_clock)
{
    format_seconds(&text, durations[_i].seconds);
    ck_assert_str_eq(text_get(&text), durations[_i].text);
}
END_TEST

START_TEST(ages_are_rounded_down)
{
    format_ago(&text, 1000, 1500);
    text_append(&text, "|");
    format_ago(&text, 1000, 61000);
    text_append(&text, "|");
    format_ago(&text, 1000, 7201000);
    text_append(&text, "|");
    format_ago(&text, 0, 5);
    ck_assert_str_eq(text_get(&text), "now|1min ago|2h ago|-");
}
END_TEST

START_TEST(counts_have_a_plural)
{
    format_count(&text, 1, "trial");
    text_append(&text, " ");
    format_count(&text, 0, "step");
    ck_assert_str_eq(text_get(&text), "1 trial 0 steps");
}
END_TEST

START_TEST(numbers_of_json_documents_have_their_shortest_form)
{
    json_t *json = json_pack("{s:f, s:[i, b, n, s], s:{}, s:[]}", "value", 0.1, "a", 3, 1, "q\"", "o", "l");
    output_append_json(&text, json, -1);
    ck_assert_str_eq(text_get(&text), "{\"value\":0.1,\"a\":[3,true,null,\"q\\\"\"],\"o\":{},\"l\":[]}");
    json_decref(json);
}
END_TEST

START_TEST(json_documents_for_a_terminal_are_indented)
{
    json_t *json = json_pack("{s:[i, i], s:{}}", "a", 1, 2, "o");
    char *expected = json_dumps(json, JSON_INDENT(2));
    output_append_json(&text, json, 0);
    ck_assert_str_eq(text_get(&text), expected);
    free(expected);
    json_decref(json);
}
END_TEST

START_TEST(columns_are_counted_not_bytes)
{
    ck_assert_int_eq(term_columns("caf\u00e9"), 4);
    ck_assert_int_eq(term_columns("\u65e5\u672c"), 4);
}
END_TEST

START_TEST(a_cut_string_ends_in_an_ellipsis)
{
    term_append_cut(&text, "caf\u00e9 au lait", 6);
    ck_assert_str_eq(text_get(&text), "caf\u00e9 \u2026");
}
END_TEST

START_TEST(control_characters_and_bad_bytes_do_not_reach_the_terminal)
{
    term_append_cut(&text, "a\033[2Jb\xff", 20);
    ck_assert_str_eq(text_get(&text), "a?[2Jb?");
}
END_TEST

static struct table *example(void)
{
    struct table *table = table_create();
    table_add_column(table, "TRIAL", TABLE_RIGHT, false);
    table_add_column(table, "STATE", TABLE_LEFT, false);
    table_add_column(table, "PARAMS", TABLE_LEFT, true);
    table_add(table, STYLE_PLAIN, "1");
    table_add(table, STYLE_GOOD, "COMPLETED");
    table_add(table, STYLE_PLAIN, "lr=0.1 hidden=64 solver=adam");
    table_printf(table, STYLE_PLAIN, "%d", 12);
    table_add(table, STYLE_BAD, "FAILED");
    table_add(table, STYLE_PLAIN, NULL);
    return table;
}

START_TEST(a_table_is_aligned)
{
    struct table *table = example();
    ck_assert_int_eq(table_write(&text, table, 0, false), 0);
    ck_assert_str_eq(text_get(&text), "TRIAL  STATE      PARAMS\n"
                                      "    1  COMPLETED  lr=0.1 hidden=64 solver=adam\n"
                                      "   12  FAILED\n");
    table_destroy(table);
}
END_TEST

START_TEST(a_table_shrinks_to_the_terminal)
{
    struct table *table = example();
    ck_assert_int_eq(table_write(&text, table, 30, false), 0);
    ck_assert_str_eq(text_get(&text), "TRIAL  STATE      PARAMS\n"
                                      "    1  COMPLETED  lr=0.1 hidd\u2026\n"
                                      "   12  FAILED\n");
    table_destroy(table);
}
END_TEST

START_TEST(colours_do_not_move_columns)
{
    struct table *table = example();
    ck_assert_int_eq(table_write(&text, table, 0, true), 0);
    ck_assert_ptr_nonnull(strstr(text_get(&text), "\033[32mCOMPLETED\033[0m  lr=0.1"));
    table_destroy(table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, durations_read_like_a_clock, 0, sizeof durations / sizeof *durations);
    tcase_add_test(tcase, ages_are_rounded_down);
    tcase_add_test(tcase, counts_have_a_plural);
    tcase_add_test(tcase, numbers_of_json_documents_have_their_shortest_form);
    tcase_add_test(tcase, json_documents_for_a_terminal_are_indented);
    tcase_add_test(tcase, columns_are_counted_not_bytes);
    tcase_add_test(tcase, a_cut_string_ends_in_an_ellipsis);
    tcase_add_test(tcase, control_characters_and_bad_bytes_do_not_reach_the_terminal);
    tcase_add_test(tcase, a_table_is_aligned);
    tcase_add_test(tcase, a_table_shrinks_to_the_terminal);
    tcase_add_test(tcase, colours_do_not_move_columns);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
