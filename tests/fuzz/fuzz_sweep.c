/* Any bytes as a sweep file: they give a spec or faults, never both nor neither, and a spec survives being
 * written as JSON and read again. A first line "#set PATH=VALUE" is also given as an override. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"
#include "tests/fuzz/fuzz.h"

#define MAX_JSON (16u << 20) /* what spec_parse takes */

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void check_round_trip(const struct spec *spec)
{
    struct text first = {0}, second = {0}, messages = {0};
    struct faults faults = {0};
    struct spec *again = NULL;
    spec_write_json(&first, spec);
    require(!first.failed, "out of memory");
    if (first.size <= MAX_JSON) {
        int code = spec_parse(&again, text_get(&first), first.size, NULL, NULL, 0, &faults);
        faults_write(&messages, &faults, text_get(&first));
        require(code == 0, text_get(&messages));
        spec_write_json(&second, again);
        require(strcmp(text_get(&first), text_get(&second)) == 0,
                "the JSON of a spec is read as another spec");
    }
    spec_destroy(again);
    faults_fini(&faults);
    text_fini(&messages);
    text_fini(&first);
    text_fini(&second);
}

/* A point of the space is one, whatever the space; and its values survive as text. */
static void check_space(const struct space *space)
{
    double *unit = malloc((space->n_dims + 1) * sizeof *unit),
           *point = malloc((space->n_params + 1) * sizeof *point);
    struct err err = {0};
    require(unit && point, "out of memory");
    for (size_t i = 0; i < space->n_dims; i++)
        unit[i] = (double)(i % 3) / 2;
    space_from_unit(point, space, unit);
    require(space_check(space, point, &err) == 0, err.text);
    for (size_t i = 0; i < space->n_params; i++) {
        struct text text = {0};
        double value;
        param_write_text(&text, &space->params[i], point[i]);
        require(
            point[i] != point[i] ||
                (param_read_text(&value, &space->params[i], text_get(&text), &err) == 0 && value == point[i]),
            "a value is not read back from its text");
        text_fini(&text);
    }
    space_to_unit(unit, space, point);
    (void)space_cardinality(space); /* any number is right for a space that nobody counted */
    free(unit);
    free(point);
}

/* Fills override from the first line, in place. */
static size_t take_override(struct override *override, char *line)
{
    static const char mark[] = "#set ";
    if (strncmp(line, mark, sizeof mark - 1) != 0)
        return 0;
    line[strcspn(line, "\n")] = '\0';
    char *equals = strchr(line, '=');
    if (!equals)
        return 0;
    *equals = '\0';
    *override = (struct override){line + sizeof mark - 1, equals + 1};
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[256] = "";
    (void)snprintf(line, sizeof line, "%.*s", (int)(size < 255 ? size : 255), (const char *)data);
    struct override override;
    size_t n_overrides = take_override(&override, line);
    struct faults faults = {0};
    struct spec *spec = NULL;
    int code = spec_parse(&spec, (const char *)data, size, "fuzz.yaml", &override, n_overrides, &faults);
    require((code == 0) == (spec != NULL) && (code == 0) == (faults.n == 0), "neither a spec nor faults");
    struct text text = {0};
    faults_write(&text, &faults, "fuzz.yaml");
    if (spec) {
        check_round_trip(spec);
        check_space(spec->space);
    }
    text_fini(&text);
    faults_fini(&faults);
    spec_destroy(spec);
    return 0;
}
