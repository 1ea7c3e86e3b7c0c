/* Reports of simulations. See cli/simulated.h. */
#include "cli/simulated.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cli/format.h"
#include "cli/table.h"
#include "cli/term.h"
#include "core/number.h"
#include "optimizers/quantile.h"

enum { N_TIMES = 12 };

/* The best at a time; NULL: nothing yet. O(log n). */
static const struct simulation_point *best_at(const struct simulation_result *run, double seconds)
{
    size_t low = 0, high = run->n_points;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->points[middle].seconds <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &run->points[low - 1] : NULL;
}

/* One number of each run that has it. */
struct sample {
    size_t n;
    double *values; /* [n_runs] */
};

static void sample_add(struct sample *sample, double value)
{
    if (isfinite(value))
        sample->values[sample->n++] = value;
}

static double sample_quantile(const struct sample *sample, double q)
{
    return sample->n ? quantile_of(sample->values, sample->n, q) : (double)NAN;
}

static double sample_mean(const struct sample *sample)
{
    double sum = 0;
    for (size_t i = 0; i < sample->n; i++)
        sum += sample->values[i];
    return sample->n ? sum / (double)sample->n : (double)NAN;
}

/* Regret of nothing is 1. */
static double regret_of(const struct simulated *simulated, const struct simulation_point *point)
{
    return point ? recording_regret(simulated->recording, point->truth) : 1;
}

static const struct simulation_point *last_of(const struct simulation_result *run)
{
    return run->n_points ? &run->points[run->n_points - 1] : NULL;
}

/* Text */

static double latest(const struct simulated *simulated)
{
    double seconds = 0;
    for (size_t i = 0; i < simulated->n_runs; i++)
        seconds = fmax(seconds, simulated->runs[i].seconds);
    return seconds;
}

static void append_number(struct table *table, double value)
{
    struct text text = {0};
    format_value(&text, value);
    table_add(table, STYLE_PLAIN, text_get(&text));
    text_fini(&text);
}

static void add_time(struct table *table, const struct simulated *simulated, double seconds, double *values)
{
    struct sample sample = {.values = values};
    struct text time = {0};
    format_seconds(&time, seconds);
    table_printf(table, STYLE_PLAIN, "  %s", text_get(&time));
    text_fini(&time);
    for (size_t i = 0; i < simulated->n_runs; i++) {
        const struct simulation_point *point = best_at(&simulated->runs[i], seconds);
        sample_add(&sample, point ? point->truth : (double)NAN);
    }
    append_number(table, sample_quantile(&sample, 0.5));
    if (simulated->n_runs > 1) {
        append_number(table, sample_quantile(&sample, 0.25));
        append_number(table, sample_quantile(&sample, 0.75));
    }
    sample.n = 0;
    for (size_t i = 0; i < simulated->n_runs; i++)
        sample_add(&sample, regret_of(simulated, best_at(&simulated->runs[i], seconds)));
    struct text regret = {0};
    text_printf(&regret, "%.4f", sample_mean(&sample));
    table_add(table, STYLE_PLAIN, sample.n ? text_get(&regret) : "-");
    text_fini(&regret);
}

static void write_times(struct text *out, const struct simulated *simulated, double *values)
{
    struct table *table = table_create();
    table_add_column(table, "  TIME", TABLE_LEFT, false);
    table_add_column(table, simulated->n_runs > 1 ? "BEST, MEDIAN" : "BEST", TABLE_RIGHT, false);
    if (simulated->n_runs > 1) {
        table_add_column(table, "QUARTILES", TABLE_RIGHT, false);
        table_add_column(table, "", TABLE_RIGHT, false);
    }
    table_add_column(table, simulated->n_runs > 1 ? "MEAN REGRET" : "REGRET", TABLE_RIGHT, false);
    double end = latest(simulated);
    for (int k = N_TIMES; k-- > 0;)
        add_time(table, simulated, ldexp(end, -k), values);
    (void)table_write(out, table, term_width(1), term_has_colour(1)); /* stays in out->failed */
    table_destroy(table);
}

