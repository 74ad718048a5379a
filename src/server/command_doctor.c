/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace doctor`: what is weak or wrong with an installation, and what to do. */
#include <stdio.h>

#include "base/json_writer.h"
#include "os/clock.h"
#include "server/commands.h"
#include "server/doctor.h"

static void doctor_print_table(const struct doctor_report *report, bool is_quiet)
{
    size_t counts[3] = {0};
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_finding *finding = &report->findings[i];
        counts[finding->level]++;
        if (is_quiet && finding->level == DOCTOR_OK) continue;
        printf("%-4s  %-20s  %s\n", doctor_level_name(finding->level), finding->check, finding->message);
        if (finding->advice[0]) printf("      %-20s  -> %s\n", "", finding->advice);
    }
    printf("%zu fine, %zu to look at, %zu wrong\n", counts[DOCTOR_OK], counts[DOCTOR_WARN], counts[DOCTOR_FAIL]);
}

static void doctor_print_json(const struct doctor_report *report)
{
    struct buffer out = {0};
    struct json_writer writer = {.out = &out};
    json_writer_array_begin(&writer);
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_finding *finding = &report->findings[i];
        json_writer_object_begin(&writer);
        json_writer_key(&writer, "check");
        json_writer_string(&writer, slice_from_string(finding->check));
        json_writer_key(&writer, "level");
        json_writer_string(&writer, slice_from_string(doctor_level_name(finding->level)));
        json_writer_key(&writer, "message");
        json_writer_string(&writer, slice_from_string(finding->message));
        json_writer_key(&writer, "advice");
        json_writer_string(&writer, slice_from_string(finding->advice));
        json_writer_object_end(&writer);
    }
    json_writer_array_end(&writer);
    fwrite(out.data, 1, out.size, stdout);
    putchar('\n');
    buffer_free(&out);
}

int command_doctor(int argc, char **argv)
{
    bool is_json = false, is_quiet = false;
    const struct option flags[] = {
        {"json", NULL, NULL, &is_json, "print a JSON array of {check, level, message, advice}"},
        {"quiet", NULL, NULL, &is_quiet, "leave out what is fine"},
        {0},
    };
    const struct option_table table = {
        .usage = "millrace doctor --data DIR [--json] [--quiet]",
        .description = "Looks over settings, files, users and keys for what is weak or wrong, with what to do about it. Give it the\n"
                       "settings of the server. Changes nothing; works while a server runs and without one. Exits with 1 when\n"
                       "something is wrong (FAIL); what should be looked at (WARN) leaves 0.",
        .options = flags, .takes_settings = true};
    struct settings settings;
    struct options options;
    struct error error;
    enum error_code code = settings_load(&settings, &error);
    if (code == ERROR_NONE) code = options_parse(&table, argc, argv, &settings, &options, &error);
    if (code != ERROR_NONE) return command_fail(&error);
    if (options.help) return EXIT_DONE;
    static struct doctor_report report;
    doctor_run(&settings, os_clock_wall_ms(), &report);
    if (is_json) doctor_print_json(&report);
    else doctor_print_table(&report, is_quiet);
    for (size_t i = 0; i < report.count; i++)
        if (report.findings[i].level == DOCTOR_FAIL) return EXIT_FAILED;
    return EXIT_DONE;
}
