/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP messages as tables of fields, read from protobuf and from JSON into the same flat structs. */
#ifndef DOMAINS_OBSERVABILITY_OTLP_MESSAGE_H
#define DOMAINS_OBSERVABILITY_OTLP_MESSAGE_H

#include "domains/observability/observability.h"
#include "domains/observability/otlp/otlp.h"

/*
 * Model: a message is a table of fields: number (protobuf), name (JSON), kind, and where its value goes in the one struct of
 * the request (struct otlp_traces, ..). A message of which there are many (resource, scope, span, event) has one place in that
 * struct: it is cleared, filled, and its `end` function takes it from there: a span becomes a row at once, without a tree and
 * without an allocation. Values point into the request's body (protobuf) or the parser (JSON).
 * Unknown fields are skipped; of a singular field the last one stands; repeated scalars may be packed or not.
 * Source: opentelemetry-proto, opentelemetry/proto/{common,resource,trace,logs,metrics}/v1; JSON: the OTLP specification.
 */
enum otlp_kind {
    OTLP_UNKNOWN,     /* a number the table does not have */
    OTLP_TEXT,        /* struct slice: string */
    OTLP_ID,          /* struct slice: bytes; in JSON hexadecimal of any case */
    OTLP_UINT32,      /* uint32_t: uint32, enum; varint or fixed32 */
    OTLP_FIXED64,     /* uint64_t: fixed64, uint64; in JSON a decimal string or a number */
    OTLP_SFIXED64,    /* int64_t: sfixed64; in JSON the same */
    OTLP_SINT32,      /* int32_t: zigzag */
    OTLP_DOUBLE,      /* double; in JSON also "NaN", "Infinity", "-Infinity" */
    OTLP_BOOLEAN,     /* bool */
    OTLP_VALUE,       /* struct otlp_value: AnyValue */
    OTLP_ATTRIBUTES,  /* struct otlp_attributes: repeated KeyValue, appended */
    OTLP_FIXED64S,    /* struct otlp_numbers: repeated fixed64 */
    OTLP_DOUBLES,     /* struct otlp_numbers: repeated double, as bits */
    OTLP_VARINTS,     /* struct otlp_numbers: repeated uint64 */
    OTLP_MESSAGE,     /* another table's place: one that has an `end` is a child, cleared, filled and taken; else a part of this one */
    OTLP_OPTIONAL = 64, /* added to a kind: the bool at otlp_field.flag says that it was sent */
};
struct otlp_message;
struct otlp_field {
    const char *name;
    unsigned kind;
    size_t offset;                      /* in the request's struct; of MESSAGE not used */
    const struct otlp_message *message; /* MESSAGE */
    size_t flag;                        /* OPTIONAL: where the bool is */
    size_t other_flag;                  /* of a oneof's other field, whose place this one takes; 0: of none */
};
struct otlp_decoder;
struct otlp_message {
    const char *name;
    const struct otlp_field *fields;    /* by number: fields[1] is number 1 */
    size_t field_count;                 /* the largest number and one */
    bool is_single;                     /* a child of which there is one: in JSON an object, where the others are arrays of objects */
    bool children_last;                 /* they need all of what stands beside them, wherever it stands: a span its resource */
    enum error_code (*begin)(struct otlp_decoder *decoder, struct error *error); /* after its own fields, before its children; may be NULL */
    enum error_code (*end)(struct otlp_decoder *decoder, struct error *error);   /* may be NULL */
};
#define OTLP_FIELDS(array) .fields = array, .field_count = sizeof array / sizeof array[0]
static inline bool otlp_field_is_child(const struct otlp_field *field)
{
    return (field->kind & ~(unsigned)OTLP_OPTIONAL) == OTLP_MESSAGE && (field->message->end || field->message->children_last);
}
/* Notes that an OPTIONAL field was sent. */
static inline void otlp_field_seen(void *root, const struct otlp_field *field)
{
    *((bool *)root + field->flag) = true;
    if (field->other_flag) *((bool *)root + field->other_flag) = false;
}
/* Empties the place of a message and of its parts; lists keep their memory. */
void otlp_message_clear(struct otlp_decoder *decoder, const struct otlp_message *message);

