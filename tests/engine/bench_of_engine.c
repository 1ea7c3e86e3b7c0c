/* See bench_of_engine.h. */
#include "bench_of_engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "driver/engine_state.h"

/* Copies what came out and answers the questions for points, as the server would. Messages still point into
 * the engine, so tests look at them before the next event. */
static void collect(struct bench *bench)
{
    bench->n_commands = 0;
    for (;;) {
        ck_assert_int_eq(engine_failed(bench->engine), 0);
        size_t n;
        const struct command *commands = engine_commands(&n, bench->engine);
        const struct command *ask = NULL;
        struct command question;
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_lt(bench->n_commands, 4096);
            bench->commands[bench->n_commands++] = commands[i];
            if (commands[i].kind == COMMAND_ASK && !ask) {
                question = commands[i];
                ask = &question;
            }
        }
        if (!ask)
            return;
        engine_clear(bench->engine);
        const struct space *space = engine_spec(bench->engine, question.key)->space;
        double *points = calloc(question.n * space->n_params + 1, sizeof(double));
        ck_assert_ptr_nonnull(points);
        uint64_t n_points = question.n;
        if (bench->exhausted_after && question.first_trial + n_points - 1 > bench->exhausted_after)
            n_points = question.first_trial > bench->exhausted_after
                           ? 0
                           : bench->exhausted_after - question.first_trial + 1;
        for (uint64_t i = 0; i < n_points; i++)
            space_default_point(points + i * space->n_params, space);
        bench->n_answered += n_points;
        engine_suggested(bench->engine, question.key, question.first_trial, n_points, points, bench->now_ns);
        free(points);
    }
}

void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    struct engine_setup setup = {
        .driver = {{9}}, .heartbeat_ns = 2 * SECOND, .lease_ns = 15 * SECOND, .next_key = 1};
    bench->engine = engine_create(&setup);
    ck_assert_ptr_nonnull(bench->engine);
    bench->now_ns = SECOND;
}

void bench_close(struct bench *bench)
{
    engine_destroy(bench->engine);
}

struct id bench_experiment(int number)
{
    return (struct id){{0xee, (uint8_t)number}};
}

struct id bench_worker(int number)
{
    return (struct id){{0xaa, (uint8_t)number, (uint8_t)(number >> 8)}};
}

void bench_submit(struct bench *bench, int number, const char *sweep)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    ck_assert_msg(spec_parse(&spec, sweep, strlen(sweep), "test.yaml", NULL, 0, &faults) == 0, "%s",
                  faults.n ? faults.list[0].text : "");
    faults_fini(&faults);
    struct experiment_record record = {
        .id = bench_experiment(number), .name = spec->name, .spec_json = "{}", .source = sweep};
    struct err err = {0};
    engine_clear(bench->engine);
    ck_assert_msg(engine_submit(bench->engine, &record, spec, bench->now_ns, &err) == 0, "%s", err.text);
    collect(bench);
}

void bench_message(struct bench *bench, int worker, const struct wire_message *message)
{
    engine_clear(bench->engine);
    engine_message(bench->engine, bench_worker(worker), message, bench->now_ns);
    collect(bench);
}

static void hello(struct bench *bench, int worker, uint64_t greeting, uint64_t n_held, struct id experiment)
{
    struct wire_message message = {.type = WIRE_HELLO,
                                   .hello = {.protocol = WIRE_VERSION,
                                             .worker = bench_worker(worker),
                                             .experiment = experiment,
                                             .host = wire_string("host"),
                                             .n_held = n_held,
                                             .greeting = greeting,
                                             .first_seq = 1}};
    bench_message(bench, worker, &message);
}

void bench_hello(struct bench *bench, int worker, uint64_t greeting, uint64_t n_held)
{
    hello(bench, worker, greeting, n_held, (struct id){0});
}

