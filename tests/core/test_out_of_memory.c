/* Each allocation of core fails in turn, until one more than there are: every call says ERR_NOMEM or does its
 * work, and leaks nothing (which the sanitizer's build sees). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/err.h"
#include "core/options.h"
#include "core/spec.h"
#include "tests/core/fail_each.h"
#include "tests/core/suite.h"

static const char good[] = "name: digits\n"
                           "train: {command: [./train, '${lr}', '${x}'], directory: d}\n"
                           "metric: {name: accuracy, goal: maximize, pattern: 'a=(.*)'}\n"
                           "parameters:\n"
                           "  lr: &lr {min: 0.1, max: 1.0, step: 0.1, default: 0.3}\n"
                           "  lr2: *lr\n"
                           "  x: {values: [3, 1, 2]}\n"
                           "  y: {values: [a, b, true], when: {x: [1, 3], lr: 0.5}}\n"
                           "  z: {value: 1, when: {y: [a, true]}}\n"
                           "search: {name: grid, counts: {lr: 5}, list: [1, [a]]}\n";
static const struct override overrides[] = {
    {"limits.trials", "5"}, {"schedule", "full"}, {"metric.value", "best"}};

static int parse_good(void)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    int code = spec_parse(&spec, good, sizeof good - 1, "dir/file name.yaml", overrides, 3, &faults);
    REQUIRE((code == 0) == (spec != NULL));
    spec_destroy(spec);
    faults_fini(&faults);
    return code;
}

START_TEST(a_sweep_file_is_read_or_memory_is_out)
{
    fail_each(parse_good, 0);
}
END_TEST

static const char study[] =
    "parameters: {lr: {min: 0.1, max: 1.0}}\n"
    "ablation: {features: [a, b], groups: [[a, b]], parameters: {lr: 0.1}, variants: [v],\n"
    "           base: {lr: 0.5}, mode: [loco, pairs, only], sets: [[a, v]]}\n";

static int parse_study(void)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    struct text text = {0};
    int code = spec_parse(&spec, study, sizeof study - 1, "f", NULL, 0, &faults);
    REQUIRE((code == 0) == (spec != NULL));
    if (code == 0) {
        spec_write_json(&text, spec);
        for (uint64_t trial = 1; trial <= ablation_n_trials(spec->ablation); trial++)
            spec_write_ablated(&text, spec, trial);
        code = text.failed;
    }
    text_fini(&text);
    spec_destroy(spec);
    faults_fini(&faults);
    return code;
}

START_TEST(a_study_is_read_and_written_or_memory_is_out)
{
    fail_each(parse_study, 0);
}
END_TEST

static const char bad[] = "nam: x\n"
                          "train: {command: [a, '${y}'], library: b}\n"
                          "metric: {goal: maximise}\n"
                          "parameters:\n"
                          "  lr: {min: 1, max: 0, whn: 3}\n"
                          "  lr: {min: 1, max: 0}\n"
                          "  x: {values: [3, 1, 3], default: 7}\n"
                          "  y: {values: [a, b], default: c}\n"
                          "  z: {min: 0.5, max: 1.0, when: {y: d, t: 1}}\n"
                          "workers: -1\n"
                          "search: {x: }\n";
static char all_messages[4096];

/* All messages are there, whole, or memory is out. */
static int parse_bad(void)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    struct text text = {0};
    int code = spec_parse(&spec, bad, sizeof bad - 1, "f", NULL, 0, &faults);
    faults_write(&text, &faults, "f");
    if (code == ERR_INVALID && !text.failed) {
        if (!*all_messages)
            (void)snprintf(all_messages, sizeof all_messages, "%s", text_get(&text));
        REQUIRE(strcmp(text_get(&text), all_messages) == 0);
    }
    faults_fini(&faults);
    text_fini(&text);
    return code;
}

START_TEST(all_faults_are_told_or_memory_is_out)
{
    ck_assert_int_eq(parse_bad(), ERR_INVALID);
    fail_each(parse_bad, ERR_INVALID);
}
END_TEST

static struct spec *parsed;

static int write_json(void)
{
    struct text text = {0};
    spec_write_json(&text, parsed);
    char *json = text.failed ? NULL : text_take(&text);
    text_fini(&text);
    free(json);
    return json ? 0 : ERR_NOMEM;
}

