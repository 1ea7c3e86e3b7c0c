/* Gangs, event by event. Experiment 1 takes three workers a trial. */
#include "test_gang.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_of_engine.h"

#define SWEEP                                                                                                \
    "name: e\ntrain: {command: [x]}\nmetric: {name: loss}\nparameters: {a: {min: 0.0, max: 1.0}}\n"          \
    "search: random\nseed: 1\n"
#define GANG SWEEP "limits: {trials: 4}\nworkers_per_trial: 3\n"

static struct bench bench;

static void open_bench(void)
{
    bench_open(&bench);
}

static void close_bench(void)
{
    bench_close(&bench);
}

static void hello(int first, int last)
{
    for (int w = first; w <= last; w++)
        bench_hello(&bench, w, 1, 0);
}

static uint64_t gang_of(int worker)
{
    const struct wire_message *message = bench_sent(&bench, worker, WIRE_ASSIGN);
    return message ? message->assign.gang : 0;
}

static void join(int worker, uint64_t attempt, uint64_t gang)
{
    struct wire_message message = {.type = WIRE_JOIN,
                                   .join = {.experiment = bench_experiment(1),
                                            .trial = 1,
                                            .attempt = attempt,
                                            .gang = gang,
                                            .host = wire_string("10.0.0.7"),
                                            .port = (uint64_t)(7000 + worker)}};
    bench_message(&bench, worker, &message);
}

/* Workers 1 to 3, begun; returns the gang's number. */
static uint64_t start_gang(void)
{
    bench_submit(&bench, 1, GANG);
    hello(1, 3);
    uint64_t gang = gang_of(1);
    for (int w = 1; w <= 3; w++)
        join(w, 1, gang);
    return gang;
}

static void progress(int worker, uint64_t seq, uint64_t gang, int64_t step, double value,
                     enum outcome outcome)
{
    struct report report = {.step = step, .value = value};
    struct wire_message message = {.type = WIRE_PROGRESS,
                                   .progress = {.seq = seq,
                                                .experiment = bench_experiment(1),
                                                .trial = 1,
                                                .attempt = 1,
                                                .outcome = (uint64_t)outcome,
                                                .value = value,
                                                .text = wire_string("why"),
                                                .log = wire_string(""),
                                                .reports = {step < 0 ? 0 : 1, &report},
                                                .gang = gang}};
    bench_message(&bench, worker, &message);
}

static int rank_0(void)
{
    for (int w = 1; w <= 6; w++) {
        const struct wire_message *message = bench_sent(&bench, w, WIRE_ASSIGN);
        if (message && message->assign.rank == 0)
            return w;
    }
    return 0;
}

START_TEST(a_gang_is_assigned_whole_or_not_at_all)
{
    bool ranks[3] = {0};
    bench_submit(&bench, 1, GANG);
    hello(1, 2);
    ck_assert_uint_eq(bench_assigned(&bench, 1) + bench_assigned(&bench, 2), 0);
    ck_assert_str_eq(bench_status(&bench, 1).text.data, "waits for 3 workers at once, and 2 are connected");
    hello(3, 3);
    for (int w = 1; w <= 3; w++) {
        const struct wire_message *message = bench_sent(&bench, w, WIRE_ASSIGN);
        ck_assert_ptr_nonnull(message);
        ck_assert_uint_eq(message->assign.world, 3);
        ck_assert_uint_lt(message->assign.rank, 3);
        ck_assert(!ranks[message->assign.rank]);
        ranks[message->assign.rank] = true;
        ck_assert_uint_eq(message->assign.gang, gang_of(1));
        ck_assert_uint_ne(message->assign.gang, 0);
    }
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
}
END_TEST

START_TEST(it_starts_when_the_last_member_has_joined)
{
    bench_submit(&bench, 1, GANG);
    hello(1, 3);
    uint64_t gang = gang_of(1);
    int first = rank_0();
    join(1, 1, gang);
    join(2, 1, gang);
    join(2, 1, gang);
    ck_assert_ptr_null(bench_sent(&bench, 1, WIRE_START));
    join(3, 1, gang);
    for (int w = 1; w <= 3; w++) {
        const struct wire_start *start = &bench_sent(&bench, w, WIRE_START)->start;
        ck_assert_uint_eq(start->addresses.n, 3);
        ck_assert_uint_eq(start->local_world, 3);
        char coordinator[32]; /* on one host: by the loopback */
        (void)snprintf(coordinator, sizeof coordinator, "127.0.0.1:%d", 7000 + first);
        ck_assert_str_eq(start->addresses.list[0].data, coordinator);
    }
    join(2, 1, gang); /* its START was lost */
    ck_assert_ptr_nonnull(bench_sent(&bench, 2, WIRE_START));
    ck_assert_ptr_null(bench_sent(&bench, 1, WIRE_START));
}
END_TEST

