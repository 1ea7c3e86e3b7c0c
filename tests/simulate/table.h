#ifndef TESTS_SIMULATE_TABLE_H
#define TESTS_SIMULATE_TABLE_H

#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "core/spec.h"
#include "driver/recording.h"

/* A sweep and its table from literal texts. */
static inline struct spec *table_spec(const char *sweep)
{
    struct spec *spec = NULL;
    struct faults faults = {0};
    int code = spec_parse(&spec, sweep, strlen(sweep), "table.yaml", NULL, 0, &faults);
    ck_assert_msg(code == 0, "%s", faults.n ? faults.list[0].text : "");
    faults_fini(&faults);
    return spec;
}

static inline struct recording *table_load(const struct spec *spec, const char *csv)
{
    struct recording *recording = NULL;
    struct faults faults = {0};
    char *text = strdup(csv);
    ck_assert_ptr_nonnull(text);
    int code = recording_create(&recording, spec, text, &faults);
    ck_assert_msg(code == 0, "%d: %s", code, faults.n ? faults.list[0].text : "");
    faults_fini(&faults);
    free(text);
    return recording;
}

#endif
