/* What is appended is there, as rows that people can read, and comes back as it was. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store/sample.h"

static struct sample sample;
static struct store *store;

static void set_up(void)
{
    sample_set_up(&sample);
    store = NULL;
}

static void tear_down(void)
{
    store_close(store, NULL);
    sample_tear_down(&sample);
}

/* Loading */

enum { MAX_LOADED = 8 };

static struct loaded {
    int n_experiments, n_trials;
    struct experiment_record experiment;
    char name[32], text[32], command_line[64];
    struct trial_record trials[MAX_LOADED];
    char texts[MAX_LOADED][64], logs[MAX_LOADED][64];
    double points[MAX_LOADED][N_PARAMS];
    struct curve curves[MAX_LOADED];
} loaded;

static int take_experiment(void *arg, const struct experiment_record *record, struct spec *spec,
                           struct err *err)
{
    (void)arg, (void)err;
    loaded.n_experiments++;
    loaded.experiment = *record;
    snprintf(loaded.name, sizeof loaded.name, "%s", record->name);
    snprintf(loaded.text, sizeof loaded.text, "%s", record->text);
    snprintf(loaded.command_line, sizeof loaded.command_line, "%s", record->command_line);
    ck_assert_str_eq(record->spec_json, sample.spec_json);
    ck_assert_ptr_eq(record->spec, spec);
    ck_assert_uint_eq(spec->space->n_params, N_PARAMS);
    spec_destroy(spec);
    return 0;
}

static int take_trial(void *arg, const struct trial_record *record, const struct curve *curve,
                      struct err *err)
{
    (void)arg, (void)err;
    int i = loaded.n_trials++;
    ck_assert_int_lt(i, MAX_LOADED);
    ck_assert_uint_eq(record->n_params, N_PARAMS);
    loaded.trials[i] = *record;
    snprintf(loaded.texts[i], sizeof loaded.texts[i], "%s", record->text);
    snprintf(loaded.logs[i], sizeof loaded.logs[i], "%s", record->log);
    memcpy(loaded.points[i], record->point, sizeof loaded.points[i]);
    for (size_t k = 0; k < curve->n; k++)
        ck_assert_int_eq(curve_add(&loaded.curves[i], curve->steps[k], curve->values[k]), 0);
    return 0;
}

static int load(struct id only, struct err *err)
{
    struct store_loader loader = {.experiment = take_experiment, .trial = take_trial};
    memset(&loaded, 0, sizeof loaded);
    return store_load(store, only, &loader, err);
}

static void load_all(void)
{
    struct err err = {0};
    int rc = load((struct id){{0}}, &err);
    ck_assert_msg(!rc, "%s", err.text);
}

static void forget_loaded(void)
{
    for (int i = 0; i < MAX_LOADED; i++)
        curve_fini(&loaded.curves[i]);
}

static void reopen(void)
{
    if (store)
        sample_close(store);
    store = sample_open(&sample);
}

/* A store with experiment 1 in it. */
static void begin(void)
{
    store = sample_open(&sample);
    sample_append(store, sample_experiment(&sample, 1, "one"));
}

START_TEST(experiment_comes_back_as_it_was)
{
    begin();
    reopen();
    load_all();
    ck_assert_int_eq(loaded.n_experiments, 1);
    ck_assert_int_eq(loaded.experiment.key, 1);
    ck_assert(id_equal(loaded.experiment.id, sample_id(1)));
    ck_assert_str_eq(loaded.name, "one");
    ck_assert_str_eq(loaded.command_line, "prova run sample.yaml");
    ck_assert_int_eq(loaded.experiment.created_ms, 1700000000001);
    ck_assert_int_eq(loaded.experiment.ended_ms, 0);
    ck_assert_int_eq(loaded.experiment.state, EXPERIMENT_RUNNING);
}
END_TEST

