/* Tables of recorded trainings: what is read, and what is refused where. */
#include <math.h>
#include <stdio.h>

#include "table.h"

#define SPACE "metric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}, o: {values: [a, b]}}\n"
#define CURVE "table: {file: t.csv, curve: {column: \"loss@{step}\", steps: [1, 3]}}\n"
#define FULL                                                                                                 \
    "metric: {name: acc, goal: maximize}\nparameters: {n: {min: 1, max: 2}, o: {values: [a, b]}}\n"          \
    "table: {file: t.csv, kind: full-factorial, replicates: [r1, r2]}\n"

START_TEST(curves_are_read_with_diverged_and_shorter_ones)
{
    struct spec *spec = table_spec(SPACE CURVE);
    struct recording *r =
        table_load(spec, "x,o,loss@1,loss@2,loss@3\n0.1,a,3,2,1\n0.2,b,4,nan,nan\n0.9,a,5,4,\n");
    ck_assert_uint_eq(r->n_rows, 3);
    ck_assert_uint_eq(r->lengths[0], 3);
    ck_assert_uint_eq(r->lengths[2], 2);
    ck_assert(isnan(r->curves[4]));
    ck_assert_double_eq(r->optimum, 1);
    ck_assert_double_eq(r->median, 4); /* of 1, 4 and one that has diverged */
    ck_assert_ptr_null(r->seconds);
    double point[] = {0.8, 0};
    ck_assert_uint_eq(recording_find(r, point), 2);
    recording_destroy(r);
    spec_destroy(spec);
}
END_TEST

START_TEST(columns_may_stand_in_any_order_and_others_are_passed_over)
{
    struct spec *spec = table_spec(SPACE "table: {file: t.csv}\n");
    struct recording *r = table_load(spec, "loss,note,o,x\n7,\"hello, you\",b,0.5\n");
    ck_assert_double_eq(r->points[0], 0.5);
    ck_assert_double_eq(r->points[1], 1);
    ck_assert_double_eq(r->curves[0], 7);
    recording_destroy(r);
    spec_destroy(spec);
}
END_TEST

START_TEST(replicates_give_their_mean_and_may_be_missing)
{
    struct spec *spec = table_spec(FULL);
    struct recording *r = table_load(spec, "n,o,r1,r2\n1,a,1,3\n1,b,2,\n2,a,5,5\n2,b,0,1\n");
    ck_assert_double_eq(r->curves[0], 2);
    ck_assert_double_eq(r->curves[1], 2);
    ck_assert_double_eq(r->optimum, 5);
    double point[] = {2, 1};
    ck_assert_uint_eq(recording_find(r, point), 3);
    ck_assert_double_eq(recording_regret(r, 5), 0);
    ck_assert_double_eq(recording_regret(r, -9), 1);
    ck_assert(isnan(recording_regret(r, (double)NAN)));
    recording_destroy(r);
    spec_destroy(spec);
}
END_TEST

static const struct {
    const char *seconds, *csv;
    double expected[3];
} times[] = {
    {"{column: \"s@{step}\"}", "x,o,loss@1,loss@2,loss@3,s@1,s@2,s@3\n0,a,1,1,1,5,6,7\n", {5, 6, 7}},
    {"{column: \"s@{step}\", cumulative: true}",
     "x,o,loss@1,loss@2,loss@3,s@1,s@2,s@3\n0,a,1,1,1,5,6,8\n",
     {5, 1, 2}},
    {"{first: f, last: l}", "x,o,loss@1,loss@2,loss@3,f,l\n0,a,1,1,1,5,9\n", {5, 2, 2}},
    {"s", "x,o,loss@1,loss@2,loss@3,s\n0,a,1,1,1,9\n", {3, 3, 3}},
};

