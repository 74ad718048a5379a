/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of mail: the outbox, the message, and the conversation with a small SMTP server on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/mail.h"
#include "control/mail_message.h"
#include "meta/migrate_meta.h"
#include "os/thread.h"

#define NOW 1789000000000LL

/* ---- a mail server: one connection after the other, everything it heard kept ---- */

struct smtp_server {
    int listen_fd;
    uint16_t port;
    const char *rcpt_reply; /* what it says to RCPT TO */
    const char *ehlo_reply;
    char heard[65536];      /* commands and messages of all connections; read only after a send has returned */
    size_t heard_size;
    unsigned messages, connections;
    struct os_thread thread;
};

static void smtp_say(int fd, const char *text) { (void)!send(fd, text, strlen(text), MSG_NOSIGNAL); }

static void smtp_hear(struct smtp_server *server, const char *line)
{
    size_t size = strlen(line);
    if (server->heard_size + size + 1 >= sizeof server->heard) return;
    memcpy(server->heard + server->heard_size, line, size + 1);
    server->heard_size += size;
}

static void smtp_answer(struct smtp_server *server, int fd, FILE *in, const char *line)
{
    char data[2048];
    if (strncmp(line, "EHLO", 4) == 0) smtp_say(fd, server->ehlo_reply);
    else if (strncmp(line, "RCPT", 4) == 0) smtp_say(fd, server->rcpt_reply);
    else if (strncmp(line, "DATA", 4) == 0) {
        smtp_say(fd, "354 go on\r\n");
        while (fgets(data, sizeof data, in) && strcmp(data, ".\r\n") != 0) smtp_hear(server, data);
        server->messages++;
        smtp_say(fd, "250 taken\r\n");
    } else if (strncmp(line, "QUIT", 4) == 0) smtp_say(fd, "221 bye\r\n");
    else if (strncmp(line, "AUTH PLAIN", 10) == 0) smtp_say(fd, "334 \r\n");
    else if (strncmp(line, "AG1h", 4) == 0) smtp_say(fd, "235 welcome\r\n");
    else smtp_say(fd, "250 fine\r\n");
}

static void smtp_run(void *context)
{
    struct smtp_server *server = context;
    int fd;
    while ((fd = accept(server->listen_fd, NULL, NULL)) >= 0) { /* until the listener is shut down */
        char line[2048];
        server->connections++;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10}, sizeof(struct timeval));
        FILE *in = fdopen(fd, "r");
        smtp_say(fd, "220 test\r\n");
        while (fgets(line, sizeof line, in)) {
            smtp_hear(server, line);
            smtp_answer(server, fd, in, line);
        }
        fclose(in);
    }
}

static void smtp_start(struct smtp_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->rcpt_reply = "250 fine\r\n";
    server->ehlo_reply = "250-test\r\n250 AUTH PLAIN\r\n";
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listen_fd, 8), 0);
    assert_int_equal(getsockname(server->listen_fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(os_thread_start(&server->thread, "smtp", smtp_run, server, NULL), ERROR_NONE);
}

static void smtp_stop(struct smtp_server *server)
{
    shutdown(server->listen_fd, SHUT_RDWR);
    os_thread_join(&server->thread);
    close(server->listen_fd);
}

/* ---- fixture ---- */

struct fixture {
    char directory[64];
    struct control control;
    struct control_call call;
    struct smtp_server smtp;
    char url[64];
    struct control_mail_settings settings;
};

static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char location[128];
    struct error error;
    snprintf(f->directory, sizeof f->directory, "/tmp/millrace-mail-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(location, sizeof location, "sqlite:%s", f->directory);
    if (meta_open_service(location, META_SERVICE_CORE, NULL, NULL, &f->control.core, &error) != ERROR_NONE)
        fail_msg("%s", error.message);
    memset(f->control.secret, 7, sizeof f->control.secret);
    f->control.mail_is_configured = true;
    f->call = (struct control_call){.control = &f->control, .now_ms = NOW};
    smtp_start(&f->smtp);
    snprintf(f->url, sizeof f->url, "smtp://127.0.0.1:%u", f->smtp.port);
    f->settings = (struct control_mail_settings){
        .url = f->url, .from = "Millrace <millrace@shop.example>", .user = "", .password = "", .ca_file = ""};
    *state = f;
    return 0;
}

static int fixture_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    return remove(path);
}

