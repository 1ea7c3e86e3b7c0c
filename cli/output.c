/* What commands print on stdout. */
#include "cli/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/format.h"
#include "cli/term.h"

void json_write(struct text *out, const json_t *json)
{
    const char *key, *gap = "";
    const json_t *value;
    size_t i;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        text_append(out, "{");
        json_object_foreach((json_t *)(uintptr_t)json, key, value)
        {
            text_append(out, gap);
            text_append_json_string(out, key);
            text_append(out, ":");
            json_write(out, value);
            gap = ",";
        }
        text_append(out, "}");
        break;
    case JSON_ARRAY:
        text_append(out, "[");
        json_array_foreach((json_t *)(uintptr_t)json, i, value)
        {
            text_append(out, gap);
            json_write(out, value);
            gap = ",";
        }
        text_append(out, "]");
        break;
    case JSON_STRING:
        text_append_json_string(out, json_string_value(json));
        break;
    case JSON_INTEGER:
        text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_REAL:
        text_append_json_double(out, json_real_value(json));
        break;
    default:
        text_append(out, json_is_true(json) ? "true" : json_is_false(json) ? "false" : "null");
    }
}

int output_json(const struct cli_call *call, json_t *json)
{
    struct text text = {0};
    if (json)
        json_write(&text, json);
    json_decref(json);
    text_append(&text, "\n");
    bool failed = !json || text.failed;
    if (failed)
        cli_error(call, "out of memory");
    else
        (void)fputs(text_get(&text), stdout); /* finish looks whether it arrived */
    text_fini(&text);
    return failed ? CLI_NO_RESULT : CLI_DONE;
}

int output_table(const struct cli_call *call, struct table *table)
{
    struct text text = {0};
    int code = table_write(&text, table, term_width(1), term_has_colour(1));
    if (code)
        cli_error(call, "out of memory");
    else
        (void)fputs(text_get(&text), stdout);
    text_fini(&text);
    table_destroy(table);
    return code ? CLI_NO_RESULT : CLI_DONE;
}

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

int64_t json_whole(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : 0;
}

int64_t json_time_ms(const json_t *object, const char *key)
{
    struct tm tm = {0};
    int ms = 0;
    const char *rest = strptime(json_text(object, key), "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return 0;
    if (*rest == '.')
        ms = atoi(rest + 1);
    return (int64_t)timegm(&tm) * 1000 + ms;
}

void json_append_exact(struct text *out, const json_t *value)
{
    if (json_is_real(value))
        text_append_double(out, json_real_value(value));
    else
        json_append(out, value);
}

void json_append(struct text *out, const json_t *value)
{
    if (json_is_string(value))
        text_append(out, json_string_value(value));
    else if (json_is_real(value))
        format_value(out, json_real_value(value));
    else if (value)
        json_write(out, value);
}

void json_append_params(struct text *out, const json_t *params)
{
    const char *key;
    const json_t *value;
    bool first = true;
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
    {
        text_printf(out, "%s%s=", first ? "" : " ", key);
        json_append(out, value);
        first = false;
    }
}

const char *output_state(const json_t *experiment)
{
    const char *state = json_text(experiment, "state");
    bool dead = !strcmp(state, "running") && json_is_false(json_object_get(experiment, "live"));
    return dead ? "unfinished" : state;
}

enum table_style output_state_style(const json_t *experiment)
{
    const char *state = output_state(experiment);
    if (!strcmp(state, "completed"))
        return STYLE_GOOD;
    if (!strcmp(state, "failed"))
        return STYLE_BAD;
    return !strcmp(state, "running") ? STYLE_PLAIN : STYLE_WARN;
}
