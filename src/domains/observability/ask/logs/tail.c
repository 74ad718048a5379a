/* SPDX-License-Identifier: Apache-2.0 */
/* Log records in the order in which they were stored, by polling with a cursor. */
#include "domains/observability/ask/logs/logs.h"

#include <stdio.h>

#include "domains/observability/ask/attributes.h"
#include "query/words.h"

/*
 * Neither times nor ids are an order in which records become visible: clocks differ, and a record's id is taken when it
 * arrives, before it is stored, by several loops at once. Segments are one. A server's loader inserts its segments one after
 * the other in the order of their numbers (node << 40 | counter), so when a record of a segment can be seen, all records of
 * the node's earlier segments can be. Inside a segment the insert makes one part per day, and parts appear one by one; a
 * part appears whole. So a cursor holds for each node the newest segment it has seen, and for each day of that segment the
 * largest id shown: what comes later is exactly the node's later segments, days not named, and larger ids of named days.
 *
 *   cursor = since ("_" segment ("." day ":" id)*)*
 *
 * Nodes the cursor does not name (another server that began to write) are shown from `since` on, the time the tail began.
 * Segments put back from quarantine by a person have old numbers: a tail does not show them.
 */
#define NODE_LIMIT 16  /* servers that write to one event store */
#define DAY_LIMIT 64   /* days of one segment: records are accepted for as long as they are kept */
#define CURSOR_BYTES 8192
#define RECENT_MS (10 * 60 * 1000) /* nodes that wrote in this time are named when a tail begins */
#define TAIL_LIMIT 1000
#define TAIL_DEFAULT 200

struct shown_day { int64_t day; uint64_t id; };
struct node {
    uint64_t segment;
    struct shown_day days[DAY_LIMIT];
    size_t day_count;
};
struct tail {
    int64_t since_ms;
    struct node nodes[NODE_LIMIT];
    size_t node_count;
};

static struct node *find_node(struct tail *tail, uint64_t segment)
{
    for (size_t i = 0; i < tail->node_count; i++)
        if (tail->nodes[i].segment >> LOGS_NODE_SHIFT == segment >> LOGS_NODE_SHIFT) return &tail->nodes[i];
    if (tail->node_count == NODE_LIMIT) return NULL;
    tail->nodes[tail->node_count] = (struct node){.segment = segment};
    return &tail->nodes[tail->node_count++];
}

/* Rows come by segment, day, id. */
static void mark_shown(struct tail *tail, uint64_t segment, int64_t day, uint64_t id)
{
    struct node *node = find_node(tail, segment);
    if (!node || segment < node->segment) return;
    if (segment > node->segment) *node = (struct node){.segment = segment};
    size_t i = 0;
    while (i < node->day_count && node->days[i].day != day) i++;
    if (i == DAY_LIMIT) return;
    if (i == node->day_count) node->days[node->day_count++] = (struct shown_day){.day = day};
    if (id > node->days[i].id) node->days[i].id = id;
}

/* ---- the cursor ---- */

static enum error_code refuse_cursor(struct error *error)
{
    return error_set_field(error, ERROR_INVALID, "cursor", "cursor is not one that the tail gave; leave it away to begin now");
}

static enum error_code cursor_parse(struct slice text, struct tail *tail, struct error *error)
{
    struct slice since = slice_cut(&text, '_');
    if (!slice_parse_int64(since, &tail->since_ms)) return refuse_cursor(error);
    while (text.size) {
        struct slice rest = slice_cut(&text, '_'), number = slice_cut(&rest, '.');
        uint64_t segment;
        if (tail->node_count == NODE_LIMIT || !slice_parse_uint64(number, &segment)) return refuse_cursor(error);
        struct node *node = &tail->nodes[tail->node_count++];
        node->segment = segment;
        while (rest.size) {
            struct slice id = slice_cut(&rest, '.'), day = slice_cut(&id, ':');
            struct shown_day *shown = &node->days[node->day_count];
            if (node->day_count == DAY_LIMIT || !slice_parse_int64(day, &shown->day) || !slice_parse_uint64(id, &shown->id)) return refuse_cursor(error);
            node->day_count++;
        }
    }
    return ERROR_NONE;
}

