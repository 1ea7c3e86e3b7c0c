/* Ask and tell, through the public interface alone. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/prova.h"

static const char space_yaml[] = "lr: {min: 1.0e-4, max: 1.0, scale: log}\n"
                                 "hidden: {min: 8, max: 256}\n"
                                 "solver: {values: [sgd, adam]}\n"
                                 "momentum: {min: 0.0, max: 0.99, when: {solver: [sgd]}}\n"
                                 "seed: {value: 1}\n";
static const char space_json[] =
    "{\"lr\": {\"min\": 1.0e-4, \"max\": 1.0, \"scale\": \"log\"},"
    " \"hidden\": {\"min\": 8, \"max\": 256},"
    " \"solver\": {\"values\": [\"sgd\", \"adam\"]},"
    " \"momentum\": {\"min\": 0.0, \"max\": 0.99, \"when\": {\"solver\": [\"sgd\"]}},"
    " \"seed\": {\"value\": 1}}";

static prova_search *open_search(const char *space, const char *name, const char *options, const char *goal)
{
    char error[400];
    prova_search *search = prova_search_new(space, name, options, goal, 7, error, sizeof error);
    ck_assert_msg(search != NULL, "%s", error);
    return search;
}

static int64_t ask(prova_search *search)
{
    int64_t number = 0;
    ck_assert_int_eq(prova_search_ask(search, &number), 0);
    return number;
}

START_TEST(yaml_and_json_give_the_same_points)
{
    prova_search *a = open_search(space_yaml, "random", NULL, "minimize");
    prova_search *b = open_search(space_json, "random", "{}", "minimize");
    for (int i = 0; i < 20; i++) {
        int64_t n = ask(a);
        ck_assert_int_eq(ask(b), n);
        ck_assert_str_eq(prova_search_json(a, n), prova_search_json(b, n));
        ck_assert_int_eq(prova_search_tell(a, n, i), 0);
        ck_assert_int_eq(prova_search_tell(b, n, i), 0);
    }
    prova_search_free(a);
    prova_search_free(b);
}
END_TEST

START_TEST(numbers_count_from_one)
{
    prova_search *search = open_search(space_yaml, "sobol", NULL, "minimize");
    for (int64_t n = 1; n <= 5; n++)
        ck_assert_int_eq(ask(search), n);
    prova_search_free(search);
}
END_TEST

START_TEST(values_are_read_by_name)
{
    prova_search *search = open_search(space_yaml, "random", NULL, "minimize");
    int n_sgd = 0;
    for (int64_t i = 0; i < 30; i++) {
        int64_t n = ask(search);
        double lr = prova_search_double(search, n, "lr"), hidden = prova_search_double(search, n, "hidden");
        ck_assert(lr >= 1e-4 && lr <= 1 && hidden >= 8 && hidden <= 256 && hidden == trunc(hidden));
        ck_assert_double_eq(prova_search_double(search, n, "seed"), 1);
        ck_assert_str_eq(prova_search_string(search, n, "seed"), "1");
        ck_assert(isnan(prova_search_double(search, n, "solver"))); /* no number */
        bool sgd = strcmp(prova_search_string(search, n, "solver"), "sgd") == 0;
        n_sgd += sgd;
        ck_assert_int_eq(isnan(prova_search_double(search, n, "momentum")), !sgd);
        ck_assert_int_eq(prova_search_string(search, n, "momentum") == NULL, !sgd);
        ck_assert_int_eq(strstr(prova_search_json(search, n), "momentum") == NULL, !sgd);
    }
    ck_assert(n_sgd > 0 && n_sgd < 30);
    prova_search_free(search);
}
END_TEST

START_TEST(what_is_unknown_is_said)
{
    prova_search *search = open_search(space_yaml, "random", NULL, "minimize");
    int64_t n = ask(search);
    ck_assert(isnan(prova_search_double(search, n, "nope")));
    ck_assert(isnan(prova_search_double(search, n + 1, "lr")));
    ck_assert_ptr_null(prova_search_string(search, 0, "lr"));
    ck_assert_ptr_null(prova_search_json(search, -1));
    ck_assert_int_eq(prova_search_tell(search, n + 1, 1), PROVA_ENOTFOUND);
    ck_assert_int_eq(prova_search_tell_failed(search, 0), PROVA_ENOTFOUND);
    ck_assert_int_eq(prova_search_tell_step(search, 99, 1, 1), PROVA_ENOTFOUND);
    ck_assert_int_eq(prova_search_tell_step(search, n, -1, 1), PROVA_EINVALID);
    ck_assert_int_eq(prova_search_tell_step(search, n, INT64_MAX, 1), PROVA_EINVALID);
    prova_search_free(search);
}
END_TEST

