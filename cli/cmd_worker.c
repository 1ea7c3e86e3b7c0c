/* prova worker: serves a driver's trials with some slots. */
#include "cli/command.h"
#include "core/log.h"
#include "worker/worker.h"

struct worker_options {
    const char *driver, *directory, *experiment, *log_level;
    int64_t slots;
    double wait_s;
    bool ends_with_parent;
};

static const struct worker_options initial = {
    .driver = CLI_DEFAULT_ENDPOINT, .slots = 1, .log_level = "info"};

static int run(const struct cli_call *call)
{
    const struct worker_options *options = call->options;
    struct err err = {0};
    struct worker_setup setup = {
        .driver = options->driver,
        .n_slots = (int)options->slots,
        .directory = options->directory,
        .wait_s = options->wait_s > 0 && options->wait_s < 1 ? 1 : (int64_t)options->wait_s,
        .ends_with_parent = options->ends_with_parent,
    };
    enum log_level level;
    if (!log_level_parse(&level, options->log_level))
        log_set_level(level);
    setup.quiet = log_level() < LOG_INFO;
    if (options->experiment && id_parse(&setup.experiment, options->experiment)) {
        cli_error(call, "--experiment needs a whole id (36 characters), not '%s'", options->experiment);
        return CLI_BAD_USAGE;
    }
    int code = worker_run(&setup, &err);
    /* Being told to go is the normal end of a worker. */
    return code && code != ERR_INTERRUPTED ? cli_fail(call, &err) : CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "driver",
     .letter = 'd',
     .kind = CLI_TEXT,
     .offset = offsetof(struct worker_options, driver),
     .value = "ENDPOINT",
     .help = "the driver to serve (default: " CLI_DEFAULT_ENDPOINT ")"},
    {.name = "slots",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct worker_options, slots),
     .min = 1,
     .max = 1024,
     .value = "N",
     .help = "how many trials run at one time (default: 1)"},
    {.name = "dir",
     .kind = CLI_TEXT,
     .offset = offsetof(struct worker_options, directory),
     .value = "DIR",
     .completes = COMPLETES_DIRECTORY,
     .help = "where the trials' directories are made (default: ./prova_trials)"},
    {.name = "wait",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct worker_options, wait_s),
     .max = 1e9,
     .value = "SECONDS",
     .help = "give up after so long without a driver (default: never)"},
    {.name = "log-level",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct worker_options, log_level),
     .value = "LEVEL",
     .choices = "error|warn|info|debug",
     .help = "error, warn, info (default) or debug"},
    {.name = "experiment",
     .hidden = true,
     .kind = CLI_TEXT,
     .offset = offsetof(struct worker_options, experiment),
     .value = "ID",
     .help = "serve this experiment only, and leave when it is over"},
    {.name = "ends-with-parent",
     .hidden = true,
     .kind = CLI_FLAG,
     .offset = offsetof(struct worker_options, ends_with_parent),
     .help = "end when the process that started it does"},
};

const struct cli_command cli_command_worker = {
    .name = "worker",
    .summary = "run a driver's trials on this machine",
    .details =
        "Runs until SIGTERM or Ctrl-C. Workers may come and go at any time: what a worker was running when it\n"
        "left runs again elsewhere. It outlives a restart of its driver with its trials and their results.",
    .examples = "prova worker --slots 4\n"
                "prova worker --driver tcp://10.0.0.1:5700 --slots 8 --dir /scratch/trials\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct worker_options),
    .initial = &initial,
    .run = run,
};
