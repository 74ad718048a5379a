/* SPDX-License-Identifier: Apache-2.0 */
/* Feature flags, compiled: what a flag answers for a subject. Pure: no clock, no database, no waiting. */
#ifndef FLAGS_FLAG_H
#define FLAGS_FLAG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "decode/json.h"

#include <stdatomic.h>

/*
 * Model: a `struct flag_set` has all living flags of one tenant, compiled from their rows: groups first, then flags, then
 * flag_set_link. Then it never changes and is shared by counted references (flags/snapshot.h keeps one for each tenant).
 * flag_evaluate asks one flag for one subject:
 *
 *   a dependency that is not on -> off; else the first that says something of: its rules, the rules of its target groups,
 *   then its type (variant, share, default).
 *
 * Who is in a share is told by a bucket. FLAG_HASH_STABLE: XXH3-64 of the id, seeded with the XXH3-64 of
 * "<purpose>:<tenant id>:<flag key>", of 10,000 buckets, so that shares of different flags have nothing to do with each
 * other. FLAG_HASH_LEGACY: Databuddy's 31-polynomial over UTF-16 of "<flag key>:<id>", of 100 buckets: for flags that
 * were taken over with their users' buckets.
 */
enum flag_type { FLAG_BOOLEAN, FLAG_ROLLOUT, FLAG_MULTIVARIANT };
enum flag_hash { FLAG_HASH_STABLE, FLAG_HASH_LEGACY };
enum flag_share_of { FLAG_OF_USER, FLAG_OF_ORGANIZATION, FLAG_OF_TEAM };

enum flag_value_kind { FLAG_VALUE_ABSENT, FLAG_VALUE_NULL, FLAG_VALUE_BOOLEAN, FLAG_VALUE_NUMBER, FLAG_VALUE_TEXT, FLAG_VALUE_OTHER };
struct flag_value {
    enum flag_value_kind kind;
    double number;
    struct slice text;     /* as text: of a text itself, of all else its JSON */
};
struct flag_values {       /* sorted */
    struct flag_value *items;
    size_t count;
};

enum flag_rule_about { FLAG_RULE_USER_ID, FLAG_RULE_EMAIL, FLAG_RULE_PROPERTY, FLAG_RULE_SHARE };
enum flag_operator {
    FLAG_EQUALS, FLAG_CONTAINS, FLAG_STARTS_WITH, FLAG_ENDS_WITH, FLAG_IN, FLAG_NOT_IN, FLAG_EXISTS, FLAG_NOT_EXISTS
};
struct flag_rule {
    enum flag_rule_about about;
    enum flag_operator operator;
    struct slice field;        /* name of the property */
    struct flag_value value;   /* of FLAG_RULE_SHARE: percents */
    struct flag_values values; /* of in and not_in, or of a batch */
    bool is_batch;
    bool enabled;              /* what the flag is for whom the rule fits */
};
struct flag_rules {
    struct flag_rule *items;
    size_t count;
};
struct flag_variant {
    struct slice key, value;   /* value: JSON */
    int64_t weight;            /* hundredths of a percent; all 0 when none has a weight */
};
enum flag_step_kind { FLAG_STEP_ENABLE, FLAG_STEP_DISABLE, FLAG_STEP_ROLLOUT };
struct flag_step {
    int64_t at_ms;
    enum flag_step_kind kind;
    int64_t percentage;        /* of FLAG_STEP_ROLLOUT */
};

/* A row, as the metadata has it. `*_json` empty: there is none. A word left empty: boolean, active, stable, user. Lists of
 * words are lines. */
