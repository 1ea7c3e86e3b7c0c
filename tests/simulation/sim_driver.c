/* The driver's shell in virtual time: the real engine and searches, and a store that is a table in memory,
 * behind a disk that takes its time. What had not been committed when the driver dies is gone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/engine_state.h"
#include "world.h"

#define MAX_TRIALS 512
#define N_PARAMS   3

/* What the disk knows of a trial. */
struct row {
    bool exists;
    struct trial_record record;
    double point[N_PARAMS];
    uint64_t n_completed; /* attempts that ran to completion */
};

struct report_key {
    int64_t key;
    uint64_t trial, attempt;
    int64_t step;
};

struct report_row {
    struct report_key key;
    double value;
    UT_hash_handle hh;
};

struct table {
    struct experiment_record record;
    char text[256];
    bool exists;
    struct row rows[MAX_TRIALS + 1];
};

struct pending { /* a copy of a record */
    int64_t number;
    struct record record;
    double point[N_PARAMS];
    struct report *reports;
    char text[256];
};

struct parked { /* a message that waits for the disk */
    int64_t number;
    struct id worker;
    struct wire_message message; /* ACK or DONE: points to nothing */
};

struct sim_driver {
    const struct scenario *scenario;
    struct engine *engine; /* NULL: it is down */
    uint64_t generation;
    struct search *searches[MAX_EXPERIMENTS];
    struct table tables[MAX_EXPERIMENTS];
    struct report_row *reports;
    struct pending *pending;
    size_t n_pending, capacity_pending, n_syncing; /* the first n_syncing are on their way to the disk */
    struct parked *parked;
    size_t n_parked, capacity_parked;
    int64_t last_number;
    int64_t timer_ns;
    uint64_t n_checks;
    /* What the search was last told of each trial: by the living engine, and by one from the store. */
    struct observation told[2][MAX_EXPERIMENTS][MAX_TRIALS + 1];
};

static struct spec *new_spec(const struct world *world, int index)
{
    const char *sweep = world->scenario.sweeps[index];
    struct spec *spec = NULL;
    struct faults faults = {0};
    int status = spec_parse(&spec, sweep, strlen(sweep), "sim.yaml", NULL, 0, &faults);
    ck_assert_msg(status == 0, "%s", faults.n ? faults.list[0].text : "spec_parse failed");
    faults_fini(&faults);
    return spec;
}

static int index_of(const struct sim_driver *driver, int64_t key)
{
    for (int i = 0; i < (int)driver->scenario->n; i++)
        if (driver->tables[i].record.key == key)
            return i;
    ck_abort_msg("unknown experiment key");
    return -1;
}

static struct report_row *find_report(const struct sim_driver *driver, const struct report_key *key)
{
    struct report_row *row;
    HASH_FIND(hh, driver->reports, key, sizeof *key, row);
    return row;
}

static struct report_key report_key(int64_t experiment, uint64_t trial, uint64_t attempt, int64_t step)
{
    struct report_key key;
    memset(&key, 0, sizeof key);
    key.key = experiment;
    key.trial = trial;
    key.attempt = attempt;
    key.step = step;
    return key;
}

/* What the trial's curve has at a step: of the attempts that it consists of, the last one's report. */
static struct report_row *newest_report(const struct sim_driver *driver, const struct trial_record *trial,
                                        int64_t step)
{
    uint64_t first = trial->first_attempt ? trial->first_attempt : trial->attempt;
    for (uint64_t attempt = trial->attempt; attempt && attempt >= first; attempt--) {
        struct report_key key = report_key(trial->key, trial->trial, attempt, step);
        struct report_row *row = find_report(driver, &key);
        if (row)
            return row;
    }
    return NULL;
}

bool sim_driver_is_up(const struct sim_driver *driver)
{
    return driver->engine != NULL;
}

