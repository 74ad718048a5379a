/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the URL of a ClickHouse HTTP request: parameters, settings, tenant. */
#include "store/http_store.h"

#include <inttypes.h>

#define QUERY_TIMEOUT_DEFAULT_MS 30000

static void append_encoded(struct buffer *out, struct slice text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                        c == '.' || c == '_' || c == '~';
        if (is_plain) {
            buffer_append_byte(out, (char)c);
        } else {
            buffer_append_byte(out, '%');
            buffer_append_byte(out, DIGITS[c >> 4]);
            buffer_append_byte(out, DIGITS[c & 15]);
        }
    }
}

static void append_pair(struct buffer *out, const char *prefix, struct slice name, struct slice value)
{
    if (out->size > 0 && out->data[out->size - 1] != '?') buffer_append_byte(out, '&');
    buffer_append_string(out, prefix);
    append_encoded(out, name);
    buffer_append_byte(out, '=');
    append_encoded(out, value);
}

static void append_text(struct buffer *out, const char *name, const char *value)
{
    append_pair(out, "", slice_from_string(name), slice_from_string(value));
}

/* Parameters travel as TSV-escaped text, where \N alone is NULL. */
static void append_parameter(struct buffer *out, const struct store_parameter *parameter)
{
    struct buffer escaped = {0};
    if (!parameter->value.data) buffer_append_string(&escaped, "\\N");
    for (size_t i = 0; i < parameter->value.size; i++) {
        char c = parameter->value.data[i];
        const char *replacement = c == '\\'   ? "\\\\"
                                  : c == '\t' ? "\\t"
                                  : c == '\n' ? "\\n"
                                  : c == '\r' ? "\\r"
                                  : c == '\0' ? "\\0"
                                              : NULL;
        if (replacement) buffer_append_string(&escaped, replacement);
        else buffer_append_byte(&escaped, c);
    }
    append_pair(out, "param_", slice_from_string(parameter->name), buffer_slice(&escaped));
    if (escaped.failed) out->failed = true;
    buffer_free(&escaped);
}

static enum error_code check_url(const struct buffer *out, struct error *error)
{
    if (out->failed) return error_set(error, ERROR_MEMORY, "out of memory building a request to the event store");
    if (out->size > HTTP_URL_LIMIT) {
        return error_set(error, ERROR_TOO_LARGE,
                         "the parameters of this query make %zu bytes, the event store takes %u", out->size,
                         HTTP_URL_LIMIT);
    }
    return ERROR_NONE;
}

/* The row policies take the first word of log_comment: a space inside would let one tenant pass for another. */
static bool is_tenant_word(const char *tenant)
{
    if (!tenant[0]) return false;
    for (const char *at = tenant; *at; at++) {
        if (*at <= ' ' || *at > '~' || *at == '\'' || *at == '\\') return false;
    }
    return strcmp(tenant, STORE_ALL_TENANTS) == 0 || !strchr(tenant, '*');
}

static void append_log_comment(struct buffer *out, const char *tenant, const char *unique)
{
    struct buffer comment = {0};
    buffer_printf(&comment, "%s %s", tenant, unique);
    append_pair(out, "", SLICE("log_comment"), buffer_slice(&comment));
    if (comment.failed) out->failed = true;
    buffer_free(&comment);
}

static bool has_setting(const struct store_query *query, const char *name)
{
    for (size_t i = 0; i < query->setting_count; i++) {
        if (strcmp(query->settings[i].name, name) == 0) return true;
    }
    return false;
}

enum error_code http_url_write_query(const struct store_query *query, const struct http_url *url, struct buffer *out,
                                     struct error *error)
{
    if (!is_tenant_word(query->tenant)) {
        return error_set(error, ERROR_INVALID, "the tenant id \"%.40s\" has characters that are not allowed",
                         query->tenant);
    }
    buffer_append_string(out, url->base);
    append_text(out, "query_id", url->unique);
    append_log_comment(out, query->tenant, url->unique);
    if (query->format) append_text(out, "default_format", query->format);
    if (url->compresses_answers) append_text(out, "enable_http_compression", "1");
    /* A tenant's rows are on one shard: the others need not be asked. */
    if (url->is_clustered) append_text(out, "optimize_skip_unused_shards", "1");
    /* An answer that is collected anyway may as well be complete before its status is sent: errors come as errors then.
     */
    if (!query->received) append_text(out, "wait_end_of_query", "1");
    for (size_t i = 0; i < query->parameter_count; i++) append_parameter(out, &query->parameters[i]);
    for (size_t i = 0; i < query->setting_count; i++) {
        append_pair(out, "", slice_from_string(query->settings[i].name), query->settings[i].value);
    }
    if (strcmp(query->tenant, STORE_ALL_TENANTS) != 0) {
        if (!has_setting(query, "max_execution_time")) {
            char seconds[32];
            int64_t timeout_ms = query->timeout_ms ? query->timeout_ms : QUERY_TIMEOUT_DEFAULT_MS;
            snprintf(seconds, sizeof seconds, "%" PRId64, (timeout_ms + 999) / 1000);
            append_text(out, "max_execution_time", seconds);
        }
        append_text(out, "cancel_http_readonly_queries_on_client_close", "1");
        append_text(out, "readonly", "1"); /* last: it forbids to change what stands before it */
    }
    return check_url(out, error);
}

static void append_quoted_name(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '`');
    for (; *name; name++) {
        if (*name == '`' || *name == '\\') buffer_append_byte(out, '\\');
        buffer_append_byte(out, *name);
    }
    buffer_append_byte(out, '`');
}

enum error_code http_url_write_insert(const struct store_insert *insert, const struct http_url *url, struct buffer *out,
                                      struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "INSERT INTO ");
    append_quoted_name(&sql, insert->database);
    buffer_append_byte(&sql, '.');
    append_quoted_name(&sql, insert->table);
    buffer_append_string(&sql, " FORMAT Native");
    buffer_append_string(out, url->base);
    append_pair(out, "", SLICE("query"), buffer_slice(&sql));
    if (sql.failed) out->failed = true;
    buffer_free(&sql);
    append_text(out, "query_id", url->unique);
    append_log_comment(out, STORE_ALL_TENANTS, url->unique);
    append_text(out, "insert_deduplicate", "1");
    append_text(out, "insert_deduplication_token", insert->token);
    append_text(out, "async_insert", "0");        /* "stored" must mean stored, whatever the server's profile says */
    append_text(out, "wait_end_of_query", "1");
    if (insert->rows_differ) append_text(out, "optimize_on_insert", "0");
    /* A repeated insert must complete what hangs on the table; older servers have it off by default. */
    append_text(out, "deduplicate_blocks_in_dependent_materialized_views", "1");
    /* Through a Distributed table "stored" must mean stored on the shards, not queued on the node that was asked. */
    if (url->is_clustered) append_text(out, "insert_distributed_sync", "1");
    /* Late rows may reach back over any number of partitions; refused once they would be refused for ever. */
    append_text(out, "max_partitions_per_insert_block", "0");
    return check_url(out, error);
}
