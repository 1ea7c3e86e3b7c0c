/* prova run: a sweep file from beginning to end, with a driver and workers of its own. */
#include "cli/command.h"
#include "cli/launch.h"
#include "cli/sweep.h"

struct run_options {
    int64_t workers;
    const char *db;
    struct cli_list sets;
    bool json, quiet;
};

static const struct run_options initial = {.db = CLI_DEFAULT_DB};

static int run(const struct cli_call *call)
{
    const struct run_options *options = call->options;
    struct sweep sweep = {0};
    int status = sweep_open(&sweep, call, call->args[0], &options->sets, options->workers, true);
    struct launch launch = {
        .call = call, .database = options->db, .json = options->json, .quiet = options->quiet};
    if (!status)
        status = launch_sweep(&launch, &sweep, call->args[0]);
    sweep_fini(&sweep);
    return status;
}

static const struct cli_option options_table[] = {
    {.name = "workers",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct run_options, workers),
     .min = 1,
     .max = 1024,
     .value = "N",
     .help = "trials that run at one time (default: `workers` of the file, or 1)"},
    CLI_OPTION_DB(run_options),
    CLI_OPTION_SET(run_options),
    CLI_OPTION_JSON(run_options),
    CLI_OPTION_QUIET(run_options),
};
static const struct cli_operand operands[] = {{.name = "SWEEP", .completes = COMPLETES_SWEEP}};

const struct cli_command cli_command_run = {
    .name = "run",
    .summary = "run a sweep file on this machine, from beginning to end",
    .details =
        "Needs nothing running: it starts its own driver, with the results in a database file, and its own\n"
        "workers. A faulty file is refused with every fault at its line and column before anything starts.\n"
        "Ctrl-C once stops the running trials and saves everything, so that `prova resume` can go on; twice\n"
        "ends at once. The best trial is printed on stdout, progress on stderr.",
    .examples = "prova run sweep.yaml\n"
                "prova run sweep.yaml --workers 8 --set limits.trials=500\n"
                "prova run sweep.yaml --set 'search={name: sobol}'\n"
                "prova run sweep.yaml --json > result.json\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct run_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
