/* prova trials: every trial of an experiment, one a line, with a column for each parameter. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/output.h"
#include "core/trial.h"

struct trials_options {
    const char *db, *driver, *sort;
    struct cli_list states;
    int64_t limit;
    bool json;
};

static const struct trials_options initial = {.db = CLI_DEFAULT_DB, .sort = "number"};

/* With more parameters than this they share one column. */
enum { MAX_PARAM_COLUMNS = 10 };

static int read_states(uint32_t *states, const struct cli_list *names, struct err *err)
{
    for (size_t i = 0; i < names->n; i++) {
        enum trial_state state;
        if (trial_state_parse(&state, names->items[i]))
            return err_set(
                err, ERR_INVALID,
                "--state '%s' is none: PENDING ASSIGNED RUNNING PAUSED STOPPING COMPLETED STOPPED FAILED",
                names->items[i]);
        *states |= 1u << state;
    }
    return 0;
}

static bool has_state(uint32_t states, const json_t *trial)
{
    enum trial_state state;
    return !states || (!trial_state_parse(&state, json_text(trial, "state")) && states & 1u << state);
}

/* The best first; trials without a value last; else by number. */
static int compare(const void *a, const void *b, void *maximize)
{
    const json_t *left = *(const json_t *const *)a, *right = *(const json_t *const *)b;
    double x = json_number(left, "value"), y = json_number(right, "value");
    if (!isnan(x) && !isnan(y) && x != y)
        return (x < y) != *(bool *)maximize ? -1 : 1;
    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    return json_whole(left, "trial") < json_whole(right, "trial") ? -1 : 1;
}

/* Drops what the options leave out, and sorts. Returns a new array. */
static json_t *select_trials(const json_t *document, const struct trials_options *options, uint32_t states,
                             bool maximize)
{
    const json_t *all = json_object_get(document, "trials");
    size_t n = 0, n_all = json_array_size(all), limit = options->limit ? (size_t)options->limit : SIZE_MAX;
    json_t **list = calloc(n_all + 1, sizeof(json_t *)), *selected = json_array();
    for (size_t i = 0; list && i < n_all; i++)
        if (has_state(states, json_array_get(all, i)))
            list[n++] = json_array_get(all, i);
    if (list && !strcmp(options->sort, "best"))
        qsort_r(list, n, sizeof(json_t *), compare, &maximize);
    for (size_t i = 0; i < n && i < limit; i++)
        (void)json_array_append(selected,
                                list[i]); /* out of memory shows as an incomplete array: checked below */
    bool complete = list && json_array_size(selected) == (n < limit ? n : limit);
    free(list);
    if (complete)
        return selected;
    json_decref(selected);
    return NULL;
}

/* Every parameter that some trial has, in the order in which they come up. */
static json_t *collect_params(const json_t *trials)
{
    json_t *params = json_object();
    size_t i;
    const json_t *trial;
    json_array_foreach((json_t *)(uintptr_t)trials, i, trial)(void)
        json_object_update_missing(params, json_object_get(trial, "params"));
    return params;
}

static enum table_style state_style(const char *state)
{
    if (!strcmp(state, "FAILED"))
        return STYLE_BAD;
    if (!strcmp(state, "COMPLETED"))
        return STYLE_GOOD;
    return !strcmp(state, "STOPPED") ? STYLE_PLAIN : STYLE_WARN;
}

static void add_params(struct table *table, const json_t *trial, const json_t *params)
{
    struct text cell = {0};
    const json_t *values = json_object_get(trial, "params");
    const char *key;
    json_t *ignored;
    if (json_object_size(params) > MAX_PARAM_COLUMNS) {
        json_append_params(&cell, values);
        table_add(table, STYLE_PLAIN, text_get(&cell));
    } else {
        json_object_foreach((json_t *)(uintptr_t)params, key, ignored)
        {
            const json_t *value = json_object_get(values, key);
            text_clear(&cell);
            if (json_is_real(value)) /* in a table neighbours are compared, and columns are dear */
                text_printf(&cell, "%.4g", json_real_value(value));
            else
                json_append(&cell, value);
            table_add(table, STYLE_PLAIN, text_get(&cell));
        }
    }
    text_fini(&cell);
}

/* "3@10": from where trial 3 was after 10 units. */
static void add_origin(struct table *table, const json_t *trial)
{
    if (json_is_integer(json_object_get(trial, "origin")))
        table_printf(table, STYLE_PLAIN, "%" PRId64 "@%" PRId64, json_whole(trial, "origin"),
                     json_whole(trial, "origin_units"));
    else
        table_add(table, STYLE_PLAIN, "-");
}

static bool any_has_origin(const json_t *trials)
{
    size_t i;
    const json_t *trial;
    json_array_foreach((json_t *)(uintptr_t)trials, i, trial)
    {
        if (json_is_integer(json_object_get(trial, "origin")))
            return true;
    }
    return false;
}

