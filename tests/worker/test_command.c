/* Command trials: every way to report, every way to end, and nothing left behind. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_driver.h"

static struct fake fake;
static struct ending ending;

static void set_up(void)
{
    memset(&ending, 0, sizeof ending);
    fake_init(&fake);
}

static void tear_down(void)
{
    ending_fini(&ending);
    fake_fini(&fake);
}

/* `script` is run by a shell; in JSON's quoting. */
static void begin(const char *script, const char *more)
{
    char train[4096];
    (void)snprintf(train, sizeof train, "{\"command\": [\"/bin/sh\", \"-c\", \"%s\"], \"grace_s\": 0.2}",
                   script);
    fake_begin(&fake, fake_spec(train, more), NULL);
    fake_assign(&fake, 1, 1, 0);
}

static void run(const char *script, const char *more)
{
    begin(script, more);
    fake_await_end(&ending, &fake);
}

/* Reports */

static void check_two_reports(void)
{
    ck_assert_msg(ending.outcome == OUTCOME_COMPLETED, "%s", ending.text);
    ck_assert_uint_eq(ending.n, 2);
    ck_assert_int_eq(ending.reports[0].step, 1);
    ck_assert_int_eq(ending.reports[1].step, 2);
    ck_assert(ending.reports[0].value == 0.5);
    ck_assert(ending.reports[1].value == 0.75);
    ck_assert_uint_eq(ending.reports[0].metric, 0);
    ck_assert(ending.value == 0.75);
}

static const struct {
    const char *script, *more;
} ways[] = {
    {"echo 'prova: step=1 val_accuracy=0.5'; echo noise; echo 'prova: step=2 val_accuracy=0.75'", ""},
    {"echo 'prova: val_accuracy=0.5'; echo 'prova: val_accuracy=0.75' >&2", ""},
    {"echo step=1 val_accuracy=0.5 > $PROVA_TRIAL_DIR/.reports; echo val_accuracy=0.75 > $PROVA_TRIAL_DIR/.reports",
     ""},
    {"echo 'epoch done, accuracy: 0.5 (ok)'; printf 'accuracy: 0.75'",
     "\"metric\": {\"name\": \"val_accuracy\", \"pattern\": \"accuracy: ([0-9.]+)\"}"},
};

START_TEST(a_command_reports_in_several_ways)
{
    run(ways[_i].script, ways[_i].more);
    check_two_reports();
}
END_TEST

START_TEST(other_metrics_travel_along)
{
    run("echo 'prova: step=1 loss=3 val_accuracy=0.5 lr=1e-3'; echo 'prova: loss=2'", "");
    ck_assert_uint_eq(ending.n, 4);
    ck_assert_str_eq(ending.names[ending.reports[0].metric], "loss");
    ck_assert_str_eq(ending.names[ending.reports[2].metric], "lr");
    ck_assert_int_eq(ending.reports[3].step, 2);
    ck_assert(ending.value == 0.5);
}
END_TEST

