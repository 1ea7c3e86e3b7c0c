/* The thread that computes suggestions: order, exhaustion, repeatability. */
#include <check.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "driver/advisor.h"

static struct advisor *advisor;
static struct spec *wide, *narrow; /* spaces of infinitely many points, and of 3 */

static struct spec *parse(const char *text)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    int rc = spec_parse(&spec, text, strlen(text), "sweep.yaml", NULL, 0, &faults);
    ck_assert_msg(rc == 0, "%s", faults.n ? faults.list[0].text : "");
    faults_fini(&faults);
    return spec;
}

static void set_up(void)
{
    struct err err = {0};
    wide = parse(
        "train: {command: [x]}\nparameters:\n  x: {min: 0.0, max: 1.0}\n  y: {min: 0.0, max: 1.0}\nseed: 3\n");
    narrow = parse("train: {command: [x]}\nparameters:\n  x: {values: [a, b, c]}\nseed: 3\n");
    ck_assert_msg(advisor_create(&advisor, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
    advisor_destroy(advisor);
    spec_destroy(wide);
    spec_destroy(narrow);
}

/* Waits for the next answer. */
static struct advice next(void)
{
    struct advice advice;
    while (!advisor_next(&advice, advisor)) {
        struct pollfd fd = {.fd = advisor_event_fd(advisor), .events = POLLIN};
        ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    }
    return advice;
}

START_TEST(answers_come_in_the_order_of_the_questions)
{
    for (uint64_t k = 0; k < 100; k++)
        ck_assert_int_eq(advisor_ask(advisor, 1 + (int64_t)(k % 2), wide, 1 + k / 2, 1 + k % 3), 0);
    advisor_hand_over(advisor);
    for (uint64_t k = 0; k < 100; k++) {
        struct advice advice = next();
        ck_assert_int_eq(advice.key, 1 + (int64_t)(k % 2));
        ck_assert_uint_eq(advice.first_trial, 1 + k / 2);
        ck_assert_uint_eq(advice.n, 1 + k % 3);
        for (size_t i = 0; i < 2 * advice.n; i++)
            ck_assert(advice.points[i] >= 0 && advice.points[i] <= 1);
    }
    struct advice none;
    ck_assert(!advisor_next(&none, advisor));
    ck_assert_int_eq(advisor_failure(advisor, NULL), 0);
}
END_TEST

START_TEST(nothing_is_computed_before_it_is_handed_over)
{
    struct advice none;
    struct pollfd fd = {.fd = advisor_event_fd(advisor), .events = POLLIN};
    ck_assert_int_eq(advisor_ask(advisor, 1, wide, 1, 1), 0);
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    ck_assert(!advisor_next(&none, advisor));
    advisor_hand_over(advisor);
    ck_assert_uint_eq(next().n, 1);
}
END_TEST

START_TEST(an_exhausted_search_answers_with_what_it_has)
{
    ck_assert_int_eq(advisor_ask(advisor, 1, narrow, 1, 2), 0);
    ck_assert_int_eq(advisor_ask(advisor, 1, narrow, 3, 5), 0);
    ck_assert_int_eq(advisor_ask(advisor, 1, narrow, 4, 1), 0);
    advisor_hand_over(advisor);
    ck_assert_uint_eq(next().n, 2);
    ck_assert_uint_eq(next().n, 1);
    ck_assert_uint_eq(next().n, 0);
    ck_assert_int_eq(advisor_failure(advisor, NULL), 0);
}
END_TEST

START_TEST(what_was_observed_is_not_suggested_again)
{
    for (int k = 0; k < 2; k++) {
        double point = k;
        struct observation observation = {
            .kind = OBSERVED_PENDING, .trial = 1 + (uint64_t)k, .point = &point, .value = NAN};
        ck_assert_int_eq(advisor_observe(advisor, 1, narrow, &observation), 0);
        point = -1; /* it was copied */
    }
    ck_assert_int_eq(advisor_ask(advisor, 1, narrow, 3, 3), 0);
    advisor_hand_over(advisor);
    struct advice advice = next();
    ck_assert_uint_eq(advice.n, 1);
    ck_assert_double_eq(advice.points[0], 2);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_points)
{
    double first[10];
    ck_assert_int_eq(advisor_ask(advisor, 1, wide, 1, 5), 0);
    ck_assert_int_eq(advisor_ask(advisor, 2, wide, 1, 5), 0);
    advisor_hand_over(advisor);
    memcpy(first, next().points, sizeof first);
    ck_assert_int_eq(memcmp(first, next().points, sizeof first), 0);
}
END_TEST

START_TEST(it_ends_with_questions_unanswered)
{
    for (uint64_t k = 0; k < 1000; k++)
        ck_assert_int_eq(advisor_ask(advisor, 1, wide, 1 + 64 * k, 64), 0);
    advisor_hand_over(advisor);
    ck_assert_int_eq(advisor_ask(advisor, 1, wide, 1, 1), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("advisor");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, answers_come_in_the_order_of_the_questions);
    tcase_add_test(all, nothing_is_computed_before_it_is_handed_over);
    tcase_add_test(all, an_exhausted_search_answers_with_what_it_has);
    tcase_add_test(all, what_was_observed_is_not_suggested_again);
    tcase_add_test(all, the_same_seed_gives_the_same_points);
    tcase_add_test(all, it_ends_with_questions_unanswered);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
