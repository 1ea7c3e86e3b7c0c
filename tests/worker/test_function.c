/* Function trials: what they report, how they fail, and what a crash costs. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "acts.h"
#include "core/rng.h"
#include "fake_driver.h"
#include "worker/handle.h"

static struct fake fake;
static struct ending ending;

static void set_up(void)
{
    memset(&ending, 0, sizeof ending);
    fake_init(&fake);
}

static void tear_down(void)
{
    ending_fini(&ending);
    fake_fini(&fake);
}

static void begin(void)
{
    fake_begin(&fake, fake_spec(fake_function, ""), NULL);
}

static void run(uint64_t trial, enum act act)
{
    fake_assign(&fake, trial, 1, act);
    ending_fini(&ending);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.trial, trial);
    ck_assert_uint_eq(ending.attempt, 1);
}

static const struct wire_progress *await_report(void)
{
    const struct wire_progress *progress;
    do {
        progress = &fake_expect(&fake, WIRE_PROGRESS)->progress;
        ck_assert_uint_eq(progress->seq, ++fake.seq);
    } while (progress->reports.n == 0);
    return progress;
}

/* Function trials */

START_TEST(reports_and_the_end_of_a_short_trial_come_in_one_frame)
{
    begin();
    uint64_t trial = 1;
    for (; trial == 1 || (trial < 50 && ending.n_frames > 1);
         trial++) /* a busy machine may make a trial long */
        run(trial, ACT_finish);
    ck_assert_uint_eq(ending.n_frames, 1);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    ck_assert(ending.value == 0.5);
    ck_assert_uint_eq(ending.n, 1);
    ck_assert_int_eq(ending.reports[0].step, 1);
    ck_assert(ending.reports[0].value == 0.25);
    ck_assert_str_eq(ending.log, "");
    ck_assert_msg(access(fake_trial_directory(&fake, trial - 1), F_OK),
                  "a trial that needs no directory has one");
}
END_TEST

START_TEST(many_trials_run_one_after_the_other)
{
    begin();
    for (uint64_t trial = 1; trial <= 500; trial++) {
        run(trial, ACT_finish);
        ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    }
}
END_TEST

START_TEST(metrics_keep_their_names_and_the_objective_has_none)
{
    begin();
    run(1, ACT_names);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    ck_assert(isnan(ending.value));
    ck_assert_uint_eq(ending.n, 40);
    ck_assert_uint_eq(ending.n_names, 3);
    for (size_t i = 0; i < 40; i++) {
        static const double offset[] = {0, 10, 100, 1e-3};
        const struct report *report = &ending.reports[i];
        static const char *const names[] = {"", "loss", "", "lr"};
        double step = (double)(i / 4);
        ck_assert_int_eq(report->step, (int64_t)(i / 4));
        ck_assert_str_eq(ending.names[report->metric], names[i % 4]);
        ck_assert(report->value == (i % 4 == 1 ? 10 - step : i % 4 == 3 ? 1e-3 : step + offset[i % 4]));
    }
}
END_TEST

START_TEST(no_report_is_lost_or_out_of_order)
{
    begin();
    run(1, ACT_many);
    ck_assert_uint_eq(ending.n, MANY);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(ending.reports[i].step, (int64_t)i);
}
END_TEST

START_TEST(several_threads_may_report)
{
    begin();
    run(1, ACT_threads);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    ck_assert_uint_eq(ending.n, 3 * MANY);
}
END_TEST

static const struct {
    enum act act;
    const char *text;
} failures[] = {
    {ACT_fail, "no such data set"},
    {ACT_return_3, "returned 3"},
    {ACT_nothing, "without a value of 'val_accuracy'"},
    {ACT_nan, "returned nan"},
    {ACT_too_many_names, "more than 1024"},
};

