/* SPDX-License-Identifier: Apache-2.0 */
/* The key of a request at the belt: checked at once, or after its secret was verified elsewhere. */
#include "ingest/ingest_private.h"

#include <limits.h>

static void ingest_key_verified(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error)
{
    struct ingest_parked *parked = (struct ingest_parked *)wait;
    parked->loop->unverified--;
    if (code) ingest_refuse(parked->loop, parked->route, parked->request, error);
    else ingest_take(parked->loop, parked->domain, parked->route, parked->request, false);
}

static void ingest_wait_for_key(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                                struct request *request, struct slice key)
{
    struct error error;
    struct ingest_parked *parked = arena_allocate(request->arena, sizeof *parked);
    enum error_code code = parked ? ERROR_NONE : error_set(&error, ERROR_MEMORY, "no memory to check the key; send the same request again");
    if (!code) {
        *parked = (struct ingest_parked){.wait.done = ingest_key_verified, .loop = loop, .domain = domain, .route = route, .request = request};
        code = tenant_verifier_wait(loop->view, key, &parked->wait, &error);
    }
    if (code) ingest_refuse(loop, route, request, &error);
    else loop->unverified++;
}

bool ingest_check_key(struct ingest_loop *loop, const struct domain *domain, const struct domain_route *route,
                      struct request *request, bool is_repeated, struct domain_input *input, struct slice *rate_headers)
{
    struct tenant_key_request wanted = {.key = route->find_key(request), .needed = route->permission,
                                        .origin = request_header_get(request, "origin"),
                                        .client_address = input->client_address, .now_ms = request->received_ms,
                                        .is_repeated = is_repeated};
    struct tenant_key_result result;
    struct error error = {0};
    char headers[TENANT_RATE_HEADERS_SIZE];
    enum tenant_key_outcome outcome = tenant_key_check(loop->view, &wanted, &result, &error);
    input->key = result.key;
    if (outcome == TENANT_KEY_PENDING) ingest_wait_for_key(loop, domain, route, request, wanted.key);
    if (outcome == TENANT_KEY_REFUSED) {
        input->key = result.refused;
        error.retry_after_s = result.rate.retry_after_ms > INT_MAX ? INT_MAX : (int)((result.rate.retry_after_ms + 999) / 1000);
        ingest_note_refusal(loop, domain, input, &error);
        ingest_refuse_with(loop, route, request, &error, tenant_rate_headers(&result.rate, headers));
    }
    if (outcome != TENANT_KEY_ACCEPTED) return false;
    if (result.rate.limit) *rate_headers = arena_copy(request->arena, tenant_rate_headers(&result.rate, headers));
    return true;
}
