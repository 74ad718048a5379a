/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health/Check: what load balancers and senders of OTLP ask by gRPC. */
#include "api/api_private.h"

#include "base/protobuf_writer.h"
#include "decode/protobuf.h"
#include "proto/grpc.h"

/* ServingStatus. */
enum { SERVING = 1, NOT_SERVING = 2 };

/* A gRPC method that some domain takes: "/package.Service/Method". */
static bool is_ingest_service(const struct api_loop *loop, struct slice service)
{
    const struct api_settings *settings = &loop->api->settings;
    for (size_t i = 0; i < settings->domain_count; i++)
        for (size_t j = 0; j < settings->domains[i]->route_count; j++) {
            struct slice rest = slice_from_string(settings->domains[i]->routes[j].path), name = slice_cut(&rest, '/');
            name = slice_cut(&rest, '/');
            if (rest.size && slice_index_of(name, '.') > 0 && slice_equal(name, service)) return true;
        }
    return false;
}

static bool read_service(struct slice message, struct slice *ret_service)
{
    struct protobuf_field field;
    enum protobuf_wire wire;
    *ret_service = SLICE_EMPTY;
    while ((wire = protobuf_next(&message, &field)) < PROTOBUF_END)
        if (field.number == 1) {
            if (wire != PROTOBUF_BYTES) return false;
            *ret_service = field.bytes;
        }
    return wire == PROTOBUF_END;
}

/* Of the whole server ("") as /readyz says; of services that take rows whether these can be made durable: questions do not matter to senders. */
void api_grpc_health(struct api_call *call)
{
    const struct api_settings *settings = &call->loop->api->settings;
    struct error error = {0};
    struct slice service;
    struct buffer body = {0};
    if (grpc_content_of(request_header_get(call->request, "content-type")) != GRPC_CONTENT_PROTOBUF) {
        error_set_field(&error, ERROR_UNSUPPORTED_MEDIA, "content-type", "this is a method of gRPC: use GET /readyz instead");
        api_refuse(call, &error);
        return;
    }
    if (!read_service(call->request->body, &service)) {
        error_set(&error, ERROR_INVALID, "the message is not a grpc.health.v1.HealthCheckRequest");
        api_refuse(call, &error);
        return;
    }
    bool is_ingest = is_ingest_service(call->loop, service);
    if (service.size && !is_ingest) { /* the protocol wants NOT_FOUND; a status of HTTP would become UNIMPLEMENTED */
        error_set(&error, ERROR_NOT_FOUND, "there is no service %.*s here", SLICE_ARGS(slice_first(service, 200)));
        grpc_status_write(error_code_grpc_status(error.code), slice_from_string(error.message), 0, &body);
        api_answer(call, 404, "application/x-protobuf", buffer_slice(&body));
    } else {
        bool is_ready = !ingest_is_full(call->loop->ingest) && (is_ingest || settings->is_ready(settings->ready_context));
        protobuf_write_varint(&body, 1, is_ready ? SERVING : NOT_SERVING);
        api_answer(call, 200, "application/grpc", buffer_slice(&body));
    }
    buffer_free(&body);
}
