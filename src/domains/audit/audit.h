/* SPDX-License-Identifier: Apache-2.0 */
/* The domain of audit events: the table observability.audit_logs and the list that can be asked of it. No client writes. */
#ifndef DOMAINS_AUDIT_AUDIT_H
#define DOMAINS_AUDIT_AUDIT_H

#include "domain/domain.h"
#include "query/list.h"

/* Positions in audit_logs_schema, without `segment`. */
enum audit_column {
    AUDIT_ORGANIZATION_ID, AUDIT_TIMESTAMP, AUDIT_ID, AUDIT_USER_ID, AUDIT_ACTION, AUDIT_RESOURCE_TYPE,
    AUDIT_RESOURCE_ID, AUDIT_IP_ADDRESS, AUDIT_USER_AGENT, AUDIT_WORKSPACE_ID, AUDIT_TENANT_ID, AUDIT_RESULT,
    AUDIT_METADATA, AUDIT_ACTOR_KIND, AUDIT_ACTOR_ID, AUDIT_SESSION_ID, AUDIT_SERVICE, AUDIT_SEQUENCE,
    AUDIT_PREVIOUS_HASH, AUDIT_HASH, AUDIT_INGESTED_AT, AUDIT_COLUMN_COUNT
};
/* organization_id of what belongs to the whole installation: every row has an organization, by which its policy works. */
#define AUDIT_INSTALLATION "00000000-0000-0000-0000-000000000000"

struct audit_row {
    struct uuid id;
    int64_t time_ms;
    int64_t sequence;
    int64_t ingested_ms;
    struct slice texts[AUDIT_COLUMN_COUNT]; /* of the text columns; the others are not read */
};
void audit_row_append(struct block *block, const struct audit_row *row);

extern const struct block_schema audit_logs_schema;
extern const struct domain audit_domain;
/* GET /v1/audit: newest first. The owner is the organization; tenant_id narrows. */
extern const struct query_list audit_list;

#endif
