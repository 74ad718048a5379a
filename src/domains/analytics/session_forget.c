/* SPDX-License-Identifier: Apache-2.0 */
/* A person's rows are removed: what memory adds up of those visits must not be written any more. */
#include "domains/analytics/session_table.h"

/* Two erasures of one session: it is held until both have ended. */
void session_forget(void *state, struct slice tenant, const struct slice *sessions, size_t session_count, bool is_over)
{
    struct session_table *table = state;
    pthread_mutex_lock(&table->tick); /* rows of a tick under way are in the spool when this returns */
    for (size_t i = 0; i < session_count; i++) {
        struct session_key key = session_table_key(table, tenant, 's', sessions[i]);
        struct session_shard *shard = session_table_shard(table, &key);
        pthread_mutex_lock(&shard->mutex);
        struct session *session = session_shard_find(shard, &key);
        if (session) {
            session_doubt(shard, session);
            session->changes++; /* facts read before this must not replace those in memory */
            if (!is_over) session->holds++;
            else if (session->holds) session->holds--; /* it may have begun after the erasure did */
        }
        pthread_mutex_unlock(&shard->mutex);
    }
    if (!is_over) table->holds++;
    else table->holds--;
    pthread_mutex_unlock(&table->tick);
}
