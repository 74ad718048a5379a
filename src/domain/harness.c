/* SPDX-License-Identifier: Apache-2.0 */
/* A domain's requests and rows in memory, for tests. */
#include "domain/harness.h"

#include "base/json_writer.h"
#include "base/time.h"
#include "block/native_reader.h"
#include "enrich/geo.h"
#include "enrich/user_agent.h"
#include "tenant/secret.h"

struct block *domain_rows_block(struct domain_rows *rows, size_t table)
{
    ASSERT(table < rows->block_count);
    return rows->blocks[table];
}

bool domain_rows_seen_before(struct domain_rows *rows, const struct uuid *id)
{
    for (size_t i = 0; i < rows->seen_count; i++)
        if (memcmp(&rows->seen[i], id, sizeof *id) == 0) return true;
    ASSERT(rows->seen_count < HARNESS_SEEN_LIMIT);
    rows->seen[rows->seen_count++] = *id;
    return false;
}

void domain_rows_mark(struct domain_rows *rows)
{
    rows->is_marked = true;
    for (size_t i = 0; i < rows->block_count; i++) block_mark(rows->blocks[i]);
}

/* Rows in memory are durable at once. */
void domain_rows_touched(struct domain_rows *rows, void *thing)
{
    rows->domain->state->settled(rows->state, thing, 1, true);
}

/* One for all harnesses of a test program: it is never changed, and lives as long as the program. */
static struct user_agent_parser *harness_user_agents(void)
{
    static struct user_agent_parser *parser;
    if (!parser) ASSERT(user_agent_parser_create(&parser, NULL) == ERROR_NONE);
    return parser;
}

void harness_create(struct harness *harness, const struct domain *domain) { harness_create_with(harness, domain, NULL, 0); }

void harness_create_with(struct harness *harness, const struct domain *domain, const struct domain_state_setting *settings, size_t setting_count)
{
    memset(harness, 0, sizeof *harness);
    harness->domain = domain;
    harness->rows.block_count = domain->table_count;
    harness->rows.domain = domain;
    if (domain->state) ASSERT((harness->rows.state = domain->state->create(settings, setting_count)) != NULL);
    harness->rows.blocks = calloc(domain->table_count, sizeof *harness->rows.blocks);
    harness->json = json_parser_create();
    harness->arena = arena_create(16u << 20);
    ASSERT(harness->rows.blocks && harness->json && harness->arena);
    for (size_t i = 0; i < domain->table_count; i++) {
        harness->rows.blocks[i] = block_create(domain->tables[i].schema);
        ASSERT(harness->rows.blocks[i]);
    }
    memcpy(harness->tenant.id, HARNESS_TENANT, sizeof harness->tenant.id);
    harness->tenant.active = true;
    harness->key = (struct tenant_key){.tenant = &harness->tenant};
    for (size_t i = 0; i < domain->route_count; i++)
        if (domain->routes[i].find_key) tenant_permission_add(&harness->key.permissions, domain->routes[i].permission);
    memset(harness->secret, 7, sizeof harness->secret);
    tenant_secret_seal(harness->secret, TENANT_STRIPE_SECRET_PURPOSE, SLICE(HARNESS_WEBHOOK_SECRET), &harness->sealed_stripe);
    tenant_secret_seal(harness->secret, TENANT_PADDLE_SECRET_PURPOSE, SLICE(HARNESS_WEBHOOK_SECRET), &harness->sealed_paddle);
    harness->webhook = (struct tenant_webhook){.key = harness->key,
                                               .stripe_secret_sealed = buffer_slice(&harness->sealed_stripe),
                                               .paddle_secret_sealed = buffer_slice(&harness->sealed_paddle)};
    ASSERT(geo_open(SLICE_EMPTY, &harness->geo, NULL) == ERROR_NONE);
    harness_reset(harness);
}

void harness_destroy(struct harness *harness)
{
    if (harness->rows.state) harness->domain->state->destroy(harness->rows.state);
    for (size_t i = 0; i < harness->rows.block_count; i++) block_destroy(harness->rows.blocks[i]);
    free(harness->rows.blocks);
    json_parser_destroy(harness->json);
    arena_destroy(harness->arena);
    geo_close(harness->geo);
    buffer_free(&harness->padded);
    buffer_free(&harness->body);
    buffer_free(&harness->sealed_stripe);
    buffer_free(&harness->sealed_paddle);
}

