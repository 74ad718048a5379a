/* SPDX-License-Identifier: Apache-2.0 */
/* One person's rows in the event store: given out, or removed, from every table of every domain. */
#ifndef SERVER_PERSON_H
#define SERVER_PERSON_H

#include "control/purge.h"
#include "ingest/states.h"
#include "server/settings.h"
#include "store/store.h"

/*
 * Model: a person is a profile (with its aliases) or a device. What belongs to a profile: the rows that name it; the rows
 * without a profile of devices that it was seen on; and the rows that only name a session of those. To a device: the
 * rows that name it, and those that only name a session of it. Which tables have such columns is read from the event store, so a new
 * table needs nothing here.
 *
 * Counts and sketches of distinct people (dau, daily_pageviews, ...) stay: nobody can be found in them. Property values
 * that only this person sent are removed from event_property_values.
 */
#define PERSON_NAME_LIMIT_BYTES 256
#define PERSON_IDS_LIMIT 10000 /* profiles, devices, and sessions of one person: they become part of statements */

struct person {
    char tenant_id[37];
    bool is_device;
    char name[PERSON_NAME_LIMIT_BYTES + 1];
};
struct person_store {
    const struct settings *settings;
    struct store_session *session;
    struct ingest_states *states; /* of this process, when it is the server; they forget whom it erases */
    atomic_bool *cancelled; /* may be NULL; when it turns true the work ends where it is */
};
/* Waits until rows that were accepted before this call are in the tables (ERROR_TIMEOUT). Reads the spool's folder. */
enum error_code person_wait_for_spool(const struct person_store *store, int64_t timeout_ms, struct error *error) MUST_CHECK;
/* Before an erasure by a process that is not the server, after the above: a server keeps visits under way in memory and
 * writes their rows a little later (analytics.session_flush); one written after the erasure would bring the person back.
 * Waits for that, and for the spool. */
enum error_code person_wait_for_visits(const struct person_store *store, int64_t timeout_ms, struct error *error) MUST_CHECK;
/* One line of JSON per row: {"table":"analytics.events","row":{..}}. `received` returns false to give up. */
enum error_code person_export(const struct person_store *store, const struct person *person,
                              bool (*received)(void *context, struct slice bytes), void *context, struct error *error) MUST_CHECK;
/* As mutations that are waited for. Harmless when done again. ERROR_TOO_LARGE beyond PERSON_IDS_LIMIT. */
enum error_code person_erase(const struct person_store *store, const struct person *person,
                             struct control_purge_report *report, struct error *error) MUST_CHECK;
/* The same, and writes the audit event person.erased in the name of `call`, without the person's name. */
enum error_code person_erase_audited(const struct person_store *store, const struct person *person,
                                     const struct control_call *call, const char *organization_id,
                                     struct control_purge_report *report, struct error *error) MUST_CHECK;
/* {"erased":true,"rows":{table: rows}} */
void person_report_write(const struct control_purge_report *report, struct buffer *out);

#endif
