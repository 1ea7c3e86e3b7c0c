/* A spec as JSON, and ${name} in commands. */
#include <math.h>
#include <string.h>

#include "core/err.h"
#include "tests/core/parse.h"
#include "tests/core/suite.h"

#define X "parameters: {x: {min: 0, max: 9}}\n"

static const char *const files[] = {
    X,
    X
    "train: {command: [a, \"b\\n\\\"c\\\"\", '${x}']}\nmetric: {name: v, goal: maximize, value: best, pattern: 'v=(.*)'}\n",
    X "train: {command: 'echo ${x} $$'}\nseed: 18446744073709551615\n",
    X "train: {library: a, function: b, directory: c, grace_s: 0.1}\n",
    X "train: {kind: function}\n",
    X "train: {kind: function, function: train, directory: /x}\n",
    X "train: {kind: none, grace_s: 3}\n",
    X
    "search: {name: grid, counts: {x: 5}, list: [1, a], n: 1e5, odd: 01, t: true, s: 'a b', q: '\"', e: ''}\n",
    X
    "limits: {trials: 3, hours: 0.5, target: -1e-300, failures: 0, trial_hours: 1e-3}\nworkers: 64\nretries: 0\n",
    "context: elsewhere\nelsewhere: {features: [a, {b: c}]}\n",
    "context: ablation\nablation: {features: [a, b], repeats: 3}\n",
    "context: {name: single, x: {y: 1}}\n",
    "parameters:\n"
    "  lr: {min: 1e-300, max: 0.1, scale: log, default: 0.001}\n"
    "  d: {min: -5, max: 5, type: double, default: 0}\n"
    "  s: {min: 0.1, max: 0.9, step: 0.2, default: 0.3}\n"
    "  i: {min: 0, max: 9007199254740991}\n"
    "  l: {min: 1, max: 100, scale: log, step: 3, default: 4}\n"
    "  decay: {type: discrete, values: [0.001, 1, 10], scale: log}\n"
    "  v: {values: [1, 2.0, 0.1], default: 2}\n"
    "  c: {values: [\"1\", 2, 2.5, true, \"false\", \"\\u00e9\\t\", null_, 1e100], default: \"false\"}\n"
    "  k: {value: 1.0}\n"
    "  k2: {value: \"1.0\", when: {k: 1}}\n"
    "  w: {min: 1, max: 2, when: {v: [0.1, 2], c: [true, \"1\"], i: 7}}\n"
    "  w2: {min: 1.0, max: 2.0, when: {w: 2}}\n",
};

/* The JSON says everything (test_spec.c reads back each of its keys), so equal JSON is an equal spec, but for
 * the places of settings. */
START_TEST(the_json_of_a_spec_is_read_back_as_that_spec)
{
    struct spec *spec = parse_spec(files[_i]);
    struct text first = {0}, second = {0};
    spec_write_json(&first, spec);
    struct spec *again = parse_spec(text_get(&first));
    spec_write_json(&second, again);
    ck_assert_str_eq(text_get(&first), text_get(&second));
    ck_assert_int_eq((int)spec->train.kind, (int)again->train.kind);
    ck_assert_uint_eq(spec->space->n_params, again->space->n_params);
    for (size_t i = 0; i < spec->space->n_params; i++) {
        const struct param *a = &spec->space->params[i], *b = &again->space->params[i];
        ck_assert_int_eq((int)a->type, (int)b->type);
        ck_assert_int_eq((int)a->scale, (int)b->scale);
        ck_assert(a->min == b->min && a->max == b->max && a->step == b->step);
        ck_assert(a->initial == b->initial || (isnan(a->initial) && isnan(b->initial)));
        ck_assert_uint_eq(a->n_conditions, b->n_conditions);
        for (size_t k = 0; k < a->n_choices; k++) {
            ck_assert_int_eq((int)a->choices[k].type, (int)b->choices[k].type);
            ck_assert_str_eq(a->choices[k].text, b->choices[k].text);
        }
    }
    for (size_t i = 0; i < spec->search.n_settings; i++)
        ck_assert_str_eq(spec->search.settings[i].text,
                         plugin_setting(&again->search, spec->search.settings[i].key));
    spec_destroy(spec);
    spec_destroy(again);
    text_fini(&first);
    text_fini(&second);
}
END_TEST

