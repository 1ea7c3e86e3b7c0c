/* Sweep files without faults: what they say, what they leave to defaults, and overrides. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "tests/core/parse.h"
#include "tests/core/suite.h"

static const char digits[] =
    "name: digits\n"
    "train:                                              # command, or library + function\n"
    "  command: [./digits_mlp, --lr, \"${lr}\", --hidden, \"${hidden}\", --epochs, \"${budget}\"]\n"
    "metric: {name: val_accuracy, goal: maximize}\n"
    "parameters:\n"
    "  lr:       {type: double, min: 1.0e-4, max: 1.0, scale: log, default: 0.01}\n"
    "  hidden:   {min: 8, max: 256, scale: log}          # type inferred: two integers, so int\n"
    "  batch:    {type: discrete, values: [16, 32, 64, 128]}\n"
    "  solver:   {values: [sgd, adam]}                   # categorical\n"
    "  momentum: {min: 0.0, max: 0.99, when: {solver: [sgd]}}\n"
    "  seed:     {value: 1}                              # constant\n"
    "search:   {name: tpe}\n"
    "schedule: {name: asha, min_budget: 1, max_budget: 27, eta: 3}\n"
    "stopping: {name: median, min_trials: 5}\n"
    "limits:   {trials: 200, hours: 1, target: 0.99}\n"
    "workers: 2\n"
    "retries: 1\n"
    "seed: 7\n";

static struct spec *spec;
static struct faults faults;

static void tear_down(void)
{
    spec_destroy(spec);
    spec = NULL;
    faults_fini(&faults);
}

static const struct param *param(const char *name)
{
    int i = space_find(spec->space, name);
    ck_assert_int_ge(i, 0);
    return &spec->space->params[i];
}

START_TEST(the_designs_example_says_what_it_says)
{
    spec = parse_spec(digits);
    ck_assert_str_eq(spec->name, "digits");
    ck_assert_int_eq((int)spec->train.kind, TRAIN_COMMAND);
    ck_assert_uint_eq(spec->train.n_argv, 7);
    ck_assert_str_eq(spec->train.argv[2], "${lr}");
    ck_assert_str_eq(spec->metric.name, "val_accuracy");
    ck_assert_int_eq((int)spec->metric.goal, GOAL_MAXIMIZE);
    ck_assert_uint_eq(spec->space->n_params, 6);
    ck_assert_str_eq(spec->search.name, "tpe");
    ck_assert_str_eq(spec->schedule.name, "asha");
    ck_assert_str_eq(plugin_setting(&spec->schedule, "max_budget"), "27");
    ck_assert_str_eq(plugin_setting(&spec->stopping, "min_trials"), "5");
    ck_assert_int_eq(spec->limits.trials, 200);
    ck_assert_double_eq(spec->limits.hours, 1);
    ck_assert_double_eq(spec->limits.target, 0.99);
    ck_assert_int_eq(spec->workers, 2);
    ck_assert_int_eq(spec->retries, 1);
    ck_assert(spec->has_seed && spec->seed == 7);
}
END_TEST

START_TEST(its_parameters_are_what_they_say)
{
    spec = parse_spec(digits);
    ck_assert_int_eq((int)param("lr")->type, PARAM_DOUBLE);
    ck_assert_int_eq((int)param("lr")->scale, SCALE_LOG);
    ck_assert_double_eq(param("lr")->initial, 0.01);
    ck_assert_int_eq((int)param("hidden")->type, PARAM_INT);
    ck_assert(isnan(param("hidden")->initial));
    ck_assert_int_eq((int)param("batch")->type, PARAM_DISCRETE);
    ck_assert_str_eq(param("batch")->choices[3].text, "128");
    ck_assert_int_eq((int)param("solver")->type, PARAM_CATEGORICAL);
    ck_assert_uint_eq(param("momentum")->n_conditions, 1);
    ck_assert_double_eq(param("momentum")->conditions[0].values[0], 0);
    ck_assert_int_eq((int)param("seed")->type, PARAM_CONSTANT);
}
END_TEST

START_TEST(a_small_file_has_the_defaults)
{
    spec = parse_spec("parameters: {x: {min: 0, max: 9}}\n");
    ck_assert_str_eq(spec->name, "test"); /* from test.yaml */
    ck_assert_int_eq((int)spec->train.kind, TRAIN_NONE);
    ck_assert_double_eq(spec->train.grace_s, 10);
    ck_assert_str_eq(spec->metric.name, "objective");
    ck_assert_int_eq((int)spec->metric.goal, GOAL_MINIMIZE);
    ck_assert_int_eq((int)spec->metric.value, METRIC_FINAL);
    ck_assert_str_eq(spec->search.name, "auto");
    ck_assert_str_eq(spec->schedule.name, "full");
    ck_assert_str_eq(spec->stopping.name, "none");
    ck_assert_str_eq(spec->context.name, "optimization");
    ck_assert_int_eq(spec->limits.trials, 100);
    ck_assert_int_eq(spec->limits.failures, 10);
    ck_assert(isnan(spec->limits.target));
    ck_assert_int_eq(spec->workers, 1);
    ck_assert(!spec->has_seed);
}
END_TEST