static void write_table(struct text *out, const struct simulated *simulated)
{
    const struct recording *r = simulated->recording;
    text_printf(out, "table       %s: %zu rows, %zu step%s", simulated->table, r->n_rows, r->n_steps,
                r->n_steps == 1 ? "" : "s");
    if (r->n_replicates)
        text_printf(out, ", %zu repeats, of which a trial sees %s", r->n_replicates,
                    r->source->observe == OBSERVE_MEAN ? "the mean" : "one");
    text_append(out, r->source->lookup == LOOKUP_ROWS ? "; only its rows are tried, each once\n"
                     : r->source->kind == TABLE_SAMPLED
                         ? "; a point has the values of the nearest row in the unit cube\n"
                         : "; every point of the space is a row\n");
    if (!r->seconds)
        text_append(out, "            it has no run times: a step takes a second\n");
}

static void write_head(struct text *out, const struct simulated *simulated)
{
    const struct spec *spec = simulated->spec;
    text_printf(out, "%s: search %s, schedule %s, stopping %s, ", spec->name, spec->search.name,
                spec->schedule.name, spec->stopping.name);
    format_count(out, (uint64_t)spec->workers, "worker");
    text_append(out, ", ");
    format_count(out, simulated->n_runs, "run");
    text_append(out, "\n");
    write_table(out, simulated);
}

static void write_best(struct text *out, const struct simulated *simulated)
{
    const struct simulation_result *best = NULL;
    for (size_t i = 0; i < simulated->n_runs; i++) {
        const struct simulation_result *run = &simulated->runs[i];
        if (run->n_points &&
            (!best || metric_better(simulated->spec->metric.goal, last_of(run)->value, last_of(best)->value)))
            best = run;
    }
    if (!best) {
        text_append(out, "\nno trial gave a value\n");
        return;
    }
    text_printf(out, "\nbest %s = ", simulated->spec->metric.name);
    format_value(out, last_of(best)->value);
    text_printf(out, " after ");
    format_seconds(out, last_of(best)->seconds);
    text_printf(out, ", trial %" PRIu64 " of seed %" PRIu64 ", step %" PRId64 ": ", last_of(best)->trial,
                best->seed, last_of(best)->step);
    space_write_json(out, simulated->spec->space, best->best);
    text_append(out, "\n");
}

void simulated_write_text(struct text *out, const struct simulated *simulated)
{
    double *values = calloc(simulated->n_runs, sizeof *values);
    if (!values) {
        out->failed = ERR_NOMEM;
        return;
    }
    uint64_t n_epochs = 0, n_trials = 0;
    for (size_t i = 0; i < simulated->n_runs; i++) {
        n_epochs += simulated->runs[i].n_epochs;
        n_trials += simulated->runs[i].n_trials;
    }
    write_head(out, simulated);
    text_append(out, "\n");
    write_times(out, simulated, values);
    write_best(out, simulated);
    format_count(out, n_trials, "trial");
    text_append(out, ", ");
    format_count(out, n_epochs, "epoch");
    text_append(out, " in ");
    format_seconds(out, simulated->cpu_seconds);
    text_printf(out, " of processor time: %.0f a second\n",
                (double)n_epochs / fmax(simulated->cpu_seconds, 1e-6));
    free(values);
}

/* JSON */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *point_json(const struct simulated *simulated, const struct simulation_point *point)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "seconds", number(point->seconds),
                     "epochs", (json_int_t)point->n_epochs, "begun", (json_int_t)point->n_begun, "ended",
                     (json_int_t)point->n_ended, "trial", (json_int_t)point->trial, "step",
                     (json_int_t)point->step, "value", number(point->value), "truth", number(point->truth),
                     "regret", number(regret_of(simulated, point)));
}

static json_t *best_json(const struct simulated *simulated, const struct simulation_result *run)
{
    if (!run->n_points)
        return json_null();
    struct text params = {0};
    space_write_json(&params, simulated->spec->space, run->best);
    json_t *best = point_json(simulated, last_of(run));
    (void)json_object_set_new(best, "params", json_loads(text_get(&params), 0, NULL)); /* asked at the end */
    text_fini(&params);
    return best;
}

static json_t *run_json(const struct simulated *simulated, const struct simulation_result *run)
{
    json_t *series = json_array();
    for (size_t i = 0; i < run->n_points; i++)
        (void)json_array_append_new(series, point_json(simulated, &run->points[i])); /* asked at the end */
    json_t *counts = json_pack("{s:I, s:I, s:I}", "COMPLETED", (json_int_t)run->n_completed, "STOPPED",
                               (json_int_t)run->n_stopped, "FAILED", (json_int_t)run->n_failed);
    return json_pack(
        "{s:o, s:s, s:s, s:o, s:I, s:I, s:o, s:I, s:o, s:o, s:o}", "seed", number((double)run->seed), "state",
        run->state, "text", run->text, "seconds", number(run->seconds), "epochs", (json_int_t)run->n_epochs,
        "trials", (json_int_t)run->n_trials, "counts", counts, "rows", (json_int_t)run->n_rows_used, "regret",
        number(regret_of(simulated, last_of(run))), "best", best_json(simulated, run), "series", series);
}