START_TEST(a_failure_says_why)
{
    begin();
    run(1, failures[_i].act);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert_msg(strstr(ending.text, failures[_i].text), "the text is: %s", ending.text);
    ck_assert(isnan(ending.value));
    run(2, ACT_finish); /* and costs nothing but itself */
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(what_a_function_prints_is_in_the_log_of_its_trial)
{
    begin();
    run(4, ACT_print);
    ck_assert_str_eq(fake_read_file(&fake, ending.log), "hello from trial 4\nand its stderr\n");
    ck_assert(strstr(ending.log, "/4/output-1.log"));
    run(5, ACT_finish);
    ck_assert_str_eq(ending.log, "");
}
END_TEST

START_TEST(the_directory_is_made_when_it_is_asked_for)
{
    begin();
    run(3, ACT_checkpoint);
    ck_assert(ending.value == (double)(rng_mix(7, 3) >> 33));
    ck_assert(ending.value < 0x1p31);
    ck_assert_int_eq(access(fake_trial_directory(&fake, 3), F_OK), 0);
}
END_TEST

START_TEST(a_wrong_assignment_fails_with_a_message)
{
    struct wire_message message = {.type = WIRE_ASSIGN};
    begin();
    message.assign = (struct wire_assign){.experiment = fake.experiment, .trial = 1, .attempt = 1};
    fake_send(&fake, &message);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert(strstr(ending.text, "0 parameters"));
    run(2, 1000); /* an index beyond the choices */
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
}
END_TEST

START_TEST(a_worker_without_the_function_says_so)
{
    const char *options[] = {"no-function", NULL};
    fake_begin(&fake, fake_spec(fake_function, ""), options);
    run(1, ACT_finish);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert(strstr(ending.text, "this worker is not that program"));
}
END_TEST

START_TEST(an_experiment_that_was_not_told_is_asked_for)
{
    fake_start_host(&fake, NULL);
    fake_welcome(&fake);
    fake_assign(&fake, 1, 1, ACT_finish);
    fake_welcome(&fake);
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    run(1, ACT_finish);
}
END_TEST

START_TEST(a_doubled_assignment_is_run_once)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_finish);
    fake_assign(&fake, 1, 1, ACT_finish);
    fake_await_end(&ending, &fake);
    run(2, ACT_finish); /* whose end is the next one */
}
END_TEST

START_TEST(a_long_trial_says_that_it_runs)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_await_heartbeat(&fake);
    ck_assert_uint_eq(fake.message.heartbeat.trial, 1);
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_end(&ending, &fake);
}
END_TEST

/* Libraries */

START_TEST(a_function_of_a_library_is_found_and_stays_loaded)
{
    fake_begin(&fake,
               fake_spec("{\"library\": \"" TRAIN_LIBRARY_FILE "\", \"function\": \"count_calls\"}", ""),
               NULL);
    run(1, 0);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    ck_assert(ending.value == 1);
    run(2, 0);
    ck_assert(ending.value == 2);
}
END_TEST

static const struct {
    const char *train, *text;
} missing[] = {
    {"{\"library\": \"/nowhere/libx.so\", \"function\": \"train\"}", "/nowhere/libx.so"},
    {"{\"library\": \"" TRAIN_LIBRARY_FILE "\", \"function\": \"absent\"}", "no function 'absent'"},
};

START_TEST(a_library_or_function_that_is_missing_is_named)
{
    fake_begin(&fake, fake_spec(missing[_i].train, ""), NULL);
    run(1, 0);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert_msg(strstr(ending.text, missing[_i].text), "the text is: %s", ending.text);
}
END_TEST

/* Crashes */

static const struct {
    enum act act;
    const char *text;
} crashes[] = {
    {ACT_segv, "killed by signal 11 (Segmentation fault); its last output: about to fail"},
    {ACT_abort, "killed by signal 6 (Aborted)"},
    {ACT_exit, "ended its process with exit status 3"},
};

