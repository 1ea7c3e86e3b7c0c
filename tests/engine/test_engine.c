/* The engine, event by event. Worker 1, 2, ... are general workers unless a test says otherwise; experiment 1
 * is the one of the sweep below. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "bench_of_engine.h"
#include "test_gang.h"
#include "test_heap.h"

#define SWEEP                                                                                                \
    "name: e\ntrain: {command: [x]}\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: 1.0}}\n"          \
    "search: random\nseed: 1\n"
#define LIMIT(n) "limits: {trials: " #n "}\n"

static struct bench bench;

static void open_bench(void)
{
    bench_open(&bench);
}

static void close_bench(void)
{
    bench_close(&bench);
}

static void complete(int worker, uint64_t seq, uint64_t trial, double value)
{
    bench_progress(&bench, worker, seq, trial, 1, 0, value, OUTCOME_COMPLETED, value);
}

/* A search that learns is asked only as far as workers wait for it. */
START_TEST(a_worker_that_comes_late_makes_a_search_that_learns_be_asked)
{
    bench_submit(&bench, 1,
                 "name: e\ntrain: {command: [x]}\nmetric: {name: loss}\nsearch: tpe\n"
                 "parameters: {a: {min: 0.0, max: 1.0}}\n" LIMIT(3));
    if (_i)
        bench_hello_for(&bench, 1, 1, 1); /* serves nothing else */
    else
        bench_hello(&bench, 1, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
    ck_assert_uint_eq(bench.n_answered, 1); /* the second point is to be made from the value of the first */
    complete(1, 1, 1, 0.5);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 2);
    ck_assert_uint_eq(bench.n_answered, 2);
}
END_TEST

START_TEST(an_idle_worker_gets_a_trial_at_once)
{
    bench_hello(&bench, 1, 1, 0);
    ck_assert_ptr_nonnull(bench_sent(&bench, 1, WIRE_WELCOME));
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    ck_assert_ptr_nonnull(bench_sent(&bench, 1, WIRE_EXPERIMENT));
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
}
END_TEST

START_TEST(a_finished_worker_gets_its_next_trial_before_the_commit)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 0);
    complete(1, 1, 1, 0.5);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 2);
    for (size_t i = 0; i < bench.n_commands; i++)
        if (bench.commands[i].kind == COMMAND_SEND)
            ck_assert_int_eq(bench.commands[i].after_commit, bench.commands[i].message.type == WIRE_ACK);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_ACK)->ack.seq, 1);
}
END_TEST

START_TEST(the_number_of_trials_is_exact)
{
    bench_submit(&bench, 1, SWEEP LIMIT(5));
    for (int w = 1; w <= 8; w++)
        bench_hello(&bench, w, 1, 0);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 5);
    for (int w = 1; w <= 5; w++)
        complete(w, 1, (uint64_t)w, w);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.n_completed, 5);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.best_trial, 1);
}
END_TEST

START_TEST(a_doubled_result_counts_once)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    complete(1, 1, 1, 0.5);
    complete(1, 1, 1, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 1);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_ACK)->ack.seq, 1);
    ck_assert_ptr_null(bench_command(&bench, COMMAND_PERSIST));
}
END_TEST

START_TEST(a_result_after_a_gap_is_not_taken)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    complete(1, 2, 1, 0.5);
    ck_assert_int_eq((int)bench_sent(&bench, 1, WIRE_BYE)->bye.code, ERR_NOT_FOUND);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 0);
}
END_TEST

START_TEST(a_report_that_does_not_grow_is_ignored)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 3, 0.5, OUTCOME_NONE, (double)NAN);
    bench_progress(&bench, 1, 2, 1, 1, 3, 0.1, OUTCOME_NONE, (double)NAN);
    bench_progress(&bench, 1, 3, 1, 1, 2, 0.1, OUTCOME_NONE, (double)NAN);
    ck_assert_uint_eq(bench_status(&bench, 1).n_reports, 1);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_RUNNING);
}
END_TEST

START_TEST(a_silent_worker_loses_its_trial_to_another)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 1, 1, 0);
    bench_time(&bench, 10 * SECOND);
    bench_hello(&bench, 2, 1, 0);
    bench_time(&bench, 6 * SECOND);
    ck_assert_uint_eq(bench_assigned(&bench, 2), 1);
    ck_assert_uint_eq(bench_sent(&bench, 2, WIRE_ASSIGN)->assign.attempt, 2);
    /* The first comes back with a result: too late. */
    bench_hello(&bench, 1, 2, 1);
    bench_hold(&bench, 1, 2, 1, 1);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
    complete(1, 1, 1, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 0);
    ck_assert_ptr_nonnull(bench_sent(&bench, 1, WIRE_ACK));
}
END_TEST

