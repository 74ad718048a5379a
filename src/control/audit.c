/* SPDX-License-Identifier: Apache-2.0 */
/* The text of audit events, their chain of hashes, and the outbox they wait in. */
#include "control/audit.h"

#include <openssl/evp.h>

#include "base/json_writer.h"
#include "base/time.h"

static const char *const audit_results[CONTROL_AUDIT_RESULT_COUNT] = {"success", "failure", "error"};
static const char *const audit_actors[] = {
    [CONTROL_ACTOR_NOBODY] = "nobody", [CONTROL_ACTOR_USER] = "user",     [CONTROL_ACTOR_KEY] = "key",
    [CONTROL_ACTOR_COMMAND] = "command", [CONTROL_ACTOR_SYSTEM] = "system",
};

const char *control_audit_result_name(enum control_audit_result result) { return audit_results[result]; }
const char *control_actor_kind_name(enum control_actor_kind kind) { return audit_actors[kind]; }

/* The text members of the canonical text, in its order, after id, timestamp and sequence. */
static const struct audit_member {
    const char *name;
    size_t offset;
} audit_members[] = {
#define MEMBER(name) {#name, offsetof(struct control_audit_record, name)}
    MEMBER(organization_id), MEMBER(tenant_id),     MEMBER(user_id),     MEMBER(actor_kind), MEMBER(actor_id),
    MEMBER(session_id),      MEMBER(action),        MEMBER(resource_type), MEMBER(resource_id), MEMBER(ip_address),
    MEMBER(user_agent),      MEMBER(result),        MEMBER(metadata),
#undef MEMBER
};
#define AUDIT_MEMBER_COUNT (sizeof audit_members / sizeof audit_members[0])

static struct slice *audit_member_of(struct control_audit_record *record, const struct audit_member *member)
{
    return (struct slice *)((char *)record + member->offset);
}

static void audit_write_text(struct json_writer *writer, const char *name, struct slice value)
{
    json_writer_key(writer, name);
    json_writer_string(writer, value);
}

/* Leaves the object open. */
static void audit_write_canonical(const struct control_audit_record *record, struct json_writer *writer)
{
    struct control_audit_record copy = *record;
    char time[TIME_TEXT_SIZE];
    time_format_ms(record->time_ms, time);
    json_writer_object_begin(writer);
    audit_write_text(writer, "id", record->id);
    audit_write_text(writer, "timestamp", slice_make(time, sizeof time));
    json_writer_key(writer, "sequence");
    json_writer_int(writer, record->sequence);
    for (size_t i = 0; i < AUDIT_MEMBER_COUNT; i++)
        audit_write_text(writer, audit_members[i].name, *audit_member_of(&copy, &audit_members[i]));
}

enum error_code control_audit_hash(const struct control_audit_record *record, char out[CONTROL_AUDIT_HASH_SIZE + 1],
                                   struct error *error)
{
    struct buffer text = {0};
    buffer_append_slice(&text, record->previous_hash);
    struct json_writer writer = {.out = &text};
    audit_write_canonical(record, &writer);
    json_writer_object_end(&writer);
    unsigned char digest[32];
    bool done = !text.failed && EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL) == 1;
    buffer_free(&text);
    if (!done) return error_set(error, ERROR_MEMORY, "out of memory hashing an audit event");
    for (size_t i = 0; i < sizeof digest; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return ERROR_NONE;
}

void control_audit_record_write(const struct control_audit_record *record, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    audit_write_canonical(record, &writer);
    audit_write_text(&writer, "previous_hash", record->previous_hash);
    audit_write_text(&writer, "hash", record->hash);
    json_writer_object_end(&writer);
}

static bool audit_read_text(struct json_value object, const char *name, struct slice *value)
{
    struct json_value found;
    if (!json_object_get(object, slice_from_string(name), &found) || json_value_type(found) != JSON_STRING) return false;
    *value = json_value_string(found);
    return true;
}

enum error_code control_audit_record_read(struct json_parser *parser, struct slice padded,
                                          struct control_audit_record *record, struct error *error)
{
    struct json_value root, sequence;
    struct slice time;
    *record = (struct control_audit_record){0};
    bool is_whole = json_parse(parser, padded, &root, error) == ERROR_NONE && json_value_type(root) == JSON_OBJECT &&
                    audit_read_text(root, "id", &record->id) && audit_read_text(root, "timestamp", &time) &&
                    time_parse_iso8601(time, &record->time_ms) && json_object_get(root, SLICE("sequence"), &sequence) &&
                    json_value_type(sequence) == JSON_INT;
    for (size_t i = 0; i < AUDIT_MEMBER_COUNT && is_whole; i++)
        is_whole = audit_read_text(root, audit_members[i].name, audit_member_of(record, &audit_members[i]));
    if (!is_whole || !audit_read_text(root, "previous_hash", &record->previous_hash) ||
        !audit_read_text(root, "hash", &record->hash))
        return error_set(error, ERROR_CORRUPT, "a text in audit_outbox is not an audit event");
    record->sequence = json_value_int(sequence);
    return ERROR_NONE;
}

/* ---- writing ---- */