static int substitute(void)
{
    const double point[] = {0.3, 0.3, 1, NAN, NAN};
    const struct substitution values = {.space = parsed->space, .point = point};
    struct text text = {0};
    int code = spec_substitute(&text, "a rather long argument --lr=${lr} --lr2=${lr2} --seed ${seed}",
                               &values, NULL);
    text_fini(&text);
    return code;
}

static double exact;

static int count_points(void)
{
    double n = space_cardinality(parsed->space);
    REQUIRE(n >= exact); /* without memory it is too high, and no error */
    return 0;
}

START_TEST(a_spec_is_used_or_memory_is_out)
{
    struct faults faults = {0};
    ck_assert_int_eq(spec_parse(&parsed, good, sizeof good - 1, "f", NULL, 0, &faults), 0);
    exact = space_cardinality(parsed->space);
    fail_each(write_json, 0);
    fail_each(substitute, 0);
    fail_each(count_points, 0);
    spec_destroy(parsed);
}
END_TEST

static const char warm[] = "parameters:\n"
                           "  lr: {min: 0.1, max: 1.0, default: 0.5}\n"
                           "  x: {values: [a, b]}\n"
                           "  y: {min: 1, max: 3, when: {x: b}}\n"
                           "warm_start:\n"
                           "  points:\n"
                           "    - {lr: 0.2, x: a, value: 0.3}\n"
                           "    - {lr: 0.3, x: b, y: 2, value: .nan}\n"
                           "    - {x: a}\n";
static const char table[] = "number,params.lr,params.x,params.y,loss,state,step,other\n"
                            "1,0.4,a,,0.5,COMPLETED,3,\"a, b\"\n"
                            "2,0.5,b,1,,FAILED,,\n"
                            "3,0.6,b,7,1,COMPLETED,1,\n"
                            "4,0.7,b,3,2,RUNNING,1,\n"
                            "5,0.8,b,3,2e-3,STOPPED,2,\n";

/* Points of a list and of a table, written as a table, and as part of a spec. */
static int start_warm(void)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    struct text text = {0}, json = {0};
    int code = spec_parse(&spec, warm, sizeof warm - 1, "f", NULL, 0, &faults);
    REQUIRE(code == 0 || code == ERR_NOMEM);
    if (code == 0) {
        spec->warm_start.skips_unfit = true;
        size_t n = spec->warm_start.n;
        REQUIRE(n == 3);
        code = warm_start_read_table(&spec->warm_start, spec->space, "loss", table, sizeof table - 1, NULL);
        REQUIRE(code == 0 ? spec->warm_start.n == n + 3 : code == ERR_NOMEM);
    }
    if (code == 0) {
        warm_start_write_table(&text, &spec->warm_start, spec->space);
        spec_write_json(&json, spec);
        code = text.failed ? text.failed : json.failed;
    }
    text_fini(&text);
    text_fini(&json);
    spec_destroy(spec);
    faults_fini(&faults);
    return code;
}

START_TEST(a_warm_start_is_read_and_written_or_memory_is_out)
{
    ck_assert_int_eq(start_warm(), 0);
    fail_each(start_warm, 0);
}
END_TEST

static int create_spec(void)
{
    struct spec *spec = spec_create();
    spec_destroy(spec);
    return spec ? 0 : ERR_NOMEM;
}

static int fill_curve(void)
{
    struct curve curve = {0};
    int code = 0;
    for (int64_t step = 0; step < 100 && code == 0; step++)
        code = curve_add(&curve, step, 1);
    REQUIRE(code == 0 || curve.n < 100);
    curve_fini(&curve);
    return code;
}

static int fill_plugin(void)
{
    struct plugin plugin = {0};
    int code = plugin_set_name(&plugin, "tpe", 1, 1);
    if (code == 0)
        code = plugin_add(&plugin, "gamma", "0.1", 1, 1);
    plugin_fini(&plugin);
    return code;
}

START_TEST(small_things_are_made_or_memory_is_out)
{
    fail_each(create_spec, 0);
    fail_each(fill_curve, 0);
    fail_each(fill_plugin, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("out of memory");
    tcase_add_test(tests, a_sweep_file_is_read_or_memory_is_out);
    tcase_add_test(tests, a_study_is_read_and_written_or_memory_is_out);
    tcase_add_test(tests, all_faults_are_told_or_memory_is_out);
    tcase_add_test(tests, a_spec_is_used_or_memory_is_out);
    tcase_add_test(tests, a_warm_start_is_read_and_written_or_memory_is_out);
    tcase_add_test(tests, small_things_are_made_or_memory_is_out);
    return run_case(tests);
}
