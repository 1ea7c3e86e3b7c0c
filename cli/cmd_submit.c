/* prova submit: a sweep file for a driver that runs somewhere. */
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/sweep.h"

struct submit_options {
    const char *driver;
    struct cli_list sets;
    bool detach, json, quiet;
};

static const struct submit_options initial = {.driver = CLI_DEFAULT_ENDPOINT};

static int run(const struct cli_call *call)
{
    const struct submit_options *options = call->options;
    struct sweep sweep = {0};
    int status = sweep_open(&sweep, call, call->args[0], &options->sets, 0, true);
    struct launch launch = {.call = call,
                            .endpoint = options->driver,
                            .json = options->json,
                            .quiet = options->quiet,
                            .detaches = options->detach};
    if (!status)
        status = launch_sweep(&launch, &sweep, call->args[0]);
    sweep_fini(&sweep);
    return status;
}

static const struct cli_option options_table[] = {
    {.name = "driver",
     .letter = 'd',
     .kind = CLI_TEXT,
     .offset = offsetof(struct submit_options, driver),
     .value = "ENDPOINT",
     .help = "the driver to give it to (default: " CLI_DEFAULT_ENDPOINT ")"},
    {.name = "detach",
     .kind = CLI_FLAG,
     .offset = offsetof(struct submit_options, detach),
     .help = "print the experiment's id and do not wait for its end"},
    CLI_OPTION_SET(submit_options),
    CLI_OPTION_JSON(submit_options),
    CLI_OPTION_QUIET(submit_options),
};
static const struct cli_operand operands[] = {{.name = "SWEEP", .completes = COMPLETES_SWEEP}};

const struct cli_command cli_command_submit = {
    .name = "submit",
    .summary = "give a sweep file to a running driver",
    .details =
        "Follows the experiment to its end, as `prova run` does. Ctrl-C only ends the following: the\n"
        "experiment goes on, and `prova stop` stops it. Relative paths in the file start at the file's\n"
        "directory, which the workers' machines must have too.",
    .examples = "prova submit sweep.yaml\n"
                "prova submit sweep.yaml --driver tcp://10.0.0.1:5700 --detach\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct submit_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
