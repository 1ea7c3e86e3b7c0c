/* The real driver, and peers that behave: workers that come, go, crash and come back; clients that submit,
 * watch and stop. What peers get that do not behave is in test_peers.c. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "core/experiment.h"
#include "tests/server/rig.h"

static struct rig rig;
static struct peer client, a, b;
static const struct id none, worker_a = {{0xa}}, worker_b = {{0xb}}, one = {{1}}, two = {{2}};

static void set_up(void)
{
    rig_set_up(&rig);
    rig_start(&rig, NULL);
    peer_open_client(&client, &rig);
    peer_open_worker(&a, &rig, worker_a);
    peer_open_worker(&b, &rig, worker_b);
}

static void close_peers(void)
{
    peer_close(&client);
    peer_close(&a);
    peer_close(&b);
}

static void tear_down(void)
{
    close_peers();
    rig_tear_down(&rig);
}

/* Ends the driver and starts it again; everybody connects anew and has yet to greet. */
static void restart(const struct server_setup *setup)
{
    close_peers();
    rig_stop(&rig, 0);
    rig_start(&rig, setup);
    peer_open_client(&client, &rig);
    peer_open_worker(&a, &rig, worker_a);
    peer_open_worker(&b, &rig, worker_b);
}

/* Runs trials on a worker until it is told that the experiment is over; returns how many. */
static int run_to_the_end(struct peer *worker)
{
    struct wire_assign assign;
    for (int n = 0;;) {
        enum wire_type got = (enum wire_type)peer_next(worker, 10000);
        if (got == WIRE_DONE)
            return n;
        ck_assert_int_ne(got, 0);
        ck_assert_int_ne(got, WIRE_BYE);
        if (got != WIRE_ASSIGN)
            continue;
        assign = worker->got.assign;
        worker_end(worker, &assign, OUTCOME_COMPLETED, assign.point.values[0]);
        n++;
    }
}

START_TEST(an_experiment_is_run_to_its_end)
{
    struct wire_assign assign;
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    client_watch_all(&client, one);
    worker_hello(&a, none, 0);
    peer_expect(&a, WIRE_WELCOME);
    peer_expect(&a, WIRE_EXPERIMENT);
    ck_assert(id_equal(a.got.experiment.experiment, one));
    ck_assert_str_eq(a.got.experiment.name.data, "sweep");
    double best = INFINITY;
    for (uint64_t k = 1; k <= 3; k++) {
        worker_expect_assign(&assign, &a);
        ck_assert_uint_eq(assign.trial, k);
        ck_assert_uint_eq(assign.attempt, 1);
        ck_assert_uint_eq(assign.point.n, 1);
        double x = assign.point.values[0];
        best = x < best ? x : best;
        worker_report(&a, &assign, 0, 10);
        worker_end(&a, &assign, OUTCOME_COMPLETED, x);
    }
    worker_expect_acked(&a, 6);
    struct wire_status status = client_wait_state(&client, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 3);
    ck_assert_uint_eq(status.n_trials, 3);
    ck_assert_uint_eq(status.n_reports, 30);
    ck_assert_double_eq(status.best_value, best);
    ck_assert_uint_eq(status.best_point.n, 1);
    ck_assert_uint_ge(status.best_trial, 1);
}
END_TEST

START_TEST(a_worker_of_one_experiment_may_come_before_it_and_is_told_its_end)
{
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(20, "")), 0);
    ck_assert_int_eq(run_to_the_end(&a), 20);
    worker_greet(&b, one);
    peer_expect(&b, WIRE_DONE);
}
END_TEST