static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    smtp_stop(&f->smtp);
    meta_close(f->control.core);
    nftw(f->directory, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static enum error_code queue(struct fixture *f, const char *recipient, const char *subject, const char *text,
                             struct error *error)
{
    struct meta_session *session;
    enum error_code code = meta_session_begin(f->control.core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    code = meta_begin(session, error);
    if (code == ERROR_NONE)
        code = control_mail_queue(&f->call, session, recipient, subject, slice_from_string(text), error);
    if (code == ERROR_NONE) code = meta_commit(session, error);
    meta_session_end(session);
    return code;
}

static void queue_fine(struct fixture *f, const char *recipient, const char *subject, const char *text)
{
    struct error error = {0};
    if (queue(f, recipient, subject, text, &error) != ERROR_NONE) fail_msg("%s", error.message);
}

static struct control_mail_counts send_due(struct fixture *f, int64_t now_ms)
{
    struct control_mail_counts counts;
    struct error error = {0};
    if (control_mail_send_due(&f->control, &f->settings, now_ms, &counts, &error) != ERROR_NONE)
        fail_msg("%s", error.message);
    return counts;
}

static enum error_code take_text(void *context, const struct meta_row *row, struct error *error)
{
    buffer_append_slice(context, meta_row_text(row, 0));
    buffer_append_byte(context, '\n');
    return ERROR_NONE;
}

/* The column of all rows of the outbox, a line each. */
static char *outbox(struct fixture *f, const char *sql)
{
    struct meta_session *session;
    struct buffer out = {0};
    struct error error;
    assert_int_equal(meta_session_begin(f->control.core, 0, &session, &error), ERROR_NONE);
    if (meta_query(session, sql, NULL, 0, take_text, &out, &error) != ERROR_NONE) fail_msg("%s", error.message);
    meta_session_end(session);
    buffer_append_byte(&out, 0);
    return out.data;
}

/* ---- tests ---- */

static void sends_a_queued_mail_and_removes_it(void **state)
{
    struct fixture *f = *state;
    queue_fine(f, "ada@shop.example", "Welcome, Zoë", "Hello\nhttps://a.example/#token=secret-token\n.\nEnd\n");
    char *sealed = outbox(f, "select message_encrypted from mail_outbox");
    assert_null(strstr(sealed, "secret-token"));
    assert_true(strncmp(sealed, "s1:", 3) == 0);
    free(sealed);

    struct control_mail_counts counts = send_due(f, NOW);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.failed + counts.given_up, 0);
    const char *heard = f->smtp.heard;
    assert_non_null(strstr(heard, "MAIL FROM:<millrace@shop.example>"));
    assert_non_null(strstr(heard, "RCPT TO:<ada@shop.example>"));
    assert_non_null(strstr(heard, "\r\nFrom: Millrace <millrace@shop.example>\r\n"));
    assert_non_null(strstr(heard, "\r\nTo: ada@shop.example\r\n"));
    assert_non_null(strstr(heard, "\r\nSubject: =?UTF-8?B?V2VsY29tZSwgWm/Dqw==?=\r\n"));
    assert_non_null(strstr(heard, "Date: Thu, 10 Sep 2026 00:26:40 +0000\r\n"));
    assert_non_null(strstr(heard, "\r\nMessage-ID: <"));
    assert_non_null(strstr(heard, "@shop.example>\r\n"));
    const char *body = strstr(heard, "base64\r\n\r\n");
    assert_non_null(body);
    char line[80] = "";
    unsigned char text[80] = {0};
    assert_int_equal(sscanf(body + 10, "%76s", line), 1);
    assert_true(EVP_DecodeBlock(text, (unsigned char *)line, (int)strlen(line)) > 0);
    assert_non_null(strstr((char *)text, "Hello\r\nhttps://a.example/#token=secret-token\r\n.\r\nEnd\r\n"));

    counts = send_due(f, NOW + 1);
    assert_int_equal(counts.sent, 0);
    assert_int_equal(f->smtp.messages, 1);
}

static void logs_in_when_a_user_is_set(void **state)
{
    struct fixture *f = *state;
    f->settings.user = "mailer";
    f->settings.password = "pass word";
    queue_fine(f, "ada@shop.example", "Hi", "text");
    assert_int_equal(send_due(f, NOW).sent, 1);
    assert_non_null(strstr(f->smtp.heard, "AG1haWxlcgBwYXNzIHdvcmQ="));
}

static void tries_again_with_growing_pauses_and_gives_up_after_five(void **state)
{
    struct fixture *f = *state;
    f->smtp.rcpt_reply = "550 nobody of that name\r\n";
    queue_fine(f, "ada@shop.example", "Hi", "text");
    int64_t now = NOW, pauses[] = {60000, 300000, 900000, 1800000};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        assert_int_equal(send_due(f, now).failed, 1);
        unsigned before = f->smtp.connections;
        struct control_mail_counts counts = send_due(f, now + pauses[i] - 1);
        assert_int_equal(counts.failed, 0);
        assert_int_equal(f->smtp.connections, before);
        now += pauses[i];
    }
    char *reason = outbox(f, "select last_error from mail_outbox");
    assert_non_null(strstr(reason, "550"));
    free(reason);
    assert_int_equal(send_due(f, now).given_up, 1);
    char *rest = outbox(f, "select mail_id from mail_outbox");
    assert_string_equal(rest, "");
    free(rest);
}

