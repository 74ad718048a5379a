/* SPDX-License-Identifier: Apache-2.0 */
/* Log records: searched page by page, around one of them, and as lines to keep. */
#include "domains/observability/ask/logs/logs.h"

#include "domains/observability/ask/attributes.h"
#include "query/words.h"

#define DAY_MS 86400000LL
#define EXPORT_LIMIT 100000 /* records of one export: 50 to 100 MB, held until they are sent */
#define EXPORT_DEFAULT 10000
#define AROUND_LIMIT 200    /* records before, and after: screens of them */
#define AROUND_DEFAULT 20
#define AROUND_DAYS 30

struct page {
    size_t limit, skip;
    int64_t number;
    bool has_cursor;
    struct logs_place cursor;
    bool wants_total;
};
struct listing {
    struct logs_writer writer;
    size_t limit, count; /* written */
    bool has_more, is_lines;
    struct logs_place last;
};

static void listing_take(void *argument, const struct query_rows *rows)
{
    struct listing *listing = argument;
    for (size_t i = 0; i < rows->count; i++) {
        if (listing->count == listing->limit) {
            listing->has_more = true; /* one more was asked for to know it */
            return;
        }
        logs_write_row(&listing->writer, rows, i);
        listing->last = logs_row_place(rows, i);
        listing->count++;
        if (!listing->is_lines) continue;
        buffer_append_byte(listing->writer.json.out, '\n');
        listing->writer.json.need_comma = false;
    }
}

/* Beside the rest, or as the dossier's members of "pagination". */
static enum error_code read_page_integer(struct query_context *context, const char *name, int64_t most, int64_t fallback, int64_t *ret_value,
                                         struct error *error)
{
    struct json_value pagination, value;
    enum error_code code = query_context_integer(context, name, 1, most, fallback, ret_value, error);
    if (code || !query_context_member(context, "pagination", &pagination)) return code;
    if (json_value_type(pagination) != JSON_OBJECT)
        return error_set_field(error, ERROR_INVALID, "pagination", "pagination must be an object with page and limit");
    if (!json_object_get(pagination, slice_from_string(name), &value)) return ERROR_NONE;
    if (json_value_type(value) == JSON_INT && json_value_int(value) >= 1 && json_value_int(value) <= most) {
        *ret_value = json_value_int(value);
        return ERROR_NONE;
    }
    return error_set_field(error, ERROR_INVALID, "pagination", "pagination.%s must be a whole number from 1 to %lld", name, (long long)most);
}

static enum error_code read_page(struct query_context *context, struct page *page, struct error *error)
{
    int64_t limit = LOGS_DEFAULT;
    struct slice cursor = query_context_text(context, "cursor");
    *page = (struct page){.number = 1};
    enum error_code code = read_page_integer(context, "limit", LOGS_LIMIT, LOGS_DEFAULT, &limit, error);
    if (!code) code = read_page_integer(context, "page", LOGS_PAGED_ROWS, 1, &page->number, error);
    if (!code) code = query_context_boolean(context, "total", false, &page->wants_total, error);
    page->limit = (size_t)limit;
    page->skip = (size_t)(page->number - 1) * page->limit;
    if (!code && cursor.size) {
        page->has_cursor = true;
        code = logs_place_parse("cursor", cursor, &page->cursor, error);
        if (!code && page->skip) code = error_set_field(error, ERROR_INVALID, "page", "page and cursor do not go together: a cursor knows its place");
    }
    if (!code && page->skip + page->limit > LOGS_PAGED_ROWS)
        code = error_set_field(error, ERROR_INVALID, "page", "page %lld ends behind %d records: go on with the cursor", (long long)page->number, LOGS_PAGED_ROWS);
    return code;
}

static void take_count(void *argument, const struct query_rows *rows)
{
    if (rows->count) *(int64_t *)argument = query_rows_integer(rows, 0, 0);
}

/* By page: all before it is read again. */
static enum error_code ask_page(struct logs_question *question, const struct page *page, struct listing *listing, struct error *error)
{
    logs_question_select(question, logs_columns);
    logs_question_where_all(question);
    query_text_printf(&question->text, "\nORDER BY timestamp DESC, id DESC LIMIT %zu OFFSET %zu", page->limit + 1, page->skip);
    return logs_ask(question, LOGS_COLUMN_COUNT, listing_take, listing, error);
}

static struct logs_walk walk_back(struct logs_question *question, size_t limit)
{
    return (struct logs_walk){.question = question, .from_ns = question->from_ms * 1000000, .to_ns = question->to_ms * 1000000, .limit = limit};
}

