/* A worker and its driver: greetings, function trials, crashes, restarts, stops, and how it all ends. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "acts.h"
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

static const char *trial_file(uint64_t trial, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", fake_trial_directory(&fake, trial), name);
    return path;
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Greetings */

START_TEST(it_greets_and_beats)
{
    fake_start_host(&fake, NULL);
    fake_welcome(&fake);
    fake_await_heartbeat(&fake);
    ck_assert_uint_eq(fake.message.heartbeat.trial, 0);
    ck_assert_uint_eq(fake.message.heartbeat.first_seq, 1);
    fake_await_heartbeat(&fake);
}
END_TEST

START_TEST(it_greets_again_until_it_is_welcomed)
{
    fake_start_host(&fake, NULL);
    (void)fake_expect(&fake, WIRE_HELLO);
    fake_welcome(&fake); /* of the second one */
    fake_await_heartbeat(&fake);
}
END_TEST

START_TEST(a_welcome_of_an_earlier_greeting_does_not_count)
{
    fake_start_host(&fake, NULL);
    uint64_t earlier = fake_expect(&fake, WIRE_HELLO)->hello.greeting - 1;
    struct wire_message message = {.type = WIRE_WELCOME};
    message.welcome =
        (struct wire_welcome){.protocol = WIRE_VERSION, .heartbeat_ms = 10, .greeting = earlier};
    fake_send(&fake, &message);
    ck_assert_uint_gt(fake_expect(&fake, WIRE_HELLO)->hello.greeting, earlier);
    fake_welcome(&fake);
}
END_TEST

START_TEST(a_driver_that_does_not_know_it_is_greeted)
{
    begin();
    fake_bye(&fake, ERR_NOT_FOUND, "say HELLO first");
    fake_welcome(&fake);
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    run(1, ACT_finish);
}
END_TEST

static const struct {
    int64_t code;
    int status;
} refusals[] = {{ERR_VERSION, 8}, {ERR_REFUSED, 15}, {ERR_PROTOCOL, 7}};

START_TEST(a_driver_that_sends_it_away_ends_it)
{
    begin();
    fake_bye(&fake, refusals[_i].code, "go away");
    ck_assert_int_eq(fake_await_host(&fake), refusals[_i].status);
}
END_TEST

START_TEST(a_driver_of_another_version_ends_it)
{
    fake_start_host(&fake, NULL);
    struct wire_message message = {.type = WIRE_WELCOME};
    message.welcome = (struct wire_welcome){.protocol = WIRE_VERSION + 1,
                                            .greeting = fake_expect(&fake, WIRE_HELLO)->hello.greeting};
    fake_send(&fake, &message);
    ck_assert_int_eq(fake_await_host(&fake), 8);
}
END_TEST

START_TEST(without_a_driver_it_gives_up_when_told_to)
{
    const char *options[] = {"wait=1", NULL};
    fake_unbind(&fake);
    fake_start_host(&fake, options);
    ck_assert_int_eq(fake_await_host(&fake), 11);
}
END_TEST

START_TEST(malformed_frames_are_ignored)
{
    begin();
    char id[17] = "w";
    memcpy(id + 1, fake.worker.bytes, 16);
    ck_assert_int_eq(zmq_send(fake.router, id, sizeof id, ZMQ_SNDMORE), 17);
    ck_assert_int_eq(zmq_send(fake.router, "\xdd\xff\xff\xff\xff", 5, 0), 5);
    run(1, ACT_finish);
}
END_TEST

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
    ck_assert(ending.value == (double)worker_trial_seed(7, 3));
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

/* Restarts of the driver */

START_TEST(a_result_is_sent_again_until_it_is_acknowledged)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_finish);
    (void)await_report();
    fake_unbind(&fake);
    fake_bind(&fake);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.n_held, 1);
    ck_assert_uint_eq(fake.held[0], 1);
    ck_assert_uint_eq(fake.seq, 0);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    fake_send_experiment(&fake, fake_spec(fake_function, ""));
    run(2, ACT_finish); /* acknowledges the first */
    fake_unbind(&fake);
    fake_bind(&fake);
    fake_welcome(&fake);
    ck_assert_uint_le(fake.n_held, 1); /* the second, unless its acknowledgement was in time */
}
END_TEST

