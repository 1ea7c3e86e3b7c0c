/* prova_lagom: the same call, wherever the process finds itself.
 *
 *   $PROVA_TRIAL_DIR                inside a trial of a command sweep: run the function once (env_trial.c)
 *   $PROVA_DRIVER, role worker      serve an experiment that somebody else has submitted
 *   $PROVA_DRIVER, or a configured  submit to that driver, serve with local workers
 *   nothing                         the same with a driver of its own                             (crew.c)
 *
 * The last two are one run: start the crew, submit, follow STATUS messages until the experiment is over, end
 * the crew. All waiting is in the client, whose alarm is an epoll descriptor over the signals and the crew;
 * so nothing polls, and a signal or the death of a process is seen at once. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/experiment.h"
#include "core/rng.h"
#include "core/text.h"
#include "optimizers/registry.h"
#include "sdk/client.h"
#include "sdk/config.h"
#include "sdk/crew.h"
#include "sdk/display.h"
#include "sdk/env_trial.h"
#include "sdk/git.h"
#include "sdk/result.h"
#include "sdk/unfinished.h"
#include "worker/worker.h"

enum { ANSWER_TIMEOUT_MS = 15000, STATUS_INTERVAL_MS = 100, CLOCK_MS = 1000, DEFAULT_WAIT_S = 300 };

struct run {
    prova_result *result;
    struct config_local local;
    const char *driver; /* endpoint of a driver that runs already; NULL: our own */
    struct id experiment;
    char *spec_json; /* to be submitted; NULL: the experiment is there and is to be resumed */
    char *revision;  /* of git, asked while others start; NULL: out of memory */
    int n_workers;
    int wait_s; /* give up after so long without a driver of somebody else's; 0: never */
    bool waits; /* it is away, and that was said */
    struct crew *crew;
    struct client *client;
    struct display display;
    int signal_fd, epoll_fd;
    enum experiment_state state;
    bool is_over;
    bool wants_stop;  /* a signal, the progress function, or the end of the workers */
    bool has_stopped; /* the driver was told */
    bool at_once;     /* a second signal */
    struct err loss;  /* of the workers: why the experiment was stopped */
    char reason[256]; /* why it ended, as the driver says */
};

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Signals */

/* The handler cannot be given anything, and only one run at a time owns the process's signals. */
static volatile sig_atomic_t signal_fd = -1;
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof signals / sizeof *signals };
struct saved_signals {
    struct sigaction actions[N_SIGNALS];
};

static void on_signal(int number)
{
    int saved = errno;
    (void)number;
    (void)eventfd_write(signal_fd, 1); /* cannot overflow by hand */
    errno = saved;
}

/* Those that are ignored (nohup) stay so. */
static void catch_signals(struct saved_signals *saved, int fd)
{
    signal_fd = fd;
    for (int i = 0; i < N_SIGNALS; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        (void)sigaction(signals[i], NULL, &saved->actions[i]); /* these signals exist */
        if (saved->actions[i].sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

static void release_signals(const struct saved_signals *saved)
{
    for (int i = 0; i < N_SIGNALS; i++)
        (void)sigaction(signals[i], &saved->actions[i], NULL);
    signal_fd = -1;
}

/* Events */

static void say(void *arg, const char *line)
{
    struct run *run = arg;
    display_say(&run->display, line);
}

static void take_signals(struct run *run)
{
    eventfd_t n = 0;
    if (eventfd_read(run->signal_fd, &n) || n == 0)
        return;
    if (run->wants_stop || n > 1)
        run->at_once = true;
    run->wants_stop = true;
    if (!run->at_once)
        say(run, "prova: stopping the running trials; once more to end at once");
}

/* Whatever has made the alarm go off. Returns why the run cannot go on, if so. */
static int take_events(struct run *run, struct err *err)
{
    take_signals(run);
    int rc = crew_take(run->crew, err);
    if (rc)
        return rc;
    if (!run->loss.code && crew_worker_ended(run->crew, &run->loss) && run->loss.code)
        run->wants_stop = true; /* there is nobody left to train: save what there is */
    return run->at_once ? err_set(err, ERR_INTERRUPTED, "interrupted") : ERR_OK;
}

static int open_events(struct run *run, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll_fd < 0 || epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->signal_fd, &event) ||
        epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, crew_fd(run->crew), &event))
        return err_set(err, ERR_IO, "cannot wait for events: %s", strerror(errno));
    client_set_alarm(run->client, run->epoll_fd);
    return ERR_OK;
}

