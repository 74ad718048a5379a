/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox of mails and the SMTP client (libcurl) that empties it. */
#include "control/mail.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/log.h"
#include "control/mail_message.h"
#include "control/transfer.h"

#define MAIL_PURPOSE "mail"
#define MAIL_ROUND 50 /* mails of one call: other jobs wait behind it */
#define MAIL_CONNECT_TIMEOUT_MS 10000
#define MAIL_TIMEOUT_MS 30000
/* After the first, second .. attempt. The first is longer than MAIL_TIMEOUT_MS: a mail being sent is not claimed again. */
static const int64_t mail_pauses_ms[CONTROL_MAIL_ATTEMPTS] = {60000, 5 * 60000, 15 * 60000, 30 * 60000, 60 * 60000};

static enum error_code mail_count(void *context, const struct meta_row *row, struct error *error)
{
    *(int64_t *)context = meta_row_integer(row, 0);
    return ERROR_NONE;
}

static enum error_code mail_check_room(struct meta_session *session, const char *recipient, struct error *error)
{
    int64_t all = 0, same = 0;
    enum error_code code = meta_query(session, "select count(*) from mail_outbox", NULL, 0, mail_count, &all, error);
    if (code == ERROR_NONE)
        code = meta_query(session, "select count(*) from mail_outbox where recipient = $1",
                          META_PARAMETERS(meta_string(recipient)), mail_count, &same, error);
    if (code != ERROR_NONE) return code;
    if (all >= CONTROL_MAIL_WAITING_LIMIT)
        return error_set(error, ERROR_RATE_LIMITED, "%d mails are waiting already; is the mail server reachable?",
                         CONTROL_MAIL_WAITING_LIMIT);
    if (same >= CONTROL_MAIL_RECIPIENT_LIMIT)
        return error_set(error, ERROR_RATE_LIMITED, "%d mails to this address are waiting already",
                         CONTROL_MAIL_RECIPIENT_LIMIT);
    return ERROR_NONE;
}

