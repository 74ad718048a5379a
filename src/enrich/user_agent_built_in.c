/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the rules as the build compiled them. */
#include "enrich/user_agent_database.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "enrich/user_agent_rules.h"

/* Written by user_agent_compile.c. */
extern const unsigned char user_agent_database_bytes[];
extern const uint64_t user_agent_database_size;

enum error_code user_agent_database_open(hs_database_t **ret_database, uint8_t **ret_refused, struct error *error)
{
    size_t count = user_agent_rule_starts[USER_AGENT_KIND_COUNT];
    const char *serialized = (const char *)user_agent_database_bytes + count;
    hs_error_t status = hs_deserialize_database(serialized, user_agent_database_size - count, ret_database);
    if (status == HS_NOMEM) return error_set(error, ERROR_MEMORY, "out of memory");
    if (status != HS_SUCCESS) return user_agent_database_compile(ret_database, ret_refused, error);
    *ret_refused = malloc(count);
    if (!*ret_refused) {
        hs_free_database(*ret_database);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    memcpy(*ret_refused, user_agent_database_bytes, count);
    return ERROR_NONE;
}
