/* Whom a database is opened for, and what refusals say. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/sample.h"

static struct sample sample;
static struct store *store;

static void set_up(void)
{
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

static void reopen(void)
{
    if (store)
        sample_close(store);
    store = sample_open(&sample);
}

/* Opening */

static void refuse(int code, const char *says)
{
    struct err err = {0};
    struct store *refused = NULL;
    ck_assert_msg(store_open(&refused, sample.path, &err) == code, "%s", err.text);
    ck_assert_ptr_null(refused);
    ck_assert_msg(strstr(err.text, says), "%s", err.text);
}

START_TEST(second_store_is_refused_with_pid_and_endpoint)
{
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    store = sample_open(&sample);
    refuse(ERR_BUSY, pid);
    ck_assert_int_eq(store_set_endpoint(store, "tcp://127.0.0.1:5700", NULL), 0);
    refuse(ERR_BUSY, "tcp://127.0.0.1:5700");
    refuse(ERR_BUSY, "--db");
    reopen();
}
END_TEST

START_TEST(driver_of_another_process_is_found_until_it_is_killed)
{
    int ready[2];
    char byte;
    struct store_driver driver = {0};
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        struct store *mine = sample_open(&sample);
        store_set_endpoint(mine, "ipc:///tmp/x", NULL);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    refuse(ERR_BUSY, "ipc:///tmp/x");
    ck_assert_int_eq(store_find_driver(&driver, sample.path), 0);
    ck_assert_int_eq(driver.pid, pid);
    ck_assert_str_eq(driver.endpoint, "ipc:///tmp/x");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(store_find_driver(&driver, sample.path), ERR_NOT_FOUND);
    store = sample_open(&sample);
}
END_TEST

