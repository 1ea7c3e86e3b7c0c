/* The section `ablation`: which variants it makes, what its trials leave out, and what is wrong with it. */
#include <string.h>

#include "core/ablation.h"
#include "core/rng.h"
#include "core/spec.h"
#include "tests/core/parse.h"
#include "tests/core/suite.h"

#define X "parameters: {x: {min: 0, max: 1}}\n"
#define HEAD                                                                                                 \
    "context: ablation\n"                                                                                    \
    "parameters: {drop: {min: 0.0, max: 0.9, default: 0.5}, width: {values: [1, 2]}}\n"

/* Plans: the variants in order, and in brackets what each leaves out. */

static const struct {
    const char *section, *variants;
} plans[] = {
    {"{features: [age, income], layers: [1]}", "base [] | feature:age [feature:age] | "
                                               "feature:income [feature:income] | layer:1 [layer:1]"},
    {"{modules: attention}", "base [] | module:attention [module:attention]"},
    {"{features: [a_1, b, a_2], groups: {as: a_}}",
     "base [] | feature:a_1 [feature:a_1] | feature:b [feature:b] | feature:a_2 [feature:a_2] | "
     "group:as [feature:a_1,feature:a_2,group:as]"},
    {"{features: [a_1, b, a_2], groups: [a_*, [b, a_2]], members: false}",
     "base [] | group:a_* [feature:a_1,feature:a_2,group:a_*] | "
     "group:b+a_2 [feature:b,feature:a_2,group:b+a_2]"},
    {"{features: [a, b], groups: {ab: {prefix: a}}, members: false}",
     "base [] | feature:b [feature:b] | group:ab [feature:a,group:ab]"},
    {"{features: [a, b, c], mode: only}",
     "base [] | only feature:a [feature:b,feature:c] | only feature:b [feature:a,feature:c] | "
     "only feature:c [feature:a,feature:b]"},
    {"{features: [a, b, c], groups: {g: [a, b]}, mode: only, members: false}",
     "base [] | only feature:c [feature:a,feature:b,group:g] | only group:g [feature:c]"},
    {"{features: [a, b], layers: [a], mode: pairs}",
     "base [] | feature:a + feature:b [feature:a,feature:b] | feature:a + layer:a [feature:a,layer:a] | "
     "feature:b + layer:a [feature:b,layer:a]"},
    {"{features: [a, b, c], groups: {g: [a, b]}, mode: pairs}",
     "base [] | feature:a + feature:b [feature:a,feature:b,group:g] | "
     "feature:a + feature:c [feature:a,feature:c] | feature:b + feature:c [feature:b,feature:c] | "
     "feature:c + group:g [feature:a,feature:b,feature:c,group:g]"},
    {"{features: [a, b, c], sets: [[a, c], [feature:b]]}",
     "base [] | feature:a + feature:c [feature:a,feature:c] | feature:b [feature:b]"},
    {"{features: [a, b], mode: [loco, sets], sets: [[b, a], [b]]}",
     "base [] | feature:a [feature:a] | feature:b [feature:b] | feature:b + feature:a [feature:a,feature:b]"},
    {"{variants: [small, other], mode: only, features: [a, b]}",
     "base [] | variant:small [variant:small] | variant:other [variant:other] | only feature:a [feature:b] | "
     "only feature:b [feature:a]"},
    {"{parameters: {drop: 0}, variants: {wide: {width: 2, drop: 0.1}, odd: null}}",
     "base [] | parameter:drop [parameter:drop] | variant:wide [variant:wide] | variant:odd [variant:odd]"},
    {"{features: [\"feature:a\", a, 'x: y']}",
     "base [] | feature:feature:a [feature:feature:a] | feature:a [feature:a] | feature:x: y [feature:x: y]"},
};

static void write_plan(struct text *out, const struct ablation *ablation)
{
    for (size_t i = 0; i < ablation->n_variants; i++) {
        text_append(out, i > 0 ? " | " : "");
        ablation_write_variant(out, ablation, i);
        text_append(out, " [");
        ablation_write_out(out, ablation, i);
        text_append(out, "]");
    }
}

static struct spec *parse_section(const char *section)
{
    struct text yaml = {0};
    text_printf(&yaml, HEAD "ablation: %s\n", section);
    struct spec *spec = parse_spec(text_get(&yaml));
    text_fini(&yaml);
    return spec;
}