START_TEST(a_word_in_time_keeps_the_lease)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 1, 1, 0);
    struct wire_message beat = {.type = WIRE_HEARTBEAT, .heartbeat = {.trial = 1, .first_seq = 1}};
    for (int i = 0; i < 10; i++) {
        bench_time(&bench, 10 * SECOND);
        bench_message(&bench, 1, &beat);
    }
    bench_time(&bench, 10 * SECOND);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
    bench_time(&bench, 6 * SECOND);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 0);
}
END_TEST

START_TEST(lost_attempts_are_repeated_until_retries_are_spent)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1) "retries: 1\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, -1, 0, OUTCOME_LOST, (double)NAN);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_ASSIGN)->assign.attempt, 2);
    bench_progress(&bench, 1, 2, 1, 2, -1, 0, OUTCOME_LOST, (double)NAN);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_FAILED);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_FAILED);
}
END_TEST

START_TEST(a_failed_trial_is_not_repeated_and_does_not_end_the_experiment)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, -1, 0, OUTCOME_FAILED, (double)NAN);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 2);
    complete(1, 2, 2, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(bench_status(&bench, 1).n_failed, 1);
}
END_TEST

START_TEST(too_many_failures_in_a_row_end_it_and_say_why)
{
    bench_submit(&bench, 1, SWEEP "limits: {trials: 50, failures: 3}\n");
    bench_hello(&bench, 1, 1, 0);
    for (uint64_t t = 1; t <= 3; t++)
        bench_progress(&bench, 1, t, t, 1, -1, 0, OUTCOME_FAILED, (double)NAN);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_FAILED);
    ck_assert_str_eq(status.text.data, "3 trials failed in a row (limits.failures); the last one: why");
}
END_TEST

static const struct {
    double returned;
    const char *text;
} useless[] = {{(double)NAN, "it ended without reporting the objective 'loss'"},
               {(double)INFINITY, "the objective 'loss' is not a finite number"}};

START_TEST(a_result_without_a_finite_objective_is_failed)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, -1, 0, OUTCOME_COMPLETED, useless[_i].returned);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_FAILED);
    for (size_t i = 0; i < bench.n_commands; i++)
        if (bench.commands[i].kind == COMMAND_PERSIST && bench.commands[i].record.kind == RECORD_TRIAL &&
            bench.commands[i].record.trial.trial == 1)
            ck_assert_str_eq(bench.commands[i].record.trial.text, useless[_i].text);
}
END_TEST

START_TEST(a_diverged_trial_is_stopped_and_failed)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 0, (double)NAN, OUTCOME_NONE, (double)NAN);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_EARLY);
    bench_progress(&bench, 1, 2, 1, 1, -1, 0, OUTCOME_STOPPED, (double)NAN);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_FAILED);
}
END_TEST

START_TEST(a_cancelled_experiment_runs_on_where_it_was)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    complete(1, 1, 1, 0.5);
    bench_cancel(&bench, 1);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_CANCELLED);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_RUNNING);
    bench_progress(&bench, 1, 2, 2, 1, -1, 0, OUTCOME_STOPPED, (double)NAN);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_INTERRUPTED);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 0);
    bench_resume(&bench, 1);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 2);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_ASSIGN)->assign.attempt, 2);
    bench_progress(&bench, 1, 3, 2, 2, 0, 0.4, OUTCOME_COMPLETED, 0.4);
    complete(1, 4, 3, 0.6);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 3);
    ck_assert_uint_eq(status.best_trial, 2);
}
END_TEST

START_TEST(an_experiment_with_nothing_under_way_is_cancelled_at_once)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_cancel(&bench, 1);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_INTERRUPTED);
    bench_resume(&bench, 1);
    bench_hello(&bench, 1, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
}
END_TEST

