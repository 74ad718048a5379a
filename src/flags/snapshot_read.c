/* SPDX-License-Identifier: Apache-2.0 */
/* Reads flags and groups from the metadata into sets, and sets into snapshots. */
#include "flags/snapshot.h"

#include <stdlib.h>

struct flag_read {
    struct flag_set *set;
    struct json_parser *parser;
    const char *strict_id;
    struct slice strict_key, strict_environment; /* in the set's arena; of a flag with strict_id */
    bool found;
};

static bool read_is_strict(const struct flag_read *read, struct slice id)
{
    return read->strict_id && slice_equal(id, slice_from_string(read->strict_id));
}

/* Columns: target_group_id, rules. */
static enum error_code read_group(void *context, const struct meta_row *row, struct error *error)
{
    struct flag_read *read = context;
    struct slice id = meta_row_text(row, 0);
    enum error_code code = flag_set_add_group(read->set, read->parser, id, meta_row_text(row, 1), error);
    return code == ERROR_INVALID && !read_is_strict(read, id) ? ERROR_NONE : code; /* nobody is in it */
}

/* Columns: flag_id, then those of struct flag_source in the order below. */
static enum error_code read_flag(void *context, const struct meta_row *row, struct error *error)
{
    struct flag_read *read = context;
    struct slice id = meta_row_text(row, 0);
    const struct flag_source source = {
        .key = meta_row_text(row, 1), .environment = meta_row_text(row, 2), .type = meta_row_text(row, 3), .status = meta_row_text(row, 4),
        .hash = meta_row_text(row, 5), .rollout_by = meta_row_text(row, 6), .default_json = meta_row_text(row, 7),
        .payload_json = meta_row_text(row, 8), .rules_json = meta_row_text(row, 9), .variants_json = meta_row_text(row, 10),
        .schedule_json = meta_row_text(row, 11), .dependencies = meta_row_text(row, 12), .target_group_ids = meta_row_text(row, 13),
        .rollout_percentage = meta_row_integer(row, 14), .persist_across_auth = meta_row_boolean(row, 15)};
    bool is_strict = read_is_strict(read, id);
    enum error_code code = flag_set_add(read->set, read->parser, &source, error);
    if (code == ERROR_INVALID && !is_strict) code = flag_set_add_broken(read->set, &source, error);
    /* Not even its name can be one: nobody can ask for it. */
    if (code == ERROR_INVALID && !is_strict) return ERROR_NONE;
    if (code || !is_strict) return code;
    read->found = true;
    read->strict_key = arena_copy(read->set->arena, source.key);
    read->strict_environment = arena_copy(read->set->arena, source.environment);
    return ERROR_NONE;
}

enum error_code flag_set_read(struct meta_session *session, const char *tenant_id, const char *strict_id,
                              struct flag_set **ret_set, const struct flag **ret_flag, struct error *error)
{
    struct flag_read read = {.set = flag_set_create(tenant_id), .parser = json_parser_create(), .strict_id = strict_id};
    enum error_code code = read.set && read.parser ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for flags");
    if (!code)
        code = meta_query(session, "select target_group_id, cast(rules as text) from target_groups where tenant_id = $1 and deleted_at is null",
                          META_PARAMETERS(meta_string(tenant_id)), read_group, &read, error);
    if (!code)
        code = meta_query(session,
                          "select flag_id, flag_key, environment, type, status, hash, rollout_by, cast(default_value as text),"
                          " cast(payload as text), cast(rules as text), cast(variants as text), cast(schedule as text), dependencies,"
                          " target_group_ids, rollout_percentage, case when persist_across_auth then 1 else 0 end"
                          " from flags where tenant_id = $1 and deleted_at is null order by created_at, flag_id",
                          META_PARAMETERS(meta_string(tenant_id)), read_flag, &read, error);
    if (!code) code = flag_set_link(read.set, error);
    json_parser_destroy(read.parser);
    if (code) {
        flag_set_release(read.set);
        return code;
    }
    if (ret_flag) *ret_flag = read.found ? flag_set_find(read.set, read.strict_environment, read.strict_key) : NULL;
    *ret_set = read.set;
    return ERROR_NONE;
}

enum error_code flag_revision_raise(struct meta_session *session, const char *tenant_id, struct error *error)
{
    /* Transactions of this service follow one another: the numbers are in the order of the commits. */
    enum error_code code = meta_execute(session, "update flag_revision set revision = revision + 1 where id = 1", NULL, 0, NULL, error);
    if (code) return code;
    return meta_execute(session,
                        "insert into flag_revisions (tenant_id, revision)"
                        " select cast($1 as text), revision from flag_revision where id = 1"
                        " on conflict (tenant_id) do update set revision = excluded.revision",
                        META_PARAMETERS(meta_string(tenant_id)), NULL, error);
}

