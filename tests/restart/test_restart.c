/* A process that appends is killed: at every write, truncation and sync that it makes, with that write whole,
 * not begun, or torn; and after every commit that it was told of. Whatever it was told is on disk must be
 * there when the database is opened again, whole transactions only, and the store must go on from it. */
#include <check.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/fault_vfs.h"
#include "tests/store/sample.h"

enum { N_GROUPS = 12, MAX_OPERATIONS = 400 };

static struct sample sample;

static void set_up(void)
{
    fault_vfs_install();
    fault_vfs_kill(0, false);
    sample_set_up(&sample);
}

static void tear_down(void)
{
    sample_tear_down(&sample);
}

/* What the child tells after each commit that it hears of: how many groups are safe. */
static void tell(int pipe_fd, int n_groups)
{
    unsigned char byte = (unsigned char)n_groups;
    if (write(pipe_fd, &byte, 1) != 1)
        _exit(3);
}

/* Group g (from 1): trial g begins, reports g values, and ends; all in one transaction or not at all. */
static int64_t append_group(struct store *store, int g)
{
    struct report reports[N_GROUPS];
    struct record report = sample_report(1, (uint64_t)g, 1, reports);
    struct curve curve = {0};
    for (int i = 0; i < g; i++) {
        reports[i] = (struct report){.step = i, .value = g + i / 16.0};
        curve_add(&curve, i, g + i / 16.0);
    }
    report.reports.reports.n = (size_t)g;
    struct record end = sample_trial(1, (uint64_t)g, TRIAL_COMPLETED, g % 2 ? sample_sgd : sample_adam);
    end.trial.value = g;
    end.trial.curve = &curve;
    sample_append(store, sample_trial(1, (uint64_t)g, TRIAL_ASSIGNED, g % 2 ? sample_sgd : sample_adam));
    sample_append(store, report);
    sample_append(store, sample_attempt(1, (uint64_t)g, 1, OUTCOME_COMPLETED));
    int64_t seq = sample_append(store, end);
    curve_fini(&curve);
    return seq;
}

/* The life of the process that is to be killed. After `n_commits` commits (0: never) it waits for that. */
static void live(int pipe_fd, int first_group, int n_commits)
{
    struct store *store = sample_open(&sample);
    if (first_group == 1)
        sample_append(store, sample_experiment(&sample, 1, "killed"));
    for (int g = first_group; g < first_group + N_GROUPS / 2; g++) {
        int64_t seq = append_group(store, g);
        store_flush(store);
        while (store_committed(store) < seq) {
            struct pollfd fd = {.fd = store_event_fd(store), .events = POLLIN};
            (void)poll(&fd, 1, -1);
        }
        tell(pipe_fd, g);
        while (g - first_group + 1 == n_commits)
            (void)pause();
    }
    sample_close(store);
    _exit(0);
}

/* Lives once, killed at `operation` or after `n_commits`. Returns the last group that was told to be safe (or
 * `safe`, that was before); *ended: it came to its end unharmed. */