/* What was sent for an AnyValue; the letters of tables.def. */
enum otlp_type { OTLP_EMPTY = 'e', OTLP_STRING = 's', OTLP_INT = 'i', OTLP_REAL = 'd', OTLP_BOOL = 'b', OTLP_BYTES = 'y', OTLP_ARRAY = 'a', OTLP_LIST = 'k' };
struct otlp_value {
    enum otlp_type type;
    bool is_json;
    union {
        struct slice text;       /* STRING; BYTES: as on the wire, in JSON base64; of protobuf ARRAY, LIST: the message */
        int64_t integer;         /* INT, BOOL */
        double real;
        struct json_value json;  /* ARRAY, LIST: the array "values" */
    };
};
struct otlp_attribute { struct slice key; struct otlp_value value; };
struct otlp_attributes { struct otlp_attribute *items; size_t count, capacity; };
struct otlp_numbers { uint64_t *items; size_t count, capacity; };
#define OTLP_ID_BYTES 16 /* of the longest id: a trace's */
#define OTLP_ATTRIBUTE_LIMIT 512 /* of one span, event, point, resource: four times what SDKs send at most; some work grows with its square */
#define OTLP_PART_LIMIT 1024 /* events or links of one span, exemplars or quantiles of one point: eight times what SDKs keep of them */
#define OTLP_BUCKET_LIMIT 2000 /* of one histogram, each side of an exponential one: SDKs make 160, and answers are made of all of them */
#define OTLP_OWN_TEXT_LIMIT_BYTES (4u << 20) /* of one span or log record: a whole message of gRPC, and one row that readers get with others */
#define OTLP_SHARED_TEXT_LIMIT_BYTES (64u << 10) /* of a resource or a scope: it is copied into every row */
#define OTLP_SHARED_LIMIT_BYTES (256u << 20) /* of all such copies of one request: the body's own limit does not bound them */
#define OTLP_DEPTH_LIMIT 32 /* of AnyValue: deeper nesting is an attack on recursion, not telemetry */

/* What every request's struct begins with. */
struct otlp_resource { struct otlp_attributes attributes; uint32_t dropped_attributes_count; };
struct otlp_scope { struct slice name, version; struct otlp_attributes attributes; uint32_t dropped_attributes_count; };
struct otlp_common {
    struct otlp_resource resource;
    struct slice resource_schema_url;
    struct otlp_scope scope;
    struct slice scope_schema_url;
};
struct otlp_decoder {
    const struct domain_input *input;
    struct domain_output *output;
    struct arena *arena;         /* the request's */
    void *root;                  /* the request's struct, begins with struct otlp_common */
    size_t item;                 /* items begun, refused ones included: for messages and the limit */
    struct slice item_name;      /* of the span, of the point's metric: for messages; empty: it has none */
    size_t refused;
    const char *refused_name;    /* of the answer: "rejectedSpans" */
    struct buffer reason;        /* of the first refused items */
    struct slice service_name;   /* of the resource begun */
    struct slice resource_text, scope_text; /* their attributes as JSON */
    const char *resource_refusal, *scope_refusal; /* why no item of this resource or scope can be stored; NULL: they can */
    const char *too_many;        /* why what is being read cannot be stored: what was beyond one of the limits was left out; NULL: nothing */
    size_t own_bytes;            /* of the texts of the row begun, beside those of resource and scope */
    size_t scopes;               /* begun: says whether it is still the same one */
    size_t shared_bytes;         /* of resource and scope, copied into rows so far */
    bool is_too_large;           /* the request, not an item of it: otlp_too_large */
    struct buffer text;          /* scratch for one value */
};
/* protobuf.c, json.c: the whole body as `message`. ERROR_INVALID: not decodable; ERROR_TOO_LARGE; ERROR_MEMORY. */
enum error_code otlp_protobuf_read(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice body, struct error *error) MUST_CHECK;
enum error_code otlp_json_read(struct otlp_decoder *decoder, const struct otlp_message *message, struct slice body, struct error *error) MUST_CHECK;
/* AnyValue and KeyValue alone; false: malformed. */
bool otlp_protobuf_read_value(struct slice bytes, struct otlp_value *value);
bool otlp_protobuf_read_attribute(struct slice bytes, struct otlp_attribute *attribute);
enum error_code otlp_json_read_value(struct json_value json, struct otlp_value *value, struct error *error) MUST_CHECK;
enum error_code otlp_json_read_attribute(struct json_value json, struct otlp_attribute *attribute, struct error *error) MUST_CHECK;
/* Room for one more; false when the arena is full. At the limit the last one's: the item, or resource, is refused later. */
bool otlp_attributes_room(struct otlp_decoder *decoder, struct otlp_attributes *attributes);
/* One more, unless there are OTLP_BUCKET_LIMIT: then the item is refused later. False when the arena is full. */
bool otlp_numbers_add(struct otlp_decoder *decoder, struct otlp_numbers *numbers, uint64_t number);

