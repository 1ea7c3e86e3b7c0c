/* Folders, records and questions for the tests of the store. */
#include "tests/store/sample.h"

#include <check.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

static const char sweep[] = "name: sample\n"
                            "train: {command: [./train]}\n"
                            "metric: {name: accuracy, goal: maximize}\n"
                            "parameters:\n"
                            "  x: {type: double, min: 1.0e-4, max: 1.0, scale: log}\n"
                            "  n: {min: 8, max: 256}\n"
                            "  batch: {type: discrete, values: [16, 32, 64.5]}\n"
                            "  solver: {values: [sgd, \"a\\\"d,am\"]}\n"
                            "  momentum: {min: 0.0, max: 0.99, when: {solver: [sgd]}}\n"
                            "  flag: {values: [true, false]}\n"
                            "  seed: {value: 1}\n"
                            "limits: {trials: 20}\n"
                            "seed: 7\n";

const double sample_sgd[N_PARAMS] = {0.1, 200, 2, 0, 1.0 / 3, 1, 0};
const double sample_adam[N_PARAMS] = {0.00017, 8, 0, 1, NAN, 0, 0};

void sample_set_up(struct sample *sample)
{
    const char *base = getenv("TMPDIR");
    struct faults faults = {0};
    struct text json = {0};
    ck_assert_int_lt(
        snprintf(sample->folder, sizeof sample->folder, "%.40s/prova-store-XXXXXX", base ? base : "/tmp"),
        (int)sizeof sample->folder);
    ck_assert_ptr_nonnull(mkdtemp(sample->folder));
    snprintf(sample->path, sizeof sample->path, "%s/prova.db", sample->folder);
    int rc = spec_parse(&sample->spec, sweep, strlen(sweep), "sample.yaml", NULL, 0, &faults);
    ck_assert_msg(!rc, "%s", faults.n ? faults.list[0].text : "");
    ck_assert_uint_eq(sample->spec->space->n_params, N_PARAMS);
    spec_write_json(&json, sample->spec);
    sample->spec_json = text_take(&json);
    ck_assert_ptr_nonnull(sample->spec_json);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void sample_tear_down(struct sample *sample)
{
    nftw(sample->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    spec_destroy(sample->spec);
    free(sample->spec_json);
}

struct id sample_id(int number)
{
    struct id id = {{0xab, (uint8_t)(number >> 8), (uint8_t)number, 1}};
    return id;
}

struct record sample_experiment(const struct sample *sample, int64_t key, const char *name)
{
    return (struct record){.kind = RECORD_EXPERIMENT,
                           .experiment = {.key = key,
                                          .id = sample_id((int)key),
                                          .name = name,
                                          .spec = sample->spec,
                                          .spec_json = sample->spec_json,
                                          .source = sweep,
                                          .file = "sample.yaml",
                                          .directory = "/home/user",
                                          .command_line = "prova run sample.yaml",
                                          .git_revision = "0123abc",
                                          .state = EXPERIMENT_RUNNING,
                                          .text = "",
                                          .created_ms = 1700000000000 + key}};
}

struct record sample_trial(int64_t key, uint64_t number, enum trial_state state, const double *point)
{
    return (struct record){.kind = RECORD_TRIAL,
                           .trial = {.key = key,
                                     .trial = number,
                                     .state = state,
                                     .attempt = state == TRIAL_PENDING ? 0 : 1,
                                     .worker = state == TRIAL_PENDING ? (struct id){{0}} : sample_id(1000),
                                     .value = NAN,
                                     .text = "",
                                     .log = "",
                                     .created_ms = 1700000001000,
                                     .started_ms = state == TRIAL_PENDING ? 0 : 1700000002000,
                                     .ended_ms = trial_state_is_final(state) ? 1700000003500 : 0,
                                     .n_params = N_PARAMS,
                                     .point = point}};
}

struct record sample_attempt(int64_t key, uint64_t trial, uint64_t attempt, enum outcome outcome)
{
    return (struct record){.kind = RECORD_ATTEMPT,
                           .attempt = {.key = key,
                                       .trial = trial,
                                       .attempt = attempt,
                                       .worker = sample_id(1000),
                                       .host = "node1",
                                       .outcome = outcome,
                                       .text = "",
                                       .log = "",
                                       .started_ms = 1700000002000,
                                       .ended_ms = 1700000003500}};
}

struct record sample_report(int64_t key, uint64_t trial, uint64_t attempt, struct report *report)
{
    return (struct record){.kind = RECORD_REPORTS,
                           .reports = {.key = key,
                                       .trial = trial,
                                       .attempt = attempt,
                                       .time_ms = 1700000002500,
                                       .reports = {.n = 1, .list = report}}};
}

struct record sample_event(int64_t key, uint64_t trial, int64_t time_ms, const char *text)
{
    return (struct record){
        .kind = RECORD_EVENT,
        .event = {.key = key, .trial = trial, .time_ms = time_ms, .kind = "sample", .text = text}};
}

struct store *sample_open(const struct sample *sample)
{
    struct store *store = NULL;
    struct err err = {0};
    int rc = store_open(&store, sample->path, &err);
    ck_assert_msg(!rc, "%s", err.text);
    return store;
}

int64_t sample_append(struct store *store, struct record record)
{
    int64_t seq = store_append(store, &record);
    ck_assert_int_gt(seq, 0);
    return seq;
}

void sample_sync(struct store *store)
{
    struct err err = {0};
    int rc = store_sync(store, &err);
    ck_assert_msg(!rc, "%s", err.text);
}

void sample_close(struct store *store)
{
    struct err err = {0};
    int rc = store_close(store, &err);
    ck_assert_msg(!rc, "%s", err.text);
}

static sqlite3 *connect(const char *path)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    return db;
}

const char *sample_text(const struct sample *sample, const char *sql)
{
    static char answer[1024];
    sqlite3 *db = connect(sample->path);
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    const void *text = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    snprintf(answer, sizeof answer, "%s", text ? (const char *)text : "(none)");
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

int64_t sample_number(const struct sample *sample, const char *sql)
{
    const char *text = sample_text(sample, sql);
    return strcmp(text, "(none)") ? atoll(text) : -1;
}

void sample_run(const char *path, const char *sql)
{
    sqlite3 *db = connect(path);
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
    sqlite3_close(db);
}
