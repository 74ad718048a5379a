/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody follows a short link: what the loop knows of him, and the answers there are. */
#ifndef API_LINK_H
#define API_LINK_H

#include "control/link.h"
#include "proto/request.h"

/*
 * Model: the loop takes the request apart and hands a `struct api_link` to the follower (server/link_follower.h), whose
 * thread may ask the database and waits until the visit is durable; it answers by one of the functions below, exactly once.
 */
struct api_call;
struct api_link {
    struct api_call *call;
    struct slice slug, address;
    struct slice user_agent, referrer; /* headers */
    bool asks_not_to_be_tracked;       /* Sec-GPC: 1, DNT: 1 */
    bool is_method_head;               /* a look, no visit */
    struct arena *arena;               /* of the request */
    /* The follower's own, until the answer. */
    struct control_link link;
    struct control_link_decision decision;
};
struct api_links {
    /* False: too many wait. On the loop's thread. */
    bool (*follow)(void *context, struct api_link *link);
    void *context;
};

/* From the follower's thread. Whether the client has what it would be told: it is answered 304 then, and is no visit. */
bool api_link_is_known(const struct api_link *link);
/* link->link and link->decision say what. */
void api_link_answer(struct api_link *link);
/* There is no such link. Limited per address: who tries out slugs is refused. */
void api_link_answer_unknown(struct api_link *link);
void api_link_refuse(struct api_link *link, const struct error *error);

#endif
