/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the SQL of a plan: text from the catalog, the asker's words only as parameters, the tenant in every read. */
#include "query/query.h"

#include "query/parameter.h"

/* What one filter becomes, between "  AND " and the end of the line. %e is the dimension's expression, %p its
 * parameter. */
static const char *const operator_conditions[QUERY_OPERATOR_COUNT] = {
    [QUERY_IS] = "%e IN %p",
    [QUERY_IS_NOT] = "%e NOT IN %p",
    [QUERY_CONTAINS] = "multiSearchAnyCaseInsensitiveUTF8(%e, %p)",
    [QUERY_NOT_CONTAINS] = "NOT multiSearchAnyCaseInsensitiveUTF8(%e, %p)",
    [QUERY_STARTS_WITH] = "arrayExists(query_prefix -> startsWith(%e, query_prefix), %p)",
};

struct range_names { const char *from; const char *to; };
static const struct range_names current_range = {"from_ms", "to_ms"};
static const struct range_names previous_range = {"previous_from_ms", "previous_to_ms"};

static void append_condition(struct buffer *sql, const struct query_filter *filter, size_t index)
{
    for (const char *at = operator_conditions[filter->operator]; *at; at++) {
        if (*at != '%') {
            buffer_append_byte(sql, *at);
        } else if (*++at == 'e') {
            buffer_append_string(sql, filter->dimension->expression);
        } else {
            buffer_printf(sql, "{filter_%zu:Array(String)}", index + 1);
        }
    }
}

/* FROM and WHERE: the only place that names the table, so that no read of it can be without the tenant. */
static void append_source(struct buffer *sql, const struct query_plan *plan, const struct range_names *range)
{
    const struct query_catalog *catalog = plan->catalog;
    buffer_printf(sql, "FROM %s.%s\nWHERE %s = {tenant:String}\n", catalog->database, catalog->table,
                  catalog->tenant_column);
    buffer_printf(sql, "  AND %s >= fromUnixTimestamp64Milli({%s:Int64}, 'UTC')\n", catalog->time_column, range->from);
    buffer_printf(sql, "  AND %s < fromUnixTimestamp64Milli({%s:Int64}, 'UTC')\n", catalog->time_column, range->to);
    if (plan->dimension && plan->dimension->condition) buffer_printf(sql, "  AND (%s)\n", plan->dimension->condition);
    for (size_t i = 0; i < plan->filter_count; i++) {
        buffer_append_string(sql, "  AND ");
        append_condition(sql, &plan->filters[i], i);
        buffer_append_byte(sql, '\n');
    }
}

static void append_measures(struct buffer *sql, const struct query_plan *plan)
{
    for (size_t i = 0; i < plan->measure_count; i++) {
        buffer_printf(sql, ",\n    %s AS query_measure_%zu", plan->measures[i]->expression, i + 1);
    }
    buffer_append_byte(sql, '\n');
}

/* Rows sorted into buckets, and one more row over all of them: uniques of buckets cannot be added up. ROLLUP makes it of the buckets'
 * states; GROUPING SETS would read every row twice. Of no rows it makes nothing. */
static void append_timeseries(struct buffer *sql, const struct query_plan *plan, const struct query_range *range)
{
    buffer_append_string(sql, "SELECT\n    grouping(query_bucket) AS query_is_total,\n");
    /* The starts are numbers we computed, and thousands of them: in the text, because parameters travel in the address. */
    buffer_printf(sql, "    roundDown(toUnixTimestamp64Milli(%s), [", plan->catalog->time_column);
    for (size_t i = 0; i < range->bucket_count; i++)
        buffer_printf(sql, "%s%lld", i ? "," : "", (long long)range->buckets_ms[i]);
    buffer_append_string(sql, "]) AS query_bucket");
    append_measures(sql, plan);
    append_source(sql, plan, &current_range);
    buffer_append_string(sql, "GROUP BY query_bucket WITH ROLLUP\nORDER BY query_is_total, query_bucket\n");
}

static void append_top_groups(struct buffer *sql, const struct query_plan *plan, const struct range_names *range)
{
    buffer_printf(sql, "SELECT\n    toString(%s) AS query_value", plan->dimension->expression);
    append_measures(sql, plan);
    append_source(sql, plan, range);
    buffer_append_string(sql, "GROUP BY query_value\n");
}

