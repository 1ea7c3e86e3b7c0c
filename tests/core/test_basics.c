/* Small modules: id, rng, trial, curve, metric, log, err. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/err.h"
#include "core/id.h"
#include "core/log.h"
#include "core/rng.h"
#include "core/spec.h"
#include "core/trial.h"
#include "tests/core/suite.h"

START_TEST(an_id_is_read_back_from_its_text)
{
    struct id id = id_new(), read;
    char text[ID_TEXT_SIZE];
    ck_assert_uint_eq(strlen(id_format(id, text)), ID_TEXT_SIZE - 1);
    ck_assert_int_eq(id_parse(&read, text), 0);
    ck_assert(id_equal(id, read) && !id_is_none(id));
    ck_assert(!id_equal(id, id_new()));
}
END_TEST

START_TEST(an_id_of_another_form_is_refused)
{
    static const char *const bad[] = {"",
                                      "12",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430c",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430c8 ",
                                      "6ba7b8109dad11d180b400c04fd430c8",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430cg"};
    struct id id = {{1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(id_parse(&id, bad[i]), ERR_INVALID);
        ck_assert_uint_eq(id.bytes[0], 1);
    }
}
END_TEST

START_TEST(upper_case_ids_are_read)
{
    struct id id;
    char text[ID_TEXT_SIZE];
    ck_assert_int_eq(id_parse(&id, "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"), 0);
    ck_assert_str_eq(id_format(id, text), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}
END_TEST

/* xoshiro256++ from the state {1, 2, 3, 4}: the values of its authors' reference code. */
START_TEST(the_generator_is_xoshiro256_plus_plus)
{
    static const uint64_t expected[] = {
        41943041u,           58720359u, 3588806011781223u, 3591011842654386u, 9228616714210784205u,
        9973669472204895162u};
    struct rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_uint_eq(rng_next(&rng), expected[i]);
}
END_TEST

START_TEST(streams_are_reproducible_and_different)
{
    struct rng a, b, c, d;
    rng_init(&a, 7, 1);
    rng_init(&b, 7, 1);
    rng_init(&c, 7, 2);
    rng_init(&d, 1, 7);
    uint64_t first = rng_next(&a);
    ck_assert_uint_eq(first, rng_next(&b));
    ck_assert_uint_ne(first, rng_next(&c));
    ck_assert_uint_ne(first, rng_next(&d));
    ck_assert_uint_ne(rng_mix(1, 2), rng_mix(2, 1));
}
END_TEST

/* Five standard errors: a false alarm in a million seeds, and the seed is fixed. */
START_TEST(draws_have_the_moments_of_their_distributions)
{
    struct rng rng;
    rng_init(&rng, 42, 0);
    const int n = 200000;
    double uniform = 0, normal = 0, squares = 0, counts[7] = {0};
    for (int i = 0; i < n; i++) {
        double u = rng_uniform(&rng), z = rng_normal(&rng);
        ck_assert(u >= 0 && u < 1);
        uniform += u;
        normal += z;
        squares += z * z;
        counts[rng_below(&rng, 7)]++;
    }
    ck_assert_double_eq_tol(uniform / n, 0.5, 5 * sqrt(1.0 / 12 / n));
    ck_assert_double_eq_tol(normal / n, 0, 5 / sqrt(n));
    ck_assert_double_eq_tol(squares / n, 1, 5 * sqrt(2.0 / n));
    for (int k = 0; k < 7; k++)
        ck_assert_double_eq_tol(counts[k] / n, 1.0 / 7, 5 * sqrt(6.0 / 49 / n));
}
END_TEST

START_TEST(below_stays_below_whatever_n)
{
    static const uint64_t limits[] = {1, 2, 3, UINT64_C(1) << 32, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    struct rng rng;
    rng_init(&rng, 3, 3);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        uint64_t top = 0;
        for (int k = 0; k < 2000; k++) {
            uint64_t x = rng_below(&rng, limits[i]);
            ck_assert_uint_lt(x, limits[i]);
            top = x > top ? x : top;
        }
        ck_assert_uint_ge(top, limits[i] / 2); /* and does not stay far below */
    }
}
END_TEST

START_TEST(states_have_names_and_are_read_in_any_case)
{
    enum trial_state state;
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        ck_assert_int_eq(trial_state_parse(&state, trial_state_name((enum trial_state)i)), 0);
        ck_assert_int_eq((int)state, i);
    }
    ck_assert_int_eq(trial_state_parse(&state, "paused"), 0);
    ck_assert_int_eq((int)state, TRIAL_PAUSED);
    ck_assert_int_eq(trial_state_parse(&state, "?"), ERR_INVALID);
    ck_assert_str_eq(trial_state_name((enum trial_state)99), "?");
    ck_assert_str_eq(outcome_name(OUTCOME_LOST), "lost");
    ck_assert_str_eq(outcome_name((enum outcome)99), "?");
    ck_assert_str_eq(stop_reason_name(STOP_EARLY), "early");
    ck_assert_str_eq(stop_reason_name((enum stop_reason)0), "?");
}
END_TEST

