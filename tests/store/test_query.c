/* Documents of a database, and who may be asked for by what name. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "driver/store_query.h"
#include "tests/store/sample.h"

static struct sample sample;
static struct store *store;
static struct query *query;
static struct text text;
static struct err err;
static json_t *json;

/* Experiment 1 "one": trials COMPLETED (0.5, 3 steps, after a lost attempt), STOPPED (0.75), FAILED twice
 * with the same message, RUNNING with a report, PENDING. Experiments 2 and 3 are called "two", 2 is
 * completed. */
static void write_trials(void)
{
    struct curve curve = {0};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(curve_add(&curve, 10 * i, 0.1 + i), 0);
    struct record trial = sample_trial(1, 1, TRIAL_COMPLETED, sample_sgd);
    trial.trial.value = 0.5;
    trial.trial.curve = &curve;
    trial.trial.n_reports = 3;
    trial.trial.attempt = 2;
    trial.trial.n_lost = 1;
    trial.trial.log = "/logs/1/output-2.log";
    sample_append(store, trial);
    sample_append(store, sample_attempt(1, 1, 1, OUTCOME_LOST));
    sample_append(store, sample_attempt(1, 1, 2, OUTCOME_COMPLETED));
    trial = sample_trial(1, 2, TRIAL_STOPPED, sample_adam);
    trial.trial.value = 0.75;
    sample_append(store, trial);
    for (uint64_t i = 3; i <= 4; i++) {
        trial = sample_trial(1, i, TRIAL_FAILED, sample_sgd);
        trial.trial.text = "exit status 3, \"bad\"\nline";
        sample_append(store, trial);
    }
    sample_append(store, sample_trial(1, 5, TRIAL_RUNNING, sample_sgd));
    struct report report = {.step = 4, .value = 1e-7};
    sample_append(store, sample_report(1, 5, 1, &report));
    sample_append(store, sample_trial(1, 6, TRIAL_PENDING, sample_sgd));
    sample_append(store, sample_event(1, 5, 1700000002600, "worker lost"));
    curve_fini(&curve);
}

static void set_up(void)
{
    sample_set_up(&sample);
    store = sample_open(&sample);
    sample_append(store, sample_experiment(&sample, 1, "one"));
    struct record two = sample_experiment(&sample, 2, "two");
    two.experiment.state = EXPERIMENT_COMPLETED;
    sample_append(store, two);
    sample_append(store, sample_experiment(&sample, 3, "two"));
    write_trials();
    sample_sync(store);
    ck_assert_int_eq(query_open(&query, sample.path, &err), 0);
    json = NULL;
    text = (struct text){0};
}

static void tear_down(void)
{
    json_decref(json);
    text_fini(&text);
    query_close(query);
    store_close(store, NULL);
    sample_tear_down(&sample);
}

static struct query_sink to_text(void)
{
    text_clear(&text);
    return query_to_text(&text);
}

/* Checks that the document went well, and parses it. */
static json_t *parse(int rc)
{
    json_error_t error;
    ck_assert_msg(!rc, "%s", err.text);
    json_decref(json);
    json = json_loads(text_get(&text), 0, &error);
    ck_assert_msg(json, "%s: %s", error.text, text_get(&text));
    return json;
}

/* A member by a path of names and indices: "trials.0.state". */
static json_t *member(json_t *value, const char *path)
{
    char name[32];
    for (const char *c = path; *c; c += strlen(name) + (c[strlen(name)] == '.')) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(c, "."), c);
        value =
            json_is_array(value) ? json_array_get(value, (size_t)atoi(name)) : json_object_get(value, name);
        ck_assert_msg(value, "no '%s' in %s", path, text_get(&text));
    }
    return value;
}

static const char *string(const char *path)
{
    return json_string_value(member(json, path));
}

static double number(const char *path)
{
    return json_number_value(member(json, path));
}

/* Finding */

static void find(const char *word, int64_t key)
{
    struct query_experiment found = {0};
    int rc = query_find(&found, query, word, &err);
    ck_assert_msg(!rc, "%s", err.text);
    ck_assert_int_eq(found.key, key);
}

START_TEST(name_means_the_newest_of_that_name)
{
    find("one", 1);
    find("two", 3);
    find(NULL, 3);
}
END_TEST

START_TEST(beginning_of_an_id_is_enough)
{
    find("ab0002", 2);
    find("AB0002", 2);
    find("ab000301-0000-0000-0000-000000000000", 3);
}
END_TEST

START_TEST(ambiguous_beginning_lists_the_candidates)
{
    struct query_experiment found;
    ck_assert_int_eq(query_find(&found, query, "ab", &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "ab000101-0000 (one)"));
    ck_assert_ptr_nonnull(strstr(err.text, "ab000301-0000 (two)"));
}
END_TEST

