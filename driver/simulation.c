/* The engine in virtual time, on a table. See driver/simulation.h.
 *
 * The heap holds when each worker has something to say; the engine's own deadlines come between. What the
 * engine commands is carried out at once: a SEND reaches its worker, an ASK is answered by the search, a
 * PERSIST needs no disk. Ties in time are settled by the heap, which is deterministic. */
#include "driver/simulation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "driver/engine.h"
#include "driver/heap.h"
#include "optimizers/lattice.h"

#define SECOND           1e9
#define NEVER            (INT64_MAX / 4)      /* a lease, in ns */
#define PROGRESS_EVERY   65536                /* steps; a few hundredths of a second */
#define MAX_VIRTUAL_NS   4e18                 /* a century: then times would overflow */
#define REPLICATE_STREAM UINT64_C(0x7265706c) /* of the seed: "repl" */

/* A worker of the simulation. */
struct hand {
    struct deadline deadline; /* when it speaks */
    uint64_t next_seq;
    bool is_busy, is_stopped;
    uint64_t trial, attempt;
    struct id experiment;
    size_t row, step, end; /* next step, and the one after its last */
    int64_t begun_ns;
};

/* What a trial is in the table. */
struct past {
    size_t row;    /* SIZE_MAX: not looked up yet */
    bool is_begun; /* it was given to a worker */
    double noise;  /* what its one value differs from the mean by */
};

struct answer {
    uint64_t first, n;
    double *points;
};

struct simulation {
    const struct simulation_setup *setup;
    struct recording *recording;
    const struct spec *spec; /* the engine's */
    struct engine *engine;
    struct search *search;
    struct heap heap;
    struct hand *hands;
    size_t n_hands;
    struct past *pasts; /* [capacity_pasts] by trial */
    size_t capacity_pasts;
    bool *is_used;          /* [n_rows] */
    bool is_drawn;          /* see draws_rows */
    struct answer *answers; /* to questions of the engine */
    size_t n_answers, capacity_answers;
    int64_t now_ns;
    struct wire_message message; /* the PROGRESS that a worker says */
    struct simulation_result *result;
    struct err *err;
};

static int no_memory(struct simulation *sim)
{
    return err_set(sim->err, ERR_NOMEM, "out of memory");
}

