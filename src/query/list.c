/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: parameters become a plan, a plan becomes one statement with the owner in it. */
#include "query/list.h"

#include "base/uuid.h"
#include "query/parameter.h"
#include "query/plan_time.h"
#include "query/words.h"

/* Parameters every list knows. */
enum list_word { LIST_FROM, LIST_TO, LIST_PERIOD, LIST_TIMEZONE, LIST_LIMIT, LIST_CURSOR, LIST_WORD_COUNT };
static const char *const list_words[LIST_WORD_COUNT] = {"from", "to", "period", "timezone", "limit", "cursor"};

/* The names a list knows, for messages. */
struct list_known {
    const char *names[LIST_WORD_COUNT + QUERY_LIST_COLUMN_LIMIT];
    size_t count;
};
static const char *list_known_at(const void *table, size_t index) { return ((const struct list_known *)table)->names[index]; }

static enum error_code list_refuse(const struct query_list *list, struct slice name, struct error *error)
{
    struct list_known known = {0};
    for (size_t i = 0; i < LIST_WORD_COUNT; i++) known.names[known.count++] = list_words[i];
    for (size_t i = 0; i < list->column_count; i++)
        if (list->columns[i].is_filter) known.names[known.count++] = list->columns[i].name;
    char field[sizeof error->field];
    snprintf(field, sizeof field, "%s", query_words_show(name).text);
    return error_set_field(error, ERROR_INVALID, field, "unknown parameter \"%s\".%s The list %s knows: %s", field,
                           query_words_suggest(list_known_at, &known, known.count, name).text, list->name,
                           query_words_list(list_known_at, &known, known.count).text);
}

static enum error_code list_parse_limit(struct slice value, uint32_t *limit, struct error *error)
{
    uint64_t number;
    if (!slice_parse_uint64(value, &number) || number < 1 || number > QUERY_LIST_LIMIT)
        return error_set_field(error, ERROR_INVALID, "limit", "limit=%s must be a number from 1 to %d",
                               query_words_show(value).text, QUERY_LIST_LIMIT);
    *limit = (uint32_t)number;
    return ERROR_NONE;
}

static enum error_code list_parse_cursor(struct slice value, struct query_list_plan *plan, struct error *error)
{
    struct slice id = value, time = slice_cut(&id, '.');
    struct uuid uuid;
    if (!slice_parse_int64(time, &plan->cursor_ns) || !uuid_parse(id, &uuid))
        return error_set_field(error, ERROR_INVALID, "cursor", "cursor=%s is not one this list gave; take next_cursor of "
                               "the page before, or leave it away to begin at the newest", query_words_show(value).text);
    uuid_format(&uuid, plan->cursor_id);
    plan->cursor_id[UUID_TEXT_SIZE] = 0;
    plan->has_cursor = true;
    return ERROR_NONE;
}

static enum error_code list_add_filter(const struct query_list_column *column, struct slice value, struct arena *arena,
                                       size_t *bytes, struct query_list_plan *plan, struct error *error)
{
    struct query_list_filter *filter = NULL;
    for (size_t i = 0; i < plan->filter_count; i++)
        if (plan->filters[i]->column == column) filter = plan->filters[i];
    if (!filter && plan->filter_count == QUERY_FILTER_LIMIT)
        return error_set_field(error, ERROR_INVALID, column->name, "at most %d filters", QUERY_FILTER_LIMIT);
    if (!filter) {
        filter = arena_allocate(arena, sizeof *filter);
        if (!filter) return error_set(error, ERROR_MEMORY, "no memory for a list");
        filter->column = column;
        plan->filters[plan->filter_count++] = filter;
    }
    *bytes += value.size;
    if (filter->value_count == QUERY_VALUE_LIMIT || value.size > QUERY_TEXT_LIMIT || *bytes > QUERY_FILTER_TEXT_LIMIT)
        return error_set_field(error, ERROR_INVALID, column->name,
                               "%s: at most %d values of %d bytes, and %d bytes of all filters together", column->name,
                               QUERY_VALUE_LIMIT, QUERY_TEXT_LIMIT, QUERY_FILTER_TEXT_LIMIT);
    /* A value no row can hold is not worth asking for, and the store takes no zero bytes. */
    if (!slice_is_utf8(value) || slice_index_of(value, 0) >= 0)
        return error_set_field(error, ERROR_INVALID, column->name, "%s must be UTF-8 text", column->name);
    filter->values[filter->value_count++] = value;
    return ERROR_NONE;
}

