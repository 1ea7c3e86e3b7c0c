/* Context ablation: a trial for each variant of the study (core/ablation.h), as often as there are repeats.
 *
 * Which trials there are does not depend on what they give. How long each runs does: the schedule and the
 * stopping rule are joined just as in a search, by context optimization, which this asks for everything but
 * the points. Where that wants a trial at a point of the search, it is given the next one of the plan. */
#include <stdlib.h>

#include "contexts/context.h"

extern const struct context_type context_optimization;

struct study {
    const struct spec *spec;
    void *inner; /* of context optimization */
    double *point;
    bool *is_started;        /* [n_trials] */
    uint64_t n_trials, next; /* next: the lowest that has not started */
    uint64_t n_running;
};

static void study_destroy(void *state)
{
    struct study *study = state;
    if (!study)
        return;
    if (study->inner)
        context_optimization.destroy(study->inner);
    free(study->point);
    free(study->is_started);
    free(study);
}

static int study_create(void **state, const struct spec *spec, struct err *err)
{
    if (!spec->ablation)
        return err_set(err, ERR_INVALID, "the experiment has no section 'ablation'");
    struct study *study = calloc(1, sizeof *study);
    if (!study)
        return err_set(err, ERR_NOMEM, "out of memory");
    study->spec = spec;
    study->n_trials = ablation_n_trials(spec->ablation);
    study->next = 1;
    study->point = calloc(spec->space->n_params + 1, sizeof *study->point);
    study->is_started = calloc(study->n_trials + 1, sizeof *study->is_started);
    int code = study->point && study->is_started ? context_optimization.create(&study->inner, spec, err)
                                                 : err_set(err, ERR_NOMEM, "out of memory");
    if (code < 0) {
        study_destroy(study);
        return code;
    }
    *state = study;
    return 0;
}

static void study_next(struct context_plan *plan, void *state)
{
    struct study *study = state;
    context_optimization.next(plan, study->inner);
    if (plan->kind != CONTEXT_SUGGEST)
        return;
    if (study->next > study->n_trials) {
        plan->kind = study->n_running > 0 ? CONTEXT_WAIT : CONTEXT_DONE;
        return;
    }
    const struct ablation *ablation = study->spec->ablation;
    ablation_point(study->point, ablation, study->spec->space, ablation_variant(ablation, study->next));
    plan->kind = CONTEXT_POINT;
    plan->point = study->point;
}

static int study_started(void *state, uint64_t trial, int64_t budget)
{
    struct study *study = state;
    int code = context_optimization.started(study->inner, trial, budget);
    if (code < 0)
        return code;
    study->n_running++;
    if (trial <= study->n_trials)
        study->is_started[trial - 1] = true;
    while (study->next <= study->n_trials && study->is_started[study->next - 1])
        study->next++;
    return 0;
}

static enum decision study_report(void *state, uint64_t trial, const struct curve *curve)
{
    return context_optimization.report(((struct study *)state)->inner, trial, curve);
}

static int study_ended(void *state, uint64_t trial, enum trial_state end, const struct curve *curve,
                       double value)
{
    struct study *study = state;
    study->n_running -= study->n_running > 0;
    return context_optimization.ended(study->inner, trial, end, curve, value);
}

const struct context_type context_ablation = {
    .name = "ablation",
    .summary = "leave out parts of the training function, one by one, and compare",
    .check = spec_check_ablation,
    .create = study_create,
    .destroy = study_destroy,
    .next = study_next,
    .started = study_started,
    .report = study_report,
    .ended = study_ended,
};
