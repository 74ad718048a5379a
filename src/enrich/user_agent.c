/* SPDX-License-Identifier: Apache-2.0 */
/* Parses what was not seen before, and remembers. */
#include "enrich/user_agent.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "enrich/user_agent_matcher.h"
#include "enrich/user_agent_names.h"

/* 512 sets of 8: a text can lie only in the set its hash says, where the one not used for longest makes room. Some 2 MiB.
 * A lock for each set, so that threads hardly meet. */
#define AGENT_SET_COUNT 512
#define AGENT_WAY_COUNT 8

/* The parts of an answer that are texts of their own. */
enum { AGENT_BROWSER, AGENT_BROWSER_VERSION, AGENT_OS, AGENT_OS_VERSION, AGENT_BRAND, AGENT_MODEL, AGENT_BOT, AGENT_TEXT_COUNT };

struct agent_answer {
    uint8_t sizes[AGENT_TEXT_COUNT];
    bool is_server;
    enum bot_class bot_class;
    struct slice device; /* static */
    char texts[AGENT_TEXT_COUNT * USER_AGENT_TEXT_LIMIT_BYTES]; /* one behind the other */
};
struct agent_entry {
    XXH128_hash_t hash; /* with a secret seed: nobody can make two texts that meet here */
    uint64_t used;      /* 0: free */
    struct agent_answer answer;
};
struct agent_set {
    pthread_mutex_t mutex;
    uint64_t clock;
    struct agent_entry entries[AGENT_WAY_COUNT];
};
struct user_agent_parser {
    struct user_agent_matcher *matcher;
    uint64_t seed;
    struct agent_set sets[AGENT_SET_COUNT];
};

enum error_code user_agent_parser_create(struct user_agent_parser **ret_parser, struct error *error)
{
    struct user_agent_parser *parser = calloc(1, sizeof *parser);
    if (!parser) return error_set(error, ERROR_MEMORY, "out of memory");
    enum error_code code = user_agent_matcher_create(&parser->matcher, error);
    if (code != ERROR_NONE) {
        free(parser);
        return code;
    }
    if (getrandom(&parser->seed, sizeof parser->seed, 0) != sizeof parser->seed) parser->seed = (uint64_t)(uintptr_t)parser;
    for (size_t i = 0; i < AGENT_SET_COUNT; i++) pthread_mutex_init(&parser->sets[i].mutex, NULL);
    *ret_parser = parser;
    return ERROR_NONE;
}

void user_agent_parser_destroy(struct user_agent_parser *parser)
{
    if (!parser) return;
    for (size_t i = 0; i < AGENT_SET_COUNT; i++) pthread_mutex_destroy(&parser->sets[i].mutex);
    user_agent_matcher_destroy(parser->matcher);
    free(parser);
}

/* What a rule says becomes a column's text: cut at the limit between two characters, dropped when it is no UTF-8. */
static void answer_put(struct agent_answer *answer, unsigned index, struct slice text)
{
    if (text.size > USER_AGENT_TEXT_LIMIT_BYTES) {
        size_t size = USER_AGENT_TEXT_LIMIT_BYTES;
        while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80) size--;
        text.size = size;
    }
    text = slice_trim(text);
    if (text.size == 0 || !slice_is_utf8(text)) return;
    size_t offset = 0;
    for (unsigned i = 0; i < index; i++) offset += answer->sizes[i];
    memcpy(answer->texts + offset, text.data, text.size); /* texts are put in order */
    answer->sizes[index] = (uint8_t)text.size;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Rules name at most three parts of a browser's version; what the text has behind the last one belongs to it:
 * 91.0.4472 of Chrome/91.0.4472.124. */
static struct slice extend_version(struct slice last, struct slice text)
{
    bool inside = last.size > 0 && last.data >= text.data && last.data + last.size <= text.data + text.size;
    if (!inside || !is_digit(last.data[last.size - 1])) return last;
    const char *end = last.data + last.size, *limit = text.data + text.size;
    while (end + 1 < limit && end[0] == '.' && is_digit(end[1]))
        for (end++; end < limit && is_digit(*end);) end++;
    return slice_make(last.data, (size_t)(end - last.data));
}

