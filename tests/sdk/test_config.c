/* Configurations: what setters accept, what they say of what they refuse, and what comes out. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "sdk/config.h"

static prova_config *config;

static void set_up(void)
{
    config = prova_config_new("test");
    ck_assert_ptr_nonnull(config);
    ck_assert_str_eq(prova_config_error(config), "");
}

static void tear_down(void)
{
    prova_config_free(config);
    config = NULL;
}

static void assert_error_has(const char *part)
{
    ck_assert_msg(strstr(prova_config_error(config), part), "'%s' is not in '%s'", part,
                  prova_config_error(config));
}

static struct spec *compile(void)
{
    struct spec *spec = NULL;
    char *faults = NULL;
    int rc = config_compile(&spec, &faults, config);
    ck_assert_msg(rc == 0, "%s", faults ? faults : "");
    return spec;
}

START_TEST(parameters_come_out_as_they_were_set)
{
    static const double batches[] = {64, 16, 32};
    static const char *const solvers[] = {"sgd", "adam"};
    ck_assert_int_eq(prova_config_double(config, "lr", 1e-4, 1.0, PROVA_LOG), 0);
    ck_assert_int_eq(prova_config_int(config, "hidden", 8, 256, PROVA_LINEAR), 0);
    ck_assert_int_eq(prova_config_step(config, "hidden", 8), 0);
    ck_assert_int_eq(prova_config_default(config, "hidden", "64"), 0);
    ck_assert_int_eq(prova_config_discrete(config, "batch", batches, 3), 0);
    ck_assert_int_eq(prova_config_categorical(config, "solver", solvers, 2), 0);
    ck_assert_int_eq(prova_config_double(config, "momentum", 0, 0.99, PROVA_LINEAR), 0);
    ck_assert_int_eq(prova_config_when(config, "momentum", "solver", solvers, 1), 0);
    ck_assert_int_eq(prova_config_when(config, "momentum", "batch", (const char *const[]){"16", "32"}, 2), 0);
    ck_assert_int_eq(prova_config_constant(config, "epochs", "40"), 0);
    struct spec *spec = compile();
    const struct param *params = spec->space->params;
    ck_assert_uint_eq(spec->space->n_params, 6);
    ck_assert_str_eq(spec->name, "test");
    ck_assert_int_eq(spec->train.kind, TRAIN_FUNCTION);
    ck_assert_int_eq(params[0].type, PARAM_DOUBLE);
    ck_assert_int_eq(params[0].scale, SCALE_LOG);
    ck_assert_double_eq(params[0].min, 1e-4);
    ck_assert_double_eq(params[1].step, 8);
    ck_assert_double_eq(params[1].initial, 64);
    ck_assert_double_eq(params[2].choices[0].number, 16);
    ck_assert_str_eq(params[3].choices[1].text, "adam");
    ck_assert_uint_eq(params[4].n_conditions, 2);
    ck_assert_int_eq(params[5].type, PARAM_CONSTANT);
    ck_assert_double_eq(params[5].choices[0].number, 40);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_double_range_of_whole_numbers_stays_double)
{
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    struct spec *spec = compile();
    ck_assert_int_eq(spec->space->params[0].type, PARAM_DOUBLE);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_string_that_looks_like_a_number_stays_a_string_among_categories)
{
    prova_config_categorical(config, "x", (const char *const[]){"1", "yes \"quoted\""}, 2);
    struct spec *spec = compile();
    ck_assert_int_eq(spec->space->params[0].choices[0].type, CHOICE_STRING);
    ck_assert_str_eq(spec->space->params[0].choices[1].text, "yes \"quoted\"");
    spec_destroy(spec);
}
END_TEST

START_TEST(everything_else_is_set_by_its_path)
{
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    ck_assert_int_eq(prova_config_set(config, "metric", "{name: accuracy, goal: maximize}"), 0);
    ck_assert_int_eq(prova_config_set(config, "search.name", "sobol"), 0);
    ck_assert_int_eq(prova_config_set(config, "stopping", "{name: median, min_trials: 5}"), 0);
    ck_assert_int_eq(prova_config_set(config, "limits.trials", "60"), 0);
    ck_assert_int_eq(prova_config_set(config, "workers", "4"), 0);
    struct spec *spec = compile();
    ck_assert_str_eq(spec->metric.name, "accuracy");
    ck_assert_int_eq(spec->metric.goal, GOAL_MAXIMIZE);
    ck_assert_str_eq(spec->search.name, "sobol");
    ck_assert_str_eq(plugin_setting(&spec->stopping, "min_trials"), "5");
    ck_assert_int_eq(spec->limits.trials, 60);
    ck_assert_int_eq(spec->workers, 4);
    spec_destroy(spec);
}
END_TEST

START_TEST(the_spec_reads_back_from_its_json)
{
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    struct spec *spec = compile(), *again = NULL;
    struct text json = {0};
    struct faults faults = {0};
    spec_write_json(&json, spec);
    ck_assert_int_eq(spec_parse(&again, text_get(&json), json.size, "", NULL, 0, &faults), 0);
    ck_assert_int_eq(again->train.kind, TRAIN_FUNCTION);
    ck_assert_str_eq(again->name, "test");
    faults_fini(&faults);
    text_fini(&json);
    spec_destroy(spec);
    spec_destroy(again);
}
END_TEST

static const struct {
    const char *path, *value, *said;
} wrong_settings[] = {
    {"limits.trials", "many", "trials"},
    {"limits.trails", "60", "did you mean 'trials'"},
    {"serach", "random", "did you mean 'search'"},
    {"metric.goal", "up", "goal"},
    {"workers", "0", "workers"},
    {"workers", "[", ""},
    {"", "1", ""},
};

START_TEST(a_wrong_setting_is_refused_at_once_and_dropped)
{
    ck_assert_int_eq(prova_config_set(config, wrong_settings[_i].path, wrong_settings[_i].value),
                     PROVA_EINVALID);
    ck_assert_str_ne(prova_config_error(config), "");
    assert_error_has(wrong_settings[_i].said);
    ck_assert_int_eq(prova_config_double(config, "x", 0, 1, PROVA_LINEAR), 0);
}
END_TEST

START_TEST(the_first_fault_is_kept)
{
    ck_assert_int_eq(prova_config_int(config, "hidden", 10, 1, PROVA_LINEAR), PROVA_EINVALID);
    ck_assert_int_eq(prova_config_set(config, "workers", "0"), PROVA_EINVALID);
    assert_error_has("hidden");
    struct spec *spec = NULL;
    char *faults = NULL;
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_EINVALID);
    ck_assert_str_eq(faults, prova_config_error(config));
    ck_assert_ptr_null(spec);
    free(faults);
}
END_TEST

START_TEST(wrong_parameters_are_refused_by_name)
{
    ck_assert_int_eq(prova_config_double(config, "lr", 0.0, 1.0, PROVA_LOG), PROVA_EINVALID);
    assert_error_has("lr");
}
END_TEST

START_TEST(a_range_that_is_not_finite_is_refused)
{
    ck_assert_int_eq(prova_config_double(config, "lr", 0.0, 1.0 / 0.0, PROVA_LINEAR), PROVA_EINVALID);
    assert_error_has("lr");
}
END_TEST

START_TEST(a_name_may_be_used_once)
{
    ck_assert_int_eq(prova_config_double(config, "x", 0, 1, PROVA_LINEAR), 0);
    ck_assert_int_eq(prova_config_int(config, "x", 0, 1, PROVA_LINEAR), PROVA_EINVALID);
    assert_error_has("'x'");
}
END_TEST

START_TEST(a_condition_on_nothing_is_refused)
{
    ck_assert_int_eq(prova_config_double(config, "momentum", 0, 1, PROVA_LINEAR), 0);
    ck_assert_int_eq(prova_config_when(config, "momentum", "solver", (const char *const[]){"sgd"}, 1),
                     PROVA_EINVALID);
    assert_error_has("solver");
}
END_TEST

START_TEST(a_detail_of_no_parameter_is_refused)
{
    ck_assert_int_eq(prova_config_step(config, "lr", 0.1), PROVA_EINVALID);
    assert_error_has("'lr'");
}
END_TEST

START_TEST(an_unusable_name_is_kept_as_the_fault_alone)
{
    prova_config_free(config);
    config = prova_config_new("no/such name");
    assert_error_has("name");
    ck_assert_int_eq(prova_config_double(config, "x", 0, 1, PROVA_LINEAR), 0);
}
END_TEST

static const struct {
    const char *path, *value, *said;
} wrong_plugins[] = {
    {"search.name", "randon", "did you mean 'random'"},
    {"stopping", "{name: median, min_trial: 3}", "did you mean 'min_trials'"},
};

START_TEST(what_plugins_refuse_is_found_when_all_is_set)
{
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    ck_assert_int_eq(prova_config_set(config, wrong_plugins[_i].path, wrong_plugins[_i].value), 0);
    struct spec *spec = NULL;
    char *faults = NULL;
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_EINVALID);
    ck_assert_msg(strstr(faults, wrong_plugins[_i].said), "%s", faults);
    free(faults);
}
END_TEST

START_TEST(faults_of_plugins_are_told_with_those_of_the_file)
{
    char path[] = "/tmp/prova-config-XXXXXX";
    static const char text[] = "parameters: {x: {min: 2, max: 1}}\nsearch: randon\n";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, text, sizeof text - 1), (int)sizeof text - 1);
    (void)close(fd);
    prova_config_free(config);
    config = prova_config_file(path);
    (void)unlink(path);
    assert_error_has("max (1) is below min (2)");
    assert_error_has(":2:9: error: unknown search 'randon'");
}
END_TEST

static char *write_file(const char *text)
{
    char *path = strdup("/tmp/prova-test-config-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static const struct {
    const char *paths[3], *values[3];
} together[] = {
    {{"context", "distributed.workers"}, {"distributed", "3"}},
    {{"context", "workers_per_trial"}, {"distributed", "3"}},
    {{"context", "distributed"}, {"distributed", "{workers: 3, runtime: mpi, parameters: {x: 0.5}}"}},
    {{"workers", "workers_per_trial"}, {"3", "3"}},
    {{"context", "single"}, {"single", "{x: 0.5}"}},
    {{"context", "ablation.features", "ablation.repeats"}, {"ablation", "[age]", "2"}},
    {{"warm_start.points", "limits.trials"}, {"[{x: 0.5}]", "3"}},
};

/* Forwards, backwards, and the parameter first or last. */
START_TEST(settings_that_go_together_may_come_in_any_order)
{
    int n = (int)(sizeof together / sizeof *together), which = _i % n, is_back = _i / n % 2,
        is_last = _i / n / 2;
    if (!is_last)
        prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    for (int i = 0; i < 3; i++) {
        int k = is_back ? 2 - i : i;
        if (together[which].paths[k])
            ck_assert_msg(prova_config_set(config, together[which].paths[k], together[which].values[k]) == 0,
                          "%s", prova_config_error(config));
    }
    if (is_last)
        ck_assert_msg(prova_config_double(config, "x", 0, 1, PROVA_LINEAR) == 0, "%s",
                      prova_config_error(config));
    spec_destroy(compile());
}
END_TEST

