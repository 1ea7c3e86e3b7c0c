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

static void append_break(struct text *out, int depth)
{
    if (depth >= 0)
        text_printf(out, "\n%*s", 2 * depth, "");
}

static void append_members(struct text *out, const json_t *json, int depth)
{
    bool is_array = json_is_array(json), first = true;
    int inner = depth < 0 ? depth : depth + 1;
    size_t n = is_array ? json_array_size(json) : json_object_size(json);
    void *member = is_array ? NULL : json_object_iter((json_t *)(uintptr_t)json);
    text_append(out, is_array ? "[" : "{");
    for (size_t i = 0; i < n; i++, first = false) {
        text_append(out, first ? "" : ",");
        append_break(out, inner);
        if (!is_array) {
            text_append_json_string(out, json_object_iter_key(member));
            text_append(out, depth < 0 ? ":" : ": ");
        }
        output_append_json(out, is_array ? json_array_get(json, i) : json_object_iter_value(member), inner);
        if (!is_array)
            member = json_object_iter_next((json_t *)(uintptr_t)json, member);
    }
    if (n)
        append_break(out, depth);
    text_append(out, is_array ? "]" : "}");
}

/* Not by jansson, which writes 0.1 as 0.10000000000000001. */
void output_append_json(struct text *out, const json_t *json, int depth)
{
    if (json_is_array(json) || json_is_object(json))
        append_members(out, json, depth);
    else if (json_is_real(json))
        text_append_json_double(out, json_real_value(json));
    else if (json_is_integer(json))
        text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    else if (json_is_string(json))
        text_append_json_string(out, json_string_value(json));
    else
        text_append(out, json_is_true(json) ? "true" : json_is_false(json) ? "false" : "null");
}

int output_json(const struct cli_call *call, json_t *json)
{
    struct text text = {0};
    if (json)
        output_append_json(&text, json, term_is_terminal(1) ? 0 : -1);
    bool complete = json && !text.failed;
    json_decref(json);
    if (complete)
        (void)puts(text_get(&text)); /* asked at the end of the process */
    else
        cli_error(call, "out of memory");
    text_fini(&text);
    return complete ? CLI_DONE : CLI_NO_RESULT;
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
