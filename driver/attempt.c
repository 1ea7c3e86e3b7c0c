/* One trial: its state, its attempts and its reports.
 *
 * `trial_step` is the only place that assigns a state, from the table in core/trial.def. An attempt ends in
 * exactly one place, `attempt_ended`, whoever said so: the worker, a lease, a greeting that no longer holds
 * it. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"

struct trial *trial_create(struct engine *engine, struct experiment *experiment, uint64_t number,
                           const double *point)
{
    size_t n_params = experiment->spec->space->n_params;
    if (number > experiment->n_slots) {
        size_t n_slots = experiment->n_slots ? experiment->n_slots : 64;
        while (n_slots < number)
            n_slots *= 2;
        struct trial **trials = realloc(experiment->trials, n_slots * sizeof *trials);
        if (!trials)
            goto fail;
        memset(trials + experiment->n_slots, 0, (n_slots - experiment->n_slots) * sizeof *trials);
        experiment->trials = trials;
        experiment->n_slots = n_slots;
    }
    struct trial *trial = calloc(1, sizeof *trial + n_params * sizeof(double));
    if (!trial)
        goto fail;
    trial->experiment = experiment;
    trial->number = number;
    trial->attempt = trial->first_attempt = 1;
    trial->value = (double)NAN;
    trial->created_ms = engine_wall_ms(engine);
    trial->next_level = context_next_level(experiment->context, 0);
    memcpy(trial->point, point, n_params * sizeof(double));
    experiment->trials[number - 1] = trial;
    experiment->n_created++;
    experiment->counts[TRIAL_PENDING]++;
    while (experiment_trial(experiment, experiment->next_number))
        experiment->next_number++;
    return trial;
fail:
    engine_out_of_memory(engine);
    return NULL;
}

void trial_destroy(struct trial *trial)
{
    if (!trial)
        return;
    curve_fini(&trial->curve);
    gang_destroy(trial->gang);
    free(trial->text);
    free(trial->log);
    free(trial);
}

void trial_set_origin(struct engine *engine, struct experiment *experiment, struct trial *trial,
                      uint64_t origin, int64_t units)
{
    trial->origin = origin;
    trial->origin_units = trial->done = units;
    if (origin && context_forked(experiment->context, trial->number, origin, units))
        engine_out_of_memory(engine);
}

bool trial_is_active(const struct trial *trial)
{
    return trial->state == TRIAL_ASSIGNED || trial->state == TRIAL_RUNNING || trial->state == TRIAL_STOPPING;
}

void trial_step(struct experiment *experiment, struct trial *trial, enum trial_state to)
{
    assert(trial_may_step(trial->state, to));
    bool was_active = trial_is_active(trial);
    experiment->counts[trial->state]--;
    trial->state = to;
    experiment->counts[to]++;
    if (was_active && !trial_is_active(trial)) {
        DL_DELETE2(experiment->active, trial, prev_active, next_active);
        experiment->n_active--;
    } else if (!was_active && trial_is_active(trial)) {
        DL_APPEND2(experiment->active, trial, prev_active, next_active);
        experiment->n_active++;
    }
}

void trial_persist(struct engine *engine, struct experiment *experiment, struct trial *trial)
{
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return;
    command->record.kind = RECORD_TRIAL;
    command->record.trial = (struct trial_record){
        .key = experiment->key,
        .trial = trial->number,
        .state = trial->state,
        .attempt = trial->attempt,
        .first_attempt = trial->first_attempt,
        .n_lost = trial->n_lost,
        .worker = trial->worker_id,
        .budget = trial->budget,
        .value = trial->value,
        .text = trial->text ? trial->text : "",
        .log = trial->log ? trial->log : "",
        .created_ms = trial->created_ms,
        .started_ms = trial->started_ms,
        .ended_ms = trial->ended_ms,
        .n_params = experiment->spec->space->n_params,
        .point = trial->point,
        .n_reports = trial->n_reports,
        .origin = trial->origin,
        .origin_units = trial->origin_units,
    };
}

void trial_observe(struct engine *engine, struct experiment *experiment, struct trial *trial,
                   enum observation_kind kind)
{
    struct command *command = engine_command(engine, COMMAND_OBSERVE);
    if (!command)
        return;
    command->key = experiment->key;
    command->observation = (struct observation){
        .kind = kind,
        .trial = trial->number,
        .point = trial->point,
        .value = trial->value,
        .step = trial->curve.n ? trial->curve.steps[trial->curve.n - 1] : 0,
        .is_cut = trial->state == TRIAL_STOPPED,
    };
}

void trial_observe_level(struct engine *engine, struct experiment *experiment, struct trial *trial,
                         const struct curve *curve)
{
    if (!experiment->learns || curve_units(curve) < trial->next_level)
        return;
    trial_observe(engine, experiment, trial, OBSERVED_PARTIAL);
    if (engine->failed)
        return;
    struct observation *observation = &engine->commands[engine->n_commands - 1].observation;
    observation->value = metric_trial_value(&experiment->spec->metric, (double)NAN, curve);
    observation->step = curve->steps[curve->n - 1];
    trial->next_level = context_next_level(experiment->context, curve_units(curve));
}

void trial_attach(struct engine *engine, struct experiment *experiment, struct trial *trial,
                  struct worker *worker)
{
    trial_step(experiment, trial, TRIAL_ASSIGNED);
    trial->worker = worker;
    trial->worker_id = worker->id;
    trial->held = worker->greeting;
    trial->reason = 0;
    trial->pausing = trial->diverged = false;
    trial->attempt_ms = engine_wall_ms(engine);
    if (!trial->started_ms)
        trial->started_ms = trial->attempt_ms;
    trial->ended_ms = 0;
    DL_APPEND(worker->trials, trial);
    worker->idle_beats = 0;
}

static bool introduce(struct engine *engine, struct experiment *experiment, struct worker *worker)
{
    for (size_t i = worker->n_known; i-- > 0;)
        if (worker->known[i] == experiment)
            return true;
    if (worker->n_known == worker->capacity_known) {
        size_t capacity = worker->capacity_known ? 2 * worker->capacity_known : 4;
        struct experiment **known = realloc(worker->known, capacity * sizeof(struct experiment *));
        if (!known) {
            engine_out_of_memory(engine);
            return false;
        }
        worker->known = known;
        worker->capacity_known = capacity;
    }
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return false;
    worker->known[worker->n_known++] = experiment;
    command->worker = worker->id;
    command->message.type = WIRE_EXPERIMENT;
    command->message.experiment.experiment = experiment->id;
    command->message.experiment.name = wire_string(experiment->name);
    command->message.experiment.spec = wire_string(experiment->spec_json);
    return true;
}

void trial_send_assign(struct engine *engine, struct experiment *experiment, const struct trial *trial,
                       struct worker *worker, uint64_t rank)
{
    if (!introduce(engine, experiment, worker))
        return;
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker->id;
    command->message.type = WIRE_ASSIGN;
    command->message.assign = (struct wire_assign){
        .experiment = experiment->id,
        .trial = trial->number,
        .attempt = trial->attempt,
        .budget = trial->budget,
        .done = trial->done,
        .point = {.n = experiment->spec->space->n_params, .values = trial->point},
        .gang = trial->gang ? trial->gang->number : 0,
        .rank = rank,
        .world = trial->gang ? trial->gang->n : 0,
        .origin = trial->origin,
    };
}

void trial_assign(struct engine *engine, struct experiment *experiment, struct trial *trial,
                  struct worker *worker)
{
    trial_attach(engine, experiment, trial, worker);
    trial_send_assign(engine, experiment, trial, worker, 0);
    trial_persist(engine, experiment, trial);
    experiment_changed(engine, experiment);
}

void trial_tell_stop(struct engine *engine, const struct experiment *experiment, const struct trial *trial,
                     struct id worker, enum stop_reason reason)
{
    struct command *command = engine_command(engine, COMMAND_SEND);
    if (!command)
        return;
    command->worker = worker;
    command->message.type = WIRE_STOP;
    command->message.stop = (struct wire_stop){.experiment = experiment->id,
                                               .trial = trial->number,
                                               .attempt = trial->attempt,
                                               .reason = (uint64_t)reason,
                                               .gang = trial->gang ? trial->gang->number : 0};
}

static void stopping_event(struct engine *engine, const struct experiment *experiment,
                           const struct trial *trial)
{
    char text[64] = "";
    if (trial->curve.n)
        (void)snprintf(text, sizeof text, "at step %lld", (long long)trial->curve.steps[trial->curve.n - 1]);
    engine_event(engine, experiment, trial,
                 trial->diverged  ? "diverged"
                 : trial->pausing ? "paused"
                                  : "stopped early",
                 text);
}

void trial_send_stop(struct engine *engine, struct experiment *experiment, struct trial *trial,
                     enum stop_reason reason)
{
    if (!trial->reason) /* the first reason decides what becomes of the trial */
        trial->reason = reason;
    trial->stop_sent_ns = engine->now_ns;
    if (trial->state != TRIAL_STOPPING) {
        trial_step(experiment, trial, TRIAL_STOPPING);
        trial_persist(engine, experiment, trial);
        if (reason == STOP_EARLY)
            stopping_event(engine, experiment, trial);
    }
    trial_tell_stop(engine, experiment, trial, trial->worker_id, reason);
    gang_tell_stop(engine, experiment, trial, reason);
}

