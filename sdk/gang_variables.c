/* The variables of a trial's gang, for functions whose framework reads its environment (torch.distributed,
 * TensorFlow): what a command of the same trial would have in its own. */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "sdk/prova.h"
#include "worker/command_line.h"

static void write_variable(struct text *json, const char *variable)
{
    const char *value = strchr(variable, '=') + 1;
    char *name = strndup(variable, (size_t)(value - variable) - 1);
    text_append(json, json->size > 1 ? "," : "");
    text_append_json_string(json, name ? name : "");
    text_append(json, ":");
    text_append_json_string(json, value);
    if (!name)
        json->failed = ERR_NOMEM;
    free(name);
}

char *prova_gang_json(prova_trial *trial)
{
    struct command_line line = {0};
    struct text json = {0};
    text_append(&json, "{");
    if (trial->ops->version != HANDLE_VERSION || command_line_add_gang(&line, trial))
        json.failed = ERR_NOMEM;
    for (size_t i = 0; i < line.n_envp && !json.failed; i++)
        write_variable(&json, line.envp[i]);
    text_append(&json, "}");
    command_line_fini(&line);
    return text_take(&json);
}
