/* SPDX-License-Identifier: Apache-2.0 */
/* Our own search: spans, and traces with what they come to, page by page. */
#include "domains/observability/ask/ask.h"
#include "domains/observability/ask/attributes.h"
#include "domains/observability/ask/traces/search.h"
#include "os/clock.h"
#include "query/rows.h"
#include "query/words.h"

static const struct domain_word page_words[] = {TRACES_FILTER_WORDS,
                                                {"limit", "at most 1000; 50"},
                                                {"cursor", "the answer's, for its next page"},
                                                {"page", "instead of cursor: counted from 1, with a total"},
                                                {"pagination", "of a body: {page, limit}"},
                                                {NULL, NULL}};

/* What a page was asked to be: by cursor, or counted. */
struct page {
    int64_t begun_us;
    size_t limit, number; /* number 0: by cursor */
    struct traces_place_of place;
    size_t id_digits;
    bool has_more;
    int64_t total; /* counted pages only */
};

/* "1795248000123456789.1200.<id>": the place's time, how many seconds were looked back at last, the id. */
static enum error_code cursor_read(struct slice text, size_t id_digits, struct traces_place_of *place,
                                   struct error *error)
{
    struct slice rest = text, ns = slice_cut(&rest, '.'), stretch = slice_cut(&rest, '.');
    int64_t seconds = 0;
    bool is_ours = slice_parse_int64(ns, &place->ns) && slice_parse_int64(stretch, &seconds) && place->ns > 0 &&
                   place->ns < TRACES_END_NS && seconds > 0 && seconds < INT64_C(2000000000) && rest.size == id_digits;
    for (size_t i = 0; is_ours && i < id_digits; i++)
        is_ours = rest.data[i] && strchr("0123456789abcdef", rest.data[i]);
    if (!is_ours)
        return error_set_field(error, ERROR_INVALID, "cursor", "cursor=%s is not one this list was answered with",
                               query_words_show(text).text);
    place->stretch_ns = seconds * 1000000000;
    memcpy(place->id, rest.data, id_digits);
    return ERROR_NONE;
}

static enum error_code page_read(struct query_context *context, const struct traces_filter *filter, size_t id_digits,
                                 struct page *page, struct error *error)
{
    int64_t limit, number;
    struct slice cursor = query_context_text(context, "cursor");
    struct json_value pagination;
    *page =
        (struct page){.begun_us = os_clock_monotonic_us(), .id_digits = id_digits, .place = traces_place_first(filter)};
    struct query_context words = *context; /* "pagination": {"page": 2, "limit": 50}, as other products send it */
    if (query_context_member(context, "pagination", &pagination)) {
        if (json_value_type(pagination) != JSON_OBJECT)
            return error_set_field(error, ERROR_INVALID, "pagination", "pagination must be an object with page and limit");
        words.body = pagination;
    }
    enum error_code code = query_context_integer(&words, "limit", 1, TRACES_SEARCH_LIMIT, 50, &limit, error);
    if (!code) code = query_context_integer(&words, "page", 1, TRACES_SEARCH_DEPTH, 0, &number, error);
    if (!code && number && number * limit > TRACES_SEARCH_DEPTH)
        code = error_set_field(error, ERROR_INVALID, "page", "page %lld of %lld ends beyond %d rows: go on by cursor",
                               (long long)number, (long long)limit, TRACES_SEARCH_DEPTH);
    if (!code && number && cursor.size) code = error_set_field(error, ERROR_INVALID, "page", "either page or cursor");
    if (!code && cursor.size) code = cursor_read(cursor, id_digits, &page->place, error);
    page->limit = (size_t)limit;
    page->number = (size_t)number;
    return code;
}

static enum error_code count_total(struct traces_filter *filter, const char *what, struct page *page,
                                   struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    if (!page->number) return ERROR_NONE;
    traces_filter_text(filter, &text);
    query_text_printf(&text, "SELECT %s FROM observability.traces_v3\nWHERE tenant_id = {tenant:String}", what);
    traces_range_write(&text, filter->from_ns, filter->to_ns);
    query_text_slice(&text, traces_filter_conditions(filter));
    enum error_code code = query_rows_ask(filter->context, &text, 1, &rows, error);
    if (!code && rows.count) page->total = query_rows_integer(&rows, 0, 0);
    return code;
}