/* A final trial needs its curve no more, but the record of this event still points to it. */
static void spend_curve(struct engine *engine, struct trial *trial)
{
    if (!trial->curve.capacity)
        return;
    if (engine->n_spent == engine->capacity_spent) {
        size_t capacity = engine->capacity_spent ? 2 * engine->capacity_spent : 16;
        struct trial **spent = realloc(engine->spent, capacity * sizeof(struct trial *));
        if (!spent) {
            engine_out_of_memory(engine);
            return;
        }
        engine->spent = spent;
        engine->capacity_spent = capacity;
    }
    engine->spent[engine->n_spent++] = trial;
}

void trial_count_units(struct trial *trial, int64_t units)
{
    units = units > trial->origin_units ? units - trial->origin_units : 0; /* a copy's were another trial's */
    trial->experiment->n_units += units - trial->units;
    trial->units = units;
}

void trial_forget_attempt(struct trial *trial)
{
    trial->curve.n = trial->n_kept;
    trial->n_reports = trial->n_kept;
    trial_count_units(trial, curve_units(&trial->curve));
    if (!trial->n_kept)
        trial->first_attempt = trial->attempt;
    trial->next_level = context_next_level(trial->experiment->context, curve_units(&trial->curve));
}

/* How an attempt ended, in one piece: from its worker's last word, or from us. */
struct ending {
    enum outcome outcome;
    bool counts;       /* of LOST: against the retries */
    struct worker *by; /* of its workers the one that ended it, or was lost; NULL: none of them */
    double value;
    const char *text, *log;
};

