/* prova check: every fault of a sweep file, or what it would run. Starts and writes nothing. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/sweep.h"
#include "cli/table.h"
#include "cli/term.h"
#include "contexts/context.h"
#include "driver/store_query.h"
#include "worker/runtime.h"

struct check_options {
    const char *db;
    bool json;
    struct cli_list sets;
};

static const struct check_options defaults = {.db = CLI_DEFAULT_DB};

static void append_values(struct text *out, const struct param *param)
{
    size_t shown = param->n_choices < 12 ? param->n_choices : 12;
    for (size_t i = 0; i < shown; i++)
        text_printf(out, "%s%s", i ? ", " : "", param->choices[i].text);
    if (shown < param->n_choices)
        text_printf(out, ", ... (%zu)", param->n_choices);
}

static void append_range(struct text *out, const struct param *param)
{
    if (param->type != PARAM_DOUBLE && param->type != PARAM_INT) {
        append_values(out, param);
        text_append(out, param->type == PARAM_DISCRETE && param->scale == SCALE_LOG ? " log" : "");
        return;
    }
    text_append_double(out, param->min);
    text_append(out, " .. ");
    text_append_double(out, param->max);
    if (param->scale == SCALE_LOG)
        text_append(out, " log");
    if (param->step > 0) {
        text_append(out, " step ");
        text_append_double(out, param->step);
    }
}

static void append_conditions(struct text *out, const struct space *space, const struct param *param)
{
    for (size_t i = 0; i < param->n_conditions; i++) {
        const struct condition *condition = &param->conditions[i];
        const struct param *parent = &space->params[condition->param];
        text_printf(out, "%s%s in", i ? " and " : "", parent->name);
        for (size_t k = 0; k < condition->n_values; k++) {
            text_append(out, k ? ", " : " ");
            param_write_text(out, parent, condition->values[k]);
        }
    }
}

static void write_parameters(struct text *out, const struct space *space)
{
    static const char *const types[] = {[PARAM_DOUBLE] = "double",
                                        [PARAM_INT] = "int",
                                        [PARAM_DISCRETE] = "discrete",
                                        [PARAM_CATEGORICAL] = "categorical",
                                        [PARAM_CONSTANT] = "constant"};
    struct table *table = table_create();
    table_add_column(table, "  PARAMETER", TABLE_LEFT, false);
    table_add_column(table, "TYPE", TABLE_LEFT, false);
    table_add_column(table, "VALUES", TABLE_LEFT, true);
    table_add_column(table, "DEFAULT", TABLE_LEFT, false);
    table_add_column(table, "ACTIVE WHEN", TABLE_LEFT, true);
    for (size_t i = 0; i < space->n_params; i++) {
        const struct param *param = &space->params[i];
        struct text range = {0}, initial = {0}, when = {0};
        append_range(&range, param);
        if (!isnan(param->initial))
            param_write_text(&initial, param, param->initial);
        append_conditions(&when, space, param);
        table_printf(table, STYLE_PLAIN, "  %s", param->name);
        table_add(table, STYLE_DIM, types[param->type]);
        table_add(table, STYLE_PLAIN, text_get(&range));
        table_add(table, STYLE_PLAIN, text_get(&initial));
        table_add(table, STYLE_PLAIN, text_get(&when));
        text_fini(&range);
        text_fini(&initial);
        text_fini(&when);
    }
    (void)table_write(out, table, term_width(1), term_has_colour(1)); /* stays in out->failed */
    table_destroy(table);
}

static void write_plugin(struct text *out, const char *what, const struct plugin *plugin)
{
    text_printf(out, "%-12s%s", what, plugin->name);
    for (size_t i = 0; i < plugin->n_settings; i++)
        text_printf(out, "%s%s: %s", i ? ", " : " (", plugin->settings[i].key, plugin->settings[i].text);
    text_append(out, plugin->n_settings ? ")\n" : "\n");
}

/* What the search makes of this file, below its name. */
static void write_reason(struct text *out, const struct spec *spec)
{
    struct text why = {0};
    context_explain_search(&why, spec);
    if (why.size)
        text_printf(out, "%-12s%s\n", "", text_get(&why));
    text_fini(&why);
}

