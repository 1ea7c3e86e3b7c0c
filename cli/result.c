/* What came of an experiment. */
#include "cli/result.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/study.h"
#include "cli/table.h"
#include "cli/term.h"

enum { MESSAGE_COLUMNS = 160, STUDY_ROWS = 40 };

/* What early stopping was good for: the steps that stopped trials did not take, compared with the longest
 * completed one. */
struct saving {
    int64_t taken, saved;
};

/* Steps may count from 0: then ten of them end with 9, and as many reports are more than that. */
static int64_t count_steps(const json_t *trial)
{
    int64_t step = json_whole(trial, "step"), n_reports = json_whole(trial, "n_reports");
    return step > n_reports ? step : n_reports;
}

static struct saving count_saving(const json_t *trials)
{
    struct saving saving = {0};
    int64_t longest = 0;
    size_t i;
    const json_t *trial;
    json_array_foreach((json_t *)(uintptr_t)trials, i, trial)
    {
        int64_t steps = count_steps(trial);
        if (!strcmp(json_text(trial, "state"), "COMPLETED") && steps > longest)
            longest = steps;
    }
    json_array_foreach((json_t *)(uintptr_t)trials, i, trial)
    {
        int64_t steps = count_steps(trial);
        saving.taken += steps;
        if (!strcmp(json_text(trial, "state"), "STOPPED") && steps < longest)
            saving.saved += longest - steps;
    }
    return saving;
}

/* A driver far away may refuse a document of so many trials: then nothing is said of it. */
static struct saving read_saving(struct data *data, const char *experiment, const json_t *show)
{
    json_t *document = NULL;
    struct saving saving = {0};
    if (json_whole(json_object_get(show, "counts"), "STOPPED") &&
        !data_query(&document, data, "trials", experiment, NULL))
        saving = count_saving(json_object_get(document, "trials"));
    json_decref(document);
    return saving;
}

static json_t *member_copy(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return value ? json_incref(value) : json_null();
}

static json_t *result_json(const json_t *show, const struct saving *saving)
{
    const json_t *experiment = json_object_get(show, "experiment"), *best = json_object_get(show, "best");
    json_t *short_best = json_null();
    if (json_is_object(best))
        short_best = json_pack("{s:o, s:o, s:o}", "trial", member_copy(best, "trial"), "value",
                               member_copy(best, "value"), "params", member_copy(best, "params"));
    json_t *result = json_pack(
        "{s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:I}", "experiment", "id", member_copy(experiment, "id"),
        "name", member_copy(experiment, "name"), "state", member_copy(experiment, "state"), "text",
        member_copy(experiment, "text"), "best", short_best, "counts", member_copy(show, "counts"), "seconds",
        member_copy(show, "seconds"), "steps_saved", (json_int_t)saving->saved);
    if (result && json_is_object(json_object_get(show, "ablation"))) {
        (void)json_object_set_new(result, "ablation", member_copy(show, "ablation")); /* missing if out of */
        (void)json_object_set_new(result, "components", member_copy(show, "components")); /* memory */
    }
    return result;
}

void result_append_command(struct text *out, const char *command, const char *arguments, const char *database)
{
    text_printf(out, "prova %s %s", command, arguments);
    if (database && strcmp(database, CLI_DEFAULT_DB) != 0)
        text_printf(out, " --db %s", database);
}

static void append_counts(struct text *out, const json_t *show)
{
    static const struct {
        const char *state, *what;
    } words[] = {{"COMPLETED", "completed"}, {"STOPPED", "stopped early"}, {"FAILED", "failed"},
                 {"PAUSED", "paused"},       {"PENDING", "to run again"},  {"RUNNING", "running"}};
    const json_t *counts = json_object_get(show, "counts");
    bool first = true;
    for (size_t i = 0; i < CLI_COUNT(words); i++) {
        int64_t n = json_whole(counts, words[i].state);
        if (!n)
            continue;
        text_printf(out, "%s%" PRId64 " %s", first ? " (" : ", ", n, words[i].what);
        first = false;
    }
    text_append(out, first ? "" : ")");
}

static void append_best(struct text *out, const json_t *show)
{
    const json_t *best = json_object_get(show, "best");
    bool colour = term_has_colour(1);
    if (!json_is_object(best))
        return;
    text_printf(out, "best: trial %" PRId64 ", %s%s = ", json_whole(best, "trial"),
                style_begin(STYLE_GOOD, colour), json_text(json_object_get(show, "experiment"), "metric"));
    format_value(out, json_number(best, "value"));
    text_printf(out, "%s\n      ", style_end(STYLE_GOOD, colour));
    json_append_params(out, json_object_get(best, "params"));
    text_append(out, "\n");
}

