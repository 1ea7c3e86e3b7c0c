/* What a training function sees, from a handle that records what it is told. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/spec.h"
#include "sdk/prova.h"
#include "worker/handle.h"

static struct {
    int n_reports, n_failures, stop;
    int64_t step;
    char name[64], failure[1100];
    double value, finished;
} seen;

static int report(struct prova_trial *trial, int64_t step, const char *name, double value)
{
    (void)trial;
    seen.n_reports++;
    seen.step = step;
    seen.value = value;
    snprintf(seen.name, sizeof seen.name, "%s", name ? name : "(objective)");
    return seen.stop;
}

static void finish(struct prova_trial *trial, double value)
{
    (void)trial;
    seen.finished = value;
}

static void record_failure(struct prova_trial *trial, const char *text)
{
    (void)trial;
    if (seen.n_failures++ == 0)
        snprintf(seen.failure, sizeof seen.failure, "%s", text);
}

static int stopped(struct prova_trial *trial)
{
    (void)trial;
    return seen.stop;
}

static const char *directory(struct prova_trial *trial)
{
    (void)trial;
    return "/tmp/trial";
}

static const struct handle_ops ops = {.version = HANDLE_VERSION,
                                      .report = report,
                                      .finish = finish,
                                      .fail = record_failure,
                                      .stopped = stopped,
                                      .directory = directory};
static const char sweep[] = "parameters:\n"
                            "  lr: {min: 0.001, max: 1.0}\n"
                            "  hidden: {min: 8, max: 256}\n"
                            "  batch: {type: discrete, values: [16, 32, 0.5]}\n"
                            "  solver: {values: [sgd, adam]}\n"
                            "  momentum: {min: 0.0, max: 0.9, when: {solver: [sgd]}}\n"
                            "  epochs: {value: 40}\n"
                            "  bias: {values: [true, false]}\n";
static double point[] = {0.25, 64, 1, 1, NAN, 0, 0}; /* batch: 16, of 0.5 16 32; solver: adam */
static struct prova_trial trial;
static struct spec *spec;

static void set_up(void)
{
    struct faults faults = {0};
    memset(&seen, 0, sizeof seen);
    ck_assert_int_eq(spec_parse(&spec, sweep, strlen(sweep), "t.yaml", NULL, 0, &faults), 0);
    trial = (struct prova_trial){.ops = &ops,
                                 .spec = spec,
                                 .point = point,
                                 .number = 3,
                                 .attempt = 2,
                                 .seed = 77,
                                 .budget = 0,
                                 .done = 4,
                                 .experiment = "t",
                                 .ablated = "feature:age,group:a:b",
                                 .experiment_id = "id"};
    faults_fini(&faults);
}

static void tear_down(void)
{
    spec_destroy(spec);
}

START_TEST(numbers_convert_where_they_can)
{
    ck_assert_double_eq(prova_double(&trial, "lr"), 0.25);
    ck_assert_double_eq(prova_double(&trial, "hidden"), 64);
    ck_assert_double_eq(prova_double(&trial, "batch"), 16);
    ck_assert_double_eq(prova_double(&trial, "epochs"), 40);
    ck_assert_int_eq(prova_int(&trial, "hidden"), 64);
    ck_assert_int_eq(prova_int(&trial, "batch"), 16);
    ck_assert_int_eq(prova_int(&trial, "epochs"), 40);
    ck_assert_int_eq(prova_int(&trial, "bias"), 1);
    ck_assert_int_eq(seen.n_failures, 0);
}
END_TEST

START_TEST(all_active_parameters_are_one_json_object)
{
    const char *json = prova_params_json(&trial);
    ck_assert_str_eq(
        json, "{\"lr\":0.25,\"hidden\":64,\"batch\":16,\"solver\":\"adam\",\"epochs\":40,\"bias\":true}");
    ck_assert_str_eq(prova_string(&trial, "batch"), "16");
    ck_assert_ptr_eq(prova_params_json(&trial), json);
    ck_assert_str_eq(prova_trial_experiment(&trial), "t");
    ck_assert_str_eq(prova_trial_experiment_id(&trial), "id");
}
END_TEST

