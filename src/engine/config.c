/* SPDX-License-Identifier: Apache-2.0 */
/* Writes config.xml (memory, threads, durability) and users.xml (default profile, row policies). */
#include "engine/config.h"

#include <ctype.h>
#include <inttypes.h>

#include "os/file.h"

/* <name>value</name> lines that never depend on a setting. */
struct fixed {
    const char *name;
    const char *value;
};

/* The engine's own defaults are for a big server: caches of 5 GB each. */
static const struct fixed server_defaults[] = {
    {"mark_cache_size", "33554432"},
    {"primary_index_cache_size", "33554432"},
    {"index_mark_cache_size", "8388608"},
    {"query_condition_cache_size", "8388608"},
    {"compiled_expression_cache_size", "16777216"},
    {"uncompressed_cache_size", "0"},
    {"background_pool_size", "1"},
    {"background_merges_mutations_concurrency_ratio", "1"},
    {"background_schedule_pool_size", "2"},
    {"background_common_pool_size", "1"},
    /* Threads start on demand; a merge that waits for one while those who have one wait for its lock hangs for ever, so
     * the number must be out of reach. */
    {"max_thread_pool_size", "10000"},
    {"max_thread_pool_free_size", "8"},
    /* The memory limit looks at this process, not at whatever shares its control group; and where there is none, the
     * engine would print a stack trace at each start. */
    {"memory_worker_use_cgroup", "0"},
    {"cgroups_memory_usage_observer_wait_time", "0"},
    {"memory_worker_period_ms", "250"}, /* how often it looks; 50 would be 20 wake-ups a second for ever */
    {"background_processing_pool_task_sleep_seconds_when_no_work_random_part", "0.1"}, /* how long a mutation waits to be looked at: up to a second, an erasure is ten of them */
};

/* Acknowledged inserts survive a power cut only with the fsync settings, on every table, targets of views too; the
 * engine opens after a power cut only with those of suspicious parts. */
static const struct fixed table_defaults[] = {
    {"fsync_after_insert", "1"},
    {"fsync_part_directory", "1"},
    {"min_rows_to_fsync_after_merge", "1"},
    {"min_compressed_bytes_to_fsync_after_merge", "1"},
    {"max_suspicious_broken_parts", "1000000"},
    {"max_suspicious_broken_parts_bytes", "100000000000"},
    {"non_replicated_deduplication_window", "10000"},
    /* Below this a part is one file for all columns: of a table of 70 columns that takes a quarter less processor time
     * for inserts, 40 % less for merges, and 22 instead of 292 files to sync. Figures in docs/engine.md. */
    {"min_bytes_for_wide_part", "268435456"},
    /* Not kept: a sketch of the distinct values of every column in every part, 0.6 bytes per event. No query plan of ours
     * changes by it. */
    {"auto_statistics_types", ""},
};

static const struct fixed profile_defaults[] = {
    {"use_top_k_dynamic_filtering", "0"},          /* breaks ORDER BY .. LIMIT while rows are inserted */
    {"async_insert", "0"},                         /* does nothing here but can be asked for by clients */
    {"implicit_select", "0"},                      /* "1 + 1" is not a query */
    {"allow_introspection_functions", "0"},
    {"joined_subquery_requires_alias", "0"},       /* published queries join without */
    {"max_partitions_per_insert_block", "0"},      /* a segment may touch any number of partitions */
    {"max_execution_time", "30"},
    /* What each thread may take before a limit sees it. The default of 4 MB, times many threads, times a few
     * statements, would be as much again as the limit. INSERTs have more: engine_call_append_set. */
    {"max_untracked_memory", "1048576"},
    {"schema_inference_use_cache_for_file", "0"},  /* the same /proc/self/fd/N is another file each time */
    {"use_cache_for_count_from_files", "0"},       /* likewise */
};

static void write_fixed(struct buffer *out, const struct fixed *list, size_t count, const char *indent)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s<%s>%s</%s>\n", indent, list[i].name, list[i].value, list[i].name);
}

static void write_number(struct buffer *out, const char *indent, const char *name, uint64_t value)
{
    buffer_printf(out, "%s<%s>%" PRIu64 "</%s>\n", indent, name, value, name);
}

