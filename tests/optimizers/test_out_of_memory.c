/* Each allocation of the plug-ins, of the fronts around them and of ask and tell fails in turn: every call
 * says ERR_NOMEM or does its work, and leaks nothing (which the sanitizer's build sees). Looped over the
 * registries: a new plug-in needs no new test. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contexts/context.h"
#include "optimizers/registry.h"
#include "sdk/prova.h"
#include "spaces.h"
#include "tests/core/fail_each.h"

enum { N_TRIALS = 16, N_STEPS = 4, N_RUNS = 60, MAX_PARAMS = 150 };

/* What the attempts below work on; made before, for that may not fail. */
static struct {
    const struct space *space;
    struct plugin plugin;
    void *options;
    const struct schedule_type *schedule;
    const struct stopping_type *stopping;
    struct spec *spec;
} given;

static double value_at(uint64_t trial, int64_t step)
{
    return (double)(trial * 7 % 11) + 1.0 / (double)(step + 1);
}

/* Searches */

static int search_some(struct search *search)
{
    int code = 0;
    for (uint64_t trial = 1; trial <= N_TRIALS && code == 0; trial++) {
        double point[MAX_PARAMS];
        code = search_suggest(point, search, trial, NULL);
        if (code == ERR_EXHAUSTED)
            return 0;
        struct observation told = {.trial = trial, .point = point, .value = value_at(trial, 0), .step = 1};
        static const enum observation_kind kinds[] = {OBSERVED_PARTIAL, OBSERVED_FINAL, OBSERVED_FAILED};
        for (size_t i = 0; i < 3 && code == 0; i++) {
            told.kind = kinds[i];
            if (told.kind == OBSERVED_PARTIAL || (told.kind == OBSERVED_FAILED) == (trial % 5 == 0))
                code = search_observe(search, &told);
        }
    }
    return code;
}

static int use_search(void)
{
    struct search *search = NULL;
    struct err err = {0};
    int code = search_create(&search, &given.plugin, given.space, GOAL_MINIMIZE, 7, N_TRIALS, 2, &err);
    REQUIRE((code == 0) == (search != NULL));
    REQUIRE((code == 0) == !*err.text);
    if (code == 0)
        code = search_some(search);
    search_destroy(search);
    return code;
}

START_TEST(a_search_says_so)
{
    struct space *space = test_space_create(&test_spaces[_i % (int)n_test_spaces]);
    given.space = space;
    ck_assert_uint_le(space->n_params, MAX_PARAMS);
    ck_assert_int_eq(plugin_set_name(&given.plugin, search_types[_i / (int)n_test_spaces]->name, 1, 1), 0);
    fail_each(use_search, 0);
    plugin_fini(&given.plugin);
    space_destroy(space);
}
END_TEST

/* Points that are known, failed and to be tried, told before the first trial. */
static struct warm_start warm;

static int use_warm_search(void)
{
    struct search *search = NULL;
    int code = search_create(&search, &given.plugin, given.space, GOAL_MAXIMIZE, 7, N_TRIALS, 2, NULL);
    if (code == 0)
        code = search_warm_start(search, &warm);
    if (code == 0)
        code = search_some(search);
    search_destroy(search);
    return code;
}

static void fill_warm(const struct space *space)
{
    struct search *random = NULL;
    double point[MAX_PARAMS];
    ck_assert_int_eq(plugin_set_name(&given.plugin, "random", 1, 1), 0);
    ck_assert_int_eq(search_create(&random, &given.plugin, space, GOAL_MINIMIZE, 3, 0, 1, NULL), 0);
    plugin_fini(&given.plugin);
    for (uint64_t i = 1; i <= 12; i++) {
        struct warm_point known = {.kind = i % 3 == 0   ? WARM_TRY
                                           : i % 4 == 0 ? WARM_FAILED
                                                        : WARM_VALUE,
                                   .value = (double)(i % 5),
                                   .step = (int64_t)(i % 2)};
        ck_assert_int_eq(search_suggest(point, random, i, NULL), 0);
        ck_assert_int_eq(warm_start_add(&warm, space, point, known, NULL), 0);
    }
    search_destroy(random);
}

START_TEST(a_warm_start_says_so)
{
    struct space *space = test_space_named("mixed");
    given.space = space;
    fill_warm(space);
    ck_assert_int_eq(plugin_set_name(&given.plugin, search_types[_i]->name, 1, 1), 0);
    fail_each(use_warm_search, 0);
    plugin_fini(&given.plugin);
    warm_start_fini(&warm);
    space_destroy(space);
}
END_TEST

/* Schedules */