static void cursor_write(struct json_writer *json, const struct tail *tail)
{
    struct buffer text = {0};
    buffer_printf(&text, "%lld", (long long)tail->since_ms);
    for (size_t i = 0; i < tail->node_count; i++) {
        const struct node *node = &tail->nodes[i];
        buffer_printf(&text, "_%llu", (unsigned long long)node->segment);
        for (size_t j = 0; j < node->day_count; j++) buffer_printf(&text, ".%lld:%llu", (long long)node->days[j].day, (unsigned long long)node->days[j].id);
    }
    json_writer_key(json, "cursor");
    json_writer_string(json, buffer_slice(&text));
    if (text.failed) json->out->failed = true;
    buffer_free(&text);
}

/* ---- statements ---- */

/* "(..)": records the cursor has not shown. */
static void write_unseen(struct query_text *text, const struct tail *tail)
{
    query_text_add(text, "(");
    for (size_t i = 0; i < tail->node_count; i++) {
        const struct node *node = &tail->nodes[i];
        uint64_t end = ((node->segment >> LOGS_NODE_SHIFT) + 1) << LOGS_NODE_SHIFT;
        query_text_printf(text, "(segment >= %llu AND segment < %llu AND (segment != %llu", (unsigned long long)node->segment, (unsigned long long)end,
                          (unsigned long long)node->segment);
        query_text_add(text, " OR (1");
        for (size_t j = 0; j < node->day_count; j++)
            query_text_printf(text, " AND NOT (toInt64(toDate(timestamp)) = %lld AND id <= %llu)", (long long)node->days[j].day, (unsigned long long)node->days[j].id);
        query_text_add(text, "))) OR ");
    }
    query_text_printf(text, "(id >= %llu", (unsigned long long)tail->since_ms << 20);
    for (size_t i = 0; i < tail->node_count; i++)
        query_text_printf(text, " AND intDiv(segment, %llu) != %llu", 1ull << LOGS_NODE_SHIFT, (unsigned long long)(tail->nodes[i].segment >> LOGS_NODE_SHIFT));
    query_text_add(text, "))");
}

/* Of any time: what arrives late is shown like everything else. */
static void write_source(struct query_text *text) { query_text_add(text, "\nFROM observability.logs_v3 WHERE tenant_id = {tenant:String} AND "); }

static void take_newest(void *argument, const struct query_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        mark_shown(argument, (uint64_t)query_rows_integer(rows, i, 0), query_rows_integer(rows, i, 1), (uint64_t)query_rows_integer(rows, i, 2));
}

/* A tail that begins: everything that can be seen now counts as shown. */
static enum error_code tail_begin(struct logs_question *question, struct tail *tail, struct error *error)
{
    unsigned long long recent = (unsigned long long)(question->context->now_ms - RECENT_MS) << 20;
    tail->since_ms = question->context->now_ms;
    logs_question_select(question, "segment, toInt64(toDate(timestamp)) AS query_day, max(id)");
    write_source(&question->text);
    query_text_printf(&question->text, "id >= %llu AND segment IN (SELECT max(segment)", recent);
    write_source(&question->text);
    query_text_printf(&question->text, "id >= %llu GROUP BY intDiv(segment, %llu)) GROUP BY segment, query_day ORDER BY segment LIMIT %d", recent, 1ull << LOGS_NODE_SHIFT,
                      NODE_LIMIT * DAY_LIMIT);
    return logs_ask(question, 3, take_newest, tail, error);
}

static void take_reached(void *argument, const struct query_rows *rows)
{
    struct tail *reached = argument;
    for (size_t i = 0; i < rows->count && reached->node_count < NODE_LIMIT; i++)
        reached->nodes[reached->node_count++].segment = (uint64_t)query_rows_integer(rows, i, 0);
}

/* How far segments can be seen, whatever is in them: asked before the records, so that all of earlier ones are in those. */
static enum error_code ask_reached(struct logs_question *question, const struct tail *tail, struct tail *reached, struct error *error)
{
    logs_question_select(question, "max(segment) AS query_segment");
    write_source(&question->text);
    write_unseen(&question->text, tail);
    query_text_printf(&question->text, " GROUP BY intDiv(segment, %llu)", 1ull << LOGS_NODE_SHIFT);
    return logs_ask(question, 1, take_reached, reached, error);
}

struct tailing {
    struct logs_writer writer;
    struct tail *tail;
    size_t count;
    bool is_history;
};
static void tailing_take(void *argument, const struct query_rows *rows)
{
    struct tailing *tailing = argument;
    for (size_t n = 0; n < rows->count; n++) {
        size_t i = tailing->is_history ? rows->count - 1 - n : n;
        logs_write_row(&tailing->writer, rows, i);
        if (!tailing->is_history) mark_shown(tailing->tail, logs_row_segment(rows, i), logs_row_day(rows, i), logs_row_place(rows, i).id);
        tailing->count++;
    }
}

