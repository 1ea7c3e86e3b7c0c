/* prova version: of the program, its protocol and its socket library, as a fault report needs them. */
#include <stdio.h>

#include <zmq.h>

#include "cli/command.h"
#include "cli/output.h"
#include "core/wire.h"
#include "version.h"

struct version_options {
    bool json;
};

static int run(const struct cli_call *call)
{
    const struct version_options *options = call->options;
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    if (!options->json) {
        (void)printf("prova %s (protocol %d, libzmq %d.%d.%d)\n", PROVA_VERSION, WIRE_VERSION, major, minor,
                     patch);
        return CLI_DONE;
    }
    char zmq[32];
    (void)snprintf(zmq, sizeof zmq, "%d.%d.%d", major, minor, patch); /* fits */
    return output_json(call, json_pack("{s:s, s:i, s:s}", "version", PROVA_VERSION, "protocol", WIRE_VERSION,
                                       "libzmq", zmq));
}

static const struct cli_option options_table[] = {CLI_OPTION_JSON(version_options)};

const struct cli_command cli_command_version = {
    .name = "version",
    .summary = "print the version",
    .examples = "prova version\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct version_options),
    .run = run,
};