START_TEST(a_running_trial_and_its_reports_survive_a_restart_of_the_driver)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_unbind(&fake);
    fake_bind(&fake);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.n_held, 1);
    ck_assert_uint_eq(fake.seq, 0);
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_STOPPED);
    ck_assert_uint_eq(ending.n, 2);
    ck_assert(ending.value == 9);
}
END_TEST

START_TEST(reports_made_while_the_driver_is_away_come_in_order)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_report_late);
    fake_await_file(trial_file(1, "ready"));
    fake_unbind(&fake);
    make_file(trial_file(1, "go"));
    fake_bind(&fake);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.n_held, 1);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.n, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ending.reports[i].step, i);
    ck_assert(ending.value == 9);
}
END_TEST

START_TEST(a_driver_that_closes_is_waited_for)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_bye(&fake, ERR_CLOSED, "the driver ends");
    fake_unbind(&fake);
    fake_bind(&fake);
    fake_welcome(&fake);
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.n, 2);
}
END_TEST

/* Stops */

START_TEST(a_function_that_obeys_a_stop_is_stopped)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_stop(&fake, 1, 1, (enum stop_reason)_i);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_STOPPED);
    ck_assert(ending.value == 9);
}
END_TEST

START_TEST(a_function_that_never_looks_has_ended_by_itself)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_oblivious);
    fake_await_file(trial_file(1, "ready"));
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_heartbeat(&fake);
    fake_await_heartbeat(&fake); /* sent after the stop has come */
    make_file(trial_file(1, "go"));
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
    ck_assert(ending.value == 9);
}
END_TEST

START_TEST(a_stop_of_another_attempt_changes_nothing)
{
    begin();
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_assign(&fake, 1, 2, ACT_obey);
    (void)await_report();
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_heartbeat(&fake);
    fake_await_heartbeat(&fake);
    ck_assert_uint_eq(fake.message.heartbeat.trial, 1);
    fake_stop(&fake, 1, 2, STOP_EARLY);
    fake_await_end(&ending, &fake);
}
END_TEST

START_TEST(a_stale_attempt_is_dropped_and_the_end_of_it_told_by_a_heartbeat)
{
    fake.heartbeat_ms = 3600000;
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_stop(&fake, 1, 1, STOP_STALE);
    fake_await_heartbeat(&fake);
    ck_assert_uint_eq(fake.message.heartbeat.trial, 0);
    ck_assert_uint_eq(fake.message.heartbeat.first_seq, 1); /* the report has not been acknowledged */
    run(2, ACT_finish);
}
END_TEST

START_TEST(an_attempt_that_is_stale_and_over_is_answered_at_once)
{
    fake.heartbeat_ms = 3600000;
    begin();
    run(1, ACT_finish);
    fake_stop(&fake, 1, 1, STOP_STALE);
    fake_await_heartbeat(&fake);
    ck_assert_uint_eq(fake.message.heartbeat.trial, 0);
}
END_TEST

START_TEST(unacknowledged_reports_of_a_stale_attempt_keep_their_numbers_only)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_stop(&fake, 1, 1, STOP_STALE);
    fake_await_heartbeat(&fake);
    fake_bye(&fake, ERR_NOT_FOUND, "");
    fake_welcome(&fake);
    for (uint64_t seq = fake.n_held; seq > 0; seq--) {
        const struct wire_progress *progress = &fake_expect(&fake, WIRE_PROGRESS)->progress;
        ck_assert_uint_eq(progress->seq, 1);
        ck_assert_uint_eq(progress->reports.n, 0);
    }
}
END_TEST

START_TEST(an_assignment_to_a_busy_worker_makes_it_greet)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    fake_assign(&fake, 2, 1, ACT_finish);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.held[0], 1);
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_end(&ending, &fake);
}
END_TEST

START_TEST(a_function_over_its_time_limit_is_stopped_and_fails)
{
    fake_begin(&fake, fake_spec(fake_function, "\"limits\": {\"trial_hours\": 1e-5}"), NULL);
    run(1, ACT_obey);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert(strstr(ending.text, "time limit of 1e-05 h"));
}
END_TEST