static void one_refused_recipient_does_not_keep_others_from_their_mail(void **state)
{
    struct fixture *f = *state;
    f->smtp.rcpt_reply = "550 no\r\n";
    queue_fine(f, "ada@shop.example", "Hi", "text");
    queue_fine(f, "bob@shop.example", "Hi", "text");
    assert_int_equal(send_due(f, NOW).failed, 2);
}

static void a_dead_mail_server_is_asked_once_per_round(void **state)
{
    struct fixture *f = *state;
    queue_fine(f, "ada@shop.example", "Hi", "text");
    queue_fine(f, "bob@shop.example", "Hi", "text");
    f->settings.url = "smtp://127.0.0.1:1";
    assert_int_equal(send_due(f, NOW).failed, 1);
    f->settings.url = f->url;
    assert_int_equal(send_due(f, NOW).sent, 1);         /* the second, which was not claimed */
    assert_int_equal(send_due(f, NOW + 60000).sent, 1); /* the first */
}

static void refuses_a_remote_mail_server_without_encryption(void **state)
{
    struct fixture *f = *state;
    char url[64];
    /* A name that is not loopback by its text, but leads to this machine: every IPv4 address as IPv6 sees it. */
    snprintf(url, sizeof url, "smtp://[::ffff:127.0.0.1]:%u", f->smtp.port);
    f->settings.url = url;
    queue_fine(f, "ada@shop.example", "Hi", "text");
    assert_int_equal(send_due(f, NOW).failed, 1);
    assert_int_equal(f->smtp.messages, 0);
    assert_null(strstr(f->smtp.heard, "MAIL FROM"));
    char *reason = outbox(f, "select last_error from mail_outbox");
    assert_non_null(strstr(reason, "STARTTLS"));
    free(reason);
}

static void nothing_can_add_a_header_or_a_recipient(void **state)
{
    struct fixture *f = *state;
    static const char *const RECIPIENTS[] = {"a@b.example\r\nBcc: c@d.example",
                                             "a@b.example, c@d.example",
                                             "<a@b.example>",
                                             "a b@c.example",
                                             "a@b.example>",
                                             "a@@b.example",
                                             "@b.example",
                                             "a@b..example",
                                             ".a@b.example",
                                             "",
                                             "a@b.example\n"};
    struct error error;
    for (size_t i = 0; i < sizeof RECIPIENTS / sizeof *RECIPIENTS; i++) {
        assert_int_equal(queue(f, RECIPIENTS[i], "Hi", "text", &error), ERROR_INVALID);
        assert_string_equal(error.field, "email");
    }
    static const char *const SUBJECTS[] = {"Hi\r\nBcc: c@d.example", "Hi\nX: y", "Hi\x7f", "Hi\xff", ""};
    for (size_t i = 0; i < sizeof SUBJECTS / sizeof *SUBJECTS; i++) {
        assert_int_equal(queue(f, "a@b.example", SUBJECTS[i], "text", &error), ERROR_INVALID);
        assert_string_equal(error.field, "subject");
    }
    assert_int_equal(queue(f, "a@b.example", "Hi", "bad \xff text", &error), ERROR_INVALID);
}

