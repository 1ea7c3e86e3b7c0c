/* Rebuilding the engine after a restart, from what the store kept: the same calls as in life, in the order in
 * which things happened, so that the context and the search come to the same state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"

int engine_restore_experiment(struct engine *engine, const struct experiment_record *record,
                              struct spec *spec, struct err *err)
{
    if (record->key >= engine->setup.next_key)
        engine->setup.next_key = record->key + 1;
    return experiment_create(engine, record, spec, err) ? 0 : (err && err->code ? err->code : ERR_NOMEM);
}

static int take_curve(struct trial *trial, const struct curve *curve)
{
    for (size_t i = 0; curve && i < curve->n; i++)
        if (curve_add(&trial->curve, curve->steps[i], curve->values[i]) == ERR_NOMEM)
            return ERR_NOMEM;
    return 0;
}

/* The state that was stored, reached without the steps that led there. */
static int restore_active(struct engine *engine, struct experiment *experiment, struct trial *trial,
                          enum trial_state state)
{
    struct worker *worker = peer_find_or_create(engine, trial->worker_id);
    if (!worker)
        return ERR_NOMEM;
    int64_t started_ms = trial->started_ms;
    trial_attach(engine, experiment, trial, worker);
    trial->attempt_ms = trial->started_ms = started_ms;
    trial->held = UINT64_MAX; /* of no greeting: it must be said again */
    if (gang_wanted(experiment) && gang_restore(engine, trial))
        return ERR_NOMEM;
    if (state != TRIAL_ASSIGNED) /* why one was asked to stop is not kept: see reconsider */
        trial_step(experiment, trial, TRIAL_RUNNING);
    return 0;
}

static int restore_ended(struct experiment *experiment, struct trial *trial, enum trial_state state,
                         const struct curve *curve)
{
    experiment->counts[trial->state]--;
    trial->state = state; /* the stored state stands for all the steps to it */
    experiment->counts[state]++;
    static const struct curve none;
    return context_ended(experiment->context, trial->number, state, curve ? curve : &none, trial->value);
}

/* What the search was told while the trial was under way. */
static void observe_levels(struct engine *engine, struct experiment *experiment, struct trial *trial,
                           const struct curve *curve)
{
    for (size_t n = 1; curve && n <= curve->n && !engine->failed; n++)
        trial_observe_level(engine, experiment, trial,
                            &(struct curve){.n = n, .steps = curve->steps, .values = curve->values});
}

static void observe_ended(struct engine *engine, struct experiment *experiment, struct trial *trial,
                          const struct curve *curve)
{
    if (!experiment->learns)
        return;
    trial_observe(engine, experiment, trial,
                  isnan(trial->value)            ? OBSERVED_FAILED
                  : trial->state == TRIAL_PAUSED ? OBSERVED_PARTIAL
                                                 : OBSERVED_FINAL);
    if (!engine->failed && curve && curve->n)
        engine->commands[engine->n_commands - 1].observation.step = curve->steps[curve->n - 1];
}

static void count_result(struct experiment *experiment, struct trial *trial)
{
    if (trial->state == TRIAL_COMPLETED || trial->state == TRIAL_STOPPED)
        experiment_rank(experiment, trial);
    experiment->n_failed_in_row = trial->state == TRIAL_FAILED ? experiment->n_failed_in_row + 1 : 0;
}

static struct trial *restore_record(struct engine *engine, struct experiment *experiment,
                                    const struct trial_record *record)
{
    struct trial *trial = trial_create(engine, experiment, record->trial, record->point);
    if (!trial)
        return NULL;
    trial->attempt = record->attempt;
    trial->first_attempt = record->first_attempt ? record->first_attempt : record->attempt;
    trial->n_lost = record->n_lost;
    trial->worker_id = record->worker;
    trial->budget = record->budget;
    trial->value = record->value;
    trial->created_ms = record->created_ms;
    trial->started_ms = record->started_ms;
    trial->ended_ms = record->ended_ms;
    trial->text = engine_copy(engine, record->text);
    trial->log = engine_copy(engine, record->log);
    return trial;
}

int engine_restore_trial(struct engine *engine, const struct trial_record *record, const struct curve *curve,
                         struct err *err)
{
    struct experiment *experiment;
    HASH_FIND(hh_key, engine->experiments_by_key, &record->key, sizeof record->key, experiment);
    if (!experiment || !record->trial || experiment_trial(experiment, record->trial))
        return err_set(err, ERR_INVALID, "trial %llu of the database fits no experiment",
                       (unsigned long long)record->trial);
    if (record->n_params != experiment->spec->space->n_params)
        return err_set(err, ERR_INVALID, "trial %llu of the database has %zu parameters, its experiment %zu",
                       (unsigned long long)record->trial, record->n_params,
                       experiment->spec->space->n_params);
    struct trial *trial = restore_record(engine, experiment, record);
    if (!trial)
        goto no_memory;
    trial->n_reports = curve ? curve->n : 0;
    experiment->n_reports += trial->n_reports;
    trial_observe(engine, experiment, trial, OBSERVED_PENDING);
    trial_set_origin(engine, experiment, trial, record->origin, record->origin_units);
    trial_count_units(trial, curve ? curve_units(curve) : 0);
    if (context_started(experiment->context, trial->number, trial->budget))
        goto no_memory;
    if (trial_state_is_final(record->state) || record->state == TRIAL_PAUSED) {
        if (restore_ended(experiment, trial, record->state, curve))
            goto no_memory;
        observe_levels(engine, experiment, trial, curve);
        observe_ended(engine, experiment, trial, curve);
        count_result(experiment, trial);
        if (record->state == TRIAL_PAUSED && take_curve(trial, curve))
            goto no_memory;
        trial->n_kept = trial->curve.n; /* of a paused one; a final one has no curve any more */
        if (record->state == TRIAL_PAUSED)
            trial->done = curve && curve->n ? curve_units(curve) : trial->origin_units;
    } else if (record->state == TRIAL_PENDING) {
        DL_APPEND(experiment->pending, trial);
    } else {
        if (take_curve(trial, curve) || restore_active(engine, experiment, trial, record->state))
            goto no_memory;
        observe_levels(engine, experiment, trial, curve);
    }
    return engine->failed;
no_memory:
    engine_out_of_memory(engine);
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* What the rules want of a trial that is under way, now that they know the history. The STOP goes out when
 * its worker comes back with it. */
static void reconsider(struct experiment *experiment)
{
    struct trial *trial;
    DL_FOREACH2(experiment->active, trial, next_active)
    {
        if (!trial->curve.n)
            continue;
        enum decision decision = context_report(experiment->context, trial->number, &trial->curve);
        if (decision == DECISION_CONTINUE)
            continue;
        trial->pausing = decision == DECISION_PAUSE;
        trial->reason = STOP_EARLY;
        trial_step(experiment, trial, TRIAL_STOPPING);
    }
}

void engine_restored(struct engine *engine, int64_t now_ns)
{
    engine->now_ns = now_ns;
    for (struct worker *worker = engine->workers; worker; worker = worker->hh.next)
        peer_arm(engine, worker);
    struct experiment *experiment, *next;
    HASH_ITER(hh, engine->experiments, experiment, next)
    {
        if (experiment->state != EXPERIMENT_RUNNING || experiment->since_ns)
            continue;
        engine_event(engine, experiment, NULL, "restored", "a new run of the driver goes on with it");
        reconsider(experiment);
        experiment_run(engine, experiment);
    }
    gang_settle(engine);
}
