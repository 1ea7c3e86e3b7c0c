/* The driver under test and who talks to it. */
#include "tests/server/rig.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "core/log.h"
#include "driver/route.h"

#define PATIENCE_MS 10000 /* a test that waits longer has failed */

void rig_set_up(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    log_set_level(LOG_ERROR);
    strcpy(rig->folder, "/tmp/prova-server-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->folder));
    snprintf(rig->database, sizeof rig->database, "%s/prova.db", rig->folder);
    rig->context = zmq_ctx_new();
    ck_assert_ptr_nonnull(rig->context);
}

void rig_tear_down(struct rig *rig)
{
    if (rig->server)
        rig_stop(rig, 0);
    zmq_ctx_term(rig->context);
    DIR *folder = opendir(rig->folder);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", rig->folder, entry->d_name);
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlink(path);
    }
    closedir(folder);
    ck_assert_int_eq(rmdir(rig->folder), 0);
}

static void *run(void *arg)
{
    struct rig *rig = arg;
    rig->result = server_run(rig->server, &rig->err);
    return NULL;
}

void rig_start(struct rig *rig, const struct server_setup *wanted)
{
    struct server_setup setup = wanted ? *wanted : (struct server_setup){0};
    if (!setup.endpoint)
        setup.endpoint = "tcp://127.0.0.1:*";
    if (!setup.database)
        setup.database = rig->database;
    if (!setup.lease_ms)
        setup.lease_ms = 600000;
    int rc = server_create(&rig->server, &setup, &rig->err);
    ck_assert_msg(rc == 0, "%s", rig->err.text);
    ck_assert_int_eq(pthread_create(&rig->thread, NULL, run, rig), 0);
}

void rig_stop(struct rig *rig, int result)
{
    server_stop(rig->server);
    ck_assert_int_eq(pthread_join(rig->thread, NULL), 0);
    ck_assert_msg(rig->result == result, "server_run: %d %s", rig->result, rig->err.text);
    server_destroy(rig->server);
    rig->server = NULL;
}

/* Peers */