START_TEST(nothing_is_acknowledged_before_it_is_on_disk)
{
    struct wire_assign assign;
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    client_watch_all(&client, one);
    peer_expect(&client, WIRE_STATUS);
    worker_expect_assign(&assign, &a);
    sqlite3 *other; /* holds the database, so that no commit ends */
    ck_assert_int_eq(sqlite3_open(rig.database, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10000);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    peer_expect_silence(&a); /* no ACK, no DONE */
    peer_expect_silence(&a);
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    worker_expect_acked(&a, 1);
    client_wait_state(&client, EXPERIMENT_COMPLETED);
}
END_TEST

START_TEST(the_next_trial_waits_for_no_disk)
{
    struct wire_assign assign;
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(20, "")), 0);
    worker_expect_assign(&assign, &a);
    sqlite3 *other;
    ck_assert_int_eq(sqlite3_open(rig.database, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10000);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int k = 1; k < 20; k++) {
        worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
        peer_expect(&a, WIRE_ASSIGN);
        assign = a.got.assign;
        ck_assert_uint_eq(assign.acked, 0);
    }
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    worker_expect_acked(&a, 19);
}
END_TEST

START_TEST(acknowledgements_of_many_reports_are_merged)
{
    struct wire_assign assign;
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_expect_assign(&assign, &a);
    for (int64_t k = 0; k < 500; k++)
        worker_report(&a, &assign, k, 1);
    int n_acks = 0;
    do {
        peer_wait(&a, WIRE_ACK);
        n_acks++;
    } while (a.got.ack.seq < 500);
    ck_assert_int_lt(n_acks, 250);
}
END_TEST

START_TEST(doubled_messages_are_acknowledged_and_counted_once)
{
    struct wire_assign assign;
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    worker_expect_assign(&assign, &a);
    worker_report(&a, &assign, 0, 5);
    a.seq--;
    worker_report(&a, &assign, 0, 5);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.25);
    worker_progress(&a, &assign, 2, OUTCOME_COMPLETED, 0.25);
    worker_expect_assign(&assign, &a);
    ck_assert_uint_eq(assign.trial, 2);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    worker_expect_acked(&a, 3);
    client_watch_all(&client, one);
    struct wire_status status = client_wait_state(&client, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 2);
    ck_assert_uint_eq(status.n_reports, 5);
    worker_progress(&a, &assign, 1, OUTCOME_COMPLETED, 0.25); /* and once more when all is over */
    worker_expect_acked(&a, 3);
}
END_TEST

START_TEST(a_message_that_leaves_a_gap_is_answered_with_a_new_greeting)
{
    struct wire_assign assign;
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    worker_expect_assign(&assign, &a);
    worker_progress(&a, &assign, 5, OUTCOME_COMPLETED, 0.25);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_NOT_FOUND);
}
END_TEST

static void hold(struct peer *worker, const struct wire_assign *assign)
{
    struct wire_message message = {.type = WIRE_HOLD,
                                   .hold = {.experiment = assign->experiment,
                                            .trial = assign->trial,
                                            .attempt = assign->attempt,
                                            .budget = assign->budget,
                                            .point = assign->point,
                                            .greeting = worker->greeting}};
    peer_send(worker, &message);
}

START_TEST(a_worker_that_reconnects_goes_on_with_its_attempt)
{
    struct wire_assign assign;
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_expect_assign(&assign, &a);
    double x = assign.point.values[0];
    assign.point.values = &x;
    worker_report(&a, &assign, 0, 3);
    peer_close(&a);
    peer_open_worker(&a, &rig, worker_a);
    a.seq = 0; /* nothing was acknowledged */
    worker_hello(&a, one, 1);
    hold(&a, &assign);
    peer_expect(&a, WIRE_WELCOME);
    worker_report(&a, &assign, 0, 3);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    peer_wait(&a, WIRE_DONE);
    client_watch_all(&client, one);
    struct wire_status status = client_wait_state(&client, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 1);
    ck_assert_uint_eq(status.n_reports, 3);
}
END_TEST

