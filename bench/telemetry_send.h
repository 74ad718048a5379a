/* SPDX-License-Identifier: Apache-2.0 */
/* Posts generated telemetry: HTTP/1.1, or gRPC over HTTP/2, one connection per lane. */
#ifndef BENCH_TELEMETRY_SEND_H
#define BENCH_TELEMETRY_SEND_H

#include "telemetry.h"

struct telemetry_target {
    const char *host, *port, *path;
    const char *key;          /* bearer; "" for none */
    const char *headers;      /* further lines of HTTP/1.1, each with its CRLF */
    bool is_grpc;
};
struct telemetry_sent {
    uint64_t requests, bytes;
    int64_t wall_us;
};
/* Returns when all bodies are answered. Any answer but a plain "all of it stored" is an error: a benchmark of refusals would be fast. */
enum error_code telemetry_send(const struct telemetry_target *target, const struct telemetry *telemetry, struct telemetry_sent *ret_sent,
                               struct error *error) MUST_CHECK;

/* One lane; telemetry_send.c and telemetry_grpc.c. `fd` is connected. */
enum error_code telemetry_send_grpc(const struct telemetry_target *target, const struct telemetry *telemetry, unsigned lane, int fd,
                                    uint64_t *requests, struct error *error);
bool telemetry_write_all(int fd, const void *data, size_t size);

#endif
