/* Parzen estimators and the search by them. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/history.h"
#include "optimizers/parzen.h"
#include "optimizers/registry.h"
#include "spaces.h"

/* An estimator of one coordinate. */
static void build(struct parzen *parzen, const struct parzen_dim *dim, size_t n, const double *mu,
                  enum parzen_width width)
{
    ck_assert_int_eq(parzen_init(parzen, 50, 1), 0);
    parzen_begin(parzen, dim, 1);
    for (size_t i = 0; i < n; i++)
        parzen_add(parzen, &mu[i]);
    parzen_finish(parzen, width, 1);
}

static const struct {
    size_t n;
    double mu[5];
    enum parzen_width width;
} mixtures[] = {
    {0, {0}, PARZEN_RATE},
    {1, {0.3}, PARZEN_RATE},
    {3, {0, 0.5, 1}, PARZEN_RATE},
    {5, {0.1, 0.1, 0.1, 0.1, 0.1}, PARZEN_RATE},
    {0, {0}, PARZEN_NEIGHBOURS},
    {1, {0.3}, PARZEN_NEIGHBOURS},
    {3, {0, 0.5, 1}, PARZEN_NEIGHBOURS},
    {5, {0.1, 0.1, 0.1, 0.1, 0.1}, PARZEN_NEIGHBOURS},
};

START_TEST(a_density_integrates_to_one)
{
    struct parzen parzen;
    struct parzen_dim dim = {0};
    build(&parzen, &dim, mixtures[_i].n, mixtures[_i].mu, mixtures[_i].width);
    double sum = 0;
    for (int k = 0; k < 10000; k++) {
        double u = (k + 0.5) / 10000;
        sum += exp(parzen_log_density(&parzen, &u)) / 10000;
    }
    /* The densities are without the normal's 1 / sqrt(2 pi), which cancels in every ratio. */
    ck_assert_double_eq_tol(sum / sqrt(2 * M_PI), 1, 2e-4);
    parzen_fini(&parzen);
}
END_TEST

START_TEST(probabilities_of_choices_add_up_to_one)
{
    struct parzen parzen;
    struct parzen_dim dim = {.n_choices = 4};
    build(&parzen, &dim, 3, (double[]){1, 1, 2}, PARZEN_RATE);
    /* n = 3: share 1/4, hit (5/4) / 2, miss (1/4) / 2, prior 1/4 */
    static const double want[] = {(3 * 0.125 + 0.25) / 4, (2 * 0.625 + 0.125 + 0.25) / 4,
                                  (0.625 + 2 * 0.125 + 0.25) / 4, (3 * 0.125 + 0.25) / 4};
    for (int c = 0; c < 4; c++)
        ck_assert_double_eq_tol(exp(parzen_log_density(&parzen, &(double){c})), want[c], 1e-12);
    parzen_fini(&parzen);
}
END_TEST

START_TEST(draws_follow_the_density)
{
    struct parzen parzen;
    struct parzen_dim dim = {.n_choices = _i ? 5 : 0};
    struct rng rng;
    rng_init(&rng, 1, 1);
    build(&parzen, &dim, 3, _i ? (double[]){1, 1, 4} : (double[]){0.05, 0.1, 0.8}, PARZEN_RATE);
    enum { CELLS = 10, N = 20000 };
    int counts[CELLS] = {0};
    double want[CELLS] = {0}, u;
    for (int i = 0; i < N; i++) {
        parzen_sample(&u, &parzen, &rng);
        ck_assert(u >= 0 && u <= (_i ? 4 : 1));
        counts[_i ? (int)u : u < 1 ? (int)(u * CELLS) : CELLS - 1]++;
    }
    for (int k = 0; k < (_i ? 5 : 1000); k++) {
        u = _i ? k : (k + 0.5) / 1000;
        want[_i ? k : k / 100] += exp(parzen_log_density(&parzen, &u)) / (_i ? 1 : 1000 * sqrt(2 * M_PI));
    }
    for (int c = 0; c < CELLS; c++)
        ck_assert_double_eq_tol((double)counts[c] / N, want[c], 0.015);
    parzen_fini(&parzen);
}
END_TEST

