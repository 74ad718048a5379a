/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of TLS streams against OpenSSL's client, and of certificates that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buffer.h"
#include "listen/listen.h"
#include "listen/tls_fixture.h"
#include "os/clock.h"

static struct {
    struct listen_stream *stream;
    struct buffer received;
    int opened, drained, timed_out, closed, peer_closed, all_received;
    int64_t deadline_ms; /* set in `opened` */
    void (*on_received)(struct listen_stream *stream, struct slice bytes);
} noted;
static struct os_loop *loop;
static struct listen_listener *listener;
static struct listen_tls *tls;
static char folder[64], certificate_file[96], key_file[96];

static void *note_opened(void *context, struct listen_stream *stream)
{
    noted.opened++;
    noted.stream = stream;
    if (noted.deadline_ms) listen_stream_set_deadline(stream, noted.deadline_ms);
    return &noted;
}
static void note_received(void *state, struct slice bytes)
{
    buffer_append_slice(&noted.received, bytes);
    if (noted.on_received) noted.on_received(noted.stream, bytes);
}
static void note_drained(void *state) { noted.drained++; }
static void note_peer_closed(void *state, bool all_received)
{
    if (all_received) noted.all_received++;
    else noted.peer_closed++;
}
static void note_timed_out(void *state) { noted.timed_out++; }
static void note_closed(void *state) { noted.closed++; }
static const struct listen_protocol noting = {.opened = note_opened, .received = note_received, .drained = note_drained,
                                              .peer_closed = note_peer_closed, .timed_out = note_timed_out, .closed = note_closed};

/* ---- certificates ---- */

/* Both files, replaced by renaming as tools that renew certificates do. */
static void write_pair(const char *name, long days)
{
    char new_certificate[112], new_key[112];
    snprintf(new_certificate, sizeof new_certificate, "%s.new", certificate_file);
    snprintf(new_key, sizeof new_key, "%s.new", key_file);
    EVP_PKEY *key = listen_tls_fixture_key(new_key, NULL);
    listen_tls_fixture_certificate(new_certificate, key, name, time(NULL) + days * 86400);
    assert_int_equal(rename(new_certificate, certificate_file), 0);
    assert_int_equal(rename(new_key, key_file), 0);
    EVP_PKEY_free(key);
}

static void listen_with(int64_t handshake_timeout_ms)
{
    static const char *const protocols[] = {"h2", "http/1.1", NULL};
    struct listen_tls_settings settings = {certificate_file, key_file, protocols, handshake_timeout_ms};
    struct error error = {0};
    if (listen_tls_create(&settings, &tls, &error)) fail_msg("%s", error.message);
    struct listen_settings listen = {.host = "127.0.0.1", .connection_limit = 4, .protocol = &noting, .tls = tls};
    assert_int_equal(listen_listener_create(loop, &listen, &listener, NULL), 0);
}