START_TEST(a_trial_that_does_not_stop_is_given_up)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    bench_cancel(&bench, 1);
    struct wire_message beat = {.type = WIRE_HEARTBEAT, .heartbeat = {.trial = 1, .first_seq = 1}};
    bench_time(&bench, 10 * SECOND);
    bench_message(&bench, 1, &beat);
    bench_time(&bench, 6 * SECOND);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_INTERRUPTED);
    /* It is busy with what it was told to drop, so it gets nothing until it says that it is free. */
    bench_resume(&bench, 1);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 0);
    beat.heartbeat.trial = 0;
    bench_message(&bench, 1, &beat);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
}
END_TEST

START_TEST(the_target_ends_it)
{
    bench_submit(&bench, 1, SWEEP "limits: {trials: 10, target: 0.2}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_hello(&bench, 2, 1, 0);
    complete(1, 1, 1, 0.2);
    ck_assert_uint_eq(bench_sent(&bench, 2, WIRE_STOP)->stop.reason, STOP_LIMIT);
    bench_progress(&bench, 2, 1, 2, 1, 0, 0.9, OUTCOME_STOPPED, (double)NAN);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_stopped, 1);
    ck_assert_str_eq(status.text.data, "trial 1 reached the target 0.2");
}
END_TEST

START_TEST(the_time_limit_ends_it_and_counts_running_time_only)
{
    bench_submit(&bench, 1, SWEEP "limits: {trials: 10, hours: 1}\n");
    bench_hello(&bench, 1, 1, 0);
    complete(1, 1, 1, 0.5);
    bench_cancel(&bench, 1);
    bench_progress(&bench, 1, 2, 2, 1, -1, 0, OUTCOME_STOPPED, (double)NAN);
    bench_time(&bench, 7200 * SECOND);
    bench_resume(&bench, 1);
    bench_hello(&bench, 1, 2, 0);
    bench_time(&bench, 3599 * SECOND);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_RUNNING);
    bench_time(&bench, 2 * SECOND);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_str_eq(status.text.data, "the time limit of 1 h is reached");
}
END_TEST

START_TEST(a_search_that_is_exhausted_ends_it)
{
    bench.exhausted_after = 3;
    bench_submit(&bench, 1, SWEEP LIMIT(10));
    bench_hello(&bench, 1, 1, 0);
    for (uint64_t t = 1; t <= 3; t++)
        complete(1, t, t, 0.5);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 3);
    ck_assert_str_eq(status.text.data, "all 3 configurations of the space were tried");
}
END_TEST

START_TEST(a_trial_that_only_its_worker_knows_is_adopted)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 1);
    bench_hold(&bench, 1, 1, 2, 1);
    ck_assert_ptr_null(bench_sent(&bench, 1, WIRE_STOP));
    ck_assert_int_eq(bench_state(&bench, 2), TRIAL_ASSIGNED);
    bench_hello(&bench, 2, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 2), 1);
    bench_hello(&bench, 3, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 3), 0);
    complete(1, 1, 2, 0.5);
    complete(2, 1, 1, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_COMPLETED);
}
END_TEST

START_TEST(a_hold_beyond_the_limit_is_refused)
{
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_hello(&bench, 1, 1, 1);
    bench_hold(&bench, 1, 1, 3, 1);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
}
END_TEST

START_TEST(a_newer_attempt_replaces_an_older_one)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 1, 1, 0);
    bench_hello(&bench, 2, 1, 1);
    bench_hold(&bench, 2, 1, 1, 2);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
    bench_progress(&bench, 2, 1, 1, 2, 0, 0.5, OUTCOME_COMPLETED, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 1);
}
END_TEST

/* Its assignment was forgotten with a driver, and was made again before its worker came back. */
static void give_the_first_trial_again(void)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 2, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 2), 1);
}

/* Worker 1 comes back with it: with the point that the search gives anew, or another. */
static void come_back(double x)
{
    struct wire_message message = {
        .type = WIRE_HOLD,
        .hold = {
            .experiment = bench_experiment(1), .trial = 1, .attempt = 1, .point = {1, &x}, .greeting = 1}};
    bench_hello(&bench, 1, 1, 1);
    bench_message(&bench, 1, &message);
}

START_TEST(a_trial_that_was_given_again_goes_on_where_it_began)
{
    give_the_first_trial_again();
    if (_i) /* it has said that it runs */
        bench_progress(&bench, 2, 1, 1, 1, -1, 0, OUTCOME_NONE, (double)NAN);
    come_back(0.5);
    ck_assert_ptr_null(bench_sent(&bench, 1, WIRE_STOP));
    ck_assert_uint_eq(bench_sent(&bench, 2, WIRE_STOP)->stop.reason, STOP_STALE);
    bench_progress(&bench, 2, 1 + (uint64_t)_i, 1, 1, 0, 0.7, OUTCOME_COMPLETED, 0.7);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 0);
    bench_progress(&bench, 1, 1, 1, 1, 0, 0.5, OUTCOME_COMPLETED, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 1);
    ck_assert_double_eq(bench_status(&bench, 1).best_value, 0.5);
}
END_TEST

