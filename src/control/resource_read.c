/* SPDX-License-Identifier: Apache-2.0 */
/* Reading things: one by its id, or a page of a list behind a cursor. */
#include "control/resource_private.h"

#include "tenant/base64.h"

/* Of a list when nobody says: what a person looks at. */
#define RESOURCE_PAGE_DEFAULT 50
/* A cursor has some 75 characters; more is not ours. */
#define RESOURCE_CURSOR_LIMIT 128

struct resource_rows_out {
    const struct control_resource *resource;
    struct json_writer writer;
    size_t limit;           /* 0: without */
    size_t written;
    bool more;
    int64_t last_created_ms;
    char last_id[37];
};

static void resource_write_time(const char *name, const struct meta_row *row, size_t column, struct json_writer *writer)
{
    static const struct control_field time = {.name = "time", .type = CONTROL_TIME};
    json_writer_key(writer, name);
    control_field_write(&time, row, column, writer);
}

static enum error_code resource_write_row(void *context, const struct meta_row *row, struct error *error)
{
    struct resource_rows_out *out = context;
    const struct control_resource *resource = out->resource;
    struct json_writer *writer = &out->writer;
    size_t column = 0;
    if (out->limit && out->written == out->limit) {
        out->more = true;
        return ERROR_NONE;
    }
    enum error_code code = META_ROW_COPY(row, 0, out->last_id, error);
    if (code) return code;
    json_writer_object_begin(writer);
    json_writer_key(writer, resource->id_column);
    json_writer_string(writer, meta_row_text(row, column++));
    if (resource->scope_column) {
        json_writer_key(writer, resource->scope_column);
        if (meta_row_is_null(row, column)) json_writer_null(writer);
        else json_writer_string(writer, meta_row_text(row, column));
        column++;
    }
    for (const struct control_field *field = resource->fields; field->name; field++) {
        if (field->type == CONTROL_SECRET) continue;
        json_writer_key(writer, field->name);
        control_field_write(field, row, column++, writer);
    }
    out->last_created_ms = meta_row_integer(row, column);
    resource_write_time("created_at", row, column++, writer);
    resource_write_time("updated_at", row, column++, writer);
    if (resource->soft_delete) resource_write_time("deleted_at", row, column++, writer);
    json_writer_object_end(writer);
    out->written++;
    return ERROR_NONE;
}

enum error_code resource_read_one(const struct control_call *call, const struct control_resource *resource,
                                  struct meta_session *session, struct slice id, enum resource_rows rows,
                                  struct buffer *out, struct error *error)
{
    struct resource_query query;
    struct resource_rows_out list = {.resource = resource, .writer = {.out = out}};
    size_t before = out->size;
    enum error_code code = resource_query_begin(&query, call, resource, error);
    if (code) return code;
    buffer_append_string(&query.sql, "select ");
    resource_query_columns(&query, resource);
    buffer_printf(&query.sql, " from %s", resource->table);
    resource_query_where(&query, call, resource, id, rows);
    code = resource_query_run(&query, session, resource_write_row, &list, error);
    resource_query_free(&query);
    if (!code && !list.written) code = resource_fail_not_found(resource, rows == RESOURCE_DELETED, error);
    if (!code && out->failed) code = error_set(error, ERROR_MEMORY, "not enough memory for the answer");
    if (code) buffer_truncate(out, before);
    return code;
}

enum error_code control_resource_get(const struct control_call *call, const struct control_resource *resource,
                                     struct slice id, struct buffer *out, struct error *error)
{
    char id_text[37];
    struct meta_session *session;
    enum error_code code = resource_read_id(resource, id, id_text, error);
    if (!code) code = meta_session_begin(resource_database(call, resource), 0, &session, error);
    if (code) return code;
    code = resource_read_one(call, resource, session, slice_from_string(id_text), RESOURCE_LIVING, out, error);
    meta_session_end(session);
    return code;
}

