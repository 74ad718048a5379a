/* SPDX-License-Identifier: Apache-2.0 */
/* What a flag answers: rules, groups, variants, shares, in their order. */
#include "flags/flag_private.h"

#include <stdlib.h>

static const struct slice json_true = {"true", 4}, json_false = {"false", 5}, json_null = {"null", 4};

/* ---- values ---- */

int flag_value_compare(const void *left, const void *right)
{
    const struct flag_value *a = left, *b = right;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->kind == FLAG_VALUE_NUMBER) return a->number < b->number ? -1 : a->number > b->number;
    size_t size = a->text.size < b->text.size ? a->text.size : b->text.size;
    int order = size ? memcmp(a->text.data, b->text.data, size) : 0;
    if (order) return order;
    return a->text.size < b->text.size ? -1 : a->text.size > b->text.size;
}

/* As === of JavaScript: an object or an array is equal to nothing. */
static bool value_equals(const struct flag_value *a, const struct flag_value *b)
{
    return a->kind != FLAG_VALUE_ABSENT && a->kind != FLAG_VALUE_OTHER && flag_value_compare(a, b) == 0;
}

static bool values_have(const struct flag_values *values, const struct flag_value *value)
{
    if (value->kind == FLAG_VALUE_ABSENT || value->kind == FLAG_VALUE_OTHER || !values->count) return false;
    return bsearch(value, values->items, values->count, sizeof *values->items, flag_value_compare) != NULL;
}

/* ---- rules ---- */

struct evaluation {
    const struct flag_set *set;
    const struct flag_subject *subject;
    unsigned char *known;
};

/* Whose bucket counts. */
static struct slice evaluation_id(const struct flag *flag, const struct flag_subject *subject)
{
    static const struct slice anonymous = {"anonymous", 9};
    struct slice found = SLICE_EMPTY;
    switch (flag->share_of) {
    case FLAG_OF_ORGANIZATION: found = subject->organization_id; break;
    case FLAG_OF_TEAM: found = subject->team_id; break;
    case FLAG_OF_USER:
        /* Who was met before he logged in keeps the bucket of that first id. */
        if (flag->persist_across_auth) found = subject->anonymous_id;
        if (!found.size) found = subject->user_id;
        if (!found.size) found = subject->email;
        if (!found.size && flag->hash == FLAG_HASH_STABLE) found = subject->anonymous_id;
        break;
    }
    return found.size ? found : anonymous;
}

/* Of 10,000; legacy ones of 100. */
static bool evaluation_is_in_share(const struct flag *flag, int64_t bucket, double percentage)
{
    return (double)bucket < (flag->hash == FLAG_HASH_LEGACY ? percentage : percentage * (FLAG_BUCKETS / 100));
}

static int64_t evaluation_bucket(const struct flag *flag, struct slice first, struct slice second, uint64_t seed,
                                 const struct flag_subject *subject)
{
    struct slice id = evaluation_id(flag, subject);
    if (flag->hash == FLAG_HASH_STABLE) return flag_hash_stable(seed, id);
    return (second.size ? flag_hash_legacy(first, second, id) : flag_hash_legacy(first, id, SLICE_EMPTY)) % 100;
}

static struct flag_value rule_subject(const struct flag_rule *rule, const struct flag_subject *subject)
{
    struct slice text = SLICE_EMPTY;
    switch (rule->about) {
    case FLAG_RULE_USER_ID: text = subject->user_id; break;
    case FLAG_RULE_EMAIL: text = subject->email; break;
    case FLAG_RULE_PROPERTY:
        for (size_t i = 0; i < subject->property_count; i++)
            if (slice_equal(subject->properties[i].name, rule->field)) return subject->properties[i].value;
        break;
    case FLAG_RULE_SHARE: break;
    }
    return (struct flag_value){.kind = text.size ? FLAG_VALUE_TEXT : FLAG_VALUE_ABSENT, .text = text};
}

static bool rule_fits_text(const struct flag_rule *rule, const struct flag_value *value)
{
    switch (rule->operator) {
    case FLAG_EQUALS: return value_equals(value, &rule->value);
    case FLAG_CONTAINS: return slice_find(value->text, rule->value.text) >= 0;
    case FLAG_STARTS_WITH: return slice_starts_with(value->text, rule->value.text);
    case FLAG_ENDS_WITH: return slice_ends_with(value->text, rule->value.text);
    case FLAG_IN: return values_have(&rule->values, value);
    case FLAG_NOT_IN: return !values_have(&rule->values, value);
    case FLAG_EXISTS: return true;
    case FLAG_NOT_EXISTS: return false;
    }
    return false;
}

