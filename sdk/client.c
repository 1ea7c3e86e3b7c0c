/* A client of a driver. One DEALER socket for requests, answers and STATUS messages, and its monitor, which
 * tells when the connection is made anew: then the request that waits for its answer and the watch are sent
 * again, because the driver at the other end may be another one. Both are idempotent; an answer to an earlier
 * request is known by its number and dropped.
 *
 * Of STATUS messages only the newest is kept: each says everything. */
#include "sdk/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

enum { PING_MS = 15000 }; /* a driver whose machine is gone says nothing, nor does one that has no news */

struct client {
    void *context, *socket, *monitor;
    int epoll_fd, alarm_fd; /* -1: none */
    struct wire_decoder *decoder, *status_decoder;
    struct wire_buffer request, watch; /* as sent; request.size 0: none waits for an answer */
    uint64_t last_request, watch_request;
    bool lost;       /* the connection ended; whatever was sent may not have arrived */
    int64_t lost_ms; /* when */
    int64_t wait_ms; /* client_set_wait; -1: nobody asked */
    bool told_loss;  /* client_next_status has said so */
    bool has_status; /* status holds a frame that nobody has asked for yet */
    char *status;
    size_t status_size, status_capacity;
    struct err refusal; /* of the watch, or of the whole conversation; code 0: none */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
}

/* Connecting */

static int set_option(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static int open_monitor(struct client *client)
{
    static const char address[] = "inproc://monitor";
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(client->socket, address, events))
        return -1;
    client->monitor = zmq_socket(client->context, ZMQ_PAIR);
    if (!client->monitor)
        return -1;
    return set_option(client->monitor, ZMQ_LINGER, 0) || zmq_connect(client->monitor, address) ? -1 : 0;
}

static int open_sockets(struct client *client)
{
    client->context = zmq_ctx_new();
    if (!client->context)
        return -1;
    client->socket = zmq_socket(client->context, ZMQ_DEALER);
    if (!client->socket)
        return -1;
    int64_t max_frame = WIRE_MAX_FRAME;
    if (set_option(client->socket, ZMQ_LINGER, 0) || set_option(client->socket, ZMQ_RECONNECT_IVL, 50) ||
        set_option(client->socket, ZMQ_RECONNECT_IVL_MAX, 1000) || set_option(client->socket, ZMQ_IPV6, 1) ||
        set_option(client->socket, ZMQ_HEARTBEAT_IVL, PING_MS) ||
        set_option(client->socket, ZMQ_HEARTBEAT_TIMEOUT, 2 * PING_MS) ||
        zmq_setsockopt(client->socket, ZMQ_MAXMSGSIZE, &max_frame, sizeof max_frame))
        return -1;
    return open_monitor(client);
}

int client_connect(struct client **out, const char *endpoint, struct err *err)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        return err_set(err, ERR_NOMEM, "out of memory");
    client->epoll_fd = client->alarm_fd = -1;
    client->wait_ms = -1;
    client->decoder = wire_decoder_create();
    client->status_decoder = wire_decoder_create();
    int rc = ERR_OK;
    if (!client->decoder || !client->status_decoder)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (open_sockets(client))
        rc = err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    else if (zmq_connect(client->socket, endpoint))
        rc = err_set(err, ERR_INVALID,
                     "cannot connect to '%s': %s (expected an endpoint like tcp://127.0.0.1:5700)", endpoint,
                     zmq_strerror(errno));
    if (rc)
        client_close(client);
    else
        *out = client;
    return rc;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    if (client->epoll_fd >= 0)
        (void)close(client->epoll_fd);
    if (client->monitor)
        (void)zmq_close(client->monitor); /* only fails for what is no socket */
    if (client->socket)
        (void)zmq_close(client->socket);
    if (client->context)
        (void)zmq_ctx_term(client->context);
    wire_decoder_destroy(client->decoder);
    wire_decoder_destroy(client->status_decoder);
    wire_buffer_fini(&client->request);
    wire_buffer_fini(&client->watch);
    free(client->status);
    free(client);
}

bool client_is_cut_off(const struct client *client)
{
    return client->lost;
}

void client_set_wait(struct client *client, int64_t wait_ms)
{
    client->wait_ms = wait_ms;
}

/* When to give up; INT64_MAX: not now. */
static int64_t give_up_ms(const struct client *client)
{
    return client->lost && client->wait_ms > 0 ? client->lost_ms + client->wait_ms : INT64_MAX;
}

bool client_has_given_up(const struct client *client)
{
    return give_up_ms(client) <= now_ms();
}

void client_set_alarm(struct client *client, int fd)
{
    client->alarm_fd = fd;
}

