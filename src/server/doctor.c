/* SPDX-License-Identifier: Apache-2.0 */
/* Runs all checks over one installation. */
#include "server/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "meta/migrate_meta.h"
#include "os/file.h"
#include "server/places.h"

const char *doctor_level_name(enum doctor_level level)
{
    static const char *const names[] = {"OK", "WARN", "FAIL"};
    return names[level];
}

void doctor_say(struct doctor_finding *finding, enum doctor_level level, const char *format, ...)
{
    va_list arguments;
    finding->level = level;
    va_start(arguments, format);
    vsnprintf(finding->message, sizeof finding->message, format, arguments);
    va_end(arguments);
}

void doctor_advise(struct doctor_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->advice, sizeof finding->advice, format, arguments);
    va_end(arguments);
}

static struct doctor_finding *doctor_add(struct doctor_report *report, const char *check)
{
    ASSERT(report->count < DOCTOR_FINDING_LIMIT);
    struct doctor_finding *finding = &report->findings[report->count++];
    *finding = (struct doctor_finding){.check = check};
    return finding;
}

struct doctor_migrations {
    unsigned pending, edited, unknown;
};

static void doctor_count_migration(void *context, const struct migrate_status_line *line)
{
    struct doctor_migrations *counts = context;
    if (line->state == MIGRATE_PENDING) counts->pending++;
    if (line->state == MIGRATE_EDITED) counts->edited++;
    if (line->state == MIGRATE_UNKNOWN) counts->unknown++;
}

static enum error_code doctor_count_migrations(struct meta_database *database, const struct meta_service *service,
                                               struct doctor_migrations *counts, struct error *error)
{
    struct migration *migrations = NULL;
    size_t count = 0;
    struct migrate_meta target;
    migrate_meta_init(&target, database, service->name);
    enum error_code code = migrate_list_create(service->files, &migrations, &count, error);
    if (code == ERROR_NONE)
        code = migrate_status(&target.target, migrations, count, doctor_count_migration, counts, error);
    migrate_list_free(migrations);
    return code;
}

/* Opens core and looks at the migrations of all services. *ret_core stays NULL unless it can be asked. */
static void doctor_open_metadata(const struct settings *settings, struct doctor_finding *finding,
                                 struct meta_database **ret_core)
{
    char location[PATH_MAX], folder[PATH_MAX];
    struct error error = {0};
    struct doctor_migrations counts = {0};
    struct meta_database *core = NULL;
    snprintf(folder, sizeof folder, "%s/metadata", settings->data);
    if (!settings->meta_url[0] && !os_file_exists(folder)) {
        doctor_say(finding, DOCTOR_WARN, "there is no metadata in %s: no server has run here", settings->data);
        doctor_advise(finding, "check the setting data, or start the server once");
        return;
    }
    enum error_code code = places_find_metadata(settings, location, &error);
    for (const struct meta_service *service = meta_services; service->name && code == ERROR_NONE; service++) {
        struct meta_database *database = NULL;
        code = meta_open(location, service->name, &database, &error);
        if (code == ERROR_NONE) code = doctor_count_migrations(database, service, &counts, &error);
        if (strcmp(service->name, META_SERVICE_CORE) == 0) core = database;
        else meta_close(database);
    }
    explicit_bzero(location, sizeof location); /* may hold a password */
    if (code != ERROR_NONE) {
        doctor_say(finding, DOCTOR_FAIL, "%s", error.message);
        doctor_advise(finding, "nothing about users and keys could be looked at");
    } else if (counts.edited || counts.unknown) {
        doctor_say(finding, DOCTOR_FAIL,
                   "%u migrations were changed after they were applied, %u are of a newer program", counts.edited,
                   counts.unknown);
        doctor_advise(finding, "see `millrace migrate status`; run the program that made this metadata");
    } else if (counts.pending) {
        doctor_say(finding, DOCTOR_WARN, "%u migrations are pending; users and keys were not looked at",
                   counts.pending);
        doctor_advise(finding, "the server applies them at its start, `millrace migrate up` does now");
    } else {
        doctor_say(finding, DOCTOR_OK, "the metadata can be read and has all its migrations");
        *ret_core = core;
        return;
    }
    meta_close(core);
}

void doctor_run(const struct settings *settings, int64_t now_ms, struct doctor_report *ret_report)
{
    struct doctor doctor = {.settings = settings, .now_ms = now_ms};
    struct meta_database *core = NULL;
    struct error error = {0};
    *ret_report = (struct doctor_report){0};
    for (const struct doctor_check *check = doctor_setting_checks; check->name; check++)
        check->run(&doctor, doctor_add(ret_report, check->name));
    struct doctor_finding *metadata = doctor_add(ret_report, "metadata");
    doctor_open_metadata(settings, metadata, &core);
    if (!core) return;
    if (meta_session_begin(core, 60000, &doctor.session, &error) != ERROR_NONE)
        doctor_say(metadata, DOCTOR_FAIL, "%s", error.message);
    else
        for (const struct doctor_check *check = doctor_people_checks; check->name; check++)
            check->run(&doctor, doctor_add(ret_report, check->name));
    meta_session_end(doctor.session);
    meta_close(core);
}