const struct flag_set *flag_snapshot_find(const struct flag_snapshot *snapshot, struct slice tenant_id)
{
    return map_get(&snapshot->sets, tenant_id);
}

void flag_snapshot_hold(const struct flag_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&((struct flag_snapshot *)snapshot)->references, 1, memory_order_relaxed);
}

void flag_snapshot_release(const struct flag_snapshot *snapshot)
{
    struct flag_snapshot *mine = (struct flag_snapshot *)snapshot;
    if (!mine || atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel) != 1) return;
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&mine->sets, &position));) flag_set_release(entry->value);
    map_free(&mine->sets);
    free(mine);
}

/* Which tenants to read again. */
struct flag_changes {
    struct map tenants; /* id -> itself */
    int64_t revision;
};

static enum error_code read_change(void *context, const struct meta_row *row, struct error *error)
{
    struct flag_changes *changes = context;
    int64_t revision = meta_row_integer(row, 1);
    if (revision > changes->revision) changes->revision = revision;
    return map_put(&changes->tenants, meta_row_text(row, 0), changes) ? ERROR_NONE : error_set(error, ERROR_MEMORY, "out of memory for flags");
}

static bool snapshot_put(struct flag_snapshot *snapshot, struct slice tenant, const struct flag_set *set)
{
    if (!map_put(&snapshot->sets, tenant, (void *)set)) return false;
    flag_set_hold(set);
    return true;
}

/* What stayed as it was is shared. */
static enum error_code snapshot_keep(struct flag_snapshot *snapshot, const struct flag_snapshot *old, const struct flag_changes *changes,
                                     struct error *error)
{
    size_t position = 0;
    for (struct map_entry *entry; old && (entry = map_next(&old->sets, &position));)
        if (!map_get(&changes->tenants, entry->key) && !snapshot_put(snapshot, entry->key, entry->value))
            return error_set(error, ERROR_MEMORY, "out of memory for flags");
    return ERROR_NONE;
}

static enum error_code snapshot_read_changed(struct meta_session *session, struct flag_snapshot *snapshot, const struct flag_changes *changes,
                                             struct error *error)
{
    size_t position = 0;
    for (struct map_entry *entry; (entry = map_next(&changes->tenants, &position));) {
        struct flag_set *set = NULL;
        char tenant[37];
        if (entry->key.size >= sizeof tenant) continue; /* ids have 36 bytes: a constraint of the tables */
        memcpy(tenant, entry->key.data, entry->key.size);
        tenant[entry->key.size] = 0;
        enum error_code code = flag_set_read(session, tenant, NULL, &set, NULL, error);
        if (code) return code;
        bool kept = set->count == 0 || snapshot_put(snapshot, entry->key, set);
        flag_set_release(set);
        if (!kept) return error_set(error, ERROR_MEMORY, "out of memory for flags");
    }
    return ERROR_NONE;
}

enum error_code flag_snapshot_read(struct meta_session *session, const struct flag_snapshot *old,
                                   const struct flag_snapshot **ret_snapshot, struct error *error)
{
    struct flag_changes changes = {.revision = old ? old->revision : 0};
    *ret_snapshot = NULL;
    /* What is committed between these statements is in the rows, and found again at the next look. */
    enum error_code code = meta_query(session, "select tenant_id, revision from flag_revisions where revision > $1",
                                      META_PARAMETERS(meta_integer(changes.revision)), read_change, &changes, error);
    if (!code && !old)
        code = meta_query(session, "select distinct tenant_id, 0 from flags where deleted_at is null", NULL, 0, read_change, &changes, error);
    struct flag_snapshot *snapshot = NULL;
    if (!code && (!old || changes.tenants.count)) {
        snapshot = calloc(1, sizeof *snapshot);
        if (!snapshot) code = error_set(error, ERROR_MEMORY, "out of memory for flags");
    }
    if (!code && snapshot) {
        atomic_init(&snapshot->references, 1);
        snapshot->revision = changes.revision;
        code = snapshot_keep(snapshot, old, &changes, error);
        if (!code) code = snapshot_read_changed(session, snapshot, &changes, error);
    }
    map_free(&changes.tenants);
    if (code) flag_snapshot_release(snapshot);
    else *ret_snapshot = snapshot;
    return code;
}