static int live_and_die(int safe, long operation, bool is_torn, int n_commits, bool *ended)
{
    int told[2];
    unsigned char byte;
    ck_assert_int_eq(pipe(told), 0);
    pid_t pid = fork();
    if (!pid) {
        close(told[0]);
        fault_vfs_kill(operation, is_torn);
        live(told[1], safe + 1, n_commits);
    }
    close(told[1]);
    while (read(told[0], &byte, 1) == 1) {
        safe = byte;
        if (n_commits && !--n_commits)
            kill(pid, SIGKILL);
    }
    close(told[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    *ended = WIFEXITED(status);
    ck_assert(*ended ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
    return safe;
}

/* What the next driver finds. */
struct found {
    int n_trials;
};

static int find_experiment(void *arg, const struct experiment_record *record, struct spec *spec,
                           struct err *err)
{
    (void)arg, (void)record, (void)err;
    spec_destroy(spec);
    return 0;
}

static int find_trial(void *arg, const struct trial_record *record, const struct curve *curve,
                      struct err *err)
{
    struct found *found = arg;
    (void)err;
    uint64_t g = (uint64_t)++found->n_trials;
    ck_assert_uint_eq(record->trial, g);
    ck_assert_int_eq(record->state, TRIAL_COMPLETED);
    ck_assert_double_eq(record->value, (double)g);
    ck_assert_uint_eq(curve->n, g);
    for (size_t i = 0; i < curve->n; i++)
        ck_assert_double_eq(curve->values[i], (double)g + (double)i / 16);
    return 0;
}

/* Opens what is left and checks that at least `safe` groups are there, each whole. Returns how many. */
static int recover(int safe)
{
    struct found found = {0};
    struct store_loader loader = {.experiment = find_experiment, .trial = find_trial, .arg = &found};
    struct err err = {0};
    struct store *store = sample_open(&sample);
    int rc = store_load(store, (struct id){{0}}, &loader, &err);
    ck_assert_msg(!rc, "%s", err.text);
    ck_assert_int_ge(found.n_trials, safe);
    int n = found.n_trials;
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM reports"), n * (n + 1) / 2);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM attempts"), n);
    ck_assert_str_eq(sample_text(&sample, "PRAGMA integrity_check"), "ok");
    if (!store_has_experiment(NULL, store, sample_id(1)))
        sample_append(store, sample_experiment(&sample, 1, "killed"));
    sample_close(store);
    return n;
}

/* Dies, comes back, lives on, and all of it is there. */
static void die_once(long operation, bool is_torn, int n_commits, bool *ended)
{
    int safe = live_and_die(0, operation, is_torn, n_commits, ended);
    safe = recover(safe);
    bool second_ended = false;
    safe = live_and_die(safe, 0, false, 0, &second_ended);
    ck_assert(second_ended);
    ck_assert_int_eq(recover(safe), safe);
}

static void die_everywhere(bool is_torn)
{
    bool ended = false;
    int n = 0;
    for (long operation = 1; !ended; operation++, n++) {
        ck_assert_int_lt(operation, MAX_OPERATIONS);
        die_once(operation, is_torn, 0, &ended);
        tear_down();
        set_up();
    }
    ck_assert_int_gt(n, 3 * N_GROUPS / 2); /* it was killed many times, not once */
}

START_TEST(killed_before_any_write_or_sync_nothing_committed_is_lost)
{
    die_everywhere(false);
}
END_TEST

START_TEST(killed_within_any_write_nothing_committed_is_lost)
{
    die_everywhere(true);
}
END_TEST

START_TEST(killed_after_any_commit_nothing_committed_is_lost)
{
    bool ended = false;
    die_once(0, false, _i, &ended);
    ck_assert(!ended);
}
END_TEST

/* Groups are flushed without waiting, so the kill comes at any instant: in between, within a sync, or later.
 */
static void rush(int pipe_fd)
{
    struct store *store = sample_open(&sample);
    int64_t last[N_GROUPS + 1] = {0};
    int told = 0;
    sample_append(store, sample_experiment(&sample, 1, "killed"));
    for (int g = 1; g <= N_GROUPS; g++) {
        last[g] = append_group(store, g);
        store_flush(store);
        int64_t committed = store_committed(store);
        while (told < g && last[told + 1] <= committed)
            tell(pipe_fd, ++told);
    }
    for (;;)
        (void)pause();
}

START_TEST(killed_at_any_time_nothing_committed_is_lost)
{
    int told[2], safe = 0;
    unsigned char byte;
    ck_assert_int_eq(pipe(told), 0);
    pid_t pid = fork();
    if (!pid) {
        close(told[0]);
        rush(told[1]);
    }
    close(told[1]);
    struct pollfd fd = {.fd = told[0], .events = POLLIN};
    (void)poll(&fd, 1, _i); /* the spread of instants is what this test is for */
    kill(pid, SIGKILL);
    while (read(told[0], &byte, 1) == 1)
        safe = byte;
    close(told[0]);
    waitpid(pid, NULL, 0);
    recover(safe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *kills = tcase_create("kills");
    tcase_add_checked_fixture(kills, set_up, tear_down);
    tcase_set_timeout(kills, 200);
    tcase_add_test(kills, killed_before_any_write_or_sync_nothing_committed_is_lost);
    tcase_add_test(kills, killed_within_any_write_nothing_committed_is_lost);
    tcase_add_loop_test(kills, killed_after_any_commit_nothing_committed_is_lost, 1, N_GROUPS / 2 + 1);
    tcase_add_loop_test(kills, killed_at_any_time_nothing_committed_is_lost, 0, 20);
    suite_add_tcase(suite, kills);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
