/* Ask and tell kept as text and restored, for every search; and the list of what was asked and told. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/registry.h"
#include "sdk/prova.h"

static const char space[] = "lr: {min: 1.0e-4, max: 1.0, scale: log}\n"
                            "hidden: {min: 8, max: 256}\n"
                            "solver: {values: [sgd, 'a \"b\"']}\n"
                            "momentum: {min: 0.0, max: 0.99, when: {solver: [sgd]}}\n"
                            "seed: {value: 1}\n";

static prova_search *open_search(const char *name)
{
    char error[400];
    prova_search *search = prova_search_new(space, name, NULL, "maximize", 7, error, sizeof error);
    ck_assert_msg(search != NULL, "%s: %s", name, error);
    return search;
}

static prova_search *load(const char *text)
{
    char error[400];
    prova_search *search = prova_search_load(text, error, sizeof error);
    ck_assert_msg(search != NULL, "%s", error);
    return search;
}

static double value_of(prova_search *search, int64_t n)
{
    return -pow(log(prova_search_double(search, n, "lr")) + 3, 2) -
           prova_search_double(search, n, "hidden") / 100;
}

/* Everything that can be said, with some points pending at the end. */
static void live(prova_search *search)
{
    int64_t numbers[40];
    ck_assert_int_eq(prova_search_ask_many(search, 4, numbers), 4);
    ck_assert_int_eq(prova_search_add(search, "{lr: 0.5, hidden: 9, solver: 'a \"b\"'}", -3, NULL, NULL, 0),
                     0);
    ck_assert_int_eq(
        prova_search_add(search, "{lr: 0.25, hidden: 9, solver: sgd, momentum: 0.5}", NAN, NULL, NULL, 0), 0);
    ck_assert_int_eq(
        prova_search_add(search, "{lr: 0.125, hidden: 9, solver: 'a \"b\"'}", INFINITY, NULL, NULL, 0), 0);
    for (int i = 0; i < 30; i++) {
        if (prova_search_ask(search, &numbers[i + 4]) < 0)
            break;
        ck_assert_int_eq(prova_search_tell_step(search, numbers[i], 1, -9), 0);
        ck_assert_int_eq(prova_search_tell_step(search, numbers[i], 3, value_of(search, numbers[i]) - 0.1),
                         0);
        int code = i % 7 == 3 ? prova_search_tell_failed(search, numbers[i])
                              : prova_search_tell(search, numbers[i], value_of(search, numbers[i]));
        ck_assert_int_eq(code, 0);
    }
}

START_TEST(a_restored_search_goes_on_as_the_one_that_was_kept)
{
    prova_search *search = open_search(search_types[_i]->name);
    live(search);
    char *text = strdup(prova_search_save(search));
    ck_assert_ptr_nonnull(text);
    prova_search *restored = load(text);
    ck_assert_str_eq(prova_search_save(restored), text);
    ck_assert_int_eq(prova_search_count(restored), prova_search_count(search));
    double best, restored_best;
    ck_assert_int_eq(prova_search_best(restored, &restored_best), prova_search_best(search, &best));
    ck_assert_double_eq(best, restored_best);
    for (int i = 0; i < 8; i++) {
        int64_t a = 0, b = 0;
        int code = prova_search_ask(search, &a);
        ck_assert_int_eq(prova_search_ask(restored, &b), code);
        if (code < 0)
            break;
        ck_assert_int_eq(a, b);
        char *point = strdup(prova_search_json(search, a));
        ck_assert_str_eq(prova_search_json(restored, b), point);
        free(point);
        ck_assert_int_eq(prova_search_tell(search, a, value_of(search, a)), 0);
        ck_assert_int_eq(prova_search_tell(restored, b, value_of(restored, b)), 0);
    }
    free(text);
    prova_search_free(search);
    prova_search_free(restored);
}
END_TEST