static enum error_code ask_news(struct logs_question *question, struct tail *tail, size_t limit, struct tailing *tailing, struct error *error)
{
    struct tail *reached = arena_allocate(question->context->arena, sizeof *reached);
    if (!reached) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = ask_reached(question, tail, reached, error);
    if (code) return code;
    logs_question_select(question, logs_columns);
    write_source(&question->text);
    write_unseen(&question->text, tail);
    query_text_slice(&question->text, question->conditions);
    query_text_printf(&question->text, "\nORDER BY segment, toDate(timestamp), id LIMIT %zu", limit);
    code = logs_ask(question, LOGS_COLUMN_COUNT, tailing_take, tailing, error);
    /* Nothing more of them fits the conditions: they need not be read again. */
    for (size_t i = 0; !code && tailing->count < limit && i < reached->node_count; i++) {
        struct node *node = find_node(tail, reached->nodes[i].segment);
        if (node && reached->nodes[i].segment > node->segment) *node = (struct node){.segment = reached->nodes[i].segment};
    }
    return code;
}

/* The newest that were there already when the tail began. */
static enum error_code ask_history(struct logs_question *question, const struct tail *tail, size_t limit, struct tailing *tailing, struct error *error)
{
    tailing->is_history = true;
    logs_question_select(question, logs_columns);
    write_source(&question->text);
    query_text_printf(&question->text, "id >= %llu AND NOT ", (unsigned long long)(tail->since_ms - RECENT_MS) << 20);
    write_unseen(&question->text, tail);
    query_text_slice(&question->text, question->conditions);
    query_text_printf(&question->text, "\nORDER BY id DESC LIMIT %zu", limit);
    return logs_ask(question, LOGS_COLUMN_COUNT, tailing_take, tailing, error);
}

static const struct domain_word tail_words[] = {
    LOGS_WORDS, {"cursor", "of the answer before; without it the tail begins now"}, {"limit", "records of one answer, 1 to 1000, default 200"},
    {"last", "without a cursor: so many of the last ten minutes first, 0 to 1000, default 0"}, {NULL, NULL}};

static enum error_code tail_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct logs_question question;
    int64_t limit, last;
    struct slice cursor = query_context_text(context, "cursor");
    struct tail *tail = arena_allocate(context->arena, sizeof *tail);
    struct tailing tailing = {.tail = tail};
    if (!tail) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = logs_question_begin(context, tail_words, (int64_t)LOGS_DEFAULT_DAYS * 86400000, &question, error);
    if (!code && (query_context_text(context, "from").data || query_context_text(context, "to").data ||
                  query_context_text(context, "period").data))
        code = error_set_field(error, ERROR_INVALID, "from", "a tail shows what arrives, of any time: from, to and period are not for it");
    if (!code) code = query_context_integer(context, "limit", 1, TAIL_LIMIT, TAIL_DEFAULT, &limit, error);
    if (!code) code = query_context_integer(context, "last", 0, TAIL_LIMIT, 0, &last, error);
    if (!code && cursor.size > CURSOR_BYTES) code = refuse_cursor(error);
    if (!code) code = cursor.size ? cursor_parse(cursor, tail, error) : tail_begin(&question, tail, error);
    if (!code) code = logs_writer_begin(out, &tailing.writer, error);
    if (code) return code;
    context->to_ms = 0;
    context->is_partial = true; /* never from memory: the next one who asks wants what came since */
    struct json_writer *json = &tailing.writer.json;
    json_writer_object_begin(json);
    json_writer_key(json, "data");
    json_writer_array_begin(json);
    if (cursor.size) code = ask_news(&question, tail, (size_t)limit, &tailing, error);
    else if (last) code = ask_history(&question, tail, (size_t)last, &tailing, error);
    json_writer_array_end(json);
    cursor_write(json, tail);
    json_writer_key(json, "hasMore");
    json_writer_bool(json, cursor.size && tailing.count == (size_t)limit);
    logs_write_metadata(json, &question);
    json_writer_object_end(json);
    logs_writer_end(&tailing.writer);
    return code;
}

const struct domain_question observability_log_tail_questions[] = {
    {METHOD_GET, "/api/v2/query/signals/logs/tail", TENANT_LOGS_READ, tail_answer, tail_words, .summary = "Log records as they are stored, by polling"},
    {0},
};