START_TEST(a_section_makes_these_variants)
{
    struct text text = {0};
    struct spec *spec = parse_section(plans[_i].section);
    write_plan(&text, spec->ablation);
    ck_assert_str_eq(text_get(&text), plans[_i].variants);
    ck_assert_int_eq(spec->limits.trials, (int64_t)spec->ablation->n_variants);
    text_fini(&text);
    spec_destroy(spec);
}
END_TEST

START_TEST(its_json_is_read_back_to_the_same)
{
    struct text json = {0}, again = {0}, plan = {0};
    struct spec *spec = parse_section(plans[_i].section);
    spec_write_json(&json, spec);
    struct spec *copy = parse_spec(text_get(&json));
    spec_write_json(&again, copy);
    write_plan(&plan, copy->ablation);
    ck_assert_str_eq(text_get(&json), text_get(&again));
    ck_assert_str_eq(text_get(&plan), plans[_i].variants);
    text_fini(&json);
    text_fini(&again);
    text_fini(&plan);
    spec_destroy(spec);
    spec_destroy(copy);
}
END_TEST

START_TEST(points_are_those_of_the_base_but_for_what_changes)
{
    struct spec *spec = parse_section("{features: [a], parameters: {drop: 0}, variants: {wide: {width: 2}}, "
                                      "base: {width: 1, drop: 0.25}}");
    static const double points[][2] = {{0.25, 0}, {0.25, 0}, {0, 0}, {0.25, 1}}; /* width by index */
    for (size_t i = 0; i < 4; i++) {
        double point[2];
        ablation_point(point, spec->ablation, spec->space, i);
        ck_assert_double_eq(point[0], points[i][0]);
        ck_assert_double_eq(point[1], points[i][1]);
    }
    spec_destroy(spec);
}
END_TEST

START_TEST(trials_of_a_repeat_share_their_seed_and_nothing_else_does)
{
    struct spec *spec = parse_section("{features: [a, b], repeats: 3}");
    ck_assert_int_eq(spec->limits.trials, 9);
    for (uint64_t trial = 1; trial <= 9; trial++) {
        uint64_t first = (trial - 1) / 3 * 3 + 1;
        ck_assert_uint_eq(ablation_repeat(spec->ablation, trial), (trial - 1) / 3);
        ck_assert_uint_eq(ablation_variant(spec->ablation, trial), (trial - 1) % 3);
        ck_assert_uint_eq(spec_trial_seed(spec, trial), spec_trial_seed(spec, first));
        ck_assert(first == 1 || spec_trial_seed(spec, trial) != spec_trial_seed(spec, 1));
    }
    spec_destroy(spec);
    spec = parse_spec("parameters: {x: {min: 0, max: 1}}\n");
    ck_assert_uint_eq(spec_trial_seed(spec, 5), rng_mix(spec->seed, 5) >> 33);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_list_is_asked_for_whole_names)
{
    const char *list = "feature:age,layer:1,feature:a:b";
    ck_assert(ablated_has(list, "feature", "age"));
    ck_assert(ablated_has(list, "layer", "1"));
    ck_assert(ablated_has(list, "feature", "a:b"));
    ck_assert(!ablated_has(list, "feature", "ag"));
    ck_assert(!ablated_has(list, "feature", "age,layer:1"));
    ck_assert(!ablated_has(list, "feature", "1"));
    ck_assert(!ablated_has(list, "feature", ""));
    ck_assert(!ablated_has("", "feature", "age"));
}
END_TEST

START_TEST(limits_are_those_of_the_study_unless_given)
{
    struct spec *spec = parse_spec(HEAD "ablation: {features: [a, b], repeats: 4}\nlimits: {trials: 5}\n");
    ck_assert_int_eq(spec->limits.trials, 5);
    ck_assert_int_eq(spec->limits.failures, 10);
    spec_destroy(spec);
    spec =
        parse_spec(HEAD "ablation: {features: [a, b, c, d, e, f, g, h, i, j, k]}\nlimits: {trials: 500}\n");
    ck_assert_int_eq(spec->limits.trials, 12);
    ck_assert_int_eq(spec->limits.failures, 12); /* a whole repeat */
    spec_destroy(spec);
}
END_TEST