static void *make_options(const char *name, const struct option *options, size_t n, size_t size)
{
    struct plugin plugin = {0};
    struct faults faults = {0};
    void *values = calloc(1, size + 1);
    ck_assert_ptr_nonnull(values);
    ck_assert_int_eq(plugin_set_name(&plugin, name, 1, 1), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(options[i].name, "max_budget") == 0 || strcmp(options[i].name, "value") == 0)
            ck_assert_int_eq(plugin_add(&plugin, options[i].name, "9", 1, 1), 0);
    }
    size_t n_faults = options_parse(values, options, n, &plugin, name, &faults);
    ck_assert_msg(n_faults == 0, "%s", n_faults ? faults.list[0].text : "");
    plugin_fini(&plugin);
    return values;
}

/* One turn of a worker: what the schedule plans, until it ends or pauses. *done[trial]: steps that it has. */
static int run_plan(void *state, uint64_t trial, int64_t budget, int64_t *done)
{
    enum decision decision = DECISION_CONTINUE;
    int code = given.schedule->started(state, trial, budget);
    int64_t step = *done, end = budget ? budget : N_STEPS;
    for (; step < end && code == 0 && decision == DECISION_CONTINUE; step++)
        decision = given.schedule->report(state, trial, step, value_at(trial, step));
    *done = step;
    enum trial_state how = decision == DECISION_PAUSE  ? TRIAL_PAUSED
                           : decision == DECISION_STOP ? TRIAL_STOPPED
                                                       : TRIAL_COMPLETED;
    return code ? code : given.schedule->ended(state, trial, how, step - 1, value_at(trial, step - 1));
}

static int use_schedule(void)
{
    void *state = NULL;
    int64_t done[N_RUNS + 1] = {0};
    uint64_t n = 0;
    struct err err = {0};
    int code = given.schedule->create(
        &state,
        &(struct schedule_setup){.options = given.options, .seed = 1, .n_trials = N_RUNS, .n_workers = 1},
        &err);
    REQUIRE((code == 0) == !*err.text);
    for (int i = 0; i < N_RUNS && code == 0; i++) {
        struct plan plan = {0};
        given.schedule->next(&plan, state);
        if (plan.kind == PLAN_WAIT || plan.kind == PLAN_DONE)
            break;
        uint64_t trial = plan.kind == PLAN_NEW ? ++n : plan.trial;
        REQUIRE(trial >= 1 && trial <= n);
        code = run_plan(state, trial, plan.budget, &done[trial]);
    }
    if (state)
        given.schedule->destroy(state);
    return code;
}

START_TEST(a_schedule_says_so)
{
    const struct schedule_type *type = given.schedule = schedule_types[_i];
    given.options = make_options(type->name, type->options, type->n_options, type->options_size);
    fail_each(use_schedule, 0);
    free(given.options);
}
END_TEST

/* Stopping rules */

static int use_stopping(void)
{
    void *state = NULL;
    struct err err = {0};
    int code = given.stopping->create(
        &state, &(struct stopping_setup){.options = given.options, .goal = GOAL_MINIMIZE}, &err);
    REQUIRE((code == 0) == !*err.text);
    for (uint64_t trial = 1; trial <= N_TRIALS && code == 0; trial++) {
        struct curve curve = {0};
        bool stops = false;
        for (int64_t step = 0; step < N_STEPS && code == 0 && !stops; step++) {
            code = curve_add(&curve, step, value_at(trial, step));
            stops = code == 0 && given.stopping->report && given.stopping->report(state, trial, &curve);
        }
        if (code == 0 && given.stopping->ended)
            code = given.stopping->ended(state, trial, stops ? TRIAL_STOPPED : TRIAL_COMPLETED, &curve);
        curve_fini(&curve);
    }
    if (state)
        given.stopping->destroy(state);
    return code;
}

START_TEST(a_stopping_rule_says_so)
{
    const struct stopping_type *type = given.stopping = stopping_types[_i];
    given.options = make_options(type->name, type->options, type->n_options, type->options_size);
    fail_each(use_stopping, 0);
    free(given.options);
}
END_TEST

/* Contexts, and the check of all choices */

static const char *const sweeps[] = {
    "context: single\n",
    ("context: ablation\nparameters: {x: {min: 0, max: 1.0}}\n"
     "ablation: {features: [a, b], layers: [c], parameters: {x: 0}, groups: [[a, c]], mode: [loco, only, pairs]}\n"),
    "parameters: {x: {min: 0, max: 1.0}}\nstopping: {name: median, min_trials: 1}\n",
    "parameters: {x: {min: 0, max: 1.0}}\nschedule: {name: asha, max_budget: 9}\nstopping: patience\n",
    "parameters: {x: {min: 0, max: 5}}\nsearch: {name: grid, counts.x: 3}\n",
};

