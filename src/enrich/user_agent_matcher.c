/* SPDX-License-Identifier: Apache-2.0 */
/* Hyperscan finds the rule, PCRE2 its groups. */
#include "enrich/user_agent_matcher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "enrich/user_agent_database.h"

/* Of a rule: the whole and nine groups, which is what replacements can name. */
#define MATCHER_GROUP_LIMIT 10
/* Steps of one match. Rules need some thousands on real texts; made-up ones must not hold up a loop. */
#define MATCHER_STEP_LIMIT 200000
#define NO_RULE UINT32_MAX

/* What one match needs for itself. */
struct matcher_worker {
    struct matcher_worker *next;
    hs_scratch_t *scratch;
    pcre2_match_data *groups;
    pcre2_match_context *context;
    unsigned group_count; /* of the last match that have a value in `groups` */
    unsigned first[USER_AGENT_KIND_COUNT];
};

struct user_agent_matcher {
    hs_database_t *database;
    uint8_t *refused;
    pthread_mutex_t mutex;
    struct matcher_worker *idle; /* under mutex */
    _Atomic(pcre2_code *) codes[]; /* compiled when a rule first wins */
};

static void worker_destroy(struct matcher_worker *worker)
{
    if (!worker) return;
    if (worker->scratch) hs_free_scratch(worker->scratch);
    pcre2_match_data_free(worker->groups);
    pcre2_match_context_free(worker->context);
    free(worker);
}

static struct matcher_worker *worker_create(const struct user_agent_matcher *matcher)
{
    struct matcher_worker *worker = calloc(1, sizeof *worker);
    if (!worker) return NULL;
    worker->groups = pcre2_match_data_create(MATCHER_GROUP_LIMIT, NULL);
    worker->context = pcre2_match_context_create(NULL);
    if (!worker->groups || !worker->context || hs_alloc_scratch(matcher->database, &worker->scratch) != HS_SUCCESS) {
        worker_destroy(worker);
        return NULL;
    }
    pcre2_set_match_limit(worker->context, MATCHER_STEP_LIMIT);
    return worker;
}

static struct matcher_worker *worker_take(struct user_agent_matcher *matcher)
{
    pthread_mutex_lock(&matcher->mutex);
    struct matcher_worker *worker = matcher->idle;
    if (worker) matcher->idle = worker->next;
    pthread_mutex_unlock(&matcher->mutex);
    return worker ? worker : worker_create(matcher);
}

static void worker_give_back(struct user_agent_matcher *matcher, struct matcher_worker *worker)
{
    pthread_mutex_lock(&matcher->mutex);
    worker->next = matcher->idle;
    matcher->idle = worker;
    pthread_mutex_unlock(&matcher->mutex);
}

enum error_code user_agent_matcher_create(struct user_agent_matcher **ret_matcher, struct error *error)
{
    size_t count = user_agent_rule_starts[USER_AGENT_KIND_COUNT];
    struct user_agent_matcher *matcher = calloc(1, sizeof *matcher + count * sizeof matcher->codes[0]);
    if (!matcher) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = user_agent_database_open(&matcher->database, &matcher->refused, error);
    if (code != ERROR_NONE) {
        free(matcher);
        return code;
    }
    pthread_mutex_init(&matcher->mutex, NULL);
    *ret_matcher = matcher;
    return ERROR_NONE;
}

void user_agent_matcher_destroy(struct user_agent_matcher *matcher)
{
    if (!matcher) return;
    while (matcher->idle) {
        struct matcher_worker *worker = matcher->idle;
        matcher->idle = worker->next;
        worker_destroy(worker);
    }
    for (unsigned i = 0; i < user_agent_rule_starts[USER_AGENT_KIND_COUNT]; i++)
        pcre2_code_free(atomic_load_explicit(&matcher->codes[i], memory_order_relaxed));
    hs_free_database(matcher->database);
    free(matcher->refused);
    pthread_mutex_destroy(&matcher->mutex);
    free(matcher);
}

/* Two threads may compile the same rule at the same time: the first one's stays. */
static pcre2_code *matcher_code(struct user_agent_matcher *matcher, unsigned rule)
{
    pcre2_code *code = atomic_load_explicit(&matcher->codes[rule], memory_order_acquire);
    if (code) return code;
    int problem;
    PCRE2_SIZE offset;
    uint32_t options = user_agent_rules[rule].ignores_case ? PCRE2_CASELESS : 0;
    code = pcre2_compile((PCRE2_SPTR)user_agent_rules[rule].regex, PCRE2_ZERO_TERMINATED, options, &problem, &offset, NULL);
    if (!code) return NULL;
    pcre2_code *other = NULL;
    if (atomic_compare_exchange_strong_explicit(&matcher->codes[rule], &other, code, memory_order_acq_rel, memory_order_acquire))
        return code;
    pcre2_code_free(code);
    return other;
}