bool sim_driver_has_report(const struct sim_driver *driver, struct id worker, struct id experiment,
                           uint64_t trial, uint64_t attempt, int64_t step)
{
    for (int i = 0; i < (int)driver->scenario->n; i++) {
        const struct table *table = &driver->tables[i];
        if (!id_equal(table->record.id, experiment))
            continue;
        /* Stale attempts are acknowledged and not kept. One of that number may be stale while the trial is
         * pending: a driver that died had assigned it, and its successor, which knows nothing of that, has
         * not yet. (The worker is that of the last attempt.) */
        const struct experiment *e = engine_experiment(driver->engine, experiment);
        const struct trial *t = experiment_trial(e, trial);
        if (!t || t->attempt != attempt || t->state == TRIAL_PENDING || !id_equal(t->worker_id, worker) ||
            trial_state_is_final(t->state))
            return true;
        struct report_key key = report_key(table->record.key, trial, attempt, step);
        return find_report(driver, &key) != NULL;
    }
    return false;
}

/* The disk */

static void keep(struct world *world, const struct record *record)
{
    struct sim_driver *driver = world->driver;
    if (driver->n_pending == driver->capacity_pending) {
        driver->capacity_pending = driver->capacity_pending ? 2 * driver->capacity_pending : 256;
        driver->pending = realloc(driver->pending, driver->capacity_pending * sizeof *driver->pending);
        MUST(driver->pending);
    }
    struct pending *pending = &driver->pending[driver->n_pending++];
    *pending = (struct pending){.number = ++driver->last_number, .record = *record};
    if (record->kind == RECORD_TRIAL) {
        memcpy(pending->point, record->trial.point, sizeof pending->point);
    } else if (record->kind == RECORD_REPORTS) {
        size_t size = record->reports.reports.n * sizeof(struct report);
        pending->reports = malloc(size);
        MUST(pending->reports);
        memcpy(pending->reports, record->reports.reports.list, size);
    } else if (record->kind == RECORD_EXPERIMENT_STATE || record->kind == RECORD_EXPERIMENT) {
        (void)snprintf(pending->text, sizeof pending->text, "%s", record->experiment.text);
    }
}

static void commit_trial(struct world *world, struct pending *pending)
{
    struct trial_record *record = &pending->record.trial;
    struct table *table = &world->driver->tables[index_of(world->driver, record->key)];
    int64_t limit = table->record.spec->limits.trials;
    if (record->trial < 1 || record->trial > (uint64_t)limit)
        world_fail(world, "trial %llu is beyond the limit", (unsigned long long)record->trial);
    struct row *row = &table->rows[record->trial];
    if (row->exists && trial_state_is_final(row->record.state) && row->record.state != record->state)
        world_fail(world, "trial %llu was %s and became %s", (unsigned long long)record->trial,
                   trial_state_name(row->record.state), trial_state_name(record->state));
    row->exists = true;
    row->record = *record;
    memcpy(row->point, pending->point, sizeof row->point);
    row->record.text = row->record.log = "";
    row->record.curve = NULL;
}

static void commit_reports(struct world *world, struct pending *pending)
{
    struct sim_driver *driver = world->driver;
    const struct reports_record *record = &pending->record.reports;
    for (size_t i = 0; i < record->reports.n; i++) {
        if (pending->reports[i].metric) /* of a gang's rank that is not 0 */
            continue;
        struct report_key key =
            report_key(record->key, record->trial, record->attempt, pending->reports[i].step);
        if (find_report(driver, &key))
            continue;
        struct report_row *row = calloc(1, sizeof *row);
        MUST(row);
        row->key = key;
        row->value = pending->reports[i].value;
        HASH_ADD(hh, driver->reports, key, sizeof row->key, row);
    }
}

static void commit_attempt(struct world *world, const struct attempt_record *record)
{
    int index = index_of(world->driver, record->key);
    struct row *row = &world->driver->tables[index].rows[record->trial];
    if (record->outcome == OUTCOME_COMPLETED && ++row->n_completed > world->scenario.n_endings[index])
        world_fail(world, "trial %llu ran twice to completion", (unsigned long long)record->trial);
}

static void commit_experiment(struct world *world, struct pending *pending, bool whole)
{
    struct table *table = &world->driver->tables[index_of(world->driver, pending->record.experiment.key)];
    const struct experiment_record *record = &pending->record.experiment;
    if (whole)
        table->exists = true;
    table->record.state = record->state;
    table->record.ended_ms = record->ended_ms;
    table->record.elapsed_ms = record->elapsed_ms;
    memcpy(table->text, pending->text, sizeof table->text);
    table->record.text = table->text;
}

