/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the chain of audit events over the event store and the outbox, and names the first break. */
#ifndef SERVER_AUDIT_VERIFY_H
#define SERVER_AUDIT_VERIFY_H

#include "control/control.h"
#include "store/store.h"

/*
 * Model: every service has a chain whose end stands in its database. Events are taken in order from the event store or,
 * where they have not left it yet, from the outbox; each is hashed again. The chain begins with event 1 or, when older
 * events are past their retention, with the oldest there is. What is on its way between the two is waited for.
 */
struct audit_verify_report {
    int64_t first, last;   /* 0: the chain is empty */
    int64_t in_outbox;     /* of those, not in the event store yet */
    bool is_whole;
    char broken[320];      /* otherwise: where, and how */
};
/* `wait_ms`: how long an event may be on its way. */
enum error_code audit_verify(const char *service, struct meta_database *database, struct store_session *session,
                             int64_t wait_ms, struct audit_verify_report *ret_report, struct error *error) MUST_CHECK;

#endif
