/* A worker as a member of a gang: it joins, begins when it is told to and no sooner, and leaves what is over.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acts.h"
#include "fake_driver.h"

static struct fake fake;
static struct ending ending;

static void set_up(void)
{
    memset(&ending, 0, sizeof ending);
    fake_init(&fake);
    fake_begin(&fake, fake_spec(fake_function, "\"distributed\": {\"workers\": 2}"), NULL);
    fake.skips_joins = true;
}

static void tear_down(void)
{
    ending_fini(&ending);
    fake_fini(&fake);
}

static void assign(uint64_t attempt, uint64_t gang, uint64_t rank, uint64_t world, enum act act)
{
    struct wire_message message = {.type = WIRE_ASSIGN};
    double point[] = {act, 0.1};
    message.assign = (struct wire_assign){.experiment = fake.experiment,
                                          .trial = 1,
                                          .attempt = attempt,
                                          .budget = 3,
                                          .acked = fake.seq,
                                          .point = {.n = 2, .values = point},
                                          .gang = gang,
                                          .rank = rank,
                                          .world = world};
    fake_send(&fake, &message);
}

static void assert_joins(uint64_t attempt, uint64_t gang)
{
    const struct wire_join *join = &fake_expect(&fake, WIRE_JOIN)->join;
    ck_assert(id_equal(join->experiment, fake.experiment));
    ck_assert_uint_eq(join->trial, 1);
    ck_assert_uint_eq(join->attempt, attempt);
    ck_assert_uint_eq(join->gang, gang);
    ck_assert_str_eq(join->host.data, "127.0.0.1");
    ck_assert(join->port > 0 && join->port <= 65535);
}

static void start(uint64_t attempt, uint64_t gang, size_t n_addresses)
{
    struct wire_str addresses[] = {wire_string("127.0.0.1:7001"), wire_string("127.0.0.1:7002")};
    struct wire_message message = {.type = WIRE_START};
    message.start = (struct wire_start){.experiment = fake.experiment,
                                        .trial = 1,
                                        .attempt = attempt,
                                        .gang = gang,
                                        .local_world = n_addresses,
                                        .addresses = {.n = n_addresses, .list = addresses}};
    fake_send(&fake, &message);
}

static void stop(uint64_t attempt, uint64_t gang, enum stop_reason reason)
{
    struct wire_message message = {.type = WIRE_STOP};
    message.stop = (struct wire_stop){.experiment = fake.experiment,
                                      .trial = 1,
                                      .attempt = attempt,
                                      .gang = gang,
                                      .reason = (uint64_t)reason};
    fake_send(&fake, &message);
}

static void assert_ends(uint64_t attempt, enum outcome outcome)
{
    ending_fini(&ending);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.attempt, attempt);
    ck_assert_uint_eq(ending.outcome, outcome);
    ck_assert_uint_eq(fake.message.progress.gang, 7);
}

/* Nothing of the attempt came before this heartbeat. */
static void assert_is_idle(void)
{
    (void)fake_expect(&fake, WIRE_JOIN); /* it says so still */
    fake_await_heartbeat(&fake);
}