START_TEST(a_trial_that_was_given_again_and_has_reported_stays_where_it_is)
{
    give_the_first_trial_again();
    bench_progress(&bench, 2, 1, 1, 1, 0, 0.7, OUTCOME_NONE, (double)NAN);
    come_back(0.5);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
    ck_assert_ptr_null(bench_sent(&bench, 2, WIRE_STOP));
    bench_progress(&bench, 2, 2, 1, 1, 1, 0.6, OUTCOME_COMPLETED, 0.6);
    ck_assert_double_eq(bench_status(&bench, 1).best_value, 0.6);
}
END_TEST

START_TEST(another_trial_of_the_same_number_is_refused)
{
    give_the_first_trial_again();
    come_back(0.25);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
    ck_assert_ptr_null(bench_sent(&bench, 2, WIRE_STOP));
}
END_TEST

START_TEST(an_assignment_that_never_arrived_is_made_again)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1) "retries: 0\n");
    bench_hello(&bench, 1, 1, 0);
    struct wire_message beat = {.type = WIRE_HEARTBEAT, .heartbeat = {.first_seq = 1}};
    bench_message(&bench, 1, &beat);
    ck_assert_ptr_null(bench_sent(&bench, 1, WIRE_BYE));
    bench_message(&bench, 1, &beat);
    ck_assert_int_eq((int)bench_sent(&bench, 1, WIRE_BYE)->bye.code, ERR_NOT_FOUND);
    bench_hello(&bench, 1, 2, 0);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_ASSIGN)->assign.attempt, 2);
}
END_TEST

START_TEST(a_late_double_of_a_greeting_is_ignored)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 1, 5, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
    bench_hello(&bench, 1, 5, 0);
    bench_hello(&bench, 1, 4, 0);
    ck_assert_uint_eq(bench.n_commands, 0);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
}
END_TEST

START_TEST(a_stranger_is_asked_to_greet)
{
    complete(1, 1, 1, 0.5);
    ck_assert_int_eq((int)bench_sent(&bench, 1, WIRE_BYE)->bye.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(another_protocol_version_is_sent_away)
{
    struct wire_message hello = {.type = WIRE_HELLO,
                                 .hello = {.protocol = 999, .worker = bench_worker(1), .greeting = 1}};
    bench_message(&bench, 1, &hello);
    ck_assert_int_eq((int)bench_sent(&bench, 1, WIRE_BYE)->bye.code, ERR_VERSION);
}
END_TEST

START_TEST(a_hello_for_somebody_else_is_refused)
{
    struct wire_message hello = {
        .type = WIRE_HELLO, .hello = {.protocol = WIRE_VERSION, .worker = bench_worker(2), .greeting = 1}};
    bench_message(&bench, 1, &hello);
    ck_assert_int_eq((int)bench_sent(&bench, 1, WIRE_BYE)->bye.code, ERR_REFUSED);
}
END_TEST

START_TEST(a_worker_that_leaves_costs_no_retry)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1) "retries: 0\n");
    bench_hello(&bench, 1, 1, 0);
    struct wire_message leave = {.type = WIRE_LEAVE};
    bench_message(&bench, 1, &leave);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_PENDING);
    bench_hello(&bench, 2, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 2), 1);
}
END_TEST

START_TEST(experiments_share_workers_equally)
{
    bench_submit(&bench, 1, SWEEP LIMIT(100));
    bench_submit(&bench, 2, SWEEP LIMIT(100));
    for (int w = 1; w <= 10; w++)
        bench_hello(&bench, w, 1, 0);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 5);
    ck_assert_uint_eq(bench_status(&bench, 2).n_running, 5);
}
END_TEST

