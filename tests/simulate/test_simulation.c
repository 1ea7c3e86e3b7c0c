/* Whole experiments in virtual time: what they cost, find, and leave. */
#include <math.h>
#include <stdio.h>

#include "driver/simulation.h"
#include "optimizers/registry.h"
#include "table.h"

#define SPACE "metric: {name: loss}\nparameters: {x: {min: 0, max: 9}}\n"
#define TABLE "table: {file: t.csv, curve: {column: \"loss@{step}\", steps: [1, 4]}, seconds: {column: s}}\n"

/* Row x: 10 + x after the first step, one less with each; 8 x + 4 seconds. Row 9 diverges. */
static char csv[1024];

static void make_csv(void)
{
    size_t n = (size_t)snprintf(csv, sizeof csv, "x,loss@1,loss@2,loss@3,loss@4,s\n");
    for (int x = 0; x < 9; x++)
        n += (size_t)snprintf(csv + n, sizeof csv - n, "%d,%d,%d,%d,%d,%d\n", x, 10 + x, 9 + x, 8 + x, 7 + x,
                              8 * x + 4);
    (void)snprintf(csv + n, sizeof csv - n, "9,19,nan,nan,nan,76\n");
}

static struct spec *spec;
static struct recording *recording;

static int simulate(struct simulation_result *result, const char *sweep, uint64_t seed, struct err *err)
{
    struct text json = {0};
    make_csv();
    spec = table_spec(sweep);
    recording = table_load(spec, csv);
    spec_write_json(&json, spec);
    struct simulation_setup setup = {.recording = recording, .spec_json = text_get(&json), .seed = seed};
    int code = simulation_run(result, &setup, err);
    text_fini(&json);
    return code;
}

static struct simulation_result run(const char *sweep, uint64_t seed)
{
    struct simulation_result result;
    struct err err = {0};
    ck_assert_msg(simulate(&result, sweep, seed, &err) == 0, "%s", err.text);
    return result;
}

static void finish(struct simulation_result *result)
{
    simulation_result_fini(result);
    recording_destroy(recording);
    spec_destroy(spec);
}

START_TEST(a_grid_in_sequence_takes_the_sum_of_its_times)
{
    struct simulation_result result =
        run(SPACE TABLE "search: {name: grid, counts: {x: 10}}\nlimits: {failures: 0}\n", 1);
    ck_assert_str_eq(result.state, "completed");
    ck_assert_uint_eq(result.n_trials, 10);
    ck_assert_uint_eq(result.n_completed, 9);
    ck_assert_uint_eq(result.n_failed, 1);
    ck_assert_uint_eq(result.n_epochs, 9 * 4 + 2); /* what diverges is stopped at once */
    ck_assert_double_eq_tol(result.seconds, 8 * 36 + 4 * 9 + 38, 1e-6);
    ck_assert_double_eq(result.points[result.n_points - 1].value, 7);
    ck_assert_double_eq(result.best[0], 0);
    ck_assert_int_eq(result.points[result.n_points - 1].step, 4);
    finish(&result);
}
END_TEST

START_TEST(workers_share_the_time)
{
    struct simulation_result result =
        run(SPACE TABLE "search: {name: grid, counts: {x: 10}}\nworkers: 10\nlimits: {failures: 0}\n", 1);
    ck_assert_double_eq_tol(result.seconds, 68, 1e-6); /* of the longest that does not diverge */
    ck_assert_uint_eq(result.n_epochs, 9 * 4 + 2);
    finish(&result);
}
END_TEST

START_TEST(the_best_so_far_only_gets_better_and_later)
{
    struct simulation_result result = run(SPACE TABLE "workers: 3\nlimits: {trials: 10, failures: 0}\n", 5);
    ck_assert_uint_gt(result.n_points, 1);
    for (size_t i = 1; i < result.n_points; i++) {
        ck_assert_double_lt(result.points[i].value, result.points[i - 1].value);
        ck_assert_double_ge(result.points[i].seconds, result.points[i - 1].seconds);
        ck_assert_uint_gt(result.points[i].n_epochs, result.points[i - 1].n_epochs);
    }
    finish(&result);
}
END_TEST

START_TEST(the_budget_is_exact_whatever_the_schedule)
{
    char sweep[512];
    const struct schedule_type *type = schedule_types[_i / 2];
    snprintf(sweep, sizeof sweep,
             SPACE TABLE "workers: %d\nlimits: {budget: 12, failures: 0}\nschedule: {name: %s%s}\n",
             _i % 2 ? 4 : 1, type->name, strcmp(type->name, "full") ? ", max_budget: 4" : "");
    struct simulation_result result = run(sweep, 3);
    ck_assert_str_eq(result.state, "completed");
    ck_assert_uint_eq(result.n_epochs, 12);
    ck_assert_str_eq(result.text, "the budget of 12 units is used up");
    ck_assert_uint_eq(result.n_completed + result.n_stopped + result.n_failed, result.n_trials);
    finish(&result);
}
END_TEST

