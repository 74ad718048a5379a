/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace engine` for the end-to-end tests of this folder, without the rest of the program. */
#include <getopt.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/engine.h"

#define POLICY_LIMIT 16

static bool add_policy(struct engine_policy *policy, char *text)
{
    char *table = strchr(text, '.');
    char *column = table ? strchr(table + 1, '.') : NULL;
    if (!column) return false;
    *table = *column = 0;
    *policy = (struct engine_policy){text, table + 1, column + 1};
    return true;
}

int main(int count, char **arguments)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'},    {"library", required_argument, NULL, 'l'},
        {"socket", required_argument, NULL, 's'},  {"port", required_argument, NULL, 'p'},
        {"policy", required_argument, NULL, 'r'},  {"queries", required_argument, NULL, 'q'},
        {"lifeline", no_argument, NULL, 'f'},      {"timeout", required_argument, NULL, 't'},
        {"memory", required_argument, NULL, 'm'},  {"grace", required_argument, NULL, 'g'},
        {"stuck", required_argument, NULL, 'k'},   {"idle", required_argument, NULL, 'i'},    {0}};
    struct engine_policy policies[POLICY_LIMIT];
    struct engine_process_settings settings = {.engine.policies = policies};
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd': settings.engine.data_directory = optarg; break;
        case 'l': settings.engine.library_path = optarg; break;
        case 's': settings.unix_path = optarg; break;
        case 'p':
            settings.host = "127.0.0.1";
            settings.port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            if (settings.engine.policy_count == POLICY_LIMIT ||
                !add_policy(&policies[settings.engine.policy_count++], optarg))
                return 2;
            break;
        case 'q': settings.engine.query_limit = strtoul(optarg, NULL, 10); break;
        case 't': settings.engine.open_timeout_ms = strtol(optarg, NULL, 10); break;
        case 'm': settings.engine.memory_limit_bytes = strtoull(optarg, NULL, 10); break;
        case 'g': settings.engine.grace_ms = strtol(optarg, NULL, 10); break;
        case 'k': settings.engine.stuck_ms = strtol(optarg, NULL, 10); break;
        case 'i': settings.engine.idle_ms = strtol(optarg, NULL, 10); break;
        case 'f': settings.lifeline = true; break;
        default: return 2;
        }
    }
    if (!settings.engine.data_directory || !settings.engine.library_path) {
        log_error("--data and --library are needed");
        return 2;
    }
    return engine_main(&settings);
}
