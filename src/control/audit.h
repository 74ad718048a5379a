/* SPDX-License-Identifier: Apache-2.0 */
/* Audit events: written in the transaction of the change they tell of, chained by hash, on their way to the event store. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include "control/control.h"
#include "decode/json.h"

/*
 * Model: control_audit_write puts the event into audit_outbox of the database its session belongs to (core, product or
 * billing: each has its own outbox and chain), in the caller's transaction: the change and its event are there together
 * or not at all, also when `millrace` commands change things while no server runs. A server's mover
 * (server/audit_mover.h) takes them to the event table observability.audit_logs; the event's id makes that happen once.
 *
 * The chain: events of one database are numbered 1, 2, .. without gaps, and hash = SHA-256(previous hash as hexadecimal
 * text, canonical text of the event), so that a missing or changed row shows (`millrace audit verify`). The canonical
 * text is JSON with fixed members in a fixed order, all of them text except the sequence; what a row of the event store
 * must hold to make it again is struct control_audit_record. Service and workspace are added on the way to the event
 * store and are not part of it: the chain an event belongs to says its service.
 */
enum control_audit_result { CONTROL_AUDIT_SUCCESS, CONTROL_AUDIT_FAILURE, CONTROL_AUDIT_ERROR, CONTROL_AUDIT_RESULT_COUNT };
const char *control_audit_result_name(enum control_audit_result result);
const char *control_actor_kind_name(enum control_actor_kind kind);

struct control_audit_event {
    const char *action;            /* "tenant.created", "auth.login_failed", "key.revoked", ... */
    const char *resource_type;     /* "tenant", "user", "key", ... */
    struct slice resource_id;
    enum control_audit_result result;
    struct slice metadata;         /* a JSON object, or empty; never secrets. Changes: {"changed":["name"]} */
    const char *organization_id;   /* NULL: the call's */
    const char *tenant_id;         /* NULL: the call's */
    const char *user_id;           /* NULL: the actor's; of a failed login: whose it would have been */
};
/* Texts from clients are cut, at a letter's end: an audit event must not fail for what a client sent. */
#define CONTROL_AUDIT_RESOURCE_LIMIT 256
#define CONTROL_AUDIT_ADDRESS_LIMIT 64
#define CONTROL_AUDIT_USER_AGENT_LIMIT 512
/* Larger metadata is replaced by {"left_out":"metadata of N bytes"}. */
#define CONTROL_AUDIT_METADATA_LIMIT 16384

/* `session` is in a transaction on any service's database. */
enum error_code control_audit_write(const struct control_call *call, struct meta_session *session,
                                    const struct control_audit_event *event, struct error *error) MUST_CHECK;

/* An event as it is kept. Texts are UTF-8. */
struct control_audit_record {
    struct slice id;               /* UUID */
    int64_t time_ms;
    int64_t sequence;
    struct slice organization_id, tenant_id, user_id, actor_kind, actor_id, session_id, action, resource_type,
        resource_id, ip_address, user_agent, result, metadata;
    struct slice previous_hash;    /* 64 hexadecimal characters; empty before the first event */
    struct slice hash;
};
#define CONTROL_AUDIT_HASH_SIZE 64
/* hash of the canonical text, after record->previous_hash; record->hash is not read. ERROR_MEMORY. */
enum error_code control_audit_hash(const struct control_audit_record *record, char out[CONTROL_AUDIT_HASH_SIZE + 1],
                                   struct error *error) MUST_CHECK;
/* The text of audit_outbox.event: the canonical text and, as its last members, both hashes. */
void control_audit_record_write(const struct control_audit_record *record, struct buffer *out);
/* Reads such a text; the record points into the parser. ERROR_CORRUPT. `padded` is readable for JSON_PADDING past its end. */
enum error_code control_audit_record_read(struct json_parser *parser, struct slice padded,
                                          struct control_audit_record *record, struct error *error) MUST_CHECK;

#endif
