/* Context optimization: the search says where to sample, the schedule how long to run, the stopping rule
 * which running trial to end early. The search belongs to the driver (it computes off the loop); this joins
 * the other two, each of which sees every value of every trial once, minimised: the goal is flipped here.
 *
 * A schedule or rule is told all values that it has not seen yet before a trial ends, so a history told by
 * its end alone (after a restart) leaves the same state as one told report by report. */
#include <math.h>
#include <stdlib.h>

#include "contexts/context.h"
#include "optimizers/registry.h"
#include "optimizers/rung.h"
#include "optimizers/trial_table.h"

/* A trial under way. */
struct runner {
    uint64_t trial;
    size_t n_told;       /* values of its curve that schedule and rule have seen; */
    int64_t last_step;   /* of the last of them */
    double last_value;   /* in the user's sign */
    bool is_told_to_end; /* a rule wants it stopped; said again with every further report */
    double *negated;     /* [capacity] where a rule looks at the curve of what is maximised */
    size_t capacity;
};

struct optimization {
    double sign; /* -1: maximise */
    const struct schedule_type *schedule_type;
    void *schedule;
    const struct stopping_type *stopping_type;
    void *stopping;
    struct trial_table runners; /* struct runner */
};

static void optimization_destroy(void *state)
{
    struct optimization *context = state;
    if (!context)
        return;
    for (struct runner *runner = NULL;
         (runner = trial_table_next(&context->runners, runner ? runner->trial : 0));)
        free(runner->negated);
    trial_table_fini(&context->runners);
    if (context->schedule_type)
        context->schedule_type->destroy(context->schedule);
    if (context->stopping_type)
        context->stopping_type->destroy(context->stopping);
    free(context);
}

/* The options struct of a choice that was checked before; NULL if out of memory or it was not. */
static void *make_options(const struct plugin *plugin, const struct option *options, size_t n, size_t size,
                          struct err *err)
{
    struct faults faults = {0};
    void *values = calloc(1, size + 1);
    if (!values) {
        (void)err_set(err, ERR_NOMEM, "out of memory"); /* the caller returns err->code */
    } else if (options_parse(values, options, n, plugin, plugin->name, &faults) > 0) {
        (void)err_set(err, ERR_INVALID, "%s: %s", plugin->name, faults.n ? faults.list[0].text : "");
        free(values);
        values = NULL;
    }
    faults_fini(&faults);
    return values;
}

static int create_schedule(struct optimization *context, const struct spec *spec, struct err *err)
{
    const struct schedule_type *type = schedule_type_find(spec->schedule.name);
    if (!type)
        return err_set(err, ERR_NOT_FOUND, "there is no schedule '%s'", spec->schedule.name);
    void *options = make_options(&spec->schedule, type->options, type->n_options, type->options_size, err);
    if (!options)
        return err->code;
    int code = type->create(&context->schedule,
                            &(struct schedule_setup){.options = options,
                                                     .seed = spec->seed,
                                                     .n_trials = spec->limits.trials,
                                                     .n_workers = spec->workers},
                            err);
    if (code == 0)
        context->schedule_type = type;
    free(options);
    return code;
}

static int create_stopping(struct optimization *context, const struct spec *spec, struct err *err)
{
    const struct stopping_type *type = stopping_type_find(spec->stopping.name);
    if (!type)
        return err_set(err, ERR_NOT_FOUND, "there is no stopping rule '%s'", spec->stopping.name);
    void *options = make_options(&spec->stopping, type->options, type->n_options, type->options_size, err);
    if (!options)
        return err->code;
    int code = type->create(&context->stopping,
                            &(struct stopping_setup){.options = options, .goal = spec->metric.goal}, err);
    if (code == 0)
        context->stopping_type = type;
    free(options);
    return code;
}

static int optimization_create(void **state, const struct spec *spec, struct err *err)
{
    struct err scratch = {0};
    err = err ? err : &scratch;
    struct optimization *context = calloc(1, sizeof *context);
    if (!context)
        return err_set(err, ERR_NOMEM, "out of memory");
    trial_table_init(&context->runners, sizeof(struct runner));
    context->sign = spec->metric.goal == GOAL_MAXIMIZE ? -1 : 1;
    int code = create_schedule(context, spec, err);
    if (code == 0)
        code = create_stopping(context, spec, err);
    if (code < 0) {
        optimization_destroy(context);
        return code;
    }
    *state = context;
    return 0;
}

static void optimization_next(struct context_plan *out, void *state)
{
    struct optimization *context = state;
    struct plan plan = {.kind = PLAN_WAIT};
    context->schedule_type->next(&plan, context->schedule);
    *out = (struct context_plan){.trial = plan.trial, .budget = plan.budget, .units = plan.units};
    switch (plan.kind) {
    case PLAN_NEW:
        out->kind = CONTEXT_SUGGEST;
        break;
    case PLAN_RESUME:
        out->kind = CONTEXT_RESUME;
        break;
    case PLAN_FORK:
        out->kind = CONTEXT_FORK;
        break;
    case PLAN_STOP:
        out->kind = CONTEXT_STOP;
        break;
    case PLAN_WAIT:
        out->kind = CONTEXT_WAIT;
        break;
    case PLAN_DONE:
        out->kind = CONTEXT_DONE;
        break;
    }
}

/* Finds or makes it; NULL: out of memory. */
static struct runner *get_runner(struct optimization *context, uint64_t trial)
{
    struct runner *runner = trial_table_find(&context->runners, trial);
    return runner ? runner : trial_table_add(&context->runners, trial);
}