static struct id hand_id(size_t index)
{
    struct id id = {{0}};
    uint64_t number = index + 1;
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

static struct hand *hand_of(const struct simulation *sim, struct id id)
{
    uint64_t number;
    memcpy(&number, id.bytes, sizeof number);
    return &sim->hands[number - 1];
}

/* Trials */

static struct past *past_of(struct simulation *sim, uint64_t trial)
{
    if (trial >= sim->capacity_pasts) {
        size_t capacity = sim->capacity_pasts ? sim->capacity_pasts : 256;
        while (capacity <= trial)
            capacity *= 2;
        struct past *pasts = reallocarray(sim->pasts, capacity, sizeof *pasts);
        if (!pasts)
            return NULL;
        for (size_t i = sim->capacity_pasts; i < capacity; i++)
            pasts[i] = (struct past){.row = SIZE_MAX};
        sim->pasts = pasts;
        sim->capacity_pasts = capacity;
    }
    return &sim->pasts[trial];
}

/* One of the replicates that are there, at random: the same for a trial whatever happened before. */
static double draw_noise(const struct simulation *sim, uint64_t trial, size_t row)
{
    const struct recording *r = sim->recording;
    const double *replicates = r->replicates + row * r->n_replicates;
    size_t n = 0, chosen = 0;
    struct rng rng;
    rng_init(&rng, rng_mix(sim->setup->seed, REPLICATE_STREAM), trial);
    if (r->n_replicates == 0 || sim->spec->table.observe == OBSERVE_MEAN)
        return 0;
    for (size_t k = 0; k < r->n_replicates; k++)
        if (!isnan(replicates[k]) && rng_below(&rng, ++n) == 0)
            chosen = k;
    return n ? replicates[chosen] - r->curves[row] : 0;
}

/* Where a random search may have rows only, it draws rows, all equally likely. To take the row nearest to a
 * random point would not do: in several dimensions those on the rim of the space are nearest to most of it.
 */
static bool draws_rows(const struct simulation *sim)
{
    return sim->spec->table.lookup == LOOKUP_ROWS && strcmp(sim->spec->search.name, "random") == 0 &&
           !space_has_defaults(sim->spec->space) && sim->spec->warm_start.n == 0;
}

static size_t find_row(struct simulation *sim, uint64_t trial, const double *point)
{
    size_t n = sim->recording->n_rows;
    if (!sim->is_drawn)
        return recording_find(sim->recording, point);
    return trial <= n ? (size_t)lattice_permute(trial - 1, n, sim->setup->seed) : SIZE_MAX;
}

/* Looks the trial up; its row stays the same in every attempt. ERR_EXHAUSTED: no row is left. */
static int find_past(struct past **past, struct simulation *sim, uint64_t trial, const double *point)
{
    *past = past_of(sim, trial);
    if (!*past)
        return no_memory(sim);
    if ((*past)->row == SIZE_MAX) {
        size_t row = find_row(sim, trial, point);
        if (row == SIZE_MAX)
            return err_set(sim->err, ERR_EXHAUSTED, "every row of the table was used");
        (*past)->row = row;
        (*past)->noise = draw_noise(sim, trial, row);
    }
    return 0;
}

/* Workers */

static int speak_at(struct simulation *sim, struct hand *hand, double after_s)
{
    double at_ns = (double)sim->now_ns + after_s * SECOND;
    if (at_ns > MAX_VIRTUAL_NS)
        return err_set(sim->err, ERR_INVALID, "the simulated time is beyond a century: give limits");
    return heap_set(&sim->heap, &hand->deadline, sim->now_ns + (int64_t)llround(after_s * SECOND))
               ? no_memory(sim)
               : 0;
}

static int plan_step(struct simulation *sim, struct hand *hand)
{
    const struct recording *r = sim->recording;
    double seconds = r->seconds ? r->seconds[hand->row * r->n_steps + hand->step] : 1;
    return speak_at(sim, hand, hand->step < hand->end ? seconds : 0);
}

static int assigned(struct simulation *sim, struct hand *hand, const struct wire_assign *assign)
{
    struct past *past;
    int code = find_past(&past, sim, assign->trial, assign->point.values);
    if (code < 0)
        return code;
    if (!past->is_begun) {
        past->is_begun = true;
        sim->result->n_trials++;
        sim->result->n_rows_used += !sim->is_used[past->row];
        sim->is_used[past->row] = true;
    }
    size_t length = sim->recording->lengths[past->row];
    hand->is_busy = true;
    hand->is_stopped = false;
    hand->trial = assign->trial;
    hand->attempt = assign->attempt;
    hand->experiment = assign->experiment;
    hand->row = past->row;
    hand->end = assign->budget > 0 && (uint64_t)assign->budget < length ? (size_t)assign->budget : length;
    hand->step = assign->done < (int64_t)hand->end ? (size_t)assign->done : hand->end;
    hand->begun_ns = sim->now_ns;
    return plan_step(sim, hand);
}

static int deliver(struct simulation *sim, struct hand *hand, const struct wire_message *message)
{
    switch (message->type) {
    case WIRE_ASSIGN:
        return assigned(sim, hand, &message->assign);
    case WIRE_STOP:
        if (!hand->is_busy || hand->trial != message->stop.trial || hand->attempt != message->stop.attempt)
            return 0;
        hand->is_stopped = true;
        return speak_at(sim, hand, 0);
    case WIRE_BYE:
        return err_set(sim->err, ERR_FAILED, "the engine refused its worker: %s", message->bye.text.data);
    default:
        return 0; /* greetings and acknowledgements: nothing is ever lost here */
    }
}

/* The engine's commands */

static int answer(struct simulation *sim, const struct command *command)
{
    if (sim->n_answers == sim->capacity_answers) {
        size_t capacity = sim->capacity_answers ? 2 * sim->capacity_answers : 16;
        struct answer *answers = reallocarray(sim->answers, capacity, sizeof *answers);
        if (!answers)
            return no_memory(sim);
        sim->answers = answers;
        sim->capacity_answers = capacity;
    }
    size_t n_params = sim->spec->space->n_params;
    struct answer *answer = &sim->answers[sim->n_answers];
    *answer = (struct answer){.first = command->first_trial};
    answer->points = calloc(command->n * n_params + 1, sizeof *answer->points);
    if (!answer->points)
        return no_memory(sim);
    sim->n_answers++;
    for (; answer->n < command->n; answer->n++) {
        uint64_t trial = command->first_trial + answer->n;
        double *point = answer->points + answer->n * n_params;
        struct past *past;
        int code = search_suggest(point, sim->search, trial, sim->err);
        if (code == 0) /* at once: where rows are used up, the engine is to know it now */
            code = find_past(&past, sim, trial, point);
        if (code == ERR_EXHAUSTED)
            break;
        if (code < 0)
            return code;
    }
    return 0;
}

/* A final trial is kept once. */
static void count_ended(struct simulation_result *result, const struct record *record)
{
    if (record->kind != RECORD_TRIAL)
        return;
    result->n_completed += record->trial.state == TRIAL_COMPLETED;
    result->n_stopped += record->trial.state == TRIAL_STOPPED;
    result->n_failed += record->trial.state == TRIAL_FAILED;
}

static int obey(struct simulation *sim, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_SEND:
        return deliver(sim, hand_of(sim, command->worker), &command->message);
    case COMMAND_ASK:
        return answer(sim, command);
    case COMMAND_OBSERVE: {
        int code = search_observe(sim->search, &command->observation);
        return code < 0 ? err_set(sim->err, code, "the search refused an observation: %s", err_string(code))
                        : 0;
    }
    case COMMAND_PERSIST:
        count_ended(sim->result, &command->record);
        break;
    case COMMAND_CHANGED:
        break;
    }
    return 0;
}

