/* The progress line: what it says at which width, and what a terminal gets to see. */
#include "cli/progress.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/term.h"
#include "core/log.h"

static struct text line;

static void setup(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static void teardown(void)
{
    text_fini(&line);
}

static const struct progress_view view = {
    .name = "digits",
    .metric = "val_accuracy",
    .note = "",
    .limit = 60,
    .n_running = 2,
    .n_completed = 20,
    .n_stopped = 9,
    .n_failed = 1,
    .best_trial = 17,
    .best_value = 0.97222,
    .elapsed_s = 20,
    .per_second = 1.5,
};

START_TEST(a_wide_line_says_everything)
{
    progress_render(&line, &view, 120, false, false);
    ck_assert_str_eq(text_get(&line), "digits  [##############--------------]  30/60  2 running  9 stopped  "
                                      "1 failed  best 0.97222 (#17)  1.5/s  20s left");
}
END_TEST

START_TEST(a_line_never_is_wider_than_asked)
{
    progress_render(&line, &view, _i, true, false);
    ck_assert_int_le(term_columns(text_get(&line)), _i);
    ck_assert_ptr_nonnull(strstr(text_get(&line), "30/60"));
}
END_TEST

START_TEST(best_value_outlives_speed_in_a_narrow_line)
{
    progress_render(&line, &view, 40, false, false);
    ck_assert_ptr_nonnull(strstr(text_get(&line), "best 0.97222"));
    ck_assert_ptr_null(strstr(text_get(&line), "/s"));
}
END_TEST

START_TEST(without_a_limit_there_is_no_bar_and_no_time_left)
{
    struct progress_view endless = view;
    endless.limit = 0;
    progress_render(&line, &endless, 120, false, false);
    ck_assert_ptr_null(strstr(text_get(&line), "["));
    ck_assert_ptr_null(strstr(text_get(&line), "left"));
    ck_assert_ptr_nonnull(strstr(text_get(&line), "digits  30  2 running"));
}
END_TEST

START_TEST(the_nearer_limit_decides_the_time_left)
{
    struct progress_view timed = view;
    ck_assert_double_eq_tol(progress_left(&timed), 20, 1e-9);
    timed.limit_s = 30;
    ck_assert_double_eq_tol(progress_left(&timed), 10, 1e-9);
    timed.limit = 0;
    timed.limit_s = 0;
    ck_assert(isnan(progress_left(&timed)));
}
END_TEST

START_TEST(a_full_bar_is_full)
{
    struct progress_view done = view;
    done.n_completed = 50;
    done.n_running = 0;
    progress_render(&line, &done, 100, false, false);
    ck_assert_ptr_null(strstr(text_get(&line), "-"));
    ck_assert_ptr_nonnull(strstr(text_get(&line), "60/60"));
}
END_TEST

START_TEST(plain_lines_name_the_experiment)
{
    progress_render_plain(&line, &view);
    ck_assert_str_eq(
        text_get(&line),
        "digits: 30/60 trials, 2 running, 9 stopped, 1 failed, best 0.97222 (#17), 1.5/s, 20s left");
}
END_TEST

START_TEST(speed_settles_on_a_steady_rate)
{
    struct progress_rate rate = {0};
    double last = 0;
    for (int64_t i = 0; i <= 200; i++)
        last = progress_rate_update(&rate, (uint64_t)i * 3, (i + 1) * 1000000000);
    ck_assert_double_eq_tol(last, 3, 0.01);
}
END_TEST

START_TEST(a_slow_first_trial_counts_from_the_beginning)
{
    struct progress_rate rate = {0};
    for (int64_t i = 0; i < 100; i++)
        ck_assert_double_eq(progress_rate_update(&rate, 0, (i + 1) * 1000000000), 0);
    ck_assert_double_eq_tol(progress_rate_update(&rate, 1, 101 * INT64_C(1000000000)), 0.01, 1e-6);
}
END_TEST

/* What was written into a pipe, which is no terminal. */
static const char *written(int fd)
{
    static char buffer[4096];
    ssize_t n = read(fd, buffer, sizeof buffer - 1);
    buffer[n > 0 ? n : 0] = '\0';
    return buffer;
}

START_TEST(off_a_terminal_lines_come_on_change_and_not_too_often)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct progress *progress = progress_create(ends[1], PROGRESS_AUTO);
    struct progress_view now = view;
    int64_t second = 1000000000;
    progress_update(progress, &now, second, false);
    ck_assert_ptr_nonnull(strstr(written(ends[0]), "30/60"));
    ck_assert(progress_deadline(progress) == INT64_MAX);
    now.n_completed++;
    progress_update(progress, &now, 2 * second, false);
    ck_assert(progress_deadline(progress) == 6 * second);
    progress_update(progress, &now, 6 * second, false);
    ck_assert_str_eq(written(ends[0]),
                     "digits: 31/60 trials, 2 running, 9 stopped, 1 failed, best 0.97222 (#17), "
                     "1.5/s, 20s left\n");
    progress_update(progress, &now, 60 * second, true);
    progress_destroy(progress);
    close(ends[1]);
    ck_assert_str_eq(written(ends[0]), ""); /* nothing had changed */
    close(ends[0]);
}
END_TEST

START_TEST(log_lines_go_through_the_progress)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct progress *progress = progress_create(ends[1], PROGRESS_QUIET);
    progress_update(progress, &view, 1, true);
    log_set_level(LOG_WARN);
    log_warn("something happened trial=%d", 3);
    ck_assert_ptr_nonnull(strstr(written(ends[0]), "something happened trial=3"));
    progress_destroy(progress);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tcase = tcase_create("progress");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_wide_line_says_everything);
    tcase_add_loop_test(tcase, a_line_never_is_wider_than_asked, 20, 130);
    tcase_add_test(tcase, best_value_outlives_speed_in_a_narrow_line);
    tcase_add_test(tcase, without_a_limit_there_is_no_bar_and_no_time_left);
    tcase_add_test(tcase, the_nearer_limit_decides_the_time_left);
    tcase_add_test(tcase, a_full_bar_is_full);
    tcase_add_test(tcase, plain_lines_name_the_experiment);
    tcase_add_test(tcase, speed_settles_on_a_steady_rate);
    tcase_add_test(tcase, a_slow_first_trial_counts_from_the_beginning);
    tcase_add_test(tcase, off_a_terminal_lines_come_on_change_and_not_too_often);
    tcase_add_test(tcase, log_lines_go_through_the_progress);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
