/* prova_lagom from end to end: a real driver, real workers, and functions that misbehave. Everything happens
 * in a folder of the test's own, which must be empty of sockets, and without processes, at the end. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sdk/prova.h"

extern char **environ;

static char folder[64];
static prova_config *config;

static void remove_tree(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

static int n_entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void set_up(void)
{
    char runtime[80];
    strcpy(folder, "/tmp/prova-lagom-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    snprintf(runtime, sizeof runtime, "%s/run", folder);
    ck_assert_int_eq(mkdir(runtime, 0700), 0);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* an orphan of ours becomes our child */
    config = prova_config_new("e2e");
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    prova_config_set(config, "metric.goal", "maximize");
    prova_config_set(config, "limits.trials", "8");
    prova_config_set(config, "workers", "2");
    prova_config_set(config, "seed", "7");
    prova_config_progress(config, NULL, NULL, 0);
    ck_assert_str_eq(prova_config_error(config), "");
}

static void tear_down(void)
{
    prova_config_free(config);
    ck_assert_int_eq(n_entries("run"), 0);
    while (waitpid(-1, NULL, 0) > 0)
        ; /* processes that were orphaned; one that lives on makes the test time out */
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(folder);
}

static prova_result *run(prova_train_fn train, void *arg)
{
    prova_result *result = prova_lagom(train, arg, config);
    ck_assert_ptr_nonnull(result);
    return result;
}

static void assert_done(const prova_result *result)
{
    ck_assert_str_eq(prova_result_error(result), "");
    ck_assert_int_eq(prova_result_code(result), 0);
    ck_assert_str_eq(prova_result_state(result), "completed");
}

static int return_x(prova_trial *trial, void *arg)
{
    (void)arg;
    double x = prova_double(trial, "x");
    prova_report(trial, 1, x / 2);
    prova_report_metric(trial, 1, "other", 1.0);
    return prova_finish(trial, x);
}

START_TEST(every_trial_runs_and_the_best_is_found)
{
    prova_result *result = run(return_x, NULL);
    assert_done(result);
    ck_assert_str_eq(prova_result_name(result), "e2e");
    ck_assert_uint_eq(strlen(prova_result_id(result)), 36);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    ck_assert_int_eq(prova_result_count(result, "FAILED"), 0);
    ck_assert_int_eq(prova_result_count(result, "NOSUCH"), -1);
    ck_assert_int_eq(prova_result_limit(result), 8);
    ck_assert_int_ge(prova_result_best_trial(result), 1);
    ck_assert_double_eq(prova_result_best_value(result), strtod(prova_result_best_param(result, "x"), NULL));
    ck_assert_ptr_nonnull(strstr(prova_result_best_json(result), "\"x\""));
    ck_assert_ptr_null(prova_result_best_param(result, "y"));
    ck_assert_double_gt(prova_result_seconds(result), 0.0);
    prova_result_free(result);
}
END_TEST

/* 1 with everything, less without a, and nothing at all without b. */
static int ablate(prova_trial *trial, void *arg)
{
    (void)arg;
    if (prova_ablated(trial, "layer", "b"))
        return prova_fail(trial, "no b");
    double noise = (double)(prova_trial_number(trial) * prova_trial_number(trial) % 7) / 1000;
    return prova_finish(trial, prova_ablated(trial, "feature", "a") ? 0.5 + noise : 1 - noise);
}

START_TEST(a_study_has_components)
{
    prova_config_set(config, "ablation.repeats", "3");
    prova_config_set(config, "ablation.layers", "[b]");
    prova_config_set(config, "ablation.features", "[a]");
    prova_config_set(config, "limits.trials", "null");
    prova_result *result = run(ablate, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 6);
    ck_assert_int_eq(prova_result_count(result, "FAILED"), 3);
    const char *json = prova_result_components_json(result);
    ck_assert_msg(strncmp(json, "[{\"rank\":1,\"component\":\"feature:a\",\"kind\":\"feature\"", 50) == 0,
                  "%s", json);
    ck_assert_ptr_nonnull(strstr(json, "{\"rank\":null,\"component\":\"layer:b\""));
    prova_result_free(result);
}
END_TEST