#define X "parameters: {x: {min: 0, max: 9}}\n"

static const struct {
    const char *yaml;
    int64_t trials;
} limited[] = {
    {X, 100},
    {X "search: grid\n", 0},
    {X "limits: {failures: 3}\n", 100},
    {X "limits: {failures: 3}\nsearch: {name: grid}\n", 0},
    {X "limits: {hours: 1}\n", 0},
    {X "limits: {target: 0.5}\n", 0},
    {X "limits: {trials: 7, hours: 1}\n", 7},
    {X "limits: {trials: 7}\nsearch: grid\n", 7},
    {X "limits: {trials: 0}\n", 0},
    {X "limits: {trials: null}\n", 100},
    {X "limits: null\n", 100},
};

START_TEST(a_search_without_an_end_gets_a_hundred_trials)
{
    spec = parse_spec(limited[_i].yaml);
    ck_assert_int_eq(spec->limits.trials, limited[_i].trials);
}
END_TEST

static const struct {
    const char *yaml;
    enum param_type type;
    double cardinality;
} inferred[] = {
    {"{min: 0, max: 9}", PARAM_INT, 10},
    {"{min: 0, max: 9.0}", PARAM_DOUBLE, INFINITY},
    {"{min: 0, max: 1e1}", PARAM_DOUBLE, INFINITY},
    {"{min: 0, max: 9, step: 3}", PARAM_INT, 4},
    {"{min: 0, max: 9, step: 0.5}", PARAM_DOUBLE, 19},
    {"{min: 0x0, max: 0x1F}", PARAM_INT, 32},
    {"{type: double, min: 0, max: 9}", PARAM_DOUBLE, INFINITY},
    {"{type: int, min: 0, max: 1e1}", PARAM_INT, 11},
    {"{values: [3, 1, 2]}", PARAM_DISCRETE, 3},
    {"{values: [1, 2.5]}", PARAM_DISCRETE, 2},
    {"{values: [1, two]}", PARAM_CATEGORICAL, 2},
    {"{values: [true, false]}", PARAM_CATEGORICAL, 2},
    {"{values: [\"1\", \"2\"]}", PARAM_CATEGORICAL, 2},
    {"{type: categorical, values: [1, 2]}", PARAM_CATEGORICAL, 2},
    {"{value: 3}", PARAM_CONSTANT, 1},
    {"{value: abc}", PARAM_CONSTANT, 1},
    {"{min: 0, max: 9, scale: null, values: null}", PARAM_INT, 10},
};

