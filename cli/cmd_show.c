/* prova show: all about one experiment but its single trials. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/study.h"
#include "cli/term.h"
#include "cli/watcher.h"
#include "contexts/context.h"
#include "core/spec.h"

struct show_options {
    const char *db, *driver;
    double interval_s, wait_s;
    bool json, follow;
};

static const struct show_options initial = {.db = CLI_DEFAULT_DB, .interval_s = 0.5, .wait_s = 300};

/* "label       text"; nothing for an empty text. */
static void write_line(struct text *out, const char *label, const char *text)
{
    if (text && *text)
        text_printf(out, "%-12s%s\n", label, text);
}

static void write_state(struct text *out, const json_t *document, const json_t *experiment)
{
    bool colour = term_has_colour(1);
    enum table_style style = output_state_style(experiment);
    const char *text = json_text(experiment, "text");
    text_printf(out, "%-12s%s%s%s", "state", style_begin(style, colour), output_state(experiment),
                style_end(style, colour));
    text_printf(out, "%s%s\n", *text ? ", " : "", text);
    const json_t *driver = json_object_get(document, "driver");
    if (json_is_true(json_object_get(experiment, "live")) && json_is_object(driver))
        text_printf(out, "%-12s%s, process %" PRId64 "\n", "driver", json_text(driver, "endpoint"),
                    json_whole(driver, "pid"));
}

static void write_trials(struct text *out, const json_t *document)
{
    const char *state;
    const json_t *count;
    int64_t limit = json_whole(document, "limit");
    text_printf(out, "%-12s%" PRId64, "trials", json_whole(document, "n_trials"));
    if (limit)
        text_printf(out, " of %" PRId64, limit);
    json_object_foreach(json_object_get(document, "counts"), state, count)
    {
        if (json_integer_value(count))
            text_printf(out, ", %" JSON_INTEGER_FORMAT " %s", json_integer_value(count), state);
    }
    text_printf(out, "\n%-12s", "time");
    format_seconds(out, json_number(document, "seconds"));
    text_printf(out, ", started %s\n", json_text(json_object_get(document, "experiment"), "created"));
    text_printf(out, "%-12s%" PRId64 "\n", "reports", json_whole(document, "n_reports"));
}

static void write_best(struct text *out, const json_t *document)
{
    const json_t *best = json_object_get(document, "best");
    bool colour = term_has_colour(1);
    if (!json_is_object(best))
        return;
    text_printf(out, "%-12strial %" PRId64 ", %s%s = ", "best", json_whole(best, "trial"),
                style_begin(STYLE_GOOD, colour),
                json_text(json_object_get(document, "experiment"), "metric"));
    format_value(out, json_number(best, "value"));
    text_printf(out, "%s\n%-12s", style_end(STYLE_GOOD, colour), "");
    json_append_params(out, json_object_get(best, "params"));
    text_append(out, "\n");
}

/* "search      tpe (gamma: 0.1)" */
static void write_choice(struct text *out, const json_t *spec, const char *what)
{
    const json_t *choice = json_object_get(spec, what), *value;
    const char *key;
    const char *gap = " (";
    if (!json_is_object(choice))
        return;
    text_printf(out, "%-12s%s", what, json_text(choice, "name"));
    json_object_foreach((json_t *)(uintptr_t)choice, key, value)
    {
        if (!strcmp(key, "name"))
            continue;
        text_printf(out, "%s%s: ", gap, key);
        json_append(out, value);
        gap = ", ";
    }
    text_append(out, *gap == ',' ? ")\n" : "\n");
}

/* NULL: of another version, or no memory. */
static struct spec *read_spec(const json_t *document)
{
    struct faults faults = {0};
    struct spec *spec = NULL;
    char *source = json_dumps(document, JSON_ENCODE_ANY);
    if (source && spec_parse(&spec, source, strlen(source), "spec", NULL, 0, &faults) < 0)
        spec = NULL;
    faults_fini(&faults);
    free(source);
    return spec;
}