START_TEST(a_worker_of_one_experiment_serves_only_that_and_is_told_its_end)
{
    bench_hello_for(&bench, 1, 1, 2); /* before the experiment is there */
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 0);
    bench_submit(&bench, 2, SWEEP LIMIT(1));
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
    bench_cancel(&bench, 2);
    struct wire_message end = {.type = WIRE_PROGRESS,
                               .progress = {.seq = 1,
                                            .experiment = bench_experiment(2),
                                            .trial = 1,
                                            .attempt = 1,
                                            .outcome = OUTCOME_STOPPED,
                                            .value = (double)NAN}};
    bench_message(&bench, 1, &end);
    ck_assert_ptr_nonnull(bench_sent(&bench, 1, WIRE_DONE));
}
END_TEST

START_TEST(a_submission_is_idempotent)
{
    bench_hello(&bench, 1, 1, 0);
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    bench_submit(&bench, 1, SWEEP LIMIT(2));
    ck_assert_uint_eq(bench.n_commands, 0);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
}
END_TEST

START_TEST(a_complete_experiment_is_not_resumed)
{
    bench_submit(&bench, 1, SWEEP LIMIT(1));
    bench_hello(&bench, 1, 1, 0);
    complete(1, 1, 1, 0.5);
    struct err err = {0};
    ck_assert_int_eq(engine_resume(bench.engine, bench_experiment(1), bench.now_ns, &err), ERR_INVALID);
}
END_TEST

START_TEST(of_equal_trials_the_first_is_the_best)
{
    bench_submit(&bench, 1, SWEEP LIMIT(3));
    bench_hello(&bench, 1, 1, 0);
    bench_hello(&bench, 2, 1, 0);
    complete(2, 1, 2, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).best_trial, 2);
    complete(1, 1, 1, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).best_trial, 1);
}
END_TEST

/* Such a search is asked only as far as workers wait, and there was none when the experiment came. */
START_TEST(a_worker_that_comes_late_gets_a_trial_of_a_search_that_learns)
{
    bench_submit(&bench, 1, "train: {command: [x]}\nparameters: {a: {min: 0.0, max: 1.0}}\nsearch: tpe\n");
    bench_hello(&bench, 1, 1, 0);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
}
END_TEST

START_TEST(what_trials_may_use_in_all_ends_it)
{
    bench_submit(&bench, 1, SWEEP "limits: {budget: 3}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 1, 0.5, OUTCOME_COMPLETED, 0.5); /* two units */
    ck_assert_uint_eq(bench_assigned(&bench, 1), 2);
    bench_progress(&bench, 1, 2, 2, 1, 0, 0.4, OUTCOME_NONE, (double)NAN);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_LIMIT);
    bench_progress(&bench, 1, 3, 2, 1, -1, 0, OUTCOME_STOPPED, (double)NAN);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.best_trial, 2);
    ck_assert_str_eq(status.text.data, "the budget of 3 units is used up");
}
END_TEST

START_TEST(what_a_lost_attempt_has_used_is_not_counted)
{
    bench_submit(&bench, 1, SWEEP "limits: {budget: 3}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 1, 0.5, OUTCOME_NONE, (double)NAN);
    bench_progress(&bench, 1, 2, 1, 1, -1, 0, OUTCOME_LOST, (double)NAN);
    bench_progress(&bench, 1, 3, 1, 2, 1, 0.5, OUTCOME_COMPLETED, 0.5);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_RUNNING);
}
END_TEST

#define PAUSING "schedule: {name: asha, max_budget: 9}\n"