START_TEST(a_paused_trial_goes_on_where_it_was)
{
    struct simulation_result result = run(
        SPACE TABLE
        "search: {name: grid, counts: {x: 10}}\nlimits: {failures: 0}\nschedule: {name: asha, max_budget: 4, eta: 2}\n",
        1);
    /* 10 with one step, 5 of them with two, 2 with four: nobody repeats a step */
    ck_assert_uint_eq(result.n_epochs, 10 + 5 + 2 * 2);
    ck_assert_uint_eq(result.n_completed, 2);
    finish(&result);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run_and_another_another)
{
    const char *sweep = SPACE TABLE
        "workers: 4\nlimits: {budget: 30, failures: 0}\nschedule: {name: hyperband, max_budget: 4}\n";
    struct simulation_result a = run(sweep, 7);
    recording_destroy(recording);
    spec_destroy(spec);
    struct simulation_result b = run(sweep, 7);
    ck_assert_uint_eq(a.n_points, b.n_points);
    ck_assert_mem_eq(a.points, b.points, a.n_points * sizeof *a.points);
    simulation_result_fini(&a);
    finish(&b);
    b = run(sweep, 7);
    recording_destroy(recording);
    spec_destroy(spec);
    a = run(sweep, 8);
    ck_assert(a.n_points != b.n_points || memcmp(a.points, b.points, a.n_points * sizeof *a.points) != 0);
    simulation_result_fini(&b);
    finish(&a);
}
END_TEST

START_TEST(a_row_is_tried_once_where_only_rows_are)
{
    struct simulation_result result = run("metric: {name: loss}\nparameters: {x: {min: 0.0, max: 9.0}}\n"
                                          "table: {file: t.csv, column: \"loss@1\", lookup: rows}\n"
                                          "limits: {trials: 40}\nworkers: 2\n",
                                          1);
    ck_assert_str_eq(result.state, "completed");
    ck_assert_uint_eq(result.n_trials, 10);
    ck_assert_uint_eq(result.n_rows_used, 10);
    ck_assert_double_eq(result.points[result.n_points - 1].value, 10);
    finish(&result);
}
END_TEST

START_TEST(a_table_without_times_takes_a_second_a_step)
{
    struct simulation_result result =
        run(SPACE "table: {file: t.csv, column: \"loss@1\"}\nsearch: {name: grid, counts: {x: 10}}\n", 1);
    ck_assert_double_eq(result.seconds, 10);
    ck_assert_uint_eq(result.points[0].n_begun, 1);
    finish(&result);
}
END_TEST

START_TEST(limits_of_time_end_it)
{
    struct simulation_result result =
        run(SPACE TABLE "search: {name: grid, counts: {x: 10}}\nlimits: {hours: 0.01}\n", 1);
    ck_assert_str_eq(result.state, "completed");
    ck_assert_double_eq_tol(result.seconds, 36, 1e-6);
    finish(&result);
    result = run(
        SPACE TABLE "search: {name: grid, counts: {x: 10}}\nlimits: {trial_hours: 0.005, failures: 0}\n", 1);
    ck_assert_uint_eq(result.n_completed, 2); /* of 4 and of 12 s */
    finish(&result);
}
END_TEST

START_TEST(of_replicates_a_trial_sees_one_and_its_truth_is_the_mean)
{
    struct text json = {0};
    struct err err = {0};
    struct simulation_result result;
    spec = table_spec("parameters: {o: {values: [a]}}\nlimits: {trials: 1}\n"
                      "table: {file: t.csv, kind: full-factorial, replicates: [r, s]}\n");
    recording = table_load(spec, "o,r,s\na,1,3\n");
    spec_write_json(&json, spec);
    bool seen[4] = {false};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct simulation_setup setup = {.recording = recording, .spec_json = text_get(&json), .seed = seed};
        ck_assert_int_eq(simulation_run(&result, &setup, &err), 0);
        ck_assert_double_eq(result.points[0].truth, 2);
        seen[(int)result.points[0].value] = true;
        simulation_result_fini(&result);
    }
    ck_assert(seen[1] && seen[3] && !seen[2]);
    text_fini(&json);
    recording_destroy(recording);
    spec_destroy(spec);
}
END_TEST

START_TEST(an_experiment_without_a_value_has_no_best)
{
    struct text json = {0};
    struct err err = {0};
    struct simulation_result result;
    spec = table_spec("metric: loss\nparameters: {x: {min: 0, max: 1}}\ntable: {file: t.csv}\n");
    recording = table_load(spec, "x,loss\n0,nan\n1,inf\n");
    spec_write_json(&json, spec);
    struct simulation_setup setup = {.recording = recording, .spec_json = text_get(&json), .seed = 1};
    ck_assert_int_eq(simulation_run(&result, &setup, &err), 0);
    ck_assert_str_eq(result.state, "failed");
    ck_assert_uint_eq(result.n_points, 0);
    text_fini(&json);
    finish(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulation");
    TCase *tcase = tcase_create("runs");
    tcase_add_test(tcase, a_grid_in_sequence_takes_the_sum_of_its_times);
    tcase_add_test(tcase, workers_share_the_time);
    tcase_add_test(tcase, the_best_so_far_only_gets_better_and_later);
    tcase_add_loop_test(tcase, the_budget_is_exact_whatever_the_schedule, 0, 2 * (int)n_schedule_types);
    tcase_add_test(tcase, a_paused_trial_goes_on_where_it_was);
    tcase_add_test(tcase, the_same_seed_gives_the_same_run_and_another_another);
    tcase_add_test(tcase, a_row_is_tried_once_where_only_rows_are);
    tcase_add_test(tcase, a_table_without_times_takes_a_second_a_step);
    tcase_add_test(tcase, limits_of_time_end_it);
    tcase_add_test(tcase, of_replicates_a_trial_sees_one_and_its_truth_is_the_mean);
    tcase_add_test(tcase, an_experiment_without_a_value_has_no_best);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
