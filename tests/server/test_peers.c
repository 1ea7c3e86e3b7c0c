/* The real driver, and peers that do not behave, or are not what they say; and drivers that cannot start. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "core/experiment.h"
#include "driver/route.h"
#include "tests/server/rig.h"

static struct rig rig;
static struct peer client, a;
static const struct id none, worker_a = {{0xa}}, worker_b = {{0xb}}, one = {{1}};

static void set_up(void)
{
    rig_set_up(&rig);
    rig_start(&rig, NULL);
    peer_open_client(&client, &rig);
    peer_open_worker(&a, &rig, worker_a);
}

static void tear_down(void)
{
    peer_close(&client);
    peer_close(&a);
    rig_tear_down(&rig);
}

static const struct {
    const char *bytes;
    size_t size;
} bad[] = {
    {"", 0},
    {"\xc1", 1},
    {"hello", 5},
    {"GET / HTTP/1.1\r\n\r\n", 18},
    {"\x90", 1},
    {"\x91\x7f", 2},                     /* a message that is not known */
    {"\x91\x30", 2},                     /* REPLY, which is the driver's */
    {"\xdd\xff\xff\xff\xff", 5},         /* 4 G elements */
    {"\x92\x03\xdd\xff\xff\xff\xff", 7}, /* in a field */
    {"\x92\x03\xa1x", 4},                /* PROGRESS with a text as seq */
    {"\x92\x20\xc0", 3},                 /* SUBMIT with nil as protocol */
    {"\x93\x01\x01\xc4\x01x", 6},        /* HELLO with an id of one byte */
};

START_TEST(a_bad_frame_of_a_client_is_answered_and_changes_nothing)
{
    peer_send_bytes(&client, bad[_i].bytes, bad[_i].size, false);
    peer_expect(&client, WIRE_REPLY);
    ck_assert(client.got.reply.code == ERR_PROTOCOL || client.got.reply.code == ERR_UNSUPPORTED);
    ck_assert_uint_gt(client.got.reply.text.size, 0);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
}
END_TEST

START_TEST(a_bad_frame_of_a_worker_is_answered_and_costs_it_nothing)
{
    struct wire_assign assign;
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    worker_greet(&a, one);
    worker_expect_assign(&assign, &a);
    peer_send_bytes(&a, bad[_i].bytes, bad[_i].size, false);
    enum wire_type got = (enum wire_type)peer_next(&a, 10000);
    ck_assert_msg(got == WIRE_BYE || (got == WIRE_REPLY && bad[_i].bytes[1] == 0x30), "%s",
                  wire_type_name(got));
    ck_assert(got != WIRE_BYE || a.got.bye.code == ERR_PROTOCOL);
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    peer_wait(&a, WIRE_DONE);
}
END_TEST

START_TEST(a_message_of_two_frames_is_refused)
{
    peer_send_bytes(&client, "\x91\x04", 2, true);
    peer_send_bytes(&client, "\x91\x04", 2, false);
    peer_expect(&client, WIRE_REPLY);
    ck_assert_int_eq(client.got.reply.code, ERR_PROTOCOL);
    peer_send_bytes(&a, "", 0, true);
    peer_send_bytes(&a, "\x91\x05", 2, true);
    peer_send_bytes(&a, "\x91\x05", 2, false);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_PROTOCOL);
}
END_TEST

START_TEST(a_stranger_is_asked_to_greet)
{
    struct wire_assign assign = {.experiment = one, .trial = 1, .attempt = 1};
    worker_end(&a, &assign, OUTCOME_COMPLETED, 0.5);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_NOT_FOUND);
    peer_send(&a, &(struct wire_message){.type = WIRE_HEARTBEAT});
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_worker_of_another_version_is_sent_away)
{
    struct wire_message hello = {.type = WIRE_HELLO,
                                 .hello = {.protocol = 7, .worker = worker_a, .greeting = 1, .first_seq = 1}};
    peer_send(&a, &hello);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_VERSION);
    ck_assert_ptr_nonnull(strstr(a.got.bye.text.data, "version 1"));
    ck_assert_ptr_nonnull(strstr(a.got.bye.text.data, "7"));
}
END_TEST

START_TEST(a_client_of_another_version_is_sent_away)
{
    struct wire_message submit = {
        .type = WIRE_SUBMIT,
        .submit = {.protocol = 7, .request = 5, .experiment = one, .spec = wire_string(sweep(1, ""))}};
    peer_send(&client, &submit);
    peer_expect(&client, WIRE_REPLY);
    ck_assert_uint_eq(client.got.reply.request, 5);
    ck_assert_int_eq(client.got.reply.code, ERR_VERSION);
    ck_assert_ptr_nonnull(strstr(client.got.reply.text.data, "version 1"));
    ck_assert_ptr_nonnull(strstr(client.got.reply.text.data, "7"));
}
END_TEST