/* Does what the engine wants after an event, and what it wants after the answers to that. */
static int carry_out(struct simulation *sim)
{
    for (size_t given = 0;; given++) {
        size_t n;
        const struct command *commands = engine_commands(&n, sim->engine);
        if (engine_failed(sim->engine))
            return no_memory(sim);
        for (size_t i = 0; i < n; i++) {
            int code = obey(sim, &commands[i]);
            if (code < 0)
                return code;
        }
        engine_clear(sim->engine);
        if (given == sim->n_answers)
            break;
        const struct answer *next = &sim->answers[given];
        engine_suggested(sim->engine, 1, next->first, (size_t)next->n, next->points, sim->now_ns);
    }
    for (size_t i = 0; i < sim->n_answers; i++)
        free(sim->answers[i].points);
    sim->n_answers = 0;
    return 0;
}

static int say(struct simulation *sim, struct hand *hand, const struct report *report, enum outcome outcome,
               double value, const char *text)
{
    struct wire_progress *progress = &sim->message.progress; /* the rest of it is always the same */
    progress->seq = hand->next_seq++;
    progress->experiment = hand->experiment;
    progress->trial = hand->trial;
    progress->attempt = hand->attempt;
    progress->outcome = (uint64_t)outcome;
    progress->value = value;
    progress->text = wire_string(text);
    progress->reports = (struct wire_reports){.n = report != NULL, .list = report};
    if (outcome != OUTCOME_NONE) {
        hand->is_busy = false;
        heap_remove(&sim->heap, &hand->deadline);
    }
    engine_message(sim->engine, hand_id((size_t)(hand - sim->hands)), &sim->message, sim->now_ns);
    return carry_out(sim);
}