static void write_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': buffer_append_string(out, "&amp;"); break;
        case '<': buffer_append_string(out, "&lt;"); break;
        case '>': buffer_append_string(out, "&gt;"); break;
        default: buffer_append_byte(out, *text);
        }
    }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void engine_config_write_main(const struct engine_settings *settings, const char *users_path, struct buffer *out)
{
    buffer_append_string(out, "<clickhouse>\n    <users_config>");
    write_escaped(out, users_path);
    buffer_append_string(out, "</users_config>\n");
    write_number(out, "    ", "max_server_memory_usage", settings->memory_limit_bytes);
    write_fixed(out, server_defaults, COUNT(server_defaults), "    ");
    buffer_append_string(out, "    <merge_tree>\n");
    write_fixed(out, table_defaults, COUNT(table_defaults), "        ");
    buffer_append_string(out, "    </merge_tree>\n</clickhouse>\n");
}

/* Names become XML elements and unquoted SQL. */
static bool is_plain_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_') return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_') return false;
    return true;
}

static bool same_name(const char *a, const char *b)
{
    return slice_equal(slice_from_string(a), slice_from_string(b));
}

/* One element per database: a second one of the same name would be read as another database. */
static enum error_code write_policies(const struct engine_settings *settings, struct buffer *out, struct error *error)
{
    const struct engine_policy *policies = settings->policies;
    for (size_t i = 0; i < settings->policy_count; i++) {
        const struct engine_policy *policy = &policies[i];
        if (!is_plain_name(policy->database) || !is_plain_name(policy->table) ||
            (policy->tenant_column && !is_plain_name(policy->tenant_column)))
            return error_set(error, ERROR_INVALID, "row policy for %s.%s by %s: only letters, digits and underscores",
                             policy->database, policy->table, policy->tenant_column);
        for (size_t j = 0; j < i; j++)
            if (same_name(policies[j].database, policy->database) && same_name(policies[j].table, policy->table))
                return error_set(error, ERROR_INVALID, "two row policies for %s.%s", policy->database, policy->table);
    }
    for (size_t i = 0; i < settings->policy_count; i++) {
        bool written = false;
        for (size_t j = 0; j < i && !written; j++) written = same_name(policies[j].database, policies[i].database);
        if (written) continue;
        buffer_printf(out, "<%s>\n", policies[i].database);
        for (size_t j = i; j < settings->policy_count; j++) {
            if (!same_name(policies[j].database, policies[i].database)) continue;
            const char *column = policies[j].tenant_column;
            buffer_printf(out, "    <%s><filter>splitByChar(' ', getSetting('log_comment'))[1] = '*'", policies[j].table);
            if (column) buffer_printf(out, " OR %s = splitByChar(' ', getSetting('log_comment'))[1]", column);
            buffer_printf(out, "</filter></%s>\n", policies[j].table);
        }
        buffer_printf(out, "</%s>\n", policies[i].database);
    }
    return 0;
}

enum error_code engine_config_write_users(const struct engine_settings *settings, struct buffer *out,
                                          struct error *error)
{
    buffer_append_string(out, "<clickhouse>\n<profiles><default>\n");
    write_fixed(out, profile_defaults, COUNT(profile_defaults), "    ");
    write_number(out, "    ", "max_threads", (uint64_t)settings->threads);
    /* A third, so that two heavy queries leave room for inserts and merges. */
    write_number(out, "    ", "max_memory_usage", settings->memory_limit_bytes / 3);
    buffer_append_string(out, "</default></profiles>\n<quotas><default/></quotas>\n<users><default>\n"
                              "<password></password><networks><ip>::/0</ip></networks>"
                              "<profile>default</profile><quota>default</quota>\n<databases>\n");
    enum error_code code = write_policies(settings, out, error);
    if (code) return code;
    buffer_append_string(out, "</databases>\n</default></users>\n</clickhouse>\n");
    return out->failed ? error_set(error, ERROR_MEMORY, "out of memory") : 0;
}

enum error_code engine_config_write(const struct engine_settings *settings, const char *directory,
                                    struct buffer *ret_path, struct error *error)
{
    struct buffer users_path = {0}, text = {0};
    buffer_printf(&users_path, "%s/users.xml", directory);
    buffer_append_byte(&users_path, 0);
    buffer_printf(ret_path, "%s/config.xml", directory);
    buffer_append_byte(ret_path, 0);
    enum error_code code = 0;
    if (users_path.failed || ret_path->failed) code = error_set(error, ERROR_MEMORY, "out of memory");
    if (!code) code = engine_config_write_users(settings, &text, error);
    if (!code) code = os_file_replace(users_path.data, buffer_slice(&text), error);
    buffer_clear(&text);
    if (!code) {
        engine_config_write_main(settings, users_path.data, &text);
        code = text.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                           : os_file_replace(ret_path->data, buffer_slice(&text), error);
    }
    buffer_free(&users_path);
    buffer_free(&text);
    return code;
}
