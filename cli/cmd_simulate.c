/* prova simulate: a whole experiment in virtual time, on a table of recorded trainings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/simulated.h"
#include "cli/sweep.h"
#include "cli/term.h"

struct simulate_options {
    int64_t workers, seeds, seed;
    const char *table, *output, *best;
    struct cli_list sets;
    bool json, quiet;
};

static const struct simulate_options initial = {.seeds = 1, .seed = -1, .best = "any"};

/* What is simulated, and how far. */
struct simulate {
    const struct cli_call *call;
    const struct simulate_options *options;
    struct sweep sweep;
    char *table; /* path of the CSV file */
    struct recording *recording;
    struct text json; /* of the spec */
    size_t n_done;
    struct simulated simulated;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail for oneself */
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
}

/* Takes the table of another sweep file, and leaves it ours. */
static int borrow_table(struct simulate *simulate, const char *path)
{
    static const struct cli_list none;
    struct sweep other = {0};
    int status = sweep_open(&other, simulate->call, path, &none, 0, false);
    if (!status && !other.spec->table.file) {
        cli_error(simulate->call, "%s has no section 'table'", path);
        status = CLI_BAD_USAGE;
    }
    if (!status) {
        struct table_source table = other.spec->table;
        other.spec->table = simulate->sweep.spec->table;
        simulate->sweep.spec->table = table;
        free(simulate->sweep.directory);
        simulate->sweep.directory = other.directory;
        other.directory = NULL;
    }
    sweep_fini(&other);
    return status;
}

static bool is_sweep_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int no_memory(const struct simulate *simulate)
{
    cli_error(simulate->call, "out of memory");
    return CLI_NO_RESULT;
}

/* Settles which file the rows are in. */
static int find_table(struct simulate *simulate)
{
    struct spec *spec = simulate->sweep.spec;
    const char *given = simulate->options->table;
    int status = given && is_sweep_file(given) ? borrow_table(simulate, given) : CLI_DONE;
    if (status)
        return status;
    if (given && !is_sweep_file(given)) {
        free(spec->table.file);
        spec->table.file = strdup(given);
        simulate->table = strdup(given);
    } else if (!spec->table.file) {
        cli_error(simulate->call,
                  "%s has no section 'table': give it one, or name the recorded trainings by --table",
                  simulate->call->args[0]);
        return CLI_BAD_USAGE;
    } else if (spec->table.file[0] == '/') {
        simulate->table = strdup(spec->table.file);
    } else if (asprintf(&simulate->table, "%s/%s", simulate->sweep.directory, spec->table.file) < 0) {
        simulate->table = NULL;
    }
    return simulate->table && spec->table.file ? CLI_DONE : no_memory(simulate);
}

static int read_table(struct simulate *simulate)
{
    struct faults faults = {0};
    struct err err = {0};
    int code = recording_read(&simulate->recording, simulate->sweep.spec, simulate->table, &faults, &err);
    if (faults.n) {
        struct text text = {0};
        faults_write(&text, &faults, simulate->table);
        (void)fputs(text_get(&text), stderr); /* nowhere to say that this failed */
        text_fini(&text);
    } else if (code) {
        (void)cli_fail(simulate->call, &err); /* a file that cannot be read is a bad file */
    }
    faults_fini(&faults);
    return !code ? CLI_DONE : code == ERR_NOMEM ? CLI_NO_RESULT : CLI_BAD_USAGE;
}

static int open_sweep(struct simulate *simulate)
{
    const struct simulate_options *options = simulate->options;
    int status = sweep_open(&simulate->sweep, simulate->call, simulate->call->args[0], &options->sets,
                            options->workers, false);
    if (!status && !spec_searches(simulate->sweep.spec)) {
        cli_error(simulate->call, "only a search can be simulated, and this file has 'context: %s'",
                  simulate->sweep.spec->context.name);
        status = CLI_BAD_USAGE;
    }
    if (!status)
        status = find_table(simulate);
    if (!status)
        status = read_table(simulate);
    if (!status)
        spec_write_json(&simulate->json, simulate->sweep.spec);
    return !status && simulate->json.failed ? no_memory(simulate) : status;
}

/* A line over itself on a terminal. */
static bool show_progress(void *arg, uint64_t n_epochs, double seconds)
{
    const struct simulate *simulate = arg;
    if (simulate->options->quiet || !term_is_terminal(2))
        return false;
    struct text text = {0};
    text_printf(&text, "\r\033[Kseed %zu of %zu: %.2g epochs, ", simulate->n_done + 1,
                simulate->simulated.n_runs, (double)n_epochs);
    format_seconds(&text, seconds);
    (void)fputs(text_get(&text), stderr); /* nowhere to say that this failed */
    text_fini(&text);
    return false;
}