START_TEST(final_trial_comes_back_with_its_curve)
{
    struct curve curve = {0};
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(curve_add(&curve, 3 + 2 * i, 1.0 / (3 + i)), 0);
    struct record record = sample_trial(1, 1, TRIAL_COMPLETED, sample_sgd);
    record.trial.attempt = 3;
    record.trial.n_lost = 2;
    record.trial.origin = 3;
    record.trial.origin_units = 40;
    record.trial.budget = 27;
    record.trial.value = 0.1 + 0.2;
    record.trial.n_reports = 100;
    record.trial.text = "a 'text'";
    record.trial.log = "/logs/1";
    record.trial.curve = &curve;
    begin();
    sample_append(store, record);
    reopen();
    load_all();
    const struct trial_record *trial = &loaded.trials[0];
    ck_assert_int_eq(loaded.n_trials, 1);
    ck_assert_uint_eq(trial->trial, 1);
    ck_assert_int_eq(trial->state, TRIAL_COMPLETED);
    ck_assert_uint_eq(trial->attempt, 3);
    ck_assert_uint_eq(trial->n_lost, 2);
    ck_assert_uint_eq(trial->origin, 3);
    ck_assert_int_eq(trial->origin_units, 40);
    ck_assert(id_equal(trial->worker, sample_id(1000)));
    ck_assert_int_eq(trial->budget, 27);
    ck_assert_double_eq(trial->value, 0.1 + 0.2);
    ck_assert_uint_eq(trial->n_reports, 100);
    ck_assert_str_eq(loaded.texts[0], "a 'text'");
    ck_assert_str_eq(loaded.logs[0], "/logs/1");
    ck_assert_int_eq(trial->created_ms, 1700000001000);
    ck_assert_int_eq(trial->started_ms, 1700000002000);
    ck_assert_int_eq(trial->ended_ms, 1700000003500);
    ck_assert_ptr_nonnull(trial->curve);
    ck_assert_uint_eq(loaded.curves[0].n, 100);
    ck_assert_mem_eq(loaded.curves[0].steps, curve.steps, 100 * sizeof *curve.steps);
    ck_assert_mem_eq(loaded.curves[0].values, curve.values, 100 * sizeof *curve.values);
    curve_fini(&curve);
    forget_loaded();
}
END_TEST

START_TEST(parameters_of_every_type_come_back_to_the_bit)
{
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_PENDING, sample_sgd));
    sample_append(store, sample_trial(1, 2, TRIAL_PENDING, sample_adam));
    reopen();
    load_all();
    ck_assert_int_eq(loaded.n_trials, 2);
    ck_assert(space_equal(sample.spec->space, loaded.points[0], sample_sgd));
    ck_assert(space_equal(sample.spec->space, loaded.points[1], sample_adam));
    ck_assert(isnan(loaded.points[1][4]));
    ck_assert_str_eq(sample_text(&sample, "SELECT params ->> '$.solver' FROM trials WHERE number = 2"),
                     "a\"d,am");
    ck_assert_int_eq(
        sample_number(&sample, "SELECT params ->> '$.momentum' IS NULL FROM trials WHERE number = 2"), 1);
}
END_TEST

START_TEST(value_that_is_not_a_number_is_null_and_comes_back)
{
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_FAILED, sample_sgd));
    reopen();
    load_all();
    ck_assert(isnan(loaded.trials[0].value));
    ck_assert_int_eq(sample_number(&sample, "SELECT value IS NULL FROM trials"), 1);
}
END_TEST

