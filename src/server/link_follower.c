/* SPDX-License-Identifier: Apache-2.0 */
/* Queue to look-up to row to answer, a batch at a time. */
#include "server/link_follower.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/queue.h"
#include "domains/analytics/link_visit.h"
#include "enrich/privacy.h"
#include "os/clock.h"
#include "os/thread.h"

struct link_follower {
    struct link_follower_settings settings;
    struct ingest_internal *internal;
    struct queue *queue;
    struct os_thread thread;
    struct metric *followed, *lost;
    bool failing; /* the thread's own: said once */
};

static void follower_append(struct link_follower *follower, const struct api_link *link, const struct user_agent *agent, int64_t now_ms)
{
    enum tenant_do_not_track wish = link->asks_not_to_be_tracked ? link->link.do_not_track : TENANT_TRACK_ALL;
    if (wish == TENANT_TRACK_DROP) return;
    struct geo_place place = {.country = SLICE_EMPTY, .region = SLICE_EMPTY, .city = SLICE_EMPTY};
    char hash[PRIVACY_ID_HASH_SIZE];
    struct analytics_link_visit visit = {
        .tenant_id = slice_from_string(link->link.tenant_id), .link_id = slice_from_string(link->link.link_id), .time_ms = now_ms,
        .referrer = link->referrer, .user_agent = link->user_agent, .ip_hash = SLICE_EMPTY, .agent = agent, .place = &place};
    if (!geo_find(follower->settings.geo, link->address, &place))
        place = (struct geo_place){.country = SLICE_EMPTY, .region = SLICE_EMPTY, .city = SLICE_EMPTY};
    if (link->address.size && wish == TENANT_TRACK_ALL) {
        struct privacy_salt salt = privacy_salt_of_day(follower->settings.control->secret, "link address", now_ms);
        privacy_hash_id(link->address, &salt, hash);
        visit.ip_hash = slice_make(hash, sizeof hash);
    }
    analytics_link_visit_append(ingest_internal_block(follower->internal), &visit);
}

/* True: it is to be answered by its decision; else it was answered. */
static bool follower_look(struct link_follower *follower, struct api_link *link, int64_t now_ms)
{
    bool found = false;
    struct error error = {0};
    struct user_agent agent;
    if (control_link_find(follower->settings.control, link->slug, link->arena, &link->link, &found, &error)) {
        struct error said;
        log_error("links: %s", error.message);
        error_set(&said, ERROR_UNAVAILABLE, "links cannot be looked up now; try again in a moment");
        api_link_refuse(link, &said);
        return false;
    }
    if (!found) {
        api_link_answer_unknown(link);
        return false;
    }
    user_agent_parse(follower->settings.user_agents, link->user_agent, link->arena, &agent);
    link->decision = control_link_decide(&link->link, &agent, now_ms);
    if (link->decision.is_visit && !link->is_method_head && !api_link_is_known(link)) follower_append(follower, link, &agent, now_ms);
    return true;
}

static void follower_commit(struct link_follower *follower)
{
    struct error error;
    size_t rows = ingest_internal_rows(follower->internal);
    if (!rows) return;
    bool fails = ingest_internal_commit(follower->internal, &error) != ERROR_NONE;
    metric_add(fails ? follower->lost : follower->followed, (int64_t)rows);
    if (fails && !follower->failing) log_error("links: visits cannot be written down and are lost: %s", error.message);
    if (!fails && follower->failing) log_info("links: visits are written down again");
    follower->failing = fails;
}

static void follower_run(void *context)
{
    struct link_follower *follower = context;
    struct api_link *batch[LINK_FOLLOWER_BATCH];
    for (struct api_link *link; (link = queue_pop(follower->queue, -1));) {
        size_t count = 0, taken = 0;
        int64_t now_ms = os_clock_wall_ms();
        do {
            if (follower_look(follower, link, now_ms)) batch[count++] = link;
        } while (++taken < LINK_FOLLOWER_BATCH && (link = queue_pop(follower->queue, 0)));
        follower_commit(follower);
        for (size_t i = 0; i < count; i++) api_link_answer(batch[i]);
    }
}

enum error_code link_follower_start(const struct link_follower_settings *settings, struct link_follower **ret_follower, struct error *error)
{
    struct link_follower *follower = calloc(1, sizeof *follower);
    if (!follower) return error_set(error, ERROR_MEMORY, "out of memory for short links");
    follower->settings = *settings;
    follower->followed = metric_counter(settings->metrics, "millrace_link_visits_total", "", "Visits of short links that were written down.");
    follower->lost = metric_counter(settings->metrics, "millrace_link_visits_lost_total", "",
                                    "Visits of short links that could not be written down; their visitors were redirected.");
    const struct ingest_internal_settings internal = {.spool = settings->spool, .window = settings->window, .tables = settings->tables,
                                                      .schema = analytics_link_visits_schema};
    follower->internal = ingest_internal_create(&internal);
    follower->queue = queue_create(LINK_FOLLOWER_QUEUE);
    enum error_code code = follower->internal && follower->queue ? os_thread_start(&follower->thread, "links", follower_run, follower, error)
                                                                 : error_set(error, ERROR_MEMORY, "out of memory for short links");
    if (code) {
        link_follower_destroy(follower);
        return code;
    }
    *ret_follower = follower;
    return ERROR_NONE;
}

bool link_follower_follow(void *context, struct api_link *link)
{
    return queue_try_push(((struct link_follower *)context)->queue, link);
}

void link_follower_stop(struct link_follower *follower)
{
    if (!follower) return;
    queue_close(follower->queue);
    os_thread_join(&follower->thread);
}

void link_follower_destroy(struct link_follower *follower)
{
    if (!follower) return;
    ingest_internal_destroy(follower->internal);
    queue_destroy(follower->queue);
    free(follower);
}
