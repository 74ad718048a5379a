/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of listening sockets: free ports, shared ports, stale Unix sockets, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "os/file.h"
#include "os/socket.h"

static int accept_within_5s(int listen_fd, char address[OS_SOCKET_ADDRESS_SIZE])
{
    struct pollfd entry = {.fd = listen_fd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 5000), 1);
    return os_socket_accept(listen_fd, address);
}

static void takes_a_connection_and_knows_its_peer(void **state)
{
    int listen_fd;
    uint16_t port = 0;
    char address[OS_SOCKET_ADDRESS_SIZE];
    assert_int_equal(os_socket_listen_tcp("127.0.0.1", 0, &listen_fd, &port, NULL), 0);
    assert_int_not_equal(port, 0);
    assert_int_equal(os_socket_accept(listen_fd, address), -1);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    int fd = accept_within_5s(listen_fd, address);
    assert_true(fd >= 0);
    assert_string_equal(address, "127.0.0.1");
    /* A second listener shares the port: one per event loop. */
    int second_fd;
    uint16_t second_port = 0;
    assert_int_equal(os_socket_listen_tcp("127.0.0.1", port, &second_fd, &second_port, NULL), 0);
    assert_int_equal(second_port, port);
    struct error error = {0};
    assert_int_equal(os_socket_check_free("127.0.0.1", port, &error), ERROR_CONFLICT); /* but is not free */
    assert_non_null(strstr(error.message, "another program"));
    close(second_fd);
    close(fd);
    close(client);
    close(listen_fd);
    assert_int_equal(os_socket_check_free("127.0.0.1", port, &error), ERROR_NONE);
}

static void says_that_it_cannot_listen(void **state)
{
    int fd;
    uint16_t port;
    struct error error = {0};
    assert_int_equal(os_socket_listen_tcp("203.0.113.7", 0, &fd, &port, &error), ERROR_IO);
    assert_non_null(strstr(error.message, "203.0.113.7"));
    assert_int_equal(os_socket_listen_tcp("not a host", 0, &fd, &port, &error), ERROR_INVALID);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

static void replaces_a_stale_unix_socket_but_not_a_live_one_or_a_file(void **state)
{
    char folder[] = "/tmp/millrace-socket-test-XXXXXX";
    char path[80], address[OS_SOCKET_ADDRESS_SIZE];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    int listen_fd, other_fd;
    assert_int_equal(os_socket_listen_unix(path, &listen_fd, NULL), 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    int client = connect_unix(path);
    assert_true(client >= 0);
    int fd = accept_within_5s(listen_fd, address);
    assert_string_equal(address, "");
    assert_int_equal(os_socket_listen_unix(path, &other_fd, NULL), ERROR_CONFLICT);
    close(fd);
    close(client);
    close(listen_fd); /* leaves the file behind, as a killed process does */
    assert_int_equal(os_socket_listen_unix(path, &listen_fd, NULL), 0);
    close(listen_fd);
    unlink(path);
    assert_int_equal(os_file_replace(path, SLICE("x"), NULL), 0);
    assert_int_equal(os_socket_listen_unix(path, &listen_fd, NULL), ERROR_CONFLICT);
    unlink(path);
    rmdir(folder);
}

static void refuses_a_unix_path_that_is_too_long(void **state)
{
    char path[200];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    int fd;
    assert_int_equal(os_socket_listen_unix(path, &fd, NULL), ERROR_INVALID);
}

static void parses_addresses(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1", 80}, {"[::1]:8080", "::1", 8080}, {"localhost:0", "localhost", 0},
        {":9000", "", 9000}, {"[::]:65535", "::", 65535}, {"host", NULL, 0}, {"host:", NULL, 0},
        {"host:65536", NULL, 0},
        {"::1:80", NULL, 0}, {"[::1]80", NULL, 0}, {"[::1", NULL, 0}, {"", NULL, 0}, {"host:-1", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char host[256];
        uint16_t port;
        enum error_code code = os_socket_parse_address(cases[i].text, host, &port, NULL);
        assert_int_equal(code, cases[i].host ? ERROR_NONE : ERROR_INVALID);
        if (code) continue;
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_connection_and_knows_its_peer), cmocka_unit_test(says_that_it_cannot_listen),
        cmocka_unit_test(replaces_a_stale_unix_socket_but_not_a_live_one_or_a_file),
        cmocka_unit_test(refuses_a_unix_path_that_is_too_long), cmocka_unit_test(parses_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