/* Whether the rule matches; then worker->groups says where. */
static bool matcher_try(struct user_agent_matcher *matcher, struct matcher_worker *worker, unsigned rule, struct slice text)
{
    pcre2_code *code = matcher_code(matcher, rule);
    if (!code) return false;
    int count = pcre2_match(code, (PCRE2_SPTR)text.data, text.size, 0, 0, worker->groups, worker->context);
    /* 0: matched, with more groups than fit */
    worker->group_count = count == 0 ? MATCHER_GROUP_LIMIT : (unsigned)count;
    return count >= 0;
}

static struct slice group_text(const struct matcher_worker *worker, struct slice text, unsigned group)
{
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(worker->groups);
    if (group >= worker->group_count || offsets[2 * group] == PCRE2_UNSET) return SLICE_EMPTY;
    return slice_make(text.data + offsets[2 * group], offsets[2 * group + 1] - offsets[2 * group]);
}

/* The replacement with its "$1" .. "$9" filled in. */
static struct slice compose(const struct matcher_worker *worker, struct slice text, const char *replacement,
                            char out[USER_AGENT_FIELD_LIMIT_BYTES])
{
    if (!strchr(replacement, '$')) return slice_from_string(replacement);
    size_t size = 0;
    for (const char *at = replacement; *at; at++) {
        struct slice part = slice_make(at, 1);
        if (at[0] == '$' && at[1] >= '1' && at[1] <= '9') part = group_text(worker, text, (unsigned)(*++at - '0'));
        part = slice_first(part, USER_AGENT_FIELD_LIMIT_BYTES - size);
        memcpy(out + size, part.data, part.size);
        size += part.size;
    }
    return slice_make(out, size);
}

/* Which group is a field when the rule has no replacement for it: of devices the model is the name again. */
static unsigned default_group(enum user_agent_kind kind, unsigned field)
{
    static const unsigned of_device[USER_AGENT_FIELD_COUNT] = {[USER_AGENT_DEVICE_FAMILY] = 1, [USER_AGENT_DEVICE_MODEL] = 1};
    if (kind == USER_AGENT_DEVICE) return of_device[field];
    return kind == USER_AGENT_BROWSER && field == USER_AGENT_FIELD_COUNT - 1 ? 0 : field + 1;
}

static void matcher_read(const struct matcher_worker *worker, enum user_agent_kind kind, unsigned rule, struct slice text,
                         struct user_agent_match *match)
{
    match->found = true;
    for (unsigned field = 0; field < USER_AGENT_FIELD_COUNT; field++) {
        const char *replacement = user_agent_rules[rule].replacements[field];
        unsigned group = default_group(kind, field);
        struct slice value = SLICE_EMPTY;
        if (replacement) value = compose(worker, text, replacement, match->composed[field]);
        else if (group > 0) value = group_text(worker, text, group);
        match->fields[field] = slice_trim(value);
    }
}

static void match_clear(struct user_agent_match *match)
{
    match->found = false;
    for (unsigned field = 0; field < USER_AGENT_FIELD_COUNT; field++) match->fields[field] = SLICE_EMPTY;
}

static enum user_agent_kind kind_of(unsigned rule)
{
    enum user_agent_kind kind = USER_AGENT_BROWSER;
    while (rule >= user_agent_rule_starts[kind + 1]) kind++;
    return kind;
}

static int note_match(unsigned rule, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct matcher_worker *worker = context;
    unsigned *first = &worker->first[kind_of(rule)];
    if (rule < *first) *first = rule;
    return 0;
}

bool user_agent_match(struct user_agent_matcher *matcher, struct slice text,
                      struct user_agent_match matches[USER_AGENT_KIND_COUNT])
{
    struct matcher_worker *worker = worker_take(matcher);
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++) match_clear(&matches[kind]);
    if (!worker) return false;
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++) worker->first[kind] = NO_RULE;
    bool scanned = hs_scan(matcher->database, text.data, (unsigned)text.size, 0, worker->scratch, note_match, worker) == HS_SUCCESS;
    for (unsigned rule = 0; scanned && rule < user_agent_rule_starts[USER_AGENT_KIND_COUNT]; rule++)
        if (matcher->refused[rule] && rule < worker->first[kind_of(rule)] && matcher_try(matcher, worker, rule, text))
            worker->first[kind_of(rule)] = rule;
    for (unsigned kind = 0; scanned && kind < USER_AGENT_KIND_COUNT; kind++)
        if (worker->first[kind] != NO_RULE && matcher_try(matcher, worker, worker->first[kind], text))
            matcher_read(worker, kind, worker->first[kind], text, &matches[kind]);
    worker_give_back(matcher, worker);
    return scanned;
}

bool user_agent_match_in_turn(struct user_agent_matcher *matcher, struct slice text,
                              struct user_agent_match matches[USER_AGENT_KIND_COUNT])
{
    struct matcher_worker *worker = worker_take(matcher);
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++) match_clear(&matches[kind]);
    if (!worker) return false;
    for (unsigned kind = 0; kind < USER_AGENT_KIND_COUNT; kind++)
        for (unsigned rule = user_agent_rule_starts[kind]; rule < user_agent_rule_starts[kind + 1]; rule++)
            if (matcher_try(matcher, worker, rule, text)) {
                matcher_read(worker, kind, rule, text, &matches[kind]);
                break;
            }
    worker_give_back(matcher, worker);
    return true;
}
