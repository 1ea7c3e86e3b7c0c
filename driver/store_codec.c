/* Encodings of curves, points and sweeps in columns; the formats are in store_codec.h and docs/database.md.
 */
#include "driver/store_codec.h"

#include <endian.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORD 8

void codec_buffer_fini(struct codec_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct codec_buffer){0};
}

static int reserve(struct codec_buffer *buffer, size_t size)
{
    if (size > buffer->capacity) {
        size_t capacity = size > 2 * buffer->capacity ? size : 2 * buffer->capacity;
        void *data = realloc(buffer->data, capacity);
        if (!data)
            return ERR_NOMEM;
        buffer->data = data;
        buffer->capacity = capacity;
    }
    buffer->size = size;
    return 0;
}

static void put_word(char *place, uint64_t word)
{
    word = htole64(word);
    memcpy(place, &word, WORD);
}

static uint64_t get_word(const char *place)
{
    uint64_t word;
    memcpy(&word, place, WORD);
    return le64toh(word);
}

static void put_double(char *place, double value)
{
    uint64_t word;
    memcpy(&word, &value, WORD);
    put_word(place, word);
}

static double get_double(const char *place)
{
    uint64_t word = get_word(place);
    double value;
    memcpy(&value, &word, WORD);
    return value;
}

/* The distance of all steps, 0: they differ (or it is too great for the arithmetic here). */
static int64_t regular_stride(const struct curve *curve)
{
    if (curve->n < 2)
        return 1;
    int64_t stride;
    if (__builtin_sub_overflow(curve->steps[1], curve->steps[0], &stride))
        return 0;
    for (size_t i = 1; i < curve->n; i++) {
        int64_t distance;
        if (__builtin_sub_overflow(curve->steps[i], curve->steps[i - 1], &distance) || distance != stride)
            return 0;
    }
    return stride;
}

int curve_encode(struct codec_buffer *buffer, const struct curve *curve)
{
    int64_t stride = regular_stride(curve);
    size_t n = curve->n;
    if (reserve(buffer, (2 + n + (stride ? 0 : n)) * WORD))
        return ERR_NOMEM;
    char *place = buffer->data;
    put_word(place, n ? (uint64_t)curve->steps[0] : 0);
    put_word(place + WORD, (uint64_t)stride);
    place += 2 * WORD;
    for (size_t i = 0; !stride && i < n; i++, place += WORD)
        put_word(place, (uint64_t)curve->steps[i]);
    for (size_t i = 0; i < n; i++, place += WORD)
        put_double(place, curve->values[i]);
    return 0;
}

/* What the header says: how many points; the steps' place (NULL: regular); the values' place. */
struct layout {
    size_t n;
    int64_t first, stride;
    const char *steps, *values;
};

static int read_layout(struct layout *layout, const void *blob, size_t size)
{
    const char *place = blob;
    if (size < 2 * WORD || size % WORD)
        return ERR_INVALID;
    size_t words = size / WORD - 2;
    *layout = (struct layout){.first = (int64_t)get_word(place), .stride = (int64_t)get_word(place + WORD)};
    place += 2 * WORD;
    if (layout->stride < 0 || (!layout->stride && words % 2))
        return ERR_INVALID;
    layout->n = layout->stride ? words : words / 2;
    layout->steps = layout->stride ? NULL : place;
    layout->values = layout->stride ? place : place + layout->n * WORD;
    int64_t span;
    if (layout->stride && layout->n &&
        (__builtin_mul_overflow((int64_t)(layout->n - 1), layout->stride, &span) ||
         __builtin_add_overflow(span, layout->first, &span)))
        return ERR_INVALID;
    return 0;
}

static int64_t layout_step(const struct layout *layout, size_t i)
{
    return layout->steps ? (int64_t)get_word(layout->steps + i * WORD)
                         : layout->first + (int64_t)i * layout->stride;
}

int curve_decode(struct curve *curve, const void *blob, size_t size)
{
    struct layout layout;
    int rc = read_layout(&layout, blob, size);
    for (size_t i = 0; !rc && i < layout.n; i++)
        rc = curve_add(curve, layout_step(&layout, i), get_double(layout.values + i * WORD));
    return rc;
}

bool curve_last_step(int64_t *step, const void *blob, size_t size)
{
    struct layout layout;
    if (read_layout(&layout, blob, size) || !layout.n)
        return false;
    *step = layout_step(&layout, layout.n - 1);
    return true;
}

static bool is_choice(const struct choice *choice, const json_t *value)
{
    switch (choice->type) {
    case CHOICE_STRING:
        return json_is_string(value) && !strcmp(choice->text, json_string_value(value));
    case CHOICE_BOOL:
        return json_is_boolean(value) && json_is_true(value) == (choice->number != 0);
    case CHOICE_DOUBLE:
    case CHOICE_INT:
        return json_is_number(value) && json_number_value(value) == choice->number;
    }
    return false;
}

static int read_value(double *value, const struct param *param, const json_t *json)
{
    if (param->type == PARAM_DOUBLE || param->type == PARAM_INT) {
        *value = json_number_value(json);
        return json_is_number(json) ? 0 : ERR_INVALID;
    }
    for (size_t i = 0; i < param->n_choices; i++)
        if (is_choice(&param->choices[i], json)) {
            *value = (double)i;
            return 0;
        }
    return ERR_INVALID;
}

int point_read_json(double *point, const struct space *space, const char *json, struct err *err)
{
    json_error_t error;
    json_t *object = json_loads(json, 0, &error);
    int rc = 0;
    size_t n_found = 0;
    if (!object && (!error.text[0] || json_error_code(&error) == json_error_out_of_memory))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (!json_is_object(object))
        rc = err_set(err, ERR_INVALID, "parameters are no JSON object: %.100s", error.text);
    for (size_t i = 0; !rc && i < space->n_params; i++) {
        const json_t *value = json_object_get(object, space->params[i].name);
        point[i] = NAN;
        n_found += value != NULL;
        if (value && read_value(&point[i], &space->params[i], value))
            rc = err_set(err, ERR_INVALID, "'%.100s' has a value that is none of its own",
                         space->params[i].name);
    }
    if (!rc && n_found != json_object_size(object))
        rc = err_set(err, ERR_INVALID, "parameters that are not in the sweep: %.150s", json);
    json_decref(object);
    return rc;
}

int spec_read_json(struct spec **spec, const char *json, struct err *err)
{
    struct faults faults = {0};
    int rc = spec_parse(spec, json, strlen(json), "stored.yaml", NULL, 0, &faults);
    if (rc)
        (void)err_set(err, rc, "the stored sweep cannot be read: %.200s",
                      faults.n ? faults.list[0].text : err_string(rc));
    faults_fini(&faults);
    return rc;
}
