/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of Databuddy's dialect share: codes, limits, the state of a request, answers. */
#ifndef DOMAINS_ANALYTICS_DATABUDDY_H
#define DOMAINS_ANALYTICS_DATABUDDY_H

#include "base/json_writer.h"
#include "domains/analytics/blocked.h"
#include "domains/analytics/report.h"

/* Errors of the whole request carry the dialect's own code in error.field; errors of one item carry the field. */
#define CODE_MISSING_CLIENT_ID "INGEST_MISSING_CLIENT_ID"
#define CODE_INVALID_CLIENT_ID "INGEST_INVALID_CLIENT_ID"
#define CODE_ORIGIN "INGEST_ORIGIN_NOT_AUTHORIZED"
#define CODE_ADDRESS "INGEST_IP_NOT_AUTHORIZED"
#define CODE_UNKNOWN_TYPE "INGEST_UNKNOWN_EVENT_TYPE"
#define CODE_NOT_ARRAY "INGEST_BATCH_NOT_ARRAY"
#define CODE_BATCH_TOO_LARGE "INGEST_BATCH_TOO_LARGE"
#define CODE_INVALID_SCHEMA "INVALID_EVENT_SCHEMA"
#define CODE_INVALID_BODY "TRACK_INVALID_BODY"
#define CODE_MISSING_CREDENTIALS "TRACK_MISSING_CREDENTIALS"

#define DATABUDDY_PROPERTY_LIMIT 50        /* members of properties, before nested ones are flattened */

struct databuddy_request {
    const struct domain_input *input;
    struct domain_output *output;
    struct analytics_context context;
    struct privacy_salt visitor_salt;
    struct slice scope;       /* stands in the ids made from the client's */
    struct buffer errors;     /* JSON objects of refused items, with commas between them */
    struct json_writer errors_writer;
};
void databuddy_begin(struct databuddy_request *request, const struct domain_input *input, struct domain_output *output);
struct analytics_report_rules databuddy_rules(const struct databuddy_request *request);
/* Beacons come as text/plain: whatever the type says, the body is JSON. */
enum error_code databuddy_parse(const struct domain_input *input, struct json_value *root, struct error *error) MUST_CHECK;

/* The end of a decode function: what was refused whole is written down and answered as the dialect does; other errors stay
 * errors. Frees what the request holds. */
enum error_code databuddy_end(struct databuddy_request *request, enum error_code code, struct error *error) MUST_CHECK;
/* An item that was refused: a row of blocked_traffic, and its place in the answer's `errors`. */
void databuddy_refuse_item(struct databuddy_request *request, size_t index, struct json_value item, const struct error *error);
/* {"status":"success","type":...}, with "count" unless that is negative. */
void databuddy_write_success(struct domain_output *output, const char *status, struct slice type, int64_t count);
/* code, and the field at fault when there is one, as members of an object. */
void databuddy_write_reason(struct json_writer *writer, const char *code, const struct error *error);
/* The body of a refusal; `errors` replaces the one of `error` when not empty. */
void databuddy_write_refusal(const char *code, const struct error *error, struct slice errors, const struct request *request,
                             int status, struct buffer *body);

/* One page event or link. `item` is an object; `type` is "track" or "outgoing_link". */
enum error_code databuddy_store(struct databuddy_request *request, struct json_value item, struct slice type, size_t position,
                                struct error *error) MUST_CHECK;
/* "track" or "outgoing_link"; an empty slice for any other. */
struct slice databuddy_type(struct json_value item);
/* All reports of a body: an array, or one object. */
enum error_code databuddy_take_reports(struct databuddy_request *request, struct json_value root,
                                       enum analytics_report_kind kind, size_t limit, struct error *error) MUST_CHECK;

#endif
