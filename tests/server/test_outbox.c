/* What leaves the driver, and when: a ROUTER with an outbox, and DEALERs as workers. Time is a number. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "driver/outbox.h"

static void *context, *router, *dealer;
static struct outbox *outbox;
static struct wire_decoder *decoder;
static struct wire_message got;
static const struct id worker = {{1, 2, 3}}, nobody = {{9}};

static void *connect_worker(struct id id)
{
    struct route route;
    int linger = 0, one = 1, timeout_ms = 5000;
    void *socket = zmq_socket(context, ZMQ_DEALER);
    ck_assert_ptr_nonnull(socket);
    route_set_worker(&route, id);
    zmq_setsockopt(socket, ZMQ_ROUTING_ID, route.bytes, route.size);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    ck_assert_int_eq(zmq_connect(socket, "inproc://outbox"), 0);
    ck_assert_int_eq(zmq_send(socket, &one, sizeof one, 0), sizeof one);
    char frame[64];
    ck_assert_int_gt(zmq_recv(router, frame, sizeof frame, 0), 0); /* now the router knows it */
    ck_assert_int_gt(zmq_recv(router, frame, sizeof frame, 0), 0);
    return socket;
}

static void set_up(void)
{
    int one = 1;
    context = zmq_ctx_new();
    router = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    ck_assert_int_eq(zmq_bind(router, "inproc://outbox"), 0);
    dealer = connect_worker(worker);
    outbox = outbox_create(router);
    decoder = wire_decoder_create();
    ck_assert(outbox && decoder);
    outbox_greet(outbox, worker, 1);
}

static void tear_down(void)
{
    outbox_destroy(outbox);
    wire_decoder_destroy(decoder);
    zmq_close(dealer);
    zmq_close(router);
    zmq_ctx_term(context);
}

/* Type of the next message that has come, 0: none. Over inproc what was sent is there. */
static int next(void)
{
    char frame[4096];
    int size = zmq_recv(dealer, frame, sizeof frame, ZMQ_DONTWAIT);
    if (size < 0)
        return 0;
    ck_assert_int_eq(wire_decode(&got, decoder, frame, (size_t)size, NULL), 0);
    return (int)got.type;
}

static void park_ack(uint64_t seq, int64_t sequence)
{
    struct wire_message message = {.type = WIRE_ACK, .ack = {.seq = seq}};
    outbox_park_worker(outbox, worker, &message, sequence, 0);
}

static void park_done(int64_t sequence)
{
    struct wire_message message = {.type = WIRE_DONE};
    outbox_park_worker(outbox, worker, &message, sequence, 0);
}

static void assign(void)
{
    struct wire_message message = {.type = WIRE_ASSIGN, .assign = {.trial = 1, .acked = 77}};
    outbox_send_worker(outbox, worker, &message);
}

START_TEST(what_waits_for_a_commit_is_sent_in_order_and_not_before_it)
{
    struct route route;
    route_set_worker(&route, worker);
    for (int64_t k = 1; k <= 600; k++) {
        struct wire_message message = {.type = WIRE_REPLY, .reply = {.request = (uint64_t)k}};
        outbox_park(outbox, &route, &message, k / 2);
    }
    uint64_t expected = 1;
    for (int64_t committed = 0; committed <= 300; committed++) {
        outbox_committed(outbox, committed, 0);
        while (next())
            ck_assert_uint_eq(got.reply.request, expected++);
        ck_assert_uint_eq(expected, committed == 300 ? 601 : 2 * (uint64_t)committed + 2);
    }
}
END_TEST

START_TEST(what_is_on_disk_already_is_sent_at_once)
{
    struct route route;
    route_set_worker(&route, worker);
    outbox_committed(outbox, 5, 0);
    outbox_park(outbox, &route, &(struct wire_message){.type = WIRE_REPLY}, 5);
    ck_assert_int_eq(next(), WIRE_REPLY);
}
END_TEST

