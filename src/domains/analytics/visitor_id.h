/* SPDX-License-Identifier: Apache-2.0 */
/* Who a visitor is when the client does not say: ids derived from the connection, as OpenPanel derives them. */
#ifndef DOMAINS_ANALYTICS_VISITOR_ID_H
#define DOMAINS_ANALYTICS_VISITOR_ID_H

#include "base/slice.h"

#define VISITOR_DEVICE_ID_SIZE 32
#define VISITOR_SESSION_ID_SIZE 22
#define VISITOR_SESSION_MS (30 * 60 * 1000)
#define VISITOR_SESSION_GRACE_MS                                                                                       \
    5000 /* the first seconds of a bucket still belong to the one before: a page load in between */

/* hex(SHAKE256(user agent ":" address ":" project ":" salt, 16 bytes)). No user agent counts as "unknown/1.0". */
void visitor_device_id(struct slice user_agent, struct slice address, struct slice project, struct slice salt,
                       char out[VISITOR_DEVICE_ID_SIZE]);
/* base64url(first 16 bytes of SHA-256("sess:v1:" project ":" device ":" bucket)): the same for one device in one
 * stretch of `timeout_ms`, which is VISITOR_SESSION_MS unless configured. */
void visitor_session_id(struct slice project, struct slice device, int64_t time_ms, int64_t timeout_ms,
                        char out[VISITOR_SESSION_ID_SIZE]);

#endif
