/* Plug-ins' settings, read by their table. */
#include <math.h>
#include <string.h>

#include "core/err.h"
#include "core/options.h"
#include "tests/core/suite.h"

struct settings {
    double gamma;
    int64_t startup;
    bool shared;
    int kernel;
    const char *file;
};

static const struct option options[] = {
    {"gamma", OPTION_DOUBLE, offsetof(struct settings, gamma), 0, 1, 0.25, NULL, "share of good points",
     false},
    {"startup", OPTION_INT, offsetof(struct settings, startup), 1, INFINITY, 10, NULL, "random points first",
     false},
    {"shared", OPTION_BOOL, offsetof(struct settings, shared), 0, 1, 1, NULL, "", false},
    {"kernel", OPTION_CHOICE, offsetof(struct settings, kernel), 0, 0, 1, "rbf|matern|linear", "", false},
    {"file", OPTION_TEXT, offsetof(struct settings, file), 0, 0, 0, NULL, "", false},
    {"counts", OPTION_INT, 0, 1, 1000, 0, NULL, "values of a parameter", true},
};

static struct plugin plugin;
static struct faults faults;
static struct settings settings;

static void set_up(void)
{
    ck_assert_int_eq(plugin_set_name(&plugin, "tpe", 3, 9), 0);
}

static void tear_down(void)
{
    plugin_fini(&plugin);
    faults_fini(&faults);
}

static size_t parse(void)
{
    return options_parse(&settings, options, sizeof options / sizeof *options, &plugin, "search 'tpe'",
                         &faults);
}

START_TEST(without_settings_there_are_the_defaults)
{
    ck_assert_uint_eq(parse(), 0);
    ck_assert_double_eq(settings.gamma, 0.25);
    ck_assert_int_eq(settings.startup, 10);
    ck_assert(settings.shared);
    ck_assert_int_eq(settings.kernel, 1);
    ck_assert_ptr_null(settings.file);
}
END_TEST

START_TEST(settings_replace_defaults)
{
    static const char *const given[][2] = {{"gamma", "1e-1"}, {"startup", "20"}, {"shared", "false"},
                                           {"kernel", "rbf"}, {"file", "x.csv"}, {"counts.lr", "5"}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        ck_assert_int_eq(plugin_add(&plugin, given[i][0], given[i][1], 4, 5), 0);
    ck_assert_uint_eq(parse(), 0);
    ck_assert_double_eq(settings.gamma, 0.1);
    ck_assert_int_eq(settings.startup, 20);
    ck_assert(!settings.shared);
    ck_assert_int_eq(settings.kernel, 0);
    ck_assert_str_eq(settings.file, "x.csv");
    ck_assert_str_eq(plugin_setting(&plugin, "counts.lr"), "5"); /* left to the plug-in */
    ck_assert_ptr_null(plugin_setting(&plugin, "counts"));
}
END_TEST

static const struct {
    const char *key, *text, *fault;
} bad[] = {
    {"gama", "1", "unknown option 'gama' of search 'tpe'; did you mean 'gamma'?"},
    {"zzz", "1", "unknown option 'zzz' of search 'tpe'"},
    {"gamma", "much", "'gamma' of search 'tpe' must be a number, not 'much'"},
    {"gamma", "2", "'gamma' of search 'tpe' must be from 0 to 1, not '2'"},
    {"gamma", "nan", "'gamma' of search 'tpe' must be a number, not 'nan'"},
    {"startup", "0", "'startup' of search 'tpe' must be at least 1, not '0'"},
    {"startup", "1.5", "'startup' of search 'tpe' must be a whole number within +-2^53, not '1.5'"},
    {"startup", "inf", "'startup' of search 'tpe' must be a whole number within +-2^53, not 'inf'"},
    {"shared", "yes", "'shared' of search 'tpe' must be true or false, not 'yes'"},
    {"kernel", "rb", "'kernel' of search 'tpe' must be one of rbf, matern, linear, not 'rb'"},
    {"kernel", "", "'kernel' of search 'tpe' must be one of rbf, matern, linear, not ''"},
    {"counts", "5", "'counts' of search 'tpe' takes a value for each parameter: {NAME: ...}"},
    {"gamma.lr", "5", "unknown option 'gamma.lr' of search 'tpe'; did you mean 'gamma'?"},
};

START_TEST(what_is_wrong_becomes_a_fault_at_its_place)
{
    ck_assert_int_eq(plugin_add(&plugin, bad[_i].key, bad[_i].text, 4, 11), 0);
    plugin.settings[0].key_column = 2;
    ck_assert_uint_eq(parse(), 1);
    ck_assert_str_eq(faults.list[0].text, bad[_i].fault);
    ck_assert_uint_eq(faults.list[0].line, 4);
    bool at_key = strstr(bad[_i].fault, "unknown") != NULL;
    ck_assert_uint_eq(faults.list[0].column, at_key ? 2 : 11);
}
END_TEST

START_TEST(the_last_name_counts)
{
    ck_assert_int_eq(plugin_set_name(&plugin, "gp", 1, 2), 0);
    ck_assert_str_eq(plugin.name, "gp");
    ck_assert_uint_eq(plugin.line, 1);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, without_settings_there_are_the_defaults);
    tcase_add_test(tests, settings_replace_defaults);
    tcase_add_loop_test(tests, what_is_wrong_becomes_a_fault_at_its_place, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, the_last_name_counts);
    return run_case(tests);
}
