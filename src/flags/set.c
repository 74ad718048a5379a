/* SPDX-License-Identifier: Apache-2.0 */
/* All flags of a tenant: adding them, connecting them, finding them. */
#include "flags/flag_private.h"

#include <stdio.h>
#include <stdlib.h>

static enum error_code set_no_memory(struct error *error) { return error_set(error, ERROR_MEMORY, "out of memory for flags"); }

struct flag_set *flag_set_create(const char *tenant_id)
{
    struct flag_set *set = calloc(1, sizeof *set);
    if (!set) return NULL;
    /* No limit of its own: rows have limits, and their number has (control/product_flags.c). */
    set->arena = arena_create(0);
    if (!set->arena) {
        free(set);
        return NULL;
    }
    snprintf(set->tenant_id, sizeof set->tenant_id, "%s", tenant_id);
    atomic_init(&set->references, 1);
    return set;
}

void flag_set_hold(const struct flag_set *set)
{
    /* The count is the one part of a set that changes. */
    atomic_fetch_add_explicit(&((struct flag_set *)set)->references, 1, memory_order_relaxed);
}

void flag_set_release(const struct flag_set *set)
{
    struct flag_set *mine = (struct flag_set *)set;
    if (!mine || atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel) != 1) return;
    map_free(&mine->by_name);
    map_free(&mine->groups);
    arena_destroy(mine->arena);
    free(mine->flags);
    free(mine);
}

#define SET_NAME_LIMIT (64 + 1 + FLAG_KEY_LIMIT)

/* The name of a flag in the map; empty when it is longer than any flag's. */
static struct slice set_name(struct slice environment, struct slice key, char out[SET_NAME_LIMIT])
{
    if (environment.size > 64 || key.size > FLAG_KEY_LIMIT) return SLICE_EMPTY;
    if (environment.size) memcpy(out, environment.data, environment.size);
    out[environment.size] = 0;
    if (key.size) memcpy(out + environment.size + 1, key.data, key.size);
    return slice_make(out, environment.size + 1 + key.size);
}

const struct flag *flag_set_find(const struct flag_set *set, struct slice environment, struct slice key)
{
    char text[SET_NAME_LIMIT];
    struct slice name = set_name(environment, key, text);
    return name.size ? map_get(&set->by_name, name) : NULL;
}

enum error_code flag_set_add_group(struct flag_set *set, struct json_parser *parser, struct slice id, struct slice rules_json,
                                   struct error *error)
{
    struct flag_rules *rules = arena_allocate(set->arena, sizeof *rules);
    if (!rules) return set_no_memory(error);
    enum error_code code = flag_rules_compile(set->arena, parser, rules_json, rules, error);
    if (code) return code;
    return map_put(&set->groups, id, rules) && !arena_failed(set->arena) ? ERROR_NONE : set_no_memory(error);
}

static int set_word(struct slice text, const char *const *words)
{
    if (!text.size) return 0;
    for (int i = 0; words[i]; i++)
        if (slice_equal(text, slice_from_string(words[i]))) return i;
    return -1;
}

/* Lines into slices of the arena. */
static struct slice *set_lines(struct arena *arena, struct slice lines, size_t *ret_count)
{
    size_t count = 1;
    struct slice rest = arena_copy(arena, lines);
    for (size_t i = 0; i < rest.size; i++) count += rest.data[i] == '\n';
    struct slice *items = arena_allocate(arena, count * sizeof *items);
    *ret_count = 0;
    while (items && rest.size) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.size) items[(*ret_count)++] = line;
    }
    return items;
}

static enum error_code set_compile_words(struct flag *flag, const struct flag_source *source, struct error *error)
{
    static const char *const types[] = {"boolean", "rollout", "multivariant", NULL};
    static const char *const hashes[] = {"stable", "legacy", NULL};
    static const char *const shares[] = {"user", "organization", "team", NULL};
    const struct { const char *field; int found; } words[] = {
        {"type", set_word(source->type, types)}, {"hash", set_word(source->hash, hashes)}, {"rollout_by", set_word(source->rollout_by, shares)}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].found < 0) return error_set_field(error, ERROR_INVALID, words[i].field, "%s is none of its words", words[i].field);
    flag->type = (enum flag_type)words[0].found;
    flag->hash = (enum flag_hash)words[1].found;
    flag->share_of = (enum flag_share_of)words[2].found;
    return ERROR_NONE;
}