START_TEST(a_new_connection_takes_over_from_one_that_hangs)
{
    struct wire_assign assign;
    struct peer again = {.greeting = 10};
    worker_greet(&a, none);
    peer_open_worker(&again, &rig, worker_a);
    worker_greet(&again, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_expect_assign(&assign, &again);
    peer_close(&again);
}
END_TEST

START_TEST(a_restarted_driver_adopts_what_its_workers_run)
{
    struct wire_assign assign;
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(4, "")), 0);
    worker_expect_assign(&assign, &a);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    worker_expect_assign(&assign, &a);
    double x = assign.point.values[0];
    assign.point.values = &x;
    restart(NULL);
    worker_hello(&a, one, 1);
    hold(&a, &assign);
    peer_wait(&a, WIRE_WELCOME);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.25);
    ck_assert_int_eq(run_to_the_end(&a), 2);
    client_watch_all(&client, one);
    ck_assert_uint_eq(client_wait_state(&client, EXPERIMENT_COMPLETED).n_completed, 4);
}
END_TEST

START_TEST(a_silent_worker_loses_its_trial_to_another)
{
    struct wire_assign first, second;
    /* A lease so long that b is not silent as well on a busy machine. */
    struct server_setup setup = {.lease_ms = 2000, .heartbeat_ms = 50};
    restart(&setup);
    worker_greet(&a, none);
    ck_assert_uint_eq(a.got.welcome.lease_ms, 2000);
    ck_assert_uint_eq(a.got.welcome.heartbeat_ms, 50);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "retries: 2\n")), 0);
    worker_expect_assign(&first, &a);
    worker_report(&a, &first, 0, 1);
    worker_greet(&b, none);
    struct wire_message heartbeat = {.type = WIRE_HEARTBEAT, .heartbeat = {.first_seq = 1}};
    int got = 0;
    while (got != WIRE_ASSIGN) {
        peer_send(&b, &heartbeat);
        got = peer_next(&b, 50);
    }
    second = b.got.assign;
    ck_assert_uint_eq(second.trial, first.trial);
    ck_assert_uint_eq(second.attempt, first.attempt + 1);
    worker_end(&a, &first, OUTCOME_COMPLETED, 0.1); /* too late: who are you? */
    peer_wait(&a, WIRE_ACK);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_NOT_FOUND);
    worker_end(&b, &second, OUTCOME_COMPLETED, 0.9);
    client_watch_all(&client, one);
    struct wire_status status = client_wait_state(&client, EXPERIMENT_COMPLETED);
    ck_assert_double_eq(status.best_value, 0.9);
}
END_TEST

START_TEST(a_worker_that_leaves_gives_its_trial_back_at_once)
{
    struct wire_assign first, second;
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_expect_assign(&first, &a);
    worker_greet(&b, none);
    peer_send(&a, &(struct wire_message){.type = WIRE_LEAVE});
    worker_expect_assign(&second, &b);
    ck_assert_uint_eq(second.trial, first.trial);
    ck_assert_uint_eq(second.attempt, 2);
}
END_TEST

START_TEST(what_a_dead_worker_was_to_run_is_run_by_another)
{
    struct wire_assign assign;
    struct server_setup setup = {.lease_ms = 1000};
    restart(&setup);
    worker_greet(&a, none);
    peer_close(&a);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_greet(&b, none);
    struct wire_message heartbeat = {.type = WIRE_HEARTBEAT, .heartbeat = {.first_seq = 1}};
    int got = 0;
    while (got != WIRE_ASSIGN) {
        peer_send(&b, &heartbeat);
        got = peer_next(&b, 100);
    }
    assign = b.got.assign;
    ck_assert_uint_eq(assign.trial, 1);
    peer_open_worker(&a, &rig, worker_a); /* for tear_down */
}
END_TEST

START_TEST(experiments_share_the_workers)
{
    struct peer workers[6];
    int n_of[2] = {0};
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(100, "")), 0);
    ck_assert_int_eq(client_ask_submit(&client, two, sweep(100, "")), 0);
    for (uint8_t k = 0; k < 6; k++) {
        struct wire_assign assign;
        workers[k].greeting = workers[k].seq = 0;
        peer_open_worker(&workers[k], &rig, (struct id){{0x10, k}});
        worker_greet(&workers[k], none);
        worker_expect_assign(&assign, &workers[k]);
        n_of[id_equal(assign.experiment, two)]++;
    }
    ck_assert_int_eq(n_of[0], 3);
    ck_assert_int_eq(n_of[1], 3);
    for (int k = 0; k < 6; k++)
        peer_close(&workers[k]);
}
END_TEST

