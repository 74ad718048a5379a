/* SPDX-License-Identifier: Apache-2.0 */
/* Who an event is of: the person behind a profile's names; and for how long it is remembered that a tenant has no aliases. */
#include <pthread.h>

#include "domains/analytics/ask/field.h"
#include "query/rows.h"

/* Following aliases costs milliseconds, and most tenants have none: that is asked once in two seconds per tenant. A new alias counts
 * from then on. A slot a tenant's name leads to; another tenant of the same slot takes its place. */
#define SLOTS 1024
#define REMEMBERED_MS 2000
static struct { char tenant[40]; int64_t asked_ms; bool has_aliases; } slots[SLOTS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

#define SAID "if(profile_id != '', profile_id, device_id)"
/* Twice the same text: it is asked once. */
#define IDENTITIES                                                                                                     \
    "(SELECT (groupArray(alias), groupArray(profile_id)) FROM analytics.profile_identities WHERE tenant_id = {tenant:String})"
#define FOLLOWED                                                                                                       \
    "transform(" SAID ", tupleElement(" IDENTITIES ", 1), tupleElement(" IDENTITIES ", 2), " SAID ")"

/* The same as hashes: cityHash64 of each name. */
#define HASH_SAID "if(profile_hash != 0, profile_hash, device_hash)"
#define HASH_IDENTITIES                                                                                                \
    "(SELECT (groupArray(cityHash64(alias)), groupArray(cityHash64(profile_id))) FROM analytics.profile_identities WHERE tenant_id = {tenant:String})"
#define HASH_FOLLOWED                                                                                                  \
    "transform(" HASH_SAID ", tupleElement(" HASH_IDENTITIES ", 1), tupleElement(" HASH_IDENTITIES ", 2), " HASH_SAID ")"

/* Visits have the hash of who was said. */
#define VISIT_FOLLOWED                                                                                                 \
    "transform(person_hash, tupleElement(" HASH_IDENTITIES ", 1), tupleElement(" HASH_IDENTITIES ", 2), person_hash)"

static size_t slot_of(struct slice tenant)
{
    size_t hash = 5381;
    for (size_t i = 0; i < tenant.size; i++) hash = hash * 33 + (unsigned char)tenant.data[i];
    return hash % SLOTS;
}

static enum error_code ask_aliases(struct query_context *context, bool *ret_has, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT count() > 0 FROM (SELECT 1 FROM analytics.profile_aliases WHERE tenant_id = {tenant:String} LIMIT 1)");
    enum error_code code = query_rows_ask(context, &text, 1, &rows, error);
    if (!code) *ret_has = rows.count > 0 && query_rows_integer(&rows, 0, 0) != 0;
    return code;
}

static enum error_code find_aliases(struct query_context *context, bool *ret_has, struct error *error)
{
    size_t slot = slot_of(context->tenant);
    bool known, has_aliases = false;
    enum error_code code = ERROR_NONE;
    pthread_mutex_lock(&slots_lock);
    known = slice_equal(slice_from_string(slots[slot].tenant), context->tenant) &&
            context->now_ms - slots[slot].asked_ms < REMEMBERED_MS && context->now_ms >= slots[slot].asked_ms;
    has_aliases = slots[slot].has_aliases;
    pthread_mutex_unlock(&slots_lock);
    if (!known) {
        code = ask_aliases(context, &has_aliases, error);
        if (code) return code;
        pthread_mutex_lock(&slots_lock);
        snprintf(slots[slot].tenant, sizeof slots[slot].tenant, "%.*s", SLICE_ARGS(context->tenant));
        slots[slot].asked_ms = context->now_ms;
        slots[slot].has_aliases = has_aliases;
        pthread_mutex_unlock(&slots_lock);
    }
    *ret_has = has_aliases;
    return code;
}

struct slice analytics_person(struct query_context *context, struct error *error)
{
    bool has_aliases;
    if (find_aliases(context, &has_aliases, error)) return SLICE_EMPTY;
    return has_aliases ? SLICE(FOLLOWED) : SLICE(SAID);
}

struct slice analytics_profile(struct query_context *context, struct error *error)
{
    bool has_aliases;
    if (find_aliases(context, &has_aliases, error)) return SLICE_EMPTY;
    return has_aliases ? SLICE("transform(profile_id, tupleElement(" IDENTITIES ", 1), tupleElement(" IDENTITIES ", 2), profile_id)") : SLICE("profile_id");
}

struct slice analytics_person_hash(struct query_context *context, struct error *error)
{
    bool has_aliases;
    if (find_aliases(context, &has_aliases, error)) return SLICE_EMPTY;
    return has_aliases ? SLICE(HASH_FOLLOWED) : SLICE(HASH_SAID);
}

struct slice analytics_person_hash_of_visit(struct query_context *context, struct error *error)
{
    bool has_aliases;
    if (find_aliases(context, &has_aliases, error)) return SLICE_EMPTY;
    return has_aliases ? SLICE(VISIT_FOLLOWED) : SLICE("person_hash");
}