static void commit_one(struct world *world, struct pending *pending)
{
    switch (pending->record.kind) {
    case RECORD_TRIAL:
        commit_trial(world, pending);
        break;
    case RECORD_REPORTS:
        commit_reports(world, pending);
        break;
    case RECORD_ATTEMPT:
        commit_attempt(world, &pending->record.attempt);
        break;
    case RECORD_EXPERIMENT:
        commit_experiment(world, pending, true);
        break;
    case RECORD_EXPERIMENT_STATE:
        commit_experiment(world, pending, false);
        break;
    case RECORD_EVENT:
        break;
    }
    free(pending->reports);
}

static void send_to(struct world *world, struct id worker, const struct wire_message *message)
{
    size_t at = sim_worker_find(world, worker);
    if (at < world->n_workers)
        world_send(world, TO_WORKER, at, message);
}

static void flush(struct world *world)
{
    struct sim_driver *driver = world->driver;
    if (driver->n_syncing || !driver->n_pending)
        return;
    driver->n_syncing = driver->n_pending;
    int64_t sync = world_chance(world, 10) ? 500 * MS : 8 * MS;
    world_add(world, (int64_t)rng_below(&world->rng, (uint64_t)sync) + 1,
              (struct happening){.kind = DRIVER_COMMIT, .generation = driver->generation});
}

/* Rebuilding */

static struct engine *rebuild(struct world *world, struct search **searches, bool silent);
static void execute(struct world *world, struct engine *engine, struct search **searches, bool silent);

static void compare_trial(struct world *world, const struct trial *live, const struct trial *again)
{
    bool same = live && again && live->attempt == again->attempt && live->n_lost == again->n_lost &&
                trial_is_active(live) == trial_is_active(again) &&
                (trial_is_active(live) || live->state == again->state) &&
                (live->value == again->value || (isnan(live->value) && isnan(again->value)));
    if (!same)
        world_fail(
            world, "the store gives another trial %llu: %s attempt %llu, live: %s attempt %llu",
            (unsigned long long)(live    ? live->number
                                 : again ? again->number
                                         : 0),
            again ? trial_state_name(again->state) : "none", (unsigned long long)(again ? again->attempt : 0),
            live ? trial_state_name(live->state) : "none", (unsigned long long)(live ? live->attempt : 0));
}

/* Of a trial that has ended or paused the search is told the same again. */
static void compare_told(struct world *world, int experiment, const struct trial *trial)
{
    const struct observation *live = &world->driver->told[false][experiment][trial->number];
    const struct observation *again = &world->driver->told[true][experiment][trial->number];
    if (!trial_state_is_final(trial->state) && trial->state != TRIAL_PAUSED)
        return;
    bool has_value = live->kind == OBSERVED_PARTIAL || live->kind == OBSERVED_FINAL;
    if (live->kind != again->kind || live->is_cut != again->is_cut ||
        (has_value && (live->value != again->value || live->step != again->step)))
        world_fail(
            world,
            "from the store the search is told otherwise of trial %llu: %d %g at %lld, live: %d %g at %lld",
            (unsigned long long)trial->number, (int)again->kind, again->value, (long long)again->step,
            (int)live->kind, live->value, (long long)live->step);
}

/* With nothing left to commit, an engine from the store has the same state as the living one. */
static void check_replay(struct world *world)
{
    struct sim_driver *driver = world->driver;
    struct search *searches[MAX_EXPERIMENTS] = {0};
    struct engine *again = rebuild(world, searches, true);
    for (int i = 0; i < (int)world->scenario.n; i++) {
        const struct experiment *a = engine_experiment(driver->engine, world->experiments[i]);
        const struct experiment *b = engine_experiment(again, world->experiments[i]);
        if (a->n_created != b->n_created || a->n_active != b->n_active || a->next_number != b->next_number)
            world_fail(world, "the store gives another count of trials");
        if ((a->best ? a->best->value : 0) != (b->best ? b->best->value : 0))
            world_fail(world, "the store gives another best trial");
        for (uint64_t t = 1; t <= MAX_TRIALS; t++) {
            const struct trial *live = experiment_trial(a, t), *stored = experiment_trial(b, t);
            if (live || stored)
                compare_trial(world, live, stored);
            if (live && live->experiment->learns && a->state == EXPERIMENT_RUNNING)
                compare_told(world, i, live);
        }
        search_destroy(searches[i]);
    }
    engine_destroy(again);
}