START_TEST(an_incomplete_study_starts_nothing)
{
    prova_config_set(config, "context", "ablation");
    prova_result *result = run(ablate, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINVALID);
    ck_assert_ptr_nonnull(strstr(prova_result_error(result), "needs a section 'ablation'"));
    ck_assert_str_eq(prova_result_components_json(result), "[]");
    ck_assert_int_eq(access("prova.db", F_OK), -1);
    prova_result_free(result);
}
END_TEST

START_TEST(the_same_seed_with_one_worker_gives_the_same_best)
{
    prova_config_set(config, "workers", "1");
    prova_result *a = run(return_x, NULL), *b = run(return_x, NULL);
    assert_done(a);
    ck_assert_str_eq(prova_result_best_json(a), prova_result_best_json(b));
    ck_assert_str_ne(prova_result_id(a), prova_result_id(b));
    prova_result_free(a);
    prova_result_free(b);
}
END_TEST

static int crash_once(prova_trial *trial, void *arg)
{
    (void)arg;
    if (prova_trial_number(trial) == 3 && prova_trial_attempt(trial) == 1)
        raise(SIGSEGV);
    return prova_finish(trial, (double)prova_trial_attempt(trial));
}

START_TEST(a_crash_costs_an_attempt_and_nothing_else)
{
    prova_result *result = run(crash_once, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    ck_assert_int_eq(prova_result_best_trial(result), 3);
    ck_assert_double_eq(prova_result_best_value(result), 2);
    prova_result_free(result);
}
END_TEST

static int crash_always(prova_trial *trial, void *arg)
{
    (void)arg;
    if (prova_trial_number(trial) == 3)
        abort();
    if (prova_trial_number(trial) == 5)
        _exit(0); /* leaving is no result either */
    return prova_finish(trial, 1);
}

START_TEST(a_trial_that_always_crashes_fails_when_its_retries_are_spent)
{
    prova_result *result = run(crash_always, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 6);
    ck_assert_int_eq(prova_result_count(result, "FAILED"), 2);
    prova_result_free(result);
}
END_TEST

static int fail_in_many_ways(prova_trial *trial, void *arg)
{
    (void)arg;
    switch (prova_trial_number(trial)) {
    case 1:
        return 5;
    case 2:
        return prova_fail(trial, "no luck");
    case 3:
        return prova_finish(trial, NAN);
    case 4:
        return prova_finish(trial, INFINITY);
    case 5:
        (void)prova_double(trial, "misspelt");
        return prova_finish(trial, 1e6);
    case 6:
        return 0; /* no value at all */
    default:
        return prova_finish(trial, 1);
    }
}

START_TEST(what_gives_no_usable_value_fails_and_is_never_best)
{
    prova_result *result = run(fail_in_many_ways, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "FAILED"), 6);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 2);
    ck_assert_double_eq(prova_result_best_value(result), 1);
    prova_result_free(result);
}
END_TEST

static int always_fail(prova_trial *trial, void *arg)
{
    (void)arg;
    return prova_fail(trial, "the data is not there");
}

START_TEST(an_experiment_whose_trials_all_fail_says_why)
{
    prova_config_set(config, "limits.failures", "3");
    prova_result *result = run(always_fail, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EFAILED);
    ck_assert_str_eq(prova_result_state(result), "failed");
    ck_assert_msg(strstr(prova_result_error(result), "the data is not there"), "%s",
                  prova_result_error(result));
    ck_assert_int_eq(prova_result_best_trial(result), 0);
    ck_assert(isnan(prova_result_best_value(result)));
    ck_assert_str_eq(prova_result_best_json(result), "{}");
    prova_result_free(result);
}
END_TEST