START_TEST(a_final_state_is_never_left)
{
    for (int from = 0; from < TRIAL_N_STATES; from++) {
        bool may_leave = false;
        for (int to = 0; to < TRIAL_N_STATES; to++)
            may_leave = may_leave || trial_may_step((enum trial_state)from, (enum trial_state)to);
        ck_assert_int_ne(may_leave, trial_state_is_final((enum trial_state)from));
    }
    ck_assert(trial_may_step(TRIAL_PENDING, TRIAL_ASSIGNED));
    ck_assert(!trial_may_step(TRIAL_PENDING, TRIAL_COMPLETED));
    ck_assert(!trial_may_step((enum trial_state)99, TRIAL_PENDING));
    ck_assert(!trial_state_is_final((enum trial_state)99));
}
END_TEST

START_TEST(steps_count_from_0_and_units_from_1)
{
    struct curve curve = {0};
    ck_assert_int_eq(curve_units(&curve), 0);
    ck_assert_int_eq(curve_add(&curve, 0, 1), 0);
    ck_assert_int_eq(curve_units(&curve), 1);
    ck_assert_int_eq(curve_add(&curve, REPORT_MAX_STEP, 1), 0);
    ck_assert_int_eq(curve_units(&curve), REPORT_MAX_STEP + 1);
    ck_assert_int_eq(curve_add(&curve, INT64_MAX, 1), 0);
    ck_assert_int_eq(curve_units(&curve), INT64_MAX);
    curve_fini(&curve);
}
END_TEST

START_TEST(a_curve_takes_growing_steps_only)
{
    struct curve curve = {0};
    for (int64_t step = 0; step < 100; step += 3)
        ck_assert_int_eq(curve_add(&curve, step, (double)step / 2), 0);
    ck_assert_int_eq(curve_add(&curve, 99, 1), ERR_INVALID);
    ck_assert_int_eq(curve_add(&curve, -5, 1), ERR_INVALID);
    ck_assert_uint_eq(curve.n, 34);
    ck_assert_int_eq(curve.steps[33], 99);
    ck_assert_double_eq(curve.values[33], 49.5);
    curve_clear(&curve);
    ck_assert_int_eq(curve_add(&curve, -5, 1), 0);
    curve_fini(&curve);
    ck_assert_uint_eq(curve.n, 0);
}
END_TEST

START_TEST(nothing_is_better_than_a_value_by_being_nan)
{
    ck_assert(metric_better(GOAL_MINIMIZE, 1, 2) && !metric_better(GOAL_MINIMIZE, 2, 1));
    ck_assert(metric_better(GOAL_MAXIMIZE, 2, 1) && !metric_better(GOAL_MAXIMIZE, 1, 2));
    ck_assert(!metric_better(GOAL_MINIMIZE, 1, 1));
    for (int goal = GOAL_MINIMIZE; goal <= GOAL_MAXIMIZE; goal++) {
        ck_assert(metric_better((enum metric_goal)goal, 1, NAN));
        ck_assert(!metric_better((enum metric_goal)goal, NAN, 1));
        ck_assert(!metric_better((enum metric_goal)goal, NAN, NAN));
    }
}
END_TEST

static const struct value_case {
    enum metric_value rule;
    enum metric_goal goal;
    double returned, curve[3]; /* NaN: no report */
    double value;
} value_cases[] = {
    {METRIC_FINAL, GOAL_MINIMIZE, 5, {1, 2, 3}, 5},
    {METRIC_FINAL, GOAL_MINIMIZE, NAN, {1, 2, 3}, 3},
    {METRIC_FINAL, GOAL_MINIMIZE, NAN, {NAN, NAN, NAN}, NAN},
    {METRIC_LAST, GOAL_MINIMIZE, 5, {1, 2, 3}, 3},
    {METRIC_LAST, GOAL_MINIMIZE, 5, {NAN, NAN, NAN}, 5},
    {METRIC_BEST, GOAL_MINIMIZE, 5, {2, 1, 3}, 1},
    {METRIC_BEST, GOAL_MAXIMIZE, 2, {2, 1, 3}, 3},
    {METRIC_BEST, GOAL_MAXIMIZE, 5, {2, 1, 3}, 5},
    {METRIC_BEST, GOAL_MAXIMIZE, NAN, {2, NAN, NAN}, 2},
};

