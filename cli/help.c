/* Help, made from the tables: nothing is said here that a table does not hold. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 26, COMMAND_COLUMN = 13, WIDTH = 80 };

static void write_heading(struct text *out, const char *heading, bool bold)
{
    text_printf(out, bold ? "\033[1m%s\033[0m\n" : "%s\n", heading);
}

static void write_padding(struct text *out, size_t used, size_t column)
{
    text_printf(out, "%*s", used < column ? (int)(column - used) : 1, "");
}

/* Breaks `words` at blanks, so that lines end before WIDTH. The text stands at `column` already; further
 * lines begin there. An empty line begins a paragraph. */
static void write_wrapped(struct text *out, const char *words, size_t column)
{
    size_t at = column;
    while (*words) {
        size_t size = strcspn(words, " \n");
        if (at > column && at + 1 + size >= WIDTH) {
            text_printf(out, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            text_append(out, " ");
            at++;
        }
        text_append_bytes(out, words, size);
        at += size;
        words += size;
        if (!strncmp(words, "\n\n", 2)) {
            text_printf(out, "\n\n%*s", (int)column, "");
            at = column;
        }
        words += strspn(words, " \n");
    }
    text_append(out, "\n");
}

static bool has_listed_options(const struct cli_command *command)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (!command->options[i].hidden)
            return true;
    return false;
}

void help_write_usage(struct text *out, const struct cli_command *command)
{
    text_printf(out, "prova %s%s", command->name, has_listed_options(command) ? " [OPTION]..." : "");
    for (size_t i = 0; i < command->n_operands; i++) {
        const struct cli_operand *operand = &command->operands[i];
        text_printf(out, operand->optional ? " [%s]%s" : " %s%s", operand->name,
                    operand->repeats ? "..." : "");
    }
}

static void write_option(struct text *out, const struct cli_option *option)
{
    size_t start = out->size;
    if (option->letter)
        text_printf(out, "  -%c, --%s", option->letter, option->name);
    else
        text_printf(out, "      --%s", option->name);
    if (option->value)
        text_printf(out, " %s", option->value);
    size_t used = out->size - start;
    if (used + 2 > OPTION_COLUMN) {
        text_append(out, "\n");
        used = 0;
    }
    write_padding(out, used, OPTION_COLUMN);
    write_wrapped(out, option->help, OPTION_COLUMN);
}

/* Indents every line of `lines` by two columns. */
static void write_indented(struct text *out, const char *lines)
{
    while (*lines) {
        size_t size = strcspn(lines, "\n");
        text_printf(out, size ? "  %.*s\n" : "%.*s\n", (int)size, lines);
        lines += size + (lines[size] == '\n');
    }
}

void help_write_command(struct text *out, const struct cli_command *command, bool bold)
{
    text_append(out, "Usage: ");
    help_write_usage(out, command);
    text_printf(out, "\n\n%c%s.\n", command->summary[0] - 'a' + 'A', command->summary + 1);
    if (command->details) {
        text_append(out, "\n");
        write_wrapped(out, command->details, 0);
    }
    text_append(out, "\n");
    write_heading(out, "Options", bold);
    for (size_t i = 0; i < command->n_options; i++)
        if (!command->options[i].hidden)
            write_option(out, &command->options[i]);
    static const struct cli_option help = {.name = "help", .letter = 'h', .help = "say this"};
    write_option(out, &help);
    if (command->examples && *command->examples) {
        text_append(out, "\n");
        write_heading(out, "Examples", bold);
        write_indented(out, command->examples);
    }
}

void help_write_overview(struct text *out, bool bold)
{
    write_wrapped(
        out,
        "prova tries hyperparameters: it runs your training program many times, decides what to try "
        "next, ends what does not look promising, and keeps every result.",
        0);
    text_append(out, "\nUsage: prova COMMAND [OPTION]... [ARGUMENT]...\n\n");
    write_heading(out, "Commands", bold);
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *command = cli_commands[i];
        if (command->hidden)
            continue;
        text_printf(out, "  %s", command->name);
        write_padding(out, 2 + strlen(command->name), COMMAND_COLUMN);
        write_wrapped(out, command->summary, COMMAND_COLUMN);
    }
    text_append(out, "\n");
    write_wrapped(out,
                  "`prova COMMAND --help` says more of a command, with examples. EXP is an experiment's name "
                  "(the newest of that name) or the beginning of its id; without it the newest experiment is "
                  "meant.\n\n"
                  "Exit status: 0 done; 1 no result could be produced; 2 bad usage or bad file; "
                  "130 interrupted.",
                  0);
}
