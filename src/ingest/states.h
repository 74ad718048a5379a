/* SPDX-License-Identifier: Apache-2.0 */
/* The states of domains (domain.h): one thread that starts them, ticks them and writes the rows they make. */
#ifndef INGEST_STATES_H
#define INGEST_STATES_H

#include "ingest/ingest.h"
#include "store/store.h"

struct ingest_states;
struct ingest_states_settings {
    const struct domain *const *domains;
    size_t domain_count;
    const struct domain_state_setting *settings; /* given to every state */
    size_t setting_count;
    struct spool *spool;
    struct ingest_window *window;
    struct store *store;
    const struct ingest_tables *tables;
    int tick_ms; /* 0: what each domain asks for */
    struct metric_registry *metrics; /* NULL: nobody looks */
};
/* Makes and starts all states, from the event store; blocks. Before requests are taken, after the window was filled. */
enum error_code ingest_states_start(const struct ingest_states_settings *settings, struct ingest_states **ret_states,
                                    struct error *error) MUST_CHECK;
/* The state of a domain, NULL when it has none. `states` may be NULL. */
void *ingest_states_of(const struct ingest_states *states, const struct domain *domain);
/* domain.h's `forget` of all states. Blocks. `states` may be NULL. */
void ingest_states_forget(struct ingest_states *states, struct slice tenant, const struct slice *sessions, size_t session_count,
                          bool is_over);
/* The last tick. After the loops have ended, before the spool is closed. Accepts NULL. */
void ingest_states_stop(struct ingest_states *states);
/* After the loops are destroyed. Accepts NULL. */
void ingest_states_destroy(struct ingest_states *states);

#endif