static void write_train(struct text *out, const struct train *train)
{
    text_printf(out, "%-12s", "train");
    switch (train->kind) {
    case TRAIN_COMMAND:
        for (size_t i = 0; i < train->n_argv; i++)
            text_printf(out, "%s%s", i ? " " : "", train->argv[i]);
        text_append(out, "\n");
        break;
    case TRAIN_LIBRARY:
        text_printf(out, "%s() of %s\n", train->function, train->library);
        break;
    case TRAIN_FUNCTION:
        text_append(out, "a function of the program that submits it\n");
        break;
    case TRAIN_NONE:
        text_append(out, "nothing: `prova run` needs a train section\n");
        break;
    }
}

static void write_limits(struct text *out, const struct spec *spec)
{
    const struct limits *limits = &spec->limits;
    const char *gap = "";
    text_printf(out, "%-12s", "limits");
    if (limits->trials) {
        text_printf(out, "%" PRId64 " trials", limits->trials);
        gap = ", ";
    }
    if (limits->hours > 0) {
        text_printf(out, "%s%g hours", gap, limits->hours);
        gap = ", ";
    }
    if (limits->budget) {
        text_printf(out, "%s%" PRId64 " units in all", gap, limits->budget);
        gap = ", ";
    }
    if (!isnan(limits->target)) {
        text_printf(out, "%suntil %s reaches %g", gap, spec->metric.name, limits->target);
        gap = ", ";
    }
    text_append(out, *gap ? "\n" : "none: until every point was tried\n");
}

static void write_points(struct text *out, const struct space *space)
{
    double points = space_cardinality(space);
    size_t n_free = 0;
    for (size_t i = 0; i < space->n_params; i++)
        n_free += space->params[i].type != PARAM_CONSTANT;
    text_printf(out, "%-12s%zu, of them %zu free; ", "parameters", space->n_params, n_free);
    if (isinf(points))
        text_append(out, "no end of different points\n");
    else
        text_printf(out, "%.15g different point%s\n", points, points <= 1 ? "" : "s");
}

static void write_warm_start(struct text *out, const struct warm_start *warm)
{
    if (!warm->n && !warm->n_left_out)
        return;
    size_t n_try = warm_start_count(warm, WARM_TRY), n_failed = warm_start_count(warm, WARM_FAILED);
    text_printf(out, "%-12s%zu known points, of them %zu failed; %zu to be tried first", "warm start",
                warm->n - n_try, n_failed, n_try);
    if (warm->n_left_out)
        text_printf(out, "; %zu left out that do not fit the space", warm->n_left_out);
    text_append(out, "\n");
}

enum { MAX_VARIANTS = 10 };

static void write_variants(struct text *out, const struct ablation *ablation)
{
    size_t n = ablation->n_variants;
    text_printf(out, "%-12s%zu, in %" PRId64 " repeat%s", "variants", n, ablation->repeats,
                ablation->repeats == 1 ? "" : "s");
    for (size_t i = 0; i < n && i < MAX_VARIANTS; i++) {
        text_append(out, i > 0 ? ", " : ": ");
        ablation_write_variant(out, ablation, i);
    }
    text_append(out, n > MAX_VARIANTS ? ", ...\n" : "\n");
}

