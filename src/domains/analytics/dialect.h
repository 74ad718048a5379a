/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects of analytics: one set of functions per dialect, and the small steps they have in common. */
#ifndef DOMAINS_ANALYTICS_DIALECT_H
#define DOMAINS_ANALYTICS_DIALECT_H

#include "domain/domain.h"
#include "domains/analytics/event.h"
#include "domains/analytics/row.h"

/* Our own: POST /v1/events. Errors of the whole request use the standard body. */
struct slice analytics_own_find_key(const struct request *request);
enum error_code analytics_own_decode(const struct domain_input *input, struct domain_output *output,
                                     struct error *error);

/* OpenPanel's: POST /track; GET /track/device-id; version 1, deprecated: POST /event and /profile...; POST /import/events. */
struct slice analytics_openpanel_find_key(const struct request *request);
enum error_code analytics_openpanel_decode(const struct domain_input *input, struct domain_output *output,
                                           struct error *error);
const char *analytics_openpanel_refuse(const struct error *error, const struct request *request, int *status,
                                       struct buffer *body);

enum error_code analytics_openpanel_decode_device_id(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error);
const char *analytics_openpanel_refuse_device_id(const struct error *error, const struct request *request, int *status,
                                                 struct buffer *body);
enum error_code analytics_openpanel_decode_event(const struct domain_input *input, struct domain_output *output,
                                                 struct error *error);
enum error_code analytics_openpanel_decode_profile(const struct domain_input *input, struct domain_output *output,
                                                   struct error *error);
enum error_code analytics_openpanel_decode_increment(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error);
enum error_code analytics_openpanel_decode_decrement(const struct domain_input *input, struct domain_output *output,
                                                     struct error *error);
enum error_code analytics_openpanel_decode_import(const struct domain_input *input, struct domain_output *output,
                                                  struct error *error);
const char *analytics_openpanel_refuse_import(const struct error *error, const struct request *request, int *status,
                                              struct buffer *body);

/* Databuddy's. Routes of pages find the id of the client, routes of programs a key or the id of the site. */
struct slice analytics_databuddy_find_key(const struct request *request);
struct slice analytics_databuddy_find_api_key(const struct request *request);
#define DATABUDDY_ROUTE_DECODE(name)                                                                                   \
    enum error_code analytics_databuddy_decode_##name(const struct domain_input *input, struct domain_output *output,  \
                                                      struct error *error);
DATABUDDY_ROUTE_DECODE(batch)
DATABUDDY_ROUTE_DECODE(vitals)
DATABUDDY_ROUTE_DECODE(errors)
DATABUDDY_ROUTE_DECODE(events)
DATABUDDY_ROUTE_DECODE(engagement)
DATABUDDY_ROUTE_DECODE(track)
DATABUDDY_ROUTE_DECODE(llm)
DATABUDDY_ROUTE_DECODE(identify)
DATABUDDY_ROUTE_DECODE(ai_traffic)
DATABUDDY_ROUTE_DECODE(pixel)
#undef DATABUDDY_ROUTE_DECODE
enum error_code analytics_databuddy_decode(const struct domain_input *input, struct domain_output *output,
                                           struct error *error);
const char *analytics_databuddy_refuse(const struct error *error, const struct request *request, int *status,
                                       struct buffer *body);
/* A picture, whatever happened; but 429 and 503 are worth another try. */
const char *analytics_databuddy_refuse_pixel(const struct error *error, const struct request *request, int *status,
                                             struct buffer *body);

/* What all events of this request have in common; a server program's address is left out. */
struct analytics_context dialect_context(const struct domain_input *input);
/* The device of this connection: today's id, or yesterday's while its visit goes on over midnight. */
struct slice dialect_device(const struct domain_input *input, const struct analytics_context *context, struct slice address,
                            int64_t time_ms);
/* The media type of the Content-Type header, without parameters; empty when absent. */
struct slice dialect_media_type(const struct request *request);
/* The member, or false when it is absent or null. */
bool dialect_get(struct json_value object, const char *name, struct json_value *ret_value);
/* The member when it is a string, else an empty slice. */
struct slice dialect_get_string(struct json_value object, const char *name);
/* Completes and stores one event, or counts it as a duplicate. A robot's goes to events_bots (event->bot says so). */
enum error_code dialect_store(struct analytics_event *event, const struct analytics_context *context,
                              struct domain_output *output, struct error *error) MUST_CHECK;
/* A robot's, completed: kept apart, neither counted as a visit nor billed, but there to be looked at. */
void dialect_store_bot(const struct analytics_event *event, const struct analytics_context *context, struct domain_output *output);

#endif