void harness_reset(struct harness *harness)
{
    for (size_t i = 0; i < harness->rows.block_count; i++) block_reset(harness->rows.blocks[i]);
    arena_reset(harness->arena);
    harness->request = (struct request){.arena = harness->arena, .method = METHOD_POST, .headers = harness->headers,
                                        .path = SLICE_EMPTY, .query = SLICE_EMPTY, .peer = SLICE("203.0.113.9"),
                                        .received_ms = HARNESS_NOW_MS, .body_fd = -1, .id = 42};
}

void harness_header(struct harness *harness, const char *name, const char *value)
{
    ASSERT(harness->request.header_count < HARNESS_HEADER_LIMIT);
    harness->headers[harness->request.header_count++] =
        (struct request_header){slice_from_string(name), slice_from_string(value)};
}

static const struct domain_route *harness_route(const struct harness *harness, const char *path)
{
    for (size_t i = 0; i < harness->domain->route_count; i++)
        if (harness->domain->routes[i].is_webhook ? slice_starts_with(slice_from_string(path), domain_route_prefix(&harness->domain->routes[i]))
                                                  : strcmp(harness->domain->routes[i].path, path) == 0)
            return &harness->domain->routes[i];
    return NULL;
}

static size_t harness_all_rows(const struct harness *harness)
{
    size_t rows = 0;
    for (size_t i = 0; i < harness->rows.block_count; i++) rows += harness_row_count(harness, i);
    return rows;
}

bool harness_post(struct harness *harness, const char *path, const char *query, struct slice body)
{
    const struct domain_route *route = harness_route(harness, path);
    if (!route) return false;
    buffer_clear(&harness->padded);
    buffer_append_slice(&harness->padded, body);
    buffer_append_zeros(&harness->padded, JSON_PADDING);
    buffer_clear(&harness->body);
    harness->request.path = slice_from_string(path);
    harness->request.query = slice_from_string(query);
    harness->request.body = slice_first(buffer_slice(&harness->padded), body.size);
    harness->error = (struct error){0};
    harness->output = (struct domain_output){.rows = &harness->rows, .status = 200, .content_type = "application/json",
                                             .body = &harness->body};
    struct domain_input input = {.request = &harness->request,
                                 .key = &harness->key,
                                 .webhook = route->is_webhook ? &harness->webhook : NULL,
                                 .do_not_track = domain_do_not_track(&harness->key, &harness->request),
                                 .client_address = harness->request.peer,
                                 .json = harness->json,
                                 .user_agents = harness_user_agents(),
                                 .geo = harness->geo,
                                 .secret = harness->secret,
                                 .state = harness->rows.state};
    size_t rows_before = harness_all_rows(harness);
    struct slice key = route->find_key ? route->find_key(&harness->request) : SLICE("none");
    harness->key.kind = slice_starts_with(key, SLICE(TENANT_SECRET_KEY_PREFIX)) ? TENANT_KEY_SECRET : TENANT_KEY_WRITE;
    enum error_code code = key.size > 0
                               ? route->decode(&input, &harness->output, &harness->error)
                               : error_set(&harness->error, ERROR_UNAUTHENTICATED, "no key was given");
    for (size_t i = 0; code && harness->rows.is_marked && i < harness->rows.block_count; i++) block_rewind(harness->rows.blocks[i]);
    if (input.do_not_track == TENANT_TRACK_DROP)
        for (size_t i = 0; i < harness->rows.block_count; i++) block_reset(harness->rows.blocks[i]);
    harness->status = harness->output.status;
    harness->content_type = harness->output.content_type;
    if (code == ERROR_NONE) return true;
    ASSERT(input.do_not_track == TENANT_TRACK_DROP || harness_all_rows(harness) == rows_before); /* a refused request may not leave rows behind */
    buffer_clear(&harness->body);
    harness->status = error_code_http_status(code);
    harness->content_type = "application/json";
    if (route->refuse)
        harness->content_type = route->refuse(&harness->error, &harness->request, &harness->status, &harness->body);
    else buffer_printf(&harness->body, "(standard error) %s: %s%s%s", error_code_name(code), harness->error.field,
                       harness->error.field[0] ? " " : "", harness->error.message);
    return true;
}

