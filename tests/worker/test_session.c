/* A worker and its driver: greetings, restarts, stops, and how it all ends. */
#include <check.h>
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

START_TEST(a_signal_that_a_thread_of_a_library_takes_counts_as_well)
{
    static const char *const options[] = {"thread", NULL};
    fake_begin(&fake, fake_spec(fake_function, ""), options);
    fake_assign(&fake, 1, 1, ACT_obey);
    (void)await_report();
    ck_assert_int_eq(kill(fake.host, SIGUSR1), 0);
    (void)await_report(); /* the one after the stop */
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

static TCase *new_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    return tcase;
}

static TCase *greetings_case(void)
{
    TCase *tcase = new_case("greetings");
    tcase_add_test(tcase, it_greets_and_beats);
    tcase_add_test(tcase, it_greets_again_until_it_is_welcomed);
    tcase_add_test(tcase, a_welcome_of_an_earlier_greeting_does_not_count);
    tcase_add_test(tcase, a_driver_that_does_not_know_it_is_greeted);
    tcase_add_loop_test(tcase, a_driver_that_sends_it_away_ends_it, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, a_driver_of_another_version_ends_it);
    tcase_add_test(tcase, without_a_driver_it_gives_up_when_told_to);
    tcase_add_test(tcase, malformed_frames_are_ignored);
    return tcase;
}

static TCase *restarts_case(void)
{
    TCase *tcase = new_case("restarts");
    tcase_add_test(tcase, a_result_is_sent_again_until_it_is_acknowledged);
    tcase_add_test(tcase, a_running_trial_and_its_reports_survive_a_restart_of_the_driver);
    tcase_add_test(tcase, reports_made_while_the_driver_is_away_come_in_order);
    tcase_add_test(tcase, a_driver_that_closes_is_waited_for);
    return tcase;
}

static TCase *stops_case(void)
{
    TCase *tcase = new_case("stops");
    tcase_add_loop_test(tcase, a_function_that_obeys_a_stop_is_stopped, STOP_EARLY, STOP_CANCELLED + 1);
    tcase_add_test(tcase, a_function_that_never_looks_has_ended_by_itself);
    tcase_add_test(tcase, a_stop_of_another_attempt_changes_nothing);
    tcase_add_test(tcase, a_stale_attempt_is_dropped_and_the_end_of_it_told_by_a_heartbeat);
    tcase_add_test(tcase, an_attempt_that_is_stale_and_over_is_answered_at_once);
    tcase_add_test(tcase, unacknowledged_reports_of_a_stale_attempt_keep_their_numbers_only);
    tcase_add_test(tcase, an_assignment_to_a_busy_worker_makes_it_greet);
    tcase_add_test(tcase, a_function_over_its_time_limit_is_stopped_and_fails);
    tcase_add_test(tcase, a_function_that_is_deaf_to_its_time_limit_costs_its_process);
    return tcase;
}

static TCase *ends_case(void)
{
    TCase *tcase = new_case("ends");
    tcase_add_test(tcase, a_worker_of_one_experiment_leaves_when_it_is_done);
    tcase_add_test(tcase, a_worker_that_is_done_waits_for_its_acknowledgements);
    tcase_add_test(tcase, a_general_worker_stays_when_an_experiment_is_done);
    tcase_add_loop_test(tcase, a_signal_stops_the_trial_and_it_leaves, 0, sizeof signals / sizeof *signals);
    tcase_add_test(tcase, a_signal_that_a_thread_of_a_library_takes_counts_as_well);
    tcase_add_test(tcase, a_second_signal_ends_it_at_once);
    tcase_add_test(tcase, a_deaf_function_is_left_after_its_grace_period);
    tcase_add_test(tcase, slots_end_when_their_supervisor_is_killed);
    tcase_add_test(tcase, it_ends_with_its_parent_if_asked_to);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("session");
    suite_add_tcase(suite, greetings_case());
    suite_add_tcase(suite, restarts_case());
    suite_add_tcase(suite, stops_case());
    suite_add_tcase(suite, ends_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
