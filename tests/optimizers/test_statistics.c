/* Paired comparisons, against figures of SciPy 1.17 (ttest_1samp, wilcoxon), enumeration, and Holm's own
 * rule. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "contexts/statistics.h"

static const double eight[] = {0.31, -0.12, 0.55, 0.27, 0.91, 0.08, -0.03, 0.44};

#define NEAR(a, b) ck_assert_double_eq_tol(a, b, 1e-12 * fmax(1, fabs(b)))

START_TEST(mean_deviation_and_t_are_those_of_scipy)
{
    struct interval wide = stats_t_interval(eight, 8, 0.95), narrow = stats_t_interval(eight, 8, 0.9);
    NEAR(stats_mean(eight, 8), 0.30125);
    NEAR(stats_sd(eight, 8), 0.3357055469987267);
    NEAR(stats_t_test(eight, 8), 0.03876986095684291);
    NEAR(wide.low, 0.020593139201918187);
    NEAR(wide.high, 0.5819068607980818);
    NEAR(narrow.low, 0.07638277913748659);
    NEAR(narrow.high, 0.5261172208625133);
}
END_TEST

START_TEST(wilcoxon_is_exact_where_it_can_be)
{
    static const double tied[] = {1, 1, -1, 2, 2, 3, 0, 4, -2, 5};
    NEAR(stats_wilcoxon(eight, 8), 0.0546875);
    NEAR(stats_wilcoxon((double[]){1, 2, 3, 4, 5}, 5), 0.0625);
    NEAR(stats_wilcoxon((double[]){-1, -2, -3, -4, -5}, 5), 0.0625);
    NEAR(stats_wilcoxon(tied, 10), 0.08203125);
}
END_TEST

START_TEST(wilcoxon_of_many_is_the_normal_approximation)
{
    double many[300];
    for (int i = 0; i < 300; i++)
        many[i] = (double)(i * 37 % 101) / 50 - 0.8;
    ck_assert_double_eq_tol(stats_wilcoxon(many, 300), 1.631079912411111e-07, 1e-15);
}
END_TEST

START_TEST(nothing_is_said_of_too_few_or_equal_numbers)
{
    /* equal but for rounding: a function that makes no use of its seed */
    static const double same[] = {0.3 - 0.1, 0.4 - 0.2, 0.5 - 0.3};
    ck_assert_double_nan(stats_mean(NULL, 0));
    ck_assert_double_nan(stats_sd(eight, 1));
    ck_assert_double_nan(stats_t_test(eight, 1));
    ck_assert_double_nan(stats_wilcoxon(eight, 1));
    ck_assert_double_nan(stats_t_interval(eight, 1, 0.95).low);
    ck_assert_double_nan(stats_t_test(same, 3));
    ck_assert_double_nan(stats_wilcoxon(same, 3));
    ck_assert_double_nan(stats_t_interval(same, 3, 0.95).high);
    ck_assert_double_nan(stats_t_test((double[]){0, 0}, 2));
}
END_TEST

START_TEST(holm_steps_down_and_leaves_out_what_was_not_tested)
{
    double p[] = {0.01, 0.04, NAN, 0.03, 0.005, 0.5};
    static const double corrected[] = {0.04, 0.09, NAN, 0.09, 0.025, 0.5};
    ck_assert_int_eq(stats_holm(p, 6), 0);
    for (int i = 0; i < 6; i++) {
        if (isnan(corrected[i]))
            ck_assert_double_nan(p[i]);
        else
            NEAR(p[i], corrected[i]);
    }
    double high[] = {0.6, 0.7};
    ck_assert_int_eq(stats_holm(high, 2), 0);
    ck_assert_double_eq(high[0], 1);
    ck_assert_double_eq(high[1], 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tests = tcase_create("statistics");
    tcase_add_test(tests, mean_deviation_and_t_are_those_of_scipy);
    tcase_add_test(tests, wilcoxon_is_exact_where_it_can_be);
    tcase_add_test(tests, wilcoxon_of_many_is_the_normal_approximation);
    tcase_add_test(tests, nothing_is_said_of_too_few_or_equal_numbers);
    tcase_add_test(tests, holm_steps_down_and_leaves_out_what_was_not_tested);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
