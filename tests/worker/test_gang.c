/* A worker's part in a gang: its place, the port that it holds, and what a peer could get wrong. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/gang.h"

static struct gang gang;
static struct err err;

static void set_up(void)
{
    (void)unsetenv("PROVA_ADDRESS");
    gang_init(&gang);
    err = (struct err){0};
}

static void tear_down(void)
{
    gang_leave(&gang);
}

static int prepare(struct gang *part, uint64_t rank, uint64_t world, const char *endpoint)
{
    struct wire_assign assign = {.gang = 7, .rank = rank, .world = world};
    return gang_prepare(part, &assign, RUNTIME_ENV, endpoint, &err);
}

static int begin(size_t n, const char *first)
{
    struct wire_str addresses[] = {wire_string(first), wire_string("10.0.0.2:7002"),
                                   wire_string("[::1]:7003")};
    struct wire_start start = {.local_rank = 1, .local_world = 2, .addresses = {.n = n, .list = addresses}};
    return gang_begin(&gang, &start, &err);
}

/* Binds a socket of its own to the port, and listens; 0 or errno. `option`: 0: none. */
static int listen_at(uint64_t port, int option)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (option)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, option, &yes, sizeof yes), 0);
    int fault = bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1) ? errno : 0;
    (void)close(fd);
    return fault;
}

START_TEST(a_port_is_held_for_the_program_until_the_end)
{
    ck_assert_int_eq(prepare(&gang, 1, 3, "ipc:///tmp/driver"), 0);
    uint64_t port = gang.port;
    ck_assert_int_eq(listen_at(port, 0), EADDRINUSE); /* somebody else */
    ck_assert_int_eq(listen_at(port, SO_REUSEADDR), 0);
    ck_assert_int_eq(listen_at(port, SO_REUSEPORT), 0);
    ck_assert_int_eq(begin(3, "10.0.0.1:7001"), 0);
    ck_assert_int_eq(listen_at(port, 0), EADDRINUSE);
    gang_leave(&gang);
    ck_assert_int_eq(gang.port_fd, -1);
    ck_assert_int_eq(listen_at(port, 0), 0);
}
END_TEST

START_TEST(no_port_is_held_twice)
{
    enum { N = 64 };
    static struct gang gangs[N];
    for (int i = 0; i < N; i++) {
        gang_init(&gangs[i]);
        ck_assert_int_eq(prepare(&gangs[i], 0, 2, "ipc:///tmp/driver"), 0);
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(gangs[i].port, gangs[k].port);
    }
    for (int i = 0; i < N; i++)
        gang_leave(&gangs[i]);
}
END_TEST

START_TEST(the_next_gang_gives_the_port_of_the_last_one_back)
{
    ck_assert_int_eq(prepare(&gang, 0, 2, "ipc:///tmp/driver"), 0);
    uint64_t port = gang.port;
    int fd = gang.port_fd;
    ck_assert_int_eq(prepare(&gang, 1, 2, "ipc:///tmp/driver"), 0);
    ck_assert_int_eq(gang.port_fd, fd); /* it was free again */
    if (gang.port != port)
        ck_assert_int_eq(listen_at(port, 0), 0);
    ck_assert_uint_eq(gang.part.rank, 1);
}
END_TEST

START_TEST(without_a_port_it_says_why)
{
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    ck_assert_int_ge(next, 0);
    (void)close(next);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int code = prepare(&gang, 0, 2, "ipc:///tmp/driver");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(code, ERR_IO);
    ck_assert_str_eq(err.text, "cannot hold a port for a gang: Too many open files");
    ck_assert_int_eq(prepare(&gang, 0, 2, "ipc:///tmp/driver"), 0); /* once there is one */
}
END_TEST

START_TEST(a_gang_of_one_has_its_own_address)
{
    ck_assert_int_eq(prepare(&gang, 0, 1, "ipc:///tmp/driver"), 0);
    ck_assert_int_eq(begin(1, "127.0.0.1:7001"), 0);
    ck_assert_uint_eq(gang.part.number, 7);
    ck_assert_uint_eq(gang.part.world, 1);
    ck_assert_str_eq(gang.part.addresses[0], "127.0.0.1:7001");
}
END_TEST

