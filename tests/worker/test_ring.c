/* The queue of reports between training threads and the session. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "worker/ring.h"

static _Atomic int n_notified, n_urgent;

static void count(void *arg, enum ring_state state, bool urgent)
{
    (void)state;
    atomic_fetch_add(&n_notified, 1);
    atomic_fetch_add(&n_urgent, urgent);
    if (arg)
        ring_set_state(*(struct ring **)arg, RING_ATTENDED);
}

static struct ring *ring;

static void set_up(void)
{
    atomic_store(&n_notified, 0);
    atomic_store(&n_urgent, 0);
    ring = ring_create(count, NULL);
    ck_assert_ptr_nonnull(ring);
}

static void tear_down(void)
{
    ring_destroy(ring);
}

static void push(int64_t step)
{
    ck_assert(ring_push(ring, &(struct report){.step = step, .metric = 1, .value = (double)step}));
}

START_TEST(reports_come_out_in_the_order_in_which_they_went_in)
{
    struct report out[RING_CAPACITY];
    for (int64_t i = 0; i < 100; i++)
        push(i);
    ck_assert_uint_eq(ring_pop(out, ring, 60), 60);
    ck_assert_uint_eq(ring_pop(out + 60, ring, RING_CAPACITY), 40);
    for (int64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(out[i].step, i);
        ck_assert_double_eq(out[i].value, (double)i);
    }
    ck_assert(ring_is_empty(ring));
    ck_assert_uint_eq(ring_pop(out, ring, 1), 0);
}
END_TEST

START_TEST(order_survives_many_rounds_of_the_ring)
{
    struct report out[7];
    int64_t next = 0;
    for (int64_t i = 0; i < 5 * RING_CAPACITY; i++) {
        push(i);
        if (i % 7 != 6)
            continue;
        ck_assert_uint_eq(ring_pop(out, ring, 7), 7);
        for (int j = 0; j < 7; j++)
            ck_assert_int_eq(out[j].step, next++);
    }
}
END_TEST

START_TEST(an_attended_ring_notifies_nobody)
{
    push(1);
    ck_assert_int_eq(n_notified, 0);
}
END_TEST

START_TEST(a_sleeping_ring_notifies_until_it_is_attended)
{
    ring_set_state(ring, RING_SLEEPING);
    push(1);
    ck_assert_int_eq(n_notified, 1);
    ring_set_state(ring, RING_ATTENDED);
    push(2);
    ck_assert_int_eq(n_notified, 1);
}
END_TEST

START_TEST(only_a_half_full_ring_is_urgent)
{
    ring_set_state(ring, RING_UNATTENDED);
    for (int i = 0; i <= RING_CAPACITY / 2; i++)
        push(i);
    ck_assert_int_eq(n_urgent, 0);
    push(0);
    ck_assert_int_eq(n_urgent, 1);
}
END_TEST

static void *push_one(void *arg)
{
    *(bool *)arg = ring_push(ring, &(struct report){.step = -1});
    return NULL;
}

/* Until the producer has said that it found the ring full. */
static void await_notification(void)
{
    while (!atomic_load(&n_urgent))
        sched_yield();
}

START_TEST(a_full_ring_blocks_the_producer_until_there_is_room)
{
    static struct report out[RING_CAPACITY];
    bool pushed = false;
    pthread_t thread;
    for (int i = 0; i < RING_CAPACITY; i++)
        push(i);
    ring_set_state(ring, RING_UNATTENDED);
    ck_assert_int_eq(pthread_create(&thread, NULL, push_one, &pushed), 0);
    await_notification();
    ck_assert_uint_eq(ring_pop(out, ring, 1), 1);
    pthread_join(thread, NULL);
    ck_assert(pushed);
    ck_assert_uint_eq(ring_pop(out, ring, RING_CAPACITY), RING_CAPACITY);
    ck_assert_int_eq(out[RING_CAPACITY - 1].step, -1);
}
END_TEST

START_TEST(closing_frees_a_blocked_producer_and_drops_everything)
{
    bool pushed = true;
    pthread_t thread;
    for (int i = 0; i < RING_CAPACITY; i++)
        push(i);
    ring_set_state(ring, RING_UNATTENDED);
    ck_assert_int_eq(pthread_create(&thread, NULL, push_one, &pushed), 0);
    await_notification();
    ring_close(ring);
    pthread_join(thread, NULL);
    ck_assert(!ring_push(ring, &(struct report){.step = 1}));
    ring_close(ring);
    ck_assert(ring_is_empty(ring));
    ring_open(ring);
    push(3);
    ck_assert(!ring_is_empty(ring));
}
END_TEST

#define N_PRODUCERS  4
#define N_PER_THREAD 50000

static void *produce(void *arg)
{
    uint32_t self = *(uint32_t *)arg;
    for (int64_t i = 0; i < N_PER_THREAD; i++)
        (void)ring_push(ring, &(struct report){.step = i, .metric = self});
    return NULL;
}

START_TEST(many_producers_lose_nothing_and_keep_their_own_order)
{
    static struct report out[RING_CAPACITY];
    pthread_t threads[N_PRODUCERS];
    uint32_t names[N_PRODUCERS];
    int64_t next[N_PRODUCERS] = {0};
    for (uint32_t i = 0; i < N_PRODUCERS; i++) {
        names[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, &names[i]), 0);
    }
    for (size_t seen = 0; seen < (size_t)N_PRODUCERS * N_PER_THREAD;) {
        size_t n = ring_pop(out, ring, RING_CAPACITY);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(out[i].step, next[out[i].metric]++);
        seen += n;
        if (n == 0)
            sched_yield();
    }
    for (int i = 0; i < N_PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(ring_is_empty(ring));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = tcase_create("ring");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reports_come_out_in_the_order_in_which_they_went_in);
    tcase_add_test(tcase, order_survives_many_rounds_of_the_ring);
    tcase_add_test(tcase, an_attended_ring_notifies_nobody);
    tcase_add_test(tcase, a_sleeping_ring_notifies_until_it_is_attended);
    tcase_add_test(tcase, only_a_half_full_ring_is_urgent);
    tcase_add_test(tcase, a_full_ring_blocks_the_producer_until_there_is_room);
    tcase_add_test(tcase, closing_frees_a_blocked_producer_and_drops_everything);
    tcase_add_test(tcase, many_producers_lose_nothing_and_keep_their_own_order);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