START_TEST(unknown_name_is_not_found_with_the_nearest)
{
    struct query_experiment found;
    ck_assert_int_eq(query_find(&found, query, "onne", &err), ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "did you mean 'one'"), "%s", err.text);
    ck_assert_int_eq(query_find(&found, query, "something else", &err), ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "prova ls"), "%s", err.text);
    ck_assert_int_eq(query_show(query, "onne", to_text(), &err), ERR_NOT_FOUND);
    ck_assert_uint_eq(text.size, 0);
}
END_TEST

/* Documents */

START_TEST(list_has_every_experiment_the_newest_first)
{
    parse(query_experiments(query, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "experiments")), 3);
    ck_assert_str_eq(string("experiments.0.id"), "ab000301-0000-0000-0000-000000000000");
    ck_assert_str_eq(string("experiments.1.state"), "completed");
    ck_assert(json_is_false(member(json, "experiments.1.live")));
    ck_assert_str_eq(string("experiments.2.name"), "one");
    ck_assert(json_is_true(member(json, "experiments.2.live")));
    ck_assert_double_eq(number("experiments.2.limit"), 20);
    ck_assert_double_eq(number("experiments.2.n_trials"), 6);
    ck_assert_double_eq(number("experiments.2.counts.FAILED"), 2);
    ck_assert_double_eq(number("experiments.2.counts.PAUSED"), 0);
    ck_assert_double_eq(number("experiments.2.best.value"), 0.75);
    ck_assert(json_is_null(member(json, "experiments.0.best")));
}
END_TEST

START_TEST(show_says_all_of_one_experiment)
{
    store_set_endpoint(store, "ipc:///tmp/z", NULL);
    parse(query_show(query, "one", to_text(), &err));
    ck_assert_str_eq(string("experiment.name"), "one");
    ck_assert_str_eq(string("experiment.goal"), "maximize");
    ck_assert_str_eq(string("experiment.command_line"), "prova run sample.yaml");
    ck_assert_str_eq(string("experiment.created"), "2023-11-14T22:13:20.001Z");
    ck_assert(json_is_null(member(json, "experiment.ended")));
    ck_assert_double_eq(number("experiment.spec.limits.trials"), 20);
    ck_assert_str_eq(string("driver.endpoint"), "ipc:///tmp/z");
    ck_assert_double_eq(number("counts.COMPLETED"), 1);
    ck_assert_double_eq(number("best.trial"), 2);
    ck_assert_str_eq(string("best.params.solver"), "a\"d,am");
    ck_assert_str_eq(string("workers.0.host"), "node1");
    ck_assert_double_eq(number("workers.0.n_trials"), 5);
    ck_assert_double_eq(number("workers.0.n_running"), 1);
    ck_assert_uint_eq(json_array_size(member(json, "failures")), 1);
    ck_assert_double_eq(number("failures.0.count"), 2);
    ck_assert_double_eq(number("failures.0.trial"), 4);
    ck_assert_str_eq(string("failures.0.text"), "exit status 3, \"bad\"\nline");
    ck_assert_str_eq(string("events.0.text"), "worker lost");
}
END_TEST

START_TEST(show_without_a_driver_says_so)
{
    store_close(store, NULL);
    store = NULL;
    parse(query_show(query, "one", to_text(), &err));
    ck_assert(json_is_null(member(json, "driver")));
    ck_assert(json_is_false(member(json, "experiment.live")));
    ck_assert_str_eq(string("experiment.state"), "running");
}
END_TEST

START_TEST(trials_have_all_fields)
{
    parse(query_trials(query, "one", NULL, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "trials")), 6);
    ck_assert_double_eq(number("trials.0.trial"), 1);
    ck_assert_str_eq(string("trials.0.state"), "COMPLETED");
    ck_assert_double_eq(number("trials.0.value"), 0.5);
    ck_assert_double_eq(number("trials.0.step"), 20);
    ck_assert_double_eq(number("trials.0.n_lost"), 1);
    ck_assert_double_eq(number("trials.0.seconds"), 1.5);
    ck_assert_double_eq(number("trials.0.params.momentum"), 1.0 / 3);
    ck_assert_str_eq(string("trials.0.host"), "node1");
    ck_assert(json_is_null(member(json, "trials.2.value")));
    ck_assert_double_eq(number("trials.4.step"), 4);
    ck_assert(json_is_null(member(json, "trials.5.step")));
    ck_assert(json_is_null(member(json, "trials.5.worker")));
    ck_assert(json_is_null(member(json, "trials.5.seconds")));
}
END_TEST

