/* What every search must do, looped over the registry, spaces and objectives: a new plug-in needs no new
 * test. */
#include <check.h>
#include <stdlib.h>

#include "search_run.h"

enum { N_TRIALS = 60, N_NEXT = 4 };

/* Which points come after a history is no matter of memory: with a sanitizer one objective is enough for it.
 */
enum { ALL = N_OBJECTIVES, FEW = IS_SANITIZED ? 1 : ALL };

static int count_objectives(const struct search_type *type, int most)
{
    int n = n_objectives(type);
    return n < most ? n : most;
}

#define FOR_EACH_OBJECTIVE(run, n_max, most)                                                                 \
    for (int o_ = 0; o_ < count_objectives(search_types[_i / (int)n_test_spaces], most); o_++)               \
        for (int once_ = (run_init(run, search_types[_i / (int)n_test_spaces],                               \
                                   &test_spaces[_i % (int)n_test_spaces], &objectives[o_], n_max),           \
                          1);                                                                                \
             once_; once_ = (run_fini(run), 0))

START_TEST(points_are_valid_and_never_repeat_whatever_the_values)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS, ALL)
    run_trials(&run, N_TRIALS);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_points)
{
    struct run run, other;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS, FEW)
    {
        run_init(&other, run.type, &test_spaces[_i % (int)n_test_spaces], run.objective, N_TRIALS);
        run_trials(&run, N_TRIALS);
        run_trials(&other, N_TRIALS);
        ck_assert_uint_eq(run.n, other.n);
        for (uint64_t trial = 1; trial <= run.n; trial++)
            ck_assert(space_equal(run.space, point_of(&run, trial), point_of(&other, trial)));
        run_fini(&other);
    }
}
END_TEST

/* Trials 1 ... n told again, in the order in which things happened: each pending, then its end. */
static struct search *rebuild(struct run *run, size_t n)
{
    struct search *search = open_search(run->type, run->space, 7);
    for (uint64_t trial = 1; trial <= n; trial++) {
        tell(search,
             &(struct observation){.kind = OBSERVED_PENDING, .trial = trial, .point = point_of(run, trial)});
        finish(run, search, trial);
    }
    return search;
}

START_TEST(rebuilt_from_history_it_goes_on_the_same)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS + N_NEXT, FEW)
    {
        run_trials(&run, N_TRIALS / 2);
        size_t n = run.n;
        struct search *rebuilt = rebuild(&run, n);
        double *point = calloc(run.space->n_params, sizeof *point);
        for (int i = 0; i < N_NEXT; i++) {
            uint64_t trial = run.n + 1;
            bool more = suggest(&run);
            int code = search_suggest(point, rebuilt, trial, NULL);
            ck_assert_int_eq(code, more ? 0 : ERR_EXHAUSTED);
            if (!more)
                break;
            ck_assert_msg(space_equal(run.space, point, point_of(&run, trial)), "%s on %s", run.type->name,
                          run.name);
        }
        free(point);
        search_destroy(rebuilt);
    }
}
END_TEST

START_TEST(pending_points_are_not_given_again)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS, FEW)
    {
        run_trials(&run, 10);
        for (int i = 0; i < 20 && suggest(&run); i++) /* none of them told */
            continue;
    }
}
END_TEST

START_TEST(results_in_any_order_are_taken)
{
    struct run run;
    FOR_EACH_OBJECTIVE(&run, N_TRIALS, FEW)
    {
        while (run.n < 16 && suggest(&run))
            continue;
        for (uint64_t trial = run.n; trial > 0; trial--)
            finish(&run, run.search, trial);
        (void)suggest(&run);
    }
}
END_TEST

START_TEST(a_finite_space_is_emptied)
{
    const struct search_type *type = search_types[_i / (int)n_test_spaces];
    const struct test_space *kind = &test_spaces[_i % (int)n_test_spaces];
    if (!(kind->cardinality < 1000) || type->exhaustive)
        return;
    struct run run;
    run_init(&run, type, kind, &objectives[0], 1000);
    run_trials(&run, 1000);
    ck_assert_double_eq((double)run.n, kind->cardinality);
    run_fini(&run);
}
END_TEST

