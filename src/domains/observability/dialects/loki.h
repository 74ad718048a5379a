/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of Loki and its lines, whatever they were written in, as groups of log records. */
#ifndef DOMAINS_OBSERVABILITY_DIALECTS_LOKI_H
#define DOMAINS_OBSERVABILITY_DIALECTS_LOKI_H

#include "domain/domain.h"
#include "domains/observability/dialects/translation.h"

/*
 * Model: begin a stream, give its labels, end them; for each line give its metadata, then end it. Labels become attributes of the
 * resource, and one of them its service.name; metadata becomes attributes of the record. A level becomes its severity, when it is a
 * word: a stream's is repeated in every record; trace and span ids in the metadata become those of the record.
 */
struct loki_stream {
    struct translation *translation;
    struct slice level;   /* of its labels; must last as long as its lines */
    struct slice service;
    size_t service_rank;  /* of the label that named it */
};
struct loki_line {
    struct slice level, trace_id, span_id;
};
void loki_stream_begin(struct loki_stream *stream);
void loki_stream_label(struct loki_stream *stream, struct slice name, struct slice value);
void loki_stream_labels_end(struct loki_stream *stream);
void loki_line_metadata(struct loki_stream *stream, struct loki_line *line, struct slice name, struct slice value);
enum error_code loki_line_end(struct loki_stream *stream, const struct loki_line *line, uint64_t time_ns, struct slice text, struct error *error) MUST_CHECK;

/* loki_wire.c: protobuf in a snappy block. */
enum error_code loki_wire_translate(const struct domain_input *input, struct loki_stream *stream, struct error *error) MUST_CHECK;

#endif
