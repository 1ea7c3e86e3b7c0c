/* prova_lagom inside a trial of a command sweep: the test is the worker, and reads the FIFO. */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/prova.h"

static char directory[64], fifo[80];
static int fd;

static void set_up(void)
{
    strcpy(directory, "/tmp/prova-env-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(fifo, sizeof fifo, "%s/.reports", directory);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    fd = open(fifo, O_RDWR | O_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    setenv("PROVA_TRIAL_DIR", directory, 1);
    setenv("PROVA_PARAMS", "{\"lr\": 0.25, \"hidden\": 64, \"solver\": \"adam\", \"fast\": true}", 1);
    setenv("PROVA_METRIC", "accuracy", 1);
    setenv("PROVA_TRIAL", "12", 1);
    setenv("PROVA_ATTEMPT", "2", 1);
    setenv("PROVA_BUDGET", "9", 1);
    setenv("PROVA_SEED", "4242", 1);
    setenv("PROVA_ABLATED", "feature:age,layer:2", 1);
    setenv("PROVA_EXPERIMENT_NAME", "outer", 1);
}

static void tear_down(void)
{
    close(fd);
    unlink(fifo);
    rmdir(directory);
}

static const char *read_fifo(void)
{
    static char text[4096];
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static prova_config *make_config(void)
{
    prova_config *config = prova_config_new("inner");
    prova_config_double(config, "lr", 1e-4, 1, PROVA_LOG);
    prova_config_int(config, "hidden", 8, 256, PROVA_LINEAR);
    prova_config_categorical(config, "solver", (const char *const[]){"sgd", "adam"}, 2);
    prova_config_double(config, "momentum", 0, 1, PROVA_LINEAR);
    prova_config_when(config, "momentum", "solver", (const char *const[]){"sgd"}, 1);
    prova_config_int(config, "batch", 8, 64, PROVA_LINEAR);
    prova_config_default(config, "batch", "32");
    prova_config_int(config, "nowhere", 8, 64, PROVA_LINEAR);
    ck_assert_str_eq(prova_config_error(config), "");
    return config;
}

static prova_result *run(prova_train_fn train)
{
    prova_config *config = make_config();
    prova_result *result = prova_lagom(train, NULL, config);
    ck_assert_ptr_nonnull(result);
    prova_config_free(config);
    return result;
}

static int look_at_everything(prova_trial *trial, void *arg)
{
    (void)arg;
    ck_assert_double_eq(prova_double(trial, "lr"), 0.25);
    ck_assert_int_eq(prova_ablated(trial, "layer", "2"), 1);
    ck_assert_int_eq(prova_ablated(trial, "layer", "1"), 0);
    ck_assert_int_eq(prova_int(trial, "hidden"), 64);
    ck_assert_str_eq(prova_string(trial, "solver"), "adam");
    ck_assert_str_eq(prova_string(trial, "fast"), "true");
    ck_assert_int_eq(prova_active(trial, "momentum"), 0);
    ck_assert(isnan(prova_double(trial, "momentum")));
    ck_assert_int_eq(prova_int(trial, "batch"), 32); /* its default: the sweep does not have it */
    ck_assert_int_eq(prova_trial_number(trial), 12);
    ck_assert_int_eq(prova_trial_attempt(trial), 2);
    ck_assert_int_eq(prova_budget(trial, 1), 9);
    ck_assert_uint_eq(prova_trial_seed(trial), 4242);
    ck_assert_str_eq(prova_directory(trial), directory);
    return prova_finish(trial, 0.5);
}

START_TEST(the_function_sees_the_sweeps_parameters)
{
    prova_result *result = run(look_at_everything);
    ck_assert_str_eq(prova_result_error(result), "");
    ck_assert_str_eq(prova_result_name(result), "outer");
    ck_assert_int_eq(prova_result_best_trial(result), 12);
    ck_assert_double_eq(prova_result_best_value(result), 0.5);
    ck_assert_str_eq(prova_result_best_param(result, "solver"), "adam");
    ck_assert_str_eq(read_fifo(), "accuracy=0.5\n");
    prova_result_free(result);
}
END_TEST

static int report_thrice(prova_trial *trial, void *arg)
{
    (void)arg;
    for (int step = 1; step <= 3; step++)
        prova_report(trial, step, 0.25 * step);
    prova_report_metric(trial, 3, "loss", 2.5);
    return prova_finish(trial, 0.75);
}

START_TEST(reports_go_through_the_fifo_and_the_last_one_is_not_doubled)
{
    prova_result *result = run(report_thrice);
    ck_assert_int_eq(prova_result_code(result), 0);
    ck_assert_str_eq(read_fifo(),
                     "step=1 accuracy=0.25\nstep=2 accuracy=0.5\nstep=3 accuracy=0.75\nstep=3 loss=2.5\n");
    prova_result_free(result);
}
END_TEST

static int ask_for_nothing(prova_trial *trial, void *arg)
{
    (void)arg;
    prova_int(trial, "nowhere");
    return prova_finish(trial, 1);
}

START_TEST(a_parameter_without_any_value_fails_the_trial)
{
    prova_result *result = run(ask_for_nothing);
    ck_assert_int_eq(prova_result_code(result), PROVA_EFAILED);
    ck_assert_ptr_nonnull(strstr(prova_result_error(result), "'nowhere'"));
    ck_assert_int_eq(prova_result_count(result, "FAILED"), 1);
    ck_assert_str_eq(read_fifo(), "");
    prova_result_free(result);
}
END_TEST

static int return_seven(prova_trial *trial, void *arg)
{
    (void)trial;
    (void)arg;
    return 7;
}

START_TEST(a_return_that_is_not_zero_fails)
{
    prova_result *result = run(return_seven);
    ck_assert_int_eq(prova_result_code(result), PROVA_EFAILED);
    ck_assert_ptr_nonnull(strstr(prova_result_error(result), "returned 7"));
    prova_result_free(result);
}
END_TEST

static int finish_without_a_number(prova_trial *trial, void *arg)
{
    (void)arg;
    return prova_finish(trial, NAN);
}

START_TEST(an_objective_that_is_no_number_fails)
{
    prova_result *result = run(finish_without_a_number);
    ck_assert_int_eq(prova_result_code(result), PROVA_EFAILED);
    ck_assert_int_eq(prova_result_best_trial(result), 0);
    prova_result_free(result);
}
END_TEST

static int stop_midway(prova_trial *trial, void *arg)
{
    (void)arg;
    ck_assert_int_eq(prova_report(trial, 1, 0.125), 0);
    raise(SIGTERM); /* as the worker does */
    ck_assert_int_ne(prova_stopped(trial), 0);
    ck_assert_int_ne(prova_report(trial, 2, 0.25), 0);
    return prova_finish(trial, 0.25);
}

START_TEST(sigterm_asks_the_function_to_stop)
{
    prova_result *result = run(stop_midway);
    ck_assert_int_eq(prova_result_code(result), 0);
    ck_assert_int_eq(prova_result_count(result, "STOPPED"), 1);
    ck_assert_str_eq(read_fifo(), "step=1 accuracy=0.125\nstep=2 accuracy=0.25\n");
    prova_result_free(result);
}
END_TEST

START_TEST(parameters_that_are_no_object_are_refused)
{
    setenv("PROVA_PARAMS", "[1, 2", 1);
    prova_result *result = run(report_thrice);
    ck_assert_int_eq(prova_result_code(result), PROVA_EINVALID);
    ck_assert_ptr_nonnull(strstr(prova_result_error(result), "PROVA_PARAMS"));
    prova_result_free(result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("env_trial");
    TCase *tc = tcase_create("env_trial");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_function_sees_the_sweeps_parameters);
    tcase_add_test(tc, reports_go_through_the_fifo_and_the_last_one_is_not_doubled);
    tcase_add_test(tc, a_parameter_without_any_value_fails_the_trial);
    tcase_add_test(tc, a_return_that_is_not_zero_fails);
    tcase_add_test(tc, an_objective_that_is_no_number_fails);
    tcase_add_test(tc, sigterm_asks_the_function_to_stop);
    tcase_add_test(tc, parameters_that_are_no_object_are_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
