/* A spec as JSON, which is YAML: spec_parse reads it back to an equal spec. Every default is written out, so
 * that what the database keeps says all that the experiment is, whatever a later version has for defaults. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/spec_reader.h"

static void write_key(struct text *out, const char *key)
{
    text_append_json_string(out, key);
    text_append_bytes(out, ":", 1);
}

/* `,"key":` */
static void next_key(struct text *out, const char *key)
{
    text_append_bytes(out, ",", 1);
    write_key(out, key);
}

static void write_string(struct text *out, const char *key, const char *string)
{
    next_key(out, key);
    if (string)
        text_append_json_string(out, string);
    else
        text_append(out, "null");
}

static void write_number(struct text *out, const char *key, double value)
{
    next_key(out, key);
    text_append_json_double(out, value);
}

static void write_train(struct text *out, const struct train *train)
{
    switch (train->kind) {
    case TRAIN_COMMAND:
        write_key(out, "command");
        for (size_t i = 0; i < train->n_argv; i++) {
            text_append(out, i > 0 ? "," : "[");
            text_append_json_string(out, train->argv[i]);
        }
        text_append(out, train->n_argv > 0 ? "]" : "[]");
        break;
    case TRAIN_LIBRARY:
        write_key(out, "library");
        text_append_json_string(out, train->library);
        break;
    case TRAIN_NONE:
    case TRAIN_FUNCTION:
        text_append(out, train->kind == TRAIN_NONE ? "\"kind\":\"none\"" : "\"kind\":\"function\"");
        break;
    }
    if (train->kind != TRAIN_COMMAND)
        write_string(out, "function", train->function);
    write_string(out, "directory", train->directory);
    write_number(out, "grace_s", train->grace_s);
}

static void write_metric(struct text *out, const struct metric *metric)
{
    static const char *const values[] = {"final", "last", "best"};
    write_key(out, "name");
    text_append_json_string(out, metric->name);
    write_string(out, "goal", metric->goal == GOAL_MAXIMIZE ? "maximize" : "minimize");
    write_string(out, "value", values[metric->value]);
    write_string(out, "pattern", metric->pattern);
}

static void write_when(struct text *out, const struct space *space, const struct param *param)
{
    next_key(out, "when");
    for (size_t i = 0; i < param->n_conditions; i++) {
        const struct condition *condition = &param->conditions[i];
        const struct param *parent = &space->params[condition->param];
        text_append(out, i > 0 ? "," : "{");
        write_key(out, parent->name);
        for (size_t j = 0; j < condition->n_values; j++) {
            text_append(out, j > 0 ? "," : "[");
            param_write_json(out, parent, condition->values[j]);
        }
        text_append(out, "]");
    }
    text_append(out, "}");
}

static void write_values(struct text *out, const struct param *param)
{
    next_key(out, param->type == PARAM_CONSTANT ? "value" : "values");
    bool is_list = param->type != PARAM_CONSTANT;
    for (size_t i = 0; i < param->n_choices; i++) {
        if (is_list)
            text_append(out, i > 0 ? "," : "[");
        param_write_json(out, param, (double)i);
    }
    text_append(out, is_list ? "]" : "");
}

static void write_range(struct text *out, const struct param *param)
{
    write_number(out, "min", param->min);
    write_number(out, "max", param->max);
    write_string(out, "scale", param->scale == SCALE_LOG ? "log" : "linear");
    if (param->step > 0)
        write_number(out, "step", param->step);
}

static void write_param(struct text *out, const struct space *space, const struct param *param)
{
    static const char *const types[] = {"double", "int", "discrete", "categorical", "constant"};
    write_key(out, param->name);
    text_append(out, "{");
    write_key(out, "type");
    text_append_json_string(out, types[param->type]);
    if (param->type == PARAM_DOUBLE || param->type == PARAM_INT)
        write_range(out, param);
    else
        write_values(out, param);
    if (param->type == PARAM_DISCRETE && param->scale == SCALE_LOG)
        write_string(out, "scale", "log");
    if (!isnan(param->initial)) {
        next_key(out, "default");
        param_write_json(out, param, param->initial);
    }
    if (param->n_conditions > 0)
        write_when(out, space, param);
    text_append(out, "}");
}

/* Settings are text; one that is a number or a truth as JSON has them is written as such, for those who read
 * it. */
