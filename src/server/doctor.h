/* SPDX-License-Identifier: Apache-2.0 */
/* Looks over an installation for what is weak or wrong; `millrace doctor` prints it. */
#ifndef SERVER_DOCTOR_H
#define SERVER_DOCTOR_H

#include "meta/meta.h"
#include "server/settings.h"

/*
 * Model: a check is a row of a table: a name and a function that says how things stand and what to do. Checks only
 * read (an empty metadata database gets its table of migrations), and work whether a server runs or not. Those of people need the metadata with all
 * its migrations; without, they are left out and the check "metadata" says why.
 */
enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };
const char *doctor_level_name(enum doctor_level level);

struct doctor_finding {
    const char *check;
    enum doctor_level level;
    char message[400];
    char advice[300]; /* "" when it is fine */
};
#define DOCTOR_FINDING_LIMIT 48 /* one a check, of which there are about thirty */
struct doctor_report {
    size_t count;
    struct doctor_finding findings[DOCTOR_FINDING_LIMIT];
};
/* Always makes a report: what cannot be looked at is a finding too. */
void doctor_run(const struct settings *settings, int64_t now_ms, struct doctor_report *ret_report);

/* ---- inside ---- */

struct doctor {
    const struct settings *settings;
    int64_t now_ms;
    struct meta_session *session; /* of core; for the checks of people only */
};
struct doctor_check {
    const char *name;
    void (*run)(const struct doctor *doctor, struct doctor_finding *finding);
};
/* Ended by a NULL name. */
extern const struct doctor_check doctor_setting_checks[];
extern const struct doctor_check doctor_people_checks[];

void doctor_say(struct doctor_finding *finding, enum doctor_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_advise(struct doctor_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