START_TEST(a_function_that_is_deaf_to_its_time_limit_costs_its_process)
{
    fake_begin(&fake,
               fake_spec("{\"library\": \"" TRAIN_LIBRARY_FILE
                         "\", \"function\": \"sleep_on\", \"grace_s\": 0.01}",
                         "\"limits\": {\"trial_hours\": 1e-5}"),
               NULL);
    struct id worker = fake.worker;
    run(1, 0);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert(strstr(ending.text, "its process was ended"));
    fake_welcome(&fake);
    ck_assert(id_equal(fake.worker, worker));
    ck_assert_uint_eq(fake.n_held, 0);
}
END_TEST

/* Ends */

START_TEST(a_worker_of_one_experiment_leaves_when_it_is_done)
{
    char option[64] = "experiment=", id[ID_TEXT_SIZE];
    const char *options[] = {option, NULL};
    strcat(option, id_format(fake.experiment, id));
    fake_begin(&fake, fake_spec(fake_function, ""), options);
    run(1, ACT_finish);
    struct wire_message message = {.type = WIRE_DONE};
    message.done.experiment = fake.experiment;
    fake_send(&fake, &message);
    (void)fake_expect(&fake, WIRE_LEAVE);
    ck_assert_int_eq(fake_await_host(&fake), 0);
}
END_TEST

START_TEST(a_worker_that_is_done_waits_for_its_acknowledgements)
{
    char option[64] = "experiment=", id[ID_TEXT_SIZE];
    const char *options[] = {option, NULL};
    strcat(option, id_format(fake.experiment, id));
    fake.heartbeat_ms = 50;
    fake_begin(&fake, fake_spec(fake_function, ""), options);
    fake_assign(&fake, 1, 1, ACT_finish);
    (void)await_report();
    struct wire_message message = {.type = WIRE_DONE};
    message.done.experiment = fake.experiment;
    fake_send(&fake, &message);
    fake_await_heartbeat(&fake);
    fake_await_heartbeat(&fake); /* and no LEAVE */
    fake_ack(&fake, 1);
    (void)fake_expect(&fake, WIRE_LEAVE);
    ck_assert_int_eq(fake_await_host(&fake), 0);
}
END_TEST

START_TEST(a_general_worker_stays_when_an_experiment_is_done)
{
    begin();
    struct wire_message message = {.type = WIRE_DONE};
    message.done.experiment = fake.experiment;
    fake_send(&fake, &message);
    fake_await_heartbeat(&fake);
    fake_await_heartbeat(&fake);
}
END_TEST

static const int signals[] = {SIGTERM, SIGINT};

START_TEST(a_signal_stops_the_trial_and_it_leaves)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    ck_assert_int_eq(kill(fake.host, signals[_i]), 0);
    const struct wire_progress *progress = await_report(); /* the one after the stop */
    ck_assert_int_eq(progress->reports.list[0].step, 1);
    ck_assert_uint_eq(progress->outcome, OUTCOME_NONE);
    fake_ack(&fake, fake.seq);
    (void)fake_expect(&fake, WIRE_LEAVE);
    ck_assert_int_eq(fake_await_host(&fake), 12);
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_deaf);
    (void)await_report();
    ck_assert_int_eq(kill(fake.host, SIGTERM), 0);
    fake_await_heartbeat(&fake); /* so that the two signals do not become one */
    ck_assert_int_eq(kill(fake.host, SIGTERM), 0);
    ck_assert_int_eq(fake_await_host(&fake), 12);
}
END_TEST

START_TEST(a_deaf_function_is_left_after_its_grace_period)
{
    fake_begin(&fake,
               fake_spec("{\"library\": \"" TRAIN_LIBRARY_FILE
                         "\", \"function\": \"sleep_on\", \"grace_s\": 0.05}",
                         ""),
               NULL);
    fake_assign(&fake, 1, 1, 0);
    (void)fake_expect(&fake, WIRE_PROGRESS); /* it runs */
    ck_assert_int_eq(kill(fake.host, SIGTERM), 0);
    (void)fake_expect(&fake, WIRE_LEAVE);
    ck_assert_int_eq(fake_await_host(&fake), 12);
}
END_TEST

START_TEST(slots_end_when_their_supervisor_is_killed)
{
    begin();
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    ck_assert_int_eq(kill(fake.host, SIGKILL), 0);
    fake.host = 0;
    (void)await_report();
    fake_ack(&fake, fake.seq);
    (void)fake_expect(&fake, WIRE_LEAVE);
}
END_TEST

