/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and goals. */
#include "domains/analytics/ask/behaviour/paths.h"

#include "domains/analytics/ask/ask.h"
#include "domains/analytics/ask/openpanel/range.h"

/* Rows of events as what they are in a path. */
static enum error_code write_rows(struct query_context *context, struct query_text *text, const struct analytics_paths *paths,
                                  const struct query_range *range, struct error *error)
{
    static const char *const wanted[] = {[ANALYTICS_PATH_ALL] = ANALYTICS_IS_SENT, [ANALYTICS_PATH_PAGES] = ANALYTICS_IS_PAGE_VIEW,
                                         [ANALYTICS_PATH_EVENTS] = ANALYTICS_IS_SENT " AND NOT (" ANALYTICS_IS_PAGE_VIEW ")",
                                         [ANALYTICS_PATH_BY_NAME] = ANALYTICS_IS_SENT};
    enum error_code code = ERROR_NONE;
    struct slice key = analytics_chain_key(context, paths->by, error);
    if (!key.size) return error->code;
    query_text_printf(text, "SELECT %.*s AS query_key, toUnixTimestamp64Milli(created_at) AS query_at, ", SLICE_ARGS(key));
    query_text_add(text, paths->nodes == ANALYTICS_PATH_BY_NAME ? "toString(name)" : "if(" ANALYTICS_IS_PAGE_VIEW " AND path != '', toString(path), toString(name))");
    query_text_add(text, " AS query_label, ");
    if (paths->has_start) code = analytics_step_write(context, text, &paths->start, "start", error);
    else query_text_add(text, "0");
    query_text_add(text, " AS query_starts, ");
    if (!code && paths->has_end) code = analytics_step_write(context, text, &paths->end, "end", error);
    else query_text_add(text, "0");
    query_text_add(text, " AS query_ends\nFROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    query_text_range(text, "created_at", range);
    query_text_printf(text, " AND (%s", wanted[paths->nodes]);
    if (paths->include_count) {
        query_text_add(text, " AND name IN ");
        query_text_values(text, paths->include, paths->include_count);
    }
    if (paths->exclude_count) {
        query_text_add(text, " AND name NOT IN ");
        query_text_values(text, paths->exclude, paths->exclude_count);
    }
    query_text_add(text, " OR query_starts OR query_ends) AND query_key != 0 AND query_label != ''");
    return code ? code : analytics_filters_write_asked(context, text, ANALYTICS_EVENTS, error);
}

/* One row per path: query_path, in the order of time; backwards from the end in mode before. */
static enum error_code write_paths(struct query_context *context, struct query_text *text, const struct analytics_paths *paths,
                                   const struct query_range *range, struct error *error)
{
    static const char *const parts[] = {
        [ANALYTICS_PATH_AFTER] = "arraySlice(query_list, query_first)",
        [ANALYTICS_PATH_BEFORE] = "arrayReverse(arraySlice(query_list, 1, query_last))",
        [ANALYTICS_PATH_BETWEEN] = "arraySlice(query_list, query_first, query_last - query_first + 1)"};
    query_text_add(text, "SELECT ");
    if (paths->cuts_repeats)
        query_text_add(text, "arraySlice(query_names, 1, if(arrayExists(query_n -> query_n > 1, arrayEnumerateUniq(query_names) AS query_times), "
                          "toInt64(arrayFirstIndex(query_n -> query_n > 1, query_times)) - 1, toInt64(length(query_names)))) AS query_path");
    else query_text_add(text, "query_names AS query_path");
    query_text_printf(text, " FROM (\nSELECT arraySlice(arrayMap(query_x -> query_x.2, %s), 1, %zu) AS query_names FROM (\n", parts[paths->mode], paths->depth);
    query_text_add(text, "SELECT query_list, ");
    query_text_add(text, paths->has_start ? "arrayFirstIndex(query_x -> query_x.3 > 0, query_list)" : "1");
    query_text_add(text, " AS query_first, ");
    query_text_add(text, !paths->has_end ? "length(query_list)" : paths->mode == ANALYTICS_PATH_BETWEEN
                   ? "arrayFirstIndex((query_x, query_i) -> query_x.4 > 0 AND query_i > query_first, query_list, arrayEnumerate(query_list))"
                   : "arrayFirstIndex(query_x -> query_x.4 > 0, query_list)");
    query_text_add(text, " AS query_last FROM (\n"
                         /* The same node again says nothing, unless it starts or ends the path. */
                         "SELECT arrayFilter((query_x, query_b) -> query_x.2 != query_b.2 OR query_x.3 > query_b.3 OR query_x.4 > query_b.4, query_sorted, "
                         "arrayPopBack(arrayPushFront(query_sorted, (toInt64(0), '', toUInt8(0), toUInt8(0))))) AS query_list FROM (\n"
                         "SELECT arraySort(groupArray((query_at, query_label, toUInt8(query_starts), toUInt8(query_ends)))) AS query_sorted FROM (\n");
    enum error_code code = write_rows(context, text, paths, range, error);
    query_text_add(text, ")\nGROUP BY query_key))\nWHERE query_first > 0 AND query_last > 0");
    if (paths->mode == ANALYTICS_PATH_BETWEEN) query_text_printf(text, " AND query_last - query_first < %zu", paths->depth);
    query_text_add(text, "))");
    if (!paths->has_start && !paths->has_end) query_text_add(text, "\nWHERE length(query_path) > 1");
    return code;
}

/* In mode before, links come from the end backwards: put them into the order of time. Their own node is then their target. */
static void turn_links(struct analytics_path_link *links, size_t count, size_t depth)
{
    for (size_t i = 0; i < count; i++) {
        struct analytics_path_link *link = &links[i], old = *link;
        if (old.is_end) {
            link->step = depth - old.step + 1;
            continue;
        }
        link->step = depth - old.step;
        link->source = old.target;
        link->target = old.source;
        link->source_is_other = old.target_is_other;
        link->target_is_other = old.source_is_other;
        link->is_turned = true;
    }
}

enum error_code analytics_paths_ask(struct query_context *context, const struct analytics_paths *paths, const struct query_range *range,
                                    struct analytics_path_link **ret_links, size_t *ret_count, struct error *error)
{
    struct query_text text;
    struct query_rows rows;
    query_text_init(&text, context->arena);
    query_text_add(&text, "SELECT toUInt64(query_link.1) AS query_step, if(query_is_other, '', query_link.2) AS query_source, "
                          "(query_link.1, query_link.2) NOT IN (query_top) AS query_is_other, query_link.3 = '' AS query_is_end, "
                          "NOT query_is_end AND (query_link.1 + 1, query_link.3) NOT IN (query_top) AS query_to_other, if(query_to_other, '', query_link.3) AS query_target, count() AS query_count FROM (\n");
    size_t from = text.size;
    query_text_add(&text, "SELECT arrayJoin(arrayZip(arrayEnumerate(query_path), query_path, arrayPopFront(arrayPushBack(query_path, '')))) AS query_link FROM (\n");
    enum error_code code = write_paths(context, &text, paths, range, error);
    query_text_add(&text, ")");
    if (code) return code;
    struct slice links = query_text_cut(&text, from), begin = query_text_cut(&text, 0);
    /* The nodes that most are at, of each step. */
    query_text_add(&text, "WITH query_top AS (SELECT query_step, query_node FROM (SELECT query_link.1 AS query_step, query_link.2 AS query_node, count() AS query_n FROM (\n");
    query_text_slice(&text, links);
    query_text_printf(&text, ")\nGROUP BY query_step, query_node ORDER BY query_n DESC, query_node LIMIT %zu BY query_step))\n", paths->limit);
    query_text_slice(&text, begin);
    query_text_slice(&text, links);
    query_text_add(&text, ")\nGROUP BY query_step, query_source, query_is_other, query_is_end, query_to_other, query_target\n"
                          "ORDER BY query_step, query_count DESC, query_source, query_target");
    code = query_rows_ask(context, &text, 7, &rows, error);
    if (code) return code;
    struct analytics_path_link *answer = arena_allocate(context->arena, (rows.count + 1) * sizeof *answer);
    if (!answer) return error_set(error, ERROR_MEMORY, "no memory for an answer");
    for (size_t i = 0; i < rows.count; i++) {
        struct slice source = query_rows_text(&rows, i, 1), target = query_rows_text(&rows, i, 5);
        size_t step = (size_t)query_rows_integer(&rows, i, 0);
        bool to_other = query_rows_integer(&rows, i, 4) != 0, is_other = query_rows_integer(&rows, i, 2) != 0;
        answer[i] = (struct analytics_path_link){.step = step, .source = source, .target = target, .source_is_other = is_other, .target_is_other = to_other,
                                                 .is_first = step == 1, .is_end = query_rows_integer(&rows, i, 3) != 0, .count = (uint64_t)query_rows_integer(&rows, i, 6)};
    }
    if (paths->mode == ANALYTICS_PATH_BEFORE) turn_links(answer, rows.count, paths->depth);
    *ret_links = answer;
    *ret_count = rows.count;
    return ERROR_NONE;
}

struct node { size_t step; struct slice name; bool is_other; uint64_t count; };

static struct slice node_id(struct query_context *context, size_t step, struct slice name, bool is_other)
{
    return is_other ? arena_printf(context->arena, "%zu", step) : arena_printf(context->arena, "%zu:%.*s", step, SLICE_ARGS(name));
}

static void write_text(struct json_writer *writer, const char *key, struct slice value)
{
    json_writer_key(writer, key);
    json_writer_string(writer, value);
}

static void write_count(struct json_writer *writer, uint64_t count, uint64_t total)
{
    json_writer_key(writer, "count");
    json_writer_uint(writer, count);
    json_writer_key(writer, "percent");
    json_writer_double(writer, analytics_percent((double)count, (double)total));
}

void analytics_paths_write(struct query_context *context, struct json_writer *writer, const struct analytics_path_link *links, size_t count,
                           double least_percent)
{
    struct node *nodes = arena_allocate(context->arena, (count + 1) * sizeof *nodes);
    size_t node_count = 0, begin = 0;
    uint64_t total = 0;
    for (size_t i = 0; nodes && i < count; i++) {
        const struct analytics_path_link *link = &links[i];
        struct node node = {link->step + link->is_turned, link->is_turned ? link->target : link->source,
                            link->is_turned ? link->target_is_other : link->source_is_other, 0};
        if (link->is_first) total += link->count;
        if (begin < node_count && nodes[begin].step != node.step) begin = node_count; /* links come step by step */
        size_t at = begin;
        while (at < node_count && (nodes[at].is_other != node.is_other || !slice_equal(nodes[at].name, node.name))) at++;
        if (at == node_count) nodes[node_count++] = node;
        nodes[at].count += link->count;
    }
    json_writer_key(writer, "total");
    json_writer_uint(writer, total);
    json_writer_key(writer, "nodes");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < node_count; i++) {
        json_writer_object_begin(writer);
        write_text(writer, "id", node_id(context, nodes[i].step, nodes[i].name, nodes[i].is_other));
        json_writer_key(writer, "step");
        json_writer_uint(writer, nodes[i].step);
        json_writer_key(writer, "name");
        if (nodes[i].is_other) json_writer_null(writer);
        else json_writer_string(writer, nodes[i].name);
        write_count(writer, nodes[i].count, total);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
    json_writer_key(writer, "links");
    json_writer_array_begin(writer);
    for (size_t i = 0; i < count; i++) {
        if (links[i].is_end || analytics_percent((double)links[i].count, (double)total) < least_percent) continue;
        json_writer_object_begin(writer);
        write_text(writer, "source", node_id(context, links[i].step, links[i].source, links[i].source_is_other));
        write_text(writer, "target", node_id(context, links[i].step + 1, links[i].target, links[i].target_is_other));
        write_count(writer, links[i].count, total);
        json_writer_object_end(writer);
    }
    json_writer_array_end(writer);
}

static enum error_code parse_names(struct query_context *context, const char *name, struct slice names[ANALYTICS_PATH_NAMES], size_t *ret_count,
                                   struct error *error)
{
    struct slice given[ANALYTICS_PATH_NAMES + 1];
    size_t count = query_context_texts(context, name, given, ANALYTICS_PATH_NAMES + 1);
    if (count > ANALYTICS_PATH_NAMES)
        return error_set_field(error, ERROR_TOO_LARGE, name, "%s may name %d events: use filters for more", name, ANALYTICS_PATH_NAMES);
    for (size_t i = 0; i < count; i++) names[i] = given[i];
    *ret_count = count;
    return ERROR_NONE;
}

static enum error_code paths_parse(struct query_context *context, struct analytics_paths *paths, struct error *error)
{
    static const char *const modes[] = {"after", "before", "between", NULL};
    static const char *const nodes[] = {"all", "pages", "events", "names", NULL};
    struct json_value value;
    size_t mode = 0, node = 0;
    int64_t depth = 5, limit = 10;
    enum error_code code = query_context_word(context, "mode", modes, 0, &mode, error);
    if (!code) code = query_context_word(context, "nodes", nodes, 0, &node, error);
    if (!code) code = analytics_chain_by_parse(context, &paths->by, error);
    if (!query_context_text(context, "by").data) paths->by = ANALYTICS_BY_SESSION;
    if (!code) code = query_context_integer(context, "depth", 2, ANALYTICS_PATH_DEPTH, 5, &depth, error);
    if (!code) code = query_context_integer(context, "limit", 1, ANALYTICS_PATH_NODES, 10, &limit, error);
    if (!code) code = query_context_boolean(context, "cut_repeats", false, &paths->cuts_repeats, error);
    paths->has_start = query_context_member(context, "start", &value);
    if (!code && paths->has_start) code = analytics_step_parse(context, value, "start", &paths->start, error);
    paths->has_end = query_context_member(context, "end", &value);
    if (!code && paths->has_end) code = analytics_step_parse(context, value, "end", &paths->end, error);
    if (!code) code = parse_names(context, "include", paths->include, &paths->include_count, error);
    if (!code) code = parse_names(context, "exclude", paths->exclude, &paths->exclude_count, error);
    paths->mode = (enum analytics_path_mode)mode;
    paths->nodes = (enum analytics_path_nodes)node;
    paths->depth = (size_t)depth;
    paths->limit = (size_t)limit;
    if (code) return code;
    if (paths->mode != ANALYTICS_PATH_AFTER && !paths->has_end) return error_set_field(error, ERROR_INVALID, "end", "mode %s needs end, a step", modes[mode]);
    if (paths->mode == ANALYTICS_PATH_BETWEEN && !paths->has_start) return error_set_field(error, ERROR_INVALID, "start", "mode between needs start, a step");
    if (paths->mode == ANALYTICS_PATH_AFTER) paths->has_end = false;
    if (paths->mode == ANALYTICS_PATH_BEFORE) paths->has_start = false;
    return ERROR_NONE;
}

static enum error_code paths_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_paths *paths = arena_allocate(context->arena, sizeof *paths);
    struct analytics_path_link *links;
    struct query_span span;
    size_t count;
    if (!paths) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_span_read(context, false, false, &span, error);
    if (!code) code = paths_parse(context, paths, error);
    if (!code) code = analytics_paths_ask(context, paths, &span.range, &links, &count, error);
    if (code) return code;
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    analytics_paths_write(context, &writer, links, count, 0);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

#define GOAL_LIMIT 20
static enum error_code goals_answer(struct query_context *context, struct buffer *out, struct error *error)
{
    struct analytics_step *goals = arena_allocate(context->arena, (GOAL_LIMIT + 1) * sizeof *goals);
    struct json_value list, item;
    struct query_text text;
    struct query_rows rows;
    struct query_span span;
    struct slice key, person;
    size_t count = 0;
    if (!goals) return error_set(error, ERROR_MEMORY, "no memory for a question");
    enum error_code code = openpanel_span_read(context, false, false, &span, error);
    if (code) return code;
    if (!query_context_member(context, "goals", &list) || json_value_type(list) != JSON_ARRAY || !json_array_size(list) || json_array_size(list) > GOAL_LIMIT)
        return error_set_field(error, ERROR_INVALID, "goals", "goals must be a list of 1 to %d steps", GOAL_LIMIT);
    for (struct json_iterator it = json_iterate(list); !code && json_next(&it, &key, &item);)
        code = analytics_step_parse(context, item, "goals", &goals[count++], error);
    goals[count] = (struct analytics_step){.names = {SLICE("screen_view"), SLICE("page_view"), SLICE("pageview")}, .name_count = 3};
    person = analytics_person_hash(context, error);
    if (code || !person.size) return error->code;
    query_text_init(&text, context->arena);
    query_text_printf(&text, "SELECT uniqExactIf(%.*s AS query_person, query_person != 0 AND " ANALYTICS_IS_PAGE_VIEW ")", SLICE_ARGS(person));
    for (size_t i = 0; !code && i < count; i++) {
        query_text_add(&text, ", uniqExactIf(query_person, query_person != 0 AND (");
        code = analytics_step_write(context, &text, &goals[i], "goals", error);
        query_text_printf(&text, " AS query_is_%zu)), countIf(query_is_%zu)", i + 1, i + 1);
    }
    query_text_add(&text, "\nFROM analytics.events WHERE tenant_id = {tenant:String} AND ");
    query_text_range(&text, "created_at", &span.range);
    query_text_add(&text, " AND ");
    analytics_steps_write_names(&text, goals, count + 1);
    if (!code) code = analytics_filters_write_asked(context, &text, ANALYTICS_EVENTS, error);
    if (!code) code = query_rows_ask(context, &text, 1 + 2 * count, &rows, error);
    if (code) return code;
    if (rows.count != 1) return error_set(error, ERROR_CORRUPT, "the event store answered %zu rows where one was asked for", rows.count);
    struct json_writer writer = {.out = out};
    double visitors = query_rows_number(&rows, 0, 0);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "visitors");
    json_writer_double(&writer, visitors);
    json_writer_key(&writer, "goals");
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        json_writer_object_begin(&writer);
        write_text(&writer, "name", goals[i].label);
        json_writer_key(&writer, "completions");
        json_writer_int(&writer, query_rows_integer(&rows, 0, 1 + 2 * i));
        json_writer_key(&writer, "events");
        json_writer_int(&writer, query_rows_integer(&rows, 0, 2 + 2 * i));
        json_writer_key(&writer, "rate");
        json_writer_double(&writer, analytics_percent(query_rows_number(&rows, 0, 1 + 2 * i), visitors));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    json_writer_object_end(&writer);
    return ERROR_NONE;
}

