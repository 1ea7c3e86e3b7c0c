/* The schedules: what all must do, looped over the registry, and successive halving against tables worked out
 * by hand. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "optimizers/registry.h"
#include "optimizers/rung.h"

enum { MAX_TRIALS = 200, MAX_STEPS = 30 };

static bool has_option(const struct schedule_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_options; i++) {
        if (strcmp(type->options[i].name, name) == 0)
            return true;
    }
    return false;
}

/* A schedule from "key", "value", ..., NULL. */
static int open_schedule(void **state, const struct schedule_type *type, int64_t n_trials,
                         const char *const *words, struct err *err)
{
    struct plugin plugin = {0};
    struct faults faults = {0};
    ck_assert_int_eq(plugin_set_name(&plugin, type->name, 1, 1), 0);
    for (size_t i = 0; words[i]; i += 2)
        ck_assert_int_eq(plugin_add(&plugin, words[i], words[i + 1], 1, 1), 0);
    void *options = calloc(1, type->options_size + 1);
    size_t n_faults = options_parse(options, type->options, type->n_options, &plugin, type->name, &faults);
    ck_assert_msg(n_faults == 0, "%s", n_faults ? faults.list[0].text : "");
    struct schedule_setup setup = {.options = options, .seed = 1, .n_trials = n_trials, .n_workers = 4};
    int code = type->create(state, &setup, err);
    free(options);
    plugin_fini(&plugin);
    return code;
}

static void *open_default(const struct schedule_type *type, int64_t n_trials)
{
    static const char *const none[] = {NULL}, *const budgets[] = {"max_budget", "27", NULL};
    void *state = NULL;
    struct err err = {0};
    const char *const *words = has_option(type, "max_budget") ? budgets : none;
    ck_assert_msg(open_schedule(&state, type, n_trials, words, &err) == 0, "%s", err.text);
    return state;
}

/* A trial of the simulation. Its curve does not depend on when it runs. */
struct trial {
    enum trial_state state;
    int64_t budget, n_steps; /* n_steps reported */
    uint64_t origin;         /* it began as a copy of that one, after first_step units; 0: it did not */
    int64_t first_step;
    int64_t stops_at; /* reports until it notices that it shall stop or pause; -1: it shall not */
    int64_t kept;     /* steps that it had when it was last paused */
    enum decision decision;
};

/* How trials report. */
enum gait {
    GAIT_EVERY, /* every step */
    GAIT_LEAPS, /* every second, third or fourth one alone: rungs lie between them */
    GAIT_AGAIN, /* some twice, and now and then an attempt is lost and begins anew */
    N_GAITS
};

struct simulation {
    const struct schedule_type *type;
    void *schedule;
    int64_t n_trials; /* limit */
    size_t n;         /* started */
    struct trial trials[MAX_TRIALS];
    struct rng rng;
    enum gait gait;
    double (*value)(uint64_t trial, int64_t step);
};

static double falling(uint64_t trial, int64_t step)
{
    double final = (double)(rng_mix(trial, 1) % 1000) / 1000,
           noise = (double)(rng_mix(trial, 2 + (uint64_t)step) % 100);
    return final + 1.0 / (double)(step + 1) + noise / 1000;
}

static double constant(uint64_t trial, int64_t step)
{
    (void)trial, (void)step;
    return 1;
}

/* Nearly all are ties, at every rung. */
static double tied(uint64_t trial, int64_t step)
{
    (void)step;
    return trial % 7 == 0;
}

static double strange(uint64_t trial, int64_t step)
{
    static const double values[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e-300, 0};
    return values[(trial + (uint64_t)step) % 7];
}

static double (*const curves[])(uint64_t, int64_t) = {falling, constant, strange, tied};
enum { N_CURVES = 4, N_SEEDS = N_CURVES * N_GAITS };

static bool is_active(const struct trial *trial)
{
    return trial->state == TRIAL_RUNNING;
}

static size_t count(const struct simulation *sim, enum trial_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < sim->n; i++)
        n += sim->trials[i].state == state;
    return n;
}

