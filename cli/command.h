#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* A command of `prova` is one file cli/cmd_NAME.c with one const struct cli_command, and one line in
 * cli/commands.c. From that description come the option parser (cli/parse.c), `prova help` and
 * `prova NAME --help` (cli/help.c), bash completion (cli/complete.c), and the test of docs/commands.md. */

/* What the process returns. */
enum cli_status {
    CLI_DONE = 0,
    CLI_NO_RESULT = 1, /* the experiment could not produce a result, or the command could not do its work */
    CLI_BAD_USAGE = 2, /* bad usage or bad file; nothing was started or written */
    CLI_INTERRUPTED = 130 /* as a shell says of SIGINT */
};

/* What completion offers for a value or an operand. */
enum cli_completes {
    COMPLETES_NOTHING,
    COMPLETES_FILE,
    COMPLETES_DIRECTORY,
    COMPLETES_SWEEP,      /* *.yaml, *.yml, *.json */
    COMPLETES_EXPERIMENT, /* names in the database */
    COMPLETES_STATE,      /* of trials */
    COMPLETES_PLUGIN,     /* search, schedule and stopping rules */
    COMPLETES_COMMAND
};

enum cli_option_kind {
    CLI_FLAG,    /* bool */
    CLI_TEXT,    /* const char * */
    CLI_LIST,    /* struct cli_list: may be given several times */
    CLI_INT,     /* int64_t in [min, max] */
    CLI_SECONDS, /* double in [min, max]; a max of 0: no limit */
    CLI_CHOICE   /* const char *, one of "a|b|c" */
};

struct cli_list {
    size_t n;
    const char **items;
};

struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* of the short form; 0: none */
    bool hidden;      /* works, but is neither listed nor completed */
    enum cli_option_kind kind;
    size_t offset;     /* in the command's options struct */
    const char *value; /* what the value is called in the help; NULL for a flag */
    const char *choices;
    double min, max;
    enum cli_completes completes;
    const char *help; /* one line, with the default */
};

struct cli_operand {
    const char *name;
    bool optional, repeats;
    enum cli_completes completes;
};

struct cli_call; /* below */

struct cli_command {
    const char *name;
    const char *summary;  /* one line, begins with a verb, no full stop */
    const char *details;  /* for --help: paragraphs, with an empty line between; NULL: none */
    const char *examples; /* lines "command" or "command\n    what it does" */
    bool hidden;
    const struct cli_option *options;
    size_t n_options;
    size_t options_size;                /* of the struct that the options fill */
    const void *initial;                /* of that struct; NULL: all zero */
    const struct cli_operand *operands; /* the optional ones: see parse_operands */
    size_t n_operands;
    /* Returns an enum cli_status. */
    int (*run)(const struct cli_call *call);
};

/* One parsed command line. */
struct cli_call {
    const struct cli_command *command;
    const void *options; /* the command's options struct */
    int n_args;
    char **args;              /* the operands; args[n_args] is NULL */
    const char *command_line; /* all of it as typed, quoted for a shell: kept with the experiment */
};

extern const struct cli_command *const cli_commands[];
extern const size_t cli_n_commands;
/* NULL: there is none of that name. */
const struct cli_command *cli_command_find(const char *name);

/* Says on stderr that there is none of that name, and which may be meant. Returns CLI_BAD_USAGE. */
int cli_unknown_command(const char *name);

/* Looks the command up, parses its line and runs it; what main() is. `argv` is permuted. */
int cli_main(int argc, char **argv);

/* Says "prova CMD: text" on stderr. */
void cli_error(const struct cli_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what *err holds and gives the exit status that fits its code. */
int cli_fail(const struct cli_call *call, const struct err *err);

#define CLI_COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Options that several commands share. `type` is the command's options struct. */
#define CLI_OPTION_DB(type)                                                                                  \
    {                                                                                                        \
        .name = "db", .kind = CLI_TEXT, .offset = offsetof(struct type, db), .value = "FILE",                \
        .completes = COMPLETES_FILE, .help = "the database (default: ./prova.db)"                            \
    }
#define CLI_OPTION_JSON(type)                                                                                \
    {                                                                                                        \
        .name = "json", .kind = CLI_FLAG, .offset = offsetof(struct type, json),                             \
        .help = "print one JSON document instead of text for people"                                         \
    }
#define CLI_OPTION_SET(type)                                                                                 \
    {                                                                                                        \
        .name = "set", .kind = CLI_LIST, .offset = offsetof(struct type, sets), .value = "KEY=VALUE",        \
        .help = "change a setting of the file, e.g. search.name=sobol; may be repeated"                      \
    }
#define CLI_OPTION_QUIET(type)                                                                               \
    {                                                                                                        \
        .name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = offsetof(struct type, quiet),            \
        .help = "no progress and no hints on stderr"                                                         \
    }
#define CLI_OPTION_DRIVER(type)                                                                              \
    {                                                                                                        \
        .name = "driver", .letter = 'd', .kind = CLI_TEXT, .offset = offsetof(struct type, driver),          \
        .value = "ENDPOINT", .help = "ask this running driver, instead of reading a database"                \
    }
#define CLI_DEFAULT_DB       "prova.db"
#define CLI_DEFAULT_ENDPOINT "tcp://127.0.0.1:5700"

#endif
