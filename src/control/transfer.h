/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to other people's HTTP servers, with every limit set: sizes, times, protocols, certificates, no redirects. */
#ifndef CONTROL_TRANSFER_H
#define CONTROL_TRANSFER_H

#include "base/buffer.h"
#include "base/error.h"

#define CONTROL_TRANSFER_LIMIT (256 * 1024) /* bytes of an answer: discovery, keys and tokens have some thousand */
#define CONTROL_TRANSFER_TIMEOUT_MS 8000    /* somebody waits at a browser, and a thread of a pool with him */

/* Whether the host of the URL is 127.0.0.0/8, ::1 or localhost. */
bool control_transfer_is_loopback(struct slice url);

struct control_transfer {
    struct slice url;            /* https, or http to a loopback host when `may_be_plain` */
    bool may_be_plain;
    struct slice form;           /* sent by POST as application/x-www-form-urlencoded; data NULL: GET */
    struct slice user, password; /* sent as HTTP Basic when `user` is not empty */
    const char *ca_file;         /* PEM; NULL: the system's. Certificates are always checked. */
};
/* Appends the body of a 200 answer and JSON_PADDING zeros behind its end (not counted). Anything else is an error:
 * ERROR_UNAVAILABLE for what may pass, ERROR_INVALID for a URL that is not allowed, ERROR_FORBIDDEN for a 4xx status,
 * ERROR_TOO_LARGE. Never tells the body in the error. Blocks. */
enum error_code control_transfer_run(const struct control_transfer *transfer, struct buffer *out,
                                     struct error *error) MUST_CHECK;

/* Percent-encodes everything but letters, digits and -._~ (RFC 3986). */
void control_transfer_append_encoded(struct buffer *out, struct slice text);
/* name=value, with '&' before when `out` does not end in '?' and is not empty. */
void control_transfer_append_pair(struct buffer *out, const char *name, struct slice value);

#endif