void bench_hello_for(struct bench *bench, int worker, uint64_t greeting, int experiment)
{
    hello(bench, worker, greeting, 0, bench_experiment(experiment));
}

void bench_hold(struct bench *bench, int worker, uint64_t greeting, uint64_t trial, uint64_t attempt)
{
    double point[] = {0.25};
    struct wire_message message = {.type = WIRE_HOLD,
                                   .hold = {.experiment = bench_experiment(1),
                                            .trial = trial,
                                            .attempt = attempt,
                                            .point = {1, point},
                                            .greeting = greeting}};
    bench_message(bench, worker, &message);
}

void bench_progress(struct bench *bench, int worker, uint64_t seq, uint64_t trial, uint64_t attempt,
                    int64_t step, double reported, enum outcome outcome, double value)
{
    struct report report = {.step = step, .value = reported};
    struct wire_message message = {
        .type = WIRE_PROGRESS,
        .progress = {.seq = seq,
                     .experiment = bench_experiment(1),
                     .trial = trial,
                     .attempt = attempt,
                     .outcome = (uint64_t)outcome,
                     .value = value,
                     .text = wire_string(outcome == OUTCOME_COMPLETED ? "" : "why"),
                     .log = wire_string(""),
                     .reports = {step < 0 ? 0 : 1, &report}}};
    bench_message(bench, worker, &message);
}

void bench_time(struct bench *bench, int64_t after_ns)
{
    bench->now_ns += after_ns;
    engine_clear(bench->engine);
    engine_time(bench->engine, bench->now_ns);
    collect(bench);
}

void bench_workers_ended(struct bench *bench, const char *text)
{
    engine_clear(bench->engine);
    engine_workers_ended(bench->engine, text, bench->now_ns);
    collect(bench);
}

void bench_cancel(struct bench *bench, int experiment)
{
    engine_clear(bench->engine);
    ck_assert_int_eq(engine_cancel(bench->engine, bench_experiment(experiment), bench->now_ns, NULL), 0);
    collect(bench);
}

void bench_resume(struct bench *bench, int experiment)
{
    engine_clear(bench->engine);
    ck_assert_int_eq(engine_resume(bench->engine, bench_experiment(experiment), bench->now_ns, NULL), 0);
    collect(bench);
}

const struct wire_message *bench_sent(const struct bench *bench, int worker, enum wire_type type)
{
    for (size_t i = bench->n_commands; i-- > 0;) {
        const struct command *command = &bench->commands[i];
        if (command->kind == COMMAND_SEND && command->message.type == type &&
            id_equal(command->worker, bench_worker(worker)))
            return &command->message;
    }
    return NULL;
}

const struct command *bench_command(const struct bench *bench, enum command_kind kind)
{
    for (size_t i = bench->n_commands; i-- > 0;)
        if (bench->commands[i].kind == kind)
            return &bench->commands[i];
    return NULL;
}

const char *bench_event(const struct bench *bench, size_t k)
{
    for (size_t i = 0; i < bench->n_commands; i++) {
        const struct command *command = &bench->commands[i];
        if (command->kind == COMMAND_PERSIST && command->record.kind == RECORD_EVENT && k-- == 0)
            return command->record.event.kind;
    }
    return "";
}

struct wire_status bench_status(const struct bench *bench, int experiment)
{
    struct wire_status status;
    ck_assert_int_eq(engine_status(&status, bench->engine, bench_experiment(experiment), bench->now_ns), 0);
    return status;
}

uint64_t bench_assigned(const struct bench *bench, int worker)
{
    const struct wire_message *message = bench_sent(bench, worker, WIRE_ASSIGN);
    return message ? message->assign.trial : 0;
}

enum trial_state bench_state(const struct bench *bench, uint64_t trial)
{
    const struct experiment *experiment = engine_experiment(bench->engine, bench_experiment(1));
    ck_assert_ptr_nonnull(experiment_trial(experiment, trial));
    return experiment_trial(experiment, trial)->state;
}