static void replace_text(struct engine *engine, char **place, const char *text)
{
    if (!*place && (!text || !*text))
        return;
    char *copy = engine_copy(engine, text); /* before the old one goes: it may be part of it */
    (void)engine_lend(engine, *place);
    *place = copy;
}

static void persist_attempt(struct engine *engine, struct experiment *experiment, struct trial *trial,
                            const struct ending *ending)
{
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return;
    command->record.kind = RECORD_ATTEMPT;
    command->record.attempt = (struct attempt_record){
        .key = experiment->key,
        .trial = trial->number,
        .attempt = trial->attempt,
        .worker = trial->worker_id,
        .host = trial->worker && trial->worker->host ? trial->worker->host : "",
        .outcome = ending->outcome,
        .text = ending->text ? ending->text : "",
        .log = ending->log ? ending->log : "",
        .started_ms = trial->attempt_ms,
        .ended_ms = engine_wall_ms(engine),
    };
}

/* Back to PENDING, to be run by whoever is free: from the start, or from where it was paused. */
static void run_again(struct engine *engine, struct experiment *experiment, struct trial *trial, bool counts)
{
    trial_step(experiment, trial, TRIAL_PENDING);
    trial->n_lost += counts;
    trial->attempt++;
    trial->reason = 0;
    trial->pausing = trial->diverged = false;
    trial->value = (double)NAN;
    trial_forget_attempt(trial);
    DL_APPEND(experiment->pending, trial);
    trial_persist(engine, experiment, trial);
}

