/* Lines: reports as text, streams cut into lines, and the last words of an output. */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "worker/lines.h"
#include "worker/report_line.h"
#include "worker/tail.h"

static const struct good {
    const char *text;
    int64_t step; /* -1: none */
    size_t n;
    const char *first;
    double value;
} good[] = {
    {"step=3 val_accuracy=0.91", 3, 1, "val_accuracy", 0.91},
    {" step=3   loss=1e-3 val=2 ", 3, 2, "loss", 1e-3},
    {"loss=.5, acc=1", -1, 2, "loss", 0.5},
    {"acc=-7", -1, 1, "acc", -7},
    {"acc=1 step=0", 0, 1, "acc", 1},
    {"step=9007199254740992 acc=1", INT64_C(1) << 53, 1, "acc", 1},
    {"val/accuracy.top-1=0.5\r", -1, 1, "val/accuracy.top-1", 0.5},
    {"loss=inf", -1, 1, "loss", INFINITY},
    {"steps=4", -1, 1, "steps", 4},
};

START_TEST(a_report_is_read)
{
    const struct good *g = &good[_i];
    struct report_line line;
    ck_assert_int_eq(report_line_parse(&line, g->text, strlen(g->text)), ERR_OK);
    ck_assert(line.has_step == (g->step >= 0));
    if (g->step >= 0)
        ck_assert_int_eq(line.step, g->step);
    ck_assert_uint_eq(line.n, g->n);
    ck_assert_uint_eq(line.pairs[0].size, strlen(g->first));
    ck_assert(!memcmp(line.pairs[0].name, g->first, strlen(g->first)));
    ck_assert(line.pairs[0].value == g->value);
}
END_TEST

START_TEST(nan_is_a_value)
{
    struct report_line line;
    ck_assert_int_eq(report_line_parse(&line, "loss=nan", 8), ERR_OK);
    ck_assert(isnan(line.pairs[0].value));
}
END_TEST

static const char *const bad[] = {
    "",
    "   ",
    "step=3",
    "loss",
    "loss=",
    "=3",
    "loss=x",
    "loss=1x",
    "step=-1 a=1",
    "step=1.5 a=1",
    "step= a=1",
    "a=1 b",
    "a=1;b=2",
    "step=9007199254740993 a=1",
    "step=9223372036854775807 a=1",
    "step=99999999999999999999 a=1",
    "a = 1",
};

START_TEST(what_is_no_report_is_refused)
{
    struct report_line line;
    ck_assert_int_eq(report_line_parse(&line, bad[_i], strlen(bad[_i])), ERR_INVALID);
}
END_TEST

START_TEST(no_more_than_the_given_bytes_are_read)
{
    struct report_line line;
    ck_assert_int_eq(report_line_parse(&line, "a=12345", 5), ERR_OK);
    ck_assert(line.pairs[0].value == 123);
}
END_TEST

START_TEST(too_many_values_are_refused)
{
    char text[REPORT_LINE_PAIRS * 4 + 8] = "";
    struct report_line line;
    for (int i = 0; i < REPORT_LINE_PAIRS; i++)
        strcat(text, "a=1 ");
    ck_assert_int_eq(report_line_parse(&line, text, strlen(text)), ERR_OK);
    strcat(text, "a=1");
    ck_assert_int_eq(report_line_parse(&line, text, strlen(text)), ERR_INVALID);
}
END_TEST

START_TEST(what_is_formatted_is_read_back_exactly)
{
    const double values[] = {0.1, -1e-300, 1e300, 0, INFINITY, 1.0 / 3};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[256];
        struct report_line line;
        int size = report_line_format(text, sizeof text, 7, "val_acc", values[i]);
        ck_assert_int_gt(size, 0);
        ck_assert_int_eq(text[size - 1], '\n');
        ck_assert_int_eq(report_line_parse(&line, text, (size_t)size - 1), ERR_OK);
        ck_assert_int_eq(line.step, 7);
        ck_assert(line.pairs[0].value == values[i]);
    }
}
END_TEST