enum error_code query_list_parse(const struct query_list *list, const struct query_parameter *parameters,
                                 size_t parameter_count, int64_t now_ms, struct arena *arena,
                                 struct query_list_plan *ret_plan, struct error *error)
{
    struct query_list_plan plan = {.list = list, .limit = QUERY_LIST_DEFAULT};
    struct slice words[LIST_WORD_COUNT] = {{0}};
    size_t filter_bytes = 0;
    for (size_t i = 0; i < parameter_count; i++) {
        size_t word = 0, column = 0;
        while (word < LIST_WORD_COUNT && !slice_equal(parameters[i].name, slice_from_string(list_words[word]))) word++;
        if (word < LIST_WORD_COUNT && words[word].data)
            return error_set_field(error, ERROR_INVALID, list_words[word], "%s is given twice", list_words[word]);
        if (word < LIST_WORD_COUNT) {
            words[word] = parameters[i].value.data ? parameters[i].value : SLICE_EMPTY;
            continue;
        }
        while (column < list->column_count && !(list->columns[column].is_filter &&
               slice_equal(parameters[i].name, slice_from_string(list->columns[column].name)))) column++;
        if (column == list->column_count) return list_refuse(list, parameters[i].name, error);
        enum error_code code =
            list_add_filter(&list->columns[column], parameters[i].value, arena, &filter_bytes, &plan, error);
        if (code) return code;
    }
    struct query_plan time = {0};
    struct query_time_words time_words = {.timezone = words[LIST_TIMEZONE], .from = words[LIST_FROM],
                                          .to = words[LIST_TO], .period = words[LIST_PERIOD]};
    enum error_code code = query_plan_time_parse(QUERY_TOP, &time_words, now_ms, arena, &time, error);
    if (!code && words[LIST_LIMIT].data) code = list_parse_limit(words[LIST_LIMIT], &plan.limit, error);
    if (!code && words[LIST_CURSOR].data) code = list_parse_cursor(words[LIST_CURSOR], &plan, error);
    plan.from_ms = time.range.from_ms;
    plan.to_ms = time.range.to_ms;
    if (!code) *ret_plan = plan;
    return code;
}

/* ---- SQL ---- */

static void list_append_columns(struct buffer *sql, const struct query_list *list)
{
    buffer_append_string(sql, "SELECT\n");
    for (size_t i = 0; i < list->column_count; i++)
        buffer_printf(sql, "    %s AS query_column_%zu,\n", list->columns[i].expression, i + 1);
    /* The place of the row, for the cursor. */
    buffer_printf(sql, "    toUnixTimestamp64Nano(toDateTime64(%s, 9, 'UTC')) AS query_time,\n    toString(%s) AS query_id\n",
                  list->time_column, list->id_column);
}

/* FROM and WHERE: the only place that names the table, so that no read of it can be without the owner. */
static void list_append_source(struct buffer *sql, const struct query_list_plan *plan, bool has_owner, bool has_tenant)
{
    const struct query_list *list = plan->list;
    buffer_printf(sql, "FROM %s.%s\nWHERE ", list->database, list->table);
    if (has_owner) buffer_printf(sql, "%s = {owner:String}\n  AND ", list->owner_column);
    if (has_tenant) buffer_printf(sql, "%s = {tenant:String}\n  AND ", list->tenant_column);
    buffer_printf(sql, "%s >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')\n", list->time_column);
    buffer_printf(sql, "  AND %s < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')\n", list->time_column);
    for (size_t i = 0; i < plan->filter_count; i++)
        buffer_printf(sql, "  AND %s IN {filter_%zu:Array(String)}\n", plan->filters[i]->column->expression, i + 1);
    if (plan->has_cursor) {
        buffer_printf(sql, "  AND %s <= fromUnixTimestamp64Nano({cursor_ns:Int64}, 'UTC')\n", list->time_column);
        buffer_append_string(sql, "  AND (query_time, query_id) < ({cursor_ns:Int64}, {cursor_id:String})\n");
    }
}