static const struct domain_word paths_words[] = {ANALYTICS_WORDS_WHEN,
    {"mode", "after (default), before or between."}, {"start", "Step from which paths are followed."}, {"end", "Step up to which they are."},
    {"nodes", "all (default), pages, events or names."}, {"by", "Whose path it is: session (default), person or device."},
    {"depth", "Nodes of a path: 2 to 20, 5 when absent."}, {"limit", "Nodes of each step: 1 to 50, 10 when absent; the others together."},
    {"cut_repeats", "true: a path ends before a node that it has had."}, {"include", "Names of events that alone count."},
    {"exclude", "Names of events that do not."}, {"filters", "Filters on all events, see docs/api.md."}, {NULL, NULL}};
static const struct domain_word goals_words[] = {ANALYTICS_WORDS_WHEN, {"goals", "1 to 20 steps."},
    {"filters", "Filters on all events, see docs/api.md."}, {NULL, NULL}};
const struct domain_question analytics_paths_questions[] = {
    {METHOD_POST, "/v1/query/paths", TENANT_EVENTS_READ, paths_answer, paths_words,
     .summary = "What people do one after the other, as nodes and links"},
    {METHOD_POST, "/v1/query/goals", TENANT_EVENTS_READ, goals_answer, goals_words,
     .summary = "Who reached goals, and the share of the visitors that is"},
    {0},
};
