/* The option parser: getopt_long does the work, its tables are made from the command's own. What getopt says
 * of an error is not good enough to show, so it is kept quiet and the texts are written here. */
#include "cli/parse.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/faults.h"

enum { MAX_OPTIONS = 32, LONG_BASE = 256, HELP_CODE = LONG_BASE + MAX_OPTIONS };

static void *option_target(void *options, const struct cli_option *option)
{
    return (char *)options + option->offset;
}

int parse_int(int64_t *value, const char *text, int64_t min, int64_t max, const char *what, struct err *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno == EINVAL)
        return err_set(err, ERR_INVALID, "%s must be a whole number, not '%s'", what, text);
    if (errno == ERANGE || number < min || number > max) {
        if (max == INT64_MAX)
            return err_set(err, ERR_INVALID, "%s must be at least %lld, not %s", what, (long long)min, text);
        return err_set(err, ERR_INVALID, "%s must be between %lld and %lld, not %s", what, (long long)min,
                       (long long)max, text);
    }
    *value = number;
    return 0;
}

int parse_seconds(double *value, const char *text, struct err *err)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"min", 60}, {"h", 3600}};
    char *end;
    double number = strtod(text, &end);
    if (end != text && isfinite(number) && number >= 0) {
        for (size_t i = 0; i < CLI_COUNT(units); i++) {
            if (!strcmp(end, units[i].name)) {
                *value = number * units[i].seconds;
                return 0;
            }
        }
    }
    return err_set(err, ERR_INVALID, "'%s' is no duration: write seconds (90) or a unit (500ms, 10m, 2h)",
                   text);
}

/* Is `text` one of "a|b|c"? */
static bool is_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);
    for (const char *at = choices; size; at = strchr(at, '|') + 1) {
        size_t length = strcspn(at, "|");
        if (length == size && !memcmp(at, text, size))
            return true;
        if (!at[length])
            break;
    }
    return false;
}

static int list_add(struct cli_list *list, const char *item, struct err *err)
{
    const char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (!items)
        return err_set(err, ERR_NOMEM, "out of memory");
    list->items = items;
    items[list->n++] = item;
    return 0;
}

static int option_store(void *options, const struct cli_option *option, const char *text, struct err *err)
{
    char what[64];
    (void)snprintf(what, sizeof what, "--%s", option->name); /* names are short */
    void *target = option_target(options, option);
    int code = 0;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)target = true;
        break;
    case CLI_TEXT:
        *(const char **)target = text;
        break;
    case CLI_LIST:
        code = list_add(target, text, err);
        break;
    case CLI_INT:
        code = parse_int(target, text, (int64_t)option->min,
                         option->max > 0 ? (int64_t)option->max : INT64_MAX, what, err);
        break;
    case CLI_SECONDS:
        code = parse_seconds(target, text, err);
        if (code)
            err_prefix(err, "%s", what);
        else if (*(double *)target < option->min)
            code = err_set(err, ERR_INVALID, "%s must be at least %g s, not %s", what, option->min, text);
        else if (option->max > 0 && *(double *)target > option->max)
            code = err_set(err, ERR_INVALID, "%s must be at most %g s, not %s", what, option->max, text);
        break;
    case CLI_CHOICE:
        if (!is_choice(option->choices, text))
            return err_set(err, ERR_INVALID, "%s must be one of %s, not '%s'", what, option->choices, text);
        *(const char **)target = text;
        break;
    }
    return code;
}

/* The option that getopt stumbled over, as the user wrote it, without a value. */
static void unknown_option(const struct cli_command *command, const char *word, struct err *err)
{
    if (strncmp(word, "--", 2) != 0) {
        err_set(err, ERR_INVALID, "option '-%c' is not known", optopt);
        return;
    }
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2); /* a long one is cut */
    const char *names[MAX_OPTIONS + 1];
    size_t n = 0, size = strlen(name), n_begin = 0;
    for (size_t i = 0; i < command->n_options; i++) {
        if (command->options[i].hidden)
            continue;
        n_begin += !strncmp(command->options[i].name, name, size);
        names[n++] = command->options[i].name;
    }
    names[n++] = "help";
    const char *meant = nearest_name(name, names, n);
    if (n_begin > 1)
        err_set(err, ERR_INVALID, "option '--%s' may be several: write more of it", name);
    else if (meant)
        err_set(err, ERR_INVALID, "option '--%s' is not known; did you mean '--%s'?", name, meant);
    else
        err_set(err, ERR_INVALID, "option '--%s' is not known", name);
}

