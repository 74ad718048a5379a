/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP as a collector sends it: traces of some ten spans over twelve services, log records beside them, resources of eight attributes. */
#include <inttypes.h>

#include "telemetry.h"

#define SERVICES 12u
#define SDK_BATCH 512u /* spans of one service that came to the collector together stay under one resource */
#define TRACE_LIMIT 16u

static const char *const SERVICE_NAMES[SERVICES] = {"frontend", "cart", "checkout", "payment", "shipping", "email",
    "currency", "product-catalog", "recommendation", "ad", "quote", "inventory"};
static const char *const ROUTES[] = {"/", "/cart", "/cart/{id}", "/product/{id}", "/checkout", "/api/products", "/api/recommendations",
    "/api/currency/convert", "/api/orders/{id}", "/api/shipping/quote", "/health", "/login"};
static const char *const METHODS[] = {"GET", "GET", "GET", "POST", "PUT"};
static const char *const STATEMENTS[] = {"SELECT id, name, price FROM products WHERE id = ?", "SELECT * FROM carts WHERE user_id = ?",
    "INSERT INTO orders (id, user_id, total) VALUES (?, ?, ?)", "UPDATE stock SET quantity = quantity - ? WHERE product_id = ?",
    "SELECT rate FROM currencies WHERE code = ?", "DELETE FROM carts WHERE id = ?"};
static const char *const BODIES[] = {"request finished in %llu ms", "cache miss for key product:%llu", "user %llu added item to cart",
    "order %llu placed", "retrying call to payment, attempt %llu", "connection to db-%llu.internal closed", "charged card, transaction %llu",
    "quote of %llu cents calculated", "slow query took %llu ms", "sent confirmation mail for order %llu"};
#define PICK(random, list) (list)[telemetry_below(random, sizeof(list) / sizeof *(list))]

struct signals {
    const struct telemetry_settings *settings;
    struct telemetry *telemetry;
    uint64_t random;
    struct buffer resources[SERVICES];          /* encoded */
    struct buffer groups[SERVICES];             /* items of a service that wait for their body */
    size_t group_counts[SERVICES], waiting;
    struct buffer request, item, part, pair, value;
};

static void put_text(struct buffer *out, unsigned field, const char *text) { telemetry_put_bytes(out, field, slice_from_string(text)); }

/* KeyValue, as field `field` of what is being written. */
static void put_pair(struct signals *signals, struct buffer *out, unsigned field, const char *key, const char *text, int64_t number)
{
    buffer_clear(&signals->pair);
    buffer_clear(&signals->value);
    put_text(&signals->pair, 1, key);
    if (text) put_text(&signals->value, 1, text);
    else telemetry_put_varint(&signals->value, 3, (uint64_t)number);
    telemetry_put_bytes(&signals->pair, 2, buffer_slice(&signals->value));
    telemetry_put_bytes(out, field, buffer_slice(&signals->pair));
}
static void put_number_text(struct signals *signals, struct buffer *out, unsigned field, const char *key, const char *before, uint64_t number)
{
    char text[128];
    snprintf(text, sizeof text, "%s%" PRIu64, before, number);
    put_pair(signals, out, field, key, text, 0);
}

static void make_resource(struct signals *signals, unsigned service)
{
    struct buffer *out = &signals->resources[service];
    put_pair(signals, out, 1, "service.name", SERVICE_NAMES[service], 0);
    put_pair(signals, out, 1, "service.namespace", "shop", 0);
    put_pair(signals, out, 1, "service.version", "2.14.1", 0);
    put_number_text(signals, out, 1, "service.instance.id", "instance-", telemetry_random(&signals->random));
    put_number_text(signals, out, 1, "host.name", "node-", service % 4);
    put_number_text(signals, out, 1, "k8s.pod.name", SERVICE_NAMES[service], telemetry_below(&signals->random, 100000));
    put_pair(signals, out, 1, "process.pid", NULL, 1000 + service);
    put_pair(signals, out, 1, "telemetry.sdk.language", service % 2 ? "go" : "nodejs", 0);
}

