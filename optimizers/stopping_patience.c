/* Stopping patience: a trial ends when its own curve has stood still: its best value has not improved by more
 * than `min_delta` during the last `steps` steps. It compares a trial with nobody but itself.
 *
 *   stop at step s  <=>  s - s_best >= steps,  s_best: the last step that improved the best by more than
 * min_delta
 *
 * (Prechelt 1998, "Early stopping - but when?", with the objective in place of a validation error.) The first
 * value counts as an improvement. Improvements that are each too small add up: the best moves only when one
 * counts. */
#include <math.h>
#include <stdlib.h>

#include "optimizers/incumbent.h"
#include "optimizers/registry.h"

struct options {
    int64_t steps;
    double min_delta;
};

static const struct option patience_options[] = {
    {.name = "steps",
     .type = OPTION_INT,
     .offset = offsetof(struct options, steps),
     .min = 1,
     .max = INFINITY,
     .initial = 10,
     .help = "steps without improvement after which a trial ends"},
    {.name = "min_delta",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct options, min_delta),
     .min = 0,
     .max = INFINITY,
     .initial = 0,
     .help = "an improvement counts if it is above this, in the unit of the objective"},
};

struct patience {
    struct options options;
    struct incumbents *incumbents;
};

static int patience_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    struct patience *rule = calloc(1, sizeof *rule);
    if (!rule)
        return err_set(err, ERR_NOMEM, "out of memory");
    rule->options = *(const struct options *)setup->options;
    *state = rule;
    return 0;
}

static void patience_destroy(void *state)
{
    struct patience *rule = state;
    if (!rule)
        return;
    incumbents_destroy(rule->incumbents);
    free(rule);
}

static bool patience_report(void *state, uint64_t trial, const struct curve *curve)
{
    struct patience *rule = state;
    struct incumbent best;
    if (incumbents_update(&best, &rule->incumbents, trial, curve, rule->options.min_delta) < 0)
        return false; /* out of memory: the trial merely runs on */
    return curve->steps[curve->n - 1] - best.step >= rule->options.steps;
}

static int patience_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve)
{
    (void)end, (void)curve;
    struct patience *rule = state;
    incumbents_forget(&rule->incumbents, trial);
    return 0;
}

const struct stopping_type stopping_patience = {
    .name = "patience",
    .summary = "stops a trial that has not improved for some steps",
    .paper = "Prechelt 1998, Early stopping - but when?",
    .options = patience_options,
    .n_options = sizeof patience_options / sizeof *patience_options,
    .options_size = sizeof(struct options),
    .create = patience_create,
    .destroy = patience_destroy,
    .report = patience_report,
    .ended = patience_ended,
};