static bool rule_fits_property(const struct flag_rule *rule, const struct flag_value *value)
{
    bool is_absent = value->kind == FLAG_VALUE_ABSENT || value->kind == FLAG_VALUE_NULL;
    switch (rule->operator) {
    case FLAG_EXISTS: return !is_absent;
    case FLAG_NOT_EXISTS: return is_absent;
    case FLAG_EQUALS: return value_equals(value, &rule->value);
    case FLAG_CONTAINS: return !is_absent && slice_find(value->text, rule->value.text) >= 0;
    case FLAG_IN: return values_have(&rule->values, value);
    case FLAG_NOT_IN: return !values_have(&rule->values, value);
    case FLAG_STARTS_WITH:
    case FLAG_ENDS_WITH: return false; /* refused when written */
    }
    return false;
}

static bool rule_fits(const struct flag *flag, const struct flag_rule *rule, const struct flag_subject *subject)
{
    if (rule->about == FLAG_RULE_SHARE)
        return evaluation_is_in_share(flag, evaluation_bucket(flag, SLICE("percentage"), SLICE_EMPTY, flag->percentage_seed, subject),
                                      rule->value.number);
    struct flag_value value = rule_subject(rule, subject);
    if (rule->is_batch) {
        /* Ids of a batch are texts, also when a property is a number. */
        bool is_absent = value.kind == FLAG_VALUE_ABSENT || value.kind == FLAG_VALUE_NULL;
        struct flag_value text = {.kind = is_absent ? FLAG_VALUE_ABSENT : FLAG_VALUE_TEXT, .text = value.text};
        return values_have(&rule->values, &text) != (rule->operator == FLAG_NOT_IN);
    }
    if (rule->about == FLAG_RULE_PROPERTY) return rule_fits_property(rule, &value);
    return value.kind == FLAG_VALUE_TEXT && rule_fits_text(rule, &value);
}

static const struct flag_rule *rules_find(const struct flag *flag, const struct flag_rules *rules, const struct flag_subject *subject)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rule_fits(flag, &rules->items[i], subject)) return &rules->items[i];
    return NULL;
}

/* ---- types ---- */

static void result_set(struct flag_result *result, const struct flag *flag, bool enabled, struct slice value, const char *reason)
{
    *result = (struct flag_result){.enabled = enabled, .value = value, .payload = enabled ? flag->payload : json_null,
                                   .variant = SLICE_EMPTY, .reason = reason};
}

static void result_set_on(struct flag_result *result, const struct flag *flag, bool enabled, const char *reason)
{
    result_set(result, flag, enabled, enabled ? json_true : json_false, reason);
}

static const struct flag_variant *evaluation_variant(const struct flag *flag, const struct flag_subject *subject)
{
    int64_t bucket;
    struct slice id = evaluation_id(flag, subject);
    int64_t count = (int64_t)flag->variant_count, sum = 0;
    if (flag->hash == FLAG_HASH_LEGACY) {
        int64_t hash = flag_hash_legacy(flag->key, SLICE("variant"), id);
        if (!flag->has_weights) return &flag->variants[hash % count];
        bucket = hash % 100 * (FLAG_BUCKETS / 100);
    } else {
        bucket = flag_hash_stable(flag->variant_seed, id);
        if (!flag->has_weights) return &flag->variants[bucket * count / FLAG_BUCKETS];
    }
    for (int64_t i = 0; i < count; i++) {
        sum += flag->variants[i].weight;
        if (bucket < sum) return &flag->variants[i];
    }
    return &flag->variants[count - 1];
}

static void evaluate_variant(const struct flag *flag, const struct flag_subject *subject, struct flag_result *result)
{
    result_set(result, flag, true, flag->default_value, "MULTIVARIANT_EVALUATED");
    result->variant = SLICE("default");
    if (!flag->variant_count) return;
    const struct flag_variant *variant = evaluation_variant(flag, subject);
    result->value = variant->value;
    result->variant = variant->key;
}

