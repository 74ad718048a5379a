/* SPDX-License-Identifier: Apache-2.0 */
/* An erasure with its audit event, and how it is told. */
#include "base/uuid.h"
#include "control/audit.h"
#include "server/person.h"

/* The audit must not keep whom it was told to forget: a name by which only who knows the person finds the event. */
static enum error_code person_write_audit(const struct person *person, const struct control_call *call,
                                          const char *organization_id, const struct control_purge_report *report,
                                          struct error *error)
{
    char text[UUID_TEXT_SIZE];
    struct uuid id = uuid_from_name(slice_from_string(person->tenant_id), slice_from_string(person->name));
    struct meta_session *session = NULL;
    struct buffer metadata = {0};
    struct json_writer writer = {.out = &metadata};
    uuid_format(&id, text);
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "rows");
    control_purge_report_write(report, &writer);
    json_writer_object_end(&writer);
    const struct control_audit_event event = {
        .action = "person.erased", .resource_type = "person", .resource_id = slice_make(text, sizeof text),
        .metadata = buffer_slice(&metadata), .organization_id = organization_id, .tenant_id = person->tenant_id};
    enum error_code code = meta_session_begin(call->control->core, 0, &session, error);
    if (!code) code = meta_begin(session, error);
    if (!code) code = control_audit_write(call, session, &event, error);
    if (!code) code = meta_commit(session, error);
    if (session) meta_session_end(session);
    buffer_free(&metadata);
    return code;
}

enum error_code person_erase_audited(const struct person_store *store, const struct person *person,
                                     const struct control_call *call, const char *organization_id,
                                     struct control_purge_report *report, struct error *error)
{
    enum error_code code = person_erase(store, person, report, error);
    return code ? code : person_write_audit(person, call, organization_id, report, error);
}

void person_report_write(const struct control_purge_report *report, struct buffer *out)
{
    struct json_writer writer = {.out = out};
    json_writer_object_begin(&writer);
    json_writer_key(&writer, "erased");
    json_writer_bool(&writer, true);
    json_writer_key(&writer, "rows");
    control_purge_report_write(report, &writer);
    json_writer_object_end(&writer);
}