/* Keeps the value if it is the best so far. */
static int keep_best(struct simulation *sim, const struct hand *hand, double value)
{
    struct simulation_result *result = sim->result;
    const struct recording *r = sim->recording;
    bool is_whole = hand->step + 1 == r->lengths[hand->row];
    if (!isfinite(value) || (sim->setup->whole_only && !is_whole))
        return 0;
    if (result->n_points &&
        !metric_better(sim->spec->metric.goal, value, result->points[result->n_points - 1].value))
        return 0;
    if (result->n_points == result->capacity) {
        size_t capacity = result->capacity ? 2 * result->capacity : 64;
        struct simulation_point *points = reallocarray(result->points, capacity, sizeof *points);
        if (!points)
            return no_memory(sim);
        result->points = points;
        result->capacity = capacity;
    }
    result->points[result->n_points++] = (struct simulation_point){
        .seconds = (double)sim->now_ns / SECOND,
        .n_epochs = result->n_epochs,
        .n_begun = result->n_trials,
        .n_ended = result->n_completed + result->n_stopped + result->n_failed,
        .trial = hand->trial,
        .step = (int64_t)hand->step + 1,
        .value = value,
        .truth = r->curves[hand->row * r->n_steps + hand->step],
    };
    memcpy(result->best, r->points + hand->row * r->space->n_params, r->space->n_params * sizeof(double));
    return 0;
}

/* Its attempt takes longer than limits.trial_hours. */
static bool is_overdue(const struct simulation *sim, const struct hand *hand)
{
    double hours = sim->spec->limits.trial_hours;
    return hours > 0 && (double)(sim->now_ns - hand->begun_ns) > hours * 3600 * SECOND;
}

/* A training step is done. */
static int step(struct simulation *sim, struct hand *hand)
{
    const struct recording *r = sim->recording;
    const struct past *past = &sim->pasts[hand->trial];
    double value = r->curves[hand->row * r->n_steps + hand->step] + past->noise;
    bool ends = hand->step + 1 == hand->end;
    struct report report = {.step = (int64_t)hand->step, .value = value};
    sim->result->n_epochs++;
    int code = keep_best(sim, hand, value);
    hand->step++;
    if (code < 0)
        return code;
    code = ends ? say(sim, hand, &report, OUTCOME_COMPLETED, value, "")
                : say(sim, hand, &report, OUTCOME_NONE, (double)NAN, "");
    if (code < 0 || ends || hand->is_stopped)
        return code;
    return plan_step(sim, hand);
}

static int act(struct simulation *sim, struct hand *hand)
{
    heap_remove(&sim->heap, &hand->deadline);
    if (hand->is_stopped)
        return say(sim, hand, NULL, OUTCOME_STOPPED, (double)NAN, "");
    if (is_overdue(sim, hand))
        return say(sim, hand, NULL, OUTCOME_FAILED, (double)NAN, "it took longer than limits.trial_hours");
    if (hand->step == hand->end) /* it had used its budget before */
        return say(sim, hand, NULL, OUTCOME_COMPLETED, (double)NAN, "");
    return step(sim, hand);
}

/* The whole */

static int greet(struct simulation *sim)
{
    for (size_t i = 0; i < sim->n_hands; i++) {
        struct wire_message hello = {.type = WIRE_HELLO,
                                     .hello = {.protocol = WIRE_VERSION,
                                               .worker = hand_id(i),
                                               .host = wire_string("simulated"),
                                               .slot = i,
                                               .greeting = 1,
                                               .first_seq = 1}};
        sim->hands[i].next_seq = 1;
        engine_message(sim->engine, hand_id(i), &hello, sim->now_ns);
        int code = carry_out(sim);
        if (code < 0)
            return code;
    }
    return 0;
}

static int advance(struct simulation *sim)
{
    struct deadline *first = heap_first(&sim->heap);
    int64_t deadline_ns = engine_deadline(sim->engine);
    bool is_timer = !first || deadline_ns < first->at_ns;
    if (!first && sim->spec->limits.hours <= 0)
        return err_set(
            sim->err, ERR_FAILED,
            "no worker has anything to do, and nothing will change that: the schedule waits for ever");
    sim->now_ns = is_timer ? deadline_ns : first->at_ns;
    if (!is_timer)
        return act(sim, (struct hand *)(void *)((char *)first - offsetof(struct hand, deadline)));
    engine_time(sim->engine, sim->now_ns);
    return carry_out(sim);
}

