/* The heap of deadlines. */
#include <check.h>

#include "core/rng.h"
#include "driver/heap.h"
#include "test_heap.h"

START_TEST(the_earliest_comes_first_whatever_is_moved_or_removed)
{
    enum { N = 500 };
    struct heap heap = {0};
    struct deadline deadlines[N] = {0};
    struct rng rng;
    rng_init(&rng, 3, (uint64_t)_i);
    for (int round = 0; round < 4000; round++) {
        struct deadline *one = &deadlines[rng_below(&rng, N)];
        if (rng_below(&rng, 3))
            ck_assert_int_eq(heap_set(&heap, one, (int64_t)rng_below(&rng, 1000)), 0);
        else
            heap_remove(&heap, one);
        const struct deadline *first = heap_first(&heap);
        size_t n = 0, n_earlier = 0;
        for (int i = 0; i < N; i++) {
            n += deadlines[i].place != 0;
            n_earlier += deadlines[i].place && deadlines[i].at_ns < first->at_ns;
        }
        ck_assert_uint_eq(n, heap.n);
        ck_assert_uint_eq(n_earlier, 0);
    }
    heap_fini(&heap);
}
END_TEST

START_TEST(removing_what_is_not_in_it_changes_nothing)
{
    struct heap heap = {0};
    struct deadline in = {0}, out = {0};
    ck_assert_int_eq(heap_set(&heap, &in, 5), 0);
    heap_remove(&heap, &out);
    ck_assert_ptr_eq(heap_first(&heap), &in);
    heap_remove(&heap, &in);
    ck_assert_ptr_null(heap_first(&heap));
    heap_fini(&heap);
}
END_TEST

TCase *heap_tests(void)
{
    TCase *tcase = tcase_create("heap");
    tcase_add_loop_test(tcase, the_earliest_comes_first_whatever_is_moved_or_removed, 0, 4);
    tcase_add_test(tcase, removing_what_is_not_in_it_changes_nothing);
    return tcase;
}
