/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP's export requests: decode functions of routes, and their errors. */
#ifndef DOMAINS_OBSERVABILITY_OTLP_OTLP_H
#define DOMAINS_OBSERVABILITY_OTLP_OTLP_H

#include "domain/domain.h"

/*
 * Protobuf and JSON by Content-Type (application/grpc: the bare message in protobuf). Items that cannot be stored are counted in
 * partial_success with their reasons and the rest is stored; what cannot be decoded is refused whole. Source: the OTLP specification.
 */
enum error_code otlp_traces_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
enum error_code otlp_metrics_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
enum error_code otlp_logs_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
/* A request of another protocol that was turned into OTLP's protobuf: the same rules. The answer is the caller's; `reason` gets what is
 * to be said of refused items, which output->refused counts. */
enum error_code otlp_traces_take(const struct domain_input *input, struct domain_output *output, struct slice body, struct buffer *reason,
                                 struct error *error) MUST_CHECK;
enum error_code otlp_logs_take(const struct domain_input *input, struct domain_output *output, struct slice body, struct buffer *reason,
                               struct error *error) MUST_CHECK;
/* google.rpc.Status in the request's type; for gRPC the protocol makes trailers of it. */
const char *otlp_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);

#endif