static void write_setting(struct text *out, const char *text)
{
    if (is_json_number(text) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        text_append(out, text);
    else
        text_append_json_string(out, text);
}

static void write_plugin(struct text *out, const char *key, const struct plugin *plugin)
{
    next_key(out, key);
    text_append(out, "{");
    write_key(out, "name");
    text_append_json_string(out, plugin->name);
    for (size_t i = 0; i < plugin->n_settings; i++) {
        next_key(out, plugin->settings[i].key);
        write_setting(out, plugin->settings[i].text);
    }
    text_append(out, "}");
}

static void write_limits(struct text *out, const struct limits *limits)
{
    write_key(out, "trials");
    text_printf(out, "%" PRId64, limits->trials);
    write_number(out, "hours", limits->hours);
    write_number(out, "target", limits->target);
    next_key(out, "failures");
    text_printf(out, "%" PRId64, limits->failures);
    write_number(out, "trial_hours", limits->trial_hours);
    next_key(out, "budget");
    text_printf(out, "%" PRId64, limits->budget);
}

static void write_curve(struct text *out, const struct table_source *table)
{
    next_key(out, "curve");
    text_append(out, "{");
    write_key(out, "column");
    text_append_json_string(out, table->curve);
    text_printf(out, ",\"steps\":[%" PRId64 ",%" PRId64 "]}", table->first_step, table->last_step);
}

static void write_seconds(struct text *out, const struct table_source *table)
{
    next_key(out, "seconds");
    text_append(out, "{");
    write_key(out, table->seconds ? "column" : "first");
    text_append_json_string(out, table->seconds ? table->seconds : table->seconds_first);
    if (table->seconds)
        text_append(out, table->seconds_cumulative ? ",\"cumulative\":true" : ",\"cumulative\":false");
    else
        write_string(out, "last", table->seconds_last);
    text_append(out, "}");
}

static void write_table(struct text *out, const struct table_source *table)
{
    next_key(out, "table");
    text_append(out, "{");
    write_key(out, "file");
    text_append_json_string(out, table->file);
    write_string(out, "kind", table->kind == TABLE_SAMPLED ? "sampled" : "full-factorial");
    write_string(out, "lookup", table->lookup == LOOKUP_NEAREST ? "nearest" : "rows");
    write_string(out, "observe", table->observe == OBSERVE_ONE ? "one" : "mean");
    write_string(out, "column", table->column);
    for (size_t i = 0; i < table->n_replicates; i++) {
        text_append(out, i > 0 ? "," : ",\"replicates\":[");
        text_append_json_string(out, table->replicates[i]);
    }
    text_append(out, table->n_replicates > 0 ? "]" : "");
    if (table->curve)
        write_curve(out, table);
    if (table->seconds || table->seconds_first)
        write_seconds(out, table);
    write_number(out, "optimum", table->optimum);
    write_number(out, "median", table->median);
    write_number(out, "best_one_percent", table->best_one_percent);
    text_append(out, "}");
}

/* What was read of it, as the table that it is; what was not, as the user named it. */
static void write_warm_start(struct text *out, const struct spec *spec)
{
    const struct warm_start *warm = &spec->warm_start;
    if (warm->n == 0 && !warm->csv && !warm->experiment)
        return;
    next_key(out, "warm_start");
    text_append(out, "{\"unfit\":");
    text_append_json_string(out, warm->skips_unfit ? "skip" : "refuse");
    if (warm->csv)
        write_string(out, "csv", warm->csv);
    if (warm->experiment)
        write_string(out, "experiment", warm->experiment);
    if (warm->database)
        write_string(out, "database", warm->database);
    if (warm->n > 0) {
        struct text table = {0};
        warm_start_write_table(&table, warm, spec->space);
        write_string(out, "table", text_get(&table));
        out->failed |= table.failed;
        text_fini(&table);
    }
    text_append(out, "}");
}

static void write_gang(struct text *out, const struct gang_spec *gang)
{
    static const char *const runtimes[] = {"env", "tensorflow", "mpi"};
    write_key(out, "workers");
    text_printf(out, "%" PRId64, gang->workers);
    write_string(out, "runtime", runtimes[gang->runtime]);
    next_key(out, "parameter_servers");
    text_printf(out, "%" PRId64, gang->parameter_servers);
}

static void write_space(struct text *out, const struct space *space)
{
    next_key(out, "parameters");
    text_append(out, "{");
    for (size_t i = 0; i < space->n_params; i++) {
        text_append(out, i > 0 ? "," : "");
        write_param(out, space, &space->params[i]);
    }
    text_append(out, "}");
}

void spec_write_json(struct text *out, const struct spec *spec)
{
    text_append(out, "{");
    write_key(out, "name");
    text_append_json_string(out, spec->name);
    text_append(out, ",\"train\":{");
    write_train(out, &spec->train);
    text_append(out, "},\"metric\":{");
    write_metric(out, &spec->metric);
    text_append(out, "}");
    write_space(out, spec->space);
    write_plugin(out, "search", &spec->search);
    write_plugin(out, "schedule", &spec->schedule);
    write_plugin(out, "stopping", &spec->stopping);
    write_plugin(out, "context", &spec->context);
    write_warm_start(out, spec);
    if (spec->ablation) {
        next_key(out, "ablation");
        ablation_write_json(out, spec->ablation, spec->space);
    }
    text_append(out, ",\"distributed\":{");
    write_gang(out, &spec->gang);
    text_append(out, "},\"limits\":{");
    write_limits(out, &spec->limits);
    text_append(out, "}");
    if (spec->table.file)
        write_table(out, &spec->table);
    text_printf(out, ",\"workers\":%" PRId64 ",\"retries\":%" PRId64 ",\"seed\":", spec->workers,
                spec->retries);
    if (spec->has_seed)
        text_printf(out, "%" PRIu64, spec->seed);
    else
        text_append(out, "null");
    text_append(out, "}");
}
