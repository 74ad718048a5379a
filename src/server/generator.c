/* SPDX-License-Identifier: Apache-2.0 */
/* The traffic generator. */
#include "server/generator.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/time.h"
#include "base/uuid.h"

/* A value and how often it comes, relative to its table's sum. */
struct choice {
    const char *value, *extra, *more;
    unsigned weight;
};
#define CHOICES(table) table, sizeof table / sizeof table[0]

static const struct choice generator_pages[] = {
    {"/", "Northwind - better mornings", "", 300}, {"/pricing", "Pricing", "", 120}, {"/products", "Products", "", 110},
    {"/products/espresso-one", "Espresso One", "", 80}, {"/products/grinder-pro", "Grinder Pro", "", 60},
    {"/products/filter-kit", "Filter Kit", "", 45}, {"/blog", "Journal", "", 55}, {"/blog/how-to-dial-in", "How to dial in", "", 70},
    {"/blog/water-matters", "Water matters", "", 40}, {"/blog/decaf-done-right", "Decaf, done right", "", 25},
    {"/cart", "Your cart", "", 50}, {"/checkout", "Checkout", "", 30}, {"/account", "Your account", "", 28},
    {"/account/orders", "Orders", "", 18}, {"/support", "Support", "", 24}, {"/support/returns", "Returns", "", 12},
    {"/about", "About us", "", 20}, {"/careers", "Careers", "", 9}, {"/search", "Search", "", 34}, {"/subscribe", "Subscriptions", "", 38},
};
static const struct choice generator_referrers[] = {
    {"", "", "", 420}, {"https://www.google.com/", "Google", "search", 260}, {"https://duckduckgo.com/", "DuckDuckGo", "search", 35},
    {"https://www.bing.com/", "Bing", "search", 30}, {"https://t.co/9f3kQ", "Twitter", "social", 40},
    {"https://www.reddit.com/r/espresso/", "Reddit", "social", 60}, {"https://news.ycombinator.com/item?id=4242", "Hacker News", "social", 45},
    {"https://www.youtube.com/watch?v=abc", "YouTube", "social", 35}, {"https://chatgpt.com/", "ChatGPT", "ai", 28},
    {"https://www.perplexity.ai/", "Perplexity", "ai", 12}, {"https://mail.google.com/", "Gmail", "email", 22},
};
static const struct choice generator_countries[] = {
    {"US", "en-US", "America/New_York", 300}, {"DE", "de-DE", "Europe/Berlin", 160}, {"GB", "en-GB", "Europe/London", 110},
    {"FR", "fr-FR", "Europe/Paris", 80}, {"NL", "nl-NL", "Europe/Amsterdam", 60}, {"SE", "sv-SE", "Europe/Stockholm", 40},
    {"JP", "ja-JP", "Asia/Tokyo", 55}, {"IN", "en-IN", "Asia/Kolkata", 70}, {"BR", "pt-BR", "America/Sao_Paulo", 50},
    {"CA", "en-CA", "America/Toronto", 50}, {"AU", "en-AU", "Australia/Sydney", 35}, {"ES", "es-ES", "Europe/Madrid", 40},
};
static const struct choice generator_devices[] = {
    {"desktop", "Windows", "1920x1080", 330}, {"desktop", "Mac OS", "2560x1440", 220}, {"desktop", "Linux", "1920x1200", 45},
    {"mobile", "iOS", "390x844", 240}, {"mobile", "Android", "412x915", 230}, {"tablet", "iPadOS", "820x1180", 35},
};
static const struct choice generator_browsers[] = {
    {"Chrome", "131.0.0.0", "", 520}, {"Safari", "18.1", "", 230}, {"Firefox", "132.0", "", 90}, {"Edge", "131.0.2903.51", "", 110},
    {"Samsung Internet", "27.0", "", 25},
};
static const struct choice generator_campaigns[] = {
    {"", "", "", 820}, {"spring-sale", "newsletter", "email", 60}, {"brand", "google", "cpc", 80}, {"launch", "reddit", "social", 40},
};

void generator_init(struct generator *generator, uint64_t seed, uint64_t visitors)
{
    *generator = (struct generator){.state = seed, .visitors = visitors ? visitors : 1};
}

/* SplitMix64 (Steele, Lea, Flood 2014): small, fast, equal everywhere. */
static uint64_t generator_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static uint64_t generator_next(struct generator *generator) { return generator_mix(generator->state += 0x9E3779B97F4A7C15ULL); }