static void end(struct simulation *sim, uint64_t trial, enum trial_state state);

/* Gives a free worker what the schedule says; false: nothing. */
static bool start(struct simulation *sim)
{
    struct plan plan, same;
    sim->type->next(&plan, sim->schedule);
    while (plan.kind == PLAN_STOP) {
        ck_assert_int_eq(sim->trials[plan.trial - 1].state, TRIAL_PAUSED);
        end(sim, plan.trial, TRIAL_STOPPED);
        sim->type->next(&plan, sim->schedule);
    }
    sim->type->next(&same, sim->schedule);
    ck_assert(plan.kind == same.kind && plan.trial == same.trial && plan.budget == same.budget &&
              plan.units == same.units);
    uint64_t trial = plan.trial;
    if (plan.kind == PLAN_NEW && sim->n < (size_t)sim->n_trials) {
        trial = ++sim->n;
        sim->trials[trial - 1] = (struct trial){.stops_at = -1};
    } else if (plan.kind == PLAN_FORK && sim->n < (size_t)sim->n_trials) {
        ck_assert_uint_ge(plan.trial, 1);
        ck_assert_uint_le(plan.trial, sim->n);
        ck_assert_int_le(plan.units, sim->trials[plan.trial - 1].n_steps);
        ck_assert_int_gt(plan.budget, plan.units);
        trial = ++sim->n;
        sim->trials[trial - 1] = (struct trial){
            .stops_at = -1, .origin = plan.trial, .first_step = plan.units, .n_steps = plan.units};
        ck_assert_int_eq(sim->type->forked(sim->schedule, trial, plan.trial, plan.units), 0);
    } else if (plan.kind == PLAN_RESUME) {
        ck_assert_uint_ge(trial, 1);
        ck_assert_uint_le(trial, sim->n);
        ck_assert_int_eq(sim->trials[trial - 1].state, TRIAL_PAUSED);
        ck_assert_int_gt(plan.budget, sim->trials[trial - 1].budget);
    } else {
        if (plan.kind == PLAN_WAIT)
            ck_assert_uint_gt(count(sim, TRIAL_RUNNING), 0);
        return false;
    }
    sim->trials[trial - 1].state = TRIAL_RUNNING;
    sim->trials[trial - 1].budget = plan.budget;
    ck_assert_int_eq(sim->type->started(sim->schedule, trial, plan.budget), 0);
    return true;
}

static void end(struct simulation *sim, uint64_t trial, enum trial_state state)
{
    struct trial *t = &sim->trials[trial - 1];
    t->state = state;
    t->stops_at = -1;
    t->kept = t->n_steps;
    double value = sim->value(trial, t->n_steps - 1);
    ck_assert_int_eq(sim->type->ended(sim->schedule, trial, state, t->n_steps - 1,
                                      state == TRIAL_FAILED ? (double)NAN : value),
                     0);
}

static bool reports(const struct simulation *sim, uint64_t trial, int64_t step)
{
    return sim->gait != GAIT_LEAPS || (step + 1) % (2 + (int64_t)(trial % 3)) == 0;
}

static void report(struct simulation *sim, uint64_t trial, int64_t step)
{
    struct trial *t = &sim->trials[trial - 1];
    enum decision decision = sim->type->report(sim->schedule, trial, step, sim->value(trial, step));
    t->stops_at -= t->stops_at > 0;
    if (decision != DECISION_CONTINUE && t->stops_at < 0) {
        t->decision = decision;
        t->stops_at = (int64_t)rng_below(&sim->rng, 2); /* it may run one step on */
    }
}

