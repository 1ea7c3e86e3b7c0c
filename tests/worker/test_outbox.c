/* What is not acknowledged: frames and the attempts that they belong to. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "worker/outbox.h"

static struct outbox outbox;
static const struct id experiment = {{1}};

static void set_up(void)
{
    memset(&outbox, 0, sizeof outbox);
}

static void tear_down(void)
{
    outbox_fini(&outbox);
    ck_assert_uint_eq(outbox.bytes, 0);
}

static void hold(uint64_t trial)
{
    double point[] = {(double)trial};
    struct wire_hold message = {.experiment = experiment,
                                .trial = trial,
                                .attempt = 1,
                                .budget = 9,
                                .point = {.n = 1, .values = point}};
    ck_assert_int_eq(outbox_hold(&outbox, &message), ERR_OK);
}

static void add(uint64_t seq, bool ends)
{
    struct outbox_frame *frame;
    char data[100];
    memset(data, (int)seq, sizeof data);
    ck_assert_int_eq(outbox_add(&frame, &outbox, seq, ends, data, sizeof data), ERR_OK);
    ck_assert_uint_eq(frame->seq, seq);
}

START_TEST(an_attempt_is_held_while_it_runs_and_until_its_last_frame_is_safe)
{
    hold(1);
    add(1, false);
    outbox_acknowledge(&outbox, 1);
    ck_assert_uint_eq(outbox.n_frames, 0);
    ck_assert_ptr_nonnull(outbox_find(&outbox, experiment, 1, 1, 0)); /* it runs */
    add(2, true);
    outbox_release(&outbox);
    ck_assert_uint_eq(outbox.n_held, 1);
    outbox_acknowledge(&outbox, 1);
    ck_assert_uint_eq(outbox.n_held, 1);
    outbox_acknowledge(&outbox, 2);
    ck_assert_uint_eq(outbox.n_held, 0);
}
END_TEST

START_TEST(an_attempt_without_frames_is_not_held_beyond_its_end)
{
    hold(1);
    outbox_release(&outbox);
    ck_assert_uint_eq(outbox.n_held, 0);
}
END_TEST

START_TEST(what_is_held_is_what_was_assigned)
{
    hold(7);
    const struct held *held = outbox_held(&outbox, 0);
    ck_assert_uint_eq(held->trial, 7);
    ck_assert_int_eq(held->budget, 9);
    ck_assert_uint_eq(held->n_point, 1);
    ck_assert(held->point[0] == 7);
    ck_assert_ptr_null(outbox_find(&outbox, experiment, 7, 2, 0));
    ck_assert_ptr_null(outbox_find(&outbox, (struct id){{2}}, 7, 1, 0));
}
END_TEST

START_TEST(order_survives_growth_at_any_place_of_the_ring)
{
    uint64_t added = 0, acknowledged = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 7; i++) {
            hold(added + 1);
            add(++added, true);
            outbox_release(&outbox);
        }
        acknowledged += 5;
        outbox_acknowledge(&outbox, acknowledged);
        ck_assert_uint_eq(outbox.n_frames, added - acknowledged);
        ck_assert_uint_eq(outbox.n_held, added - acknowledged);
        ck_assert_uint_eq(outbox.bytes, 100 * (added - acknowledged));
        for (size_t i = 0; i < outbox.n_frames; i++) {
            const struct outbox_frame *frame = outbox_frame(&outbox, i);
            ck_assert_uint_eq(frame->seq, acknowledged + 1 + i);
            ck_assert_uint_eq(outbox_held(&outbox, i)->trial, frame->seq);
            zmq_msg_t copy; /* zmq_msg_data takes no const */
            zmq_msg_init(&copy);
            zmq_msg_copy(&copy, &outbox_frame(&outbox, i)->message);
            ck_assert_uint_eq(((unsigned char *)zmq_msg_data(&copy))[99], frame->seq % 256);
            zmq_msg_close(&copy);
        }
    }
}
END_TEST

START_TEST(a_replaced_frame_keeps_its_place)
{
    hold(1);
    for (uint64_t seq = 1; seq <= 3; seq++)
        add(seq, false);
    ck_assert_int_eq(outbox_replace(&outbox, outbox_frame(&outbox, 1), "x", 1), ERR_OK);
    ck_assert_uint_eq(outbox.bytes, 201);
    ck_assert_uint_eq(outbox_frame(&outbox, 1)->seq, 2);
    ck_assert_uint_eq(zmq_msg_size(&outbox_frame(&outbox, 1)->message), 1);
    ck_assert(outbox_frame(&outbox, 1)->ends);
    outbox_acknowledge(&outbox, 2);
    ck_assert_uint_eq(outbox.bytes, 100);
}
END_TEST

START_TEST(an_acknowledgement_of_the_future_or_the_past_is_harmless)
{
    outbox_acknowledge(&outbox, 1000);
    hold(1);
    add(5, true);
    outbox_release(&outbox);
    outbox_acknowledge(&outbox, 0);
    ck_assert_uint_eq(outbox.n_frames, 1);
    outbox_acknowledge(&outbox, UINT64_MAX);
    ck_assert_uint_eq(outbox.n_frames, 0);
    ck_assert_uint_eq(outbox.n_held, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tcase = tcase_create("outbox");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_attempt_is_held_while_it_runs_and_until_its_last_frame_is_safe);
    tcase_add_test(tcase, an_attempt_without_frames_is_not_held_beyond_its_end);
    tcase_add_test(tcase, what_is_held_is_what_was_assigned);
    tcase_add_test(tcase, order_survives_growth_at_any_place_of_the_ring);
    tcase_add_test(tcase, a_replaced_frame_keeps_its_place);
    tcase_add_test(tcase, an_acknowledgement_of_the_future_or_the_past_is_harmless);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