enum error_code control_mail_queue(const struct control_call *call, struct meta_session *session, const char *recipient,
                                   const char *subject, struct slice text, struct error *error)
{
    if (!call->control->mail_is_configured)
        return error_set(error, ERROR_UNAVAILABLE, "no mail can be sent: the setting mail.url is empty");
    if (!control_mail_address_is_plain(slice_from_string(recipient)))
        return error_set_field(error, ERROR_INVALID, "email", "this is no mail address that mail can be sent to");
    enum error_code code =
        control_text_check(slice_from_string(subject), 1, CONTROL_MAIL_SUBJECT_LIMIT, "subject", error);
    if (code != ERROR_NONE) return code;
    if (text.size > CONTROL_MAIL_TEXT_LIMIT || !slice_is_utf8(text))
        return error_set_field(error, ERROR_INVALID, "text", "the text of a mail must be UTF-8 of at most %d bytes",
                               CONTROL_MAIL_TEXT_LIMIT);
    code = mail_check_room(session, recipient, error);
    if (code != ERROR_NONE) return code;

    struct buffer plain = {0}, sealed = {0};
    buffer_printf(&plain, "%s\n", subject);
    buffer_append_slice(&plain, text);
    tenant_secret_seal(call->control->secret, MAIL_PURPOSE, buffer_slice(&plain), &sealed);
    char id[37];
    control_id_make(call->now_ms, id);
    if (plain.failed || sealed.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a mail");
    else
        code = meta_execute(
            session,
            "insert into mail_outbox (mail_id, recipient, message_encrypted, next_attempt_at, created_at) "
            "values ($1, $2, $3, $4, $4)",
            META_PARAMETERS(meta_string(id), meta_string(recipient), meta_text(buffer_slice(&sealed)),
                            meta_integer(call->now_ms)),
            NULL, error);
    buffer_free(&plain);
    buffer_free(&sealed);
    return code;
}

static bool mail_url_is_loopback(const char *url) { return control_transfer_is_loopback(slice_from_string(url)); }

enum error_code control_mail_settings_check(const struct control_mail_settings *settings, struct error *error)
{
    struct slice url = slice_from_string(settings->url), name, address;
    if (!slice_starts_with(url, SLICE("smtp://")) && !slice_starts_with(url, SLICE("smtps://")))
        return error_set_field(error, ERROR_INVALID, "mail.url",
                               "mail.url must be smtp://HOST:PORT or smtps://HOST:PORT");
    if (slice_index_of(url, '@') >= 0)
        return error_set_field(error, ERROR_INVALID, "mail.url",
                               "mail.url holds a user or a password; use mail.user and mail.password_file");
    if (!control_mail_sender_parse(slice_from_string(settings->from), &name, &address))
        return error_set_field(error, ERROR_INVALID, "mail.from",
                               "mail.from must be an address (millrace@shop.example), perhaps with a name before it: "
                               "Millrace <millrace@shop.example>");
    if (settings->password[0] && !settings->user[0])
        return error_set_field(error, ERROR_INVALID, "mail.user", "there is a mail.password but no mail.user");
    return ERROR_NONE;
}

struct mail_due {
    bool found;
    char id[37];
    char recipient[256];
    int64_t attempts, created_ms;
    struct buffer sealed;
};

static enum error_code mail_take_row(void *context, const struct meta_row *row, struct error *error)
{
    struct mail_due *due = context;
    due->found = true;
    due->attempts = meta_row_integer(row, 3);
    due->created_ms = meta_row_integer(row, 4);
    buffer_append_slice(&due->sealed, meta_row_text(row, 2));
    enum error_code code = META_ROW_COPY(row, 0, due->id, error);
    return code != ERROR_NONE ? code : META_ROW_COPY(row, 1, due->recipient, error);
}

static enum error_code mail_remove(struct meta_session *session, const char *id, struct error *error)
{
    return meta_execute(session, "delete from mail_outbox where mail_id = $1", META_PARAMETERS(meta_string(id)), NULL,
                        error);
}

/* Takes the oldest due mail; `due->found` is false when there is none. Of two servers that see it, one claims it. */
static enum error_code mail_claim(struct control *control, int64_t now_ms, struct mail_due *due, struct error *error)
{
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(control->core, 0, &session, error);
    bool is_claimed = false;
    while (code == ERROR_NONE && !is_claimed) {
        due->found = false;
        buffer_clear(&due->sealed);
        code = meta_query(session,
                          "select mail_id, recipient, message_encrypted, attempts, created_at from mail_outbox "
                          "where next_attempt_at <= $1 order by next_attempt_at, mail_id limit 1",
                          META_PARAMETERS(meta_integer(now_ms)), mail_take_row, due, error);
        if (code != ERROR_NONE || !due->found) break;
        int64_t pause =
            mail_pauses_ms[due->attempts < CONTROL_MAIL_ATTEMPTS ? due->attempts : CONTROL_MAIL_ATTEMPTS - 1];
        int64_t changed = 0;
        code = meta_execute(
            session,
            "update mail_outbox set attempts = attempts + 1, next_attempt_at = $1 where mail_id = $2 and attempts = $3",
            META_PARAMETERS(meta_integer(now_ms + pause), meta_string(due->id), meta_integer(due->attempts)), &changed,
            error);
        is_claimed = changed == 1;
    }
    meta_session_end(session);
    if (code == ERROR_NONE && due->sealed.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a mail");
    return code;
}

struct mail_reader {
    struct slice rest;
};

static size_t mail_read(char *out, size_t size, size_t count, void *context)
{
    struct mail_reader *reader = context;
    struct slice part = slice_first(reader->rest, size * count);
    memcpy(out, part.data, part.size);
    reader->rest = slice_from(reader->rest, part.size);
    return part.size;
}

/* One SMTP conversation. `*ret_is_ours` tells that no mail at all will get through now: connection, TLS or login failed. */
static enum error_code mail_transmit(const struct control_mail_settings *settings, const char *recipient,
                                     struct slice message, bool *ret_is_ours, struct error *error)
{
    struct slice name, address;
    if (!control_mail_sender_parse(slice_from_string(settings->from), &name, &address))
        return error_set_field(error, ERROR_INVALID, "mail.from", "mail.from is no address");
    CURL *easy = curl_easy_init();
    struct curl_slist *recipients = curl_slist_append(NULL, recipient);
    if (!easy || !recipients) {
        curl_easy_cleanup(easy);
        curl_slist_free_all(recipients);
        return error_set(error, ERROR_MEMORY, "out of memory for a mail");
    }
    bool is_plain = slice_starts_with(slice_from_string(settings->url), SLICE("smtp://")) &&
                    mail_url_is_loopback(settings->url);
    char from[260], curl_message[CURL_ERROR_SIZE] = "";
    struct mail_reader reader = {message};
    snprintf(from, sizeof from, "%.*s", SLICE_ARGS(address));
    curl_easy_setopt(easy, CURLOPT_URL, settings->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(is_plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)MAIL_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)MAIL_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_message);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, mail_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, &reader);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message.size);
    if (settings->ca_file[0]) curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (settings->user[0]) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, settings->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, settings->password);
    }
    CURLcode result = curl_easy_perform(easy);
    /* What a server says of one recipient or one message is reported as a failed command. */
    *ret_is_ours = result != CURLE_OK && result != CURLE_SEND_ERROR && result != CURLE_WEIRD_SERVER_REPLY &&
                   result != CURLE_UPLOAD_FAILED;
    enum error_code code = ERROR_NONE;
    if (result != CURLE_OK)
        code = error_set(error, ERROR_UNAVAILABLE, "%s", curl_message[0] ? curl_message : curl_easy_strerror(result));
    curl_slist_free_all(recipients);
    curl_easy_cleanup(easy);
    return code;
}

