/* What a report costs.
 *
 *   bench_report DIR cost BATCHES           in the training thread of a real session, in batches of 64 calls
 * with a pause between, as of a function that computes: {"median_ns", "p99_ns"} bench_report DIR stored N
 * REPORTS       N workers that do nothing but report, as fast as they may, until all is stored:
 * {"reports_per_s"}, of them and of a bare SQLite that inserts the same rows into the same tables:
 * {"bare_per_s"}
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "bench/measure.h"
#include "bench/session.h"

#define BATCH                64
#define PAUSE_NS             1000000
#define N_PER_TRIAL          1000
#define ROWS_PER_TRANSACTION 10000

struct shared {
    _Atomic int64_t first_ns;
    long n_batches;
    double batch_ns[];
};

static struct shared *shared;

static int train_batches(prova_trial *trial, void *arg)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    int64_t step = 0;
    (void)arg;

    for (long i = 0; i < shared->n_batches; i++) {
        int64_t begin = bench_now_ns();
        for (int k = 0; k < BATCH; k++, step++)
            prova_report(trial, step, 0.5);
        shared->batch_ns[i] = (double)(bench_now_ns() - begin) / BATCH;
        nanosleep(&pause, NULL);
    }
    return prova_finish(trial, 0.5);
}

static int train_flood(prova_trial *trial, void *arg)
{
    int64_t none = 0;
    (void)arg;

    atomic_compare_exchange_strong(&shared->first_ns, &none, bench_now_ns());
    for (int64_t step = 0; step < N_PER_TRIAL; step++)
        prova_report(trial, step, 1.0 / (double)(step + 1));
    return prova_finish(trial, 0.5);
}

static void measure_cost(const char *directory, long n_batches)
{
    size_t n = (size_t)n_batches;

    shared = bench_shared(sizeof(*shared) + n * sizeof(double));
    shared->n_batches = n_batches;
    session_run(train_batches, session_config(directory, 1, 1), 1);
    printf("{\"median_ns\": %.1f, \"p99_ns\": %.1f}\n", bench_quantile(shared->batch_ns, n, 0.5),
           bench_quantile(shared->batch_ns, n, 0.99));
}

static void check_sql(sqlite3 *db, int code, const char *what)
{
    if (code != SQLITE_OK && code != SQLITE_DONE)
        bench_fail("%s: %s", what, sqlite3_errmsg(db));
}

static sqlite3 *open_database(const char *directory, const char *name)
{
    char path[600];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    check_sql(NULL, sqlite3_open(path, &db), path);
    return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    check_sql(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL), sql);
    return statement;
}

/* The rows of table `reports`, read into memory so that the insert alone is measured. */
struct rows {
    size_t n, n_columns;
    sqlite3_value **values;
};

static void read_rows(struct rows *rows, sqlite3 *db, size_t capacity)
{
    sqlite3_stmt *select = prepare(db, "SELECT * FROM reports");

    rows->n_columns = (size_t)sqlite3_column_count(select);
    rows->values = malloc(capacity * rows->n_columns * sizeof(*rows->values));
    if (!rows->values)
        bench_fail("out of memory");
    while (rows->n < capacity && sqlite3_step(select) == SQLITE_ROW) {
        for (size_t i = 0; i < rows->n_columns; i++)
            rows->values[rows->n * rows->n_columns + i] =
                sqlite3_value_dup(sqlite3_column_value(select, (int)i));
        rows->n++;
    }
    sqlite3_finalize(select);
}

/* A new database with the same table and settings as prova's. */
static sqlite3 *create_copy(sqlite3 *from, const char *directory)
{
    sqlite3 *db = open_database(directory, "bare.db");
    sqlite3_stmt *schema =
        prepare(from, "SELECT sql FROM sqlite_master WHERE tbl_name = 'reports' AND sql NOT NULL");

    check_sql(db, sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL),
              "open");
    while (sqlite3_step(schema) == SQLITE_ROW)
        check_sql(db, sqlite3_exec(db, (const char *)sqlite3_column_text(schema, 0), NULL, NULL, NULL),
                  "schema");
    sqlite3_finalize(schema);
    return db;
}

static sqlite3_stmt *prepare_insert(sqlite3 *db, size_t n_columns)
{
    char sql[256] = "INSERT INTO reports VALUES (?";

    for (size_t i = 1; i < n_columns; i++)
        strncat(sql, ", ?", sizeof(sql) - strlen(sql) - 1);
    strncat(sql, ")", sizeof(sql) - strlen(sql) - 1);
    return prepare(db, sql);
}

/* Rows per second of a bare insert of the rows that prova has just stored. */
static double insert_bare(const char *directory, long n_expected)
{
    sqlite3 *from = open_database(directory, "bench.db");
    sqlite3 *db = create_copy(from, directory);
    struct rows rows = {0};
    sqlite3_stmt *insert;
    int64_t begin;

    read_rows(&rows, from, (size_t)n_expected);
    if (rows.n != (size_t)n_expected)
        bench_fail("%zu of %ld reports are in the database", rows.n, n_expected);
    insert = prepare_insert(db, rows.n_columns);
    begin = bench_now_ns();
    for (size_t row = 0; row < rows.n; row++) {
        if (row % ROWS_PER_TRANSACTION == 0)
            check_sql(db, sqlite3_exec(db, row ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL), "begin");
        for (size_t i = 0; i < rows.n_columns; i++)
            sqlite3_bind_value(insert, (int)i + 1, rows.values[row * rows.n_columns + i]);
        check_sql(db, sqlite3_step(insert), "insert");
        sqlite3_reset(insert);
    }
    check_sql(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), "commit");
    return 1e9 * (double)rows.n / (double)(bench_now_ns() - begin);
}

static void measure_stored(const char *directory, long n_workers, long n_reports)
{
    long n_trials = n_reports / N_PER_TRIAL;
    int64_t end;

    shared = bench_shared(sizeof(*shared));
    end = session_run(train_flood, session_config(directory, n_workers, n_trials), n_trials);
    printf("{\"reports_per_s\": %.1f, \"bare_per_s\": %.1f}\n",
           1e9 * (double)(n_trials * N_PER_TRIAL) / (double)(end - shared->first_ns),
           insert_bare(directory, n_trials * N_PER_TRIAL));
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "cost") == 0)
        measure_cost(argv[1], bench_number(argv[3]));
    else if (argc == 5 && strcmp(argv[2], "stored") == 0)
        measure_stored(argv[1], bench_number(argv[3]), bench_number(argv[4]));
    else
        bench_fail("usage: bench_report DIR cost BATCHES | DIR stored N REPORTS");
    return 0;
}