/* One more step of a running trial, or its end. */
static void advance(struct simulation *sim, uint64_t trial)
{
    struct trial *t = &sim->trials[trial - 1];
    int64_t budget = t->budget ? t->budget : 9;
    if (t->n_steps >= budget || t->stops_at == 0) {
        end(sim, trial,
            t->stops_at < 0                 ? TRIAL_COMPLETED
            : t->decision == DECISION_PAUSE ? TRIAL_PAUSED
                                            : TRIAL_STOPPED);
        return;
    }
    if (rng_below(&sim->rng, 100) == 0) {
        end(sim, trial, TRIAL_FAILED);
        return;
    }
    int64_t step = t->n_steps++;
    if (reports(sim, trial, step))
        report(sim, trial, step);
    if (sim->gait == GAIT_AGAIN && rng_below(&sim->rng, 10) == 0)
        report(sim, trial, step);
    if (sim->gait == GAIT_AGAIN && rng_below(&sim->rng, 40) == 0) { /* its worker is lost */
        t->n_steps = t->kept > t->first_step ? t->kept : t->first_step;
        t->stops_at = -1;
    }
}

/* One event of some running trial; false: none runs. */
static bool event(struct simulation *sim)
{
    size_t n = count(sim, TRIAL_RUNNING);
    if (n == 0)
        return false;
    size_t chosen = rng_below(&sim->rng, n);
    for (uint64_t trial = 1; trial <= sim->n; trial++) {
        if (is_active(&sim->trials[trial - 1]) && chosen-- == 0) {
            advance(sim, trial);
            return true;
        }
    }
    return false;
}

static struct simulation *simulation_create(const struct schedule_type *type, int64_t n_trials, uint64_t seed)
{
    struct simulation *sim = calloc(1, sizeof *sim);
    ck_assert_ptr_nonnull(sim);
    sim->type = type;
    sim->n_trials = n_trials;
    sim->schedule = open_default(type, n_trials);
    sim->value = curves[seed % N_CURVES];
    sim->gait = (enum gait)(seed / N_CURVES % N_GAITS);
    rng_init(&sim->rng, seed, 9);
    return sim;
}

static void simulation_destroy(struct simulation *sim)
{
    sim->type->destroy(sim->schedule);
    free(sim);
}

static void run(struct simulation *sim, size_t n_workers, size_t n_events)
{
    for (size_t i = 0; i < n_events; i++) {
        while (count(sim, TRIAL_RUNNING) < n_workers && start(sim))
            continue;
        if (!event(sim))
            break;
    }
}

START_TEST(the_type_is_complete)
{
    const struct schedule_type *type = schedule_types[_i];
    ck_assert(type->name && *type->name && type->summary && *type->summary && type->paper);
    ck_assert(type->create && type->destroy && type->next && type->started && type->report && type->ended);
    ck_assert(!type->forked == !type->explore);
    ck_assert_ptr_eq(schedule_type_find(type->name), type);
    for (size_t i = 0; i < type->n_options; i++)
        ck_assert(type->options[i].name && type->options[i].help && *type->options[i].help);
    type->destroy(NULL);
}
END_TEST

START_TEST(an_experiment_comes_to_its_end)
{
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        struct simulation *sim = simulation_create(schedule_types[_i], 60, seed);
        run(sim, 1 + seed % 8, 100000);
        if (schedule_types[_i]->forked) /* it ends when its population has come to the end */
            ck_assert_uint_le(sim->n, 60);
        else
            ck_assert_uint_eq(sim->n, 60);
        ck_assert_uint_eq(count(sim, TRIAL_RUNNING), 0);
        struct plan plan;
        sim->type->next(&plan, sim->schedule);
        ck_assert(plan.kind == PLAN_DONE || plan.kind == PLAN_NEW); /* NEW: the limit is the driver's */
        simulation_destroy(sim);
    }
}
END_TEST

/* The same history as after a restart: each trial by its number, with its last budget and its whole curve. */
static void *rebuild(const struct simulation *sim)
{
    void *schedule = open_default(sim->type, sim->n_trials);
    for (uint64_t trial = 1; trial <= sim->n; trial++) {
        const struct trial *t = &sim->trials[trial - 1];
        if (t->origin)
            ck_assert_int_eq(sim->type->forked(schedule, trial, t->origin, t->first_step), 0);
        ck_assert_int_eq(sim->type->started(schedule, trial, t->budget), 0);
        for (int64_t step = t->first_step; step < t->n_steps; step++)
            if (reports(sim, trial, step))
                (void)sim->type->report(schedule, trial, step, sim->value(trial, step));
        if (!is_active(t)) {
            double value = t->state == TRIAL_FAILED ? (double)NAN : sim->value(trial, t->n_steps - 1);
            ck_assert_int_eq(sim->type->ended(schedule, trial, t->state, t->n_steps - 1, value), 0);
        }
    }
    return schedule;
}