struct flag_source {
    struct slice key, environment, type, status, hash, rollout_by;
    struct slice default_json, payload_json, rules_json, variants_json, schedule_json;
    struct slice dependencies, target_group_ids;
    int64_t rollout_percentage;
    bool persist_across_auth;
};
struct flag {
    struct slice key, environment;
    enum flag_type type;
    enum flag_hash hash;
    enum flag_share_of share_of;
    bool is_active, is_broken; /* broken: its row cannot be understood */
    bool persist_across_auth, default_enabled;
    struct slice default_value, payload; /* JSON; payload "null" without one */
    int64_t rollout_percentage;
    struct flag_rules rules;
    const struct flag_rules **groups;
    size_t group_count;
    struct flag_variant *variants;
    size_t variant_count;
    bool has_weights;
    struct flag_step *steps;   /* in the order of time */
    size_t step_count;
    struct slice *dependency_keys, *group_ids;
    const struct flag **dependencies; /* NULL: there is no such flag */
    size_t dependency_count, group_id_count;
    size_t index;              /* in the set */
    uint64_t rollout_seed, variant_seed, percentage_seed;
};
struct flag_set {
    char tenant_id[37];
    struct map by_name;        /* environment, 0, key -> struct flag * */
    struct map groups;         /* id -> struct flag_rules * */
    struct flag **flags;
    size_t count, capacity;
    struct arena *arena;
    atomic_int references;
};

/* The limits of what a row may say, each with its reason. */
#define FLAG_KEY_LIMIT 100
#define FLAG_RULE_LIMIT 200         /* they are tried one after the other for every subject */
#define FLAG_VARIANT_LIMIT 100
#define FLAG_STEP_LIMIT 50          /* a roll-out by two percents a step */
#define FLAG_DEPENDENCY_DEPTH 20    /* longer chains nobody understands; the recursion of an evaluation is as deep */

/* One reference; NULL when out of memory. `tenant_id` becomes part of the seeds. */
struct flag_set *flag_set_create(const char *tenant_id);
void flag_set_hold(const struct flag_set *set);
void flag_set_release(const struct flag_set *set); /* accepts NULL */
/* ERROR_INVALID with the field ("rules[2].operator") and what it must be; then nothing was added. */
enum error_code flag_set_add_group(struct flag_set *set, struct json_parser *parser, struct slice id, struct slice rules_json,
                                   struct error *error) MUST_CHECK;
enum error_code flag_set_add(struct flag_set *set, struct json_parser *parser, const struct flag_source *source,
                             struct error *error) MUST_CHECK;
/* A flag whose row cannot be understood: it is there, and always off with the reason EVALUATION_ERROR. */
enum error_code flag_set_add_broken(struct flag_set *set, const struct flag_source *source, struct error *error) MUST_CHECK;
/* Connects flags with their groups and dependencies; what is not there is left out (a group) or off (a dependency). */
enum error_code flag_set_link(struct flag_set *set, struct error *error) MUST_CHECK;
/* Whether the dependencies and groups of a flag are there, and nobody waits for himself. For writers. */
enum error_code flag_set_check(const struct flag_set *set, const struct flag *flag, struct error *error) MUST_CHECK;
/* NULL when there is none. */
const struct flag *flag_set_find(const struct flag_set *set, struct slice environment, struct slice key);

struct flag_property {
    struct slice name;
    struct flag_value value;
};
struct flag_subject {
    struct slice user_id, email, anonymous_id, organization_id, team_id; /* empty: not known */
    const struct flag_property *properties;
    size_t property_count;
    int64_t now_ms;            /* for schedules */
};
/* Properties of a JSON object, into the arena. ERROR_INVALID when it is none, or has more than `limit` members. */
enum error_code flag_properties_read(struct arena *arena, struct json_value object, size_t limit,
                                     struct flag_subject *subject, struct error *error) MUST_CHECK;

struct flag_result {
    bool enabled;
    struct slice value, payload; /* JSON */
    struct slice variant;        /* empty: none */
    const char *reason;
};
/* Whether clients see the flag now: its status, and the steps of its schedule that are due. */
bool flag_is_active(const struct flag *flag, int64_t now_ms);
/*
 * `known` has set->count bytes, zero at first, and may be used again for other flags of the same set and subject: flags
 * that others depend on are asked once.
 */
void flag_evaluate(const struct flag_set *set, const struct flag *flag, const struct flag_subject *subject,
                   unsigned char *known, struct flag_result *result);

/* Buckets. Legacy: the hash itself, of "<first>:<second>:<third>" without empty parts. Stable: 0..9999. */
int64_t flag_hash_legacy(struct slice first, struct slice second, struct slice third);
uint64_t flag_hash_seed(const char *purpose, struct slice tenant_id, struct slice key);
#define FLAG_BUCKETS 10000
int64_t flag_hash_stable(uint64_t seed, struct slice id);

#endif