static void list_add(struct query_statement *statement, const char *name, struct slice value)
{
    ASSERT(statement->parameter_count < QUERY_PARAMETER_LIMIT);
    statement->parameters[statement->parameter_count++] = (struct query_parameter){slice_from_string(name), value};
}

static void list_add_number(struct query_statement *statement, const char *name, int64_t value, struct arena *arena)
{
    list_add(statement, name, arena_printf(arena, "%lld", (long long)value));
}

enum error_code query_list_statement(const struct query_list_plan *plan, const struct query_list_reader *reader,
                                     struct arena *arena, struct query_statement *ret_statement, struct error *error)
{
    if (reader->owner.size == 0) return error_set(error, ERROR_FORBIDDEN, "a list without an owner is never asked for");
    bool has_owner = !slice_equal(reader->owner, SLICE(STORE_ALL_TENANTS));
    bool has_tenant = plan->list->tenant_column && reader->tenant.size > 0;
    struct query_statement statement = {0};
    struct buffer sql = {0};
    list_append_columns(&sql, plan->list);
    list_append_source(&sql, plan, has_owner, has_tenant);
    buffer_printf(&sql, "ORDER BY %s DESC, query_id DESC\n", plan->list->time_column);
    if (plan->list->once_by_id) buffer_append_string(&sql, "LIMIT 1 BY query_id\n");
    buffer_append_string(&sql, "LIMIT {limit:UInt32}\n");
    if (!sql.failed) statement.sql = arena_copy(arena, buffer_slice(&sql));
    bool failed = sql.failed;
    buffer_free(&sql);

    if (has_owner) list_add(&statement, "owner", arena_copy(arena, reader->owner));
    if (has_tenant) list_add(&statement, "tenant", arena_copy(arena, reader->tenant));
    list_add_number(&statement, "from_ms", plan->from_ms, arena);
    list_add_number(&statement, "to_ms", plan->to_ms, arena);
    for (size_t i = 0; i < plan->filter_count && !failed; i++) {
        struct slice values = query_parameter_strings(plan->filters[i]->values, plan->filters[i]->value_count, arena);
        failed = values.size == 0;
        list_add(&statement, arena_printf(arena, "filter_%zu", i + 1).data, values);
    }
    if (plan->has_cursor) list_add_number(&statement, "cursor_ns", plan->cursor_ns, arena);
    if (plan->has_cursor) list_add(&statement, "cursor_id", arena_copy(arena, slice_from_string(plan->cursor_id)));
    list_add_number(&statement, "limit", (int64_t)plan->limit + 1, arena); /* one more tells whether there is a next page */
    if (failed || arena_failed(arena)) return error_set(error, ERROR_MEMORY, "no memory for a list");
    *ret_statement = statement;
    return ERROR_NONE;
}

/* ---- all of it ---- */

enum error_code query_list_ask(struct store_session *session, const struct query_list *list,
                               const struct query_list_reader *reader, const struct query_parameter *parameters,
                               size_t parameter_count, int64_t now_ms, const struct query_list_settings *settings,
                               struct arena *arena, struct buffer *out, struct error *error)
{
    struct query_list_plan plan;
    struct query_statement statement;
    struct store_parameter values[QUERY_PARAMETER_LIMIT];
    struct buffer native = {0};
    enum error_code code = query_list_parse(list, parameters, parameter_count, now_ms, arena, &plan, error);
    if (!code) code = query_list_statement(&plan, reader, arena, &statement, error);
    if (code) return code;
    for (size_t i = 0; i < statement.parameter_count; i++)
        values[i] = (struct store_parameter){arena_copy_string(arena, statement.parameters[i].name),
                                             statement.parameters[i].value};
    struct store_query query = {.sql = statement.sql, .tenant = arena_copy_string(arena, reader->owner), .parameters = values,
                                .parameter_count = statement.parameter_count, .format = "Native",
                                .timeout_ms = settings->timeout_ms, .cancelled = settings->cancelled};
    if (arena_failed(arena)) return error_set(error, ERROR_MEMORY, "no memory for a list");
    code = store_session_query(session, &query, &native, error);
    if (!code && native.failed) code = error_set(error, ERROR_MEMORY, "no memory for a list");
    if (!code) code = query_list_answer(&plan, buffer_slice(&native), arena, out, error);
    buffer_free(&native);
    return code;
}