START_TEST(child_that_outlives_the_driver_does_not_keep_the_lock)
{
    int ready[2], end[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(end), 0);
    pid_t pid = fork();
    if (!pid) {
        sample_open(&sample);
        if (!fork()) { /* as a trial does that was running */
            close(end[1]);
            (void)!write(ready[1], "x", 1);
            (void)!read(end[0], &byte, 1);
            _exit(0);
        }
        for (;;)
            pause();
    }
    close(end[0]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    refuse(ERR_BUSY, "in use");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    store = sample_open(&sample);
    close(end[1]);
}
END_TEST

START_TEST(own_driver_is_found_without_losing_its_lock)
{
    struct store_driver driver = {0};
    store = sample_open(&sample);
    store_set_endpoint(store, "ipc:///tmp/y", NULL);
    ck_assert_int_eq(store_find_driver(&driver, sample.path), 0);
    ck_assert_str_eq(driver.endpoint, "ipc:///tmp/y");
    pid_t pid = fork();
    if (!pid) {
        struct store *second = NULL;
        _exit(store_open(&second, sample.path, NULL) == ERR_BUSY ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(closed_store_leaves_one_file)
{
    char name[128];
    const char *endings[] = {".lock", "-wal", "-shm"};
    begin();
    sample_close(store);
    store = NULL;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", sample.path, endings[i]);
        ck_assert_int_eq(access(name, F_OK), -1);
    }
    ck_assert_int_eq(access(sample.path, F_OK), 0);
}
END_TEST

START_TEST(lock_holds_for_every_name_of_the_file)
{
    char other[128];
    store = sample_open(&sample);
    snprintf(other, sizeof other, "%s/other.db", sample.folder);
    ck_assert_int_eq(symlink(sample.path, other), 0);
    struct store *second = NULL;
    ck_assert_int_eq(store_open(&second, other, NULL), ERR_BUSY);
}
END_TEST

START_TEST(newer_version_is_refused_and_left_alone)
{
    begin();
    sample_close(store);
    store = NULL;
    sample_run(sample.path, "PRAGMA user_version = 99");
    refuse(ERR_VERSION, "newer prova");
    ck_assert_int_eq(sample_number(&sample, "PRAGMA user_version"), 99);
}
END_TEST

START_TEST(database_of_another_program_is_refused_and_left_alone)
{
    sample_run(sample.path, "CREATE TABLE notes (text)");
    refuse(ERR_INVALID, "another program");
    ck_assert_str_eq(sample_text(&sample, "PRAGMA journal_mode"), "delete");
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM sqlite_master"), 1);
}
END_TEST

static void write_file(const char *text)
{
    FILE *file = fopen(sample.path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 200; i++)
        fputs(text, file);
    fclose(file);
}

START_TEST(file_that_is_no_database_is_refused_and_left_alone)
{
    struct stat status;
    write_file("just some text, nothing more\n");
    refuse(ERR_INVALID, "is not a database");
    ck_assert_int_eq(stat(sample.path, &status), 0);
    ck_assert_int_eq(status.st_size, 200 * 29);
}
END_TEST

START_TEST(damaged_database_is_refused)
{
    begin();
    sample_close(store);
    store = NULL;
    FILE *file = fopen(sample.path, "r+");
    fseek(file, 100, SEEK_SET);
    for (int i = 0; i < 4096 * 4; i++)
        fputc(0x5a, file);
    fclose(file);
    refuse(ERR_IO, "damaged");
}
END_TEST

START_TEST(missing_folder_is_named)
{
    snprintf(sample.path, sizeof sample.path, "%s/none/prova.db", sample.folder);
    refuse(ERR_IO, "there is no folder");
}
END_TEST

START_TEST(folder_instead_of_a_file_is_refused)
{
    memcpy(sample.path, sample.folder, sizeof sample.folder);
    refuse(ERR_IO, "it is a folder");
}
END_TEST

/* Rights do not hold root back, so a child becomes nobody. Returns its exit status. */
static int as_nobody(void (*check)(void))
{
    pid_t pid = fork();
    if (!pid) {
        if (!getuid() && setuid(65534))
            _exit(9);
        check();
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

static void refuse_read_only(void)
{
    refuse(ERR_IO, "read-only");
}

START_TEST(read_only_folder_is_refused)
{
    begin();
    sample_close(store);
    store = NULL;
    chmod(sample.path, 0666);
    chmod(sample.folder, 0555);
    ck_assert_int_eq(as_nobody(refuse_read_only), 0);
    chmod(sample.folder, 0755);
}
END_TEST

START_TEST(read_only_file_is_refused)
{
    begin();
    sample_close(store);
    store = NULL;
    chmod(sample.path, 0444);
    chmod(sample.folder, 0777);
    ck_assert_int_eq(as_nobody(refuse_read_only), 0);
}
END_TEST

static Suite *open_suite(void)
{
    Suite *suite = suite_create("open");
    TCase *opening = tcase_create("opening");
    tcase_add_checked_fixture(opening, set_up, tear_down);
    tcase_add_test(opening, second_store_is_refused_with_pid_and_endpoint);
    tcase_add_test(opening, driver_of_another_process_is_found_until_it_is_killed);
    tcase_add_test(opening, child_that_outlives_the_driver_does_not_keep_the_lock);
    tcase_add_test(opening, own_driver_is_found_without_losing_its_lock);
    tcase_add_test(opening, closed_store_leaves_one_file);
    tcase_add_test(opening, lock_holds_for_every_name_of_the_file);
    tcase_add_test(opening, newer_version_is_refused_and_left_alone);
    tcase_add_test(opening, database_of_another_program_is_refused_and_left_alone);
    tcase_add_test(opening, file_that_is_no_database_is_refused_and_left_alone);
    tcase_add_test(opening, damaged_database_is_refused);
    tcase_add_test(opening, missing_folder_is_named);
    tcase_add_test(opening, folder_instead_of_a_file_is_refused);
    tcase_add_test(opening, read_only_folder_is_refused);
    tcase_add_test(opening, read_only_file_is_refused);
    suite_add_tcase(suite, opening);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(open_suite());
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
