/* prova rm: removes an experiment from a database. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/term.h"
#include "driver/store_query.h"

struct rm_options {
    const char *db;
    bool force;
};

static const struct rm_options initial = {.db = CLI_DEFAULT_DB};

/* What EXP stands for, before anything is done to it. */
static int find(struct query_experiment *found, const struct cli_call *call, struct err *err)
{
    const struct rm_options *options = call->options;
    struct query *query = NULL;
    int code = query_open(&query, options->db, err);
    if (!code)
        code = query_find(found, query, call->args[0], err);
    query_close(query);
    return code;
}

static bool confirm(const struct query_experiment *found, const char *id)
{
    char answer[8] = "";
    (void)fprintf(stderr, "Remove experiment '%s' (%.8s, %s) and all of its results? [y/N] ", found->name, id,
                  experiment_state_name(found->state));
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int run(const struct cli_call *call)
{
    const struct rm_options *options = call->options;
    struct query_experiment found;
    struct err err = {0};
    char id[ID_TEXT_SIZE];
    int code = find(&found, call, &err);
    if (code)
        return cli_fail(call, &err);
    id_format(found.id, id);
    if (!options->force && !(term_is_terminal(0) && term_is_terminal(2))) {
        cli_error(call, "there is nobody to ask: say --force to remove '%s' (%.8s)", found.name, id);
        return CLI_BAD_USAGE;
    }
    if (!options->force && !confirm(&found, id)) {
        (void)fputs("Nothing was removed.\n", stderr);
        return CLI_NO_RESULT;
    }
    /* By its id: a name might mean a newer one by now. */
    code = query_remove(&found, options->db, id, &err);
    if (code)
        return cli_fail(call, &err);
    (void)fprintf(stderr, "Removed '%s' (%.8s). The directories of its trials, if any, are still there.\n",
                  found.name, id);
    return CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "force",
     .letter = 'y',
     .kind = CLI_FLAG,
     .offset = offsetof(struct rm_options, force),
     .help = "do not ask"},
    CLI_OPTION_DB(rm_options),
};
static const struct cli_operand operands[] = {{.name = "EXP", .completes = COMPLETES_EXPERIMENT}};

const struct cli_command cli_command_rm = {
    .name = "rm",
    .summary = "remove an experiment and its results from the database",
    .details =
        "Asks first on a terminal. An experiment that is running is refused: `prova stop` it. The output and\n"
        "files of trials in prova_trials/ are not touched.",
    .examples = "prova rm digits\n"
                "prova rm 3f2a --force\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct rm_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
