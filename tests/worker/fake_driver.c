#include "fake_driver.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "acts.h"

#define PATIENCE_S 30 /* sanitizers and busy machines are slow */

const char fake_function[] = "{}";

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* For what has no event to wait for. */
static void look_again_soon(double deadline_s, const char *what)
{
    if (now_s() > deadline_s)
        ck_abort_msg("waited too long for %s", what);
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    strcpy(fake->directory, "/tmp/prova-worker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fake->directory));
    (void)snprintf(fake->endpoint, sizeof fake->endpoint, "ipc://%s/driver", fake->directory);
    fake->experiment = id_new();
    fake->heartbeat_ms = 200;
    fake->decoder = wire_decoder_create();
    fake->context = zmq_ctx_new();
    fake_bind(fake);
}

void fake_bind(struct fake *fake)
{
    int on = 1, linger = 0;
    fake->router = zmq_socket(fake->context, ZMQ_ROUTER);
    ck_assert_ptr_nonnull(fake->router);
    ck_assert_int_eq(zmq_setsockopt(fake->router, ZMQ_ROUTER_HANDOVER, &on, sizeof on), 0);
    ck_assert_int_eq(zmq_setsockopt(fake->router, ZMQ_LINGER, &linger, sizeof linger), 0);
    ck_assert_int_eq(zmq_bind(fake->router, fake->endpoint), 0);
}

void fake_unbind(struct fake *fake)
{
    ck_assert_int_eq(zmq_close(fake->router), 0);
    fake->router = NULL;
}

void fake_start_host(struct fake *fake, const char *const *options)
{
    char trials[128];
    const char *argv[16] = {WORKER_HOST, fake->endpoint, trials};
    size_t n = 3;
    (void)snprintf(trials, sizeof trials, "%s/trials", fake->directory);
    for (; options && *options; options++)
        argv[n++] = *options;
    extern char **environ;
    union {
        const char **from;
        char **to;
    } arguments = {.from = argv};
    ck_assert_int_eq(posix_spawn(&fake->host, WORKER_HOST, NULL, NULL, arguments.to, environ), 0);
}

int fake_await_host(struct fake *fake)
{
    int status;
    for (double deadline_s = now_s() + PATIENCE_S; waitpid(fake->host, &status, WNOHANG) != fake->host;)
        look_again_soon(deadline_s, "the worker's end");
    fake->host = 0;
    ck_assert_msg(WIFEXITED(status), "the worker was killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

void fake_await_no_children(void)
{
    double deadline_s = now_s() + PATIENCE_S;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0) {
            ck_assert_int_eq(errno, ECHILD);
            return;
        }
        if (pid == 0)
            look_again_soon(deadline_s, "processes that the worker has left behind");
    }
}

void fake_fini(struct fake *fake)
{
    if (fake->host) {
        ck_assert_int_eq(kill(fake->host, SIGTERM), 0);
        ck_assert_int_eq(fake_await_host(fake), 12); /* -ERR_INTERRUPTED */
    }
    fake_await_no_children();
    if (fake->router)
        fake_unbind(fake);
    ck_assert_int_eq(zmq_ctx_term(fake->context), 0);
    wire_decoder_destroy(fake->decoder);
    wire_buffer_fini(&fake->buffer);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", fake->directory);
    ck_assert_int_eq(system(command), 0);
}

static void receive(struct fake *fake)
{
    zmq_msg_t id, body;
    zmq_pollitem_t item = {.socket = fake->router, .events = ZMQ_POLLIN};
    struct err err;
    if (zmq_poll(&item, 1, PATIENCE_S * 1000) != 1)
        ck_abort_msg("no message has come");
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    ck_assert_int_ge(zmq_msg_recv(&id, fake->router, 0), 0);
    ck_assert_int_ge(zmq_msg_recv(&body, fake->router, 0), 0);
    ck_assert(!zmq_msg_more(&body));
    ck_assert_uint_eq(zmq_msg_size(&id), 17);
    ck_assert(*(char *)zmq_msg_data(&id) == 'w');
    memcpy(fake->worker.bytes, (char *)zmq_msg_data(&id) + 1, 16);
    ck_assert_int_eq(
        wire_decode(&fake->message, fake->decoder, zmq_msg_data(&body), zmq_msg_size(&body), &err), 0);
    zmq_msg_close(&id);
    zmq_msg_close(&body);
}

/* A trial that has run for a while without a report says that it runs, if the machine is slow at any time. */
static bool is_announcement(struct fake *fake)
{
    const struct wire_progress *progress = &fake->message.progress;
    if (fake->message.type != WIRE_PROGRESS || progress->reports.n > 0 || progress->outcome != OUTCOME_NONE)
        return false;
    fake->seq = progress->seq;
    return true;
}

const struct wire_message *fake_expect(struct fake *fake, enum wire_type type)
{
    do
        receive(fake);
    while (fake->message.type == WIRE_HEARTBEAT || is_announcement(fake) ||
           (fake->skips_joins && fake->message.type == WIRE_JOIN && type != WIRE_JOIN));
    if (fake->message.type != type)
        ck_abort_msg("expected %s, got %s", wire_type_name(type), wire_type_name(fake->message.type));
    return &fake->message;
}

void fake_await_heartbeat(struct fake *fake)
{
    for (receive(fake); fake->message.type != WIRE_HEARTBEAT; receive(fake)) {
        if (fake->message.type == WIRE_PROGRESS)
            fake->seq = fake->message.progress.seq;
    }
}

void fake_send(struct fake *fake, const struct wire_message *message)
{
    char id[17] = "w";
    memcpy(id + 1, fake->worker.bytes, 16);
    ck_assert_int_eq(wire_encode(&fake->buffer, message), 0);
    ck_assert_int_eq(zmq_send(fake->router, id, sizeof id, ZMQ_SNDMORE), sizeof id);
    ck_assert_int_eq(zmq_send(fake->router, fake->buffer.data, fake->buffer.size, 0), (int)fake->buffer.size);
}

void fake_welcome(struct fake *fake)
{
    const struct wire_hello *hello = &fake_expect(fake, WIRE_HELLO)->hello;
    ck_assert_uint_eq(hello->protocol, WIRE_VERSION);
    ck_assert(id_equal(hello->worker, fake->worker));
    ck_assert_uint_gt(hello->greeting, fake->greeting);
    ck_assert_uint_gt(hello->pid, 0);
    fake->greeting = hello->greeting;
    fake->pid = hello->pid;
    fake->seq = hello->first_seq - 1;
    fake->n_held = hello->n_held;
    for (size_t i = 0; i < fake->n_held; i++) {
        const struct wire_hold *hold = &fake_expect(fake, WIRE_HOLD)->hold;
        ck_assert_uint_eq(hold->greeting, fake->greeting);
        ck_assert_uint_lt(i, 8);
        fake->held[i] = hold->trial;
    }
    struct wire_message message = {.type = WIRE_WELCOME};
    message.welcome = (struct wire_welcome){.protocol = WIRE_VERSION,
                                            .heartbeat_ms = fake->heartbeat_ms,
                                            .lease_ms = 15000,
                                            .greeting = fake->greeting};
    fake_send(fake, &message);
}

void fake_send_experiment(struct fake *fake, const char *spec)
{
    struct wire_message message = {.type = WIRE_EXPERIMENT};
    message.experiment = (struct wire_experiment){
        .experiment = fake->experiment, .name = wire_string("test"), .spec = wire_string(spec)};
    fake_send(fake, &message);
}

void fake_begin(struct fake *fake, const char *spec, const char *const *options)
{
    fake_start_host(fake, options);
    fake_welcome(fake);
    ck_assert_uint_eq(fake->n_held, 0);
    fake_send_experiment(fake, spec);
}

void fake_assign(struct fake *fake, uint64_t trial, uint64_t attempt, double act)
{
    struct wire_message message = {.type = WIRE_ASSIGN};
    double point[] = {act, 0.1};
    message.assign = (struct wire_assign){.experiment = fake->experiment,
                                          .trial = trial,
                                          .attempt = attempt,
                                          .budget = 3,
                                          .acked = fake->seq,
                                          .point = {.n = 2, .values = point}};
    fake_send(fake, &message);
}

void fake_stop(struct fake *fake, uint64_t trial, uint64_t attempt, enum stop_reason reason)
{
    struct wire_message message = {.type = WIRE_STOP};
    message.stop = (struct wire_stop){
        .experiment = fake->experiment, .trial = trial, .attempt = attempt, .reason = (uint64_t)reason};
    fake_send(fake, &message);
}

void fake_ack(struct fake *fake, uint64_t seq)
{
    struct wire_message message = {.type = WIRE_ACK};
    message.ack.seq = seq;
    fake_send(fake, &message);
}

void fake_bye(struct fake *fake, int64_t code, const char *text)
{
    struct wire_message message = {.type = WIRE_BYE};
    message.bye = (struct wire_bye){.code = code, .text = wire_string(text)};
    fake_send(fake, &message);
}

static uint32_t find_name(struct ending *ending, const char *name)
{
    for (uint32_t i = 1; i < ending->n_names; i++) {
        if (!strcmp(ending->names[i], name))
            return i;
    }
    if (ending->n_names == 16)
        return 15;
    (void)snprintf(ending->names[ending->n_names], sizeof ending->names[0], "%s", name);
    return (uint32_t)ending->n_names++;
}

static void collect(struct ending *ending, const struct wire_progress *progress)
{
    for (size_t i = 0; i < progress->reports.n; i++) {
        struct report report = progress->reports.list[i];
        ck_assert_uint_le(report.metric, progress->names.n);
        if (report.metric > 0)
            report.metric = find_name(ending, progress->names.list[report.metric - 1].data);
        ck_assert_uint_lt(ending->n, FAKE_MAX_REPORTS);
        ending->reports[ending->n++] = report;
    }
    ending->n_frames++;
    ending->trial = progress->trial;
    ending->attempt = progress->attempt;
    ending->outcome = progress->outcome;
    ending->value = progress->value;
    (void)snprintf(ending->text, sizeof ending->text, "%s", progress->text.data);
    (void)snprintf(ending->log, sizeof ending->log, "%s", progress->log.data);
}

void fake_await_end(struct ending *ending, struct fake *fake)
{
    memset(ending, 0, sizeof *ending);
    ending->reports = malloc(FAKE_MAX_REPORTS * sizeof *ending->reports);
    ending->n_names = 1;
    do {
        const struct wire_progress *progress = &fake_expect(fake, WIRE_PROGRESS)->progress;
        ck_assert_uint_eq(progress->seq, fake->seq + 1);
        fake->seq = progress->seq;
        ck_assert(id_equal(progress->experiment, fake->experiment));
        collect(ending, progress);
    } while (ending->outcome == OUTCOME_NONE);
    fake_ack(fake, fake->seq);
}

void ending_fini(struct ending *ending)
{
    free(ending->reports);
}

const char *fake_trial_directory(struct fake *fake, uint64_t trial)
{
    static char path[256];
    char id[ID_TEXT_SIZE];
    (void)snprintf(path, sizeof path, "%s/trials/test-%.8s/%llu", fake->directory,
                   id_format(fake->experiment, id), (unsigned long long)trial);
    return path;
}

const char *fake_read_file(struct fake *fake, const char *path)
{
    static char bytes[1 << 20];
    char full[512];
    (void)snprintf(full, sizeof full, "%s%s%s", *path == '/' ? "" : fake->directory, *path == '/' ? "" : "/",
                   path);
    FILE *file = fopen(full, "r");
    size_t n = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
    bytes[n] = '\0';
    if (file)
        (void)fclose(file);
    return bytes;
}

void fake_await_file(const char *path)
{
    struct stat status;
    for (double deadline_s = now_s() + PATIENCE_S; stat(path, &status) || status.st_size == 0;)
        look_again_soon(deadline_s, path);
}

const char *fake_spec(const char *train, const char *more)
{
    static char spec[8192];
    static const char acts[] =
#define ACT(name) "\"" #name "\","
        ACTS;
#undef ACT
    bool has_train = strcmp(train, fake_function), has_metric = strstr(more, "\"metric\"");
    (void)snprintf(spec, sizeof spec,
                   "{\"name\": \"test\", \"parameters\": {\"act\": {\"values\": [%.*s]}, "
                   "\"lr\": {\"min\": 0.0, \"max\": 1.0}}, \"seed\": 7%s%s%s%s%s}",
                   (int)sizeof acts - 2, acts, has_train ? ", \"train\": " : "", has_train ? train : "",
                   has_metric ? "" : ", \"metric\": {\"name\": \"val_accuracy\", \"goal\": \"maximize\"}",
                   *more ? ", " : "", more);
    return spec;
}
