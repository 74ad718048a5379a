/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of listeners and streams over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buffer.h"
#include "listen/listen.h"
#include "os/clock.h"
#include "os/file.h"

/* A protocol that notes what it is told; `on_received` lets a test react inside the callback. */
static struct {
    struct listen_stream *stream;
    struct buffer received;
    int opened, drained, timed_out, closed, peer_closed, all_received, stopping;
    size_t other_received;
    bool refuse;
    void (*on_received)(struct listen_stream *stream, struct slice bytes);
} noted;
static struct os_loop *loop;
static struct listen_listener *listener;

static void *note_opened(void *context, struct listen_stream *stream)
{
    noted.opened++;
    if (noted.refuse) return NULL;
    noted.stream = stream;
    return &noted;
}
static void note_received(void *state, struct slice bytes)
{
    buffer_append_slice(&noted.received, bytes);
    if (noted.on_received) noted.on_received(noted.stream, bytes);
}
static void note_drained(void *state)
{
    noted.drained++;
}
static void note_peer_closed(void *state, bool all_received)
{
    if (all_received) noted.all_received++;
    else noted.peer_closed++;
}
static void note_timed_out(void *state)
{
    noted.timed_out++;
}
static void note_closed(void *state)
{
    noted.closed++;
}
static void note_other_received(void *state, struct slice bytes)
{
    assert_ptr_not_equal(state, &noted);
    noted.other_received += bytes.size;
}
static void note_stopping(void *state)
{
    noted.stopping++;
}
static const struct listen_protocol noting = {
    .opened = note_opened,
    .received = note_received,
    .drained = note_drained,
    .peer_closed = note_peer_closed,
    .timed_out = note_timed_out,
    .stopping = note_stopping,
    .closed = note_closed,
};