/* Computes until it is stopped: only a stop ends the test. */
static int run_until_stopped(prova_trial *trial, void *arg)
{
    (void)arg;
    const struct timespec work = {.tv_nsec = 1000000};
    for (int64_t step = 1; !prova_report(trial, step, -1.0); step++)
        nanosleep(&work, NULL);
    return prova_finish(trial, -1.0);
}

START_TEST(a_stopping_rule_is_obeyed)
{
    prova_config_set(config, "stopping", "{name: threshold, value: 0, step: 3}");
    ck_assert_str_eq(prova_config_error(config), "");
    prova_result *result = run(run_until_stopped, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "STOPPED"), 8);
    prova_result_free(result);
}
END_TEST

static int stop_at_the_third(const prova_result *result, void *arg)
{
    ++*(int *)arg;
    return prova_result_count(result, "COMPLETED") >= 3;
}

static int wait_after_the_third(prova_trial *trial, void *arg)
{
    (void)arg;
    return prova_trial_number(trial) <= 3 ? prova_finish(trial, 1) : run_until_stopped(trial, NULL);
}

START_TEST(the_progress_function_may_stop_it_and_it_can_be_resumed)
{
    int n_calls = 0;
    prova_config_progress(config, stop_at_the_third, &n_calls, 10);
    prova_result *result = run(wait_after_the_third, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINTERRUPTED);
    ck_assert_str_eq(prova_result_state(result), "interrupted");
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 3);
    ck_assert_int_gt(n_calls, 0);
    char id[40];
    strcpy(id, prova_result_id(result));
    prova_result_free(result);

    prova_config_progress(config, NULL, NULL, 0);
    prova_config_resume(config, 1);
    result = run(return_x, NULL);
    assert_done(result);
    ck_assert_str_eq(prova_result_id(result), id);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    prova_result_free(result);
}
END_TEST

static int interrupt_once(const prova_result *result, void *arg)
{
    int *n_calls = arg;
    if (prova_result_count(result, "RUNNING") > 0 && (*n_calls)++ == 0)
        raise(SIGINT);
    return 0;
}

START_TEST(ctrl_c_stops_the_trials_and_keeps_all)
{
    int n_calls = 0;
    prova_config_progress(config, interrupt_once, &n_calls, 10);
    prova_result *result = run(run_until_stopped, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINTERRUPTED);
    ck_assert_str_eq(prova_result_state(result), "interrupted");
    ck_assert_int_gt(prova_result_count(result, "PENDING"), 0);
    prova_result_free(result);
}
END_TEST

static int be_deaf(prova_trial *trial, void *arg)
{
    prova_report(trial, 1, 1.0);
    while (!arg)
        pause();
    return 0;
}

static int interrupt_always(const prova_result *result, void *arg)
{
    (void)arg;
    if (prova_result_count(result, "RUNNING") > 0)
        raise(SIGINT);
    return 0;
}

START_TEST(ctrl_c_twice_ends_even_a_function_that_does_not_listen)
{
    prova_config_progress(config, interrupt_always, NULL, 10);
    prova_result *result = run(be_deaf, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINTERRUPTED);
    prova_result_free(result);
}
END_TEST

/* Of this process's children, the one whose command line has `word`; 0: none. */
static pid_t find_child(const char *word)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    int pid, found = 0;
    while (file && !found && fscanf(file, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        FILE *line = fopen(path, "r");
        size_t n = line ? fread(text, 1, sizeof text, line) : 0;
        found = memmem(text, n, word, strlen(word)) ? pid : 0;
        if (line)
            fclose(line);
    }
    if (file)
        fclose(file);
    return found;
}

static int kill_driver_once(const prova_result *result, void *arg)
{
    int *n_kills = arg;
    if (prova_result_count(result, "COMPLETED") >= 2 && *n_kills == 0) {
        pid_t driver = find_child("--ends-with-parent");
        ck_assert_int_gt(driver, 0);
        kill(driver, SIGKILL);
        ++*n_kills;
    }
    return 0;
}

