/* The deterministic simulation: many seeds, each a whole life of a few experiments under faults. A failure
 * names its seed; SIMULATION_SEED=n runs that one alone, SIMULATION_TRACE=1 prints its messages,
 * SIMULATION_SEEDS=n runs so many. */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "world.h"

static long from_environment(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

/* Each seed from SIMULATION_SEED or 1 on; its scenario by `make`. */
static void run_seeds(size_t n_workers, void (*make)(struct scenario *scenario, uint64_t seed))
{
    long only = from_environment("SIMULATION_SEED", 0), n_seeds = from_environment("SIMULATION_SEEDS", 500);
    struct scenario scenario;
    for (long seed = only ? only : 1; seed <= (only ? only : n_seeds); seed++) {
        make(&scenario, (uint64_t)seed);
        ck_assert_uint_gt(world_run((uint64_t)seed,
                                    (size_t)from_environment("SIMULATION_WORKERS", (long)n_workers),
                                    &scenario),
                          0);
    }
}

static void make_single(struct scenario *scenario, uint64_t seed)
{
    (void)seed; /* the same for all */
    scenario_single(scenario);
}

START_TEST(no_trial_is_lost_doubled_or_counted_twice)
{
    run_seeds(200, make_single);
}
END_TEST

START_TEST(no_gang_is_halved_starved_or_blocked)
{
    run_seeds(1000, scenario_gangs);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run)
{
    struct scenario single, gangs;
    scenario_single(&single);
    scenario_gangs(&gangs, 7);
    ck_assert_uint_eq(world_run(7, 50, &single), world_run(7, 50, &single));
    ck_assert_uint_eq(world_run(7, 100, &gangs), world_run(7, 100, &gangs));
}
END_TEST

/* With the argument "gangs": that part alone, so that ctest runs the two side by side. */
int main(int argc, char **argv)
{
    bool gangs = argc > 1 && strcmp(argv[1], "gangs") == 0;
    Suite *suite = suite_create("simulation");
    TCase *tcase = tcase_create("seeds");
    tcase_set_timeout(tcase, 0); /* ctest has the limit */
    if (gangs) {
        tcase_add_test(tcase, no_gang_is_halved_starved_or_blocked);
    } else {
        tcase_add_test(tcase, the_same_seed_gives_the_same_run);
        tcase_add_test(tcase, no_trial_is_lost_doubled_or_counted_twice);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