START_TEST(an_acknowledgement_is_held_for_an_assignment)
{
    park_ack(1, 1);
    outbox_committed(outbox, 1, 1000);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(outbox_deadline(outbox), 1000 + OUTBOX_ACK_DELAY_NS);
    assign();
    ck_assert_int_eq(next(), WIRE_ASSIGN);
    ck_assert_uint_eq(got.assign.acked, 1);
    ck_assert_int_eq(outbox_deadline(outbox), INT64_MAX);
    outbox_time(outbox, INT64_MAX);
    ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(an_assignment_never_says_more_than_is_on_disk)
{
    park_ack(1, 1);
    park_ack(2, 2);
    outbox_committed(outbox, 1, 0);
    assign();
    ck_assert_int_eq(next(), WIRE_ASSIGN);
    ck_assert_uint_eq(got.assign.acked, 1);
}
END_TEST

START_TEST(acknowledgements_are_merged)
{
    for (uint64_t seq = 1; seq <= 100; seq++)
        park_ack(seq, (int64_t)seq);
    for (int64_t sequence = 1; sequence <= 100; sequence++)
        outbox_committed(outbox, sequence, sequence);
    ck_assert_int_eq(next(), 0);
    outbox_time(outbox, OUTBOX_ACK_DELAY_NS);
    ck_assert_int_eq(next(), 0);
    outbox_time(outbox, 1 + OUTBOX_ACK_DELAY_NS);
    ck_assert_int_eq(next(), WIRE_ACK);
    ck_assert_uint_eq(got.ack.seq, 100);
    ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(an_acknowledgement_that_is_said_again_is_sent_again)
{
    for (int round = 0; round < 2; round++) {
        park_ack(3, 1);
        outbox_committed(outbox, 1, 0);
        outbox_time(outbox, INT64_MAX);
        ck_assert_int_eq(next(), WIRE_ACK);
        ck_assert_uint_eq(got.ack.seq, 3);
        ck_assert_int_eq(next(), 0);
    }
}
END_TEST

START_TEST(acknowledgements_alone_hurry_no_commit)
{
    park_ack(1, 1);
    ck_assert(!outbox_is_waited_for(outbox));
    park_done(2);
    ck_assert(outbox_is_waited_for(outbox));
    outbox_committed(outbox, 2, 0);
    ck_assert(!outbox_is_waited_for(outbox));
}
END_TEST

START_TEST(the_end_of_an_experiment_waits_for_no_assignment)
{
    park_ack(4, 1);
    park_done(2);
    outbox_committed(outbox, 2, 0);
    ck_assert_int_eq(next(), WIRE_ACK);
    ck_assert_uint_eq(got.ack.seq, 4);
    ck_assert_int_eq(next(), WIRE_DONE);
    park_ack(5, 2); /* nor does what is said after it */
    ck_assert_int_eq(next(), WIRE_ACK);
    assign(); /* resumed */
    ck_assert_int_eq(next(), WIRE_ASSIGN);
    park_ack(6, 2);
    ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(a_new_greeting_forgets_acknowledgements_of_the_old_conversation)
{
    park_ack(10, 1);
    park_ack(20, 2);
    outbox_committed(outbox, 1, 0);
    outbox_greet(outbox, worker, 2);
    outbox_committed(outbox, 2, 0);
    outbox_time(outbox, INT64_MAX);
    ck_assert_int_eq(next(), 0);
    assign();
    ck_assert_int_eq(next(), WIRE_ASSIGN);
    ck_assert_uint_eq(got.assign.acked, 0);
}
END_TEST

START_TEST(a_late_double_of_a_greeting_forgets_nothing)
{
    outbox_greet(outbox, worker, 5);
    park_ack(10, 1);
    outbox_greet(outbox, worker, 5);
    outbox_greet(outbox, worker, 4);
    outbox_committed(outbox, 1, 0);
    outbox_time(outbox, INT64_MAX);
    ck_assert_int_eq(next(), WIRE_ACK);
}
END_TEST

START_TEST(a_worker_that_is_gone_gets_nothing)
{
    park_ack(1, 1);
    park_done(1);
    park_ack(2, 2);
    outbox_committed(outbox, 1, 0);
    ck_assert_int_eq(next(), WIRE_ACK);
    ck_assert_int_eq(next(), WIRE_DONE);
    outbox_forget(outbox, worker);
    outbox_committed(outbox, 2, 0);
    outbox_time(outbox, INT64_MAX);
    ck_assert_int_eq(next(), 0);
}
END_TEST

START_TEST(who_cannot_be_reached_is_named_once_a_message)
{
    struct route route;
    struct id id;
    ck_assert(!outbox_next_unreachable(&route, outbox));
    outbox_send_worker(outbox, nobody, &(struct wire_message){.type = WIRE_WELCOME});
    ck_assert(outbox_next_unreachable(&route, outbox));
    ck_assert(route_is_worker(&id, &route) && id_equal(id, nobody));
    ck_assert(!outbox_next_unreachable(&route, outbox));
    outbox_send_worker(outbox, worker, &(struct wire_message){.type = WIRE_WELCOME});
    ck_assert_int_eq(next(), WIRE_WELCOME);
}
END_TEST

START_TEST(all_workers_are_told)
{
    outbox_send_workers(outbox, &(struct wire_message){.type = WIRE_BYE, .bye = {.code = ERR_CLOSED}});
    ck_assert_int_eq(next(), WIRE_BYE);
    ck_assert_int_eq(got.bye.code, ERR_CLOSED);
}
END_TEST

START_TEST(what_is_left_at_the_end_is_freed)
{
    park_ack(1, 1);
    park_done(2);
    outbox_greet(outbox, worker, 9);
    park_ack(1, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, what_waits_for_a_commit_is_sent_in_order_and_not_before_it);
    tcase_add_test(all, what_is_on_disk_already_is_sent_at_once);
    tcase_add_test(all, an_acknowledgement_is_held_for_an_assignment);
    tcase_add_test(all, an_assignment_never_says_more_than_is_on_disk);
    tcase_add_test(all, acknowledgements_are_merged);
    tcase_add_test(all, an_acknowledgement_that_is_said_again_is_sent_again);
    tcase_add_test(all, acknowledgements_alone_hurry_no_commit);
    tcase_add_test(all, the_end_of_an_experiment_waits_for_no_assignment);
    tcase_add_test(all, a_new_greeting_forgets_acknowledgements_of_the_old_conversation);
    tcase_add_test(all, a_late_double_of_a_greeting_forgets_nothing);
    tcase_add_test(all, a_worker_that_is_gone_gets_nothing);
    tcase_add_test(all, who_cannot_be_reached_is_named_once_a_message);
    tcase_add_test(all, all_workers_are_told);
    tcase_add_test(all, what_is_left_at_the_end_is_freed);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
