/* The deterministic simulation: many seeds, each a whole life of two experiments under faults. A failure
 * names its seed; SIMULATION_SEED=n runs that one alone, SIMULATION_TRACE=1 prints its messages,
 * SIMULATION_SEEDS=n runs so many. */
#include <stdlib.h>

#include <check.h>

#include "world.h"

static long from_environment(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

START_TEST(no_trial_is_lost_doubled_or_counted_twice)
{
    long only = from_environment("SIMULATION_SEED", 0), n_seeds = from_environment("SIMULATION_SEEDS", 500);
    size_t n_workers = (size_t)from_environment("SIMULATION_WORKERS", 200);
    if (only) {
        ck_assert_uint_gt(world_run((uint64_t)only, n_workers), 0);
        return;
    }
    for (long seed = 1; seed <= n_seeds; seed++)
        ck_assert_uint_gt(world_run((uint64_t)seed, n_workers), 0);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run)
{
    uint64_t first = world_run(7, 50);
    ck_assert_uint_eq(world_run(7, 50), first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulation");
    TCase *tcase = tcase_create("seeds");
    tcase_set_timeout(tcase, 0); /* ctest has the limit */
    tcase_add_test(tcase, the_same_seed_gives_the_same_run);
    tcase_add_test(tcase, no_trial_is_lost_doubled_or_counted_twice);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
