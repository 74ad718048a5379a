/* SPDX-License-Identifier: Apache-2.0 */
/* Texts to messages as mail servers take them (RFC 5322, MIME, UTF-8), and addresses that can be nothing else. */
#ifndef CONTROL_MAIL_MESSAGE_H
#define CONTROL_MAIL_MESSAGE_H

#include "base/buffer.h"
#include "base/error.h"

/* One plain ASCII address, name@domain, of at most 254 bytes: what may stand in RCPT TO. */
bool control_mail_address_is_plain(struct slice address);
/* "name@domain" or "Some Name <name@domain>": both parts, or false. */
bool control_mail_sender_parse(struct slice text, struct slice *ret_name, struct slice *ret_address);

struct control_mail_message {
    const char *id;        /* becomes the left half of Message-ID: the same for every attempt */
    int64_t date_ms;
    struct slice from;     /* as control_mail_sender_parse takes it */
    struct slice to;
    struct slice subject;  /* UTF-8 without control characters */
    struct slice text;     /* UTF-8 */
};
/* The whole message with CRLF lines. The body is base64, so that no line of it means anything to a mail server. */
void control_mail_message_write(const struct control_mail_message *message, struct buffer *out);

#endif
