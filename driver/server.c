/* The event loop. See driver/server.h and, for what is said on the wire, core/PROTOCOL.md.
 *
 * One round: sleep until a frame, a commit, a suggestion, a document, a deadline or server_stop; take what
 * has come, frames only up to MAX_FRAMES; give each to the engine and execute its commands in their order
 * before the next. What is to be kept goes to the store, which commits it with everything else of the round
 * while the loop goes on; what must not be said before it is on disk waits in the outbox. Nothing here blocks
 * but loading an experiment for a RESUME.
 *
 * The store is fail-stop: once it has failed nothing more is acknowledged, the workers are told, and
 * server_run returns its error. */
#include "driver/server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "driver/server_state.h"

/* Enough to share the cost of a round, few enough that a commit or a deadline waits 10 ms at most. */
#define MAX_FRAMES 512

/* What is to be kept gathers for so long before it is handed to the store, unless somebody waits for more
 * than an acknowledgement: a commit costs the same whatever is in it, and a worker with its next trial waits
 * for none. */
#define FLUSH_DELAY_NS (5 * INT64_C(1000000))

#define DEFAULT_HEARTBEAT_MS 2000
#define DEFAULT_LEASE_MS     15000
#define LINGER_MS            1000 /* for the last messages to leave */
#define BACKLOG              4096 /* of connections: thousands of workers may start at one time */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The engine's commands */

static void execute(struct server *server, const struct command *command)
{
    int rc = 0;
    switch (command->kind) {
    case COMMAND_SEND:
        if (command->after_commit)
            outbox_park_worker(server->outbox, command->worker, &command->message, server->last_sequence,
                               server->now_ns);
        else
            outbox_send_worker(server->outbox, command->worker, &command->message);
        break;
    case COMMAND_PERSIST: {
        int64_t sequence = store_append(server->store, &command->record);
        if (sequence <= 0)
            rc = (int)sequence;
        else
            server->last_sequence = sequence;
        if (server->flush_ns == INT64_MAX)
            server->flush_ns = server->now_ns + FLUSH_DELAY_NS;
        break;
    }
    case COMMAND_ASK:
        rc = advisor_ask(server->advisor, command->key, engine_spec(server->engine, command->key),
                         command->first_trial, command->n);
        break;
    case COMMAND_OBSERVE:
        rc = advisor_observe(server->advisor, command->key, engine_spec(server->engine, command->key),
                             &command->observation);
        break;
    case COMMAND_CHANGED:
        watches_changed(server->watches, command->key);
        break;
    }
    if (rc)
        server->failed = rc;
}

static void execute_all(struct server *server)
{
    size_t n;
    const struct command *commands = engine_commands(&n, server->engine);
    for (size_t i = 0; i < n && !engine_failed(server->engine); i++)
        execute(server, &commands[i]);
    engine_clear(server->engine);
}

void server_settle(struct server *server)
{
    struct route route;
    execute_all(server);
    while (outbox_next_unreachable(&route, server->outbox)) {
        struct id worker;
        watches_forget(server->watches, &route);
        if (!route_is_worker(&worker, &route))
            continue;
        log_debug("worker unreachable");
        outbox_forget(server->outbox, worker);
        engine_worker_gone(server->engine, worker, server->now_ns);
        execute_all(server);
    }
}

/* Loading */

struct load {
    struct server *server;
    int64_t skipped; /* key of an experiment that could not be taken; 0: none */
};

/* One experiment that this version cannot run any more must not keep the others from running. */
static int load_experiment(void *arg, const struct experiment_record *record, struct spec *spec,
                           struct err *err)
{
    struct load *load = arg;
    struct err fault = {0};
    int rc = engine_restore_experiment(load->server->engine, record, spec, &fault);
    server_settle(load->server);
    if (rc == ERR_NOMEM)
        return err_set(err, rc, "%s", fault.text);
    load->skipped = rc ? record->key : 0;
    if (rc)
        log_error("experiment not restored name=%s reason=\"%s\"", record->name, fault.text);
    return 0;
}