/* ResourceSpans or ResourceLogs of what waits of a service. */
static void flush_group(struct signals *signals, unsigned service)
{
    struct buffer scope = {0}, resource = {0};
    if (signals->group_counts[service] == 0) return;
    put_text(&scope, 1, "@opentelemetry/instrumentation-http");
    put_text(&scope, 2, "0.52.1");
    buffer_clear(&signals->part);
    telemetry_put_bytes(&signals->part, 1, buffer_slice(&scope));
    buffer_append_slice(&signals->part, buffer_slice(&signals->groups[service]));
    telemetry_put_bytes(&resource, 1, buffer_slice(&signals->resources[service]));
    telemetry_put_bytes(&resource, 2, buffer_slice(&signals->part));
    telemetry_put_bytes(&signals->request, 1, buffer_slice(&resource));
    if (scope.failed || resource.failed) signals->telemetry->bytes.failed = true;
    buffer_free(&scope);
    buffer_free(&resource);
    buffer_clear(&signals->groups[service]);
    signals->group_counts[service] = 0;
}

static void flush_body(struct signals *signals)
{
    struct telemetry *telemetry = signals->telemetry;
    size_t at = telemetry->bytes.size;
    for (unsigned i = 0; i < SERVICES; i++) flush_group(signals, i);
    buffer_append_slice(&telemetry->bytes, buffer_slice(&signals->request));
    telemetry_body_end(telemetry, at, (unsigned)(telemetry->count % TELEMETRY_LANES));
    telemetry->items += signals->waiting;
    signals->waiting = 0;
    buffer_clear(&signals->request);
}

/* `item` is complete: field 2 of its scope. */
static void item_end(struct signals *signals, unsigned service)
{
    telemetry_put_bytes(&signals->groups[service], 2, buffer_slice(&signals->item));
    signals->waiting++;
    if (++signals->group_counts[service] == SDK_BATCH) flush_group(signals, service);
    if (signals->waiting == signals->settings->batch) flush_body(signals);
}

static void put_exception(struct signals *signals, uint64_t time_ns)
{
    char trace[640];
    struct buffer *out = &signals->part;
    buffer_clear(out);
    telemetry_put_fixed64(out, 1, time_ns);
    put_text(out, 2, "exception");
    put_pair(signals, out, 3, "exception.type", "TimeoutError", 0);
    put_number_text(signals, out, 3, "exception.message", "no answer within 3000 ms from 10.2.0.", telemetry_below(&signals->random, 250));
    snprintf(trace, sizeof trace, "TimeoutError: no answer\n    at call (/app/src/client.js:%" PRIu64 ":17)\n    at async handle (/app/src/routes/cart.js:88:11)\n"
             "    at async Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)\n    at async next (/app/node_modules/express/lib/router/route.js:144:13)\n"
             "    at async Route.dispatch (/app/node_modules/express/lib/router/route.js:114:3)", telemetry_below(&signals->random, 900));
    put_pair(signals, out, 3, "exception.stacktrace", trace, 0);
    telemetry_put_bytes(&signals->item, 11, buffer_slice(out));
}

/* Whose request a trace follows: every span of it speaks of the same one. */
struct shopper { uint64_t user, session, order, address; bool is_gold; };
#define OPERATIONS 4u /* of a service: each has its own route, method, statement */
#define OF(list, service, operation) (list)[((service) * 5 + (operation)) % (sizeof(list) / sizeof *(list))]

