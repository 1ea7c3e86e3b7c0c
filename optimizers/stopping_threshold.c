/* Stopping threshold: a trial ends when by step `step` its best value is not better than `value`, which is
 * given in the user's own unit and sign ("stop whatever has not passed 50 % accuracy by epoch 5").
 *
 *   stop at step s  <=>  s >= step  and not (best value up to s is better than `value`)
 *
 * A trial that reports no step at exactly `step` is looked at with its first report after it. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/incumbent.h"
#include "optimizers/registry.h"

struct options {
    double value;
    int64_t step;
};

static const struct option threshold_options[] = {
    {.name = "value",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, value),
     .min = -INFINITY,
     .max = INFINITY,
     .initial = NAN,
     .help = "what the objective must have passed, in its own unit; must be given"},
    {.name = "step",
     .type = OPTION_INT,
     .offset = offsetof(struct options, step),
     .min = 0,
     .max = INFINITY,
     .initial = 1,
     .help = "by which step"},
};

struct threshold {
    double value; /* minimised */
    int64_t step;
    struct incumbents *incumbents;
};

static int threshold_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    const struct options *options = setup->options;
    if (!isfinite(options->value))
        return err_set(err, ERR_INVALID, "value must be given, e.g. value: 0.5");
    struct threshold *rule = calloc(1, sizeof *rule);
    if (!rule)
        return err_set(err, ERR_NOMEM, "out of memory");
    rule->value = setup->goal == GOAL_MAXIMIZE ? -options->value : options->value;
    rule->step = options->step;
    *state = rule;
    return 0;
}

static void threshold_destroy(void *state)
{
    struct threshold *rule = state;
    if (!rule)
        return;
    incumbents_destroy(rule->incumbents);
    free(rule);
}

static bool threshold_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct threshold *rule = state;
    struct incumbent best;
    if (incumbents_update(&best, &rule->incumbents, trial, curve, 0) < 0)
        return false; /* out of memory: the trial merely runs on */
    return curve->steps[curve->n - 1] >= rule->step && !(best.value < rule->value);
}

static int threshold_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    (void)end, (void)curve;
    struct threshold *rule = state;
    incumbents_forget(&rule->incumbents, trial);
    return 0;
}

const struct stopping_type stopping_threshold = {
    .name = "threshold",
    .summary = "stops a trial whose objective has not passed a value by a step",
    .paper = "",
    .options = threshold_options,
    .n_options = sizeof threshold_options / sizeof *threshold_options,
    .options_size = sizeof(struct options),
    .create = threshold_create,
    .destroy = threshold_destroy,
    .report = threshold_report,
    .ended = threshold_ended,
};