static void finish(struct engine *engine, struct experiment *experiment, struct trial *trial,
                   enum trial_state end)
{
    trial_step(experiment, trial, end);
    trial->ended_ms = engine_wall_ms(engine);
    if (end == TRIAL_PAUSED) {
        trial->done = curve_units(&trial->curve);
        trial->n_kept = trial->curve.n;
    }
    trial_persist(engine, experiment, trial);
    if (engine->failed)
        return;
    if (end != TRIAL_PAUSED)
        engine->commands[engine->n_commands - 1].record.trial.curve = &trial->curve;
    if (experiment->learns)
        trial_observe(engine, experiment, trial,
                      isnan(trial->value)   ? OBSERVED_FAILED
                      : end == TRIAL_PAUSED ? OBSERVED_PARTIAL
                                            : OBSERVED_FINAL);
    if (context_ended(experiment->context, trial->number, end, &trial->curve, trial->value))
        engine_out_of_memory(engine);
    experiment_trial_ended(engine, experiment, trial);
}

void trial_settle(struct engine *engine, struct experiment *experiment, struct trial *trial)
{
    trial_step(experiment, trial, TRIAL_STOPPED);
    trial->ended_ms = engine_wall_ms(engine);
    trial_persist(engine, experiment, trial);
    if (engine->failed)
        return;
    engine->commands[engine->n_commands - 1].record.trial.curve = &trial->curve;
    spend_curve(engine, trial);
}

void trial_give_up(struct engine *engine, struct experiment *experiment, struct trial *trial)
{
    engine_event(engine, experiment, trial, "given up", "");
    finish(engine, experiment, trial, TRIAL_STOPPED);
    spend_curve(engine, trial);
    experiment_changed(engine, experiment);
}

static const char *why_no_value(struct engine *engine, const struct experiment *experiment,
                                const struct trial *trial, double returned)
{
    if (trial->diverged || isinf(returned) || (isnan(returned) && trial->curve.n))
        (void)snprintf(engine->scratch, sizeof engine->scratch, "the objective '%s' is not a finite number",
                       experiment->spec->metric.name);
    else
        (void)snprintf(engine->scratch, sizeof engine->scratch,
                       "it ended without reporting the objective '%s'", experiment->spec->metric.name);
    return engine->scratch;
}

static void fail(struct engine *engine, struct experiment *experiment, struct trial *trial, const char *text)
{
    replace_text(engine, &trial->text, text);
    trial->value = (double)NAN;
    finish(engine, experiment, trial, TRIAL_FAILED);
}

static void end_with_value(struct engine *engine, struct experiment *experiment, struct trial *trial,
                           enum trial_state end, double returned)
{
    const struct metric *metric = &experiment->spec->metric;
    double value = metric_trial_value(metric, returned, &trial->curve);
    bool needs_value = end == TRIAL_COMPLETED || trial->diverged;
    if (needs_value && (!isfinite(value) || (trial->diverged && !isfinite(returned)))) {
        fail(engine, experiment, trial, why_no_value(engine, experiment, trial, returned));
        return;
    }
    trial->value = isfinite(value) ? value : (double)NAN;
    finish(engine, experiment, trial, trial->pausing ? TRIAL_PAUSED : end);
}