START_TEST(trials_come_in_order_of_number)
{
    begin();
    for (uint64_t i = 5; i >= 1; i--)
        sample_append(store, sample_trial(1, i, TRIAL_PENDING, sample_sgd));
    sample_sync(store);
    load_all();
    ck_assert_int_eq(loaded.n_trials, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(loaded.trials[i].trial, (uint64_t)i + 1);
}
END_TEST

static void report(uint64_t trial, uint64_t attempt, int64_t step, double value)
{
    struct report one = {.step = step, .value = value};
    sample_append(store, sample_report(1, trial, attempt, &one));
}

START_TEST(curve_of_a_running_trial_is_that_of_its_current_attempt)
{
    struct record record = sample_trial(1, 1, TRIAL_RUNNING, sample_sgd);
    record.trial.attempt = 2;
    begin();
    sample_append(store, record);
    report(1, 1, 0, 0.5);
    report(1, 1, 7, 0.6);
    report(1, 2, 3, 0.9);
    report(1, 2, 2, 0.8);
    report(1, 2, 4, NAN);
    report(1, 2, 5, INFINITY);
    report(1, 2, -1, 0.7); /* the driver takes no such steps: by somebody else */
    report(1, 2, INT64_MAX, 0.7);
    load_all();
    ck_assert_ptr_null(loaded.trials[0].curve);
    ck_assert_uint_eq(loaded.curves[0].n, 2);
    ck_assert_int_eq(loaded.curves[0].steps[0], 2);
    ck_assert_double_eq(loaded.curves[0].values[1], 0.9);
    forget_loaded();
}
END_TEST

START_TEST(curve_of_a_trial_that_went_on_begins_with_its_first_attempt)
{
    struct record record = sample_trial(1, 1, TRIAL_RUNNING, sample_sgd);
    record.trial.attempt = 3;
    record.trial.first_attempt = 2;
    begin();
    sample_append(store, record);
    report(1, 1, 0, 0.1);
    report(1, 2, 0, 0.2);
    report(1, 2, 1, 0.3);
    report(1, 3, 1, 0.4);
    report(1, 3, 2, 0.5);
    load_all();
    ck_assert_uint_eq(loaded.trials[0].first_attempt, 2);
    ck_assert_uint_eq(loaded.curves[0].n, 3);
    ck_assert_double_eq(loaded.curves[0].values[0], 0.2);
    ck_assert_double_eq(loaded.curves[0].values[1], 0.3);
    ck_assert_double_eq(loaded.curves[0].values[2], 0.5);
    forget_loaded();
}
END_TEST

START_TEST(only_running_experiments_are_loaded_unless_one_is_asked_for)
{
    struct err err = {0};
    begin();
    struct record done = sample_experiment(&sample, 2, "two");
    done.experiment.state = EXPERIMENT_INTERRUPTED;
    sample_append(store, done);
    sample_append(store, sample_trial(2, 1, TRIAL_PENDING, sample_sgd));
    load_all();
    ck_assert_int_eq(loaded.n_experiments, 1);
    ck_assert_int_eq(loaded.n_trials, 0);
    ck_assert_int_eq(load(sample_id(2), &err), 0);
    ck_assert_str_eq(loaded.name, "two");
    ck_assert_int_eq(loaded.n_trials, 1);
    ck_assert_int_eq(load(sample_id(3), &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "no experiment ab000301"));
}
END_TEST

static int refuse_trial(void *arg, const struct trial_record *record, const struct curve *curve,
                        struct err *err)
{
    (void)arg, (void)record, (void)curve;
    return err_set(err, ERR_REFUSED, "enough");
}

START_TEST(callback_that_fails_ends_loading_with_its_code)
{
    struct store_loader loader = {.experiment = take_experiment, .trial = refuse_trial};
    struct err err = {0};
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_PENDING, sample_sgd));
    ck_assert_int_eq(store_load(store, (struct id){{0}}, &loader, &err), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, "enough"));
    load_all();
}
END_TEST

START_TEST(trial_with_unknown_parameters_is_refused_by_name)
{
    struct err err = {0};
    begin();
    sample_append(store, sample_trial(1, 3, TRIAL_PENDING, sample_sgd));
    sample_sync(store);
    sample_run(sample.path, "UPDATE trials SET params = json_set(params, '$.y', 1)");
    ck_assert_int_eq(load((struct id){{0}}, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "trial 3"));
    sample_run(sample.path,
               "UPDATE trials SET params = json_set(json_remove(params, '$.y'), '$.solver', 'newton')");
    ck_assert_int_eq(load((struct id){{0}}, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "'solver'"));
}
END_TEST

/* Rows */

START_TEST(last_trial_record_of_a_transaction_wins)
{
    begin();
    for (uint64_t i = 1; i <= 200; i++)
        sample_append(store, sample_trial(1, i, TRIAL_ASSIGNED, sample_sgd));
    for (uint64_t i = 1; i <= 200; i++)
        sample_append(store, sample_trial(1, i, i % 2 ? TRIAL_COMPLETED : TRIAL_RUNNING, sample_adam));
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM trials"), 200);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM trials WHERE state = 5 AND number % 2"),
                     100);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM trials WHERE state = 2"), 100);
    ck_assert_int_eq(sample_number(&sample, "SELECT sum(params ->> '$.n') FROM trials"), 8 * 200);
}
END_TEST