/* What a span says of itself: a served request, a statement, a call, or work inside. */
static void put_span_attributes(struct signals *signals, const struct shopper *shopper, unsigned service, unsigned operation, unsigned kind, bool is_statement,
                                bool is_error)
{
    struct buffer *out = &signals->item;
    uint64_t *random = &signals->random;
    if (kind == 2) {
        put_pair(signals, out, 9, "http.request.method", OF(METHODS, service, operation), 0);
        put_pair(signals, out, 9, "http.route", OF(ROUTES, service, operation), 0);
        put_pair(signals, out, 9, "http.response.status_code", NULL, is_error ? 500 : telemetry_below(random, 30) ? 200 : 404);
        put_number_text(signals, out, 9, "url.path", "/api/orders/", shopper->order);
        put_number_text(signals, out, 9, "user.id", "user-", shopper->user);
        put_number_text(signals, out, 9, "client.address", "198.51.100.", shopper->address);
        put_pair(signals, out, 9, "network.protocol.version", "1.1", 0);
    } else if (kind == 3 && is_statement) {
        put_pair(signals, out, 9, "db.system", "postgresql", 0);
        put_pair(signals, out, 9, "db.namespace", "shop", 0);
        put_pair(signals, out, 9, "db.query.text", OF(STATEMENTS, service, operation), 0);
        put_pair(signals, out, 9, "server.address", "db-0.internal", 0);
        put_pair(signals, out, 9, "server.port", NULL, 5432);
    } else if (kind == 3) {
        put_pair(signals, out, 9, "rpc.system", "grpc", 0);
        unsigned callee = (service + 1 + operation) % SERVICES;
        put_pair(signals, out, 9, "rpc.service", SERVICE_NAMES[callee], 0);
        put_pair(signals, out, 9, "rpc.grpc.status_code", NULL, is_error ? 14 : 0);
        put_number_text(signals, out, 9, "server.address", "10.2.0.", 20 * callee + telemetry_below(random, 3));
        put_pair(signals, out, 9, "net.peer.port", NULL, 8080);
    } else {
        put_pair(signals, out, 9, "app.cart.items", NULL, (int64_t)telemetry_below(random, 12));
        put_pair(signals, out, 9, "app.user.tier", shopper->is_gold ? "gold" : "free", 0);
        put_number_text(signals, out, 9, "session.id", "session-", shopper->session);
        put_pair(signals, out, 9, "thread.id", NULL, (int64_t)telemetry_below(random, 16));
    }
}

struct span { unsigned char id[8]; unsigned service; uint64_t start_ns, end_ns; };

static void make_trace(struct signals *signals)
{
    uint64_t *random = &signals->random;
    unsigned char trace_id[16];
    struct span spans[TRACE_LIMIT];
    unsigned count = 5 + (unsigned)telemetry_below(random, TRACE_LIMIT - 5);
    const struct shopper shopper = {telemetry_below(random, 50000), telemetry_below(random, 1000000), telemetry_below(random, 1000000),
                                    telemetry_below(random, 255), telemetry_below(random, 5) == 0};
    for (unsigned i = 0; i < 2; i++) memcpy(trace_id + 8 * i, &(uint64_t){telemetry_random(random) | 1}, 8);
    uint64_t start = (uint64_t)(signals->settings->now_ms - (int64_t)telemetry_below(random, TELEMETRY_SPAN_WINDOW_MS)) * 1000000 - telemetry_below(random, 1000000);
    for (unsigned i = 0; i < count; i++) {
        struct span *span = &spans[i];
        const struct span *parent = i ? &spans[telemetry_below(random, i)] : NULL;
        memcpy(span->id, &(uint64_t){telemetry_random(random) | 1}, 8);
        span->service = !parent ? 0 : telemetry_below(random, 2) ? parent->service : (unsigned)telemetry_below(random, SERVICES);
        uint64_t room = parent ? parent->end_ns - parent->start_ns : 20000000 + telemetry_below(random, 300000000);
        span->start_ns = parent ? parent->start_ns + telemetry_below(random, room / 2 + 1) : start;
        span->end_ns = parent ? span->start_ns + telemetry_below(random, parent->end_ns - span->start_ns + 1) : start + room;
        unsigned kind = !parent || parent->service != span->service ? 2 : telemetry_below(random, 2) ? 3 : 1;
        bool is_statement = telemetry_below(random, 2), is_error = telemetry_below(random, 50) == 0;
        unsigned operation = (unsigned)telemetry_below(random, OPERATIONS);
        struct buffer *out = &signals->item;
        buffer_clear(out);
        telemetry_put_bytes(out, 1, slice_make((char *)trace_id, sizeof trace_id));
        telemetry_put_bytes(out, 2, slice_make((char *)span->id, sizeof span->id));
        if (parent) telemetry_put_bytes(out, 4, slice_make((const char *)parent->id, sizeof parent->id));
        put_text(out, 5, kind == 2 ? OF(ROUTES, span->service, operation) : kind == 3 && is_statement ? "pg.query" : kind == 3 ? "grpc.call" : "render");
        telemetry_put_varint(out, 6, kind);
        telemetry_put_fixed64(out, 7, span->start_ns);
        telemetry_put_fixed64(out, 8, span->end_ns);
        put_span_attributes(signals, &shopper, span->service, operation, kind, is_statement, is_error);
        if (is_error) {
            put_exception(signals, span->end_ns);
            buffer_clear(&signals->value);
            put_text(&signals->value, 2, "no answer within 3000 ms");
            telemetry_put_varint(&signals->value, 3, 2);
            telemetry_put_bytes(out, 15, buffer_slice(&signals->value));
        }
        item_end(signals, span->service);
    }
}

