/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 (RFC 9113) on a listen stream, with unary gRPC inside: streams, flow control, limits against floods. */
#ifndef PROTO_HTTP2_H
#define PROTO_HTTP2_H

#include "proto/http.h"

/*
 * For listen_settings.protocol; protocol_context is a `struct http_settings *` that outlives the listener.
 *
 * Model: a stream is one request and its answer, as in proto/request.h; answers leave as they are ready, in any order.
 * Framing, HPACK and the rules of RFC 9113 are libnghttp2's. A client that resets its stream cancels its request.
 *
 * gRPC: a POST with Content-Type application/grpc or application/grpc+proto is one unary call. Its handler sees the
 * message as `request.body`, unframed and decompressed, and "/package.Service/Method" as `request.path`. What it answers
 * with a status 2xx is the message of the answer; any other status becomes grpc-status and grpc-message (proto/grpc.h).
 */
extern const struct listen_protocol http2_protocol;

#endif