static int optimization_started(void *state, uint64_t trial, int64_t budget)
{
    struct optimization *context = state;
    if (!get_runner(context, trial))
        return ERR_NOMEM;
    return context->schedule_type->started(context->schedule, trial, budget);
}

static int optimization_forked(void *state, uint64_t trial, uint64_t origin, int64_t units)
{
    struct optimization *context = state;
    const struct schedule_type *type = context->schedule_type;
    return type->forked ? type->forked(context->schedule, trial, origin, units) : 0;
}

static int optimization_explore(double *point, const void *state, const struct space *space,
                                const double *origin, uint64_t trial)
{
    const struct optimization *context = state;
    const struct schedule_type *type = context->schedule_type;
    return type->explore ? type->explore(point, context->schedule, space, origin, trial) : ERR_UNSUPPORTED;
}

/* Has the trial begun anew, so that its curve is not the one that was told? */
static bool has_restarted(const struct runner *runner, const struct curve *curve)
{
    size_t n = runner->n_told;
    return n > 0 && (curve->n < n || curve->steps[n - 1] != runner->last_step ||
                     curve->values[n - 1] != runner->last_value);
}

/* The first n values of the curve, minimised: the curve itself, or with a copy of its values. Lends. */
static int minimise(struct curve *view, const struct optimization *context, struct runner *runner,
                    const struct curve *curve, size_t n)
{
    *view = *curve;
    view->n = n;
    if (context->sign > 0)
        return 0;
    if (n > runner->capacity) {
        size_t capacity = 2 * n + 8;
        double *negated = realloc(runner->negated, capacity * sizeof *negated);
        if (!negated)
            return ERR_NOMEM;
        runner->negated = negated;
        runner->capacity = capacity;
    }
    for (size_t i = n - (n > 0); i < n; i++) /* the others were told before */
        runner->negated[i] = -curve->values[i];
    view->values = runner->negated;
    return 0;
}

static enum decision stricter(enum decision a, enum decision b)
{
    return a > b ? a : b;
}

/* Tells schedule and rule the curve's value number n, from 1. */
static int tell_report(enum decision *decision, struct optimization *context, struct runner *runner,
                       const struct curve *curve, size_t n)
{
    int64_t step = curve->steps[n - 1];
    double value = curve->values[n - 1];
    if (context->stopping_type->report) {
        struct curve view;
        int code = minimise(&view, context, runner, curve, n);
        if (code < 0)
            return code;
        if (context->stopping_type->report(context->stopping, runner->trial, &view))
            *decision = DECISION_STOP;
    }
    *decision = stricter(*decision, context->schedule_type->report(context->schedule, runner->trial, step,
                                                                   context->sign * value));
    runner->n_told = n;
    runner->last_step = step;
    runner->last_value = value;
    return 0;
}

/* Tells schedule and rule what they have not seen of the curve. */
static int tell_reports(enum decision *decision, struct optimization *context, struct runner *runner,
                        const struct curve *curve)
{
    int code = 0;
    if (has_restarted(runner, curve)) {
        runner->n_told = 0;
        runner->is_told_to_end = false;
    }
    *decision = runner->is_told_to_end ? DECISION_STOP : DECISION_CONTINUE;
    while (code == 0 && runner->n_told < curve->n)
        code = tell_report(decision, context, runner, curve, runner->n_told + 1);
    if (code == 0)
        runner->is_told_to_end = *decision == DECISION_STOP;
    return code;
}

static enum decision optimization_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct optimization *context = state;
    struct runner *runner = get_runner(context, trial);
    enum decision decision = DECISION_CONTINUE;
    if (!runner || tell_reports(&decision, context, runner, curve) < 0)
        return DECISION_CONTINUE; /* out of memory: the trial merely runs on; `ended` will say so */
    return decision;
}

static int tell_rule_end(struct optimization *context, struct runner *runner, enum trial_state end,
                         const struct curve *curve)
{
    struct curve view;
    int code = minimise(&view, context, runner, curve, curve->n);
    return code < 0 ? code : context->stopping_type->ended(context->stopping, runner->trial, end, &view);
}

static int optimization_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve,
                              double value)
{
    struct optimization *context = state;
    struct runner *runner = get_runner(context, trial);
    enum decision ignored;
    int code = runner ? tell_reports(&ignored, context, runner, curve) : ERR_NOMEM;
    if (code == 0 && end != TRIAL_PAUSED && context->stopping_type->ended)
        code = tell_rule_end(context, runner, end, curve);
    if (code == 0) {
        int64_t step = curve->n ? curve->steps[curve->n - 1] : 0;
        code = context->schedule_type->ended(context->schedule, trial, end, step, context->sign * value);
    }
    if (runner && end != TRIAL_PAUSED) {
        free(runner->negated);
        trial_table_remove(&context->runners, trial);
    }
    return code;
}

static int64_t optimization_next_level(const void *state, int64_t units)
{
    const struct optimization *context = state;
    const struct schedule_type *type = context->schedule_type;
    return type->next_level ? type->next_level(context->schedule, units) : rung_next_doubling(units);
}

const struct context_type context_optimization = {
    .name = "optimization",
    .summary = "search for the best parameters",
    .searches = true,
    .create = optimization_create,
    .destroy = optimization_destroy,
    .next = optimization_next,
    .started = optimization_started,
    .forked = optimization_forked,
    .explore = optimization_explore,
    .report = optimization_report,
    .ended = optimization_ended,
    .next_level = optimization_next_level,
};
