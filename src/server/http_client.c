/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking HTTP client, over libcurl. */
#include "server/http_client.h"

#include <curl/curl.h>
#include <poll.h>

#include "base/log.h"
#include "os/clock.h"

#define HTTP_CLIENT_RETRY_MS 60000
#define HTTP_CLIENT_TIMEOUT_MS 60000
#define HTTP_CLIENT_FIRST_PAUSE_MS 100
#define HTTP_CLIENT_LONGEST_PAUSE_MS 3000

struct http_client {
    CURL *curl;
    char server[512];
    char bearer[512];
    char header[256];
    int64_t retry_ms, timeout_ms;
};

static size_t http_client_take(char *data, size_t size, size_t count, void *context)
{
    buffer_append(context, data, size * count);
    return size * count;
}

enum error_code http_client_create(const char *server, const char *bearer, struct http_client **ret_client, struct error *error)
{
    struct http_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    size_t size = strlen(server);
    while (size && server[size - 1] == '/') size--;
    snprintf(client->server, sizeof client->server, "%.*s", (int)size, server);
    if (bearer) snprintf(client->bearer, sizeof client->bearer, "Authorization: Bearer %s", bearer);
    client->retry_ms = HTTP_CLIENT_RETRY_MS;
    client->timeout_ms = HTTP_CLIENT_TIMEOUT_MS;
    client->curl = curl_easy_init();
    if (!client->curl) {
        free(client);
        return error_set(error, ERROR_MEMORY, "out of memory for an HTTP client");
    }
    *ret_client = client;
    return ERROR_NONE;
}

void http_client_destroy(struct http_client *client)
{
    if (!client) return;
    curl_easy_cleanup(client->curl);
    free(client);
}

void http_client_own(struct http_client *client, const char *pin)
{
    curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
    if (!pin) return;
    curl_easy_setopt(client->curl, CURLOPT_PINNEDPUBLICKEY, pin);
    curl_easy_setopt(client->curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(client->curl, CURLOPT_SSL_VERIFYHOST, 0L);
}

void http_client_once(struct http_client *client, int64_t timeout_ms)
{
    client->retry_ms = 0;
    client->timeout_ms = timeout_ms;
}

void http_client_header(struct http_client *client, const char *line)
{
    snprintf(client->header, sizeof client->header, "%s", line);
}

static CURLcode http_client_try(struct http_client *client, const char *path, const char *content_type, struct slice body,
                                long *status, struct buffer *answer)
{
    char url[1024], type[160];
    snprintf(url, sizeof url, "%s%s", client->server, path);
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    struct curl_slist *headers = curl_slist_append(NULL, type);
    headers = curl_slist_append(headers, "Expect:");
    if (client->bearer[0]) headers = curl_slist_append(headers, client->bearer);
    if (client->header[0]) headers = curl_slist_append(headers, client->header);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, http_client_take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
    CURLcode result = curl_easy_perform(client->curl);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    return result;
}

enum error_code http_client_post(struct http_client *client, const char *path, const char *content_type, struct slice body,
                                 int *ret_status, struct buffer *answer, struct error *error)
{
    int64_t until = os_clock_monotonic_ms() + client->retry_ms;
    int pause_ms = HTTP_CLIENT_FIRST_PAUSE_MS;
    for (size_t answer_before = answer->size;; buffer_truncate(answer, answer_before)) {
        long status = 0;
        CURLcode result = http_client_try(client, path, content_type, body, &status, answer);
        bool again = result != CURLE_OK ? result == CURLE_COULDNT_CONNECT || result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR ||
                                              result == CURLE_SEND_ERROR || result == CURLE_OPERATION_TIMEDOUT
                                        : status == 429 || status == 503 || status == 504;
        if (!again || os_clock_monotonic_ms() >= until) {
            *ret_status = (int)status;
            if (result == CURLE_OK) return ERROR_NONE;
            return error_set(error, ERROR_UNAVAILABLE, "%s%s: %s", client->server, path, curl_easy_strerror(result));
        }
        if (pause_ms == HTTP_CLIENT_FIRST_PAUSE_MS)
            log_warn("%s%s: %s; trying for up to %d s", client->server, path,
                     result == CURLE_OK ? "the server asks to wait" : curl_easy_strerror(result), HTTP_CLIENT_RETRY_MS / 1000);
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 < HTTP_CLIENT_LONGEST_PAUSE_MS ? pause_ms * 2 : HTTP_CLIENT_LONGEST_PAUSE_MS;
    }
}