static enum error_code mail_send_one(struct control *control, const struct control_mail_settings *settings,
                                     const struct mail_due *due, bool *ret_is_ours, struct error *error)
{
    struct buffer plain = {0}, message = {0};
    enum error_code code = tenant_secret_open(control->secret, MAIL_PURPOSE, buffer_slice(&due->sealed), &plain, error);
    if (code == ERROR_NONE) {
        struct slice text = buffer_slice(&plain), subject = slice_cut(&text, '\n');
        struct control_mail_message parts = {.id = due->id,
                                             .date_ms = due->created_ms,
                                             .from = slice_from_string(settings->from),
                                             .to = slice_from_string(due->recipient),
                                             .subject = subject,
                                             .text = text};
        control_mail_message_write(&parts, &message);
        if (message.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a mail");
        else code = mail_transmit(settings, due->recipient, buffer_slice(&message), ret_is_ours, error);
    }
    buffer_free(&plain);
    buffer_free(&message);
    return code;
}

/* What a mail server says goes into a column and a log line: one line of printable text. */
static void mail_clean_reason(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F) *text = '?';
}

static enum error_code mail_settle(struct control *control, const struct mail_due *due, enum error_code outcome,
                                   char *reason, struct control_mail_counts *counts, struct error *error)
{
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(control->core, 0, &session, error);
    if (code != ERROR_NONE) return code;
    /* What does not open, made with another secret, never will. */
    bool is_last = due->attempts + 1 >= CONTROL_MAIL_ATTEMPTS || outcome == ERROR_CORRUPT;
    if (outcome == ERROR_NONE) {
        counts->sent++;
        code = mail_remove(session, due->id, error);
    } else if (is_last) {
        mail_clean_reason(reason);
        counts->given_up++;
        log_warn("mail: %s is given up after %d attempts: %s", due->id, (int)due->attempts + 1, reason);
        code = mail_remove(session, due->id, error);
    } else {
        mail_clean_reason(reason);
        counts->failed++;
        code = meta_execute(session, "update mail_outbox set last_error = $1 where mail_id = $2",
                            META_PARAMETERS(meta_string(reason), meta_string(due->id)), NULL, error);
    }
    meta_session_end(session);
    return code;
}

enum error_code control_mail_send_due(struct control *control, const struct control_mail_settings *settings,
                                      int64_t now_ms, struct control_mail_counts *ret_counts, struct error *error)
{
    *ret_counts = (struct control_mail_counts){0};
    struct mail_due due = {0};
    enum error_code code = control_mail_settings_check(settings, error);
    bool is_ours = false;
    for (int i = 0; i < MAIL_ROUND && code == ERROR_NONE && !is_ours; i++) {
        code = mail_claim(control, now_ms, &due, error);
        if (code != ERROR_NONE || !due.found) break;
        struct error reason = {0};
        enum error_code outcome = error_set(&reason, ERROR_UNAVAILABLE, "the server ended while it was sent");
        if (due.attempts < CONTROL_MAIL_ATTEMPTS) outcome = mail_send_one(control, settings, &due, &is_ours, &reason);
        code = mail_settle(control, &due, outcome, reason.message, ret_counts, error);
    }
    buffer_free(&due.sealed);
    return code;
}