static int setup(void **state)
{
    memset(&noted, 0, sizeof noted);
    loop = os_loop_create(NULL);
    struct listen_settings settings = {.host = "127.0.0.1", .connection_limit = 2, .protocol = &noting};
    return listen_listener_create(loop, &settings, &listener, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
    listen_listener_destroy(listener);
    os_loop_destroy(loop);
    buffer_free(&noted.received);
    return 0;
}

/* Turns the loop until the condition holds; a test fails when it does not within 10 s. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int64_t deadline = os_clock_monotonic_ms() + 10000;                                                            \
        while (!(condition) && os_clock_monotonic_ms() < deadline) os_loop_turn(loop, 20);                             \
        assert_true(condition);                                                                                        \
    } while (0)

static int connect_client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listen_listener_port(listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int open_stream(void)
{
    int before = noted.opened;
    int fd = connect_client();
    WAIT_FOR(noted.opened == before + 1);
    return fd;
}

/* Reads what is there; -1 when the peer closed or reset, with what came before kept in `into`. */
static int client_read(int fd, struct buffer *into)
{
    for (;;) {
        char *room = buffer_reserve(into, 65536);
        ssize_t got = recv(fd, room, 65536, 0);
        if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
        into->size += (size_t)got;
    }
}

static void echo(struct listen_stream *stream, struct slice bytes)
{
    listen_stream_write(stream, bytes);
}

static void bytes_go_both_ways(void **state)
{
    struct buffer answer = {0};
    noted.on_received = echo;
    int fd = open_stream();
    assert_string_equal(listen_stream_peer(noted.stream), "127.0.0.1");
    assert_ptr_equal(listen_stream_loop(noted.stream), loop);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    WAIT_FOR((client_read(fd, &answer), answer.size == 5));
    assert_memory_equal(answer.data, "hello", 5);
    close(fd);
    WAIT_FOR(noted.all_received == 1);
    assert_int_equal(noted.closed, 0); /* the protocol decides */
    listen_stream_close(noted.stream);
    WAIT_FOR(noted.closed == 1);
    assert_int_equal(listen_listener_connections(listener), 0);
    buffer_free(&answer);
}

static void connections_over_the_limit_are_closed_at_once(void **state)
{
    struct buffer nothing = {0};
    int fds[3];
    for (int i = 0; i < 2; i++) fds[i] = open_stream();
    fds[2] = connect_client();
    WAIT_FOR(client_read(fds[2], &nothing) == -1);
    assert_int_equal(noted.opened, 2);
    assert_int_equal(listen_listener_connections(listener), 2);
    for (int i = 0; i < 3; i++) close(fds[i]);
    buffer_free(&nothing);
}

static void refused_connection_is_closed(void **state)
{
    struct buffer nothing = {0};
    noted.refuse = true;
    int fd = open_stream();
    WAIT_FOR(client_read(fd, &nothing) == -1);
    assert_int_equal(listen_listener_connections(listener), 0);
    assert_int_equal(noted.closed, 0);
    close(fd);
    buffer_free(&nothing);
}

static void large_output_waits_for_a_slow_reader_and_tells_when_it_left(void **state)
{
    enum { SIZE = 20 << 20 };
    struct buffer answer = {0};
    char *large = malloc(SIZE);
    for (int i = 0; i < SIZE; i++) large[i] = (char)(i * 31 + (i >> 12));
    int fd = open_stream();
    listen_stream_write(noted.stream, slice_make(large, SIZE));
    listen_stream_write(noted.stream, SLICE("end"));
    assert_true(listen_stream_pending(noted.stream) > 0);
    assert_int_equal(noted.drained, 0);
    WAIT_FOR((client_read(fd, &answer), answer.size == SIZE + 3));
    WAIT_FOR(noted.drained == 1);
    assert_int_equal(listen_stream_pending(noted.stream), 0);
    assert_memory_equal(answer.data, large, SIZE);
    assert_memory_equal(answer.data + SIZE, "end", 3);
    free(large);
    buffer_free(&answer);
    close(fd);
}

static void paused_stream_reads_nothing_until_resumed(void **state)
{
    int fd = open_stream();
    listen_stream_pause(noted.stream);
    assert_int_equal(send(fd, "later", 5, 0), 5);
    for (int i = 0; i < 3; i++) os_loop_turn(loop, 10);
    assert_int_equal(noted.received.size, 0);
    listen_stream_resume(noted.stream);
    WAIT_FOR(noted.received.size == 5);
    close(fd);
}

static void paused_stream_learns_that_the_peer_left(void **state)
{
    int fd = open_stream();
    listen_stream_pause(noted.stream);
    assert_int_equal(send(fd, "last", 4, 0), 4);
    close(fd);
    WAIT_FOR(noted.peer_closed == 1);
    assert_int_equal(noted.all_received, 0);
    for (int i = 0; i < 3; i++) os_loop_turn(loop, 10);
    assert_int_equal(noted.peer_closed, 1); /* said once */
    listen_stream_resume(noted.stream);
    WAIT_FOR(noted.all_received == 1);
    assert_int_equal(noted.received.size, 4);
}

static void answer_reaches_a_peer_that_closed_its_side(void **state)
{
    struct buffer answer = {0};
    int fd = open_stream();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    WAIT_FOR(noted.all_received == 1);
    listen_stream_write(noted.stream, SLICE("still here"));
    listen_stream_close(noted.stream);
    WAIT_FOR(client_read(fd, &answer) == -1);
    assert_int_equal(answer.size, 10);
    WAIT_FOR(noted.closed == 1);
    close(fd);
    buffer_free(&answer);
}

static void close_lets_the_peer_read_the_answer_while_it_is_still_sending(void **state)
{
    struct buffer answer = {0};
    static char upload[1 << 16];
    int fd = open_stream();
    for (int i = 0; i < 10; i++) (void)!send(fd, upload, sizeof upload, 0);
    listen_stream_write(noted.stream, SLICE("too much"));
    listen_stream_close(noted.stream);
    size_t before = noted.received.size;
    for (int i = 0; i < 10; i++) {
        (void)!send(fd, upload, sizeof upload, MSG_NOSIGNAL);
        os_loop_turn(loop, 10);
    }
    WAIT_FOR(client_read(fd, &answer) == -1);
    assert_int_equal(answer.size, 8);
    assert_int_equal(noted.received.size, before); /* not given to the protocol any more */
    close(fd);
    WAIT_FOR(noted.closed == 1);
    buffer_free(&answer);
}

static void abort_in_received(struct listen_stream *stream, struct slice bytes)
{
    listen_stream_abort(stream);
    assert_int_equal(noted.closed, 0); /* not inside the call */
    listen_stream_write(stream, SLICE("dropped"));
}

static void abort_closes_at_once_but_tells_later(void **state)
{
    struct buffer answer = {0};
    int fd = open_stream();
    listen_stream_abort(noted.stream);
    assert_int_equal(noted.closed, 0);
    WAIT_FOR(noted.closed == 1);
    assert_int_equal(client_read(fd, &answer), -1);
    close(fd);
    noted.on_received = abort_in_received;
    noted.closed = 0;
    fd = open_stream();
    assert_int_equal(send(fd, "x", 1, 0), 1);
    WAIT_FOR(noted.closed == 1);
    close(fd);
    buffer_free(&answer);
}

static void reset_by_the_peer_closes(void **state)
{
    int fd = open_stream();
    listen_stream_pause(noted.stream);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    WAIT_FOR(noted.closed == 1);
}

static void deadline_passes_once_and_can_be_moved(void **state)
{
    int fd = open_stream();
    int64_t start = os_clock_monotonic_ms();
    listen_stream_set_deadline(noted.stream, 10);
    listen_stream_set_deadline(noted.stream, 60);
    WAIT_FOR(noted.timed_out == 1);
    assert_true(os_clock_monotonic_ms() - start >= 59);
    listen_stream_set_deadline(noted.stream, 60000);
    listen_stream_set_deadline(noted.stream, 10); /* sooner than the armed one */
    WAIT_FOR(noted.timed_out == 2);
    listen_stream_set_deadline(noted.stream, 5);
    listen_stream_set_deadline(noted.stream, 0);
    start = os_clock_monotonic_ms();
    while (os_clock_monotonic_ms() - start < 30) os_loop_turn(loop, 10);
    assert_int_equal(noted.timed_out, 2);
    close(fd);
}

static void stopped_listener_refuses_new_and_keeps_old_connections(void **state)
{
    noted.on_received = echo;
    struct buffer answer = {0};
    int fd = open_stream();
    listen_listener_stop(listener);
    assert_int_equal(noted.stopping, 1);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(listen_listener_port(listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof to), -1);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    WAIT_FOR((client_read(fd, &answer), answer.size == 1));
    close(late);
    close(fd);
    buffer_free(&answer);
}

static void hand_over_at_a_plus(struct listen_stream *stream, struct slice bytes)
{
    static struct listen_protocol other;
    static char state;
    if (bytes.data[0] != '+') return;
    other = noting;
    other.received = note_other_received;
    noted.on_received = NULL;
    listen_stream_hand_to(stream, &other, &state);
}

static void protocol_hands_its_stream_to_another(void **state)
{
    int fd = open_stream();
    noted.on_received = hand_over_at_a_plus;
    assert_int_equal(send(fd, "+", 1, 0), 1);
    WAIT_FOR(noted.received.size == 1);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    WAIT_FOR(noted.other_received == 1);
    assert_int_equal(noted.received.size, 1);
    close(fd);
}

static void destroy_closes_every_stream(void **state)
{
    int a = open_stream(), b = open_stream();
    listen_listener_destroy(listener);
    listener = NULL;
    assert_int_equal(noted.closed, 2);
    close(a);
    close(b);
}

static void unix_socket_and_adopted_descriptor_work_the_same(void **state)
{
    char folder[] = "/tmp/millrace-listen-test-XXXXXX";
    char path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    struct buffer answer = {0};
    struct listen_listener *other;
    struct listen_settings settings = {.unix_path = path, .connection_limit = 5, .protocol = &noting};
    assert_int_equal(listen_listener_create(loop, &settings, &other, NULL), 0);
    noted.on_received = echo;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    WAIT_FOR(noted.opened == 1);
    assert_string_equal(listen_stream_peer(noted.stream), "");
    assert_int_equal(send(fd, "abc", 3, 0), 3);
    WAIT_FOR((client_read(fd, &answer), answer.size == 3));
    close(fd);
    WAIT_FOR(noted.closed == 1); /* a closed Unix socket cannot take an answer */
    assert_int_equal(noted.all_received, 1);

    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(listen_listener_adopt(other, ends[0], NULL), 0);
    assert_int_equal(send(ends[1], "d", 1, 0), 1);
    WAIT_FOR((client_read(ends[1], &answer), answer.size == 4));
    close(ends[1]);
    listen_listener_destroy(other);
    assert_false(os_file_exists(path));
    rmdir(folder);
    buffer_free(&answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways),
        TEST(connections_over_the_limit_are_closed_at_once),
        TEST(refused_connection_is_closed),
        TEST(large_output_waits_for_a_slow_reader_and_tells_when_it_left),
        TEST(paused_stream_reads_nothing_until_resumed),
        TEST(paused_stream_learns_that_the_peer_left),
        TEST(answer_reaches_a_peer_that_closed_its_side),
        TEST(close_lets_the_peer_read_the_answer_while_it_is_still_sending),
        TEST(abort_closes_at_once_but_tells_later),
        TEST(reset_by_the_peer_closes),
        TEST(deadline_passes_once_and_can_be_moved),
        TEST(stopped_listener_refuses_new_and_keeps_old_connections),
        TEST(protocol_hands_its_stream_to_another),
        TEST(destroy_closes_every_stream),
        TEST(unix_socket_and_adopted_descriptor_work_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