START_TEST(trial_record_replaces_the_one_of_an_earlier_transaction)
{
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_ASSIGNED, sample_sgd));
    sample_sync(store);
    sample_append(store, sample_trial(1, 1, TRIAL_COMPLETED, sample_sgd));
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM trials"), 1);
    ck_assert_int_eq(sample_number(&sample, "SELECT state FROM trials"), TRIAL_COMPLETED);
}
END_TEST

START_TEST(state_record_changes_state_and_times_alone)
{
    begin();
    struct record record = {.kind = RECORD_EXPERIMENT_STATE,
                            .experiment = {.key = 1,
                                           .state = EXPERIMENT_FAILED,
                                           .text = "10 failures in a row",
                                           .ended_ms = 1700000009000,
                                           .elapsed_ms = 8500}};
    sample_append(store, record);
    sample_sync(store);
    ck_assert_str_eq(sample_text(&sample,
                                 "SELECT printf('%s|%d|%s|%d|%d', name, state, text, ended_ms, elapsed_ms) "
                                 "FROM experiments"),
                     "one|4|10 failures in a row|1700000009000|8500");
}
END_TEST

START_TEST(report_that_is_there_is_left_as_it_is)
{
    begin();
    report(1, 1, 5, 0.25);
    sample_sync(store);
    report(1, 1, 5, 0.75);
    report(1, 1, 6, 0.75);
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM reports"), 2);
    ck_assert_str_eq(sample_text(&sample, "SELECT value FROM reports WHERE step = 5"), "0.25");
}
END_TEST

START_TEST(metrics_are_numbered_by_name_over_records_and_restarts)
{
    struct wire_str names[] = {{"loss", 4}, {"accuracy", 8}, {"lr", 2}};
    struct report first[] = {{.step = 1, .metric = 0, .value = 1}, {.step = 1, .metric = 1, .value = 2}};
    struct report second[] = {{.step = 2, .metric = 2, .value = 3}, {.step = 2, .metric = 3, .value = 4}};
    struct report third[] = {{.step = 3, .metric = 1, .value = 5}};
    struct record record = {.kind = RECORD_REPORTS, .reports = {.key = 1, .trial = 1, .attempt = 1}};
    begin();
    record.reports.names = (struct wire_strs){3, names};
    record.reports.reports = (struct wire_reports){2, first};
    sample_append(store, record);
    record.reports.reports = (struct wire_reports){2, second};
    sample_append(store, record);
    reopen();
    record.reports.names = (struct wire_strs){1, &names[2]};
    record.reports.reports = (struct wire_reports){1, third};
    sample_append(store, record);
    sample_sync(store);
    ck_assert_str_eq(sample_text(&sample,
                                 "SELECT group_concat(step || metric || CAST(value AS INTEGER), ' ') FROM "
                                 "(SELECT * FROM report ORDER BY step, value)"),
                     "1accuracy1 1loss2 2accuracy3 2lr4 3lr5");
}
END_TEST

START_TEST(many_reports_of_one_record_are_all_kept)
{
    enum { N = 1003 };
    static struct report reports[N];
    for (int i = 0; i < N; i++)
        reports[i] = (struct report){.step = i, .value = i / 8.0};
    struct record record = sample_report(1, 1, 1, reports);
    record.reports.reports.n = N;
    begin();
    sample_append(store, record);
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM reports WHERE value * 8 = step"), N);
}
END_TEST

START_TEST(attempts_know_their_worker_and_its_host)
{
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_ASSIGNED, sample_sgd));
    sample_append(store, sample_attempt(1, 1, 1, OUTCOME_LOST));
    sample_append(store, sample_attempt(1, 1, 2, OUTCOME_COMPLETED));
    sample_sync(store);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM workers"), 1);
    ck_assert_str_eq(
        sample_text(&sample,
                    "SELECT group_concat(outcome || ' ' || host || ' ' || seconds, ', ') FROM attempt"),
        "lost node1 1.5, completed node1 1.5");
    ck_assert_str_eq(sample_text(&sample, "SELECT host FROM trial"), "node1");
}
END_TEST

