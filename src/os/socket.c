/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets and the connections taken from them. */
#include "os/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/slice.h"

/* Connections waiting to be taken; the kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

static enum error_code listen_on(const struct addrinfo *address, const char *host, uint16_t port, int *ret_fd,
                                 struct error *error)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return error_set_errno(error, errno, "cannot create a socket for %s", host);
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* Connections inherit it: answers are written whole, waiting for more would only delay them. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (address->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved_errno = errno;
        close(fd);
        return error_set_errno(error, saved_errno, "cannot listen on %s port %u", host, port);
    }
    *ret_fd = fd;
    return ERROR_NONE;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static enum error_code find_addresses(const char *host, uint16_t port, struct addrinfo **ret_addresses,
                                      struct error *error)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int result = getaddrinfo(host[0] ? host : NULL, service, &hints, ret_addresses);
    if (result == 0) return ERROR_NONE;
    return error_set(error, ERROR_INVALID, "cannot find the address of host %s: %s", host, gai_strerror(result));
}

/* Whether the address cannot be had alone. */
static bool is_taken(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    bool taken = bind(fd, address->ai_addr, address->ai_addrlen) != 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

enum error_code os_socket_check_free(const char *host, uint16_t port, struct error *error)
{
    struct addrinfo *addresses = NULL;
    if (port == 0) return ERROR_NONE;
    enum error_code code = find_addresses(host, port, &addresses, error);
    for (struct addrinfo *address = addresses; address && !code; address = address->ai_next)
        if (is_taken(address))
            code = error_set(error, ERROR_CONFLICT, "cannot listen on %s port %u: another program does", host, port);
    if (addresses) freeaddrinfo(addresses);
    return code;
}

enum error_code os_socket_listen_tcp(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port,
                                     struct error *error)
{
    struct addrinfo *addresses = NULL;
    enum error_code code = find_addresses(host, port, &addresses, error);
    if (code) return code;
    code = ERROR_INTERNAL;
    for (struct addrinfo *address = addresses; address && code; address = address->ai_next)
        code = listen_on(address, host, port, ret_fd, error);
    freeaddrinfo(addresses);
    if (!code) *ret_port = port_of(*ret_fd);
    return code;
}

/* A socket file that nobody listens on was left behind by a process that died; anything else is not ours to remove. */
static enum error_code remove_stale(const struct sockaddr_un *address, struct error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) return ERROR_NONE;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_CONFLICT, "%s exists and is not a socket", address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return error_set_errno(error, errno, "cannot create a Unix socket");
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused)
        return error_set(error, ERROR_CONFLICT, "another process listens on %s: stop it or choose another path",
                         address->sun_path);
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return error_set_errno(error, errno, "cannot remove the stale socket %s", address->sun_path);
    return ERROR_NONE;
}

enum error_code os_socket_listen_unix(const char *path, int *ret_fd, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address.sun_path)
        return error_set(error, ERROR_INVALID, "path of a Unix socket must have 1 to %zu bytes: %s",
                         sizeof address.sun_path - 1, path);
    memcpy(address.sun_path, path, size + 1);
    enum error_code code = remove_stale(&address, error);
    if (code) return code;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return error_set_errno(error, errno, "cannot create a Unix socket");
    /* Nobody can connect before listen(), so the mode is in place in time. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || chmod(path, 0600) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int saved_errno = errno;
        close(fd);
        return error_set_errno(error, saved_errno, "cannot listen on %s", path);
    }
    *ret_fd = fd;
    return ERROR_NONE;
}

static void format_address(const struct sockaddr_storage *address, char out[OS_SOCKET_ADDRESS_SIZE])
{
    out[0] = 0;
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, OS_SOCKET_ADDRESS_SIZE);
    } else if (address->ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        /* A client that came over IPv4 has an IPv4 address, whatever the listening socket is. */
        if (IN6_IS_ADDR_V4MAPPED(v6))
            inet_ntop(AF_INET, &v6->s6_addr[12], out, OS_SOCKET_ADDRESS_SIZE);
        else
            inet_ntop(AF_INET6, v6, out, OS_SOCKET_ADDRESS_SIZE);
    }
}

int os_socket_accept(int listen_fd, char address[OS_SOCKET_ADDRESS_SIZE])
{
    for (;;) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(listen_fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            format_address(&peer, address);
            return fd;
        }
        /* A connection that died in the queue is not the end of the queue. */
        if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) return -1;
    }
}

enum error_code os_socket_parse_address(const char *text, char host[256], uint16_t *ret_port, struct error *error)
{
    struct slice rest = slice_from_string(text), name;
    ptrdiff_t colon = -1;
    if (rest.size > 0 && rest.data[0] == '[') {
        ptrdiff_t end = slice_index_of(rest, ']');
        if (end > 0 && (size_t)end + 1 < rest.size && rest.data[end + 1] == ':') colon = end + 1;
        name = slice_make(rest.data + 1, end > 0 ? (size_t)end - 1 : 0);
    } else {
        colon = slice_index_of(rest, ':');
        name = slice_first(rest, colon > 0 ? (size_t)colon : 0);
    }
    uint64_t port;
    if (colon < 0 || name.size >= 256 || !slice_parse_uint64(slice_from(rest, (size_t)colon + 1), &port) ||
        port > 65535)
        return error_set(error, ERROR_INVALID, "not an address: \"%s\"; write HOST:PORT or [IPV6]:PORT", text);
    memcpy(host, name.data, name.size);
    host[name.size] = 0;
    *ret_port = (uint16_t)port;
    return ERROR_NONE;
}