static void write_pagination(struct json_writer *json, const struct page *page, const struct listing *listing, int64_t total)
{
    char cursor[LOGS_PLACE_SIZE];
    json_writer_key(json, "total");
    if (total >= 0) json_writer_int(json, total);
    else json_writer_null(json);
    json_writer_key(json, "truncated");
    json_writer_bool(json, listing->has_more && total < 0);
    json_writer_key(json, "pagination");
    json_writer_object_begin(json);
    json_writer_key(json, "page");
    json_writer_int(json, page->number);
    json_writer_key(json, "limit");
    json_writer_uint(json, page->limit);
    json_writer_key(json, "totalPages");
    if (total >= 0) json_writer_int(json, (total + (int64_t)page->limit - 1) / (int64_t)page->limit);
    else json_writer_null(json);
    json_writer_key(json, "hasNext");
    json_writer_bool(json, listing->has_more);
    json_writer_key(json, "hasPrev");
    json_writer_bool(json, page->has_cursor || page->number > 1);
    json_writer_key(json, "cursor");
    logs_place_format(&listing->last, cursor);
    if (listing->has_more) json_writer_string(json, slice_from_string(cursor));
    else json_writer_null(json);
    json_writer_object_end(json);
}

static const struct domain_word list_words[] = {
    LOGS_WORDS, {"limit", "records of a page, 1 to 1000, default 100"}, {"page", "1 and on, as far as 10000 records"}, {"pagination", "{\"page\":1,\"limit\":100}"},
    {"cursor", "of the page before"}, {"total", "true: count all that fit, which costs reading them"}, {NULL, NULL}};

static enum error_code list_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    struct page page;
    struct listing listing = {0};
    int64_t total = -1;
    enum error_code code = logs_question_begin(context, list_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (!code) code = read_page(context, &page, error);
    if (!code) code = logs_writer_begin(out, &listing.writer, error);
    if (code) return code;
    struct json_writer *json = &listing.writer.json;
    struct logs_walk walk = walk_back(&question, page.limit + 1);
    walk.has_place = page.has_cursor;
    walk.place = page.cursor;
    listing.limit = page.limit;
    json_writer_object_begin(json);
    json_writer_key(json, "data");
    json_writer_array_begin(json);
    code = page.skip ? ask_page(&question, &page, &listing, error) : logs_walk(&walk, listing_take, &listing, error);
    json_writer_array_end(json);
    if (!code && page.wants_total) {
        logs_question_select(&question, "toInt64(count())");
        logs_question_where_all(&question);
        code = logs_ask(&question, 1, take_count, &total, error);
    } else if (!listing.has_more && !page.has_cursor && (listing.count || !page.skip)) {
        total = (int64_t)(page.skip + listing.count); /* all of them were seen */
    }
    write_pagination(json, &page, &listing, total);
    logs_write_metadata(json, &question);
    json_writer_object_end(json);
    logs_writer_end(&listing.writer);
    return code;
}

/* ---- around one ---- */

static const struct domain_word around_words[] = {
    {"place", "of a record, as answers give it"}, {"before", "records, 0 to 200, default 20"}, {"after", "the same"},
    {"sameResource", "false: of the whole service, not only of the same resource"}, {NULL, NULL}};

struct around {
    struct listing listing;
    struct arena *arena;
    struct slice service, resource;
};

static void around_found(void *argument, const struct query_rows *rows)
{
    struct around *around = argument;
    if (!rows->count) return;
    around->service = arena_copy(around->arena, query_rows_text(rows, 0, 0));
    around->resource = arena_copy(around->arena, query_rows_text(rows, 0, 1));
}

static void write_place_condition(struct logs_question *question, const struct logs_place *place)
{
    query_text_printf(&question->text, " AND id = %llu AND bitShiftRight(segment, %d) = %llu", (unsigned long long)place->id, LOGS_NODE_SHIFT, (unsigned long long)place->node);
}

/* The record itself, and what the lines around it share with it. */
static enum error_code around_begin(struct logs_question *question, const struct logs_place *place, bool same_resource, struct around *around,
                                    struct error *error)
{
    logs_question_select(question, "toString(service_name), toString(resource)");
    logs_question_where(question, place->timestamp_ns, place->timestamp_ns + 1);
    write_place_condition(question, place);
    query_text_add(&question->text, " LIMIT 1");
    enum error_code code = logs_ask(question, 2, around_found, around, error);
    if (code) return code;
    if (!around->service.data) return error_set_field(error, ERROR_NOT_FOUND, "place", "there is no record at this place");
    question->text.size = 0;
    query_text_add(&question->text, " AND service_name = ");
    query_text_value(&question->text, around->service);
    if (same_resource) {
        query_text_add(&question->text, " AND resource = ");
        query_text_value(&question->text, around->resource);
    }
    question->conditions = query_text_cut(&question->text, 0);
    return ERROR_NONE;
}