START_TEST(history_keeps_valued_failed_and_pending_apart)
{
    struct space *space = test_space_named("one double");
    struct history history;
    ck_assert_int_eq(history_init(&history, space), 0);
    static const struct observation told[] = {
        {.kind = OBSERVED_PENDING, .trial = 1},
        {.kind = OBSERVED_PENDING, .trial = 2},
        {.kind = OBSERVED_PENDING, .trial = 3},
        {.kind = OBSERVED_FINAL, .trial = 4, .value = 5},
        {.kind = OBSERVED_PARTIAL, .trial = 3, .value = 9},
        {.kind = OBSERVED_FAILED, .trial = 1},
        {.kind = OBSERVED_PARTIAL, .trial = 3, .value = 2},
        {.kind = OBSERVED_PENDING, .trial = 3},
        {.kind = OBSERVED_FINAL, .trial = 5, .value = 5},
    };
    double point = 1;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct observation observation = told[i];
        observation.point = &point;
        ck_assert_int_eq(history_observe(&history, &observation), 0);
    }
    const struct family *family = &history.families[0];
    uint32_t best[5];
    ck_assert_uint_eq(family->settled.n, 4);
    ck_assert_uint_eq(family->n_valued, 3);
    ck_assert_uint_eq(family->pending.n, 1);
    ck_assert_uint_eq(history.records[family->pending.records[0]].trial, 2);
    ck_assert_uint_eq(history_best(best, &history, family, 0, 5), 3);
    static const uint64_t want[] = {4, 3, 5}; /* nothing compares 3 with the others: in the middle */
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(history.records[best[i]].trial, want[i]);
    history_fini(&history);
    space_destroy(space);
}
END_TEST

static const struct {
    const char *text; /* trial, step and value of what is told; step -1: the end */
    const char *want; /* trials, the best first */
} orders[] = {
    /* Those that went on divide their places anew: 2 and 3 swap, 1 and 4 stay. */
    {"1 0 .1  2 0 .2  3 0 .3  4 0 .4  2 2 .9  3 2 .5", "1 3 2 4"},
    /* Over three levels: 5 of the four that went on, and 2 of those that ended. */
    {"1 0 .1  2 0 .2  3 0 .3  4 0 .4  5 0 .5  6 0 .6  1 2 .5  2 2 .4  5 2 .3  6 2 .2  2 -1 .1  5 -1 .2",
     "6 2 3 4 5 1"},
    /* Values at different levels are not compared. */
    {"1 0 9  2 0 8  2 8 99", "2 1"},
    /* A trial that was never told at the level keeps its place among those above. */
    {"1 0 .1  2 0 .2  1 2 5  2 2 7  3 -1 6  2 -1 8  1 -1 4", "1 3 2"},
    /* Trials of which nothing is known in common: the shares of the groups are mixed. */
    {"1 -1 1  2 -1 2  3 0 7  4 0 8", "1 3 2 4"},
    /* In the same octave the lower step counts; a lower step means that the trial began anew. */
    {"1 3 .5  1 5 .1  2 3 .4", "2 1"},
    {"1 0 .5  1 2 .1  2 0 .6  1 0 .7", "2 1"},
};

START_TEST(levels_make_one_order)
{
    struct space *space = test_space_named("one double");
    struct history history;
    ck_assert_int_eq(history_init(&history, space), 0);
    double point = 1;
    char *next = (char *)(uintptr_t)orders[_i].text, got[64] = "";
    while (*next) {
        struct observation told = {.trial = strtoull(next, &next, 10), .point = &point};
        told.step = strtoll(next, &next, 10);
        told.value = strtod(next, &next);
        told.kind = told.step < 0 ? OBSERVED_FINAL : OBSERVED_PARTIAL;
        ck_assert_int_eq(history_observe(&history, &told), 0);
    }
    for (size_t want = 1; want <= history.n; want++) {
        uint32_t best[8];
        size_t n = history_best(best, &history, history_all(&history), 0, want);
        ck_assert_uint_eq(n, want);
        got[0] = 0;
        for (size_t i = 0; i < n; i++)
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), i ? " %llu" : "%llu",
                           (unsigned long long)history.records[best[i]].trial);
        ck_assert_msg(strncmp(got, orders[_i].want, strlen(got)) == 0, "%s, not %s", got, orders[_i].want);
    }
    ck_assert_str_eq(got, orders[_i].want);
    history_fini(&history);
    space_destroy(space);
}
END_TEST