START_TEST(it_joins_and_begins_when_all_have)
{
    assign(1, 7, 1, 2, ACT_finish);
    assert_joins(1, 7);
    assert_joins(1, 7); /* until it is answered */
    start(1, 7, 2);
    assert_ends(1, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(a_gang_of_one_is_one)
{
    assign(1, 7, 0, 1, ACT_finish);
    assert_joins(1, 7);
    start(1, 7, 1);
    assert_ends(1, OUTCOME_COMPLETED);
    ck_assert_double_eq(ending.value, 0.5);
}
END_TEST

START_TEST(a_start_of_an_older_gang_or_attempt_begins_nothing)
{
    assign(2, 7, 0, 2, ACT_finish);
    assert_joins(2, 7);
    start(2, 6, 2);
    start(1, 7, 2);
    assert_is_idle();
    start(2, 7, 2);
    assert_ends(2, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(a_stop_of_an_older_gang_stops_nothing)
{
    assign(1, 7, 0, 2, ACT_finish);
    assert_joins(1, 7);
    stop(1, 6, STOP_ENDED);
    assert_is_idle();
    start(1, 7, 2);
    assert_ends(1, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(who_is_refused_is_free_for_the_next_gang)
{
    assign(1, 6, 1, 2, ACT_finish);
    assert_joins(1, 6);
    stop(1, 6, STOP_STALE);
    fake_await_heartbeat(&fake);
    while (fake.message.heartbeat.trial)
        fake_await_heartbeat(&fake);
    assign(2, 7, 0, 2, ACT_finish);
    do
        (void)fake_expect(&fake, WIRE_JOIN);
    while (fake.message.join.gang == 6); /* one that was on its way */
    ck_assert_uint_eq(fake.message.join.gang, 7);
    start(2, 7, 2);
    assert_ends(2, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(asked_to_end_early_before_it_began_it_has_no_value)
{
    assign(1, 7, 1, 2, ACT_finish);
    assert_joins(1, 7);
    stop(1, 7, STOP_CANCELLED);
    assert_ends(1, OUTCOME_STOPPED);
    ck_assert_uint_eq(ending.n, 0);
}
END_TEST

/* The trial's value is rank 0's: what the others return is theirs to leave out. */
START_TEST(only_rank_0_needs_a_value)
{
    const enum act acts[] = {ACT_nothing, ACT_nan};
    assign(1, 7, 1, 2, acts[_i]);
    assert_joins(1, 7);
    start(1, 7, 2);
    assert_ends(1, OUTCOME_COMPLETED);
    assign(2, 7, 0, 2, acts[_i]);
    assert_joins(2, 7);
    start(2, 7, 2);
    assert_ends(2, OUTCOME_FAILED);
}
END_TEST

/* Its new process knows of no gang, so the driver sees that its member is gone. */
START_TEST(who_dies_between_joining_and_beginning_comes_back_without_a_part)
{
    assign(1, 6, 1, 2, ACT_finish);
    assert_joins(1, 6);
    ck_assert_int_eq(kill((pid_t)fake.pid, SIGKILL), 0);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.n_held, 0);
    fake_send_experiment(&fake, fake_spec(fake_function, "\"distributed\": {\"workers\": 2}"));
    start(1, 6, 2); /* of what it was */
    assign(2, 7, 1, 2, ACT_finish);
    assert_joins(2, 7);
    start(2, 7, 2);
    assert_ends(2, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(who_dies_after_beginning_says_of_which_gang_it_was)
{
    assign(1, 7, 1, 2, ACT_segv);
    assert_joins(1, 7);
    start(1, 7, 2);
    fake_welcome(&fake);
    ck_assert_uint_eq(fake.n_held, 1);
    assert_ends(1, OUTCOME_LOST);
}
END_TEST

START_TEST(a_start_that_makes_no_sense_fails_it)
{
    assign(1, 7, 1, 2, ACT_finish);
    assert_joins(1, 7);
    start(1, 7, 1);
    assert_ends(1, OUTCOME_FAILED);
    ck_assert_str_eq(ending.text, "started with 1 addresses in a gang of 2");
}
END_TEST

START_TEST(a_rank_beyond_its_gang_fails)
{
    assign(1, 7, 2, 2, ACT_finish);
    assert_ends(1, OUTCOME_FAILED);
    ck_assert_str_eq(ending.text, "assigned as rank 2 of a gang of 2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("member");
    TCase *tests = tcase_create("member");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_joins_and_begins_when_all_have);
    tcase_add_test(tests, a_gang_of_one_is_one);
    tcase_add_test(tests, a_start_of_an_older_gang_or_attempt_begins_nothing);
    tcase_add_test(tests, a_stop_of_an_older_gang_stops_nothing);
    tcase_add_test(tests, who_is_refused_is_free_for_the_next_gang);
    tcase_add_test(tests, asked_to_end_early_before_it_began_it_has_no_value);
    tcase_add_loop_test(tests, only_rank_0_needs_a_value, 0, 2);
    tcase_add_test(tests, who_dies_between_joining_and_beginning_comes_back_without_a_part);
    tcase_add_test(tests, who_dies_after_beginning_says_of_which_gang_it_was);
    tcase_add_test(tests, a_start_that_makes_no_sense_fails_it);
    tcase_add_test(tests, a_rank_beyond_its_gang_fails);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
