/* The bash completion script. Its fixed part is below; its two `case` tables are made from the commands. */
#include "cli/complete.h"

#include <string.h>

#include "cli/command.h"
#include "core/trial.h"
#include "optimizers/registry.h"

static const char *completes_word(enum cli_completes completes)
{
    static const char *const words[] = {
        [COMPLETES_NOTHING] = "nothing",       [COMPLETES_FILE] = "file",
        [COMPLETES_DIRECTORY] = "directory",   [COMPLETES_SWEEP] = "sweep",
        [COMPLETES_EXPERIMENT] = "experiment", [COMPLETES_STATE] = "state",
        [COMPLETES_PLUGIN] = "plugin",         [COMPLETES_COMMAND] = "command",
    };
    return words[completes];
}

static void write_commands(struct text *out)
{
    for (size_t i = 0, n = 0; i < cli_n_commands; i++)
        if (!cli_commands[i]->hidden)
            text_printf(out, "%s%s", n++ ? " " : "", cli_commands[i]->name);
}

static void write_plugins(struct text *out)
{
    for (size_t i = 0; i < n_search_types; i++)
        text_printf(out, "%s ", search_types[i]->name);
    for (size_t i = 0; i < n_schedule_types; i++)
        text_printf(out, "%s ", schedule_types[i]->name);
    for (size_t i = 0; i < n_stopping_types; i++)
        text_printf(out, "%s%s", stopping_types[i]->name, i + 1 < n_stopping_types ? " " : "");
}

static void write_states(struct text *out)
{
    for (int i = 0; i < TRIAL_N_STATES; i++)
        text_printf(out, "%s%s", i ? " " : "", trial_state_name((enum trial_state)i));
}

static void write_option_names(struct text *out, const struct cli_option *option, bool letters)
{
    text_printf(out, " --%s", option->name);
    if (letters && option->letter)
        text_printf(out, " -%c", option->letter);
}

/* "    run) options='--help ...' valued='...' operands='sweep' ;;" */
static void write_command(struct text *out, const struct cli_command *command)
{
    text_printf(out, "    %s)\n        options='--help", command->name);
    for (size_t i = 0; i < command->n_options; i++)
        if (!command->options[i].hidden)
            write_option_names(out, &command->options[i], false);
    text_append(out, "'\n        valued='");
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].kind != CLI_FLAG)
            write_option_names(out, &command->options[i], true);
    text_append(out, " '\n        operands=(");
    for (size_t i = 0; i < command->n_operands; i++)
        text_printf(out, "%s%s", i ? " " : "", completes_word(command->operands[i].completes));
    text_append(out, ")\n        ;;\n");
}

/* "    'run --db') kind=file ;;" */
static void write_option_value(struct text *out, const struct cli_command *command,
                               const struct cli_option *option)
{
    if (option->kind == CLI_FLAG || option->hidden)
        return;
    text_printf(out, "    '%s --%s'", command->name, option->name);
    if (option->letter)
        text_printf(out, " | '%s -%c'", command->name, option->letter);
    if (option->kind == CLI_CHOICE) {
        text_append(out, ") kind=words words='");
        for (const char *at = option->choices; *at; at++)
            text_append_bytes(out, *at == '|' ? " " : at, 1);
        text_append(out, "' ;;\n");
    } else {
        text_printf(out, ") kind=%s ;;\n", completes_word(option->completes));
    }
}

static const char script_begin[] =
    "# bash completion for prova; made by `prova completion bash` from its tables of commands.\n"
    "# shellcheck shell=bash\n\n"
    "_prova_offer()\n"
    "{\n"
    "    local kind=$1 cur=$2 words=$3 db=$4\n"
    "    case $kind in\n"
    "    file) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames ;;\n"
    "    directory) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); compopt -o filenames ;;\n"
    "    sweep)\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"; compgen -f -- \"$cur\" | grep -E '\\.(ya?ml|json)$')\n"
    "        compopt -o filenames\n"
    "        ;;\n"
    "    experiment)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(prova completion experiments --db \"$db\" 2>/dev/null)\" -- \"$cur\")\n"
    "        ;;\n";

static const char script_middle[] =
    "    words) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n\n"
    "_prova()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-}\n"
    "    local options='' valued='' kind='' words='' db=prova.db word i n=0\n"
    "    local -a operands=()\n"
    "    COMPREPLY=()\n"
    "    # --name=value comes as three words.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        _prova_offer command \"$cur\" '' ''\n"
    "        return\n"
    "    fi\n"
    "    case $command in\n";

static const char script_values[] =
    "    *) return ;;\n"
    "    esac\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == -* ]]; then\n"
    "            if [[ $valued == *\" $word \"* ]]; then\n"
    "                [[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++))\n"
    "                ((i++))\n"
    "                [[ $word == --db && $i -lt $COMP_CWORD ]] && db=${COMP_WORDS[i]}\n"
    "            fi\n"
    "        else\n"
    "            ((n++))\n"
    "        fi\n"
    "    done\n"
    "    case \"$command $prev\" in\n";

static const char script_end[] = "    esac\n"
                                 "    if [[ -n $kind ]]; then\n"
                                 "        _prova_offer \"$kind\" \"$cur\" \"$words\" \"$db\"\n"
                                 "    elif [[ $cur == -* ]]; then\n"
                                 "        _prova_offer words \"$cur\" \"$options\" ''\n"
                                 "    elif ((n < ${#operands[@]})); then\n"
                                 "        _prova_offer \"${operands[n]}\" \"$cur\" '' \"$db\"\n"
                                 "    fi\n"
                                 "}\n"
                                 "complete -F _prova prova\n";

void complete_write_bash(struct text *out)
{
    text_append(out, script_begin);
    text_append(out, "    state) mapfile -t COMPREPLY < <(compgen -W '");
    write_states(out);
    text_append(out, "' -- \"$cur\") ;;\n    plugin) mapfile -t COMPREPLY < <(compgen -W '");
    write_plugins(out);
    text_append(out, "' -- \"$cur\") ;;\n    command) mapfile -t COMPREPLY < <(compgen -W '");
    write_commands(out);
    text_append(out, "' -- \"$cur\") ;;\n");
    text_append(out, script_middle);
    for (size_t i = 0; i < cli_n_commands; i++)
        if (!cli_commands[i]->hidden)
            write_command(out, cli_commands[i]);
    text_append(out, script_values);
    for (size_t i = 0; i < cli_n_commands; i++)
        for (size_t k = 0; k < cli_commands[i]->n_options && !cli_commands[i]->hidden; k++)
            write_option_value(out, cli_commands[i], &cli_commands[i]->options[k]);
    text_append(out, script_end);
}
