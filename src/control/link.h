/* SPDX-License-Identifier: Apache-2.0 */
/* Short links: finding one by its slug, and where it leads somebody. */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include "control/control.h"
#include "enrich/user_agent.h"
#include "tenant/tenant.h"

#define CONTROL_SLUG_LEAST 3
#define CONTROL_SLUG_MOST 50
struct control_link {
    char link_id[37], tenant_id[37];
    struct slice target_url, og_title, og_description, og_image_url, expired_redirect_url, ios_url, android_url;
    int64_t expires_ms;   /* 0: never */
    int64_t updated_ms;
    enum tenant_do_not_track do_not_track; /* of its tenant */
};
/* Whether the text could be one. */
bool control_slug_is_good(struct slice slug);
/* *ret_found false: there is no such link, or its tenant is not active. Blocks. Texts are in the arena. */
enum error_code control_link_find(struct control *control, struct slice slug, struct arena *arena, struct control_link *link,
                                  bool *ret_found, struct error *error) MUST_CHECK;

enum control_link_way {
    CONTROL_LINK_REDIRECT, /* to `location` */
    CONTROL_LINK_PREVIEW,  /* what the link says of itself, for who shows links to others */
    CONTROL_LINK_EXPIRED,  /* and no address was given for that */
};
struct control_link_decision {
    enum control_link_way way;
    bool is_visit;         /* a person follows it: to be counted */
    struct slice location;
};
/* Pure. */
struct control_link_decision control_link_decide(const struct control_link *link, const struct user_agent *agent, int64_t now_ms);

#endif