START_TEST(a_submission_that_is_sent_again_starts_nothing)
{
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    worker_greet(&a, one);
    ck_assert_int_eq(run_to_the_end(&a), 2);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    restart(NULL); /* the driver has the finished one in its database only */
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    client_watch_all(&client, one);
    struct wire_status status = client_wait_state(&client, EXPERIMENT_COMPLETED);
    ck_assert_uint_eq(status.n_completed, 2);
}
END_TEST

START_TEST(every_fault_of_a_submission_is_told_and_nothing_is_made)
{
    ck_assert_int_eq(client_ask_submit(&client, one,
                                       "train: {command: [x]}\n"
                                       "parameters:\n"
                                       "  x: {min: 2, max: 1}\n"
                                       "serach: {name: tpe}\n"
                                       "schedule: ashe\n"),
                     ERR_INVALID);
    const char *text = client.got.reply.text.data;
    ck_assert_msg(strncmp(text, "sweep.yaml:3:", 13) == 0, "%s", text);
    ck_assert_msg(strstr(text, "\nsweep.yaml:4:") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "\nsweep.yaml:5:") != NULL, "%s", text);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "stopping: {name: medain}\n")), ERR_INVALID);
    ck_assert_msg(strstr(client.got.reply.text.data, "'median'") != NULL, "%s", client.got.reply.text.data);
    ck_assert_int_eq(client_ask_cancel(&client, one), ERR_NOT_FOUND);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
}
END_TEST

START_TEST(a_submission_without_a_seed_is_given_one)
{
    char text[2000];
    strcpy(text, sweep(1, ""));
    *strstr(text, "seed: 1") = '\0';
    ck_assert_int_eq(client_ask_submit(&client, one, text), 0);
    worker_greet(&a, none);
    peer_expect(&a, WIRE_EXPERIMENT);
    ck_assert_ptr_nonnull(strstr(a.got.experiment.spec.data, "\"seed\""));
}
END_TEST

START_TEST(a_cancelled_experiment_is_resumed)
{
    struct wire_assign assign;
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    client_watch_all(&client, one);
    worker_greet(&a, none);
    worker_expect_assign(&assign, &a);
    ck_assert_int_eq(client_ask_cancel(&client, one), 0);
    peer_wait(&a, WIRE_STOP);
    ck_assert_uint_eq(a.got.stop.reason, STOP_CANCELLED);
    worker_end(&a, &assign, OUTCOME_STOPPED, NAN);
    client_wait_state(&client, EXPERIMENT_INTERRUPTED);
    ck_assert_int_eq(client_ask_resume(&client, one), 0);
    worker_expect_assign(&assign, &a);
    ck_assert_uint_eq(assign.trial, 1);
    ck_assert_uint_eq(assign.attempt, 2);
    ck_assert_int_eq(client_ask_resume(&client, one), 0);
}
END_TEST

START_TEST(an_interrupted_experiment_is_resumed_from_the_database)
{
    struct wire_assign assign;
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    ck_assert_int_eq(client_ask_submit(&client, two, sweep(3, "")), 0);
    ck_assert_int_eq(client_ask_cancel(&client, two), 0);
    worker_greet(&a, one);
    worker_expect_assign(&assign, &a);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    worker_expect_assign(&assign, &a);
    client_watch_all(&client, one);
    ck_assert_int_eq(client_ask_cancel(&client, one), 0);
    peer_wait(&a, WIRE_STOP);
    worker_end(&a, &assign, OUTCOME_STOPPED, NAN);
    client_wait_state(&client, EXPERIMENT_INTERRUPTED);
    restart(NULL);
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_resume(&client, one), 0);
    ck_assert_int_eq(run_to_the_end(&a), 2);
    client_watch_all(&client, one);
    ck_assert_uint_eq(client_wait_state(&client, EXPERIMENT_COMPLETED).n_completed, 3);
    ck_assert_int_eq(client_ask_resume(&client, one), ERR_INVALID);
}
END_TEST