/* total is what fits, not what is shown; it costs a look at all of the time asked about, so only counted pages have it. */
static void page_write(const struct page *page, struct json_writer *writer, struct arena *arena)
{
    int64_t limit = (int64_t)page->limit, number = (int64_t)page->number;
    json_writer_key(writer, "total");
    if (page->number) json_writer_int(writer, page->total);
    else json_writer_null(writer);
    json_writer_key(writer, "truncated");
    json_writer_bool(writer, page->has_more);
    json_writer_key(writer, "cursor");
    if (page->has_more)
        json_writer_string(writer, arena_printf(arena, "%lld.%lld.%.*s", (long long)page->place.ns,
                                                (long long)(page->place.stretch_ns / 1000000000), (int)page->id_digits,
                                                page->place.id));
    else json_writer_null(writer);
    json_writer_key(writer, "pagination");
    json_writer_object_begin(writer);
    if (page->number) {
        json_writer_key(writer, "page");
        json_writer_int(writer, number);
        json_writer_key(writer, "totalPages");
        json_writer_int(writer, (page->total + limit - 1) / limit);
        json_writer_key(writer, "hasPrev");
        json_writer_bool(writer, number > 1);
    }
    json_writer_key(writer, "limit");
    json_writer_int(writer, limit);
    json_writer_key(writer, "hasNext");
    json_writer_bool(writer, page->has_more);
    json_writer_object_end(writer);
    json_writer_key(writer, "metadata");
    json_writer_object_begin(writer);
    json_writer_key(writer, "executionTimeMs");
    json_writer_double(writer, (double)(os_clock_monotonic_us() - page->begun_us) / 1000);
    traces_text_write(writer, "dataSource", SLICE("traces_v3"));
    json_writer_object_end(writer);
}

/* ---- spans ---- */

struct spans {
    struct json_writer *writer;
    size_t skip, limit, count;
    struct traces_place_of *place;
    bool has_more;
};

static enum error_code spans_take(void *user, const struct traces_span *span, struct error *error)
{
    struct spans *spans = user;
    if (spans->count++ < spans->skip) return ERROR_NONE;
    if (spans->count > spans->skip + spans->limit) {
        spans->has_more = true;
        return ERROR_NONE;
    }
    struct slice parent = span->parent_span_id.size ? span->parent_span_id : SLICE("0000000000000000");
    spans->place->ns = span->start_ns;
    snprintf(spans->place->id, sizeof spans->place->id, "%.*s%.*s%.*s", SLICE_ARGS(span->trace_id),
             SLICE_ARGS(span->span_id), SLICE_ARGS(parent));
    traces_span_write(spans->writer, span);
    return spans->writer->out->failed ? error_set(error, ERROR_MEMORY, "no memory for an answer") : ERROR_NONE;
}

static enum error_code find_spans(struct traces_filter *filter, struct spans *spans, struct error *error)
{
    struct traces_place_of *place = spans->place;
    struct query_text text;
    size_t wanted = spans->skip + spans->limit + 1;
    struct traces_place_of look = *place;
    while (spans->count < wanted && look.ns >= filter->from_ns) {
        int64_t five_ns = INT64_C(300) * 1000000000, from_ns = look.ns - look.stretch_ns;
        from_ns -= from_ns % five_ns;
        if (from_ns < filter->from_ns) from_ns = filter->from_ns;
        traces_filter_text(filter, &text);
        traces_spans_select(&text);
        traces_range_write(&text, from_ns, look.ns + 1);
        query_text_add(&text, " AND (timestamp, trace_id_bytes, span_ids) < (");
        traces_instant_write(&text, look.ns);
        for (size_t part = 0; part < 2; part++) {
            query_text_add(&text, ", toFixedString(unhex(");
            query_text_value(&text, slice_make(look.id + 32 * part, 32));
            query_text_add(&text, "), 16)");
        }
        query_text_add(&text, ")");
        query_text_slice(&text, traces_filter_conditions(filter));
        query_text_printf(
            &text,
            "\nORDER BY timestamp DESC, trace_id_bytes DESC, span_ids DESC LIMIT 1 BY timestamp, trace_id_bytes, span_ids LIMIT %zu",
            wanted - spans->count);
        enum error_code code = traces_spans_ask(filter->context, &text, spans_take, spans, error);
        if (code) return code;
        place->stretch_ns = look.stretch_ns;
        look.ns = from_ns - 1;
        memset(look.id, 'f', 64);
        if (look.stretch_ns < INT64_C(1000000000) * 1000000000 / 4) look.stretch_ns *= 4;
    }
    return ERROR_NONE;
}

