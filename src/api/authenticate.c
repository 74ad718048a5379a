/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: a key, an access token or a cookie; a key's secret that was never seen is verified elsewhere meanwhile. */
#include "api/api_private.h"

#include "tenant/verifier.h"

static void api_authenticate_try(struct api_call *call);

static void api_verified(struct tenant_verifier_wait *wait, enum error_code code, const struct error *error)
{
    struct api_call *call = (struct api_call *)((char *)wait - offsetof(struct api_call, wait));
    if (code == ERROR_NONE) api_authenticate_try(call);
    else api_refuse(call, error);
}

static struct tenant_subject_request api_subject_request(const struct api_call *call)
{
    return (struct tenant_subject_request){
        .credentials = call->credentials,
        .jwt_key = call->loop->api->jwt_key,
        .origin = request_header_get(call->request, "origin"),
        .client_address = call->caller.address,
        .now_ms = call->request->received_ms,
    };
}

static void api_authenticate_try(struct api_call *call)
{
    struct tenant_subject_request asked = api_subject_request(call);
    struct tenant_subject subject = {0};
    struct tenant_rate rate = {0};
    struct error error = {0};
    switch (tenant_subject_find(call->loop->view, &asked, &subject, &rate, &error)) {
    case TENANT_KEY_ACCEPTED:
        api_call_headers(call, &rate);
        api_call_known(call, &subject);
        return;
    case TENANT_KEY_PENDING:
        call->wait.done = api_verified;
        if (tenant_verifier_wait(call->loop->view, call->credentials.text, &call->wait, &error) == ERROR_NONE) return;
        break;
    case TENANT_KEY_REFUSED: break;
    }
    api_call_headers(call, &rate);
    api_refuse(call, &error);
}

void api_authenticate(struct api_call *call)
{
    struct error error;
    struct slice authorization = request_header_get(call->request, "authorization");
    struct slice cookie = request_header_get(call->request, "cookie");
    const struct domain_question *question = call->route->question;
    struct slice key = question && question->find_key ? question->find_key(call->request) : SLICE_EMPTY;
    if (key.size) {
        call->credentials = (struct tenant_credentials){.kind = TENANT_CREDENTIALS_KEY, .text = key};
        api_authenticate_try(call);
    } else if (tenant_authorization_parse(authorization, cookie, &call->credentials, &error) != ERROR_NONE)
        api_refuse(call, &error);
    else api_authenticate_try(call);
}

bool api_authenticate_open(struct api_call *call)
{
    struct slice authorization = request_header_get(call->request, "authorization");
    struct slice cookie = request_header_get(call->request, "cookie");
    if (tenant_authorization_parse(authorization, cookie, &call->credentials, NULL) != ERROR_NONE ||
        call->credentials.kind != TENANT_CREDENTIALS_TOKEN)
        return false;
    struct tenant_subject_request asked = api_subject_request(call);
    struct tenant_subject subject = {0};
    struct tenant_rate rate;
    if (tenant_subject_find(call->loop->view, &asked, &subject, &rate, NULL) != TENANT_KEY_ACCEPTED) return false;
    api_caller_identify(call, &subject);
    return subject.by_cookie;
}