START_TEST(types_are_inferred)
{
    struct text yaml = {0};
    text_printf(&yaml, "parameters: {x: %s}\n", inferred[_i].yaml);
    spec = parse_spec(text_get(&yaml));
    ck_assert_int_eq((int)param("x")->type, (int)inferred[_i].type);
    ck_assert_double_eq(param_cardinality(param("x")), inferred[_i].cardinality);
    text_fini(&yaml);
}
END_TEST

START_TEST(discrete_values_ascend_whatever_the_files_order)
{
    spec = parse_spec("parameters: {x: {values: [3, 1, 2], default: 3}}\n");
    ck_assert_str_eq(param("x")->choices[0].text, "1");
    ck_assert_str_eq(param("x")->choices[2].text, "3");
    ck_assert_double_eq(param("x")->initial, 2);
}
END_TEST

START_TEST(values_keep_their_kinds)
{
    spec = parse_spec("parameters: {x: {values: [1, 1.50, yes, \"2\", true, 1e3, ~x, '']}}\n");
    static const struct {
        enum choice_type type;
        const char *text;
    } expected[] = {{CHOICE_INT, "1"},     {CHOICE_DOUBLE, "1.5"}, {CHOICE_STRING, "yes"},
                    {CHOICE_STRING, "2"},  {CHOICE_BOOL, "true"},  {CHOICE_DOUBLE, "1000"},
                    {CHOICE_STRING, "~x"}, {CHOICE_STRING, ""}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_int_eq((int)param("x")->choices[i].type, (int)expected[i].type);
        ck_assert_str_eq(param("x")->choices[i].text, expected[i].text);
    }
}
END_TEST

START_TEST(conditions_may_be_scalars_lists_several_and_forward)
{
    spec = parse_spec("parameters:\n"
                      "  c: {min: 0, max: 1, when: {a: 2, b: [x, z]}}\n"
                      "  a: {min: 1, max: 3}\n"
                      "  b: {values: [x, y, z], when: {a: [1, 2]}}\n");
    const struct param *c = param("c");
    ck_assert_uint_eq(c->n_conditions, 2);
    ck_assert_uint_eq(c->conditions[0].param, 1);
    ck_assert_double_eq(c->conditions[0].values[0], 2);
    ck_assert_uint_eq(c->conditions[1].n_values, 2);
    ck_assert_double_eq(c->conditions[1].values[1], 2);
}
END_TEST

START_TEST(a_command_may_be_a_line_for_the_shell)
{
    spec = parse_spec(X "train: {command: 'cd $HOME && train --x ${x} > log'}\n");
    ck_assert_uint_eq(spec->train.n_argv, 3);
    ck_assert_str_eq(spec->train.argv[0], "/bin/sh");
    ck_assert_str_eq(spec->train.argv[1], "-c");
    ck_assert_str_eq(spec->train.argv[2], "cd $HOME && train --x ${x} > log");
}
END_TEST

START_TEST(a_function_in_a_library_is_named)
{
    spec = parse_spec(X "train: {library: ./libx.so, function: train, directory: /tmp, grace_s: 2.5}\n");
    ck_assert_int_eq((int)spec->train.kind, TRAIN_LIBRARY);
    ck_assert_str_eq(spec->train.library, "./libx.so");
    ck_assert_str_eq(spec->train.function, "train");
    ck_assert_str_eq(spec->train.directory, "/tmp");
    ck_assert_double_eq(spec->train.grace_s, 2.5);
}
END_TEST

START_TEST(bare_names_are_enough)
{
    spec = parse_spec(X "search: sobol\nschedule: full\nstopping: none\ncontext: single\nmetric: loss\n");
    ck_assert_str_eq(spec->search.name, "sobol");
    ck_assert_str_eq(spec->context.name, "single");
    ck_assert_str_eq(spec->metric.name, "loss");
    ck_assert_uint_eq(spec->search.line, 2);
    ck_assert_uint_eq(spec->search.column, 9);
}
END_TEST