static const struct {
    const char *path, *value, *said;
} alone[] = {
    {"context", "distributed", "on how many workers: distributed: {workers: 2}"},
    {"distributed.parameters", "{x: 0.5}", "is for context distributed only"},
    {"distributed.parameter_servers", "1", "'parameter_servers' is for runtime tensorflow"},
    {"context", "ablation", "ablation"},
    {"warm_start.points", "[{y: 0.5}]", "'y'"},
};

START_TEST(what_does_not_go_together_is_found_when_all_is_set)
{
    struct spec *spec = NULL;
    char *faults = NULL;
    prova_config_double(config, "x", 0, 1, PROVA_LINEAR);
    ck_assert_int_eq(prova_config_set(config, alone[_i].path, alone[_i].value), 0);
    ck_assert_int_eq(prova_config_set(config, "limits.trials", "7"), 0); /* others are judged all the same */
    ck_assert_str_eq(prova_config_error(config), "");
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_EINVALID);
    ck_assert_msg(faults && strstr(faults, alone[_i].said), "%s", faults);
    free(faults);
    ck_assert_ptr_null(prova_config_json(config));
    assert_error_has(alone[_i].said);
}
END_TEST

START_TEST(setters_may_complete_a_file)
{
    char *path = write_file("context: distributed\nparameters:\n  lr: {min: 0.1, max: 1.0}\n");
    prova_config_free(config);
    config = prova_config_file(path);
    ck_assert_str_eq(prova_config_error(config), "");
    struct spec *spec = NULL;
    char *faults = NULL;
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_EINVALID);
    ck_assert_msg(strstr(faults, ":1:1: error: context distributed needs"), "%s", faults);
    free(faults);
    ck_assert_int_eq(prova_config_set(config, "distributed.workers", "4"), 0);
    spec = compile();
    ck_assert_int_eq(spec->gang.workers, 4);
    spec_destroy(spec);
    unlink(path);
    free(path);
}
END_TEST