START_TEST(views_name_states_and_times)
{
    begin();
    sample_append(store, sample_trial(1, 1, TRIAL_STOPPED, sample_sgd));
    sample_append(store, sample_event(1, 1, 1700000000123, "hello"));
    sample_sync(store);
    ck_assert_str_eq(sample_text(&sample, "SELECT state || ' ' || started || ' ' || seconds FROM trial"),
                     "STOPPED 2023-11-14 22:13:22.000 1.5");
    ck_assert_str_eq(sample_text(&sample, "SELECT experiment || ' ' || time || ' ' || text FROM event"),
                     "one 2023-11-14 22:13:20.123 hello");
    ck_assert_str_eq(sample_text(&sample, "SELECT state || ' ' || goal || ' ' || trials FROM experiment"),
                     "running maximize 1");
}
END_TEST

START_TEST(experiment_without_json_is_kept_as_its_spec_says)
{
    store = sample_open(&sample);
    struct record record = sample_experiment(&sample, 1, "one");
    record.experiment.spec_json = NULL;
    sample_append(store, record);
    sample_append(store, sample_trial(1, 1, TRIAL_PENDING, sample_sgd));
    sample_sync(store);
    load_all();
    ck_assert_int_eq(loaded.n_trials, 1);
}
END_TEST

START_TEST(keys_are_never_used_again)
{
    begin();
    ck_assert_int_eq(store_next_key(store), 2);
    sample_append(store, sample_experiment(&sample, 4, "four"));
    ck_assert_int_eq(store_next_key(store), 5);
    sample_sync(store);
    sample_run(sample.path, "DELETE FROM experiments");
    reopen();
    ck_assert_int_eq(store_next_key(store), 5);
}
END_TEST

START_TEST(ids_of_all_experiments_are_known)
{
    int64_t key = 0;
    begin();
    ck_assert(store_has_experiment(&key, store, sample_id(1)));
    ck_assert_int_eq(key, 1);
    ck_assert(!store_has_experiment(NULL, store, sample_id(2)));
    reopen();
    ck_assert(store_has_experiment(NULL, store, sample_id(1)));
}
END_TEST

static Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *loading = tcase_create("loading");
    tcase_add_checked_fixture(loading, set_up, tear_down);
    tcase_add_test(loading, experiment_comes_back_as_it_was);
    tcase_add_test(loading, final_trial_comes_back_with_its_curve);
    tcase_add_test(loading, parameters_of_every_type_come_back_to_the_bit);
    tcase_add_test(loading, value_that_is_not_a_number_is_null_and_comes_back);
    tcase_add_test(loading, trials_come_in_order_of_number);
    tcase_add_test(loading, curve_of_a_running_trial_is_that_of_its_current_attempt);
    tcase_add_test(loading, curve_of_a_trial_that_went_on_begins_with_its_first_attempt);
    tcase_add_test(loading, only_running_experiments_are_loaded_unless_one_is_asked_for);
    tcase_add_test(loading, callback_that_fails_ends_loading_with_its_code);
    tcase_add_test(loading, trial_with_unknown_parameters_is_refused_by_name);
    suite_add_tcase(suite, loading);
    TCase *rows = tcase_create("rows");
    tcase_add_checked_fixture(rows, set_up, tear_down);
    tcase_add_test(rows, last_trial_record_of_a_transaction_wins);
    tcase_add_test(rows, trial_record_replaces_the_one_of_an_earlier_transaction);
    tcase_add_test(rows, state_record_changes_state_and_times_alone);
    tcase_add_test(rows, report_that_is_there_is_left_as_it_is);
    tcase_add_test(rows, metrics_are_numbered_by_name_over_records_and_restarts);
    tcase_add_test(rows, many_reports_of_one_record_are_all_kept);
    tcase_add_test(rows, attempts_know_their_worker_and_its_host);
    tcase_add_test(rows, views_name_states_and_times);
    tcase_add_test(rows, experiment_without_json_is_kept_as_its_spec_says);
    tcase_add_test(rows, keys_are_never_used_again);
    tcase_add_test(rows, ids_of_all_experiments_are_known);
    suite_add_tcase(suite, rows);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(store_suite());
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