START_TEST(rebuilt_from_history_it_goes_on_the_same)
{
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        for (size_t n_events = 5; n_events < 1000; n_events = 2 * n_events + 7) {
            struct simulation *sim = simulation_create(schedule_types[_i], 60, seed);
            run(sim, 4, n_events);
            void *live = sim->schedule;
            sim->schedule = rebuild(sim);
            struct plan a, b;
            sim->type->next(&a, live);
            sim->type->next(&b, sim->schedule);
            ck_assert_msg(a.kind == b.kind && a.trial == b.trial && a.budget == b.budget,
                          "%s: %d %ju %jd, rebuilt %d %ju %jd", sim->type->name, (int)a.kind,
                          (uintmax_t)a.trial, (intmax_t)a.budget, (int)b.kind, (uintmax_t)b.trial,
                          (intmax_t)b.budget);
            run(sim, 4, 100000); /* it works on */
            sim->type->destroy(live);
            simulation_destroy(sim);
        }
    }
}
END_TEST

START_TEST(unknown_trials_do_no_harm)
{
    const struct schedule_type *type = schedule_types[_i];
    void *schedule = open_default(type, 0);
    struct plan plan;
    (void)type->report(schedule, 99, 3, 1);
    ck_assert_int_eq(type->ended(schedule, 99, TRIAL_COMPLETED, 3, 1), 0);
    ck_assert_int_eq(type->started(schedule, 1, 1), 0);
    (void)type->report(schedule, 1, INT64_MAX, 1);
    type->next(&plan, schedule);
    type->destroy(schedule);
}
END_TEST

/* As many rungs, and as long budgets, as its options allow. */
START_TEST(the_most_rungs_are_no_trouble)
{
    static const char *const words[] = {"min_budget", "1", "max_budget", "1000000000000000",
                                        "eta",        "2", NULL};
    const struct schedule_type *type = schedule_types[_i];
    void *schedule = NULL;
    struct err err = {0};
    struct plan plan;
    if (!has_option(type, "eta"))
        return;
    ck_assert_msg(open_schedule(&schedule, type, 0, words, &err) == 0, "%s", err.text);
    uint64_t n_begun = 0;
    for (uint64_t trial = 1; trial <= 1000; trial++) {
        type->next(&plan, schedule);
        ck_assert(plan.kind == PLAN_NEW || plan.kind == PLAN_RESUME);
        ck_assert_int_ge(plan.budget, 1);
        uint64_t number = plan.kind == PLAN_NEW ? ++n_begun : plan.trial;
        ck_assert_int_eq(type->started(schedule, number, plan.budget), 0);
        bool pauses = type->report(schedule, number, plan.budget - 1, (double)(trial % 10)) == DECISION_PAUSE;
        ck_assert_int_eq(type->ended(schedule, number, pauses ? TRIAL_PAUSED : TRIAL_COMPLETED,
                                     plan.budget - 1, (double)(trial % 10)),
                         0);
    }
    for (int64_t units = 0, n = 0; type->next_level && units < INT64_MAX; n++) {
        int64_t next = type->next_level(schedule, units);
        ck_assert_int_gt(next, units);
        ck_assert_int_lt(n, 64);
        units = next;
    }
    type->destroy(schedule);
}
END_TEST

