/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the translation for clusters takes or refuses any text, and what it takes it takes the same way again.
 */
#include "meta/migrate.h"
#include "server/cluster_ddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cluster_ddl *ddl;
    struct slice script = slice_make(data, size), statement;
    ASSERT(cluster_ddl_create("events", "p_", &ddl, NULL) == ERROR_NONE);
    cluster_ddl_learn(ddl, script);
    while (migrate_split(&script, true, &statement)) {
        struct buffer first = {0}, second = {0};
        struct error error = {0};
        enum error_code code = cluster_ddl_rewrite(ddl, statement, &first, &error);
        ASSERT(code == cluster_ddl_rewrite(ddl, statement, &second, &error));
        ASSERT(code == ERROR_NONE ? first.size > statement.size : error.message[0] != 0);
        ASSERT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
        buffer_free(&first);
        buffer_free(&second);
    }
    cluster_ddl_destroy(ddl);
    return 0;
}