START_TEST(a_trials_value_follows_the_rule)
{
    const struct value_case *c = &value_cases[_i];
    struct curve curve = {0};
    for (int i = 0; i < 3; i++) {
        if (!isnan(c->curve[i]))
            ck_assert_int_eq(curve_add(&curve, i, c->curve[i]), 0);
    }
    struct metric metric = {.goal = c->goal, .value = c->rule};
    double value = metric_trial_value(&metric, c->returned, &curve);
    ck_assert(value == c->value || (isnan(value) && isnan(c->value)));
    curve_fini(&curve);
}
END_TEST

static char sunk[4096];
static int n_sunk;

static void sink(enum log_level level, const char *line, void *arg)
{
    ck_assert_ptr_eq(arg, &n_sunk);
    ck_assert_int_eq((int)level, LOG_WARN);
    (void)snprintf(sunk, sizeof sunk, "%s", line);
    n_sunk++;
}

START_TEST(a_sink_gets_one_line_an_event)
{
    log_set_level(LOG_WARN);
    log_set_sink(sink, &n_sunk);
    log_warn("worker lost text=%s", "a\nb\x1b[31m");
    ck_assert_str_eq(sunk, "prova: warn: worker lost text=a b [31m");
    log_info("not said");
    ck_assert_int_eq(n_sunk, 1);
    char *huge = calloc(1, 10000);
    memset(huge, 'x', 9999);
    log_warn("%s", huge);
    ck_assert_uint_gt(strlen(sunk), 1000);
    free(huge);
    log_set_sink(NULL, NULL);
}
END_TEST

START_TEST(without_a_sink_lines_go_to_stderr)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    log_error("it burns room=%d", 3);
    dup2(saved, STDERR_FILENO);
    close(ends[1]);
    close(saved);
    char line[100] = "";
    ck_assert_int_gt(read(ends[0], line, sizeof line - 1), 0);
    ck_assert_str_eq(line, "prova: error: it burns room=3\n");
    close(ends[0]);
}
END_TEST

START_TEST(levels_are_read_by_name)
{
    enum log_level level = LOG_ERROR;
    ck_assert_int_eq(log_level_parse(&level, "debug"), 0);
    ck_assert_int_eq((int)level, LOG_DEBUG);
    ck_assert_int_eq(log_level_parse(&level, "loud"), ERR_INVALID);
}
END_TEST

START_TEST(an_error_keeps_its_code_and_gets_a_prefix)
{
    struct err err;
    ck_assert_int_eq(err_set(&err, ERR_IO, "disk %d", 3), ERR_IO);
    ck_assert_int_eq(err_prefix(&err, "store"), ERR_IO);
    ck_assert_str_eq(err.text, "store: disk 3");
    ck_assert_int_eq(err_set(NULL, ERR_IO, "disk"), ERR_IO);
    ck_assert_str_eq(err_string(ERR_NOMEM), "out of memory");
    ck_assert_str_eq(err_string(-99), "unknown error");
    for (int i = 0; i < 40; i++)
        (void)err_prefix(&err, "a prefix of some length"); /* a text too long is cut, and stays terminated */
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("basics");
    tcase_add_test(tests, an_id_is_read_back_from_its_text);
    tcase_add_test(tests, an_id_of_another_form_is_refused);
    tcase_add_test(tests, upper_case_ids_are_read);
    tcase_add_test(tests, the_generator_is_xoshiro256_plus_plus);
    tcase_add_test(tests, streams_are_reproducible_and_different);
    tcase_add_test(tests, draws_have_the_moments_of_their_distributions);
    tcase_add_test(tests, below_stays_below_whatever_n);
    tcase_add_test(tests, states_have_names_and_are_read_in_any_case);
    tcase_add_test(tests, a_final_state_is_never_left);
    tcase_add_test(tests, a_curve_takes_growing_steps_only);
    tcase_add_test(tests, steps_count_from_0_and_units_from_1);
    tcase_add_test(tests, nothing_is_better_than_a_value_by_being_nan);
    tcase_add_loop_test(tests, a_trials_value_follows_the_rule, 0, sizeof value_cases / sizeof *value_cases);
    tcase_add_test(tests, a_sink_gets_one_line_an_event);
    tcase_add_test(tests, without_a_sink_lines_go_to_stderr);
    tcase_add_test(tests, levels_are_read_by_name);
    tcase_add_test(tests, an_error_keeps_its_code_and_gets_a_prefix);
    return run_case(tests);
}
