/* SPDX-License-Identifier: Apache-2.0 */
/* One look-up by the index of slugs, one by the tenant's id; then a small table of cases. */
#include "control/link.h"

#include "control/tenant_state.h"

bool control_slug_is_good(struct slice slug)
{
    for (size_t i = 0; i < slug.size; i++) {
        char c = slug.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
    }
    return slug.size >= CONTROL_SLUG_LEAST && slug.size <= CONTROL_SLUG_MOST;
}

struct link_search {
    struct arena *arena;
    struct control_link *link;
    bool found;
};

static enum error_code link_take(void *context, const struct meta_row *row, struct error *error)
{
    struct link_search *search = context;
    struct control_link *link = search->link;
    struct slice *const texts[] = {&link->target_url, &link->og_title, &link->og_description, &link->og_image_url,
                                   &link->expired_redirect_url, &link->ios_url, &link->android_url};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *texts[i] = arena_copy(search->arena, meta_row_text(row, 2 + i));
    link->expires_ms = meta_row_integer(row, 9);
    link->updated_ms = meta_row_integer(row, 10);
    search->found = true;
    enum error_code code = META_ROW_COPY(row, 0, link->link_id, error);
    if (!code) code = META_ROW_COPY(row, 1, link->tenant_id, error);
    return !code && arena_failed(search->arena) ? error_set(error, ERROR_MEMORY, "out of memory for a link") : code;
}

enum error_code control_link_find(struct control *control, struct slice slug, struct arena *arena, struct control_link *link,
                                  bool *ret_found, struct error *error)
{
    struct link_search search = {.arena = arena, .link = link};
    *link = (struct control_link){0};
    *ret_found = false;
    struct control_tenant_state tenant = {0};
    struct meta_session *session = NULL;
    enum error_code code = meta_session_begin(control->product, 0, &session, error);
    if (!code)
        code = meta_query(session,
                          "select link_id, tenant_id, target_url, og_title, og_description, og_image_url, expired_redirect_url,"
                          " ios_url, android_url, expires_at, updated_at from links where slug = $1 and deleted_at is null",
                          META_PARAMETERS(meta_text(slug)), link_take, &search, error);
    meta_session_end(session);
    if (code || !search.found) return code;
    code = control_tenant_state_read(control, link->tenant_id, &tenant, error);
    link->do_not_track = tenant.do_not_track;
    *ret_found = !code && tenant.is_active;
    return code;
}

static struct slice link_location(const struct control_link *link, const struct user_agent *agent)
{
    if (link->ios_url.size && slice_equal(agent->os, SLICE("iOS"))) return link->ios_url;
    if (link->android_url.size && slice_equal(agent->os, SLICE("Android"))) return link->android_url;
    return link->target_url;
}

struct control_link_decision control_link_decide(const struct control_link *link, const struct user_agent *agent, int64_t now_ms)
{
    struct control_link_decision decision = {.way = CONTROL_LINK_REDIRECT, .location = SLICE_EMPTY};
    if (link->expires_ms && link->expires_ms <= now_ms) {
        decision.location = link->expired_redirect_url;
        if (!link->expired_redirect_url.size) decision.way = CONTROL_LINK_EXPIRED;
        return decision;
    }
    enum bot_class class = agent->bot.class;
    bool previews = class == BOT_SOCIAL_MEDIA || class == BOT_SEARCH_ENGINE;
    decision.location = link_location(link, agent);
    decision.is_visit = class == BOT_NONE;
    /* Without words of its own, the page it leads to has better ones. */
    if (previews && (link->og_title.size || link->og_description.size || link->og_image_url.size)) decision.way = CONTROL_LINK_PREVIEW;
    return decision;
}
