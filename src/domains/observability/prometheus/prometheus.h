/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' remote write, 1.0 and 2.0: decode function of routes, and its errors. */
#ifndef DOMAINS_OBSERVABILITY_PROMETHEUS_PROMETHEUS_H
#define DOMAINS_OBSERVABILITY_PROMETHEUS_PROMETHEUS_H

#include "domain/domain.h"

/*
 * Bodies are protobuf, compressed by snappy (the HTTP layer has undone that). What cannot be stored is refused with 400 and its reasons when the rest is
 * stored; what cannot be decoded is refused whole. Samples out of order and equal ones are taken: equal ones are one when they are read.
 * Source: the specifications of remote write 1.0 and 2.0.
 */
enum error_code prometheus_write_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
/* A line of text. */
const char *prometheus_write_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);

#endif
