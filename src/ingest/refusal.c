/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are refused before they are decoded: the domain may write that down, within bounds. */
#include "ingest/ingest_private.h"

#include "os/clock.h"

/*
 * Rows per loop: what one operator's mistake brings is seen whole, and whoever only wants to fill the disk gets 86,400 rows
 * of some hundred bytes a day in.
 */
#define REFUSAL_BURST 100
#define REFUSAL_PER_SECOND 1

static bool refusal_take(struct ingest_loop *loop, int64_t now_ms)
{
    int64_t earned = (now_ms - loop->refusals_ms) * REFUSAL_PER_SECOND / 1000;
    if (loop->refusals_ms == 0 || earned >= REFUSAL_BURST) {
        loop->refusals = REFUSAL_BURST;
        loop->refusals_ms = now_ms;
    } else if (earned > 0) {
        loop->refusals = loop->refusals + earned < REFUSAL_BURST ? loop->refusals + (int)earned : REFUSAL_BURST;
        loop->refusals_ms += earned * 1000 / REFUSAL_PER_SECOND;
    }
    if (loop->refusals == 0) return false;
    loop->refusals--;
    return true;
}

void ingest_note_refusal(struct ingest_loop *loop, const struct domain *domain, struct domain_input *input, const struct error *error)
{
    if (!domain->refused || !input->key || ingest_is_full(loop)) return;
    if (domain_do_not_track(input->key, input->request) == TENANT_TRACK_DROP) return;
    if (!refusal_take(loop, input->request->received_ms)) return;
    input->do_not_track = domain_do_not_track(input->key, input->request);
    struct ingest_waiter nobody = {0};
    struct domain_rows rows;
    ingest_rows_begin(&rows, loop, domain, input, &nobody);
    domain->refused(input, error, &rows);
    loop->open->has_notes = true;
}

void ingest_refuse_early(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route, struct request *request,
                         const struct error *error)
{
    static const char nothing[JSON_PADDING];
    struct slice body = request->body;
    if (request->received_ms == 0) request->received_ms = os_clock_wall_ms();
    if (error->code == ERROR_TOO_LARGE && route->find_key && domain->refused) {
        struct domain_input input = ingest_input(loop, domain, request);
        struct tenant_key_result result;
        struct error ignored = {0};
        request->body = slice_make(nothing, 0); /* it is not there: a key that is only in it is not found */
        const struct tenant_key_request wanted = {.key = route->find_key(request), .needed = route->permission,
                                                  .origin = request_header_get(request, "origin"), .client_address = input.client_address,
                                                  .now_ms = request->received_ms, .is_repeated = true};
        if (tenant_key_check(loop->view, &wanted, &result, &ignored) == TENANT_KEY_ACCEPTED) {
            input.key = result.key;
            ingest_note_refusal(loop, domain, &input, error);
        }
        request->body = body;
    }
    ingest_refuse(loop, route, request, error);
}