static int watch_socket(int epoll_fd, void *socket)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size))
        return -1;
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int client_fd(struct client *client)
{
    if (client->epoll_fd < 0) {
        int fd = epoll_create1(EPOLL_CLOEXEC);
        if (fd >= 0 && (watch_socket(fd, client->socket) || watch_socket(fd, client->monitor))) {
            (void)close(fd);
            fd = -1;
        }
        client->epoll_fd = fd;
    }
    return client->epoll_fd;
}

/* Sending and receiving */

static void lose(struct client *client)
{
    if (!client->lost)
        client->lost_ms = now_ms();
    client->lost = true;
}

/* A frame that cannot be queued now is sent when the connection is made anew. */
static void send_frame(struct client *client, const struct wire_buffer *frame)
{
    if (frame->size > 0 && zmq_send(client->socket, frame->data, frame->size, ZMQ_DONTWAIT) < 0)
        lose(client);
}

static int keep_status(struct client *client, const void *data, size_t size)
{
    if (size > client->status_capacity) {
        char *grown = realloc(client->status, size);
        if (!grown)
            return ERR_NOMEM;
        client->status = grown;
        client->status_capacity = size;
    }
    memcpy(client->status, data, size);
    client->status_size = size;
    client->has_status = true;
    return ERR_OK;
}

/* Reads the monitor: has the connection been made anew? */
static void read_monitor(struct client *client)
{
    zmq_msg_t part;
    (void)zmq_msg_init(&part); /* never fails */
    while (zmq_msg_recv(&part, client->monitor, ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0;
        if (zmq_msg_size(&part) >= sizeof event)
            memcpy(&event, zmq_msg_data(&part), sizeof event);
        bool more = zmq_msg_more(&part);
        while (more && zmq_msg_recv(&part, client->monitor, 0) >= 0) /* the address: there already */
            more = zmq_msg_more(&part);
        if (event == ZMQ_EVENT_DISCONNECTED) {
            lose(client);
        } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && client->lost) {
            client->lost = client->told_loss = false;
            send_frame(client, &client->watch);
            send_frame(client, &client->request);
        }
    }
    (void)zmq_msg_close(&part);
}

/* Sorts one frame. Returns 1 with *reply filled if it answers the request that waits; else 0 or a code. */
static int sort_frame(struct wire_reply *reply, struct client *client, const void *data, size_t size,
                      struct err *err)
{
    struct wire_message message;
    int rc = wire_decode(&message, client->decoder, data, size, err);
    if (rc == ERR_UNSUPPORTED)
        return 0; /* of a newer driver */
    if (rc)
        return rc;
    switch (message.type) {
    case WIRE_STATUS:
        return message.status.request == client->watch_request ? keep_status(client, data, size) : 0;
    case WIRE_REPLY:
        if (message.reply.request == client->watch_request && message.reply.code)
            err_set(&client->refusal, (int)message.reply.code, "%s", message.reply.text.data);
        if (client->request.size == 0 || message.reply.request != client->last_request)
            return 0;
        *reply = message.reply;
        return 1;
    case WIRE_BYE:
        if (message.bye.code != ERR_NOT_FOUND) /* that one is for workers */
            err_set(&client->refusal, ERR_CLOSED, "%s",
                    message.bye.text.size ? message.bye.text.data : "the driver has closed");
        return 0;
    default:
        return 0;
    }
}

/* Takes what has arrived, up to an answer. Returns as sort_frame. */
static int drain(struct wire_reply *reply, struct client *client, struct err *err)
{
    read_monitor(client);
    zmq_msg_t frame;
    (void)zmq_msg_init(&frame);
    int rc = 0;
    while (rc == 0 && zmq_msg_recv(&frame, client->socket, ZMQ_DONTWAIT) >= 0)
        rc = sort_frame(reply, client, zmq_msg_data(&frame), zmq_msg_size(&frame), err);
    (void)zmq_msg_close(&frame);
    return rc;
}

/* Waits for something to drain. ERR_TIMEOUT; ERR_INTERRUPTED: the alarm, or a signal. */
static int wait_input(struct client *client, int64_t deadline_ms, struct err *err)
{
    zmq_pollitem_t items[] = {{.socket = client->socket, .events = ZMQ_POLLIN},
                              {.socket = client->monitor, .events = ZMQ_POLLIN},
                              {.fd = client->alarm_fd, .events = ZMQ_POLLIN}};
    int64_t left_ms = deadline_ms == INT64_MAX ? -1 : deadline_ms - now_ms();
    if (deadline_ms != INT64_MAX && left_ms < 0)
        left_ms = 0;
    int n = zmq_poll(items, client->alarm_fd >= 0 ? 3 : 2, (long)left_ms);
    if (n < 0 && errno != EINTR)
        return err_set(err, ERR_IO, "cannot wait for the driver: %s", zmq_strerror(errno));
    if (n < 0 || items[2].revents)
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    if (n == 0 && left_ms == 0)
        return err_set(err, ERR_TIMEOUT, "the driver does not answer");
    return ERR_OK;
}