static void make_record(struct signals *signals)
{
    static const struct { const char *text; unsigned number; } LEVELS[] = {{"INFO", 9}, {"INFO", 9}, {"INFO", 9}, {"DEBUG", 5}, {"WARN", 13}, {"ERROR", 17}};
    uint64_t *random = &signals->random, number = telemetry_below(random, 100000);
    unsigned level = (unsigned)telemetry_below(random, 6), service = (unsigned)telemetry_below(random, SERVICES);
    uint64_t time = (uint64_t)(signals->settings->now_ms - (int64_t)telemetry_below(random, TELEMETRY_SPAN_WINDOW_MS)) * 1000000 + telemetry_below(random, 1000000);
    char text[160];
    struct buffer *out = &signals->item;
    buffer_clear(out);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, PICK(random, BODIES), (unsigned long long)number);
#pragma GCC diagnostic pop
    telemetry_put_fixed64(out, 1, time);
    telemetry_put_varint(out, 2, LEVELS[level].number);
    put_text(out, 3, LEVELS[level].text);
    buffer_clear(&signals->value);
    put_text(&signals->value, 1, text);
    telemetry_put_bytes(out, 5, buffer_slice(&signals->value));
    put_pair(signals, out, 6, "logger.name", "com.shop.RequestLogger", 0);
    put_pair(signals, out, 6, "code.lineno", NULL, (int64_t)telemetry_below(random, 400));
    put_number_text(signals, out, 6, "user.id", "user-", telemetry_below(random, 50000));
    put_pair(signals, out, 6, "http.route", PICK(random, ROUTES), 0);
    if (telemetry_below(random, 10) < 7) {
        uint64_t ids[3] = {telemetry_random(random), telemetry_random(random), telemetry_random(random) | 1};
        telemetry_put_bytes(out, 9, slice_make((char *)ids, 16));
        telemetry_put_bytes(out, 10, slice_make((char *)&ids[2], 8));
    }
    telemetry_put_fixed64(out, 11, time + 200000000);
    item_end(signals, service);
}

void telemetry_make_signals(const struct telemetry_settings *settings, struct telemetry *telemetry)
{
    struct signals signals = {.settings = settings, .telemetry = telemetry, .random = settings->seed};
    for (unsigned i = 0; i < SERVICES; i++) make_resource(&signals, i);
    while (telemetry->items < settings->items && !telemetry->bytes.failed) {
        if (settings->kind == TELEMETRY_TRACES) make_trace(&signals);
        else make_record(&signals);
    }
    struct buffer *const all[] = {&signals.request, &signals.item, &signals.part, &signals.pair, &signals.value};
    for (unsigned i = 0; i < SERVICES; i++) {
        if (signals.resources[i].failed || signals.groups[i].failed) telemetry->bytes.failed = true;
        buffer_free(&signals.resources[i]);
        buffer_free(&signals.groups[i]);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->failed) telemetry->bytes.failed = true;
        buffer_free(all[i]);
    }
}
