/* The client against a driver that the test plays. Requests wait for their answer, so they are made on a
 * thread of their own, and the test's thread answers. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_driver.h"
#include "sdk/client.h"

static char directory[32], endpoint[64];
static struct fake_driver driver;
static struct client *client;
static const struct id experiment = {{1, 2, 3}};

static void set_up(void)
{
    strcpy(directory, "/tmp/prova-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/driver", directory);
    fake_driver_open(&driver, endpoint);
    ck_assert_int_eq(client_connect(&client, endpoint, NULL), 0);
}

static void tear_down(void)
{
    char path[64];
    client_close(client);
    fake_driver_close(&driver);
    snprintf(path, sizeof path, "%s/driver", directory);
    unlink(path);
    rmdir(directory);
}

/* A request on its own thread. */
struct request {
    pthread_t thread;
    int (*make)(struct request *request);
    int timeout_ms, rc;
    char *json;
    struct err err;
};

static void *make_request(void *arg)
{
    struct request *request = arg;
    request->rc = request->make(request);
    return NULL;
}

static void begin(struct request *request, int (*make)(struct request *request))
{
    *request = (struct request){.make = make, .timeout_ms = 10000};
    ck_assert_int_eq(pthread_create(&request->thread, NULL, make_request, request), 0);
}

static int end(struct request *request)
{
    pthread_join(request->thread, NULL);
    return request->rc;
}

static int submit(struct request *request)
{
    struct client_submission submission = {.experiment = experiment, .spec = "name: x", .file = "x.yaml"};
    return client_submit(client, &submission, request->timeout_ms, &request->err);
}

static int query(struct request *request)
{
    return client_query(&request->json, client, "show", "x", request->timeout_ms, &request->err);
}

static void reply(uint64_t number, int code, const char *text)
{
    struct wire_message message = {.type = WIRE_REPLY,
                                   .reply = {.request = number, .code = code, .text = wire_string(text)}};
    fake_driver_send(&driver, &message);
}

static void send_status(uint64_t watch, uint64_t n_completed)
{
    struct wire_message message = {
        .type = WIRE_STATUS,
        .status = {.request = watch, .experiment = experiment, .n_completed = n_completed}};
    fake_driver_send(&driver, &message);
}

START_TEST(a_submission_arrives_and_is_answered)
{
    struct request request;
    begin(&request, submit);
    struct wire_message message = fake_driver_receive(&driver);
    ck_assert_int_eq(message.type, WIRE_SUBMIT);
    ck_assert(id_equal(message.submit.experiment, experiment));
    ck_assert_str_eq(message.submit.spec.data, "name: x");
    ck_assert_uint_eq(message.submit.protocol, WIRE_VERSION);
    reply(message.submit.request, 0, "");
    ck_assert_int_eq(end(&request), 0);
}
END_TEST

START_TEST(a_refusal_comes_with_the_drivers_code_and_text)
{
    struct request request;
    begin(&request, submit);
    reply(fake_driver_receive(&driver).submit.request, ERR_INVALID, "x.yaml:1:1: error: no");
    ck_assert_int_eq(end(&request), ERR_INVALID);
    ck_assert_str_eq(request.err.text, "x.yaml:1:1: error: no");
}
END_TEST

START_TEST(an_answer_to_something_else_is_not_taken)
{
    struct request request;
    begin(&request, query);
    uint64_t number = fake_driver_receive(&driver).query.request;
    reply(number + 7, 0, "{\"wrong\": 1}");
    reply(number, 0, "{\"right\": 1}");
    ck_assert_int_eq(end(&request), 0);
    ck_assert_str_eq(request.json, "{\"right\": 1}");
    free(request.json);
}
END_TEST

START_TEST(a_request_is_sent_again_to_a_new_driver)
{
    struct request request;
    begin(&request, submit);
    ck_assert_int_eq(fake_driver_receive(&driver).type, WIRE_SUBMIT);
    fake_driver_close(&driver); /* without an answer */
    fake_driver_open(&driver, endpoint);
    struct wire_message message = fake_driver_receive(&driver);
    ck_assert_int_eq(message.type, WIRE_SUBMIT);
    reply(message.submit.request, 0, "");
    ck_assert_int_eq(end(&request), 0);
}
END_TEST