/* Submitting */

/* This process's command line, quoted where blanks need it. NULL when out of memory. */
static char *command_line(void)
{
    struct text text = {0};
    char buffer[4096];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t n = file ? fread(buffer, 1, sizeof buffer - 1, file) : 0;
    if (file)
        (void)fclose(file); /* it was only read */
    buffer[n] = '\0';
    for (const char *word = buffer; word < buffer + n; word += strlen(word) + 1) {
        const char *quote = *word && !strpbrk(word, " \t\n'\"$\\*?;&|<>()") ? "" : "'";
        text_printf(&text, "%s%s%s%s", text.size ? " " : "", quote, word, quote);
    }
    return text.data ? text_take(&text) : strdup("");
}

static int request(struct run *run, int (*ask)(struct run *run, struct err *err), struct err *err)
{
    int rc;
    do {
        rc = ask(run, err);
        if (rc == ERR_INTERRUPTED) {
            int fault = take_events(run, err);
            if (fault)
                return fault;
        }
    } while (rc == ERR_INTERRUPTED);
    return rc;
}

static int milliseconds(int seconds)
{
    return seconds < INT_MAX / 1000 ? seconds * 1000 : INT_MAX;
}

/* A driver that never was there is known sooner than one that does not come back. */
static int answer_timeout_ms(const struct run *run)
{
    int wait_ms = milliseconds(run->wait_s);
    return wait_ms && wait_ms < ANSWER_TIMEOUT_MS ? wait_ms : ANSWER_TIMEOUT_MS;
}

static int name_the_silent(const struct run *run, int rc, struct err *err)
{
    return rc == ERR_TIMEOUT ? err_set(err, rc, "no driver answers at %.200s", crew_endpoint(run->crew)) : rc;
}

static int ask_submit(struct run *run, struct err *err)
{
    char *directory = getcwd(NULL, 0), *line = command_line();
    struct client_submission submission = {.experiment = run->experiment,
                                           .spec = run->spec_json,
                                           .file = run->local.file,
                                           .directory = directory,
                                           .command_line = line,
                                           .git_revision = run->revision};
    int rc = directory && line && run->revision
                 ? client_submit(run->client, &submission, answer_timeout_ms(run), err)
                 : err_set(err, ERR_NOMEM, "cannot tell where this process is: %s", strerror(errno));
    free(directory);
    free(line);
    return name_the_silent(run, rc, err);
}

static int ask_resume(struct run *run, struct err *err)
{
    return name_the_silent(run, client_resume(run->client, run->experiment, answer_timeout_ms(run), err),
                           err);
}

/* Whoever does not want to wait presses Ctrl-C again. */
static int ask_cancel(struct run *run, struct err *err)
{
    int timeout_ms = run->driver && run->wait_s ? milliseconds(run->wait_s) : -1;
    return name_the_silent(run, client_cancel(run->client, run->experiment, timeout_ms, err), err);
}

/* Following */

static void show(struct run *run, bool is_last)
{
    display_update(&run->display, run->result, now_ns(), is_last);
    if (run->local.progress && run->local.progress(run->result, run->local.progress_arg) && !run->is_over)
        run->wants_stop = true;
}

static int take_status(struct run *run, const struct wire_status *status, struct err *err)
{
    run->state = (enum experiment_state)status->state;
    run->is_over = run->state != EXPERIMENT_RUNNING && status->n_running == 0;
    (void)snprintf(run->reason, sizeof run->reason, "%s", status->text.data); /* a long one is cut */
    return result_update(run->result, status) ? err_set(err, ERR_NOMEM, "out of memory") : ERR_OK;
}

static int wait_ms(const struct run *run)
{
    if (run->local.progress)
        return run->local.interval_ms > 0 ? run->local.interval_ms : CLOCK_MS;
    return run->display.is_terminal && !run->display.is_quiet ? CLOCK_MS : -1;
}

/* A driver of our own is started again, or says itself why it cannot be; another one is waited for, but not
 * for ever. */