START_TEST(every_value_has_a_text)
{
    ck_assert_str_eq(prova_string(&trial, "solver"), "adam");
    ck_assert_str_eq(prova_string(&trial, "batch"), "16");
    ck_assert_str_eq(prova_string(&trial, "bias"), "true");
    const char *lr = prova_string(&trial, "lr"), *hidden = prova_string(&trial, "hidden");
    ck_assert_str_eq(lr, "0.25");
    ck_assert_str_eq(hidden, "64");
    ck_assert_ptr_eq(prova_string(&trial, "lr"), lr);
    ck_assert_int_eq(seen.n_failures, 0);
}
END_TEST

START_TEST(the_next_trial_has_texts_of_its_own)
{
    ck_assert_str_eq(prova_string(&trial, "lr"), "0.25");
    double other[] = {0.5, 64, 1, 1, NAN, 0, 0};
    trial.number++;
    trial.point = other;
    ck_assert_str_eq(prova_string(&trial, "lr"), "0.5");
}
END_TEST

START_TEST(an_inactive_parameter_is_no_mistake)
{
    ck_assert(isnan(prova_double(&trial, "momentum")));
    ck_assert_int_eq(prova_int(&trial, "momentum"), 0);
    ck_assert_str_eq(prova_string(&trial, "momentum"), "");
    ck_assert_int_eq(prova_active(&trial, "momentum"), 0);
    ck_assert_int_eq(prova_active(&trial, "solver"), 1);
    ck_assert_int_eq(prova_active(&trial, "nothing"), 0);
    ck_assert_int_eq(seen.n_failures, 0);
}
END_TEST

START_TEST(a_wrong_name_fails_the_trial_and_says_which_was_meant)
{
    ck_assert(isnan(prova_double(&trial, "hiden")));
    ck_assert_int_eq(seen.n_failures, 1);
    ck_assert_ptr_nonnull(strstr(seen.failure, "'hiden'"));
    ck_assert_ptr_nonnull(strstr(seen.failure, "did you mean 'hidden'"));
    ck_assert_int_eq(prova_int(&trial, "zzz"), 0);
    ck_assert_str_eq(prova_string(&trial, "zzz"), "");
    ck_assert_int_eq(seen.n_failures, 3);
}
END_TEST

START_TEST(a_wrong_type_fails_the_trial)
{
    ck_assert(isnan(prova_double(&trial, "solver")));
    ck_assert_ptr_nonnull(strstr(seen.failure, "prova_string"));
    ck_assert_int_eq(prova_int(&trial, "lr"), 0);
    ck_assert_int_eq(prova_int(&trial, "solver"), 0);
    ck_assert_int_eq(seen.n_failures, 3);
}
END_TEST

START_TEST(a_number_that_is_not_whole_is_no_int)
{
    double half[] = {0.25, 64, 0, 1, NAN, 0, 0}; /* batch: 0.5 */
    trial.point = half;
    ck_assert_int_eq(prova_int(&trial, "batch"), 0);
    ck_assert_int_eq(seen.n_failures, 1);
    ck_assert_ptr_nonnull(strstr(seen.failure, "prova_double"));
}
END_TEST

START_TEST(a_trial_of_another_library_version_is_refused)
{
    struct handle_ops other = ops;
    other.version++;
    trial.ops = &other;
    ck_assert(isnan(prova_double(&trial, "lr")));
    ck_assert_ptr_nonnull(strstr(seen.failure, "version"));
}
END_TEST

START_TEST(reports_and_the_end_go_to_the_handle)
{
    ck_assert_int_eq(prova_report(&trial, 5, 0.5), 0);
    ck_assert_str_eq(seen.name, "(objective)");
    seen.stop = 1;
    ck_assert_int_ne(prova_report_metric(&trial, 6, "loss", 1.5), 0);
    ck_assert_str_eq(seen.name, "loss");
    ck_assert_int_eq(seen.step, 6);
    ck_assert_double_eq(seen.value, 1.5);
    ck_assert_int_ne(prova_stopped(&trial), 0);
    ck_assert_int_eq(prova_finish(&trial, 0.9), 0);
    ck_assert_double_eq(seen.finished, 0.9);
    ck_assert_int_ne(prova_fail(&trial, "no %s at %d", "luck", 3), 0);
    ck_assert_str_eq(seen.failure, "no luck at 3");
}
END_TEST

