/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client of control/, on libcurl. */
#include "control/transfer.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include "decode/json.h"
#include "decode/url.h"

#define TRANSFER_CONNECT_TIMEOUT_MS 4000
#define TRANSFER_URL_LIMIT 2048

bool control_transfer_is_loopback(struct slice text)
{
    struct url url;
    if (!url_parse(text, &url) || !url.absolute || url.host.size == 0 || url.host.size >= 64) return false;
    char host[64];
    memcpy(host, url.host.data, url.host.size);
    host[url.host.size] = 0;
    struct in_addr version4;
    struct in6_addr version6;
    if (inet_pton(AF_INET, host, &version4) == 1) return ntohl(version4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &version6) == 1) return IN6_IS_ADDR_LOOPBACK(&version6);
    return slice_equal_ignore_case(url.host, SLICE("localhost"));
}

static enum error_code transfer_check_url(const struct control_transfer *transfer, struct error *error)
{
    struct url url;
    bool is_url = transfer->url.size <= TRANSFER_URL_LIMIT && url_parse(transfer->url, &url) && url.absolute;
    if (!is_url || slice_index_of(transfer->url, '@') >= 0)
        return error_set(error, ERROR_INVALID, "not a URL that can be asked");
    if (slice_equal_ignore_case(url.scheme, SLICE("https"))) return ERROR_NONE;
    if (slice_equal_ignore_case(url.scheme, SLICE("http")) && transfer->may_be_plain &&
        control_transfer_is_loopback(transfer->url))
        return ERROR_NONE;
    return error_set(error, ERROR_INVALID, "%.*s: only https is asked", SLICE_ARGS(url.origin));
}

struct transfer_answer {
    struct buffer *out;
    size_t start;
    bool is_too_large;
};

static size_t transfer_receive(char *data, size_t size, size_t count, void *context)
{
    struct transfer_answer *answer = context;
    if (answer->out->size - answer->start + size * count > CONTROL_TRANSFER_LIMIT) {
        answer->is_too_large = true;
        return 0;
    }
    buffer_append(answer->out, data, size * count);
    return answer->out->failed ? 0 : size * count;
}

static enum error_code transfer_judge(CURL *easy, CURLcode result, const char *reason,
                                      const struct transfer_answer *answer, struct slice origin, struct error *error)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (answer->is_too_large)
        return error_set(error, ERROR_TOO_LARGE, "%.*s answered with more than %d bytes", SLICE_ARGS(origin),
                         CONTROL_TRANSFER_LIMIT);
    if (answer->out->failed) return error_set(error, ERROR_MEMORY, "out of memory for an answer");
    if (result != CURLE_OK) return error_set(error, ERROR_UNAVAILABLE, "%.*s: %s", SLICE_ARGS(origin), reason);
    if (status == 200) return ERROR_NONE;
    return error_set(error, status >= 400 && status < 500 ? ERROR_FORBIDDEN : ERROR_UNAVAILABLE,
                     "%.*s answered with status %ld", SLICE_ARGS(origin), status);
}

static void transfer_set(CURL *easy, const struct control_transfer *transfer, const struct buffer *texts, char *reason)
{
    const char *text = texts->data; /* url, user, password, each with its zero */
    const char *user = text + transfer->url.size + 1, *password = user + transfer->user.size + 1;
    curl_easy_setopt(easy, CURLOPT_URL, text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSFER_CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)CONTROL_TRANSFER_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (transfer->ca_file && transfer->ca_file[0]) curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->ca_file);
    if (control_transfer_is_loopback(transfer->url)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (transfer->form.data) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->form.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->form.data);
    }
    if (transfer->user.size) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
    }
}

enum error_code control_transfer_run(const struct control_transfer *transfer, struct buffer *out, struct error *error)
{
    enum error_code code = transfer_check_url(transfer, error);
    if (code != ERROR_NONE) return code;
    struct url url;
    (void)url_parse(transfer->url, &url);
    struct buffer texts = {0};
    const struct slice parts[] = {transfer->url, transfer->user, transfer->password};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_append_slice(&texts, parts[i]);
        buffer_append_byte(&texts, 0);
    }
    struct transfer_answer answer = {.out = out, .start = out->size};
    char reason[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    CURL *easy = curl_easy_init();
    if (!easy || !headers || texts.failed) code = error_set(error, ERROR_MEMORY, "out of memory for a request");
    else {
        transfer_set(easy, transfer, &texts, reason);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_receive);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
        CURLcode result = curl_easy_perform(easy);
        code = transfer_judge(easy, result, reason[0] ? reason : curl_easy_strerror(result), &answer, url.origin,
                              error);
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    buffer_free(&texts);
    if (code == ERROR_NONE) {
        buffer_append_zeros(out, JSON_PADDING);
        if (out->failed) return error_set(error, ERROR_MEMORY, "out of memory for an answer");
        buffer_truncate(out, out->size - JSON_PADDING);
    }
    return code;
}

void control_transfer_append_encoded(struct buffer *out, struct slice text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        (c && strchr("-._~", c));
        if (is_plain) buffer_append_byte(out, (char)c);
        else {
            buffer_append_byte(out, '%');
            buffer_append_byte(out, DIGITS[c >> 4]);
            buffer_append_byte(out, DIGITS[c & 15]);
        }
    }
}

void control_transfer_append_pair(struct buffer *out, const char *name, struct slice value)
{
    if (out->size && out->data[out->size - 1] != '?') buffer_append_byte(out, '&');
    control_transfer_append_encoded(out, slice_from_string(name));
    buffer_append_byte(out, '=');
    control_transfer_append_encoded(out, value);
}
