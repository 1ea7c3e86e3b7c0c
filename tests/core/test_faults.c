/* Lists of faults, and the name that was meant. */
#include <string.h>

#include "core/faults.h"
#include "tests/core/suite.h"

START_TEST(faults_are_written_in_the_order_of_the_file)
{
    struct faults faults = {0};
    struct text text = {0};
    faults_add(&faults, 12, 7, "max (%d) is below min (%d) for '%s'", 1, 10, "hidden");
    faults_add(&faults, 2, 9, "second");
    faults_add(&faults, 2, 3, "first");
    faults_add(&faults, 0, 0, "of no line");
    faults_write(&text, &faults, "sweep.yaml");
    ck_assert_str_eq(text_get(&text), "sweep.yaml: error: of no line\n"
                                      "sweep.yaml:2:3: error: first\n"
                                      "sweep.yaml:2:9: error: second\n"
                                      "sweep.yaml:12:7: error: max (1) is below min (10) for 'hidden'\n");
    text_fini(&text);
    faults_fini(&faults);
}
END_TEST

START_TEST(without_a_file_faults_are_their_texts)
{
    struct faults faults = {0};
    struct text text = {0};
    faults_add(&faults, 12, 7, "second");
    faults_add(&faults, 2, 9, "first");
    faults_write(&text, &faults, "");
    text_trim(&text);
    ck_assert_str_eq(text_get(&text), "first\nsecond");
    text_fini(&text);
    faults_fini(&faults);
}
END_TEST

START_TEST(nobody_is_made_to_read_more_than_a_thousand)
{
    struct faults faults = {0};
    struct text text = {0};
    for (unsigned i = 1; i <= 1500; i++)
        faults_add(&faults, i, 1, "fault");
    faults_write(&text, &faults, "f");
    ck_assert_ptr_nonnull(
        strstr(text_get(&text), "f:1000:1: error: fault\nf: error: and 500 more; mend these first\n"));
    text_fini(&text);
    faults_fini(&faults);
}
END_TEST

static const char *const names[] = {"trials",      "hours", "target", "failures",
                                    "trial_hours", "min",   "max",    "lr"};

static const struct {
    const char *word, *nearest;
} words[] = {
    {"trails", "trials"},    {"trial", "trials"}, {"TRIALS", "trials"}, {"trialhours", "trial_hours"},
    {"mx", "max"},           {"mn", "min"},       {"l", NULL},          {"maximum", NULL},
    {"failure", "failures"}, {"hour", "hours"},   {"something", NULL},  {"", NULL},
    {"targte", "target"},    {"lrr", "lr"},
};

START_TEST(the_nearest_name_is_found_unless_it_is_far)
{
    const char *nearest = nearest_name(words[_i].word, names, sizeof names / sizeof *names);
    if (words[_i].nearest)
        ck_assert_msg(nearest && strcmp(nearest, words[_i].nearest) == 0, "%s: %s", words[_i].word, nearest);
    else
        ck_assert_msg(!nearest, "%s: %s", words[_i].word, nearest);
}
END_TEST

START_TEST(a_word_of_any_length_may_be_asked_for)
{
    char word[500];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    const char *one = word;
    ck_assert_ptr_null(nearest_name(word, names, sizeof names / sizeof *names));
    ck_assert_ptr_null(nearest_name("xx", &one, 1));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("faults");
    tcase_add_test(tests, faults_are_written_in_the_order_of_the_file);
    tcase_add_test(tests, without_a_file_faults_are_their_texts);
    tcase_add_test(tests, nobody_is_made_to_read_more_than_a_thousand);
    tcase_add_loop_test(tests, the_nearest_name_is_found_unless_it_is_far, 0, sizeof words / sizeof *words);
    tcase_add_test(tests, a_word_of_any_length_may_be_asked_for);
    return run_case(tests);
}
