/* SPDX-License-Identifier: Apache-2.0 */
/* The load: one thread, one epoll, a closed loop on every connection. */
#include "load.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/clock.h"
#include "server/generator.h"

#define LOAD_ANSWER_BYTES 65536u
#define LOAD_WAIT_MS 60000 /* a server silent for this long is not there any more */
#define LOAD_EVENTS 64

struct load_connection {
    int fd;
    int64_t started_us;
    char header[1024];
    struct iovec parts[4]; /* header, bracket, events, bracket: what is not sent yet */
    size_t part;           /* the first that is not sent whole */
    size_t answer_size;
    bool waiting;          /* for the socket to take more */
    char answer[LOAD_ANSWER_BYTES];
};

struct load {
    const struct load_settings *settings;
    const struct payload *payload;
    struct load_result *result;
    struct load_connection *connections;
    char host[256], port[16];
    int epoll;
    uint64_t sent_events, requests, answered;
    size_t position; /* in the payload */
};

static enum error_code load_read_url(struct load *load, struct error *error)
{
    struct slice rest = slice_from_string(load->settings->url);
    if (!slice_starts_with(rest, SLICE("http://"))) return error_set(error, ERROR_INVALID, "--url: http://HOST:PORT is meant");
    rest = slice_from(rest, 7);
    struct slice host = slice_cut(&rest, ':'), port = slice_cut(&rest, '/');
    if (host.size == 0 || port.size == 0 || host.size >= sizeof load->host || port.size >= sizeof load->port)
        return error_set(error, ERROR_INVALID, "--url: http://HOST:PORT is meant");
    snprintf(load->host, sizeof load->host, "%.*s", SLICE_ARGS(host));
    snprintf(load->port, sizeof load->port, "%.*s", SLICE_ARGS(port));
    return ERROR_NONE;
}

static enum error_code load_connect(struct load *load, size_t index, struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(load->host, load->port, &hints, &found);
    if (failed) return error_set(error, ERROR_IO, "%s: %s", load->host, gai_strerror(failed));
    struct load_connection *connection = &load->connections[index];
    int one = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed = connection->fd < 0 || connect(connection->fd, found->ai_addr, found->ai_addrlen) != 0;
    freeaddrinfo(found);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    if (failed || fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        return error_set_errno(error, errno, "cannot connect to %s:%s", load->host, load->port);
    return ERROR_NONE;
}

static void load_watch(struct load *load, size_t index, bool for_writing)
{
    struct load_connection *connection = &load->connections[index];
    if (connection->waiting == for_writing) return;
    struct epoll_event event = {.events = EPOLLIN | (for_writing ? EPOLLOUT : 0), .data.u64 = index};
    ASSERT(epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0);
    connection->waiting = for_writing;
}

/* Sends what the socket takes. */
static enum error_code load_write(struct load *load, size_t index, struct error *error)
{
    struct load_connection *connection = &load->connections[index];
    const size_t count = sizeof connection->parts / sizeof connection->parts[0];
    while (connection->part < count) {
        struct msghdr message = {.msg_iov = &connection->parts[connection->part], .msg_iovlen = count - connection->part};
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            load_watch(load, index, true);
            return ERROR_NONE;
        }
        if (sent < 0) return error_set_errno(error, errno, "sending");
        load->result->bytes_sent += (uint64_t)sent;
        while (connection->part < count && (size_t)sent >= connection->parts[connection->part].iov_len)
            sent -= (ssize_t)connection->parts[connection->part++].iov_len;
        if (connection->part == count) break;
        struct iovec *part = &connection->parts[connection->part];
        part->iov_base = (char *)part->iov_base + sent;
        part->iov_len -= (size_t)sent;
    }
    load_watch(load, index, false);
    return ERROR_NONE;
}

/* What a browser and the proxy before the server add to a request. Another person's for each request. */
static void load_write_client(uint64_t number, char *out, size_t size)
{
    char user_agent[GENERATOR_USER_AGENT_SIZE], address[GENERATOR_ADDRESS_SIZE];
    uint64_t person = (number + 1) * 0x9E3779B97F4A7C15ULL;
    person = (person ^ (person >> 30)) * 0xBF58476D1CE4E5B9ULL;
    person ^= person >> 27;
    generator_user_agent(person, user_agent);
    generator_address(person, address);
    snprintf(out, size, "User-Agent: %s\r\nX-Forwarded-For: %s\r\n", user_agent, address);
}

/* The next batch goes out on this connection, if there is one left. */
static enum error_code load_next(struct load *load, size_t index, struct error *error)
{
    const struct load_settings *settings = load->settings;
    struct load_connection *connection = &load->connections[index];
    uint64_t left = settings->events - load->sent_events;
    if (left == 0) return ERROR_NONE;
    size_t count = left < settings->batch ? (size_t)left : settings->batch;
    if (load->position + count > load->payload->count) load->position = 0;
    struct slice events = payload_slice(load->payload, load->position, count);
    load->position += count;
    load->sent_events += count;
    load->requests++;
    bool has_key = settings->key && settings->key[0], is_array = settings->batch > 1;
    char client[GENERATOR_USER_AGENT_SIZE + GENERATOR_ADDRESS_SIZE + 64] = "";
    if (settings->has_clients) load_write_client(load->requests, client, sizeof client);
    int header_size = snprintf(connection->header, sizeof connection->header,
        "POST %s HTTP/1.1\r\nHost: %s:%s\r\n%s%s%s%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", settings->path,
        load->host, load->port, has_key ? "Authorization: Bearer " : "", has_key ? settings->key : "", has_key ? "\r\n" : "", client,
        events.size + (is_array ? 2 : 0));
    if (header_size < 0 || (size_t)header_size >= sizeof connection->header)
        return error_set(error, ERROR_INVALID, "key, path and host are too long together");
    connection->parts[0] = (struct iovec){connection->header, (size_t)header_size};
    connection->parts[1] = (struct iovec){(char *)"[", is_array};
    connection->parts[2] = (struct iovec){(char *)events.data, events.size};
    connection->parts[3] = (struct iovec){(char *)"]", is_array};
    connection->part = 0;
    connection->answer_size = 0;
    connection->started_us = os_clock_monotonic_us();
    return load_write(load, index, error);
}