static void committed(struct world *world)
{
    struct sim_driver *driver = world->driver;
    int64_t number = driver->n_syncing ? driver->pending[driver->n_syncing - 1].number : 0;
    for (size_t i = 0; i < driver->n_syncing; i++)
        commit_one(world, &driver->pending[i]);
    driver->n_pending -= driver->n_syncing;
    memmove(driver->pending, driver->pending + driver->n_syncing,
            driver->n_pending * sizeof *driver->pending);
    driver->n_syncing = 0;
    size_t n = 0;
    while (n < driver->n_parked && driver->parked[n].number <= number) {
        send_to(world, driver->parked[n].worker, &driver->parked[n].message);
        n++;
    }
    driver->n_parked -= n;
    if (driver->n_parked)
        memmove(driver->parked, driver->parked + n, driver->n_parked * sizeof *driver->parked);
    if (!driver->n_pending && world_chance(world, 5))
        check_replay(world);
    flush(world);
}

/* Commands */

static void execute_send(struct world *world, const struct command *command)
{
    struct sim_driver *driver = world->driver;
    if (!command->after_commit || !driver->n_pending) {
        send_to(world, command->worker, &command->message);
        return;
    }
    if (driver->n_parked == driver->capacity_parked) {
        driver->capacity_parked = driver->capacity_parked ? 2 * driver->capacity_parked : 256;
        driver->parked = realloc(driver->parked, driver->capacity_parked * sizeof *driver->parked);
        MUST(driver->parked);
    }
    driver->parked[driver->n_parked++] = (struct parked){
        .number = driver->last_number, .worker = command->worker, .message = command->message};
}

/* The advisor computes in the order of the commands; its answer comes later. */
static void ask(struct world *world, const struct command *command, struct search *search)
{
    double *points = calloc(command->n, N_PARAMS * sizeof(double));
    MUST(points);
    uint64_t n = 0;
    while (n < command->n &&
           search_suggest(points + n * N_PARAMS, search, command->first_trial + n, NULL) == 0)
        n++;
    world_add(world, (int64_t)rng_below(&world->rng, 20 * MS),
              (struct happening){.kind = DRIVER_SUGGESTS,
                                 .generation = world->driver->generation,
                                 .key = command->key,
                                 .first = command->first_trial,
                                 .n = n,
                                 .frame = (char *)points});
}

static void execute(struct world *world, struct engine *engine, struct search **searches, bool silent)
{
    size_t n;
    const struct command *commands = engine_commands(&n, engine);
    MUST(!engine_failed(engine));
    for (size_t i = 0; i < n; i++) {
        const struct command *command = &commands[i];
        if (command->kind == COMMAND_OBSERVE) {
            int experiment = index_of(world->driver, command->key);
            MUST(search_observe(searches[experiment], &command->observation) == 0);
            world->driver->told[silent][experiment][command->observation.trial] = command->observation;
        } else if (silent)
            continue;
        else if (command->kind == COMMAND_SEND)
            execute_send(world, command);
        else if (command->kind == COMMAND_PERSIST)
            keep(world, &command->record);
        else if (command->kind == COMMAND_ASK)
            ask(world, command, searches[index_of(world->driver, command->key)]);
    }
    engine_clear(engine);
}

static struct engine *rebuild(struct world *world, struct search **searches, bool silent)
{
    struct sim_driver *driver = world->driver;
    struct engine_setup setup = {.driver = {{1}},
                                 .heartbeat_ns = world->scenario.beat_ns,
                                 .lease_ns = world->scenario.lease_ns,
                                 .next_key = 1};
    struct engine *engine = engine_create(&setup);
    MUST(engine);
    for (int i = 0; i < (int)world->scenario.n; i++) {
        struct table *table = &driver->tables[i];
        const struct spec *spec = table->record.spec;
        MUST(search_create(&searches[i], &spec->search, spec->space, spec->metric.goal, spec->seed,
                           spec->limits.trials, 0, NULL) == 0);
        struct err err = {0};
        if (!table->exists)
            continue;
        MUST(engine_restore_experiment(engine, &table->record, new_spec(world, i), &err) == 0);
        for (uint64_t t = 1; t <= MAX_TRIALS; t++) {
            struct row *row = &table->rows[t];
            if (!row->exists)
                continue;
            struct curve curve = {0};
            struct report_row *report;
            for (int64_t step = 0; step < MAX_STEPS; step++)
                if ((report = newest_report(driver, &row->record, step)))
                    MUST(curve_add(&curve, step, report->value) == 0);
            row->record.point = row->point;
            MUST(engine_restore_trial(engine, &row->record, &curve, &err) == 0);
            curve_fini(&curve);
            execute(world, engine, searches, silent);
        }
    }
    return engine;
}