START_TEST(a_trial_that_was_cut_is_no_whole_one)
{
    struct space *space = test_space_named("one double");
    struct history history;
    uint32_t best[2];
    double point = 1;
    struct observation told[] = {
        {.kind = OBSERVED_PARTIAL, .trial = 1, .point = &point, .value = 2, .step = 0},
        {.kind = OBSERVED_FINAL, .trial = 1, .point = &point, .value = 1, .step = 4, .is_cut = true},
        {.kind = OBSERVED_PARTIAL, .trial = 2, .point = &point, .value = 3, .step = 0},
        {.kind = OBSERVED_FINAL, .trial = 2, .point = &point, .value = 5, .step = 8},
        {.kind = OBSERVED_FINAL, .trial = 3, .point = &point, .value = 1, .step = 4, .is_cut = true},
    };
    ck_assert_int_eq(history_init(&history, space), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(history_observe(&history, &told[i]), 0);
    ck_assert_uint_eq(history_best(best, &history, history_all(&history), 0, 1), 1);
    ck_assert_uint_eq(history.records[best[0]].trial, 1);
    told[2].value = 1; /* trial 2 began anew and was better there */
    told[3].value = 9;
    history_fini(&history);
    ck_assert_int_eq(history_init(&history, space), 0);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(history_observe(&history, &told[i]), 0);
    ck_assert_uint_eq(history_best(best, &history, history_all(&history), 0, 1), 1);
    ck_assert_uint_eq(history.records[best[0]].trial, 2);
    ck_assert_uint_eq(history_all(&history)->levels[2].n, 1); /* trial 3, whose only value is at 5 units */
    ck_assert_uint_eq(history_all(&history)->levels[HISTORY_WHOLE].n, 1);
    history_fini(&history);
    space_destroy(space);
}
END_TEST

START_TEST(the_highest_level_with_enough_records_can_be_taken_alone)
{
    struct space *space = test_space_named("one double");
    struct history history;
    double point = 1;
    uint32_t best[10];
    ck_assert_int_eq(history_init(&history, space), 0);
    /* Ten at 1 unit, the later the better; the first four at 4 units; the first two to the end. */
    for (uint64_t trial = 1; trial <= 10; trial++)
        for (int64_t step = 0; step < (trial <= 2 ? 9 : trial <= 4 ? 6 : 3); step += 3)
            ck_assert_int_eq(
                history_observe(&history,
                                &(struct observation){.kind = step < 6 ? OBSERVED_PARTIAL : OBSERVED_FINAL,
                                                      .trial = trial,
                                                      .point = &point,
                                                      .step = step,
                                                      .value = -(double)trial}),
                0);
    const struct family *all = history_all(&history);
    ck_assert_int_eq(history_top_level(all, 2), HISTORY_WHOLE);
    ck_assert_int_eq(history_top_level(all, 4), 2);
    ck_assert_int_eq(history_top_level(all, 10), 0);
    ck_assert_int_eq(history_top_level(all, 11), 0);
    ck_assert_uint_eq(history_n_reached(all, HISTORY_WHOLE), 2);
    ck_assert_uint_eq(history_n_reached(all, 2), 4);
    ck_assert_uint_eq(history_n_reached(all, 0), 10);
    ck_assert_uint_eq(history_best(best, &history, all, 2, 10), 4);
    ck_assert_uint_eq(history.records[best[0]].trial, 4);
    ck_assert_uint_eq(history_best(best, &history, all, 0, 10), 10);
    ck_assert_uint_eq(history.records[best[0]].trial, 10);
    history_fini(&history);
    space_destroy(space);
}
END_TEST

/* Trials that are good after one step are bad later: at 8 it is the other way round. */
static double later(double x, int64_t step)
{
    return step == 0 ? fabs(x + 2) : fabs(x - 2);
}

/* Of the second half of 80 trials, how many are near what is good later. */
static size_t count_near_later(uint64_t seed)
{
    struct space *space = test_space_named("one double");
    struct plugin plugin = {0};
    struct search *search = NULL;
    size_t n = 0;
    ck_assert_int_eq(plugin_set_name(&plugin, "tpe", 1, 1), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, seed, 0, 1, NULL), 0);
    for (uint64_t trial = 1; trial <= 80; trial++) {
        double x;
        ck_assert_int_eq(search_suggest(&x, search, trial, NULL), 0);
        for (int64_t step = 0; step < (trial % 3 ? 1 : 16); step += 7)
            ck_assert_int_eq(search_observe(search, &(struct observation){.kind = OBSERVED_PARTIAL,
                                                                          .trial = trial,
                                                                          .point = &x,
                                                                          .step = step,
                                                                          .value = later(x, step)}),
                             0);
        n += trial > 40 && fabs(x - 2) < fabs(x + 2);
    }
    search_destroy(search);
    plugin_fini(&plugin);
    space_destroy(space);
    return n;
}

START_TEST(what_came_of_a_trial_later_counts_more)
{
    size_t n = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        n += count_near_later(seed);
    ck_assert_uint_gt(n, 135); /* of 200; at random 100 */
}
END_TEST

START_TEST(parameters_with_the_same_conditions_are_a_family)
{
    struct space *space = test_space_named("conditional");
    struct history history;
    ck_assert_int_eq(history_init(&history, space), 0);
    ck_assert_uint_eq(history.n_families, 4); /* solver and layers; momentum_kind; momentum; beta */
    ck_assert_uint_eq(history.families[0].n_dims, 2);
    history_fini(&history);
    space_destroy(space);
}
END_TEST

