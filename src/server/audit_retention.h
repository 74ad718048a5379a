/* SPDX-License-Identifier: Apache-2.0 */
/* How long audit events are kept: a setting, which becomes the TTL of their table. */
#ifndef SERVER_AUDIT_RETENTION_H
#define SERVER_AUDIT_RETENTION_H

#include "server/settings.h"
#include "store/store.h"

/* Changes the table's TTL when it is another one. After the migrations. */
enum error_code audit_retention_apply(const struct settings *settings, struct store_session *session,
                                      struct error *error) MUST_CHECK;

#endif
