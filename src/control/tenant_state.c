/* SPDX-License-Identifier: Apache-2.0 */
/* One row of three tables, by the tenant's id. */
#include "control/tenant_state.h"

static enum error_code state_take(void *context, const struct meta_row *row, struct error *error)
{
    struct control_tenant_state *state = context;
    state->is_active = true;
    state->do_not_track = (enum tenant_do_not_track)meta_row_integer(row, 2);
    enum error_code code = META_ROW_COPY(row, 0, state->organization_id, error);
    return code ? code : META_ROW_COPY(row, 1, state->name, error);
}

enum error_code control_tenant_state_read(struct control *control, const char *tenant_id, struct control_tenant_state *state,
                                          struct error *error)
{
    struct meta_session *session = NULL;
    *state = (struct control_tenant_state){0};
    enum error_code code = meta_session_begin(control->core, 0, &session, error);
    if (!code)
        code = meta_query(session,
                          "select w.organization_id, t.name,"
                          " case cast(t.settings ->> 'do_not_track' as text) when 'cookieless' then 1 when 'drop' then 2 else 0 end"
                          " from tenants t join workspaces w on w.workspace_id = t.workspace_id"
                          " join organizations o on o.organization_id = w.organization_id where t.tenant_id = $1"
                          " and t.is_active and t.deleted_at is null and w.is_active and w.deleted_at is null"
                          " and o.is_active and o.deleted_at is null",
                          META_PARAMETERS(meta_string(tenant_id)), state_take, state, error);
    meta_session_end(session);
    return code;
}