START_TEST(settings_are_kept_as_text_with_their_places)
{
    spec = parse_spec(
        X
        "search:\n  counts: {x: 5, y: 1e2}\n  name: grid\n  list: [1, a, null, 'b', [x: 0x1]]\n  on: yes\n");
    const struct plugin *search = &spec->search;
    ck_assert_str_eq(search->name, "grid");
    ck_assert_uint_eq(search->n_settings, 4);
    ck_assert_str_eq(plugin_setting(search, "counts.y"), "1e2");
    ck_assert_str_eq(plugin_setting(search, "list"), "[1,\"a\",null,\"b\",[{\"x\":\"0x1\"}]]");
    ck_assert_uint_eq(search->settings[1].line, 3);
    ck_assert_uint_eq(search->settings[1].column, 21);
    ck_assert_uint_eq(search->settings[1].key_column, 18);
}
END_TEST

START_TEST(a_context_has_a_section_of_its_own_name)
{
    spec = parse_spec("context: elsewhere\nelsewhere: {hosts: [a, b], repeats: 3}\n");
    ck_assert_str_eq(spec->context.name, "elsewhere");
    ck_assert_str_eq(plugin_setting(&spec->context, "repeats"), "3");
    ck_assert_uint_eq(spec->space->n_params, 0);
    ck_assert_int_eq(space_cardinality(spec->space) == 1, 1);
}
END_TEST

START_TEST(aliases_stand_for_copies)
{
    spec = parse_spec("parameters:\n  a: &range {min: 0.0, max: 1.0}\n  b: *range\n  c: {values: &v [x, y]}\n"
                      "  d: {min: 0, max: 3, when: {c: *v}}\n");
    ck_assert_double_eq(param("b")->max, 1);
    ck_assert_uint_eq(param("d")->conditions[0].n_values, 2);
}
END_TEST

START_TEST(json_is_yaml)
{
    spec =
        parse_spec("{\"name\": \"j\", \"parameters\": {\"x\": {\"min\": 0, \"max\": 9}, \"s\": {\"values\": "
                   "[\"\\u00e9\", \"a\\\"b\"]}}, \"seed\": 18446744073709551615, \"limits\": null}");
    ck_assert_str_eq(spec->name, "j");
    ck_assert_str_eq(param("s")->choices[0].text, "\xc3\xa9");
    ck_assert_str_eq(param("s")->choices[1].text, "a\"b");
    ck_assert(spec->seed == UINT64_MAX);
}
END_TEST

static const struct {
    const char *file, *name;
} named[] = {
    {"/a/b.c/sweep.yaml", "sweep"},
    {"my sweep (2).yml", "my-sweep--2-"},
    {".hidden", ".hidden"},
    {"noending", "noending"},
    {"a.b.yaml", "a.b"},
    {"/a/", "experiment"},
    {"", "experiment"},
    {NULL, "experiment"},
    {"\xc3\xa9t\xc3\xa9.yaml", "--t--"},
};

START_TEST(the_files_name_is_the_default_name)
{
    ck_assert_int_eq(spec_parse(&spec, X, strlen(X), named[_i].file, NULL, 0, &faults), 0);
    ck_assert_str_eq(spec->name, named[_i].name);
}
END_TEST

/* Overrides */

static int parse_with(const char *yaml, const char *path, const char *value)
{
    const struct override override = {path, value};
    return spec_parse(&spec, yaml, strlen(yaml), "test.yaml", &override, 1, &faults);
}

START_TEST(an_override_replaces_a_value)
{
    ck_assert_int_eq(parse_with(digits, "limits.trials", "5"), 0);
    ck_assert_int_eq(spec->limits.trials, 5);
    ck_assert_double_eq(spec->limits.hours, 1);
}
END_TEST

START_TEST(an_override_adds_what_is_not_there)
{
    ck_assert_int_eq(parse_with(X, "limits.trials", "5"), 0);
    ck_assert_int_eq(spec->limits.trials, 5);
    tear_down();
    ck_assert_int_eq(parse_with(X, "parameters.y", "{values: [a, b]}"), 0);
    ck_assert_uint_eq(spec->space->n_params, 2);
}
END_TEST