static int load_trial(void *arg, const struct trial_record *record, const struct curve *curve,
                      struct err *err)
{
    struct load *load = arg;
    if (record->key == load->skipped)
        return 0;
    int rc = engine_restore_trial(load->server->engine, record, curve, err);
    server_settle(load->server);
    return rc;
}

static int load(struct server *server, struct id only, struct err *err)
{
    struct load load = {.server = server};
    struct store_loader loader = {.experiment = load_experiment, .trial = load_trial, .arg = &load};
    int rc = store_load(server->store, only, &loader, err);
    if (rc)
        return rc;
    server->now_ns = clock_ns(CLOCK_MONOTONIC);
    engine_restored(server->engine, server->now_ns);
    server_settle(server);
    return 0;
}

int server_load(struct server *server, struct id experiment, struct err *err)
{
    bool may = id_is_none(server->only) || id_equal(server->only, experiment);
    if (!may || !store_has_experiment(NULL, server->store, experiment))
        return err_set(err, ERR_NOT_FOUND, "this driver does not have that experiment");
    return load(server, experiment, err);
}

/* What there is at the start. The one experiment that it is made for may be submitted only now. */
static int load_first(struct server *server, bool starts_alone, struct err *err)
{
    if (!id_is_none(server->only) && !store_has_experiment(NULL, server->store, server->only))
        return 0;
    int rc = load(server, server->only, err);
    if (!rc && starts_alone) {
        engine_forget_workers(server->engine, server->now_ns);
        server_settle(server);
    }
    return rc;
}

/* Frames */

/* Whatever is wrong with a frame costs its sender an answer and nothing else. */
static void refuse(struct server *server, const struct err *err)
{
    struct id worker;
    log_debug("message refused reason=\"%s\"", err->text);
    if (!route_is_worker(&worker, &server->route)) {
        request_refuse(server, 0, err);
        return;
    }
    struct wire_message message = {.type = WIRE_BYE,
                                   .bye = {.code = ERR_PROTOCOL, .text = wire_string(err->text)}};
    outbox_send(server->outbox, &server->route, &message);
}

static void worker_message(struct server *server, const struct wire_message *message)
{
    struct id worker;
    if (!route_is_worker(&worker, &server->route)) {
        struct wire_message bye = {
            .type = WIRE_BYE,
            .bye = {.code = ERR_REFUSED,
                    .text = wire_string("a worker's routing id is the byte 'w' and the 16 bytes of its id")}};
        outbox_send(server->outbox, &server->route, &bye);
        return;
    }
    if (message->type == WIRE_HELLO && message->hello.protocol == WIRE_VERSION &&
        id_equal(worker, message->hello.worker))
        outbox_greet(server->outbox, worker, message->hello.greeting);
    if (message->type == WIRE_LEAVE)
        outbox_forget(server->outbox, worker);
    engine_message(server->engine, worker, message, server->now_ns);
}

static void take_frame(struct server *server, bool is_alone)
{
    struct wire_message message;
    struct err err = {0};
    int rc = is_alone ? wire_decode(&message, server->decoder, zmq_msg_data(&server->frame),
                                    zmq_msg_size(&server->frame), &err)
                      : err_set(&err, ERR_PROTOCOL, "a message is one frame");
    if (rc == ERR_NOMEM)
        server->failed = rc;
    else if (rc)
        refuse(server, &err);
    else if (message.type <= WIRE_JOIN)
        worker_message(server, &message);
    else
        request_message(server, &message);
    server_settle(server);
}