static void append_top(struct buffer *sql, const struct query_plan *plan, const struct query_range *range)
{
    static const char *const order = "ORDER BY query_measure_1 DESC, query_value ASC\nLIMIT {limit:UInt32}\n";
    if (!plan->compare_previous) {
        append_top_groups(sql, plan, &current_range);
        buffer_append_string(sql, order);
        return;
    }
    buffer_append_string(sql, "SELECT\n    query_now.query_value AS query_value");
    for (size_t i = 1; i <= plan->measure_count; i++) {
        buffer_printf(sql, ",\n    query_now.query_measure_%zu AS query_measure_%zu", i, i);
    }
    buffer_append_string(sql, ",\n    query_before.query_present AS query_present");
    for (size_t i = 1; i <= plan->measure_count; i++) {
        buffer_printf(sql, ",\n    query_before.query_measure_%zu AS query_previous_%zu", i, i);
    }
    buffer_append_string(sql, "\nFROM (\n");
    append_top_groups(sql, plan, &current_range);
    buffer_append_string(sql, order);
    buffer_append_string(sql, ") AS query_now\nLEFT JOIN (\nSELECT toUInt8(1) AS query_present, * FROM (\n");
    append_top_groups(sql, plan, &previous_range);
    buffer_append_string(sql, ")\n) AS query_before ON query_now.query_value = query_before.query_value\n"
                              "ORDER BY query_measure_1 DESC, query_value ASC\n");
}

static void append_totals(struct buffer *sql, const struct query_plan *plan, const struct query_range *range)
{
    buffer_append_string(sql, "SELECT\n    toUInt8(1) AS query_is_total");
    append_measures(sql, plan);
    append_source(sql, plan, &current_range);
}

static void add_parameter(struct query_statement *statement, const char *name, struct slice value)
{
    ASSERT(statement->parameter_count < QUERY_PARAMETER_LIMIT);
    statement->parameters[statement->parameter_count++] = (struct query_parameter){slice_from_string(name), value};
}

static void add_instant(struct query_statement *statement, const char *name, int64_t value, struct arena *arena)
{
    add_parameter(statement, name, arena_printf(arena, "%lld", (long long)value));
}

static void add_common_parameters(struct query_statement *statement, const struct query_plan *plan, struct slice tenant,
                                  const struct query_range *range, struct arena *arena)
{
    add_parameter(statement, "tenant", arena_copy(arena, tenant));
    add_instant(statement, "from_ms", range->from_ms, arena);
    add_instant(statement, "to_ms", range->to_ms, arena);
    for (size_t i = 0; i < plan->filter_count; i++) {
        const struct query_filter *filter = &plan->filters[i];
        add_parameter(statement, arena_printf(arena, "filter_%zu", i + 1).data,
                      query_parameter_strings(filter->values, filter->value_count, arena));
    }
}

enum statement_part { PART_SERIES, PART_LIST, PART_TOTALS };

static bool make_one(enum statement_part part, const struct query_plan *plan, struct slice tenant,
                     const struct query_range *range, struct arena *arena, struct query_statement *statement)
{
    static void (*const append[])(struct buffer *, const struct query_plan *, const struct query_range *) = {
        [PART_SERIES] = append_timeseries, [PART_LIST] = append_top, [PART_TOTALS] = append_totals};
    *statement = (struct query_statement){0};
    struct buffer sql = {0};
    append[part](&sql, plan, range);
    if (!sql.failed) statement->sql = arena_copy(arena, buffer_slice(&sql));
    bool complete = !sql.failed && !arena_failed(arena);
    buffer_free(&sql);
    if (!complete) return false;
    add_common_parameters(statement, plan, tenant, range, arena);
    if (part == PART_LIST) add_instant(statement, "limit", plan->limit, arena);
    if (part == PART_LIST && plan->compare_previous) {
        add_instant(statement, "previous_from_ms", plan->previous.from_ms, arena);
        add_instant(statement, "previous_to_ms", plan->previous.to_ms, arena);
    }
    for (size_t i = 0; i < statement->parameter_count; i++) {
        if (statement->parameters[i].value.size == 0) return false; /* a list that found no memory: never valid */
    }
    return !arena_failed(arena);
}

enum error_code query_statement_make(enum query_question question, const struct query_plan *plan, struct slice tenant,
                                     struct arena *arena, struct query_statement ret_statements[QUERY_STATEMENT_LIMIT],
                                     size_t *ret_count, struct error *error)
{
    if (tenant.size == 0) return error_set(error, ERROR_FORBIDDEN, "a question without a tenant is never asked");
    bool made;
    size_t count = 0;
    if (question == QUERY_TIMESERIES) {
        made = make_one(PART_SERIES, plan, tenant, &plan->range, arena, &ret_statements[count++]);
        if (made && plan->compare_previous) {
            made = make_one(PART_SERIES, plan, tenant, &plan->previous, arena, &ret_statements[count++]);
        }
    } else {
        made = make_one(PART_LIST, plan, tenant, &plan->range, arena, &ret_statements[count++]) &&
               make_one(PART_TOTALS, plan, tenant, &plan->range, arena, &ret_statements[count++]);
        if (made && plan->compare_previous) {
            made = make_one(PART_TOTALS, plan, tenant, &plan->previous, arena, &ret_statements[count++]);
        }
    }
    if (!made) return error_set(error, ERROR_MEMORY, "no memory for the statements of a question");
    *ret_count = count;
    return ERROR_NONE;
}
