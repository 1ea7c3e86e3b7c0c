/* What commands print on stdout. */
#include "cli/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/format.h"
#include "cli/term.h"

int output_json(const struct cli_call *call, json_t *json)
{
    size_t flags = term_is_terminal(1) ? JSON_INDENT(2) : JSON_COMPACT;
    char *text = json ? json_dumps(json, flags | JSON_ENCODE_ANY) : NULL;
    json_decref(json);
    if (!text) {
        cli_error(call, "out of memory");
        return CLI_NO_RESULT;
    }
    (void)puts(text);
    free(text);
    return CLI_DONE;
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
    if (json_is_string(value)) {
        text_append(out, json_string_value(value));
    } else if (json_is_integer(value)) {
        text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        format_value(out, json_real_value(value));
    } else if (value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        text_append(out, text ? text : "?");
        free(text);
    }
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
