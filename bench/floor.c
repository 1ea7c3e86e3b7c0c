/* What the machine can do at best: a bare ROUTER and N DEALER processes over ipc, one round trip per trial,
 * with frames of the size that prova's have.
 *
 *   bench_floor DIR N TRIALS          stores nothing
 *   bench_floor DIR N TRIALS commit   commits what has arrived to SQLite (WAL, FULL) before it replies
 *
 * Prints {"trials_per_s": ..., "cpu_us_per_trial": ...}. The clock runs from the moment when all workers have
 * said hello until the last result.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>
#include <zmq.h>

#include "bench/measure.h"
#include "core/id.h"
#include "core/wire.h"

#define MAX_DRAIN 256 /* messages between two commits */
#define IDENTITY  17  /* bytes: 'w' and a UUID */

struct floor {
    char endpoint[512];
    long n_workers, n_trials, n_sent;
    struct wire_buffer assign, progress;
    void *router;
    sqlite3 *db; /* NULL: stores nothing */
    sqlite3_stmt *begin, *commit, *trial, *report;
};

static void check_zmq(int code, const char *what)
{
    if (code < 0)
        bench_fail("%s: %s", what, zmq_strerror(zmq_errno()));
}

static void encode_frames(struct floor *floor)
{
    struct id experiment = {"an experiment"};
    double x = 0.637;
    struct report report = {.step = 0, .metric = 0, .value = x};
    struct wire_message assign = {.type = WIRE_ASSIGN};
    struct wire_message progress = {.type = WIRE_PROGRESS};

    assign.assign =
        (struct wire_assign){.experiment = experiment, .trial = 5000, .attempt = 1, .acked = 2000};
    assign.assign.point = (struct wire_point){1, &x};
    progress.progress =
        (struct wire_progress){.seq = 2000, .experiment = experiment, .trial = 5000, .attempt = 1};
    progress.progress.outcome = OUTCOME_COMPLETED;
    progress.progress.value = x;
    progress.progress.reports = (struct wire_reports){1, &report};
    if (wire_encode(&floor->assign, &assign) != 0 || wire_encode(&floor->progress, &progress) != 0)
        bench_fail("out of memory");
}

/* One worker: a result for every assignment, until an empty frame comes. */
static void work(const struct floor *floor)
{
    char identity[IDENTITY] = "w";
    pid_t pid = getpid();
    void *context = zmq_ctx_new();
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    char frame[1024];

    memcpy(identity + 1, &pid, sizeof(pid));
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check_zmq(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, identity, sizeof(identity)), "routing id");
    check_zmq(zmq_connect(dealer, floor->endpoint), "connect");
    check_zmq(zmq_send(dealer, "hello", 5, 0), "hello");
    for (;;) {
        int size = zmq_recv(dealer, frame, sizeof(frame), 0);
        check_zmq(size, "receive");
        if (size == 0)
            break;
        check_zmq(zmq_send(dealer, floor->progress.data, floor->progress.size, 0), "send");
    }
    zmq_close(dealer);
    zmq_ctx_term(context);
    _exit(0);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        bench_fail("%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        bench_fail("%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

static void open_database(struct floor *floor, const char *directory)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/floor.db", directory);
    if (sqlite3_open(path, &floor->db) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(floor->db));
    run_sql(floor->db, "PRAGMA journal_mode = WAL");
    run_sql(floor->db, "PRAGMA synchronous = FULL");
    run_sql(floor->db,
            "CREATE TABLE trial (experiment INTEGER, number INTEGER, state INTEGER, value REAL, x REAL,"
            " PRIMARY KEY (experiment, number)) WITHOUT ROWID");
    run_sql(floor->db,
            "CREATE TABLE report (experiment INTEGER, trial INTEGER, attempt INTEGER, step INTEGER,"
            " value REAL, PRIMARY KEY (experiment, trial, attempt, step)) WITHOUT ROWID");
    floor->begin = prepare(floor->db, "BEGIN");
    floor->commit = prepare(floor->db, "COMMIT");
    floor->trial = prepare(floor->db, "INSERT INTO trial VALUES (1, ?, 5, 0.637, 0.637)");
    floor->report = prepare(floor->db, "INSERT INTO report VALUES (1, ?, 1, 0, 0.637)");
}

static void step(struct floor *floor, sqlite3_stmt *statement, long number)
{
    if (number > 0)
        sqlite3_bind_int64(statement, 1, number);
    if (sqlite3_step(statement) != SQLITE_DONE || sqlite3_reset(statement) != SQLITE_OK)
        bench_fail("%s", sqlite3_errmsg(floor->db));
}