START_TEST(an_empty_space_is_found_when_all_is_set)
{
    struct spec *spec = NULL;
    char *faults = NULL;
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_EINVALID);
    ck_assert_msg(strstr(faults, "parameters"), "%s", faults);
    free(faults);
}
END_TEST

START_TEST(the_whole_is_given_as_json_with_its_defaults)
{
    prova_config_double(config, "lr", 0, 1, PROVA_LINEAR);
    prova_config_set(config, "metric", "{name: accuracy, goal: maximize}");
    const char *json = prova_config_json(config);
    ck_assert_ptr_nonnull(json);
    ck_assert_ptr_nonnull(strstr(json, "\"metric\":{\"name\":\"accuracy\",\"goal\":\"maximize\""));
    ck_assert_ptr_nonnull(strstr(json, "\"schedule\":{\"name\":\"full\"}"));
    prova_config_set(config, "metric.goal", "best");
    ck_assert_ptr_null(prova_config_json(config));
    assert_error_has("best");
}
END_TEST

START_TEST(the_text_of_a_sweep_file_is_one)
{
    prova_config_free(config);
    config = prova_config_text("{name: t, parameters: {x: {min: 0.0, max: 1.0}}, workers: 3}");
    ck_assert_str_eq(prova_config_error(config), "");
    ck_assert_int_eq(prova_config_set(config, "workers", "4"), 0);
    ck_assert_ptr_nonnull(strstr(prova_config_json(config), "\"workers\":4"));
    prova_config_free(config);
    config = prova_config_text("{name: t, parameters: {x: {min: 2, max: 1}}, wrokers: 3}");
    assert_error_has("max (1) is below min (2)");
    assert_error_has("workers");
}
END_TEST