/* What is missing is said when the whole is checked: a program may make its study step by step. */
static const struct {
    const char *yaml, *message; /* "": none */
} incomplete[] = {
    {HEAD, "1:10: context 'ablation' needs a section 'ablation' that says what to leave out"},
    {HEAD "ablation: {}\n",
     "3:1: there is nothing to leave out: 'ablation' names no features, layers, modules, "
     "groups, parameters or variants"},
    {HEAD "ablation: {features: [a], mode: pairs}\n",
     "3:33: mode 'pairs' needs at least two components of which neither is part of the other"},
    {HEAD "ablation: {features: [a], groups: [[a]], mode: [loco, pairs]}\n",
     "3:48: mode 'pairs' needs at least two components of which neither is part of the other"},
    {HEAD "ablation: {features: [a], variants: [b], mode: only}\n",
     "3:48: mode 'only' needs at least two components"},
    {HEAD "ablation: {variants: [b]}\n", ""},
    {X, ""},
};

START_TEST(what_a_study_is_missing_is_said_at_the_end)
{
    struct spec *spec = parse_spec(incomplete[_i].yaml);
    struct faults faults = {0};
    struct text text = {0};
    spec_check_ablation(spec, &faults);
    ck_assert_uint_eq(faults.n, *incomplete[_i].message != '\0');
    if (faults.n > 0)
        text_printf(&text, "%u:%u: %s", faults.list[0].line, faults.list[0].column, faults.list[0].text);
    ck_assert_str_eq(text_get(&text), incomplete[_i].message);
    text_fini(&text);
    faults_fini(&faults);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_section_alone_is_a_study)
{
    struct spec *spec = parse_spec(X "ablation: {features: [a]}\n");
    ck_assert_str_eq(spec->context.name, "ablation");
    ck_assert_int_eq(spec->limits.trials, 2);
    spec_destroy(spec);
    spec = parse_spec("ablation: {features: [a]}\n"); /* without parameters too */
    ck_assert_ptr_nonnull(spec->ablation);
    spec_destroy(spec);
}
END_TEST

START_TEST(a_section_waits_for_its_context)
{
    struct spec *spec =
        parse_spec("context: optimization\nparameters: {x: {min: 0, max: 1}}\nablation: {features: [a]}\n");
    ck_assert_ptr_null(spec->ablation);
    ck_assert_int_eq(spec->limits.trials, 100);
    spec_destroy(spec);
}
END_TEST

/* Faults */

#define A HEAD "ablation:\n"

static const struct {
    const char *yaml, *messages;
} faulty[] = {
    {HEAD "ablation: [a]\n", "3:11: 'ablation' must be a map, e.g. {features: [age, income]}\n"},
    {"context: {name: ablation, features: [a]}\nablation: {features: [a]}\n",
     "1:27: 'features' belongs into the section 'ablation'\n"},
    {A " feature: [a]\n", "4:2: unknown key 'feature' in ablation; did you mean 'features'?\n"},
    {A " features: [a, '', ~, 'b,c', ' d', [e], a]\n",
     "4:16: the name of a feature is empty\n"
     "4:20: the name of a feature is empty\n"
     "4:23: the name of a feature must have no comma, no control character, and no blank at its ends\n"
     "4:30: the name of a feature must have no comma, no control character, and no blank at its ends\n"
     "4:36: the name of a feature must be a text\n"
     "4:41: feature 'a' is there twice\n"},
    {A " features: []\n", "4:12: 'features' is empty\n"},
    {A " features: {a: 1}\n", "4:12: 'features' must be a list of names\n"},
    {A " features: [a, b]\n groups: {g: [a, bb], h: x_, i: [], j: [g], k: [a, a], l: 3}\n",
     "5:18: no component is called 'bb'; did you mean 'b'?\n"
     "5:26: no feature, layer, module or parameter has a name that begins with 'x_'\n"
     "5:33: a group must be a list of names, or the beginning of its members' names\n"
     "5:41: no component is called 'g'\n"
     "5:52: 'a' is there twice\n"
     "5:59: no feature, layer, module or parameter has a name that begins with '3'\n"},
    {A " features: [a]\n layers: [a]\n groups: [[a]]\n",
     "6:12: 'a' is the name of several components: write it with its kind, e.g. feature:a\n"},
    {A " features: [a, b]\n groups: [[a, b], [a, b]]\n", "5:19: group 'a+b' is there twice\n"},
    {A " features: [a, b]\n sets: [[a], [], a, [a, a], [c], [a, b], [b, a]]\n",
     "5:14: a set must be a list of components, and not empty\n"
     "5:18: a set must be a list of components, and not empty\n"
     "5:25: 'a' is there twice\n5:30: no component is called 'c'\n5:42: this set is there twice\n"},
    {A " features: [a]\n mode: looc\n",
     "5:8: 'mode' must be one of loco, pairs, only, sets, not looc; did you mean 'loco'?\n"},
    {A " features: [a]\n mode: sets\n", "5:8: mode 'sets' needs 'sets', a list of lists of components\n"},
    {A " features: [a]\n mode: [loco, loco]\n", "5:15: 'loco' is there twice\n"},
    {A " features: [a]\n repeats: 0\n confidence: 1\n test: z\n members: 2\n",
     "5:11: 'repeats' must be at least 1, not 0\n6:14: 'confidence' must be at most 0.9999, not 1\n"
     "7:8: 'test' must be one of t, wilcoxon, not z\n8:11: 'members' must be one of false, true, not 2\n"},
    {A " parameters: {dorp: 0, drop: 2, width: ~}\n",
     "4:15: no parameter is called 'dorp'; did you mean 'drop'?\n"
     "4:30: 2 is outside 0 to 0.9 for 'drop'\n4:40: 'width' needs a value\n"},
    {A " parameters: {drop: 0.5}\n variants: {same: {drop: 0.5}}\n",
     "4:21: parameter 'drop' changes nothing: the base has this value already\n"
     "5:19: variant 'same' changes nothing: the base has this value already\n"},
    {A " base: {x: 1}\n features: [a]\n", "4:9: no parameter is called 'x'\n"},
    {A " features: [a]\n repeats: 1000000\n layers: [a, b, c, d, e, f, g, h, i, j]\n",
     "3:1: this makes more than 10000000 trials\n"},
};

