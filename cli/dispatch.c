/* Finds the command, parses its line, runs it, and makes sure that what it printed has arrived. */
#include "cli/command.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/parse.h"
#include "cli/term.h"
#include "cli/threads.h"
#include "core/faults.h"

void cli_error(const struct cli_call *call, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* a long text is cut */
    va_end(args);
    (void)fprintf(stderr, "prova%s%s: %s\n", call && call->command ? " " : "",
                  call && call->command ? call->command->name : "", text);
}

int cli_fail(const struct cli_call *call, const struct err *err)
{
    cli_error(call, "%s", err->text[0] ? err->text : err_string(err->code));
    switch (err->code) {
    case ERR_INTERRUPTED:
        return CLI_INTERRUPTED;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED:
        return CLI_BAD_USAGE;
    default:
        return CLI_NO_RESULT;
    }
}

static void append_word(struct text *out, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    if (*word && !word[strspn(word, plain)]) {
        text_append(out, word);
        return;
    }
    text_append(out, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_append(out, "'\\''");
        else
            text_append_bytes(out, word, 1);
    }
    text_append(out, "'");
}

static char *quote_command_line(int argc, char **argv)
{
    struct text line = {0};
    for (int i = 0; i < argc; i++) {
        if (i)
            text_append(&line, " ");
        append_word(&line, argv[i]);
    }
    return text_take(&line);
}

int cli_unknown_command(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < cli_n_commands && n < CLI_COUNT(names); i++)
        if (!cli_commands[i]->hidden)
            names[n++] = cli_commands[i]->name;
    const char *meant = nearest_name(name, names, n);
    if (meant)
        cli_error(NULL, "'%s' is no command; did you mean '%s'?", name, meant);
    else
        cli_error(NULL, "'%s' is no command; `prova help` lists them", name);
    return CLI_BAD_USAGE;
}

static int print_help(const struct cli_command *command)
{
    struct text text = {0};
    if (command)
        help_write_command(&text, command, term_has_colour(1));
    else
        help_write_overview(&text, term_has_colour(1));
    (void)fputs(text_get(&text), stdout); /* finish looks whether it arrived */
    text_fini(&text);
    return CLI_DONE;
}

static int run_command(const struct cli_command *command, int argc, char **argv, const char *command_line)
{
    struct cli_call call = {.command = command, .command_line = command_line};
    struct err err = {0};
    int status;
    void *options = calloc(1, command->options_size + 1);
    if (!options) {
        cli_error(&call, "out of memory");
        return CLI_NO_RESULT;
    }
    int code = parse_command(&call, options, command, argc, argv, &err);
    if (code == PARSE_HELP) {
        status = print_help(command);
    } else if (code) {
        status = cli_fail(&call, &err);
        (void)fprintf(stderr, "`prova %s --help` says what there is\n", command->name);
    } else {
        status = command->run(&call);
    }
    parse_release(options, command);
    free(options);
    return status;
}

/* A full disk or a closed pipe must not look like success. */
static int finish(int status)
{
    if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
        cli_error(NULL, "cannot write the result: %s", strerror(errno));
        return status ? status : CLI_NO_RESULT;
    }
    return status;
}

int cli_main(int argc, char **argv)
{
    threads_end();
    (void)setlocale(LC_CTYPE, ""); /* without it columns are counted in bytes, and that is all */
    if (argc < 2) {
        struct text text = {0};
        help_write_overview(&text, term_has_colour(2));
        (void)fputs(text_get(&text), stderr); /* nowhere to say that this failed */
        text_fini(&text);
        return CLI_BAD_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        return finish(print_help(NULL));
    if (!strcmp(name, "--version") || !strcmp(name, "-V"))
        name = "version";
    const struct cli_command *command = cli_command_find(name);
    if (!command)
        return cli_unknown_command(name);
    char *command_line = quote_command_line(argc, argv);
    int status = run_command(command, argc - 1, argv + 1, command_line ? command_line : "");
    free(command_line);
    return finish(status);
}