struct getopt_tables {
    struct option longs[MAX_OPTIONS + 2];
    char shorts[3 * MAX_OPTIONS + 8];
};

static void tables_make(struct getopt_tables *tables, const struct cli_command *command)
{
    char *at = tables->shorts;
    *at++ = ':'; /* a missing value is told apart from an unknown option */
    *at++ = 'h';
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cli_option *option = &command->options[i];
        int has_value = option->kind == CLI_FLAG ? no_argument : required_argument;
        tables->longs[i] = (struct option){option->name, has_value, NULL, LONG_BASE + (int)i};
        if (option->letter) {
            *at++ = option->letter;
            if (has_value)
                *at++ = ':';
        }
    }
    *at = '\0';
    tables->longs[command->n_options] = (struct option){"help", no_argument, NULL, HELP_CODE};
    tables->longs[command->n_options + 1] = (struct option){0};
}

static const struct cli_option *option_of_code(const struct cli_command *command, int code)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (code == LONG_BASE + (int)i || (code < LONG_BASE && code == command->options[i].letter))
            return &command->options[i];
    return NULL;
}

static int parse_options(void *options, const struct cli_command *command, int argc, char **argv,
                         struct err *err)
{
    struct getopt_tables tables;
    tables_make(&tables, command);
    opterr = 0;
    optind = 0; /* glibc: start anew, also after another command line was parsed */
    for (;;) {
        int index = optind ? optind : 1;
        int code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (code == -1)
            return PARSE_OK;
        if (code == 'h' || code == HELP_CODE)
            return PARSE_HELP;
        /* Operands before the option were moved behind it: the word is the one just before optind, unless
         * getopt is in the middle of a cluster of letters. */
        const char *word = optind > index ? argv[optind - 1] : argv[index];
        if (code == '?') {
            const struct cli_option *known = optopt ? option_of_code(command, optopt) : NULL;
            if (known)
                return err_set(err, ERR_INVALID, "option '--%s' takes no value", known->name);
            if (optopt == HELP_CODE)
                return err_set(err, ERR_INVALID, "option '--help' takes no value");
            unknown_option(command, optopt ? "-" : word, err);
            return ERR_INVALID;
        }
        const struct cli_option *option = option_of_code(command, code == ':' ? optopt : code);
        if (code == ':')
            return err_set(err, ERR_INVALID, "option '--%s' needs a value: %s", option->name, option->value);
        int failed = option_store(options, option, optarg, err);
        if (failed)
            return failed;
    }
}

static int check_operands(const struct cli_command *command, int n, char **args, struct err *err)
{
    int least = 0, most = 0;
    const char *missing = NULL;
    for (size_t i = 0; i < command->n_operands; i++) {
        const struct cli_operand *operand = &command->operands[i];
        if (!operand->optional && ++least == n + 1)
            missing = operand->name;
        most = operand->repeats ? INT32_MAX : most + 1;
    }
    if (missing)
        return err_set(err, ERR_INVALID, "%s is missing", missing);
    if (n > most)
        return err_set(err, ERR_INVALID, "'%s' is one argument too many", args[most]);
    return 0;
}

int parse_command(struct cli_call *call, void *options, const struct cli_command *command, int argc,
                  char **argv, struct err *err)
{
    if (command->initial)
        memcpy(options, command->initial, command->options_size);
    call->command = command;
    call->options = options;
    int code = parse_options(options, command, argc, argv, err);
    if (code)
        return code;
    call->n_args = argc - optind;
    call->args = argv + optind;
    return check_operands(command, call->n_args, call->args, err);
}

void parse_release(void *options, const struct cli_command *command)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].kind == CLI_LIST)
            free(((struct cli_list *)option_target(options, &command->options[i]))->items);
}