START_TEST(a_paused_trial_counts_for_what_it_reached_when_all_is_over)
{
    bench_submit(&bench, 1, SWEEP PAUSING "limits: {budget: 1}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 0, 0.5, OUTCOME_COMPLETED, 0.5);
    struct wire_status status = bench_status(&bench, 1);
    ck_assert_uint_eq(status.state, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.best_trial, 1);
    const struct record *last = NULL; /* of the trial: with its curve, as of every final trial */
    for (size_t i = 0; i < bench.n_commands; i++)
        if (bench.commands[i].kind == COMMAND_PERSIST && bench.commands[i].record.kind == RECORD_TRIAL)
            last = &bench.commands[i].record;
    ck_assert_ptr_nonnull(last);
    ck_assert_int_eq((int)last->trial.state, TRIAL_STOPPED);
    ck_assert_ptr_nonnull(last->trial.curve);
}
END_TEST

START_TEST(failures_with_paused_trials_between_are_not_in_a_row)
{
    bench_submit(&bench, 1, SWEEP PAUSING "limits: {trials: 9, failures: 2}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, -1, 0, OUTCOME_FAILED, (double)NAN);
    bench_progress(&bench, 1, 2, 2, 1, 0, 0.5, OUTCOME_COMPLETED, 0.5);
    ck_assert_int_eq(bench_state(&bench, 2), TRIAL_PAUSED);
    bench_progress(&bench, 1, 3, 3, 1, -1, 0, OUTCOME_FAILED, (double)NAN);
    ck_assert_uint_eq(bench_status(&bench, 1).state, EXPERIMENT_RUNNING);
}
END_TEST

START_TEST(what_happens_is_kept_as_events)
{
    static const char *const kinds[] = {"attempt lost", "stopping", "failed"};
    bench_submit(&bench, 1, SWEEP "limits: {trials: 5, failures: 1}\nretries: 0\n");
    ck_assert_str_eq(bench_event(&bench, 0), "started");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, -1, 0, OUTCOME_LOST, (double)NAN);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(bench_event(&bench, i), kinds[i]);
}
END_TEST

/* The PARTIALs of the last event. */
static size_t n_partial(void)
{
    size_t n = 0;
    for (size_t i = 0; i < bench.n_commands; i++)
        n += bench.commands[i].kind == COMMAND_OBSERVE &&
             bench.commands[i].observation.kind == OBSERVED_PARTIAL;
    return n;
}

static const struct {
    const char *rules;
    uint64_t levels; /* bit s: step s is told */
} levels[] = {
    {"search: tpe\nschedule: {name: asha-stopping, min_budget: 2, max_budget: 18, eta: 3}\n",
     1u << 1 | 1u << 5},
    {"search: tpe\n", 1u << 0 | 1u << 1 | 1u << 3 | 1u << 7 | 1u << 15},
    {"search: random\n", 0},
};

START_TEST(a_search_that_learns_hears_of_every_level)
{
    char sweep[1024];
    (void)snprintf(sweep, sizeof sweep,
                   "name: e\ntrain: {command: [x]}\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: "
                   "1.0}}\nseed: 1\n%s",
                   levels[_i].rules);
    bench_submit(&bench, 1, sweep);
    bench_hello(&bench, 1, 1, 0);
    for (int64_t step = 0; step < 18; step++) {
        bench_progress(&bench, 1, (uint64_t)step + 1, 1, 1, step, 5 - (double)step, OUTCOME_NONE,
                       (double)NAN);
        ck_assert_uint_eq(n_partial(), levels[_i].levels >> step & 1);
        if (n_partial()) {
            const struct observation *told = &bench_command(&bench, COMMAND_OBSERVE)->observation;
            ck_assert_int_eq(told->step, step);
            ck_assert_double_eq(told->value, 5 - (double)step);
        }
    }
    bench_progress(&bench, 1, 19, 1, 1, -1, 0, OUTCOME_COMPLETED, 3);
    ck_assert_uint_eq(n_partial(), 0);
}
END_TEST

START_TEST(an_experiment_whose_search_learns_gets_its_share_beside_one_that_needs_no_asking)
{
    bench_submit(&bench, 1, SWEEP);
    bench_submit(
        &bench, 2,
        "name: f\ntrain: {command: [x]}\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: 1.0}}\n"
        "search: tpe\nseed: 1\n");
    for (int w = 1; w <= 4; w++)
        bench_hello(&bench, w, 1, 0);
    for (int w = 1; w <= 4; w++)
        bench_progress(&bench, w, 1, (uint64_t)w, 1, -1, 0, OUTCOME_LOST, (double)NAN);
    ck_assert_uint_ge(bench_status(&bench, 2).n_running, 1);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running + bench_status(&bench, 2).n_running, 4);
}
END_TEST