START_TEST(an_end_is_told_once)
{
    prova_search *search = open_search(space_yaml, "random", NULL, "minimize");
    int64_t a = ask(search), b = ask(search);
    ck_assert_int_eq(prova_search_tell_step(search, a, 1, 0.5), 0);
    ck_assert_int_eq(prova_search_tell(search, a, 1), 0);
    ck_assert_int_eq(prova_search_tell(search, a, 1), PROVA_EEXISTS);
    ck_assert_int_eq(prova_search_tell_step(search, a, 2, 1), PROVA_EEXISTS);
    ck_assert_int_eq(prova_search_tell_failed(search, b), 0);
    ck_assert_int_eq(prova_search_tell(search, b, 1), PROVA_EEXISTS);
    prova_search_free(search);
}
END_TEST

START_TEST(the_best_follows_the_goal)
{
    static const char *const goals[] = {"minimize", "maximize"};
    static const double values[] = {3, NAN, 1, -INFINITY, INFINITY, 5, 2};
    static const int64_t best[] = {3, 6};
    prova_search *search = open_search(space_yaml, "random", NULL, goals[_i]);
    double value;
    ck_assert_int_eq(prova_search_best(search, &value), 0);
    ck_assert(isnan(value));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        ck_assert_int_eq(prova_search_tell(search, ask(search), values[i]), 0);
    ck_assert_int_eq(prova_search_best(search, &value), best[_i]);
    ck_assert_double_eq(value, values[best[_i] - 1]);
    prova_search_free(search);
}
END_TEST

START_TEST(a_space_ends)
{
    prova_search *search =
        open_search("{a: {values: [1, 2, 3]}, b: {values: [x, y]}}", "random", NULL, "minimize");
    for (int i = 0; i < 6; i++)
        (void)ask(search);
    int64_t number = -5;
    ck_assert_int_eq(prova_search_ask(search, &number), PROVA_EEXHAUSTED);
    ck_assert_int_eq(number, -5);
    prova_search_free(search);
}
END_TEST

