/* Handing an experiment to a driver, following it, printing what came of it. */
#include "cli/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/data.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/signals.h"
#include "cli/sweep.h"
#include "contexts/context.h"
#include "core/log.h"
#include "sdk/git.h"

/* What launch_run holds. */
struct flight {
    const struct launch *launch;
    int signal_fd;
    struct progress *progress;
    struct local *local;
    struct client *client;
    struct follow follow;
    struct text resume; /* the command that goes on with it */
};

static void say_line(void *arg, const char *text)
{
    const struct flight *flight = arg;
    progress_say(flight->progress, text);
}

static int open_driver(struct flight *flight, struct err *err)
{
    const struct launch *launch = flight->launch;
    struct local_setup setup = {
        .database = launch->database,
        .experiment = launch->experiment,
        .n_workers = launch->n_workers,
        .is_fleet = launch->is_fleet,
        .line = say_line,
        .line_arg = flight,
    };
    if (launch->endpoint)
        return 0;
    return local_start(&flight->local, &setup, err);
}

/* Up to the point where the driver has it. */
static int hand_over(struct flight *flight, struct err *err)
{
    const struct launch *launch = flight->launch;
    flight->progress = progress_create(2, launch->quiet ? PROGRESS_QUIET : PROGRESS_AUTO);
    if (!flight->progress)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = signals_open(&flight->signal_fd, err);
    if (!code)
        code = open_driver(flight, err);
    const char *endpoint = launch->endpoint ? launch->endpoint
                           : flight->local  ? local_endpoint(flight->local)
                                            : NULL;
    if (!code)
        code = client_connect(&flight->client, endpoint, err);
    if (code)
        return code;
    if (launch
            ->endpoint) /* our own answers at once, and a signal can wait until there is something to stop */
        client_set_alarm(flight->client, flight->signal_fd);
    code = launch->begin(flight->client, launch, err);
    if (!code && flight->local)
        code = local_release(flight->local, err);
    if (code == ERR_INTERRUPTED)
        err_set(err, code,
                "interrupted before the driver answered; `prova ls --driver %s` says whether it goes on",
                endpoint);
    if (code == ERR_TIMEOUT)
        err_set(err, code, "no driver answers at %s; is `prova driver` running there?", endpoint);
    return code;
}

static int follow(struct flight *flight, struct err *err)
{
    const struct launch *launch = flight->launch;
    result_append_command(&flight->resume, "resume", launch->name, launch->database);
    flight->follow = (struct follow){
        .client = flight->client,
        .experiment = launch->experiment,
        .spec = launch->spec,
        .local = flight->local,
        .progress = flight->progress,
        .signal_fd = flight->signal_fd,
        .resume = flight->local ? text_get(&flight->resume) : NULL,
    };
    return follow_run(&flight->follow, err);
}

/* Closes everything; the first error is kept. */
static int land(struct flight *flight, int code, struct err *err)
{
    struct err end = {0};
    client_close(flight->client);
    if (flight->local) {
        int ended = local_stop(flight->local, &end);
        if (ended) { /* why the driver ended is the reason of everything else */
            code = ended;
            *err = end;
        }
        local_destroy(flight->local);
    }
    progress_destroy(flight->progress);
    text_fini(&flight->resume);
    if (flight->signal_fd >= 0)
        (void)close(flight->signal_fd);
    return code;
}

static int print_result(const struct launch *launch, const struct follow *follow)
{
    struct data data;
    struct err err = {0};
    char id[ID_TEXT_SIZE];
    struct result_view view = {.json = launch->json, .hints = !launch->quiet, .database = launch->database};
    int code = data_open(&data, launch->endpoint ? NULL : launch->database, launch->endpoint, &err), status;
    if (!code)
        code = result_print(&status, launch->call, &data, id_format(launch->experiment, id), &view, &err);
    data_close(&data);
    if (code)
        return cli_fail(launch->call, &err);
    return follow->interrupted ? CLI_INTERRUPTED : status;
}

static void say_how_to_resume(const struct launch *launch)
{
    struct text text = {0};
    char id[ID_TEXT_SIZE];
    result_append_command(&text, "resume", launch->name, launch->database);
    (void)fprintf(stderr, "What was acknowledged is saved (experiment %.8s). To go on: %s\n",
                  id_format(launch->experiment, id), text_get(&text));
    text_fini(&text);
}

static int print_handed_over(const struct launch *launch)
{
    char id[ID_TEXT_SIZE];
    id_format(launch->experiment, id);
    if (launch->json)
        return output_json(launch->call, json_pack("{s:{s:s, s:s, s:s}}", "experiment", "id", id, "name",
                                                   launch->name, "state", "running"));
    (void)printf("%s\n", id);
    return CLI_DONE;
}

int launch_run(const struct launch *launch)
{
    struct flight flight = {.launch = launch, .signal_fd = -1};
    struct err err = {0};
    log_set_level(launch->quiet ? LOG_ERROR : LOG_WARN);
    int code = hand_over(&flight, &err);
    bool handed_over = !code;
    if (!code && !launch->detaches)
        code = follow(&flight, &err);
    code = land(&flight, code, &err);
    if (code) {
        int status = cli_fail(launch->call, &err);
        if (handed_over && !launch->endpoint)
            say_how_to_resume(launch);
        /* After the start nothing is a matter of usage any more. */
        return handed_over && status == CLI_BAD_USAGE ? CLI_NO_RESULT : status;
    }
    if (launch->detaches)
        return print_handed_over(launch);
    if (flight.follow.detached) {
        (void)fprintf(stderr, "The experiment goes on at %s.\n", launch->endpoint);
        return CLI_INTERRUPTED;
    }
    return print_result(launch, &flight.follow);
}

struct submission {
    const struct sweep *sweep;
    const char *file;
    char *git_revision;
};

static int submit(struct client *client, const struct launch *launch, struct err *err)
{
    const struct submission *what = launch->arg;
    struct client_submission submission = {
        .experiment = launch->experiment,
        .spec = what->sweep->submission,
        .file = what->file,
        .directory = what->sweep->directory,
        .command_line = launch->call->command_line,
        .git_revision = what->git_revision ? what->git_revision : "",
    };
    return client_submit(client, &submission, LAUNCH_SUBMIT_TIMEOUT_MS, err);
}

/* What the search makes of the sweep. */
static void say_reason(const struct spec *spec)
{
    struct text why = {0};
    context_explain_search(&why, spec);
    if (why.size)
        (void)fprintf(stderr, "%s: search %s: %s\n", spec->name, spec->search.name, text_get(&why));
    text_fini(&why);
}

int launch_sweep(struct launch *launch, const struct sweep *sweep, const char *file)
{
    struct submission submission = {sweep, file, git_revision(sweep->directory)};
    launch->experiment = id_new();
    launch->spec = sweep->spec;
    launch->name = sweep->spec->name;
    launch->n_workers = sweep->spec->workers;
    launch->is_fleet = sweep->spec->gang.runtime == RUNTIME_MPI;
    launch->begin = submit;
    launch->arg = &submission;
    if (!launch->quiet)
        say_reason(sweep->spec);
    int status = launch_run(launch);
    free(submission.git_revision);
    return status;
}