/* ---- the state that schedules make ---- */

static void flag_state(const struct flag *flag, int64_t now_ms, bool *ret_active, int64_t *ret_percentage)
{
    *ret_active = flag->is_active;
    *ret_percentage = flag->rollout_percentage;
    for (size_t i = 0; i < flag->step_count && flag->steps[i].at_ms <= now_ms; i++) {
        switch (flag->steps[i].kind) {
        case FLAG_STEP_ENABLE: *ret_active = true; break;
        case FLAG_STEP_DISABLE: *ret_active = false; break;
        case FLAG_STEP_ROLLOUT: *ret_percentage = flag->steps[i].percentage; break;
        }
    }
}

bool flag_is_active(const struct flag *flag, int64_t now_ms)
{
    bool is_active;
    int64_t percentage;
    flag_state(flag, now_ms, &is_active, &percentage);
    return is_active;
}

/* ---- all of it ---- */

enum { KNOWN_NOT, KNOWN_BEGUN, KNOWN_OFF, KNOWN_ON };

static void evaluate(const struct evaluation *evaluation, const struct flag *flag, int depth, struct flag_result *result);

static bool dependency_is_on(const struct evaluation *evaluation, const struct flag *flag, int depth)
{
    if (!flag) return false;
    unsigned char *known = &evaluation->known[flag->index];
    /* Writers refuse circles and long chains; rows written by hand must not cost more than being off. */
    if (*known == KNOWN_BEGUN || depth > FLAG_DEPENDENCY_DEPTH) return false;
    if (*known == KNOWN_NOT) {
        struct flag_result result = {0};
        if (flag_is_active(flag, evaluation->subject->now_ms)) evaluate(evaluation, flag, depth, &result);
        *known = result.enabled ? KNOWN_ON : KNOWN_OFF;
    }
    return *known == KNOWN_ON;
}

static void evaluate_itself(const struct evaluation *evaluation, const struct flag *flag, int depth, struct flag_result *result)
{
    const struct flag_subject *subject = evaluation->subject;
    bool is_active;
    int64_t percentage;
    flag_state(flag, subject->now_ms, &is_active, &percentage);
    for (size_t i = 0; i < flag->dependency_count; i++)
        if (!dependency_is_on(evaluation, flag->dependencies[i], depth + 1)) {
            result_set_on(result, flag, false, "DEPENDENCY_DISABLED");
            return;
        }
    const struct flag_rule *rule = rules_find(flag, &flag->rules, subject);
    if (rule) {
        result_set_on(result, flag, rule->enabled, "USER_RULE_MATCH");
        return;
    }
    for (size_t i = 0; i < flag->group_count; i++)
        if ((rule = rules_find(flag, flag->groups[i], subject))) {
            result_set_on(result, flag, rule->enabled, "TARGET_GROUP_MATCH");
            return;
        }
    switch (flag->type) {
    case FLAG_MULTIVARIANT: evaluate_variant(flag, subject, result); break;
    case FLAG_ROLLOUT: {
        int64_t bucket = evaluation_bucket(flag, flag->key, SLICE_EMPTY, flag->rollout_seed, subject);
        bool enabled = evaluation_is_in_share(flag, bucket, (double)percentage);
        result_set_on(result, flag, enabled, enabled ? "ROLLOUT_ENABLED" : "ROLLOUT_DISABLED");
        break;
    }
    case FLAG_BOOLEAN: result_set(result, flag, flag->default_enabled, flag->default_value, "BOOLEAN_DEFAULT"); break;
    }
}

static void evaluate(const struct evaluation *evaluation, const struct flag *flag, int depth, struct flag_result *result)
{
    unsigned char *known = &evaluation->known[flag->index];
    unsigned char before = *known;
    if (flag->is_broken) {
        result_set_on(result, flag, false, "EVALUATION_ERROR");
        return;
    }
    *known = KNOWN_BEGUN;
    evaluate_itself(evaluation, flag, depth, result);
    *known = before;
}

void flag_evaluate(const struct flag_set *set, const struct flag *flag, const struct flag_subject *subject,
                   unsigned char *known, struct flag_result *result)
{
    const struct evaluation evaluation = {set, subject, known};
    evaluate(&evaluation, flag, 0, result);
}
