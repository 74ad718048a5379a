/* SPDX-License-Identifier: Apache-2.0 */
/* The event store over the ClickHouse HTTP protocol: libcurl, with connections kept alive per session and host. */
#include "store/http_store.h"

#include <pthread.h>
#include <curl/curl.h>

#include "base/uuid.h"
#include "os/clock.h"
#include "store/http_hosts.h"

#define QUERY_TIMEOUT_DEFAULT_MS 30000
#define INSERT_TIMEOUT_DEFAULT_MS 120000
#define CONNECT_TIMEOUT_DEFAULT_MS 5000
#define ANSWER_LIMIT_DEFAULT (256u << 20)
/* Error texts are some hundred bytes; with a stack trace some thousand. */
#define ERROR_TEXT_LIMIT 65536u
/* How soon a cancelled query is given up. */
#define CANCEL_POLL_MS 50

struct http_store {
    struct store store;
    char *unix_path;
    char *ca_file;
    struct http_hosts hosts; /* one of no meaning for a Unix socket */
    struct curl_slist *headers;
    struct curl_slist *headers_compressed; /* the same and Content-Encoding */
    enum store_compression compression;
    bool is_clustered;
    long connect_timeout_ms;
};

struct http_session {
    struct store_session session;
    struct http_store *store;
    size_t home; /* the host asked first */
    size_t host; /* the one asked now */
    struct buffer compressed;
    CURL *easy;
    CURLM *multi; /* holds the connection, and lets us look at `cancelled` while we wait */
    char curl_message[CURL_ERROR_SIZE];
};

/* One request under way. */
struct exchange {
    struct http_session *session;
    const struct store_query *query;   /* one of these two is NULL */
    const struct store_insert *insert;
    struct slice body;
    bool is_body_compressed;
    int64_t timeout_ms;       /* what is left of it */
    struct buffer *out;
    size_t out_start;
    size_t limit;
    /* From here on new with every attempt. */
    struct buffer error_text;
    struct buffer tail;       /* of a streamed answer */
    char tag[64];
    int exception_code;
    bool is_failed;           /* an exception header was seen, or the status is not 200 */
    bool is_too_large;
    bool is_given_up;
    bool is_answered;         /* a byte of the answer was given to `received` */
    bool is_connected;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

static void initialize_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void destroy_store(struct store *store)
{
    struct http_store *http = (struct http_store *)store;
    curl_slist_free_all(http->headers);
    curl_slist_free_all(http->headers_compressed);
    free(http->unix_path);
    free(http->ca_file);
    http_hosts_fini(&http->hosts);
    free(http);
}

static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
    struct buffer line = {0};
    /* "Name;" is how curl spells a header without a value, "Name:" one that is not to be sent. */
    buffer_append_string(&line, name);
    if (value) {
        buffer_append_string(&line, ": ");
        buffer_append_string(&line, value);
    } else {
        buffer_append_byte(&line, ':');
    }
    buffer_append_byte(&line, '\0');
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*headers, line.data);
    buffer_free(&line);
    if (!longer) return false;
    *headers = longer;
    return true;
}

static bool has_line_end(const char *text)
{
    return text && strpbrk(text, "\r\n") != NULL;
}

static bool make_headers(const struct store_settings *settings, const char *encoding, struct curl_slist **headers)
{
    /* Without Expect taken away curl asks for permission before larger bodies and loses a round trip. */
    return add_header(headers, "Expect", NULL) && add_header(headers, "Content-Type", "application/octet-stream") &&
           (!settings->user || add_header(headers, "X-ClickHouse-User", settings->user)) &&
           (!settings->password || add_header(headers, "X-ClickHouse-Key", settings->password)) &&
           (!encoding || add_header(headers, "Content-Encoding", encoding));
}

static enum error_code session_create(struct store *store, struct store_session **ret_session, struct error *error);
static void session_destroy(struct store_session *session);
static enum error_code session_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                     struct error *error);
static enum error_code session_insert(struct store_session *session, const struct store_insert *insert,
                                      struct error *error);
static const struct store_driver http_driver = {session_create, session_destroy, session_query, session_insert,
                                                destroy_store};

