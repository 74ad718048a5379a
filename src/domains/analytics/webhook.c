/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of payment services: checking who signed, and the row of a payment. */
#include "domains/analytics/webhook.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/json_writer.h"
#include "domains/analytics/report.h"
#include "tenant/secret.h"

#define WEBHOOK_DIGEST_SIZE 32
#define WEBHOOK_AMOUNT_LIMIT INT64_C(100000000000000) /* minor units: the column's limit with two decimals is below it */
#define WEBHOOK_METADATA_LIMIT_BYTES 32768            /* of the column; half an object would be none */

/* ---- signatures ---- */

static bool webhook_digest(const struct webhook_service *service, struct slice secret, struct slice time, struct slice body,
                           char out[2 * WEBHOOK_DIGEST_SIZE])
{
    unsigned char digest[WEBHOOK_DIGEST_SIZE];
    struct buffer text = {0};
    buffer_append_slice(&text, time);
    buffer_append_byte(&text, (uint8_t)service->body_separator);
    buffer_append_slice(&text, body);
    bool made = !text.failed && HMAC(EVP_sha256(), secret.data, (int)secret.size,
                                     (const unsigned char *)buffer_slice(&text).data, text.size, digest, NULL);
    buffer_free(&text);
    if (made) privacy_hex(digest, sizeof digest, out);
    return made;
}

static enum error_code webhook_check_header(const struct domain_input *input, const struct webhook_service *service,
                                            struct slice header, struct slice secret, struct error *error)
{
    struct slice time = SLICE_EMPTY, rest = header;
    uint64_t seconds = 0;
    bool has_signature = false, fits = false;
    while (rest.size) {
        struct slice value = slice_cut(&rest, service->field_separator), name = slice_trim(slice_cut(&value, '='));
        if (slice_equal(name, slice_from_string(service->time_field))) time = slice_trim(value);
        has_signature |= slice_equal(name, slice_from_string(service->signature_field));
    }
    if (!has_signature || !slice_parse_uint64(time, &seconds))
        return error_set_field(error, ERROR_INVALID, service->header, "%s holds no signature", service->header);
    char digest[2 * WEBHOOK_DIGEST_SIZE];
    if (!webhook_digest(service, secret, time, input->request->body, digest))
        return error_set(error, ERROR_MEMORY, "out of memory for a signature");
    for (rest = header; rest.size;) {
        struct slice value = slice_cut(&rest, service->field_separator), name = slice_trim(slice_cut(&value, '='));
        if (slice_equal(name, slice_from_string(service->signature_field)))
            fits |= tenant_secret_equal(slice_trim(value), slice_make(digest, sizeof digest));
    }
    if (!fits) return error_set(error, ERROR_UNAUTHENTICATED, "the signature does not fit");
    int64_t now = input->request->received_ms / 1000;
    bool is_near = seconds <= INT64_MAX / 2 && llabs(now - (int64_t)seconds) <= ANALYTICS_WEBHOOK_AGE_S;
    return is_near ? ERROR_NONE
                   : error_set(error, ERROR_UNAUTHENTICATED, "the signature is more than %d seconds away from now",
                               ANALYTICS_WEBHOOK_AGE_S);
}

enum error_code webhook_check(const struct domain_input *input, const struct webhook_service *service,
                              struct slice sealed_secret, struct error *error)
{
    struct slice header = request_header_get(input->request, service->header);
    if (sealed_secret.size == 0)
        return error_set(error, ERROR_NOT_FOUND, "no secret of %s is set for this address", service->name);
    if (header.size == 0) return error_set_field(error, ERROR_INVALID, service->header, "%s is missing", service->header);
    struct buffer secret = {0};
    enum error_code code = tenant_secret_open(input->secret, service->purpose, sealed_secret, &secret, error);
    if (code == ERROR_NONE) code = webhook_check_header(input, service, header, buffer_slice(&secret), error);
    if (secret.size) OPENSSL_cleanse(secret.data, secret.size);
    buffer_free(&secret);
    return code;
}

/* ---- amounts ---- */

/* How many of the smallest unit make one: 100 but for these. */
static int64_t webhook_units(const char currency[4])
{
    static const struct { const char *currencies; int64_t units; } others[] = {
        {"BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF", 1},
        {"BHD JOD KWD OMR TND", 1000},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct slice rest = slice_from_string(others[i].currencies);
        while (rest.size)
            if (slice_equal(slice_cut(&rest, ' '), slice_make(currency, 3))) return others[i].units;
    }
    return 100;
}

static bool webhook_currency(struct slice text, char out[4])
{
    if (text.size != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        out[i] = text.data[i] >= 'a' && text.data[i] <= 'z' ? (char)(text.data[i] - 'a' + 'A') : text.data[i];
        if (out[i] < 'A' || out[i] > 'Z') return false;
    }
    out[3] = 0;
    return true;
}