/* The best of n trials; `pending` so many are asked for before the first is told. */
static double run(const char *name, const char *multivariate, const struct space *space, uint64_t seed, int n,
                  uint64_t pending, double (*f)(const double *))
{
    struct plugin plugin = {0};
    struct search *search = NULL;
    double points[16][10], best = INFINITY;
    ck_assert_int_eq(plugin_set_name(&plugin, name, 1, 1), 0);
    if (strcmp(name, "tpe") == 0)
        ck_assert_int_eq(plugin_add(&plugin, "multivariate", multivariate, 1, 1), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, seed, n, 1, NULL), 0);
    for (uint64_t trial = 1; trial <= (uint64_t)n + pending; trial++) {
        ck_assert_int_eq(search_suggest(points[trial % 16], search, trial, NULL), 0);
        if (trial <= pending)
            continue;
        uint64_t done = trial - pending;
        double value = f(points[done % 16]);
        best = fmin(best, value);
        ck_assert_int_eq(search_observe(search, &(struct observation){.kind = OBSERVED_FINAL,
                                                                      .trial = done,
                                                                      .point = points[done % 16],
                                                                      .value = value}),
                         0);
    }
    search_destroy(search);
    plugin_fini(&plugin);
    return best;
}

static double bowl(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 10; i++)
        sum += (x[i] - 0.4) * (x[i] - 0.4);
    return sum;
}

/* Solver 1 is best, with beta at 0.03; the others are flat. */
static double branches(const double *x)
{
    return x[0] == 1 ? fabs(log10(x[3]) + 1.5) + (x[4] - 1) / 10 : 2 - x[0] / 10;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const struct {
    const char *space, *multivariate;
    double (*f)(const double *);
    uint64_t pending;
    double share; /* of random search's median */
} contests[] = {
    {"ten doubles", "true", bowl, 0, 0.4},      {"ten doubles", "false", bowl, 0, 0.4},
    {"ten doubles", "true", bowl, 8, 0.5},      {"conditional", "true", branches, 0, 0.6},
    {"conditional", "false", branches, 0, 0.6},
};

START_TEST(it_finds_better_points_than_random)
{
    enum { SEEDS = 11, TRIALS = 120 };
    struct space *space = test_space_named(contests[_i].space);
    double tpe[SEEDS], random[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        tpe[seed] =
            run("tpe", contests[_i].multivariate, space, seed, TRIALS, contests[_i].pending, contests[_i].f);
        random[seed] = run("random", "", space, seed, TRIALS, 0, contests[_i].f);
    }
    qsort(tpe, SEEDS, sizeof *tpe, compare_doubles);
    qsort(random, SEEDS, sizeof *random, compare_doubles);
    ck_assert_double_lt(tpe[SEEDS / 2], contests[_i].share * random[SEEDS / 2]);
    space_destroy(space);
}
END_TEST

START_TEST(pending_trials_are_kept_away_from)
{
    /* After the same history a suggestion is drawn ten times with the earlier ones pending: they spread. */
    struct space *space = test_space_named("one double");
    struct plugin plugin = {0};
    struct search *search = NULL;
    ck_assert_int_eq(plugin_set_name(&plugin, "tpe", 1, 1), 0);
    ck_assert_int_eq(search_create(&search, &plugin, space, GOAL_MINIMIZE, 3, 100, 1, NULL), 0);
    for (uint64_t trial = 1; trial <= 20; trial++) {
        double x = -5 + 0.75 * (double)trial;
        ck_assert_int_eq(search_observe(search, &(struct observation){.kind = OBSERVED_FINAL,
                                                                      .trial = trial,
                                                                      .point = &x,
                                                                      .value = (x - 3) * (x - 3)}),
                         0);
    }
    double low = INFINITY, high = -INFINITY, x;
    for (uint64_t trial = 21; trial <= 30; trial++) {
        ck_assert_int_eq(search_suggest(&x, search, trial, NULL), 0);
        low = fmin(low, x);
        high = fmax(high, x);
    }
    ck_assert_double_gt(high - low, 1);
    search_destroy(search);
    plugin_fini(&plugin);
    space_destroy(space);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("tpe");
    TCase *all = tcase_create("tpe");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, a_density_integrates_to_one, 0, COUNT(mixtures));
    tcase_add_test(all, probabilities_of_choices_add_up_to_one);
    tcase_add_loop_test(all, draws_follow_the_density, 0, 2);
    tcase_add_test(all, history_keeps_valued_failed_and_pending_apart);
    tcase_add_loop_test(all, levels_make_one_order, 0, COUNT(orders));
    tcase_add_test(all, the_highest_level_with_enough_records_can_be_taken_alone);
    tcase_add_test(all, what_came_of_a_trial_later_counts_more);
    tcase_add_test(all, a_trial_that_was_cut_is_no_whole_one);
    tcase_add_test(all, parameters_with_the_same_conditions_are_a_family);
    tcase_add_loop_test(all, it_finds_better_points_than_random, 0, COUNT(contests));
    tcase_add_test(all, pending_trials_are_kept_away_from);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