static int live(struct simulation *sim)
{
    const struct simulation_setup *setup = sim->setup;
    int code = greet(sim);
    for (uint64_t n = 1; code == 0 && engine_n_running(sim->engine) > 0; n++) {
        code = advance(sim);
        if (code == 0 && n % PROGRESS_EVERY == 0 && setup->progress &&
            setup->progress(setup->arg, sim->result->n_epochs, (double)sim->now_ns / SECOND))
            code = err_set(sim->err, ERR_INTERRUPTED, "interrupted");
    }
    return code;
}

static const struct id experiment_id = {{1}};

static int submit(struct simulation *sim)
{
    struct faults faults = {0};
    struct spec *spec = NULL;
    const char *json = sim->setup->spec_json;
    int code = spec_parse(&spec, json, strlen(json), NULL, NULL, 0, &faults);
    if (code < 0) {
        (void)err_set(sim->err, code, "%s", faults.n ? faults.list[0].text : err_string(code));
        faults_fini(&faults);
        return code;
    }
    spec->seed = sim->setup->seed;
    spec->has_seed = true;
    sim->spec = spec;
    sim->is_drawn = draws_rows(sim);
    sim->n_hands = (size_t)spec->workers;
    struct experiment_record record = {
        .id = experiment_id, .name = spec->name, .spec_json = json, .source = json};
    code = engine_submit(sim->engine, &record, spec, 0, sim->err); /* takes the spec */
    if (code == 0)
        code = search_create_for(&sim->search, spec, sim->err);
    if (code == 0 && (code = search_warm_start(sim->search, &spec->warm_start)) < 0)
        (void)err_set(sim->err, code, "the search refused its warm start: %s", err_string(code));
    if (code == 0 && !(sim->hands = calloc(sim->n_hands, sizeof *sim->hands)))
        code = no_memory(sim);
    return code < 0 ? code : carry_out(sim);
}

static int begin(struct simulation *sim)
{
    static const struct engine_setup engine_setup = {
        .driver = {{2}}, .heartbeat_ns = NEVER, .lease_ns = NEVER, .next_key = 1};
    const struct recording *r = sim->recording;
    recording_rewind(sim->recording);
    sim->engine = engine_create(&engine_setup);
    sim->is_used = calloc(r->n_rows, sizeof *sim->is_used);
    sim->result->best = calloc(r->space->n_params + 1, sizeof *sim->result->best);
    if (!sim->engine || !sim->is_used || !sim->result->best)
        return no_memory(sim);
    return submit(sim);
}

static void take_status(struct simulation *sim)
{
    struct simulation_result *result = sim->result;
    struct wire_status status;
    if (engine_status(&status, sim->engine, experiment_id, sim->now_ns) < 0)
        return; /* it was never submitted */
    (void)snprintf(result->state, sizeof result->state, "%s",
                   experiment_state_name((enum experiment_state)status.state));
    (void)snprintf(result->text, sizeof result->text, "%s", status.text.data); /* a long one is cut */
}

int simulation_run(struct simulation_result *result, const struct simulation_setup *setup, struct err *err)
{
    struct err scratch = {0};
    *result = (struct simulation_result){.seed = setup->seed};
    struct simulation sim = {.setup = setup,
                             .recording = setup->recording,
                             .message = {.type = WIRE_PROGRESS, .progress.log = wire_string("")},
                             .result = result,
                             .err = err ? err : &scratch};
    int code = begin(&sim);
    if (code == 0)
        code = live(&sim);
    if (code == 0)
        take_status(&sim);
    result->seconds = (double)sim.now_ns / SECOND;
    for (size_t i = 0; i < sim.n_answers; i++)
        free(sim.answers[i].points);
    free(sim.answers);
    search_destroy(sim.search); /* before the engine, whose space it borrows */
    engine_destroy(sim.engine);
    heap_fini(&sim.heap);
    free(sim.hands);
    free(sim.pasts);
    free(sim.is_used);
    if (code < 0)
        simulation_result_fini(result);
    return code;
}

void simulation_result_fini(struct simulation_result *result)
{
    free(result->points);
    free(result->best);
    *result = (struct simulation_result){0};
}