static enum error_code around_side(const struct logs_question *question, const struct logs_place *place, const char *name, bool forward, size_t limit,
                                   struct around *around, struct error *error)
{
    struct json_writer *json = &around->listing.writer.json;
    const int64_t span_ns = AROUND_DAYS * DAY_MS * 1000000;
    struct logs_walk walk = {.question = (struct logs_question *)question, .forward = forward, .has_place = true, .place = *place, .limit = limit + 1,
                             .from_ns = forward ? place->timestamp_ns : place->timestamp_ns - span_ns,
                             .to_ns = forward ? place->timestamp_ns + span_ns : place->timestamp_ns + 1};
    around->listing.limit = limit;
    around->listing.count = 0;
    around->listing.has_more = false;
    json_writer_key(json, name);
    json_writer_array_begin(json);
    enum error_code code = logs_walk(&walk, listing_take, &around->listing, error);
    json_writer_array_end(json);
    json_writer_key(json, forward ? "hasMoreAfter" : "hasMoreBefore");
    json_writer_bool(json, around->listing.has_more);
    return code;
}

static enum error_code around_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question = {.context = context};
    struct around around = {.arena = context->arena, .service = {NULL, 0}};
    struct logs_place place;
    int64_t before, after;
    bool same_resource;
    query_text_init(&question.text, context->arena);
    enum error_code code = ask_check_names(context, around_words, error);
    if (!code) code = query_context_integer(context, "before", 0, AROUND_LIMIT, AROUND_DEFAULT, &before, error);
    if (!code) code = query_context_integer(context, "after", 0, AROUND_LIMIT, AROUND_DEFAULT, &after, error);
    if (!code) code = query_context_boolean(context, "sameResource", true, &same_resource, error);
    if (!code) code = logs_place_parse("place", query_context_text(context, "place"), &place, error);
    if (!code) code = around_begin(&question, &place, same_resource, &around, error);
    if (!code) code = logs_writer_begin(out, &around.listing.writer, error);
    if (code) return code;
    struct json_writer *json = &around.listing.writer.json;
    json_writer_object_begin(json);
    code = around_side(&question, &place, "before", false, (size_t)before, &around, error);
    struct logs_walk walk = {.question = &question, .from_ns = place.timestamp_ns, .to_ns = place.timestamp_ns + 1, .limit = 1};
    struct slice conditions = question.conditions;
    question.text.size = 0;
    query_text_slice(&question.text, conditions);
    write_place_condition(&question, &place);
    question.conditions = query_text_cut(&question.text, 0);
    around.listing.limit = 1;
    around.listing.count = 0;
    json_writer_key(json, "data");
    json_writer_array_begin(json);
    if (!code) code = logs_walk(&walk, listing_take, &around.listing, error);
    json_writer_array_end(json);
    question.conditions = conditions;
    if (!code) code = around_side(&question, &place, "after", true, (size_t)after, &around, error);
    json_writer_object_end(json);
    logs_writer_end(&around.listing.writer);
    return code;
}

/* ---- lines to keep ---- */

static const struct domain_word export_words[] = {
    LOGS_WORDS, {"limit", "records, 1 to 100000, default 10000"}, {"cursor", "of the export before"}, {NULL, NULL}};

static enum error_code export_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    struct listing listing = {.is_lines = true};
    int64_t limit;
    struct slice cursor = query_context_text(context, "cursor");
    struct logs_place place = {0};
    enum error_code code = logs_question_begin(context, export_words, LOGS_DEFAULT_DAYS * DAY_MS, &question, error);
    if (!code) code = query_context_integer(context, "limit", 1, EXPORT_LIMIT, EXPORT_DEFAULT, &limit, error);
    if (!code && cursor.size) code = logs_place_parse("cursor", cursor, &place, error);
    if (!code) code = logs_writer_begin(out, &listing.writer, error);
    if (code) return code;
    struct logs_walk walk = walk_back(&question, (size_t)limit + 1);
    walk.has_place = cursor.size > 0;
    walk.place = place;
    listing.limit = (size_t)limit;
    code = logs_walk(&walk, listing_take, &listing, error);
    if (!code && listing.has_more) { /* the last line says that it is not all, and how to go on */
        char text[LOGS_PLACE_SIZE];
        logs_place_format(&listing.last, text);
        buffer_printf(out, "{\"truncated\":true,\"cursor\":\"%s\"}\n", text);
    }
    context->content_type = "application/x-ndjson";
    logs_writer_end(&listing.writer);
    return code;
}

#define LOGS "/api/v2/query/signals/logs"
const struct domain_question observability_log_questions[] = {
    {METHOD_GET, LOGS, TENANT_LOGS_READ, list_answer, list_words, .summary = "Log records, newest first"},
    {METHOD_POST, LOGS, TENANT_LOGS_READ, list_answer, list_words, .summary = "Log records, newest first; what is asked as a body"},
    {METHOD_GET, LOGS "/context", TENANT_LOGS_READ, around_answer, around_words, .summary = "The records around one, of the same service and resource"},
    {METHOD_GET, LOGS "/export", TENANT_LOGS_READ, export_answer, export_words, .summary = "Log records as lines of JSON, newest first"},
    {METHOD_POST, LOGS "/export", TENANT_LOGS_READ, export_answer, export_words, .summary = "The same; what is asked as a body"},
    {0},
};