START_TEST(it_ends_with_its_parent_if_asked_to)
{
    const char *options[] = {"parent", "middle", NULL};
    fake_start_host(&fake, options);
    fake_welcome(&fake);
    ck_assert_int_eq(kill(fake.host, SIGKILL), 0);
    fake.host = 0;
    (void)fake_expect(&fake, WIRE_LEAVE);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests, size_t n)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    const TTest *const greetings[] = {
        it_greets_and_beats,
        it_greets_again_until_it_is_welcomed,
        a_welcome_of_an_earlier_greeting_does_not_count,
        a_driver_that_does_not_know_it_is_greeted,
        a_driver_of_another_version_ends_it,
        without_a_driver_it_gives_up_when_told_to,
        malformed_frames_are_ignored,
    };
    const TTest *const functions[] = {
        reports_and_the_end_of_a_short_trial_come_in_one_frame,
        many_trials_run_one_after_the_other,
        metrics_keep_their_names_and_the_objective_has_none,
        no_report_is_lost_or_out_of_order,
        several_threads_may_report,
        what_a_function_prints_is_in_the_log_of_its_trial,
        the_directory_is_made_when_it_is_asked_for,
        a_wrong_assignment_fails_with_a_message,
        a_worker_without_the_function_says_so,
        an_experiment_that_was_not_told_is_asked_for,
        a_doubled_assignment_is_run_once,
        a_long_trial_says_that_it_runs,
        a_function_of_a_library_is_found_and_stays_loaded,
        the_last_words_of_a_crash_are_in_its_log,
        a_crash_in_one_slot_does_not_touch_the_others,
        a_killed_slot_process_is_replaced,
    };
    const TTest *const restarts[] = {
        a_result_is_sent_again_until_it_is_acknowledged,
        a_running_trial_and_its_reports_survive_a_restart_of_the_driver,
        reports_made_while_the_driver_is_away_come_in_order,
        a_driver_that_closes_is_waited_for,
    };
    const TTest *const stops[] = {
        a_function_that_never_looks_has_ended_by_itself,
        a_stop_of_another_attempt_changes_nothing,
        a_stale_attempt_is_dropped_and_the_end_of_it_told_by_a_heartbeat,
        an_attempt_that_is_stale_and_over_is_answered_at_once,
        unacknowledged_reports_of_a_stale_attempt_keep_their_numbers_only,
        an_assignment_to_a_busy_worker_makes_it_greet,
        a_function_over_its_time_limit_is_stopped_and_fails,
        a_function_that_is_deaf_to_its_time_limit_costs_its_process,
    };
    const TTest *const ends[] = {
        a_worker_of_one_experiment_leaves_when_it_is_done,
        a_worker_that_is_done_waits_for_its_acknowledgements,
        a_general_worker_stays_when_an_experiment_is_done,
        a_second_signal_ends_it_at_once,
        a_deaf_function_is_left_after_its_grace_period,
        slots_end_when_their_supervisor_is_killed,
        it_ends_with_its_parent_if_asked_to,
    };
    Suite *suite = suite_create("session");
    add(suite, "greetings", greetings, sizeof greetings / sizeof *greetings);
    add(suite, "functions", functions, sizeof functions / sizeof *functions);
    add(suite, "restarts", restarts, sizeof restarts / sizeof *restarts);
    add(suite, "stops", stops, sizeof stops / sizeof *stops);
    add(suite, "ends", ends, sizeof ends / sizeof *ends);
    TCase *tables = tcase_create("tables");
    tcase_add_checked_fixture(tables, set_up, tear_down);
    tcase_set_timeout(tables, 100);
    tcase_add_loop_test(tables, a_driver_that_sends_it_away_ends_it, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(tables, a_failure_says_why, 0, sizeof failures / sizeof *failures);
    tcase_add_loop_test(tables, a_library_or_function_that_is_missing_is_named, 0,
                        sizeof missing / sizeof *missing);
    tcase_add_loop_test(tables, a_crash_loses_its_attempt_and_nothing_else, 0,
                        sizeof crashes / sizeof *crashes);
    tcase_add_loop_test(tables, a_function_that_obeys_a_stop_is_stopped, STOP_EARLY, STOP_CANCELLED + 1);
    tcase_add_loop_test(tables, a_signal_stops_the_trial_and_it_leaves, 0, sizeof signals / sizeof *signals);
    suite_add_tcase(suite, tables);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