START_TEST(what_nobody_knows_is_not_found)
{
    ck_assert_int_eq(client_ask_resume(&client, one), ERR_NOT_FOUND);
    ck_assert_int_eq(client_ask_cancel(&client, one), ERR_NOT_FOUND);
    client_watch_all(&client, one);
    peer_expect(&client, WIRE_REPLY);
    ck_assert_int_eq(client.got.reply.code, ERR_NOT_FOUND);
    ck_assert_uint_eq(client.got.reply.request, client.request);
}
END_TEST

START_TEST(a_driver_of_one_experiment_has_no_other)
{
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    ck_assert_int_eq(client_ask_submit(&client, two, sweep(3, "")), 0);
    struct server_setup setup = {.only = one};
    restart(&setup);
    client_watch_all(&client, one);
    client_wait_state(&client, EXPERIMENT_RUNNING);
    ck_assert_int_eq(client_ask_cancel(&client, two), ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_driver_of_one_experiment_may_wait_for_it)
{
    struct server_setup setup = {.only = one};
    restart(&setup);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    client_watch_all(&client, one);
    client_wait_state(&client, EXPERIMENT_RUNNING);
}
END_TEST

START_TEST(documents_are_answered)
{
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    struct wire_message query = {.type = WIRE_QUERY,
                                 .query = {.request = 99, .what = wire_string("experiments")}};
    peer_send(&client, &query);
    peer_expect(&client, WIRE_REPLY);
    ck_assert_uint_eq(client.got.reply.request, 99);
    ck_assert_msg(client.got.reply.code == 0, "%s", client.got.reply.text.data);
    ck_assert_ptr_nonnull(strstr(client.got.reply.text.data, "sweep"));
    query.query.what = wire_string("nonsense");
    peer_send(&client, &query);
    peer_expect(&client, WIRE_REPLY);
    ck_assert_int_lt(client.got.reply.code, 0);
}
END_TEST

START_TEST(everybody_is_told_when_the_driver_stops)
{
    worker_greet(&a, none);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(3, "")), 0);
    client_watch_all(&client, one);
    peer_expect(&client, WIRE_STATUS);
    rig_stop(&rig, 0);
    int got;
    while ((got = peer_next(&a, 5000)) != WIRE_BYE)
        ck_assert_int_ne(got, 0);
    ck_assert_int_eq(a.got.bye.code, ERR_CLOSED);
    while ((got = peer_next(&client, 5000)) != WIRE_BYE)
        ck_assert_int_ne(got, 0);
    ck_assert_int_eq(client.got.bye.code, ERR_CLOSED);
}
END_TEST

/* Files may not grow any more, as on a full disk. */
static void fill_disk(bool is_full)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = is_full ? 4096 : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_ends_the_driver_and_nothing_is_lost)
{
    struct wire_assign assign;
    signal(SIGXFSZ, SIG_IGN);
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(2, "")), 0);
    worker_expect_assign(&assign, &a);
    double x = assign.point.values[0];
    assign.point.values = &x;
    fill_disk(true);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    int got;
    while ((got = peer_next(&a, 10000)) != WIRE_BYE)
        ck_assert_msg(got == WIRE_ASSIGN || got == WIRE_EXPERIMENT, "%s",
                      wire_type_name((enum wire_type)got));
    ck_assert_int_eq(a.got.bye.code, ERR_CLOSED);
    ck_assert_uint_gt(a.got.bye.text.size, 0);
    close_peers();
    ck_assert_int_eq(pthread_join(rig.thread, NULL), 0);
    ck_assert_int_lt(rig.result, 0);
    ck_assert_uint_gt(strlen(rig.err.text), 0);
    server_destroy(rig.server);
    fill_disk(false);
    rig_start(&rig, NULL);
    peer_open_client(&client, &rig);
    peer_open_worker(&a, &rig, worker_a);
    peer_open_worker(&b, &rig, worker_b);
    a.seq = 0;
    worker_hello(&a, one, 1);
    hold(&a, &assign);
    peer_expect(&a, WIRE_WELCOME);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    ck_assert_int_eq(run_to_the_end(&a), 1);
    client_watch_all(&client, one);
    ck_assert_uint_eq(client_wait_state(&client, EXPERIMENT_COMPLETED).n_completed, 2);
}
END_TEST