START_TEST(defaults_come_first)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("mixed");
    struct search *search = open_search(type, space, 3);
    double point[7], initial[7];
    space_default_point(initial, space);
    ck_assert_int_eq(search_suggest(point, search, 1, NULL), 0);
    ck_assert_int_eq(space_equal(space, point, initial), !type->exhaustive);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(maximising_is_minimising_the_negative)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("mixed");
    struct plugin plugin = {0};
    struct search *up = NULL, *down = open_search(type, space, 5);
    ck_assert_int_eq(plugin_set_name(&plugin, type->name, 1, 1), 0);
    ck_assert_int_eq(search_create(&up, &plugin, space, GOAL_MAXIMIZE, 5, 1000, 4, NULL), 0);
    for (uint64_t trial = 1; trial <= 40; trial++) {
        double a[7], b[7];
        ck_assert_int_eq(search_suggest(a, down, trial, NULL), 0);
        ck_assert_int_eq(search_suggest(b, up, trial, NULL), 0);
        ck_assert(space_equal(space, a, b));
        double value = objectives[0].value(space, a, trial);
        tell(down, &(struct observation){.kind = OBSERVED_FINAL, .trial = trial, .point = a, .value = value});
        tell(up, &(struct observation){.kind = OBSERVED_FINAL, .trial = trial, .point = a, .value = -value});
    }
    search_destroy(up);
    search_destroy(down);
    plugin_fini(&plugin);
    space_destroy(space);
}
END_TEST

START_TEST(a_point_from_elsewhere_is_not_given_again)
{
    const struct search_type *type = search_types[_i];
    if (type->exhaustive)
        return;
    struct space *space = test_space_named("conditional finite");
    struct search *search = open_search(type, space, 5);
    double theirs[5] = {NAN, 0, 1, 3, 1}, point[5];
    tell(search,
         &(struct observation){.kind = OBSERVED_FINAL, .trial = 1u << 20, .point = theirs, .value = 1});
    uint64_t n = 0;
    while (search_suggest(point, search, n + 1, NULL) == 0) {
        ck_assert(!space_equal(space, point, theirs));
        n++;
    }
    ck_assert_uint_eq(n, 15);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(a_point_that_is_none_of_the_space_is_refused)
{
    const struct search_type *type = search_types[_i];
    struct space *space = test_space_named("conditional finite");
    struct search *search = open_search(type, space, 5);
    double wrong[5] = {1, 0, 1, 3, 1};
    struct observation observation = {.kind = OBSERVED_FINAL, .trial = 1, .point = wrong, .value = 1};
    ck_assert_int_eq(search_observe(search, &observation), ERR_INVALID);
    search_destroy(search);
    space_destroy(space);
}
END_TEST

START_TEST(the_type_is_complete)
{
    const struct search_type *type = search_types[_i];
    ck_assert(type->name && *type->name && type->summary && *type->summary && type->paper);
    ck_assert(type->create && type->destroy && type->suggest);
    ck_assert(!type->learns || type->observe);
    ck_assert_ptr_eq(search_type_find(type->name), type);
    for (size_t i = 0; i < type->n_options; i++)
        ck_assert(type->options[i].name && type->options[i].help && *type->options[i].help);
    type->destroy(NULL);
}
END_TEST

static void fill(TCase *tcase, int type)
{
    int first = type * (int)n_test_spaces, end = first + (int)n_test_spaces;
    tcase_add_loop_test(tcase, the_type_is_complete, type, type + 1);
    tcase_add_loop_test(tcase, points_are_valid_and_never_repeat_whatever_the_values, first, end);
    tcase_add_loop_test(tcase, the_same_seed_gives_the_same_points, first, end);
    tcase_add_loop_test(tcase, rebuilt_from_history_it_goes_on_the_same, first, end);
    tcase_add_loop_test(tcase, pending_points_are_not_given_again, first, end);
    tcase_add_loop_test(tcase, results_in_any_order_are_taken, first, end);
    tcase_add_loop_test(tcase, a_finite_space_is_emptied, first, end);
    tcase_add_loop_test(tcase, defaults_come_first, type, type + 1);
    tcase_add_loop_test(tcase, maximising_is_minimising_the_negative, type, type + 1);
    tcase_add_loop_test(tcase, a_point_from_elsewhere_is_not_given_again, type, type + 1);
    tcase_add_loop_test(tcase, a_point_that_is_none_of_the_space_is_refused, type, type + 1);
}

int main(int argc, char **argv)
{
    return run_shard(argc, argv, "searches", fill);
}