START_TEST(no_answer_in_time_is_a_timeout)
{
    struct err err = {0};
    ck_assert_int_eq(client_cancel(client, experiment, 10, &err), ERR_TIMEOUT);
    ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(the_alarm_ends_a_wait)
{
    struct request request;
    int fd = eventfd(0, EFD_NONBLOCK);
    client_set_alarm(client, fd);
    begin(&request, submit);
    ck_assert_int_eq(fake_driver_receive(&driver).type, WIRE_SUBMIT);
    eventfd_write(fd, 1);
    ck_assert_int_eq(end(&request), ERR_INTERRUPTED);
    close(fd);
}
END_TEST

START_TEST(of_statuses_the_newest_is_given)
{
    struct wire_status status;
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    struct wire_message message = fake_driver_receive(&driver);
    ck_assert_int_eq(message.type, WIRE_WATCH);
    ck_assert_uint_eq(message.watch.interval_ms, 50);
    send_status(message.watch.request, 1);
    ck_assert_int_eq(client_next_status(&status, client, 10000, NULL), 0);
    ck_assert_uint_eq(status.n_completed, 1);
    send_status(message.watch.request, 2);
    send_status(message.watch.request + 1, 9); /* of another watch */
    do
        ck_assert_int_eq(client_next_status(&status, client, 10000, NULL), 0);
    while (status.n_completed < 2);
    ck_assert_int_eq(client_next_status(&status, client, 0, NULL), ERR_TIMEOUT);
}
END_TEST

START_TEST(a_watch_is_renewed_at_a_new_driver)
{
    struct wire_status status;
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    uint64_t number = fake_driver_receive(&driver).watch.request;
    send_status(number, 1);
    ck_assert_int_eq(client_next_status(&status, client, 10000, NULL), 0);
    fake_driver_close(&driver);
    fake_driver_open(&driver, endpoint);
    int rc;
    struct request request;
    begin(&request, query); /* keeps the client at work while the test waits */
    struct wire_message message = fake_driver_receive(&driver);
    while (message.type != WIRE_WATCH)
        message = fake_driver_receive(&driver);
    ck_assert_uint_eq(message.watch.request, number);
    send_status(number, 5);
    do {
        message = fake_driver_receive(&driver);
    } while (message.type != WIRE_QUERY);
    reply(message.query.request, 0, "{}");
    ck_assert_int_eq(end(&request), 0);
    free(request.json);
    rc = client_next_status(&status, client, 10000, NULL);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(status.n_completed, 5);
}
END_TEST

START_TEST(a_driver_that_closes_says_so_once)
{
    struct wire_status status;
    struct err err = {0};
    struct wire_message bye = {.type = WIRE_BYE,
                               .bye = {.code = ERR_CLOSED, .text = wire_string("back soon")}};
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    (void)fake_driver_receive(&driver);
    fake_driver_send(&driver, &bye);
    ck_assert_int_eq(client_next_status(&status, client, 10000, &err), ERR_CLOSED);
    ck_assert_str_eq(err.text, "back soon");
    ck_assert_int_eq(client_next_status(&status, client, 0, &err), ERR_TIMEOUT);
}
END_TEST

START_TEST(a_driver_that_is_gone_is_told_at_once_and_given_up_in_time)
{
    struct wire_status status;
    client_set_wait(client, 20);
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    (void)fake_driver_receive(&driver);
    fake_driver_close(&driver);
    ck_assert_int_eq(client_next_status(&status, client, -1, NULL), ERR_TIMEOUT);
    ck_assert(client_is_cut_off(client));
    ck_assert_int_eq(client_next_status(&status, client, -1, NULL), ERR_TIMEOUT);
    ck_assert(client_has_given_up(client));
    fake_driver_open(&driver, endpoint);
}
END_TEST

START_TEST(a_driver_that_is_back_in_time_is_not_given_up)
{
    struct wire_status status;
    client_set_wait(client, 60000);
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    (void)fake_driver_receive(&driver);
    fake_driver_close(&driver);
    ck_assert_int_eq(client_next_status(&status, client, -1, NULL), ERR_TIMEOUT);
    ck_assert(!client_has_given_up(client));
    fake_driver_open(&driver, endpoint);
    struct request request;
    begin(&request, query); /* keeps the client at work while the test waits */
    struct wire_message message = fake_driver_receive(&driver);
    while (message.type != WIRE_QUERY)
        message = fake_driver_receive(&driver);
    reply(message.query.request, 0, "{}");
    ck_assert_int_eq(end(&request), 0);
    free(request.json);
    ck_assert(!client_is_cut_off(client));
}
END_TEST

START_TEST(a_watch_of_nothing_is_refused)
{
    struct wire_status status;
    struct err err = {0};
    ck_assert_int_eq(client_watch(client, experiment, 50, NULL), 0);
    reply(fake_driver_receive(&driver).watch.request, ERR_NOT_FOUND, "no such experiment");
    ck_assert_int_eq(client_next_status(&status, client, 10000, &err), ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "no such experiment");
}
END_TEST

START_TEST(what_is_no_endpoint_is_refused_at_once)
{
    struct client *other = NULL;
    struct err err = {0};
    ck_assert_int_eq(client_connect(&other, "localhost:5700", &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "localhost:5700"));
    ck_assert_ptr_null(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tc = tcase_create("client");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_submission_arrives_and_is_answered);
    tcase_add_test(tc, a_refusal_comes_with_the_drivers_code_and_text);
    tcase_add_test(tc, an_answer_to_something_else_is_not_taken);
    tcase_add_test(tc, a_request_is_sent_again_to_a_new_driver);
    tcase_add_test(tc, no_answer_in_time_is_a_timeout);
    tcase_add_test(tc, the_alarm_ends_a_wait);
    tcase_add_test(tc, of_statuses_the_newest_is_given);
    tcase_add_test(tc, a_watch_is_renewed_at_a_new_driver);
    tcase_add_test(tc, a_driver_that_closes_says_so_once);
    tcase_add_test(tc, a_driver_that_is_gone_is_told_at_once_and_given_up_in_time);
    tcase_add_test(tc, a_driver_that_is_back_in_time_is_not_given_up);
    tcase_add_test(tc, a_watch_of_nothing_is_refused);
    tcase_add_test(tc, what_is_no_endpoint_is_refused_at_once);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