static enum error_code set_compile_default(struct flag_set *set, struct json_parser *parser, struct flag *flag, struct slice json,
                                           struct error *error)
{
    struct json_value value;
    flag->default_value = SLICE("false");
    if (!json.size) return ERROR_NONE;
    enum error_code code = flag_json_parse(set->arena, parser, "default_value", json, &value, error);
    if (code) return code;
    if (json_value_type(value) == JSON_BOOL) flag->default_enabled = json_value_bool(value);
    else if (flag->type == FLAG_BOOLEAN)
        return error_set_field(error, ERROR_INVALID, "default_value", "default_value of a flag of type boolean must be true or false");
    flag->default_value = arena_copy(set->arena, json);
    return ERROR_NONE;
}

static bool set_key_is_good(struct slice key)
{
    for (size_t i = 0; i < key.size; i++) {
        char c = key.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
    }
    return key.size >= 1 && key.size <= FLAG_KEY_LIMIT;
}

static struct flag *set_new_flag(struct flag_set *set, const struct flag_source *source)
{
    struct flag *flag = arena_allocate(set->arena, sizeof *flag);
    if (!flag) return NULL;
    struct slice tenant = slice_from_string(set->tenant_id);
    flag->key = arena_copy(set->arena, source->key);
    flag->environment = arena_copy(set->arena, source->environment);
    flag->default_value = SLICE("false");
    flag->payload = source->payload_json.size ? arena_copy(set->arena, source->payload_json) : SLICE("null");
    flag->is_active = !source->status.size || slice_equal(source->status, SLICE("active"));
    flag->persist_across_auth = source->persist_across_auth;
    flag->rollout_percentage = source->rollout_percentage;
    flag->rollout_seed = flag_hash_seed("rollout", tenant, source->key);
    flag->variant_seed = flag_hash_seed("variant", tenant, source->key);
    flag->percentage_seed = flag_hash_seed("percentage", tenant, source->key);
    flag->dependency_keys = set_lines(set->arena, source->dependencies, &flag->dependency_count);
    flag->group_ids = set_lines(set->arena, source->target_group_ids, &flag->group_id_count);
    return arena_failed(set->arena) ? NULL : flag;
}

static enum error_code set_put(struct flag_set *set, struct flag *flag, struct error *error)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 16;
        struct flag **flags = realloc(set->flags, capacity * sizeof(struct flag *));
        if (!flags) return set_no_memory(error);
        set->flags = flags;
        set->capacity = capacity;
    }
    char text[SET_NAME_LIMIT];
    struct slice name = set_name(flag->environment, flag->key, text);
    if (!name.size) return error_set_field(error, ERROR_INVALID, "environment", "the name of the flag or of its environment is too long");
    if (arena_failed(set->arena) || !map_put(&set->by_name, name, flag)) return set_no_memory(error);
    flag->index = set->count;
    set->flags[set->count++] = flag;
    return ERROR_NONE;
}

enum error_code flag_set_add(struct flag_set *set, struct json_parser *parser, const struct flag_source *source, struct error *error)
{
    if (!set_key_is_good(source->key))
        return error_set_field(error, ERROR_INVALID, "flag_key", "flag_key must have 1 to %d characters of A-Z, a-z, 0-9, _ and -", FLAG_KEY_LIMIT);
    struct flag *flag = set_new_flag(set, source);
    if (!flag) return set_no_memory(error);
    enum error_code code = set_compile_words(flag, source, error);
    if (!code) code = set_compile_default(set, parser, flag, source->default_json, error);
    if (!code) code = flag_rules_compile(set->arena, parser, source->rules_json, &flag->rules, error);
    if (!code) code = flag_variants_compile(set->arena, parser, source->variants_json, flag, error);
    if (!code) code = flag_schedule_compile(set->arena, parser, source->schedule_json, flag, error);
    return code ? code : set_put(set, flag, error);
}

