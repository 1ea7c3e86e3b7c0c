/* A worker's part in a gang. */
#include "worker/gang.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/fleet.h"

void gang_init(struct gang *gang)
{
    memset(gang, 0, sizeof *gang);
    gang->port_fd = -1;
}

void gang_leave(struct gang *gang)
{
    if (gang->port_fd >= 0)
        (void)close(gang->port_fd); /* nothing was ever sent through it */
    free(gang->addresses);
    free(gang->texts);
    gang_init(gang);
}

/* Binds a port that the kernel chooses, on all addresses of the host. */
static int hold_port(struct gang *gang, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int yes = 1;
    gang->port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (gang->port_fd < 0 || setsockopt(gang->port_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        setsockopt(gang->port_fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) ||
        bind(gang->port_fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(gang->port_fd, (struct sockaddr *)&address, &size))
        return err_set(err, ERR_IO, "cannot hold a port for a gang: %s", strerror(errno));
    gang->port = ntohs(address.sin_port);
    return ERR_OK;
}

/* The address by which this host talks to `host`: a datagram socket chooses it without sending anything. */
static int address_towards(char *out, size_t size, const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    struct sockaddr_storage own;
    socklen_t own_size = sizeof own;
    int code = ERR_IO;
    if (getaddrinfo(host, port, &hints, &found))
        return ERR_IO;
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, found->ai_addr, found->ai_addrlen) &&
        !getsockname(fd, (struct sockaddr *)&own, &own_size) &&
        !getnameinfo((struct sockaddr *)&own, own_size, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST))
        code = ERR_OK;
    if (fd >= 0)
        (void)close(fd); /* nothing was sent */
    freeaddrinfo(found);
    return code;
}

/* "tcp://host:port" or "tcp://[host]:port": the rest is on this host alone. */
static void find_own_address(char *out, size_t size, const char *endpoint)
{
    const char *given = getenv("PROVA_ADDRESS");
    char host[GANG_MAX_HOST + 1];
    (void)snprintf(out, size, "%s", given && *given ? given : "127.0.0.1"); /* one too long is no address */
    const char *port = strrchr(endpoint, ':');
    if ((given && *given) || strncmp(endpoint, "tcp://", 6) != 0 || !port || port < endpoint + 6)
        return;
    const char *begin = endpoint + 6, *end = port;
    if (*begin == '[' && end[-1] == ']') {
        begin++;
        end--;
    }
    if ((size_t)(end - begin) >= sizeof host)
        return;
    (void)snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin);
    if (address_towards(out, size, host, port + 1))
        (void)snprintf(out, size, "127.0.0.1"); /* then nobody but this host will reach it either */
}

/* Members find each other by their ranks, not by ports. */
static int take_fleet_rank(struct gang *gang, struct err *err)
{
    if (!fleet_is_open())
        return err_set(err, ERR_UNSUPPORTED,
                       "runtime mpi needs workers that mpirun has started: mpirun -n N prova worker ...");
    gang->port = (uint64_t)fleet_rank() + 1;
    return ERR_OK;
}

int gang_prepare(struct gang *gang, const struct wire_assign *assign, enum runtime runtime,
                 const char *endpoint, struct err *err)
{
    gang_leave(gang);
    gang->part = (struct handle_gang){.number = assign->gang, .rank = assign->rank, .world = assign->world};
    if (assign->rank >= assign->world)
        return err_set(err, ERR_PROTOCOL, "assigned as rank %llu of a gang of %llu",
                       (unsigned long long)assign->rank, (unsigned long long)assign->world);
    find_own_address(gang->host, sizeof gang->host, endpoint);
    return runtime == RUNTIME_MPI ? take_fleet_rank(gang, err) : hold_port(gang, err);
}

int gang_begin(struct gang *gang, const struct wire_start *start, struct err *err)
{
    size_t n = start->addresses.n, size = 0;
    if (n != gang->part.world)
        return err_set(err, ERR_PROTOCOL, "started with %zu addresses in a gang of %llu", n,
                       (unsigned long long)gang->part.world);
    for (size_t i = 0; i < n; i++) {
        if (!strrchr(start->addresses.list[i].data, ':'))
            return err_set(err, ERR_PROTOCOL, "'%.80s' is no address of a member",
                           start->addresses.list[i].data);
        size += start->addresses.list[i].size + 1;
    }
    gang->addresses = calloc(n, sizeof *gang->addresses);
    gang->texts = malloc(size);
    if (!gang->addresses || !gang->texts)
        return err_set(err, ERR_NOMEM, "%s", err_string(ERR_NOMEM));
    char *at = gang->texts;
    for (size_t i = 0; i < n; i++) {
        memcpy(at, start->addresses.list[i].data, start->addresses.list[i].size + 1); /* with its end */
        gang->addresses[i] = at;
        at += start->addresses.list[i].size + 1;
    }
    gang->part.addresses = gang->addresses;
    gang->part.local_rank = start->local_rank;
    gang->part.local_world = start->local_world;
    return ERR_OK;
}