/* Requests */

/* Sends client->request and waits for its answer. A signal does not end the wait, the alarm does. */
static int await_reply(struct wire_reply *reply, struct client *client, int timeout_ms, struct err *err)
{
    int64_t deadline_ms = deadline_of(timeout_ms);
    send_frame(client, &client->request);
    for (;;) {
        int rc = drain(reply, client, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            return reply->code ? err_set(err, (int)reply->code, "%s", reply->text.data) : ERR_OK;
        rc = wait_input(client, give_up_ms(client) < deadline_ms ? give_up_ms(client) : deadline_ms, err);
        if (rc == ERR_INTERRUPTED && client->alarm_fd < 0)
            continue;
        if (rc)
            return rc;
    }
}

static int ask(struct wire_reply *reply, struct client *client, const struct wire_message *message,
               int timeout_ms, struct err *err)
{
    int rc = wire_encode(&client->request, message);
    if (rc)
        err_set(err, rc, "out of memory");
    else
        rc = await_reply(reply, client, timeout_ms, err);
    client->request.size = 0;
    return rc;
}

int client_submit(struct client *client, const struct client_submission *submission, int timeout_ms,
                  struct err *err)
{
    struct wire_reply reply;
    struct wire_message message = {.type = WIRE_SUBMIT,
                                   .submit = {.protocol = WIRE_VERSION,
                                              .request = ++client->last_request,
                                              .experiment = submission->experiment,
                                              .spec = wire_string(submission->spec),
                                              .file = wire_string(submission->file),
                                              .directory = wire_string(submission->directory),
                                              .command_line = wire_string(submission->command_line),
                                              .git_revision = wire_string(submission->git_revision)}};
    return ask(&reply, client, &message, timeout_ms, err);
}

int client_resume(struct client *client, struct id experiment, int timeout_ms, struct err *err)
{
    struct wire_reply reply;
    struct wire_message message = {.type = WIRE_RESUME,
                                   .resume = {.request = ++client->last_request, .experiment = experiment}};
    return ask(&reply, client, &message, timeout_ms, err);
}

int client_cancel(struct client *client, struct id experiment, int timeout_ms, struct err *err)
{
    struct wire_reply reply;
    struct wire_message message = {.type = WIRE_CANCEL,
                                   .cancel = {.request = ++client->last_request, .experiment = experiment}};
    return ask(&reply, client, &message, timeout_ms, err);
}

int client_query(char **json, struct client *client, const char *what, const char *experiment, int timeout_ms,
                 struct err *err)
{
    struct wire_reply reply;
    struct wire_message message = {.type = WIRE_QUERY,
                                   .query = {.request = ++client->last_request,
                                             .what = wire_string(what),
                                             .experiment = wire_string(experiment)}};
    int rc = ask(&reply, client, &message, timeout_ms, err);
    if (rc)
        return rc;
    *json = strndup(reply.text.data, reply.text.size);
    return *json ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* Watching */

int client_watch(struct client *client, struct id experiment, int interval_ms, struct err *err)
{
    struct wire_message message = {.type = WIRE_WATCH,
                                   .watch = {.request = ++client->last_request,
                                             .experiment = experiment,
                                             .interval_ms = interval_ms > 0 ? (uint64_t)interval_ms : 0}};
    int rc = wire_encode(&client->watch, &message);
    if (rc)
        return err_set(err, rc, "out of memory");
    client->watch_request = client->last_request;
    client->has_status = false;
    send_frame(client, &client->watch);
    return ERR_OK;
}

static int take_status(struct wire_status *status, struct client *client, struct err *err)
{
    struct wire_message message;
    client->has_status = false;
    int rc = wire_decode(&message, client->status_decoder, client->status, client->status_size, err);
    if (rc == ERR_OK)
        *status = message.status;
    return rc;
}

int client_next_status(struct wire_status *status, struct client *client, int timeout_ms, struct err *err)
{
    int64_t deadline_ms = deadline_of(timeout_ms);
    for (;;) {
        struct wire_reply reply;
        int rc = drain(&reply, client, err);
        if (rc < 0)
            return rc;
        if (client->has_status)
            return take_status(status, client, err);
        if (client->refusal.code) {
            rc = err_set(err, client->refusal.code, "%s", client->refusal.text);
            client->refusal.code = 0;
            return rc;
        }
        if (client->wait_ms >= 0 && client->lost && !client->told_loss) {
            client->told_loss = true;
            return err_set(err, ERR_TIMEOUT, "the driver is away");
        }
        int64_t until_ms = give_up_ms(client) < deadline_ms ? give_up_ms(client) : deadline_ms;
        rc = wait_input(client, until_ms, err);
        if (rc)
            return rc;
    }
}
