/* Stopping none: no trial is stopped early. */
#include <stdlib.h>

#include "optimizers/registry.h"

static int none_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    (void)setup, (void)err;
    *state = NULL;
    return 0;
}

static bool none_report(void *state, uint64_t trial, const struct curve *curve)
{
    (void)state, (void)trial, (void)curve;
    return false;
}

const struct stopping_type stopping_none = {
    .name = "none",
    .summary = "no trial is stopped early",
    .paper = "",
    .create = none_create,
    .destroy = free,
    .report = none_report,
};