START_TEST(an_override_gives_a_bare_name_a_setting)
{
    ck_assert_int_eq(parse_with(X "search: tpe\n", "search.gamma", "0.1"), 0);
    ck_assert_str_eq(spec->search.name, "tpe");
    ck_assert_str_eq(plugin_setting(&spec->search, "gamma"), "0.1");
}
END_TEST

START_TEST(an_override_finds_names_with_dots)
{
    ck_assert_int_eq(
        parse_with("parameters: {a: {value: 1}, a.b: {min: 0, max: 9}}\n", "parameters.a.b.max", "5"), 0);
    ck_assert_double_eq(param("a.b")->max, 5);
}
END_TEST

START_TEST(an_override_of_null_takes_a_value_away)
{
    ck_assert_int_eq(parse_with(digits, "limits.target", "null"), 0);
    ck_assert(isnan(spec->limits.target));
}
END_TEST

START_TEST(an_override_of_an_alias_leaves_the_other_alone)
{
    ck_assert_int_eq(parse_with("parameters:\n  a: &r {min: 0, max: 9}\n  b: *r\n", "parameters.b.max", "5"),
                     0);
    ck_assert_double_eq(param("a")->max, 9);
    ck_assert_double_eq(param("b")->max, 5);
}
END_TEST

START_TEST(overrides_alone_make_a_spec)
{
    const struct override overrides[] = {
        {"parameters", "{x: {min: 0, max: 1}}"}, {"metric.goal", "maximize"}, {"train.kind", "function"}};
    ck_assert_int_eq(spec_parse(&spec, "", 0, NULL, overrides, 3, &faults), 0);
    ck_assert_int_eq((int)spec->train.kind, TRAIN_FUNCTION);
    ck_assert_int_eq((int)spec->metric.goal, GOAL_MAXIMIZE);
}
END_TEST

static const struct {
    const char *path, *value, *fault;
} bad_overrides[] = {
    {"limits.trails", "5", "limits.trails=5: unknown key 'trails' in limits; did you mean 'trials'?"},
    {"limits.trials", "many", "limits.trials=many: 'trials' must be a whole number, not many"},
    {"limits.trials", "", "limits.trials=: 'trials' has no value"},
    {"limits.trials", "[1", "limits.trials=[1: flow sequence without a closing bracket"},
    {"limits.trials.x", "1", "limits.trials.x=1: 'trials' is not a map, so it has no 'x'"},
    {"train.command.0", "1", "train.command.0=1: 'command' is not a map, so it has no '0'"},
    {"", "1", "=1: a path is made of keys with dots between them"},
    {"limits..trials", "1", "limits..trials=1: a path is made of keys with dots between them"},
    {".limits", "1", ".limits=1: a path is made of keys with dots between them"},
    {"limits.", "1", "limits.=1: a path is made of keys with dots between them"},
    {"parameters.lr.max", "1e-9", "parameters.lr.max=1e-9: max (1e-09) is below min (0.0001) for 'lr'"},
    {"worker", "3", "worker=3: unknown key 'worker'; did you mean 'workers'?"},
};

START_TEST(a_bad_override_is_named)
{
    ck_assert_int_eq(parse_with(digits, bad_overrides[_i].path, bad_overrides[_i].value), ERR_INVALID);
    ck_assert_uint_eq(faults.n, 1);
    ck_assert_str_eq(faults.list[0].text, bad_overrides[_i].fault);
    ck_assert_uint_eq(faults.list[0].line, 0);
}
END_TEST

/* Files */

static char path[] = "/tmp/prova-test-XXXXXX";