static void open_peer(struct peer *peer, struct rig *rig)
{
    int linger = 0, none = 0;
    peer->socket = zmq_socket(rig->context, ZMQ_DEALER);
    peer->decoder = wire_decoder_create();
    ck_assert(peer->socket && peer->decoder);
    zmq_setsockopt(peer->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(peer->socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &none, sizeof none);
}

void peer_open_worker_at(struct peer *peer, struct rig *rig, struct id id, const char *endpoint)
{
    struct route route;
    uint64_t greeting = peer->greeting, seq = peer->seq;
    *peer = (struct peer){.id = id, .greeting = greeting, .seq = seq};
    open_peer(peer, rig);
    route_set_worker(&route, id);
    zmq_setsockopt(peer->socket, ZMQ_ROUTING_ID, route.bytes, route.size);
    ck_assert_int_eq(zmq_connect(peer->socket, endpoint), 0);
}

void peer_open_worker(struct peer *peer, struct rig *rig, struct id id)
{
    peer_open_worker_at(peer, rig, id, server_endpoint(rig->server));
}

void peer_open_client_at(struct peer *peer, struct rig *rig, const char *endpoint)
{
    *peer = (struct peer){0};
    open_peer(peer, rig);
    ck_assert_int_eq(zmq_connect(peer->socket, endpoint), 0);
}

void peer_open_client(struct peer *peer, struct rig *rig)
{
    peer_open_client_at(peer, rig, server_endpoint(rig->server));
}

void peer_close(struct peer *peer)
{
    zmq_close(peer->socket);
    wire_decoder_destroy(peer->decoder);
    peer->socket = NULL;
    peer->decoder = NULL;
}

void peer_send_bytes(struct peer *peer, const void *bytes, size_t size, bool more)
{
    ck_assert_int_eq(zmq_send(peer->socket, bytes, size, more ? ZMQ_SNDMORE : 0), (int)size);
}

void peer_send(struct peer *peer, const struct wire_message *message)
{
    struct wire_buffer buffer = {0};
    ck_assert_int_eq(wire_encode(&buffer, message), 0);
    peer_send_bytes(peer, buffer.data, buffer.size, false);
    wire_buffer_fini(&buffer);
}

int peer_next(struct peer *peer, int timeout_ms)
{
    struct err err;
    zmq_msg_t frame;
    zmq_pollitem_t item = {.socket = peer->socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, timeout_ms) <= 0)
        return 0;
    zmq_msg_init(&frame);
    ck_assert_int_ge(zmq_msg_recv(&frame, peer->socket, 0), 0);
    ck_assert(!zmq_msg_more(&frame));
    int rc = wire_decode(&peer->got, peer->decoder, zmq_msg_data(&frame), zmq_msg_size(&frame), &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    zmq_msg_close(&frame);
    return (int)peer->got.type;
}

void peer_expect(struct peer *peer, enum wire_type type)
{
    enum wire_type got = (enum wire_type)peer_next(peer, PATIENCE_MS);
    ck_assert_msg(got == type, "expected %s, got %s %s", wire_type_name(type), wire_type_name(got),
                  got == WIRE_BYE ? peer->got.bye.text.data : "");
}

void peer_wait(struct peer *peer, enum wire_type type)
{
    for (;;) {
        enum wire_type got = (enum wire_type)peer_next(peer, PATIENCE_MS);
        ck_assert_msg(got != 0, "%s did not come", wire_type_name(type));
        ck_assert_msg(got == type || got != WIRE_BYE, "BYE: %s", peer->got.bye.text.data);
        if (got == type)
            return;
    }
}

void peer_expect_silence(struct peer *worker)
{
    peer_send_bytes(worker, "\xc1", 1, false);
    peer_expect(worker, WIRE_BYE);
    ck_assert_int_eq(worker->got.bye.code, ERR_PROTOCOL);
}

/* Workers */

void worker_hello(struct peer *worker, struct id experiment, uint64_t n_held)
{
    struct wire_message message = {.type = WIRE_HELLO,
                                   .hello = {.protocol = WIRE_VERSION,
                                             .worker = worker->id,
                                             .experiment = experiment,
                                             .host = wire_string("host"),
                                             .n_held = n_held,
                                             .greeting = ++worker->greeting,
                                             .first_seq = worker->seq + 1}};
    peer_send(worker, &message);
}

void worker_greet(struct peer *worker, struct id experiment)
{
    worker_hello(worker, experiment, 0);
    peer_expect(worker, WIRE_WELCOME);
    ck_assert_uint_eq(worker->got.welcome.greeting, worker->greeting);
}

void worker_expect_assign(struct wire_assign *assign, struct peer *worker)
{
    do {
        enum wire_type got = (enum wire_type)peer_next(worker, PATIENCE_MS);
        ck_assert_msg(got == WIRE_ASSIGN || got == WIRE_EXPERIMENT || got == WIRE_ACK,
                      "ASSIGN expected, got %s", wire_type_name(got));
    } while (worker->got.type != WIRE_ASSIGN);
    *assign = worker->got.assign;
}

void worker_report(struct peer *worker, const struct wire_assign *assign, int64_t first_step, size_t n)
{
    struct report reports[100];
    ck_assert_uint_le(n, 100);
    for (size_t i = 0; i < n; i++)
        reports[i] = (struct report){.step = first_step + (int64_t)i,
                                     .value = (double)(first_step + (int64_t)i) / 100};
    struct wire_message message = {.type = WIRE_PROGRESS,
                                   .progress = {.seq = ++worker->seq,
                                                .experiment = assign->experiment,
                                                .trial = assign->trial,
                                                .attempt = assign->attempt,
                                                .value = NAN,
                                                .reports = {n, reports}}};
    peer_send(worker, &message);
}

void worker_progress(struct peer *worker, const struct wire_assign *assign, uint64_t seq,
                     enum outcome outcome, double value)
{
    struct wire_message message = {
        .type = WIRE_PROGRESS,
        .progress = {.seq = seq,
                     .experiment = assign->experiment,
                     .trial = assign->trial,
                     .attempt = assign->attempt,
                     .outcome = (uint64_t)outcome,
                     .value = value,
                     .text = wire_string(outcome == OUTCOME_FAILED ? "it failed" : "")}};
    peer_send(worker, &message);
}

void worker_end(struct peer *worker, const struct wire_assign *assign, enum outcome outcome, double value)
{
    worker_progress(worker, assign, ++worker->seq, outcome, value);
}

void worker_expect_acked(struct peer *worker, uint64_t seq)
{
    uint64_t acked = 0;
    while (acked < seq) {
        enum wire_type got = (enum wire_type)peer_next(worker, PATIENCE_MS);
        ck_assert_msg(got != 0, "seq %llu was not acknowledged", (unsigned long long)seq);
        if (got == WIRE_ACK)
            acked = worker->got.ack.seq;
        else if (got == WIRE_ASSIGN)
            acked = worker->got.assign.acked;
    }
    ck_assert_uint_eq(acked, seq);
}

/* Clients */

static int answer(struct peer *client, const struct wire_message *message)
{
    peer_send(client, message);
    do
        peer_wait(client, WIRE_REPLY);
    while (client->got.reply.request != client->request);
    return (int)client->got.reply.code;
}

int client_ask_submit(struct peer *client, struct id experiment, const char *spec)
{
    struct wire_message message = {.type = WIRE_SUBMIT,
                                   .submit = {.protocol = WIRE_VERSION,
                                              .request = ++client->request,
                                              .experiment = experiment,
                                              .spec = wire_string(spec),
                                              .file = wire_string("sweep.yaml"),
                                              .directory = wire_string("/tmp")}};
    return answer(client, &message);
}

int client_ask_resume(struct peer *client, struct id experiment)
{
    struct wire_message message = {.type = WIRE_RESUME,
                                   .resume = {.request = ++client->request, .experiment = experiment}};
    return answer(client, &message);
}

int client_ask_cancel(struct peer *client, struct id experiment)
{
    struct wire_message message = {.type = WIRE_CANCEL,
                                   .cancel = {.request = ++client->request, .experiment = experiment}};
    return answer(client, &message);
}

void client_watch_all(struct peer *client, struct id experiment)
{
    struct wire_message message = {.type = WIRE_WATCH,
                                   .watch = {.request = ++client->request, .experiment = experiment}};
    peer_send(client, &message);
}

struct wire_status client_wait_state(struct peer *client, uint64_t state)
{
    do
        peer_wait(client, WIRE_STATUS);
    while (client->got.status.state != state);
    return client->got.status;
}

const char *sweep(int n_trials, const char *more)
{
    static char text[2000];
    snprintf(text, sizeof text,
             "name: sweep\n"
             "train: {command: [\"true\"]}\n"
             "metric: {name: loss, goal: minimize}\n"
             "parameters:\n"
             "  x: {min: 0.0, max: 1.0}\n"
             "search: random\n"
             "limits: {trials: %d}\n"
             "seed: 1\n%s",
             n_trials, more);
    return text;
}
