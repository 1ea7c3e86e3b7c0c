/* Runtime tensorflow: TF_CONFIG, which says who all are and which of them this one is.
 *
 * Without parameter servers, as MultiWorkerMirroredStrategy wants it: rank 0 is the chief, the others are
 * workers 0, 1, ... With them, as ParameterServerStrategy wants it: the last ranks are the servers. Everyone
 * listens at the address that it has there, which its worker holds for it. */
#include <inttypes.h>

#include "core/text.h"
#include "worker/runtime.h"

/* `"name":["address",...]` of ranks from `first` to before `end`. */
static void write_job(struct text *out, const struct handle_gang *gang, const char *name, uint64_t first,
                      uint64_t end)
{
    if (first == end)
        return;
    text_printf(out, "%s\"%s\":[", first ? "," : "", name);
    for (uint64_t i = first; i < end; i++) {
        text_append(out, i > first ? "," : "");
        text_append_json_string(out, gang->addresses[i]);
    }
    text_append(out, "]");
}

static int set_variables(struct command_line *line, const struct prova_trial *trial)
{
    const struct handle_gang *gang = trial->gang;
    uint64_t n_servers = (uint64_t)trial->spec->gang.parameter_servers;
    uint64_t first_server = gang->world - n_servers;
    const char *type = gang->rank == 0 ? "chief" : gang->rank < first_server ? "worker" : "ps";
    uint64_t index = gang->rank == 0             ? 0
                     : gang->rank < first_server ? gang->rank - 1
                                                 : gang->rank - first_server;
    struct text config = {0};
    text_append(&config, "{\"cluster\":{");
    write_job(&config, gang, "chief", 0, 1);
    write_job(&config, gang, "worker", 1, first_server);
    write_job(&config, gang, "ps", first_server, gang->world);
    text_printf(&config, "},\"task\":{\"type\":\"%s\",\"index\":%" PRIu64 "}}", type, index);
    int failed = config.failed || command_line_add(line, "TF_CONFIG=%s", text_get(&config));
    text_fini(&config);
    return failed ? ERR_NOMEM : ERR_OK;
}

const struct runtime_type runtime_tensorflow = {.name = "tensorflow", .set_variables = set_variables};