static void append_summary(struct text *out, const json_t *show, const struct saving *saving)
{
    const json_t *experiment = json_object_get(show, "experiment");
    const char *reason = json_text(experiment, "text"), *state = json_text(experiment, "state");
    text_printf(out, "%s: %s, ", json_text(experiment, "name"), state);
    format_count(out, (uint64_t)json_whole(show, "n_trials"), "trial");
    text_append(out, " in ");
    format_seconds(out, json_number(show, "seconds"));
    append_counts(out, show);
    bool is_told =
        *reason && !strcmp(state, "completed"); /* else it is no result, but an error: see say_more */
    text_printf(out, "%s%s\n", is_told ? "; " : "", is_told ? reason : "");
    if (json_is_object(json_object_get(show, "ablation")))
        study_write(out, show, STUDY_ROWS);
    else
        append_best(out, show);
    if (saving->saved)
        text_printf(out, "early stopping saved %" PRId64 " steps (%.0f %%)\n", saving->saved,
                    100.0 * (double)saving->saved / (double)(saving->saved + saving->taken));
}

/* The beginning of a message that may be long and have lines: `prova show` has all of it. */
static void append_line(struct text *out, const char *message)
{
    char line[256];
    size_t size = strcspn(message, "\n");
    (void)snprintf(line, sizeof line, "%.*s", (int)size, message); /* a long one is cut */
    term_append_cut(out, line, MESSAGE_COLUMNS);
}

static void append_failures(struct text *out, const json_t *show)
{
    size_t i;
    const json_t *failure;
    json_array_foreach(json_object_get(show, "failures"), i, failure)
    {
        format_count(out, (uint64_t)json_whole(failure, "count"), "trial");
        text_append(out, " failed: ");
        append_line(out, json_text(failure, "text"));
        text_printf(out, " (trial %" PRId64 ")\n", json_whole(failure, "trial"));
    }
}

static void append_hint(struct text *out, const char *command, const char *arguments, const char *database,
                        const char *what)
{
    struct text line = {0};
    result_append_command(&line, command, arguments, database);
    text_printf(out, "  %-40s %s\n", text_get(&line), what);
    text_fini(&line);
}

static void append_hints(struct text *out, const json_t *show, const char *database)
{
    const json_t *experiment = json_object_get(show, "experiment");
    const json_t *failure = json_array_get(json_object_get(show, "failures"), 0);
    const char *name = json_text(experiment, "name");
    text_append(out, "next:\n");
    if (strcmp(json_text(experiment, "state"), "completed") != 0)
        append_hint(out, "resume", name, database, "goes on with it");
    if (failure) {
        struct text arguments = {0};
        text_printf(&arguments, "%s %" PRId64, name, json_whole(failure, "trial"));
        append_hint(out, "logs", text_get(&arguments), database, "what the failed trial printed");
        text_fini(&arguments);
    }
    append_hint(out, "show", name, database, "all about it");
    append_hint(out, "trials", name, database, "every trial");
    append_hint(out, "export", name, database, "as CSV, for a spreadsheet or pandas");
    if (json_is_object(json_object_get(show, "ablation"))) {
        struct text arguments = {0};
        text_printf(&arguments, "%s --components", name);
        append_hint(out, "export", text_get(&arguments), database, "the report as CSV");
        text_fini(&arguments);
    }
}

/* Trials that failed, and what to type next: for people, so not with the results. */
static void say_more(const struct cli_call *call, const json_t *show, const struct result_view *view)
{
    struct text text = {0};
    const json_t *experiment = json_object_get(show, "experiment");
    if (!strcmp(json_text(experiment, "state"), "failed"))
        text_printf(&text, "prova %s: no result: %s\n", call->command->name, json_text(experiment, "text"));
    append_failures(&text, show);
    if (view->hints && view->database)
        append_hints(&text, show, view->database);
    (void)fflush(stdout); /* in the order in which it is meant to be read; asked again at the end */
    (void)fputs(text_get(&text), stderr);
    text_fini(&text);
}

static int status_of(const json_t *show)
{
    const char *state = json_text(json_object_get(show, "experiment"), "state");
    if (!strcmp(state, "interrupted"))
        return CLI_INTERRUPTED;
    return !strcmp(state, "completed") && json_is_object(json_object_get(show, "best")) ? CLI_DONE
                                                                                        : CLI_NO_RESULT;
}

int result_print(int *status, const struct cli_call *call, struct data *data, const char *experiment,
                 const struct result_view *view, struct err *err)
{
    json_t *show = NULL;
    int code = data_query(&show, data, "show", experiment, err);
    if (code)
        return code;
    struct saving saving = read_saving(data, experiment, show);
    *status = status_of(show);
    if (view->json) {
        int written = output_json(call, result_json(show, &saving));
        *status = *status ? *status : written;
    } else {
        struct text text = {0};
        append_summary(&text, show, &saving);
        (void)fputs(text_get(&text), stdout);
        text_fini(&text);
    }
    say_more(call, show, view);
    json_decref(show);
    return 0;
}