/* A schedule of thousands of trials, most of them paused, is asked after each. */
START_TEST(thousands_of_trials_are_no_trouble)
{
    enum { N = 20000 };
    const struct schedule_type *type = schedule_types[_i];
    void *schedule = open_default(type, 0);
    struct rng rng;
    uint64_t n = 0;
    rng_init(&rng, 5, 5);
    for (int i = 0; i < N; i++) {
        struct plan plan;
        type->next(&plan, schedule);
        if (plan.kind == PLAN_STOP) {
            ck_assert_int_eq(type->ended(schedule, plan.trial, TRIAL_STOPPED, 0, 1), 0);
            continue;
        }
        if (plan.kind == PLAN_DONE)
            break;
        ck_assert_int_ne(plan.kind, PLAN_WAIT); /* nothing runs */
        uint64_t trial = plan.kind == PLAN_RESUME ? plan.trial : ++n;
        if (plan.kind == PLAN_FORK)
            ck_assert_int_eq(type->forked(schedule, trial, plan.trial, plan.units), 0);
        ck_assert_int_eq(type->started(schedule, trial, plan.budget), 0);
        int64_t last = plan.budget ? plan.budget - 1 : 8;
        double value = rng_uniform(&rng);
        enum decision decision = type->report(schedule, trial, last, value);
        ck_assert_int_eq(type->ended(schedule, trial,
                                     decision == DECISION_PAUSE  ? TRIAL_PAUSED
                                     : decision == DECISION_STOP ? TRIAL_STOPPED
                                                                 : TRIAL_COMPLETED,
                                     last, value),
                         0);
    }
    type->destroy(schedule);
}
END_TEST

static const struct {
    int64_t min, max, eta;
    size_t n;
    int64_t budgets[8];
} ladders[] = {
    {1, 27, 3, 4, {1, 3, 9, 27}},
    {1, 81, 3, 5, {1, 3, 9, 27, 81}},
    {1, 30, 3, 5, {1, 3, 9, 27, 30}},
    {2, 9, 2, 4, {2, 4, 8, 9}},
    {5, 5, 3, 1, {5}},
    {1, 2, 3, 2, {1, 2}},
    {1, 1000, 10, 4, {1, 10, 100, 1000}},
    {4, 7, 2, 2, {4, 7}},
};

START_TEST(budgets_are_exact_powers)
{
    struct rung *rungs = NULL;
    size_t n = 0;
    ck_assert_int_eq(rungs_create(&rungs, &n, ladders[_i].min, ladders[_i].max, ladders[_i].eta, 2), 0);
    ck_assert_uint_eq(n, ladders[_i].n);
    for (size_t k = 0; k < n; k++)
        ck_assert_int_eq(rungs[k].budget, ladders[_i].budgets[k]);
    rungs_destroy(rungs, n);
}
END_TEST

START_TEST(the_top_is_that_of_the_sorted_values)
{
    struct rung *rungs = NULL;
    size_t n = 0;
    struct rng rng;
    double values[300];
    rng_init(&rng, 3, 3);
    ck_assert_int_eq(rungs_create(&rungs, &n, 1, 1, 5, 1 + _i), 0);
    for (uint64_t m = 1; m <= 300; m++) {
        values[m - 1] = (double)rng_below(&rng, 30); /* with repeats */
        ck_assert_int_eq(rung_add(rungs, (struct ranked){values[m - 1], m}), 0);
        for (uint64_t i = 1; i <= m; i += 7) {
            size_t n_better = 0;
            for (uint64_t j = 1; j <= m; j++)
                n_better += values[j - 1] < values[i - 1] || (values[j - 1] == values[i - 1] && j < i);
            bool is_top = rung_is_top(rungs, (struct ranked){values[i - 1], i});
            ck_assert_int_eq(is_top, n_better < m / (uint64_t)(1 + _i));
        }
    }
    rungs_destroy(rungs, n);
}
END_TEST

static void *asha(const char *name, int64_t n_trials)
{
    void *state = NULL;
    struct err err = {0};
    const char *words[] = {"min_budget", "1", "max_budget", "9", "eta", "3", NULL};
    ck_assert_msg(open_schedule(&state, schedule_type_find(name), n_trials, words, &err) == 0, "%s",
                  err.text);
    return state;
}