/* Reads one message, if there is one. */
static bool receive(struct server *server)
{
    if (zmq_msg_recv(&server->route_frame, server->router, ZMQ_DONTWAIT) < 0)
        return false;
    route_set(&server->route, zmq_msg_data(&server->route_frame), zmq_msg_size(&server->route_frame));
    if (!zmq_msg_more(&server->route_frame) || zmq_msg_recv(&server->frame, server->router, ZMQ_DONTWAIT) < 0)
        return false;
    bool is_alone = true;
    while (zmq_msg_more(&server->frame)) {
        is_alone = false;
        if (zmq_msg_recv(&server->frame, server->router, ZMQ_DONTWAIT) < 0)
            return false;
    }
    take_frame(server, is_alone);
    return true;
}

/* The loop */

static int tell_status(void *arg, struct wire_status *status, struct id experiment)
{
    struct server *server = arg;
    return engine_status(status, server->engine, experiment, server->now_ns);
}

/* What it says may not be on disk yet, so it waits for that. */
static void tell_watch(void *arg, const struct route *route, const struct wire_status *status)
{
    struct server *server = arg;
    struct wire_message message = {.type = WIRE_STATUS, .status = *status};
    outbox_park(server->outbox, route, &message, server->last_sequence);
}

static void take_suggestions(struct server *server)
{
    struct advice advice;
    while (advisor_next(&advice, server->advisor)) {
        engine_suggested(server->engine, advice.key, advice.first_trial, advice.n, advice.points,
                         server->now_ns);
        server_settle(server);
    }
}

/* The rest of a round, after its frames. */
static void finish_round(struct server *server)
{
    if (engine_deadline(server->engine) <= server->now_ns)
        engine_time(server->engine, server->now_ns);
    server_settle(server);
    struct watch_teller teller = {.status = tell_status, .tell = tell_watch, .arg = server};
    watches_serve(server->watches, &teller, server->now_ns);
    outbox_time(server->outbox, server->now_ns);
    server_settle(server); /* for whom these did not reach */
    advisor_hand_over(server->advisor);
    if (server->flush_ns <= server->now_ns || outbox_is_waited_for(server->outbox)) {
        store_flush(server->store);
        server->flush_ns = INT64_MAX;
    }
}

static int round_failure(struct server *server, struct err *err)
{
    int rc = store_failure(server->store, err);
    if (!rc)
        rc = advisor_failure(server->advisor, err);
    if (rc)
        return rc;
    rc = server->failed ? server->failed : engine_failed(server->engine);
    if (!rc)
        rc = outbox_failed(server->outbox);
    return rc ? err_set(err, rc, "the driver had to stop: %s; nothing that was acknowledged is lost",
                        err_string(rc))
              : 0;
}

/* The router's descriptor tells of frames once; one that came while we were sending has been told to the
 * send. So the router is empty only if nothing was sent since it was last found so. */
static bool may_have_frames(const struct server *server)
{
    return server->n_sent_when_empty != outbox_n_sent(server->outbox);
}

