/* SPDX-License-Identifier: Apache-2.0 */
/* The list of hosts. */
#include "store/http_hosts.h"

#include "base/buffer.h"

static enum error_code check_url(struct slice url, struct error *error)
{
    bool is_http = slice_starts_with(url, SLICE("http://")) || slice_starts_with(url, SLICE("https://"));
    struct slice host = is_http ? slice_from(url, (size_t)slice_find(url, SLICE("//")) + 2) : SLICE_EMPTY;
    if (slice_index_of(url, '@') >= 0) {
        /* Not repeated: what stands before the @ is a secret. */
        return error_set_field(error, ERROR_INVALID, "url",
                               "the event store's URL must not hold a user or a password: they have settings");
    }
    bool is_plain = true;
    for (size_t i = 0; i < url.size; i++) is_plain = is_plain && url.data[i] > ' ' && url.data[i] < 0x7f;
    if (!is_http || host.size == 0 || host.data[0] == '/' || !is_plain || slice_index_of(url, '?') >= 0 ||
        slice_index_of(url, '#') >= 0) {
        return error_set_field(error, ERROR_INVALID, "url",
                               "the event store's URL must look like http://host:port, not \"%.*s\"",
                               SLICE_ARGS(slice_first(url, 200)));
    }
    return ERROR_NONE;
}

enum error_code http_hosts_init(struct http_hosts *hosts, const char *urls, struct error *error)
{
    *hosts = (struct http_hosts){0};
    struct slice rest = slice_from_string(urls);
    do {
        struct slice url = slice_trim(slice_cut(&rest, ','));
        while (slice_ends_with(url, SLICE("/"))) url.size--;
        enum error_code code = check_url(url, error);
        if (code) return code;
        if (hosts->count == HTTP_HOST_LIMIT) {
            return error_set_field(error, ERROR_INVALID, "url", "more than %d event store hosts", HTTP_HOST_LIMIT);
        }
        struct buffer base = {0};
        buffer_append_slice(&base, url);
        buffer_append(&base, "/?", 3);
        if (base.failed) return error_set(error, ERROR_MEMORY, "out of memory");
        hosts->hosts[hosts->count++].base = base.data;
    } while (rest.size > 0);
    return ERROR_NONE;
}

void http_hosts_fini(struct http_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) free(hosts->hosts[i].base);
}

size_t http_hosts_home(struct http_hosts *hosts)
{
    return atomic_fetch_add(&hosts->next_home, 1) % hosts->count;
}

size_t http_hosts_pick(struct http_hosts *hosts, size_t home, unsigned tried, int64_t now_ms)
{
    size_t any = HTTP_HOST_LIMIT;
    for (size_t i = 0; i < hosts->count; i++) {
        size_t index = (home + i) % hosts->count;
        if (tried & (1u << index)) continue;
        int_least64_t bad_until_ms = atomic_load(&hosts->hosts[index].bad_until_ms);
        if (bad_until_ms == 0) return index;
        /* Its time is over: whoever changes the number first tries it. */
        if (bad_until_ms <= now_ms && atomic_compare_exchange_strong(&hosts->hosts[index].bad_until_ms, &bad_until_ms,
                                                                     now_ms + HTTP_HOST_BAD_MS)) return index;
        if (any == HTTP_HOST_LIMIT) any = index;
    }
    return any;
}

void http_hosts_mark(struct http_hosts *hosts, size_t index, bool is_good, int64_t now_ms)
{
    int_least64_t bad_until_ms = is_good ? 0 : now_ms + HTTP_HOST_BAD_MS;
    /* Mostly it is good and was: no write to a line that other threads read. */
    if (atomic_load(&hosts->hosts[index].bad_until_ms) != bad_until_ms)
        atomic_store(&hosts->hosts[index].bad_until_ms, bad_until_ms);
}