static int setup(void **state)
{
    memset(&noted, 0, sizeof noted);
    snprintf(folder, sizeof folder, "/tmp/millrace-tls-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
    write_pair("first.example", 30);
    loop = os_loop_create(NULL);
    listen_with(0);
    return 0;
}

static int teardown(void **state)
{
    listen_listener_destroy(listener);
    listen_tls_destroy(tls);
    os_loop_destroy(loop);
    buffer_free(&noted.received);
    unlink(certificate_file);
    unlink(key_file);
    rmdir(folder);
    return 0;
}

/* ---- the client ---- */

/* Turns the loop until the condition holds; a test fails when it does not within 10 s. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int64_t deadline = os_clock_monotonic_ms() + 10000;                                                            \
        while (!(condition) && os_clock_monotonic_ms() < deadline) os_loop_turn(loop, 5);                              \
        assert_true(condition);                                                                                        \
    } while (0)

static int connect_plain(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(listen_listener_port(listener)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* -1: refused, 0: under way, 1: done */
static int handshake(SSL *client)
{
    ERR_clear_error();
    int result = SSL_connect(client);
    if (result == 1) return 1;
    int why = SSL_get_error(client, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

struct client_settings {
    int version; /* 0: any */
    struct slice protocols;
    SSL_SESSION *session;
};

static SSL *client_new(struct client_settings settings)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_security_level(context, 0); /* the client may offer old versions: the server must refuse them */
    if (settings.version) {
        SSL_CTX_set_min_proto_version(context, settings.version);
        SSL_CTX_set_max_proto_version(context, settings.version);
    }
    if (settings.protocols.size)
        SSL_CTX_set_alpn_protos(context, (const unsigned char *)settings.protocols.data, (unsigned)settings.protocols.size);
    SSL *client = SSL_new(context);
    SSL_CTX_free(context);
    if (settings.session) SSL_set_session(client, settings.session);
    SSL_set_fd(client, connect_plain());
    return client;
}

static SSL *client_open(struct client_settings settings)
{
    int before = noted.opened;
    SSL *client = client_new(settings);
    int done;
    WAIT_FOR((done = handshake(client)) != 0);
    assert_int_equal(done, 1);
    WAIT_FOR(noted.opened == before + 1);
    return client;
}

static void client_free(SSL *client)
{
    close(SSL_get_fd(client));
    SSL_free(client);
}

enum client_end { CLIENT_OPEN, CLIENT_TOLD, CLIENT_CUT };
/* Reads what is there. CLIENT_TOLD: the server said that it ends; CLIENT_CUT: it ended without saying so. */
static enum client_end client_read(SSL *client, struct buffer *into)
{
    for (;;) {
        char *room = buffer_reserve(into, 65536);
        ERR_clear_error();
        int got = SSL_read(client, room, 65536);
        if (got > 0) {
            into->size += (size_t)got;
            continue;
        }
        int why = SSL_get_error(client, got);
        if (why == SSL_ERROR_WANT_READ) return CLIENT_OPEN;
        return why == SSL_ERROR_ZERO_RETURN ? CLIENT_TOLD : CLIENT_CUT;
    }
}

static void client_write(SSL *client, struct slice bytes)
{
    while (bytes.size) {
        int sent = SSL_write(client, bytes.data, (int)bytes.size);
        if (sent > 0) bytes = slice_from(bytes, (size_t)sent);
        else {
            assert_int_equal(SSL_get_error(client, sent), SSL_ERROR_WANT_WRITE);
            os_loop_turn(loop, 5);
        }
    }
}

static bool has_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static const char *client_sees(SSL *client)
{
    static char name[64];
    X509 *certificate = SSL_get1_peer_certificate(client);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
}

static void echo(struct listen_stream *stream, struct slice bytes) { listen_stream_write(stream, bytes); }

/* ---- tests ---- */

static void bytes_go_both_ways_in_both_versions(void **state)
{
    noted.on_received = echo;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct buffer answer = {0};
        SSL *client = client_open((struct client_settings){.version = version});
        assert_int_equal(SSL_version(client), version);
        assert_string_equal(client_sees(client), "first.example");
        assert_string_equal(listen_stream_peer(noted.stream), "127.0.0.1");
        client_write(client, SLICE("hello"));
        WAIT_FOR((client_read(client, &answer), answer.size == 5));
        assert_memory_equal(answer.data, "hello", 5);
        client_free(client);
        buffer_free(&answer);
    }
    WAIT_FOR(noted.closed == 2);
}

static void large_bodies_go_both_ways(void **state)
{
    enum { SIZE = 20 << 20 };
    struct buffer answer = {0};
    char *large = malloc(SIZE);
    for (int i = 0; i < SIZE; i++) large[i] = (char)(i * 31 + (i >> 12));
    SSL *client = client_open((struct client_settings){0});
    listen_stream_write(noted.stream, slice_make(large, SIZE));
    listen_stream_write(noted.stream, SLICE("end"));
    assert_true(listen_stream_pending(noted.stream) > 0);
    WAIT_FOR((client_read(client, &answer), answer.size == SIZE + 3));
    WAIT_FOR(noted.drained == 1);
    assert_int_equal(listen_stream_pending(noted.stream), 0);
    assert_true(listen_stream_sent(noted.stream) > SIZE);
    assert_memory_equal(answer.data, large, SIZE);
    assert_memory_equal(answer.data + SIZE, "end", 3);
    client_write(client, slice_make(large, SIZE));
    WAIT_FOR(noted.received.size == SIZE);
    assert_memory_equal(noted.received.data, large, SIZE);
    free(large);
    buffer_free(&answer);
    client_free(client);
}

static void the_protocol_is_chosen_by_the_servers_order(void **state)
{
    static const struct {
        struct slice offered;
        const char *chosen; /* NULL: the handshake fails */
    } CASES[] = {
        {SLICE("\x08http/1.1\x02h2"), "h2"},
        {SLICE("\x08http/1.1"), "http/1.1"},
        {SLICE("\x06spdy/3\x08http/1.1"), "http/1.1"},
        {SLICE(""), ""},
        {SLICE("\x06spdy/3"), NULL},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        SSL *client = client_new((struct client_settings){.protocols = CASES[i].offered});
        int done;
        WAIT_FOR((done = handshake(client)) != 0);
        const unsigned char *chosen;
        unsigned size;
        SSL_get0_alpn_selected(client, &chosen, &size);
        bool good = !CASES[i].chosen ? done == -1
                                     : done == 1 && slice_equal(slice_make((const char *)chosen, size), slice_from_string(CASES[i].chosen));
        if (!good) fail_msg("case %zu: %d %.*s", i, done, (int)size, (const char *)chosen);
        client_free(client);
        WAIT_FOR(listen_listener_connections(listener) == 0);
    }
}

static void what_is_not_tls_is_closed_before_a_protocol_sees_it(void **state)
{
    static const struct {
        struct slice sent;
        const char *answer; /* part of it */
    } CASES[] = {
        {SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "This address speaks TLS: use https.\n"},
        {SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ""},
        {SLICE("\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ""},
        {SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buffer answer = {0};
        int fd = connect_plain();
        assert_int_equal(send(fd, CASES[i].sent.data, CASES[i].sent.size, 0), (ssize_t)CASES[i].sent.size);
        ssize_t got = -1;
        WAIT_FOR((got = recv(fd, buffer_reserve(&answer, 4096), 4096, 0)) > 0 ? (answer.size += (size_t)got, false)
                                                                              : got == 0 || errno != EAGAIN);
        if (slice_find(buffer_slice(&answer), slice_from_string(CASES[i].answer)) < 0) fail_msg("case %zu", i);
        close(fd);
        WAIT_FOR(listen_listener_connections(listener) == 0);
        buffer_free(&answer);
    }
    assert_int_equal(noted.opened, 0);
}

static void old_versions_are_refused(void **state)
{
    SSL *client = client_new((struct client_settings){.version = TLS1_1_VERSION});
    int done;
    WAIT_FOR((done = handshake(client)) != 0);
    assert_int_equal(done, -1);
    client_free(client);
    WAIT_FOR(listen_listener_connections(listener) == 0);
    assert_int_equal(noted.opened, 0);
}

static void a_handshake_that_takes_too_long_is_ended(void **state)
{
    listen_listener_destroy(listener);
    listen_tls_destroy(tls);
    listen_with(50);
    int silent = connect_plain(), slow = connect_plain();
    assert_int_equal(send(slow, "\x16\x03\x01", 3, 0), 3);
    WAIT_FOR(has_ended(silent) && has_ended(slow));
    assert_int_equal(listen_listener_connections(listener), 0);
    /* Once it is done the time is the protocol's. */
    noted.deadline_ms = 10000;
    SSL *client = client_open((struct client_settings){0});
    int64_t until = os_clock_monotonic_ms() + 120;
    while (os_clock_monotonic_ms() < until) os_loop_turn(loop, 10);
    assert_int_equal(noted.closed, 0);
    assert_int_equal(noted.timed_out, 0);
    close(silent);
    close(slow);
    client_free(client);
}

static void a_deadline_passes_over_tls_too(void **state)
{
    noted.deadline_ms = 20;
    SSL *client = client_open((struct client_settings){0});
    WAIT_FOR(noted.timed_out == 1);
    client_free(client);
}

static void answer_reaches_a_peer_that_sends_no_more(void **state)
{
    struct buffer answer = {0};
    SSL *client = client_open((struct client_settings){0});
    client_write(client, SLICE("last"));
    SSL_shutdown(client);
    WAIT_FOR(noted.all_received == 1);
    assert_int_equal(noted.received.size, 4);
    listen_stream_write(noted.stream, SLICE("still here"));
    listen_stream_close(noted.stream);
    WAIT_FOR(client_read(client, &answer) == CLIENT_TOLD);
    assert_int_equal(answer.size, 10);
    WAIT_FOR(noted.closed == 1);
    client_free(client);
    buffer_free(&answer);
}

static void a_connection_that_is_cut_is_not_taken_for_a_whole(void **state)
{
    SSL *client = client_open((struct client_settings){0});
    client_write(client, SLICE("half of it"));
    client_free(client); /* closes the socket without a word */
    WAIT_FOR(noted.closed == 1);
    assert_int_equal(noted.all_received, 0);
    assert_int_equal(noted.received.size, 10);
}

static void close_says_so_and_abort_does_not(void **state)
{
    struct buffer answer = {0};
    SSL *client = client_open((struct client_settings){0});
    listen_stream_write(noted.stream, SLICE("good bye"));
    listen_stream_close(noted.stream);
    WAIT_FOR(client_read(client, &answer) == CLIENT_TOLD);
    assert_int_equal(answer.size, 8);
    client_free(client);
    WAIT_FOR(noted.closed == 1);

    client = client_open((struct client_settings){0});
    listen_stream_abort(noted.stream);
    enum client_end end;
    WAIT_FOR((end = client_read(client, &answer)) != CLIENT_OPEN);
    assert_int_equal(end, CLIENT_CUT);
    client_free(client);
    WAIT_FOR(noted.closed == 2);
    buffer_free(&answer);
}

static void paused_stream_takes_nothing_and_loses_nothing(void **state)
{
    static char text[100000]; /* several records */
    memset(text, 'x', sizeof text);
    SSL *client = client_open((struct client_settings){0});
    listen_stream_pause(noted.stream);
    client_write(client, slice_make(text, sizeof text));
    for (int i = 0; i < 3; i++) os_loop_turn(loop, 10);
    assert_int_equal(noted.received.size, 0);
    SSL_shutdown(client);
    assert_int_equal(shutdown(SSL_get_fd(client), SHUT_WR), 0);
    WAIT_FOR(noted.peer_closed == 1);
    listen_stream_resume(noted.stream);
    WAIT_FOR(noted.all_received == 1);
    assert_int_equal(noted.received.size, sizeof text);
    client_free(client);
}

static void garbage_after_the_handshake_closes(void **state)
{
    SSL *client = client_open((struct client_settings){0});
    assert_int_equal(send(SSL_get_fd(client), "\x17\x03\x03\x00\x20garbage garbage garbage garbage!", 37, 0), 37);
    struct buffer answer = {0};
    enum client_end end;
    WAIT_FOR((end = client_read(client, &answer)) != CLIENT_OPEN);
    client_free(client);
    WAIT_FOR(noted.closed == 1);
    assert_int_equal(noted.received.size, 0);
    buffer_free(&answer);
}

static void renegotiation_is_refused(void **state)
{
    SSL *client = client_open((struct client_settings){.version = TLS1_2_VERSION});
    assert_int_equal(SSL_renegotiate(client), 1);
    int done;
    WAIT_FOR((done = SSL_do_handshake(client)) == 1 || SSL_get_error(client, done) != SSL_ERROR_WANT_READ);
    assert_int_not_equal(done, 1);
    client_free(client);
    WAIT_FOR(noted.closed == 1);
}

static void sessions_are_resumed_by_tickets(void **state)
{
    noted.on_received = echo;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct buffer answer = {0};
        SSL *client = client_open((struct client_settings){.version = version});
        client_write(client, SLICE("x"));
        WAIT_FOR((client_read(client, &answer), answer.size == 1)); /* TLS 1.3 sends tickets after the handshake */
        SSL_SESSION *session = SSL_get1_session(client);
        SSL_shutdown(client);
        client_free(client);
        client = client_open((struct client_settings){.version = version, .session = session});
        assert_true(SSL_session_reused(client));
        SSL_SESSION_free(session);
        client_free(client);
        buffer_free(&answer);
    }
}

static void a_renewed_certificate_is_taken_and_old_connections_go_on(void **state)
{
    struct buffer answer = {0};
    struct error error = {0};
    bool changed = true;
    noted.on_received = echo;
    assert_int_equal(listen_tls_refresh(tls, &changed, &error), 0);
    assert_false(changed); /* nothing has */
    SSL *old = client_open((struct client_settings){0});
    struct listen_stream *old_stream = noted.stream;
    write_pair("second.example", 90);
    assert_int_equal(listen_tls_refresh(tls, &changed, &error), 0);
    assert_true(changed);
    SSL *new = client_open((struct client_settings){0});
    assert_string_equal(client_sees(old), "first.example");
    assert_string_equal(client_sees(new), "second.example");
    noted.stream = old_stream;
    client_write(old, SLICE("still"));
    WAIT_FOR((client_read(old, &answer), answer.size == 5));
    client_free(old);
    client_free(new);

    /* A bad file is said once and changes nothing. */
    FILE *file = fopen(certificate_file, "w");
    fputs("not a certificate", file);
    fclose(file);
    assert_int_equal(listen_tls_refresh(tls, &changed, &error), ERROR_INVALID);
    assert_non_null(strstr(error.message, certificate_file));
    assert_false(changed);
    assert_int_equal(listen_tls_refresh(tls, &changed, &error), 0);
    assert_false(changed);
    new = client_open((struct client_settings){0});
    assert_string_equal(client_sees(new), "second.example");
    client_free(new);
    write_pair("third.example", 90);
    assert_int_equal(listen_tls_refresh(tls, &changed, &error), 0);
    new = client_open((struct client_settings){0});
    assert_string_equal(client_sees(new), "third.example");
    client_free(new);
    buffer_free(&answer);
}

static void the_end_and_the_key_of_a_certificate_are_known(void **state)
{
    int64_t days = (listen_tls_expires_ms(tls) - os_clock_wall_ms() + 60000) / 86400000;
    assert_int_equal(days, 30);
    char first[LISTEN_TLS_PIN_SIZE], second[LISTEN_TLS_PIN_SIZE];
    listen_tls_pin(tls, first);
    assert_int_equal(strlen(first), 8 + 44);
    assert_memory_equal(first, "sha256//", 8);
    write_pair("second.example", 5);
    bool changed;
    assert_int_equal(listen_tls_refresh(tls, &changed, NULL), 0);
    listen_tls_pin(tls, second);
    assert_string_not_equal(first, second);
}

static void files_that_cannot_be_used_are_refused_by_name(void **state)
{
    char other_key[96], secret_key[96], garbage[96];
    snprintf(other_key, sizeof other_key, "%s/other.pem", folder);
    snprintf(secret_key, sizeof secret_key, "%s/secret.pem", folder);
    snprintf(garbage, sizeof garbage, "%s/garbage.pem", folder);
    EVP_PKEY_free(listen_tls_fixture_key(other_key, NULL));
    EVP_PKEY_free(listen_tls_fixture_key(secret_key, "passphrase"));
    FILE *file = fopen(garbage, "w");
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    const struct {
        const char *certificate, *key, *message, *name;
    } CASES[] = {
        {"/nowhere/c.pem", key_file, "cannot be read", "/nowhere/c.pem"},
        {certificate_file, "/nowhere/k.pem", "cannot be read", "/nowhere/k.pem"},
        {garbage, key_file, "no PEM certificate", garbage},
        {key_file, key_file, "no PEM certificate", key_file},
        {certificate_file, garbage, "no PEM key", garbage},
        {certificate_file, other_key, "is not the key of", other_key},
        {certificate_file, secret_key, "passphrase", secret_key},
        {folder, key_file, "no PEM certificate", folder},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct listen_tls *made = NULL;
        struct error error = {0};
        struct listen_tls_settings settings = {.certificate_file = CASES[i].certificate, .key_file = CASES[i].key};
        enum error_code code = listen_tls_create(&settings, &made, &error);
        if (!code || made || !strstr(error.message, CASES[i].message) || !strstr(error.message, CASES[i].name))
            fail_msg("case %zu: %d %s", i, code, error.message);
    }
    unlink(other_key);
    unlink(secret_key);
    unlink(garbage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways_in_both_versions),
        TEST(large_bodies_go_both_ways),
        TEST(the_protocol_is_chosen_by_the_servers_order),
        TEST(what_is_not_tls_is_closed_before_a_protocol_sees_it),
        TEST(old_versions_are_refused),
        TEST(a_handshake_that_takes_too_long_is_ended),
        TEST(a_deadline_passes_over_tls_too),
        TEST(answer_reaches_a_peer_that_sends_no_more),
        TEST(a_connection_that_is_cut_is_not_taken_for_a_whole),
        TEST(close_says_so_and_abort_does_not),
        TEST(paused_stream_takes_nothing_and_loses_nothing),
        TEST(garbage_after_the_handshake_closes),
        TEST(renegotiation_is_refused),
        TEST(sessions_are_resumed_by_tickets),
        TEST(a_renewed_certificate_is_taken_and_old_connections_go_on),
        TEST(the_end_and_the_key_of_a_certificate_are_known),
        TEST(files_that_cannot_be_used_are_refused_by_name),
    };
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's client writes with write(2) */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