START_TEST(a_new_attempt_is_heard_of_from_its_first_level)
{
    bench_submit(
        &bench, 1,
        "name: e\ntrain: {command: [x]}\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: 1.0}}\n"
        "search: tpe\nseed: 1\nlimits: {trials: 1}\n");
    bench_hello(&bench, 1, 1, 0);
    bench_progress(&bench, 1, 1, 1, 1, 9, 0.5, OUTCOME_NONE, (double)NAN);
    ck_assert_uint_eq(n_partial(), 1);
    bench_progress(&bench, 1, 2, 1, 1, -1, 0, OUTCOME_LOST, (double)NAN);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 1);
    bench_progress(&bench, 1, 3, 1, 2, 0, 0.5, OUTCOME_NONE, (double)NAN);
    ck_assert_uint_eq(n_partial(), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tcase = tcase_create("events");
    tcase_add_checked_fixture(tcase, open_bench, close_bench);
    tcase_add_loop_test(tcase, a_worker_that_comes_late_makes_a_search_that_learns_be_asked, 0, 2);
    tcase_add_test(tcase, an_idle_worker_gets_a_trial_at_once);
    tcase_add_test(tcase, a_finished_worker_gets_its_next_trial_before_the_commit);
    tcase_add_test(tcase, the_number_of_trials_is_exact);
    tcase_add_test(tcase, a_doubled_result_counts_once);
    tcase_add_test(tcase, a_result_after_a_gap_is_not_taken);
    tcase_add_test(tcase, a_report_that_does_not_grow_is_ignored);
    tcase_add_test(tcase, a_silent_worker_loses_its_trial_to_another);
    tcase_add_test(tcase, a_word_in_time_keeps_the_lease);
    tcase_add_test(tcase, lost_attempts_are_repeated_until_retries_are_spent);
    tcase_add_test(tcase, a_failed_trial_is_not_repeated_and_does_not_end_the_experiment);
    tcase_add_test(tcase, too_many_failures_in_a_row_end_it_and_say_why);
    tcase_add_loop_test(tcase, a_result_without_a_finite_objective_is_failed, 0, 2);
    tcase_add_test(tcase, a_diverged_trial_is_stopped_and_failed);
    tcase_add_test(tcase, a_cancelled_experiment_runs_on_where_it_was);
    tcase_add_test(tcase, an_experiment_with_nothing_under_way_is_cancelled_at_once);
    tcase_add_test(tcase, a_trial_that_does_not_stop_is_given_up);
    tcase_add_test(tcase, the_target_ends_it);
    tcase_add_test(tcase, the_time_limit_ends_it_and_counts_running_time_only);
    tcase_add_test(tcase, a_search_that_is_exhausted_ends_it);
    tcase_add_test(tcase, a_trial_that_only_its_worker_knows_is_adopted);
    tcase_add_test(tcase, a_hold_beyond_the_limit_is_refused);
    tcase_add_test(tcase, a_newer_attempt_replaces_an_older_one);
    tcase_add_loop_test(tcase, a_trial_that_was_given_again_goes_on_where_it_began, 0, 2);
    tcase_add_test(tcase, a_trial_that_was_given_again_and_has_reported_stays_where_it_is);
    tcase_add_test(tcase, another_trial_of_the_same_number_is_refused);
    tcase_add_test(tcase, an_assignment_that_never_arrived_is_made_again);
    tcase_add_test(tcase, a_late_double_of_a_greeting_is_ignored);
    tcase_add_test(tcase, a_stranger_is_asked_to_greet);
    tcase_add_test(tcase, another_protocol_version_is_sent_away);
    tcase_add_test(tcase, a_hello_for_somebody_else_is_refused);
    tcase_add_test(tcase, a_worker_that_leaves_costs_no_retry);
    tcase_add_test(tcase, experiments_share_workers_equally);
    tcase_add_test(tcase, a_worker_of_one_experiment_serves_only_that_and_is_told_its_end);
    tcase_add_test(tcase, a_submission_is_idempotent);
    tcase_add_test(tcase, a_complete_experiment_is_not_resumed);
    tcase_add_test(tcase, of_equal_trials_the_first_is_the_best);
    tcase_add_test(tcase, a_worker_that_comes_late_gets_a_trial_of_a_search_that_learns);
    tcase_add_test(tcase, what_trials_may_use_in_all_ends_it);
    tcase_add_test(tcase, what_a_lost_attempt_has_used_is_not_counted);
    tcase_add_test(tcase, a_paused_trial_counts_for_what_it_reached_when_all_is_over);
    tcase_add_test(tcase, failures_with_paused_trials_between_are_not_in_a_row);
    tcase_add_test(tcase, what_happens_is_kept_as_events);
    tcase_add_loop_test(tcase, a_search_that_learns_hears_of_every_level, 0,
                        (int)(sizeof levels / sizeof *levels));
    tcase_add_test(tcase, an_experiment_whose_search_learns_gets_its_share_beside_one_that_needs_no_asking);
    tcase_add_test(tcase, a_new_attempt_is_heard_of_from_its_first_level);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, heap_tests());
    suite_add_tcase(suite, gang_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