/* What decides on the trials: of a context without a search, the context. */
static void write_plan(struct text *out, const json_t *document)
{
    struct spec *spec = read_spec(document);
    struct text why = {0};
    bool searches = !spec || spec_searches(spec);
    write_choice(out, document, searches ? "search" : "context");
    if (spec && searches)
        context_explain_search(&why, spec);
    if (why.size)
        text_printf(out, "%-12s%s\n", "", text_get(&why));
    if (searches || spec->ablation) {
        write_choice(out, document, "schedule");
        write_choice(out, document, "stopping");
    }
    text_fini(&why);
    spec_destroy(spec);
}

static void write_failures(struct text *out, const json_t *document)
{
    const json_t *failures = json_object_get(document, "failures"), *failure;
    size_t i;
    if (!json_array_size(failures))
        return;
    text_append(out, "\nfailures, the most frequent first:\n");
    json_array_foreach((json_t *)(uintptr_t)failures, i, failure)
        text_printf(out, "  %" PRId64 " x %s (newest: trial %" PRId64 ")\n", json_whole(failure, "count"),
                    json_text(failure, "text"), json_whole(failure, "trial"));
}

static void write_workers(struct text *out, const json_t *document)
{
    const json_t *workers = json_object_get(document, "workers"), *worker;
    size_t i;
    if (!json_array_size(workers))
        return;
    struct table *table = table_create();
    table_add_column(table, "WORKER", TABLE_LEFT, false);
    table_add_column(table, "HOST", TABLE_LEFT, true);
    table_add_column(table, "TRIALS", TABLE_RIGHT, false);
    table_add_column(table, "RUNNING", TABLE_RIGHT, false);
    json_array_foreach((json_t *)(uintptr_t)workers, i, worker)
    {
        const json_t *running = json_object_get(worker, "n_running");
        table_printf(table, STYLE_DIM, "%.8s", json_text(worker, "id"));
        table_add(table, STYLE_PLAIN, json_text(worker, "host"));
        table_printf(table, STYLE_PLAIN, "%" PRId64, json_whole(worker, "n_trials"));
        if (json_is_integer(running) && json_integer_value(running))
            table_printf(table, STYLE_PLAIN, "%" JSON_INTEGER_FORMAT, json_integer_value(running));
        else
            table_add(table, STYLE_PLAIN, "-");
    }
    text_append(out, "\n");
    (void)table_write(out, table, term_width(1), term_has_colour(1)); /* stays in out->failed */
    table_destroy(table);
}

static void write_events(struct text *out, const json_t *document)
{
    const json_t *events = json_object_get(document, "events"), *event;
    size_t i;
    if (!json_array_size(events))
        return;
    struct table *table = table_create();
    table_add_column(table, "TIME", TABLE_LEFT, false);
    table_add_column(table, "TRIAL", TABLE_RIGHT, false);
    table_add_column(table, "EVENT", TABLE_LEFT, false);
    table_add_column(table, "", TABLE_LEFT, true);
    json_array_foreach((json_t *)(uintptr_t)events, i, event)
    {
        int64_t trial = json_whole(event, "trial");
        table_add(table, STYLE_DIM, json_text(event, "time"));
        if (trial)
            table_printf(table, STYLE_PLAIN, "%" PRId64, trial);
        else
            table_add(table, STYLE_PLAIN, "");
        table_add(table, STYLE_PLAIN, json_text(event, "kind"));
        table_add(table, STYLE_PLAIN, json_text(event, "text"));
    }
    text_append(out, "\n");
    (void)table_write(out, table, term_width(1), term_has_colour(1));
    table_destroy(table);
}

