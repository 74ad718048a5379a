/* SPDX-License-Identifier: Apache-2.0 */
/* The message format. */
#include "control/mail_message.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "base/time.h"

#define MAIL_ADDRESS_LIMIT 254 /* RFC 5321 */
#define MAIL_WORD_BYTES 42     /* of UTF-8 in one encoded word: at most 75 characters with its frame (RFC 2047) */
#define MAIL_LINE_BYTES 57     /* make 76 characters of base64 */

static bool mail_is_atom(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Atoms between dots; in domains letters, digits and hyphens only. */
static bool mail_is_dotted(struct slice text, bool is_domain)
{
    if (text.size == 0) return false;
    while (true) {
        ptrdiff_t dot = slice_index_of(text, '.');
        struct slice part = dot < 0 ? text : slice_first(text, (size_t)dot);
        if (part.size == 0 || part.size > 64) return false;
        for (size_t i = 0; i < part.size; i++) {
            char c = part.data[i];
            if (is_domain ? !isalnum((unsigned char)c) && c != '-' : !mail_is_atom(c)) return false;
        }
        if (dot < 0) return true;
        text = slice_from(text, (size_t)dot + 1);
    }
}

bool control_mail_address_is_plain(struct slice address)
{
    ptrdiff_t at = slice_index_of(address, '@');
    if (at <= 0 || at > 64 || address.size > MAIL_ADDRESS_LIMIT) return false;
    return mail_is_dotted(slice_first(address, (size_t)at), false) &&
           mail_is_dotted(slice_from(address, (size_t)at + 1), true);
}

static bool mail_is_clean(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) return false;
    return slice_is_utf8(text);
}

bool control_mail_sender_parse(struct slice text, struct slice *ret_name, struct slice *ret_address)
{
    struct slice trimmed = slice_trim(text);
    *ret_name = SLICE_EMPTY;
    *ret_address = trimmed;
    ptrdiff_t open = slice_index_of(trimmed, '<');
    if (open >= 0) {
        if (trimmed.data[trimmed.size - 1] != '>') return false;
        *ret_name = slice_trim(slice_first(trimmed, (size_t)open));
        *ret_address = slice_from(slice_first(trimmed, trimmed.size - 1), (size_t)open + 1);
    }
    return ret_name->size <= 128 && mail_is_clean(*ret_name) && control_mail_address_is_plain(*ret_address);
}

static void mail_append_base64(struct buffer *out, struct slice bytes)
{
    size_t size = 4 * ((bytes.size + 2) / 3);
    char *place = buffer_reserve(out, size + 1); /* EVP writes a zero behind */
    if (place)
        out->size += (size_t)EVP_EncodeBlock((unsigned char *)place, (const unsigned char *)bytes.data,
                                             (int)bytes.size);
}

/* As it is when it is short ASCII that cannot be mistaken for an encoded word; else as encoded words (RFC 2047), cut between characters, one a line. */
static void mail_append_words(struct buffer *out, struct slice text, bool may_be_plain)
{
    bool is_plain = may_be_plain && text.size <= 60 && slice_find(text, SLICE("=?")) < 0;
    for (size_t i = 0; i < text.size; i++) is_plain = is_plain && text.data[i] >= 0x20 && text.data[i] < 0x7F;
    if (is_plain) {
        buffer_append_slice(out, text);
        return;
    }
    while (text.size) {
        size_t size = text.size < MAIL_WORD_BYTES ? text.size : MAIL_WORD_BYTES;
        while (size < text.size && ((unsigned char)text.data[size] & 0xC0) == 0x80) size--;
        buffer_append_string(out, "=?UTF-8?B?");
        mail_append_base64(out, slice_first(text, size));
        buffer_append_string(out, "?=");
        text = slice_from(text, size);
        if (text.size) buffer_append_string(out, "\r\n ");
    }
}

static void mail_append_sender(struct buffer *out, struct slice from)
{
    struct slice name, address;
    if (!control_mail_sender_parse(from, &name, &address))
        return; /* settings were checked; nothing doubtful is written */
    bool is_plain = true;
    for (size_t i = 0; i < name.size; i++) is_plain = is_plain && (mail_is_atom(name.data[i]) || name.data[i] == ' ');
    if (name.size == 0) buffer_append_slice(out, address);
    else {
        mail_append_words(out, name, is_plain);
        buffer_printf(out, " <%.*s>", SLICE_ARGS(address));
    }
}

static void mail_append_date(struct buffer *out, int64_t unix_ms)
{
    static const char *const DAYS[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* 1970-01-01 was a Thursday */
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (unix_ms < 0) unix_ms = 0;
    int64_t seconds = unix_ms / 1000, days = seconds / 86400, rest = seconds % 86400;
    int year, month, day;
    time_civil_from_days(days, &year, &month, &day);
    buffer_printf(out, "%s, %02d %s %04d %02d:%02d:%02d +0000", DAYS[days % 7], day, MONTHS[month - 1], year,
                  (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

void control_mail_message_write(const struct control_mail_message *message, struct buffer *out)
{
    struct slice name, address;
    if (!control_mail_sender_parse(message->from, &name, &address)) address = SLICE("millrace@localhost");
    buffer_append_string(out, "Date: ");
    mail_append_date(out, message->date_ms);
    buffer_append_string(out, "\r\nFrom: ");
    mail_append_sender(out, message->from);
    buffer_printf(out, "\r\nTo: %.*s\r\nSubject: ", SLICE_ARGS(message->to));
    mail_append_words(out, message->subject, true);
    struct slice domain = slice_from(address, (size_t)(slice_index_of(address, '@') + 1));
    buffer_printf(out, "\r\nMessage-ID: <%s@%.*s>", message->id, SLICE_ARGS(domain));
    /* Auto-Submitted keeps holiday answers away (RFC 3834). */
    buffer_append_string(
        out, "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Transfer-Encoding: base64\r\n\r\n");
    struct buffer lines = {0};
    for (size_t i = 0; i < message->text.size; i++) {
        char c = message->text.data[i];
        if (c == '\r') continue;
        if (c == '\n') buffer_append_byte(&lines, '\r');
        buffer_append_byte(&lines, c);
    }
    struct slice rest = buffer_slice(&lines);
    while (rest.size) {
        struct slice line = slice_first(rest, MAIL_LINE_BYTES);
        mail_append_base64(out, line);
        buffer_append_string(out, "\r\n");
        rest = slice_from(rest, line.size);
    }
    if (lines.failed) out->failed = true;
    buffer_free(&lines);
}