static void expect(const struct schedule_type *type, void *schedule, enum plan_kind kind, uint64_t trial,
                   int64_t budget)
{
    struct plan plan;
    type->next(&plan, schedule);
    ck_assert_int_eq(plan.kind, kind);
    ck_assert_uint_eq(plan.trial, trial);
    ck_assert_int_eq(plan.budget, budget);
}

/* Runs a trial from step `from` until its budget is used and it pauses. */
static void run_and_pause(const struct schedule_type *type, void *schedule, uint64_t trial, int64_t from,
                          int64_t budget, double value)
{
    ck_assert_int_eq(type->started(schedule, trial, budget), 0);
    for (int64_t step = from; step < budget; step++)
        ck_assert_int_eq(type->report(schedule, trial, step, value),
                         step + 1 < budget ? DECISION_CONTINUE : DECISION_PAUSE);
    ck_assert_int_eq(type->ended(schedule, trial, TRIAL_PAUSED, budget - 1, value), 0);
}

START_TEST(asha_promotes_the_best_third)
{
    const struct schedule_type *type = schedule_type_find("asha");
    void *schedule = asha("asha", 9);
    static const double values[] = {5, 3, 4, 9, 8, 7, 1, 2, 6};
    expect(type, schedule, PLAN_NEW, 0, 1);
    run_and_pause(type, schedule, 1, 0, 1, 5);
    run_and_pause(type, schedule, 2, 0, 1, 3);
    expect(type, schedule, PLAN_NEW, 0, 1); /* floor(2 / 3) = 0 */
    run_and_pause(type, schedule, 3, 0, 1, 4);
    expect(type, schedule, PLAN_RESUME, 2, 3); /* one of three: the 3 of trial 2 */
    run_and_pause(type, schedule, 2, 1, 3, 3);
    expect(type, schedule, PLAN_NEW, 0, 1);
    for (uint64_t trial = 4; trial <= 9; trial++)
        run_and_pause(type, schedule, trial, 0, 1, values[trial - 1]);
    expect(type, schedule, PLAN_RESUME, 7, 3); /* three of nine: 1, 2 and 3; 1 first */
    run_and_pause(type, schedule, 7, 1, 3, 1);
    expect(type, schedule, PLAN_RESUME, 8, 3);
    run_and_pause(type, schedule, 8, 1, 3, 9); /* it got worse */
    expect(type, schedule, PLAN_RESUME, 7, 9); /* the higher rung first: one of 3, 1 and 9 */
    ck_assert_int_eq(type->started(schedule, 7, 9), 0);
    expect(type, schedule, PLAN_WAIT, 0, 0); /* all nine have begun */
    for (int64_t step = 3; step < 9; step++)
        ck_assert_int_eq(type->report(schedule, 7, step, 1), DECISION_CONTINUE); /* it may run to its end */
    ck_assert_int_eq(type->ended(schedule, 7, TRIAL_COMPLETED, 8, 1), 0);
    expect(type, schedule, PLAN_DONE, 0, 0);
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_keeps_as_few_as_reduction_says)
{
    /* Rungs 1, 3, 9 by eta; the reduction alone says how many go on. */
    static const char *const words[] = {"max_budget", "9", "eta", "3", "reduction", "4", NULL};
    const struct schedule_type *type = schedule_type_find("asha");
    void *schedule = NULL;
    struct err err = {0};
    ck_assert_msg(open_schedule(&schedule, type, 5, words, &err) == 0, "%s", err.text);
    for (uint64_t trial = 1; trial <= 3; trial++)
        run_and_pause(type, schedule, trial, 0, 1, (double)trial);
    expect(type, schedule, PLAN_NEW, 0, 1); /* floor(3 / 4) = 0 */
    run_and_pause(type, schedule, 4, 0, 1, 4);
    expect(type, schedule, PLAN_RESUME, 1, 3);
    ck_assert_int_eq(type->started(schedule, 1, 3), 0);
    expect(type, schedule, PLAN_NEW, 0, 1);
    run_and_pause(type, schedule, 5, 0, 1, 5);
    expect(type, schedule, PLAN_WAIT, 0, 0); /* floor(5 / 4) = 1, and that one runs */
    ck_assert_int_eq(type->next_level(schedule, 1), 3);
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_of_equal_trials_promotes_a_third)
{
    const struct schedule_type *type = schedule_type_find("asha");
    void *schedule = asha("asha", 9);
    for (uint64_t trial = 1; trial <= 9; trial++)
        run_and_pause(type, schedule, trial, 0, 1, 1);
    for (uint64_t trial = 1; trial <= 3; trial++) {
        expect(type, schedule, PLAN_RESUME, trial, 3);
        ck_assert_int_eq(type->started(schedule, trial, 3), 0);
    }
    expect(type, schedule, PLAN_WAIT, 0, 0);
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_counts_failures_as_the_worst)
{
    const struct schedule_type *type = schedule_type_find("asha");
    void *schedule = asha("asha", 9);
    run_and_pause(type, schedule, 1, 0, 1, 5);
    for (uint64_t trial = 2; trial <= 3; trial++) {
        ck_assert_int_eq(type->started(schedule, trial, 1), 0);
        ck_assert_int_eq(type->ended(schedule, trial, trial == 2 ? TRIAL_FAILED : TRIAL_STOPPED, 0, NAN), 0);
    }
    expect(type, schedule, PLAN_RESUME, 1, 3);
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_counts_a_second_attempt_once)
{
    const struct schedule_type *type = schedule_type_find("asha");
    void *schedule = asha("asha", 9);
    run_and_pause(type, schedule, 1, 0, 1, 5);
    ck_assert_int_eq(type->started(schedule, 2, 1), 0);
    for (int attempt = 0; attempt < 5; attempt++)
        ck_assert_int_eq(type->report(schedule, 2, 0, 6), DECISION_PAUSE);
    expect(type, schedule, PLAN_NEW, 0, 1); /* two trials in the rung, not six */
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_stopping_keeps_the_best_third)
{
    /* Values at the first rung in order of arrival; stopped if n >= 3 and not among the best floor(n / 3). */
    static const double values[] = {5, 3, 4, 2, 6, 2.5, 1, 9, 2.2};
    static const enum decision decisions[] = {DECISION_CONTINUE, DECISION_CONTINUE, DECISION_STOP,
                                              DECISION_CONTINUE, DECISION_STOP,     DECISION_CONTINUE,
                                              DECISION_CONTINUE, DECISION_STOP,     DECISION_CONTINUE};
    const struct schedule_type *type = schedule_type_find("asha-stopping");
    void *schedule = asha("asha-stopping", 0);
    expect(type, schedule, PLAN_NEW, 0, 9);
    for (uint64_t trial = 1; trial <= 9; trial++) {
        ck_assert_int_eq(type->started(schedule, trial, 9), 0);
        ck_assert_int_eq(type->report(schedule, trial, 0, values[trial - 1]), decisions[trial - 1]);
    }
    ck_assert_int_eq(type->report(schedule, 1, 1, 99), DECISION_CONTINUE); /* no rung at 2 units */
    type->destroy(schedule);
}
END_TEST