START_TEST(many_workers_at_one_time)
{
    enum { N = 200 };
    static struct peer workers[N];
    for (int k = 0; k < N; k++) {
        peer_open_worker(&workers[k], &rig, (struct id){{0x20, (uint8_t)k}});
        worker_hello(&workers[k], none, 0);
    }
    for (int k = 0; k < N; k++)
        peer_expect(&workers[k], WIRE_WELCOME);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(10 * N, "")), 0);
    zmq_pollitem_t items[N];
    for (int k = 0; k < N; k++)
        items[k] = (zmq_pollitem_t){.socket = workers[k].socket, .events = ZMQ_POLLIN};
    for (int n_ended = 0; n_ended < 10 * N;) {
        ck_assert_int_gt(zmq_poll(items, N, 10000), 0);
        for (int k = 0; k < N; k++) {
            while (items[k].revents && peer_next(&workers[k], 0)) {
                struct wire_assign assign = workers[k].got.assign;
                if (workers[k].got.type != WIRE_ASSIGN)
                    continue;
                worker_end(&workers[k], &assign, OUTCOME_COMPLETED, 0.5);
                n_ended++;
            }
        }
    }
    client_watch_all(&client, one);
    ck_assert_uint_eq(client_wait_state(&client, EXPERIMENT_COMPLETED).n_completed, 10 * N);
    for (int k = 0; k < N; k++)
        peer_close(&workers[k]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, an_experiment_is_run_to_its_end);
    tcase_add_test(all, a_worker_of_one_experiment_may_come_before_it_and_is_told_its_end);
    tcase_add_test(all, nothing_is_acknowledged_before_it_is_on_disk);
    tcase_add_test(all, the_next_trial_waits_for_no_disk);
    tcase_add_test(all, acknowledgements_of_many_reports_are_merged);
    tcase_add_test(all, doubled_messages_are_acknowledged_and_counted_once);
    tcase_add_test(all, a_message_that_leaves_a_gap_is_answered_with_a_new_greeting);
    tcase_add_test(all, a_worker_that_reconnects_goes_on_with_its_attempt);
    tcase_add_test(all, a_new_connection_takes_over_from_one_that_hangs);
    tcase_add_test(all, a_restarted_driver_adopts_what_its_workers_run);
    tcase_add_test(all, a_silent_worker_loses_its_trial_to_another);
    tcase_add_test(all, a_worker_that_leaves_gives_its_trial_back_at_once);
    tcase_add_test(all, what_a_dead_worker_was_to_run_is_run_by_another);
    tcase_add_test(all, experiments_share_the_workers);
    tcase_add_test(all, a_submission_that_is_sent_again_starts_nothing);
    tcase_add_test(all, every_fault_of_a_submission_is_told_and_nothing_is_made);
    tcase_add_test(all, a_submission_without_a_seed_is_given_one);
    tcase_add_test(all, a_cancelled_experiment_is_resumed);
    tcase_add_test(all, an_interrupted_experiment_is_resumed_from_the_database);
    tcase_add_test(all, what_nobody_knows_is_not_found);
    tcase_add_test(all, a_driver_of_one_experiment_has_no_other);
    tcase_add_test(all, a_driver_of_one_experiment_may_wait_for_it);
    tcase_add_test(all, documents_are_answered);
    tcase_add_test(all, everybody_is_told_when_the_driver_stops);
    tcase_add_test(all, a_full_disk_ends_the_driver_and_nothing_is_lost);
    tcase_add_test(all, many_workers_at_one_time);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
