/* SPDX-License-Identifier: Apache-2.0 */
/* All families of Databuddy's types, and finding one by its name. */
#include "domains/analytics/ask/databuddy/families.h"
#include "query/words.h"

const struct databuddy_family *const databuddy_families[] = {
    &databuddy_summary, &databuddy_pages, &databuddy_traffic, &databuddy_devices, &databuddy_geo, &databuddy_errors,
        &databuddy_vitals,
    &databuddy_sessions, &databuddy_custom_events, &databuddy_profiles, &databuddy_engagement, &databuddy_links,
        &databuddy_revenue,
    &databuddy_realtime, &databuddy_ai, &databuddy_llm, NULL};

const struct databuddy_type *databuddy_type_find(struct slice name)
{
    for (size_t i = 0; databuddy_families[i]; i++)
        for (size_t j = 0; j < databuddy_families[i]->count; j++)
            if (slice_equal(name, slice_from_string(databuddy_families[i]->types[j].name))) return
                &databuddy_families[i]->types[j];
    return NULL;
}

/* All types as one list. */
static const char *name_at(const void *unused, size_t index)
{
    for (size_t i = 0; databuddy_families[i]; i++) {
        if (index < databuddy_families[i]->count) return databuddy_families[i]->types[index].name;
        index -= databuddy_families[i]->count;
    }
    return "";
}

enum error_code databuddy_type_unknown(struct slice name, struct error *error)
{
    static const struct { const char *prefix, *reason; } absent[] = {
        {"uptime_", "uptime monitors are not available yet"}, {"mcp_", "calls of MCP servers are not stored"}};
    size_t count = 0;
    for (size_t i = 0; databuddy_families[i]; i++) count += databuddy_families[i]->count;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (slice_starts_with(name, slice_from_string(absent[i].prefix)))
            return error_set_field(error, ERROR_INVALID, "parameters", "%s: %s", query_words_show(name).text,
                absent[i].reason);
    return error_set_field(error, ERROR_INVALID, "parameters", "Unknown query type: %s.%s GET /v1/query/types lists "
        "all",
                           query_words_show(name).text, query_words_suggest(name_at, NULL, count, name).text);
}