/* The value of a header, or an empty slice. `header` ends with the empty line. */
static struct slice load_header(struct slice header, const char *name)
{
    size_t name_size = strlen(name);
    while (header.size > 0) {
        struct slice line = slice_cut(&header, '\n');
        if (line.size > name_size && line.data[name_size] == ':' && strncasecmp(line.data, name, name_size) == 0)
            return slice_trim(slice_from(line, name_size + 1));
    }
    return SLICE_EMPTY;
}

static void load_count_answer(struct load *load, const struct load_connection *connection, int status, struct slice body)
{
    struct load_result *result = load->result;
    static const char accepted[] = "\"accepted\":";
    const char *at = memmem(body.data, body.size, accepted, sizeof accepted - 1);
    /* The digits are followed by a comma or a brace, for the body is whole. */
    if (at && body.data[body.size - 1] == '}') result->accepted += strtoull(at + sizeof accepted - 1, NULL, 10);
    result->latencies_us[load->answered++] = (uint32_t)(os_clock_monotonic_us() - connection->started_us);
    if (status == 200) return;
    if (result->failed_requests++ > 0) return;
    result->first_failure = status;
    snprintf(result->first_failure_body, sizeof result->first_failure_body, "%.*s", SLICE_ARGS(slice_first(body, 199)));
}

static enum error_code load_read(struct load *load, size_t index, struct error *error)
{
    struct load_connection *connection = &load->connections[index];
    ssize_t got = recv(connection->fd, connection->answer + connection->answer_size,
                       sizeof connection->answer - connection->answer_size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return ERROR_NONE;
    if (got < 0) return error_set_errno(error, errno, "receiving");
    if (got == 0) return error_set(error, ERROR_IO, "the server closed a connection, or its answer is longer than 64 KiB");
    connection->answer_size += (size_t)got;
    struct slice answer = slice_make(connection->answer, connection->answer_size);
    const char *end = memmem(answer.data, answer.size, "\r\n\r\n", 4);
    if (!end) return ERROR_NONE;
    struct slice header = slice_first(answer, (size_t)(end - answer.data) + 4), body = slice_from(answer, header.size);
    int64_t status, length;
    if (!slice_starts_with(header, SLICE("HTTP/1.1 ")) || !slice_parse_int64(slice_first(slice_from(header, 9), 3), &status) ||
        !slice_parse_int64(load_header(header, "content-length"), &length))
        return error_set(error, ERROR_IO, "not an HTTP/1.1 answer with a length: %.*s", SLICE_ARGS(slice_first(header, 100)));
    if (body.size < (size_t)length) return ERROR_NONE;
    load_count_answer(load, connection, (int)status, body);
    return load_next(load, index, error);
}

static enum error_code load_loop(struct load *load, struct error *error)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < load->settings->connections && code == ERROR_NONE; i++) code = load_next(load, i, error);
    while (code == ERROR_NONE && load->answered < load->result->requests) {
        struct epoll_event events[LOAD_EVENTS];
        int count = epoll_wait(load->epoll, events, LOAD_EVENTS, LOAD_WAIT_MS);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_set_errno(error, errno, "epoll_wait");
        if (count == 0) return error_set(error, ERROR_TIMEOUT, "no answer for a minute");
        for (int i = 0; i < count && code == ERROR_NONE; i++) {
            size_t index = (size_t)events[i].data.u64;
            if (events[i].events & EPOLLOUT) code = load_write(load, index, error);
            if (code == ERROR_NONE && events[i].events & ~(uint32_t)EPOLLOUT) code = load_read(load, index, error);
        }
    }
    return code;
}

static int64_t load_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int load_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

enum error_code load_run(const struct load_settings *settings, const struct payload *payload, struct load_result *ret_result,
                         struct error *error)
{
    struct load_result result = {.requests = (settings->events + settings->batch - 1) / settings->batch};
    struct load load = {.settings = settings, .payload = payload, .result = &result, .epoll = epoll_create1(EPOLL_CLOEXEC),
                        .connections = calloc(settings->connections, sizeof *load.connections)};
    result.latencies_us = calloc(result.requests, sizeof *result.latencies_us);
    enum error_code code = load.connections && result.latencies_us && load.epoll >= 0
                               ? load_read_url(&load, error) : error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < settings->connections && load.connections; i++) load.connections[i].fd = -1;
    for (size_t i = 0; i < settings->connections && code == ERROR_NONE; i++) code = load_connect(&load, i, error);
    int64_t started_us = os_clock_monotonic_us(), cpu_us = load_cpu_us();
    if (code == ERROR_NONE) code = load_loop(&load, error);
    result.wall_us = os_clock_monotonic_us() - started_us;
    result.cpu_us = load_cpu_us() - cpu_us;
    for (size_t i = 0; i < settings->connections && load.connections; i++)
        if (load.connections[i].fd >= 0) close(load.connections[i].fd);
    if (load.epoll >= 0) close(load.epoll);
    free(load.connections);
    if (code != ERROR_NONE) {
        free(result.latencies_us);
        return code;
    }
    qsort(result.latencies_us, result.requests, sizeof *result.latencies_us, load_compare);
    *ret_result = result;
    return ERROR_NONE;
}
