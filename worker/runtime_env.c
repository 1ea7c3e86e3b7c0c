/* Runtime env: the variables by which PyTorch's distributed package (init_method env://) and many others
 * find each other. Rank 0 listens at MASTER_ADDR:MASTER_PORT, which its worker holds for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/runtime.h"

static int set_variables(struct command_line *line, const struct prova_trial *trial)
{
    const struct handle_gang *gang = trial->gang;
    const char *coordinator = gang->addresses[0], *port = strrchr(coordinator, ':');
    int size = (int)(port - coordinator);
    if (*coordinator == '[') { /* of IPv6, whose brackets are for URLs */
        coordinator++;
        size -= 2;
    }
    return command_line_add(line, "RANK=%" PRIu64, gang->rank) ||
                   command_line_add(line, "WORLD_SIZE=%" PRIu64, gang->world) ||
                   command_line_add(line, "LOCAL_RANK=%" PRIu64, gang->local_rank) ||
                   command_line_add(line, "LOCAL_WORLD_SIZE=%" PRIu64, gang->local_world) ||
                   command_line_add(line, "MASTER_ADDR=%.*s", size, coordinator) ||
                   command_line_add(line, "MASTER_PORT=%s", port + 1)
               ? ERR_NOMEM
               : ERR_OK;
}

const struct runtime_type runtime_env = {.name = "env", .set_variables = set_variables};
