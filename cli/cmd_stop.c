/* prova stop: tells the driver that runs an experiment to stop it, and waits until it has. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/output.h"
#include "cli/result.h"
#include "core/experiment.h"
#include "driver/store.h"
#include "sdk/client.h"

struct stop_options {
    const char *db, *driver;
};

static const struct stop_options initial = {.db = CLI_DEFAULT_DB};

enum { TIMEOUT_MS = 30000 };

/* Which experiment, and whose it is. */
struct target {
    struct id id;
    char name[256];
    bool running;
    struct store_driver driver;
};

static int find_in_database(struct target *target, const struct stop_options *options, const char *experiment,
                            struct err *err)
{
    struct query *query = NULL;
    struct query_experiment found;
    int code = query_open(&query, options->db, err);
    if (!code)
        code = query_find(&found, query, experiment, err);
    query_close(query);
    if (code)
        return code;
    target->id = found.id;
    (void)snprintf(target->name, sizeof target->name, "%s", found.name);
    target->running = found.state == EXPERIMENT_RUNNING && !store_find_driver(&target->driver, options->db);
    return 0;
}

static int find_at_driver(struct target *target, const struct stop_options *options, const char *experiment,
                          struct err *err)
{
    struct data data;
    json_t *document = NULL;
    int code = data_open(&data, NULL, options->driver, err);
    if (!code)
        code = data_query(&document, &data, "show", experiment, err);
    const json_t *found = json_object_get(document, "experiment");
    if (!code)
        code = id_parse(&target->id, json_text(found, "id"));
    if (!code) {
        (void)snprintf(target->name, sizeof target->name, "%s", json_text(found, "name"));
        (void)snprintf(target->driver.endpoint, sizeof target->driver.endpoint, "%s", options->driver);
        target->running = !strcmp(json_text(found, "state"), "running");
    }
    json_decref(document);
    data_close(&data);
    return code;
}

/* Until it is no longer running. A driver that goes away has saved it before. */
static int await_end(struct client *client, struct id experiment, struct err *err)
{
    struct wire_status status = {.state = EXPERIMENT_RUNNING};
    int code = client_watch(client, experiment, 100, err);
    while (!code && status.state == EXPERIMENT_RUNNING)
        code = client_next_status(&status, client, -1, err);
    return code == ERR_CLOSED ? 0 : code;
}

static int stop(const struct target *target, struct err *err)
{
    struct client *client = NULL;
    int code = client_connect(&client, target->driver.endpoint, err);
    if (!code)
        code = client_cancel(client, target->id, TIMEOUT_MS, err);
    if (!code)
        code = await_end(client, target->id, err);
    client_close(client);
    return code;
}

static int run(const struct cli_call *call)
{
    const struct stop_options *options = call->options;
    struct target target = {0};
    struct err err = {0};
    const char *experiment = call->n_args ? call->args[0] : NULL;
    int code = options->driver ? find_at_driver(&target, options, experiment, &err)
                               : find_in_database(&target, options, experiment, &err);
    if (!code && !target.running) {
        (void)fprintf(stderr, "'%s' is not running.\n", target.name);
        return CLI_DONE;
    }
    if (!code)
        code = stop(&target, &err);
    if (code)
        return cli_fail(call, &err);
    struct text text = {0};
    result_append_command(&text, "resume", target.name, options->driver ? NULL : options->db);
    (void)fprintf(stderr, "Stopped '%s'. To go on: %s\n", target.name, text_get(&text));
    text_fini(&text);
    return CLI_DONE;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_DB(stop_options),
    CLI_OPTION_DRIVER(stop_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_stop = {
    .name = "stop",
    .summary = "stop a running experiment, so that it can be resumed",
    .details =
        "Its running trials are stopped and will run again when it is resumed. Works for a `prova run` and for\n"
        "a `prova driver`, which the database names.",
    .examples = "prova stop digits\n"
                "prova stop digits --driver tcp://10.0.0.1:5700\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct stop_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