static int take_presence(struct run *run, struct err *err)
{
    const char *endpoint = crew_endpoint(run->crew);
    char line[512];
    bool is_away = run->driver && client_is_cut_off(run->client);
    if (is_away && client_has_given_up(run->client))
        return err_set(err, ERR_TIMEOUT,
                       "gave up after %d s without a driver at %.70s ('wait' says how long). '%.40s' goes on "
                       "once one has its database again; the same call with 'resume' then follows it",
                       run->wait_s, endpoint, prova_result_name(run->result));
    if (is_away == run->waits)
        return ERR_OK;
    run->waits = is_away;
    (void)snprintf(line, sizeof line,
                   is_away ? "prova: the driver at %.200s is away; waiting for it to come back"
                           : "prova: the driver at %.200s is back",
                   endpoint);
    say(run, line);
    return ERR_OK;
}

static int step(struct run *run, struct err *err)
{
    struct wire_status status;
    if (run->wants_stop && !run->has_stopped) {
        run->has_stopped = true;
        return request(run, ask_cancel, err);
    }
    int rc = client_next_status(&status, run->client, wait_ms(run), err);
    if (rc == ERR_INTERRUPTED)
        return take_events(run, err);
    if (rc == ERR_CLOSED) /* it says so before it is away */
        return ERR_OK;
    if (rc && rc != ERR_TIMEOUT)
        return rc;
    if (take_presence(run, err))
        return ERR_TIMEOUT;
    if (rc == ERR_OK)
        rc = take_status(run, &status, err);
    if (rc == ERR_TIMEOUT || rc == ERR_OK) {
        rc = ERR_OK;
        show(run, run->is_over);
    }
    return rc;
}

static int follow(struct run *run, struct err *err)
{
    int interval_ms = run->local.progress && run->local.interval_ms < STATUS_INTERVAL_MS
                          ? run->local.interval_ms
                          : STATUS_INTERVAL_MS;
    if (run->driver)
        client_set_wait(run->client, milliseconds(run->wait_s));
    int rc = client_watch(run->client, run->experiment, interval_ms, err);
    while (rc == ERR_OK && !run->is_over)
        rc = step(run, err);
    return rc;
}

/* One run */

/* What the search makes of the experiment, which who shows progress has to say. */
static void explain_search(struct run *run, const struct spec *spec)
{
    struct text why = {0}, line = {0};
    if (spec_searches(spec))
        registry_explain_search(&why, spec);
    if (why.size && !why.failed)
        text_printf(&line, "%s: %s", spec->search.name, text_get(&why));
    result_explain(run->result, line.size ? text_take(&line) : NULL);
    text_fini(&why);
    text_fini(&line);
}

static void say_explanation(struct run *run)
{
    char line[512];
    const char *why = prova_result_explanation(run->result);
    (void)snprintf(line, sizeof line, "prova: search %s", why);
    if (*why && !run->display.is_quiet)
        say(run, line);
}

/* A new experiment of this spec, which it takes. */
static int begin_new(struct run *run, struct spec *spec)
{
    struct text json = {0};
    run->experiment = id_new();
    if (!spec->has_seed) {
        memcpy(&spec->seed, id_new().bytes, sizeof spec->seed);
        spec->seed >>= 33; /* short enough to be typed */
        spec->has_seed = true;
    }
    explain_search(run, spec);
    say_explanation(run);
    spec_write_json(&json, spec);
    run->spec_json = text_take(&json);
    result_set_experiment(run->result, run->experiment, spec);
    if (!run->spec_json)
        result_fail(run->result, ERR_NOMEM, "out of memory");
    return run->spec_json ? ERR_OK : ERR_NOMEM;
}