static int run_seeds(struct simulate *simulate)
{
    struct simulated *simulated = &simulate->simulated;
    const struct spec *spec = simulate->sweep.spec;
    uint64_t first = simulate->options->seed >= 0 ? (uint64_t)simulate->options->seed
                     : spec->has_seed             ? spec->seed
                                                  : 1;
    struct simulation_setup setup = {.recording = simulate->recording,
                                     .spec_json = text_get(&simulate->json),
                                     .whole_only = !strcmp(simulate->options->best, "whole"),
                                     .progress = show_progress,
                                     .arg = simulate};
    struct err err = {0};
    int code = 0;
    double begun = cpu_seconds();
    for (; !code && simulate->n_done < simulated->n_runs; simulate->n_done += !code) {
        setup.seed = first + simulate->n_done;
        code = simulation_run(&simulated->runs[simulate->n_done], &setup, &err);
        (void)show_progress(simulate, code ? 0 : simulated->runs[simulate->n_done].n_epochs,
                            code ? 0 : simulated->runs[simulate->n_done].seconds);
    }
    simulated->cpu_seconds = cpu_seconds() - begun;
    if (!simulate->options->quiet && term_is_terminal(2))
        (void)fputs("\r\033[K", stderr); /* nowhere to say that this failed */
    return code ? cli_fail(simulate->call, &err) : CLI_DONE;
}

static int write_csv(const struct simulate *simulate)
{
    const char *path = simulate->options->output;
    FILE *file = fopen(path, "we");
    if (file)
        simulated_write_csv(file, &simulate->simulated);
    bool failed = !file || ferror(file);
    if ((file && fclose(file)) || failed) {
        cli_error(simulate->call, "cannot write %s: %s", path, strerror(errno));
        return CLI_NO_RESULT;
    }
    return CLI_DONE;
}

static int print(const struct simulate *simulate)
{
    if (simulate->options->json)
        return output_json(simulate->call, simulated_json(&simulate->simulated));
    struct text text = {0};
    simulated_write_text(&text, &simulate->simulated);
    int status = text.failed ? no_memory(simulate) : CLI_DONE;
    if (!status)
        (void)fputs(text_get(&text), stdout); /* asked at the end of the process */
    text_fini(&text);
    return status;
}

static int simulate_all(struct simulate *simulate)
{
    struct simulated *simulated = &simulate->simulated;
    simulated->spec = simulate->sweep.spec;
    simulated->recording = simulate->recording;
    simulated->table = simulate->table;
    simulated->n_runs = (size_t)simulate->options->seeds;
    simulated->runs = calloc(simulated->n_runs, sizeof *simulated->runs);
    if (!simulated->runs)
        return no_memory(simulate);
    int status = run_seeds(simulate);
    if (!status && simulate->options->output)
        status = write_csv(simulate);
    return status ? status : print(simulate);
}

static int run(const struct cli_call *call)
{
    struct simulate simulate = {.call = call, .options = call->options};
    int status = open_sweep(&simulate);
    if (!status)
        status = simulate_all(&simulate);
    for (size_t i = 0; simulate.simulated.runs && i < simulate.n_done; i++)
        simulation_result_fini(&simulate.simulated.runs[i]);
    free(simulate.simulated.runs);
    recording_destroy(simulate.recording);
    text_fini(&simulate.json);
    free(simulate.table);
    sweep_fini(&simulate.sweep);
    return status;
}

static const struct cli_option options_table[] = {
    {.name = "table",
     .letter = 't',
     .kind = CLI_TEXT,
     .offset = offsetof(struct simulate_options, table),
     .value = "FILE",
     .completes = COMPLETES_FILE,
     .help = "the recorded trainings: a CSV file, or another sweep file whose `table` is taken"},
    {.name = "workers",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct simulate_options, workers),
     .min = 1,
     .max = 100000,
     .value = "N",
     .help = "trials that run at one time (default: `workers` of the file, or 1)"},
    {.name = "seeds",
     .letter = 's',
     .kind = CLI_INT,
     .offset = offsetof(struct simulate_options, seeds),
     .min = 1,
     .max = 100000,
     .value = "N",
     .help = "run so many times, with ascending seeds (default: 1)"},
    {.name = "seed",
     .kind = CLI_INT,
     .offset = offsetof(struct simulate_options, seed),
     .min = 0,
     .max = 0x1p53,
     .value = "SEED",
     .help = "the first seed (default: `seed` of the file, or 1)"},
    {.name = "best",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct simulate_options, best),
     .value = "WHAT",
     .choices = "any|whole",
     .help = "any (default): a value counts at whatever step; whole: only that of a whole training"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .offset = offsetof(struct simulate_options, output),
     .value = "FILE",
     .completes = COMPLETES_FILE,
     .help = "write every change of the best to FILE, as CSV"},
    CLI_OPTION_SET(simulate_options),
    CLI_OPTION_JSON(simulate_options),
    CLI_OPTION_QUIET(simulate_options),
};
static const struct cli_operand operands[] = {{.name = "SWEEP", .completes = COMPLETES_SWEEP}};

const struct cli_command cli_command_simulate = {
    .name = "simulate",
    .summary = "run a sweep in virtual time, on a table of recorded trainings",
    .details =
        "The same search, schedule, stopping rule and engine as in a real run, but what a trial would report is\n"
        "looked up in a table of configurations with their learning curves and run times: thousands of hours\n"
        "pass in seconds. It shows how good the best is after how much time, so that settings can be compared\n"
        "before anything is trained. The file's section `table` describes the table; no `train` is needed.",
    .examples = "prova simulate runs.yaml\n"
                "prova simulate runs.yaml --seeds 20 --workers 8 --output best.csv\n"
                "prova simulate runs.yaml --set search=tpe --set limits.budget=520\n"
                "prova simulate sweep.yaml --table runs.csv --json\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct simulate_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