static void check_counts(struct world *world)
{
    for (int i = 0; i < (int)world->scenario.n; i++) {
        struct wire_status status;
        if (engine_status(&status, world->driver->engine, world->experiments[i], world->now_ns))
            continue;
        uint64_t n = status.n_pending + status.n_running + status.n_paused + status.n_completed +
                     status.n_stopped + status.n_failed;
        if (n > status.n_trials)
            world_fail(world, "%llu trials, the limit is %llu", (unsigned long long)n,
                       (unsigned long long)status.n_trials);
    }
}

/* After every event: commands, checks, the disk, the next deadline. */
static void settle(struct world *world)
{
    struct sim_driver *driver = world->driver;
    execute(world, driver->engine, driver->searches, false);
    check_counts(world);
    sim_gangs_check(world, driver->engine);
    flush(world);
    int64_t deadline = engine_deadline(driver->engine);
    if (deadline != INT64_MAX && deadline < driver->timer_ns) {
        driver->timer_ns = deadline;
        world_add(world, deadline > world->now_ns ? deadline - world->now_ns : 0,
                  (struct happening){.kind = DRIVER_TIME, .generation = driver->generation});
    }
}

static void start(struct world *world)
{
    struct sim_driver *driver = world->driver;
    driver->generation++;
    driver->timer_ns = INT64_MAX;
    driver->engine = rebuild(world, driver->searches, false);
    for (int i = 0; i < (int)world->scenario.n; i++) {
        struct experiment_record record = driver->tables[i].record;
        if (!driver->tables[i].exists) /* the client sends its SUBMIT until it is answered */
            MUST(engine_submit(driver->engine, &record, new_spec(world, i), world->now_ns, NULL) == 0);
    }
    engine_restored(driver->engine, world->now_ns);
    settle(world);
    sim_workers_reconnect(world);
}

static void die(struct world *world)
{
    struct sim_driver *driver = world->driver;
    if (!driver->engine)
        return;
    engine_destroy(driver->engine);
    driver->engine = NULL;
    driver->generation++;
    for (int i = 0; i < (int)world->scenario.n; i++) {
        search_destroy(driver->searches[i]);
        driver->searches[i] = NULL;
    }
    for (size_t i = 0; i < driver->n_pending; i++)
        free(driver->pending[i].reports);
    driver->n_pending = driver->n_syncing = driver->n_parked = 0;
    world_add(world, (int64_t)rng_below(&world->rng, 10 * S), (struct happening){.kind = DRIVER_STARTS});
}

static void user(struct world *world, const struct happening *happening)
{
    struct sim_driver *driver = world->driver;
    struct id id = world->experiments[happening->key];
    int status = ERR_BUSY;
    if (driver->engine && happening->kind == USER_CANCELS)
        status = engine_cancel(driver->engine, id, world->now_ns, NULL);
    else if (driver->engine)
        status = engine_resume(driver->engine, id, world->now_ns, NULL);
    struct happening next = {.kind = USER_RESUMES, .key = happening->key};
    if (happening->kind == USER_CANCELS || status == ERR_BUSY)
        world_add(world, S + (int64_t)rng_below(&world->rng, 20 * S), next);
    if (driver->engine)
        settle(world);
}

