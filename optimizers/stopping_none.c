/* Stopping none: no trial is stopped early. */
#include <stdlib.h>

#include "optimizers/registry.h"

static int none_create(void **state, const struct stopping_setup *setup, struct err *err)
{
    (void)setup, (void)err;
    *state = NULL;
    return 0;
}

const struct stopping_type stopping_none = {
    .name = "none",
    .summary = "no trial is stopped early",
    .paper = "",
    .create = none_create,
    .destroy = free,
};