/* fields[1..] joined by dots. */
static struct slice join_version(const struct user_agent_match *match, struct slice text, char out[USER_AGENT_FIELD_LIMIT_BYTES])
{
    size_t size = 0;
    for (unsigned i = 1; i < USER_AGENT_FIELD_COUNT && match->fields[i].size > 0; i++) {
        bool is_last = i + 1 == USER_AGENT_FIELD_COUNT || match->fields[i + 1].size == 0;
        struct slice part = is_last ? extend_version(match->fields[i], text) : match->fields[i];
        if (size + 1 + part.size > USER_AGENT_FIELD_LIMIT_BYTES) break;
        if (size > 0) out[size++] = '.';
        memcpy(out + size, part.data, part.size);
        size += part.size;
    }
    return slice_make(out, size);
}

/* "curl/8.4.0": one name, digits and dots, nothing else. */
static bool is_name_and_version(struct slice text)
{
    ptrdiff_t slash = slice_index_of(text, '/');
    if (slash <= 0 || (size_t)slash + 1 == text.size) return false;
    for (size_t i = (size_t)slash + 1; i < text.size; i++)
        if (!is_digit(text.data[i]) && text.data[i] != '.') return false;
    return true;
}

/* The word behind `name`, up to one of `ends`; empty when the name is not in the text. */
static struct slice value_behind(struct slice text, struct slice name, const char *ends)
{
    ptrdiff_t found = slice_find(text, name);
    if (found < 0) return SLICE_EMPTY;
    struct slice value = slice_from(text, (size_t)found + name.size);
    size_t size = 0;
    while (size < value.size && !strchr(ends, value.data[size])) size++;
    return slice_first(value, size);
}

/* What apps say of the device in words of their own, which no rule of uap-core knows. */
struct app_words { struct slice os, version, brand, model; };
static struct app_words app_words_of(struct slice text)
{
    struct app_words words = {.version = SLICE_EMPTY, .brand = value_behind(text, SLICE("Manufacturer="), ";) "),
                              .model = value_behind(text, SLICE("Model="), ";)"), .os = SLICE_EMPTY};
    struct slice version = value_behind(text, SLICE("iPadOS "), " ;),");
    if (version.size == 0) version = value_behind(text, SLICE("iOS "), " ;),");
    if (version.size == 0) version = value_behind(text, SLICE("iOS/"), " ;),");
    if (version.size > 0 && is_digit(version.data[0])) {
        words.os = SLICE("iOS");
        words.version = version;
        if (words.brand.size == 0) words.brand = SLICE("Apple");
    }
    return words;
}

static void answer_as_server(struct agent_answer *answer)
{
    *answer = (struct agent_answer){.is_server = true, .device = SLICE("server")};
}

static void answer_fill(struct agent_answer *answer, struct slice text, const struct user_agent_match matches[USER_AGENT_KIND_COUNT])
{
    const struct user_agent_match *browser = &matches[USER_AGENT_BROWSER], *os = &matches[USER_AGENT_OS],
                                  *device = &matches[USER_AGENT_DEVICE];
    struct slice brand = device->fields[USER_AGENT_DEVICE_BRAND], model = device->fields[USER_AGENT_DEVICE_MODEL];
    struct bot bot = bot_find(text, slice_equal(brand, SLICE("Spider")));
    struct slice os_family = os->fields[0], browser_family = user_agent_browser_name(browser->fields[0]);
    struct app_words app = app_words_of(text);
    char browser_version[USER_AGENT_FIELD_LIMIT_BYTES], os_version[USER_AGENT_FIELD_LIMIT_BYTES];
    if (!os->found && app.os.size > 0) os_family = app.os;
    struct slice type = user_agent_device_type(text, os_family, brand, model);
    bool is_known = type.size > 0 || user_agent_os_name(os_family).size > 0 || brand.size > 0 || app.brand.size > 0 || model.size > 0 || app.model.size > 0;
    bool is_browser = browser_family.size > 0 && (slice_starts_with(text, SLICE("Mozilla/")) || slice_starts_with(text, SLICE("Opera")));
    bool is_library = user_agent_is_library(text); /* uap-core calls some of them spiders */
    if ((bot.class == BOT_NONE && (is_library || is_name_and_version(text) || (!is_known && !is_browser))) ||
        (bot.class == BOT_UNKNOWN && is_library)) {
        answer_as_server(answer);
        return;
    }
    answer->bot_class = bot.class;
    answer->device = bot.class != BOT_NONE ? SLICE("bot") : type.size > 0 ? type : SLICE("desktop");
    answer_put(answer, AGENT_BROWSER, browser_family);
    answer_put(answer, AGENT_BROWSER_VERSION, join_version(browser, text, browser_version));
    answer_put(answer, AGENT_OS, user_agent_os_name(os_family));
    answer_put(answer, AGENT_OS_VERSION, os->found ? join_version(os, text, os_version) : app.version);
    if (app.model.size > 0) model = app.model;
    answer_put(answer, AGENT_BRAND, app.brand.size > 0 ? app.brand : user_agent_brand_name(brand, model));
    answer_put(answer, AGENT_MODEL, user_agent_model_name(model));
    answer_put(answer, AGENT_BOT, bot.name);
}