START_TEST(a_step_that_is_none_fails_the_trial)
{
    static const int64_t steps[] = {-1, INT64_MIN, (INT64_C(1) << 53) + 1, INT64_MAX};
    ck_assert_int_ne(prova_report(&trial, steps[_i], 0.5), 0);
    ck_assert_int_eq(seen.n_reports, 0);
    ck_assert_int_eq(seen.n_failures, 1);
    ck_assert_ptr_nonnull(strstr(seen.failure, "steps are whole numbers from 0 to 2^53"));
    ck_assert_int_eq(prova_report(&trial, INT64_C(1) << 53, 0.5), 0);
    ck_assert_int_eq(seen.n_reports, 1);
}
END_TEST

START_TEST(what_is_left_out_is_asked_by_kind_and_name)
{
    ck_assert_int_eq(prova_ablated(&trial, "feature", "age"), 1);
    ck_assert_int_eq(prova_ablated(&trial, "group", "a:b"), 1);
    ck_assert_int_eq(prova_ablated(&trial, "feature", "income"), 0);
    ck_assert_int_eq(prova_ablated(&trial, "layer", "age"), 0);
    ck_assert_str_eq(prova_ablated_list(&trial), "feature:age,group:a:b");
    ck_assert_int_eq(seen.n_failures, 0);
    ck_assert_int_eq(prova_ablated(&trial, "features", "age"), 0);
    ck_assert_int_eq(seen.n_failures, 1);
    ck_assert_ptr_nonnull(strstr(seen.failure, "no component is a 'features'"));
}
END_TEST

START_TEST(the_trial_says_what_it_is)
{
    ck_assert_int_eq(prova_trial_number(&trial), 3);
    ck_assert_int_eq(prova_trial_attempt(&trial), 2);
    ck_assert_uint_eq(prova_trial_seed(&trial), 77);
    ck_assert_int_eq(prova_done(&trial), 4);
    ck_assert_int_eq(prova_budget(&trial, 30), 30);
    trial.budget = 9;
    ck_assert_int_eq(prova_budget(&trial, 30), 9);
    ck_assert_str_eq(prova_directory(&trial), "/tmp/trial");
}
END_TEST

START_TEST(version_and_codes_have_texts)
{
    ck_assert_int_gt((int)strlen(prova_version()), 4);
    ck_assert_str_eq(prova_strerror(0), "no error");
    for (int code = PROVA_EFAILED; code < 0; code++)
        ck_assert_str_ne(prova_strerror(code), "unknown error");
    ck_assert_str_eq(prova_strerror(-99), "unknown error");
}
END_TEST

START_TEST(the_shards_of_all_ranks_are_everything_once)
{
    for (uint64_t world = 1; world <= 9; world++)
        for (int64_t n = 0; n <= 40; n++) {
            int64_t next = 0, least = n, most = 0;
            for (uint64_t rank = 0; rank < world; rank++) {
                struct handle_gang gang = {.number = 1, .rank = rank, .world = world};
                prova_trial part = {.ops = &ops, .gang = world > 1 ? &gang : NULL};
                int64_t first, count;
                prova_shard(&part, n, &first, &count);
                ck_assert_int_eq(first, next);
                next = first + count;
                least = count < least ? count : least;
                most = count > most ? count : most;
                ck_assert_int_eq(prova_rank(&part), (int)rank);
                ck_assert_int_eq(prova_world(&part), (int)world);
            }
            ck_assert_int_eq(next, n);
            ck_assert_int_le(most - least, 1);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trial");
    TCase *tc = tcase_create("trial");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_shards_of_all_ranks_are_everything_once);
    tcase_add_test(tc, numbers_convert_where_they_can);
    tcase_add_test(tc, every_value_has_a_text);
    tcase_add_test(tc, the_next_trial_has_texts_of_its_own);
    tcase_add_test(tc, an_inactive_parameter_is_no_mistake);
    tcase_add_test(tc, a_wrong_name_fails_the_trial_and_says_which_was_meant);
    tcase_add_test(tc, a_wrong_type_fails_the_trial);
    tcase_add_test(tc, a_number_that_is_not_whole_is_no_int);
    tcase_add_test(tc, all_active_parameters_are_one_json_object);
    tcase_add_test(tc, a_trial_of_another_library_version_is_refused);
    tcase_add_test(tc, reports_and_the_end_go_to_the_handle);
    tcase_add_loop_test(tc, a_step_that_is_none_fails_the_trial, 0, 4);
    tcase_add_test(tc, the_trial_says_what_it_is);
    tcase_add_test(tc, what_is_left_out_is_asked_by_kind_and_name);
    tcase_add_test(tc, version_and_codes_have_texts);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