START_TEST(it_knows_its_place_and_all_addresses)
{
    ck_assert_int_eq(prepare(&gang, 2, 3, "ipc:///tmp/driver"), 0);
    ck_assert_int_eq(begin(3, "10.0.0.1:7001"), 0);
    ck_assert_uint_eq(gang.part.rank, 2);
    ck_assert_uint_eq(gang.part.local_rank, 1);
    ck_assert_uint_eq(gang.part.local_world, 2);
    ck_assert_str_eq(gang.part.addresses[0], "10.0.0.1:7001");
    ck_assert_str_eq(gang.part.addresses[2], "[::1]:7003");
}
END_TEST

START_TEST(a_rank_beyond_the_gang_is_refused)
{
    ck_assert_int_eq(prepare(&gang, 2, 2, "ipc:///tmp/driver"), ERR_PROTOCOL);
    ck_assert_int_eq(prepare(&gang, 0, 0, "ipc:///tmp/driver"), ERR_PROTOCOL);
    ck_assert_int_eq(gang.port_fd, -1);
}
END_TEST

START_TEST(a_start_must_name_every_member)
{
    ck_assert_int_eq(prepare(&gang, 0, 3, "ipc:///tmp/driver"), 0);
    ck_assert_int_eq(begin(2, "10.0.0.1:7001"), ERR_PROTOCOL);
    ck_assert_int_eq(begin(0, "10.0.0.1:7001"), ERR_PROTOCOL);
    ck_assert_int_eq(begin(3, "10.0.0.1"), ERR_PROTOCOL);
    ck_assert_str_eq(err.text, "'10.0.0.1' is no address of a member");
    ck_assert_ptr_null(gang.addresses);
}
END_TEST

START_TEST(mpi_needs_a_fleet)
{
    struct wire_assign assign = {.gang = 7, .rank = 0, .world = 2};
    ck_assert_int_eq(gang_prepare(&gang, &assign, RUNTIME_MPI, "ipc:///tmp/driver", &err), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "mpirun -n N prova worker"));
}
END_TEST

static const struct {
    const char *endpoint, *given, *host;
} places[] = {
    {"ipc:///tmp/driver", NULL, "127.0.0.1"},
    {"tcp://127.0.0.1:5700", NULL, "127.0.0.1"},
    {"tcp://127.0.0.1:5700", "node7", "node7"},
    {"ipc:///tmp/driver", "10.1.2.3", "10.1.2.3"},
    {"tcp://127.0.0.1:5700", "", "127.0.0.1"},
    {"tcp://no.such.host.invalid:5700", NULL, "127.0.0.1"},
    {"tcp://", NULL, "127.0.0.1"},
};

START_TEST(where_others_reach_it)
{
    if (places[_i].given)
        ck_assert_int_eq(setenv("PROVA_ADDRESS", places[_i].given, 1), 0);
    ck_assert_int_eq(prepare(&gang, 0, 2, places[_i].endpoint), 0);
    ck_assert_str_eq(gang.host, places[_i].host);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gang");
    TCase *tests = tcase_create("gang");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_port_is_held_for_the_program_until_the_end);
    tcase_add_test(tests, no_port_is_held_twice);
    tcase_add_test(tests, the_next_gang_gives_the_port_of_the_last_one_back);
    tcase_add_test(tests, without_a_port_it_says_why);
    tcase_add_test(tests, a_gang_of_one_has_its_own_address);
    tcase_add_test(tests, it_knows_its_place_and_all_addresses);
    tcase_add_test(tests, a_rank_beyond_the_gang_is_refused);
    tcase_add_test(tests, a_start_must_name_every_member);
    tcase_add_test(tests, mpi_needs_a_fleet);
    tcase_add_loop_test(tests, where_others_reach_it, 0, sizeof places / sizeof *places);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
