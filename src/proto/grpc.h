/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of gRPC over HTTP/2 that are about bytes: framing, timeouts, status, percent-encoding. Pure. */
#ifndef PROTO_GRPC_H
#define PROTO_GRPC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

/* The codes used here by name; all of them: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
enum grpc_code {
    GRPC_OK = 0,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAVAILABLE = 14,
    GRPC_CODE_COUNT = 17,
};

/* Before every message: a byte that says whether it is compressed, then its length, big-endian. */
#define GRPC_FRAME_HEAD_SIZE 5
/* Longer messages of errors are cut: they travel in a header, of which clients take 8 KiB, a byte as three at worst. */
#define GRPC_MESSAGE_LIMIT 1000
/* Longer details are left out, for the same reason. */
#define GRPC_DETAILS_LIMIT 4096
/* What `grpc-accept-encoding` says: the decoders of proto/http_priv.h. */
#define GRPC_ENCODINGS "identity,gzip,deflate,zstd"

enum grpc_content { GRPC_CONTENT_NONE, GRPC_CONTENT_PROTOBUF, GRPC_CONTENT_OTHER };
/* What a Content-Type says: no gRPC (grpc-web is another protocol), messages in protobuf, or in something else. */
enum grpc_content grpc_content_of(struct slice content_type);

/* "15S", "7915m": at most eight digits and a unit of H M S m u n. Rounded up to milliseconds, at least 1. */
enum error_code grpc_timeout_parse(struct slice text, int64_t *ret_ms, struct error *error) MUST_CHECK;

bool grpc_frame_is_compressed(const uint8_t head[GRPC_FRAME_HEAD_SIZE]);
uint32_t grpc_frame_length(const uint8_t head[GRPC_FRAME_HEAD_SIZE]);
void grpc_frame_head_write(size_t length, struct buffer *out);

/* The code for an answer of that HTTP status, where nothing says it better. */
int grpc_code_of_http_status(int status);
/* As grpc-message wants it: printable ASCII stays, all else and '%' become %XX; cut at GRPC_MESSAGE_LIMIT. */
void grpc_message_encode(struct slice message, struct buffer *out);
/* Base64 without padding, as "-bin" headers want it. */
void grpc_base64_encode(struct slice bytes, struct buffer *out);

/* What a call that failed says: grpc-status, grpc-message and, when there are details, a whole google.rpc.Status. */
struct grpc_status {
    int code;
    struct slice message;
    struct slice details; /* an encoded google.rpc.Status, or empty */
};
/* Appends an encoded google.rpc.Status {code, message}, with RetryInfo {retry_delay {seconds}} among its details unless `retry_after_s` is 0. */
#define GRPC_RETRY_INFO "type.googleapis.com/google.rpc.RetryInfo"
void grpc_status_write(int code, struct slice message, uint64_t retry_after_s, struct buffer *out);
/* Reads an encoded google.rpc.Status; false when the bytes are not one. Slices point into `body`. */
bool grpc_status_read(struct slice body, struct grpc_status *ret_status);
/*
 * The status that an answer of HTTP stands for: a body of the type application/x-protobuf is a google.rpc.Status
 * itself; else the code comes from the HTTP status, the message from a text or a JSON error ({"error":{"message":..}}),
 * and with `retry_after` (the header's value, may be empty) RetryInfo goes into the details.
 */
void grpc_status_of_answer(int http_status, const char *content_type, struct slice body, struct slice retry_after,
                           struct arena *arena, struct grpc_status *ret_status);

#endif