START_TEST(every_point_is_listed_with_how_it_stands)
{
    prova_search *search = open_search("random");
    ck_assert_int_eq(prova_search_count(search), 0);
    live(search);
    ck_assert_int_eq(prova_search_count(search), 37);
    ck_assert_int_eq(prova_search_state(search, 1), PROVA_SEARCH_TOLD);
    ck_assert_double_eq(prova_search_value(search, 1), value_of(search, 1));
    ck_assert_int_eq(prova_search_state(search, 4), PROVA_SEARCH_FAILED);
    ck_assert(isnan(prova_search_value(search, 4)));
    ck_assert_int_eq(prova_search_state(search, 5), PROVA_SEARCH_TOLD); /* added with its value */
    ck_assert_double_eq(prova_search_value(search, 5), -3);
    ck_assert_int_eq(prova_search_state(search, 6), PROVA_SEARCH_PENDING);
    ck_assert_int_eq(prova_search_state(search, 7), PROVA_SEARCH_FAILED);
    ck_assert_int_eq(prova_search_state(search, 37), PROVA_SEARCH_PENDING);
    ck_assert_int_eq(prova_search_state(search, 38), PROVA_ENOTFOUND);
    ck_assert_int_eq(prova_search_state(search, 0), PROVA_ENOTFOUND);
    ck_assert_int_eq(prova_search_tell(search, 6, 1), 0);
    ck_assert_double_eq(prova_search_value(search, 6), 1);
    prova_search_free(search);
}
END_TEST

START_TEST(many_are_asked_for_as_far_as_there_are_any)
{
    int64_t numbers[9];
    prova_search *search = prova_search_new("{x: {values: [1, 2, 3, 4]}}", "random", NULL, NULL, 1, NULL, 0);
    ck_assert_int_eq(prova_search_ask_many(search, 0, numbers), 0);
    ck_assert_int_eq(prova_search_ask_many(search, -1, numbers), PROVA_EINVALID);
    ck_assert_int_eq(prova_search_ask_many(search, 3, numbers), 3);
    ck_assert_int_eq(prova_search_ask_many(search, 9, numbers), 1);
    ck_assert_int_eq(numbers[0], 4);
    ck_assert_int_eq(prova_search_ask_many(search, 9, numbers), PROVA_EEXHAUSTED);
    prova_search_free(search);
}
END_TEST

#define HEAD                                                                                                 \
    "{\"prova_search\":1,\"seed\":7,\"spec\":\"{parameters: {x: {min: 0.0, max: 1.0}}, search: random}\"}\n"

static const struct {
    const char *text, *fault;
} bad[] = {
    {"", "there is nothing"},
    {"{}", "line 1 of the saved search: this is no search that prova_search_save has written"},
    {"[1", "line 1 of the saved search: "},
    {"{\"prova_search\":99}", "format 99; this version reads 1"},
    {"{\"prova_search\":1,\"seed\":7,\"spec\":\"{search: nosuch, parameters: {x: {value: 1}}}\"}", "nosuch"},
    {"{\"prova_search\":1,\"seed\":-1,\"spec\":\"{parameters: {x: {min: 0.0, max: 1.0}}}\"}", "the seed is"},
    {HEAD "[\"asked\",{}]", "line 2 of the saved search: it is none of ask, add, step, tell and fail"},
    {HEAD "[\"ask\",3]", "the point is no object"},
    {HEAD "[\"ask\",{\"x\":7}]", "7 is outside 0 to 1 for 'x'"},
    {HEAD "[\"ask\",{\"y\":7}]", "no parameter is called 'y'"},
    {HEAD "[\"add\",{\"x\":1},\"good\"]", "the value is no number"},
    {HEAD "[\"tell\",1,0.5]", "line 2 of the saved search: not found"},
    {HEAD "[\"tell\",\"x\",0.5]", "it does not name a point"},
    {HEAD "[\"ask\",{\"x\":1}]\n[\"tell\",1,0.5]\n[\"tell\",1,0.5]",
     "line 4 of the saved search: exists already"},
    {HEAD "[\"ask\",{\"x\":1}]\n[\"step\",1,-1,0.5]", "the value is no number"},
};

START_TEST(a_text_that_is_none_is_refused_with_its_line)
{
    char error[400];
    ck_assert_ptr_null(prova_search_load(bad[_i].text, error, sizeof error));
    ck_assert_msg(strstr(error, bad[_i].fault) != NULL, "%s\n%s", bad[_i].text, error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search save");
    TCase *tests = tcase_create("search save");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_restored_search_goes_on_as_the_one_that_was_kept, 0, (int)n_search_types);
    tcase_add_test(tests, every_point_is_listed_with_how_it_stands);
    tcase_add_test(tests, many_are_asked_for_as_far_as_there_are_any);
    tcase_add_loop_test(tests, a_text_that_is_none_is_refused_with_its_line, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
