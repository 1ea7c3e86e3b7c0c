#ifndef TESTS_SDK_FAKE_DRIVER_H
#define TESTS_SDK_FAKE_DRIVER_H

#include "core/wire.h"

/* A ROUTER that a test plays the driver with, in the test's own thread: a client's request is sent from
 * another one, or nothing waits for its answer. */
struct fake_driver {
    void *context, *socket;
    struct wire_decoder *decoder;
    struct wire_buffer buffer;
    char client[256]; /* routing id of the last sender */
    size_t client_size;
};

void fake_driver_open(struct fake_driver *driver, const char *endpoint);
void fake_driver_close(struct fake_driver *driver);
/* Waits for the next message (at most 10 s: then the test fails). Lent until the next call. */
struct wire_message fake_driver_receive(struct fake_driver *driver);
/* To the last sender. */
void fake_driver_send(struct fake_driver *driver, const struct wire_message *message);

#endif