static enum error_code spans_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct page page;
    enum error_code code = ask_check_names(context, page_words, error);
    if (!code) code = traces_filter_parse(context, &filter, error);
    if (!code) code = page_read(context, &filter, 64, &page, error);
    if (code) return code;
    if (filter.is_without_errors) query_text_add(&filter.text, " AND (status != 2)");
    struct spans spans = {.writer = &writer,
                          .limit = page.limit,
                          .skip = page.number ? (page.number - 1) * page.limit : 0,
                          .place = &page.place};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    code = find_spans(&filter, &spans, error);
    json_writer_array_end(&writer);
    page.has_more = spans.has_more;
    if (!code) code = count_total(&filter, "uniqExact(trace_id_bytes, timestamp, span_ids)", &page, error);
    page_write(&page, &writer, context->arena);
    json_writer_object_end(&writer);
    return code;
}

/* ---- summaries ---- */

/* Counted pages are looked for from the first on, so that they are cut like pages by cursor; figures are of the one that is shown. */
static enum error_code find_page(struct traces_filter *filter, struct page *page, struct traces_figures **ret_figures,
                                 size_t *ret_count, struct error *error)
{
    enum error_code code = ERROR_NONE;
    size_t before = page->number ? (page->number - 1) * page->limit : 0;
    page->has_more = true;
    *ret_figures = NULL;
    *ret_count = 0;
    while (!code && page->has_more && before) {
        size_t count = before < TRACES_SEARCH_LIMIT ? before : TRACES_SEARCH_LIMIT;
        code = traces_pass(filter, count, &page->place, &page->has_more, error);
        before -= count;
    }
    if (!code && page->has_more)
        code = traces_find(filter, page->limit, &page->place, ret_figures, ret_count, &page->has_more, error);
    return code;
}

static enum error_code summaries_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct json_writer writer = {.out = out};
    struct traces_filter filter;
    struct traces_figures *figures;
    struct page page;
    size_t count;
    enum error_code code = ask_check_names(context, page_words, error);
    if (!code) code = traces_filter_parse(context, &filter, error);
    if (!code) code = page_read(context, &filter, 32, &page, error);
    if (!code && page.number && filter.is_without_errors)
        code = error_set_field(error, ERROR_INVALID, "page",
                               "hasError=false is decided trace by trace and cannot be counted: go on by cursor");
    if (!code) code = find_page(&filter, &page, &figures, &count, error);
    if (!code) code = traces_find_logs(context, figures, count, error);
    if (!code) code = count_total(&filter, "uniqExact(trace_id_bytes)", &page, error);
    if (code) return code;
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "data");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        json_writer_object_begin(&writer);
        traces_figures_write(&figures[i], &writer);
        json_writer_key(&writer, "hasLogs");
        json_writer_bool(&writer, figures[i].has_logs);
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    page_write(&page, &writer, context->arena);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

const struct domain_question observability_trace_list_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/traces", TENANT_TRACES_READ, spans_answer, page_words,
     .summary = "Spans, newest first"},
    {METHOD_POST, "/api/v2/query/signals/traces", TENANT_TRACES_READ, spans_answer, page_words,
     .summary = "Spans, newest first"},
    {METHOD_GET, "/api/v2/query/signals/traces/summaries", TENANT_TRACES_READ, summaries_answer, page_words,
     .summary = "Traces with what they come to, newest first"},
    {METHOD_POST, "/api/v2/query/signals/traces/summaries", TENANT_TRACES_READ, summaries_answer, page_words,
     .summary = "Traces with what they come to, newest first"},
    {0},
};
