/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at when a flag or a target group was changed, inside the transaction: all flags of the tenant, compiled. */
#include "control/product.h"

#include "flags/snapshot.h"

struct flag_check {
    char tenant_id[37];
    char key[FLAG_KEY_LIMIT + 1], environment[65]; /* of a flag */
};

static enum error_code check_take_flag(void *context, const struct meta_row *row, struct error *error)
{
    struct flag_check *check = context;
    enum error_code code = META_ROW_COPY(row, 0, check->tenant_id, error);
    if (!code) code = META_ROW_COPY(row, 1, check->key, error);
    return code ? code : META_ROW_COPY(row, 2, check->environment, error);
}

/* The row is there, deleted or not: it was just changed. */
static enum error_code check_begin(struct meta_session *session, const char *sql, struct slice id, struct flag_check *check,
                                   struct error *error)
{
    return meta_query(session, sql, META_PARAMETERS(meta_text(id)), check_take_flag, check, error);
}

static bool check_has(const struct slice *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(items[i], slice_from_string(text))) return true;
    return false;
}

enum error_code control_flag_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                   struct slice id, struct error *error)
{
    struct flag_check check = {0};
    struct flag_set *set = NULL;
    const struct flag *flag = NULL;
    char text[37];
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(id));
    enum error_code code = check_begin(session, "select tenant_id, flag_key, environment from flags where flag_id = $1", id, &check, error);
    if (!code) code = flag_set_read(session, check.tenant_id, text, &set, &flag, error);
    if (code) return code;
    if (flag) code = flag_set_check(set, flag, error);
    for (size_t i = 0; !code && change == CONTROL_DELETED && i < set->count; i++) {
        const struct flag *other = set->flags[i];
        if (slice_equal(other->environment, slice_from_string(check.environment)) &&
            check_has(other->dependency_keys, other->dependency_count, check.key))
            code = error_set(error, ERROR_CONFLICT, "the flag %.*s depends on this one: take it out of its dependencies first", SLICE_ARGS(other->key));
    }
    flag_set_release(set);
    return code ? code : flag_revision_raise(session, check.tenant_id, error);
}

enum error_code control_target_group_check(const struct control_call *call, struct meta_session *session, enum control_change change,
                                           struct slice id, struct error *error)
{
    struct flag_check check = {0};
    struct flag_set *set = NULL;
    char text[37];
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(id));
    enum error_code code = check_begin(session, "select tenant_id, '', '' from target_groups where target_group_id = $1", id, &check, error);
    if (!code) code = flag_set_read(session, check.tenant_id, text, &set, NULL, error);
    if (code) return code;
    for (size_t i = 0; !code && change == CONTROL_DELETED && i < set->count; i++)
        if (check_has(set->flags[i]->group_ids, set->flags[i]->group_id_count, text))
            code = error_set(error, ERROR_CONFLICT, "the flag %.*s is for this group: take it out of its target_group_ids first",
                             SLICE_ARGS(set->flags[i]->key));
    flag_set_release(set);
    return code ? code : flag_revision_raise(session, check.tenant_id, error);
}
