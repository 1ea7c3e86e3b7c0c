/* Plays the driver. */
#include "fake_driver.h"

#include <check.h>
#include <string.h>

#include <zmq.h>

void fake_driver_open(struct fake_driver *driver, const char *endpoint)
{
    int linger = 0, timeout_ms = 10000;
    memset(driver, 0, sizeof *driver);
    driver->context = zmq_ctx_new();
    driver->socket = zmq_socket(driver->context, ZMQ_ROUTER);
    driver->decoder = wire_decoder_create();
    ck_assert_ptr_nonnull(driver->decoder);
    ck_assert_int_eq(zmq_setsockopt(driver->socket, ZMQ_LINGER, &linger, sizeof linger), 0);
    ck_assert_int_eq(zmq_setsockopt(driver->socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms), 0);
    ck_assert_int_eq(zmq_bind(driver->socket, endpoint), 0);
}

void fake_driver_close(struct fake_driver *driver)
{
    zmq_close(driver->socket);
    zmq_ctx_term(driver->context);
    wire_decoder_destroy(driver->decoder);
    wire_buffer_fini(&driver->buffer);
}

struct wire_message fake_driver_receive(struct fake_driver *driver)
{
    static char frame[1 << 16];
    struct wire_message message;
    struct err err = {0};
    int size = zmq_recv(driver->socket, driver->client, sizeof driver->client, 0);
    ck_assert_int_gt(size, 0);
    driver->client_size = (size_t)size;
    size = zmq_recv(driver->socket, frame, sizeof frame, 0);
    ck_assert_int_gt(size, 0);
    ck_assert_int_eq(wire_decode(&message, driver->decoder, frame, (size_t)size, &err), 0);
    return message;
}

void fake_driver_send(struct fake_driver *driver, const struct wire_message *message)
{
    ck_assert_int_eq(wire_encode(&driver->buffer, message), 0);
    ck_assert_int_gt(zmq_send(driver->socket, driver->client, driver->client_size, ZMQ_SNDMORE), 0);
    ck_assert_int_gt(zmq_send(driver->socket, driver->buffer.data, driver->buffer.size, 0), 0);
}
