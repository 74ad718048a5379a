/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols of other products for spans and log lines: decode functions of their routes. */
#ifndef DOMAINS_OBSERVABILITY_DIALECTS_DIALECTS_H
#define DOMAINS_OBSERVABILITY_DIALECTS_DIALECTS_H

#include "domain/domain.h"

/*
 * Model: a request is turned into the OTLP request its sender would have made, and goes the way of those: one set of rules and
 * one way into the tables. What is not of its own format refuses it whole, before a row.
 */
/* Zipkin's JSON, version 2: an array of spans. Answers 202; spans that cannot be stored are named in the answer's text. */
enum error_code zipkin_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
/* Loki's push: JSON, or protobuf in a snappy block. Answers 204; with lines that cannot be stored 400 and which, the others being
 * stored: what Loki does. */
enum error_code loki_decode(const struct domain_input *input, struct domain_output *output, struct error *error);
/* The message as plain text, as both products have it. */
const char *dialect_refuse(const struct error *error, const struct request *request, int *status, struct buffer *body);

#endif
