/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking HTTP client for the commands that talk to a running server. */
#ifndef SERVER_HTTP_CLIENT_H
#define SERVER_HTTP_CLIENT_H

#include "base/buffer.h"
#include "base/error.h"

/* One kept-alive connection; one thread. */
struct http_client;
/* `server` is "http://host:port" or https; `bearer` may be NULL. */
enum error_code http_client_create(const char *server, const char *bearer, struct http_client **ret_client, struct error *error);
/* The server is of this process: no proxy, and with https (`pin` of server_pin, else NULL) only the holder of its key is spoken
 * to, for its certificate has the name that others know it by. */
void http_client_own(struct http_client *client, const char *pin);
/* One try, which may take this long, instead of a minute of them. */
void http_client_once(struct http_client *client, int64_t timeout_ms);
/* A further header line of every request. */
void http_client_header(struct http_client *client, const char *line);
void http_client_destroy(struct http_client *client);
/*
 * POSTs a body and appends the answer's body to `answer`. Statuses that may pass (429, 503, 504) and refused connections are
 * tried again with growing pauses for up to a minute. Any other status is returned in *ret_status, not as an error.
 */
enum error_code http_client_post(struct http_client *client, const char *path, const char *content_type, struct slice body,
                                 int *ret_status, struct buffer *answer, struct error *error);

#endif
