/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of OpenPanel's dialect share: one request with its sender, and refusals in that dialect's words. */
#ifndef DOMAINS_ANALYTICS_OPENPANEL_H
#define DOMAINS_ANALYTICS_OPENPANEL_H

#include "domains/analytics/dialect.h"
#include "domains/analytics/visitor_id.h"

/* Marks errors of JSON syntax, which this dialect's clients know under a name of its own. */
#define OPENPANEL_SYNTAX "(body)"

struct openpanel_request {
    const struct domain_input *input;
    struct domain_output *output;
    struct analytics_context context;
    struct json_value payload;
    const char *place;         /* of the payload in the body, for refusals: "payload", or "" */
    struct slice address;      /* of the sender, or __ip */
    struct slice device;       /* the device of the answer: named by the client, or derived */
    struct slice session;      /* likewise */
    bool is_server;            /* the sender is a program, no visitor */
    bool any_revenue;          /* v1 takes amounts with decimals */
};

/* Fills all but payload and place; device and session are those of a sender that names none. */
void openpanel_begin(struct openpanel_request *request, const struct domain_input *input, struct domain_output *output);
/* ERROR_UNAUTHENTICATED when the tenant does not want what this sender, or the payload's profile, sends. */
enum error_code openpanel_check_filters(struct openpanel_request *request, struct error *error) MUST_CHECK;
/* Device (unless named: not empty) and session of the sender at that time. */
void openpanel_find_ids(struct openpanel_request *request, struct slice named_device, int64_t time_ms);
/* Parses the body of a request whose type is JSON. */
enum error_code openpanel_parse(const struct domain_input *input, struct json_value *ret_root,
                                struct error *error) MUST_CHECK;
/* Name and version of the SDK, from headers. */
void openpanel_take_sdk(const struct openpanel_request *request, struct analytics_event *event);
/* {"deviceId","sessionId"} */
void openpanel_answer_ids(struct openpanel_request *request);
/* The secret key was sent: who asks is a backend, and is believed. */
static inline bool openpanel_is_trusted(const struct openpanel_request *request)
{
    return request->input->key->kind == TENANT_KEY_SECRET;
}

/* The event of a track call, from request->payload. */
enum error_code openpanel_take_track(struct openpanel_request *request, struct error *error);
/* openpanel_people.c */
enum error_code openpanel_take_identify(struct openpanel_request *request, struct error *error);
enum error_code openpanel_take_increment(struct openpanel_request *request, struct error *error);
enum error_code openpanel_take_decrement(struct openpanel_request *request, struct error *error);
enum error_code openpanel_take_alias(struct openpanel_request *request, struct error *error);
enum error_code openpanel_take_group(struct openpanel_request *request, struct error *error);
enum error_code openpanel_take_assign_group(struct openpanel_request *request, struct error *error);
/* openpanel_replay.c */
enum error_code openpanel_take_replay(struct openpanel_request *request, struct error *error);
/* As openpanel_take_identify, from __identify: `profile` is written with the event. False: it says no more than an id. */
struct analytics_profile;
enum error_code openpanel_read_identify(struct openpanel_request *request, struct json_value payload, const char *place,
                                        struct analytics_profile *profile, struct error *error);

/* Refusals: "body/<place> <reason>". */
enum error_code openpanel_invalid(struct error *error, const char *place, const char *reason);
/* "Invalid input: expected <expected>, received <what came>" */
enum error_code openpanel_expect(struct error *error, const char *parent, const char *name, const char *expected,
                                 bool present, struct json_value value);
/* The refusal of a column's value (error->field), at its place in the body. */
enum error_code openpanel_invalid_value(struct error *error, const char *parent, enum error_code code);
/* A profile's id: a non-empty text or a number. *ret_id is empty when there is none and it is not required. */
enum error_code openpanel_read_id(struct openpanel_request *request, const char *name, bool required,
                                  struct slice *ret_id, struct error *error);

#endif
