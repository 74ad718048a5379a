/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that follows short links: looks them up, writes the visits down, then answers. */
#ifndef SERVER_LINK_FOLLOWER_H
#define SERVER_LINK_FOLLOWER_H

#include "api/link.h"
#include "base/metric.h"
#include "enrich/geo.h"
#include "ingest/internal.h"

/*
 * Model: requests wait in a bounded queue; the thread takes all that wait (LINK_FOLLOWER_BATCH at most), looks each up,
 * appends a row for each visit, waits once until the spool has them durable, and answers all. So who is redirected has been
 * counted, also when the server is killed a moment later. When rows cannot be made durable people are redirected
 * all the same, and a metric counts what was lost.
 */
#define LINK_FOLLOWER_QUEUE 1024 /* a second's worth, and more: beyond it waiting helps nobody */
#define LINK_FOLLOWER_BATCH 256

struct link_follower;
struct link_follower_settings {
    struct control *control;
    struct spool *spool;
    struct ingest_window *window;
    const struct ingest_tables *tables;
    struct user_agent_parser *user_agents;
    const struct geo *geo;
    struct metric_registry *metrics;
};
enum error_code link_follower_start(const struct link_follower_settings *settings, struct link_follower **ret_follower,
                                    struct error *error) MUST_CHECK;
/* For api_settings.links. */
bool link_follower_follow(void *context, struct api_link *link);
/* Answers what waits. While loops still run. Accepts NULL. */
void link_follower_stop(struct link_follower *follower);
/* After the loops have ended. Accepts NULL. */
void link_follower_destroy(struct link_follower *follower);

#endif
