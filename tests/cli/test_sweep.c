/* What a user reads who wrote a wrong sweep file: every fault of every kind at one time, in the file's order.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/sweep.h"

static char path[] = "/tmp/prova-sweep-XXXXXX";
static struct sweep sweep;

static void setup(void)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void teardown(void)
{
    sweep_fini(&sweep);
    (void)unlink(path);
}

/* Drops "; there are: a, b" from the ends of lines: the lists grow with every plug-in. */
static void drop_lists(char *messages)
{
    for (char *at; (at = strstr(messages, "; there are: "));) {
        const char *end = strchr(at, '\n');
        memmove(at, end, strlen(end) + 1);
    }
}

/* The faults of a file with this text. */
static char *messages_of(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    struct err err = {0};
    struct cli_list none = {0};
    int code = sweep_read(&sweep, path, &none, 0, &err);
    ck_assert_int_eq(code, sweep.faults.n ? ERR_INVALID : 0);
    struct text messages = {0};
    faults_write(&messages, &sweep.faults, "s");
    char *taken = text_take(&messages);
    ck_assert_ptr_nonnull(taken);
    drop_lists(taken);
    return taken;
}

static const struct {
    const char *yaml, *messages;
} all_kinds[] = {
    /* The file's own keys and values, its parameters, references, plug-ins and their settings. */
    {"name: all of them\n"
     "train: {command: [./train, \"${lr}\", \"${depht}\"]}\n"
     "metric: {goal: maximum}\n"
     "parameters:\n"
     "  lr: {min: 1, max: 0.1}\n"
     "  depth: {min: 1, max: 4}\n"
     "search: {name: grid, cuont: 3, counts: {lr: 0, depth: 2, dept: 3}}\n"
     "schedule: {name: ashe, eta: 3}\n"
     "stopping: {name: median, min_trials: -5}\n"
     "context: optimisation\n"
     "limits: {trails: 20}\n",
     "s:1:7: error: 'name' must be made of letters, digits, '_', '.' and '-', at most 128 of them\n"
     "s:2:38: error: ${depht} is not a parameter; for a variable of the shell write $${depht}\n"
     "s:3:16: error: 'goal' must be one of minimize, maximize, not maximum\n"
     "s:5:21: error: max (0.1) is below min (1) for 'lr'\n"
     "s:7:22: error: unknown option 'cuont' of search 'grid'; did you mean 'count'?\n"
     "s:7:45: error: counts.lr must be an integer from 1 to 1000000, not '0'\n"
     "s:7:58: error: no parameter is called 'dept'; did you mean 'depth'?\n"
     "s:8:18: error: unknown schedule 'ashe'; did you mean 'asha'?\n"
     "s:9:38: error: 'min_trials' of stopping 'median' must be at least 1, not '-5'\n"
     "s:10:10: error: unknown context 'optimisation'; did you mean 'optimization'?\n"
     "s:11:10: error: unknown key 'trails' in limits; did you mean 'trials'?\n"},
    /* What a rule refuses of sound settings is told beside faults elsewhere. */
    {"parameters: {x: {min: 2, max: 1}}\nschedule: {name: asha, min_budget: 9, max_budget: 3}\n",
     "s:1:31: error: max (1) is below min (2) for 'x'\n"
     "s:2:18: error: schedule 'asha': min_budget (9) is above max_budget (3)\n"},
    /* A plug-in without a name has no settings of the default one; a parameter with a fault does exist. */
    {"search: {gamma: 0.1}\ncontext: single\nsingle: {x: 1, y: 1}\nparameters: {x: {min: 2, max: 1}}\n",
     "s:1:1: error: 'search' needs a name\ns:3:16: error: no parameter is called 'y'\n"
     "s:4:31: error: max (1) is below min (2) for 'x'\n"},
    {"search: tpee\n", "s:1:1: error: 'parameters' is missing: there is nothing to search\n"
                       "s:1:9: error: unknown search 'tpee'; did you mean 'tpe'?\n"},
};

START_TEST(faults_of_every_kind_are_told_at_one_time)
{
    char *messages = messages_of(all_kinds[_i].yaml, strlen(all_kinds[_i].yaml));
    ck_assert_str_eq(messages, all_kinds[_i].messages);
    free(messages);
}
END_TEST

/* As users of other tools write them, and other slips. */
#define X "parameters: {x: {min: 0.0, max: 1.0}}\n"
static const struct {
    const char *yaml, *messages;
} slips[] = {
    {"parameters: {x: {type: float, min: 0, max: 1}}\n",
     "s:1:24: error: 'type' must be one of double, int, discrete, categorical, constant, not float; did you "
     "mean 'double'?\n"},
    {"parameters: {x: {type: choice, values: [a]}}\n",
     "s:1:24: error: 'type' must be one of double, int, discrete, categorical, constant, not choice; did you "
     "mean 'categorical'?\n"},
    {"parameters: {x: {low: 0, high: 1}}\n",
     "s:1:14: error: 'x' needs min and max, or values, or a value\n"
     "s:1:18: error: unknown key 'low' in parameter 'x'; did you mean 'min'?\n"
     "s:1:26: error: unknown key 'high' in parameter 'x'; did you mean 'max'?\n"},
    {X "metric: {mode: max}\n", "s:2:10: error: unknown key 'mode' in metric; did you mean 'goal'?\n"},
    {X "metric: {goal: max}\n",
     "s:2:16: error: 'goal' must be one of minimize, maximize, not max; did you mean 'maximize'?\n"},
    {X "n_trials: 5\n", "s:2:1: error: unknown key 'n_trials'; did you mean 'limits'?\n"},
    {"parameters: {x: {min: '0.1', max: 1}}\n",
     "s:1:23: error: 'min' must be a number, not the text '0.1'; write it without quotes\n"},
    {"parameters:\n  x:\n  y: {value: 1}\n", "s:2:3: error: 'x' has nothing in it; are its keys indented?\n"},
    {"parameters: [x]\ntrain: {command: [a, \"${x}\"]}\n",
     "s:1:13: error: 'parameters' must be a map, e.g. lr: {min: 0.1, max: 1}\n"},
    {"\xef\xbb\xbfparameters:\r\n  x: {min: 0, max: 1}\r\nmetric: accuracy\r\n", ""},
};

START_TEST(a_slip_is_answered_with_what_to_write)
{
    char *messages = messages_of(slips[_i].yaml, strlen(slips[_i].yaml));
    ck_assert_str_eq(messages, slips[_i].messages);
    free(messages);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *tests = tcase_create("sweep");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, faults_of_every_kind_are_told_at_one_time, 0,
                        sizeof all_kinds / sizeof *all_kinds);
    tcase_add_loop_test(tests, a_slip_is_answered_with_what_to_write, 0, sizeof slips / sizeof *slips);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