static void write_summary(struct text *out, const struct spec *spec, const char *path)
{
    static const char *const values[] = {[METRIC_FINAL] = "what it returns, else its last report",
                                         [METRIC_LAST] = "its last report",
                                         [METRIC_BEST] = "its best report"};
    text_printf(out, "%s: fine\n\n%-12s%s\n", path, "experiment", spec->name);
    write_train(out, &spec->train);
    text_printf(out, "%-12s%s %s (of a trial: %s)\n", "metric",
                spec->metric.goal == GOAL_MINIMIZE ? "minimize" : "maximize", spec->metric.name,
                values[spec->metric.value]);
    if (spec->context.name && strcmp(spec->context.name, "optimization") != 0)
        write_plugin(out, "context", &spec->context);
    if (spec->ablation)
        write_variants(out, spec->ablation);
    if (spec->gang.workers > 1)
        text_printf(out, "%-12s%lld workers for each trial, runtime %s\n", "gang",
                    (long long)spec->gang.workers, runtime_find(spec->gang.runtime)->name);
    write_plugin(out, "search", &spec->search);
    write_reason(out, spec);
    write_plugin(out, "schedule", &spec->schedule);
    write_plugin(out, "stopping", &spec->stopping);
    write_warm_start(out, &spec->warm_start);
    write_limits(out, spec);
    text_printf(out, "%-12s%" PRId64 ", with %" PRId64 " further attempt%s after a crash\n", "workers",
                spec->workers, spec->retries, spec->retries == 1 ? "" : "s");
    if (spec->has_seed)
        text_printf(out, "%-12s%" PRIu64 "\n", "seed", spec->seed);
    else
        text_printf(out, "%-12sdrawn when it starts\n", "seed");
    write_points(out, spec->space);
    if (spec->space->n_params) {
        text_append(out, "\n");
        write_parameters(out, spec->space);
    }
}

static json_t *check_json(const struct sweep *sweep, const char *path)
{
    json_t *faults = json_array();
    for (size_t i = 0; i < sweep->faults.n; i++) {
        const struct fault *fault = &sweep->faults.list[i];
        (void)json_array_append_new(faults, json_pack("{s:i, s:i, s:s}", "line", (int)fault->line, "column",
                                                      (int)fault->column, "text", fault->text));
    }
    bool valid = sweep->spec && !sweep->faults.n;
    json_t *json = json_pack("{s:s, s:b, s:o}", "file", path, "valid", valid, "faults", faults);
    if (valid) {
        struct text text = {0};
        spec_write_json(&text, sweep->spec);
        (void)json_object_set_new(json, "sweep", json_loads(text_get(&text), 0, NULL));
        double points = space_cardinality(sweep->spec->space);
        (void)json_object_set_new(json, "points", isinf(points) ? json_null() : json_real(points));
        text_fini(&text);
    }
    return json;
}

/* The experiment that a warm start names is looked for as a driver would. */
static int read_warm_start(struct sweep *sweep, const char *db, const char *path)
{
    struct err err = {0};
    const struct warm_start *warm = &sweep->spec->warm_start;
    if (!query_warm_start(sweep->spec, db, sweep->directory, &err))
        return CLI_DONE;
    struct text text = {0};
    faults_add(&sweep->faults, warm->line, warm->column, "%s", err.text);
    faults_write(&text, &sweep->faults, path);
    (void)fputs(text_get(&text), stderr); /* nowhere to say that this failed */
    text_fini(&text);
    return CLI_BAD_USAGE;
}

static int run(const struct cli_call *call)
{
    const struct check_options *options = call->options;
    struct sweep sweep = {0};
    const char *path = call->args[0];
    int status = sweep_open(&sweep, call, path, &options->sets, 0, false);
    if (!status)
        status = read_warm_start(&sweep, options->db, path);
    if (options->json && (!status || sweep.faults.n)) {
        int written = output_json(call, check_json(&sweep, path));
        status = status ? status : written;
    } else if (!status) {
        struct text text = {0};
        write_summary(&text, sweep.spec, path);
        (void)fputs(text_get(&text), stdout);
        text_fini(&text);
    }
    sweep_fini(&sweep);
    return status;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_SET(check_options),
    {.name = "db",
     .kind = CLI_TEXT,
     .offset = offsetof(struct check_options, db),
     .value = "FILE",
     .completes = COMPLETES_FILE,
     .help = "where the experiment of a warm start is looked for (default: ./prova.db)"},
    CLI_OPTION_JSON(check_options),
};
static const struct cli_operand operands[] = {{.name = "SWEEP", .completes = COMPLETES_SWEEP}};

const struct cli_command cli_command_check = {
    .name = "check",
    .summary = "check a sweep file and say what it would run",
    .details = "Every fault is listed at once, as file:line:column. Nothing is started or written.",
    .examples = "prova check sweep.yaml\n"
                "prova check sweep.yaml --set schedule.name=full\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct check_options),
    .initial = &defaults,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