START_TEST(reports_come_while_the_command_runs)
{
    begin("echo 'prova: val_accuracy=1'; while ! test -e $PROVA_TRIAL_DIR/go; do sleep 0.01; done", "");
    const struct wire_progress *progress;
    do {
        progress = &fake_expect(&fake, WIRE_PROGRESS)->progress;
        fake.seq = progress->seq;
    } while (progress->reports.n == 0);
    ck_assert_uint_eq(progress->outcome, OUTCOME_NONE);
    char go[512];
    (void)snprintf(go, sizeof go, "%s/go", fake_trial_directory(&fake, 1));
    (void)fclose(fopen(go, "w"));
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(many_reports_of_a_command_all_arrive)
{
    run("i=0; while test $i -lt 5000; do i=$((i+1)); echo prova: step=$i val_accuracy=$i; done", "");
    ck_assert_uint_eq(ending.n, 5000);
    for (size_t i = 0; i < 5000; i++)
        ck_assert_int_eq(ending.reports[i].step, (int64_t)i + 1);
}
END_TEST

/* Its surroundings */

START_TEST(parameters_come_as_arguments_and_in_the_environment)
{
    run("echo ${lr} ${trial} ${budget}; printf '%s\\\\n' \\\"$PROVA_PARAMS\\\" $PROVA_TRIAL $PROVA_ATTEMPT $PROVA_BUDGET "
        "$PROVA_EXPERIMENT_NAME $PROVA_METRIC $PROVA_TRIAL_DIR; echo prova: val_accuracy=$PROVA_SEED",
        "");
    const char *got = fake_read_file(&fake, ending.log);
    ck_assert_msg(strstr(got, "0.1 1 3\n") == got, "%s", got);
    ck_assert_msg(strstr(got, "\"lr\"") && strstr(got, "\ntest\nval_accuracy\n"), "%s", got);
    ck_assert_msg(strstr(got, fake_trial_directory(&fake, 1)) != NULL, "%s", got);
    ck_assert(ending.value >= 0 && ending.value < 0x1p31);
}
END_TEST

START_TEST(the_environment_of_the_worker_is_not_that_of_a_trial)
{
    ck_assert_int_eq(setenv("PROVA_ROLE", "worker", 1), 0);
    ck_assert_int_eq(setenv("PROVA_TRIAL", "77", 1), 0);
    ck_assert_int_eq(setenv("PROVA_ABLATED", "layer:2", 1), 0);
    ck_assert_int_eq(setenv("SOMETHING_ELSE", "kept", 1), 0);
    run("echo [$PROVA_ROLE] [$PROVA_TRIAL] [$SOMETHING_ELSE] [$PROVA_ABLATED]; echo prova: val_accuracy=1",
        "");
    ck_assert_ptr_nonnull(strstr(fake_read_file(&fake, ending.log), "[] [1] [kept] []\n"));
}
END_TEST

START_TEST(a_command_runs_in_its_directory)
{
    fake_begin(
        &fake,
        fake_spec(
            "{\"command\": [\"sh\", \"-c\", \"pwd; echo prova: val_accuracy=1\"], \"directory\": \"/usr\"}",
            ""),
        NULL);
    fake_assign(&fake, 1, 1, 0);
    fake_await_end(&ending, &fake);
    ck_assert_str_eq(fake_read_file(&fake, ending.log), "/usr\nprova: val_accuracy=1\n");
}
END_TEST

START_TEST(a_command_inherits_no_descriptors_and_no_input)
{
    run("ls /proc/self/fd | wc -l; wc -c; echo prova: val_accuracy=1", "");
    ck_assert_str_eq(fake_read_file(&fake, ending.log),
                     "4\n0\nprova: val_accuracy=1\n"); /* 0, 1, 2 and ls's own */
}
END_TEST

/* Output */

START_TEST(the_output_is_kept_whole)
{
    run("head -c 3000000 /dev/zero | tr '\\\\000' x; echo; echo prova: val_accuracy=1; head -c 300000 /dev/zero >&2",
        "");
    ck_assert_msg(ending.outcome == OUTCOME_COMPLETED, "%s", ending.text);
    FILE *file = fopen(ending.log, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    ck_assert_int_eq(ftell(file), 3000000 + 1 + 22 + 300000);
    (void)fclose(file);
}
END_TEST

START_TEST(each_attempt_has_a_log_of_its_own)
{
    run("echo attempt $PROVA_ATTEMPT; echo prova: val_accuracy=1", "");
    char first[512];
    (void)snprintf(first, sizeof first, "%s", ending.log);
    ending_fini(&ending);
    fake_assign(&fake, 1, 2, 0);
    fake_await_end(&ending, &fake);
    ck_assert_ptr_nonnull(strstr(first, "/1/output-1.log"));
    ck_assert_ptr_nonnull(strstr(ending.log, "/1/output-2.log"));
    ck_assert_ptr_nonnull(strstr(fake_read_file(&fake, first), "attempt 1"));
    ck_assert_ptr_nonnull(strstr(fake_read_file(&fake, ending.log), "attempt 2"));
}
END_TEST

START_TEST(output_of_a_helper_that_outlives_the_command_is_not_lost)
{
    run("(sleep 0.02; echo prova: val_accuracy=1) & true", "");
    ck_assert_msg(ending.outcome == OUTCOME_COMPLETED, "%s", ending.text);
}
END_TEST

/* Endings */

static const struct {
    const char *script;
    enum outcome outcome;
    const char *text;
} endings[] = {
    /* $$ is a $ of the sweep file's commands */
    {"echo prova: val_accuracy=1", OUTCOME_COMPLETED, ""},
    {"true", OUTCOME_FAILED, "a line 'prova: step=1 val_accuracy=0.5' of its output"},
    {"echo prova: accuracy=1", OUTCOME_FAILED, "it reported only 'accuracy'"},
    {"echo prova: val_accuracy 1", OUTCOME_FAILED, "not understood: ' val_accuracy 1'"},
    {"echo prova: step=9007199254740993 val_accuracy=1", OUTCOME_FAILED,
     "val_accuracy=1' (steps are whole numbers from 0 to 2^53)"},
    {"echo prova: step=9007199254740992 val_accuracy=1; echo prova: val_accuracy=2", OUTCOME_COMPLETED, ""},
    {"echo prova: val_accuracy=nan", OUTCOME_FAILED, "the last value of 'val_accuracy' was nan"},
    {"echo one; echo two >&2; exit 3", OUTCOME_FAILED, "exit status 3: one | two"},
    {"echo prova: val_accuracy=1; exit 1", OUTCOME_FAILED, "exit status 1"},
    {"no_such_program_at_all", OUTCOME_FAILED, "exit status 127 (of a shell: a command was not found)"},
    {"kill -SEGV $$$$", OUTCOME_LOST, "killed by signal 11 (Segmentation fault)"},
    {"echo last words; kill -KILL $$$$", OUTCOME_LOST, "killed by signal 9 (Killed): last words"},
    {"kill -TERM $$$$", OUTCOME_LOST, "killed by signal 15"},
};

START_TEST(a_command_ends)
{
    run(endings[_i].script, "");
    ck_assert_uint_eq(ending.outcome, endings[_i].outcome);
    ck_assert_msg(strstr(ending.text, endings[_i].text) != NULL, "the text is: %s", ending.text);
    ck_assert(isnan(ending.value) == (ending.outcome != OUTCOME_COMPLETED));
}
END_TEST

START_TEST(a_pattern_that_never_matches_is_named)
{
    run("echo acc 1", "\"metric\": {\"name\": \"val_accuracy\", \"pattern\": \"accuracy: ([0-9.]+)\"}");
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert_ptr_nonnull(strstr(ending.text, "matched the metric's pattern 'accuracy: ([0-9.]+)'"));
}
END_TEST

static const struct {
    const char *train, *text;
} missing[] = {
    {"{\"command\": [\"no_such_program_at_all\"]}",
     "command 'no_such_program_at_all' not found on the PATH (/"},
    {"{\"command\": [\"./nowhere\"], \"directory\": \"/usr\"}",
     "cannot run './nowhere' in /usr: No such file"},
    {"{\"command\": [\"/etc/passwd\"]}", "cannot run '/etc/passwd' in"},
    {"{\"command\": [\"true\"], \"directory\": \"/nowhere\"}",
     "cannot enter the directory of the command, /nowhere"},
};

START_TEST(a_program_that_cannot_be_started_is_named)
{
    fake_begin(&fake, fake_spec(missing[_i].train, ""), NULL);
    fake_assign(&fake, 1, 1, 0);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert_msg(strstr(ending.text, missing[_i].text) != NULL, "the text is: %s", ending.text);
}
END_TEST

/* Stops. The scripts write a file once they are ready. */

#define READY   "echo ready > $PROVA_TRIAL_DIR/ready; "
#define FOREVER "while true; do sleep 0.01; done"

static void begin_and_await_ready(const char *script)
{
    char path[512];
    begin(script, "");
    (void)snprintf(path, sizeof path, "%s/ready", fake_trial_directory(&fake, 1));
    fake_await_file(path);
}

START_TEST(a_stop_is_sigterm_and_the_command_may_still_report)
{
    begin_and_await_ready(
        "trap 'echo prova: val_accuracy=5; exit 0' TERM; echo prova: val_accuracy=4; " READY FOREVER);
    fake_stop(&fake, 1, 1, STOP_EARLY);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_STOPPED);
    ck_assert_uint_eq(ending.n, 2);
    ck_assert(ending.value == 5);
}
END_TEST

START_TEST(a_command_that_ignores_sigterm_is_killed_with_all_its_group)
{
    begin_and_await_ready("trap '' TERM; (trap '' TERM; " FOREVER ") & " READY FOREVER);
    fake_stop(&fake, 1, 1, STOP_CANCELLED);
    fake_await_end(&ending, &fake);
    ck_assert_uint_eq(ending.outcome, OUTCOME_STOPPED);
    ck_assert(isnan(ending.value));
}
END_TEST

START_TEST(a_stale_command_is_killed_at_once)
{
    begin_and_await_ready("trap '' TERM; " READY FOREVER);
    fake_stop(&fake, 1, 1, STOP_STALE);
    do
        fake_await_heartbeat(&fake);
    while (fake.message.heartbeat.trial);
}
END_TEST

START_TEST(what_a_command_leaves_behind_is_killed)
{
    run("sleep 1000 & sleep 1000 > /dev/null 2>&1 & echo prova: val_accuracy=1", "");
    ck_assert_uint_eq(ending.outcome, OUTCOME_COMPLETED);
}
END_TEST

START_TEST(a_command_over_its_time_limit_is_stopped_and_fails)
{
    run(FOREVER, "\"limits\": {\"trial_hours\": 3e-5}");
    ck_assert_uint_eq(ending.outcome, OUTCOME_FAILED);
    ck_assert_ptr_nonnull(strstr(ending.text, "time limit of 3e-05 h"));
}
END_TEST

START_TEST(a_signal_to_the_worker_stops_its_command)
{
    begin_and_await_ready(READY FOREVER);
    ck_assert_int_eq(kill(fake.host, SIGTERM), 0);
    (void)fake_expect(&fake, WIRE_LEAVE);
    ck_assert_int_eq(fake_await_host(&fake), 12);
}
END_TEST

START_TEST(a_killed_slot_takes_its_command_along)
{
    begin_and_await_ready("(" FOREVER ") & " READY FOREVER);
    ck_assert_int_eq(kill(fake.host, SIGKILL), 0);
    fake.host = 0; /* tear_down waits until all have ended */
}
END_TEST

START_TEST(a_second_signal_kills_the_command_too)
{
    begin_and_await_ready("trap '' TERM; (trap '' TERM; " FOREVER ") & " READY FOREVER);
    ck_assert_int_eq(kill(fake.host, SIGTERM), 0);
    fake_await_heartbeat(&fake);
    if (kill(fake.host, SIGTERM)) /* the grace period may be over */
        fake.host = 0;
    else
        ck_assert_int_eq(fake_await_host(&fake), 12);
}
END_TEST

static TCase *new_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 100);
    return tcase;
}

