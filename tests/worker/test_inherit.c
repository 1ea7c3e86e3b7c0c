/* A trial's directory as a copy of another one's. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/inherit.h"

static char folder[] = "/tmp/prova-inherit-XXXXXX";
static int before_fd = -1;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void set_up(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    before_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(before_fd, 0);
    ck_assert_int_eq(chdir(folder), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(fchdir(before_fd), 0);
    (void)close(before_fd);
    ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static bool has(const char *path, const char *text)
{
    char content[64] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t n = fread(content, 1, sizeof content - 1, file);
    content[n] = '\0';
    (void)fclose(file);
    return strcmp(content, text) == 0;
}

static bool exists(const char *path)
{
    struct stat status;
    return !lstat(path, &status);
}

static bool has_left_overs(void)
{
    DIR *here = opendir(".");
    bool found = false;
    ck_assert_ptr_nonnull(here);
    for (const struct dirent *entry; (entry = readdir(here));)
        found = found || !strncmp(entry->d_name, "2.part", 6);
    (void)closedir(here);
    return found;
}

static void make_origin(void)
{
    ck_assert_int_eq(mkdir("1", 0777), 0);
    ck_assert_int_eq(mkdir("1/deep", 0755), 0);
    write_file("1/checkpoint", "epoch 3");
    write_file("1/deep/weights", "0.5");
    write_file("1/deep/output-1.log", "mine");
    write_file("1/output-1.log", "words");
    ck_assert_int_eq(chmod("1/checkpoint", 0640), 0);
    ck_assert_int_eq(symlink("checkpoint", "1/latest"), 0);
    ck_assert_int_eq(mkfifo("1/.reports", 0666), 0);
}

START_TEST(files_folders_and_links_are_copied_and_what_is_the_attempts_is_not)
{
    struct err err = {0};
    struct stat status;
    make_origin();
    ck_assert_msg(inherit_directory("2", "1", NULL, &err) == 0, "%s", err.text);
    ck_assert(has("2/checkpoint", "epoch 3") && has("2/deep/weights", "0.5") && has("2/latest", "epoch 3"));
    ck_assert(has("2/deep/output-1.log", "mine")); /* only those of the trial itself are its logs */
    ck_assert(!exists("2/output-1.log") && !exists("2/.reports") && !has_left_overs());
    ck_assert_int_eq(stat("2/checkpoint", &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
    write_file("2/checkpoint", "epoch 4");
    ck_assert(has("1/checkpoint", "epoch 3"));
}
END_TEST

START_TEST(what_is_there_already_stays)
{
    make_origin();
    ck_assert_int_eq(mkdir("2", 0777), 0);
    write_file("2/checkpoint", "epoch 9");
    ck_assert_int_eq(inherit_directory("2", "1", NULL, NULL), 0);
    ck_assert(has("2/checkpoint", "epoch 9"));
    ck_assert(!exists("2/deep"));
}
END_TEST

START_TEST(half_a_copy_of_before_is_begun_anew)
{
    make_origin();
    ck_assert_int_eq(mkdir("2.part", 0777), 0);
    write_file("2.part/rubbish", "x");
    ck_assert_int_eq(inherit_directory("2", "1", NULL, NULL), 0);
    ck_assert(has("2/checkpoint", "epoch 3"));
    ck_assert(!exists("2/rubbish") && !has_left_overs());
}
END_TEST

/* Returns how many of `n` processes that copy at one time, each with this mark, had a copy. */
static int copy_at_once(int n, const char *mark)
{
    int gate[2], n_copies = 0;
    ck_assert_int_eq(pipe(gate), 0);
    for (int i = 0; i < n; i++) {
        char go;
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid > 0)
            continue;
        (void)close(gate[1]);
        (void)!read(gate[0], &go, 1); /* until the last has been started */
        int code = inherit_directory("2", "1", mark, NULL);
        _exit(code ? 1 : has("2/checkpoint", "epoch 3") && has("2/deep/weights", "0.5") ? 0 : 2);
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    for (int i = 0; i < n; i++) {
        int status;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        n_copies += status == 0;
    }
    return n_copies;
}

START_TEST(several_at_once_all_begin_with_the_whole_copy)
{
    make_origin();
    ck_assert_int_eq(copy_at_once(8, ".without-1"), 8);
    ck_assert(!has_left_overs());
}
END_TEST

START_TEST(of_several_that_cannot_copy_none_has_a_copy)
{
    ck_assert_int_eq(copy_at_once(8, ".without-1"), 0);
    ck_assert(exists("2/.without-1") && !has_left_overs());
}
END_TEST

START_TEST(where_one_could_not_copy_none_of_its_gang_does)
{
    ck_assert_int_eq(inherit_directory("2", "1", ".without-1", NULL), ERR_NOT_FOUND);
    make_origin();
    struct err err = {0};
    ck_assert_int_eq(inherit_directory("2", "1", ".without-1", &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "another rank"));
    ck_assert(!exists("2/checkpoint"));
    ck_assert_int_eq(inherit_directory("2", "1", ".without-2", NULL), 0); /* it goes on with what it has */
}
END_TEST

START_TEST(where_one_has_copied_all_of_its_gang_have)
{
    make_origin();
    ck_assert_int_eq(inherit_directory("2", "1", ".without-1", NULL), 0);
    ck_assert_int_eq(nftw("1", remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    ck_assert_int_eq(inherit_directory("2", "1", ".without-1", NULL), 0);
    ck_assert(has("2/checkpoint", "epoch 3"));
}
END_TEST

START_TEST(the_mark_is_not_copied)
{
    make_origin();
    write_file("1/.without-1", "");
    ck_assert_int_eq(inherit_directory("2", "1", ".without-1", NULL), 0);
    ck_assert(!exists("2/.without-1"));
}
END_TEST

START_TEST(nothing_to_copy_is_said_and_leaves_nothing)
{
    struct err err = {0};
    ck_assert_int_eq(inherit_directory("2", "1", NULL, &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot read 1"));
    ck_assert(!exists("2") && !has_left_overs());
}
END_TEST

START_TEST(a_copy_that_fails_leaves_nothing)
{
    struct err err = {0};
    char path[512] = "1";
    ck_assert_int_eq(mkdir(path, 0777), 0);
    for (int i = 0; i < 80; i++) { /* deeper than any checkpoint */
        strcat(path, "/d");
        ck_assert_int_eq(mkdir(path, 0777), 0);
    }
    ck_assert_int_eq(inherit_directory("2", "1", NULL, &err), ERR_IO);
    ck_assert(!exists("2") && !has_left_overs());
}
END_TEST

START_TEST(large_files_are_whole)
{
    enum { SIZE = 3 << 20 };
    char *bytes = malloc(SIZE), *copy = malloc(SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    ck_assert_int_eq(mkdir("1", 0777), 0);
    FILE *file = fopen("1/weights", "we");
    ck_assert_uint_eq(fwrite(bytes, 1, SIZE, file), SIZE);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(inherit_directory("2", "1", NULL, NULL), 0);
    file = fopen("2/weights", "re");
    ck_assert_uint_eq(fread(copy, 1, SIZE + 1, file), SIZE);
    ck_assert_int_eq(memcmp(bytes, copy, SIZE), 0);
    (void)fclose(file);
    free(bytes);
    free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inherit");
    TCase *tests = tcase_create("inherit");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, files_folders_and_links_are_copied_and_what_is_the_attempts_is_not);
    tcase_add_test(tests, what_is_there_already_stays);
    tcase_add_test(tests, half_a_copy_of_before_is_begun_anew);
    tcase_add_test(tests, several_at_once_all_begin_with_the_whole_copy);
    tcase_add_test(tests, of_several_that_cannot_copy_none_has_a_copy);
    tcase_add_test(tests, where_one_could_not_copy_none_of_its_gang_does);
    tcase_add_test(tests, where_one_has_copied_all_of_its_gang_have);
    tcase_add_test(tests, the_mark_is_not_copied);
    tcase_add_test(tests, nothing_to_copy_is_said_and_leaves_nothing);
    tcase_add_test(tests, a_copy_that_fails_leaves_nothing);
    tcase_add_test(tests, large_files_are_whole);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