/* "<created_at>,<id>" in base64url: clients are not tempted to make their own. */
static enum error_code resource_cursor_read(struct slice cursor, int64_t *created_ms, char id[37], struct error *error)
{
    struct buffer text = {0};
    bool good = cursor.size <= RESOURCE_CURSOR_LIMIT && tenant_base64_decode(TENANT_BASE64_URL, cursor, &text);
    struct slice rest = buffer_slice(&text);
    good = good && slice_parse_int64(slice_cut(&rest, ','), created_ms) && rest.size == 36 && slice_is_utf8(rest) &&
           slice_index_of(rest, 0) < 0;
    if (good) {
        memcpy(id, rest.data, 36);
        id[36] = 0;
    }
    buffer_free(&text);
    if (good) return ERROR_NONE;
    return error_set_field(error, ERROR_INVALID, "cursor", "cursor must be the next_cursor of an answer before");
}

static void resource_cursor_write(const struct resource_rows_out *list, struct json_writer *writer)
{
    struct buffer text = {0}, cursor = {0};
    buffer_printf(&text, "%lld,%s", (long long)list->last_created_ms, list->last_id);
    tenant_base64_append(TENANT_BASE64_URL, buffer_slice(&text), &cursor);
    json_writer_string(writer, buffer_slice(&cursor));
    buffer_free(&text);
    buffer_free(&cursor);
}

static enum error_code resource_list_query(const struct control_call *call, const struct control_resource *resource,
                                           const struct control_page *page, struct resource_query *query, size_t limit,
                                           int64_t after_ms, const char *after_id, struct error *error)
{
    enum error_code code = resource_query_begin(query, call, resource, error);
    if (code) return code;
    buffer_append_string(&query->sql, "select ");
    resource_query_columns(query, resource);
    buffer_printf(&query->sql, " from %s", resource->table);
    resource_query_where(query, call, resource, SLICE_EMPTY, page->include_deleted ? RESOURCE_ALL : RESOURCE_LIVING);
    buffer_append_string(&query->sql, " and (created_at > cast(");
    resource_query_value(query, meta_integer(after_ms));
    buffer_printf(&query->sql, " as bigint) or (created_at = cast($%zu as bigint) and %s > ", query->count,
                  resource->id_column);
    resource_query_value(query, meta_string(after_id));
    buffer_printf(&query->sql, ")) order by created_at, %s limit cast(", resource->id_column);
    resource_query_value(query, meta_integer((int64_t)limit + 1));
    buffer_append_string(&query->sql, " as bigint)");
    return ERROR_NONE;
}

enum error_code control_resource_list(const struct control_call *call, const struct control_resource *resource,
                                      const struct control_page *page, struct buffer *out, struct error *error)
{
    int64_t after_ms = -1;
    char after_id[37] = "";
    size_t before = out->size;
    struct meta_session *session = NULL;
    struct resource_query query = {0};
    struct resource_rows_out list = {.resource = resource, .writer = {.out = out},
                                     .limit = page->limit ? page->limit : RESOURCE_PAGE_DEFAULT};
    if (page->limit > CONTROL_PAGE_LIMIT)
        return error_set_field(error, ERROR_INVALID, "limit", "limit must be 1 to %d", CONTROL_PAGE_LIMIT);
    enum error_code code =
        page->cursor.size ? resource_cursor_read(page->cursor, &after_ms, after_id, error) : ERROR_NONE;
    if (!code) code = resource_list_query(call, resource, page, &query, list.limit, after_ms, after_id, error);
    if (!code) code = meta_session_begin(resource_database(call, resource), 0, &session, error);
    if (!code) {
        json_writer_object_begin(&list.writer);
        json_writer_key(&list.writer, "data");
        json_writer_array_begin(&list.writer);
        code = resource_query_run(&query, session, resource_write_row, &list, error);
        json_writer_array_end(&list.writer);
        json_writer_key(&list.writer, "next_cursor");
        if (list.more) resource_cursor_write(&list, &list.writer);
        else json_writer_null(&list.writer);
        json_writer_object_end(&list.writer);
        if (!code && out->failed) code = error_set(error, ERROR_MEMORY, "not enough memory for the answer");
    }
    meta_session_end(session);
    resource_query_free(&query);
    if (code) buffer_truncate(out, before);
    return code;
}
