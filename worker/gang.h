#ifndef WORKER_GANG_H
#define WORKER_GANG_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/spec.h"
#include "core/wire.h"
#include "worker/handle.h"

/* This worker's part in the gang that runs its attempt: its place, and a TCP port that it holds for the
 * program.
 *
 * The port is bound before the driver is told of it and stays bound until the attempt has ended, so nobody
 * else is given it. The socket does not listen, and has SO_REUSEADDR and SO_REUSEPORT: so the program of the
 * trial, another process, may bind the same port and listen on it if its own socket has one of the two, as
 * those of PyTorch (TCPStore, Gloo), gRPC (TensorFlow, JAX) and most servers have. A port that was found free
 * and closed again could be gone by then. */

#define GANG_MAX_HOST 255

struct gang {
    struct handle_gang part; /* what the function sees; number 0: no gang */
    const char **addresses;  /* [part.world], of part.addresses; once it has begun */
    char *texts;             /* what they point to */
    int port_fd;             /* -1: none */
    uint64_t port;
    char host[GANG_MAX_HOST + 1]; /* where the other members reach this one */
};

void gang_init(struct gang *gang);
/* Takes its place and a port (with runtime mpi: a rank). ERR_IO; ERR_UNSUPPORTED outside a fleet. `endpoint`:
 * of the driver, which shows by which address this host is reached; $PROVA_ADDRESS overrules it. gang_leave
 * in any case. */
int gang_prepare(struct gang *gang, const struct wire_assign *assign, enum runtime runtime,
                 const char *endpoint, struct err *err);
/* All have joined. ERR_NOMEM, ERR_PROTOCOL. */
int gang_begin(struct gang *gang, const struct wire_start *start, struct err *err);
/* Gives the port back. */
void gang_leave(struct gang *gang);

#endif