START_TEST(asha_stopping_keeps_as_few_as_reduction_says)
{
    static const char *const words[] = {"max_budget", "9", "eta", "3", "reduction", "2", NULL};
    static const double values[] = {5, 4, 3.5, 4.5, 3, 6};
    static const enum decision decisions[] = {DECISION_CONTINUE, DECISION_CONTINUE, DECISION_CONTINUE,
                                              DECISION_STOP,     DECISION_CONTINUE, DECISION_STOP};
    const struct schedule_type *type = schedule_type_find("asha-stopping");
    void *schedule = NULL;
    struct err err = {0};
    ck_assert_msg(open_schedule(&schedule, type, 0, words, &err) == 0, "%s", err.text);
    for (uint64_t trial = 1; trial <= 6; trial++) {
        ck_assert_int_eq(type->started(schedule, trial, 9), 0);
        ck_assert_int_eq(type->report(schedule, trial, 0, values[trial - 1]), decisions[trial - 1]);
    }
    ck_assert_int_eq(type->report(schedule, 1, 1, 99), DECISION_CONTINUE); /* no rung at 2 units */
    type->destroy(schedule);
}
END_TEST

START_TEST(hyperband_fills_brackets_by_their_sizes)
{
    /* max 9, eta 3: s_max = 2; n_2 = 9 trials from 1 unit, n_1 = ceil(3 / 2 * 3) = 5 from 3, n_0 = 3 from 9.
     */
    const struct schedule_type *type = schedule_type_find("hyperband");
    void *schedule = asha("hyperband", 0);
    for (uint64_t trial = 1; trial <= 34; trial++) {
        uint64_t place = (trial - 1) % 17;
        int64_t budget = place < 9 ? 1 : place < 14 ? 3 : 9;
        expect(type, schedule, PLAN_NEW, 0, budget);
        ck_assert_int_eq(type->started(schedule, trial, budget), 0);
    }
    type->destroy(schedule);
}
END_TEST