/* Sends the next assignment, if there is one. */
static void reply(struct floor *floor, const char *identity)
{
    if (floor->n_sent == floor->n_trials)
        return;
    floor->n_sent++;
    check_zmq(zmq_send(floor->router, identity, IDENTITY, ZMQ_SNDMORE), "send");
    check_zmq(zmq_send(floor->router, floor->assign.data, floor->assign.size, 0), "send");
}

/* Takes one message; false if there is none and `flags` says not to wait. */
static bool receive(struct floor *floor, char *identity, int flags)
{
    char frame[1024];
    int size = zmq_recv(floor->router, identity, IDENTITY, flags);

    if (size < 0 && zmq_errno() == EAGAIN)
        return false;
    check_zmq(size, "receive");
    check_zmq(zmq_recv(floor->router, frame, sizeof(frame), 0), "receive");
    return true;
}

static void serve_bare(struct floor *floor)
{
    char identity[IDENTITY];

    for (long done = 0; done < floor->n_trials; done++) {
        receive(floor, identity, 0);
        reply(floor, identity);
    }
}

static void serve_commits(struct floor *floor)
{
    char identities[MAX_DRAIN][IDENTITY];
    long done = 0;

    while (done < floor->n_trials) {
        int n = 1;
        receive(floor, identities[0], 0);
        while (n < MAX_DRAIN && receive(floor, identities[n], ZMQ_DONTWAIT))
            n++;
        step(floor, floor->begin, 0);
        for (int i = 0; i < n; i++) {
            done++;
            step(floor, floor->trial, done);
            step(floor, floor->report, done);
        }
        step(floor, floor->commit, 0);
        for (int i = 0; i < n; i++)
            reply(floor, identities[i]);
    }
}

/* Waits for every worker's hello, serves all trials and sends the workers home. Returns the seconds that the
 * trials took. */
static double serve(struct floor *floor)
{
    char(*identities)[IDENTITY] = bench_shared((size_t)floor->n_workers * IDENTITY);
    int64_t begin;
    double seconds;

    for (long i = 0; i < floor->n_workers; i++)
        receive(floor, identities[i], 0);
    begin = bench_now_ns();
    for (long i = 0; i < floor->n_workers; i++)
        reply(floor, identities[i]);
    if (floor->db)
        serve_commits(floor);
    else
        serve_bare(floor);
    seconds = 1e-9 * (double)(bench_now_ns() - begin);
    for (long i = 0; i < floor->n_workers; i++) {
        check_zmq(zmq_send(floor->router, identities[i], IDENTITY, ZMQ_SNDMORE), "send");
        check_zmq(zmq_send(floor->router, "", 0, 0), "send");
    }
    return seconds;
}

static void open_router(struct floor *floor)
{
    int one = 1;
    int endless = 0;

    floor->router = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    if (!floor->router)
        bench_fail("%s", zmq_strerror(zmq_errno()));
    zmq_setsockopt(floor->router, ZMQ_ROUTER_MANDATORY, &one, sizeof(one));
    zmq_setsockopt(floor->router, ZMQ_ROUTER_HANDOVER, &one, sizeof(one));
    zmq_setsockopt(floor->router, ZMQ_SNDHWM, &endless, sizeof(endless));
    check_zmq(zmq_bind(floor->router, floor->endpoint), floor->endpoint);
}

int main(int argc, char **argv)
{
    struct floor floor = {0};
    double seconds;

    if (argc < 4)
        bench_fail("usage: bench_floor DIR N TRIALS [commit]");
    snprintf(floor.endpoint, sizeof(floor.endpoint), "ipc://%s/floor.ipc", argv[1]);
    floor.n_workers = bench_number(argv[2]);
    floor.n_trials = bench_number(argv[3]);
    encode_frames(&floor);
    for (long i = 0; i < floor.n_workers; i++)
        if (fork() == 0)
            work(&floor);
    if (argc > 4)
        open_database(&floor, argv[1]);
    open_router(&floor);
    seconds = serve(&floor);
    while (wait(NULL) > 0)
        ;
    printf("{\"trials_per_s\": %.1f, \"cpu_us_per_trial\": %.3f}\n", (double)floor.n_trials / seconds,
           1e6 * bench_cpu_s() / (double)floor.n_trials);
    return 0;
}
