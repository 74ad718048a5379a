/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the rules. */
#include "enrich/user_agent_database.h"

#include <stdlib.h>

#include "enrich/user_agent_rules.h"

/* Built for any processor Hyperscan runs on: where the program was built is not where it runs. */
static const hs_platform_info_t any_platform = {.tune = HS_TUNE_FAMILY_GENERIC, .cpu_features = 0};

static unsigned flags_of(const struct user_agent_rule *rule)
{
    return HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | (rule->ignores_case ? HS_FLAG_CASELESS : 0u);
}

static bool is_refused(const struct user_agent_rule *rule)
{
    hs_expr_info_t *information = NULL;
    hs_compile_error_t *problem = NULL;
    bool refused = hs_expression_info(rule->regex, flags_of(rule), &information, &problem) != HS_SUCCESS;
    free(information);
    hs_free_compile_error(problem);
    return refused;
}

static enum error_code compile(const char **expressions, unsigned *flags, unsigned *ids, uint8_t *refused,
                               hs_database_t **ret_database, struct error *error)
{
    unsigned count = user_agent_rule_starts[USER_AGENT_KIND_COUNT], used = 0;
    for (unsigned i = 0; i < count; i++) {
        refused[i] = is_refused(&user_agent_rules[i]);
        if (refused[i]) continue;
        expressions[used] = user_agent_rules[i].regex;
        flags[used] = flags_of(&user_agent_rules[i]);
        ids[used++] = i;
    }
    hs_compile_error_t *problem = NULL;
    if (hs_compile_multi(expressions, flags, ids, used, HS_MODE_BLOCK, &any_platform, ret_database, &problem) == HS_SUCCESS)
        return ERROR_NONE;
    error_set(error, ERROR_INTERNAL, "user agent rules cannot be compiled: %s (%s)", problem->message,
              problem->expression >= 0 ? expressions[problem->expression] : "all");
    hs_free_compile_error(problem);
    return ERROR_INTERNAL;
}

enum error_code user_agent_database_compile(hs_database_t **ret_database, uint8_t **ret_refused, struct error *error)
{
    unsigned count = user_agent_rule_starts[USER_AGENT_KIND_COUNT];
    const char **expressions = calloc(count, sizeof *expressions);
    unsigned *flags = calloc(count, sizeof *flags), *ids = calloc(count, sizeof *ids);
    uint8_t *refused = calloc(count, 1);
    enum error_code code = ERROR_MEMORY;
    if (expressions && flags && ids && refused) code = compile(expressions, flags, ids, refused, ret_database, error);
    else error_set(error, code, "out of memory");
    free(expressions);
    free(flags);
    free(ids);
    if (code == ERROR_NONE) *ret_refused = refused;
    else free(refused);
    return code;
}