START_TEST(trials_are_filtered_by_state_and_place)
{
    struct query_filter filter = {.states = 1u << TRIAL_FAILED | 1u << TRIAL_RUNNING, .limit = 2};
    parse(query_trials(query, "one", &filter, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "trials")), 2);
    ck_assert_double_eq(number("trials.1.trial"), 4);
    filter.offset = 2;
    parse(query_trials(query, "one", &filter, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "trials")), 1);
    ck_assert_double_eq(number("trials.0.trial"), 5);
    filter = (struct query_filter){.limit = 1, .is_newest_first = true};
    parse(query_trials(query, "one", &filter, to_text(), &err));
    ck_assert_double_eq(number("trials.0.trial"), 6);
}
END_TEST

START_TEST(one_trial_has_its_attempts)
{
    parse(query_trial(query, "one", 1, to_text(), &err));
    ck_assert_double_eq(number("trial.value"), 0.5);
    ck_assert_str_eq(string("trial.attempts.0.outcome"), "lost");
    ck_assert_str_eq(string("trial.attempts.1.outcome"), "completed");
    ck_assert_int_eq(query_trial(query, "one", 7, to_text(), &err), ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "experiment 'one' has no trial 7");
}
END_TEST

START_TEST(best_is_null_until_there_is_one)
{
    parse(query_best(query, "one", to_text(), &err));
    ck_assert_double_eq(number("best.trial"), 2);
    ck_assert_str_eq(string("goal"), "maximize");
    parse(query_best(query, "two", to_text(), &err));
    ck_assert(json_is_null(member(json, "best")));
}
END_TEST

START_TEST(best_of_minimize_is_the_least)
{
    sample_run(sample.path, "UPDATE experiments SET goal = 'minimize' WHERE key = 1");
    parse(query_best(query, "one", to_text(), &err));
    ck_assert_double_eq(number("best.trial"), 1);
    ck_assert_int_eq(sample_number(&sample, "SELECT best_trial FROM experiment WHERE name = 'one'"), 1);
}
END_TEST

START_TEST(reports_of_a_trial)
{
    parse(query_reports(query, "one", 5, to_text(), &err));
    ck_assert_double_eq(number("reports.0.step"), 4);
    ck_assert_str_eq(string("reports.0.metric"), "accuracy");
    ck_assert_ptr_nonnull(strstr(text_get(&text), "\"value\": 1e-07"));
    parse(query_reports(query, "one", 6, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "reports")), 0);
    ck_assert_int_eq(query_reports(query, "one", 9, to_text(), &err), ERR_NOT_FOUND);
}
END_TEST

START_TEST(documents_of_the_wire_by_name)
{
    parse(query_document(query, "experiments", "", to_text(), &err));
    member(json, "experiments");
    parse(query_document(query, "show", "one", to_text(), &err));
    member(json, "events");
    parse(query_document(query, "trials", "", to_text(), &err));
    ck_assert_str_eq(string("experiment.name"), "two");
    ck_assert_int_eq(query_document(query, "everything", "", to_text(), &err), ERR_INVALID);
}
END_TEST

START_TEST(log_of_a_trial_is_named)
{
    char *path = NULL, *host = NULL;
    ck_assert_int_eq(query_log(&path, &host, query, "one", 1, &err), 0);
    ck_assert_str_eq(path, "/logs/1/output-2.log");
    ck_assert_str_eq(host, "node1");
    free(path);
    free(host);
    ck_assert_int_eq(query_log(&path, &host, query, "one", 2, &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "no output"));
}
END_TEST

START_TEST(documents_see_what_is_committed_meanwhile)
{
    struct record trial = sample_trial(1, 7, TRIAL_COMPLETED, sample_sgd);
    trial.trial.value = 0.9;
    sample_append(store, trial);
    sample_sync(store);
    parse(query_best(query, "one", to_text(), &err));
    ck_assert_double_eq(number("best.trial"), 7);
}
END_TEST

static int full_sink(void *arg, const char *data, size_t size)
{
    (void)arg, (void)data, (void)size;
    return ERR_FULL;
}

START_TEST(sink_that_fails_ends_the_document)
{
    struct query_sink sink = {.write = full_sink};
    ck_assert_int_eq(query_trials(query, "one", NULL, sink, &err), ERR_FULL);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot write the output"));
    parse(query_best(query, "one", to_text(), &err));
}
END_TEST

/* A sink that only counts, and the largest piece. */
struct counted {
    size_t size, largest;
};