static json_t *summary_of(struct sample *sample)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "mean", number(sample_mean(sample)), "q1",
                     number(sample_quantile(sample, 0.25)), "median", number(sample_quantile(sample, 0.5)),
                     "q3", number(sample_quantile(sample, 0.75)));
}

static json_t *summary_json(const struct simulated *simulated)
{
    double *values = calloc(simulated->n_runs, sizeof *values);
    if (!values)
        return NULL;
    struct sample sample = {.values = values};
    for (size_t i = 0; i < simulated->n_runs; i++)
        sample_add(&sample, regret_of(simulated, last_of(&simulated->runs[i])));
    json_t *regret = summary_of(&sample);
    sample.n = 0;
    for (size_t i = 0; i < simulated->n_runs; i++)
        if (simulated->runs[i].n_points)
            sample_add(&sample, last_of(&simulated->runs[i])->truth);
    json_t *truth = summary_of(&sample);
    free(values);
    return json_pack("{s:o, s:o, s:f}", "regret", regret, "truth", truth, "cpu_seconds",
                     simulated->cpu_seconds);
}

static json_t *table_json(const struct simulated *simulated)
{
    const struct recording *r = simulated->recording;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o}", "file", simulated->table, "kind",
                     r->source->kind == TABLE_SAMPLED ? "sampled" : "full-factorial", "lookup",
                     r->source->lookup == LOOKUP_ROWS          ? "rows"
                     : r->source->kind == TABLE_FULL_FACTORIAL ? "exact"
                                                               : "nearest",
                     "rows", (json_int_t)r->n_rows, "steps", (json_int_t)r->n_steps, "replicates",
                     (json_int_t)r->n_replicates, "has_seconds", r->seconds != NULL, "optimum",
                     number(r->optimum), "median", number(r->median));
}

json_t *simulated_json(const struct simulated *simulated)
{
    const struct spec *spec = simulated->spec;
    json_t *runs = json_array();
    for (size_t i = 0; i < simulated->n_runs; i++)
        if (json_array_append_new(runs, run_json(simulated, &simulated->runs[i]))) {
            json_decref(runs);
            return NULL;
        }
    return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s, s:I}, s:o, s:o, s:o}", "experiment", "name",
                     spec->name, "metric", spec->metric.name, "goal",
                     spec->metric.goal == GOAL_MAXIMIZE ? "maximize" : "minimize", "search",
                     spec->search.name, "schedule", spec->schedule.name, "stopping", spec->stopping.name,
                     "workers", (json_int_t)spec->workers, "table", table_json(simulated), "summary",
                     summary_json(simulated), "runs", runs);
}

/* CSV */

static void write_row(FILE *file, const struct simulated *simulated, uint64_t seed,
                      const struct simulation_point *point)
{
    char seconds[NUMBER_SIZE], value[NUMBER_SIZE], truth[NUMBER_SIZE], regret[NUMBER_SIZE];
    (void)number_write(seconds, point->seconds);
    (void)number_write(value, point->value);
    (void)number_write(truth, point->truth);
    (void)number_write(regret, regret_of(simulated, point));
    (void)fprintf(file,
                  "%" PRIu64 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%s,%s,%s\n",
                  seed, seconds, point->n_epochs, point->n_begun, point->n_ended, point->trial, point->step,
                  value, truth, regret);
}

void simulated_write_csv(FILE *file, const struct simulated *simulated)
{
    (void)fputs("seed,seconds,epochs,begun,ended,trial,step,value,truth,regret\n", file);
    for (size_t i = 0; i < simulated->n_runs; i++) {
        const struct simulation_result *run = &simulated->runs[i];
        for (size_t k = 0; k < run->n_points; k++)
            write_row(file, simulated, run->seed, &run->points[k]);
        if (!run->n_points)
            continue;
        struct simulation_point end = *last_of(run);
        end.seconds = run->seconds;
        end.n_epochs = run->n_epochs;
        end.n_begun = run->n_trials;
        end.n_ended = run->n_completed + run->n_stopped + run->n_failed;
        write_row(file, simulated, run->seed, &end);
    }
}
