/* Where the driver may listen. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "driver/endpoint.h"

static const struct {
    const char *endpoint;
    int code, code_if_insecure;
} endpoints[] = {
    {"tcp://127.0.0.1:5700", 0, 0},
    {"tcp://127.0.0.1:*", 0, 0},
    {"tcp://127.3.2.1:1", 0, 0},
    {"tcp://localhost:65535", 0, 0},
    {"tcp://[::1]:5700", 0, 0},
    {"ipc:///nonexistent/socket", 0, 0},
    {"ipc://@prova-test-nobody", 0, 0},
    {"tcp://0.0.0.0:5700", ERR_REFUSED, 0},
    {"tcp://*:5700", ERR_REFUSED, 0},
    {"tcp://10.0.0.1:5700", ERR_REFUSED, 0},
    {"tcp://128.0.0.1:5700", ERR_REFUSED, 0},
    {"tcp://[::]:5700", ERR_REFUSED, 0},
    {"tcp://127.0.0.1.example.org:5700", ERR_REFUSED, 0},
    {"tcp://eth0:5700", ERR_REFUSED, 0},
    {"", ERR_INVALID, ERR_INVALID},
    {"127.0.0.1:5700", ERR_INVALID, ERR_INVALID},
    {"http://127.0.0.1:5700", ERR_INVALID, ERR_INVALID},
    {"inproc://driver", ERR_INVALID, ERR_INVALID},
    {"tcp://", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1:", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1:http", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1:65536", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1:-1", ERR_INVALID, ERR_INVALID},
    {"tcp://127.0.0.1:57 00", ERR_INVALID, ERR_INVALID},
    {"tcp://:5700", ERR_INVALID, ERR_INVALID},
    {"ipc://", ERR_INVALID, ERR_INVALID},
    {"ipc://*", ERR_INVALID, ERR_INVALID},
};

START_TEST(only_ipc_and_loopback_are_allowed)
{
    struct err err = {0};
    ck_assert_msg(endpoint_check(endpoints[_i].endpoint, false, &err) == endpoints[_i].code, "%s: %s",
                  endpoints[_i].endpoint, err.text);
    ck_assert(endpoints[_i].code == 0 || strlen(err.text) > 20);
}
END_TEST

START_TEST(insecure_allows_every_host)
{
    int code = endpoint_check(endpoints[_i].endpoint, true, NULL);
    ck_assert_msg(code == endpoints[_i].code_if_insecure, "%s: %d", endpoints[_i].endpoint, code);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_refused)
{
    struct err err = {0};
    char endpoint[400] = "ipc:///";
    memset(endpoint + strlen(endpoint), 'x', 300);
    ck_assert_int_eq(endpoint_check(endpoint, false, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
}
END_TEST

static void *context, *first, *second;
static char folder[64], path[96];

static void set_up(void)
{
    strcpy(folder, "/tmp/prova-endpoint-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "ipc://%s/socket", folder);
    context = zmq_ctx_new();
    first = zmq_socket(context, ZMQ_ROUTER);
    second = zmq_socket(context, ZMQ_ROUTER);
    ck_assert(first && second);
}

static void tear_down(void)
{
    zmq_close(first);
    zmq_close(second);
    zmq_ctx_term(context);
    unlink(path + strlen("ipc://"));
    rmdir(folder);
}

START_TEST(a_free_port_is_named)
{
    char bound[ENDPOINT_SIZE];
    ck_assert_int_eq(endpoint_bind(bound, first, "tcp://127.0.0.1:*", NULL), 0);
    ck_assert_int_eq(strncmp(bound, "tcp://127.0.0.1:", 16), 0);
    ck_assert_int_gt(atoi(bound + 16), 0);
}
END_TEST

START_TEST(a_port_in_use_is_busy)
{
    char bound[ENDPOINT_SIZE], other[ENDPOINT_SIZE];
    struct err err = {0};
    ck_assert_int_eq(endpoint_bind(bound, first, "tcp://127.0.0.1:*", NULL), 0);
    ck_assert_int_eq(endpoint_bind(other, second, bound, &err), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
}
END_TEST

START_TEST(a_path_where_somebody_listens_is_busy)
{
    char bound[ENDPOINT_SIZE];
    struct err err = {0};
    ck_assert_int_eq(endpoint_check(path, false, NULL), 0);
    ck_assert_int_eq(endpoint_bind(bound, first, path, NULL), 0);
    ck_assert_int_eq(endpoint_check(path, false, &err), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "listens"));
}
END_TEST

START_TEST(the_socket_of_a_dead_driver_is_in_nobodys_way)
{
    char bound[ENDPOINT_SIZE];
    FILE *left_over = fopen(path + strlen("ipc://"), "w");
    ck_assert_ptr_nonnull(left_over);
    fclose(left_over);
    ck_assert_int_eq(endpoint_check(path, false, NULL), 0);
    ck_assert_int_eq(endpoint_bind(bound, first, path, NULL), 0);
}
END_TEST

START_TEST(a_folder_that_does_not_exist_is_named)
{
    char bound[ENDPOINT_SIZE];
    struct err err = {0};
    ck_assert_int_lt(endpoint_bind(bound, first, "ipc:///nonexistent/folder/socket", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/folder/socket"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint");
    int n = (int)(sizeof endpoints / sizeof *endpoints);
    TCase *policy = tcase_create("policy");
    tcase_add_loop_test(policy, only_ipc_and_loopback_are_allowed, 0, n);
    tcase_add_loop_test(policy, insecure_allows_every_host, 0, n);
    tcase_add_test(policy, a_path_too_long_for_a_socket_is_refused);
    suite_add_tcase(suite, policy);
    TCase *binding = tcase_create("binding");
    tcase_add_checked_fixture(binding, set_up, tear_down);
    tcase_add_test(binding, a_free_port_is_named);
    tcase_add_test(binding, a_port_in_use_is_busy);
    tcase_add_test(binding, a_path_where_somebody_listens_is_busy);
    tcase_add_test(binding, the_socket_of_a_dead_driver_is_in_nobodys_way);
    tcase_add_test(binding, a_folder_that_does_not_exist_is_named);
    suite_add_tcase(suite, binding);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