static int count_sink(void *arg, const char *data, size_t size)
{
    struct counted *counted = arg;
    (void)data;
    counted->size += size;
    if (size > counted->largest)
        counted->largest = size;
    return 0;
}

START_TEST(long_documents_come_in_pieces_and_stay_whole)
{
    struct counted counted = {0};
    for (uint64_t i = 10; i < 3000; i++)
        sample_append(store, sample_trial(1, i, TRIAL_COMPLETED, sample_sgd));
    sample_sync(store);
    ck_assert_int_eq(query_trials(query, "one", NULL, (struct query_sink){count_sink, &counted}, &err), 0);
    ck_assert_uint_lt(counted.largest, 80u << 10);
    parse(query_trials(query, "one", NULL, to_text(), &err));
    ck_assert_uint_eq(json_array_size(member(json, "trials")), 6 + 2990);
    ck_assert_uint_eq(text.size, counted.size);
}
END_TEST

/* Export */

START_TEST(csv_has_a_row_a_trial_with_a_column_a_parameter)
{
    char expected[1024], id[ID_TEXT_SIZE];
    id_format(sample_id(1000), id);
    snprintf(
        expected, sizeof expected,
        "trial,state,value,step,n_reports,budget,attempt,n_lost,origin,origin_units,created,started,ended,seconds,worker,host,text,log,"
        "params.x,params.n,params.batch,params.solver,params.momentum,params.flag,params.seed\n"
        "1,COMPLETED,0.5,20,3,0,2,1,,,2023-11-14T22:13:21.000Z,2023-11-14T22:13:22.000Z,"
        "2023-11-14T22:13:23.500Z,1.5,%s,node1,,/logs/1/output-2.log,0.1,200,64.5,sgd,0.3333333333333333,false,1\n"
        "2,STOPPED,0.75,,0,0,1,0,,,2023-11-14T22:13:21.000Z,2023-11-14T22:13:22.000Z,"
        "2023-11-14T22:13:23.500Z,1.5,%s,node1,,,0.00017,8,16,\"a\"\"d,am\",,true,1\n"
        "3,FAILED,,,0,0,1,0,,,2023-11-14T22:13:21.000Z,2023-11-14T22:13:22.000Z,"
        "2023-11-14T22:13:23.500Z,1.5,%s,node1,\"exit status 3, \"\"bad\"\"\nline\",,",
        id, id, id);
    ck_assert_int_eq(query_export_csv(query, "one", false, to_text(), &err), 0);
    char *start = text_take(&text);
    start[strlen(expected)] = '\0';
    ck_assert_str_eq(start, expected);
    free(start);
}
END_TEST

START_TEST(csv_of_reports_has_a_row_a_report)
{
    ck_assert_int_eq(query_export_csv(query, "one", true, to_text(), &err), 0);
    ck_assert_str_eq(text_get(&text), "trial,attempt,step,metric,value,time\n"
                                      "5,1,4,accuracy,1e-07,2023-11-14T22:13:22.500Z\n");
}
END_TEST

START_TEST(json_export_has_everything)
{
    parse(query_export_json(query, "one", true, to_text(), &err));
    ck_assert_ptr_nonnull(strstr(string("experiment.source"), "name: sample"));
    ck_assert_str_eq(string("trials.0.attempts.0.outcome"), "lost");
    ck_assert_double_eq(number("trials.4.reports.0.step"), 4);
    ck_assert_uint_eq(json_array_size(member(json, "trials")), 6);
    ck_assert_str_eq(string("events.0.kind"), "sample");
    parse(query_export_json(query, "one", false, to_text(), &err));
    ck_assert_ptr_null(json_object_get(member(json, "trials.4"), "reports"));
}
END_TEST

/* Removing, opening */

START_TEST(experiment_that_a_driver_may_run_is_not_removed)
{
    struct query_experiment removed;
    ck_assert_int_eq(query_remove(&removed, sample.path, "one", &err), ERR_BUSY);
    ck_assert_msg(strstr(err.text, "prova stop one"), "%s", err.text);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM trials"), 6);
}
END_TEST

START_TEST(completed_experiment_is_removed_beside_a_driver)
{
    struct query_experiment removed;
    int rc = query_remove(&removed, sample.path, "ab0002", &err);
    ck_assert_msg(!rc, "%s", err.text);
    ck_assert_int_eq(removed.key, 2);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM experiments"), 2);
    sample_append(store, sample_trial(1, 8, TRIAL_PENDING, sample_sgd));
    sample_sync(store);
}
END_TEST