size_t harness_row_count(const struct harness *harness, size_t table) { return harness->rows.blocks[table]->rows; }

static bool is_default(const struct native_value *value)
{
    static const struct uuid zero;
    if (value->is_null) return true;
    switch (value->kind) {
    case BLOCK_STRING: return value->s.size == 0;
    case BLOCK_FIXED_STRING:
        for (size_t i = 0; i < value->s.size; i++)
            if (value->s.data[i]) return false;
        return true;
    case BLOCK_UUID: return memcmp(&value->uuid, &zero, sizeof zero) == 0;
    case BLOCK_FLOAT32:
    case BLOCK_FLOAT64: return value->d == 0;
    case BLOCK_ARRAY:
    case BLOCK_MAP: return value->array.count == 0;
    default: return value->u == 0;
    }
}

static void write_hexadecimal(struct json_writer *writer, struct slice bytes)
{
    struct buffer text = {0};
    for (size_t i = 0; i < bytes.size; i++) buffer_printf(&text, "%02x", (unsigned char)bytes.data[i]);
    json_writer_string(writer, buffer_slice(&text));
    buffer_free(&text);
}

#define HARNESS_MILLISECONDS_LIMIT INT64_C(100000000000000) /* the year 5138: larger ones are nanoseconds, written as they are */
static void write_value(struct json_writer *writer, const struct native_value *value)
{
    char text[UUID_TEXT_SIZE];
    switch (value->kind) {
    case BLOCK_STRING: json_writer_string(writer, value->s); break;
    case BLOCK_UUID:
        uuid_format(&value->uuid, text);
        json_writer_string(writer, text[14] == '7' ? SLICE("new") : slice_make(text, sizeof text));
        break;
    case BLOCK_FLOAT32:
    case BLOCK_FLOAT64: json_writer_double(writer, value->d); break;
    case BLOCK_FIXED_STRING: write_hexadecimal(writer, value->s); break;
    case BLOCK_DATETIME64:
        if (value->i > HARNESS_MILLISECONDS_LIMIT) {
            json_writer_int(writer, value->i);
            break;
        }
        time_format_ms(value->i, text);
        json_writer_string(writer, slice_make(text, TIME_TEXT_SIZE));
        break;
    case BLOCK_ARRAY:
        json_writer_array_begin(writer);
        for (size_t i = 0; i < value->array.count; i++) write_value(writer, &value->array.items[i]);
        json_writer_array_end(writer);
        break;
    case BLOCK_MAP:
        json_writer_object_begin(writer);
        for (size_t i = 0; i < value->array.count; i += 2) {
            json_writer_key_slice(writer, value->array.items[i].s);
            write_value(writer, &value->array.items[i + 1]);
        }
        json_writer_object_end(writer);
        break;
    default: json_writer_int(writer, value->i); break;
    }
}

void harness_write_rows(struct harness *harness, size_t table, struct buffer *out)
{
    struct buffer native = {0};
    struct arena *arena = arena_create(0);
    struct native_block block;
    struct error error;
    ASSERT(block_seal(harness->rows.blocks[table], &error) == ERROR_NONE);
    block_write_native(harness->rows.blocks[table], NULL, 0, &native);
    struct slice bytes = buffer_slice(&native);
    ASSERT(arena && !native.failed && native_reader_next(&bytes, arena, &block, &error) == ERROR_NONE);
    for (size_t row = 0; row < block.rows; row++) {
        struct json_writer writer = {.out = out};
        json_writer_object_begin(&writer);
        for (size_t column = 0; column < block.column_count; column++) {
            const struct native_value *value = &block.columns[column].values[row];
            if (is_default(value)) continue;
            json_writer_key_slice(&writer, block.columns[column].name);
            write_value(&writer, value);
        }
        json_writer_object_end(&writer);
        buffer_append_byte(out, '\n');
    }
    arena_destroy(arena);
    buffer_free(&native);
}