static int use_context(void)
{
    struct context *context = NULL;
    struct err err = {0};
    int code = context_create(&context, given.spec, &err);
    REQUIRE((code == 0) == (context != NULL));
    for (uint64_t trial = 1; trial <= N_TRIALS && code == 0; trial++) {
        struct curve curve = {0};
        enum decision decision = DECISION_CONTINUE;
        code = context_started(context, trial, 9);
        for (int64_t step = 0; step < N_STEPS && code == 0 && decision == DECISION_CONTINUE; step++) {
            code = curve_add(&curve, step, value_at(trial, step));
            decision = code == 0 ? context_report(context, trial, &curve) : DECISION_CONTINUE;
        }
        enum trial_state end = decision == DECISION_PAUSE ? TRIAL_PAUSED : TRIAL_COMPLETED;
        if (code == 0)
            code = context_ended(context, trial, end, &curve, value_at(trial, 0));
        curve_fini(&curve);
    }
    context_destroy(context);
    return code;
}

static int check_spec(void)
{
    struct faults faults = {0};
    REQUIRE(context_check(given.spec, &faults) == 0);
    int code = faults.failed;
    faults_fini(&faults);
    return code;
}

START_TEST(a_context_says_so)
{
    struct text text = {0};
    struct faults faults = {0};
    text_printf(&text, "train: {command: [./train]}\nmetric: {name: loss, goal: minimize}\n%s", sweeps[_i]);
    int code = spec_parse(&given.spec, text_get(&text), text.size, "sweep.yaml", NULL, 0, &faults);
    ck_assert_msg(code == 0, "%s", faults.n ? faults.list[0].text : "");
    fail_each(use_context, 0);
    fail_each(check_spec, 0);
    spec_destroy(given.spec);
    text_fini(&text);
    faults_fini(&faults);
}
END_TEST

/* Ask and tell */

static int ask_and_tell(prova_search *search)
{
    int code = 0;
    for (int i = 0; i < N_TRIALS && code == 0; i++) {
        int64_t number = 0;
        code = prova_search_ask(search, &number);
        if (code == 0)
            code = prova_search_tell_step(search, number, 1, i);
        if (code == 0)
            code = i % 5 ? prova_search_tell(search, number, i) : prova_search_tell_failed(search, number);
    }
    char error[200];
    if (code == 0)
        code = prova_search_add(search, "{\"lr\": 0.5, \"solver\": \"sgd\"}", 3, NULL, error, sizeof error);
    return code;
}

static int use_ask(void)
{
    char error[200] = "";
    prova_search *search = prova_search_new("lr: {min: 0.1, max: 1.0}\nsolver: {values: [sgd, adam]}\n",
                                            given.plugin.name, NULL, "minimize", 7, error, sizeof error);
    if (!search) {
        REQUIRE(strstr(error, "memory"));
        return ERR_NOMEM;
    }
    int code = ask_and_tell(search);
    prova_search_free(search);
    return code;
}

/* Saved and loaded again, it goes on. */
static int use_saved(void)
{
    char error[200] = "";
    prova_search *search = prova_search_new("lr: {min: 0.1, max: 1.0}\nsolver: {values: [sgd, adam]}\n",
                                            given.plugin.name, NULL, "minimize", 7, error, sizeof error);
    prova_search *again = NULL;
    int code = search ? ask_and_tell(search) : ERR_NOMEM;
    if (code == 0) {
        const char *text = prova_search_save(search);
        again = text ? prova_search_load(text, error, sizeof error) : NULL;
        REQUIRE(!text || again || strstr(error, "memory"));
        int64_t number = 0, same = 0;
        code = again ? prova_search_ask(again, &number) : ERR_NOMEM;
        if (code == 0)
            code = prova_search_ask(search, &same);
        REQUIRE(code < 0 || number == same);
    }
    prova_search_free(again);
    prova_search_free(search);
    return code;
}

START_TEST(save_and_load_say_so)
{
    if (search_types[_i]->exhaustive)
        return; /* as below */
    ck_assert_int_eq(plugin_set_name(&given.plugin, search_types[_i]->name, 1, 1), 0);
    fail_each(use_saved, 0);
    plugin_fini(&given.plugin);
}
END_TEST

START_TEST(ask_and_tell_say_so)
{
    if (search_types[_i]->exhaustive)
        return; /* the point to add may be one of the grid's */
    ck_assert_int_eq(plugin_set_name(&given.plugin, search_types[_i]->name, 1, 1), 0);
    fail_each(use_ask, 0);
    plugin_fini(&given.plugin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("out of memory");
    TCase *all = tcase_create("everything");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, a_search_says_so, 0, (int)(n_search_types * n_test_spaces));
    tcase_add_loop_test(all, a_schedule_says_so, 0, (int)n_schedule_types);
    tcase_add_loop_test(all, a_stopping_rule_says_so, 0, (int)n_stopping_types);
    tcase_add_loop_test(all, a_context_says_so, 0, (int)(sizeof sweeps / sizeof *sweeps));
    tcase_add_loop_test(all, a_warm_start_says_so, 0, (int)n_search_types);
    tcase_add_loop_test(all, ask_and_tell_say_so, 0, (int)n_search_types);
    tcase_add_loop_test(all, save_and_load_say_so, 0, (int)n_search_types);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