START_TEST(removed_experiment_leaves_no_row)
{
    struct query_experiment removed;
    sample_close(store);
    store = NULL;
    int rc = query_remove(&removed, sample.path, "one", &err);
    ck_assert_msg(!rc, "%s", err.text);
    ck_assert_str_eq(removed.name, "one");
    ck_assert_int_eq(sample_number(&sample,
                                   "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM reports) + "
                                   "(SELECT count(*) FROM attempts) + (SELECT count(*) FROM events) + "
                                   "(SELECT count(*) FROM metrics WHERE experiment = 1)"),
                     0);
    ck_assert_int_eq(sample_number(&sample, "SELECT count(*) FROM experiments"), 2);
    store = sample_open(&sample);
    ck_assert_int_eq(store_next_key(store), 4);
}
END_TEST

START_TEST(missing_database_is_not_found_and_not_made)
{
    struct query *none = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/none.db", sample.folder);
    ck_assert_int_eq(query_open(&none, path, &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "prova run"));
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(database_of_another_program_is_refused)
{
    struct query *none = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/other.db", sample.folder);
    sample_run(path, "CREATE TABLE notes (text)");
    ck_assert_int_eq(query_open(&none, path, &err), ERR_INVALID);
    sample_run(path, "DROP TABLE notes");
    ck_assert_int_eq(query_open(&none, path, &err), ERR_NOT_FOUND);
}
END_TEST

START_TEST(name_with_special_characters_is_only_a_name)
{
    struct query *odd = NULL;
    char path[128];
    query_close(query);
    query = NULL;
    sample_close(store);
    store = NULL;
    snprintf(path, sizeof path, "%s/a b?mode=rwc#%%41.db", sample.folder);
    ck_assert_int_eq(rename(sample.path, path), 0);
    int rc = query_open(&odd, path, &err);
    ck_assert_msg(!rc, "%s", err.text);
    parse(query_best(odd, "one", to_text(), &err));
    query_close(odd);
}
END_TEST

/* Rights do not hold root back, so a child becomes nobody. */
START_TEST(database_in_a_folder_that_cannot_be_written_is_read)
{
    query_close(query);
    query = NULL;
    sample_close(store);
    store = NULL;
    chmod(sample.path, 0444);
    chmod(sample.folder, 0555);
    pid_t pid = fork();
    if (!pid) {
        if (!getuid() && setuid(65534))
            _exit(9);
        if (query_open(&query, sample.path, &err))
            _exit(1);
        _exit(query_best(query, "one", to_text(), &err) ? 2 : strstr(text_get(&text), "0.75") ? 0 : 3);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    chmod(sample.folder, 0755);
}
END_TEST

START_TEST(database_is_read_after_its_driver_was_killed)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    sample_close(store);
    store = NULL;
    query_close(query);
    query = NULL;
    pid_t pid = fork();
    if (!pid) {
        struct store *killed = sample_open(&sample);
        struct record trial = sample_trial(1, 9, TRIAL_COMPLETED, sample_sgd);
        trial.trial.value = 0.99;
        sample_append(killed, trial);
        sample_sync(killed);
        (void)!write(ready[1], "x", 1);
        for (;;)
            (void)pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(query_open(&query, sample.path, &err), 0);
    parse(query_best(query, "one", to_text(), &err));
    ck_assert_double_eq(number("best.trial"), 9);
    ck_assert(json_is_false(member(json, "experiment.live")));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        name_means_the_newest_of_that_name,
        beginning_of_an_id_is_enough,
        ambiguous_beginning_lists_the_candidates,
        unknown_name_is_not_found_with_the_nearest,
        list_has_every_experiment_the_newest_first,
        show_says_all_of_one_experiment,
        show_without_a_driver_says_so,
        trials_have_all_fields,
        trials_are_filtered_by_state_and_place,
        one_trial_has_its_attempts,
        best_is_null_until_there_is_one,
        best_of_minimize_is_the_least,
        reports_of_a_trial,
        documents_of_the_wire_by_name,
        log_of_a_trial_is_named,
        documents_see_what_is_committed_meanwhile,
        sink_that_fails_ends_the_document,
        long_documents_come_in_pieces_and_stay_whole,
        csv_has_a_row_a_trial_with_a_column_a_parameter,
        csv_of_reports_has_a_row_a_report,
        json_export_has_everything,
        experiment_that_a_driver_may_run_is_not_removed,
        completed_experiment_is_removed_beside_a_driver,
        removed_experiment_leaves_no_row,
        missing_database_is_not_found_and_not_made,
        database_of_another_program_is_refused,
        name_with_special_characters_is_only_a_name,
        database_in_a_folder_that_cannot_be_written_is_read,
        database_is_read_after_its_driver_was_killed,
    };
    Suite *suite = suite_create("query");
    TCase *all = tcase_create("query");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
