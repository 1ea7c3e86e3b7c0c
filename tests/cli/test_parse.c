/* Option parsing from a table, and the help made from it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/parse.h"

struct example_options {
    bool json;
    const char *db, *level;
    int64_t workers;
    double wait_s;
    struct cli_list sets;
};

static const struct example_options initial = {.db = "prova.db"};
static const struct cli_option table[] = {
    {.name = "json", .kind = CLI_FLAG, .offset = offsetof(struct example_options, json), .help = "as JSON"},
    {.name = "db",
     .kind = CLI_TEXT,
     .offset = offsetof(struct example_options, db),
     .value = "FILE",
     .help = "the database"},
    {.name = "level",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct example_options, level),
     .value = "LEVEL",
     .choices = "error|warn",
     .help = "how much"},
    {.name = "workers",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct example_options, workers),
     .min = 1,
     .max = 64,
     .value = "N",
     .help = "how many"},
    {.name = "wait",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct example_options, wait_s),
     .value = "SECONDS",
     .help = "how long"},
    {.name = "set",
     .kind = CLI_LIST,
     .offset = offsetof(struct example_options, sets),
     .value = "KEY=VALUE",
     .help = "change a setting"},
    {.name = "secret",
     .hidden = true,
     .kind = CLI_FLAG,
     .offset = offsetof(struct example_options, json),
     .help = "not listed"},
};
static const struct cli_operand operands[] = {{.name = "SWEEP"}, {.name = "TRIAL", .optional = true}};
static const struct cli_command command = {
    .name = "example",
    .summary = "try the parser",
    .examples = "prova example a.yaml\n",
    .options = table,
    .n_options = CLI_COUNT(table),
    .options_size = sizeof(struct example_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
};

static struct example_options options;
static struct cli_call call;
static struct err err;

static void teardown(void)
{
    parse_release(&options, &command);
    memset(&options, 0, sizeof options);
}

/* Splits `line` at blanks and parses it. */
static int parse(const char *line)
{
    static char words[512];
    static char *argv[32];
    int argc = 0;
    (void)snprintf(words, sizeof words, "example %s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return parse_command(&call, &options, &command, argc, argv, &err);
}

START_TEST(options_and_operands_may_be_mixed)
{
    ck_assert_int_eq(parse("--json a.yaml -n 3 --db=x.db 7 --wait 500ms --set a=1 --set b=2"), 0);
    ck_assert(options.json);
    ck_assert_int_eq(options.workers, 3);
    ck_assert_str_eq(options.db, "x.db");
    ck_assert_double_eq(options.wait_s, 0.5);
    ck_assert_uint_eq(options.sets.n, 2);
    ck_assert_str_eq(options.sets.items[1], "b=2");
    ck_assert_int_eq(call.n_args, 2);
    ck_assert_str_eq(call.args[0], "a.yaml");
    ck_assert_str_eq(call.args[1], "7");
}
END_TEST

START_TEST(defaults_stay_where_nothing_is_said)
{
    ck_assert_int_eq(parse("a.yaml"), 0);
    ck_assert_str_eq(options.db, "prova.db");
}
END_TEST

START_TEST(beginnings_of_names_will_do)
{
    ck_assert_int_eq(parse("a.yaml --work 2"), 0);
    ck_assert_int_eq(options.workers, 2);
}
END_TEST

START_TEST(help_is_asked_for_anywhere)
{
    ck_assert_int_eq(parse("--help"), PARSE_HELP);
    ck_assert_int_eq(parse("a.yaml -h"), PARSE_HELP);
}
END_TEST

static const struct {
    const char *line, *text;
} refused[] = {
    {"", "SWEEP is missing"},
    {"a b c", "'c' is one argument too many"},
    {"a --wokers 2", "option '--wokers' is not known; did you mean '--workers'?"},
    {"a --wokers=2", "option '--wokers' is not known; did you mean '--workers'?"},
    {"a --zzz", "option '--zzz' is not known"},
    {"a -x", "option '-x' is not known"},
    {"a --w 2", "option '--w' may be several: write more of it"},
    {"a --json=1", "option '--json' takes no value"},
    {"a --db", "option '--db' needs a value: FILE"},
    {"a -n", "option '--workers' needs a value: N"},
    {"a -n 0", "--workers must be between 1 and 64, not 0"},
    {"a -n 99999999999999999999", "--workers must be between 1 and 64, not 99999999999999999999"},
    {"a -n two", "--workers must be a whole number, not 'two'"},
    {"a --level loud", "--level must be one of error|warn, not 'loud'"},
    {"a --level err", "--level must be one of error|warn, not 'err'"},
    {"a --wait soon", "--wait: 'soon' is no duration: write seconds (90) or a unit (500ms, 10m, 2h)"},
};

START_TEST(bad_usage_is_named)
{
    ck_assert_int_eq(parse(refused[_i].line), ERR_INVALID);
    ck_assert_str_eq(err.text, refused[_i].text);
}
END_TEST

START_TEST(help_lists_every_option_but_hidden_ones)
{
    struct text text = {0};
    help_write_command(&text, &command, false);
    const char *help = text_get(&text);
    ck_assert_ptr_nonnull(
        strstr(help, "Usage: prova example [OPTION]... SWEEP [TRIAL]\n\nTry the parser.\n"));
    ck_assert_ptr_nonnull(strstr(help, "  -n, --workers N         how many\n"));
    ck_assert_ptr_nonnull(strstr(help, "      --set KEY=VALUE     change a setting\n"));
    ck_assert_ptr_nonnull(strstr(help, "Examples\n  prova example a.yaml\n"));
    ck_assert_ptr_null(strstr(help, "secret"));
    text_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse");
    TCase *tcase = tcase_create("parse");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, options_and_operands_may_be_mixed);
    tcase_add_test(tcase, defaults_stay_where_nothing_is_said);
    tcase_add_test(tcase, beginnings_of_names_will_do);
    tcase_add_test(tcase, help_is_asked_for_anywhere);
    tcase_add_loop_test(tcase, bad_usage_is_named, 0, CLI_COUNT(refused));
    tcase_add_test(tcase, help_lists_every_option_but_hidden_ones);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