static int timeout_ms(const struct server *server)
{
    int64_t deadline_ns = engine_deadline(server->engine);
    int64_t others[] = {outbox_deadline(server->outbox), watches_deadline(server->watches), server->flush_ns};
    if (may_have_frames(server))
        return 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        deadline_ns = others[i] < deadline_ns ? others[i] : deadline_ns;
    if (deadline_ns == INT64_MAX)
        return -1;
    int64_t left_ms = (deadline_ns - clock_ns(CLOCK_MONOTONIC) + 999999) / 1000000;
    return left_ms <= 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static void take_frames(struct server *server)
{
    for (int n = 0; n < MAX_FRAMES; n++) {
        if (receive(server))
            continue;
        server->n_sent_when_empty = outbox_n_sent(server->outbox);
        return;
    }
    server->n_sent_when_empty = UINT64_MAX; /* there may be more */
}

static bool is_told_to_stop(struct server *server)
{
    uint64_t n;
    (void)!read(server->wake_fd, &n, sizeof n); /* only to be empty */
    return atomic_load(&server->is_stopped);
}

static void take_workers_end(struct server *server)
{
    char *text = atomic_exchange(&server->ended, NULL);
    if (!text)
        return;
    engine_workers_ended(server->engine, text, server->now_ns);
    server_settle(server);
    free(text);
}

/* poll(2) on the router's descriptor, because zmq_poll makes two system calls more a round. */
static int serve(struct server *server, struct err *err)
{
    enum { WAKE, STORE, ADVISOR, CLERK, ROUTER, N };
    struct pollfd fds[N] = {
        [WAKE] = {.fd = server->wake_fd, .events = POLLIN},
        [STORE] = {.fd = store_event_fd(server->store), .events = POLLIN},
        [ADVISOR] = {.fd = advisor_event_fd(server->advisor), .events = POLLIN},
        [CLERK] = {.fd = clerk_event_fd(server->clerk), .events = POLLIN},
        [ROUTER] = {.fd = server->router_fd, .events = POLLIN},
    };
    for (;;) {
        int rc = round_failure(server, err);
        if (rc)
            return rc;
        if (poll(fds, N, timeout_ms(server)) < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "the driver cannot wait for messages: %s", strerror(errno));
        server->now_ns = clock_ns(CLOCK_MONOTONIC);
        if (fds[WAKE].revents && is_told_to_stop(server))
            return 0;
        if (fds[STORE].revents)
            outbox_committed(server->outbox, store_committed(server->store), server->now_ns);
        if (fds[ADVISOR].revents)
            take_suggestions(server);
        if (fds[CLERK].revents)
            request_documents(server);
        if (fds[ROUTER].revents || may_have_frames(server))
            take_frames(server);
        if (!may_have_frames(server)) /* what they said last counts */
            take_workers_end(server);
        finish_round(server);
    }
}

static void say_bye(void *arg, const struct route *route)
{
    struct server *server = arg;
    struct wire_message message = {
        .type = WIRE_BYE, .bye = {.code = ERR_CLOSED, .text = wire_string("the driver has stopped")}};
    outbox_send(server->outbox, route, &message);
}

int server_run(struct server *server, struct err *err)
{
    struct err failure = {0};
    int rc = serve(server, &failure);
    if (!rc)
        rc = store_sync(server->store, &failure);
    outbox_committed(server->outbox, store_committed(server->store), clock_ns(CLOCK_MONOTONIC));
    outbox_time(server->outbox, INT64_MAX);
    struct wire_message bye = {
        .type = WIRE_BYE,
        .bye = {.code = ERR_CLOSED, .text = wire_string(rc ? failure.text : "the driver has stopped")}};
    outbox_send_workers(server->outbox, &bye);
    watches_each(server->watches, say_bye, server);
    if (rc && err)
        *err = failure;
    return rc;
}

static void wake(struct server *server)
{
    uint64_t one = 1;
    (void)!write(server->wake_fd, &one, sizeof one); /* full: it was told before */
}

void server_stop(struct server *server)
{
    atomic_store(&server->is_stopped, true);
    wake(server);
}

void server_workers_ended(struct server *server, const char *text)
{
    free(atomic_exchange(&server->ended, strdup(text))); /* out of memory: their leases end */
    wake(server);
}

/* Creating */

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

/* A message to a peer that is gone is an error that we see; a worker that connects again takes over its id;
 * the driver's queue to a slow peer is bounded by what the engine has to say to it, so it has no other limit.
 */
static int open_router(struct server *server, const struct server_setup *setup, struct err *err)
{
    int64_t max_size = WIRE_MAX_FRAME;
    server->context = zmq_ctx_new();
    server->router = server->context ? zmq_socket(server->context, ZMQ_ROUTER) : NULL;
    if (!server->router || set_int(server->router, ZMQ_ROUTER_MANDATORY, 1) ||
        set_int(server->router, ZMQ_ROUTER_HANDOVER, 1) || set_int(server->router, ZMQ_BACKLOG, BACKLOG) ||
        set_int(server->router, ZMQ_SNDHWM, 0) || set_int(server->router, ZMQ_LINGER, LINGER_MS) ||
        zmq_setsockopt(server->router, ZMQ_MAXMSGSIZE, &max_size, sizeof max_size))
        return err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    size_t size = sizeof server->router_fd;
    if (zmq_getsockopt(server->router, ZMQ_FD, &server->router_fd, &size))
        return err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    return endpoint_bind(server->endpoint, server->router, setup->endpoint, err);
}

static int open_parts(struct server *server, const struct server_setup *setup, struct err *err)
{
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t heartbeat_ms = setup->heartbeat_ms ? setup->heartbeat_ms : DEFAULT_HEARTBEAT_MS;
    int64_t lease_ms = setup->lease_ms ? setup->lease_ms : DEFAULT_LEASE_MS;
    struct engine_setup engine_setup = {.driver = server->driver,
                                        .heartbeat_ns = heartbeat_ms * 1000000,
                                        .lease_ns = lease_ms * 1000000,
                                        .wall_offset_ms = (clock_ns(CLOCK_REALTIME) - now_ns) / 1000000,
                                        .next_key = store_next_key(server->store)};
    server->engine = engine_create(&engine_setup);
    server->decoder = wire_decoder_create();
    server->outbox = outbox_create(server->router);
    server->watches = watches_create();
    server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!server->engine || !server->decoder || !server->outbox || !server->watches)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (server->wake_fd < 0)
        return err_set(err, ERR_IO, "cannot make an event descriptor: %s", strerror(errno));
    int rc = advisor_create(&server->advisor, err);
    return rc ? rc : clerk_create(&server->clerk, setup->database, err);
}