START_TEST(added_points_count_and_are_not_asked_for)
{
    prova_search *search =
        open_search("{a: {values: [1, 2, 3]}, b: {values: [x, y]}}", "grid", NULL, "maximize");
    char error[200];
    int64_t number = 0;
    ck_assert_int_eq(ask(search), 1);
    ck_assert_int_eq(prova_search_add(search, "{\"a\": 2, \"b\": \"y\"}", 9, &number, error, sizeof error),
                     0);
    ck_assert_int_eq(number, 2);
    ck_assert_str_eq(prova_search_string(search, 2, "b"), "y");
    ck_assert_int_eq(prova_search_tell(search, 2, 1), PROVA_EEXISTS);
    ck_assert_int_eq(prova_search_best(search, NULL), 2);
    ck_assert_int_eq(ask(search), 3); /* the grid goes on with its second point */
    ck_assert_str_eq(prova_search_json(search, 3), "{\"a\":1,\"b\":\"y\"}");
    prova_search_free(search);
    search = open_search("{a: {values: [1, 2, 3]}, b: {values: [x, y]}}", "random", NULL, "maximize");
    ck_assert_int_eq(prova_search_add(search, "{a: 2, b: y}", NAN, &number, NULL, 0), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_str_ne(prova_search_json(search, ask(search)), "{\"a\":2,\"b\":\"y\"}");
    ck_assert_int_eq(prova_search_tell(search, number, 4), 0); /* it was pending */
    ck_assert_int_eq(prova_search_ask(search, &number), PROVA_EEXHAUSTED);
    prova_search_free(search);
}
END_TEST

static const struct {
    const char *point, *text; /* what the message says; NULL: it is fine */
} added[] = {
    {"{\"lr\": 0.1, \"hidden\": 10, \"solver\": \"sgd\", \"momentum\": 0.5}", NULL},
    {"{lr: 0.1, hidden: 10, solver: adam, seed: 1}", NULL},
    {"{lr: 0.1, hidden: 10, solver: adam, momentum: null}", NULL},
    {"{lr: 0.1, hidden: 10, solver: adam, momentum: 0.5}", "momentum"},
    {"{lr: 0.1, hidden: 10, solver: sgd}", "momentum"},
    {"{lr: 0.1, hidden: 10.5, solver: adam}", "hidden"},
    {"{lr: 7, hidden: 10, solver: adam}", "lr"},
    {"{lr: x, hidden: 10, solver: adam}", "lr"},
    {"{lr: [0.1], hidden: 10, solver: adam}", "lr"},
    {"{lr: 0.1, hidden: 10, solver: adamw}", "solver"},
    {"{lr: 0.1, hidden: 10, solver: adam, width: 3}", "width"},
    {"[1, 2]", "object"},
    {"{lr: ", ""},
    {"", "object"},
};

START_TEST(added_points_are_checked)
{
    char error[200];
    prova_search *search = open_search(space_yaml, "random", NULL, "minimize");
    int code = prova_search_add(search, added[_i].point, 1, NULL, error, sizeof error);
    if (added[_i].text) {
        ck_assert_int_eq(code, PROVA_EINVALID);
        ck_assert_msg(*error && strstr(error, added[_i].text), "%s", error);
        ck_assert_int_eq(prova_search_best(search, NULL), 0);
    } else {
        ck_assert_msg(code == 0, "%s", error);
    }
    prova_search_free(search);
}
END_TEST

static const struct {
    const char *space, *search, *options, *goal, *text;
} refused[] = {
    {space_yaml, "random", "{tries: 3}", "minimize", "tries"},
    {space_yaml, "rnadom", NULL, "minimize", "random"},
    {space_yaml, "grid", "{count: 0}", "minimize", "count"},
    {space_yaml, "random", NULL, "minimise", "goal"},
    {"{x: {min: 3, max: 1}}", "random", NULL, "minimize", "x"},
    {"{x: {mni: 3, max: 1}}", "random", NULL, "minimize", "mni"},
    {"x: [", "random", NULL, "minimize", ""},
    {NULL, "random", NULL, "minimize", "space"},
};

START_TEST(a_bad_search_is_refused_with_a_message)
{
    char error[400] = "";
    ck_assert_ptr_null(prova_search_new(refused[_i].space, refused[_i].search, refused[_i].options,
                                        refused[_i].goal, 1, error, sizeof error));
    ck_assert_msg(*error && strstr(error, refused[_i].text), "%s", error);
    ck_assert_ptr_null(prova_search_new(refused[_i].space, refused[_i].search, refused[_i].options,
                                        refused[_i].goal, 1, NULL, 0));
}
END_TEST

START_TEST(options_reach_the_search)
{
    prova_search *search = open_search("{x: {min: 0.0, max: 1.0}}", "grid", "count: 3", NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq(prova_search_double(search, ask(search), "x"), i / 2.0);
    prova_search_free(search);
    search = open_search("{x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}", "grid",
                         "{counts: {y: 2}, count: 3}", NULL);
    int n = 0;
    for (int64_t number; prova_search_ask(search, &number) == 0; n++)
        continue;
    ck_assert_int_eq(n, 6);
    prova_search_free(search);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

START_TEST(without_a_name_it_is_the_one_that_chooses)
{
    prova_search *unnamed = open_search(space_yaml, NULL, NULL, "minimize");
    prova_search *chosen = open_search(space_yaml, "auto", NULL, "minimize");
    for (int i = 0; i < 12; i++) {
        int64_t a, b;
        ck_assert_int_eq(prova_search_ask(unnamed, &a), 0);
        ck_assert_int_eq(prova_search_ask(chosen, &b), 0);
        ck_assert_str_eq(prova_search_json(unnamed, a), prova_search_json(chosen, b));
        ck_assert_int_eq(prova_search_tell(unnamed, a, i % 5), 0);
        ck_assert_int_eq(prova_search_tell(chosen, b, i % 5), 0);
    }
    prova_search_free(unnamed);
    prova_search_free(chosen);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ask");
    TCase *all = tcase_create("ask and tell");
    tcase_add_test(all, yaml_and_json_give_the_same_points);
    tcase_add_test(all, numbers_count_from_one);
    tcase_add_test(all, values_are_read_by_name);
    tcase_add_test(all, what_is_unknown_is_said);
    tcase_add_test(all, an_end_is_told_once);
    tcase_add_loop_test(all, the_best_follows_the_goal, 0, 2);
    tcase_add_test(all, a_space_ends);
    tcase_add_test(all, added_points_count_and_are_not_asked_for);
    tcase_add_loop_test(all, added_points_are_checked, 0, COUNT(added));
    tcase_add_loop_test(all, a_bad_search_is_refused_with_a_message, 0, COUNT(refused));
    tcase_add_test(all, options_reach_the_search);
    tcase_add_test(all, without_a_name_it_is_the_one_that_chooses);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