uint64_t generator_number(struct generator *generator, uint64_t bound) { return generator_next(generator) % bound; }

static const struct choice *generator_choose(uint64_t number, const struct choice *choices, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) sum += choices[i].weight;
    unsigned at = (unsigned)(number % sum);
    for (size_t i = 0; i < count; i++) {
        if (at < choices[i].weight) return &choices[i];
        at -= choices[i].weight;
    }
    return &choices[0];
}

int64_t generator_visit_start(struct generator *generator, int64_t now_ms, unsigned days)
{
    /* Hours follow a day curve with its top in the afternoon; weekends are quieter; the site grows by half over the days. */
    static const unsigned hours[24] = {3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 12, 13, 14, 14, 13, 12, 12, 13, 13, 11, 8, 5};
    unsigned sum = 0;
    for (unsigned i = 0; i < 24; i++) sum += hours[i];
    for (;;) {
        unsigned ago = (unsigned)generator_number(generator, days), hour = 0;
        unsigned at = (unsigned)generator_number(generator, sum);
        while (at >= hours[hour]) at -= hours[hour++];
        int64_t day = now_ms / 86400000 - ago;
        int64_t start_ms = day * 86400000 + hour * 3600000 + (int64_t)generator_number(generator, 3600000);
        bool weekend = (day + 4) % 7 == 0 || (day + 4) % 7 == 6; /* 1970-01-01 was a Thursday */
        uint64_t keep = 100 - 33 * ago / days;
        if (start_ms <= now_ms && generator_number(generator, 100) < (weekend ? keep * 7 / 10 : keep)) return start_ms;
    }
}

static void generator_string(struct json_writer *writer, const char *name, const char *value)
{
    if (!value[0]) return;
    json_writer_key(writer, name);
    json_writer_string(writer, slice_from_string(value));
}

/* What stays the same during a visit. */
struct visit {
    char device_id[40], session_id[40], profile_id[24];
    const struct choice *country, *device, *browser, *referrer, *campaign;
    char user_agent[GENERATOR_USER_AGENT_SIZE], address[GENERATOR_ADDRESS_SIZE]; /* of raw events */
};

/* What the server of raw events finds out: where the visitor is, what they use, who sent them. */
static void generator_write_found(const struct visit *visit, const struct choice *page, unsigned number, struct json_writer *writer)
{
    generator_string(writer, "origin", "https://northwind.example");
    generator_string(writer, "path", page->value);
    generator_string(writer, "title", page->extra);
    if (number == 0) {
        generator_string(writer, "referrer", visit->referrer->value);
        generator_string(writer, "referrer_name", visit->referrer->extra);
        generator_string(writer, "referrer_type", visit->referrer->more);
        generator_string(writer, "utm_campaign", visit->campaign->value);
        generator_string(writer, "utm_source", visit->campaign->extra);
        generator_string(writer, "utm_medium", visit->campaign->more);
    }
    generator_string(writer, "country", visit->country->value);
    generator_string(writer, "language", visit->country->extra);
    generator_string(writer, "timezone", visit->country->more);
    generator_string(writer, "device", visit->device->value);
    generator_string(writer, "os", visit->device->extra);
    generator_string(writer, "screen_resolution", visit->device->more);
    generator_string(writer, "browser", visit->browser->value);
    generator_string(writer, "browser_version", visit->browser->extra);
}

static void generator_write_raw(const struct generator *generator, const struct visit *visit, const struct choice *page, unsigned number,
                                struct json_writer *writer)
{
    char url[256];
    const struct choice *campaign = visit->campaign;
    bool has_campaign = number == 0 && campaign->value[0];
    snprintf(url, sizeof url, "https://northwind.example%s%s%s%s%s%s%s", page->value, has_campaign ? "?utm_campaign=" : "",
             has_campaign ? campaign->value : "", has_campaign ? "&utm_source=" : "", has_campaign ? campaign->extra : "",
             has_campaign ? "&utm_medium=" : "", has_campaign ? campaign->more : "");
    generator_string(writer, "url", url);
    generator_string(writer, "title", page->extra);
    if (number == 0) generator_string(writer, "referrer", visit->referrer->value);
    generator_string(writer, "language", visit->country->extra);
    generator_string(writer, "timezone", visit->country->more);
    generator_string(writer, "screen_resolution", visit->device->more);
    if (!generator->has_clients) return;
    generator_string(writer, "user_agent", visit->user_agent);
    generator_string(writer, "ip", visit->address);
}