static void attempt_lost(struct engine *engine, struct experiment *experiment, struct trial *trial,
                         const struct ending *ending)
{
    if (ending->counts && trial->n_lost >= (uint64_t)experiment->spec->retries) {
        (void)snprintf(engine->scratch, sizeof engine->scratch,
                       "attempt %llu was lost, and no retry is left: %s", (unsigned long long)trial->attempt,
                       ending->text ? ending->text : "");
        trial->n_lost++;
        fail(engine, experiment, trial, engine->scratch);
        return;
    }
    run_again(engine, experiment, trial, ending->counts);
}

static void decide_end(struct engine *engine, struct experiment *experiment, struct trial *trial,
                       const struct ending *ending)
{
    bool asked = trial->reason == STOP_EARLY || trial->reason == STOP_LIMIT;
    /* A member of a gang fails when another one dies, and its word may come first: tried again, whichever it
     * was. */
    if (ending->outcome == OUTCOME_COMPLETED)
        end_with_value(engine, experiment, trial, TRIAL_COMPLETED, ending->value);
    else if (ending->outcome == OUTCOME_FAILED && (!gang_wanted(experiment) || trial->diverged))
        fail(engine, experiment, trial, ending->text);
    else if (asked) /* stopped, or lost while it was being stopped */
        end_with_value(engine, experiment, trial, TRIAL_STOPPED, ending->value);
    else if (trial->reason == STOP_CANCELLED || ending->outcome == OUTCOME_STOPPED)
        run_again(engine, experiment, trial, false);
    else
        attempt_lost(engine, experiment, trial, ending);
}

/* Takes the attempt from its worker and decides what becomes of the trial. */
static void attempt_ended(struct engine *engine, struct experiment *experiment, struct trial *trial,
                          const struct ending *ending)
{
    struct worker *worker = trial->worker;
    bool is_regular = ending->outcome == OUTCOME_COMPLETED || ending->outcome == OUTCOME_STOPPED;
    persist_attempt(engine, experiment, trial, ending);
    if (ending->outcome == OUTCOME_LOST)
        engine_event(engine, experiment, trial, "attempt lost", ending->text);
    if (worker)
        DL_DELETE(worker->trials, trial);
    gang_dissolve(engine, experiment, trial, ending->by, is_regular ? STOP_ENDED : STOP_STALE);
    trial->worker = NULL;
    if (ending->log && *ending->log)
        replace_text(engine, &trial->log, ending->log);
    decide_end(engine, experiment, trial, ending);
    if (trial_state_is_final(trial->state))
        spend_curve(engine, trial);
    experiment_changed(engine, experiment);
    /* The worker first: fairness picks its next trial among all experiments. */
    if (worker && worker->state == WORKER_READY && !peer_has_work(worker))
        peer_employ(engine, worker);
    worker = ending->by == worker ? NULL : ending->by;
    if (worker && worker->state == WORKER_READY && !peer_has_work(worker))
        peer_employ(engine, worker);
    experiment_feed(engine, experiment);
}

void trial_lose(struct engine *engine, struct experiment *experiment, struct trial *trial, struct worker *by,
                bool counts, const char *text)
{
    struct ending ending = {.outcome = OUTCOME_LOST,
                            .counts = counts,
                            .by = by,
                            .value = (double)NAN,
                            .text = gang_text(engine, trial, by, text)};
    attempt_ended(engine, experiment, trial, &ending);
}

void trial_lose_member(struct engine *engine, struct experiment *experiment, struct trial *trial,
                       struct worker *by, const char *text, const char *log)
{
    struct ending ending = {.outcome = OUTCOME_LOST,
                            .counts = true,
                            .by = by,
                            .value = (double)NAN,
                            .text = gang_text(engine, trial, by, text),
                            .log = log};
    attempt_ended(engine, experiment, trial, &ending);
}

/* The objective has a new last value: do the rules stop or pause it? `ends`: the same message ends the
 * attempt. */
