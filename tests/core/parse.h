#ifndef TESTS_CORE_PARSE_H
#define TESTS_CORE_PARSE_H

#include <check.h>
#include <string.h>

#include "core/spec.h"

/* The spec of a sweep file that has no faults; the caller destroys it. */
static inline struct spec *parse_spec(const char *yaml)
{
    struct faults faults = {0};
    struct text text = {0};
    struct spec *spec = NULL;
    int code = spec_parse(&spec, yaml, strlen(yaml), "test.yaml", NULL, 0, &faults);
    faults_write(&text, &faults, "test.yaml");
    ck_assert_msg(code == 0, "%s", text_get(&text));
    text_fini(&text);
    faults_fini(&faults);
    return spec;
}

#endif