/* Goes on with `earlier`, which it takes. The function must find there what it asks for. */
static int begin_again(struct run *run, const struct spec *spec, struct spec *earlier)
{
    const struct param *params = spec->space->params;
    result_set_experiment(run->result, run->experiment, earlier);
    explain_search(run, earlier);
    for (size_t i = 0; i < spec->space->n_params; i++) {
        if (space_find(earlier->space, params[i].name) < 0) {
            result_fail(
                run->result, ERR_INVALID,
                "the unfinished experiment '%s' has no parameter '%s': give the changed one another name",
                spec->name, params[i].name);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static int prepare(struct run *run, const prova_config *config)
{
    struct spec *spec = NULL, *earlier = NULL;
    struct err err = {0};
    char *faults;
    int rc = config_compile(&spec, &faults, config);
    if (rc) {
        result_fail(run->result, rc, "%s", faults ? faults : prova_strerror(rc));
        free(faults);
        return rc;
    }
    run->n_workers = (int)spec->workers;
    if (spec->gang.runtime == RUNTIME_MPI && !run->driver) {
        result_fail(
            run->result, ERR_UNSUPPORTED,
            "runtime mpi needs workers that mpirun has started: submit to a running driver (PROVA_DRIVER), "
            "and serve it by `mpirun -n %lld` of this program with PROVA_ROLE=worker and PROVA_EXPERIMENT",
            (long long)spec->gang.workers);
        spec_destroy(spec);
        return ERR_UNSUPPORTED;
    }
    if (run->local.resume)
        rc = unfinished_find(&run->experiment, &earlier, spec->name, run->driver, run->local.database, &err);
    if (rc) {
        result_fail(run->result, rc, "%s", err.text);
        spec_destroy(spec);
        return rc;
    }
    if (!earlier)
        return begin_new(run, spec);
    rc = begin_again(run, spec, earlier);
    spec_destroy(spec);
    return rc;
}

static int start(struct run *run, prova_train_fn train, void *arg, struct err *err)
{
    struct crew_setup setup = {.endpoint = run->driver,
                               .database = run->local.database,
                               .experiment = run->experiment,
                               .alarm_fd = run->signal_fd,
                               .say = say,
                               .say_arg = run};
    int rc = crew_start(&run->crew, &setup, err);
    if (rc == ERR_OK && run->local.worker)
        rc = crew_start_program(run->crew, run->local.worker, err);
    if (rc == ERR_OK && run->spec_json)
        run->revision = git_revision(".");
    if (rc == ERR_OK)
        rc = crew_await_driver(run->crew, err);
    if (rc == ERR_OK && !run->local.worker)
        rc = crew_start_worker(run->crew, run->n_workers, train, arg, err);
    if (rc == ERR_OK)
        rc = client_connect(&run->client, crew_endpoint(run->crew), err);
    if (rc == ERR_OK)
        rc = open_events(run, err);
    if (rc == ERR_OK)
        rc = take_events(run, err); /* the worker program may have ended while the driver began */
    return rc == ERR_OK ? request(run, run->spec_json ? ask_submit : ask_resume, err) : rc;
}

/* The report of an ablation study is a document of the driver's. Without it the result has what else there
 * is.
 */
static void ask_components(struct run *run)
{
    char id[ID_TEXT_SIZE], *document = NULL;
    struct err err = {0};
    if (!result_is_study(run->result))
        return;
    client_set_alarm(run->client, -1); /* what workers and signals have to say changes nothing any more */
    int rc =
        client_query(&document, run->client, "show", id_format(run->experiment, id), ANSWER_TIMEOUT_MS, &err);
    if (rc == ERR_OK && (rc = result_set_components(run->result, document)))
        (void)err_set(&err, rc, "%s", err_string(rc));
    if (rc)
        result_fail(run->result, rc, "the report of the study cannot be had: %s", err.text);
    free(document);
}

/* What it all came to. `err` is why it could not be followed to its end, if so. */
static void conclude(struct run *run, const struct err *err)
{
    if (run->loss.code)
        result_fail(run->result, run->loss.code, "%s", run->loss.text);
    else if (err->code && err->code != ERR_INTERRUPTED)
        result_fail(run->result, err->code, "%s", err->text);
    else if (err->code || run->state == EXPERIMENT_INTERRUPTED)
        result_fail(run->result, ERR_INTERRUPTED,
                    "interrupted; the same call with prova_config_resume goes on with '%s'",
                    prova_result_name(run->result));
    else if (run->state == EXPERIMENT_FAILED)
        result_fail(run->result, ERR_FAILED, "%s", run->reason);
}

static void run_experiment(prova_result *result, prova_train_fn train, void *arg, const prova_config *config,
                           const char *driver)
{
    struct run run = {.result = result, .local = config_local(config), .driver = driver, .epoll_fd = -1};
    struct saved_signals saved;
    struct err err = {0};
    run.wait_s = run.local.wait_s < 0 ? DEFAULT_WAIT_S : run.local.wait_s;
    display_init(&run.display, run.local.has_progress);
    if (prepare(&run, config))
        goto out;
    run.signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run.signal_fd < 0) {
        result_fail(result, ERR_IO, "cannot wait for signals: %s", strerror(errno));
        goto out;
    }
    catch_signals(&saved, run.signal_fd);
    int rc = start(&run, train, arg, &err);
    if (rc == ERR_OK)
        rc = follow(&run, &err);
    if (rc == ERR_OK)
        ask_components(&run);
    err.code = rc; /* a timeout that was mended on the way has left its text */
    display_end(&run.display);
    client_close(run.client);
    if (run.epoll_fd >= 0)
        (void)close(run.epoll_fd);
    crew_end(run.crew, run.at_once || rc != ERR_OK);
    release_signals(&saved);
    (void)close(run.signal_fd);
    conclude(&run, &err);
out:
    free(run.spec_json);
    free(run.revision);
}

/* Serving */

static void serve(prova_result *result, prova_train_fn train, void *arg, const prova_config *config,
                  const char *driver)
{
    const char *id = getenv("PROVA_EXPERIMENT");
    const char *parent = getenv("PROVA_PARENT"); /* of a program that another call has started */
    struct worker_setup setup = {.driver = driver, .train = train, .arg = arg, .ends_with_parent = parent};
    struct spec *spec = NULL;
    struct err err = {0};
    char *faults;
    if (parent && strtol(parent, NULL, 10) != getppid())
        return; /* it is gone, and what it wanted with it */
    if (!id || id_parse(&setup.experiment, id)) {
        result_fail(result, ERR_INVALID,
                    "PROVA_ROLE=worker needs PROVA_EXPERIMENT, the 36 characters of an id, not '%s'",
                    id ? id : "");
        return;
    }
    int rc = config_compile(&spec, &faults, config);
    if (rc) {
        result_fail(result, rc, "%s", faults ? faults : prova_strerror(rc));
        free(faults);
        return;
    }
    /* In a fleet of mpirun every process is one slot. */
    setup.n_slots = spec->gang.runtime == RUNTIME_MPI ? 1 : (int)spec->workers;
    setup.quiet = parent;
    if (!parent && config_local(config).wait_s > 0) /* what another call has started ends with that one */
        setup.wait_s = config_local(config).wait_s;
    result_set_experiment(result, setup.experiment, spec); /* takes it */
    rc = worker_run(&setup, &err);
    if (rc)
        result_fail(result, rc, "%s", err.text);
}

static void run_as_trial(prova_result *result, prova_train_fn train, void *arg, const prova_config *config)
{
    struct spec *spec = NULL;
    char *faults;
    int rc = config_compile(&spec, &faults, config);
    if (rc)
        result_fail(result, rc, "%s", faults ? faults : prova_strerror(rc));
    else
        env_trial_run(result, train, arg, spec);
    free(faults);
    spec_destroy(spec);
}

prova_result *prova_lagom(prova_train_fn train, void *arg, const prova_config *config)
{
    prova_result *result = result_create();
    if (!result)
        return NULL;
    const char *driver = getenv("PROVA_DRIVER"), *role = getenv("PROVA_ROLE");
    if (driver && !*driver)
        driver = NULL;
    if (!train || !config)
        result_fail(result, ERR_INVALID, "prova_lagom needs a training function and a configuration");
    else if (env_trial_is_here())
        run_as_trial(result, train, arg, config);
    else if (role && *role && strcmp(role, "worker") != 0)
        result_fail(result, ERR_INVALID, "PROVA_ROLE is '%s': the only role is 'worker'", role);
    else if (role && *role && !driver)
        result_fail(result, ERR_INVALID, "PROVA_ROLE=worker needs PROVA_DRIVER, the endpoint of a driver");
    else if (role && *role)
        serve(result, train, arg, config, driver);
    else
        run_experiment(result, train, arg, config, driver ? driver : config_local(config).driver);
    return result;
}