void sim_driver_happening(struct world *world, const struct happening *happening)
{
    struct sim_driver *driver = world->driver;
    struct wire_message message;
    if (happening->kind == DRIVER_STARTS) {
        if (!driver->engine)
            start(world);
        return;
    }
    if (happening->kind == DRIVER_DIES) {
        die(world);
        return;
    }
    if (happening->kind == USER_CANCELS || happening->kind == USER_RESUMES) {
        user(world, happening);
        return;
    }
    bool is_mine = happening->kind == TO_DRIVER || happening->generation == driver->generation;
    if (!driver->engine || !is_mine)
        return;
    switch (happening->kind) {
    case TO_DRIVER:
        MUST(wire_decode(&message, world->decoder, happening->frame, happening->size, NULL) == 0);
        engine_message(driver->engine, happening->from, &message, world->now_ns);
        break;
    case DRIVER_TIME:
        driver->timer_ns = INT64_MAX;
        engine_time(driver->engine, world->now_ns);
        break;
    case DRIVER_SUGGESTS:
        engine_suggested(driver->engine, happening->key, happening->first, happening->n,
                         (const double *)(const void *)happening->frame, world->now_ns);
        break;
    case DRIVER_COMMIT:
        committed(world);
        break;
    default:
        break;
    }
    settle(world);
}

struct sim_driver *sim_driver_create(struct world *world)
{
    struct sim_driver *driver = calloc(1, sizeof *driver);
    MUST(driver);
    driver->scenario = &world->scenario;
    for (int i = 0; i < (int)world->scenario.n; i++) {
        world->experiments[i] = (struct id){{(uint8_t)(i + 1), 0xee}};
        driver->tables[i].record = (struct experiment_record){.key = i + 1,
                                                              .id = world->experiments[i],
                                                              .name = "simulated",
                                                              .spec = new_spec(world, i),
                                                              .spec_json = "{}",
                                                              .text = "",
                                                              .state = EXPERIMENT_RUNNING};
    }
    world_add(world, 0, (struct happening){.kind = DRIVER_STARTS});
    return driver;
}

void sim_driver_destroy(struct sim_driver *driver)
{
    engine_destroy(driver->engine);
    for (int i = 0; i < (int)driver->scenario->n; i++) {
        search_destroy(driver->searches[i]);
        spec_destroy((struct spec *)(uintptr_t)driver->tables[i].record.spec);
    }
    struct report_row *row, *next;
    HASH_ITER(hh, driver->reports, row, next)
    {
        HASH_DEL(driver->reports, row);
        free(row);
    }
    for (size_t i = 0; i < driver->n_pending; i++)
        free(driver->pending[i].reports);
    free(driver->pending);
    free(driver->parked);
    free(driver);
}

bool sim_driver_done(const struct sim_driver *driver)
{
    if (!driver->engine || driver->n_pending)
        return false;
    for (int i = 0; i < (int)driver->scenario->n; i++)
        if (!driver->tables[i].exists || driver->tables[i].record.state != EXPERIMENT_COMPLETED)
            return false;
    return true;
}

static void check_trial(struct world *world, int index, uint64_t t)
{
    const struct sim_driver *driver = world->driver;
    const struct row *row = &driver->tables[index].rows[t];
    if (!row->exists || !trial_state_is_final(row->record.state))
        world_fail(world, "trial %llu was lost: it is %s", (unsigned long long)t,
                   row->exists ? trial_state_name(row->record.state) : "not there");
    if (row->record.state != TRIAL_COMPLETED)
        return;
    if (!row->n_completed || row->n_completed > world->scenario.n_endings[index] || sim_trial_fails(t))
        world_fail(world, "trial %llu is COMPLETED after %llu complete attempts", (unsigned long long)t,
                   (unsigned long long)row->n_completed);
    /* Of a trial that was paused, what an attempt before the last had reported may be lost with its driver
     * and worker, while it was not acknowledged. */
    int64_t n_steps = sim_trial_steps(t, world->scenario.budgets[index]);
    for (int64_t step = world->scenario.budgets[index] ? n_steps - 1 : 0; step < n_steps; step++)
        if (!newest_report(driver, &row->record, step))
            world_fail(world, "report %lld of trial %llu was lost", (long long)step, (unsigned long long)t);
}

void sim_driver_check_end(struct world *world)
{
    for (int i = 0; i < (int)world->scenario.n; i++) {
        uint64_t limit = (uint64_t)world->driver->tables[i].record.spec->limits.trials;
        for (uint64_t t = 1; t <= limit; t++)
            check_trial(world, i, t);
    }
    check_replay(world);
}