static void add_row(struct table *table, const json_t *trial, const json_t *params, bool has_origins)
{
    struct text cell = {0};
    const json_t *step = json_object_get(trial, "step");
    table_printf(table, STYLE_BOLD, "%" PRId64, json_whole(trial, "trial"));
    if (has_origins)
        add_origin(table, trial);
    table_add(table, state_style(json_text(trial, "state")), json_text(trial, "state"));
    format_value(&cell, json_number(trial, "value"));
    table_add(table, STYLE_PLAIN, text_get(&cell));
    if (json_is_integer(step))
        table_printf(table, STYLE_PLAIN, "%" JSON_INTEGER_FORMAT, json_integer_value(step));
    else
        table_add(table, STYLE_PLAIN, "-");
    text_clear(&cell);
    format_seconds(&cell, json_number(trial, "seconds"));
    table_add(table, STYLE_PLAIN, text_get(&cell));
    text_fini(&cell);
    if (json_object_get(trial, "variant"))
        table_add(table, STYLE_PLAIN, json_text(trial, "variant"));
    add_params(table, trial, params);
    table_add(table, STYLE_DIM, json_text(trial, "text"));
}

static int print_table(const struct cli_call *call, const json_t *trials, const char *metric)
{
    json_t *params = collect_params(trials);
    struct table *table = table_create();
    const char *key;
    json_t *ignored;
    size_t i;
    const json_t *trial;
    table_add_column(table, "TRIAL", TABLE_RIGHT, false);
    bool has_origins = any_has_origin(trials);
    if (has_origins)
        table_add_column(table, "FROM", TABLE_RIGHT, false);
    table_add_column(table, "STATE", TABLE_LEFT, false);
    table_add_column(table, *metric ? metric : "VALUE", TABLE_RIGHT, false);
    table_add_column(table, "STEP", TABLE_RIGHT, false);
    table_add_column(table, "TIME", TABLE_RIGHT, false);
    if (json_object_get(json_array_get(trials, 0), "variant"))
        table_add_column(table, "LEFT OUT", TABLE_LEFT, true);
    if (json_object_size(params) > MAX_PARAM_COLUMNS) {
        table_add_column(table, "PARAMETERS", TABLE_LEFT, true);
    } else {
        json_object_foreach(params, key, ignored) table_add_column(table, key, TABLE_RIGHT, true);
    }
    table_add_column(table, "", TABLE_LEFT, true);
    json_array_foreach((json_t *)(uintptr_t)trials, i, trial) add_row(table, trial, params, has_origins);
    json_decref(params);
    return output_table(call, table);
}

/* The name of the objective, and whether more is better. */
static int read_objective(json_t **best, bool *maximize, struct data *data, const char *experiment,
                          struct err *err)
{
    int code = data_query(best, data, "best", experiment, err);
    if (!code)
        *maximize = !strcmp(json_text(*best, "goal"), "maximize");
    return code;
}

static int print_trials(const struct cli_call *call, json_t *document, const json_t *best, uint32_t states,
                        bool maximize)
{
    const struct trials_options *options = call->options;
    json_t *selected = select_trials(document, options, states, maximize);
    if (!selected) {
        cli_error(call, "out of memory");
        return CLI_NO_RESULT;
    }
    if (!options->json) {
        int status = print_table(call, selected, json_text(best, "metric"));
        json_decref(selected);
        return status;
    }
    (void)json_object_set_new(document, "trials", selected);
    return output_json(call, json_incref(document));
}

static int run(const struct cli_call *call)
{
    const struct trials_options *options = call->options;
    struct data data = {0};
    struct err err = {0};
    json_t *document = NULL, *best = NULL;
    uint32_t states = 0;
    bool maximize = false;
    const char *experiment = call->n_args ? call->args[0] : NULL;
    int status = CLI_DONE, code = read_states(&states, &options->states, &err);
    if (!code)
        code = data_open(&data, options->db, options->driver, &err);
    if (!code)
        code = read_objective(&best, &maximize, &data, experiment, &err);
    if (!code)
        code = data_query(&document, &data, "trials", experiment, &err);
    if (!code)
        status = print_trials(call, document, best, states, maximize);
    json_decref(document);
    json_decref(best);
    data_close(&data);
    return code ? cli_fail(call, &err) : status;
}

static const struct cli_option options_table[] = {
    {.name = "state",
     .letter = 's',
     .kind = CLI_LIST,
     .offset = offsetof(struct trials_options, states),
     .value = "STATE",
     .completes = COMPLETES_STATE,
     .help = "only trials in this state; may be repeated"},
    {.name = "sort",
     .kind = CLI_CHOICE,
     .offset = offsetof(struct trials_options, sort),
     .value = "HOW",
     .choices = "number|best",
     .help = "by number (default), or the best first"},
    {.name = "limit",
     .letter = 'n',
     .kind = CLI_INT,
     .offset = offsetof(struct trials_options, limit),
     .min = 1,
     .value = "N",
     .help = "only the first N of them"},
    CLI_OPTION_DB(trials_options),
    CLI_OPTION_DRIVER(trials_options),
    CLI_OPTION_JSON(trials_options),
};
static const struct cli_operand operands[] = {
    {.name = "EXP", .optional = true, .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_trials = {
    .name = "trials",
    .summary = "list the trials of an experiment with their values and parameters",
    .examples = "prova trials digits\n"
                "prova trials digits --sort best --limit 10\n"
                "prova trials digits --state FAILED\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct trials_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