bool webhook_integer(struct json_value object, const char *name, int64_t *ret_number)
{
    struct json_value value;
    uint64_t number;
    if (!dialect_get(object, name, &value)) return false;
    if (json_value_type(value) == JSON_INT) {
        *ret_number = json_value_int(value);
    } else if (json_value_type(value) == JSON_STRING) {
        if (!slice_parse_uint64(json_value_string(value), &number) || number > (uint64_t)WEBHOOK_AMOUNT_LIMIT) return false;
        *ret_number = (int64_t)number;
    } else {
        return false;
    }
    return *ret_number >= -WEBHOOK_AMOUNT_LIMIT && *ret_number <= WEBHOOK_AMOUNT_LIMIT;
}

/* ---- the row ---- */

enum error_code webhook_bad_payload(struct error *error, const char *field)
{
    return error_set_field(error, ERROR_INVALID, field, "the report has no usable %s", field);
}

void webhook_answer(struct domain_output *output, struct slice event_type)
{
    struct json_writer writer = {.out = output->body};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "received");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "type");
    json_writer_string(&writer, event_type);
    json_writer_object_end(&writer);
    output->status = 200;
    output->content_type = "application/json";
}

static void webhook_put_row(const struct domain_input *input, const struct webhook_payment *payment,
                            const struct analytics_context *context, struct analytics_row *row, const char *currency)
{
    int64_t amount = payment->minor * (ANALYTICS_ROW_DECIMAL_SCALE / webhook_units(currency));
    const struct { size_t column; struct slice text; } texts[] = {
        {REVENUE_PROVIDER, slice_from_string(payment->service->name)}, {REVENUE_TRANSACTION_ID, payment->transaction_id},
        {REVENUE_TYPE, slice_from_string(payment->type)}, {REVENUE_STATUS, slice_from_string(payment->status)},
        {REVENUE_CURRENCY, slice_from_string(currency)}, {REVENUE_ORIGINAL_CURRENCY, slice_from_string(currency)},
        {REVENUE_WEBSITE_ID, payment->website_id}, {REVENUE_SESSION_ID, payment->session_id},
        {REVENUE_PROFILE_ID, payment->profile_id}, {REVENUE_CUSTOMER_ID, payment->customer_id},
        {REVENUE_PRODUCT_ID, payment->product_id}, {REVENUE_PRODUCT_NAME, payment->product_name},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text.size) analytics_row_put_text(row, texts[i].column, texts[i].text);
    analytics_row_put_integer(row, REVENUE_CREATED, payment->created_ms);
    analytics_row_put_integer(row, REVENUE_SYNCED_AT, payment->reported_ms);
    analytics_row_put_integer(row, REVENUE_AMOUNT, amount);
    analytics_row_put_integer(row, REVENUE_ORIGINAL_AMOUNT, amount);
    if (payment->visitor_id.size) {
        char hash[PRIVACY_ID_HASH_SIZE];
        struct privacy_salt salt = privacy_salt_of_day(input->secret, "analytics visitor", context->received_ms);
        privacy_hash_id(payment->visitor_id, &salt, hash);
        analytics_row_put_text(row, REVENUE_DEVICE_ID, slice_make(hash, sizeof hash));
    }
    struct buffer metadata = {0};
    if (payment->has_metadata) json_value_write(payment->metadata, &metadata);
    bool usable = payment->has_metadata && !metadata.failed && metadata.size <= WEBHOOK_METADATA_LIMIT_BYTES;
    analytics_row_put_text(row, REVENUE_METADATA, usable ? buffer_slice(&metadata) : SLICE("{}"));
    buffer_free(&metadata);
}

enum error_code webhook_store(const struct domain_input *input, struct domain_output *output,
                              const struct webhook_payment *payment, struct error *error)
{
    char currency[4];
    if (payment->event_id.size == 0) return webhook_bad_payload(error, "event id");
    if (payment->transaction_id.size == 0) return webhook_bad_payload(error, "id");
    if (!webhook_currency(payment->currency, currency)) return webhook_bad_payload(error, "currency");
    struct analytics_context context = dialect_context(input);
    struct uuid id = analytics_derived_id(context.tenant, payment->service->name, payment->event_id);
    webhook_answer(output, payment->event_type);
    if (domain_rows_seen_before(output->rows, &id)) {
        output->duplicates++;
        return ERROR_NONE;
    }
    struct analytics_row row;
    analytics_row_begin(&row, output->rows, ANALYTICS_TABLE_REVENUE, &context);
    analytics_row_put_id(&row, REVENUE_ID, id);
    webhook_put_row(input, payment, &context, &row, currency);
    analytics_row_commit(&row);
    output->accepted++;
    return ERROR_NONE;
}
