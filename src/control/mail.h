/* SPDX-License-Identifier: Apache-2.0 */
/* Mail to people: put into an outbox with the change it tells of, sent later by the job thread. */
#ifndef CONTROL_MAIL_H
#define CONTROL_MAIL_H

#include "control/control.h"

/*
 * Model: control_mail_queue seals the message (it may hold tokens) and puts it into mail_outbox, in the caller's
 * transaction: change and mail are there together or not at all. The job thread of any server calls
 * control_mail_send_due, which claims what is due, speaks SMTP and removes what the mail server has taken, or what has
 * failed CONTROL_MAIL_ATTEMPTS times. A server that dies between sending and removing makes a mail come twice, never
 * not at all.
 */
#define CONTROL_MAIL_ATTEMPTS 5            /* about two hours with the growing pauses; tokens do not live much longer */
#define CONTROL_MAIL_SUBJECT_LIMIT 200     /* bytes */
#define CONTROL_MAIL_TEXT_LIMIT (64 * 1024) /* bytes: links and sentences, never attachments */
#define CONTROL_MAIL_WAITING_LIMIT 10000   /* mails in the outbox: a broken mail server must not fill the metadata */
#define CONTROL_MAIL_RECIPIENT_LIMIT 10    /* waiting for one recipient: nobody is flooded through us */

/*
 * `text` is plain UTF-8, lines ended by '\n'. ERROR_INVALID for a recipient that is not one plain address and for control
 * characters in the subject: nothing that people type can add a header or a recipient. ERROR_UNAVAILABLE when no mail is
 * configured (control->mail_is_configured) and ERROR_RATE_LIMITED over the limits above; both leave the transaction usable.
 */
enum error_code control_mail_queue(const struct control_call *call, struct meta_session *session, const char *recipient,
                                   const char *subject, struct slice text, struct error *error) MUST_CHECK;

struct control_mail_settings {
    const char *url;      /* "smtp://host:587" (STARTTLS is required unless the host is loopback), "smtps://host:465" */
    const char *from;     /* "millrace@shop.example" or "Millrace <millrace@shop.example>" */
    const char *user;     /* "" : no login */
    const char *password;
    const char *ca_file;  /* PEM; "": the system's */
};
/* What is wrong with them, before they are first used; ERROR_INVALID names the setting. */
enum error_code control_mail_settings_check(const struct control_mail_settings *settings,
                                            struct error *error) MUST_CHECK;

struct control_mail_counts {
    unsigned sent, failed; /* failed: will be tried again */
    unsigned given_up;     /* removed unsent; one log line each */
};
/* Sends at most 50 due mails, one after the other. Blocks for up to 30 s per mail: the job thread only, in no
 * transaction. An error is one of the metadata; what the mail server says is counted, logged and kept in last_error. */
enum error_code control_mail_send_due(struct control *control, const struct control_mail_settings *settings,
                                      int64_t now_ms, struct control_mail_counts *ret_counts,
                                      struct error *error) MUST_CHECK;

#endif