START_TEST(a_sweep_file_is_taken_and_changed_by_setters)
{
    char *path = write_file("name: fromfile\nparameters:\n  lr: {min: 0.1, max: 1.0}\n  n: {min: 1, max: 9}\n"
                            "train: {command: [./x, \"${lr}\"]}\n");
    prova_config_free(config);
    config = prova_config_file(path);
    ck_assert_str_eq(prova_config_error(config), "");
    ck_assert_int_eq(prova_config_set(config, "limits.trials", "7"), 0);
    ck_assert_int_eq(prova_config_step(config, "n", 2), 0);
    ck_assert_int_eq(prova_config_int(config, "more", 1, 3, PROVA_LINEAR), 0);
    ck_assert_int_eq(prova_config_when(config, "more", "n", (const char *const[]){"3"}, 1), 0);
    struct spec *spec = compile();
    ck_assert_str_eq(spec->name, "fromfile");
    ck_assert_int_eq(spec->limits.trials, 7);
    ck_assert_uint_eq(spec->space->n_params, 3);
    ck_assert_double_eq(spec->space->params[1].step, 2);
    ck_assert_uint_eq(spec->space->params[2].n_conditions, 1);
    ck_assert_int_eq(spec->train.kind, TRAIN_FUNCTION);
    spec_destroy(spec);
    unlink(path);
    free(path);
}
END_TEST