START_TEST(each_fault_is_said_at_its_place)
{
    struct faults faults = {0};
    struct text text = {0}, bare = {0};
    struct spec *spec = NULL;
    const char *yaml = faulty[_i].yaml;
    ck_assert_int_eq(spec_parse(&spec, yaml, strlen(yaml), "s", NULL, 0, &faults), ERR_INVALID);
    faults_write(&text, &faults, "s");
    for (const char *line = text_get(&text), *end; *line; line = end + 1) { /* "s:4:2: error: text" */
        const char *place = line + 2, *error = strstr(place, "error: ");
        end = strchr(line, '\n');
        text_append_bytes(&bare, place, (size_t)(error - place));
        text_append_bytes(&bare, error + 7, (size_t)(end + 1 - (error + 7)));
    }
    ck_assert_str_eq(text_get(&bare), faulty[_i].messages);
    text_fini(&text);
    text_fini(&bare);
    faults_fini(&faults);
}
END_TEST

START_TEST(too_many_pairs_are_a_fault)
{
    struct text yaml = {0};
    struct faults faults = {0};
    struct spec *spec = NULL;
    text_append(&yaml, HEAD "ablation:\n mode: pairs\n features: [f0");
    for (int i = 1; i < 1000; i++)
        text_printf(&yaml, ", f%d", i);
    text_append(&yaml, "]\n");
    ck_assert_int_eq(spec_parse(&spec, text_get(&yaml), yaml.size, "s", NULL, 0, &faults), ERR_INVALID);
    ck_assert_uint_eq(faults.n, 1);
    ck_assert_str_eq(faults.list[0].text, "this makes more than 200000 variants");
    faults_fini(&faults);
    text_fini(&yaml);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("ablation");
    tcase_add_loop_test(tests, a_section_makes_these_variants, 0, sizeof plans / sizeof *plans);
    tcase_add_loop_test(tests, its_json_is_read_back_to_the_same, 0, sizeof plans / sizeof *plans);
    tcase_add_test(tests, points_are_those_of_the_base_but_for_what_changes);
    tcase_add_test(tests, trials_of_a_repeat_share_their_seed_and_nothing_else_does);
    tcase_add_test(tests, a_list_is_asked_for_whole_names);
    tcase_add_test(tests, limits_are_those_of_the_study_unless_given);
    tcase_add_loop_test(tests, what_a_study_is_missing_is_said_at_the_end, 0,
                        sizeof incomplete / sizeof *incomplete);
    tcase_add_test(tests, a_section_alone_is_a_study);
    tcase_add_test(tests, a_section_waits_for_its_context);
    tcase_add_loop_test(tests, each_fault_is_said_at_its_place, 0, sizeof faulty / sizeof *faulty);
    tcase_add_test(tests, too_many_pairs_are_a_fault);
    return run_case(tests);
}