START_TEST(a_join_of_another_gang_is_stale)
{
    bench_submit(&bench, 1, GANG);
    hello(1, 3);
    join(1, 1, gang_of(1) + 1);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
}
END_TEST

START_TEST(only_the_reports_of_rank_0_count)
{
    bench_submit(&bench, 1, GANG);
    hello(1, 3);
    uint64_t gang = gang_of(1);
    int first = rank_0(), other = first == 1 ? 2 : 1;
    for (int w = 1; w <= 3; w++)
        join(w, 1, gang);
    progress(other, 1, gang, 0, 0.25, OUTCOME_NONE);
    const struct command *kept = bench_command(&bench, COMMAND_PERSIST);
    ck_assert_int_eq(kept->record.kind, RECORD_REPORTS);
    ck_assert_uint_eq(kept->record.reports.reports.list[0].metric, 1);
    ck_assert_int_eq(strncmp(kept->record.reports.names.list[0].data, "rank", 4), 0);
    ck_assert_ptr_nonnull(strstr(kept->record.reports.names.list[0].data, "/loss"));
    ck_assert_uint_eq(bench_status(&bench, 1).n_reports, 0);
    progress(other, 2, gang, -1, 0.25, OUTCOME_COMPLETED);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 0);
    progress(first, 1, gang, 0, 0.5, OUTCOME_COMPLETED);
    ck_assert_uint_eq(bench_status(&bench, 1).n_completed, 1);
    ck_assert_double_eq(bench_status(&bench, 1).best_value, 0.5);
    /* Who had not ended is told that the attempt has. */
    ck_assert_uint_eq(bench_sent(&bench, 6 - first - other, WIRE_STOP)->stop.reason, STOP_ENDED);
}
END_TEST

START_TEST(when_a_member_is_lost_the_rest_are_told_and_it_is_repeated)
{
    uint64_t gang = start_gang();
    struct wire_message leave = {.type = WIRE_LEAVE},
                        idle = {.type = WIRE_HEARTBEAT, .heartbeat = {.first_seq = 1}};
    bench_message(&bench, 2, &leave);
    ck_assert_uint_eq(bench_sent(&bench, 1, WIRE_STOP)->stop.reason, STOP_STALE);
    ck_assert_uint_eq(bench_sent(&bench, 3, WIRE_STOP)->stop.reason, STOP_STALE);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_PENDING);
    hello(4, 4);
    ck_assert_uint_eq(bench_assigned(&bench, 4), 0); /* the others have not said that they are through */
    bench_message(&bench, 1, &idle);
    bench_message(&bench, 3, &idle);
    ck_assert_uint_eq(bench_assigned(&bench, 4), 1);
    ck_assert_uint_eq(bench_sent(&bench, 4, WIRE_ASSIGN)->assign.attempt, 2);
    ck_assert_uint_gt(gang_of(4), gang);
}
END_TEST

START_TEST(a_failed_member_counts_as_a_retry)
{
    uint64_t gang = start_gang();
    int worker = 2; /* whichever rank it has */
    progress(worker, 1, gang, -1, (double)NAN, OUTCOME_FAILED);
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_PENDING);
    ck_assert_uint_eq(bench_status(&bench, 1).n_failed, 0);
}
END_TEST

START_TEST(a_silent_rank_is_told_before_it_is_lost)
{
    (void)start_gang();
    struct wire_message beat = {.type = WIRE_HEARTBEAT, .heartbeat = {.trial = 1, .first_seq = 1}};
    bool was_told = false;
    for (int second = 1; second <= 14; second++) {
        bench_time(&bench, SECOND);
        was_told = was_told || strcmp(bench_event(&bench, 0), "rank silent") == 0;
        bench_message(&bench, 1, &beat);
        bench_message(&bench, 3, &beat);
    }
    ck_assert(was_told);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
    bench_message(&bench, 2, &beat);
    ck_assert_str_eq(bench_event(&bench, 0), "rank heard again");
}
END_TEST

START_TEST(idle_workers_are_kept_for_a_gang_whose_turn_it_is)
{
    bench_submit(&bench, 2, SWEEP "limits: {trials: 50}\n");
    hello(1, 3);
    ck_assert_uint_eq(bench_status(&bench, 2).n_running, 3);
    bench_submit(&bench, 1, GANG);
    /* Experiment 2 has much to do, but its workers go to the gang one after the other. */
    for (int w = 1; w <= 3; w++) {
        struct wire_message done = {.type = WIRE_PROGRESS,
                                    .progress = {.seq = 1,
                                                 .experiment = bench_experiment(2),
                                                 .trial = (uint64_t)w,
                                                 .attempt = 1,
                                                 .outcome = OUTCOME_COMPLETED,
                                                 .value = 1,
                                                 .text = wire_string(""),
                                                 .log = wire_string("")}};
        ck_assert_uint_eq(bench_status(&bench, 1).n_running, 0);
        bench_message(&bench, w, &done);
    }
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
    ck_assert_uint_eq(bench_status(&bench, 2).n_running, 0);
}
END_TEST