static void write_show(struct text *out, const json_t *document)
{
    const json_t *experiment = json_object_get(document, "experiment"),
                 *spec = json_object_get(experiment, "spec");
    write_line(out, "experiment", json_text(experiment, "name"));
    write_line(out, "id", json_text(experiment, "id"));
    write_state(out, document, experiment);
    text_printf(out, "%-12s%s %s\n", "objective", json_text(experiment, "goal"),
                json_text(experiment, "metric"));
    write_trials(out, document);
    write_best(out, document);
    write_plan(out, spec);
    write_line(out, "command", json_text(experiment, "command_line"));
    write_line(out, "file", json_text(experiment, "file"));
    write_line(out, "directory", json_text(experiment, "directory"));
    write_line(out, "revision", json_text(experiment, "git_revision"));
    if (json_is_object(json_object_get(document, "ablation"))) {
        text_append(out, "\n");
        study_write(out, document, 0);
    }
    write_failures(out, document);
    write_workers(out, document);
    write_events(out, document);
}

static void print_text(const json_t *document)
{
    struct text text = {0};
    write_show(&text, document);
    (void)fputs(text_get(&text), stdout);
    text_fini(&text);
}

/* A line of JSON; or the text in the place of the last one on a terminal, elsewhere after it. */
static void print_change(void *arg, const json_t *document)
{
    const struct show_options *options = arg;
    struct text line = {0};
    if (options->json) {
        output_append_json(&line, document, -1);
        (void)printf("%s\n", text_get(&line));
    } else {
        (void)fputs(term_is_terminal(1) ? "\033[H\033[J" : "", stdout);
        print_text(document);
        (void)fputs(term_is_terminal(1) ? "" : "\n", stdout);
    }
    text_fini(&line);
    (void)fflush(stdout); /* asked at the end of the process */
}

static int follow(struct data *data, const struct show_options *options, const char *experiment,
                  struct err *err)
{
    struct show_options shown = *options;
    struct watcher watcher = {.data = data,
                              .db = options->db,
                              .experiment = experiment,
                              .interval_ms = (int)(options->interval_s * 1000),
                              .wait_s =
                                  options->wait_s > 0 && options->wait_s < 1 ? 1 : (int64_t)options->wait_s,
                              .changed = print_change,
                              .arg = &shown};
    int code = watcher_run(&watcher, err);
    return code == ERR_INTERRUPTED ? 0 : code;
}

static int print(struct data *data, const struct show_options *options, const char *experiment,
                 struct err *err)
{
    json_t *document = NULL;
    if (options->follow)
        return follow(data, options, experiment, err);
    if (options->json)
        return data_print(data, "show", experiment, err);
    int code = data_query(&document, data, "show", experiment, err);
    if (!code)
        print_text(document);
    json_decref(document);
    return code;
}

static int run(const struct cli_call *call)
{
    const struct show_options *options = call->options;
    struct data data;
    struct err err = {0};
    int code = data_open(&data, options->db, options->driver, &err);
    if (!code)
        code = print(&data, options, call->n_args ? call->args[0] : NULL, &err);
    data_close(&data);
    return code ? cli_fail(call, &err) : CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "follow",
     .letter = 'f',
     .kind = CLI_FLAG,
     .offset = offsetof(struct show_options, follow),
     .help = "show it again at each change, until it is over"},
    {.name = "interval",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct show_options, interval_s),
     .max = 3600,
     .value = "SECONDS",
     .help = "with --follow: at least so long between two (default: 0.5)"},
    {.name = "wait",
     .kind = CLI_SECONDS,
     .offset = offsetof(struct show_options, wait_s),
     .max = 1e9,
     .value = "SECONDS",
     .help = "with --follow: give up after so long without a driver (default: 300; 0: never)"},
    CLI_OPTION_DB(show_options),
    CLI_OPTION_DRIVER(show_options),
    CLI_OPTION_JSON(show_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_show = {
    .name = "show",
    .summary = "show one experiment: state, best trial, failures, workers, events",
    .details =
        "With --follow its driver tells of each change: nothing polls. It ends when the experiment does, and\n"
        "finds a driver that was started again; without one it ends with status 1. With --json each is one line.",
    .examples = "prova show\n"
                "prova show digits\n"
                "prova show 3f2a --json\n"
                "prova show digits --follow\n"
                "prova show digits --follow --json | jq --unbuffered -c .counts\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct show_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