static void consider(struct engine *engine, struct experiment *experiment, struct trial *trial, bool ends)
{
    enum decision decision = context_report(experiment->context, trial->number, &trial->curve);
    if (decision == DECISION_CONTINUE || trial->reason == STOP_EARLY)
        return;
    trial->pausing =
        decision ==
        DECISION_PAUSE; /* also while it is stopped for another reason: it may yet end by itself */
    if (!ends && trial->state != TRIAL_STOPPING)
        trial_send_stop(engine, experiment, trial, STOP_EARLY);
}

static void objective_reported(struct engine *engine, struct experiment *experiment, struct trial *trial,
                               const struct report *report, bool ends)
{
    const struct curve *curve = &trial->curve;
    if (curve->n && report->step <= curve->steps[curve->n - 1])
        return; /* a double */
    if (!isfinite(report->value)) {
        /* Divergence does not mend itself: stop it now, and call it failed when it has ended. */
        trial->diverged = true;
        if (report->step >=
            trial->origin_units + trial->units) /* its curve does not say so, but they were used */
            trial_count_units(trial, report->step + 1);
        if (trial->state != TRIAL_STOPPING && !ends)
            trial_send_stop(engine, experiment, trial, STOP_EARLY);
        return;
    }
    if (curve_add(&trial->curve, report->step, report->value)) {
        engine_out_of_memory(engine);
        return;
    }
    trial->n_reports++;
    experiment->n_reports++;
    trial_count_units(trial, curve_units(&trial->curve));
    trial_observe_level(engine, experiment, trial, &trial->curve);
    consider(engine, experiment, trial, ends);
}

void trial_persist_reports(struct engine *engine, const struct experiment *experiment,
                           const struct trial *trial, struct wire_strs names, struct wire_reports reports)
{
    struct command *command = engine_command(engine, COMMAND_PERSIST);
    if (!command)
        return;
    command->record.kind = RECORD_REPORTS;
    command->record.reports = (struct reports_record){.key = experiment->key,
                                                      .trial = trial->number,
                                                      .attempt = trial->attempt,
                                                      .time_ms = engine_wall_ms(engine),
                                                      .names = names,
                                                      .reports = reports};
}

static void take_reports(struct engine *engine, struct experiment *experiment, struct trial *trial,
                         const struct wire_progress *progress)
{
    if (!progress->reports.n)
        return;
    trial_persist_reports(engine, experiment, trial, progress->names, progress->reports);
    for (size_t i = 0; i < progress->reports.n && !engine->failed; i++)
        if (progress->reports.list[i].metric == 0)
            objective_reported(engine, experiment, trial, &progress->reports.list[i],
                               progress->outcome != OUTCOME_NONE);
    experiment_changed(engine, experiment);
}

void trial_progress(struct engine *engine, struct experiment *experiment, struct trial *trial,
                    const struct wire_progress *progress)
{
    bool ends = progress->outcome != OUTCOME_NONE;
    if (trial->state == TRIAL_ASSIGNED && !ends) {
        trial_step(experiment, trial, TRIAL_RUNNING);
        trial_persist(engine, experiment, trial);
    }
    if (progress->log.size)
        replace_text(engine, &trial->log, progress->log.data);
    take_reports(engine, experiment, trial, progress);
    if (engine->failed)
        return;
    experiment_check_budget(engine, experiment); /* before its worker is given another trial */
    if (ends) {
        struct ending ending = {.outcome = (enum outcome)progress->outcome,
                                .counts = true,
                                .by = trial->worker,
                                .value = progress->value,
                                .text = progress->text.data,
                                .log = progress->log.data};
        attempt_ended(engine, experiment, trial, &ending);
    } else if (trial->state == TRIAL_STOPPING && trial->reason &&
               engine->now_ns - trial->stop_sent_ns > engine->setup.heartbeat_ns) {
        /* It reports on and on: the STOP may have been lost. */
        trial_send_stop(engine, experiment, trial, trial->reason);
    }
}