static void generator_write_event(struct generator *generator, const struct visit *visit, const char *name, const struct choice *page,
                                  int64_t time_ms, unsigned number, bool ids, struct json_writer *writer)
{
    char time_text[TIME_TEXT_SIZE], id_text[UUID_TEXT_SIZE];
    json_writer_object_begin(writer);
    if (ids) {
        uint64_t halves[2] = {generator_next(generator), generator_next(generator)};
        struct uuid id = uuid_from_name(SLICE("generator"), slice_make(halves, sizeof halves));
        uuid_format(&id, id_text);
        json_writer_key(writer, "id");
        json_writer_string(writer, slice_make(id_text, sizeof id_text));
    }
    generator_string(writer, "name", name);
    time_format_ms(time_ms, time_text);
    json_writer_key(writer, "created_at");
    json_writer_string(writer, slice_make(time_text, sizeof time_text));
    generator_string(writer, "device_id", visit->device_id);
    generator_string(writer, "session_id", visit->session_id);
    generator_string(writer, "profile_id", visit->profile_id);
    if (generator->is_raw) generator_write_raw(generator, visit, page, number, writer);
    else generator_write_found(visit, page, number, writer);
    json_writer_key(writer, "page_count");
    json_writer_uint(writer, number + 1);
    json_writer_key(writer, "scroll_depth");
    json_writer_uint(writer, generator_number(generator, 101));
    json_writer_key(writer, "load_time");
    json_writer_uint(writer, 200 + generator_number(generator, 2000));
    json_writer_key(writer, "ttfb");
    json_writer_uint(writer, 20 + generator_number(generator, 400));
    json_writer_key(writer, "properties");
    json_writer_object_begin(writer);
    generator_string(writer, "plan", generator_number(generator, 5) ? "free" : "pro");
    generator_string(writer, "variant", generator_number(generator, 2) ? "a" : "b");
    generator_string(writer, "build", "2026.11.3");
    json_writer_object_end(writer);
    json_writer_object_end(writer);
}

size_t generator_write_visit(struct generator *generator, int64_t start_ms, int64_t end_ms, bool ids, struct json_writer *writer)
{
    struct visit visit;
    /* The smaller of two draws: some people come often. What a person has follows from who it is. */
    uint64_t a = generator_number(generator, generator->visitors), b = generator_number(generator, generator->visitors);
    uint64_t person = generator_mix((a < b ? a : b) + 77);
    snprintf(visit.device_id, sizeof visit.device_id, "%016" PRIx64 "%016" PRIx64, person, generator_mix(person));
    snprintf(visit.session_id, sizeof visit.session_id, "%016" PRIx64, generator_next(generator));
    visit.profile_id[0] = 0;
    if (person % 4 == 0) snprintf(visit.profile_id, sizeof visit.profile_id, "user_%u", (unsigned)(person % 1000000));
    generator_user_agent(person, visit.user_agent);
    generator_address(person, visit.address);
    visit.country = generator_choose(person >> 8, CHOICES(generator_countries));
    visit.device = generator_choose(person >> 20, CHOICES(generator_devices));
    visit.browser = generator_choose(person >> 32, CHOICES(generator_browsers));
    visit.referrer = generator_choose(generator_next(generator), CHOICES(generator_referrers));
    visit.campaign = generator_choose(generator_next(generator), CHOICES(generator_campaigns));
    generator->visits++;
    unsigned pages = 1 + (unsigned)generator_number(generator, 3) * (unsigned)generator_number(generator, 5);
    size_t written = 0;
    int64_t time_ms = start_ms;
    for (unsigned i = 0; i < pages && time_ms <= end_ms; i++) {
        const struct choice *page = generator_choose(generator_next(generator), CHOICES(generator_pages));
        generator_write_event(generator, &visit, "screen_view", page, time_ms, i, ids, writer);
        written++;
        time_ms += 4000 + (int64_t)generator_number(generator, 60000);
        const char *more = generator_number(generator, 30) == 0 ? "signup" : generator_number(generator, 12) == 0 ? "add_to_cart" : NULL;
        if (!more || time_ms > end_ms) continue;
        generator_write_event(generator, &visit, more, page, time_ms, i + 1, ids, writer);
        written++;
    }
    return written;
}