START_TEST(hyperband_promotes_within_a_bracket)
{
    const struct schedule_type *type = schedule_type_find("hyperband");
    void *schedule = asha("hyperband", 0);
    for (uint64_t trial = 1; trial <= 9; trial++)
        ck_assert_int_eq(type->started(schedule, trial, 1), 0);
    for (uint64_t trial = 10; trial <= 12; trial++)
        run_and_pause(type, schedule, trial, 0, 3, (double)trial);
    expect(type, schedule, PLAN_RESUME, 10, 9); /* one of three in its own rung of 3 units */
    type->destroy(schedule);
}
END_TEST

START_TEST(budgets_must_make_sense)
{
    static const char *const names[] = {"asha", "asha-stopping", "hyperband"};
    const struct schedule_type *type = schedule_type_find(names[_i]);
    void *state = NULL;
    struct err err = {0};
    ck_assert_int_eq(open_schedule(&state, type, 9, (const char *[]){NULL}, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "max_budget"));
    const char *crossed[] = {"min_budget", "9", "max_budget", "3", NULL};
    ck_assert_int_eq(open_schedule(&state, type, 9, crossed, &err), ERR_INVALID);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void)
{
    Suite *suite = suite_create("schedules");
    TCase *every = tcase_create("every schedule"), *each = tcase_create("each schedule");
    tcase_set_timeout(every, 60);
    tcase_add_loop_test(every, the_type_is_complete, 0, (int)n_schedule_types);
    tcase_add_loop_test(every, an_experiment_comes_to_its_end, 0, (int)n_schedule_types);
    tcase_add_loop_test(every, rebuilt_from_history_it_goes_on_the_same, 0, (int)n_schedule_types);
    tcase_add_loop_test(every, unknown_trials_do_no_harm, 0, (int)n_schedule_types);
    tcase_add_loop_test(every, the_most_rungs_are_no_trouble, 0, (int)n_schedule_types);
    tcase_add_loop_test(every, thousands_of_trials_are_no_trouble, 0, (int)n_schedule_types);
    tcase_add_loop_test(each, budgets_are_exact_powers, 0, COUNT(ladders));
    tcase_add_loop_test(each, the_top_is_that_of_the_sorted_values, 0, 4);
    tcase_add_test(each, asha_promotes_the_best_third);
    tcase_add_test(each, asha_keeps_as_few_as_reduction_says);
    tcase_add_test(each, asha_of_equal_trials_promotes_a_third);
    tcase_add_test(each, asha_counts_failures_as_the_worst);
    tcase_add_test(each, asha_counts_a_second_attempt_once);
    tcase_add_test(each, asha_stopping_keeps_the_best_third);
    tcase_add_test(each, asha_stopping_keeps_as_few_as_reduction_says);
    tcase_add_test(each, hyperband_fills_brackets_by_their_sizes);
    tcase_add_test(each, hyperband_promotes_within_a_bracket);
    tcase_add_loop_test(each, budgets_must_make_sense, 0, 3);
    suite_add_tcase(suite, every);
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