START_TEST(the_json_says_every_default)
{
    struct spec *spec = parse_spec(X);
    struct text text = {0};
    spec_write_json(&text, spec);
    ck_assert_str_eq(
        text_get(&text),
        "{\"name\":\"test\",\"train\":{\"kind\":\"none\",\"function\":null,\"directory\":null,\"grace_s\":10},"
        "\"metric\":{\"name\":\"objective\",\"goal\":\"minimize\",\"value\":\"final\",\"pattern\":null},"
        "\"parameters\":{\"x\":{\"type\":\"int\",\"min\":0,\"max\":9,\"scale\":\"linear\"}},"
        "\"search\":{\"name\":\"auto\"},\"schedule\":{\"name\":\"full\"},\"stopping\":{\"name\":\"none\"},"
        "\"context\":{\"name\":\"optimization\"},"
        "\"distributed\":{\"workers\":1,\"runtime\":\"env\",\"parameter_servers\":0},"
        "\"limits\":{\"trials\":100,\"hours\":0,\"target\":null,\"failures\":10,\"trial_hours\":0,\"budget\":0},"
        "\"workers\":1,\"retries\":1,\"seed\":null}");
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_new_spec_has_the_defaults_of_an_empty_file)
{
    struct spec *spec = spec_create();
    struct text text = {0};
    spec_write_json(&text, spec);
    ck_assert_ptr_nonnull(strstr(text_get(&text), "\"name\":\"experiment\""));
    ck_assert_ptr_nonnull(strstr(text_get(&text), "\"trials\":100"));
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

static const struct {
    const char *string, *result;
} substitutions[] = {
    {"", ""},
    {"plain", "plain"},
    {"--lr=${lr}", "--lr=0.001"},
    {"${solver}/${lr}${lr}", "sgd/0.0010.001"},
    {"[${momentum}]", "[]"}, /* inactive */
    {"${budget} ${trial} ${attempt}", "27 3 2"},
    {"${seed}", "77"}, /* the parameter of that name, not the trial's seed */
    {"$$ $${lr} $HOME $", "$ ${lr} $HOME $"},
    {"$$$$${lr}", "$$0.001"},
    {"{lr}", "{lr}"},
};

START_TEST(references_are_replaced)
{
    struct spec *spec =
        parse_spec("parameters: {lr: {min: 0.0, max: 1.0}, solver: {values: [sgd, adam]},\n"
                   "  momentum: {min: 0.0, max: 1.0, when: {solver: adam}}, seed: {value: 77}}\n");
    const double point[] = {0.001, 0, NAN, 0};
    const struct substitution values = {spec->space, point, 27, 3, 2, 12345, "feature:age"};
    struct text text = {0};
    ck_assert_int_eq(spec_substitute(&text, substitutions[_i].string, &values, NULL), 0);
    ck_assert_str_eq(text_get(&text), substitutions[_i].result);
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

START_TEST(the_trials_seed_may_be_referred_to)
{
    struct spec *spec = parse_spec(X);
    const double point[] = {3};
    const struct substitution values = {spec->space, point, 0, 1, 1, UINT64_MAX, ""};
    struct text text = {0};
    ck_assert_int_eq(spec_substitute(&text, "${seed}-${x}", &values, NULL), 0);
    ck_assert_str_eq(text_get(&text), "18446744073709551615-3");
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

START_TEST(an_unknown_reference_is_refused)
{
    struct spec *spec = parse_spec(X);
    const double point[] = {3};
    const struct substitution values = {.space = spec->space, .point = point};
    struct text text = {0};
    struct err err;
    ck_assert_int_eq(spec_substitute(&text, "${y}", &values, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "${y} is not a parameter");
    ck_assert_int_eq(spec_substitute(&text, "${x", &values, &err), ERR_INVALID);
    ck_assert_int_eq(spec_substitute(&text, "${}", &values, &err), ERR_INVALID);
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("spec text");
    tcase_add_loop_test(tests, the_json_of_a_spec_is_read_back_as_that_spec, 0, sizeof files / sizeof *files);
    tcase_add_test(tests, the_json_says_every_default);
    tcase_add_test(tests, a_new_spec_has_the_defaults_of_an_empty_file);
    tcase_add_loop_test(tests, references_are_replaced, 0, sizeof substitutions / sizeof *substitutions);
    tcase_add_test(tests, the_trials_seed_may_be_referred_to);
    tcase_add_test(tests, an_unknown_reference_is_refused);
    return run_case(tests);
}