int server_create(struct server **created, const struct server_setup *setup, struct err *err)
{
    int rc = endpoint_check(setup->endpoint, setup->insecure, err);
    if (rc)
        return rc;
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return err_set(err, ERR_NOMEM, "out of memory");
    server->wake_fd = -1;
    server->flush_ns = INT64_MAX;
    server->n_sent_when_empty = UINT64_MAX; /* not looked yet */
    server->driver = id_new();
    server->only = setup->only;
    server->now_ns = clock_ns(CLOCK_MONOTONIC);
    (void)zmq_msg_init(&server->route_frame); /* always 0 */
    (void)zmq_msg_init(&server->frame);
    rc = open_router(server, setup, err);
    if (!rc)
        rc = store_open(&server->store, setup->database, err);
    if (!rc)
        rc = open_parts(server, setup, err);
    if (!rc)
        rc = store_set_endpoint(server->store, server->endpoint, err);
    if (!rc)
        rc = load_first(server, setup->starts_alone, err);
    if (rc) {
        server_destroy(server);
        return rc;
    }
    log_info("driver started endpoint=%s database=%s", server->endpoint, setup->database);
    *created = server;
    return 0;
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    struct err err = {0};
    clerk_destroy(server->clerk);
    advisor_destroy(server->advisor);
    bool is_known = server->store && store_failure(server->store, NULL); /* server_run has returned it */
    if (store_close(server->store, &err) && !is_known)
        log_error("database not closed cleanly reason=\"%s\"", err.text);
    engine_destroy(server->engine); /* after the store and the advisor, which borrow specs */
    outbox_destroy(server->outbox);
    watches_destroy(server->watches);
    wire_decoder_destroy(server->decoder);
    (void)zmq_msg_close(&server->route_frame); /* were initialised */
    (void)zmq_msg_close(&server->frame);
    if (server->router)
        (void)zmq_close(server->router);
    if (server->context)
        (void)zmq_ctx_term(server->context);
    if (server->wake_fd >= 0)
        (void)close(server->wake_fd);
    free(atomic_load(&server->ended));
    free(server);
}

const char *server_endpoint(const struct server *server)
{
    return server->endpoint;
}
