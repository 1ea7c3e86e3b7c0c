/* The result object. */
#include "sdk/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/err.h"
#include "core/experiment.h"
#include "core/text.h"

struct prova_result {
    int code;
    char *error;
    char id[ID_TEXT_SIZE];
    struct spec *spec;
    const char *state; /* "" until something is known */
    int64_t counts[TRIAL_N_STATES];
    int64_t limit;
    double seconds;
    int64_t best_trial; /* 0: none */
    double best_value;
    char *best_json;
    char **best_texts; /* [n_params]; NULL: inactive */
    char *components;  /* JSON; NULL: none */
    char *explanation; /* NULL: none */
};

prova_result *result_create(void)
{
    prova_result *result = calloc(1, sizeof *result);
    if (result) {
        result->state = "";
        result->best_value = NAN;
    }
    return result;
}

static size_t n_params(const prova_result *result)
{
    return result->spec ? result->spec->space->n_params : 0;
}

static void drop_best(prova_result *result)
{
    for (size_t i = 0; result->best_texts && i < n_params(result); i++)
        free(result->best_texts[i]);
    free(result->best_texts);
    free(result->best_json);
    result->best_texts = NULL;
    result->best_json = NULL;
    result->best_trial = 0;
    result->best_value = NAN;
}

void prova_result_free(prova_result *result)
{
    if (!result)
        return;
    drop_best(result);
    spec_destroy(result->spec);
    free(result->error);
    free(result->components);
    free(result->explanation);
    free(result);
}

void result_set_experiment(prova_result *result, struct id id, struct spec *spec)
{
    drop_best(result);
    spec_destroy(result->spec);
    result->spec = spec;
    (void)id_format(id, result->id);
}

void result_explain(prova_result *result, char *text)
{
    free(result->explanation);
    result->explanation = text;
}

const char *prova_result_explanation(const prova_result *result)
{
    return result->explanation ? result->explanation : "";
}

void result_fail(prova_result *result, int code, const char *format, ...)
{
    if (result->code)
        return;
    result->code = code;
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL; /* prova_result_error then gives the meaning of the code */
    va_end(args);
    result->error = text;
}

/* The best point and its texts, all or nothing. */
static int set_best(prova_result *result, int64_t trial, double value, const double *point)
{
    const struct space *space = result->spec->space;
    drop_best(result);
    result->best_texts = calloc(space->n_params + 1, sizeof *result->best_texts);
    struct text json = {0};
    space_write_json(&json, space, point);
    result->best_json = text_take(&json);
    bool whole = result->best_texts && result->best_json;
    for (size_t i = 0; whole && i < space->n_params; i++) {
        if (isnan(point[i]))
            continue;
        struct text text = {0};
        param_write_text(&text, &space->params[i], point[i]);
        result->best_texts[i] = text_take(&text);
        whole = result->best_texts[i] != NULL;
    }
    if (!whole) {
        drop_best(result);
        return ERR_NOMEM;
    }
    result->best_trial = trial;
    result->best_value = value;
    return ERR_OK;
}

int result_update(prova_result *result, const struct wire_status *status)
{
    result->state = experiment_state_name((enum experiment_state)status->state);
    result->counts[TRIAL_PENDING] = (int64_t)status->n_pending;
    result->counts[TRIAL_RUNNING] = (int64_t)status->n_running;
    result->counts[TRIAL_PAUSED] = (int64_t)status->n_paused;
    result->counts[TRIAL_COMPLETED] = (int64_t)status->n_completed;
    result->counts[TRIAL_STOPPED] = (int64_t)status->n_stopped;
    result->counts[TRIAL_FAILED] = (int64_t)status->n_failed;
    result->limit = (int64_t)status->n_trials;
    result->seconds = status->elapsed_s;
    if (status->best_trial == 0 || status->best_point.n != n_params(result)) {
        drop_best(result);
        return ERR_OK;
    }
    if ((int64_t)status->best_trial == result->best_trial && status->best_value == result->best_value)
        return ERR_OK;
    return set_best(result, (int64_t)status->best_trial, status->best_value, status->best_point.values);
}

int result_set_single(prova_result *result, int64_t trial, const double *point, enum trial_state end,
                      double value)
{
    result->state = experiment_state_name(end == TRIAL_FAILED ? EXPERIMENT_FAILED : EXPERIMENT_COMPLETED);
    result->counts[end] = 1;
    result->limit = 1;
    return isnan(value) ? ERR_OK : set_best(result, trial, value, point);
}

bool result_is_study(const prova_result *result)
{
    return result->spec && result->spec->ablation;
}

int result_set_components(prova_result *result, const char *show)
{
    json_t *document = json_loads(show, 0, NULL);
    const json_t *components = json_object_get(document, "components");
    int rc = components ? ERR_OK : ERR_INVALID;
    if (rc == ERR_OK) {
        free(result->components);
        result->components = json_dumps(components, JSON_COMPACT);
        rc = result->components ? ERR_OK : ERR_NOMEM;
    }
    json_decref(document);
    return rc;
}

/* The public questions */

int prova_result_code(const prova_result *result)
{
    return result->code;
}

const char *prova_result_error(const prova_result *result)
{
    if (result->error)
        return result->error;
    return result->code ? err_string(result->code) : "";
}

const char *prova_result_id(const prova_result *result)
{
    return result->id;
}

const char *prova_result_name(const prova_result *result)
{
    return result->spec && result->spec->name ? result->spec->name : "";
}

const char *prova_result_state(const prova_result *result)
{
    return result->state;
}

int64_t prova_result_best_trial(const prova_result *result)
{
    return result->best_trial;
}

double prova_result_best_value(const prova_result *result)
{
    return result->best_value;
}

const char *prova_result_best_param(const prova_result *result, const char *name)
{
    int index = result->best_texts ? space_find(result->spec->space, name) : -1;
    return index < 0 ? NULL : result->best_texts[index];
}

const char *prova_result_best_json(const prova_result *result)
{
    return result->best_json ? result->best_json : "{}";
}

const char *prova_result_components_json(const prova_result *result)
{
    return result->components ? result->components : "[]";
}

int64_t prova_result_count(const prova_result *result, const char *state)
{
    enum trial_state which;
    return trial_state_parse(&which, state) ? -1 : result->counts[which];
}

int64_t prova_result_limit(const prova_result *result)
{
    return result->limit;
}

double prova_result_seconds(const prova_result *result)
{
    return result->seconds;
}
