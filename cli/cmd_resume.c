/* prova resume: goes on with an experiment that is not over, whatever ended it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/launch.h"
#include "cli/output.h"
#include "driver/store.h"

struct resume_options {
    int64_t workers;
    const char *db;
    bool json, quiet;
};

static const struct resume_options initial = {.db = CLI_DEFAULT_DB};

static int begin(struct client *client, const struct launch *launch, struct err *err)
{
    return client_resume(client, launch->experiment, LAUNCH_TIMEOUT_MS, err);
}

/* The spec as the database has it. */
static int read_spec(struct spec **spec, const json_t *experiment, struct err *err)
{
    struct faults faults = {0};
    char *json = json_dumps(json_object_get(experiment, "spec"), 0);
    if (!json)
        return err_set(err, ERR_INVALID, "the database has no sweep for it");
    int code = spec_parse(spec, json, strlen(json), json_text(experiment, "file"), NULL, 0, &faults);
    if (code)
        err_set(err, code, "the sweep in the database is not understood: %s",
                faults.n ? faults.list[0].text : err_string(code));
    faults_fini(&faults);
    free(json);
    return code;
}

static int read_experiment(json_t **document, const struct cli_call *call, struct err *err)
{
    const struct resume_options *options = call->options;
    struct data data;
    int code = data_open(&data, options->db, NULL, err);
    if (!code)
        code = data_query(document, &data, "show", call->n_args ? call->args[0] : NULL, err);
    data_close(&data);
    return code;
}

static int refuse(const json_t *experiment, const struct spec *spec, struct err *err)
{
    const char *name = json_text(experiment, "name");
    if (!strcmp(json_text(experiment, "state"), "completed"))
        return err_set(err, ERR_INVALID, "'%s' is complete: there is nothing to go on with", name);
    if (spec->train.kind == TRAIN_FUNCTION)
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' trains by a function of a program: run that program again (%s)", name,
                       json_text(experiment, "command_line"));
    return 0;
}

/* A driver that has the database goes on with it; else we do. */
static int resume(const struct cli_call *call, const json_t *experiment, const struct spec *spec,
                  struct err *err)
{
    const struct resume_options *options = call->options;
    struct store_driver driver = {0};
    struct launch launch = {
        .call = call,
        .spec = spec,
        .name = json_text(experiment, "name"),
        .database = options->db,
        .n_workers = options->workers ? options->workers : spec->workers,
        .is_fleet = spec->gang.runtime == RUNTIME_MPI,
        .json = options->json,
        .quiet = options->quiet,
        .begin = begin,
    };
    int code = id_parse(&launch.experiment, json_text(experiment, "id"));
    if (code)
        return cli_fail(call, err);
    if (!store_find_driver(&driver, options->db) && driver.endpoint[0]) {
        launch.endpoint = driver.endpoint;
        (void)fprintf(stderr, "The driver at %s (process %ld) has the database and goes on with it.\n",
                      driver.endpoint, driver.pid);
    }
    return launch_run(&launch);
}

static int run(const struct cli_call *call)
{
    struct err err = {0};
    json_t *document = NULL;
    struct spec *spec = NULL;
    int status, code = read_experiment(&document, call, &err);
    const json_t *experiment = json_object_get(document, "experiment");
    if (!code)
        code = read_spec(&spec, experiment, &err);
    if (!code)
        code = refuse(experiment, spec, &err);
    status = code ? cli_fail(call, &err) : resume(call, experiment, spec, &err);
    spec_destroy(spec);
    json_decref(document);
    return status;
}

static const struct cli_option options_table[] = {
    {.name = "workers",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct resume_options, workers),
     .min = 1,
     .max = 1024,
     .value = "N",
     .help = "trials that run at one time (default: as it was started)"},
    CLI_OPTION_DB(resume_options),
    CLI_OPTION_JSON(resume_options),
    CLI_OPTION_QUIET(resume_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_resume = {
    .name = "resume",
    .summary = "go on with an experiment that was interrupted, killed or failed",
    .details =
        "Trials that have ended stay as they are; those that were running run again. The experiment ends with\n"
        "exactly the number of trials that was asked for. If a driver has the database, it goes on there.",
    .examples = "prova resume\n"
                "prova resume digits --workers 4\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct resume_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