START_TEST(a_crash_loses_its_attempt_and_nothing_else)
{
    begin();
    struct id worker = fake.worker;
    run(1, ACT_finish);
    fake_assign(&fake, 2, 1, crashes[_i].act);
    fake_welcome(&fake);
    ck_assert(id_equal(fake.worker, worker));
    ck_assert_uint_eq(fake.n_held, 1);
    ck_assert_uint_eq(fake.held[0], 2);
    ck_assert_uint_ge(fake.seq, 1); /* goes on where the process before was */
    ending_fini(&ending);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.trial, 2);
    ck_assert_uint_eq(ending.outcome, OUTCOME_LOST);
    ck_assert_msg(strstr(ending.text, crashes[_i].text), "the text is: %s", ending.text);
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    run(3, ACT_finish);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(the_last_words_of_a_crash_are_in_its_log)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_segv);
    fake_welcome(&fake);
    fake_await_end(&ending, &fake);
    ck_assert_str_eq(fake_read_file(&fake, ending.log), "about to fail\n");
}
END_TEST

START_TEST(a_crash_in_one_slot_does_not_touch_the_others)
{
    const char *options[] = {"slots=2", NULL};
    fake_start_host(&fake, options);
    fake_welcome(&fake);
    struct id first = fake.worker;
    fake.greeting = 0;
    fake_welcome(&fake);
    struct id second = fake.worker;
    ck_assert(!id_equal(first, second));
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    fake_assign(&fake, 1, 1, ACT_abort);
    fake.greeting = 0;
    fake_welcome(&fake);
    ck_assert(id_equal(fake.worker, second));
    fake_await_end(&ending, &fake);
    fake.worker = first;
    fake.seq = 0;
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    run(2, ACT_finish);
    ck_assert(id_equal(fake.worker, first));
}
END_TEST

START_TEST(a_killed_slot_process_is_replaced)
{
    fake_start_host(&fake, NULL);
    const struct wire_hello hello = fake_expect(&fake, WIRE_HELLO)->hello;
    ck_assert_int_eq(kill((pid_t)hello.pid, SIGKILL), 0);
    fake.greeting = hello.greeting;
    fake_welcome(&fake);
    ck_assert_uint_ne(fake.message.hello.pid, hello.pid);
}
END_TEST

static TCase *new_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    return tcase;
}

static TCase *functions_case(void)
{
    TCase *tcase = new_case("functions");
    tcase_add_test(tcase, reports_and_the_end_of_a_short_trial_come_in_one_frame);
    tcase_add_test(tcase, many_trials_run_one_after_the_other);
    tcase_add_test(tcase, metrics_keep_their_names_and_the_objective_has_none);
    tcase_add_test(tcase, no_report_is_lost_or_out_of_order);
    tcase_add_test(tcase, several_threads_may_report);
    tcase_add_loop_test(tcase, a_failure_says_why, 0, sizeof failures / sizeof *failures);
    tcase_add_test(tcase, what_a_function_prints_is_in_the_log_of_its_trial);
    tcase_add_test(tcase, the_directory_is_made_when_it_is_asked_for);
    tcase_add_test(tcase, a_wrong_assignment_fails_with_a_message);
    tcase_add_test(tcase, a_worker_without_the_function_says_so);
    tcase_add_test(tcase, an_experiment_that_was_not_told_is_asked_for);
    tcase_add_test(tcase, a_doubled_assignment_is_run_once);
    tcase_add_test(tcase, a_long_trial_says_that_it_runs);
    return tcase;
}

static TCase *libraries_case(void)
{
    TCase *tcase = new_case("libraries");
    tcase_add_test(tcase, a_function_of_a_library_is_found_and_stays_loaded);
    tcase_add_loop_test(tcase, a_library_or_function_that_is_missing_is_named, 0,
                        sizeof missing / sizeof *missing);
    return tcase;
}

static TCase *crashes_case(void)
{
    TCase *tcase = new_case("crashes");
    tcase_add_loop_test(tcase, a_crash_loses_its_attempt_and_nothing_else, 0,
                        sizeof crashes / sizeof *crashes);
    tcase_add_test(tcase, the_last_words_of_a_crash_are_in_its_log);
    tcase_add_test(tcase, a_crash_in_one_slot_does_not_touch_the_others);
    tcase_add_test(tcase, a_killed_slot_process_is_replaced);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("function");
    suite_add_tcase(suite, functions_case());
    suite_add_tcase(suite, libraries_case());
    suite_add_tcase(suite, crashes_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