/* At most `limit` bytes, without a letter cut in two. Zero bytes end the text: no database takes them. */
static struct slice audit_cut(struct slice text, size_t limit)
{
    ptrdiff_t zero = slice_index_of(text, 0);
    if (zero >= 0) text.size = (size_t)zero;
    if (text.size <= limit) return text;
    while (limit > 0 && ((unsigned char)text.data[limit] & 0xC0) == 0x80) limit--;
    return slice_first(text, limit);
}

/* Broken UTF-8 is mended before it is hashed, as the writer of JSON would do it, so that what is read back hashes alike. */
static struct slice audit_clean(struct arena *arena, struct slice text, size_t limit)
{
    text = audit_cut(text, limit);
    if (slice_is_utf8(text)) return text;
    char *clean = arena_allocate(arena, text.size + 1);
    if (!clean) return SLICE_EMPTY;
    for (size_t i = 0; i < text.size; i++) clean[i] = (unsigned char)text.data[i] < 0x80 ? text.data[i] : '?';
    return slice_make(clean, text.size);
}

struct audit_link {
    int64_t sequence;
    char hash[CONTROL_AUDIT_HASH_SIZE + 1];
    bool found;
};

static enum error_code audit_take_link(void *context, const struct meta_row *row, struct error *error)
{
    struct audit_link *link = context;
    link->found = true;
    link->sequence = meta_row_integer(row, 0);
    return META_ROW_COPY(row, 1, link->hash, error);
}

static struct slice audit_choose(const char *chosen, const char *otherwise)
{
    return slice_from_string(chosen ? chosen : otherwise);
}

static enum error_code audit_insert(const struct control_call *call, struct meta_session *session,
                                    struct control_audit_record *record, struct error *error)
{
    char hash[CONTROL_AUDIT_HASH_SIZE + 1];
    enum error_code code = control_audit_hash(record, hash, error);
    if (code) return code;
    record->hash = slice_make(hash, CONTROL_AUDIT_HASH_SIZE);
    struct buffer text = {0};
    control_audit_record_write(record, &text);
    if (text.failed) {
        buffer_free(&text);
        return error_set(error, ERROR_MEMORY, "out of memory writing an audit event");
    }
    code = meta_execute(session,
                        "insert into audit_outbox (sequence, event_id, event, created_at) values ($1, $2, $3, $4)",
                        META_PARAMETERS(meta_integer(record->sequence), meta_text(record->id),
                                        meta_text(buffer_slice(&text)), meta_integer(call->now_ms)),
                        NULL, error);
    buffer_free(&text);
    if (!code)
        code = meta_execute(session, "update audit_chain set hash = $1 where id = 1",
                            META_PARAMETERS(meta_text(record->hash)), NULL, error);
    return code;
}

enum error_code control_audit_write(const struct control_call *call, struct meta_session *session,
                                    const struct control_audit_event *event, struct error *error)
{
    ASSERT(event->action && event->resource_type && event->result < CONTROL_AUDIT_RESULT_COUNT);
    const struct control_actor *actor = &call->actor;
    struct audit_link link = {0};
    /* The row is locked from here to the end of the transaction: events of one database are numbered as they commit. */
    enum error_code code =
        meta_query(session, "update audit_chain set sequence = sequence + 1 where id = 1 returning sequence, hash", NULL,
                   0, audit_take_link, &link, error);
    if (code) return code;
    if (!link.found) return error_set(error, ERROR_CORRUPT, "the table audit_chain has lost its row");

    char id[37];
    control_id_make(call->now_ms, id);
    struct slice metadata = event->metadata.size ? event->metadata : SLICE("{}");
    if (metadata.size > CONTROL_AUDIT_METADATA_LIMIT)
        metadata = arena_printf(call->arena, "{\"left_out\":\"metadata of %zu bytes\"}", metadata.size);
    struct control_audit_record record = {
        .id = slice_from_string(id),
        .time_ms = call->now_ms,
        .sequence = link.sequence,
        .organization_id = audit_choose(event->organization_id, call->organization_id),
        .tenant_id = audit_choose(event->tenant_id, call->tenant_id),
        .user_id = audit_choose(event->user_id, actor->kind == CONTROL_ACTOR_USER ? actor->id : ""),
        .actor_kind = slice_from_string(control_actor_kind_name(actor->kind)),
        .actor_id = slice_from_string(actor->id),
        .session_id = slice_from_string(actor->session_id),
        .action = slice_from_string(event->action),
        .resource_type = slice_from_string(event->resource_type),
        .resource_id = audit_clean(call->arena, event->resource_id, CONTROL_AUDIT_RESOURCE_LIMIT),
        .ip_address = audit_clean(call->arena, actor->ip_address, CONTROL_AUDIT_ADDRESS_LIMIT),
        .user_agent = audit_clean(call->arena, actor->user_agent, CONTROL_AUDIT_USER_AGENT_LIMIT),
        .result = slice_from_string(control_audit_result_name(event->result)),
        .metadata = audit_clean(call->arena, metadata, CONTROL_AUDIT_METADATA_LIMIT),
        .previous_hash = slice_from_string(link.hash),
    };
    if (arena_failed(call->arena)) return error_set(error, ERROR_MEMORY, "out of memory writing an audit event");
    return audit_insert(call, session, &record, error);
}