START_TEST(workers_are_kept_no_longer_when_the_gang_cannot_be_formed)
{
    bench_submit(&bench, 2, SWEEP "limits: {trials: 50}\n");
    hello(1, 3);
    bench_submit(&bench, 1, GANG);
    struct wire_message done = {.type = WIRE_PROGRESS,
                                .progress = {.seq = 1,
                                             .experiment = bench_experiment(2),
                                             .trial = 1,
                                             .attempt = 1,
                                             .outcome = OUTCOME_COMPLETED,
                                             .value = 1,
                                             .text = wire_string(""),
                                             .log = wire_string("")}};
    bench_message(&bench, 1, &done);
    ck_assert_uint_eq(bench_assigned(&bench, 1), 0);
    struct wire_message leave = {.type = WIRE_LEAVE};
    bench_message(&bench, 3, &leave);
    ck_assert_uint_ne(bench_assigned(&bench, 1), 0);
    ck_assert_uint_eq(bench_status(&bench, 2).n_running, 2);
}
END_TEST

START_TEST(when_all_workers_have_ended_what_they_ran_is_lost_and_given_to_none_of_them)
{
    bench_submit(&bench, 1, GANG "retries: 0\n");
    hello(1, 6);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 2);
    bench_workers_ended(&bench, "their fleet has ended");
    ck_assert_str_eq(bench_event(&bench, 0), "attempt lost");
    ck_assert_int_eq(bench_state(&bench, 1), TRIAL_FAILED);
    ck_assert_int_eq(bench_state(&bench, 2), TRIAL_FAILED);
    ck_assert_uint_eq(bench_status(&bench, 1).n_workers, 0);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 0);
    hello(7, 9); /* the next fleet */
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
}
END_TEST

static void hello_in_fleet(int worker)
{
    struct wire_message message = {.type = WIRE_HELLO,
                                   .hello = {.protocol = WIRE_VERSION,
                                             .worker = bench_worker(worker),
                                             .host = wire_string("host"),
                                             .greeting = 1,
                                             .first_seq = 1,
                                             .fleet = wire_string("fleet")}};
    bench_message(&bench, worker, &message);
}

/* Over MPI a member leaves when mpirun has seen another one die. */
START_TEST(a_member_that_leaves_counts_as_a_retry_over_mpi_alone)
{
    static const char *const runtimes[] = {"env", "mpi"};
    static const enum trial_state states[] = {TRIAL_PENDING, TRIAL_FAILED};
    char sweep[512];
    struct wire_message leave = {.type = WIRE_LEAVE};
    (void)snprintf(sweep, sizeof sweep,
                   "name: e\ntrain: {library: ./x.so, function: f}\nmetric: {name: loss}\nsearch: random\n"
                   "parameters: {a: {min: 0.0, max: 1.0}}\nlimits: {trials: 4}\nworkers_per_trial: 3\n"
                   "retries: 0\ndistributed: {runtime: %s}\n",
                   runtimes[_i]);
    bench_submit(&bench, 1, sweep);
    for (int w = 1; w <= 3; w++)
        hello_in_fleet(w);
    ck_assert_uint_eq(bench_status(&bench, 1).n_running, 1);
    bench_message(&bench, 2, &leave);
    ck_assert_int_eq(bench_state(&bench, 1), states[_i]);
}
END_TEST

TCase *gang_tests(void)
{
    TCase *tcase = tcase_create("gangs");
    tcase_add_checked_fixture(tcase, open_bench, close_bench);
    tcase_add_test(tcase, a_gang_is_assigned_whole_or_not_at_all);
    tcase_add_test(tcase, it_starts_when_the_last_member_has_joined);
    tcase_add_test(tcase, a_join_of_another_gang_is_stale);
    tcase_add_test(tcase, only_the_reports_of_rank_0_count);
    tcase_add_test(tcase, when_a_member_is_lost_the_rest_are_told_and_it_is_repeated);
    tcase_add_test(tcase, a_failed_member_counts_as_a_retry);
    tcase_add_test(tcase, a_silent_rank_is_told_before_it_is_lost);
    tcase_add_test(tcase, idle_workers_are_kept_for_a_gang_whose_turn_it_is);
    tcase_add_test(tcase, workers_are_kept_no_longer_when_the_gang_cannot_be_formed);
    tcase_add_test(tcase, when_all_workers_have_ended_what_they_ran_is_lost_and_given_to_none_of_them);
    tcase_add_loop_test(tcase, a_member_that_leaves_counts_as_a_retry_over_mpi_alone, 0, 2);
    return tcase;
}