START_TEST(faults_of_a_file_have_their_places_all_at_once)
{
    char *path = write_file("parameters:\n  lr: {min: 2.0, max: 1.0}\n  n: {min: 1, maks: 9}\n");
    prova_config_free(config);
    config = prova_config_file(path);
    assert_error_has(path);
    assert_error_has(":2:");
    assert_error_has(":3:");
    unlink(path);
    free(path);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_said_so)
{
    prova_config_free(config);
    config = prova_config_file("/nonexistent/sweep.yaml");
    assert_error_has("/nonexistent/sweep.yaml");
    struct spec *spec = NULL;
    char *faults = NULL;
    ck_assert_int_eq(config_compile(&spec, &faults, config), PROVA_ENOTFOUND);
    free(faults);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, parameters_come_out_as_they_were_set);
    tcase_add_test(tc, a_double_range_of_whole_numbers_stays_double);
    tcase_add_test(tc, a_string_that_looks_like_a_number_stays_a_string_among_categories);
    tcase_add_test(tc, everything_else_is_set_by_its_path);
    tcase_add_test(tc, the_spec_reads_back_from_its_json);
    tcase_add_loop_test(tc, a_wrong_setting_is_refused_at_once_and_dropped, 0,
                        sizeof wrong_settings / sizeof *wrong_settings);
    tcase_add_test(tc, the_first_fault_is_kept);
    tcase_add_test(tc, wrong_parameters_are_refused_by_name);
    tcase_add_test(tc, a_range_that_is_not_finite_is_refused);
    tcase_add_test(tc, a_name_may_be_used_once);
    tcase_add_test(tc, a_condition_on_nothing_is_refused);
    tcase_add_test(tc, a_detail_of_no_parameter_is_refused);
    tcase_add_test(tc, an_unusable_name_is_kept_as_the_fault_alone);
    tcase_add_loop_test(tc, what_plugins_refuse_is_found_when_all_is_set, 0,
                        sizeof wrong_plugins / sizeof *wrong_plugins);
    tcase_add_loop_test(tc, settings_that_go_together_may_come_in_any_order, 0,
                        4 * sizeof together / sizeof *together);
    tcase_add_loop_test(tc, what_does_not_go_together_is_found_when_all_is_set, 0,
                        sizeof alone / sizeof *alone);
    tcase_add_test(tc, setters_may_complete_a_file);
    tcase_add_test(tc, an_empty_space_is_found_when_all_is_set);
    tcase_add_test(tc, faults_of_plugins_are_told_with_those_of_the_file);
    tcase_add_test(tc, the_whole_is_given_as_json_with_its_defaults);
    tcase_add_test(tc, the_text_of_a_sweep_file_is_one);
    tcase_add_test(tc, a_sweep_file_is_taken_and_changed_by_setters);
    tcase_add_test(tc, faults_of_a_file_have_their_places_all_at_once);
    tcase_add_test(tc, a_file_that_is_not_there_is_said_so);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
