/* Loads a real driver with raw frames and prints what it did; no test, a tool for whoever works on the
 * driver's speed.
 *
 *     server_load trials WORKERS TRIALS    durable no-op trials: rate, the driver's CPU a trial, frames a
 * trial server_load stops COUNT              from a report that warrants it to the STOP in the worker's hands
 *     server_load beats WORKERS SECONDS    the driver's CPU while workers only send heartbeats
 *
 * The driver is a process of its own; all workers are sockets of one thread here. PROVA_LOAD_TCP=1: not over
 * ipc. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "core/experiment.h"
#include "tests/server/rig.h"

enum { MAX_WORKERS = 1000 };

static struct rig rig;
static struct peer workers[MAX_WORKERS];
static pid_t driver;
static struct server *serving; /* in the driver's process */
static const struct id none, one = {{1}};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void stop(int signal)
{
    (void)signal;
    server_stop(serving);
}

static void start_driver(char *endpoint, size_t size)
{
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    driver = fork();
    if (driver == 0) {
        char path[200];
        struct err err = {0};
        snprintf(path, sizeof path, "ipc://%s/socket", rig.folder);
        struct server_setup setup = {.endpoint = getenv("PROVA_LOAD_TCP") ? "tcp://127.0.0.1:*" : path,
                                     .database = rig.database};
        if (server_create(&serving, &setup, &err) == 0) {
            signal(SIGTERM, stop);
            const char *bound = server_endpoint(serving);
            if (write(pipe_fds[1], bound, strlen(bound) + 1) > 0)
                (void)server_run(serving, &err);
            server_destroy(serving);
        }
        if (err.code)
            fprintf(stderr, "%s\n", err.text);
        _exit(err.code != 0);
    }
    ssize_t n = read(pipe_fds[0], endpoint, size);
    ck_assert_int_gt(n, 0);
}

static double stop_driver(void)
{
    struct rusage usage;
    kill(driver, SIGTERM);
    wait4(driver, NULL, 0, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void connect_all(int n, const char *endpoint)
{
    for (int k = 0; k < n; k++) {
        peer_open_worker_at(&workers[k], &rig, (struct id){{0x30, (uint8_t)k, (uint8_t)(k >> 8)}}, endpoint);
        worker_hello(&workers[k], none, 0);
    }
    for (int k = 0; k < n; k++)
        peer_expect(&workers[k], WIRE_WELCOME);
}

static void submit(const char *endpoint, const char *spec)
{
    struct peer client;
    peer_open_client_at(&client, &rig, endpoint);
    ck_assert_msg(client_ask_submit(&client, one, spec) == 0, "%s", client.got.reply.text.data);
    peer_close(&client);
}

static void finish(struct peer *worker)
{
    struct wire_assign assign = worker->got.assign;
    double value = assign.point.values[0];
    struct report report = {.step = 1, .value = value};
    struct wire_message message = {.type = WIRE_PROGRESS,
                                   .progress = {.seq = ++worker->seq,
                                                .experiment = assign.experiment,
                                                .trial = assign.trial,
                                                .attempt = assign.attempt,
                                                .outcome = OUTCOME_COMPLETED,
                                                .value = value,
                                                .reports = {1, &report}}};
    peer_send(worker, &message);
}

static void trials(const char *endpoint, int n_workers, int n_trials)
{
    static zmq_pollitem_t items[MAX_WORKERS];
    long n_acks = 0, n_done = 0;
    connect_all(n_workers, endpoint);
    for (int k = 0; k < n_workers; k++)
        items[k] = (zmq_pollitem_t){.socket = workers[k].socket, .events = ZMQ_POLLIN};
    double start = now_s();
    submit(endpoint, sweep(n_trials, ""));
    while (n_done < n_trials) {
        ck_assert_int_gt(zmq_poll(items, n_workers, 10000), 0);
        for (int k = 0; k < n_workers; k++) {
            int got;
            while ((items[k].revents & ZMQ_POLLIN) && (got = peer_next(&workers[k], 0))) {
                n_acks += got == WIRE_ACK;
                n_done += got == WIRE_ASSIGN;
                if (got == WIRE_ASSIGN)
                    finish(&workers[k]);
            }
        }
    }
    struct peer client;
    peer_open_client_at(&client, &rig, endpoint);
    client_watch_all(&client, one);
    client_wait_state(&client, EXPERIMENT_COMPLETED);
    double seconds = now_s() - start;
    peer_close(&client);
    double cpu = stop_driver();
    printf("%d workers: %.0f trials/s, %.1f us CPU of the driver a trial, %.3f ACKs a trial\n", n_workers,
           n_trials / seconds, cpu * 1e6 / n_trials, (double)n_acks / n_trials);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void stops(const char *endpoint, int count)
{
    double *ms = calloc((size_t)count, sizeof *ms);
    struct wire_assign assign;
    connect_all(1, endpoint);
    submit(endpoint, sweep(count, "stopping: {name: patience, steps: 1}\n"));
    for (int k = 0; k < count; k++) {
        worker_expect_assign(&assign, &workers[0]);
        worker_report(&workers[0], &assign, 1, 1);
        double start = now_s();
        worker_report(&workers[0], &assign, 2, 5);
        peer_wait(&workers[0], WIRE_STOP);
        ms[k] = (now_s() - start) * 1e3;
        worker_end(&workers[0], &assign, OUTCOME_STOPPED, NAN);
    }
    qsort(ms, (size_t)count, sizeof *ms, compare);
    printf("report to STOP: median %.3f ms, p99 %.3f ms\n", ms[count / 2], ms[count * 99 / 100]);
    free(ms);
    (void)stop_driver();
}

static void beats(const char *endpoint, int n_workers, int seconds)
{
    connect_all(n_workers, endpoint);
    submit(endpoint, sweep(n_workers, ""));
    struct wire_assign assign;
    for (int k = 0; k < n_workers; k++)
        worker_expect_assign(&assign, &workers[k]);
    for (int i = 0; i < seconds * 100; i++) {
        if (i % 200 < n_workers)
            for (int k = i % 200; k < n_workers; k += 200) {
                struct wire_message message = {.type = WIRE_HEARTBEAT,
                                               .heartbeat = {.trial = 1, .first_seq = 1}};
                peer_send(&workers[k], &message);
            }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    double cpu = stop_driver();
    printf("%d workers: driver's CPU %.2f %% of a core (with its start)\n", n_workers, cpu / seconds * 100);
}

static int n_arguments;
static char **arguments;

START_TEST(load)
{
    char endpoint[300];
    const char *what = arguments[1];
    int a = atoi(arguments[2]), b = n_arguments > 3 ? atoi(arguments[3]) : 0;
    rig_set_up(&rig);
    start_driver(endpoint, sizeof endpoint);
    if (strcmp(what, "trials") == 0)
        trials(endpoint, a, b);
    else if (strcmp(what, "stops") == 0)
        stops(endpoint, a);
    else
        beats(endpoint, a, b);
    for (int k = 0; k < MAX_WORKERS && workers[k].socket; k++)
        peer_close(&workers[k]);
    rig_tear_down(&rig);
}
END_TEST

/* The rig's asserts want to be inside a test. */
int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    n_arguments = argc;
    arguments = argv;
    Suite *suite = suite_create("load");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, load);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    srunner_print(runner, CK_MINIMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed;
}
