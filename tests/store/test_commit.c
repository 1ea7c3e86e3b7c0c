/* Transactions: what is in one, when it is told, and what happens when one fails. */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/fault_vfs.h"
#include "tests/store/sample.h"

static struct sample sample;
static struct store *store;

static void set_up(void)
{
    fault_vfs_install();
    fault_vfs_fail(0, 0);
    sample_set_up(&sample);
    store = NULL;
}

static void tear_down(void)
{
    store_close(store, NULL);
    sample_tear_down(&sample);
}

/* A store with experiment 1 in it. */
static void begin(void)
{
    store = sample_open(&sample);
    sample_append(store, sample_experiment(&sample, 1, "one"));
}

/* Transactions */

static void wait_event(void)
{
    struct pollfd fd = {.fd = store_event_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 30000), 1);
}

START_TEST(nothing_is_written_before_a_flush)
{
    begin();
    sample_sync(store);
    store_committed(store);
    int64_t seq = sample_append(store, sample_event(1, 0, 1, "waits"));
    struct pollfd fd = {.fd = store_event_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    store_flush(store);
    wait_event();
    ck_assert_int_eq(store_committed(store), seq);
}
END_TEST

START_TEST(what_gathers_during_a_sync_is_one_transaction)
{
    begin();
    sample_sync(store);
    fault_vfs_fail(0, 0); /* counts from here */
    fault_vfs_hold();
    sample_append(store, sample_event(1, 0, 1, "first"));
    store_flush(store);
    fault_vfs_hold_wait();
    int64_t seq = 0;
    for (int i = 0; i < 500; i++) {
        seq = sample_append(store, sample_event(1, 0, 1, "gathers"));
        store_flush(store);
    }
    fault_vfs_release();
    sample_sync(store);
    ck_assert_int_eq(store_committed(store), seq);
    ck_assert_int_eq(fault_vfs_syncs(), 2);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM events"), 501);
}
END_TEST

START_TEST(committed_number_is_never_ahead_of_the_disk)
{
    begin();
    sample_sync(store);
    sqlite3 *db = NULL;
    sqlite3_stmt *count = NULL;
    ck_assert_int_eq(sqlite3_open(sample.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM events", -1, &count, NULL), SQLITE_OK);
    int64_t seq = 1, committed = 0;
    for (int round = 0; round < 200 || committed < seq; round++) {
        for (int i = 0; round < 200 && i <= round % 7; i++)
            seq = sample_append(store, sample_event(1, 0, 1, "x"));
        store_flush(store);
        wait_event();
        committed = store_committed(store);
        ck_assert_int_eq(sqlite3_step(count), SQLITE_ROW);
        ck_assert_int_ge(sqlite3_column_int64(count, 0), committed - 1); /* number 1 is the experiment */
        sqlite3_reset(count);
    }
    sqlite3_finalize(count);
    sqlite3_close(db);
}
END_TEST

START_TEST(copies_do_not_depend_on_what_was_appended)
{
    char text[] = "original";
    double point[N_PARAMS];
    memcpy(point, sample_sgd, sizeof point);
    begin();
    struct record trial = sample_trial(1, 1, TRIAL_FAILED, point);
    trial.trial.text = text;
    sample_append(store, trial);
    memset(text, 'x', sizeof text - 1);
    memcpy(point, sample_adam, sizeof point);
    sample_sync(store);
    ck_assert_str_eq(sample_text(&sample, "SELECT text FROM trials"), "original");
    ck_assert_int_eq(sample_number(&sample, "SELECT params ->> '$.n' FROM trials"), 200);
}
END_TEST

START_TEST(records_larger_than_a_chunk_are_kept)
{
    size_t size = (size_t)1 << 20;
    char *text = malloc(size);
    memset(text, 'y', size - 1);
    text[size - 1] = '\0';
    begin();
    sample_append(store, sample_event(1, 0, 1, text));
    sample_append(store, sample_event(1, 0, 1, "small"));
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT max(length(text)) FROM events"), (int64_t)size - 1);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM events"), 2);
    free(text);
}
END_TEST

START_TEST(closing_commits_what_was_appended)
{
    begin();
    sample_append(store, sample_event(1, 0, 1, "last words"));
    sample_close(store);
    store = NULL;
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM events"), 1);
}
END_TEST

/* Failure */

static void fail_with(int sqlite_code, int code, const char *says)
{
    struct err err = {0};
    begin();
    sample_append(store, sample_event(1, 0, 1, "safe"));
    sample_sync(store);
    int64_t safe = store_committed(store);
    fault_vfs_fail(1, sqlite_code);
    sample_append(store, sample_event(1, 0, 1, "lost"));
    store_flush(store);
    wait_event();
    ck_assert_int_eq(store_committed(store), safe);
    ck_assert_int_eq(store_failure(store, &err), code);
    ck_assert_msg(strstr(err.text, says), "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "prova resume"));
    fault_vfs_fail(0, 0);
    sample_append(store, sample_event(1, 0, 1, "after"));
    ck_assert_int_eq(store_sync(store, NULL), code);
    ck_assert_int_eq(store_committed(store), safe);
    ck_assert_int_eq(store_close(store, &err), code);
    store = sample_open(&sample);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM events"), 1);
}

START_TEST(full_disk_ends_the_store_and_loses_nothing_committed)
{
    fail_with(SQLITE_FULL, ERR_FULL, "disk is full");
}
END_TEST

START_TEST(input_output_error_ends_the_store_and_loses_nothing_committed)
{
    fail_with(SQLITE_IOERR_WRITE, ERR_IO, "check the disk");
}
END_TEST

START_TEST(sync_error_is_a_failure_too)
{
    struct err err = {0};
    begin();
    sample_sync(store);
    fault_vfs_fail(0, 0);
    sample_append(store, sample_event(1, 0, 1, "safe"));
    sample_sync(store);
    int64_t safe = store_committed(store);
    ck_assert_int_eq(fault_vfs_syncs(), 1);
    fault_vfs_fail(fault_vfs_operations(), SQLITE_IOERR_FSYNC); /* the sync is the last one of a commit */
    sample_append(store, sample_event(1, 0, 1, "lost"));
    ck_assert_int_eq(store_sync(store, &err), ERR_IO);
    ck_assert_int_eq(fault_vfs_syncs(), 0);
    ck_assert_int_eq(store_committed(store), safe);
}
END_TEST

START_TEST(trial_of_an_unknown_experiment_ends_the_store)
{
    struct err err = {0};
    store = sample_open(&sample);
    sample_append(store, sample_trial(9, 1, TRIAL_PENDING, sample_sgd));
    ck_assert_int_eq(store_sync(store, &err), ERR_NOT_FOUND);
    ck_assert_int_eq(store_committed(store), 0);
}
END_TEST

START_TEST(lock_of_another_program_is_waited_for)
{
    sqlite3 *db = NULL;
    begin();
    sample_sync(store);
    ck_assert_int_eq(sqlite3_open(sample.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t before = store_committed(store);
    int64_t seq = sample_append(store, sample_event(1, 0, 1, "patient"));
    store_flush(store);
    struct pollfd fd = {.fd = store_event_fd(store), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 50), 0);
    ck_assert_int_eq(store_failure(store, NULL), 0);
    ck_assert_int_eq(store_committed(store), before);
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    wait_event();
    ck_assert_int_eq(store_committed(store), seq);
}
END_TEST

static Suite *commit_suite(void)
{
    Suite *suite = suite_create("commit");
    TCase *transactions = tcase_create("transactions");
    tcase_add_checked_fixture(transactions, set_up, tear_down);
    tcase_set_timeout(transactions, 60);
    tcase_add_test(transactions, nothing_is_written_before_a_flush);
    tcase_add_test(transactions, what_gathers_during_a_sync_is_one_transaction);
    tcase_add_test(transactions, committed_number_is_never_ahead_of_the_disk);
    tcase_add_test(transactions, copies_do_not_depend_on_what_was_appended);
    tcase_add_test(transactions, records_larger_than_a_chunk_are_kept);
    tcase_add_test(transactions, closing_commits_what_was_appended);
    tcase_add_test(transactions, full_disk_ends_the_store_and_loses_nothing_committed);
    tcase_add_test(transactions, input_output_error_ends_the_store_and_loses_nothing_committed);
    tcase_add_test(transactions, sync_error_is_a_failure_too);
    tcase_add_test(transactions, trial_of_an_unknown_experiment_ends_the_store);
    tcase_add_test(transactions, lock_of_another_program_is_waited_for);
    suite_add_tcase(suite, transactions);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(commit_suite());
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