START_TEST(names_that_could_not_be_read_back_are_refused)
{
    const char *const names[] = {"", "a b", "a=b", "step", "a\nb", "a,b"};
    char text[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(report_line_format(text, sizeof text, 1, names[i], 1), ERR_INVALID);
    ck_assert_int_eq(report_line_format(text, 4, 1, "abc", 1), ERR_INVALID);
}
END_TEST

struct collected {
    size_t n;
    char lines[8][16];
    size_t sizes[8];
};

static void collect(void *arg, char *line, size_t size)
{
    struct collected *c = arg;
    ck_assert_uint_lt(c->n, 8);
    ck_assert_uint_eq(strlen(line), size);
    c->sizes[c->n] = size;
    strncpy(c->lines[c->n++], line, 15);
}

START_TEST(lines_may_come_in_any_pieces)
{
    const char stream[] = "one\n\ntwo three\nfour";
    for (size_t piece = 1; piece < sizeof stream; piece++) {
        struct lines lines;
        struct collected c = {0};
        ck_assert_int_eq(lines_init(&lines), 0);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            size_t left = sizeof stream - 1 - at;
            lines_feed(&lines, stream + at, left < piece ? left : piece, collect, &c);
        }
        ck_assert_uint_eq(c.n, 3);
        lines_flush(&lines, collect, &c);
        lines_flush(&lines, collect, &c);
        ck_assert_uint_eq(c.n, 4);
        ck_assert_str_eq(c.lines[0], "one");
        ck_assert_str_eq(c.lines[1], "");
        ck_assert_str_eq(c.lines[2], "two three");
        ck_assert_str_eq(c.lines[3], "four");
        lines_fini(&lines);
    }
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_the_next_one_is_whole)
{
    struct lines lines;
    struct collected c = {0};
    char *many = malloc(3 * LINES_MAX);
    memset(many, 'x', 3 * LINES_MAX);
    ck_assert_int_eq(lines_init(&lines), 0);
    lines_feed(&lines, many, 3 * LINES_MAX, collect, &c);
    lines_feed(&lines, "\nnext\n", 6, collect, &c);
    ck_assert_uint_eq(c.n, 2);
    ck_assert_uint_eq(c.sizes[0], LINES_MAX);
    ck_assert_str_eq(c.lines[1], "next");
    lines_fini(&lines);
    free(many);
}
END_TEST

static const struct {
    const char *output, *tail;
} tails[] = {
    {"Traceback\nprova: step=1 loss=0.3\nprova: loss\nValueError: x\nprova: loss=1\n",
     ": Traceback | prova: loss | ValueError: x"},
    {"prova: step=1 loss=0.3\n", ""},
    {"", ""},
    {"\n \n\n", ""},
    {"one", ": one"},
    {"one\ntwo\n\n", ": one | two"},
    {"1\n2\n3\n4\n5\n6\n  7  \n", ": 3 | 4 | 5 | 6 | 7"},
};

START_TEST(the_last_words_are_the_last_lines_that_say_something)
{
    struct text text = {0};
    tail_append(&text, ": ", tails[_i].output, strlen(tails[_i].output));
    ck_assert_str_eq(text_get(&text), tails[_i].tail);
    text_fini(&text);
}
END_TEST

START_TEST(the_last_words_are_not_long)
{
    char output[5000];
    struct text text = {0};
    memset(output, 'y', sizeof output);
    output[100] = '\n';
    tail_append(&text, "", output, sizeof output);
    ck_assert_uint_eq(text.size, 1000);
    text_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report_line");
    TCase *tcase = tcase_create("lines");
    tcase_add_loop_test(tcase, a_report_is_read, 0, sizeof good / sizeof *good);
    tcase_add_test(tcase, nan_is_a_value);
    tcase_add_loop_test(tcase, what_is_no_report_is_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, no_more_than_the_given_bytes_are_read);
    tcase_add_test(tcase, too_many_values_are_refused);
    tcase_add_test(tcase, what_is_formatted_is_read_back_exactly);
    tcase_add_test(tcase, names_that_could_not_be_read_back_are_refused);
    tcase_add_test(tcase, lines_may_come_in_any_pieces);
    tcase_add_test(tcase, a_line_that_is_too_long_is_cut_and_the_next_one_is_whole);
    tcase_add_loop_test(tcase, the_last_words_are_the_last_lines_that_say_something, 0,
                        sizeof tails / sizeof *tails);
    tcase_add_test(tcase, the_last_words_are_not_long);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