START_TEST(the_time_of_each_step_follows_from_what_was_recorded)
{
    char sweep[512];
    snprintf(sweep, sizeof sweep,
             SPACE "table: {file: t.csv, curve: {column: \"loss@{step}\", steps: [1, 3]}, seconds: %s}\n",
             times[_i].seconds);
    struct spec *spec = table_spec(sweep);
    struct recording *r = table_load(spec, times[_i].csv);
    for (size_t k = 0; k < 3; k++)
        ck_assert_double_eq(r->seconds[k], times[_i].expected[k]);
    recording_destroy(r);
    spec_destroy(spec);
}
END_TEST

static const struct {
    const char *sweep, *csv, *fault;
    unsigned line, column;
} bad[] = {
    {SPACE CURVE, "", "the file is empty: it needs a header and a row a configuration", 1, 1},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n", "there is no row below the header", 1, 1},
    {SPACE CURVE, "x,o,loss@1,loss@2\n1,a,1,1\n",
     "there is no column 'loss@3' (the objective after a step); did you mean 'loss@1'?", 1, 1},
    {SPACE CURVE, "x,o,x,loss@1,loss@2,loss@3\n", "there are two columns 'x'", 1, 5},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n0.5,a,1,1\n", "4 cells where the header has 5", 2, 1},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n0.5,a,1,x1,1\n", "'x1' is not a number", 2, 9},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n0.5,a,1,,1\n",
     "a step without a value in the middle of the curve", 2, 9},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n0.5,a,,,\n", "this row has no value", 2, 7},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n\n1.5,a,1,1,1\n", "1.5 is outside 0 to 1 for 'x'", 3, 1},
    {SPACE CURVE, "x,o,loss@1,loss@2,loss@3\n0.5,c,1,1,1\n", "", 2, 5},
    {"metric: loss\nparameters: {o: {values: [a, b]}, x: {min: 0, max: 9, when: {o: a}}}\ntable: {file: t}\n",
     "o,x,loss\nb,3,1\n", "this parameter is not active in this row: its cell must be empty", 2, 3},
    {FULL, "n,o,r1,r2\n1,a,1,3\n1,a,2,\n", "the same configuration as in line 2", 3, 1},
    {FULL, "n,o,r1,r2\n1,a,1,3\n",
     "a full-factorial table has a row for each of the 4 points of the space, this one has 1; is it 'kind: "
     "sampled'?",
     1, 1},
    {SPACE "table: {file: t.csv, seconds: s}\n", "x,o,loss,s\n0,a,1,-1\n",
     "the seconds of a step must be between 0 and 1e9", 2, 7},
    {SPACE "table: {file: t.csv, seconds: s}\n", "x,o,loss,s\n0,a,1,\n",
     "the seconds of a step must be between 0 and 1e9", 2, 7},
};

START_TEST(what_is_wrong_with_a_table_is_said_at_its_place)
{
    struct spec *spec = table_spec(bad[_i].sweep);
    struct recording *recording = NULL;
    struct faults faults = {0};
    char *text = strdup(bad[_i].csv);
    ck_assert_int_eq(recording_create(&recording, spec, text, &faults), ERR_INVALID);
    ck_assert_uint_eq(faults.n, 1);
    if (*bad[_i].fault)
        ck_assert_str_eq(faults.list[0].text, bad[_i].fault);
    ck_assert_uint_eq(faults.list[0].line, bad[_i].line);
    ck_assert_uint_eq(faults.list[0].column, bad[_i].column);
    faults_fini(&faults);
    free(text);
    spec_destroy(spec);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *tcase = tcase_create("tables");
    tcase_add_test(tcase, curves_are_read_with_diverged_and_shorter_ones);
    tcase_add_test(tcase, columns_may_stand_in_any_order_and_others_are_passed_over);
    tcase_add_test(tcase, replicates_give_their_mean_and_may_be_missing);
    tcase_add_loop_test(tcase, the_time_of_each_step_follows_from_what_was_recorded, 0,
                        sizeof times / sizeof *times);
    tcase_add_loop_test(tcase, what_is_wrong_with_a_table_is_said_at_its_place, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
