/* prova report: a command trial's program reports metrics. They go to the FIFO that the worker reads, one
 * line of at most PIPE_BUF bytes, so that lines of several processes never mix. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/text.h"
#include "worker/report_line.h"

struct report_options {
    int64_t step;
};

static const struct report_options initial = {.step = -1};

/* Is it "name=number", and no name that means something else? */
static int check_metric(const char *metric, struct err *err)
{
    const char *equals = strchr(metric, '=');
    if (!equals || equals == metric)
        return err_set(err, ERR_INVALID, "'%s' is no name=value", metric);
    int size = (int)(equals - metric);
    if (strpbrk(metric, " \t\r\n"))
        return err_set(err, ERR_INVALID, "'%s': a metric has no blanks", metric);
    if (size == 4 && !memcmp(metric, "step", 4))
        return err_set(err, ERR_INVALID, "the step is an option: prova report --step %s name=value",
                       equals + 1);
    char *end;
    (void)strtod(equals + 1, &end); /* only whether it is one */
    if (end == equals + 1 || *end)
        return err_set(err, ERR_INVALID, "'%s' of metric '%.*s' is no number", equals + 1, size, metric);
    return 0;
}

static int write_line(struct text *line, const struct cli_call *call, struct err *err)
{
    const struct report_options *options = call->options;
    if (options->step >= 0)
        text_printf(line, "step=%" PRId64, options->step);
    for (int i = 0; i < call->n_args; i++) {
        int code = check_metric(call->args[i], err);
        if (code)
            return code;
        text_printf(line, "%s%s", line->size ? " " : "", call->args[i]);
    }
    text_append(line, "\n");
    if (line->size > PIPE_BUF)
        return err_set(err, ERR_INVALID, "too much for one report: %zu bytes, at most %d", line->size,
                       PIPE_BUF);
    return line->failed;
}

static int open_reports(int *fd, struct err *err)
{
    const char *directory = getenv("PROVA_TRIAL_DIR");
    if (!directory || !*directory)
        return err_set(
            err, ERR_UNSUPPORTED,
            "not inside a trial: PROVA_TRIAL_DIR is not set; `prova run` sets it for the commands that it "
            "starts");
    char path[PATH_MAX];
    if (report_line_fifo(path, sizeof path, directory, getenv("PROVA_RANK")))
        return err_set(err, ERR_INVALID, "PROVA_TRIAL_DIR is too long");
    *fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int code = 0;
    if (*fd < 0 && errno == ENXIO)
        code = err_set(err, ERR_CLOSED, "the trial of %s is over: nobody reads its reports", directory);
    else if (*fd < 0)
        code = err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    else if (fcntl(*fd, F_SETFL, O_WRONLY)) /* a full pipe makes the report wait, not fail */
        code = err_set(err, ERR_IO, "cannot use %s: %s", path, strerror(errno));
    return code;
}

static int send_line(const struct text *line, struct err *err)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a trial that ends just now is an error message, not a death */
    int fd = -1, code = open_reports(&fd, err);
    if (!code && write(fd, line->data, line->size) != (ssize_t)line->size)
        code = err_set(err, ERR_IO, "cannot report: %s", strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return code;
}

static int run(const struct cli_call *call)
{
    struct err err = {0};
    struct text line = {0};
    int code = write_line(&line, call, &err);
    if (!code)
        code = send_line(&line, &err);
    text_fini(&line);
    return code ? cli_fail(call, &err) : CLI_DONE;
}

static const struct cli_option options_table[] = {
    {.name = "step",
     .letter = 's',
     .kind = CLI_INT,
     .offset = offsetof(struct report_options, step),
     .value = "N",
     .max = 0x1p53,
     .help = "of which step, usually an epoch, growing (default: 1, 2, ...)"},
};
static const struct cli_operand operands[] = {{.name = "NAME=VALUE", .repeats = true}};

const struct cli_command cli_command_report = {
    .name = "report",
    .summary = "report metrics from inside a command trial",
    .details =
        "For programs in any language. Printing a line `prova: step=3 val_accuracy=0.91` does the same. The\n"
        "metric of the sweep file's `metric:` decides which trial is best and which ends early; any other\n"
        "is kept with it.",
    .examples = "prova report val_accuracy=0.91\n"
                "prova report --step 3 val_accuracy=0.91 loss=0.27\n",
    .options = options_table,
    .n_options = CLI_COUNT(options_table),
    .options_size = sizeof(struct report_options),
    .initial = &initial,
    .operands = operands,
    .n_operands = CLI_COUNT(operands),
    .run = run,
};