static TCase *reports_case(void)
{
    TCase *tcase = new_case("reports");
    tcase_add_loop_test(tcase, a_command_reports_in_several_ways, 0, sizeof ways / sizeof *ways);
    tcase_add_test(tcase, other_metrics_travel_along);
    tcase_add_test(tcase, reports_come_while_the_command_runs);
    tcase_add_test(tcase, many_reports_of_a_command_all_arrive);
    return tcase;
}

static TCase *surroundings_case(void)
{
    TCase *tcase = new_case("surroundings");
    tcase_add_test(tcase, parameters_come_as_arguments_and_in_the_environment);
    tcase_add_test(tcase, the_environment_of_the_worker_is_not_that_of_a_trial);
    tcase_add_test(tcase, a_command_runs_in_its_directory);
    tcase_add_test(tcase, a_command_inherits_no_descriptors_and_no_input);
    return tcase;
}

static TCase *output_case(void)
{
    TCase *tcase = new_case("output");
    tcase_add_test(tcase, the_output_is_kept_whole);
    tcase_add_test(tcase, each_attempt_has_a_log_of_its_own);
    tcase_add_test(tcase, output_of_a_helper_that_outlives_the_command_is_not_lost);
    return tcase;
}

static TCase *endings_case(void)
{
    TCase *tcase = new_case("endings");
    tcase_add_loop_test(tcase, a_command_ends, 0, sizeof endings / sizeof *endings);
    tcase_add_test(tcase, a_pattern_that_never_matches_is_named);
    tcase_add_loop_test(tcase, a_program_that_cannot_be_started_is_named, 0,
                        sizeof missing / sizeof *missing);
    return tcase;
}

static TCase *stops_case(void)
{
    TCase *tcase = new_case("stops");
    tcase_add_test(tcase, a_stop_is_sigterm_and_the_command_may_still_report);
    tcase_add_test(tcase, a_command_that_ignores_sigterm_is_killed_with_all_its_group);
    tcase_add_test(tcase, a_stale_command_is_killed_at_once);
    tcase_add_test(tcase, what_a_command_leaves_behind_is_killed);
    tcase_add_test(tcase, a_command_over_its_time_limit_is_stopped_and_fails);
    tcase_add_test(tcase, a_signal_to_the_worker_stops_its_command);
    tcase_add_test(tcase, a_killed_slot_takes_its_command_along);
    tcase_add_test(tcase, a_second_signal_kills_the_command_too);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("command");
    suite_add_tcase(suite, reports_case());
    suite_add_tcase(suite, surroundings_case());
    suite_add_tcase(suite, output_case());
    suite_add_tcase(suite, endings_case());
    suite_add_tcase(suite, stops_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