static void bounds_what_waits_for_one_recipient(void **state)
{
    struct fixture *f = *state;
    struct error error;
    for (int i = 0; i < CONTROL_MAIL_RECIPIENT_LIMIT; i++) queue_fine(f, "ada@shop.example", "Hi", "text");
    assert_int_equal(queue(f, "ada@shop.example", "Hi", "text", &error), ERROR_RATE_LIMITED);
    queue_fine(f, "bob@shop.example", "Hi", "text");
    f->control.mail_is_configured = false;
    assert_int_equal(queue(f, "bob@shop.example", "Hi", "text", &error), ERROR_UNAVAILABLE);
}

static void removes_a_mail_sealed_with_another_secret(void **state)
{
    struct fixture *f = *state;
    queue_fine(f, "ada@shop.example", "Hi", "text");
    f->control.secret[0] ^= 1;
    assert_int_equal(send_due(f, NOW).given_up, 1);
    assert_int_equal(f->smtp.messages, 0);
}

static void long_subjects_are_cut_between_characters(void **state)
{
    struct buffer out = {0};
    char subject[201];
    for (int i = 0; i < 200; i += 4) memcpy(subject + i, "\xf0\x9f\x98\x80", 5);
    struct control_mail_message message = {.id = "id",
                                           .date_ms = NOW,
                                           .from = SLICE("Mill, \"race\" \xc3\xa9 <m@shop.example>"),
                                           .to = SLICE("a@b.example"),
                                           .subject = slice_from_string(subject),
                                           .text = SLICE("")};
    control_mail_message_write(&message, &out);
    assert_false(out.failed);
    struct slice rest = buffer_slice(&out);
    bool in_subject = false;
    while (rest.size) {
        struct slice line = slice_trim(slice_cut(&rest, '\n'));
        assert_true(line.size <= 100);
        in_subject = slice_starts_with(line, SLICE("Subject: ")) ||
                     (in_subject && slice_starts_with(line, SLICE("=?")));
        if (!in_subject) continue;
        ptrdiff_t start = slice_find(line, SLICE("?B?"));
        assert_true(start > 0);
        struct slice word = slice_from(line, (size_t)start + 3);
        unsigned char text[128] = {0};
        char encoded[128];
        snprintf(encoded, sizeof encoded, "%.*s", (int)word.size - 2, word.data);
        assert_true(EVP_DecodeBlock(text, (unsigned char *)encoded, (int)strlen(encoded)) > 0);
        assert_true(slice_is_utf8(slice_from_string((char *)text)));
    }
    assert_true(slice_find(buffer_slice(&out), SLICE("From: =?UTF-8?B?")) >=
                0); /* quotes and commas never stand bare */
    buffer_free(&out);
}

static void says_which_setting_is_wrong(void **state)
{
    static const struct {
        const char *url, *from, *user, *password, *field;
    } CASES[] = {
        {"http://a", "m@a.example", "", "", "mail.url"},
        {"smtp://user:pass@a", "m@a.example", "", "", "mail.url"},
        {"smtps://a", "nobody", "", "", "mail.from"},
        {"smtps://a", "A <m@a.example>\r\nBcc: b@c.example", "", "", "mail.from"},
        {"smtps://a", "A\r\nBcc: b@c.example <m@a.example>", "", "", "mail.from"},
        {"smtps://a", "m@a.example", "", "p", "mail.user"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct control_mail_settings settings = {CASES[i].url, CASES[i].from, CASES[i].user, CASES[i].password, ""};
        struct error error = {0};
        assert_int_equal(control_mail_settings_check(&settings, &error), ERROR_INVALID);
        assert_string_equal(error.field, CASES[i].field);
    }
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(sends_a_queued_mail_and_removes_it),
        WITH_SERVER(logs_in_when_a_user_is_set),
        WITH_SERVER(tries_again_with_growing_pauses_and_gives_up_after_five),
        WITH_SERVER(one_refused_recipient_does_not_keep_others_from_their_mail),
        WITH_SERVER(a_dead_mail_server_is_asked_once_per_round),
        WITH_SERVER(refuses_a_remote_mail_server_without_encryption),
        WITH_SERVER(nothing_can_add_a_header_or_a_recipient),
        WITH_SERVER(bounds_what_waits_for_one_recipient),
        WITH_SERVER(removes_a_mail_sealed_with_another_secret),
        cmocka_unit_test(long_subjects_are_cut_between_characters),
        cmocka_unit_test(says_which_setting_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