START_TEST(a_worker_that_says_it_is_another_is_refused)
{
    struct wire_message hello = {
        .type = WIRE_HELLO,
        .hello = {.protocol = WIRE_VERSION, .worker = worker_b, .greeting = 1, .first_seq = 1}};
    peer_send(&a, &hello);
    peer_expect(&a, WIRE_BYE);
    ck_assert_int_eq(a.got.bye.code, ERR_REFUSED);
    peer_send(&client, &hello);
    peer_expect(&client, WIRE_BYE);
    ck_assert_int_eq(client.got.bye.code, ERR_REFUSED);
}
END_TEST

START_TEST(a_submission_without_an_id_is_refused)
{
    ck_assert_int_eq(client_ask_submit(&client, none, sweep(1, "")), ERR_INVALID);
}
END_TEST

/* Starting */

static void expect_no_start(const struct server_setup *setup, int code, const char *part_of_text)
{
    struct server *server = NULL;
    struct err err = {0};
    ck_assert_int_eq(server_create(&server, setup, &err), code);
    ck_assert_msg(strstr(err.text, part_of_text) != NULL, "%s", err.text);
}

START_TEST(a_second_driver_on_a_database_is_refused)
{
    struct server_setup setup = {.endpoint = "tcp://127.0.0.1:*", .database = rig.database};
    expect_no_start(&setup, ERR_BUSY, server_endpoint(rig.server));
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
}
END_TEST

START_TEST(a_port_in_use_is_told_and_no_database_is_made)
{
    char other[120];
    snprintf(other, sizeof other, "%s/other.db", rig.folder);
    struct server_setup setup = {.endpoint = server_endpoint(rig.server), .database = other};
    expect_no_start(&setup, ERR_BUSY, "in use");
    setup.endpoint = "tcp://0.0.0.0:*";
    expect_no_start(&setup, ERR_REFUSED, "--insecure");
    ck_assert_ptr_null(fopen(other, "r"));
}
END_TEST

START_TEST(a_database_in_a_folder_that_does_not_exist_is_told)
{
    struct server_setup setup = {.endpoint = "tcp://127.0.0.1:*", .database = "/nonexistent/prova.db"};
    struct server *server = NULL;
    struct err err = {0};
    ck_assert_int_lt(server_create(&server, &setup, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/prova.db"));
}
END_TEST

START_TEST(ipc_serves_as_tcp_does_and_is_not_taken_from_a_live_driver)
{
    char endpoint[120];
    peer_close(&client);
    peer_close(&a);
    rig_stop(&rig, 0);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", rig.folder);
    struct server_setup setup = {.endpoint = endpoint};
    rig_start(&rig, &setup);
    ck_assert_str_eq(server_endpoint(rig.server), endpoint);
    peer_open_client(&client, &rig);
    peer_open_worker(&a, &rig, worker_a);
    worker_greet(&a, one);
    ck_assert_int_eq(client_ask_submit(&client, one, sweep(1, "")), 0);
    setup.database = "/tmp/never-made.db";
    expect_no_start(&setup, ERR_BUSY, "listens");
}
END_TEST

START_TEST(a_driver_told_to_stop_before_it_runs_does_not_run)
{
    struct rig other;
    rig_set_up(&other);
    struct server_setup setup = {.endpoint = "tcp://127.0.0.1:*", .database = other.database};
    ck_assert_int_eq(server_create(&other.server, &setup, NULL), 0);
    server_stop(other.server);
    ck_assert_int_eq(server_run(other.server, NULL), 0);
    server_destroy(other.server);
    other.server = NULL;
    rig_tear_down(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    int n_bad = (int)(sizeof bad / sizeof *bad);
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_loop_test(all, a_bad_frame_of_a_client_is_answered_and_changes_nothing, 0, n_bad);
    tcase_add_loop_test(all, a_bad_frame_of_a_worker_is_answered_and_costs_it_nothing, 0, n_bad);
    tcase_add_test(all, a_message_of_two_frames_is_refused);
    tcase_add_test(all, a_stranger_is_asked_to_greet);
    tcase_add_test(all, a_worker_of_another_version_is_sent_away);
    tcase_add_test(all, a_client_of_another_version_is_sent_away);
    tcase_add_test(all, a_worker_that_says_it_is_another_is_refused);
    tcase_add_test(all, a_submission_without_an_id_is_refused);
    tcase_add_test(all, a_second_driver_on_a_database_is_refused);
    tcase_add_test(all, a_port_in_use_is_told_and_no_database_is_made);
    tcase_add_test(all, a_database_in_a_folder_that_does_not_exist_is_told);
    tcase_add_test(all, ipc_serves_as_tcp_does_and_is_not_taken_from_a_live_driver);
    tcase_add_test(all, a_driver_told_to_stop_before_it_runs_does_not_run);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