static void write_file(const char *content, size_t size)
{
    strcpy(path, "/tmp/prova-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, content, size), (int)size);
    close(fd);
}

START_TEST(a_file_is_read_with_its_text)
{
    char *source = NULL;
    struct err err;
    write_file(digits, sizeof digits - 1);
    ck_assert_int_eq(spec_read(&spec, &source, path, NULL, 0, &faults, &err), 0);
    ck_assert_str_eq(source, digits);
    ck_assert_str_eq(spec->name, "digits");
    free(source);
    unlink(path);
}
END_TEST

START_TEST(a_file_with_faults_says_how_many)
{
    struct err err;
    write_file("nam: x\n", 7);
    ck_assert_int_eq(spec_read(&spec, NULL, path, NULL, 0, &faults, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "has 2 faults"));
    ck_assert_uint_eq(faults.n, 2);
    unlink(path);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    struct err err;
    ck_assert_int_eq(spec_read(&spec, NULL, "/nonexistent/sweep.yaml", NULL, 0, &faults, &err),
                     ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "cannot read '/nonexistent/sweep.yaml': No such file or directory");
    ck_assert_int_eq(spec_read(&spec, NULL, "/tmp", NULL, 0, &faults, &err), ERR_IO);
    ck_assert_str_eq(err.text, "cannot read '/tmp': Is a directory");
    ck_assert_uint_eq(faults.n, 0);
}
END_TEST

START_TEST(a_huge_file_is_refused)
{
    char *huge = malloc(2 << 20);
    memset(huge, '#', 2 << 20);
    write_file(huge, 2 << 20);
    ck_assert_int_eq(spec_read(&spec, NULL, path, NULL, 0, &faults, NULL), ERR_INVALID);
    ck_assert_str_eq(faults.list[0].text, "larger than 1 MiB: this is no sweep file");
    unlink(path);
    free(huge);
}
END_TEST

#define ADD_TABLE(tests, test, table) tcase_add_loop_test(tests, test, 0, sizeof(table) / sizeof *(table))

int main(void)
{
    TCase *tests = tcase_create("spec");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_designs_example_says_what_it_says);
    tcase_add_test(tests, its_parameters_are_what_they_say);
    tcase_add_test(tests, a_small_file_has_the_defaults);
    ADD_TABLE(tests, a_search_without_an_end_gets_a_hundred_trials, limited);
    ADD_TABLE(tests, types_are_inferred, inferred);
    tcase_add_test(tests, discrete_values_ascend_whatever_the_files_order);
    tcase_add_test(tests, values_keep_their_kinds);
    tcase_add_test(tests, conditions_may_be_scalars_lists_several_and_forward);
    tcase_add_test(tests, a_command_may_be_a_line_for_the_shell);
    tcase_add_test(tests, a_function_in_a_library_is_named);
    tcase_add_test(tests, bare_names_are_enough);
    tcase_add_test(tests, settings_are_kept_as_text_with_their_places);
    tcase_add_test(tests, a_context_has_a_section_of_its_own_name);
    tcase_add_test(tests, aliases_stand_for_copies);
    tcase_add_test(tests, json_is_yaml);
    ADD_TABLE(tests, the_files_name_is_the_default_name, named);
    tcase_add_test(tests, an_override_replaces_a_value);
    tcase_add_test(tests, an_override_adds_what_is_not_there);
    tcase_add_test(tests, an_override_gives_a_bare_name_a_setting);
    tcase_add_test(tests, an_override_finds_names_with_dots);
    tcase_add_test(tests, an_override_of_null_takes_a_value_away);
    tcase_add_test(tests, an_override_of_an_alias_leaves_the_other_alone);
    tcase_add_test(tests, overrides_alone_make_a_spec);
    ADD_TABLE(tests, a_bad_override_is_named, bad_overrides);
    tcase_add_test(tests, a_file_is_read_with_its_text);
    tcase_add_test(tests, a_file_with_faults_says_how_many);
    tcase_add_test(tests, a_file_that_cannot_be_read_is_an_error);
    tcase_add_test(tests, a_huge_file_is_refused);
    return run_case(tests);
}
