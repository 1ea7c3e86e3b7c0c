/* Where the driver may listen, and what goes wrong there. */
#include "driver/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

/* Host and port of "tcp://HOST:PORT"; the port is a number or a star. */
static bool split_tcp(char host[static ENDPOINT_SIZE], const char *address)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || strlen(address) >= ENDPOINT_SIZE)
        return false;
    const char *port = colon + 1;
    char *end = NULL;
    if (strcmp(port, "*") != 0) {
        errno = 0;
        unsigned long number = strtoul(port, &end, 10);
        if (*port < '0' || *port > '9' || *end || errno || number > 65535)
            return false;
    }
    bool brackets = address[0] == '[' && colon[-1] == ']';
    size_t skip = brackets ? 1 : 0, size = (size_t)(colon - address) - 2 * skip;
    memcpy(host, address + skip, size);
    host[size] = '\0';
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0 || strcmp(host, "lo") == 0;
}

/* Does somebody listen at this path? ("@name" is Linux's abstract name.) */
static bool ipc_answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false; /* then binding fails too, and says why */
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] != '@'));
    bool answers = connect(fd, (const struct sockaddr *)&address, length) == 0;
    (void)close(fd); /* nothing was written to it */
    return answers;
}

static int check_ipc(const char *endpoint, const char *path, struct err *err)
{
    struct sockaddr_un address;
    if (!*path || strcmp(path, "*") == 0)
        return err_set(err, ERR_INVALID, "endpoint '%s' names no path: write ipc:///path/to/socket",
                       endpoint);
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ERR_INVALID,
                       "endpoint '%.120s...' is too long: a socket's path has at most %zu bytes", endpoint,
                       sizeof address.sun_path - 1);
    if (ipc_answers(path))
        return err_set(err, ERR_BUSY, "another process listens at '%s' already", endpoint);
    return 0;
}

int endpoint_check(const char *endpoint, bool insecure, struct err *err)
{
    char host[ENDPOINT_SIZE];
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return check_ipc(endpoint, endpoint + 6, err);
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return err_set(
            err, ERR_INVALID,
            "'%.120s' is no endpoint: write tcp://127.0.0.1:5700, tcp://127.0.0.1:* (any free port) or "
            "ipc:///path",
            endpoint);
    if (!split_tcp(host, endpoint + 6))
        return err_set(err, ERR_INVALID,
                       "'%.120s' is no endpoint: write tcp://HOST:PORT, where PORT may be *", endpoint);
    if (!insecure && !is_loopback(host))
        return err_set(err, ERR_REFUSED,
                       "endpoint '%.80s' can be reached from other machines, and anybody there could submit "
                       "commands to run: use tcp://127.0.0.1:PORT or ipc, or say --insecure",
                       endpoint);
    return 0;
}

int endpoint_bind(char bound[static ENDPOINT_SIZE], void *socket, const char *endpoint, struct err *err)
{
    int v6 = strchr(endpoint, '[') != NULL;
    size_t size = ENDPOINT_SIZE;
    if (zmq_setsockopt(socket, ZMQ_IPV6, &v6, sizeof v6) == 0 && zmq_bind(socket, endpoint) == 0 &&
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size) == 0)
        return 0;
    switch (errno) {
    case EADDRINUSE:
        return err_set(err, ERR_BUSY,
                       "'%.120s' is in use by another process: choose another port, or * for a free one",
                       endpoint);
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case ENAMETOOLONG:
        return err_set(err, ERR_INVALID, "cannot listen at '%.120s': %s", endpoint, zmq_strerror(errno));
    default:
        return err_set(err, ERR_IO, "cannot listen at '%.120s': %s", endpoint, zmq_strerror(errno));
    }
}