enum error_code http_store_create(const struct store_settings *settings, struct store **ret_store, struct error *error)
{
    pthread_once(&curl_once, initialize_curl);
    if (curl_ready != CURLE_OK) return error_set(error, ERROR_INTERNAL, "libcurl does not start");
    if (!settings->unix_path && !settings->url) {
        return error_set_field(error, ERROR_INVALID, "url", "the event store needs a socket path or a URL");
    }
    if (has_line_end(settings->user) || has_line_end(settings->password)) {
        return error_set_field(error, ERROR_INVALID, "password",
                               "user and password of the event store must be one line");
    }
    struct http_store *http = calloc(1, sizeof *http);
    if (!http) return error_set(error, ERROR_MEMORY, "out of memory");
    http->store.driver = &http_driver;
    http->connect_timeout_ms =
        settings->connect_timeout_ms ? (long)settings->connect_timeout_ms : CONNECT_TIMEOUT_DEFAULT_MS;
    http->compression = settings->compression;
    http->is_clustered = settings->is_clustered;
    enum error_code code =
        http_hosts_init(&http->hosts, settings->unix_path ? "http://localhost" : settings->url, error);
    if (code) {
        destroy_store(&http->store);
        return code;
    }
    http->unix_path = settings->unix_path ? strdup(settings->unix_path) : NULL;
    http->ca_file = settings->ca_file && settings->ca_file[0] ? strdup(settings->ca_file) : NULL;
    bool is_made = (http->unix_path || !settings->unix_path) && make_headers(settings, NULL, &http->headers) &&
                   make_headers(settings, store_compression_name(http->compression), &http->headers_compressed);
    if (!is_made || (!http->ca_file && settings->ca_file && settings->ca_file[0])) {
        destroy_store(&http->store);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    *ret_store = &http->store;
    return ERROR_NONE;
}

static bool read_header(struct slice line, struct slice name, struct slice *ret_value)
{
    if (line.size <= name.size || line.data[name.size] != ':') return false;
    if (!slice_equal_ignore_case(slice_first(line, name.size), name)) return false;
    *ret_value = slice_trim(slice_from(line, name.size + 1));
    return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    struct slice line = slice_make(data, size * count), value;
    uint64_t number;
    if (slice_starts_with(line, SLICE("HTTP/"))) {
        exchange->is_failed = false;
        exchange->exception_code = 0;
        exchange->tag[0] = '\0';
    } else if (read_header(line, SLICE("X-ClickHouse-Exception-Code"), &value)) {
        exchange->is_failed = true;
        if (slice_parse_uint64(value, &number) && number < INT32_MAX) exchange->exception_code = (int)number;
    } else if (read_header(line, SLICE("X-ClickHouse-Exception-Tag"), &value)) {
        snprintf(exchange->tag, sizeof exchange->tag, "%.*s", SLICE_ARGS(slice_first(value, sizeof exchange->tag - 1)));
    }
    return size * count;
}

static void keep_tail(struct exchange *exchange, struct slice bytes)
{
    if (bytes.size > HTTP_EXCEPTION_TAIL_SIZE) bytes = slice_from(bytes, bytes.size - HTTP_EXCEPTION_TAIL_SIZE);
    buffer_append_slice(&exchange->tail, bytes);
    if (exchange->tail.size > 4 * HTTP_EXCEPTION_TAIL_SIZE) {
        buffer_consume(&exchange->tail, exchange->tail.size - HTTP_EXCEPTION_TAIL_SIZE);
    }
}

/* Returning less than it got makes curl end the transfer. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    struct slice bytes = slice_make(data, size * count);
    long status = 0;
    curl_easy_getinfo(exchange->session->easy, CURLINFO_RESPONSE_CODE, &status);
    if (exchange->is_failed || status != 200) {
        exchange->is_failed = true;
        size_t room = ERROR_TEXT_LIMIT - exchange->error_text.size;
        buffer_append_slice(&exchange->error_text, slice_first(bytes, room));
        return bytes.size;
    }
    if (exchange->query && exchange->query->received) {
        keep_tail(exchange, bytes);
        exchange->is_answered = true;
        exchange->is_given_up = !exchange->query->received(exchange->query->received_context, bytes);
        return exchange->is_given_up ? 0 : bytes.size;
    }
    if (!exchange->out) return bytes.size;
    exchange->is_too_large = exchange->out->size - exchange->out_start + bytes.size > exchange->limit;
    if (exchange->is_too_large) return 0;
    buffer_append_slice(exchange->out, bytes);
    return exchange->out->failed ? 0 : bytes.size;
}

static bool is_cancelled(const struct exchange *exchange)
{
    return exchange->query && exchange->query->cancelled && atomic_load(exchange->query->cancelled);
}

/* Runs the prepared request to its end. CURLE_ABORTED_BY_CALLBACK when it was cancelled: its connection is closed then,
 * which tells the server. */
static CURLcode perform(struct http_session *session, struct exchange *exchange)
{
    CURLcode result = CURLE_OK;
    int running = 1;
    if (curl_multi_add_handle(session->multi, session->easy) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
    while (running) {
        if (is_cancelled(exchange)) {
            result = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
        CURLMcode code = curl_multi_perform(session->multi, &running);
        if (!code && running) code = curl_multi_poll(session->multi, NULL, 0, CANCEL_POLL_MS, NULL);
        if (code) {
            result = CURLE_FAILED_INIT;
            break;
        }
    }
    int left;
    for (CURLMsg *message; !result && (message = curl_multi_info_read(session->multi, &left));) {
        if (message->msg == CURLMSG_DONE) result = message->data.result;
    }
    curl_multi_remove_handle(session->multi, session->easy);
    return result;
}

static struct slice address(const struct http_session *session)
{
    if (session->store->unix_path) return slice_from_string(session->store->unix_path);
    struct slice base = slice_from_string(session->store->hosts.hosts[session->host].base);
    return slice_first(base, base.size - 2); /* without "/?" */
}

static enum error_code read_curl_failure(struct http_session *session, CURLcode result, const struct exchange *exchange,
                                         struct error *error)
{
    const char *why = session->curl_message[0] ? session->curl_message : curl_easy_strerror(result);
    if (is_cancelled(exchange) || exchange->is_given_up)
        return error_set(error, ERROR_CANCELLED, "the query was cancelled");
    if (exchange->is_too_large) {
        return error_set(error, ERROR_TOO_LARGE, "the answer is larger than %zu bytes: ask for less", exchange->limit);
    }
    if (result == CURLE_OUT_OF_MEMORY || (exchange->out && exchange->out->failed)) {
        return error_set(error, ERROR_MEMORY, "out of memory for an answer of the event store");
    }
    if (result == CURLE_OPERATION_TIMEDOUT && exchange->is_connected) {
        return error_set(error, ERROR_TIMEOUT, "the event store did not answer in time");
    }
    return error_set(error, ERROR_UNAVAILABLE, "the event store at %.*s cannot be reached: %s",
                     SLICE_ARGS(address(session)), why);
}

/* What the exchange came to, once curl is done with it. */
static enum error_code judge(struct http_session *session, CURLcode result, struct exchange *exchange,
                             struct error *error)
{
    struct slice text;
    long status = 0;
    curl_easy_getinfo(session->easy, CURLINFO_RESPONSE_CODE, &status);
    if (exchange->is_failed) {
        return http_exception_read((int)status, exchange->exception_code, buffer_slice(&exchange->error_text), error);
    }
    bool is_streamed = exchange->query && exchange->query->received;
    struct slice tail = is_streamed      ? buffer_slice(&exchange->tail)
                        : exchange->out  ? slice_from(buffer_slice(exchange->out), exchange->out_start)
                                         : SLICE_EMPTY;
    if (tail.size > HTTP_EXCEPTION_TAIL_SIZE) tail = slice_from(tail, tail.size - HTTP_EXCEPTION_TAIL_SIZE);
    /* Untagged text proves something only where the status was sent before the query's end, or after a cut. */
    bool may_hold_exception = exchange->tag[0] || is_streamed || result != CURLE_OK;
    if (may_hold_exception && http_exception_find(tail, slice_from_string(exchange->tag), &text)) {
        return http_exception_read(200, 0, text, error);
    }
    if (result != CURLE_OK) return read_curl_failure(session, result, exchange, error);
    if (status != 200) return http_exception_read((int)status, 0, SLICE_EMPTY, error);
    return ERROR_NONE;
}

/* One attempt at session->host. */
static enum error_code run(struct http_session *session, struct exchange *exchange, const char *url,
                           struct error *error)
{
    const struct http_store *store = session->store;
    CURL *easy = session->easy;
    session->curl_message[0] = '\0';
    curl_easy_reset(easy); /* keeps connections */
    CURLcode set = CURLE_OK;
#define SET(option, value) set = set ? set : curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, url);
    if (store->unix_path) SET(CURLOPT_UNIX_SOCKET_PATH, store->unix_path);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (store->ca_file) SET(CURLOPT_CAINFO, store->ca_file);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, session->curl_message);
    SET(CURLOPT_HTTPHEADER, exchange->is_body_compressed ? store->headers_compressed : store->headers);
    if (store->compression) SET(CURLOPT_ACCEPT_ENCODING, store_compression_name(store->compression));
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, exchange->body.data);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.size);
    SET(CURLOPT_CONNECTTIMEOUT_MS, store->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
#undef SET
    if (set) return error_set(error, ERROR_INTERNAL, "libcurl refuses an option: %s", curl_easy_strerror(set));
    exchange->tag[0] = '\0';
    exchange->exception_code = 0;
    exchange->is_failed = exchange->is_too_large = exchange->is_given_up = exchange->is_answered = false;
    CURLcode result = perform(session, exchange);
    curl_off_t connected_us = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    exchange->is_connected = connected_us > 0;
    enum error_code code = judge(session, result, exchange, error);
    if (code && exchange->out) buffer_truncate(exchange->out, exchange->out_start);
    buffer_free(&exchange->error_text);
    buffer_free(&exchange->tail);
    return code;
}

static enum error_code write_url(const struct http_session *session, const struct exchange *exchange,
                                 struct buffer *out, struct error *error)
{
    const struct http_store *store = session->store;
    /* New for every attempt: another node may still know the one before by its name. */
    char unique[UUID_TEXT_SIZE + 1];
    struct uuid uuid = uuid_make_v4();
    uuid_format(&uuid, unique);
    unique[UUID_TEXT_SIZE] = '\0';
    struct http_url url = {.base = store->hosts.hosts[session->host].base,
                           .unique = unique,
                           .compresses_answers = store->compression != STORE_COMPRESSION_NONE,
                           .is_clustered = store->is_clustered};
    buffer_clear(out);
    enum error_code code = exchange->query ? http_url_write_query(exchange->query, &url, out, error)
                                           : http_url_write_insert(exchange->insert, &url, out, error);
    buffer_append_byte(out, '\0');
    return !code && out->failed ? error_set(error, ERROR_MEMORY, "out of memory") : code;
}

/* Whether it may be asked at another host, after this one gave `code`. */
static bool may_ask_again(const struct exchange *exchange, enum error_code code)
{
    if (code != ERROR_UNAVAILABLE || exchange->is_answered) return false;
    bool is_harmless = exchange->insert || strcmp(exchange->query->tenant, STORE_ALL_TENANTS) != 0;
    return is_harmless || !exchange->is_connected;
}

/* A refusal with a number comes from a server that is well; 236 is one that shuts down. */
static bool is_host_bad(enum error_code code, int detail)
{
    return code == ERROR_UNAVAILABLE && (detail == 0 || detail == 236);
}

static enum error_code ask(struct http_session *session, struct exchange *exchange, struct error *error)
{
    struct http_hosts *hosts = &session->store->hosts;
    int64_t deadline_ms = os_clock_monotonic_ms() + exchange->timeout_ms;
    struct error own;
    if (!error) error = &own;
    struct buffer url = {0};
    enum error_code code = ERROR_NONE;
    unsigned tried = 0;
    do {
        int64_t now_ms = os_clock_monotonic_ms();
        size_t host = http_hosts_pick(hosts, session->home, tried, now_ms);
        if (host == HTTP_HOST_LIMIT || (tried && now_ms >= deadline_ms)) break;
        tried |= 1u << host;
        session->host = host;
        exchange->timeout_ms = deadline_ms - now_ms;
        *error = (struct error){0};
        code = write_url(session, exchange, &url, error);
        if (code) break;
        code = run(session, exchange, url.data, error);
        http_hosts_mark(hosts, host, !is_host_bad(code, error->detail), os_clock_monotonic_ms());
    } while (may_ask_again(exchange, code));
    buffer_free(&url);
    return code;
}

static enum error_code session_query(struct store_session *session, const struct store_query *query, struct buffer *out,
                                     struct error *error)
{
    struct exchange exchange = {
        .session = (struct http_session *)session,
        .query = query,
        .body = query->sql,
        .timeout_ms = query->timeout_ms ? query->timeout_ms : QUERY_TIMEOUT_DEFAULT_MS,
        .out = query->received ? NULL : out,
        .limit = query->answer_limit_bytes ? query->answer_limit_bytes : ANSWER_LIMIT_DEFAULT,
    };
    exchange.out_start = exchange.out ? exchange.out->size : 0;
    return ask(exchange.session, &exchange, error);
}

static enum error_code session_insert(struct store_session *session, const struct store_insert *insert,
                                      struct error *error)
{
    struct http_session *http = (struct http_session *)session;
    struct exchange exchange = {
        .session = http,
        .insert = insert,
        .body = insert->native,
        .timeout_ms = insert->timeout_ms ? insert->timeout_ms : INSERT_TIMEOUT_DEFAULT_MS,
    };
    buffer_clear(&http->compressed);
    enum error_code code = http_compress(http->store->compression, insert->native, &http->compressed,
                                         &exchange.is_body_compressed, error);
    if (code) return code;
    if (exchange.is_body_compressed) exchange.body = buffer_slice(&http->compressed);
    return ask(http, &exchange, error);
}

static void session_destroy(struct store_session *session)
{
    struct http_session *http = (struct http_session *)session;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    buffer_free(&http->compressed);
    free(http);
}

static enum error_code session_create(struct store *store, struct store_session **ret_session, struct error *error)
{
    struct http_session *http = calloc(1, sizeof *http);
    if (!http) return error_set(error, ERROR_MEMORY, "out of memory");
    http->session.driver = &http_driver;
    http->store = (struct http_store *)store;
    http->home = http_hosts_home(&http->store->hosts);
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    if (!http->easy || !http->multi) {
        session_destroy(&http->session);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    *ret_session = &http->session;
    return ERROR_NONE;
}
