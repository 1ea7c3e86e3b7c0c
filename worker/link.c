/* The worker's socket. All of libzmq's ways are known here alone. */
#include "worker/link.h"

#include <errno.h>
#include <string.h>

#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 2000
#define MONITOR_ENDPOINT "inproc://link"

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

static int set_options(void *socket, struct id worker)
{
    unsigned char routing_id[1 + sizeof worker.bytes] = {'w'};
    memcpy(routing_id + 1, worker.bytes, sizeof worker.bytes);
    return zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id, sizeof routing_id) ||
           set_int(socket, ZMQ_IMMEDIATE, 1) || set_int(socket, ZMQ_SNDHWM, 0) ||
           set_int(socket, ZMQ_LINGER, 0) || set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) ||
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) ||
           set_int(socket, ZMQ_TCP_KEEPALIVE, 1) || set_int(socket, ZMQ_IPV6, 1);
}

static int get_fd(int *fd, void *socket)
{
    size_t size = sizeof *fd;
    return zmq_getsockopt(socket, ZMQ_FD, fd, &size);
}

/* One event: its number (and a value) in the first part, the endpoint in the second. */
static bool read_event(uint16_t *event, void *monitor)
{
    bool more = true, first = true;
    while (more) {
        zmq_msg_t part;
        (void)zmq_msg_init(&part); /* cannot fail */
        if (zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(&part);
            return false;
        }
        if (first && zmq_msg_size(&part) >= sizeof *event)
            memcpy(event, zmq_msg_data(&part), sizeof *event);
        first = false;
        more = zmq_msg_more(&part);
        (void)zmq_msg_close(&part);
    }
    return true;
}

bool link_is_new(struct link *link)
{
    bool is_new = false;
    uint16_t event = 0;
    while (read_event(&event, link->monitor)) {
        link->is_connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        is_new |= link->is_connected;
    }
    if (is_new) {
        /* The new connection's queue is attached by a command that libzmq's send may leave for later. */
        int events;
        size_t size = sizeof events;
        (void)zmq_getsockopt(link->socket, ZMQ_EVENTS, &events,
                             &size); /* asked for what it does, not what it says */
        link->is_stirred = true;
    }
    return is_new && link->is_connected;
}

static int open_monitor(struct link *link)
{
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(link->socket, MONITOR_ENDPOINT, events))
        return -1;
    link->monitor = zmq_socket(link->context, ZMQ_PAIR);
    if (!link->monitor || zmq_connect(link->monitor, MONITOR_ENDPOINT) ||
        get_fd(&link->monitor_fd, link->monitor))
        return -1;
    (void)link_is_new(link); /* nothing yet; but only who has found a queue empty is told that it is not */
    return 0;
}

int link_open(struct link *link, const char *endpoint, struct id worker, struct err *err)
{
    memset(link, 0, sizeof *link);
    link->context = zmq_ctx_new();
    link->socket = link->context ? zmq_socket(link->context, ZMQ_DEALER) : NULL;
    if (!link->socket || set_options(link->socket, worker) || open_monitor(link) ||
        get_fd(&link->fd, link->socket))
        return err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    link->is_stirred = true;
    if (zmq_connect(link->socket, endpoint))
        return err_set(err, ERR_INVALID, "cannot connect to '%s': %s", endpoint, zmq_strerror(errno));
    return ERR_OK;
}

void link_close(struct link *link, int linger_ms)
{
    if (link->monitor)
        (void)zmq_close(link->monitor); /* fails only for what is no socket; likewise below */
    if (link->socket) {
        (void)zmq_socket_monitor(link->socket, NULL, 0);
        (void)set_int(link->socket, ZMQ_LINGER, linger_ms);
        (void)zmq_close(link->socket);
    }
    if (link->context) {
        while (zmq_ctx_term(link->context) && errno == EINTR)
            ;
    }
    memset(link, 0, sizeof *link);
}

bool link_send(struct link *link, zmq_msg_t *message, int64_t now_ns)
{
    zmq_msg_t copy;
    if (zmq_msg_init(&copy) || zmq_msg_copy(&copy, message))
        return false;
    link->is_stirred = true;
    if (zmq_msg_send(&copy, link->socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(&copy);
        return false;
    }
    link->last_sent_ns = now_ns;
    return true;
}

bool link_send_bytes(struct link *link, const void *data, size_t size, int64_t now_ns)
{
    link->is_stirred = true;
    if (zmq_send(link->socket, data, size, ZMQ_DONTWAIT) < 0)
        return false;
    link->last_sent_ns = now_ns;
    return true;
}

static bool receive_part(zmq_msg_t *message, struct link *link)
{
    int size;
    do
        size = zmq_msg_recv(message, link->socket, ZMQ_DONTWAIT);
    while (size < 0 && errno == EINTR);
    link->is_stirred = size >= 0; /* only an empty queue may be slept on */
    return size >= 0;
}

bool link_receive(zmq_msg_t *message, struct link *link)
{
    if (!receive_part(message, link))
        return false;
    while (zmq_msg_more(message)) { /* no message of ours has parts: only the last one is looked at */
        if (!receive_part(message, link))
            return false;
    }
    return true;
}