/* common.c: tables all signals share, and what becomes of their values. */
extern const struct otlp_message otlp_resource_message, otlp_scope_message;
/* `begin` of ResourceSpans and its like: service_name, resource_text. Of ScopeSpans: scope_text. */
enum error_code otlp_resource_begin(struct otlp_decoder *decoder, struct error *error);
enum error_code otlp_scope_begin(struct otlp_decoder *decoder, struct error *error);
/* A value's text, appended (JSON for arrays and objects; text with U+FFFD for what is no UTF-8). ERROR_TOO_LARGE: too deep; ERROR_INVALID: malformed. */
enum error_code otlp_value_write(const struct otlp_value *value, struct buffer *out, struct error *error) MUST_CHECK;
void otlp_bytes_write(const struct otlp_value *value, struct buffer *out);
/* The same as a JSON value: text quoted, numbers as they are. */
enum error_code otlp_value_write_json(const struct otlp_value *value, struct buffer *out, struct error *error) MUST_CHECK;
/* A Map column and its column of letters; in an element of Array(Map) the caller has begun the array. */
enum error_code otlp_attributes_append(struct otlp_decoder *decoder, struct block *block, size_t map_column, const struct otlp_attributes *attributes,
                                       struct error *error) MUST_CHECK;
/* The letters of the attributes, in the decoder's scratch until its next use. */
struct slice otlp_attribute_types(struct otlp_decoder *decoder, const struct otlp_attributes *attributes);
/* A value's text into a String column, or into the values of a Map. */
enum error_code otlp_value_append(struct otlp_decoder *decoder, struct block *block, size_t column, const struct otlp_value *value,
                                  struct error *error) MUST_CHECK;
/* Text from a client into a String column, ill-formed UTF-8 replaced. */
void otlp_text_append(struct otlp_decoder *decoder, struct block *block, size_t column, struct slice text);
/* Resource, scope and service into a row begun. */
struct otlp_common_columns { size_t service_name, resource, resource_schema_url, scope_name, scope_version, scope_attributes, scope_schema_url; };
void otlp_common_append(struct otlp_decoder *decoder, struct block *block, const struct otlp_common_columns *columns);
/* Nanoseconds of the wire for a DateTime64(9) column: what is beyond its range becomes its end. */
static inline int64_t otlp_time(uint64_t unix_nano) { return unix_nano < INT64_MAX ? (int64_t)unix_nano : INT64_MAX; }
/* Why a span or log record of that time cannot be stored, or none of its resource or scope can; NULL: it can. */
const char *otlp_item_refusal(struct otlp_decoder *decoder, enum tenant_signal signal, const char *field, uint64_t unix_nano);
/* Before each row that will hold the texts of resource and scope: ERROR_TOO_LARGE when a request's rows would take too much of them. */
enum error_code otlp_shared_take(struct otlp_decoder *decoder, struct error *error) MUST_CHECK;
/* Commits the row begun and counts it as accepted; or rolls it back when `code` is an error, which it returns, or when its own texts are
 * beyond OTLP_OWN_TEXT_LIMIT_BYTES: ERROR_TOO_LARGE. */
enum error_code otlp_row_end(struct otlp_decoder *decoder, struct block *block, enum error_code code, struct error *error) MUST_CHECK;
/* Refuses the whole request with ERROR_TOO_LARGE, also from within an item: in smaller batches all of it can be stored. */
enum error_code otlp_too_large(struct otlp_decoder *decoder, const char *reason, struct error *error) MUST_CHECK;
#define OTLP_NO_MEMORY "the request needs more memory than one may use; send smaller batches"
/* What is nested too deep or too long (ERROR_TOO_LARGE, but for otlp_too_large) refuses its item, not the request: counts that and returns ERROR_NONE;
 * passes on other errors. */
enum error_code otlp_item_end(struct otlp_decoder *decoder, const char *item, enum error_code code, struct error *error) MUST_CHECK;
/* Counts one item as refused and keeps the reason of the first ones: "span 17: trace_id must be 16 bytes, not all zero (named "GET /")". */
void otlp_refuse_item(struct otlp_decoder *decoder, const char *item, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Bytes of that size, not all zero. */
bool otlp_id_is_valid(struct slice id, size_t size);
/* Counts an item begun; ERROR_TOO_LARGE beyond OBSERVABILITY_ITEM_LIMIT. */
enum error_code otlp_item_begin(struct otlp_decoder *decoder, struct error *error) MUST_CHECK;

/* traces.c, logs.c, metrics.c */
extern const struct otlp_message otlp_metrics_message;
/* After the body was read, whatever came of it. */
void otlp_metrics_finish(struct otlp_decoder *decoder, bool is_refused);
extern const struct otlp_message otlp_traces_message, otlp_logs_message;
#define OTLP_ROOT_BYTES 4096 /* no request's struct is larger */

/* answer.c: Export*ServiceResponse and google.rpc.Status, in the request's type. */
/* By the request's Content-Type. */
bool otlp_is_json(const struct request *request);
void otlp_answer_write(struct otlp_decoder *decoder);

#endif