START_TEST(a_killed_driver_is_started_again_and_nothing_is_lost)
{
    int n_kills = 0;
    prova_config_set(config, "limits.trials", "300");
    prova_config_progress(config, kill_driver_once, &n_kills, 1);
    prova_result *result = run(return_x, NULL);
    assert_done(result);
    ck_assert_int_eq(n_kills, 1);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 300);
    prova_result_free(result);
}
END_TEST

/* The first trials are under way until the gate opens. */
static int wait_at_the_gate(prova_trial *trial, void *arg)
{
    while (prova_trial_number(trial) <= 2 && access(arg, F_OK) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return prova_finish(trial, prova_double(trial, "x"));
}

/* Writes a byte a run; the first ones are under way until the gate opens. */
static int run_at_the_gate(prova_trial *trial, void *arg)
{
    int fd = open("runs", O_WRONLY | O_CREAT | O_APPEND, 0600);
    ck_assert_int_eq(write(fd, "x", 1), 1);
    close(fd);
    return wait_at_the_gate(trial, arg);
}

static int kill_driver_before_the_gate(const prova_result *result, void *arg)
{
    if (prova_result_count(result, "RUNNING") < 2 || access(arg, F_OK))
        return 0;
    kill(find_child("--ends-with-parent"), SIGKILL);
    ck_assert_int_eq(rmdir(arg), 0);
    return 0;
}

START_TEST(what_ran_while_the_driver_was_killed_goes_on)
{
    char gate[96];
    struct stat runs;
    snprintf(gate, sizeof gate, "%s/gate", folder);
    ck_assert_int_eq(mkdir(gate, 0700), 0);
    prova_config_progress(config, kill_driver_before_the_gate, gate, 1);
    prova_result *result = run(run_at_the_gate, gate);
    assert_done(result);
    ck_assert_int_eq(stat("runs", &runs), 0);
    ck_assert_int_eq(runs.st_size, 8);
    prova_result_free(result);
}
END_TEST

START_TEST(a_program_that_is_not_there_is_said_so)
{
    setenv("PROVA_BIN", "/nonexistent/prova", 1);
    prova_result *result = run(return_x, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(prova_result_error(result), "/nonexistent/prova"));
    prova_result_free(result);
}
END_TEST

START_TEST(a_database_that_cannot_be_made_is_said_so)
{
    prova_config_database(config, "/nonexistent/prova.db");
    prova_result *result = run(return_x, NULL);
    ck_assert_int_ne(prova_result_code(result), 0);
    ck_assert_msg(strstr(prova_result_error(result), "/nonexistent/prova.db"), "%s",
                  prova_result_error(result));
    prova_result_free(result);
}
END_TEST

START_TEST(a_faulty_configuration_starts_nothing)
{
    prova_config_set(config, "limits.trials", "none");
    prova_result *result = run(return_x, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINVALID);
    ck_assert_str_eq(prova_result_error(result), prova_config_error(config));
    ck_assert_int_eq(access("prova.db", F_OK), -1);
    prova_result_free(result);
}
END_TEST

/* Somebody else's driver
 * -------------------------------------------------------------------------------------------------------- */

static pid_t driver_pid;
static char endpoint[96];

/* Starts one and waits until it says that it listens. */
static void start_driver(void)
{
    int ends[2];
    char said[256];
    posix_spawn_file_actions_t actions;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/driver", folder);
    const char *argv[] = {"prova",    "driver",      "--listen", endpoint, "--db",
                          "other.db", "--log-level", "warn",     NULL};
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
    ck_assert_int_eq(
        posix_spawn(&driver_pid, getenv("PROVA_BIN"), &actions, NULL, (char **)(void *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ck_assert_int_gt(read(ends[0], said, sizeof said), 0);
    close(ends[0]);
}

static void stop_driver(void)
{
    int status;
    kill(driver_pid, SIGTERM);
    ck_assert_int_eq(waitpid(driver_pid, &status, 0), driver_pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(a_running_driver_is_used)
{
    start_driver();
    prova_config_driver(config, endpoint);
    prova_result *result = run(return_x, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    ck_assert_int_eq(access("prova.db", F_OK), -1);
    ck_assert_int_eq(access("other.db", F_OK), 0);
    prova_result_free(result);
    stop_driver();
}
END_TEST

/* Kills the driver once trials run; with a gate for them starts another one and opens it. */
struct killing {
    const char *gate;
    int n_kills;
};

static int kill_their_driver(const prova_result *result, void *arg)
{
    struct killing *killing = arg;
    if (prova_result_count(result, "RUNNING") == 0 || killing->n_kills > 0)
        return 0;
    killing->n_kills++;
    kill(driver_pid, SIGKILL);
    ck_assert_int_eq(waitpid(driver_pid, NULL, 0), driver_pid);
    if (killing->gate) {
        start_driver();
        ck_assert_int_eq(rmdir(killing->gate), 0);
    }
    return 0;
}

START_TEST(a_driver_that_comes_back_is_waited_for)
{
    char gate[96];
    struct killing killing = {.gate = gate};
    snprintf(gate, sizeof gate, "%s/gate", folder);
    ck_assert_int_eq(mkdir(gate, 0700), 0);
    start_driver();
    prova_config_driver(config, endpoint);
    prova_config_wait(config, 60);
    prova_config_progress(config, kill_their_driver, &killing, 10);
    prova_result *result = run(wait_at_the_gate, gate);
    assert_done(result);
    ck_assert_int_eq(killing.n_kills, 1);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    prova_result_free(result);
    stop_driver();
}
END_TEST

START_TEST(a_driver_that_does_not_come_back_is_given_up)
{
    struct killing killing = {0};
    start_driver();
    prova_config_driver(config, endpoint);
    prova_config_wait(config, 1);
    prova_config_progress(config, kill_their_driver, &killing, 10);
    prova_result *result = run(run_until_stopped, NULL);
    ck_assert_int_eq(killing.n_kills, 1);
    ck_assert_int_eq(prova_result_code(result), PROVA_ETIMEOUT);
    ck_assert_msg(strstr(prova_result_error(result), "gave up after 1 s without a driver at ipc://"), "%s",
                  prova_result_error(result));
    prova_result_free(result);
}
END_TEST

/* Starts a second worker, which is this program run again (main), as soon as there is an experiment. */
static int start_second_worker(const prova_result *result, void *arg)
{
    pid_t *pid = arg;
    if (*pid == 0 && prova_result_count(result, "RUNNING") > 0) {
        const char *argv[] = {"test_lagom", "serve", NULL};
        setenv("PROVA_DRIVER", endpoint, 1);
        setenv("PROVA_ROLE", "worker", 1);
        setenv("PROVA_EXPERIMENT", prova_result_id(result), 1);
        ck_assert_int_eq(posix_spawn(pid, "/proc/self/exe", NULL, NULL, (char **)(void *)argv, environ), 0);
    }
    return 0;
}

/* The local worker's first trial ends only when the second worker has begun one: both open the FIFO. */
static int meet(prova_trial *trial, void *arg)
{
    static int has_met;
    if (!has_met) {
        int fd = open(arg, getenv("PROVA_ROLE") ? O_WRONLY : O_RDONLY);
        if (fd < 0)
            return prova_fail(trial, "%s: %s", (const char *)arg, strerror(errno));
        close(fd);
        has_met = 1;
    }
    return prova_finish(trial, prova_double(trial, "x"));
}

START_TEST(another_process_serves_the_same_experiment_by_its_role)
{
    char fifo[96];
    pid_t pid = 0;
    int status;
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    setenv("TEST_FIFO", fifo, 1);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    start_driver();
    prova_config_driver(config, endpoint);
    prova_config_set(config, "workers", "1");
    prova_config_progress(config, start_second_worker, &pid, 10);
    prova_result *result = run(meet, fifo);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    prova_result_free(result);
    stop_driver();
}
END_TEST

/* The second worker. */
static int serve(void)
{
    prova_config *mine = prova_config_new("e2e");
    prova_config_double(mine, "x", 0, 1, PROVA_LINEAR);
    prova_result *result = prova_lagom(meet, getenv("TEST_FIFO"), mine);
    int code = result ? prova_result_code(result) : 1;
    if (code)
        fprintf(stderr, "%s\n", result ? prova_result_error(result) : "");
    prova_result_free(result);
    prova_config_free(mine);
    return code != 0;
}

static int in_another_program(prova_trial *trial, void *arg)
{
    (void)arg;
    return getenv("PROVA_PARENT") ? prova_finish(trial, prova_double(trial, "x"))
                                  : prova_fail(trial, "forked");
}

START_TEST(a_gang_over_mpi_needs_a_fleet_which_is_said_at_once)
{
    prova_config_set(config, "distributed", "{workers: 2, runtime: mpi}");
    ck_assert_str_eq(prova_config_error(config), "");
    prova_result *result = run(in_another_program, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EUNSUPPORTED);
    ck_assert_msg(strstr(prova_result_error(result), "mpirun -n 2") != NULL, "%s",
                  prova_result_error(result));
    ck_assert_int_eq(access("prova.db", F_OK), -1);
    prova_result_free(result);
}
END_TEST

START_TEST(a_program_that_calls_lagom_is_the_worker)
{
    char path[PATH_MAX];
    const char *argv[] = {path, "serve-alone", NULL}; /* this program run again (main) */
    ck_assert_ptr_nonnull(realpath("/proc/self/exe", path));
    ck_assert_int_eq(prova_config_worker(config, argv), 0);
    prova_result *result = run(in_another_program, NULL);
    assert_done(result);
    ck_assert_int_eq(prova_result_count(result, "COMPLETED"), 8);
    prova_result_free(result);
}
END_TEST

START_TEST(a_worker_program_that_is_not_there_or_fails_is_told)
{
    static const struct {
        const char *argv[3];
        int code;
        const char *said;
    } rows[] = {
        {{"/nowhere/worker", NULL}, PROVA_ENOTFOUND, "/nowhere/worker"},
        {{"/bin/sh", "-c", NULL}, PROVA_ECLOSED, "exit status 2"},
        {{"/bin/false", NULL}, PROVA_ECLOSED, "exit status 1"},
    };
    prova_config_worker(config, rows[_i].argv);
    prova_result *result = run(in_another_program, NULL);
    ck_assert_int_eq(prova_result_code(result), rows[_i].code);
    ck_assert_msg(strstr(prova_result_error(result), rows[_i].said) != NULL, "%s",
                  prova_result_error(result));
    prova_result_free(result);
}
END_TEST

static int serve_alone(void)
{
    prova_config *mine = prova_config_new("e2e");
    prova_config_double(mine, "x", 0, 1, PROVA_LINEAR);
    prova_config_set(mine, "workers", "2");
    prova_result *result = prova_lagom(in_another_program, NULL, mine);
    int code = prova_result_code(result);
    prova_result_free(result);
    prova_config_free(mine);
    return code != 0;
}

static const struct {
    const char *role, *driver, *experiment, *said;
} wrong_roles[] = {
    {"boss", "", "", "boss"},
    {"worker", "", "", "PROVA_DRIVER"},
    {"worker", "ipc:///tmp/none", "", "PROVA_EXPERIMENT"},
    {"worker", "ipc:///tmp/none", "e2e", "PROVA_EXPERIMENT"},
};

START_TEST(a_role_that_makes_no_sense_is_refused)
{
    setenv("PROVA_ROLE", wrong_roles[_i].role, 1);
    setenv("PROVA_DRIVER", wrong_roles[_i].driver, 1);
    setenv("PROVA_EXPERIMENT", wrong_roles[_i].experiment, 1);
    prova_result *result = run(return_x, NULL);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINVALID);
    ck_assert_msg(strstr(prova_result_error(result), wrong_roles[_i].said), "%s", prova_result_error(result));
    prova_result_free(result);
}
END_TEST

/* A case a test, so that CK_RUN_CASE=name runs one alone. */
static void add(Suite *suite, const char *name, const TTest *test)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "serve"))
        return serve();
    if (argc == 2 && !strcmp(argv[1], "serve-alone"))
        return serve_alone();
    Suite *suite = suite_create("lagom");
    add(suite, "every_trial_runs_and_the_best_is_found", every_trial_runs_and_the_best_is_found);
    add(suite, "the_same_seed_with_one_worker_gives_the_same_best",
        the_same_seed_with_one_worker_gives_the_same_best);
    add(suite, "a_study_has_components", a_study_has_components);
    add(suite, "an_incomplete_study_starts_nothing", an_incomplete_study_starts_nothing);
    add(suite, "a_crash_costs_an_attempt_and_nothing_else", a_crash_costs_an_attempt_and_nothing_else);
    add(suite, "a_trial_that_always_crashes_fails_when_its_retries_are_spent",
        a_trial_that_always_crashes_fails_when_its_retries_are_spent);
    add(suite, "what_gives_no_usable_value_fails_and_is_never_best",
        what_gives_no_usable_value_fails_and_is_never_best);
    add(suite, "an_experiment_whose_trials_all_fail_says_why", an_experiment_whose_trials_all_fail_says_why);
    add(suite, "a_stopping_rule_is_obeyed", a_stopping_rule_is_obeyed);
    add(suite, "the_progress_function_may_stop_it_and_it_can_be_resumed",
        the_progress_function_may_stop_it_and_it_can_be_resumed);
    add(suite, "ctrl_c_stops_the_trials_and_keeps_all", ctrl_c_stops_the_trials_and_keeps_all);
    add(suite, "ctrl_c_twice_ends_even_a_function_that_does_not_listen",
        ctrl_c_twice_ends_even_a_function_that_does_not_listen);
    add(suite, "a_killed_driver_is_started_again_and_nothing_is_lost",
        a_killed_driver_is_started_again_and_nothing_is_lost);
    add(suite, "what_ran_while_the_driver_was_killed_goes_on", what_ran_while_the_driver_was_killed_goes_on);
    add(suite, "a_program_that_is_not_there_is_said_so", a_program_that_is_not_there_is_said_so);
    add(suite, "a_database_that_cannot_be_made_is_said_so", a_database_that_cannot_be_made_is_said_so);
    add(suite, "a_faulty_configuration_starts_nothing", a_faulty_configuration_starts_nothing);
    add(suite, "a_running_driver_is_used", a_running_driver_is_used);
    add(suite, "a_driver_that_comes_back_is_waited_for", a_driver_that_comes_back_is_waited_for);
    add(suite, "a_driver_that_does_not_come_back_is_given_up", a_driver_that_does_not_come_back_is_given_up);
    add(suite, "another_process_serves_the_same_experiment_by_its_role",
        another_process_serves_the_same_experiment_by_its_role);
    add(suite, "a_gang_over_mpi_needs_a_fleet_which_is_said_at_once",
        a_gang_over_mpi_needs_a_fleet_which_is_said_at_once);
    add(suite, "a_program_that_calls_lagom_is_the_worker", a_program_that_calls_lagom_is_the_worker);
    TCase *programs = tcase_create("a_worker_program_that_is_not_there_or_fails_is_told");
    tcase_add_checked_fixture(programs, set_up, tear_down);
    tcase_add_loop_test(programs, a_worker_program_that_is_not_there_or_fails_is_told, 0, 3);
    suite_add_tcase(suite, programs);
    TCase *tc = tcase_create("a_role_that_makes_no_sense_is_refused");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, a_role_that_makes_no_sense_is_refused, 0,
                        sizeof wrong_roles / sizeof *wrong_roles);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