/* False when it could not be found out for want of memory. */
static bool answer_make(struct user_agent_parser *parser, struct slice text, struct agent_answer *answer)
{
    struct user_agent_match matches[USER_AGENT_KIND_COUNT];
    *answer = (struct agent_answer){.device = SLICE_EMPTY};
    if (text.size == 0) {
        answer_as_server(answer);
        return true;
    }
    if (!user_agent_match(parser->matcher, text, matches)) return false;
    answer_fill(answer, text, matches);
    return true;
}

static void answer_show(const struct agent_answer *answer, struct arena *arena, struct user_agent *agent)
{
    size_t size = 0;
    for (unsigned i = 0; i < AGENT_TEXT_COUNT; i++) size += answer->sizes[i];
    char *texts = arena_allocate(arena, size);
    *agent = (struct user_agent){.device = answer->device, .is_server = answer->is_server, .bot = {.class = answer->bot_class}};
    struct slice *const parts[AGENT_TEXT_COUNT] = {&agent->browser, &agent->browser_version, &agent->os, &agent->os_version,
                                                   &agent->brand, &agent->model, &agent->bot.name};
    if (texts) memcpy(texts, answer->texts, size);
    for (unsigned i = 0; i < AGENT_TEXT_COUNT; i++) {
        *parts[i] = texts ? slice_make(texts, answer->sizes[i]) : SLICE_EMPTY;
        if (texts) texts += answer->sizes[i];
    }
}

static bool is_same(XXH128_hash_t a, XXH128_hash_t b) { return a.low64 == b.low64 && a.high64 == b.high64; }

/* The part of the text that is looked at: up to the limit, and to the first control byte, where headers of others begin. */
static struct slice readable(struct slice text)
{
    text = slice_trim(slice_first(text, USER_AGENT_LIMIT_BYTES));
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ') return slice_first(text, i);
    return text;
}

void user_agent_parse(struct user_agent_parser *parser, struct slice text, struct arena *arena, struct user_agent *agent)
{
    text = readable(text);
    XXH128_hash_t hash = XXH3_128bits_withSeed(text.data, text.size, parser->seed);
    struct agent_set *set = &parser->sets[hash.low64 % AGENT_SET_COUNT];
    pthread_mutex_lock(&set->mutex);
    for (size_t i = 0; i < AGENT_WAY_COUNT; i++) {
        struct agent_entry *entry = &set->entries[i];
        if (entry->used == 0 || !is_same(entry->hash, hash)) continue;
        entry->used = ++set->clock;
        answer_show(&entry->answer, arena, agent);
        pthread_mutex_unlock(&set->mutex);
        return;
    }
    pthread_mutex_unlock(&set->mutex);
    struct agent_answer answer;
    if (!answer_make(parser, text, &answer)) {
        *agent = (struct user_agent){.is_server = false};
        return;
    }
    answer_show(&answer, arena, agent);
    pthread_mutex_lock(&set->mutex);
    struct agent_entry *oldest = &set->entries[0];
    for (size_t i = 1; i < AGENT_WAY_COUNT; i++)
        if (set->entries[i].used < oldest->used) oldest = &set->entries[i];
    *oldest = (struct agent_entry){.hash = hash, .used = ++set->clock, .answer = answer};
    pthread_mutex_unlock(&set->mutex);
}
