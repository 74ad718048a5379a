/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of keys and the lists that say where they may be used. */
#include "tenant/key.h"

bool tenant_key_split(struct slice text, struct slice *key_id, struct slice *secret)
{
    *key_id = text;
    *secret = SLICE_EMPTY;
    if (text.size == 0 || text.size > TENANT_KEY_LIMIT) return false;
    if (!slice_starts_with(text, SLICE(TENANT_SECRET_KEY_PREFIX))) return true;
    struct slice rest = slice_from(text, sizeof TENANT_SECRET_KEY_PREFIX - 1);
    if (rest.size != TENANT_KEY_ID_SIZE + 1 + TENANT_KEY_SECRET_SIZE || rest.data[TENANT_KEY_ID_SIZE] != '_') return false;
    *key_id = slice_first(rest, TENANT_KEY_ID_SIZE);
    *secret = slice_from(rest, TENANT_KEY_ID_SIZE + 1);
    return true;
}

static size_t key_count_lines(struct slice text)
{
    size_t count = 0;
    while (text.size) count += slice_trim(slice_cut(&text, '\n')).size > 0;
    return count;
}

bool tenant_key_rules_read(struct arena *arena, struct slice origins, struct slice addresses, struct tenant_key *key)
{
    size_t origin_count = key_count_lines(origins), address_count = key_count_lines(addresses);
    key->limits_origins = origin_count > 0;
    key->limits_addresses = address_count > 0;
    if (!origin_count && !address_count) return true; /* as almost all keys */
    struct tenant_origin_rule *rules = arena_allocate(arena, (origin_count + 1) * sizeof *rules);
    struct network_prefix *prefixes = arena_allocate(arena, (address_count + 1) * sizeof *prefixes);
    char *storage = arena_allocate(arena, origins.size + 1);
    if (!rules || !prefixes || !storage) return false;
    while (origins.size) {
        struct slice entry = slice_trim(slice_cut(&origins, '\n'));
        if (!tenant_origin_rule_parse(entry, storage, &rules[key->origin_count])) continue;
        storage += entry.size;
        key->origin_count++;
    }
    while (addresses.size)
        if (network_prefix_parse(slice_trim(slice_cut(&addresses, '\n')), &prefixes[key->address_count])) key->address_count++;
    key->origins = rules;
    key->addresses = prefixes;
    return true;
}
