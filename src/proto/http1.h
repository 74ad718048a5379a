/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 (RFC 9110, 9112) on a listen stream: keep-alive, pipelining, chunked and packed bodies, limits. */
#ifndef PROTO_HTTP1_H
#define PROTO_HTTP1_H

#include "proto/http.h"

/* The parser's own limit of a header, 80 KiB unless a program's clients need more: for the whole process, before the first connection. */
void http1_allow_header_bytes(size_t bytes);

/* For listen_settings.protocol; protocol_context is a `struct http_settings *` that outlives the listener. */
extern const struct listen_protocol http1_protocol;

#endif