enum error_code flag_set_add_broken(struct flag_set *set, const struct flag_source *source, struct error *error)
{
    struct flag *flag = set_new_flag(set, source);
    if (!flag) return set_no_memory(error);
    flag->is_broken = true;
    return set_put(set, flag, error);
}

enum error_code flag_set_link(struct flag_set *set, struct error *error)
{
    for (size_t i = 0; i < set->count; i++) {
        struct flag *flag = set->flags[i];
        flag->dependencies = arena_allocate(set->arena, (flag->dependency_count + 1) * sizeof(struct flag *));
        flag->groups = arena_allocate(set->arena, (flag->group_id_count + 1) * sizeof(struct flag_rules *));
        if (!flag->dependencies || !flag->groups) return set_no_memory(error);
        for (size_t j = 0; j < flag->dependency_count; j++)
            flag->dependencies[j] = flag_set_find(set, flag->environment, flag->dependency_keys[j]);
        for (size_t j = 0; j < flag->group_id_count; j++) {
            const struct flag_rules *group = map_get(&set->groups, flag->group_ids[j]);
            if (group) flag->groups[flag->group_count++] = group;
        }
    }
    return ERROR_NONE;
}

/* How deep the longest chain below a flag goes; FLAG_DEPENDENCY_DEPTH + 1 for a circle or a longer one. `depths` keeps what
 * is known: 0 not asked, else depth + 1; `begun` marks the way down. */
static size_t set_depth(const struct flag_set *set, const struct flag *flag, unsigned char *depths, bool *ret_circle)
{
    enum { BEGUN = 255 };
    unsigned char *known = &depths[flag->index];
    if (*known == BEGUN) *ret_circle = true;
    if (*known == BEGUN) return FLAG_DEPENDENCY_DEPTH + 1;
    if (*known) return *known - 1u;
    *known = BEGUN;
    size_t deepest = 0;
    for (size_t i = 0; i < flag->dependency_count; i++) {
        if (!flag->dependencies[i]) continue;
        size_t depth = 1 + set_depth(set, flag->dependencies[i], depths, ret_circle);
        if (depth > deepest) deepest = depth;
    }
    if (deepest > FLAG_DEPENDENCY_DEPTH) deepest = FLAG_DEPENDENCY_DEPTH + 1;
    *known = (unsigned char)(deepest + 1);
    return deepest;
}

enum error_code flag_set_check(const struct flag_set *set, const struct flag *flag, struct error *error)
{
    for (size_t i = 0; i < flag->dependency_count; i++) {
        const char *what = !flag->dependencies[i] ? "is no flag of this environment" : flag->dependencies[i] == flag ? "is the flag itself" : NULL;
        if (what)
            return error_set_field(error, ERROR_INVALID, "dependencies", "dependencies: %.*s %s", SLICE_ARGS(flag->dependency_keys[i]), what);
    }
    if (flag->group_count < flag->group_id_count)
        return error_set_field(error, ERROR_INVALID, "target_group_ids", "target_group_ids must be ids of target groups of this tenant");
    unsigned char *depths = calloc(set->count + 1, 1);
    if (!depths) return set_no_memory(error);
    bool is_circle = false;
    size_t deepest = 0;
    /* A chain gets longer at its top too: of all flags. */
    for (size_t i = 0; i < set->count; i++) {
        size_t depth = set_depth(set, set->flags[i], depths, &is_circle);
        if (depth > deepest) deepest = depth;
    }
    free(depths);
    if (is_circle)
        return error_set_field(error, ERROR_INVALID, "dependencies", "dependencies must not lead back to the flag itself: nobody could be first");
    if (deepest > FLAG_DEPENDENCY_DEPTH)
        return error_set_field(error, ERROR_INVALID, "dependencies", "a chain of dependencies may be %d flags long", FLAG_DEPENDENCY_DEPTH);
    return ERROR_NONE;
}
