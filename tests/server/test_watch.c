/* Who is told of an experiment, and when. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "driver/watch.h"

#define MS INT64_C(1000000)

static struct watches *watches;
static uint64_t state;    /* of the experiment */
static int n_status;      /* how often it was asked how it stands */
static uint64_t told[16]; /* requests that were told, in order */
static int n_told;
static const struct route ann = {3, "ann"}, bob = {3, "bob"};

static void set_up(void)
{
    watches = watches_create();
    ck_assert_ptr_nonnull(watches);
    state = 1;
    n_status = n_told = 0;
}

static void tear_down(void)
{
    watches_destroy(watches);
}

static int stand(void *arg, struct wire_status *status, struct id experiment)
{
    (void)arg, (void)experiment;
    memset(status, 0, sizeof *status);
    status->state = state;
    n_status++;
    return 0;
}

static void tell(void *arg, const struct route *route, const struct wire_status *status)
{
    (void)arg, (void)route;
    ck_assert_int_lt(n_told, 16);
    told[n_told++] = status->request;
}

/* How many were told at that time. */
static int serve(int64_t now_ns)
{
    struct watch_teller teller = {.status = stand, .tell = tell};
    n_told = 0;
    watches_serve(watches, &teller, now_ns);
    return n_told;
}

static void add(const struct route *route, int64_t key, uint64_t request, uint64_t interval_ms)
{
    ck_assert_int_eq(watches_add(watches, key, (struct id){{(uint8_t)key}}, route, request, interval_ms), 0);
}

START_TEST(a_new_watch_is_told_at_once_and_then_not_without_a_change)
{
    add(&ann, 1, 11, 100);
    ck_assert_int_eq(serve(5 * MS), 1);
    ck_assert_uint_eq(told[0], 11);
    ck_assert_int_eq(serve(1000 * MS), 0);
    ck_assert_int_eq(watches_deadline(watches), INT64_MAX);
}
END_TEST

START_TEST(a_change_is_told_once_the_interval_is_over)
{
    add(&ann, 1, 11, 100);
    serve(0);
    watches_changed(watches, 1);
    ck_assert_int_eq(serve(10 * MS), 0);
    ck_assert_int_eq(watches_deadline(watches), 100 * MS);
    watches_changed(watches, 1);
    ck_assert_int_eq(serve(99 * MS), 0);
    ck_assert_int_eq(serve(100 * MS), 1);
    ck_assert_int_eq(serve(1000 * MS), 0);
}
END_TEST

START_TEST(a_change_after_a_quiet_time_is_told_at_once)
{
    add(&ann, 1, 11, 100);
    serve(0);
    watches_changed(watches, 1);
    ck_assert_int_eq(serve(500 * MS), 1);
}
END_TEST

START_TEST(a_new_state_waits_for_no_interval)
{
    add(&ann, 1, 11, 100);
    serve(0);
    watches_changed(watches, 1);
    state = 3;
    ck_assert_int_eq(serve(1 * MS), 1);
    watches_changed(watches, 1);
    ck_assert_int_eq(serve(2 * MS), 0);
}
END_TEST

START_TEST(each_watch_has_its_own_interval)
{
    add(&ann, 1, 11, 100);
    add(&bob, 1, 22, 10);
    ck_assert_int_eq(serve(0), 2);
    watches_changed(watches, 1);
    ck_assert_int_eq(serve(10 * MS), 1);
    ck_assert_uint_eq(told[0], 22);
    ck_assert_int_eq(serve(100 * MS), 1);
    ck_assert_uint_eq(told[0], 11);
}
END_TEST

START_TEST(a_change_of_another_experiment_is_not_told)
{
    add(&ann, 1, 11, 0);
    add(&bob, 2, 22, 0);
    serve(0);
    watches_changed(watches, 2);
    watches_changed(watches, 3);
    ck_assert_int_eq(serve(1), 1);
    ck_assert_uint_eq(told[0], 22);
}
END_TEST

START_TEST(a_second_watch_of_a_client_replaces_the_first)
{
    add(&ann, 1, 11, 0);
    add(&ann, 1, 12, 0);
    ck_assert_int_eq(serve(0), 1);
    ck_assert_uint_eq(told[0], 12);
}
END_TEST

START_TEST(a_client_that_is_gone_is_forgotten_everywhere)
{
    add(&ann, 1, 11, 0);
    add(&ann, 2, 12, 0);
    add(&bob, 2, 22, 0);
    watches_forget(watches, &ann);
    ck_assert_int_eq(serve(0), 1);
    ck_assert_uint_eq(told[0], 22);
}
END_TEST

START_TEST(many_changes_ask_how_it_stands_once)
{
    add(&ann, 1, 11, 100);
    add(&bob, 1, 22, 100);
    for (int i = 0; i < 1000; i++)
        watches_changed(watches, 1);
    serve(0);
    ck_assert_int_eq(n_status, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, a_new_watch_is_told_at_once_and_then_not_without_a_change);
    tcase_add_test(all, a_change_is_told_once_the_interval_is_over);
    tcase_add_test(all, a_change_after_a_quiet_time_is_told_at_once);
    tcase_add_test(all, a_new_state_waits_for_no_interval);
    tcase_add_test(all, each_watch_has_its_own_interval);
    tcase_add_test(all, a_change_of_another_experiment_is_not_told);
    tcase_add_test(all, a_second_watch_of_a_client_replaces_the_first);
    tcase_add_test(all, a_client_that_is_gone_is_forgotten_everywhere);
    tcase_add_test(all, many_changes_ask_how_it_stands_once);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
